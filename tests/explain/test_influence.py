"""Leave-one-out is exact: compared with a linear model worked out by hand, and with a plain loop."""

import numpy as np
import pytest
from tests.explain.worlds import WEIGHTS, Linear, film_world, shown

from instructrec.core import Query
from instructrec.errors import QueryError
from instructrec.explain import measure_influence

WORLD = film_world()


def model():
    return Linear().fit(WORLD)


def test_effects_of_a_linear_model_are_its_centred_weights():
    query = Query(history=("i0", "i1", "i3"))
    [found] = measure_influence(model(), [shown(query, "i4", "i5")])
    assert found.history.tolist() == [0, 1, 3] and found.shown.tolist() == [4, 5]
    by_hand = [[9 - 15 / 8, 1 - 15 / 8], [5 - 11 / 8, 0 - 11 / 8], [-4 - 3 / 8, 7 - 3 / 8]]
    np.testing.assert_allclose(found.effects, by_hand, atol=1e-5)


def test_an_only_item_carries_the_whole_score():
    [found] = measure_influence(model(), [shown(Query(history=("i0",)), "i4")])
    np.testing.assert_allclose(found.effects, [[9 - 15 / 8]], atol=1e-5)


def test_a_batch_is_one_call_and_equals_single_answers():
    queries = [Query(history=("i0", "i1")), Query(), Query(history=("i6", "i2", "i1"))]
    lists = [shown(queries[0], "i4"), shown(queries[1], "i0", "i1"), shown(queries[2], "i0", "i4")]
    together = model()
    found = measure_influence(together, lists)
    # The query, without each, with each alone, and with none.
    assert together.calls == [6 + 8]
    for one, recommendation in zip(found, lists, strict=True):
        [alone] = measure_influence(model(), [recommendation])
        np.testing.assert_array_equal(one.effects, alone.effects)


def test_only_the_most_recent_distinct_known_items_are_measured():
    query = Query(history=("i0", "i1", "unknown", "i1", "i2", "i1"))
    [found] = measure_influence(model(), [shown(query, "i4")], max_history=2)
    assert found.history.tolist() == [2, 1]
    [whole] = measure_influence(model(), [shown(query, "i4")])
    assert whole.history.tolist() == [0, 2, 1]


def test_an_item_that_occurs_twice_is_taken_out_everywhere():
    query = Query(history=("i0", "i1", "i0"))
    [found] = measure_influence(model(), [shown(query, "i4")])
    np.testing.assert_allclose(found.effects[found.history.tolist().index(0)], [2 * (9 - 15 / 8)], atol=1e-5)


class Best(Linear):
    """The strongest weight of the history alone: items stand in for each other."""

    def score(self, queries):
        rows = [self.catalog.codes(query.history) for query in queries]
        return np.stack([self.weights[codes].max(axis=0) if len(codes) else self.popularity for codes in rows]).astype(np.float32)


def test_items_that_stand_in_for_each_other_share_what_they_bring():
    weights = np.zeros((8, 8), dtype=np.float32)
    weights[0, 4] = weights[1, 4] = 8.0
    [found] = measure_influence(Best(weights).fit(WORLD), [shown(Query(history=("i0", "i1", "i2")), "i4")])
    # Nothing is lost without either of the two, but each alone brings 8, which is 7 above the mean of the row.
    np.testing.assert_allclose(found.effects, [[3.5], [3.5], [0.0]], atol=1e-5)


def test_older_items_that_are_not_measured_stand_on_both_sides():
    query = Query(history=("i0", "i1", "i2"))
    [found] = measure_influence(model(), [shown(query, "i4")], max_history=1)
    np.testing.assert_allclose(found.effects, [[3 - 8 / 8]], atol=1e-5)


def test_a_shift_of_all_scores_changes_nothing():
    [plain] = measure_influence(model(), [shown(Query(history=("i0", "i1")), "i4")])
    shifted = Linear(WEIGHTS + np.arange(8, dtype=np.float32)[:, None] * 100)
    [other] = measure_influence(shifted.fit(WORLD), [shown(Query(history=("i0", "i1")), "i4")])
    np.testing.assert_allclose(plain.effects, other.effects, atol=1e-3)


def test_rows_are_bounded_and_give_the_same(monkeypatch):
    [plain] = measure_influence(model(), [shown(Query(history=("i0", "i1", "i2")), "i4")])
    monkeypatch.setattr("instructrec.explain.influence.MAX_ROWS", 3)
    chunked = model()
    [found] = measure_influence(chunked, [shown(Query(history=("i0", "i1", "i2")), "i4")])
    assert chunked.calls == [3, 3, 2]
    np.testing.assert_array_equal(found.effects, plain.effects)


def test_a_list_of_another_catalog_is_refused():
    with pytest.raises(QueryError, match="'x9'"):
        measure_influence(model(), [shown(Query(), "x9")])
