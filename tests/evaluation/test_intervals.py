"""Intervals and tests: known answers, seeds, and that they are honest about noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.errors import DataError
from instructrec.evaluation import intervals
from instructrec.evaluation.intervals import Interval, bootstrap_mean, holm, mean_over_seeds, paired_test

NOISE = np.random.default_rng(0).random(400)


def test_the_interval_is_that_of_the_normal_law_for_many_users() -> None:
    found = bootstrap_mean(NOISE, samples=4000)
    half = 1.96 * NOISE.std() / math.sqrt(len(NOISE))
    assert found.value == pytest.approx(NOISE.mean())
    assert found.low == pytest.approx(NOISE.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(NOISE.mean() + half, abs=0.15 * half)


def test_equal_seeds_give_equal_bounds_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    first = bootstrap_mean(NOISE, seed=3)
    assert bootstrap_mean(NOISE, seed=3) == first
    assert bootstrap_mean(NOISE, seed=4) != first
    monkeypatch.setattr(intervals, "CELLS_AT_ONCE", 4000)
    assert bootstrap_mean(NOISE, seed=3) == first


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_bounds_enclose_the_mean_and_stay_among_the_values(values: list[float]) -> None:
    found = bootstrap_mean(np.array(values), samples=200)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_users_without_a_value_stay_out() -> None:
    with_gaps = np.concatenate([NOISE, [np.nan, np.nan]])
    assert bootstrap_mean(with_gaps) == bootstrap_mean(NOISE)
    nobody = bootstrap_mean(np.array([np.nan]))
    assert math.isnan(nobody.value)
    assert nobody.to_json() == {"value": None, "low": None, "high": None}
    assert Interval(1.0, 0.5, 1.5).to_json() == {"value": 1.0, "low": 0.5, "high": 1.5}


def test_a_clear_difference_is_found_and_an_equal_one_is_not() -> None:
    better = paired_test(NOISE + 0.1, NOISE)
    assert better.p == pytest.approx(1 / 10_001)
    assert (better.wins, better.losses, better.num_users) == (400, 0, 400)
    assert better.difference.value == pytest.approx(0.1)
    same = paired_test(NOISE, NOISE)
    assert (same.p, same.wins, same.losses) == (1.0, 0, 0)


def test_the_p_value_is_exact_for_few_users() -> None:
    # Three users, all better by 1: of the 8 sign patterns 2 are as extreme, so p is close to 1/4.
    found = paired_test(np.ones(3), np.zeros(3), samples=20_000)
    assert found.p == pytest.approx(0.25, abs=0.01)


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(5)
    p_values = [paired_test(rng.random(60), rng.random(60), samples=400, seed=run).p for run in range(200)]
    assert 0.01 <= np.mean(np.array(p_values) < 0.05) <= 0.10


def test_the_test_is_symmetric() -> None:
    rng = np.random.default_rng(6)
    one, two = rng.random(80), rng.random(80)
    there, back = paired_test(one, two), paired_test(two, one)
    assert there.p == back.p
    assert there.difference.value == pytest.approx(-back.difference.value)


def test_different_users_cannot_be_paired() -> None:
    with pytest.raises(DataError, match="3 and 2"):
        paired_test(np.zeros(3), np.zeros(2))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(after >= before - 1e-12 for before, after in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert all(adjusted[one] <= adjusted[two] for one, two in zip(order, order[1:], strict=False))


def test_seeds_are_averaged_user_by_user() -> None:
    assert mean_over_seeds([np.array([0.0, 1.0]), np.array([1.0, 1.0])]).tolist() == [0.5, 1.0]
    with pytest.raises(DataError, match="same split"):
        mean_over_seeds([np.zeros(2), np.zeros(3)])
