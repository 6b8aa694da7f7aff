"""What a model is checked by while it is trained: NDCG@10 on validation, ranked as lists are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext
from instructrec.recommender import Recommender, allowed
from instructrec.tables import BoolArray, FloatArray, IntArray

CHECK_USERS = (1000, 10_000)
"""Validation queries behind each check, evenly drawn: as many as CHECK_CELLS allows, within these bounds. With 1,000 on ML-1M the
best of fifteen checks of `sasrec` was so by chance: the state it kept had .169 on all 6,040, the last one .175."""
CHECK_CELLS = 2**26
"""Queries times items of a check: what may be shown takes a byte each."""
SCORES_AT_ONCE = 2**24
"""64 MB of scores: those of all queries of a check would take 4 GB at a million items."""


def ndcg_check(model: Recommender, context: FitContext) -> Callable[[], float] | None:
    """A function that gives the mean NDCG@10 of some validation targets among the allowed items; none where nobody asks.

    The model must be able to score whenever it is called; `context.watch` is told each value.
    """
    if context.validation is None or not len(context.validation[0]):
        return None
    most = int(np.clip(CHECK_CELLS // max(1, len(model.catalog)), *CHECK_USERS))
    stride = -(-len(context.validation[0]) // most)
    queries, targets = list(context.validation[0])[::stride], np.array(context.validation[1])[::stride]
    masks = np.stack([allowed(query, model.catalog) for query in queries])
    size = max(1, SCORES_AT_ONCE // masks.shape[1])
    parts = [slice(first, first + size) for first in range(0, len(queries), size)]

    def check() -> float:
        found = [gains(model.score(queries[some]), masks[some], targets[some]) for some in parts]
        value = float(np.concatenate(found).mean())
        if context.watch is not None:
            context.watch(value)
        return value

    return check


def gains(scores: FloatArray, masks: BoolArray, targets: IntArray) -> NDArray[np.float64]:
    """NDCG@10 of each query with one target, float64 [num_queries]; `scores`, `masks` (what may be shown) [num_queries, num_items].

    Ties by catalog order, as lists are ranked; a target that may not be shown gains nothing.
    """
    shown, wanted, places = np.where(masks, scores, -np.inf), targets[:, None], np.arange(scores.shape[1])
    own = np.take_along_axis(shown, wanted, axis=1)
    ranks = 1 + ((shown > own) | ((shown == own) & (places < wanted))).sum(axis=1)
    return np.where((ranks <= 10) & np.isfinite(own[:, 0]), 1 / np.log2(1 + ranks), 0.0)
