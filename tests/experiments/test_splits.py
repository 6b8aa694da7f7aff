"""Split checks: against scipy, by hand, and the sequential one over all paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from instructrec.errors import DataError
from instructrec.experiments.splits import check_split, sequential_split_p, split_p

DAY = 86_400.0


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=4), st.data())
def test_one_look_is_pearsons_chi_square(counts, data):
    weights = data.draw(st.lists(st.integers(1, 5), min_size=len(counts), max_size=len(counts)))
    expected = np.array(weights) / sum(weights) * sum(counts)
    assert float(split_p(counts, weights)) == pytest.approx(stats.chisquare(counts, expected).pvalue)


def test_one_look_by_hand():
    # 60 of 100: chi-square (10^2 + 10^2) / 50 = 4.
    assert float(split_p([60, 40], [1, 1])) == pytest.approx(0.0455, abs=1e-4)
    assert split_p([[0, 0], [50, 50]], [1, 1]).tolist() == [1.0, 1.0]


def test_the_sequential_test_by_hand():
    # With an even prior on the share, ten of ten have the chance 1 / 11, against 2^-10 under an even split.
    assert float(sequential_split_p([10, 0], [0.5, 0.5], priors={2.0: 1.0})) == pytest.approx(11 / 1024)
    assert float(sequential_split_p([5, 5], [0.5, 0.5], priors={2.0: 1.0})) == 1.0


@pytest.mark.parametrize("share", [0.5, 0.2])
@pytest.mark.parametrize("alpha", [0.5, 0.2, 0.05])
def test_no_way_of_looking_alarms_more_often_than_promised(share, alpha):
    steps = 12
    paths = np.array(list(itertools.product([0, 1], repeat=steps))).cumsum(axis=1)
    counts = np.stack([paths, np.arange(1, steps + 1) - paths], axis=-1)
    least = sequential_split_p(counts, [share, 1 - share], priors={2.0: 1.0}).min(axis=1)
    chance = share ** paths[:, -1] * (1 - share) ** (steps - paths[:, -1])
    assert chance.sum() == pytest.approx(1)
    assert 0 < chance[least <= alpha].sum() <= alpha


def test_priors_are_mixed_by_their_weights():
    alone = [1 / float(sequential_split_p([40, 5], [0.5, 0.5], priors={units: 1.0})) for units in (2.0, 50.0)]
    mixed = sequential_split_p([40, 5], [0.5, 0.5], priors={2.0: 0.3, 50.0: 0.7})
    assert 1 / float(mixed) == pytest.approx(0.3 * alone[0] + 0.7 * alone[1])


def test_a_wrong_split_is_found_and_a_right_one_is_not():
    assert float(split_p([49_000, 51_000], [1, 1])) < 1e-3
    assert float(sequential_split_p([49_000, 51_000], [1, 1])) < 1e-3
    assert float(sequential_split_p([50_100, 49_900], [1, 1])) == 1.0
    # Gross ones are found among few.
    assert float(sequential_split_p([120, 50], [1, 1])) < 1e-3
    assert float(sequential_split_p([30, 0], [1, 1])) < 1e-3


def units(counts_a_day):
    arms = np.array([arm for day in counts_a_day for arm, count in enumerate(day) for _ in range(count)], dtype=np.int64)
    times = np.array([place * DAY + 5.0 for place, day in enumerate(counts_a_day) for _ in range(sum(day))])
    return arms, times


def test_every_day_is_a_look():
    shares = {"old": 0.5, "new": 0.5}
    found = check_split(*units([(900, 600), (600, 900)]), shares)
    assert found.counts == {"old": 1500, "new": 1500}
    # Even at the end, but not on the first day.
    assert found.p == 1.0
    assert found.sequential_p == pytest.approx(float(sequential_split_p([900, 600], [0.5, 0.5])))
    assert found.alarm
    order = np.random.default_rng(0).permutation(3_000)
    arms, times = units([(900, 600), (600, 900)])
    assert check_split(arms[order], times[order], shares) == found


def test_at_the_last_look_the_test_for_one_look_counts():
    shares = {"old": 0.5, "new": 0.5}
    arms, times = units([(540, 460), (539, 461)])
    running, ended = check_split(arms, times, shares), check_split(arms, times, shares, last_look=True)
    assert running.p == ended.p < 1e-3 < running.sequential_p
    assert (running.alarm, ended.alarm) == (False, True)


def test_nobody_yet_is_no_alarm():
    found = check_split(np.array([], dtype=np.int64), np.array([]), {"old": 0.5, "new": 0.5})
    assert (found.p, found.sequential_p, found.alarm) == (1.0, 1.0, False)
    assert found.to_json()["counts"] == {"old": 0, "new": 0}


def test_impossible_splits_are_refused():
    with pytest.raises(DataError, match="2 arms"):
        split_p([1, 2, 3], [0.5, 0.5])
    with pytest.raises(DataError, match="shares above 0"):
        sequential_split_p([1, 2], [0.0, 1.0])
    with pytest.raises(DataError, match="at least 0"):
        split_p([-1, 2], [0.5, 0.5])
    assert math.isfinite(float(sequential_split_p([10**9, 10**9], [0.5, 0.5])))
