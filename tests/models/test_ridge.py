"""Ridge against least squares, and its speed trick against the sums it replaces."""

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.data.synthetic import chain
from instructrec.errors import ConfigError
from instructrec.models import memory
from instructrec.models.ridge import Ridge, RidgeConfig, normal_equations

ONCE = [[0, 1, 2, 3], [2, 4, 0], [5], [3, 1, 5, 0, 4]]
REPEATS = [[0, 1, 0, 0, 2], [2, 2, 4, 2, 1, 4], [5, 5], [3, 1, 3, 0, 4, 1]]


def design(histories: list[list[int]], *, decay: float, num_items: int) -> tuple[np.ndarray, np.ndarray]:
    """One row per next-item target: the weighted history before it, and the target as 0/1."""
    rows, targets = [], []
    for history in histories:
        for place in range(1, len(history)):
            row, target = np.zeros(num_items), np.zeros(num_items)
            for age, item in enumerate(reversed(history[:place])):
                row[item] = max(row[item], decay**age)
            target[history[place]] = 1.0
            rows.append(row)
            targets.append(target)
    return np.array(rows), np.array(targets)


@pytest.mark.parametrize("histories", [ONCE, REPEATS], ids=["once", "repeats"])
@pytest.mark.parametrize("decay", [0.5, 0.8, 0.97])
def test_normal_equations_equal_the_explicit_sums(histories: list[list[int]], decay: float):
    interactions = dataset_of(histories).interactions
    system, targets = normal_equations(interactions.users, interactions.items, num_items=6, decay=decay)
    rows, wanted = design(histories, decay=decay, num_items=6)
    # Weights below one millionth are left out, and the division by 1 - decay^2 enlarges what that costs.
    np.testing.assert_allclose(system, rows.T @ rows, atol=5e-6 / (1 - decay**2))
    np.testing.assert_allclose(targets, rows.T @ wanted, atol=1e-5)


@pytest.mark.parametrize("histories", [ONCE, REPEATS], ids=["once", "repeats"])
def test_weights_equal_augmented_least_squares(histories: list[list[int]]):
    rows, targets = design(histories, decay=0.8, num_items=6)
    penalty = 2.5
    augmented = np.vstack([rows, np.sqrt(penalty) * np.eye(6)])
    wanted, *_ = np.linalg.lstsq(augmented, np.vstack([targets, np.zeros((6, 6))]), rcond=None)
    model = Ridge(RidgeConfig(decay=0.8, penalty=penalty, backward=0.0)).fit(dataset_of(histories))
    history = ("i4", "i1", "i3")
    np.testing.assert_allclose(model.score([Query(history=history)])[0], [0.64, 0.8, 1.0] @ wanted[[4, 1, 3]], atol=1e-6)


@pytest.mark.parametrize("backward", [0.0, 0.5])
def test_on_a_chain_the_next_step_comes_first(backward: float):
    world = chain(num_users=40, num_items=12)
    model = Ridge(RidgeConfig(penalty=1.0, backward=backward)).fit(world)
    answers = model.recommend([Query(history=(f"i{code}",), n=1) for code in range(12)])
    assert [answer.items[0].item for answer in answers] == [f"i{(code + 1) % 12}" for code in range(12)]


@pytest.mark.parametrize("histories", [ONCE, REPEATS], ids=["once", "repeats"])
def test_reading_backward_is_the_same_regression_with_mirrored_histories_added(histories: list[list[int]]):
    forth = design(histories, decay=0.8, num_items=6)
    back = design([history[::-1] for history in histories], decay=0.8, num_items=6)
    root = np.sqrt(0.25)
    rows = np.vstack([forth[0], root * back[0], np.sqrt(2.5) * np.eye(6)])
    targets = np.vstack([forth[1], root * back[1], np.zeros((6, 6))])
    wanted, *_ = np.linalg.lstsq(rows, targets, rcond=None)
    model = Ridge(RidgeConfig(decay=0.8, penalty=2.5, backward=0.25)).fit(dataset_of(histories))
    np.testing.assert_allclose(model.score([Query(history=("i4", "i1"))])[0], [0.8, 1.0] @ wanted[[4, 1]], atol=1e-6)


def test_float32_serves_where_float64_is_too_large(monkeypatch: pytest.MonkeyPatch):
    world = dataset_of(REPEATS)
    query = Query(history=("i1", "i2"))
    exact = Ridge(RidgeConfig(penalty=3.0)).fit(world).score([query])
    monkeypatch.setattr(memory, "_DOUBLE_UP_TO", 0)
    np.testing.assert_allclose(Ridge(RidgeConfig(penalty=3.0)).fit(world).score([query]), exact, atol=1e-5)


@pytest.mark.parametrize("values", [{"decay": 1.0}, {"decay": 0.0}, {"penalty": 0.0}, {"penalty": float("nan")}, {"backward": 1.5}])
def test_impossible_settings_are_refused(values: dict[str, float]):
    with pytest.raises(ConfigError, match=next(iter(values))):
        RidgeConfig(**values)
