"""What models share that are learned from who met what alone: the items that training met, and what the others get."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, IntArray, UserId

_QUERIES_AT_ONCE = 1024

_CELLS_AT_ONCE = 2**25
"""Scores that are made at once: 128 MiB, so that a large catalog is scored in smaller blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """Training interactions with items by their position among those that occur: `users` sorted, each user's rows oldest first.

    `users` are codes into `user_ids`; `ratings` float32, NaN where there is none; every one of `num_items` items occurs.
    """

    users: IntArray
    items: IntArray
    ratings: FloatArray
    user_ids: tuple[UserId, ...]
    num_items: int

    def histories(self) -> list[IntArray]:
        """Item positions of each user who has any, oldest first."""
        return np.split(self.items, np.flatnonzero(np.diff(self.users)) + 1) if len(self.items) else []


class KnownItems(Recommender):
    """Scores over the items that were met in training, made of the history of the query.

    Items that training never met, new ones too, get the lowest score of their row; a history without any item that says
    something to the model gets log popularity. Subclasses say what is learned (`learned`), how it is held (`adopt`) and what
    scores it gives (`scored`).
    """

    config_type: ClassVar[type[Any]]
    config: Any

    def __init__(self) -> None:
        self._fitted = False

    @abstractmethod
    def learned(self, met: Met, context: FitContext) -> Mapping[str, NDArray[Any]]:
        """What training gives, as arrays that can be written to disk. Tells `context.progress` of `stages(met)` steps."""

    @abstractmethod
    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> BoolArray:
        """Hold what `learned` gave; return which known items say something of a history that has them, bool [num_known]."""

    @abstractmethod
    def scored(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> FloatArray:
        """Scores float32 [num_queries, num_known] of queries whose known items are `histories`, oldest first."""

    def stages(self, met: Met) -> int:
        """How many steps `learned` reports; 1 unless it works in rounds."""
        return 1

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Learn from who met what; return self."""
        context = context or FitContext()
        known, items, counts = np.unique(dataset.interactions.items, return_inverse=True, return_counts=True)
        met = Met(
            users=dataset.interactions.users,
            items=items.astype(np.int64),
            ratings=dataset.interactions.ratings,
            user_ids=dataset.interactions.user_ids,
            num_items=len(known),
        )
        context.progress.stage(self.name, total=self.stages(met))
        arrays = self.learned(met, context)
        self.catalog = dataset.catalog
        self._take(known.astype(np.int64), counts.astype(np.int64), arrays)
        context.progress.step(self.stages(met))
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Scores float32 [num_queries, num_items]; each row is independent of the rest of the batch."""
        self._ready()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        at_once = max(1, min(_QUERIES_AT_ONCE, _CELLS_AT_ONCE // max(1, len(self._known))))
        for start in range(0, len(queries), at_once):
            block = queries[start : start + at_once]
            out[start : start + len(block)] = self._spread(self._block(block))
        return out

    def is_personal(self, query: Query) -> bool:
        """Whether the history holds an item of which something was learned."""
        self._ready()
        return bool(self._informs[self._met(query)].any())

    def save(self, folder: Path) -> None:
        """Write what was learned, counts and config into an existing, empty folder."""
        self._ready()
        arrays = {"known": self._known, "counts": self._counts, **self._learned}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; the catalog may have new items at its end."""
        config, arrays, _ = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        model = cls(config)  # type: ignore[call-arg]  # every subclass takes its own config
        model.catalog = catalog
        known, counts = arrays.pop("known"), arrays.pop("counts")
        model._take(known, counts, arrays)
        return model

    def _take(self, known: IntArray, counts: IntArray, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Adopt what was learned of the item codes `known` (sorted), each met `counts` times."""
        self._known, self._counts, self._learned = known, counts, dict(arrays)
        self._popularity = np.log1p(counts).astype(np.float32)
        self._position = np.full(len(self.catalog), -1, dtype=np.int64)
        self._position[known] = np.arange(len(known))
        self._informs = self.adopt(self._learned)
        self._fitted = True

    def _ready(self) -> None:
        if not self._fitted:
            raise ModelError(f"Model '{self.name}' has not learned anything yet. Call fit(dataset) or load(folder, catalog) first.")

    def _met(self, query: Query) -> IntArray:
        """Positions among the known items of the history, oldest first, without items that training never met."""
        positions = self._position[self.catalog.codes(query.history)]
        return positions[positions >= 0]

    def _block(self, queries: Sequence[Query]) -> FloatArray:
        histories = [self._met(query) for query in queries]
        scores = self.scored(queries, histories)
        cold = [row for row, history in enumerate(histories) if not self._informs[history].any()]
        scores[cold] = self._popularity
        return scores

    def _spread(self, scores: FloatArray) -> FloatArray:
        """Scores of the known items -> scores of the whole catalog."""
        lowest = scores.min(axis=1, keepdims=True) if scores.shape[1] else np.zeros((len(scores), 1))
        out: FloatArray = np.repeat(lowest, len(self.catalog), axis=1).astype(np.float32)
        out[:, self._known] = scores
        return out


def check_decay(decay: float, *, name: str = "decay", one_allowed: bool = True) -> None:
    """Raise ConfigError unless 0 < decay < 1 (or = 1 where the model allows it)."""
    if not (0.0 < decay < 1.0 or (one_allowed and decay == 1.0)):
        span = "above 0 and at most 1" if one_allowed else "above 0 and below 1"
        raise ConfigError(f"{name} is {decay}, but must be {span}. 0.9 is a good start.")


def check_positive(name: str, value: float) -> None:
    """Raise ConfigError unless the value is a finite number above zero."""
    if not (np.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {value}, but must be a number above 0.")


def check_not_negative(name: str, value: float) -> None:
    """Raise ConfigError unless the value is a finite number of zero or more."""
    if not (np.isfinite(value) and value >= 0):
        raise ConfigError(f"{name} is {value}, but must be a number of 0 or more.")


def check_at_least_one(name: str, value: int, *, good: int) -> None:
    """Raise ConfigError unless the whole number is 1 or more; `good` is what is proposed instead."""
    if value < 1:
        raise ConfigError(f"{name} is {value}, but at least 1 is needed. Use about {good}.")
