"""What if everybody had one arm: estimates hold the truth of a simulated world, and little data claims nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from instructrec.experiments import Arm, Experiment, Exploration, Logged, what_if

TRIAL = Experiment(id="e", arms=(Arm(name="old", weight=3), Arm(name="new"))).start(0.0)
CHANCE = {"old": 0.10, "new": 0.25}


def is_near(interval, truth):
    """Whether the truth lies within four standard errors: an interval of 95 % misses it once in 20 times."""
    return abs(interval.value - truth) <= 4 / 1.96 * (interval.high - interval.value)


def logged(rng, people=1_500, lists=4):
    """Lists of people who are kept by their arm; some were active before, and earn more in both."""
    found = []
    for person in range(people):
        arm = "old" if rng.random() < 0.75 else "new"
        active = bool(rng.random() < 0.5)
        for _ in range(lists):
            reward = float(rng.random() < CHANCE[arm] + 0.1 * active)
            found.append(Logged(unit=f"u{person}", arm=arm, propensity=TRIAL.shares[arm], reward=reward, active=active))
    return found


def test_every_estimate_is_near_the_truth():
    found = {one.arm: one for one in what_if(TRIAL, logged(np.random.default_rng(0)))}
    assert set(found) == {"old", "new"} and all(one.explores for one in found.values())
    for arm, one in found.items():
        assert set(one.estimates) == {"ips", "snips", "dr"}
        for estimate in one.estimates.values():
            assert is_near(estimate.reward, CHANCE[arm] + 0.05), (arm, estimate)
    # Old was shown to three of four: 6000 lists, of which 4500 count.
    assert found["old"].effective_n == pytest.approx(4_500, rel=0.05)
    assert found["new"].effective_n == pytest.approx(1_500, rel=0.1)


def test_the_intervals_hold_as_often_as_they_say():
    rng = np.random.default_rng(1)
    held = {"ips": 0, "snips": 0, "dr": 0}
    for _ in range(60):
        new = what_if(TRIAL, logged(rng, people=1_200))[1]
        for name, estimate in new.estimates.items():
            held[name] += estimate.reward.low <= CHANCE["new"] + 0.05 <= estimate.reward.high
    assert all(count >= 0.85 * 60 for count in held.values()), held


def test_too_few_lists_claim_nothing_and_say_how_many_there_are():
    few = what_if(TRIAL, logged(np.random.default_rng(2), people=200))
    new = few[1].to_json()
    assert new["refused"] and new["estimates"] == {} and new["n"] == 800
    assert 0 < new["effective_n"] < new["needed_n"] == 1_000
    assert what_if(TRIAL, []) == []


def explored(rng, people, epsilon):
    """Lists of two items out of three, of which the second is worth nothing: the fewer explore the more is earned."""
    policy, found = Exploration(epsilon=epsilon), []
    for person in range(people):
        places, slots = policy.draw([3.0, 2.0, 1.0], 2, seed=person)
        reward = float(rng.random() < (0.4 if places[0] == 0 else 0.1))
        best = places.tolist() == [0, 1]
        found.append(Logged(unit=f"u{person}", arm="new", propensity=0.25, reward=reward, slots=tuple(slots), is_best=best))
    return found


def test_an_arm_that_explored_is_told_without_exploring_too():
    rng = np.random.default_rng(3)
    lists = explored(rng, 12_000, 0.6) + [Logged(unit=f"o{n}", arm="old", propensity=0.75, reward=0.0) for n in range(36_000)]
    found = {(one.arm, one.explores): one for one in what_if(TRIAL, lists)}
    assert set(found) == {("old", True), ("new", True), ("new", False)}
    first = 1 - 0.6 + 0.6 / 3
    as_it_was, best = found["new", True].estimates["snips"].reward, found["new", False].estimates["snips"].reward
    assert is_near(as_it_was, first * 0.4 + (1 - first) * 0.1)
    assert is_near(best, 0.4) and best.low > as_it_was.high
    shown = lists[0]
    chance = (first if shown.slots[0] > 0.5 else 0.2) * shown.slots[1]
    assert math.prod(shown.slots) == pytest.approx(chance)


def test_a_policy_that_is_seldom_shown_is_refused():
    """1 % of the logged lists is the least that must count, however many there are."""
    lists = [Logged(unit=f"o{n}", arm="old", propensity=0.999, reward=1.0) for n in range(200_000)]
    lists += [Logged(unit=f"n{n}", arm="new", propensity=0.001, reward=1.0) for n in range(1_500)]
    old, new = what_if(TRIAL, lists)
    assert old.estimates and not new.estimates and new.needed_n == pytest.approx(2_015)
    assert 1_000 < new.effective_n < new.needed_n
