"""Coverage, diversity, novelty, popularity and segments on lists small enough to count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.worlds import catalog, dataset, holdout

from instructrec.evaluation.beyond import (
    BEYOND,
    Background,
    coverage,
    describe,
    diversity,
    gini,
    novelty,
    popularity,
)
from instructrec.evaluation.segments import by_history_length, segment_edges
from instructrec.tables import Catalog

TRAIN = dataset([(0, 0), (0, 1), (1, 0), (1, 0), (2, 0), (2, 2), (3, 0), (3, 1)])
"""Item 0: five interactions of four users; item 1: two of two; item 2: one; items 3 to 5: none."""


def test_background_counts_interactions_and_people() -> None:
    found = Background.of(TRAIN)
    assert found.counts.tolist() == [5, 2, 1, 0, 0, 0]
    assert found.readers.tolist() == [4, 2, 1, 0, 0, 0]
    assert found.num_users == 4
    assert found.labels.shape == (6, 3)


def test_coverage_and_gini() -> None:
    same = np.array([[0, 1], [0, 1]])
    apart = np.array([[0, 1], [2, 3]])
    assert coverage(same, 4) == 0.5
    assert coverage(apart, 4) == 1.0
    assert gini(apart, 4) == 0.0
    assert gini(same, 4) == pytest.approx(0.5)
    assert gini(np.array([[0], [0]]), 100) == pytest.approx(0.99)
    assert gini(np.full((2, 2), -1), 4) == 0.0


def test_diversity_by_hand() -> None:
    labels = catalog().label_matrix()
    lists = np.array([[0, 1, 3], [0, 0, -1], [4, 0, -1], [4, -1, -1]])
    found = diversity(lists, labels)
    # Comedy against Comedy+Drama shares one of two; both share nothing with Horror. Item 4 has no genre at all.
    assert found[0] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found[1] == 0.0
    assert np.isnan(found[2:]).all()


def test_novelty_and_popularity_by_hand() -> None:
    background = Background.of(TRAIN)
    lists = np.array([[0, 1], [2, 3], [-1, -1]])
    bits = novelty(lists, background.counts)
    assert bits[0] == pytest.approx((-math.log2(5 / 8) - math.log2(2 / 8)) / 2)
    assert bits[1] == pytest.approx(3.0)
    known = popularity(lists, background.readers, background.num_users)
    assert known[:2].tolist() == [0.75, 0.125]
    assert np.isnan([bits[2], known[2]]).all()


def test_describe_gives_every_measure_the_catalog_allows() -> None:
    lists = np.array([[0, 1], [2, 3]])
    assert list(describe(lists, Background.of(TRAIN, holdout([[0], [0, 1]], [[1], [3]])))) == list(BEYOND)
    bare = Catalog(item_ids=("a",), titles=("A",))
    assert bare.label_matrix().shape == (1, 0)
    background = Background(
        counts=np.ones(6, dtype=np.int64), readers=np.ones(6, dtype=np.int64), num_users=1, labels=np.zeros((6, 0), dtype=np.bool_)
    )
    assert "diversity" not in describe(lists, background)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 5), min_size=3, max_size=3), min_size=1, max_size=8))
def test_bounds(rows: list[list[int]]) -> None:
    lists = np.array(rows)
    assert 0 <= coverage(lists, 6) <= 1
    assert -1e-12 <= gini(lists, 6) < 1
    apart = diversity(lists, catalog().label_matrix())
    assert ((apart >= 0) & (apart <= 1) | np.isnan(apart)).all()


def test_segments_hold_everyone_once() -> None:
    lengths = np.array([3, 3, 3, 4, 5, 9, 20, 40, 41, 50])
    values = np.arange(10) / 10
    segments = by_history_length(values, lengths)
    assert sum(segment.num_users for segment in segments) == 10
    assert segments[0].low == 3
    assert segments[-1].high == 50
    assert all(one.high < two.low for one, two in zip(segments, segments[1:], strict=False))


def test_given_edges_are_kept_and_empty_segments_left_out() -> None:
    segments = by_history_length(np.array([1.0, 0.0, np.nan]), np.array([1, 15, 30]), edges=[0, 10, 20])
    assert [(segment.label, segment.num_users, segment.metric.value) for segment in segments] == [
        ("0–1", 1, 1.0),
        ("10–15", 1, 0.0),
    ]
    assert segment_edges(np.array([7, 7, 7])) == [7]
    assert segment_edges(np.zeros(0, dtype=np.int64)) == []
