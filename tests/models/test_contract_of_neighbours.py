"""The shared contract, passed by neighbours among people and by factors of who met what."""

from dataclasses import replace

import numpy as np
from tests.contracts import RecommenderContract

from instructrec.core import FitContext, Query
from instructrec.data.synthetic import checkerboard
from instructrec.models.als import Als, AlsConfig
from instructrec.models.bpr import Bpr, BprConfig
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig
from instructrec.models.svd import Svd, SvdConfig
from instructrec.models.user_knn import UserKnn, UserKnnConfig
from instructrec.tables import Dataset


class TestUserKnn(RecommenderContract):
    model = UserKnn


class TestUserKnnOfRatings(RecommenderContract):
    @classmethod
    def make(cls) -> UserKnn:
        return UserKnn(UserKnnConfig(similarity="pearson"))


class TestItemKnnOfRatings(RecommenderContract):
    @classmethod
    def make(cls) -> ItemKnn:
        return ItemKnn(ItemKnnConfig(similarity="pearson"))


class TestAls(RecommenderContract):
    @classmethod
    def make(cls) -> Als:
        return Als(AlsConfig(factors=8, regularization=1.0, iterations=10))


class TestBpr(RecommenderContract):
    @classmethod
    def make(cls) -> Bpr:
        return Bpr(BprConfig(factors=16, iterations=150))


class TestSvd(RecommenderContract):
    @classmethod
    def make(cls) -> Svd:
        return Svd(SvdConfig(factors=4, popularity=0.0, iterations=10))

    def test_on_the_checkerboard_the_missing_square_comes_first(self):
        """With ratings, which it needs: 5 for the own colour, 1 for two squares of the other."""
        board, rng = rated(checkerboard(12)), np.random.default_rng(0)
        interactions = board.interactions
        held_out = np.zeros(len(interactions), dtype=np.bool_)
        queries, targets, names = [], [], board.catalog.item_ids
        for user, person in enumerate(interactions.user_ids):
            start, end = interactions.offsets[user : user + 2]
            row = int(rng.choice([row for row in range(start, end) if interactions.ratings[row] == 5.0]))
            held_out[row] = True
            targets.append(names[interactions.items[row]])
            queries.append(Query(user=person, history=tuple(names[interactions.items[r]] for r in range(start, end) if r != row)))
        model = self.make().fit(board.with_interactions(interactions.keep(~held_out)), FitContext(seed=7))
        assert [answer.items[0].item for answer in model.recommend(queries)] == targets


def rated(board: Dataset) -> Dataset:
    """A checkerboard whose users also met two squares of the other colour, and rate by colour."""
    interactions, size = board.interactions, len(board.catalog)
    users = np.arange(len(interactions.user_ids))
    other = np.concatenate([(users + 1) % size, (users + 5) % size])
    extra = np.concatenate([users, users])
    order = np.argsort(np.concatenate([interactions.users, extra]), kind="stable")

    def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.concatenate([first, second.astype(first.dtype)])[order]

    return board.with_interactions(
        replace(
            interactions,
            users=joined(interactions.users, extra),
            items=joined(interactions.items, other),
            timestamps=np.arange(len(order), dtype=np.int64),
            ratings=joined(np.full(len(interactions), 5.0, dtype=np.float32), np.ones(len(extra))),
        )
    )
