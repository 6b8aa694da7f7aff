"""Large catalogs: parts that are exact where they cover everything, each kind of weight against its own regression."""

import numpy as np
import pytest
from tests.models.test_ridge import design
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.data.synthetic import genres
from instructrec.models import head_and_tail, memory
from instructrec.models.ease import Ease, EaseConfig, RecencyEase, RecencyEaseConfig, ease_in_parts, ease_weights
from instructrec.models.ridge import Ridge, RidgeConfig
from instructrec.recommender import Recommender
from instructrec.tables import IntArray

HISTORIES = [[0, 1, 2], [1, 2, 3], [4, 0, 1], [5, 3, 2, 0], [1, 4, 0], [2, 0, 1], [5, 0], [1, 0, 3]]
"""Items 0, 1 and 2 are met most."""


def columns(histories: list[list[int]]) -> tuple[IntArray, IntArray]:
    interactions = dataset_of(histories).interactions
    return interactions.users, interactions.items


def met() -> np.ndarray:
    found = np.zeros((len(HISTORIES), 6))
    for user, history in enumerate(HISTORIES):
        found[user, history] = 1.0
    return found


def ridge_on(rows: np.ndarray, wanted: np.ndarray, predictors: list[int], penalty: float) -> np.ndarray:
    """Weights of some columns of `rows`, by augmented least squares."""
    system = np.vstack([rows[:, predictors], np.sqrt(penalty) * np.eye(len(predictors))])
    found, *_ = np.linalg.lstsq(system, np.concatenate([wanted, np.zeros(len(predictors))]), rcond=None)
    return np.asarray(found)


@pytest.mark.parametrize("nearness", [0.8, 1.0])
def test_a_head_of_all_items_is_the_exact_closed_form(nearness: float):
    users, items = columns(HISTORIES)
    parts = ease_in_parts(users, items, num_items=6, penalty=2.0, nearness=nearness)
    np.testing.assert_allclose(parts.toarray(), ease_weights(users, items, num_items=6, penalty=2.0, nearness=nearness), atol=1e-6)


def test_ease_in_parts_is_three_kinds_of_regression(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(head_and_tail, "HEAD_ITEMS", 3)
    users, items = columns(HISTORIES)
    found = ease_in_parts(users, items, num_items=6, penalty=2.0).toarray()
    who = met()
    for target in (0, 1, 2):
        others = [item for item in (0, 1, 2) if item != target]
        np.testing.assert_allclose(found[others, target], ridge_on(who, who[:, target], others, 2.0), atol=1e-6)
    for target in (3, 4, 5):
        together = [item for item in (0, 1, 2) if who[:, item] @ who[:, target] > 0]
        np.testing.assert_allclose(found[together, target], ridge_on(who, who[:, target], together, 2.0), atol=1e-6)
    for source in (3, 4, 5):
        for target in range(6):
            alone = 0.0 if source == target else ridge_on(who, who[:, target], [source], 2.0)[0]
            assert found[source, target] == pytest.approx(alone, abs=1e-6)
    np.testing.assert_array_equal(np.diag(found), 0.0)


def test_ridge_in_parts_is_three_kinds_of_regression(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(head_and_tail, "HEAD_ITEMS", 3)
    monkeypatch.setattr(memory, "MAX_DENSE_ITEMS", 3)
    rows, wanted = design(HISTORIES, decay=0.8, num_items=6)
    found = Ridge(RidgeConfig(decay=0.8, penalty=2.0, backward=0.0)).learn(*columns(HISTORIES), num_items=6).toarray()
    for target in range(6):
        head = [0, 1, 2] if target < 3 else [item for item in (0, 1, 2) if rows[:, item] @ wanted[:, target] > 0]
        np.testing.assert_allclose(found[head, target], ridge_on(rows, wanted[:, target], head, 2.0), atol=1e-5)
        for source in (3, 4, 5):
            alone = 0.0 if source == target else ridge_on(rows, wanted[:, target], [source], 2.0)[0]
            assert found[source, target] == pytest.approx(alone, abs=1e-5)


def test_read_backward_in_parts_is_the_mirrored_regression_too(monkeypatch: pytest.MonkeyPatch):
    users, items = columns(HISTORIES)
    config = RidgeConfig(decay=0.8, penalty=2.0, backward=0.5)
    exact = Ridge(config).learn(users, items, num_items=6)
    monkeypatch.setattr(memory, "MAX_DENSE_ITEMS", 3)
    np.testing.assert_allclose(Ridge(config).learn(users, items, num_items=6).toarray(), exact, atol=1e-5)


def test_a_tail_item_is_predicted_from_the_few_that_explain_most_of_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(head_and_tail, "HEAD_ITEMS", 3)
    monkeypatch.setattr(head_and_tail, "TAIL_PREDICTORS", 1)
    found = ease_in_parts(*columns(HISTORIES), num_items=6, penalty=2.0).toarray()
    assert (np.count_nonzero(found[:3, 3:], axis=0) == 1).all()


@pytest.mark.parametrize(
    "model",
    [Ease(EaseConfig(penalty=5.0)), RecencyEase(RecencyEaseConfig(penalty=5.0)), Ridge(RidgeConfig(penalty=5.0))],
    ids=["ease", "recency_ease", "ridge"],
)
def test_lists_stay_close_to_the_exact_ones_above_the_limit(model: Recommender, monkeypatch: pytest.MonkeyPatch):
    world = genres(num_users=200, num_items=60, seed=4)
    names = world.catalog.item_ids
    queries = [Query(history=tuple(names[code] for code in history[:6])) for history in world.interactions.histories()]
    exact = model.fit(world).score(queries)
    monkeypatch.setattr(memory, "MAX_DENSE_ITEMS", 30)
    monkeypatch.setattr(head_and_tail, "HEAD_ITEMS", 30)
    near = type(model)(model.config).fit(world).score(queries)  # type: ignore[attr-defined,call-arg]
    assert not np.array_equal(exact, near)
    alike = [np.corrcoef(one, other)[0, 1] for one, other in zip(exact, near, strict=True)]
    assert np.mean(alike) > 0.8
