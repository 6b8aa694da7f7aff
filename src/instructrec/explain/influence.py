"""Which items of a history carry a score: exact leave-one-out, all variants of a batch scored together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from instructrec.core import Query, Recommendation
from instructrec.errors import QueryError
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, FloatArray, IntArray

MAX_HISTORY = 50
"""Most recent history items whose influence is measured."""

MAX_ROWS = 512
"""Queries in one call of `score`: bounds the memory at MAX_ROWS x number of items x 4 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Effects of the history on one list.

    `history`: distinct item codes, oldest first [num_history]; `shown`: item codes of the list [num_shown];
    `effects`: float32 [num_history, num_shown], how much lower the shown item would score without the history item.
    """

    history: IntArray
    shown: IntArray
    effects: FloatArray


def leave_one_out(
    model: Recommender, recommendations: Sequence[Recommendation], *, max_history: int = MAX_HISTORY
) -> list[Influence]:
    """Score every query without each of its last `max_history` distinct items, and compare.

    Scores of two queries are not comparable as they are, so each is taken above the mean of its row: the effect of h on i is
    (s(q, i) - mean s(q, .)) - (s(q without h, i) - mean s(q without h, .)). Without any history left a model knows nothing, so the
    second term is then 0. Raises QueryError for an item that the catalog of the model does not have.
    """
    catalog = model.catalog
    histories = [_distinct(recommendation.query, catalog, max_history) for recommendation in recommendations]
    shown = [_shown(recommendation, catalog) for recommendation in recommendations]
    rows: list[Query] = []
    wanted: list[int] = []
    for place, (recommendation, history) in enumerate(zip(recommendations, histories, strict=True)):
        variants = [recommendation.query, *(_without(recommendation.query, catalog.item_ids[code]) for code in history)]
        if len(history) and len(shown[place]):
            rows.extend(variants)
            wanted.extend([place] * len(variants))
    centred = _centred(model, rows, [shown[place] for place in wanted])
    return [
        Influence(
            history=history, shown=items, effects=_effects([centred[row] for row in _rows(wanted, place)], len(history), len(items))
        )
        for place, (history, items) in enumerate(zip(histories, shown, strict=True))
    ]


def _rows(wanted: Sequence[int], place: int) -> range:
    start = int(np.searchsorted(wanted, place, side="left"))
    return range(start, int(np.searchsorted(wanted, place, side="right")))


def _distinct(query: Query, catalog: Catalog, max_history: int) -> IntArray:
    newest_first = dict.fromkeys(int(code) for code in reversed(catalog.codes(query.history)))
    return np.array(list(newest_first)[:max_history][::-1], dtype=np.int64)


def _shown(recommendation: Recommendation, catalog: Catalog) -> IntArray:
    items = [scored.item for scored in recommendation.items]
    unknown = catalog.unknown(items)
    if unknown:
        raise QueryError(
            f"Item '{unknown[0]}' of the list is not in the model's catalog. Explain a list with the model that made it."
        )
    return catalog.codes(items)


def _without(query: Query, item: str) -> Query:
    return replace(query, history=tuple(other for other in query.history if other != item))


def _centred(model: Recommender, rows: Sequence[Query], columns: Sequence[IntArray]) -> list[FloatArray]:
    """Scores of the shown items above the mean of their row; zeros for rows without a known history."""
    out: list[FloatArray] = []
    for start in range(0, len(rows), MAX_ROWS):
        batch = rows[start : start + MAX_ROWS]
        scores = model.score(batch)
        means = scores.mean(axis=1, dtype=np.float64)
        for row, query in enumerate(batch):
            items = columns[start + row]
            empty = not len(model.catalog.codes(query.history))
            out.append(np.zeros(len(items), dtype=np.float32) if empty else (scores[row, items] - means[row]).astype(np.float32))
    return out


def _effects(rows: Sequence[FloatArray], num_history: int, num_shown: int) -> FloatArray:
    if not rows:
        return np.zeros((num_history, num_shown), dtype=np.float32)
    return np.asarray(rows[0][None] - np.stack(rows[1:]), dtype=np.float32)
