"""Histories as matrices, against loops that do the same slowly."""

import numpy as np
import pytest

from instructrec.models.histories import gram, previous_occurrence, reach, recency_pairs, recency_rows

USERS = np.array([0, 0, 0, 0, 1, 1, 3, 3, 3])
ITEMS = np.array([2, 0, 2, 1, 4, 0, 3, 3, 1])


def slow_rows(histories: list[list[int]], *, decay: float, num_items: int) -> np.ndarray:
    out = np.zeros((len(histories), num_items))
    for row, history in enumerate(histories):
        for age, item in enumerate(reversed(history)):
            out[row, item] = max(out[row, item], decay**age)
    return out


def as_arrays(histories: list[list[int]]) -> list[np.ndarray]:
    return [np.array(history, dtype=np.int64) for history in histories]


@pytest.mark.parametrize("decay", [0.3, 0.8, 1.0])
def test_rows_decay_with_age_and_a_repeat_keeps_its_latest_weight(decay: float):
    histories = [[2, 0, 2, 1], [], [4], [3, 3, 1, 0, 3]]
    found = recency_rows(as_arrays(histories), decay=decay, num_items=5, floor=1e-9)
    np.testing.assert_allclose(found.toarray(), slow_rows(histories, decay=decay, num_items=5), rtol=1e-6)


def test_items_too_light_to_matter_are_left_out():
    found = recency_rows(as_arrays([list(range(100))]), decay=0.5, num_items=100, floor=1e-3)
    assert found.nnz == 10
    assert found.data.min() >= 1e-3


def test_no_histories_make_no_rows():
    assert recency_rows([], decay=0.9, num_items=5).shape == (0, 5)


def test_reach_is_the_last_age_at_or_above_the_floor():
    assert reach(0.1, 0.01) in (2, 3)
    assert reach(0.8, 1e-3) == 31
    assert reach(1.0, 1e-3) is None


def test_previous_occurrence_stays_inside_one_user():
    np.testing.assert_array_equal(previous_occurrence(USERS, ITEMS), [-1, -1, 0, -1, -1, -1, -1, 6, -1])


def test_pairs_of_a_later_row_add_up_to_the_history_before_it():
    found = np.zeros((len(ITEMS), 5))
    for earlier, later, weight in recency_pairs(USERS, ITEMS, decay=0.7):
        np.add.at(found, (later, ITEMS[earlier]), weight)
    for row, user in enumerate(USERS):
        before = [int(item) for item, owner in zip(ITEMS[:row], USERS[:row], strict=True) if owner == user]
        np.testing.assert_allclose(found[row], slow_rows([before], decay=0.7, num_items=5)[0])


def test_pairs_without_decay_reach_the_whole_history():
    users, items = np.zeros(50, dtype=np.int64), np.arange(50)
    assert sum(len(earlier) for earlier, _, _ in recency_pairs(users, items, decay=1.0)) == 50 * 49 // 2


@pytest.mark.parametrize("dense", [True, False])
def test_gram_is_the_product_whichever_way_it_is_computed(dense: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("instructrec.models.histories._SPARSE_PENALTY", 1e9 if dense else 0.0)
    monkeypatch.setattr("instructrec.models.histories._DENSE_BLOCK_BYTES", 4 * 5 * 2)
    rows = recency_rows(as_arrays([[0, 1], [1, 2, 3], [4], [0, 4, 2]]), decay=0.5, num_items=5)
    np.testing.assert_allclose(gram(rows), rows.toarray().T @ rows.toarray())
