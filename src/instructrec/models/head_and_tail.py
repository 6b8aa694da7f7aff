"""Closed forms for catalogs whose full system would not fit: exact among the items met most, a few neighbours each for the rest.

Three kinds of weights, from item in the history to item scored, all of the same regression and so on the same scale:

- head to head: the exact closed form of the `HEAD_ITEMS` items that are met most.
- head to tail: ridge regression of a tail item on the `TAIL_PREDICTORS` head items that explain most of it one by one (feature
  selection before the regression, as fsSLIM: Ning and Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", 2011).
- tail to any: regression on this one item, sum / (square + penalty). Few met it, so the penalty outweighs what it shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instructrec.models.memory import dense_bytes
from instructrec.models.neighbours import nearest, pair_bytes, without_diagonal
from instructrec.tables import FloatArray, IntArray, Interactions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

HEAD_ITEMS = 8_000
"""Items that are solved exactly where there are too many for all of them; 0.5 GB a matrix.

What parts cost, with both limits set low, NDCG@10 on test: `ridge` on MovieLens-1M .1534, with a head of 1,500 items .1514; on
ML-100K (1,678 items) `ridge` .1189, with 700 .1162, with 300 .1079; `recency_ease` .1124, .1099, .1035; `ease` .0711, .0730, .0616.
"""

TAIL_PREDICTORS = 100
"""Head items that a tail item is predicted from, at most."""

TAIL_NEIGHBOURS = 400
"""Items that a tail item predicts, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The items met most: their codes, and the place of each item code among them (-1: in the tail)."""

    items: IntArray
    places: IntArray

    def __len__(self) -> int:
        return len(self.items)


def head_of(items: IntArray, num_items: int) -> Head:
    """The `HEAD_ITEMS` most frequent of the item codes, in the order of their codes; of equal ones the first."""
    counts = np.bincount(items, minlength=num_items)
    chosen = np.sort(np.argsort(-counts, kind="stable")[:HEAD_ITEMS])
    places = np.full(num_items, -1, dtype=np.int64)
    places[chosen] = np.arange(len(chosen))
    return Head(items=chosen, places=places)


def weights_in_parts(
    blocks: Iterator[tuple[slice, csr_array, csr_array]],
    *,
    head: Head,
    system: NDArray[Any],
    exact: FloatArray,
    squares: NDArray[np.float64],
) -> csr_array:
    """All weights as float32 CSR [num_items, num_items].

    `blocks`: rows of items, sums with each item scored where these are in the history, and with each item in the history where
    these are scored; `system`: the matrix of the regression of head items with the penalty on its diagonal; `exact`: its weights;
    `squares`: for each item the sum of its squared weights in histories, plus the penalty.
    """
    from scipy.sparse import csr_array, vstack

    below, beside = [], []
    for rows, predicting, predicted in blocks:
        tail = head.places[rows] < 0
        below.append(_alone(without_diagonal(predicting, rows.start), tail, squares[rows]))
        beside.append(_from_head(predicted, tail, head, system))
    square = csr_array(exact)
    lengths = np.zeros(len(head.places), dtype=np.int64)
    # Head items are sorted by code, so rows and columns keep their order.
    lengths[head.items] = np.diff(square.indptr)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    shape = (len(head.places), len(head.places))
    total = csr_array((square.data, head.items[square.indices].astype(np.int32), starts), shape=shape)
    del square
    total = csr_array(total + csr_array(vstack(beside, format="csr").T))
    return csr_array(total + vstack(below, format="csr")).astype(np.float32)


def parts_bytes(interactions: Interactions, *, solver_matrices: int) -> int:
    """Peak bytes of `weights_in_parts`: matrices over the head, its exact weights as CSR three times while parts are added, and
    neighbours of the tail.
    """
    size = min(HEAD_ITEMS, len(np.unique(interactions.items)))
    matrices = dense_bytes(size, solver_matrices=solver_matrices, weight_matrices=1 + 3 * 2)
    return matrices + pair_bytes(interactions, neighbours=TAIL_NEIGHBOURS)


def _alone(block: csr_array, tail: NDArray[np.bool_], squares: NDArray[np.float64]) -> csr_array:
    """What each tail item of the rows predicts by itself; rows of head items are empty."""
    from scipy.sparse import csr_array

    lengths = np.diff(block.indptr)
    own = np.repeat(tail, lengths)
    data = (block.data / np.repeat(squares, lengths))[own].astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(own)])[block.indptr]
    return nearest(csr_array((data, block.indices[own], starts), shape=block.shape), TAIL_NEIGHBOURS)


def _from_head(block: csr_array, tail: NDArray[np.bool_], head: Head, system: NDArray[Any]) -> csr_array:
    """Weights of head items in the history for each tail item of the rows, [num_rows, num_items] with sources as columns."""
    from scipy.sparse import csr_array

    values, columns, lengths = [], [], np.zeros(block.shape[0], dtype=np.int64)
    for row in np.flatnonzero(tail):
        cells = slice(block.indptr[row], block.indptr[row + 1])
        places, weights = _regression(head.places[block.indices[cells]], block.data[cells], system)
        values.append(weights)
        columns.append(head.items[places])
        lengths[row] = len(places)
    data = np.concatenate([*values, np.zeros(0)]).astype(np.float32)
    indices = np.concatenate([*columns, np.zeros(0, dtype=np.int64)]).astype(np.int32)
    return csr_array((data, indices, np.concatenate([[0], np.cumsum(lengths)])), shape=block.shape)


def _regression(places: IntArray, sums: FloatArray, system: NDArray[Any]) -> tuple[IntArray, NDArray[Any]]:
    """The head items that one tail item is predicted from, of those it was met with, and their weights."""
    inside = places >= 0
    places, sums = places[inside], sums[inside]
    if len(places) > TAIL_PREDICTORS:
        gains = sums.astype(np.float64) ** 2 / system[places, places]
        chosen = np.sort(np.argpartition(-gains, TAIL_PREDICTORS)[:TAIL_PREDICTORS])
        places, sums = places[chosen], sums[chosen]
    return places, np.linalg.solve(system[np.ix_(places, places)], sums.astype(system.dtype))
