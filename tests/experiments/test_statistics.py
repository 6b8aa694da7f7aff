"""Intervals against scipy and against what must be true of them; CUPED against least squares."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from instructrec.errors import DataError
from instructrec.experiments.statistics import (
    Interval,
    Moments,
    always_valid_multiplier,
    always_valid_p,
    cuped,
    difference,
    mean_interval,
    ratio,
)

RNG = np.random.default_rng(0)
TREATED, CONTROL = RNG.gamma(2, 1.1, 400), RNG.gamma(2, 1.0, 700)
moments = st.builds(Moments, st.integers(2, 10**6), st.floats(-100, 100), st.floats(0.01, 100))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_the_fixed_interval_is_welchs(level):
    found = difference(Moments.of(TREATED), Moments.of(CONTROL), method="fixed", level=level)
    oracle = stats.ttest_ind(TREATED, CONTROL, equal_var=False).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert found.value == pytest.approx(TREATED.mean() - CONTROL.mean())


def test_the_fixed_interval_of_one_sample_is_students():
    oracle = stats.ttest_1samp(TREATED, 0).confidence_interval(0.9)
    found = mean_interval(Moments.of(TREATED), method="fixed", level=0.9)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


@pytest.mark.parametrize(("n", "level", "tuned_for"), [(1, 0.95, 5_000), (200, 0.95, 5_000), (20_000, 0.99, 800)])
def test_the_always_valid_interval_is_the_published_formula(n, level, tuned_for):
    alpha = 1 - level

    def published(rho_squared, at):
        inside = 2 * (at * rho_squared + 1) / (at**2 * rho_squared) * math.log(math.sqrt(at * rho_squared + 1) / alpha)
        return math.sqrt(inside)

    best = optimize.minimize_scalar(lambda log: published(math.exp(log), tuned_for), bounds=(-20, 5), method="bounded").x
    # Half the width for values of variance 1 is the multiplier over the root of n.
    found = always_valid_multiplier(n, level=level, tuned_for=tuned_for) / math.sqrt(n)
    assert found == pytest.approx(published(math.exp(best), n), rel=1e-4)


def test_the_always_valid_interval_of_two_arms_by_hand():
    # One arm of 100 with variance 4, one of 300 with variance 3: variance of the difference .04 + .01.
    found = difference(Moments(100, 5.0, 4.0), Moments(300, 4.0, 3.0))
    reach = always_valid_multiplier(400) * math.sqrt(0.05)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0 - reach, 1.0 + reach))
    assert always_valid_multiplier(400) == pytest.approx(4.0478, abs=1e-3)


@given(st.integers(1, 10**7), st.floats(0.5, 0.999))
def test_looking_always_costs_width_and_more_units_bring_it_back(n, level):
    once = stats.norm.ppf((1 + level) / 2)
    assert always_valid_multiplier(n, level=level) > once
    now, later = (always_valid_multiplier(many, level=level) / math.sqrt(many) for many in (n, n + max(1, n // 10)))
    assert later < now


def test_arrays_of_units_give_arrays():
    several = np.array([10, 1000], dtype=np.int64)
    assert always_valid_multiplier(several).tolist() == [always_valid_multiplier(10), always_valid_multiplier(1000)]


@given(moments, moments, st.floats(0.5, 0.999))
def test_p_is_below_alpha_exactly_where_the_interval_leaves_zero_out(treated, control, level):
    found = difference(treated, control, level=level)
    error = math.sqrt(treated.squared_error + control.squared_error)
    p = always_valid_p(found.value, error, treated.n + control.n, level=level)
    assume(abs(p - (1 - level)) > 1e-9)
    assert (p < 1 - level) == (found.low > 0 or found.high < 0)
    assert 0 <= p <= 1


@given(moments, moments, st.floats(-10, 10), st.floats(0.1, 10), st.sampled_from(["fixed", "always_valid"]))
def test_intervals_move_and_scale_with_the_values(treated, control, shift, scale, method):
    found = difference(treated, control, method=method)
    changed = [Moments(arm.n, scale * arm.mean + shift, scale**2 * arm.variance) for arm in (treated, control)]
    moved = difference(*changed, method=method)
    assert (moved.low, moved.high) == pytest.approx((scale * found.low, scale * found.high), rel=1e-6, abs=1e-6)
    swapped = difference(control, treated, method=method)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("method", ["fixed", "always_valid"])
def test_without_variance_there_is_no_interval(method):
    flat, nobody, one = Moments.of([0.0] * 5), Moments.of([]), Moments.of([3.0])
    for arms in ((flat, flat), (nobody, flat), (one, flat), (flat, nobody)):
        for found in (difference(*arms, method=method), ratio(*arms, method=method)):
            assert (found.low, found.high) == (-math.inf, math.inf)
    assert difference(nobody, flat).to_json() == {"value": None, "low": None, "high": None}
    assert always_valid_p(1.0, 0.0, 10) == 1.0


def test_units_without_a_value_stay_out():
    assert Moments.of([1.0, math.nan, 3.0]) == Moments(2, 2.0, 2.0)


def test_looking_at_every_step_finds_a_difference_in_one_run_of_twenty_at_most():
    values = np.random.default_rng(1).standard_normal((200, 2, 3_000))
    looks = range(200, 3_001, 200)
    ever = {"fixed": 0, "always_valid": 0}
    for run in values:
        arms = [[Moments.of(arm[:look]) for arm in run] for look in looks]
        for method in ever:
            found = [difference(one, two, method=method) for one, two in arms]
            ever[method] += any(each.low > 0 or each.high < 0 for each in found)
    assert ever["always_valid"] <= 0.05 * 200
    assert ever["fixed"] > 0.15 * 200


@settings(deadline=None)
@given(moments, moments, st.sampled_from(["fixed", "always_valid"]))
def test_the_bounds_of_a_ratio_are_where_the_difference_may_just_be_zero(treated, control, method):
    found = ratio(treated, control, method=method)
    assume(math.isfinite(found.low) and abs(control.mean) > 0.01)
    reach = difference(treated, control, method=method).high - (treated.mean - control.mean)
    times = reach**2 / (treated.squared_error + control.squared_error)
    for bound in (found.low, found.high):
        apart = (treated.mean - bound * control.mean) ** 2
        spread = times * (treated.squared_error + bound**2 * control.squared_error)
        scale = treated.mean**2 + (bound * control.mean) ** 2 + spread
        assert apart / scale == pytest.approx(spread / scale, abs=1e-6)
    assert found.low <= found.value * (1 + 1e-9) + 1e-9 or found.value < 0
    assert found.low - 1e-6 <= found.value <= found.high + 1e-6


def test_a_ratio_to_nothing_is_unbounded():
    found = ratio(Moments(100, 1.0, 1.0), Moments(100, 0.0, 1.0))
    assert math.isnan(found.value) and (found.low, found.high) == (-math.inf, math.inf)
    small = ratio(Moments(100, 1.0, 1.0), Moments(100, 0.01, 1.0))
    assert (small.low, small.high) == (-math.inf, math.inf)


def test_cuped_is_the_analysis_of_covariance():
    rng = np.random.default_rng(2)
    arms = rng.integers(0, 3, 500)
    before = rng.gamma(2, 1, 500)
    values = 0.7 * before + 0.3 * arms + rng.standard_normal(500)
    found = cuped(values, before, arms)
    # Least squares of the values on two arms, a constant and the covariate.
    columns = np.column_stack([np.ones(500), arms == 1, arms == 2, before])
    slopes = np.linalg.lstsq(columns, values, rcond=None)[0]
    assert found.theta == pytest.approx(slopes[3])
    for arm in (1, 2):
        assert found.values[arms == arm].mean() - found.values[arms == 0].mean() == pytest.approx(slopes[arm])
    assert found.values.mean() == pytest.approx(values.mean())


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_cuped_leaves_one_minus_rho_squared_of_the_variance(rho):
    rng = np.random.default_rng(3)
    before, noise = rng.standard_normal((2, 200_000))
    values = rho * before + math.sqrt(1 - rho**2) * noise
    found = cuped(values, before, np.arange(200_000) % 2)
    assert found.values.var() / values.var() == pytest.approx(1 - rho**2, rel=0.02)
    assert found.correlation == pytest.approx(rho, abs=0.01)


def test_cuped_leaves_new_units_and_useless_covariates_alone():
    values = np.array([1.0, 2.0, 3.0, 4.0, math.nan, 9.0])
    before = np.array([1.0, 2.0, 3.0, 5.0, 6.0, math.nan])
    found = cuped(values, before, [0, 1, 0, 1, 0, 1])
    assert found.values[5] == 9.0 and math.isnan(found.values[4])
    # Within the arms: (1, 3) with (1, 3) and (2, 4) with (2, 5), slope (2 + 3) / (2 + 4.5).
    assert found.theta == pytest.approx(5 / 6.5)
    assert found.values[:4] == pytest.approx(values[:4] - 5 / 6.5 * (before[:4] - 2.75))
    same = cuped([1.0, 2.0], [7.0, 7.0], [0, 1])
    assert (same.theta, same.correlation, same.values.tolist()) == (0.0, 0.0, [1.0, 2.0])
    with pytest.raises(DataError, match="there are 2, 1 and 2"):
        cuped([1.0, 2.0], [1.0], [0, 1])


def test_levels_and_tunings_that_do_not_exist_are_refused():
    with pytest.raises(DataError, match="level 95"):
        difference(Moments(10, 1.0, 1.0), Moments(10, 1.0, 1.0), level=95)
    with pytest.raises(DataError, match="level 0"):
        mean_interval(Moments(10, 1.0, 1.0), level=0, method="fixed")
    with pytest.raises(DataError, match="tuned for 0"):
        always_valid_multiplier(10, tuned_for=0)


def test_an_interval_without_bounds_is_null_in_json():
    assert Interval(1.0, -math.inf, math.inf).to_json() == {"value": 1.0, "low": None, "high": None}
