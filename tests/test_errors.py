"""The hint behind an unknown name: the closest of few, a slip of the hand among many, and no long search among either."""

from __future__ import annotations

import time

import pytest

from instructrec.core import Query
from instructrec.data.synthetic import genres
from instructrec.errors import MOST_COMPARED, QueryError, nearest
from instructrec.pipeline.answering import Request, query_of

ITEMS = {f"tt{number:07d}": number for number in range(100_000)}


@pytest.mark.parametrize(
    ("name", "known", "wanted"),
    [
        ("modle", ["model", "exploration"], "model"),
        ("NDGC", ("recall", "ndcg"), "ndcg"),
        ("comdy", {"Comedy": 1, "Drama": 2}, "Comedy"),
        ("zzz", ["model"], ""),
        ("", ["model"], ""),
        ("modle", iter(["model"]), "model"),
    ],
)
def test_the_closest_of_few_names(name, known, wanted):
    assert nearest(name, known) == (f" Did you mean '{wanted}'?" if wanted else "")


@pytest.mark.parametrize("name", ["TT0004217", "tt0004271", "t0004217", "tt00004217", "tt0004x17", " tt0004217 "])
def test_one_slip_of_the_hand_among_many_names(name):
    """Several names may be one slip away, so it is one of them, whichever."""
    hint = nearest(name, ITEMS)
    meant = hint.removeprefix(" Did you mean '").removesuffix("'?")
    assert meant in ITEMS and _edits(name.strip().lower(), meant) <= (2 if name == "tt0004271" else 1)
    assert hint == nearest(name, set(ITEMS)) == nearest(name, dict(reversed(ITEMS.items())))


@pytest.mark.parametrize("name", ["nothing like it", "", "m1", "\ud800", "x" * 300])
def test_nothing_is_said_where_nothing_is_near(name):
    assert nearest(name, ITEMS) == ""
    assert nearest("tt0004271", list(ITEMS)) == "", "a list of so many would have to be gone through"


def test_few_ends_where_it_is_said_to_end():
    few = [f"name {number}" for number in range(MOST_COMPARED)]
    assert nearest("xame 77", few) and not nearest("xame 77", [*few, "one more"])
    assert nearest("xame 77", dict.fromkeys([*few, "one more"])) == " Did you mean 'name 77'?"


@pytest.mark.parametrize("name", ["item-not-there", "tt9999999", "x" * 40, "x" * 100_000, "\U0001f600" * 40])
def test_a_wrong_name_among_a_hundred_thousand_costs_milliseconds(name):
    took = []
    for _ in range(5):
        began = time.process_time()
        nearest(name, ITEMS)
        took.append(time.process_time() - began)
    assert min(took) < 0.01, took


def test_a_wrong_candidate_is_told_with_the_item_that_was_meant():
    data = genres()
    assert isinstance(query_of(data, Request(candidates=("m1",))), Query)
    with pytest.raises(QueryError, match=r"'M1' is not in the catalog. Did you mean 'm1'\?"):
        query_of(data, Request(candidates=("M1",)))


def _edits(first, second):
    """Levenshtein's distance."""
    row = list(range(len(second) + 1))
    for place, letter in enumerate(first, start=1):
        row, last = [place], row
        for other, wanted in enumerate(second, start=1):
            row.append(min(last[other] + 1, row[-1] + 1, last[other - 1] + (letter != wanted)))
    return row[-1]
