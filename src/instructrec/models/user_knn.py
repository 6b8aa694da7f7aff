"""User-to-user neighbours: what people chose whose histories resemble the history that is asked with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.models.histories import recency_rows
from instructrec.models.known import KnownItems, Met, check_at_least_one, check_decay, check_not_negative
from instructrec.models.rated import KnownPeople
from instructrec.tables import BoolArray, Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CELLS_AT_ONCE = 2**23
"""Similarities of queries and people that are held at once: 32 MiB."""

Similarity = Literal["cosine", "pearson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKnnConfig:
    """Settings of `user_knn`, by NDCG@10 on validation of ML-100K and of 3,000 users of Amazon Beauty.

    .105 and .051. With 30 neighbours .113 and .048, with 100 .095 and .052; without decay .066 at best on ML-100K.
    """

    neighbours: int = field(default=50, metadata={"help": "How many most similar people vote."})
    similarity: Similarity = field(
        default="cosine",
        metadata={"help": "cosine: of who met what. pearson: of ratings around each person's mean, where there are."},
    )
    shrinkage: float = field(default=3.0, metadata={"help": "Added to the norm; larger trusts people with few items less."})
    decay: float = field(default=0.8, metadata={"help": "Weight of a history item relative to the one after it, at most 1."})

    def __post_init__(self) -> None:
        check_at_least_one("neighbours", self.neighbours, good=50)
        check_not_negative("shrinkage", self.shrinkage)
        check_decay(self.decay)
        if self.similarity not in ("cosine", "pearson"):
            raise ConfigError(f"similarity is '{self.similarity}', but must be 'cosine' or 'pearson'.")


class UserKnn(KnownItems):
    """Score of an item = summed similarity of the neighbours who met it; neighbours are people of training.

    A neighbour resembles the history of the query, whoever asks, so that strangers are answered and a click counts at once. A
    person of training is never their own neighbour: a query that names them leaves their row out, for it holds nothing but what
    they met already. Similarity is a product of two rows over (product of norms + shrinkage), and only those above 0 vote:

    cosine: a row is 1 for what was met, in the history of the query less for what is older.
    pearson: a row is the rating less the person's mean rating, 0 for what was not rated (Herlocker et al., "An Algorithmic
    Framework for Performing Collaborative Filtering", 1999, in the sparse form in which the norm is over all ratings of a person).
    What somebody chose without a known rating counts as one standard deviation above their mean. Without any ratings in the data
    a row is 1 less the share of items that were met. Where a person's ratings are all alike the cosine serves.

    Items that nobody of training met, or no neighbour, get the lowest score; a history without known items, or without anybody
    else who met one of them, gets log popularity.
    """

    name: ClassVar[str] = "user_knn"
    config_type = UserKnnConfig

    def __init__(self, config: UserKnnConfig | None = None) -> None:
        super().__init__()
        self.config = config or UserKnnConfig()

    def learned(self, met: Met, context: FitContext) -> Mapping[str, NDArray[Any]]:
        """Who met what, and with which rating; nothing else is learned."""
        return KnownPeople.arrays(met)

    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> BoolArray:
        """Hold the people and their rows; every item that training met says something."""
        from scipy.sparse import csr_array

        self._people = people = KnownPeople(arrays)
        shape = (len(people), len(self._known))
        self._binary = csr_array((np.ones(len(people.items), dtype=np.float32), people.items, people.starts), shape=shape)
        self._sizes = np.diff(people.starts).astype(np.float32)
        self._by_item = csr_array(self._binary.T)
        self._means = _means(people)
        if self.config.similarity == "pearson" and np.isfinite(people.ratings).any():
            centred = np.nan_to_num(people.ratings - self._means[people.owners]).astype(np.float32)
            self._spread_of_ratings = float(np.sqrt(np.square(centred).sum() / np.isfinite(people.ratings).sum()))
            self._centred = csr_array((centred, people.items, people.starts), shape=shape)
            self._centred_by_item = csr_array(self._centred.T)
            self._centred_norms = np.sqrt(np.bincount(people.owners, np.square(centred), minlength=len(people))).astype(np.float32)
        else:
            self._centred = None
        return np.ones(len(self._known), dtype=np.bool_)

    def scored(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> FloatArray:
        """Votes of the neighbours, float32 [num_queries, num_known]; log popularity for rows without a neighbour."""
        out = np.empty((len(queries), len(self._known)), dtype=np.float32)
        for rows, votes in self._votes(queries, histories):
            out[rows] = (votes @ self._binary).toarray()
            out[np.arange(len(queries))[rows][np.diff(votes.indptr) == 0]] = self._popularity
        return out

    def predicted_ratings(self, queries: Sequence[Query]) -> FloatArray | None:
        """The person's mean and the neighbours' distances from theirs, weighted by similarity (Resnick et al., "GroupLens", 1994).

        Clipped to the ratings that training saw; the person's mean, or that of all, where no neighbour rated the item. None unless
        similarity is "pearson" and there are ratings.
        """
        self._ready()
        if self._centred is None:
            return None
        rated = self._centred.copy()
        rated.data = np.isfinite(self._people.ratings).astype(np.float32)
        histories = [self._met(query) for query in queries]
        own = [self._people.ratings_of(query.user, history) for query, history in zip(queries, histories, strict=True)]
        overall = float(np.nanmean(self._people.ratings))
        mean = np.array([np.nanmean(given) if np.isfinite(given).any() else overall for given in own], dtype=np.float32)
        found = np.empty((len(queries), len(self._known)), dtype=np.float32)
        for rows, votes in self._votes(queries, histories):
            total = (votes @ rated).toarray()
            found[rows] = mean[rows, None] + (votes @ self._centred).toarray() / np.maximum(total, 1e-9)
        out = np.repeat(mean[:, None], len(self.catalog), axis=1)
        out[:, self._known] = found
        return np.clip(out, np.nanmin(self._people.ratings), np.nanmax(self._people.ratings))

    def unfit_for(self, dataset: Dataset) -> str:
        """Neighbours need two people."""
        if len(np.unique(dataset.interactions.users)) > 1:
            return ""
        return f"'{self.name}' looks for people with like histories, and there is one person at most. Use 'popular'."

    def bytes_needed(self, dataset: Dataset) -> int:
        """Rows of people by person and by item, and while they are made sorted copies of the pairs: 72 bytes an interaction."""
        return 72 * len(dataset.interactions) + 32 * len(dataset.interactions.user_ids)

    def _votes(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> Iterator[tuple[slice, csr_array]]:
        """Blocks of queries, with the similarities of their neighbours as float32 CSR [num_block, num_people]."""
        at_once = max(1, _CELLS_AT_ONCE // max(1, len(self._people)))
        for start in range(0, len(queries), at_once):
            rows = slice(start, start + at_once)
            found = self._similarities(queries[rows], histories[rows])
            for row, query in enumerate(queries[rows]):
                if (own := self._people.row(query.user)) >= 0:
                    found[row, own] = 0.0
            yield rows, _nearest(found, self.config.neighbours)

    def _similarities(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> FloatArray:
        """Similarity of each query and each person, float32 [num_queries, num_people]."""
        rows = recency_rows(histories, decay=float(self.config.decay), num_items=len(self._known))
        if self.config.similarity == "cosine":
            return self._cosine(rows)
        if self._centred is None:
            return self._phi(rows)
        weighted = self._centred_rows(queries, rows)
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1), dtype=np.float32))
        product = (weighted @ self._centred_by_item).toarray()
        found = product / np.maximum(norms[:, None] * self._centred_norms + self.config.shrinkage, 1e-9)
        alike = np.flatnonzero(norms == 0)
        found[alike] = self._cosine(rows[alike])
        return np.asarray(found, dtype=np.float32)

    def _cosine(self, rows: csr_array) -> FloatArray:
        norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float32))
        product = (rows @ self._by_item).toarray()
        return np.asarray(product / (norms[:, None] * np.sqrt(self._sizes) + self.config.shrinkage + 1e-9), dtype=np.float32)

    def _phi(self, rows: csr_array) -> FloatArray:
        """Pearson's correlation over all items of weights in the history and of who met what."""
        num_items = max(1, len(self._known))
        total = np.asarray(rows.sum(axis=1), dtype=np.float32)
        squares = np.asarray(rows.multiply(rows).sum(axis=1), dtype=np.float32)
        norms = np.sqrt(np.maximum(squares - total**2 / num_items, 0.0))
        others = np.sqrt(np.maximum(self._sizes * (1 - self._sizes / num_items), 0.0))
        product = (rows @ self._by_item).toarray() - total[:, None] * self._sizes / num_items
        return np.asarray(product / (norms[:, None] * others + self.config.shrinkage + 1e-9), dtype=np.float32)

    def _centred_rows(self, queries: Sequence[Query], rows: csr_array) -> csr_array:
        """Histories with ratings around their mean in place of 1, older ones for less."""
        values = np.empty_like(rows.data)
        for row, query in enumerate(queries):
            cells = slice(rows.indptr[row], rows.indptr[row + 1])
            given = self._people.ratings_of(query.user, rows.indices[cells])
            mean = np.nanmean(given) if np.isfinite(given).any() else 0.0
            values[cells] = np.where(np.isfinite(given), given - mean, self._spread_of_ratings)
        out = rows.copy()
        out.data = (values * rows.data).astype(np.float32)
        return out


def _means(people: KnownPeople) -> FloatArray:
    """Mean rating of each person, float32; 0 without any."""
    rated = np.isfinite(people.ratings)
    total = np.bincount(people.owners[rated], people.ratings[rated], minlength=len(people))
    counts = np.bincount(people.owners[rated], minlength=len(people))
    return (total / np.maximum(counts, 1)).astype(np.float32)


def _nearest(similarities: FloatArray, neighbours: int) -> csr_array:
    """The largest values above 0 of each row, as float32 CSR with sorted columns."""
    from scipy.sparse import csr_array

    num_rows, num_people = similarities.shape
    if neighbours >= num_people:
        return csr_array(np.maximum(similarities, 0.0))
    best = np.sort(np.argpartition(similarities, num_people - neighbours, axis=1)[:, num_people - neighbours :], axis=1)
    values = np.take_along_axis(similarities, best, axis=1)
    kept = values > 0
    starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return csr_array((values[kept], best[kept], starts), shape=(num_rows, num_people))
