"""What if everybody had the lists of a model that is no arm: against a world whose truth is a sum, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from instructrec.experiments import Exploration, Replayed, offpolicy, other_policy

ITEMS, CONTEXTS, N = ("a", "b", "c", "d"), 3, 2
SHARES = {"drawn": 0.6, "still": 0.4}
POLICY = Exploration(epsilon=0.7)
ORDERS = {"drawn": [(0, 1, 2, 3), (1, 0, 3, 2), (2, 3, 0, 1)], "still": [(3, 1, 2, 0), (1, 3, 2, 0), (0, 1, 2, 3)]}
OTHER = [(0, 1), (3, 1), (1, 2)]
"""The lists of the model that is no arm, by context."""
WORTH = np.array([[0.3, 0.1, 0.2, 0.0], [0.0, 0.2, 0.1, 0.4], [0.1, 0.3, 0.0, 0.2]])
"""The chance that an item of a list is clicked, by context."""


def clicked(context, places):
    return 1 - math.prod(1 - WORTH[context, place] for place in places)


def chance_of(arm, context, places):
    order = ORDERS[arm][context]
    if arm == "still":
        return float(tuple(places) == order[:N])
    return math.prod(POLICY.propensities(-np.arange(4.0), [order.index(place) for place in places]))


def mixed(context, places):
    return sum(share * chance_of(arm, context, places) for arm, share in SHARES.items())


TRUTH = sum(clicked(context, OTHER[context]) for context in range(CONTEXTS)) / CONTEXTS


def row(unit, context, places, reward):
    names = [tuple(ITEMS[place] for place in one) for one in (places, OTHER[context])]
    both = (mixed(context, places), mixed(context, OTHER[context]))
    return Replayed(unit=unit, shown=names[0], other=names[1], chance=both[0], other_chance=both[1], reward=reward)


def logged(rng, units, requests=3):
    """Units keep their arm and their context; every list is drawn anew."""
    found = []
    for unit in range(units):
        arm, context = ("drawn" if rng.random() < SHARES["drawn"] else "still"), int(rng.integers(CONTEXTS))
        order = ORDERS[arm][context]
        for _ in range(requests):
            drawn = POLICY.draw(-np.arange(4.0), N, seed=int(rng.integers(1 << 40)))[0] if arm == "drawn" else range(N)
            places = [order[place] for place in drawn]
            found.append(row(f"u{unit}", context, places, float(rng.random() < clicked(context, places))))
    return found


def test_averages_over_the_whole_world_are_the_truth(monkeypatch):
    """Every list of every context as often as the arms show it, and its reward as often as it earns it."""
    monkeypatch.setattr(offpolicy, "FEWEST_EFFECTIVE", 1.0)
    rows = []
    for context in range(CONTEXTS):
        for places in itertools.permutations(range(4), N):
            often = round(4_000 * mixed(context, places))
            won = round(often * clicked(context, places))
            rows += [row(f"{context}{places}{one}", context, places, float(one < won)) for one in range(often)]
    found = other_policy(rows)
    assert found.supported == 1.0 and not found.refused
    for name, one in found.estimates.items():
        assert one.reward.value == pytest.approx(TRUTH, abs=0.003), name
    assert found.estimates["dr"].reward.high - found.estimates["dr"].reward.low < (
        found.estimates["ips"].reward.high - found.estimates["ips"].reward.low
    )
    # What an arm shows without any chance counts once, not once an arm: the mean weight is 1.
    weights = [float(one.shown == one.other) / one.chance for one in rows]
    assert np.mean(weights) == pytest.approx(1.0, abs=0.01)


def test_intervals_hold_the_truth_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(offpolicy, "FEWEST_EFFECTIVE", 50.0)
    rng, inside, worlds = np.random.default_rng(0), dict.fromkeys(("ips", "snips", "dr"), 0), 80
    for _ in range(worlds):
        found = other_policy(logged(rng, 300))
        for name, one in found.estimates.items():
            inside[name] += one.reward.low <= TRUTH <= one.reward.high
    # 95 of 100 are promised; below 69 of 80 with a chance of 0.3 %.
    assert all(count >= 69 for count in inside.values()), inside


def test_too_few_lists_claim_nothing():
    found = other_policy(logged(np.random.default_rng(1), 300))
    assert (found.refused, found.estimates, found.needed_n) == ("effective_n", {}, 1_000)
    assert 0 < found.effective_n < 1_000 and found.n == 900 and found.to_json()["refused"] == "effective_n"
    assert other_policy([]).refused == "nothing"


def test_a_model_whose_lists_no_arm_could_show_is_refused_however_much_was_logged(monkeypatch):
    """A log without chance in it: of one context in three the model's list is never shown, and no number of lists tells of it."""
    monkeypatch.setattr(offpolicy, "FEWEST_EFFECTIVE", 1.0)
    rows = []
    for n in range(3_000):
        other, chance = (("b",), 0.0) if n % 3 == 0 else (("a",), 1.0)
        rows.append(Replayed(unit=f"u{n}", shown=("a",), other=other, chance=1.0, other_chance=chance, reward=1.0))
    found = other_policy(rows)
    assert found.refused == "support" and found.supported == pytest.approx(2 / 3) and not found.estimates
    found = other_policy(rows[1:3] * 500 + rows[:1] * 20)
    assert not found.refused and found.supported == pytest.approx(1000 / 1020)
    assert found.estimates["ips"].reward.value == 1.0 and found.estimates["ips"].n == 1_000, "of the supported part alone"
