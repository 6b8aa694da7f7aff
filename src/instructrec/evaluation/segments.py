"""How well people and items of different kinds are served: by length of history, and by popularity of what is looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from instructrec.evaluation.intervals import Interval, bootstrap_mean
from instructrec.evaluation.metrics import Values
from instructrec.tables import BoolArray, IntArray

KINDS_OF_ITEMS: Final = ("head", "middle", "tail", "cold")
"""Kinds of items by their training interactions; see `kinds_of_items`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Users whose history has `low` to `high` items, and how well they are served."""

    low: int
    high: int
    num_users: int
    metric: Interval

    @property
    def label(self) -> str:
        """The bounds as text, for an axis."""
        return str(self.low) if self.low == self.high else f"{self.low}–{self.high}"

    def to_json(self) -> dict[str, Any]:
        """Bounds, users and the metric with its interval."""
        return {"low": self.low, "high": self.high, "num_users": self.num_users, "metric": self.metric.to_json()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSegment:
    """The held-out items of one kind (`name`): how many of the catalog are of it, who was asked for one, and how well it was
    found.
    """

    name: str
    num_items: int
    num_users: int
    metric: Interval

    def to_json(self) -> dict[str, Any]:
        """Name, items, users and the metric with its interval."""
        return {"name": self.name, "num_items": self.num_items, "num_users": self.num_users, "metric": self.metric.to_json()}


def kinds_of_items(counts: IntArray) -> Mapping[str, BoolArray]:
    """Which items are of each kind, bool [num_items], by their training interactions, int64 [num_items].

    `head`: the most popular items, as few as hold a third of all interactions; `middle`: those that hold the next third; `tail`:
    the rest; `cold`: items that training never met. Equal counts stand in catalog order.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    third = np.empty(len(counts), dtype=np.int64)
    third[order] = np.minimum(3 * before // max(1, int(counts.sum())), 2)
    kinds = {name: (third == place) & (counts > 0) for place, name in enumerate(KINDS_OF_ITEMS[:3])}
    return kinds | {"cold": counts == 0}


def segment_edges(lengths: IntArray, *, parts: int = 5) -> list[int]:
    """Shortest history of each segment, so that segments hold about equally many users; equal lengths stay together."""
    if not len(lengths):
        return []
    cuts = np.quantile(lengths, np.arange(parts) / parts, method="higher")
    return sorted({int(cut) for cut in cuts})


def by_history_length(values: Values, lengths: IntArray, *, edges: Sequence[int] = (), seed: int = 0) -> tuple[Segment, ...]:
    """Mean of `values` for users of similar history length; `edges` are the shortest lengths of each segment.

    `values`: float64 [num_users] with NaN for users without one; `lengths`: int64 [num_users].
    """
    starts = np.asarray(list(edges) or segment_edges(lengths), dtype=np.int64)
    segments = []
    for place, low in enumerate(starts):
        inside = (lengths >= low) & (lengths < starts[place + 1] if place + 1 < len(starts) else np.True_) & ~np.isnan(values)
        if inside.any():
            interval = bootstrap_mean(values[inside], seed=seed)
            high = int(lengths[inside].max())
            segments.append(Segment(low=int(low), high=high, num_users=int(inside.sum()), metric=interval))
    return tuple(segments)
