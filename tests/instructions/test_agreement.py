from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.instructions.films import between, films, unwanted, wanted
from tests.instructions.sentences import Hard

from instructrec.core import Instruction, Quota
from instructrec.instructions import parse
from instructrec.instructions.agreement import UNSURE, agree
from instructrec.instructions.sentences import SentenceWriter
from instructrec.tables import Limit

FILMS = films()


def said(text, *limits, **more):
    return Instruction(text=text, limits=limits, **more)


def quota(limit, **bounds):
    return Quota(limits=(limit,), **bounds)


TEXT = "a comedy or drama from 1990, at least two war, like Alien, five of them, no horror"

TWO_WAR = said(TEXT, quotas=(quota(wanted("War"), at_least=2),))


@pytest.mark.parametrize(
    ("rules", "model", "holds"),
    [
        # Both say the same.
        (said(TEXT, wanted("Comedy")), said(TEXT, wanted("Comedy")), said(TEXT, wanted("Comedy"))),
        # What either excludes stays out, and wins over what wants it.
        (said(TEXT, unwanted("Horror")), said(TEXT, unwanted("War")), said(TEXT, unwanted("Horror", "War"))),
        (said(TEXT, wanted("Horror")), said(TEXT, unwanted("Horror")), said(TEXT, unwanted("Horror"))),
        (said(TEXT, unwanted("Horror")), said(TEXT, wanted("Horror")), said(TEXT, unwanted("Horror"))),
        (
            said(TEXT, wanted("Comedy", "Horror")),
            said(TEXT, unwanted("Horror"), wanted("Comedy")),
            said(TEXT, wanted("Comedy"), unwanted("Horror")),
        ),
        # Of what the rules do not speak, the model does, where no "no" stands before it.
        (said(TEXT, wanted("Comedy")), said(TEXT), said(TEXT, wanted("Comedy"))),
        (said(TEXT), said(TEXT, wanted("Comedy")), said(TEXT, wanted("Comedy"))),
        (said(TEXT), said(TEXT, wanted("Horror")), said(TEXT)),
        (said(TEXT), said(TEXT, between(1990, None)), said(TEXT, between(1990, None))),
        (said(TEXT), said(TEXT, n=5), said(TEXT, n=5)),
        (said(TEXT), said(TEXT, seen="new"), said(TEXT)),
        (said(TEXT, n=5), said(TEXT, like=("6",)), said(TEXT, like=("6",), n=5)),
        # Where both use the same words or numbers, but differently, the rules hold.
        (TWO_WAR, said(TEXT, wanted("War")), TWO_WAR),
        (said(TEXT, wanted("Comedy")), said(TEXT, unwanted("Comedy")), said(TEXT, wanted("Comedy"))),
        (said(TEXT, between(1990, 1990)), said(TEXT, between(1990, None)), said(TEXT, between(1990, 1990))),
        (said(TEXT, n=5), said(TEXT, between(None, 5)), said(TEXT, n=5)),
        # What the grammar cannot say, the rules know better; but exclusions of what they do not speak of hold.
        (said(TEXT, between(1990, 1994)), said(TEXT, between(1990, None)), said(TEXT, between(1990, 1994))),
        (said(TEXT, wanted("War"), n=3), said(TEXT, unwanted("Horror"), n=5), said(TEXT, wanted("War"), unwanted("Horror"), n=3)),
    ],
)  # fmt: skip
def test_the_safer_reading_holds_where_the_rules_did_not_understand_all(rules, model, holds):
    found = agree(replace(rules, not_understood=("of them",)), model, FILMS)
    assert Hard.of(found) == Hard.of(holds)
    assert any(note.startswith("disagreement:") for note in found.notes) or Hard.of(found) == Hard.of(rules)


def test_rules_that_understood_every_word_hold_but_for_exclusions_of_what_they_do_not_speak_of():
    rules = said(TEXT, wanted("Comedy"), n=5)
    model = said(TEXT, unwanted("Comedy"), unwanted("Horror"), between(1990, None), seen="new")
    assert Hard.of(agree(rules, model, FILMS)) == Hard.of(said(TEXT, wanted("Comedy"), unwanted("Horror"), n=5))


def test_where_both_agree_nothing_is_noted():
    reading = parse(TEXT, FILMS)
    assert agree(reading, replace(reading, wish=""), FILMS).notes == reading.notes


@pytest.mark.parametrize(
    ("rules", "model", "language", "read"),
    [
        ((wanted("Comedy"),), (unwanted("Comedy"),), "en", ("genres: Comedy", "genres: not Comedy")),
        ((), (unwanted("War"),), "en", ("nothing", "genres: not War")),
        ((between(1990, 1990),), (between(1990, None),), "en", ("year: 1990", "year: at least 1990")),
        ((wanted("Comedy"),), (unwanted("Comedy"),), "zh", ("genres：Comedy", "genres：不要Comedy")),
    ],
)
def test_notes_say_what_each_of_them_read(rules, model, language, read):
    notes = agree(said(TEXT, *rules), said(TEXT, *model), FILMS, language=language).notes
    assert notes[-2:] == (f"read_by_rules:{read[0]}", f"read_by_model:{read[1]}")


def test_examples_and_what_was_seen_are_told_too():
    found = agree(said(TEXT, not_understood=("x",), seen="new"), said(TEXT, like=(FILMS.item_ids[0],), seen="known"), FILMS)
    title = FILMS.titles[0]
    assert any(title in note and note.startswith("read_by_model:") for note in found.notes)
    assert found.seen == "new"


def test_in_a_language_without_words_the_rules_hold():
    rules = said(TEXT, wanted("Comedy"))
    assert agree(rules, said(TEXT, unwanted("War")), FILMS, language="xx") == rules


def test_numbers_from_the_log_are_known():
    measured = replace(FILMS, measures={"popularity": np.linspace(0, 1, len(FILMS))})
    rules = said("popularity below 0.5", Limit(attribute="popularity", operator="range", high=0.4))
    assert agree(rules, said(rules.text, unwanted("War")), measured).limits == (*rules.limits, unwanted("War"))


def test_a_model_that_is_not_sure_changes_nothing():
    rules = parse(TEXT, FILMS)
    assert agree(rules, said(TEXT, unwanted("Comedy"), notes=(UNSURE,)), FILMS) == rules


def test_the_wish_is_that_of_the_rules_unless_they_have_none():
    assert agree(said("x", wish="calm"), said("x", wish="light"), FILMS).wish == "calm"
    assert agree(said("x", not_understood=("x",)), said("x", wish="light"), FILMS).wish == "light"


def test_what_the_catalog_does_not_have_is_no_condition():
    strange = Limit(attribute="colour", operator="include", values=("red",))
    found = agree(said("red", like=("zzz",)), said("red", strange, unlike=("?",)), FILMS)
    assert Hard.of(found) == Hard()


WRITER = SentenceWriter(FILMS)
LIMITS = st.builds(
    lambda operator, values: Limit(attribute="genres", operator=operator, values=tuple(values)),
    st.sampled_from(["include", "exclude"]),
    st.lists(st.sampled_from(FILMS.labels["genres"].names), min_size=1, max_size=2, unique=True),
)
READINGS = st.builds(
    lambda limits, years, n, seen: said("comedy war 1990 no horror", *limits, *years, n=n, seen=seen),
    st.lists(LIMITS, max_size=3),
    st.lists(st.just(between(1990, None)), max_size=1),
    st.none() | st.integers(1, 20),
    st.sampled_from(["", "new", "known"]),
)


@settings(deadline=None, max_examples=200)
@given(READINGS, READINGS)
def test_exclusions_of_the_rules_always_hold_and_nothing_is_both_wanted_and_unwanted(rules, model):
    rules = replace(rules, not_understood=("war",))
    found = agree(rules, model, FILMS)
    unwanted_values = {value for limit in found.limits if limit.operator == "exclude" for value in limit.values}
    assert {value for limit in rules.limits if limit.operator == "exclude" for value in limit.values} <= unwanted_values
    if found != rules:
        included = [limit for limit in found.limits if limit.operator == "include" and limit not in rules.limits]
        assert not {value for limit in included for value in limit.values} & unwanted_values
