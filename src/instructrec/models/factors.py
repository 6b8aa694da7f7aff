"""Matrix factorisation: items are vectors, a person is the vector that their history gives, and a score is the product of both."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from instructrec.core import Query
from instructrec.models.histories import recency_rows, without_pairs
from instructrec.models.known import KnownItems, Met
from instructrec.tables import BoolArray, Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix


class ImplicitFactors(KnownItems):
    """Factors of items from who met what, without ratings; the person's are folded in from the history that is asked with.

    Nothing is kept of training users, so a stranger with the same history gets the same list, and a click counts at once. Items
    that training never met get the lowest score of their row; a history without any item that it met gets log popularity.
    """

    @property
    def decay(self) -> float:
        """Weight of a history item relative to the one after it when a person is folded in, in (0, 1]."""
        return float(self.config.decay)

    def stages(self, met: Met) -> int:
        """One step a round of training."""
        return int(self.config.iterations)

    @abstractmethod
    def folded(self, rows: csr_array) -> FloatArray:
        """People's factors float32 [num_rows, width] of histories as weights in (0, 1], [num_rows, num_known]."""

    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> BoolArray:
        """Hold the factors of items; every item that training met says something."""
        self._factors: FloatArray = arrays["factors"]
        return np.ones(len(self._known), dtype=np.bool_)

    def scored(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> FloatArray:
        """Products of people and items, float32 [num_queries, num_known], one person at a time: equal bits in every batch."""
        people = self.folded(recency_rows(histories, decay=self.decay, num_items=len(self._known)))
        out = np.empty((len(people), len(self._known)), dtype=np.float32)
        for row, person in enumerate(people):
            np.dot(self._factors, person, out=out[row])
        return out

    def item_vectors(self) -> FloatArray | None:
        """The factors, float32 [num_items, width]; zeros for items that training never met."""
        self._ready()
        out = np.zeros((len(self.catalog), self._factors.shape[1]), dtype=np.float32)
        out[self._known] = self._factors
        return out

    def unfit_for(self, dataset: Dataset) -> str:
        """Factors need people who met several items."""
        return without_pairs(self.name, dataset)


def people_by_items(met: Met, *, confidence: float) -> csr_matrix:
    """Who met what, float32 [num_users, num_items], `confidence` in each cell; of the class that `implicit` asks for."""
    from scipy.sparse import csr_matrix

    rows = recency_rows(met.histories(), decay=1.0, num_items=met.num_items)
    values = np.full(len(rows.data), confidence, dtype=np.float32)
    return csr_matrix((values, rows.indices, rows.indptr), shape=(rows.shape[0], met.num_items))


def factor_bytes(dataset: Dataset, width: int) -> int:
    """Bytes of a factorisation: rows of histories while they are made and their transpose (80 an interaction), and factors."""
    interactions = dataset.interactions
    num_items = int(np.count_nonzero(np.bincount(interactions.items))) if len(interactions) else 0
    return 80 * len(interactions) + 4 * width * (2 * num_items + len(interactions.user_ids))
