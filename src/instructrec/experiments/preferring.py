"""What an interleaving says so far: which of its two arms people choose from, by metric, and what to do: a code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from instructrec.experiments.design import Experiment
from instructrec.experiments.interleaving import Preference, Team, preference
from instructrec.experiments.results import Verdict
from instructrec.experiments.splits import SplitCheck, check_split
from instructrec.experiments.statistics import LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One interleaved list that a unit was shown.

    `time`: seconds since 1970; `begins`: whose item stands at the top ("first" is the control); `credit`: metric -> what the unit
    chose of the control's items and of the other arm's.
    """

    unit: str
    time: float
    begins: Team
    credit: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """Everything that an interleaving says so far.

    `preferences`: metric -> the other arm against the control: its wins are units that chose more of the other arm, and its
    difference is above 0 where that one is preferred. `split`: whether each arm stood at the top as often. `verdict`: "ship", the
    other arm (`arm`) is preferred by the first metric; "stop_worse", the control is; "stop_srm" and "keep_going" as of a split.
    """

    experiment: str
    level: float
    num_units: int
    num_lists: int
    split: SplitCheck
    preferences: Mapping[str, Preference]
    verdict: Verdict
    arm: str | None

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        return {
            "experiment": self.experiment,
            "level": self.level,
            "num_units": self.num_units,
            "num_lists": self.num_lists,
            "split": self.split.to_json(),
            "preferences": {name: found.to_json() for name, found in self.preferences.items()},
            "verdict": self.verdict,
            "arm": self.arm,
        }


def preferences(experiment: Experiment, drafts: Sequence[Draft], *, level: float = LEVEL) -> Preferences:
    """Compare the arms of an interleaving by what units chose of their items.

    What decides is the sequential binomial test of wins and losses by the first metric, so it may be looked at as often as wanted.
    """
    _, other = experiment.arms
    units = {unit: place for place, unit in enumerate(dict.fromkeys(draft.unit for draft in drafts))}
    found = {}
    for metric in experiment.metrics:
        credit = np.zeros((len(units), 2))
        for draft in drafts:
            credit[units[draft.unit]] += draft.credit.get(metric, (0, 0))
        found[metric] = preference(credit[:, 1], credit[:, 0], level=level)
    split = check_split(
        np.array([draft.begins == "second" for draft in drafts], dtype=np.int64),
        np.array([draft.time for draft in drafts], dtype=np.float64),
        experiment.shares,
        last_look=experiment.status != "running",
    )
    verdict = _verdict(found[experiment.metrics[0]], alarm=split.alarm, level=level)
    return Preferences(
        experiment=experiment.id,
        level=level,
        num_units=len(units),
        num_lists=len(drafts),
        split=split,
        preferences=found,
        verdict=verdict,
        arm=other.name if verdict == "ship" else None,
    )


def _verdict(found: Preference, *, alarm: bool, level: float) -> Verdict:
    if alarm:
        return "stop_srm"
    if found.sequential_p >= 1 - level:
        return "keep_going"
    return "ship" if found.wins > found.losses else "stop_worse"
