"""What the closed-form models share: scores are a recency-weighted history times a matrix of item-to-item weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.models.histories import recency_rows
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Weights: TypeAlias = "FloatArray | csr_array"

MAX_DENSE_ITEMS = 20_000
"""Dense models solve a system of this many items at most: 1.6 GB a float32 matrix, minutes of work (cost grows with n**3)."""

_DOUBLE_UP_TO = 8_000
"""Up to this many items the system is solved in float64 (0.5 GB a matrix), above in float32."""

_QUERIES_AT_ONCE = 1024


class LinearMemory(Recommender):
    """Score = recency-weighted history @ weights, over the items that were met in training.

    Items that training never met, new ones too, get the lowest score of their row; a history without any item that the
    weights know gets log popularity. Subclasses say how `weights` come from interactions.
    """

    config_type: ClassVar[type[Any]]
    config: Any

    def __init__(self) -> None:
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

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Solve for the weights; seconds for some thousand items. Raises ModelError for a catalog too large for this model."""
        progress = (context or FitContext()).progress
        progress.stage(self.name, total=1)
        known, items, counts = np.unique(dataset.interactions.items, return_inverse=True, return_counts=True)
        weights = self.learn(dataset.interactions.users, items.astype(np.int64), num_items=len(known))
        self.catalog = dataset.catalog
        self._take(known.astype(np.int64), counts.astype(np.int64), weights)
        progress.step(1)
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Scores float32 [num_queries, num_items]; each row is independent of the rest of the batch."""
        weights = self._ready()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            block = queries[start : start + _QUERIES_AT_ONCE]
            out[start : start + len(block)] = self._spread(self._block(block, weights))
        return out

    def is_personal(self, query: Query) -> bool:
        """Whether the history holds an item whose weights were learned."""
        self._ready()
        return bool(self._informs[self._met(query)].any())

    def save(self, folder: Path) -> None:
        """Write weights, counts and config into an existing, empty folder."""
        weights = self._ready()
        parts = (
            {"weights": weights}
            if isinstance(weights, np.ndarray)
            else {"data": weights.data, "indices": weights.indices, "indptr": weights.indptr}
        )
        arrays = {"known": self._known, "counts": self._counts, **parts}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; the catalog may have new items at its end."""
        from scipy.sparse import csr_array

        config, arrays, _ = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        model = cls(config)  # type: ignore[call-arg]  # every subclass takes its own config
        model.catalog = catalog
        size = len(arrays["known"])
        weights: Weights = (
            arrays["weights"]
            if "weights" in arrays
            else csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=(size, size))
        )
        model._take(arrays["known"], arrays["counts"], weights)
        return model

    def _take(self, known: IntArray, counts: IntArray, weights: Weights) -> None:
        """Adopt weights over the item codes `known` (sorted), each met `counts` times."""
        # A product with a sparse matrix copies weights that lie by columns, as solvers leave them, every time.
        by_rows = np.ascontiguousarray(weights) if isinstance(weights, np.ndarray) else weights
        self._known, self._counts, self._weights = known, counts, by_rows
        self._popularity = np.log1p(counts).astype(np.float32)
        self._informs = np.asarray(abs(weights).sum(axis=1)).ravel() > 0
        self._position = np.full(len(self.catalog), -1, dtype=np.int64)
        self._position[known] = np.arange(len(known))

    def _ready(self) -> Weights:
        if self._weights is None:
            raise ModelError(f"Model '{self.name}' has not learned anything yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._weights

    def _met(self, query: Query) -> IntArray:
        """Positions among the known items of the history, oldest first, without items that training never met."""
        positions = self._position[self.catalog.codes(query.history)]
        return positions[positions >= 0]

    def _block(self, queries: Sequence[Query], weights: Weights) -> FloatArray:
        histories = [self._met(query) for query in queries]
        rows = recency_rows(histories, decay=self.decay, num_items=len(self._known))
        product = rows @ weights
        scores = np.asarray(product if isinstance(product, np.ndarray) else product.toarray(), dtype=np.float32)
        cold = [row for row, history in enumerate(histories) if not self._informs[history].any()]
        scores[cold] = self._popularity
        return scores

    def _spread(self, scores: FloatArray) -> FloatArray:
        """Scores of the known items -> scores of the whole catalog."""
        lowest = scores.min(axis=1, keepdims=True) if scores.shape[1] else np.zeros((len(scores), 1))
        out: FloatArray = np.repeat(lowest, len(self.catalog), axis=1).astype(np.float32)
        out[:, self._known] = scores
        return out


def check_decay(decay: float, *, name: str = "decay", one_allowed: bool = True) -> None:
    """Raise ConfigError unless 0 < decay < 1 (or = 1 where the model allows it)."""
    if not (0.0 < decay < 1.0 or (one_allowed and decay == 1.0)):
        span = "above 0 and at most 1" if one_allowed else "above 0 and below 1"
        raise ConfigError(f"{name} is {decay}, but must be {span}. 0.9 is a good start.")


def check_positive(name: str, value: float) -> None:
    """Raise ConfigError unless the value is a finite number above zero."""
    if not (np.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {value}, but must be a number above 0.")


def check_size(model: str, num_items: int) -> None:
    """Raise ModelError when a dense system of this many items is too large."""
    if num_items > MAX_DENSE_ITEMS:
        raise ModelError(
            f"'{model}' solves a dense system of all items that occur in training: there are {num_items}, and at most "
            f"{MAX_DENSE_ITEMS} are possible. Drop rare items when cleaning (k-core), or use 'item_knn', which stays sparse."
        )


def solver_dtype(num_items: int) -> type[np.floating[Any]]:
    """float64 while it is affordable, float32 above."""
    return np.float64 if num_items <= _DOUBLE_UP_TO else np.float32


def add_to_diagonal(matrix: NDArray[Any], value: float | NDArray[Any]) -> None:
    """Add to the diagonal in place."""
    matrix[np.diag_indices_from(matrix)] += value
