"""What an experiment is: arms, how units are split over them, what is measured, and the states that it goes through."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from instructrec.errors import ConfigError, nearest
from instructrec.experiments.metrics import CREDITED, METRICS

Status: TypeAlias = Literal["draft", "running", "stopped", "promoted"]
Kind: TypeAlias = Literal["split", "interleaving"]
Better: TypeAlias = Literal["higher", "lower"]
T = TypeVar("T")

_FIELDS: Final = ("id", "kind", "seed", "arms", "coverage", "started", "ended", "status", "metrics", "guardrails", "winner")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One version that is compared.

    `weight`: its part of the units, relative to the weights of the other arms; `settings`: what is served differently, such as
    `{"run": "v2"}`, any JSON object; this package does not read it.
    """

    name: str
    weight: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name(self.name, "The name of an arm")
        if not _is_number(self.weight) or not self.weight > 0:
            raise ConfigError(
                f"Arm '{self.name}' has the weight {self.weight!r}, but a number above 0 was expected, such as 1 for equal parts."
            )
        try:
            json.dumps(dict(self.settings), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"The settings of arm '{self.name}' are no JSON object ({error}). Use text, numbers, lists and objects."
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Name, weight and settings."""
        return {"name": self.name, "weight": self.weight, "settings": dict(self.settings)}

    @staticmethod
    def from_json(obj: object, where: str = "arm") -> Arm:
        """Check and read what `to_json` writes; only the name is needed. Raises ConfigError that names the field."""
        found = _object(obj, ("name", "weight", "settings"), where)
        settings = found.get("settings", {})
        return Arm(
            name=_text(found, "name", where),
            weight=_number(found, "weight", where, 1.0),
            settings=_object(settings, None, f"{where}.settings"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardrail:
    """A metric that an arm must not make worse, whatever else it improves.

    `better`: which direction is good; `tolerance`: the relative change for the worse that is still accepted (.1: 10 %).
    """

    metric: str
    better: Better = "higher"
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        _check_name(self.metric, "The metric of a guardrail")
        _check_choice(self.better, get_args(Better), f"The good direction of guardrail '{self.metric}'")
        if not _is_number(self.tolerance) or not 0 <= self.tolerance < 1:
            raise ConfigError(
                f"Guardrail '{self.metric}' has the tolerance {self.tolerance!r}, but a part from 0 to below 1 was expected."
            )

    def to_json(self) -> dict[str, Any]:
        """Metric, better and tolerance."""
        return {"metric": self.metric, "better": self.better, "tolerance": self.tolerance}

    @staticmethod
    def from_json(obj: object, where: str = "guardrail") -> Guardrail:
        """Check and read what `to_json` writes; only the metric is needed. Raises ConfigError that names the field."""
        found = _object(obj, ("metric", "better", "tolerance"), where)
        better: Any = found.get("better", "higher")
        return Guardrail(metric=_text(found, "metric", where), better=better, tolerance=_number(found, "tolerance", where, 0.0))


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Two or more arms that units (users, sessions) are split over.

    `arms`: the first is the control that the others are compared with; `seed`: what the split is drawn with (empty: the id);
    `coverage`: part of all units that takes part; `started`: seconds since 1970, none for a draft; `ended`: when the arms were no
    longer told apart, none before (or where nobody noted it); `metrics`: names of
    `METRICS`, the first decides; `winner`: the arm that a promoted experiment serves to everybody. `kind`: "split" gives each unit
    one arm; "interleaving" gives every unit lists that its two arms make in turn, and its metrics are among `CREDITED`.
    """

    id: str
    arms: tuple[Arm, ...]
    kind: Kind = "split"
    seed: str = ""
    coverage: float = 1.0
    started: float | None = None
    ended: float | None = None
    status: Status = "draft"
    metrics: tuple[str, ...] = ("ctr",)
    guardrails: tuple[Guardrail, ...] = ()
    winner: str = ""

    def __post_init__(self) -> None:
        _check_name(self.id, "The id of an experiment")
        if not isinstance(self.seed, str):
            raise ConfigError(f"The seed of experiment '{self.id}' is {self.seed!r}, but a text was expected.")
        if not _is_number(self.coverage) or not 0 <= self.coverage <= 1:
            raise ConfigError(f"Experiment '{self.id}' covers {self.coverage!r} of the units, but a part from 0 to 1 was expected.")
        self._check_arms()
        self._check_metrics()
        self._check_kind()
        self._check_status()

    @property
    def control(self) -> Arm:
        """The arm that the others are compared with."""
        return self.arms[0]

    @cached_property
    def shares(self) -> dict[str, float]:
        """Arm name -> its part of the units that take part; the parts sum to 1."""
        total = math.fsum(arm.weight for arm in self.arms)
        return {arm.name: arm.weight / total for arm in self.arms}

    @cached_property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Arm name -> its stretch of the line from 0 to 1 that units fall on: from the first number to below the second.

        Each arm begins where the weights before it end and takes `coverage` of its part, so a coverage that grows moves nobody.
        """
        found: dict[str, tuple[float, float]] = {}
        begin = 0.0
        for name, share in self.shares.items():
            found[name] = (begin, begin + self.coverage * share)
            begin += share
        return found

    def arm(self, name: str) -> Arm:
        """The arm of this name. Raises ConfigError if there is none."""
        for found in self.arms:
            if found.name == name:
                return found
        known = [found.name for found in self.arms]
        raise ConfigError(f"Experiment '{self.id}' has no arm '{name}'.{nearest(name, known)} It has: {', '.join(known)}.")

    def start(self, time: float) -> Experiment:
        """The experiment as it runs from `time` (seconds since 1970) on. Raises ConfigError unless it is a draft."""
        self._expect(("draft",), "started")
        return replace(self, status="running", started=time)

    def stop(self, time: float | None = None) -> Experiment:
        """The experiment after its end: no unit takes part any more, and an arm that was promoted serves nobody. Raises ConfigError
        unless it runs or has a winner that serves.
        """
        self._expect(("running", "promoted"), "stopped")
        return replace(self, status="stopped", winner="", ended=self._end(time))

    def promote(self, arm: str, time: float | None = None) -> Experiment:
        """The experiment after its end, with one arm for everybody. Raises ConfigError for a draft or an arm that is not there."""
        self._expect(("running", "stopped"), "promoted")
        return replace(self, status="promoted", winner=self.arm(arm).name, ended=self._end(time))

    @property
    def serving(self) -> tuple[Arm, ...]:
        """The arms that make lists now: all while it runs, the winner of a promoted one, none of any other."""
        if self.status == "promoted":
            return (self.arm(self.winner),)
        return self.arms if self.status == "running" else ()

    def _end(self, time: float | None) -> float | None:
        """When its arms were no longer told apart, if that is now or was before."""
        return time if self.status == "running" else self.ended

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        plain = {name: getattr(self, name) for name in _FIELDS}
        return plain | {
            "arms": [arm.to_json() for arm in self.arms],
            "metrics": list(self.metrics),
            "guardrails": [guardrail.to_json() for guardrail in self.guardrails],
        }

    @staticmethod
    def from_json(obj: object) -> Experiment:
        """Check and read what `to_json` writes; only id and arms are needed. Raises ConfigError that names the field."""
        found = _object(obj, _FIELDS, "experiment")
        times = {
            name: None if found.get(name) is None else _number(found, name, "experiment", 0.0) for name in ("started", "ended")
        }
        status: Any = found.get("status", "draft")
        kind: Any = found.get("kind", "split")
        return Experiment(
            id=_text(found, "id", "experiment"),
            kind=kind,
            seed=_text(found, "seed", "experiment", default=""),
            arms=_each(found.get("arms"), "experiment.arms", Arm.from_json),
            coverage=_number(found, "coverage", "experiment", 1.0),
            **times,
            status=status,
            metrics=_each(found.get("metrics", ["ctr"]), "experiment.metrics", _metric_name),
            guardrails=_each(found.get("guardrails", []), "experiment.guardrails", Guardrail.from_json),
            winner=_text(found, "winner", "experiment", default=""),
        )

    def _check_arms(self) -> None:
        names = [arm.name for arm in self.arms]
        if len(names) < 2:
            raise ConfigError(f"Experiment '{self.id}' has {len(names)} arm(s), but there is nothing to compare below 2. Add one.")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ConfigError(f"Experiment '{self.id}' has several arms named {', '.join(repeated)}. Give each a name of its own.")

    def _check_metrics(self) -> None:
        if not self.metrics:
            raise ConfigError(f"Experiment '{self.id}' measures nothing. Name at least one of: {', '.join(METRICS)}.")
        for name in self.metrics:
            if name not in METRICS:
                raise ConfigError(
                    f"Experiment '{self.id}' measures '{name}', which is none of {', '.join(METRICS)}.{nearest(name, METRICS)}"
                )

    def _check_kind(self) -> None:
        _check_choice(self.kind, get_args(Kind), f"The kind of experiment '{self.id}'")
        if self.kind == "split":
            return
        if len(self.arms) != 2 or len(set(self.shares.values())) > 1:
            raise ConfigError(
                f"Experiment '{self.id}' interleaves {len(self.arms)} arm(s), but two of equal weight make a list in turn. Give "
                "two, or compare more as a split."
            )
        if self.guardrails:
            raise ConfigError(
                f"Experiment '{self.id}' interleaves its arms and has guardrails, but everybody gets both. Compare them as a split."
            )
        for name in self.metrics:
            if name not in CREDITED:
                raise ConfigError(
                    f"Experiment '{self.id}' interleaves its arms and measures '{name}', which items of a list do not earn. Use "
                    f"one of: {', '.join(CREDITED)}."
                )

    def _check_status(self) -> None:
        _check_choice(self.status, get_args(Status), f"The status of experiment '{self.id}'")
        if (self.started is None) != (self.status == "draft"):
            time = "no starting time" if self.started is None else "a starting time"
            raise ConfigError(f"Experiment '{self.id}' is {self.status} and has {time}. A draft has none, all others have one.")
        if (self.status == "promoted") != bool(self.winner):
            winner = f"the winner '{self.winner}'" if self.winner else "no winner"
            raise ConfigError(
                f"Experiment '{self.id}' is {self.status} and has {winner}. A promoted one has a winner, others none."
            )
        if self.winner:
            self.arm(self.winner)

    def _expect(self, wanted: tuple[Status, ...], verb: str) -> None:
        if self.status not in wanted:
            raise ConfigError(f"Experiment '{self.id}' is {self.status}; only one that is {' or '.join(wanted)} can be {verb}.")


def _metric_name(obj: object, where: str) -> str:
    if not isinstance(obj, str):
        raise ConfigError(f"{where} is {obj!r}, but the name of a metric was expected: {', '.join(METRICS)}.")
    return obj


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{what} is {name!r}, but a text that is not empty was expected.")


def _check_choice(value: object, choices: Sequence[str], what: str) -> None:
    if value not in choices:
        raise ConfigError(f"{what} is {value!r}, but must be one of {', '.join(choices)}.{nearest(str(value), choices)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _object(obj: object, known: Sequence[str] | None, where: str) -> Mapping[str, Any]:
    if not isinstance(obj, Mapping):
        raise ConfigError(f"{where} is {obj!r}, but an object was expected.")
    for name in obj:
        if known is not None and name not in known:
            raise ConfigError(
                f"{where} has a field {name!r} that is not known.{nearest(str(name), known)} Known: {', '.join(known)}."
            )
    return obj


def _each(obj: object, where: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
    if not isinstance(obj, list | tuple):
        raise ConfigError(f"{where} is {obj!r}, but a list was expected.")
    return tuple(read(entry, f"{where}[{place}]") for place, entry in enumerate(obj))


def _text(obj: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value = obj.get(name, default)
    if not isinstance(value, str):
        raise ConfigError(f"{where}.{name} is {value!r}, but a text was expected.")
    return value


def _number(obj: Mapping[str, Any], name: str, where: str, default: float) -> float:
    value = obj.get(name, default)
    if not _is_number(value):
        raise ConfigError(f"{where}.{name} is {value!r:.80}, but a finite number was expected.")
    return float(value)
