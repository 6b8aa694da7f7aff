"""How sure a number is: bootstrap intervals over users, paired tests between models, correction for many tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from instructrec.errors import DataError
from instructrec.evaluation.metrics import Values

CELLS_AT_ONCE = 2**22


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users and the bounds between which it lies with the level asked for."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        """The shape that `instructrec compare --json` answers; a value that does not exist (NaN) is null, as JSON has no NaN."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {name: number if np.isfinite(number) else None for name, number in numbers.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTest:
    """Whether the first model is better than the second on the same users.

    `difference`: mean of first minus second, with its bootstrap interval; `p`: two-sided sign-flip p-value;
    `wins` and `losses`: users for whom the first is better or worse; `num_users`: users compared.
    """

    difference: Interval
    p: float
    wins: int
    losses: int
    num_users: int


def bootstrap_mean(values: Values, *, level: float = 0.95, samples: int = 2000, seed: int = 0) -> Interval:
    """Mean of float64 [num_users] with its percentile bootstrap interval (Efron 1979); users are drawn with replacement.

    NaN marks users without a value; they stay out. All bounds are NaN if nobody has one. Equal seeds give equal bounds.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    size = len(known)
    means = np.concatenate([known[rng.integers(size, size=(rows, size))].mean(axis=1) for rows in _blocks(samples, size)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(known.mean()), float(low), float(high))


def bootstrap_ratio(upper: Values, lower: Values, *, level: float = 0.95, samples: int = 2000, seed: int = 0) -> Interval:
    """Sum of one float64 [num_users] over the sum of another, with its percentile bootstrap interval; users are drawn with both.

    Users for whom either is NaN stay out, and so do drawn samples whose lower sum is 0. All bounds are NaN where it is 0 itself.
    """
    known = ~np.isnan(upper) & ~np.isnan(lower)
    upper, lower = upper[known], lower[known]
    if not len(lower) or not lower.sum():
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    parts = []
    for rows in _blocks(samples, len(lower)):
        drawn = rng.integers(len(lower), size=(rows, len(lower)))
        above, below = upper[drawn].sum(axis=1), lower[drawn].sum(axis=1)
        parts.append(np.divide(above, below, out=np.full(rows, np.nan), where=below != 0))
    ratios = np.concatenate(parts)
    low, high = np.nanquantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(upper.sum() / lower.sum()), float(low), float(high))


def paired_test(first: Values, second: Values, *, samples: int = 10_000, seed: int = 0) -> PairedTest:
    """Compare two models user by user.

    The test is Fisher's sign-flip permutation test: were the models equal, each user's difference could as well have the other
    sign. p counts the random sign patterns whose mean is at least as far from 0 as the one seen, the seen one included
    (Phipson and Smyth 2010), so it is never 0: with S samples its smallest value is 1 / (S + 1). Users that either model has
    no value for stay out. Raises DataError when the users do not match.
    """
    if first.shape != second.shape:
        raise DataError(f"A paired test needs the same users, but there are {len(first)} and {len(second)} values.")
    difference = first - second
    difference = difference[~np.isnan(difference)]
    return PairedTest(
        difference=bootstrap_mean(difference, seed=seed),
        p=_sign_flip(difference, samples=samples, seed=seed),
        wins=int((difference > 0).sum()),
        losses=int((difference < 0).sum()),
        num_users=len(difference),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979): p-values that may be held against one level although several tests were made."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(p) for p in adjusted]


def mean_over_seeds(runs: Sequence[Values]) -> Values:
    """Each user's mean over runs with different seeds, float64 [num_users]: average first, then test over users.

    Testing runs as if they were more users would count each user several times. Raises DataError when the users do not match.
    """
    sizes = {len(run) for run in runs}
    if len(sizes) != 1:
        raise DataError(f"Runs over {sorted(sizes)} users cannot be averaged. Evaluate every seed on the same split.")
    return np.asarray(np.mean(np.stack(list(runs)), axis=0), dtype=np.float64)


def _sign_flip(difference: Values, *, samples: int, seed: int) -> float:
    # A difference of 0 stays 0 under any sign, and on sparse hits most are 0: leaving them out changes nothing but the time.
    moving = difference[difference != 0]
    if not len(moving):
        return 1.0
    rng = np.random.default_rng(seed)
    seen = abs(float(moving.sum()))
    margin = 1e-9 * float(np.abs(moving).sum())
    extreme = 0
    for rows in _blocks(samples, len(moving)):
        signs = rng.integers(0, 2, size=(rows, len(moving)), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ moving) >= seen - margin).sum())
    return (extreme + 1) / (samples + 1)


def _blocks(samples: int, width: int) -> Iterator[int]:
    """Split samples into blocks that fit into memory."""
    step = max(1, CELLS_AT_ONCE // width)
    for start in range(0, samples, step):
        yield min(step, samples - start)
