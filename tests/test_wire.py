"""The JSON shape of an answer: keys that others rely on, and sentences for every note."""

from __future__ import annotations

import json

import pytest

from instructrec import wire
from instructrec.core import Evidence, Explanation, Instruction, Query, Quota, Recommendation, ScoredItem
from instructrec.errors import ConfigError
from instructrec.tables import Catalog, Limit

FURTHER = ("caveat", "against", "counterfactual", "counterfactual_text")


@pytest.fixture
def catalog():
    return Catalog(item_ids=("a", "b"), titles=("Alpha", "Beta"))


@pytest.fixture
def recommendation():
    words = Instruction(
        text="a comedy, please",
        limits=(Limit(attribute="genres", operator="include", values=("Comedy",)),),
        not_understood=("please",),
    )
    items = (ScoredItem("b", 1.5, "ridge"), ScoredItem("a", 0.5, "lm"))
    query = Query(user="u", instruction=words)
    return Recommendation(id="r1", query=query, items=items, model="fusion", served_by="fusion", notes=("short_list:2",))


def test_answer_has_exactly_the_agreed_keys(catalog, recommendation):
    why = Explanation(item="b", text="Because.", status="verified", evidence=(Evidence(kind="history", weight=0.25, item="a"),))
    found = wire.answer(recommendation, catalog=catalog, model_version="v1", explanations=[why])
    assert list(found) == [
        *("recommendation_id", "user_id", "model", "model_version", "served_by", "degraded", "instruction", "items", "notes"),
    ]
    assert set(found["instruction"]) == {
        *("text", "limits", "quotas", "like", "unlike", "seen", "n", "wish", "understood", "not_understood", "notes"),
    }
    first, second = found["items"]
    assert set(first) == {
        "item_id",
        "title",
        "rank",
        "score",
        "source",
        "explanation",
        "explanation_status",
        "explanation_written_by",
        "evidence",
        *FURTHER,
    }
    assert (first["item_id"], first["title"], first["rank"], first["explanation_status"]) == ("b", "Beta", 1, "verified")
    assert first["evidence"] == [{"kind": "history", "item_id": "a", "weight": 0.25}]
    assert (second["explanation"], second["explanation_status"], second["evidence"]) == ("", "none", [])
    assert found["notes"] == ["Only 2 items satisfy everything that was asked, so the list is shorter."]
    assert json.loads(json.dumps(found)) == found


def test_no_instruction_has_the_same_keys():
    found = wire.instruction(None)
    assert (found["text"], found["limits"], found["wish"], found["not_understood"]) == ("", [], "", [])
    assert (found["quotas"], found["like"], found["unlike"], found["seen"], found["n"], found["notes"]) == (
        [],
        [],
        [],
        "",
        None,
        [],
    )


def test_an_instruction_shows_quotas_examples_and_notes_in_the_language(catalog):
    comedy = Limit(attribute="genres", operator="include", values=("Comedy",))
    quota = Quota(limits=(comedy,), at_least=2)
    value = Instruction(text="x", quotas=(quota,), like=("a",), seen="new", n=3, notes=("contradiction:Comedy",))
    found = wire.instruction(value, catalog=catalog, language="zh")
    assert found["quotas"] == [
        {"limits": [{"attribute": "genres", "operator": "include", "values": ["Comedy"]}], "at_least": 2, "at_most": None}
    ]
    assert (found["like"], found["unlike"], found["seen"], found["n"]) == (["a"], [], "new", 3)
    assert found["understood"] == ["3 个项目", "至少 2 个genres：Comedy", "像“Alpha”", "没看过的"]
    assert "Comedy" in found["notes"][0] and found["notes"][0].startswith("关于")
    assert wire.understood(found) == [*found["understood"], *found["notes"]]


@pytest.mark.parametrize("language", wire.LANGUAGES)
@pytest.mark.parametrize(
    "code",
    [
        "short_list:3",
        "short_list:0",
        "cold_start:instruction",
        "cold_start:popularity",
        "cold_start:trending",
        "unknown_history:x,y",
        "contradiction:X",
        "impossible_quota:x",
        "disagreement:X",
        "read_by_rules:genres: X",
        "read_by_rules:nothing",
        "read_by_model:genres: not X",
    ],
)
def test_every_note_has_a_sentence_in_every_language(language, code):
    sentence = wire.note(code, language=language)
    assert sentence != code
    assert "{" not in sentence


def test_languages_have_the_same_notes():
    first, *others = [set(wire.wording(language)["notes"]) for language in wire.LANGUAGES]
    assert all(other == first for other in others)


def test_answers_of_an_earlier_version_are_still_shown():
    found = wire.instruction(Instruction(text="x", wish="music", not_understood=("zzz",)))
    del found["understood"]
    assert wire.understood(found) == ["wish “music”", "not understood “zzz”"]


def test_note_of_a_newer_version_is_shown_as_it_is():
    assert wire.note("brand_new:1") == "brand_new:1"


def test_unknown_language_names_the_known_ones():
    with pytest.raises(ConfigError, match="en, zh"):
        wire.note("short_list:1", language="xx")
