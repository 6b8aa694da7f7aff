"""Biased matrix factorisation of ratings: what somebody would rate, from what they rated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.models.known import KnownItems, Met, check_at_least_one, check_not_negative, check_positive
from instructrec.models.rated import KnownPeople
from instructrec.tables import BoolArray, Dataset, FloatArray, IntArray

Doubles: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SvdConfig:
    """Settings of `svd`.

    RMSE on 8 % of the ratings of ML-100K, held out of training: penalty .08, .1, .13 gives .924, .917, .915 with 32 factors at best
    and .923, .916, .914 with 64; 20 rounds gain less than .002 over 10. NDCG@10 of lists on validation of ML-100K: .014 by the
    rating alone, .027 with popularity .5, .033 with 2.
    """

    factors: int = field(default=64, metadata={"help": "Width of the vector of an item and of a person; their biases come on top."})
    regularization: float = field(
        default=0.1, metadata={"help": "Ridge penalty on factors for each rating that a person or an item has."}
    )
    bias_regularization: float = field(
        default=5.0, metadata={"help": "Ridge penalty on biases, in ratings: so many of them at the mean are thought to be there."}
    )
    iterations: int = field(default=10, metadata={"help": "Rounds of people given items, then items given people."})
    popularity: float = field(
        default=0.5, metadata={"help": "In lists: what log popularity adds to the predicted rating; 0 ranks by the rating alone."}
    )

    def __post_init__(self) -> None:
        check_at_least_one("factors", self.factors, good=32)
        check_at_least_one("iterations", self.iterations, good=10)
        check_positive("regularization", self.regularization)
        check_not_negative("bias_regularization", self.bias_regularization)
        check_not_negative("popularity", self.popularity)


class Svd(KnownItems):
    """rating = mean + b_u + b_i + p_u . q_i, by alternating ridge regressions (Koren, Bell, Volinsky, "Matrix Factorization
    Techniques for Recommender Systems", 2009; the penalty grows with the number of ratings as in Zhou et al., "Large-scale Parallel
    Collaborative Filtering for the Netflix Prize", 2008).

    A person is folded in, b_u and p_u at once, from the ratings of their history. `Query` has items only: whoever is a person of
    training is found by a hash of their id, with the ratings they gave. An item of the history without a known rating was chosen,
    which says something of what they like and nothing of how high they rate: it counts as liked one standard deviation of the
    residuals more than they rate on average, for p_u alone. Reactions are not counted here; they act on every list
    (`feedback`). Older items count as much as newer ones.

    Ratings say what somebody thinks of an item that they have chosen, not what they choose: lists by them alone are weak
    (Cremonesi, Koren, Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks", 2010). `score` is the
    predicted rating plus `popularity` times log(1 + interactions). Items that training never met get the lowest score, and the
    person's mean as rating; a history without known items gets log popularity in lists, and mean + b_i as ratings.
    """

    name: ClassVar[str] = "svd"
    config_type = SvdConfig

    def __init__(self, config: SvdConfig | None = None) -> None:
        super().__init__()
        self.config = config or SvdConfig()

    def stages(self, met: Met) -> int:
        """One step an iteration."""
        return int(self.config.iterations)

    def learned(self, met: Met, context: FitContext) -> Mapping[str, NDArray[Any]]:
        """Mean, biases and factors of the items, and what people rated."""
        people = KnownPeople.arrays(met)
        known = KnownPeople(people)
        rated = np.isfinite(known.ratings)
        users, items = known.owners[rated], known.items[rated]
        values = known.ratings[rated].astype(np.float64)
        mean = float(values.mean()) if len(values) else 0.0
        items_side = self._start(values - mean, items, num_items=met.num_items, seed=context.seed)
        by_user, by_item = _Groups(users, len(known)), _Groups(items, met.num_items)
        for done in range(self.config.iterations):
            users_side = self._solved(by_user, items_side, items, values - mean)
            items_side = self._solved(by_item, users_side, users, values - mean)
            context.progress.step(done + 1)
        users_side = self._solved(by_user, items_side, items, values - mean)
        spread = _deviation(by_user, users_side, items_side, items, values - mean)
        facts = np.array([mean, spread, *(values.min(), values.max())] if len(values) else np.zeros(4), dtype=np.float64)
        return {**people, "facts": facts, "sides": items_side.astype(np.float32)}

    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> BoolArray:
        """Hold biases and factors; every item that training met says something."""
        self._people = KnownPeople(arrays)
        self._mean, self._deviation, self._low, self._high = (float(value) for value in arrays["facts"])
        self._items = arrays["sides"].astype(np.float64)
        return np.ones(len(self._known), dtype=np.bool_)

    def scored(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> FloatArray:
        """Predicted rating and `popularity` times log popularity, float32 [num_queries, num_known]."""
        ratings = self._mean + _all_predicted(self._folded(queries, histories), self._items)
        return np.asarray(ratings + np.float32(self.config.popularity) * self._popularity, dtype=np.float32)

    def predicted_ratings(self, queries: Sequence[Query]) -> FloatArray | None:
        """Ratings in the units of the data, clipped to those that training saw, float32 [num_queries, num_items]."""
        self._ready()
        histories = [self._met(query) for query in queries]
        sides = self._folded(queries, histories)
        out = np.repeat((self._mean + sides[:, :1]).astype(np.float32), len(self.catalog), axis=1)
        out[:, self._known] = self._mean + _all_predicted(sides, self._items)
        return np.clip(out, np.float32(self._low), np.float32(self._high))

    def item_vectors(self) -> FloatArray | None:
        """Factors without biases, float32 [num_items, factors]; zeros for items that training never met."""
        self._ready()
        out = np.zeros((len(self.catalog), self.config.factors), dtype=np.float32)
        out[self._known] = self._items[:, 1:]
        return out

    def unfit_for(self, dataset: Dataset) -> str:
        """Ratings that differ are needed."""
        ratings = dataset.interactions.ratings
        values = np.unique(ratings[np.isfinite(ratings)])
        if len(values) > 1:
            return ""
        found = f"every rating is {values[0]:g}" if len(values) else "there are none"
        return f"'{self.name}' learns from ratings that differ, and here {found}. Use a model of who met what, such as 'als'."

    def bytes_needed(self, dataset: Dataset) -> int:
        """Pairs with their order by person and by item (80 bytes an interaction), both sides in float64."""
        interactions = dataset.interactions
        num_items = int(np.count_nonzero(np.bincount(interactions.items))) if len(interactions) else 0
        sides = 8 * 2 * (num_items + len(interactions.user_ids)) * (self.config.factors + 1)
        return int(80 * len(interactions) + sides)

    def _start(self, left: Doubles, items: IntArray, *, num_items: int, seed: int) -> Doubles:
        """Damped means of items as biases, small random factors: float64 [num_items, 1 + factors]."""
        counts = np.bincount(items, minlength=num_items)
        bias = np.bincount(items, left, minlength=num_items) / np.maximum(counts + self.config.bias_regularization, 1e-9)
        factors = np.random.default_rng(seed).normal(0.0, 0.1, (num_items, self.config.factors))
        return np.concatenate([bias[:, None], factors], axis=1)

    def _solved(self, groups: _Groups, others: Doubles, other: IntArray, left: Doubles) -> Doubles:
        """Bias and factors of one side from those of the other: a ridge regression for each of its rows that has ratings."""
        out = np.zeros((len(groups), others.shape[1]))
        for row, cells in groups:
            design = others[other[cells]]
            wanted = left[cells] - design[:, 0]
            design[:, 0] = 1.0
            out[row] = self._ridge(design, wanted)
        return out

    def _ridge(self, design: Doubles, wanted: Doubles) -> Doubles:
        """Bias and factors, float64 [1 + factors]: least squares of `wanted` on the columns of `design`."""
        penalties = np.full(design.shape[1], self.config.regularization * len(design))
        penalties[0] = max(self.config.bias_regularization, 1e-9)
        return np.asarray(np.linalg.solve(design.T @ design + np.diag(penalties), design.T @ wanted), dtype=np.float64)

    def _folded(self, queries: Sequence[Query], histories: Sequence[IntArray]) -> Doubles:
        """Bias and factors of the people who ask, float64 [num_queries, 1 + factors]; zeros without known items."""
        out = np.zeros((len(queries), 1 + self.config.factors))
        for row, (query, history) in enumerate(zip(queries, histories, strict=True)):
            if not len(history):
                continue
            items = np.unique(history)
            given = self._people.ratings_of(query.user, items).astype(np.float64)
            rated, design = np.isfinite(given), self._items[items]
            wanted = np.where(rated, given - self._mean - design[:, 0], self._deviation)
            # What was chosen without a rating says nothing of how high the person rates.
            design[:, 0] = rated
            out[row] = self._ridge(design, wanted)
        return out


class _Groups:
    """The rows of a table by the value of a column: value and row numbers, for each value that occurs."""

    def __init__(self, column: IntArray, count: int) -> None:
        self._order = np.argsort(column, kind="stable")
        self._starts = np.searchsorted(column[self._order], np.arange(count + 1))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[tuple[int, IntArray]]:
        for row in np.flatnonzero(np.diff(self._starts)):
            yield int(row), self._order[self._starts[row] : self._starts[row + 1]]


def _deviation(by_user: _Groups, people: Doubles, items: Doubles, item: IntArray, left: Doubles) -> float:
    """Standard deviation of ratings around what is predicted; `left` is their distance from the mean."""
    total = 0.0
    for row, cells in by_user:
        own = items[item[cells]]
        total += float(np.square(left[cells] - people[row, 0] - own[:, 0] - own[:, 1:] @ people[row, 1:]).sum())
    return float(np.sqrt(total / max(len(left), 1)))


def _all_predicted(people: Doubles, items: Doubles) -> Doubles:
    """The same for every person and item, float64 [num_people, num_items], one person at a time: equal bits in every batch."""
    factors = np.ascontiguousarray(items[:, 1:])
    out = np.empty((len(people), len(items)))
    for row, person in enumerate(people):
        out[row] = person[0] + items[:, 0] + factors @ person[1:]
    return out
