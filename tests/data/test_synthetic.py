"""The made-up worlds have the right answers that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from instructrec.data.split import SplitConfig, split
from instructrec.data.synthetic import GENRES, chain, checkerboard, genres
from instructrec.errors import DataError

WORLDS = [checkerboard, chain, genres]


@pytest.mark.parametrize("world", WORLDS)
def test_worlds_are_sorted_deterministic_and_never_repeat_an_item(world):
    one, two = world(), world()
    log = one.interactions
    assert np.array_equal(np.lexsort((log.timestamps, log.users)), np.arange(len(log)))
    assert np.array_equal(log.items, two.interactions.items)
    assert one.catalog.titles == two.catalog.titles
    assert len(set(one.catalog.titles)) == len(one.catalog)
    assert all(len(set(history.tolist())) == len(history) for history in log.histories())


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", ["leave-one-out", "time", "ratio"])
def test_every_world_can_be_split(world, kind):
    assert len(split(world(), SplitConfig(kind=kind)).test) > 0


def test_checkerboard_leaves_one_item_of_the_colour():
    dataset = checkerboard(12)
    holdout = split(dataset).test
    for query, targets, user in zip(holdout.queries, holdout.targets, holdout.user_codes, strict=True):
        own = {f"i{item}" for item in range(12) if item % 2 == user % 2}
        assert own - set(query.history) == {dataset.catalog.item_ids[targets[0]]}


def test_chain_goes_on_by_one():
    dataset = chain(30, 16, 4)
    for history in dataset.interactions.histories():
        assert np.array_equal((history[:-1] + 1) % 16, history[1:])
        assert 8 <= len(history) <= 15


def test_genre_world_users_like_their_genre():
    dataset = genres(30, 60, seed=3)
    liked = dataset.catalog.labels["genres"].matrix()
    assert dataset.catalog.labels["genres"].names == GENRES
    for user in range(30):
        own = liked[dataset.interactions.history(user), user % 6]
        assert own.mean() > 0.85
    ratings = dataset.interactions.ratings
    likes = liked[dataset.interactions.items, dataset.interactions.users % 6]
    assert ratings[likes].min() >= 4 and ratings[~likes].max() <= 3
    assert dataset.catalog.numbers["year"].min() >= 1960


def test_seeds_matter_and_a_world_too_small_is_refused():
    assert not np.array_equal(genres(seed=1).interactions.items[:50], genres(seed=2).interactions.items[:50])
    with pytest.raises(DataError, match="size is 2.*at least 6"):
        checkerboard(2)
