"""Re-ranking protocols: the held-out item among a few others, random or hard, instead of the whole catalog.

InstructRec (Zhang et al. 2023, arXiv 2305.07001) ranks one target among nine random items, and among nine that a retrieval model
puts first. Figures of these protocols say nothing about full ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from instructrec.core import Query
from instructrec.errors import DataError
from instructrec.recommender import allowed
from instructrec.tables import Catalog, FloatArray, IntArray

if TYPE_CHECKING:
    from instructrec.data.split import Holdout


def random_negatives(holdout: Holdout, catalog: Catalog, *, count: int = 9, seed: int = 0, every_target: bool = False) -> Holdout:
    """The same queries, each with its first target (or every one) and `count` other allowed items as the only candidates.

    Items of the history are no negatives where the query hides them, nor are targets that are asked for. Raises DataError where a
    query allows fewer.
    """
    rng = np.random.default_rng(seed)
    asked = holdout if every_target else _firsts(holdout)

    def draw(query: Query, targets: IntArray) -> IntArray:
        pool = np.setdiff1d(np.flatnonzero(allowed(query, catalog)), targets)
        _need(len(pool), count)
        return np.asarray(rng.choice(pool, size=count, replace=False), dtype=np.int64)

    pairs = zip(asked.queries, asked.targets, strict=True)
    return _restricted(asked, catalog, [draw(query, targets) for query, targets in pairs])


def hard_negatives(holdout: Holdout, catalog: Catalog, scores: FloatArray, *, count: int = 9) -> Holdout:
    """As `random_negatives`, with the `count` other allowed items that `scores` float32 [num_queries, num_items] put first.

    The model that made the scores must not be one of those compared: its own mistakes are what it is asked about.
    """
    chosen = []
    for query, target, row in zip(holdout.queries, holdout.targets, scores, strict=True):
        mask = allowed(query, catalog)
        mask[int(target[0])] = False
        _need(int(mask.sum()), count)
        pool = np.flatnonzero(mask)
        chosen.append(pool[np.argsort(-row[pool], kind="stable")[:count]])
    return _restricted(_firsts(holdout), catalog, chosen)


def _need(found: int, count: int) -> None:
    if found < count or count < 1:
        raise DataError(
            f"{count} negatives are wanted beside each target, but a query allows {found} other items. Ask for 1 to {found}."
        )


def _firsts(holdout: Holdout) -> Holdout:
    """The same queries, each asked for its first target only."""
    targets = tuple(target[:1] for target in holdout.targets)
    return replace(holdout, targets=targets, ratings=tuple(given[:1] for given in holdout.ratings))


def _restricted(holdout: Holdout, catalog: Catalog, negatives: Sequence[IntArray]) -> Holdout:
    """Candidates in catalog order, so that a model that scores all alike gains nothing from where the target stands."""
    queries = []
    for query, targets, others in zip(holdout.queries, holdout.targets, negatives, strict=True):
        codes = sorted({*targets.tolist(), *(int(item) for item in others)})
        queries.append(replace(query, candidates=tuple(catalog.item_ids[code] for code in codes)))
    return replace(holdout, queries=tuple(queries))
