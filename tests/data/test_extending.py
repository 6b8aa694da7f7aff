"""What came since joins data that were cleaned once, as they were cleaned."""

from __future__ import annotations

import numpy as np
import pytest

from instructrec.data.cleaning import CleaningConfig
from instructrec.data.extending import Row, extended
from instructrec.tables import Catalog, Dataset, Interactions

NAN = float("nan")


def dataset(kinds=()):
    """u2 met i0 and i1, u10 met i1; items in an order that is not the natural one of their ids."""
    log = Interactions(
        user_ids=("u2", "u10"),
        users=np.array([0, 0, 1]),
        items=np.array([0, 1, 1]),
        timestamps=np.array([10, 20, 30]),
        ratings=np.array([3, 4, 5], dtype=np.float32),
        kinds=kinds,
    )
    return Dataset(name="small", interactions=log, catalog=Catalog(item_ids=("i9", "i1"), titles=("Nine", "One")))


def rows_of(found):
    log = found.interactions
    ids = found.catalog.item_ids
    return [(log.user_ids[u], ids[i], t) for u, i, t in zip(log.users.tolist(), log.items, log.timestamps.tolist(), strict=True)]


def test_new_rows_stand_by_time_and_new_users_by_name():
    new = [Row("u10", "i9", 5, NAN), Row("u3", "i1", 7, 2.0), Row("u3", "nowhere", 8, NAN)]
    found, steps = extended(dataset(), new, CleaningConfig())
    assert found.interactions.user_ids == ("u2", "u3", "u10")
    assert rows_of(found) == [("u2", "i9", 10), ("u2", "i1", 20), ("u3", "i1", 7), ("u10", "i9", 5), ("u10", "i1", 30)]
    assert found.catalog.item_ids == ("i9", "i1"), "items keep their codes"
    np.testing.assert_array_equal(found.interactions.ratings, np.array([3, 4, 2, NAN, 5], dtype=np.float32))
    assert steps[0].name == "unknown_items" and steps[0].removed == 1 and steps[0].examples == ("nowhere",)


@pytest.mark.parametrize(("policy", "wanted"), [("first", [20]), ("last", [50]), ("keep", [20, 50])])
def test_repeats_are_settled_as_they_were_when_the_data_were_cleaned(policy, wanted):
    found, _ = extended(dataset(), [Row("u2", "i1", 50, NAN)], CleaningConfig(repeated=policy))
    assert [time for user, item, time in rows_of(found) if (user, item) == ("u2", "i1")] == wanted


def test_ratings_on_a_scale_of_their_own_are_not_mixed_with_stars():
    found, _ = extended(dataset(), [Row("u3", "i1", 7, 2.0)], CleaningConfig(normalise="minmax"))
    assert np.isnan(found.interactions.ratings[2])


def test_kinds_stay_with_their_rows():
    found, _ = extended(dataset(("buy", "view", "buy")), [Row("u3", "i1", 7, NAN)], CleaningConfig())
    assert found.interactions.kinds == ("buy", "view", "", "buy")


def test_a_user_without_a_row_is_left_out():
    given = dataset()
    alone = given.with_interactions(given.interactions.keep(np.array([True, True, False])))
    assert extended(alone, [], CleaningConfig())[0].interactions.user_ids == ("u2",)
