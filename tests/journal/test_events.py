"""Rows of JSON become events or a verdict, and an event has one stored form."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructrec.journal import Event, Rejected, read_events
from instructrec.journal.events import canonical, from_body

NOW = 1_800_000_000.0
CLICK = {"event_id": "e1", "type": "click", "user_id": "u", "item_id": "i", "time": 1_700_000_000}


def read(**changes):
    (found,) = read_events([{key: value for key, value in (CLICK | changes).items() if value is not ...}], NOW)
    return found


def test_a_row_becomes_an_event_with_all_its_fields():
    found = read(position=3, recommendation_id="r", experiment_ids=["x", "y"], properties={"page": "home", "n": 2, "new": True})
    assert found == Event(
        event_id="e1",
        type="click",
        user_id="u",
        item_id="i",
        time=1.7e9,
        position=3,
        recommendation_id="r",
        experiment_ids=("x", "y"),
        properties={"page": "home", "n": 2, "new": True},
    )
    assert read_events([found.as_json()], NOW) == [found], "what is said is read back"
    assert from_body(found.body_and_hash()[0]) == found


@pytest.mark.parametrize(
    "given_as", [{"time": 1.7e9}, {"time": "2023-11-14T22:13:20Z"}, {"time": ..., "timestamp": "2023-11-14T23:13:20+01:00"}]
)
def test_one_moment_in_any_spelling_is_one_event(given_as):
    assert read(**given_as) == read(time=1_700_000_000)
    assert read(**given_as).body_hash == read().body_hash


def test_an_event_without_a_time_has_the_same_hash_whenever_it_comes():
    early, late = (read_events([{**CLICK, "time": None}], when)[0] for when in (NOW, NOW + 99))
    assert (early.time, late.time) == (NOW, NOW + 99)
    assert early.body_hash == late.body_hash != read(time=NOW).body_hash
    assert from_body(early.body_and_hash()[0]) == early


def test_an_event_without_an_id_gets_one_of_its_own():
    first, second = read_events([{**CLICK, "event_id": None}] * 2, NOW)
    assert first.event_id != second.event_id and first.body_hash != second.body_hash


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"kind": "view"}, "unknown_key", "'kind'"),
        ({"itemid": "i"}, "unknown_key", "Did you mean 'item_id'?"),
        ({"stamped": False}, "unknown_key", "'stamped'"),
        ({"type": "clik"}, "unknown_type", "clik"),
        ({"type": ["click"]}, "unknown_type", "click"),
        ({"type": ...}, "unknown_type", "missing"),
        ({"user_id": ...}, "missing", "neither"),
        ({"session_id": "s"}, "not_both", "both"),
        ({"item_id": ...}, "missing", "'item_id'"),
        ({"type": "rating"}, "missing", "'value'"),
        ({"type": "text", "item_id": ...}, "missing", "'text'"),
        ({"type": "text", "text": "less horror"}, "not_for_this_type", "'item_id'"),
        ({"type": "undo", "item_id": ...}, "missing", "'undoes'"),
        ({"undoes": "e0"}, "not_for_this_type", "'undoes'"),
        ({"reason": "seen"}, "not_for_this_type", "'reason'"),
        ({"type": "dislike", "reason": "boring"}, "bad_value", "boring"),
        ({"type": "dislike", "reason": "attribute:"}, "bad_value", "attribute:NAME"),
        ({"user_id": 5}, "wrong_type", "a number"),
        ({"user_id": ""}, "bad_value", "empty"),
        ({"item_id": "i" * 257}, "too_long", "256"),
        ({"item_id": "a\x00b"}, "bad_value", "control"),
        ({"item_id": "a\ud800"}, "bad_value", "surrogate"),
        ({"text": "x" * 2001}, "too_long", "2000"),
        ({"text": "\ud800"}, "bad_value", "surrogate"),
        ({"text": 3}, "wrong_type", "a number"),
        ({"value": math.nan}, "bad_value", "finite"),
        ({"value": -math.inf}, "bad_value", "finite"),
        ({"value": 10**400}, "bad_value", "finite"),
        ({"value": True}, "wrong_type", "true or false"),
        ({"position": 1.5}, "wrong_type", "whole"),
        ({"position": -1}, "bad_value", "0"),
        ({"time": -1}, "bad_time", "1970"),
        ({"time": NOW * 1000}, "bad_time", "seconds"),
        ({"time": math.nan}, "bad_time", "1970"),
        ({"time": True}, "wrong_type", "true or false"),
        ({"time": "yesterday"}, "bad_time", "ISO 8601"),
        ({"time": "2023-11-14T22:13:20"}, "bad_time", "zone"),
        ({"timestamp": 5}, "not_both", "two names"),
        ({"experiment_ids": "x"}, "wrong_type", "array"),
        ({"experiment_ids": ["x"] * 21}, "too_long", "20"),
        ({"properties": []}, "wrong_type", "an array"),
        ({"properties": {"a": {}}}, "wrong_type", "flat"),
        ({"properties": {"a": "x" * 501}}, "too_long", "500"),
        ({"properties": {str(n): n for n in range(21)}}, "too_long", "20"),
        ({"properties": {"a": math.inf}}, "bad_value", "finite"),
    ],
)
def test_a_bad_row_is_rejected_by_name(changes, code, said):
    found = read(**changes)
    assert isinstance(found, Rejected) and (found.index, found.code) == (0, code)
    assert said in found.message
    found.message.encode()  # can be sent


@pytest.mark.parametrize("row", [None, 5, "click", [], True])
def test_a_row_that_is_no_object_is_rejected_and_the_others_are_read(row):
    good, bad, other = read_events([CLICK, row, CLICK], NOW)
    assert good == other == read()
    assert bad == Rejected(1, "not_an_object", bad.message)


@pytest.mark.parametrize("kind", ["view", "click", "like", "dislike", "similar", "purchase", "impression", "ban"])
def test_types_that_need_an_item_alone(kind):
    assert read(type=kind).type == kind


def test_an_answer_is_about_a_list_and_not_about_an_item():
    answer = read(type="satisfaction", item_id=..., value=4, recommendation_id="r1")
    assert (answer.value, answer.recommendation_id, answer.item_id) == (4.0, "r1", None)
    assert read(type="satisfaction", value=4).code == "not_for_this_type"
    assert read(type="satisfaction", item_id=...).code == "missing"


@pytest.mark.parametrize("value", [0, 6, 2.5, -1, 1e9])
def test_an_answer_that_is_none_of_five_is_refused(value):
    refused = read(type="satisfaction", item_id=..., value=value)
    assert refused.code == "bad_value" and "from 1 (not at all) to 5 (very well)" in refused.message


def test_words_may_have_lines_and_be_empty():
    assert read(type="text", item_id=..., text="less\nhorror").text == "less\nhorror"
    assert read(type="text", item_id=..., text="").text == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.dictionaries(st.sampled_from([*Event.__dataclass_fields__, "timestamp", "other"]), JSON, max_size=8)


@given(st.lists(JSON | ROWS | ROWS.map(lambda row: CLICK | row), max_size=5))
def test_no_row_whatever_raises(rows):
    found = read_events(rows, NOW)
    assert len(found) == len(rows)
    for index, verdict in enumerate(found):
        if isinstance(verdict, Rejected):
            assert verdict.index == index and verdict.code and verdict.message
        else:
            body, body_hash = verdict.body_and_hash()
            assert from_body(body).body_and_hash() == (body, body_hash)
            assert canonical(json.loads(body)) == body


@given(st.text(max_size=40))
def test_no_time_whatever_raises(words):
    assert isinstance(read(time=words), Event | Rejected)


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0000-00-00T00:00:00Z"])
def test_times_at_the_edge_of_the_calendar_are_rejected(edge):
    assert read(time=edge).code == "bad_time"
