"""Ranks and top lists from score matrices agree with the one top-n that shows lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.errors import DataError, ModelError
from instructrec.evaluation import ranking
from instructrec.evaluation.metrics import NOT_RANKED
from instructrec.evaluation.ranking import rank_targets, top_codes
from instructrec.lists import top_n


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 25), st.integers(1, 30), st.floats(0, 1))
def test_the_same_order_as_the_lists_that_are_shown(seed: int, rows: int, items: int, k: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, size=(rows, items)).astype(np.float32)
    mask = rng.random((rows, items)) < share
    top = top_codes(scores, mask, k)
    targets = [rng.choice(items, size=rng.integers(0, items + 1), replace=False) for _ in range(rows)]
    ranks = rank_targets(scores, mask, targets).ranks
    assert top.shape == (rows, k)
    for row in range(rows):
        shown = top_n(scores[row], mask[row], k)
        assert top[row].tolist() == shown + [-1] * (k - len(shown))
        whole = top_n(scores[row], mask[row], items)
        expected = sorted(whole.index(code) + 1 if mask[row, code] else NOT_RANKED for code in targets[row].tolist())
        assert ranks[row, : len(expected)].tolist() == expected
        assert (ranks[row, len(expected) :] == NOT_RANKED).all()


def test_small_blocks_give_the_same_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    scores, mask = rng.random((9, 40), dtype=np.float32), rng.random((9, 40)) < 0.8
    targets = [rng.choice(40, size=5, replace=False) for _ in range(9)]
    whole = rank_targets(scores, mask, targets)
    monkeypatch.setattr(ranking, "CELLS_AT_ONCE", 100)
    assert np.array_equal(rank_targets(scores, mask, targets).ranks, whole.ranks)


def test_a_target_named_twice_counts_once() -> None:
    found = rank_targets(np.array([[3, 2, 1]], dtype=np.float32), np.ones((1, 3), dtype=np.bool_), [np.array([1, 1])])
    assert found.counts.tolist() == [1]
    assert found.ranks.tolist() == [[2]]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(wrong: float) -> None:
    scores = np.array([[1.0, 2.0], [1.0, wrong]], dtype=np.float32)
    with pytest.raises(ModelError, match="query 1"):
        rank_targets(scores, np.ones((2, 2), dtype=np.bool_), [np.array([0]), np.array([0])])


def test_targets_outside_the_catalog_are_refused() -> None:
    scores, mask = np.zeros((1, 2), dtype=np.float32), np.ones((1, 2), dtype=np.bool_)
    with pytest.raises(DataError, match="item code 2"):
        rank_targets(scores, mask, [np.array([2])])
    with pytest.raises(DataError, match="1 rows of scores for 2 rows"):
        rank_targets(scores, mask, [np.array([0]), np.array([1])])


def test_no_queries_and_no_items_give_empty_answers() -> None:
    assert top_codes(np.zeros((0, 4), dtype=np.float32), np.zeros((0, 4), dtype=np.bool_), 3).shape == (0, 3)
    assert top_codes(np.zeros((2, 0), dtype=np.float32), np.zeros((2, 0), dtype=np.bool_), 3).tolist() == [[-1] * 3] * 2
