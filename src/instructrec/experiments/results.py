"""From one row a unit to a table by metric and arm, the checks of split and guardrails, and what to do: a code.

All intervals hold together for all arms: with k arms beside the control each has the level 1 - (1 - level) / k (Bonferroni). What
decides is always valid, so results may be read as often as wanted. The theory is about units that arrive one after another
with their values: a metric that still grows for old units (a click rate does not, the share that bought does) should be read over
a fixed time after exposure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from instructrec.errors import DataError, nearest
from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.metrics import Values
from instructrec.experiments.design import Experiment, Guardrail
from instructrec.experiments.metrics import METRICS
from instructrec.experiments.splits import SplitCheck, check_split
from instructrec.experiments.statistics import (
    LEVEL,
    TUNED_FOR,
    Adjusted,
    Moments,
    cuped,
    difference,
    ratio,
)
from instructrec.tables import IntArray

Verdict: TypeAlias = Literal["keep_going", "ship", "stop_worse", "stop_srm"]
GuardrailState: TypeAlias = Literal["kept", "open", "broken"]
FEWEST_UNITS: Final = 100
"""Units of an arm below which nothing is decided: the intervals lean on the central limit theorem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One unit of an experiment.

    `exposed`: its first exposure, seconds since 1970; `values`: metric -> value after it; `before`: metric -> value before it,
    for CUPED. A metric that is missing or NaN has no value.
    """

    unit: str
    arm: str
    exposed: float
    values: Mapping[str, float]
    before: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmMetric:
    """One metric of one arm.

    `mean`: as measured; `fixed`, `always_valid`: difference to the control, after CUPED where there is a value before; `lift`:
    always-valid interval of the relative change, as measured; all three none for the control. `variance_left`: 1 - correlation^2 of
    CUPED, 1 without it.
    """

    metric: str
    arm: str
    n: int
    mean: float
    fixed: Interval | None = None
    always_valid: Interval | None = None
    lift: Interval | None = None
    variance_left: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """All fields but the metric's and the arm's name."""
        intervals = {name: getattr(self, name) for name in ("fixed", "always_valid", "lift")}
        shown = {name: interval and interval.to_json() for name, interval in intervals.items()}
        return {"n": self.n, "mean": _finite(self.mean), **shown, "variance_left": self.variance_left}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailCheck:
    """One guardrail of one arm: the mean divided by the control's, always valid, and whether its bound is kept, broken or open.

    It is broken when the mean is surely beyond what the tolerance allows, and kept when it surely is not.
    """

    metric: str
    arm: str
    ratio: Interval
    state: GuardrailState

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        return {"metric": self.metric, "arm": self.arm, "ratio": self.ratio.to_json(), "state": self.state}


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that an experiment says so far.

    `verdicts`: arm -> code, for every arm but the control; `verdict` and `arm`: the code of the whole and the arm it speaks of.
    """

    experiment: str
    level: float
    num_units: int
    split: SplitCheck
    rows: tuple[ArmMetric, ...]
    guardrails: tuple[GuardrailCheck, ...]
    verdicts: Mapping[str, Verdict]
    verdict: Verdict
    arm: str | None

    def of(self, metric: str, arm: str) -> ArmMetric:
        """The row of a metric and an arm. Raises DataError if there is none."""
        for row in self.rows:
            if (row.metric, row.arm) == (metric, arm):
                return row
        raise DataError(f"Experiment '{self.experiment}' has no results for metric '{metric}' and arm '{arm}'.")

    def to_json(self) -> dict[str, Any]:
        """The stable shape: split, metrics -> arm -> numbers, guardrails, verdicts. What does not exist is null."""
        metrics: dict[str, dict[str, Any]] = {}
        for row in self.rows:
            metrics.setdefault(row.metric, {})[row.arm] = row.to_json()
        return {
            "experiment": self.experiment,
            "level": self.level,
            "num_units": self.num_units,
            "split": self.split.to_json(),
            "metrics": metrics,
            "guardrails": [check.to_json() for check in self.guardrails],
            "verdicts": dict(self.verdicts),
            "verdict": self.verdict,
            "arm": self.arm,
        }


def results(
    experiment: Experiment,
    rows: Sequence[Row],
    *,
    level: float = LEVEL,
    tuned_for: int = TUNED_FOR,
    shares: Mapping[str, float] | None = None,
) -> Results:
    """Compare the arms of an experiment with its control.

    `rows`: one a unit, in any order; `shares`: expected part of the units of each arm where the split was changed on the way, by
    default the experiment's. Verdicts: `stop_srm`, the split is not the one that was asked for, so nothing can be compared; else by
    arm `stop_worse`, a guardrail is broken or the first metric is worse; `ship`, it is better and no guardrail is broken;
    `keep_going`. The whole ships the arm with the greatest difference, and stops when every arm is worse. Raises DataError for
    unknown arms, units that stand twice, and exposures from before the start.
    """
    arms = _arms_of(experiment, rows)
    expected = _expected(experiment, shares)
    names = list(expected)
    each = 1 - (1 - level) / (len(names) - 1)

    table = [row for metric in experiment.metrics for row in _metric_rows(metric, rows, arms, names, each, tuned_for)]
    checks = [
        check
        for guardrail in experiment.guardrails
        for check in _checks(guardrail, _column(rows, guardrail.metric), arms, names, each, tuned_for)
    ]
    split = check_split(arms, np.array([row.exposed for row in rows]), expected, last_look=experiment.status != "running")
    deciding = {row.arm: row for row in table if row.metric == experiment.metrics[0]}
    broken = {check.arm for check in checks if check.state == "broken"}
    fewest = min(row.n for row in deciding.values())
    verdicts = {
        name: _verdict(
            deciding[name], experiment.metrics[0], alarm=split.alarm, broken=name in broken, enough=fewest >= FEWEST_UNITS
        )
        for name in names[1:]
    }
    verdict, arm = _whole(verdicts, lambda name: _gain(deciding[name], experiment.metrics[0]))
    return Results(
        experiment=experiment.id,
        level=each,
        num_units=len(rows),
        split=split,
        rows=tuple(table),
        guardrails=tuple(checks),
        verdicts=verdicts,
        verdict=verdict,
        arm=arm,
    )


def _arms_of(experiment: Experiment, rows: Sequence[Row]) -> IntArray:
    """Each row's arm as its place among the arms, int64 [rows], after checking the rows."""
    places = {arm.name: place for place, arm in enumerate(experiment.arms)}
    seen: set[str] = set()
    for row in rows:
        if row.arm not in places:
            hint = nearest(row.arm, places)
            raise DataError(f"Unit '{row.unit}' is in arm '{row.arm}', but '{experiment.id}' has only {', '.join(places)}.{hint}")
        if row.unit in seen:
            raise DataError(f"Unit '{row.unit}' stands in two rows. Give one row a unit, with its first exposure.")
        if experiment.started is not None and row.exposed < experiment.started:
            raise DataError(
                f"Unit '{row.unit}' was exposed at {row.exposed}, but '{experiment.id}' started at {experiment.started}. "
                "Leave out what came before."
            )
        seen.add(row.unit)
    return np.array([places[row.arm] for row in rows], dtype=np.int64)


def _expected(experiment: Experiment, shares: Mapping[str, float] | None) -> dict[str, float]:
    if shares is None:
        return experiment.shares
    if set(shares) != set(experiment.shares):
        raise DataError(f"Expected shares are given for {', '.join(shares)}, but the arms are {', '.join(experiment.shares)}.")
    return {name: shares[name] for name in experiment.shares}


def _column(rows: Sequence[Row], metric: str) -> Values:
    return np.array([row.values.get(metric, math.nan) for row in rows], dtype=np.float64)


def _metric_rows(
    metric: str, rows: Sequence[Row], arms: IntArray, names: Sequence[str], level: float, tuned_for: int
) -> list[ArmMetric]:
    values = _column(rows, metric)
    adjusted: Adjusted = cuped(values, [row.before.get(metric, math.nan) for row in rows], arms)
    raw = [Moments.of(values[arms == place]) for place in range(len(names))]
    less = [Moments.of(adjusted.values[arms == place]) for place in range(len(names))]
    left = 1 - adjusted.correlation**2
    found = [ArmMetric(metric=metric, arm=names[0], n=raw[0].n, mean=raw[0].mean, variance_left=left)]
    for place, name in enumerate(names[1:], start=1):
        relative = ratio(raw[place], raw[0], level=level, tuned_for=tuned_for)
        found.append(
            ArmMetric(
                metric=metric,
                arm=name,
                n=raw[place].n,
                mean=raw[place].mean,
                fixed=difference(less[place], less[0], method="fixed", level=level),
                always_valid=difference(less[place], less[0], level=level, tuned_for=tuned_for),
                lift=Interval(relative.value - 1, relative.low - 1, relative.high - 1),
                variance_left=left,
            )
        )
    return found


def _checks(
    guardrail: Guardrail, values: Values, arms: IntArray, names: Sequence[str], level: float, tuned_for: int
) -> list[GuardrailCheck]:
    bound = 1 - guardrail.tolerance if guardrail.better == "higher" else 1 + guardrail.tolerance
    control = Moments.of(values[arms == 0])
    allowed = Moments(control.n, bound * control.mean, bound**2 * control.variance)
    found = []
    for place, name in enumerate(names[1:], start=1):
        treated = Moments.of(values[arms == place])
        # Not the ratio's bounds: those do not exist where the control has none of what is guarded against.
        beyond = difference(treated, allowed, level=level, tuned_for=tuned_for)
        above, below = beyond.low > 0, beyond.high < 0
        good, bad = (above, below) if guardrail.better == "higher" else (below, above)
        shown = ratio(treated, control, level=level, tuned_for=tuned_for)
        state: GuardrailState = "kept" if good else "broken" if bad else "open"
        found.append(GuardrailCheck(metric=guardrail.metric, arm=name, ratio=shown, state=state))
    return found


def _gain(row: ArmMetric, metric: str) -> float:
    """The difference to the control, in the direction that is good."""
    value = row.always_valid.value if row.always_valid else math.nan
    return value if METRICS[metric].better == "higher" else -value


def _verdict(row: ArmMetric, metric: str, *, alarm: bool, broken: bool, enough: bool) -> Verdict:
    if alarm:
        return "stop_srm"
    if not enough or row.always_valid is None:
        return "keep_going"
    rises, falls = row.always_valid.low > 0, row.always_valid.high < 0
    better, worse = (rises, falls) if METRICS[metric].better == "higher" else (falls, rises)
    if broken or worse:
        return "stop_worse"
    return "ship" if better else "keep_going"


def _whole(verdicts: Mapping[str, Verdict], gain: Callable[[str], float]) -> tuple[Verdict, str | None]:
    """The code of the whole experiment, and the arm that it ships."""
    codes = set(verdicts.values())
    if "ship" in codes:
        return "ship", max((name for name, code in verdicts.items() if code == "ship"), key=gain)
    # Any other code speaks for the whole only if all arms have it.
    return (codes.pop(), None) if len(codes) == 1 else ("keep_going", None)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
