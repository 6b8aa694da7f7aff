"""Item-to-item neighbours: people who met this also met that, close together in their histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ConfigError
from instructrec.models.known import Met, check_at_least_one, check_not_negative
from instructrec.models.memory import LinearMemory, check_decay
from instructrec.models.neighbours import nearest, pair_bytes, together
from instructrec.tables import Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemKnnConfig:
    """Settings of `item_knn`, chosen by `python -m benchmarks.tune_memory --data ml-100k`.

    Grid: nearness .8-1, decay .7-.9, shrinkage 0-10, neighbours 100 and 400; NDCG@10 on four validation steps .1336, alike
    without shrinkage, which rare items need on sparser data.
    """

    neighbours: int = field(default=400, metadata={"help": "How many most similar items each item keeps."})
    similarity: Literal["cosine", "pearson"] = field(
        default="cosine",
        metadata={"help": "cosine: of who met what. pearson: of ratings around each item's mean, where there are."},
    )
    shrinkage: float = field(default=3.0, metadata={"help": "Added to the norm; larger trusts rare pairs less."})
    nearness: float = field(
        default=0.9,
        metadata={"help": "Weight of a pair of items per step between them, at most 1; 1 counts people, whatever the distance."},
    )
    decay: float = field(default=0.8, metadata={"help": "Weight of a history item relative to the one after it, at most 1."})

    def __post_init__(self) -> None:
        check_decay(self.decay)
        check_decay(self.nearness, name="nearness")
        check_at_least_one("neighbours", self.neighbours, good=100)
        check_not_negative("shrinkage", self.shrinkage)
        if self.similarity not in ("cosine", "pearson"):
            raise ConfigError(f"similarity is '{self.similarity}', but must be 'cosine' or 'pearson'.")


class ItemKnn(LinearMemory):
    """Similarity with shrinkage over (nearness-weighted) co-occurrence, the nearest neighbours of each item kept.

    cosine: together / (sqrt(count_i count_j) + shrinkage), where `together` counts people who met both and `count` those who met
    one. pearson: the correlation of Sarwar et al., "Item-Based Collaborative Filtering Recommendation Algorithms", 2001, section
    3.1.2, with means and norms over all who rated an item: sum over people of products of ratings around the item's mean, over the
    product of norms + shrinkage. Without any ratings it is the correlation of who met what (the phi coefficient). Only
    similarities above 0 are kept, so an item that all rated alike says nothing under `pearson`.
    """

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
        """Neighbours of interactions without ratings, float32 CSR [num_items, num_items]."""
        ratings = np.full(len(items), np.nan, dtype=np.float32)
        return self.weights_of(Met(users=users, items=items, ratings=ratings, user_ids=(), num_items=num_items))

    def weights_of(self, met: Met) -> csr_array:
        """Neighbours as float32 CSR [num_items, num_items]; stays sparse, and made in blocks, so there is no size limit."""
        from scipy.sparse import csr_array, vstack

        similar, values = self._similar(met)
        blocks = []
        for rows, block in together(met.users, met.items, num_items=met.num_items, nearness=self.config.nearness, values=values):
            sources = np.repeat(np.arange(rows.start, rows.stop), np.diff(block.indptr))
            block.data = similar(block.data, sources, block.indices).astype(np.float32)
            blocks.append(nearest(block, self.config.neighbours))
        return csr_array(vstack(blocks, format="csr")) if blocks else csr_array((met.num_items, met.num_items), dtype=np.float32)

    def bytes_needed(self, dataset: Dataset) -> int:
        """A block of pairs, and twice the neighbours that are kept: in blocks, and put together."""
        return pair_bytes(dataset.interactions, neighbours=self.config.neighbours)

    def _similar(self, met: Met) -> tuple[Similar, FloatArray | None]:
        """What makes similarities of sums over pairs, and the number of each interaction that such a sum is of (none: 1)."""
        if self.config.similarity == "pearson" and np.isfinite(met.ratings).any():
            return self._correlation(met)
        people = np.unique(met.users * max(met.num_items, 1) + met.items) % max(met.num_items, 1)
        counts = np.bincount(people, minlength=met.num_items).astype(np.float64)
        if self.config.similarity == "cosine":
            return _over_norms(np.sqrt(counts), self.config.shrinkage), None
        total = max(1, len(np.unique(met.users)))
        norm, shrinkage = np.sqrt(counts * (1 - counts / total)), self.config.shrinkage

        def phi(sums: FloatArray, source: IntArray, target: IntArray) -> NDArray[np.float64]:
            found: NDArray[np.float64] = (sums - counts[source] * counts[target] / total) / np.maximum(
                norm[source] * norm[target] + shrinkage, 1e-9
            )
            return found

        return phi, None

    def _correlation(self, met: Met) -> tuple[Similar, FloatArray]:
        rated = np.isfinite(met.ratings)
        counts = np.bincount(met.items[rated], minlength=met.num_items)
        means = np.bincount(met.items[rated], met.ratings[rated], minlength=met.num_items) / np.maximum(counts, 1)
        values = np.where(rated, met.ratings - means[met.items], 0.0).astype(np.float32)
        norm = np.sqrt(np.bincount(met.items, np.square(values.astype(np.float64)), minlength=met.num_items))
        return _over_norms(norm, self.config.shrinkage), values


Similar = Callable[[FloatArray, IntArray, IntArray], NDArray[np.float64]]


def _over_norms(norm: NDArray[np.float64], shrinkage: float) -> Similar:
    def cosine(sums: FloatArray, source: IntArray, target: IntArray) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            return np.nan_to_num(sums / (norm[source] * norm[target] + shrinkage))

    return cosine
