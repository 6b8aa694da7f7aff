"""The newest items first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext
from instructrec.models.popular import Popular, PopularConfig
from instructrec.tables import Dataset, FloatArray, ItemId


class Latest(Popular):
    """Score = place in the order of first appearance, the same for everyone: 0 is the oldest.

    Items that were put since the run was made come first, the last one first; then the others by the time of their first
    interaction in the log; at the end what nobody has met.
    """

    name: ClassVar[str] = "latest"

    def __init__(self, config: PopularConfig | None = None, *, put: Mapping[ItemId, float] | None = None) -> None:
        """`put`: when items were put that the run did not know, in seconds since 1970."""
        super().__init__(config)
        self._put = dict(put or {})

    def _counted(self, dataset: Dataset, context: FitContext) -> FloatArray:
        log, size = dataset.interactions, len(dataset.catalog)
        first = np.full(size, np.inf)
        np.minimum.at(first, log.items, log.timestamps)
        out = np.zeros(size, dtype=np.float32)
        met = np.isfinite(first)
        out[met] = _places(first[met])
        put = [item for item in self._put if item in dataset.catalog.index]
        out[dataset.catalog.codes(put)] = _places(np.array([self._put[item] for item in put])) + out.max(initial=0.0)
        return out

    def _row(self, counts: FloatArray) -> FloatArray:
        return counts


def _places(times: NDArray[np.float64]) -> FloatArray:
    """1 for the earliest, and so on; equal times have equal places."""
    return np.asarray(np.unique(times, return_inverse=True)[1] + 1, dtype=np.float32)
