"""Which arm a unit gets: a pure function of the experiment and the unit, and a stored answer where there is one.

The hash is version 2 of GrowthBook's (its SDK specification, docs.growthbook.io/lib/build-your-own): FNV-1a with 32 bits, of
seed + unit, and again of that number written in decimal, modulo 10,000. The second round is what makes experiments that run at
the same time independent. The same unit therefore gets the same arm in every process, on every host, in any language (text is
hashed as UTF-8; beyond ASCII the kits of GrowthBook do not agree among themselves).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from instructrec.errors import DataError
from instructrec.experiments.design import Experiment

HASH_VERSION: Final = 2
BUCKETS: Final = 10_000
_OFFSET_BASIS: Final = 0x811C9DC5
_PRIME: Final = 0x01000193
_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arm of a unit, or none if it takes no part.

    `propensity`: the part of the participating units that the split gave to this arm when the unit was assigned, 0 without an arm.
    """

    arm: str | None
    propensity: float
    hash_version: int = HASH_VERSION

    def to_json(self) -> dict[str, Any]:
        """Arm, propensity and hash version: what is stored to make an assignment sticky."""
        return {"arm": self.arm, "propensity": self.propensity, "hash_version": self.hash_version}

    @staticmethod
    def from_json(obj: object) -> Assignment:
        """Read what `to_json` wrote. Raises DataError if it is something else."""
        match obj:
            case {"arm": str() | None as arm, "propensity": int() | float() as propensity, "hash_version": int() as version}:
                return Assignment(arm=arm, propensity=float(propensity), hash_version=version)
        raise DataError(f"A stored assignment is {obj!r}, but an object with arm, propensity and hash_version was expected.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """A unit met its arm: the first one of a unit starts what is measured of it. `time`: seconds since 1970."""

    experiment: str
    unit: str
    arm: str
    propensity: float
    hash_version: int
    time: float

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        return {name: getattr(self, name) for name in ("experiment", "unit", "arm", "propensity", "hash_version", "time")}


def hash_of(seed: str, unit: str) -> float:
    """Where a unit falls on the line from 0 to below 1, in steps of 1 / 10,000."""
    return _fnv1a(str(_fnv1a(seed + unit))) % BUCKETS / BUCKETS


def assign(experiment: Experiment, unit: str, stored: Assignment | None = None) -> Assignment:
    """The arm of a unit while the experiment runs.

    `stored` is what this unit was assigned before: it wins over a split that has changed since, with the propensity that it was
    drawn with, as long as its arm exists. An experiment that does not run has no units; a promoted one has its winner for all.
    Raises DataError for a unit without a name.
    """
    if not unit:
        raise DataError("A unit without a name cannot be assigned to an arm. Give the user's or the session's id.")
    if experiment.status == "promoted":
        return Assignment(experiment.winner, 1.0)
    if experiment.status != "running":
        return Assignment(None, 0.0)
    shares = experiment.shares
    if stored is not None and stored.arm in shares:
        return stored
    place = hash_of(experiment.seed or experiment.id, unit)
    for name, (begin, end) in experiment.ranges.items():
        if begin <= place < end:
            return Assignment(name, shares[name])
    return Assignment(None, 0.0)


def exposure_of(experiment: Experiment, unit: str, assignment: Assignment, *, time: float) -> Exposure | None:
    """The record to log when a unit is served at `time` (seconds since 1970), or none if it takes no part or nothing runs."""
    if assignment.arm is None or experiment.status != "running":
        return None
    return Exposure(
        experiment=experiment.id,
        unit=unit,
        arm=assignment.arm,
        propensity=assignment.propensity,
        hash_version=assignment.hash_version,
        time=time,
    )


def _fnv1a(text: str) -> int:
    """FNV-1a, 32 bits, of the UTF-8 bytes of a text (Fowler, Noll, Vo)."""
    state = _OFFSET_BASIS
    for byte in text.encode("utf-8", "surrogatepass"):
        state = (state ^ byte) * _PRIME & _MASK
    return state
