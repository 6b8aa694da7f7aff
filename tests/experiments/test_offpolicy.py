"""Off-policy estimates by hand, against worlds that can be summed, and what is refused; propensities of drawn lists."""

from __future__ import annotations

import collections
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from instructrec.errors import DataError
from instructrec.experiments import Exploration, doubly_robust, importance_weights, ips, snips
from instructrec.experiments import offpolicy as module
from instructrec.lists import Extension, Group

REWARDS, WEIGHTS = [1.0, 0.0, 1.0, 0.0], [2.0, 0.5, 1.0, 0.5]


def test_the_estimates_by_hand():
    plain = ips(REWARDS, WEIGHTS, claim=False)
    assert plain.reward.value == pytest.approx(3 / 4)
    # Terms 2, 0, 1, 0: variance 11/12, of their mean 11/48.
    assert plain.reward.high - plain.reward.value == pytest.approx(1.959964 * math.sqrt(11 / 48), abs=1e-5)
    assert plain.effective_n == pytest.approx(16 / 5.5)
    assert (plain.n, plain.largest_weight) == (4, 2.0)
    assert snips(REWARDS, WEIGHTS, claim=False).reward.value == pytest.approx(3 / 4)
    assert snips(REWARDS, [4.0, 1.0, 2.0, 1.0], claim=False).reward.value == pytest.approx(3 / 4)
    assert ips(REWARDS, [4.0, 1.0, 2.0, 1.0], claim=False).reward.value == pytest.approx(3 / 2)
    robust = doubly_robust(REWARDS, WEIGHTS, [0.5] * 4, [0.6] * 4, claim=False)
    assert robust.reward.value == pytest.approx(0.6 + (2 * 0.5 - 0.5 * 0.5 + 0.5 - 0.5 * 0.5) / 4)
    assert set(robust.to_json()) == {"estimator", "reward", "n", "effective_n", "largest_weight"}


def world():
    """Every (context, action, reward) of a small world as often as the logging policy meets it, and the truth."""
    logged = np.array([[0.25, 0.75], [0.5, 0.5]])
    wanted = np.array([[0.9, 0.1], [0.2, 0.8]])
    chance = np.array([[0.5, 0.25], [0.125, 0.75]])
    rows = [
        (context, action, reward)
        for context, action, reward in itertools.product((0, 1), (0, 1), (0.0, 1.0))
        for _ in range(round(4096 * logged[context, action] * (chance[context, action] if reward else 1 - chance[context, action])))
    ]
    context, action, reward = (np.array(column) for column in zip(*rows, strict=True))
    return logged, wanted, chance, context.astype(int), action.astype(int), reward


def test_averages_over_the_world_are_the_truth():
    logged, wanted, chance, context, action, reward = world()
    truth = float((wanted * chance).sum(axis=1).mean())
    weights = importance_weights(wanted[context, action], logged[context, action])
    nothing = np.zeros(len(reward))
    assert ips(reward, weights).reward.value == pytest.approx(truth)
    assert snips(reward, weights).reward.value == pytest.approx(truth)
    assert doubly_robust(reward, weights, nothing, nothing).reward.value == pytest.approx(truth)
    # Right propensities forgive a wrong model, and a right model forgives wrong propensities.
    wrong = np.array([[0.9, 0.1], [0.3, 0.4]])
    found = doubly_robust(reward, weights, wrong[context, action], (wanted * wrong).sum(axis=1)[context])
    assert found.reward.value == pytest.approx(truth)
    off = importance_weights(wanted[context, action], np.full(len(reward), 0.5))
    assert abs(ips(reward, off).reward.value - truth) > 0.05
    found = doubly_robust(reward, off, chance[context, action], (wanted * chance).sum(axis=1)[context])
    assert found.reward.value == pytest.approx(truth)


def test_a_good_model_narrows_the_interval():
    logged, wanted, chance, context, action, reward = world()
    weights = importance_weights(wanted[context, action], logged[context, action])
    robust = doubly_robust(reward, weights, chance[context, action], (wanted * chance).sum(axis=1)[context])
    plain = ips(reward, weights)
    assert robust.reward.high - robust.reward.low < plain.reward.high - plain.reward.low


def test_intervals_hold_the_truth_as_often_as_they_say():
    logged, wanted, chance, context, action, reward = world()
    truth = float((wanted * chance).sum(axis=1).mean())
    rng = np.random.default_rng(0)
    inside = {name: 0 for name in ("ips", "snips", "dr")}
    for _ in range(400):
        rows = rng.integers(len(reward), size=4_000)
        who, did, earned = context[rows], action[rows], reward[rows]
        weights = importance_weights(wanted[who, did], logged[who, did])
        guess, mean_guess = 0.5 * chance[who, did] + 0.2, (wanted * (0.5 * chance + 0.2)).sum(axis=1)[who]
        for found in (ips(earned, weights), snips(earned, weights), doubly_robust(earned, weights, guess, mean_guess)):
            inside[found.estimator] += found.reward.low <= truth <= found.reward.high
    assert all(0.925 * 400 <= count <= 0.975 * 400 for count in inside.values()), inside


def test_rows_of_one_unit_are_not_independent():
    rng = np.random.default_rng(1)
    reward, weight = rng.random(2_000), rng.uniform(0.5, 1.5, 2_000)
    single = ips(reward, weight, units=np.arange(2_000))
    assert single == ips(reward, weight)
    copied = [np.repeat(values, 5) for values in (reward, weight)]
    thought = ips(*copied)
    known = ips(*copied, units=np.repeat([f"u{unit}" for unit in range(2_000)], 5))
    assert (known.reward.low, known.reward.high) == pytest.approx((single.reward.low, single.reward.high))
    assert thought.reward.high - thought.reward.low < 0.5 * (known.reward.high - known.reward.low)
    alone = ips(reward, weight, units=np.zeros(2_000))
    assert alone.reward.to_json()["low"] is None


def test_too_few_rows_make_no_claim():
    many = np.ones(1_000)
    assert ips(many, many).effective_n == 1_000
    with pytest.raises(DataError, match="999 of its own would, but 1000 are"):
        ips(many[:999], many[:999])
    # 150,000 rows of which 1,400 count: above 1,000, below 1 %.
    weights = np.zeros(150_000)
    weights[:1_400] = 1.0
    for estimate in (ips, snips):
        with pytest.raises(DataError, match="1400 of its own would, but 1500 are needed"):
            estimate(np.ones(150_000), weights)
    with pytest.raises(DataError, match="explore more"):
        doubly_robust(np.ones(150_000), weights, weights, weights)
    assert ips(np.ones(150_000), weights, claim=False).effective_n == 1_400
    assert module.effective_rows(np.zeros(3)) == 0.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: importance_weights([0.5], [0.0]), "logged propensity is not above 0"),
        (lambda: importance_weights([0.5], [1.5]), "at most 1"),
        (lambda: importance_weights([0.5], [math.nan]), "logged propensity"),
        (lambda: importance_weights([1.5], [0.5]), "under the other policy"),
        (lambda: importance_weights([0.5, 0.5], [0.5]), "both chances"),
        (lambda: ips([], []), "needs rows"),
        (lambda: ips([1.0], [1.0, 2.0]), "needs rows"),
        (lambda: ips([math.nan], [1.0]), "not a finite number"),
        (lambda: snips([1.0], [-1.0]), "below 0"),
        (lambda: ips([1.0], [1.0], units=[1, 2], claim=False), "as many units"),
        (lambda: doubly_robust([1.0], [1.0], [1.0, 2.0], [1.0], claim=False), "as many guesses"),
        (lambda: Exploration(epsilon=1.5), "epsilon = 1.5"),
        (lambda: Exploration(epsilon=0.5, temperature=0), "temperature 0"),
        (lambda: Exploration(epsilon=0.5).propensities([1.0, 2.0], [0, 0]), "no choice among 2"),
        (lambda: Exploration(epsilon=0.5).propensities([1.0, 2.0], [2]), "no choice among 2"),
        (lambda: Exploration(epsilon=0.5).draw([1.0, math.inf], 1, seed=0), "finite scores"),
    ],
)
def test_what_cannot_be_estimated_is_refused(call, said):
    with pytest.raises(DataError, match=said):
        call()


@settings(deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=5),
    st.integers(1, 5),
    st.floats(0, 1),
    st.sampled_from([0.2, 1.0, math.inf]),
)
def test_the_chances_of_all_lists_sum_to_one(scores, n, epsilon, temperature):
    policy = Exploration(epsilon=epsilon, temperature=temperature)
    lists = itertools.permutations(range(len(scores)), min(n, len(scores)))
    assert sum(policy.propensities(scores, shown).prod() for shown in lists) == pytest.approx(1)


def test_propensities_by_hand():
    even = Exploration(epsilon=0.3)
    assert even.propensities([3.0, 2.0, 1.0], [0, 2]) == pytest.approx([0.7 + 0.1, 0.15])
    plackett_luce = Exploration(epsilon=1.0, temperature=2.0)
    worth = np.exp(np.array([3.0, 2.0, 1.0]) / 2)
    expected = [worth[1] / worth.sum(), worth[2] / (worth[0] + worth[2])]
    assert plackett_luce.propensities([3.0, 2.0, 1.0], [1, 2]) == pytest.approx(expected)
    assert Exploration(epsilon=0.0).propensities([1.0, 3.0], [1, 0]).tolist() == [1.0, 1.0]


def test_lists_are_drawn_with_the_chances_that_are_logged():
    policy, scores = Exploration(epsilon=0.4, temperature=1.0), [1.0, 0.5, 0.0]
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(1_500):
        shown, chances = policy.draw(scores, 2, seed=seed)
        assert chances == pytest.approx(policy.propensities(scores, shown))
        counts[tuple(shown.tolist())] = counts.get(tuple(shown.tolist()), 0) + 1
    for shown in itertools.permutations(range(3), 2):
        chance = policy.propensities(scores, shown).prod()
        assert counts.get(shown, 0) / 1_500 == pytest.approx(chance, abs=4 * math.sqrt(chance / 1_500))
    again = policy.draw(scores, 5, seed=7)[0]
    assert sorted(again.tolist()) == [0, 1, 2]
    assert again.tolist() == policy.draw(scores, 5, seed=7)[0].tolist()


def test_chances_under_a_quota_are_those_of_trying_every_list():
    """Of six items two at most, and one at least, of the first three, in a list of three; half of the slots are drawn."""
    policy, scores, n = Exploration(epsilon=0.5), -np.arange(6.0), 3
    ends = [codes for codes in itertools.permutations(range(6), n) if 1 <= sum(code < 3 for code in codes) <= 2]

    def next_of(begun):
        return sorted({codes[len(begun)] for codes in ends if codes[: len(begun)] == begun})

    chances = {}
    for codes in ends:
        chance = 1.0
        for slot, code in enumerate(codes):
            following = next_of(codes[:slot])
            chance *= 0.5 * (code == following[0]) + 0.5 / len(following)
        chances[codes] = chance
    assert math.fsum(chances.values()) == pytest.approx(1.0)
    left = Extension([0, 1, 3], [Group(np.arange(6) < 3, 1, 2)])
    for codes, chance in chances.items():
        assert math.prod(policy.propensities(scores, codes, left=left)) == pytest.approx(chance)
    drawn = [policy.draw(scores, n, seed=seed, left=left) for seed in range(4_000)]
    counts = collections.Counter(tuple(places.tolist()) for places, _ in drawn)
    assert set(counts) <= set(chances)
    assert chisquare([counts[codes] for codes in chances], [4_000 * chance for chance in chances.values()]).pvalue > 0.001
    assert all(math.prod(slots) == pytest.approx(chances[tuple(places.tolist())]) for places, slots in drawn[:200])
