"""The state of a person is a function of what they did, and an undo leaves no trace in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.journal.deeds import NOW, deed, journal

from instructrec.journal.records import Stored
from instructrec.journal.state import (
    DISLIKE_HALF_LIFE_DAYS,
    LIKE_HALF_LIFE_EVENTS,
    LIKED_RATING,
    NOT_NOW_DAYS,
    Dislike,
    PersonState,
    Wanted,
)

DAY = 86_400.0


def state(*events, now=NOW):
    return PersonState.of(journal(*events), now)


def test_nothing_done_is_the_empty_state():
    assert state() == PersonState()
    assert state().weights(NOW) == ({}, (), frozenset())


def test_each_type_goes_where_it_belongs():
    found = state(
        deed(1, "view", "viewed", time=10),
        deed(2, "click", "clicked", time=20),
        deed(3, "like", "liked", time=30),
        deed(4, "dislike", "disliked", time=40, reason="attribute:genres"),
        deed(5, "rating", "good", time=50, value=LIKED_RATING),
        deed(6, "rating", "bad", time=60, value=LIKED_RATING - 0.5),
        deed(7, "similar", "wanted", time=70),
        deed(8, "text", time=80, text="less horror"),
        deed(9, "purchase", "bought", time=90),
        deed(10, "impression", "shown", time=95),
        deed(11, "ban", "banned", time=99),
        deed(12, "satisfaction", time=99, value=1.0, recommendation_id="r"),
    )
    assert found == PersonState(
        history=("viewed", "clicked", "liked", "good", "wanted", "bought"),
        liked=("liked", "good"),
        disliked=(Dislike("disliked", "attribute:genres", 40.0),),
        similar=(Wanted("wanted", 70.0),),
        banned=frozenset({"banned"}),
        rating={"good": LIKED_RATING, "bad": LIKED_RATING - 0.5},
        text="less horror",
    )
    assert found.seq == 12


def test_a_late_event_takes_its_place_by_time_in_the_history_alone():
    found = state(
        deed(1, "like", "b", time=20), deed(2, "text", time=20, text="new"), deed(3, "like", "a", time=10),
        deed(4, "text", time=5, text="said last"),
    )  # fmt: skip
    assert found.history == ("a", "b")
    assert found.liked == ("b", "a") and found.text == "said last"


def test_an_item_is_in_the_history_once_at_its_latest_time():
    assert state(deed(1, item="a", time=1), deed(2, item="b", time=2), deed(3, item="a", time=3)).history == ("b", "a")
    assert state(deed(1, item="a", time=3), deed(2, item="b", time=2), deed(3, item="a", time=1)).history == ("b", "a")


def test_the_last_opinion_of_an_item_holds():
    changed = [deed(1, "like"), deed(2, "dislike", reason="seen"), deed(3, "rating", value=5.0)]
    assert state(*changed[:1]).liked == ("i",)
    assert (state(*changed[:2]).liked, state(*changed[:2]).seen) == ((), {"i"})
    assert (state(*changed).liked, state(*changed).disliked, state(*changed).seen) == (("i",), (), frozenset())


def test_few_stars_lift_a_like_but_no_dislike():
    assert state(deed(1, "like"), deed(2, "rating", value=1.0)).liked == ()
    assert state(deed(1, "dislike"), deed(2, "rating", value=1.0)).disliked == (Dislike("i", "", 1.7e9),)


def test_not_now_ends():
    begun = 1.7e9
    until = begun + NOT_NOW_DAYS * DAY
    event = deed(1, "dislike", reason="not_now", time=begun)
    assert state(event, now=until - 1).not_now == {"i": until}
    assert state(event, now=until).not_now == {}


def test_a_ban_stays_through_a_like_and_goes_by_undo():
    assert state(deed(1, "ban"), deed(2, "like")).banned == {"i"}
    assert state(deed(1, "ban"), deed(2, "undo", undoes="1")).banned == frozenset()


def test_half_lives():
    many = [deed(n, "like", f"i{n}", time=n) for n in range(LIKE_HALF_LIFE_EVENTS + 1)]
    weights = state(*many).weights(NOW)
    assert weights.history["i0"] == pytest.approx(0.5)
    assert weights.history[f"i{LIKE_HALF_LIFE_EVENTS}"] == 1.0
    old = NOW - DISLIKE_HALF_LIFE_DAYS * DAY
    dislikes = [deed(1, "dislike", "a", time=old), deed(2, "dislike", "b", time=old, reason="seen"), deed(3, "ban", "c", time=old)]
    weights = state(*dislikes).weights(NOW)
    assert weights.dislikes == (("a", "", pytest.approx(0.5)),), "what speaks of the item alone pushes nothing else down"
    assert weights.bans == {"c"}


def test_undo_may_come_ahead_of_what_it_undoes():
    assert state(deed(1, "undo", undoes="2"), deed(2, "like")) == state()


def test_undo_of_undo_brings_back_and_circles_end():
    like, undo, redo = deed(1, "like"), deed(2, "undo", undoes="1"), deed(3, "undo", undoes="2")
    assert state(like, undo, redo) == state(like)
    assert state(like, undo, redo, deed(4, "undo", undoes="3")) == state()
    # Of two undos that name each other the later holds.
    assert state(deed(1, "like"), deed("a", "undo", undoes="b"), deed("b", "undo", undoes="a")).liked == ("i",)
    assert state(deed("a", "undo", undoes="a"), like) == state(like)


def test_an_undo_of_something_unknown_does_nothing():
    assert state(deed(1, "like"), deed(2, "undo", undoes="of another person")) == state(deed(1, "like"))


KINDS = ["view", "click", "like", "dislike", "rating", "similar", "text", "purchase", "impression", "ban", "satisfaction"]


@st.composite
def deeds(draw, least=0):
    """Events of one person on few items, in any order of time."""
    found = []
    for name in range(draw(st.integers(least, 12))):
        kind = draw(st.sampled_from(KINDS))
        fields = {"time": draw(st.integers(1, 50)), "item": draw(st.sampled_from("abc"))}
        if kind in ("rating", "satisfaction"):
            fields["value"] = float(draw(st.integers(1, 5)))
        if kind == "text":
            fields["text"] = draw(st.sampled_from(["x", "y", ""]))
        if kind == "dislike":
            fields["reason"] = draw(st.sampled_from(["", "seen", "not_now", "attribute:genres"]))
        found.append(deed(name, kind, **fields))
    return found


@given(deeds(least=1), st.data())
def test_undo_gives_exactly_the_state_without_the_event(events, data):
    place = data.draw(st.integers(0, len(events) - 1))
    undo = deed("undo", "undo", undoes=events[place].event_id)
    where = data.draw(st.integers(0, len(events)))
    without = state(*events[:place], *events[place + 1 :])
    undone = state(*events[:where], undo, *events[where:])
    assert undone == without and undone.digest() == without.digest()
    assert repr(undone.weights(NOW)) == repr(without.weights(NOW)), "to the last bit"
    back = state(*events[:where], undo, *events[where:], deed("redo", "undo", undoes="undo"))
    assert back == state(*events) and back.digest() == state(*events).digest()


@given(deeds(), st.randoms())
def test_order_and_repetition_of_what_is_read_change_nothing(events, random):
    rows = journal(*events)
    shuffled = [*rows, *rows]
    random.shuffle(shuffled)
    assert PersonState.of(shuffled, NOW) == PersonState.of(rows, NOW)


@given(deeds())
def test_seqs_may_have_gaps(events):
    rows = journal(*events)
    wide = [Stored(row.seq * 7, row.tenant, row.event, row.received) for row in rows]
    assert PersonState.of(wide, NOW).digest() == PersonState.of(rows, NOW).digest()


@settings(max_examples=50)
@given(deeds(), deeds())
def test_equal_digests_are_equal_states(one, other):
    assert (state(*one).digest() == state(*other).digest()) == (state(*one) == state(*other))
