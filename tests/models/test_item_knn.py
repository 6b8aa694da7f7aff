"""Neighbours against a brute-force double loop."""

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.errors import ConfigError
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig, co_occurrence, nearest_neighbours

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


@pytest.mark.parametrize("nearness", [0.6, 1.0])
@pytest.mark.parametrize("shrinkage", [0.0, 2.0])
@pytest.mark.parametrize("neighbours", [1, 3, 50])
def test_similarities_equal_brute_force(nearness: float, shrinkage: float, neighbours: int):
    interactions = dataset_of(HISTORIES).interactions
    together = co_occurrence(interactions.users, interactions.items, num_items=6, nearness=nearness)
    people = np.array([sum(item in history for history in HISTORIES) for item in range(6)])
    found = nearest_neighbours(together, people, neighbours=neighbours, shrinkage=shrinkage).toarray()
    np.testing.assert_allclose(found, brute_force(nearness=nearness, shrinkage=shrinkage, neighbours=neighbours), rtol=1e-5)


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


@pytest.mark.parametrize("values", [{"neighbours": 0}, {"shrinkage": -1.0}, {"nearness": 0.0}, {"decay": 1.2}])
def test_impossible_settings_are_refused(values: dict[str, float]):
    name, value = next(iter(values.items()))
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        ItemKnnConfig(**values)
