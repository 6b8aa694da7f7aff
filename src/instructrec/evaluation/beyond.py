"""What accuracy does not show: coverage, diversity, novelty and popularity of the lists, and accuracy by length of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from instructrec.evaluation.intervals import Interval, bootstrap_mean
from instructrec.evaluation.metrics import Values
from instructrec.lists import jaccard
from instructrec.tables import BoolArray, Dataset, IntArray

BEYOND: Final[Mapping[str, str]] = {
    "coverage": "Share of the catalog that is in at least one of the lists.",
    "diversity": (
        "Mean over all pairs of a list of 1 - Jaccard similarity of their attribute values; "
        "pairs with an item that has none are left out."
    ),
    "novelty": (
        "Mean over a list of -log2 of the item's share of all training interactions, in bits; "
        "an item without any counts as if it had one."
    ),
    "popularity": "Mean over a list of the share of training users who know the item.",
    "gini": (
        "How unevenly the lists spread over the catalog: 0 when every item is shown equally often, near 1 when few take all places."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What lists are measured against, taken from training data only.

    `counts`: int64 [num_items], training interactions of each item; `readers`: int64 [num_items], users who have it;
    `num_users`: users with any interaction; `labels`: bool [num_items, num_values] over all list-valued attributes.
    """

    counts: IntArray
    readers: IntArray
    num_users: int
    labels: BoolArray

    @staticmethod
    def of(train: Dataset) -> Background:
        """Count a training set and lay its attribute values side by side."""
        num_items, log = len(train.catalog), train.interactions
        pairs = np.unique(log.users * num_items + log.items)
        return Background(
            counts=np.bincount(log.items, minlength=num_items).astype(np.int64),
            readers=np.bincount(pairs % max(1, num_items), minlength=num_items).astype(np.int64),
            num_users=len(np.unique(log.users)),
            labels=train.catalog.label_matrix(),
        )


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


def coverage(top: IntArray, num_items: int) -> float:
    """Share of the catalog that is in at least one list; `top` as in `Evaluation`."""
    return len(np.unique(top[top >= 0])) / num_items if num_items else 0.0


def gini(top: IntArray, num_items: int) -> float:
    """Gini coefficient of how often each item of the catalog is shown, in [0, 1]."""
    shown = np.sort(np.bincount(top[top >= 0], minlength=num_items)).astype(np.float64)
    if not shown.sum():
        return 0.0
    place = np.arange(1, num_items + 1)
    return float((2 * place - num_items - 1) @ shown / (num_items * shown.sum()))


def diversity(top: IntArray, labels: BoolArray) -> Values:
    """Mean of 1 - Jaccard over the pairs of each list, float64 [num_queries]; NaN where no pair has values on both sides."""
    first, second = np.triu_indices(top.shape[1], k=1)
    near = jaccard(labels[np.maximum(top, 0)] & (top >= 0)[:, :, None])[:, first, second]
    return _mean_where(1.0 - near, ~np.isnan(near))


def novelty(top: IntArray, counts: IntArray) -> Values:
    """Mean self-information of each list in bits, float64 [num_queries]; NaN for an empty list."""
    share = np.maximum(counts, 1) / max(1, int(counts.sum()))
    return _mean_where(-np.log2(share)[np.maximum(top, 0)], top >= 0)


def popularity(top: IntArray, readers: IntArray, num_users: int) -> Values:
    """Mean share of training users who know the items of each list, float64 [num_queries]; NaN for an empty list."""
    return _mean_where((readers / max(1, num_users))[np.maximum(top, 0)], top >= 0)


def describe(top: IntArray, background: Background, *, seed: int = 0) -> dict[str, Interval]:
    """Every measure of `BEYOND` for one model's lists.

    Coverage and gini describe the set of lists as it is: their bounds equal their value. Diversity is left out where the catalog
    has no list-valued attribute.
    """
    num_items = len(background.counts)
    whole = {"coverage": coverage(top, num_items), "gini": gini(top, num_items)}
    each = {"novelty": novelty(top, background.counts), "popularity": popularity(top, background.readers, background.num_users)}
    if background.labels.shape[1]:
        each["diversity"] = diversity(top, background.labels)
    found = {name: Interval(value, value, value) for name, value in whole.items()}
    found |= {name: bootstrap_mean(values, seed=seed) for name, values in each.items()}
    return {name: found[name] for name in BEYOND if name in found}


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


def _mean_where(values: NDArray[np.float64], usable: NDArray[np.bool_]) -> Values:
    total = np.where(usable, values, 0.0).sum(axis=1)
    number = usable.sum(axis=1)
    out: Values = np.full(len(total), np.nan)
    np.divide(total, number, out=out, where=number > 0)
    return out
