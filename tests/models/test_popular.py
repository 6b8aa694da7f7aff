"""Popularity counts, fades and is the same for everyone."""

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.errors import ConfigError
from instructrec.models.popular import Popular, PopularConfig

HISTORIES = [[0, 1, 2], [1, 2], [1, 4]]


def test_scores_are_log_counts():
    scores = Popular().fit(dataset_of(HISTORIES)).score([Query(), Query(history=("i3",))])
    np.testing.assert_allclose(scores, np.log1p([[1, 3, 2, 0, 1, 0]] * 2), rtol=1e-6)


def test_equally_popular_items_come_in_catalog_order():
    [answer] = Popular().fit(dataset_of(HISTORIES)).recommend([Query(n=6)])
    assert [item.item for item in answer.items] == ["i1", "i2", "i0", "i4", "i3", "i5"]


def test_with_a_half_life_older_interactions_count_less():
    # The newest day is 2: an interaction of day 1 counts a half, of day 0 a quarter.
    model = Popular(PopularConfig(half_life_days=1.0)).fit(dataset_of([[0, 1, 2], [0, 1], [0]]))
    np.testing.assert_allclose(model.score([Query()])[0, :3], np.log1p([0.75, 1.0, 1.0]), rtol=1e-6)


def test_it_was_asked_for_so_it_is_no_lesser_answer():
    answers = Popular().fit(dataset_of(HISTORIES)).recommend([Query(), Query(history=("i1",))])
    assert [(answer.degraded, answer.served_by, answer.notes) for answer in answers] == [
        (False, "popular", ("short_list:6",)),
        (False, "popular", ("short_list:5",)),
    ]


def test_an_impossible_half_life_is_refused():
    with pytest.raises(ConfigError, match="half_life_days is -3"):
        PopularConfig(half_life_days=-3)
