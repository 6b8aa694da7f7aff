"""What the closed-form models share: scores are a recency-weighted history times a matrix of item-to-item weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.models.histories import recency_rows
from instructrec.models.known import KnownItems, Met, check_decay, check_positive
from instructrec.tables import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["LinearMemory", "Weights", "add_to_diagonal", "check_decay", "check_positive", "solver_dtype"]

Weights: TypeAlias = "FloatArray | csr_array"

MAX_DENSE_ITEMS = 20_000
"""Up to this many items one system holds all of them: 1.6 GB a float32 matrix, minutes of work (cost grows with n**3). Above, only
those met most (`head_and_tail`)."""

_DOUBLE_UP_TO = 8_000
"""Up to this many items the system is solved in float64 (0.5 GB a matrix), above in float32."""


class LinearMemory(KnownItems):
    """Score = recency-weighted history @ weights, over the items that were met in training.

    Items that training never met, new ones too, get the lowest score of their row; a history without any item that the
    weights know gets log popularity. Subclasses say how `weights` come from interactions.
    """

    def __init__(self) -> None:
        super().__init__()
        self._weights: Weights | None = None

    @property
    @abstractmethod
    def decay(self) -> float:
        """Weight of a history item relative to the one after it, in (0, 1]; 1 forgets the order."""

    @abstractmethod
    def learn(self, users: IntArray, items: IntArray, *, num_items: int) -> Weights:
        """Item-to-item weights float32 [num_items, num_items], from item in the history to item scored.

        `users` is sorted, each user's rows oldest first; every one of `num_items` items occurs.
        """

    def weights_of(self, met: Met) -> Weights:
        """The weights that training gives: `learn`, unless ratings play a part."""
        return self.learn(met.users, met.items, num_items=met.num_items)

    def learned(self, met: Met, context: FitContext) -> Mapping[str, NDArray[Any]]:
        """The weights, dense or as the three arrays of CSR; seconds for some thousand items."""
        weights = self.weights_of(met)
        if isinstance(weights, np.ndarray):
            # A product with a sparse matrix copies weights that lie by columns, as solvers leave them, every time.
            return {"weights": np.ascontiguousarray(weights)}
        return {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}

    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> BoolArray:
        """Hold the weights; an item says something where a weight leads from it."""
        from scipy.sparse import csr_array

        if "weights" in arrays:
            self._weights = arrays["weights"]
            return np.asarray(arrays["weights"].any(axis=1))
        size = len(self._known)
        self._weights = csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(size, size))
        leading = np.concatenate([[0], np.cumsum(arrays["data"] != 0)])
        return np.asarray(np.diff(leading[arrays["indptr"]]) > 0)

    def scored(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> FloatArray:
        """Weighted histories times weights, float32 [num_queries, num_known]."""
        rows = recency_rows(histories, decay=self.decay, num_items=len(self._known))
        product = rows @ self._weights
        return np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), dtype=np.float32)


def solver_dtype(num_items: int) -> type[np.floating[Any]]:
    """float64 while it is affordable, float32 above."""
    return np.float64 if num_items <= _DOUBLE_UP_TO else np.float32


def add_to_diagonal(matrix: NDArray[Any], value: float | NDArray[Any]) -> None:
    """Add to the diagonal in place."""
    matrix[np.diag_indices_from(matrix)] += value


def dense_bytes(num_items: int, *, solver_matrices: float, weight_matrices: float = 1.0) -> int:
    """Bytes of square matrices over the items: so many in the type of the solver, and so many float32."""
    return int(num_items**2 * (solver_matrices * np.dtype(solver_dtype(num_items)).itemsize + 4 * weight_matrices))
