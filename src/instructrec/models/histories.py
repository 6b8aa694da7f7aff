"""Histories as matrices: recency-weighted rows, recency-weighted pairs and counts of people who share two items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instructrec.tables import Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

QUERY_FLOOR = 1e-3
"""A history item with less weight than this does not change a list; leaving it out keeps scoring fast."""

FIT_FLOOR = 1e-6
"""Pairs lighter than this are left out of a fit."""

_DENSE_BLOCK_BYTES = 64 * 2**20
_SPARSE_PENALTY = 24.0
"""How many dense multiply-adds one scattered sparse one costs (measured: about 20-30 on one core)."""


def reach(decay: float, floor: float) -> int | None:
    """How many items back the weight decay**age stays at or above `floor`; none when it never falls."""
    return None if decay >= 1.0 else int(np.floor(np.log(floor) / np.log(decay))) + 1


def recency_rows(histories: Sequence[IntArray], *, decay: float, num_items: int, floor: float = QUERY_FLOOR) -> csr_array:
    """Histories (oldest first) as float32 CSR [num_histories, num_items].

    The last item weighs 1, the one before `decay`, then `decay**2` ...; a repeated item keeps its latest weight.
    """
    from scipy.sparse import csr_array

    furthest = reach(decay, floor)
    recent = [np.asarray(history if furthest is None else history[-furthest:], dtype=np.int64) for history in histories]
    lengths = np.array([len(history) for history in recent], dtype=np.int64)
    items = np.concatenate([*recent, np.zeros(0, dtype=np.int64)])
    rows = np.repeat(np.arange(len(recent)), lengths)
    ages = np.repeat(np.cumsum(lengths), lengths) - 1 - np.arange(len(items))
    # Newest first, so that the first sight of a (row, item) pair is its latest one.
    _, first = np.unique((rows * num_items + items)[::-1], return_index=True)
    kept = len(items) - 1 - first
    values = np.power(float(decay), ages[kept]).astype(np.float32)
    return csr_array((values, (rows[kept], items[kept])), shape=(len(recent), num_items))


def recency_pairs(
    users: IntArray, items: IntArray, *, decay: float, floor: float = FIT_FLOOR
) -> Iterator[tuple[IntArray, IntArray, float]]:
    """Pairs (row of an earlier interaction, row of a later one, weight) of the same user, one lag at a time.

    `users` is sorted and each user's rows are oldest first. The weight is decay**(lag - 1). An earlier row is left out once its
    item has come again, so summing the pairs of one later row gives the recency-weighted history before it.
    """
    last = alive_until(users, items)
    alive = np.arange(len(items), dtype=np.int64)
    furthest = reach(decay, floor) or len(items)
    for lag in range(1, furthest + 1):
        alive = alive[last[alive] >= alive + lag]
        if not len(alive):
            return
        yield alive, alive + lag, decay ** (lag - 1)


def pair_sums(
    users: IntArray,
    items: IntArray,
    *,
    num_items: int,
    decay: float,
    dtype: type[np.floating[Any]] = np.float64,
    places: IntArray | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two sums over the pairs of every history, both dense [num_items, num_items].

    `places`: row and column of each item code, -1 for items that take part in the distances but in no sum (none: the code itself).

    `near`: symmetric; item i with itself counts people, i with j sums decay**(steps between); a repeat counts for what it adds.
    Positive semidefinite: it is the Gram matrix of all histories under the kernel decay**|steps|.
    `following`: weight of i in the history when j came next, summed over all occurrences of j.
    """
    lift = _lift(users, items, decay=decay)
    cell = items if places is None else places[items]
    inside = cell >= 0
    following = np.zeros((num_items, num_items), dtype=dtype)
    lifted = following if bool((lift == 1).all()) else np.zeros_like(following)
    for earlier, later, weight in recency_pairs(users, items, decay=decay):
        if places is not None:
            both = inside[earlier] & inside[later]
            earlier, later = earlier[both], later[both]
        cells = cell[earlier] * num_items + cell[later]
        np.add.at(following.reshape(-1), cells, dtype(weight))
        if lifted is not following:
            np.add.at(lifted.reshape(-1), cells, (weight * lift[later]).astype(dtype))
    near: NDArray[Any] = decay * (lifted + lifted.T)
    near[np.diag_indices_from(near)] += np.bincount(cell[inside], weights=lift[inside] ** 2, minlength=num_items)
    return near, following


def _lift(users: IntArray, items: IntArray, *, decay: float) -> NDArray[np.float64]:
    """What each row adds to the weight of its item so that it becomes 1: less than 1 for a repeat, float64 [num_rows]."""
    previous = previous_occurrence(users, items)
    lags = np.where(previous >= 0, np.arange(len(items)) - previous, 0)
    return np.where(previous >= 0, 1.0 - np.power(float(decay), lags), 1.0)


def previous_occurrence(users: IntArray, items: IntArray) -> IntArray:
    """For every row the row where the same user last met the same item before, -1 where never."""
    order = np.lexsort((np.arange(len(items)), items, users))
    same = (users[order][1:] == users[order][:-1]) & (items[order][1:] == items[order][:-1])
    previous = np.full(len(items), -1, dtype=np.int64)
    previous[order[1:][same]] = order[:-1][same]
    return previous


def alive_until(users: IntArray, items: IntArray) -> IntArray:
    """Last row for which each row is part of the history: the user's end, or the row where the item comes again."""
    last = (np.searchsorted(users, users, side="right") - 1).astype(np.int64)
    previous = previous_occurrence(users, items)
    again = np.flatnonzero(previous >= 0)
    last[previous[again]] = again
    return last


def gram(rows: csr_array, *, dtype: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
    """rows.T @ rows as a dense array [num_items, num_items]; sparse or dense products, whichever costs less."""
    num_rows, num_items = rows.shape
    scattered = float(np.square(np.diff(rows.indptr).astype(np.float64)).sum())
    if scattered * _SPARSE_PENALTY < float(num_rows) * num_items**2:
        return np.asarray((rows.T @ rows).toarray(), dtype=dtype)
    total = np.zeros((num_items, num_items), dtype=dtype)
    step = max(1, _DENSE_BLOCK_BYTES // (4 * num_items))
    for start in range(0, num_rows, step):
        block: FloatArray = rows[start : start + step].toarray().astype(np.float32)
        total += block.T @ block
    return total


def without_pairs(model: str, dataset: Dataset) -> str:
    """Why nothing can be learned of what goes together: nobody met two different items. Empty where somebody did."""
    data = dataset.interactions
    if len(np.unique(data.users * max(len(dataset.catalog), 1) + data.items)) > len(np.unique(data.users)):
        return ""
    return (
        f"'{model}' learns from people who met several items, and nobody here met two. "
        "Give data with more of each person, or use 'popular'."
    )
