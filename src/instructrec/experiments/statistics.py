"""How sure a comparison of two arms is: intervals that may be looked at once or always, and less variance by CUPED.

Two kinds of interval stand side by side. "fixed" (Welch 1947) holds its level if it is looked at once, at a number of units fixed
before. "always_valid" is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021, arXiv
2103.06476; Robbins' normal mixture): with the level's probability *all* its intervals over time hold the truth, so an experiment
may be looked at every day and stopped when the interval says so. It is wider, and least so near `tuned_for` units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from instructrec.errors import DataError
from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.metrics import Values
from instructrec.tables import IntArray

Method: TypeAlias = Literal["fixed", "always_valid"]

LEVEL: Final = 0.95
TUNED_FOR: Final = 5_000
"""Units at which the always-valid interval pays least for being so, unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Moments:
    """All that the intervals need of one arm: units, mean and variance (with n - 1) of their values; NaN where there is none."""

    n: int
    mean: float
    variance: float

    @staticmethod
    def of(values: ArrayLike) -> Moments:
        """Of float64 [units]; NaN marks units without a value, which stay out."""
        all_values = np.asarray(values, dtype=np.float64)
        known = all_values[~np.isnan(all_values)]
        n = len(known)
        return Moments(n, float(known.mean()) if n else math.nan, float(known.var(ddof=1)) if n > 1 else math.nan)

    @property
    def squared_error(self) -> float:
        """Variance of the mean."""
        return self.variance / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Values after CUPED.

    `values`: float64 [units]; `theta`: by how much a unit of the covariate was taken out; `correlation`: of value and covariate
    within the arms; their variance is (1 - correlation^2) of what it was where every unit has a covariate.
    """

    values: Values
    theta: float
    correlation: float


@overload
def always_valid_multiplier(n: int, *, level: float = ..., tuned_for: int = ...) -> float: ...
@overload
def always_valid_multiplier(n: IntArray, *, level: float = ..., tuned_for: int = ...) -> Values: ...
def always_valid_multiplier(n: int | IntArray, *, level: float = LEVEL, tuned_for: int = TUNED_FOR) -> float | Values:
    """By how many standard errors the always-valid interval reaches to each side at n units (all arms together).

    sqrt((x + 1) / x * log((x + 1) / alpha^2)) with x = n rho^2, and rho^2 such that it is smallest at `tuned_for` units: there
    (x + 1) exp(-x) = alpha^2, which Lambert's W solves. Raises DataError for a level outside 0 to 1.
    """
    alpha = 1 - _checked(level)
    x = np.asarray(n, dtype=np.float64) * _rho_squared(alpha, tuned_for)
    with np.errstate(divide="ignore"):
        found = np.sqrt((x + 1) / x * np.log((x + 1) / alpha**2))
    return float(found) if found.ndim == 0 else found


def always_valid_p(value: float, standard_error: float, n: int, *, level: float = LEVEL, tuned_for: int = TUNED_FOR) -> float:
    """The smallest alpha whose always-valid interval leaves 0 out; it may be compared with 1 - level at every look.

    `level` only says for which level the sequence was tuned. 1 where the standard error is 0 or does not exist.
    """
    if not standard_error > 0:
        return 1.0
    x = n * _rho_squared(1 - _checked(level), tuned_for)
    return min(1.0, math.sqrt(x + 1) * math.exp(-((value / standard_error) ** 2) * x / (2 * (x + 1))))


def mean_interval(
    sample: Moments, *, method: Method = "always_valid", level: float = LEVEL, tuned_for: int = TUNED_FOR
) -> Interval:
    """The mean of one sample; "fixed" is Student's interval."""
    reach = _reach(sample.squared_error, sample.n, sample.n - 1, method, level, tuned_for)
    return _around(sample.mean, reach)


def difference(
    treated: Moments, control: Moments, *, method: Method = "always_valid", level: float = LEVEL, tuned_for: int = TUNED_FOR
) -> Interval:
    """Mean of the treated minus mean of the control; "fixed" is Welch's interval. Shares are means of 0 and 1.

    Unbounded where an arm has fewer than two units or nothing varies, since no variance can then be estimated.
    """
    squared_error = treated.squared_error + control.squared_error
    reach = _reach(squared_error, treated.n + control.n, _welch_degrees(treated, control), method, level, tuned_for)
    return _around(treated.mean - control.mean, reach)


def ratio(
    treated: Moments, control: Moments, *, method: Method = "always_valid", level: float = LEVEL, tuned_for: int = TUNED_FOR
) -> Interval:
    """Mean of the treated divided by mean of the control, by Fieller (1954): all r at which treated - r * control may be 0.

    For the always-valid method every such difference is covered over all time. Unbounded where the control's mean may be 0;
    the value is NaN where it is 0.
    """
    value = treated.mean / control.mean if control.mean else math.nan
    squared_error = treated.squared_error + control.squared_error
    # How many standard errors the interval reaches depends on the number of units only, not on r.
    degrees = _welch_degrees(treated, control)
    reach = _reach(squared_error, treated.n + control.n, degrees, method, level, tuned_for)
    if not math.isfinite(reach):
        return _around(value, math.inf)
    times = reach**2 / squared_error
    square = control.mean**2 - times * control.squared_error
    product = treated.mean * control.mean
    inside = product**2 - square * (treated.mean**2 - times * treated.squared_error)
    if square <= 0 or inside < 0:
        return _around(value, math.inf)
    return Interval(value, (product - math.sqrt(inside)) / square, (product + math.sqrt(inside)) / square)


def cuped(values: ArrayLike, before: ArrayLike, arms: ArrayLike) -> Adjusted:
    """Take out of each unit's value what its value before the experiment foretold (Deng, Xu, Kohavi and Walker 2013).

    `values`, `before`: float64 [units], NaN where unknown; `arms`: int64 [units], 0, 1, ... Values become value - theta * (before
    - mean of before), theta being the slope within the arms, so that the differences are those of an analysis of covariance.
    Units without a covariate stay as they are: being new is settled before the arm is drawn. Raises DataError for unequal lengths.
    """
    y, x, arm = np.asarray(values, dtype=np.float64), np.asarray(before, dtype=np.float64), np.asarray(arms, dtype=np.int64)
    if not len(y) == len(x) == len(arm):
        raise DataError(
            f"CUPED needs a value, a value before and an arm of each unit, but there are {len(y)}, {len(x)} and {len(arm)}."
        )
    known = ~np.isnan(y) & ~np.isnan(x)
    own_y, own_x = _within(y[known], arm[known]), _within(x[known], arm[known])
    spread_x, spread_y, shared = float(own_x @ own_x), float(own_y @ own_y), float(own_x @ own_y)
    if not spread_x > 0:
        return Adjusted(y.copy(), 0.0, 0.0)
    theta = shared / spread_x
    adjusted = y.copy()
    adjusted[known] -= theta * (x[known] - x[known].mean())
    return Adjusted(adjusted, theta, shared / math.sqrt(spread_x * spread_y) if spread_y > 0 else 0.0)


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise DataError(f"An interval was asked for with the level {level}, but it lies between 0 and 1, such as 0.95.")
    return level


def _rho_squared(alpha: float, tuned_for: int) -> float:
    if tuned_for < 1:
        raise DataError(f"An always-valid interval cannot be tuned for {tuned_for} units. Give a number of at least 1.")
    return float(-special.lambertw(-(alpha**2) / math.e, -1).real - 1) / tuned_for


def _reach(squared_error: float, n: int, degrees: float, method: Method, level: float, tuned_for: int) -> float:
    """Half of an interval's width; infinite where the variance is unknown or 0."""
    if not squared_error > 0:
        return math.inf
    if method == "fixed":
        return float(special.stdtrit(degrees, (1 + _checked(level)) / 2)) * math.sqrt(squared_error)
    return always_valid_multiplier(n, level=level, tuned_for=tuned_for) * math.sqrt(squared_error)


def _welch_degrees(treated: Moments, control: Moments) -> float:
    parts = [(arm.squared_error, arm.n) for arm in (treated, control)]
    below = sum(error**2 / (n - 1) for error, n in parts if n > 1)
    return float((parts[0][0] + parts[1][0]) ** 2 / below) if below > 0 else math.nan


def _around(value: float, reach: float) -> Interval:
    return Interval(value, value - reach, value + reach) if math.isfinite(reach) else Interval(value, -math.inf, math.inf)


def _within(values: Values, arms: IntArray) -> Values:
    """Values minus the mean of their arm."""
    sums, counts = np.bincount(arms, values), np.bincount(arms)
    return np.asarray(values - (sums / np.maximum(counts, 1))[arms], dtype=np.float64)
