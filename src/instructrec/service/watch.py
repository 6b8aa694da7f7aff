"""What the owner sees of the last hour: counts in steps of ten seconds, kept in a ring that never grows."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

STEP_S = 10
"""Seconds that are counted together."""
STEPS = 360
"""Steps that are kept: one hour."""
SHARES = (0.5, 0.95, 0.99)
_LEAST_S, _RATIO = 1e-4, 1.08
"""Classes of latency: the first ends at a tenth of a millisecond, each is 8 % wider than the one before."""


@dataclass(slots=True)
class Step:
    """Counts of ten seconds. `at`: when it began, in steps since 1970; `requests` and `lists`: answers by class of latency."""

    at: int
    requests: Counter[int] = field(default_factory=Counter)
    lists: Counter[int] = field(default_factory=Counter)
    failed: int = 0
    events: Counter[str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)
    from_memory: int = 0
    degraded: int = 0

    def add(self, other: Step) -> None:
        """Count in what another step counted."""
        for name in ("requests", "lists", "events", "served_by"):
            getattr(self, name).update(getattr(other, name))
        self.failed += other.failed
        self.from_memory += other.from_memory
        self.degraded += other.degraded


class Watch:
    """Counts what a service does. Everything is called from the thread of the event loop, so there is no lock."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._steps: deque[Step] = deque(maxlen=STEPS)
        self._shown: dict[str, int] = {}

    def answered(self, status: int, seconds: float) -> None:
        """Count a request and its time."""
        step = self._now()
        step.requests[_class_of(seconds)] += 1
        step.failed += status >= 500

    def judged(self, kind: str, verdict: str, count: int = 1) -> None:
        """Count events that were taken in; what came twice or was refused counts under what became of it."""
        self._now().events[kind if verdict == "stored" else verdict] += count

    def listed(self, served_by: str, items: Iterable[str], *, seconds: float, degraded: bool, from_memory: bool) -> None:
        """Count a list that was sent, the time that it took, and the items in it."""
        step = self._now()
        step.lists[_class_of(seconds)] += 1
        step.served_by[served_by] += 1
        step.from_memory += from_memory
        step.degraded += degraded
        for item in items:
            self._shown[item] = step.at

    def steps(self, minutes: int, *, together: int = 1) -> list[Step]:
        """The last minutes, oldest first, without gaps; `together` steps are counted as one. The last may not be over."""
        now = self._now().at
        first = (now - minutes * 60 // STEP_S) // together + 1
        found = {place: Step(place * together) for place in range(first, now // together + 1)}
        for step in self._steps:
            if step.at // together in found:
                found[step.at // together].add(step)
        return list(found.values())

    def shown(self, minutes: int) -> int:
        """Different items in the lists of the last minutes."""
        first = self._now().at - minutes * 60 // STEP_S
        return sum(at > first for at in self._shown.values())

    def _now(self) -> Step:
        at = int(self._clock() // STEP_S)
        if not self._steps or at > self._steps[-1].at:
            self._steps.append(Step(at))
        return self._steps[-1]


def total(steps: Sequence[Step]) -> Step:
    """All steps as one."""
    found = Step(steps[0].at if steps else 0)
    for step in steps:
        found.add(step)
    return found


def latency_ms(counts: Counter[int]) -> dict[str, float | None]:
    """p50, p95 and p99 in milliseconds of answers by class, at most 8 % too high; none where nothing was asked."""
    return {f"p{share * 100:.0f}_ms": _quantile(counts, share) for share in SHARES}


def _quantile(counts: Counter[int], share: float) -> float | None:
    wanted, seen = share * counts.total(), 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= wanted:
            return round(1000 * _LEAST_S * _RATIO**place, 3)
    return None


def _class_of(seconds: float) -> int:
    return max(0, math.ceil(math.log(max(seconds, _LEAST_S) / _LEAST_S) / math.log(_RATIO)))


def as_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """One object a step: when it began (seconds since 1970), and what was counted."""
    return [
        {
            "time": step.at * STEP_S,
            "requests": step.requests.total(),
            "failed": step.failed,
            "lists": step.lists.total(),
            "served_by": dict(step.served_by),
            "from_memory": step.from_memory,
            "degraded": step.degraded,
            "events": dict(step.events),
            **latency_ms(step.lists),
        }
        for step in steps
    ]
