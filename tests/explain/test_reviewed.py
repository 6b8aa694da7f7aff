"""What reviewers say, in explanations: on the right side, with the right count, and nothing criticised is ever a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.explain.worlds import Linear, film_world, shown

from instructrec import wire
from instructrec.core import Evidence, Instruction, Query
from instructrec.explain import explain, measure_influence
from instructrec.explain.facts import Lore, collect
from instructrec.explain.phrases import phrases
from instructrec.explain.selection import select
from instructrec.explain.verification import problems
from instructrec.instructions import parse
from instructrec.instructions.profiling import profile_of
from instructrec.instructions.render import ItemWords
from instructrec.models.search import item_lines
from instructrec.tables import Labels

PRAISED = {0: {"good plot": 4}, 1: {"good plot": 2}, 4: {"good sound": 3, "good story": 2}, 5: {"good plot": 2}}
CRITICISED = {0: {"bad ending": 5}, 1: {"bad ending": 2}, 4: {"bad ending": 4}, 5: {"bad sound": 2}}


def reviewed_world(*, attributes=False):
    """The films, of which reviewers praise and criticise some features."""
    world = film_world(attributes=attributes)
    said = [[found.get(item, {}) for item in range(len(world.catalog))] for found in (PRAISED, CRITICISED)]
    labels = {"praised": Labels.said(said[0], 1), "criticised": Labels.said(said[1], -1)}
    return replace(world, catalog=replace(world.catalog, labels={**world.catalog.labels, **labels}))


WORLD = reviewed_world()
MODEL = Linear().fit(WORLD)


def listed(text="", *, item="i4", history=("i0", "i1", "i2")):
    words = parse(text, WORLD.catalog) if text else Instruction(text="")
    return shown(Query(history=history, instruction=words), item)


def facts_of(text="", *, item="i4", language="en"):
    recommendation = listed(text, item=item)
    [influence] = measure_influence(MODEL, [recommendation])
    [facts] = collect(Lore(WORLD, phrases(language)), recommendation, influence)
    return facts


@pytest.mark.parametrize(
    "text",
    [
        "Reviewers praise its good sound.",
        "Reviewers praise its sound.",
        "It is praised for its good sound and its story.",
        "3 reviewers praise its good sound.",
        "More than 2 reviewers praise its good sound.",
        "One thing against it: reviewers criticise its bad ending.",
        "Something speaks against it: it is criticised by 4 reviewers for its bad ending.",
        "It is not praised for good plot.",
    ],
)
def test_what_reviewers_say_may_be_said(text):
    assert problems(text, facts_of()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Reviewers praise its good plot.",
        "It is praised for its plot.",
        "Reviewers praise its good sound and plot.",
        "Reviewers praise its elephant.",
        "The reviews are glowing.",
        "Reviewers praise its ending.",
        "Reviewers praise its bad ending.",
        "Reviewers criticise its sound.",
        "Reviewers criticise its good sound.",
        "Reviewers do not praise its sound.",
        "It is not praised for good sound.",
        "2 reviewers praise its good sound.",
        "3 reviewers praise its good sound and good story.",
        "Fewer than 3 reviewers praise its good sound.",
        "You will like its bad ending.",
        "It is here because of its bad ending.",
    ],
)
def test_what_they_do_not_say_is_refused(text):
    assert problems(text, facts_of()) != []


@pytest.mark.parametrize(
    ("text", "true"),
    [
        ("评论者称赞它的good sound。", True),
        ("有 3 位评论者称赞它的good sound。", True),
        ("有 2 位评论者称赞它的good sound。", False),
        ("评论者称赞它的good plot。", False),
        ("评论者称赞它的plot。", False),
        ("评论者批评它的good sound。", False),
        ("扣分的地方：评论者批评它的bad ending。", True),
        ("它属于bad ending（criticised）。", False),
    ],
)
def test_chinese_claims_about_reviewers(text, true):
    assert (problems(text, facts_of(language="zh")) == []) is true


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["praised", "criticised"])
def test_every_sentence_of_the_grammar_passes_where_it_is_true_and_only_there(language, kind):
    value, people = ("good sound", 3) if kind == "praised" else ("bad ending", 4)
    for form in ("many", "some"):
        for line in phrases(language).sentences[kind, form]:
            text = line.format(value=value, people=people)
            assert problems(text, facts_of(language=language)) == []
            assert problems(text, facts_of(item="i6", language=language)) != []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_praise_is_a_reason_and_criticism_a_caveat_with_the_number_of_reviewers(language):
    [found] = explain(MODEL, listed(), WORLD, language=language)
    assert found.status == "verified"
    assert Evidence(kind="attribute", weight=0.0, attribute="praised", value="good sound", people=3) in found.evidence
    assert found.against == (Evidence(kind="attribute", weight=0.0, attribute="criticised", value="bad ending", people=4),)
    assert "3" in found.text and "good sound" in found.text and "bad ending" not in found.text
    assert "4" in found.caveat and "bad ending" in found.caveat
    assert wire.evidence(found.against[0])["people"] == 4


def test_no_item_is_explained_by_what_is_criticised():
    for item in WORLD.catalog.item_ids:
        for pieces in (1, 3, 9):
            facts = facts_of(item=item)
            assert all(entry.attribute != "criticised" for entry in select(facts, pieces))
            [found] = explain(MODEL, listed(item=item), WORLD, max_evidence=pieces)
            assert "bad" not in found.text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_limits_about_reviewers_are_said_as_they_were_asked(language):
    for text, value in (("something with good sound", "good sound"), ("no bad sound", "not bad sound")):
        [found] = explain(MODEL, listed(text), WORLD, language=language, max_evidence=1)
        assert (found.evidence[0].kind, found.evidence[0].value, found.status) == ("instruction", value, "verified")


def test_criticism_is_no_taste_and_no_word_for_an_item():
    catalog = WORLD.catalog
    assert catalog.favourable == ("praised",)
    assert "bad ending" not in profile_of(["i0", "i1", "i4"], catalog).text
    assert "good plot" in profile_of(["i0", "i1", "i4"], catalog).text
    assert ItemWords.of(catalog).values[4] == ("good sound", "good story")
    assert all("bad" not in line for line in item_lines(catalog))
    assert ("criticised", "bad ending") not in ItemWords.lines_without(catalog, 4)
