"""Neighbours against a brute-force double loop."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.data.synthetic import genres
from instructrec.errors import ConfigError
from instructrec.models import neighbours
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig
from instructrec.models.known import Met
from instructrec.models.neighbours import co_occurrence
from instructrec.tables import Dataset

HISTORIES = [[0, 1, 2], [1, 2, 3, 1], [4, 0], [5, 3, 2, 0], [1, 4]]


def brute_force(*, nearness: float, shrinkage: float, neighbours: int) -> np.ndarray:
    together = np.zeros((6, 6))
    for history in HISTORIES:
        for first in range(6):
            for second in range(6):
                if first != second:
                    together[first, second] += met_together(history, first, second, nearness)
    people = np.array([sum(item in history for history in HISTORIES) for item in range(6)])
    similarity = together / (np.sqrt(np.outer(people, people)) + shrinkage)
    for row in similarity:
        row[np.argsort(-row, kind="stable")[neighbours:]] = 0.0
    return similarity


def met_together(history: list[int], first: int, second: int, nearness: float) -> float:
    """One person's share: with nearness 1 whether both were met, else every pair by the latest sight of its earlier item."""
    if nearness == 1.0:
        return float(first in history and second in history)
    total = 0.0
    for place, item in enumerate(history):
        other = {first: second, second: first}.get(item)
        before = history[:place]
        if other in before:
            lag = place - (len(before) - 1 - before[::-1].index(other))
            total += nearness ** (lag - 1)
    return total


def weights(world: Dataset, config: ItemKnnConfig) -> np.ndarray:
    interactions = world.interactions
    met = Met(
        users=interactions.users,
        items=interactions.items,
        ratings=interactions.ratings,
        user_ids=interactions.user_ids,
        num_items=len(world.catalog),
    )
    return ItemKnn(config).weights_of(met).toarray()


@pytest.mark.parametrize("nearness", [0.6, 1.0])
@pytest.mark.parametrize("shrinkage", [0.0, 2.0])
@pytest.mark.parametrize("neighbours", [1, 3, 50])
def test_similarities_equal_brute_force(nearness: float, shrinkage: float, neighbours: int):
    config = ItemKnnConfig(nearness=nearness, shrinkage=shrinkage, neighbours=neighbours)
    wanted = brute_force(nearness=nearness, shrinkage=shrinkage, neighbours=neighbours)
    np.testing.assert_allclose(weights(dataset_of(HISTORIES), config), wanted, rtol=1e-5)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks of two rows."""
    monkeypatch.setattr(neighbours, "_CELLS_AT_ONCE", 170)
    yield


@pytest.mark.parametrize("nearness", [0.9, 1.0])
def test_blocks_of_any_size_give_equal_bits(nearness: float, request: pytest.FixtureRequest):
    interactions = genres(num_users=40, num_items=80, seed=2).interactions
    whole = co_occurrence(interactions.users, interactions.items, num_items=80, nearness=nearness)
    request.getfixturevalue("narrow")
    parts = co_occurrence(interactions.users, interactions.items, num_items=80, nearness=nearness)
    assert whole.nnz > 1000
    np.testing.assert_array_equal(parts.toarray(), whole.toarray())
    np.testing.assert_array_equal(whole.toarray(), whole.toarray().T)


@pytest.mark.parametrize("nearness", [0.6, 1.0])
def test_scores_are_the_weighted_history_times_the_similarities(nearness: float):
    config = ItemKnnConfig(nearness=nearness, shrinkage=1.0, neighbours=4, decay=0.5)
    found = ItemKnn(config).fit(dataset_of(HISTORIES)).score([Query(history=("i3", "i4", "i1"))])
    similarity = brute_force(nearness=nearness, shrinkage=1.0, neighbours=4)
    np.testing.assert_allclose(found[0], [0.25, 0.5, 1.0] @ similarity[[3, 4, 1]], rtol=1e-5)


def test_each_item_keeps_only_its_nearest():
    model = ItemKnn(ItemKnnConfig(neighbours=2)).fit(dataset_of(HISTORIES))
    scores = model.score([Query(history=(f"i{item}",)) for item in range(6)])
    assert (np.count_nonzero(scores, axis=1) <= 2).all()


def test_pearson_of_ratings_is_numpys_correlation_where_everybody_rated_everything():
    rng = np.random.default_rng(0)
    ratings = rng.integers(1, 6, size=(30, 6)).astype(np.float32)
    world = dataset_of([list(range(6))] * 30, ratings=ratings.ravel())
    found = weights(world, ItemKnnConfig(similarity="pearson", nearness=1.0, shrinkage=0.0, neighbours=6))
    wanted = np.maximum(np.corrcoef(ratings.T), 0.0) * (1 - np.eye(6))
    assert (wanted > 0).any()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("nearness", [0.7, 1.0])
def test_pearson_of_some_ratings_equals_a_double_loop(nearness: float):
    rng = np.random.default_rng(1)
    histories = [list(rng.permutation(6)[: rng.integers(2, 6)]) for _ in range(20)]
    given = rng.integers(1, 6, size=sum(map(len, histories))).astype(np.float32)
    given[::7] = np.nan
    world = dataset_of(histories, ratings=given)
    values = np.split(given, np.cumsum([len(history) for history in histories])[:-1])
    means = [np.nanmean([r[h.index(i)] for h, r in zip(histories, values, strict=True) if i in h]) for i in range(6)]
    centred = [np.nan_to_num([r - means[i] for i, r in zip(h, v, strict=True)]) for h, v in zip(histories, values, strict=True)]
    sums, norms = np.zeros((6, 6)), np.zeros(6)
    for history, own in zip(histories, centred, strict=True):
        for a, first in enumerate(history):
            norms[first] += own[a] ** 2
            for b, second in enumerate(history):
                if a != b:
                    sums[first, second] += own[a] * own[b] * (nearness ** (abs(a - b) - 1))
    wanted = np.maximum(sums / (np.sqrt(np.outer(norms, norms)) + 2.0), 0.0)
    found = weights(world, ItemKnnConfig(similarity="pearson", nearness=nearness, shrinkage=2.0, neighbours=6))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_pearson_without_ratings_is_the_correlation_of_who_met_what():
    histories = [[0, 1], [0, 1, 2], [2, 3], [3, 4, 5], [0, 1, 5], [2, 3, 5]]
    met = np.zeros((6, 6))
    for user, history in enumerate(histories):
        met[user, history] = 1.0
    shared = (met.T @ met > 0) & ~np.eye(6, dtype=bool)
    wanted = np.where(shared, np.maximum(np.corrcoef(met.T), 0.0), 0.0)
    config = ItemKnnConfig(similarity="pearson", nearness=1.0, shrinkage=0.0, neighbours=6)
    np.testing.assert_allclose(weights(dataset_of(histories), config), wanted, atol=1e-5)


@pytest.mark.parametrize(
    "values", [{"neighbours": 0}, {"shrinkage": -1.0}, {"nearness": 0.0}, {"decay": 1.2}, {"similarity": "jaccard"}]
)
def test_impossible_settings_are_refused(values: dict[str, float]):
    name, value = next(iter(values.items()))
    with pytest.raises(ConfigError, match=f"{name} is '?{value}"):
        ItemKnnConfig(**values)
