"""What a model is checked by while it is trained: NDCG@10 on validation, ranked as lists are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from instructrec.core import FitContext
from instructrec.recommender import Recommender, allowed

CHECK_USERS = 1000
"""Validation queries behind each check, evenly drawn."""


def ndcg_check(model: Recommender, context: FitContext) -> Callable[[], float] | None:
    """A function that gives the mean NDCG@10 of some validation targets among the allowed items; none where nobody asks.

    The model must be able to score whenever it is called.
    """
    if context.validation is None or not len(context.validation[0]):
        return None
    stride = -(-len(context.validation[0]) // CHECK_USERS)
    queries, targets = list(context.validation[0])[::stride], np.array(context.validation[1])[::stride, None]
    masks, places = np.stack([allowed(query, model.catalog) for query in queries]), np.arange(len(model.catalog))

    def check() -> float:
        scores = np.where(masks, model.score(queries), -np.inf)
        own = np.take_along_axis(scores, targets, axis=1)
        # Ties by catalog order, as lists are ranked; a target that may not be shown gains nothing.
        ranks = 1 + ((scores > own) | ((scores == own) & (places < targets))).sum(axis=1)
        return float(np.where((ranks <= 10) & np.isfinite(own[:, 0]), 1 / np.log2(1 + ranks), 0.0).mean())

    return check
