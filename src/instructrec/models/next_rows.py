"""Every interaction as a question: its item, asked from what the user met before; and the models that are trained on these."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import scipy.sparse
import torch
from torch import nn

from instructrec.core import FitContext, Query
from instructrec.errors import ModelError
from instructrec.models.histories import without_pairs
from instructrec.models.item_features import NO_FEATURES, ItemFeatures
from instructrec.models.validation import ndcg_check
from instructrec.recommender import Recommender
from instructrec.tables import BoolArray, Dataset, IntArray, Interactions
from instructrec.tuning.epochs import EpochTraining

NetworkT = TypeVar("NetworkT", bound=nn.Module)


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


class RowTrained(Recommender, Generic[NetworkT]):
    """A network that knows an item by who met it or by its features, and a person by the history of the query alone.

    `curve` holds the mean loss of every epoch, and NDCG@10 where it was checked.
    """

    log_scale: ClassVar[bool] = True
    config_type: ClassVar[type[Any]]
    _informs: BoolArray

    def __init__(self, config: Any = None) -> None:
        self.config = config or self.config_type()
        self.curve: list[dict[str, float]] = []
        self._network: NetworkT | None = None

    @abstractmethod
    def _begin(self, data: Interactions, features: scipy.sparse.csr_array, seed: int) -> Any:
        """Make the network, kept in `_network`, with new weights from torch's generator; return its task for `tuning.epochs`."""

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Train: minutes. Interrupted work in `context.folder` goes on after its last epoch."""
        context = context or FitContext()
        self.catalog, data = dataset.catalog, dataset.interactions
        self._features = ItemFeatures.learn(self.catalog, np.unique(data.items)) if self.config.features else NO_FEATURES
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            task = self._begin(data, self._features.encode(self.catalog), context.seed)
            training = EpochTraining(self._ready(), self.config, name=self.name, seed=context.seed, key=task.key)
            if len(task.rows):
                check = self._check(task, context) if self.config.patience else None
                training.run(task, context.progress, context.folder, check)
            self._settle(task)
        self.curve = training.curve
        return self

    def _ready(self) -> NetworkT:
        if self._network is None:
            raise ModelError(f"Model '{self.name}' has not been trained yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._network

    @abstractmethod
    def _settle(self, task: Any) -> None:
        """Keep what the network makes of the items now, and in `_informs` of which it knows anything, bool [num_items]."""

    def unfit_for(self, dataset: Dataset) -> str:
        """Without two items of one person nothing says what goes together."""
        return without_pairs(self.name, dataset)

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
