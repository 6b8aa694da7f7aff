"""What if everybody had one arm: estimates for every arm of a split from all lists that it logged, whoever was shown them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from instructrec.evaluation.metrics import Values
from instructrec.experiments.design import Experiment
from instructrec.experiments.offpolicy import (
    Estimate,
    doubly_robust,
    effective_rows,
    importance_weights,
    ips,
    needed_rows,
    snips,
)
from instructrec.tables import IntArray

FOLDS: Final = 5
PRIOR_ROWS: Final = 10.0
"""Rows of the mean of all lists that the guess for an arm begins with, so that a few lists do not make a guess of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A list that a unit was shown under an experiment.

    `propensity`: chance of its arm; `slots`: chance of each of its items given those above (`Exploration.propensities`; empty where
    nothing was drawn); `is_best`: whether it is the list that the arm makes without drawing; `reward`: what it earned; `active`:
    whether the unit had done anything before it was given an arm.
    """

    unit: str
    arm: str
    propensity: float
    reward: float
    slots: tuple[float, ...] = ()
    is_best: bool = True
    active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The mean reward of a list if everybody had an arm; `explores` false: and if it drew nothing, where it did draw.

    `effective_n` of `n` logged lists speak for it; below `needed_n` nothing is claimed and `estimates` is empty.
    """

    arm: str
    explores: bool
    n: int
    effective_n: float
    needed_n: float
    estimates: Mapping[str, Estimate] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All fields under their names, and whether the claim is `refused`."""
        plain = {name: getattr(self, name) for name in ("arm", "explores", "n", "effective_n", "needed_n")}
        return plain | {
            "refused": not self.estimates,
            "estimates": {name: found.to_json() for name, found in self.estimates.items()},
        }


def what_if(experiment: Experiment, lists: Sequence[Logged]) -> list[WhatIf]:
    """The estimates for every arm, and for each arm that explored also without; none where no list was logged.

    The lists of one unit are not counted as independent. They are right as long as how often somebody asks for a list does not
    depend on the arm; where it does "snips" is the one to read. "dr" guesses by arm and by whether the unit was active before,
    from the lists of other units (`FOLDS` of them).
    """
    if not lists:
        return []
    explored = {row.arm for row in lists if row.slots}
    policies = [(arm.name, explores) for arm in experiment.arms for explores in (True, False) if explores or arm.name in explored]
    places = {arm.name: place for place, arm in enumerate(experiment.arms)}
    arms = np.array([places[row.arm] for row in lists])
    active = np.array([row.active for row in lists], dtype=np.int64)
    rewards = np.array([row.reward for row in lists], dtype=np.float64)
    units = np.unique([row.unit for row in lists], return_inverse=True)[1]
    guesses, fold = _guesses(rewards, 2 * arms + active, 2 * len(places), units % FOLDS), units % FOLDS
    predicted = guesses[fold, 2 * arms + active]
    found = []
    for name, explores in policies:
        weights = _weights(lists, name, explores=explores)
        effective, needed = effective_rows(weights), needed_rows(len(lists))
        estimates: dict[str, Estimate] = {}
        if effective >= needed:
            made = (
                ips(rewards, weights, units=units),
                snips(rewards, weights, units=units),
                doubly_robust(rewards, weights, predicted, guesses[fold, 2 * places[name] + active], units=units),
            )
            estimates = {one.estimator: one for one in made}
        found.append(WhatIf(arm=name, explores=explores, n=len(lists), effective_n=effective, needed_n=needed, estimates=estimates))
    return found


def _weights(lists: Sequence[Logged], arm: str, *, explores: bool) -> Values:
    """How much each list counts for an arm: the chance that it had been shown, had everybody the arm, by the chance that it had."""
    drawn = np.array([1.0 if explores else math.prod(row.slots) for row in lists])
    wanted = np.array([row.arm == arm and (explores or row.is_best) for row in lists], dtype=np.float64)
    return importance_weights(wanted, np.array([row.propensity for row in lists]) * drawn)


def _guesses(rewards: Values, cells: IntArray, num_cells: int, folds: IntArray) -> Values:
    """The mean reward of each cell outside of each fold, float64 [folds, cells], drawn towards the mean of all cells."""
    found = np.empty((FOLDS, num_cells))
    for fold in range(FOLDS):
        outside = folds != fold
        sums = np.bincount(cells[outside], rewards[outside], num_cells)
        counts = np.bincount(cells[outside], minlength=num_cells)
        found[fold] = (sums + PRIOR_ROWS * sums.sum() / max(int(counts.sum()), 1)) / (counts + PRIOR_ROWS)
    return found
