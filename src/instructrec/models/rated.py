"""What training knows of people who ask again: what they met and rated, found by a hash of their id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instructrec.models.known import Met
from instructrec.tables import FloatArray, IntArray, UserId


def person_key(user: UserId) -> int:
    """64 bits of a hash of an id: enough to find a person again, and no id in the folder of a model."""
    return int.from_bytes(hashlib.blake2b(user.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little", signed=True)


class KnownPeople:
    """People of training who met anything, in the order of their code, each with the items that they met, as rows of a CSR matrix.

    `starts` int64 [num_people + 1], `items` int64, sorted within a person; `ratings` float32, the last one that the person gave
    the item, NaN where none is known.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.starts, self.items, self.ratings = arrays["starts"], arrays["items"], arrays["ratings"]
        self._order = np.argsort(arrays["people"], kind="stable")
        self._sorted = arrays["people"][self._order]

    def __len__(self) -> int:
        return len(self._sorted)

    @staticmethod
    def arrays(met: Met) -> dict[str, NDArray[Any]]:
        """What is written to disk."""
        people, rows = np.unique(met.users, return_inverse=True)
        keys = np.array([person_key(met.user_ids[person]) for person in people], dtype=np.int64)
        cells = rows.astype(np.int64) * max(met.num_items, 1) + met.items
        pairs = np.unique(cells)
        ratings = np.full(len(pairs), np.nan, dtype=np.float32)
        rated = np.isfinite(met.ratings)
        # Rows are oldest first, and of several values for a cell numpy keeps the last.
        ratings[np.searchsorted(pairs, cells[rated])] = met.ratings[rated]
        starts = np.searchsorted(pairs, np.arange(len(people) + 1) * max(met.num_items, 1))
        return {"people": keys, "starts": starts.astype(np.int64), "items": pairs % max(met.num_items, 1), "ratings": ratings}

    @property
    def owners(self) -> IntArray:
        """The row of each cell, int64."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def row(self, user: UserId | None) -> int:
        """The row of a person; -1 for a stranger."""
        if user is None or not len(self._sorted):
            return -1
        key = person_key(user)
        place = int(np.searchsorted(self._sorted, key))
        return int(self._order[place]) if place < len(self._sorted) and self._sorted[place] == key else -1

    def ratings_of(self, user: UserId | None, items: IntArray) -> FloatArray:
        """What the person gave for each item, float32, NaN where nothing is known; `items` are positions of known items."""
        out = np.full(len(items), np.nan, dtype=np.float32)
        row = self.row(user)
        if row >= 0 and len(items):
            cells = slice(self.starts[row], self.starts[row + 1])
            own = self.items[cells]
            places = np.minimum(np.searchsorted(own, items), len(own) - 1)
            found = own[places] == items
            out[found] = self.ratings[cells][places[found]]
        return out
