"""EASE against its closed form computed naively, and what recency changes."""

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.errors import ConfigError
from instructrec.models.ease import Ease, EaseConfig, RecencyEase, RecencyEaseConfig, ease_weights

HISTORIES = [[0, 1, 2], [1, 2, 3, 1], [4, 0], [5, 3, 2, 0], [1, 4]]


def naive(penalty: float) -> np.ndarray:
    met = np.zeros((len(HISTORIES), 6))
    for user, history in enumerate(HISTORIES):
        met[user, history] = 1.0
    inverse = np.linalg.inv(met.T @ met + penalty * np.eye(6))
    weights = np.zeros((6, 6))
    for source in range(6):
        for target in range(6):
            weights[source, target] = 0.0 if source == target else -inverse[source, target] / inverse[target, target]
    return weights


def solved(penalty: float) -> np.ndarray:
    interactions = dataset_of(HISTORIES).interactions
    return ease_weights(interactions.users, interactions.items, num_items=6, penalty=penalty)


@pytest.mark.parametrize("penalty", [0.5, 3.0, 300.0])
def test_weights_equal_the_closed_form(penalty: float):
    np.testing.assert_allclose(solved(penalty), naive(penalty), atol=1e-6)


def test_no_item_predicts_itself():
    np.testing.assert_array_equal(np.diag(solved(1.0)), 0.0)


def test_each_item_is_predicted_as_least_squares_would_from_the_others():
    met = np.zeros((len(HISTORIES), 6))
    for user, history in enumerate(HISTORIES):
        met[user, history] = 1.0
    for target in range(6):
        others = [item for item in range(6) if item != target]
        augmented = np.vstack([met[:, others], np.sqrt(2.0) * np.eye(5)])
        wanted, *_ = np.linalg.lstsq(augmented, np.concatenate([met[:, target], np.zeros(5)]), rcond=None)
        np.testing.assert_allclose(solved(2.0)[others, target], wanted, atol=1e-6)


def test_ease_forgets_the_order_and_recency_ease_does_not():
    world = dataset_of(HISTORIES)
    forth, back = Query(history=("i0", "i1", "i5")), Query(history=("i5", "i1", "i0"))
    plain = Ease(EaseConfig(penalty=1.0)).fit(world).score([forth, back])
    np.testing.assert_allclose(plain[0], plain[1], atol=1e-6)
    recent = RecencyEase(RecencyEaseConfig(penalty=1.0, decay=0.5, nearness=1.0)).fit(world).score([forth, back])
    assert np.abs(recent[0] - recent[1]).max() > 0.01
    np.testing.assert_allclose(recent[0], [0.25, 0.5, 1.0] @ naive(1.0)[[0, 1, 5]], atol=1e-6)


def test_recency_ease_without_decay_and_nearness_is_ease():
    world = dataset_of(HISTORIES)
    query = Query(history=("i0", "i1"))
    plain = Ease(EaseConfig(penalty=1.0)).fit(world).score([query])
    config = RecencyEaseConfig(penalty=1.0, decay=1.0, nearness=1.0)
    np.testing.assert_array_equal(RecencyEase(config).fit(world).score([query]), plain)


@pytest.mark.parametrize("nearness", [0.5, 0.9])
def test_with_nearness_a_pair_counts_less_the_further_apart_it_stands(nearness: float):
    histories = [[0, 1, 2], [3, 1, 4, 0], [5, 2]]
    near = np.zeros((6, 6))
    for history in histories:
        for first, item in enumerate(history):
            for second, other in enumerate(history):
                near[item, other] += nearness ** abs(first - second)
    inverse = np.linalg.inv(near + 1.5 * np.eye(6))
    wanted = -inverse / np.diag(inverse) * (1 - np.eye(6))
    interactions = dataset_of(histories).interactions
    found = ease_weights(interactions.users, interactions.items, num_items=6, penalty=1.5, nearness=nearness)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_nearness_close_to_one_comes_close_to_plain_ease_even_with_repeats():
    interactions = dataset_of(HISTORIES).interactions
    found = ease_weights(interactions.users, interactions.items, num_items=6, penalty=1.0, nearness=1 - 1e-7)
    np.testing.assert_allclose(found, naive(1.0), atol=1e-5)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match="penalty is -1"):
        EaseConfig(penalty=-1.0)
    with pytest.raises(ConfigError, match=r"decay is 1\.5"):
        RecencyEaseConfig(decay=1.5)
    with pytest.raises(ConfigError, match=r"nearness is 0\.0"):
        RecencyEaseConfig(nearness=0.0)
