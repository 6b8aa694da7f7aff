"""How far what people choose now is from what the run was learned from."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from instructrec.journal.records import Stored
from instructrec.journal.state import is_meeting
from instructrec.tables import Dataset, FloatArray, IntArray, Labels

MOST_CHOSEN = 20_000
"""Choices that are looked back at."""
GROUPS = 10
"""Groups of items by how often the log has them, each with the same share of its interactions."""
MOST_VALUES = 100
"""Attributes with more values say little of each."""
SHIFTED = 0.1
"""Index from which a shift is called one, if chance does not explain it. Bounds in use for the population stability index are .1
for a shift and .25 for a large one (Siddiqi, Credit Risk Scorecards, 2006)."""
RARE = 0.001
"""How seldom chance alone may call a shift."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One way of looking at the items: by `popularity` in the log, or by the values of an attribute.

    `index`: population stability index, the sum of (now - then) ln(now / then) over the shares of the groups; 0 is no change.
    `by_chance`: what it stays below in 999 of 1,000 samples of so many choices if nothing changed. `most`: the groups whose shares
    changed most, as (name, share in the log, share now).
    """

    by: str
    index: float
    by_chance: float
    most: tuple[tuple[str, float, float], ...]

    @property
    def is_shifted(self) -> bool:
        """Whether people choose otherwise than they did, and not by chance."""
        return self.index > max(SHIFTED, self.by_chance)


class Drift:
    """The last choices of everybody since the service began; safe from any thread."""

    def __init__(self) -> None:
        self._chosen: deque[str] = deque(maxlen=MOST_CHOSEN)
        self._known: tuple[Dataset, dict[str, tuple[tuple[str, ...], IntArray, IntArray, FloatArray]]] | None = None

    def follow(self, rows: Sequence[Stored]) -> None:
        """Take in events that were committed."""
        self._chosen.extend(row.event.item_id for row in rows if row.event.item_id is not None and is_meeting(row.event))

    def found(self, dataset: Dataset) -> dict[str, Any]:
        """How many choices there were, the share of items that the log of the run does not have, and the shifts as JSON values."""
        index = dataset.catalog.index
        codes = np.array([index[item] for item in tuple(self._chosen) if item in index], dtype=np.int64)
        counts = np.bincount(dataset.interactions.items, minlength=len(dataset.catalog))
        shifts = self.shifts(dataset, codes) if len(codes) else []
        return {
            "choices": len(codes),
            "new_items_share": float((counts[codes] == 0).mean()) if len(codes) else None,
            "shifts": [
                {
                    "by": one.by,
                    "index": round(one.index, 4),
                    "by_chance": round(one.by_chance, 4),
                    "shifted": one.is_shifted,
                    "most": [{"name": name, "then": round(then, 4), "now": round(now, 4)} for name, then, now in one.most],
                }
                for one in shifts
            ],
        }

    def shifts(self, dataset: Dataset, codes: IntArray) -> list[Shift]:
        """The shifts of the chosen items (codes), the largest first."""
        if self._known is None or self._known[0] is not dataset:
            self._known = dataset, _groupings(dataset)
        found = []
        for name, (names, offsets, groups, then) in self._known[1].items():
            now = _shares(offsets, groups, codes, len(names))
            if now is not None:
                found.append(_shift(name, names, then, now, len(codes)))
        return sorted(found, key=lambda one: -one.index)


def _groupings(dataset: Dataset) -> dict[str, tuple[tuple[str, ...], IntArray, IntArray, FloatArray]]:
    """Ways of looking at the items: names of groups, the groups of each item as in `Labels`, and their shares in the log."""
    counts = np.bincount(dataset.interactions.items, minlength=len(dataset.catalog))
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    group = np.empty(len(counts), dtype=np.int64)
    group[order] = np.minimum(before * GROUPS // max(int(counts.sum()), 1), GROUPS - 1)
    names = tuple(f"{100 * place // GROUPS}-{100 * (place + 1) // GROUPS} %" for place in range(GROUPS))
    by_popularity = Labels(names=names, codes=group, offsets=np.arange(len(counts) + 1))
    ways = {"popularity": by_popularity} | {
        name: labels for name, labels in dataset.catalog.labels.items() if 2 <= len(labels.names) <= MOST_VALUES
    }
    found = {}
    for name, labels in ways.items():
        then = _shares(labels.offsets, labels.codes, dataset.interactions.items, len(labels.names))
        if then is not None:
            found[name] = (labels.names, labels.offsets, labels.codes, then)
    return found


def _shares(offsets: IntArray, groups: IntArray, items: IntArray, num_groups: int) -> FloatArray | None:
    """Share of each group among chosen items, each item divided among its groups; none where no item has any."""
    lengths = np.diff(offsets)[items]
    items, lengths = items[lengths > 0], lengths[lengths > 0]
    if not len(items):
        return None
    places = np.repeat(offsets[items] - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
    # Half a choice a group: a group that nobody chose has no logarithm.
    counts = np.bincount(groups[places], weights=np.repeat(1 / lengths, lengths), minlength=num_groups) + 0.5
    shares: FloatArray = counts / counts.sum()
    return shares


def _shift(name: str, names: Sequence[str], then: FloatArray, now: FloatArray, choices: int) -> Shift:
    """Where nothing changed the index of n choices is about a chi-square variable with one degree less than groups, over n."""
    change = np.argsort(-np.abs(now - then))[:3]
    return Shift(
        by=name,
        index=float(np.sum((now - then) * np.log(now / then))),
        by_chance=float(chi2.ppf(1 - RARE, len(names) - 1) / choices),
        most=tuple((names[place], float(then[place]), float(now[place])) for place in change),
    )
