"""A tiny catalog, queries and a recommender that scores from a table: everything about it can be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from instructrec.core import FitContext, Query
from instructrec.data.split import Holdout
from instructrec.evaluation.metrics import TargetRanks
from instructrec.evaluation.protocol import Evaluation
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray, Interactions, Labels

GENRES = (("Comedy",), ("Comedy", "Drama"), ("Drama",), ("Horror",), (), ("Comedy", "Horror"))


def catalog(num_items: int = 6) -> Catalog:
    genres = [GENRES[code % len(GENRES)] for code in range(num_items)]
    return Catalog(
        item_ids=tuple(f"i{code}" for code in range(num_items)),
        titles=tuple(f"Title {code}" for code in range(num_items)),
        labels={"genres": Labels.build(genres)},
    )


def dataset(rows: Sequence[tuple[int, int]], num_items: int = 6) -> Dataset:
    """Pairs of user and item code, in time order and sorted by user."""
    users = np.array([user for user, _ in rows], dtype=np.int64)
    interactions = Interactions(
        user_ids=tuple(f"u{user}" for user in range(max(users, default=-1) + 1)),
        users=users,
        items=np.array([item for _, item in rows], dtype=np.int64),
        timestamps=np.arange(len(rows), dtype=np.int64),
        ratings=np.ones(len(rows), dtype=np.float32),
    )
    return Dataset(name="tiny", interactions=interactions, catalog=catalog(num_items))


def holdout(histories: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Holdout:
    return Holdout(
        queries=tuple(Query(user=f"u{row}", history=tuple(f"i{code}" for code in codes)) for row, codes in enumerate(histories)),
        targets=tuple(np.array(codes, dtype=np.int64) for codes in targets),
        user_codes=np.arange(len(histories), dtype=np.int64),
    )


class TableRecommender(Recommender):
    """Looks the scores of a user up in a table, and counts how often it is asked."""

    name: ClassVar[str] = "table"

    def __init__(self, items: Catalog, table: FloatArray) -> None:
        self.catalog = items
        self.table = table
        self.calls = 0

    def fit(self, dataset: Dataset, context: FitContext = FitContext()) -> Self:
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        self.calls += 1
        return self.table[[int(str(query.user)[1:]) for query in queries]]

    def save(self, folder: Path) -> None:
        (folder / "nothing").touch()

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        return cls(catalog, np.zeros((1, len(catalog)), dtype=np.float32))


def evaluation(ranks: Sequence[int], *, model: str = "table", lengths: Sequence[int] = (), hide_seen: bool = True) -> Evaluation:
    """One target a user, at the given ranks, and lists that show the first two items."""
    size = len(ranks)
    return Evaluation(
        model=model,
        hide_seen=hide_seen,
        num_items=100,
        users=tuple(f"u{row}" for row in range(size)),
        targets=TargetRanks(ranks=np.array(ranks, dtype=np.int64).reshape(size, 1), counts=np.ones(size, dtype=np.int64)),
        top=np.tile(np.arange(2, dtype=np.int64), (size, 1)),
        history_lengths=np.array(lengths or [1] * size, dtype=np.int64),
    )
