"""Whether units fell on the arms in the shares that were asked for; if they did not, nothing about the arms can be compared.

A wrong split (sample ratio mismatch) means that units were lost or added in one arm: by a crash, a redirect, a bot filter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from instructrec.errors import DataError
from instructrec.evaluation.metrics import Values
from instructrec.experiments.metrics import DAY_S
from instructrec.tables import IntArray

SPLIT_ALARM: Final = 0.001
"""p below which the units are not split as they should be."""
PRIORS: Final[Mapping[float, float]] = {10.0: 0.05, 100.0: 0.1, 1_000.0: 0.25, 10_000.0: 0.6}
"""How strongly the sequential check expects the right split, in units -> weight. Small deviations among many units are found best
with many, gross ones among few units with few; a mixture finds both for little, and is as valid as each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCheck:
    """Whether the units fell on the arms as they should.

    `p`: chi-square, for this one look; `sequential_p`: the least of the sequential test over all days so far, for any number of
    looks; `alarm`: the latter is below `SPLIT_ALARM`, or the former is and this is the last look.
    """

    counts: Mapping[str, int]
    shares: Mapping[str, float]
    p: float
    sequential_p: float
    alarm: bool

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        plain = {"p": self.p, "sequential_p": self.sequential_p, "alarm": self.alarm}
        return {"counts": dict(self.counts), "shares": dict(self.shares), **plain}


def check_split(arms: IntArray, exposed: Values, shares: Mapping[str, float], *, last_look: bool = False) -> SplitCheck:
    """Check the split at the end of every day so far.

    `arms`: int64 [units], places in `shares`; `exposed`: float64 [units], first exposures in seconds since 1970; `shares`: arm ->
    expected part of the units. At the `last_look` no further unit comes, and the test that finds more in one look counts, too.
    """
    expected = list(shares.values())
    counts = np.bincount(arms, minlength=len(expected))
    least, p = 1.0, float(split_p(counts, expected))
    if len(arms):
        # Days without units need no look of their own.
        days, day = np.unique((exposed - exposed.min()) // DAY_S, return_inverse=True)
        looks = np.zeros((len(days), len(expected)))
        np.add.at(looks, (day, arms), 1)
        least = float(sequential_split_p(looks.cumsum(axis=0), expected).min())
    return SplitCheck(
        counts={name: int(count) for name, count in zip(shares, counts, strict=True)},
        shares=dict(shares),
        p=p,
        sequential_p=least,
        alarm=least < SPLIT_ALARM or (last_look and p < SPLIT_ALARM),
    )


def split_p(counts: ArrayLike, shares: Sequence[float]) -> Values:
    """The p of Pearson's chi-square test that units fall on arms in these shares; for one look. 1 where there are no units.

    `counts`: whole numbers [..., arms]; the answer is float64 [...].
    """
    # scipy.stats takes a second to load, which only this needs.
    from scipy import stats

    seen, expected = _counts_and_shares(counts, shares)
    totals = seen.sum(axis=-1, keepdims=True)
    # scipy divides by what is expected: an empty row is tested as if each arm had its share of one unit.
    filled = np.where(totals > 0, seen, expected)
    return np.asarray(stats.chisquare(filled, np.maximum(totals, 1.0) * expected, axis=-1).pvalue, dtype=np.float64)


def sequential_split_p(counts: ArrayLike, shares: Sequence[float], *, priors: Mapping[float, float] = PRIORS) -> Values:
    """The p of the sequential multinomial test of Lindon and Malek (2022, arXiv 2011.03567): it may be looked at after every unit.

    1 / Bayes factor of Dirichlet priors around the shares against the shares themselves; under the right split its chance to be
    ever below alpha is at most alpha (Ville). `priors`: units that a prior counts for -> its weight in the mixture; the weights sum
    to 1. Shapes as `split_p`.
    """
    seen, expected = _counts_and_shares(counts, shares)
    gained = np.logaddexp.reduce([math.log(weight) + _log_bayes_factor(seen, expected, units) for units, weight in priors.items()])
    return np.asarray(np.exp(-np.maximum(gained, 0.0)), dtype=np.float64)


def _log_bayes_factor(counts: Values, shares: Values, units: float) -> Values:
    """Of a Dirichlet prior that counts for so many units, against the shares; float64 [...]."""
    prior = units * shares
    whole = special.gammaln(units) - special.gammaln(units + counts.sum(axis=-1))
    each = special.gammaln(prior + counts) - special.gammaln(prior) - counts * np.log(shares)
    return np.asarray(whole + each.sum(axis=-1), dtype=np.float64)


def _counts_and_shares(counts: ArrayLike, shares: Sequence[float]) -> tuple[Values, Values]:
    seen, expected = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if seen.ndim == 0 or seen.shape[-1] != len(expected) or len(expected) < 2:
        raise DataError(
            f"The split of {len(expected)} arms was to be checked with counts of shape {seen.shape}. Give one count an arm."
        )
    if (expected <= 0).any() or (seen < 0).any():
        raise DataError("The split can only be checked with shares above 0 and counts of at least 0.")
    return seen, expected / expected.sum()
