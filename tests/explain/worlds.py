"""A linear recommender that can be worked out by hand, over films whose titles hold genre words and other titles."""

from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from instructrec.core import FitContext, Query, Recommendation, ScoredItem
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, Interactions, Labels

ROWS = [
    ("Toy Story", 1995, ["Animation", "Comedy"]),
    ("Aladdin", 1992, ["Animation", "Musical"]),
    ("Drama Queen", 1988, ["Comedy"]),
    ("Romance", 1999, ["Horror"]),
    ("Toy Story 2", 1999, ["Animation", "Comedy"]),
    ("The Comedy of Romance", 1999, ["Horror", "Thriller"]),
    ("Casablanca", 1942, ["Drama", "Romance"]),
    ("", None, []),
]
# Row: item of the history; column: item that is scored.
WEIGHTS = np.array(
    [
        [0, 4, 1, 0, 9, 1, 0, 0],
        [3, 0, 0, 0, 5, 0, 1, 2],
        [1, 0, 0, 2, 3, 2, 0, 0],
        [0, 0, 0, 0, -4, 7, 0, 0],
        [8, 2, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 6, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, 3],
        [0, 0, 0, 0, 1, 0, 0, 0],
    ],
    dtype=np.float32,
)


class Linear(Recommender):
    """Score of a query: the sum of the weight rows of its history; popularity without one. Counts its calls."""

    name = "linear"

    def __init__(self, weights: np.ndarray = WEIGHTS) -> None:
        self.weights = weights
        self.calls: list[int] = []

    def fit(self, dataset: Dataset, context: FitContext = FitContext()) -> Self:
        self.catalog = dataset.catalog
        more = len(self.catalog) - len(self.weights)
        self.weights = np.pad(self.weights, ((0, max(0, more)), (0, max(0, more))))
        self.popularity = np.bincount(dataset.interactions.items, minlength=len(dataset.catalog)).astype(np.float32)
        return self

    def score(self, queries: list[Query]) -> np.ndarray:
        self.calls.append(len(queries))
        rows = [self.catalog.codes(query.history) for query in queries]
        scores = [self.weights[codes].sum(axis=0) if len(codes) else self.popularity for codes in rows]
        return np.stack(scores).astype(np.float32)

    def save(self, folder: Path) -> None:
        (folder / "linear.txt").write_text("linear", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        model = cls()
        model.catalog = catalog
        return model


class Doubled(Linear):
    """The same scores, said to come from two sources."""

    name = "fusion"

    def sources(self, queries: list[Query]) -> dict[str, np.ndarray]:
        scores = self.score(queries)
        return {"ridge": 0.25 * scores, "lm": 0.75 * scores}


def film_world(*, attributes: bool = True) -> Dataset:
    """Five users; "Toy Story" was chosen by four of them (by one twice), "Toy Story 2" by one, the last two by nobody."""
    catalog = Catalog(
        item_ids=tuple(f"i{place}" for place in range(len(ROWS))),
        titles=tuple(title for title, _, _ in ROWS),
        labels={"genres": Labels.build([values for _, _, values in ROWS])} if attributes else {},
        numbers={"year": np.array([np.nan if year is None else year for _, year, _ in ROWS])} if attributes else {},
    )
    pairs = [(0, 0), (0, 0), (0, 1), (1, 0), (1, 2), (2, 0), (2, 3), (3, 0), (3, 4), (4, 5), (4, 1)]
    users, items = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    interactions = Interactions(
        user_ids=tuple(f"u{user}" for user in range(5)),
        users=users,
        items=items,
        timestamps=np.arange(len(pairs), dtype=np.int64),
        ratings=np.full(len(pairs), np.nan, dtype=np.float32),
    )
    return Dataset(name="films", interactions=interactions, catalog=catalog)


def rated_world() -> Dataset:
    """The films, to which four horrors are added that the only user rated low; the others got four and five."""
    world = film_world()
    genres = [values for _, _, values in ROWS] + [["Horror"]] * 3
    catalog = Catalog(
        item_ids=tuple(f"i{place}" for place in range(len(genres))),
        titles=tuple(title for title, _, _ in ROWS) + ("Fright", "Scream", "Shudder"),
        labels={"genres": Labels.build(genres)},
        numbers={},
    )
    rated = {0: 5, 1: 4, 2: 5, 3: 1, 8: 2, 9: 1, 10: 2}
    interactions = Interactions(
        user_ids=("u0",),
        users=np.zeros(len(rated), dtype=np.int64),
        items=np.array(list(rated), dtype=np.int64),
        timestamps=np.arange(len(rated), dtype=np.int64),
        ratings=np.array(list(rated.values()), dtype=np.float32),
    )
    return replace(world, catalog=catalog, interactions=interactions)


def shown(query: Query, *items: str, source: str = "linear", served_by: str = "linear") -> Recommendation:
    """A list of these items, as an answer to a query."""
    scored = tuple(ScoredItem(item, 0.0, source) for item in items)
    return Recommendation(id="r1", query=query, items=scored, model=served_by, served_by=served_by)


def without_titles(dataset: Dataset) -> Dataset:
    """The same world where no item has a title."""
    return replace(dataset, catalog=replace(dataset.catalog, titles=("",) * len(dataset.catalog)))
