"""What models of content share: items as vectors of what is known of them, a profile of what somebody liked, and their cosine.

Rocchio's profile (Rocchio 1971; Pazzani and Billsus 2007, doi 10.1007/978-3-540-72079-9_10): the mean of what was liked, less a
share of the mean of what was disliked, recent items counting more.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Progress, Query, Silent
from instructrec.errors import ConfigError, ModelError
from instructrec.models.histories import recency_rows
from instructrec.models.memory import check_decay
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, Interactions, ItemId, UserId

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Vectors: TypeAlias = "FloatArray | csr_array"
"""One row an item, of unit length; a row of zeros for an item of which nothing is known."""
Keys: TypeAlias = NDArray[np.uint64]

QUERIES_AT_ONCE = 512


@dataclass(frozen=True, kw_only=True)
class ProfileConfig:
    """How a profile is made of a history."""

    decay: float = field(default=0.9, metadata={"help": "weight of a history item relative to the one after it; 1: all alike"})
    low_rated: float = field(
        default=1.0,
        metadata={"help": "weight of what was rated low beside what was liked; below 0: it takes away, 0: nothing, 1: as if liked"},
    )

    def __post_init__(self) -> None:
        check_decay(self.decay)
        if not -1 <= self.low_rated <= 1:
            raise ConfigError(f"low_rated is {self.low_rated}, but must lie between -1 (takes away fully) and 1 (counts as liked).")


class ContentModel(Recommender):
    """Score = cosine between an item and the profile of a history, float32 in [-1, 1].

    An item that training never met, a new one too, is scored by its content like any other; one without content scores 0. Who has
    no history, or none with content, gets log popularity. An item of the history that its user rated below the middle of the scale
    in training is disliked, every other one liked. Reactions of a query act as they do on every model, by the likeness that this
    one sees (`feedback.effects`): in the profile they would count twice.
    """

    config_type: ClassVar[type[Any]]
    config: Any

    def __init__(self) -> None:
        self._items: Vectors | None = None

    @abstractmethod
    def _describe(self, catalog: Catalog, progress: Progress) -> Vectors:
        """Learn what has to be learned of a catalog, and the vectors of its items."""

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]:
        """What `save` keeps beside popularity and low ratings."""

    @abstractmethod
    def _recall(self, folder: Path, arrays: dict[str, NDArray[Any]], num_items: int) -> Vectors:
        """The vectors of `self.catalog` from what was saved; its items from code `num_items` on are new."""

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Describe every item; who liked what is read of the history of each query. Raises ModelError for data without content."""
        unfit = self.unfit_for(dataset)
        if unfit:
            raise ModelError(unfit)
        interactions, self.catalog = dataset.interactions, dataset.catalog
        items = self._describe(dataset.catalog, (context or FitContext()).progress)
        counts = np.bincount(interactions.items, minlength=len(dataset.catalog))
        self._take(items, counts.astype(np.int64), low_ratings(interactions, dataset.catalog))
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Cosines float32 [num_queries, num_items]; log popularity for whoever has no profile."""
        self._ready()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            profiles, lengths = self._profiles(queries[start : start + QUERIES_AT_ONCE])
            found = profiles @ self._by_feature
            rows = out[start : start + QUERIES_AT_ONCE]
            rows[:] = found if isinstance(found, np.ndarray) else found.toarray()
            rows /= np.maximum(lengths, 1e-12)[:, None]
            rows[lengths <= 0] = self._popularity
        return out

    def is_personal(self, query: Query) -> bool:
        """Whether the history holds an item with content."""
        self._ready()
        return bool(self._profiles([query])[1][0] > 0)

    def item_vectors(self) -> FloatArray | None:
        """The vectors of the items, float32 [num_items, width]."""
        items = self._ready()
        return items if isinstance(items, np.ndarray) else shortened(items)

    def save(self, folder: Path) -> None:
        """Write what `load` needs; no id of a user is among it."""
        self._ready()
        arrays = {"counts": self._counts, "low": self._low, **self._arrays()}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; items added to the catalog since are described now."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        model = cls(config)  # type: ignore[call-arg]  # every subclass takes its own config
        model.catalog = catalog
        model._take(model._recall(folder, arrays, num_items), arrays["counts"], arrays["low"])
        return model

    def _take(self, items: Vectors, counts: NDArray[np.int64], low: Keys) -> None:
        self._items, self._counts, self._low = items, counts, low
        self._by_feature = items.T if isinstance(items, np.ndarray) else items.T.tocsr()
        self._popularity = np.zeros(len(self.catalog), dtype=np.float32)
        self._popularity[: len(counts)] = np.log1p(counts)

    def _ready(self) -> Vectors:
        if self._items is None:
            raise ModelError(f"Model '{self.name}' has read no catalog yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._items

    def _profiles(self, queries: Sequence[Query]) -> tuple[Vectors, FloatArray]:
        """Profiles, one row a query, and their lengths float32 [num_queries], 0 where there is none."""
        items = self._ready()
        weights = recency_rows(
            [self.catalog.codes(query.history) for query in queries], decay=self.config.decay, num_items=len(self.catalog)
        )
        owner = np.repeat(np.arange(len(queries)), np.diff(weights.indptr))
        weights.data[self._is_low(queries, owner, weights.indices)] *= np.float32(self.config.low_rated)
        profiles = weights @ items
        squares = profiles**2 if isinstance(profiles, np.ndarray) else profiles.power(2)
        lengths = np.sqrt(np.asarray(squares.sum(axis=1), dtype=np.float32)).ravel()
        # What was liked and what was disliked can cancel out but for rounding.
        return profiles, np.where(lengths > 1e-6, lengths, np.float32(0.0))

    def _is_low(self, queries: Sequence[Query], owner: NDArray[Any], items: NDArray[Any]) -> NDArray[np.bool_]:
        """Which entries of the histories their users rated low in training."""
        low = np.zeros(len(items), dtype=np.bool_)
        if not len(self._low) or self.config.low_rated == 1.0:
            return low
        known = [place for place, row in enumerate(owner.tolist()) if queries[row].user is not None]
        names = self.catalog.item_ids
        keys = hashed([_pair(str(queries[owner[place]].user), names[items[place]]) for place in known])
        low[known] = places_of(keys, self._low) >= 0
        return low


class DenseContent(ContentModel):
    """A model of content whose vectors cost time to make, so that they are kept."""

    @abstractmethod
    def _embed(self, catalog: Catalog, first: int, progress: Progress = Silent()) -> FloatArray:
        """Vectors float32 of the items of a catalog from code `first` on, of unit length, 0 where there is no content."""

    def _describe(self, catalog: Catalog, progress: Progress) -> FloatArray:
        return self._embed(catalog, 0, progress)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        items = self._ready()
        assert isinstance(items, np.ndarray)
        return {"items": items}

    def _recall(self, folder: Path, arrays: dict[str, NDArray[Any]], num_items: int) -> FloatArray:
        kept: FloatArray = arrays["items"]
        return np.concatenate([kept, self._embed(self.catalog, num_items)]) if len(self.catalog) > num_items else kept


class EncodedContent(DenseContent):
    """Vectors of an encoder, less the mean of those of training: what they have in common hides what tells items apart."""

    _mean: FloatArray

    @abstractmethod
    def _encoded(self, catalog: Catalog, first: int, progress: Progress) -> tuple[FloatArray, BoolArray]:
        """Vectors float32 [num_items, width] of the items from code `first` on, and which have content, bool [num_items]."""

    def _describe(self, catalog: Catalog, progress: Progress) -> FloatArray:
        vectors, known = self._encoded(catalog, 0, progress)
        if not known.any():
            raise ModelError(f"'{self.name}' could read the content of no item. Give texts and pictures that open elsewhere.")
        self._mean = vectors[known].mean(axis=0)
        return self._told_apart(vectors, known)

    def _embed(self, catalog: Catalog, first: int, progress: Progress = Silent()) -> FloatArray:
        return self._told_apart(*self._encoded(catalog, first, progress))

    def _told_apart(self, vectors: FloatArray, known: BoolArray) -> FloatArray:
        out = np.zeros((len(vectors), len(self._mean)), dtype=np.float32)
        if known.any():
            out[known] = unit(vectors[known] - self._mean)
        return out

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {**super()._arrays(), "mean": self._mean}

    def _recall(self, folder: Path, arrays: dict[str, NDArray[Any]], num_items: int) -> FloatArray:
        self._mean = arrays["mean"]
        return super()._recall(folder, arrays, num_items)


def low_ratings(interactions: Interactions, catalog: Catalog) -> Keys:
    """Sorted keys of the rows that are rated below the middle of the scale that the ratings span; none where there is no scale."""
    ratings = interactions.ratings
    rated = ratings[np.isfinite(ratings)]
    if not len(rated) or rated.min() == rated.max():
        return np.empty(0, dtype=np.uint64)
    rows = np.flatnonzero(ratings < (rated.min() + rated.max()) / 2).tolist()
    users, items = interactions.users, interactions.items
    return np.sort(hashed([_pair(interactions.user_ids[users[row]], catalog.item_ids[items[row]]) for row in rows]))


def _pair(user: UserId, item: ItemId) -> str:
    return f"{len(user)}:{user}{item}"


def hashed(names: Sequence[str]) -> Keys:
    """64 bits of a hash of each name, uint64: enough to know it again, and it cannot be read back."""
    digests = (hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def places_of(keys: Keys, known: Keys) -> NDArray[np.int64]:
    """Where each key stands in the sorted keys `known`, -1 where it does not, int64 [num_keys]."""
    if not len(known):
        return np.full(len(keys), -1, dtype=np.int64)
    found = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[found] == keys, found, -1)


def unit(vectors: FloatArray) -> FloatArray:
    """The rows at length 1; rows of (nearly) zeros as zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.where(lengths > 1e-6, vectors / np.maximum(lengths, 1e-6), 0.0), dtype=np.float32)


def shortened(items: csr_array, *, width: int = 128) -> FloatArray:
    """Sparse rows as dense ones with nearly the same cosines, float32 [num_items, width]: a projection onto random signs.

    Its error is about 1 / sqrt(width) (Johnson and Lindenstrauss 1984; Achlioptas 2003, doi 10.1016/S0022-0000(03)00025-4).
    """
    signs = np.random.default_rng(0).choice(np.array([-1.0, 1.0], dtype=np.float32), size=(items.shape[1], width))
    return np.asarray(items @ signs / np.float32(np.sqrt(width)), dtype=np.float32)


def nothing_written(name: str, dataset: Dataset) -> str:
    """Why a model called `name` cannot describe the items of a dataset by words; empty where it can."""
    catalog = dataset.catalog
    written = (
        any(catalog.texts)
        or any(catalog.favourable)
        or any(title and title != item for title, item in zip(catalog.titles, catalog.item_ids, strict=True))
    )
    if written:
        return ""
    return (
        f"'{name}' describes items by what is written about them, but this catalog has only ids. Give a table of items with a "
        "title, a text or attributes (items.csv beside the interactions), or use a model that learns from interactions alone."
    )
