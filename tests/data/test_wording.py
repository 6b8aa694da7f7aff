"""Both languages say the same things with the same facts."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

from instructrec.data.wording import LANGUAGES, phrase


def words(language):
    text = resources.files("instructrec.data.wording").joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return {f"{section}.{name}": line for section, lines in tomllib.loads(text).items() for name, line in lines.items()}


def test_every_language_has_every_phrase_with_the_same_facts():
    english = words("en")
    for language in LANGUAGES[1:]:
        other = words(language)
        assert other.keys() == english.keys()
        for key, line in english.items():
            assert set(re.findall(r"{(\w+)}", other[key])) == set(re.findall(r"{(\w+)}", line)), key


def test_an_unknown_language_falls_back_to_english():
    facts = {"source": "x", "count": "3"}
    assert phrase("report.read", language="tlh", **facts) == phrase("report.read", **facts) == "read x: 3 interactions"
