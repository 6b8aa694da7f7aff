"""Popularity of late: the half-life is the one that ranks what people chose next best."""

import numpy as np
import pytest
from tests.contracts import RecommenderContract
from tests.models.worlds import dataset_of

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.models.popular import Popular
from instructrec.models.recent import Recent, RecentConfig
from instructrec.recommender import Recommender

# Day by day: item 0 is what most chose, item 3 what they choose last. A day is a place in the history.
TURNED = dataset_of([[0, 0, 0, 0, 3], [0, 1, 0, 2, 3], [0, 0, 1, 2, 3], [0, 2, 0, 1, 2]])
ASKED = [Query(user=f"u{k}", hide_seen=False) for k in range(6)]


class TestRecent(RecommenderContract):
    model = Recent
    learns_taste = False


def test_where_taste_turned_what_is_new_comes_first():
    model = Recent().fit(TURNED, FitContext(validation=(ASKED, [3] * 6)))
    assert [item.item for item in model.recommend([Query(n=2)])[0].items][0] == "i3"


def test_where_it_did_not_all_count_alike():
    model = Recent().fit(TURNED, FitContext(validation=(ASKED, [0] * 6)))
    np.testing.assert_array_equal(model.score(ASKED), Popular().fit(TURNED).score(ASKED))


def test_the_choice_is_that_of_the_best_single_half_life():
    rng = np.random.default_rng(0)
    data = dataset_of([rng.integers(0, 6, size=8).tolist() for _ in range(30)])
    targets = rng.integers(0, 6, size=40).tolist()
    queries = [Query(hide_seen=False)] * 40
    days = (0.0, 0.5, 2.0)

    def gain(model: Recommender) -> float:
        order = np.argsort(-model.score(queries[:1])[0], kind="stable").tolist()
        return sum(1 / np.log2(2 + order.index(target)) for target in targets)

    singles = [Recent(RecentConfig(half_lives_days=(one,))).fit(data) for one in days]
    chosen = Recent(RecentConfig(half_lives_days=days)).fit(data, FitContext(validation=(queries, targets)))
    assert gain(chosen) == pytest.approx(max(map(gain, singles)))
    assert len({round(gain(model), 6) for model in singles}) > 1


def test_without_validation_the_first_half_life_counts():
    model = Recent(RecentConfig(half_lives_days=(1.0, 0.0))).fit(dataset_of([[0, 1, 2], [0, 1], [0]]))
    np.testing.assert_allclose(model.score([Query()])[0, :3], np.log1p([0.75, 1.0, 1.0]), rtol=1e-6)


def test_checks_on_the_way_are_not_told_as_steps_of_training():
    told: list[float] = []
    Recent().fit(TURNED, FitContext(validation=(ASKED, [3] * 6), watch=told.append))
    assert told == []


@pytest.mark.parametrize("days", [(), (-1.0,), (0.0, float("nan"))], ids=["none", "negative", "nan"])
def test_impossible_half_lives_are_refused(days):
    with pytest.raises(ConfigError, match="half_lives_days is"):
        RecentConfig(half_lives_days=days)
