"""Lists against their people: calibration, surprise, lift and spread by hand and by the definitions spelled out."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from tests.evaluation.worlds import GENRES, catalog

from instructrec.evaluation.profiles import ALPHA, lift, main_values, miscalibration, serendipity, spread, word_vectors
from instructrec.tables import Catalog, Labels

ITEMS = catalog(6)


def codes(*rows: list[int]) -> list[np.ndarray]:
    return [np.array(row, dtype=np.int64) for row in rows]


def test_calibration_by_hand() -> None:
    # History: Comedy, Comedy+Drama, so 3/4 Comedy and 1/4 Drama. List: Drama, Horror.
    found = miscalibration(np.array([[2, 3], [0, 2], [4, -1]]), main_values(ITEMS), codes([0, 1], [0, 2], [0]))
    wanted = {"Comedy": 0.75, "Drama": 0.25}
    shown = {"Comedy": 0.0, "Drama": 0.5, "Horror": 0.5}
    by_hand = sum(p * math.log(p / ((1 - ALPHA) * shown[value] + ALPHA * p)) for value, p in wanted.items())
    assert found[0] == pytest.approx(by_hand)
    assert found[1] == pytest.approx(0.0, abs=1e-12)
    # Item 4 has no genre: there is nothing to compare.
    assert np.isnan(found[2])


def test_the_attribute_that_most_items_have_is_the_one_that_is_balanced() -> None:
    few = Labels.build([("x",), (), (), (), (), ()])
    both = Catalog(item_ids=ITEMS.item_ids, titles=ITEMS.titles, labels={"rare": few, "genres": Labels.build(GENRES)})
    assert main_values(both).shape == (6, 3)
    assert main_values(both).toarray().sum(axis=1).tolist() == [1, 1, 1, 1, 0, 1]
    assert main_values(Catalog(item_ids=("a",), titles=("A",))).shape == (1, 0)


def test_serendipity_is_relevant_and_not_expected() -> None:
    popular = np.array([0, 1, 2, 3, 4, 5])
    top = np.array([[1, 4], [2, 5], [0, 1], [3, -1]])
    histories = codes([0], [0, 1], [], [])
    # Expected of these people: 1 and 2; 2 and 3; 0 and 1; 0 and 1.
    found = serendipity(top, popular, histories, codes([1, 4], [2], [0, 1], []))
    assert found[:3].tolist() == [0.5, 0.0, 0.0]
    assert np.isnan(found[3])


def test_the_popular_list_is_never_a_surprise() -> None:
    rng = np.random.default_rng(3)
    popular = rng.permutation(30)
    histories = [rng.choice(30, size=rng.integers(0, 12), replace=False) for _ in range(40)]
    top = np.array([[item for item in popular if item not in set(had.tolist())][:5] for had in histories])
    targets = [rng.choice(30, size=4, replace=False) for _ in range(40)]
    assert (serendipity(top, popular, histories, targets) == 0).all()


def test_lift_is_the_change_of_group_popularity() -> None:
    share = np.array([0.8, 0.4, 0.2, 0.0])
    found = lift(np.array([[0, 1], [2, -1], [-1, -1]]), share, codes([2, 3], [1], [0]))
    before, after = np.array([0.1, 0.4, 0.8]), np.array([0.6, 0.2, np.nan])
    np.testing.assert_allclose(found, (after - before) / before.mean())
    # Group average popularity of lists over that of profiles, minus 1.
    both = found[:2].mean() * before.mean() / before[:2].mean()
    assert both == pytest.approx(after[:2].mean() / before[:2].mean() - 1)


def test_spread_is_the_mean_over_all_pairs() -> None:
    words = Catalog(
        item_ids=tuple("abcde"),
        titles=("Red River", "Red Garden", "Blue Moon", "", "River of no return"),
        labels={"genres": Labels.build([("Western",), ("Drama",), ("Western",), (), ("Western",)])},
    )
    vectors = word_vectors(words)
    dense = vectors.toarray()
    np.testing.assert_allclose(np.linalg.norm(dense, axis=1), [1, 1, 1, 0, 1])
    # One of the two words of "Red River" is in "Red Garden" too: the weight of a term that two of five items have is ln(5/2) + 1.
    two, one, three = (math.log(5 / count) + 1 for count in (2, 1, 3))
    cosine = two * two / (math.sqrt(2 * two**2 + three**2) * math.sqrt(two**2 + 2 * one**2))
    assert dense[0] @ dense[1] == pytest.approx(cosine)
    top = np.array([[0, 1, 2], [0, 3, 4], [3, -1, -1]])
    found = spread(top, vectors)
    pairs = [1 - dense[a] @ dense[b] for a, b in combinations((0, 1, 2), 2)]
    assert found[0] == pytest.approx(np.mean(pairs))
    assert found[1] == pytest.approx(1 - dense[0] @ dense[4])
    assert np.isnan(found[2])
