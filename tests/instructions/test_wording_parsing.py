"""The phrase lists of parsing: what stands there is used, and stands there once."""

import re
import tomllib
from collections import Counter
from importlib import resources

import pytest


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_phrase_stands_twice_in_a_list(language):
    text = (resources.files("instructrec.instructions.wording") / f"parsing.{language}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    twice = {
        (part, role): [phrase for phrase, count in Counter(phrases).items() if count > 1]
        for part in ("strong", "weak")
        for role, phrases in table[part].items()
    }
    assert {place: phrases for place, phrases in twice.items() if phrases} == {}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_set_of_words_is_used(language):
    text = (resources.files("instructrec.instructions.wording") / f"parsing.{language}.toml").read_text(encoding="utf-8")
    by_the_reader = {"i", "have"}
    assert set(tomllib.loads(text)["sets"]) - set(re.findall(r"<(\w+)>", text)) - by_the_reader == set()
