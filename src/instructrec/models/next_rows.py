"""Every interaction as a question: its item, asked from what the user met before. What networks without attention train on."""

from __future__ import annotations

import hashlib

import numpy as np
import scipy.sparse

from instructrec.tables import Dataset, IntArray, Interactions


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


def nobody_met_two(name: str, dataset: Dataset) -> str:
    """Why a model of this name, which learns from what was met together, learns nothing; empty where somebody met two items."""
    data = dataset.interactions
    if len(np.unique(data.users * max(len(dataset.catalog), 1) + data.items)) > len(np.unique(data.users)):
        return ""
    return f"'{name}' learns from people who met several items, and nobody here met two. Give data with more of each person."
