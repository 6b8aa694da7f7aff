"""Team draft: lists, credit, no bias; and the test of preferences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from instructrec.errors import DataError
from instructrec.experiments import Interleaved, preference, team_draft

ranked = st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=10)


def drafts(first, second, n, requests):
    return [team_draft(first, second, n, seed="s", request=str(request)) for request in range(requests)]


def test_a_draft_by_hand():
    found = {(made.items, made.teams) for made in drafts("abc", "bcd", 3, 60)}
    f, s = "first", "second"
    # Who begins gives the best item; then the other its best that is left; the third is the best left of who begins again.
    assert found == {
        (("a", "b", "c"), (f, s, f)),
        (("a", "b", "c"), (f, s, s)),
        (("b", "a", "c"), (s, f, f)),
        (("b", "a", "c"), (s, f, s)),
    }


@given(ranked, ranked, st.integers(0, 12), st.text(max_size=5), st.text(max_size=5))
def test_every_item_stands_once_and_comes_from_its_team(first, second, n, seed, request):
    made = team_draft(first, second, n, seed=seed, request=request)
    assert made == team_draft(first, second, n, seed=seed, request=request)
    assert len(set(made.items)) == len(made.items) == min(n, len(set(first) | set(second)))
    for item, team in zip(made.items, made.teams, strict=True):
        assert item in (first if team == "first" else second)
    # What a team gives is in its own order.
    for team, own in (("first", first), ("second", second)):
        places = [own.index(item) for item, whose in zip(made.items, made.teams, strict=True) if whose == team]
        assert places == sorted(places)


@given(st.permutations("abcdefgh"), st.permutations("abcdefgh"), st.integers(1, 8), st.text(max_size=5))
def test_teams_have_equal_parts_at_every_depth(first, second, n, request):
    made = team_draft(first, second, n, seed="s", request=request)
    for depth in range(0, n + 1, 2):
        assert made.teams[:depth].count("first") == depth // 2


def test_both_have_every_place_as_often():
    first = np.array([[team == "first" for team in made.teams] for made in drafts("abcdefgh", "abcdefgh", 8, 4_000)])
    assert np.abs(first.mean(axis=0) - 0.5).max() < 4 * 0.5 / np.sqrt(4_000)
    # Rounds are drawn for themselves.
    assert abs(np.corrcoef(first[:, 0], first[:, 2])[0, 1]) < 4 / np.sqrt(4_000)


def test_requests_and_seeds_are_told_apart():
    lists = "abcdefghij", "jihgfedcba"
    assert len({made.items for made in drafts(*lists, 10, 50)}) > 20
    one, two = (team_draft(*lists, 10, seed=seed, request=request) for seed, request in (("s1", "1"), ("s", "11")))
    assert one != two
    assert len(team_draft(range(700), range(700, 1400), 1400, seed="s", request="long").items) == 1400


def test_clicks_are_credited_once_and_only_on_what_was_shown():
    made = Interleaved(("a", "b", "c"), ("first", "second", "first"))
    assert made.credit(["a", "a", "c", "z"]) == (2, 0)
    assert made.credit(["b"]) == (0, 1)
    assert made.credit([]) == (0, 0)


def test_a_preference_by_hand():
    found = preference([2, 1, 0, 1, 3, 0], [0, 0, 1, 1, 1, 0])
    assert (found.wins, found.losses, found.ties) == (3, 1, 1)
    # (2-0)/2, (1-0)/1, (0-1)/1, 0, (3-1)/4: the last unit did not click.
    assert found.difference.value == pytest.approx((1 + 1 - 1 + 0 + 0.5) / 5)
    assert found.p == pytest.approx(stats.binomtest(3, 4).pvalue) == pytest.approx(0.625)
    assert set(found.to_json()) == {"wins", "losses", "ties", "difference", "p", "sequential_p"}


def test_a_clear_preference_is_found_and_mirrored():
    rng = np.random.default_rng(0)
    first, second = rng.poisson(1.2, 4_000), rng.poisson(0.8, 4_000)
    found, mirrored = preference(first, second), preference(second, first)
    assert found.difference.low > 0 and found.p < 1e-6 and found.sequential_p < 1e-6
    assert mirrored.difference.high == pytest.approx(-found.difference.low)
    assert (mirrored.wins, mirrored.p) == (found.losses, pytest.approx(found.p))


def test_equals_are_not_told_apart_at_any_look():
    rng = np.random.default_rng(1)
    ever = 0
    for _ in range(100):
        first, second = rng.poisson(1.0, (2, 2_000))
        looks = [preference(first[:n], second[:n]) for n in range(400, 2_001, 400)]
        ever += any(found.sequential_p < 0.05 or not found.difference.low <= 0 <= found.difference.high for found in looks)
    assert ever <= 0.05 * 100


def test_nobody_clicked_yet():
    found = preference([0, 0], [0, 0])
    assert (found.wins, found.p, found.sequential_p) == (0, 1.0, 1.0)
    assert found.difference.to_json() == {"value": None, "low": None, "high": None}
    with pytest.raises(DataError, match="both credits"):
        preference([1, 2], [1])
