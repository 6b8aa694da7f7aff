"""What the log says of an item in numbers that people ask for: how popular it is, and how it was rated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from instructrec.tables import Catalog, Interactions

POPULARITY, RATING = "popularity", "rating"


def measures_of(log: Interactions, catalog: Catalog) -> dict[str, NDArray[np.float64]]:
    """Measures by name, float64 [num_items]; a name that the catalog has as an attribute of its own is left out.

    `popularity`: the share of the other items that fewer people chose (half of those with equal counts), 0 to 1; 0 for an item that
    nobody chose. `rating`: the mean rating, NaN where nobody rated; left out where the log has no ratings that differ.
    """
    found = {POPULARITY: _popularity(np.bincount(log.items, minlength=len(catalog)))}
    rated = np.isfinite(log.ratings)
    if rated.any() and np.ptp(log.ratings[rated]) > 0:
        counts = np.bincount(log.items[rated], minlength=len(catalog))
        sums = np.bincount(log.items[rated], weights=log.ratings[rated].astype(np.float64), minlength=len(catalog))
        found[RATING] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return {name: values for name, values in found.items() if name not in {*catalog.labels, *catalog.numbers}}


def _popularity(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    ordered = np.sort(counts)
    fewer, upto = np.searchsorted(ordered, counts, side="left"), np.searchsorted(ordered, counts, side="right")
    shares = (fewer + (upto - fewer - 1) / 2) / max(1, len(counts) - 1)
    return np.where(counts > 0, shares, 0.0)
