"""What a model costs beside what it gives: time and memory of its fit, and how long a list takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

COSTS: Final[Mapping[str, str]] = {
    "fit_seconds": (
        "Wall time of the fit on this machine, parts of a fusion included, mean over runs; at least so long where a fit was "
        "interrupted."
    ),
    "fit_cpu_seconds": "Processor time of the same fit, all threads together.",
    "fit_bytes": (
        "How far the memory of the process rose above what it held when the fit began (peak resident set; Linux only), the most "
        "of all runs; memory that was free inside the process is not counted."
    ),
    "latency_ms": "Median wall time of one list for one person, asked alone, model in memory; median over runs.",
    "latency_p95_ms": "What 95 % of those lists stay below.",
}
"""What each cost means, printed in every report that has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The costs of one model, as `COSTS` defines them; `fit_bytes` is none where this platform does not tell.

    `interrupted`: whether the fit went on from an earlier call, so that its times are only lower bounds.
    """

    fit_seconds: float
    fit_cpu_seconds: float
    fit_bytes: int | None
    latency_ms: float
    latency_p95_ms: float
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        """The same numbers by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A model without numbers: `kind` says whether the data do not suit it, it would not fit into memory, or its fit failed."""

    name: str
    kind: Literal["unfit", "memory", "failed"]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Name, kind and reason."""
        return asdict(self)
