"""The most popular items, the same for everyone: the floor that every other model must beat."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray, Interactions

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularConfig:
    """Settings of `popular`. Of half-lives 0-365 days none beats 0 on ML-100K (`python -m benchmarks.tune_memory`)."""

    half_life_days: float = field(
        default=0.0, metadata={"help": "Days after which an interaction counts half; 0 counts all alike, whatever their age."}
    )

    def __post_init__(self) -> None:
        if not (np.isfinite(self.half_life_days) and self.half_life_days >= 0):
            raise ConfigError(f"half_life_days is {self.half_life_days}, but must be 0 (count all alike) or days above 0.")


class Counted(Recommender):
    """Score = log(1 + a number of each item), the same for everyone; equal items in catalog order, new items last."""

    config_type: ClassVar[type[Any]]
    config: Any

    def __init__(self, config: Any = None) -> None:
        self.config = config or self.config_type()
        self._counts: FloatArray | None = None

    @abstractmethod
    def _counted(self, dataset: Dataset, context: FitContext) -> FloatArray:
        """The number of each item that scores are made of, float32 [num_items]."""

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Count the interactions of every item."""
        context = context or FitContext()
        context.progress.stage(self.name, total=1)
        self.catalog = dataset.catalog
        self._counts = self._counted(dataset, context)
        context.progress.step(1)
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """The same row for every query, float32 [num_queries, num_items]."""
        known = self._ready()
        counts = np.zeros(len(self.catalog), dtype=np.float32)
        counts[: len(known)] = known
        return np.tile(self._row(counts), (len(queries), 1))

    def is_personal(self, query: Query) -> bool:
        """Never: everyone gets the same list."""
        return False

    def informed(self, query: Query) -> bool:
        """Always: what many choose is what was asked for here, so serving it is no lesser answer."""
        return True

    def save(self, folder: Path) -> None:
        """Write counts and config into an existing, empty folder."""
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays={"counts": self._ready()})

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; the catalog may have new items at its end."""
        config, arrays, _ = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        model = cls(config)
        model.catalog = catalog
        model._counts = arrays["counts"]
        return model

    def _ready(self) -> FloatArray:
        if self._counts is None:
            raise ModelError(f"Model '{self.name}' has not counted anything yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._counts

    def _row(self, counts: FloatArray) -> FloatArray:
        """The scores of all items, float32 [num_items], from these numbers (0 for new items)."""
        return np.log1p(counts)


class Popular(Counted):
    """The number counts a person's every interaction with the item, faded where there is a half-life."""

    name: ClassVar[str] = "popular"
    config_type: ClassVar[type[PopularConfig]] = PopularConfig
    config: PopularConfig

    def _counted(self, dataset: Dataset, context: FitContext) -> FloatArray:
        return faded_counts(dataset.interactions, len(dataset.catalog), half_life_days=self.config.half_life_days)


def faded_counts(interactions: Interactions, num_items: int, *, half_life_days: float) -> FloatArray:
    """Interactions of every item, float32 [num_items]; one `half_life_days` older than the newest counts half (0: all alike)."""
    weights = None
    if half_life_days and len(interactions):
        age_days = (interactions.timestamps.max() - interactions.timestamps) / _SECONDS_A_DAY
        weights = np.exp2(-age_days / half_life_days)
    return np.bincount(interactions.items, weights=weights, minlength=num_items).astype(np.float32)
