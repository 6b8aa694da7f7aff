"""Every interaction as a question: its item, asked from what the user met before; and the models that are trained on these."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from instructrec.core import FitContext, Query
from instructrec.models.validation import ndcg_check
from instructrec.recommender import Recommender
from instructrec.tables import BoolArray, Dataset, IntArray, Interactions


class NextRows:
    """Batches of row numbers for `tuning.epochs`, drawn anew each epoch; `first`: whether a user's first item is asked for, too."""

    def __init__(self, data: Interactions, *, batch_targets: int, seed: int, first: bool) -> None:
        self.data, self.batch_targets, self.seed = data, batch_targets, seed
        self.rows = np.arange(len(data)) if first else np.flatnonzero(np.arange(len(data)) > data.offsets[data.users])

    def size(self, batch: IntArray) -> int:
        """Targets of a batch of row numbers."""
        return len(batch)

    def batches(self, epoch: int) -> list[IntArray]:
        """All rows in random order."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        return np.split(order, range(self.batch_targets, len(order), self.batch_targets))

    def histories(self, batch: IntArray) -> list[IntArray]:
        """What each user had met before the row, oldest first."""
        return [self.data.items[self.data.offsets[self.data.users[row]] : row] for row in batch]

    def digest(self, features: scipy.sparse.csr_array) -> str:
        """What these rows and the features of the items are known by."""
        found = hashlib.sha256()
        for array in (self.data.users, self.data.items, self.data.ratings, features.data, features.indices, features.indptr):
            found.update(np.ascontiguousarray(array).tobytes())
        found.update("\0".join(self.data.kinds).encode())
        return found.hexdigest()


class RowTrained(Recommender):
    """A network that knows an item by who met it or by its features, and a person by the history of the query alone."""

    log_scale: ClassVar[bool] = True
    curve: list[dict[str, float]]
    _informs: BoolArray

    @abstractmethod
    def _settle(self, task: Any) -> None:
        """Keep what the network makes of the items now, and in `_informs` of which it knows anything, bool [num_items]."""

    def unfit_for(self, dataset: Dataset) -> str:
        """Without two items of one person nothing says what goes together."""
        data = dataset.interactions
        if len(np.unique(data.users * max(len(dataset.catalog), 1) + data.items)) > len(np.unique(data.users)):
            return ""
        return (
            f"'{self.name}' learns from people who met several items, and nobody here met two. Give data with more of each person."
        )

    def is_personal(self, query: Query) -> bool:
        """Whether the history holds an item that training met, or that features describe."""
        return len(self._informing(query)) > 0

    def _informing(self, query: Query) -> IntArray:
        """Codes of the history, oldest first, without items of which nothing is known."""
        codes = self.catalog.codes(query.history)
        return np.asarray(codes[self._informs[codes]], dtype=np.int64)

    def _check(self, task: Any, context: FitContext) -> Callable[[], float] | None:
        """NDCG@10 on validation for the network as it is then; none where nobody asks."""
        ndcg = ndcg_check(self, context)
        if ndcg is None:
            return None

        def check() -> float:
            self._settle(task)
            return ndcg()

        return check
