import re
import tomllib
from importlib import resources

import numpy as np
import pytest
from tests.instructions.shelves import SHELVES

from instructrec.core import Instruction
from instructrec.errors import ConfigError
from instructrec.instructions import parse
from instructrec.instructions.clauses import phrasings
from instructrec.instructions.phrasing import held_out_values
from instructrec.instructions.sentences import SentenceWriter, hard_part
from instructrec.tables import Catalog

CATALOGS = [(language, shelf) for language in ("en", "zh") for shelf in SHELVES]


def drawn(writer, *, number=60, seed=0):
    rng = np.random.default_rng(seed)
    return [writer.draw(rng, 1 + place % 4) for place in range(number)]


def named(instruction: Instruction) -> set[str]:
    limits = [*instruction.limits, *(limit for quota in instruction.quotas for limit in quota.limits)]
    return {value for limit in limits for value in limit.values}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_fifth_of_every_kind_is_held_out_and_can_always_be_said(language):
    words = resources.files("instructrec.instructions") / "wording" / f"sentences.{language}.toml"
    table = tomllib.loads(words.read_text(encoding="utf-8"))
    assert set(table) - {"words"} == set(phrasings("en", held_out=False))
    for kind, rows in table.items():
        if kind != "words":
            unseen = [*rows["held_out"], *rows.get("rare", ())]
            assert len(unseen) >= 0.2 * (len(rows["train"]) + len(unseen)), kind
            if kind not in ("joins", "joins_apart", "close"):
                assert not set(rows["train"]) & set(unseen), kind
            for forms in rows.values():
                assert any(not re.search(r"\{(short|spelled|attribute)\}", form) for form in forms) or "number" in kind, kind


@pytest.mark.parametrize(("language", "shelf"), CATALOGS)
def test_what_is_drawn_says_what_it_means(language, shelf):
    catalog = SHELVES[shelf](language)
    sentences = drawn(SentenceWriter(catalog, language=language), number=100)
    right = sum(hard_part(parse(each.text, catalog, language=language)) == hard_part(each.truth) for each in sentences)
    assert right >= 50
    for each in sentences:
        assert each.truth.text == each.text
        assert "{" not in each.text
        for part in each.truth.wish.split(", "):
            assert part.lower()[:2] in each.text.lower()
        told = [value for limit in each.truth.limits for value in limit.values]
        assert len(told) == len(set(told)), each


def test_every_kind_of_condition_is_drawn():
    found = [each.truth for each in drawn(SentenceWriter(SHELVES["films"]()), number=300)]
    limits = [limit for truth in found for limit in truth.limits]
    assert {limit.operator for limit in limits} == {"include", "exclude", "range"}
    assert any(len(limit.values) == 2 and limit.operator == "include" for limit in limits)
    assert {truth.seen for truth in found} == {"", "new", "known"}
    for held in ("quotas", "like", "unlike", "n", "wish"):
        assert any(getattr(truth, held) for truth in found), held


def test_held_out_values_are_never_said_in_training_and_only_them_otherwise():
    catalog = SHELVES["films"]()
    held = held_out_values(catalog)
    training = {value.lower() for each in drawn(SentenceWriter(catalog, said="training")) for value in named(each.truth)}
    others = {value.lower() for each in drawn(SentenceWriter(catalog, said="held_out")) for value in named(each.truth)}
    assert training
    assert others
    assert not training & held
    assert others <= held


def test_equal_seeds_write_equal_sentences():
    writer = SentenceWriter(SHELVES["shop"]())
    assert drawn(writer) == drawn(writer)
    assert drawn(writer) != drawn(writer, seed=1)


def test_a_bare_catalog_can_still_be_asked():
    writer = SentenceWriter(Catalog(item_ids=("a",), titles=("",)))
    assert all(each.text for each in drawn(writer, number=20))


def test_a_language_without_sentences_is_refused():
    with pytest.raises(ConfigError, match="no wording for language"):
        SentenceWriter(SHELVES["shop"](), language="xx")
