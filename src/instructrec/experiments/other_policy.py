"""What if everybody had the lists of a model that is no arm: estimates from the lists that the arms of a split logged."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from instructrec.evaluation.metrics import Values
from instructrec.experiments.offpolicy import Estimate, doubly_robust, effective_rows, importance_weights, ips, needed_rows, snips
from instructrec.experiments.policies import FOLDS, PRIOR_ROWS
from instructrec.tables import IntArray, ItemId

LEAST_SUPPORTED: Final = 0.9
"""Part of the requests for which some arm could have shown the model's own list, below which nothing is claimed."""
Refusal: TypeAlias = Literal["", "nothing", "support", "effective_n"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A list that a unit was shown, beside the one that the model would have made of the same request.

    `chance`: of the shown list, over arms and draws; `other_chance`: of the model's own one, in the same way; `reward`: what the
    shown list earned, 0 or 1.
    """

    unit: str
    shown: tuple[ItemId, ...]
    other: tuple[ItemId, ...]
    chance: float
    other_chance: float
    reward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPolicy:
    """The mean reward of a list if it were the model's, over the `supported` part of `n` requests.

    Supported are those for which some arm had a chance to show the model's list; of the others nothing can be known. `refused`: why
    there are no `estimates`: "nothing" was logged, too little "support" (`LEAST_SUPPORTED`), or "effective_n" lists, below
    `needed_n`, that speak for the model.
    """

    n: int
    supported: float
    effective_n: float
    needed_n: float
    refused: Refusal
    estimates: Mapping[str, Estimate] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        plain = {name: getattr(self, name) for name in ("n", "supported", "effective_n", "needed_n", "refused")}
        return plain | {"estimates": {name: found.to_json() for name, found in self.estimates.items()}}


def other_policy(lists: Sequence[Replayed]) -> OtherPolicy:
    """IPS, SNIPS and doubly robust estimates, whole lists being what is compared: 1 / chance where both lists are the same, else 0.

    The chance is that over all arms (the balance heuristic of Veach and Guibas 1995, which Agarwal, Basu, Schnabel and Joachims
    2017 bring to logs of several policies), so that a list which several arms show counts once. It is right as long as what is
    known of a unit when it asks does not depend on its arm. The lists of one unit are not counted as independent. "dr" guesses that
    each item earns by itself as often as it did in lists of other units.
    """
    if not lists:
        return OtherPolicy(n=0, supported=0.0, effective_n=0.0, needed_n=needed_rows(0), refused="nothing")
    rows = [row for row in lists if row.other_chance > 0]
    supported, needed = len(rows) / len(lists), needed_rows(len(rows))
    same = np.array([row.shown == row.other for row in rows], dtype=np.float64)
    weights = importance_weights(same, np.array([row.chance for row in rows], dtype=np.float64))
    effective = effective_rows(weights)
    refused: Refusal = "support" if supported < LEAST_SUPPORTED else "effective_n" if effective < needed else ""
    estimates: dict[str, Estimate] = {}
    if not refused:
        rewards = np.array([row.reward for row in rows], dtype=np.float64)
        units = np.unique([row.unit for row in rows], return_inverse=True)[1]
        shown, other = _guesses(rows, rewards, units % FOLDS)
        made = (
            ips(rewards, weights, units=units),
            snips(rewards, weights, units=units),
            doubly_robust(rewards, weights, shown, other, units=units),
        )
        estimates = {one.estimator: one for one in made}
    return OtherPolicy(
        n=len(lists), supported=supported, effective_n=effective, needed_n=needed, refused=refused, estimates=estimates
    )


def _guesses(rows: Sequence[Replayed], rewards: Values, folds: IntArray) -> tuple[Values, Values]:
    """The chance that something of each shown list, and of each list of the model, earns the reward; float64 [rows] each."""
    shown, other = np.empty(len(rows)), np.empty(len(rows))
    for fold in range(FOLDS):
        outside = [(rows[place], float(rewards[place])) for place in np.flatnonzero(folds != fold).tolist()]
        chances = _item_chances(outside)
        usual = chances.pop("", 0.0)
        for place in np.flatnonzero(folds == fold).tolist():
            for guesses, items in ((shown, rows[place].shown), (other, rows[place].other)):
                guesses[place] = 1 - math.prod(1 - chances.get(item, usual) for item in items)
    return shown, other


def _item_chances(rows: Sequence[tuple[Replayed, float]]) -> dict[ItemId, float]:
    """The chance that an item earns the reward in a list, by item, drawn towards the mean of all, which stands under ""."""
    earned: dict[ItemId, float] = defaultdict(float)
    stood: dict[ItemId, float] = defaultdict(float)
    for row, reward in rows:
        for item in row.shown:
            # Which item of a list earned the reward is not told, so that each is taken to have had an equal part.
            stood[item] += 1
            earned[item] += reward / len(row.shown)
    usual = sum(earned.values()) / max(sum(stood.values()), 1.0)
    return {item: (earned[item] + PRIOR_ROWS * usual) / (stood[item] + PRIOR_ROWS) for item in stood} | {"": usual}
