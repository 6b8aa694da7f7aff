"""Assignment: the public vectors, even and independent splits, and arms that stay."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from instructrec.errors import DataError
from instructrec.experiments import Arm, Assignment, Experiment, Exposure, assign, exposure_of, hash_of

ARMS_OF_RELEASE = "20110ee22222110221e000211111222210202e2221201e02010010210122"


def experiment(*weights, id="e", **fields):
    arms = tuple(Arm(name=f"arm {place}", weight=weight) for place, weight in enumerate(weights or (1, 1)))
    return Experiment(id=id, arms=arms, **fields).start(0.0)


# The cases of hash version 2 in the test suite of GrowthBook's SDK specification 0.7.1 (docs.growthbook.io/lib/build-your-own,
# section "hash" of its cases.json).
@pytest.mark.parametrize(
    ("seed", "unit", "place"),
    [
        ("seed", "a", 0.0505),
        ("seed", "b", 0.2696),
        ("foo", "ab", 0.2575),
        ("foo", "def", 0.2019),
        ("89123klj", "8952klfjas09ujkasdf", 0.124),
        ("90850943850283058242805", "123", 0.7516),
        ("()**(%$##$%#$#", '___)((*":&', 0.0128),
    ],
)
def test_the_hash_is_that_of_the_public_vectors(seed, unit, place):
    assert hash_of(seed, unit) == place


# The cases of section "getBucketRange" of the same file that describe splits which are valid here.
@pytest.mark.parametrize(
    ("weights", "coverage", "ranges"),
    [
        ((1, 1), 1, [(0, 0.5), (0.5, 1)]),
        ((1, 1), 0.5, [(0, 0.25), (0.5, 0.75)]),
        ((1, 1), 0, [(0, 0), (0.5, 0.5)]),
        ((1, 1, 1, 1), 1, [(0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)]),
        ((0.4, 0.6), 1, [(0, 0.4), (0.4, 1)]),
        ((0.2, 0.3, 0.5), 1, [(0, 0.2), (0.2, 0.5), (0.5, 1)]),
        ((0.2, 0.3, 0.5), 0.2, [(0, 0.04), (0.2, 0.26), (0.5, 0.6)]),
    ],
)
def test_the_ranges_are_those_of_the_public_vectors(weights, coverage, ranges):
    found = experiment(*weights, coverage=coverage).ranges.values()
    assert [bound for pair in found for bound in pair] == pytest.approx([bound for pair in ranges for bound in pair])


def test_assignments_of_a_release_stay_in_the_next():
    arms = "".join(str(assign(experiment(1, 1, 2, coverage=0.9), f"user-{unit}").arm)[-1] for unit in range(60))
    # "e" is the end of None: not covered.
    assert arms == ARMS_OF_RELEASE


def test_an_assignment_says_its_arm_propensity_and_hash():
    found = assign(experiment(1, 3), "somebody")
    assert found == Assignment("arm 1", 0.75, hash_version=2)
    assert Assignment.from_json(found.to_json()) == found
    with pytest.raises(DataError, match="stored assignment is 'arm 1'"):
        Assignment.from_json("arm 1")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.text(min_size=1, max_size=12), st.lists(st.integers(1, 5), min_size=2, max_size=4), st.floats(0.3, 1))
def test_units_split_by_weight_and_coverage(seed, weights, coverage):
    made = experiment(*weights, seed=seed, coverage=coverage)
    arms = [assign(made, f"user-{unit}").arm for unit in range(2_000)]
    expected = {name: coverage * share for name, share in made.shares.items()} | {None: 1 - coverage}
    expected = {name: share for name, share in expected.items() if share > 0.01}
    seen = [arms.count(name) for name in expected]
    shares = np.array(list(expected.values()))
    assert stats.chisquare(seen, shares / shares.sum() * sum(seen)).pvalue > 1e-6


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=2, unique=True))
def test_two_experiments_split_independently(ids):
    one, two = (experiment(1, 1, id=f"x{name}") for name in ids)
    pairs = [(assign(one, f"user-{unit}").arm, assign(two, f"user-{unit}").arm) for unit in range(2_000)]
    table = [[pairs.count((a, b)) for b in two.shares] for a in one.shares]
    assert stats.chi2_contingency(table).pvalue > 1e-6


def test_experiments_with_one_seed_split_alike():
    one, two = experiment(seed="shared", id="one"), experiment(seed="shared", id="two")
    assert all(assign(one, f"{unit}") == assign(two, f"{unit}") for unit in range(200))


@given(st.text(min_size=1), st.integers(1, 99))
def test_a_coverage_that_grows_moves_nobody(unit, percent):
    narrow = assign(experiment(1, 2, coverage=percent / 100), unit)
    wide = assign(experiment(1, 2, coverage=1.0), unit)
    assert narrow.arm in (None, wide.arm)
    assert wide.arm is not None


def test_what_is_stored_wins_over_a_changed_split_as_long_as_its_arm_exists():
    before, after = experiment(1, 1), experiment(1, 9)
    moved = [unit for unit in map(str, range(300)) if assign(before, unit).arm != assign(after, unit).arm]
    assert len(moved) > 50
    for unit in moved:
        stored = assign(before, unit)
        assert assign(after, unit, stored) == stored
        assert stored.propensity == 0.5
    gone = Assignment("arm 7", 0.5)
    assert assign(after, moved[0], gone) == assign(after, moved[0])
    outside = Assignment(None, 0.0)
    assert assign(after, moved[0], outside) == assign(after, moved[0])


def test_only_running_experiments_have_units_and_a_promoted_one_its_winner():
    draft = Experiment(id="e", arms=(Arm(name="old"), Arm(name="new")))
    running = draft.start(0.0)
    stored = Assignment("old", 0.5)
    for idle in (draft, running.stop()):
        assert assign(idle, "somebody", stored) == Assignment(None, 0.0)
    for winner, place in itertools.product(("old", "new"), range(5)):
        assert assign(running.promote(winner), f"{place}", stored) == Assignment(winner, 1.0)
    with pytest.raises(DataError, match="without a name"):
        assign(running, "")


def test_an_exposure_is_logged_for_those_that_take_part():
    made = experiment(1, 1, coverage=0.5)
    found = [(unit, assign(made, unit)) for unit in map(str, range(50))]
    logged = [exposure_of(made, unit, each, time=9.0) for unit, each in found]
    assert [one is None for one in logged] == [each.arm is None for _, each in found]
    unit, each = next((unit, each) for unit, each in found if each.arm)
    exposure = exposure_of(made, unit, each, time=9.0)
    assert exposure == Exposure(experiment="e", unit=unit, arm=each.arm, propensity=0.5, hash_version=2, time=9.0)
    assert set(exposure.to_json()) == {"experiment", "unit", "arm", "propensity", "hash_version", "time"}
    assert exposure_of(made.promote("arm 0"), unit, Assignment("arm 0", 1.0), time=9.0) is None


@pytest.mark.parametrize("unit", ["用户", "é", "\ud800", "a" * 10_000, "\0"])
def test_any_text_is_a_unit(unit):
    assert assign(experiment(), unit) == assign(experiment(), unit)
    assert 0 <= hash_of("seed", unit) < 1
