"""What another policy would have earned, estimated from what a logged one did, and the policy whose choices can be used for that.

Without the chance with which each item was shown (its propensity) no such estimate is possible, so `Exploration` gives it for
every list that it draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from instructrec.errors import DataError
from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.metrics import Values
from instructrec.experiments.statistics import LEVEL
from instructrec.tables import BoolArray, IntArray

Estimator: TypeAlias = Literal["ips", "snips", "dr"]
Left: TypeAlias = Callable[[IntArray], BoolArray]
"""(places so far, int64 [slots]) -> the places that can come next, bool [candidates]."""
FEWEST_EFFECTIVE: Final = 1_000.0
"""Effective rows below which nothing is claimed."""
LEAST_EFFECTIVE_SHARE: Final = 0.01
"""Part of the rows that must count, below which nothing is claimed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Mean reward of the other policy.

    `effective_n`: (sum w)^2 / sum w^2, how many rows drawn by the other policy itself would say as much (Kong 1992);
    `largest_weight`: the weight of the row that counts most.
    """

    estimator: Estimator
    reward: Interval
    n: int
    effective_n: float
    largest_weight: float

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        plain = {"n": self.n, "effective_n": self.effective_n, "largest_weight": self.largest_weight}
        return {"estimator": self.estimator, "reward": self.reward.to_json(), **plain}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """Fills a list slot by slot: with chance 1 - epsilon the best item that is left, else one drawn from what is left.

    What is drawn has chances proportional to exp(score / temperature); an infinite temperature draws evenly (epsilon-greedy), and
    epsilon = 1 is the Plackett-Luce policy. `epsilon` above 0 gives every candidate a chance, which off-policy estimates need.
    """

    epsilon: float
    temperature: float = math.inf

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise DataError(
                f"A policy explores with epsilon = {self.epsilon}, but a chance from 0 to 1 was expected, such as 0.05."
            )
        if not self.temperature > 0:
            raise DataError(f"A policy draws with the temperature {self.temperature}, but a number above 0 was expected.")

    def draw(self, scores: ArrayLike, n: int, *, seed: int, left: Left | None = None) -> tuple[IntArray, Values]:
        """A list of at most n places of `scores` (float64 [candidates], finite), int64 [n], and `propensities` of it.

        `left`: which places can come behind those so far (none given: all others); as long as the list is not whole there is one.
        """
        rng = np.random.default_rng(seed)
        known = _scores(scores)
        chosen = np.empty(min(n, len(known)), dtype=np.int64)
        for slot in range(len(chosen)):
            chosen[slot] = rng.choice(len(known), p=self._chances(known, _left(chosen[:slot], len(known), left)))
        return chosen, self.propensities(known, chosen, left=left)

    def propensities(self, scores: ArrayLike, shown: ArrayLike, *, left: Left | None = None) -> Values:
        """Chance of each shown item in its slot given the items before it, float64 [slots]; their product is the list's chance.

        `shown`: places of `scores`, int64 [slots]; `left` as for `draw`. Raises DataError for a place that does not exist or stands
        twice.
        """
        known, places = _scores(scores), np.asarray(shown, dtype=np.int64)
        if len(set(places.tolist())) != len(places) or (places < 0).any() or (places >= len(known)).any():
            raise DataError(f"The shown list {places.tolist()} is no choice among {len(known)} candidates. Give each place once.")
        found = np.zeros(len(places))
        for slot, place in enumerate(places):
            found[slot] = self._chances(known, _left(places[:slot], len(known), left))[place]
            if not found[slot]:  # what cannot come is followed by nothing
                break
        return found

    def _chances(self, scores: Values, left: BoolArray) -> Values:
        masked = np.where(left, scores, -np.inf)
        best = int(masked.argmax())
        even = np.where(left, 0.0, -np.inf)
        logits = even if math.isinf(self.temperature) else (masked - masked[best]) / self.temperature
        drawn = np.exp(logits)
        chances = self.epsilon * drawn / drawn.sum()
        chances[best] += 1 - self.epsilon
        return np.asarray(chances, dtype=np.float64)


def importance_weights(wanted: ArrayLike, logged: ArrayLike) -> Values:
    """Chance of what was done under the other policy divided by its logged chance, float64 [rows].

    Raises DataError for chances outside 0 to 1 and logged chances of 0: what was never done says nothing.
    """
    other, own = np.asarray(wanted, dtype=np.float64), np.asarray(logged, dtype=np.float64)
    if other.shape != own.shape or other.ndim != 1:
        raise DataError(f"Each row needs both chances, but their shapes are {other.shape} and {own.shape}.")
    if not ((own > 0) & (own <= 1)).all():
        raise DataError("A logged propensity is not above 0 and at most 1. Log the chance of what was shown when it is shown.")
    if not ((other >= 0) & (other <= 1)).all():
        raise DataError("A chance under the other policy is not from 0 to 1.")
    return np.asarray(other / own, dtype=np.float64)


def ips(
    rewards: ArrayLike, weights: ArrayLike, *, units: ArrayLike | None = None, level: float = LEVEL, claim: bool = True
) -> Estimate:
    """Inverse propensity score: mean of weight * reward (Horvitz and Thompson 1952). Unbiased, noisy where weights are large.

    `rewards`, `weights`: float64 [rows]; `units`: whose row it is, int64 [rows], so that rows of one user are not counted as
    independent. The interval is the normal one. With `claim`, raises DataError if too few rows count (see `FEWEST_EFFECTIVE`).
    """
    reward, weight = _rows(rewards, weights, claim=claim)
    return _estimate("ips", weight * reward, weight, _units(units, weight), level)


def snips(
    rewards: ArrayLike, weights: ArrayLike, *, units: ArrayLike | None = None, level: float = LEVEL, claim: bool = True
) -> Estimate:
    """Self-normalised: sum of weight * reward / sum of weights (Swaminathan and Joachims 2015); less noise, a little bias."""
    reward, weight = _rows(rewards, weights, claim=claim)
    mean_weight = weight.mean()
    value = float((weight * reward).mean() / mean_weight) if mean_weight > 0 else math.nan
    # The estimate is about the mean of these (delta method).
    linear = value + weight * (reward - value) / mean_weight
    return _estimate("snips", linear, weight, _units(units, weight), level)


def doubly_robust(
    rewards: ArrayLike,
    weights: ArrayLike,
    predicted: ArrayLike,
    expected: ArrayLike,
    *,
    units: ArrayLike | None = None,
    level: float = LEVEL,
    claim: bool = True,
) -> Estimate:
    """Mean of expected + weight * (reward - predicted) (Dudik, Langford and Li 2011): right if propensities *or* predictions are.

    `predicted`: a reward model's guess for what was done, `expected`: its mean guess under the other policy, float64 [rows]; the
    model must not have seen the row it guesses for (cross-fitting). Otherwise as `ips`.
    """
    reward, weight = _rows(rewards, weights, claim=claim)
    guess, mean_guess = np.asarray(predicted, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if not guess.shape == mean_guess.shape == reward.shape:
        raise DataError(f"{len(reward)} rows need as many guesses, but their shapes are {guess.shape} and {mean_guess.shape}.")
    return _estimate("dr", mean_guess + weight * (reward - guess), weight, _units(units, weight), level)


def effective_rows(weights: Values) -> float:
    """(sum w)^2 / sum w^2, 0 where all weights are 0."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def needed_rows(n: int) -> float:
    """Effective rows of n without which nothing is claimed."""
    return max(FEWEST_EFFECTIVE, LEAST_EFFECTIVE_SHARE * n)


def _estimate(estimator: Estimator, terms: Values, weights: Values, units: IntArray, level: float) -> Estimate:
    """The mean of terms with a normal interval in which units, not rows, are independent."""
    n, value = len(terms), float(terms.mean())
    sums = np.bincount(units, terms - value)
    groups = int(units.max()) + 1
    spread = math.sqrt(float(sums @ sums) * groups / max(groups - 1, 1)) / n
    reach = float(special.ndtri((1 + level) / 2)) * spread
    return Estimate(
        estimator=estimator,
        reward=Interval(value, value - reach, value + reach) if groups > 1 else Interval(value, -math.inf, math.inf),
        n=n,
        effective_n=effective_rows(weights),
        largest_weight=float(weights.max()),
    )


def _rows(rewards: ArrayLike, weights: ArrayLike, *, claim: bool) -> tuple[Values, Values]:
    reward, weight = np.asarray(rewards, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if reward.shape != weight.shape or reward.ndim != 1 or not len(reward):
        raise DataError(
            f"An off-policy estimate needs rows with a reward and a weight, but the shapes are {reward.shape} and {weight.shape}."
        )
    if not (np.isfinite(reward).all() and np.isfinite(weight).all() and (weight >= 0).all()):
        raise DataError("A reward or weight is not a finite number, or a weight is below 0. Leave such rows out, and say how many.")
    effective, wanted = effective_rows(weight), needed_rows(len(weight))
    if claim and effective < wanted:
        raise DataError(
            f"{len(weight)} logged rows say as much of the other policy as {effective:.0f} of its own would, but {wanted:.0f} are "
            "needed for a claim. Log more, explore more, or choose a policy that is closer to the logged one."
        )
    return reward, weight


def _units(units: ArrayLike | None, weights: Values) -> IntArray:
    """Units as 0, 1, ... by row; every row its own unit if none are given."""
    if units is None:
        return np.arange(len(weights), dtype=np.int64)
    given = np.asarray(units)
    if given.shape != weights.shape:
        raise DataError(f"{len(weights)} rows need as many units, but there are {len(given)}.")
    return np.asarray(np.unique(given, return_inverse=True)[1], dtype=np.int64)


def _left(chosen: IntArray, num_places: int, left: Left | None) -> BoolArray:
    """The places that can come next, bool [num_places]."""
    found: BoolArray = np.ones(num_places, dtype=np.bool_)
    if left is not None:
        found &= left(chosen)
    found[chosen] = False
    return found


def _scores(scores: ArrayLike) -> Values:
    known = np.asarray(scores, dtype=np.float64)
    if known.ndim != 1 or not np.isfinite(known).all():
        raise DataError("A policy draws from finite scores in one row. Leave candidates without a score out.")
    return known
