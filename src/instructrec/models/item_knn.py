"""Item-to-item neighbours: people who met this also met that, close together in their histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from instructrec.errors import ConfigError
from instructrec.models.histories import recency_pairs, recency_rows
from instructrec.models.memory import LinearMemory, check_decay
from instructrec.tables import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKnnConfig:
    """Settings of `item_knn`, chosen by `python -m benchmarks.tune_memory --data ml-100k`.

    Grid: nearness .8-1, decay .7-.9, shrinkage 0-10, neighbours 100 and 400; NDCG@10 on four validation steps .1336, alike
    without shrinkage, which rare items need on sparser data.
    """

    neighbours: int = field(default=400, metadata={"help": "How many most similar items each item keeps."})
    shrinkage: float = field(default=3.0, metadata={"help": "Added to the norm; larger trusts rare pairs less."})
    nearness: float = field(
        default=0.9,
        metadata={"help": "Weight of a pair of items per step between them, at most 1; 1 counts people, whatever the distance."},
    )
    decay: float = field(default=0.8, metadata={"help": "Weight of a history item relative to the one after it, at most 1."})

    def __post_init__(self) -> None:
        check_decay(self.decay)
        check_decay(self.nearness, name="nearness")
        if self.neighbours < 1:
            raise ConfigError(f"neighbours is {self.neighbours}, but at least 1 is needed. Use about 100.")
        if not (np.isfinite(self.shrinkage) and self.shrinkage >= 0):
            raise ConfigError(f"shrinkage is {self.shrinkage}, but must be a number of 0 or more.")


class ItemKnn(LinearMemory):
    """Cosine similarity with shrinkage over (nearness-weighted) co-occurrence, the nearest neighbours of each item kept."""

    name: ClassVar[str] = "item_knn"
    config_type = ItemKnnConfig

    def __init__(self, config: ItemKnnConfig | None = None) -> None:
        super().__init__()
        self.config = config or ItemKnnConfig()

    @property
    def decay(self) -> float:
        """Weight of a history item relative to the one after it."""
        return float(self.config.decay)

    def learn(self, users: IntArray, items: IntArray, *, num_items: int) -> csr_array:
        """Neighbours as float32 CSR [num_items, num_items]; stays sparse, so there is no size limit."""
        together = co_occurrence(users, items, num_items=num_items, nearness=self.config.nearness)
        people = np.unique(users * max(num_items, 1) + items) % max(num_items, 1)
        counts = np.bincount(people, minlength=num_items)
        return nearest_neighbours(together, counts, neighbours=self.config.neighbours, shrinkage=self.config.shrinkage)


def co_occurrence(users: IntArray, items: IntArray, *, num_items: int, nearness: float) -> csr_array:
    """How often two different items are met by one person, float32 CSR [num_items, num_items], symmetric.

    With nearness 1 every person counts once; below 1 a pair counts nearness**(steps between - 1), both orders alike.
    """
    from scipy.sparse import coo_array, csr_array

    if nearness == 1.0:
        rows = recency_rows(np.split(items, np.flatnonzero(np.diff(users)) + 1), decay=1.0, num_items=num_items)
        return _without_diagonal(csr_array(rows.T @ rows))
    total = csr_array((num_items, num_items), dtype=np.float32)
    for earlier, later, weight in recency_pairs(users, items, decay=nearness, floor=1e-3):
        values = np.full(len(earlier), weight, dtype=np.float32)
        total = total + coo_array((values, (items[earlier], items[later])), shape=total.shape).tocsr()
    return _without_diagonal(csr_array(total + total.T))


def nearest_neighbours(together: csr_array, counts: IntArray, *, neighbours: int, shrinkage: float) -> csr_array:
    """Similarity together / (sqrt(count_i count_j) + shrinkage); each row keeps its largest, ties by item code."""
    from scipy.sparse import csr_array

    pairs = together.tocoo()
    source, target = pairs.coords
    norm = np.sqrt(counts.astype(np.float64))
    values = (pairs.data / (norm[source] * norm[target] + shrinkage)).astype(np.float32)
    order = np.lexsort((target, -values, source))
    source, target, values = source[order], target[order], values[order]
    # Place of each entry within its row, best first.
    place = np.arange(len(source)) - np.searchsorted(source, source)
    kept = place < neighbours
    return csr_array((values[kept], (source[kept], target[kept])), shape=together.shape)


def _without_diagonal(matrix: csr_array) -> csr_array:
    from scipy.sparse import csr_array

    pairs = matrix.tocoo()
    source, target = pairs.coords
    other = source != target
    return csr_array((pairs.data[other], (source[other], target[other])), shape=matrix.shape)
