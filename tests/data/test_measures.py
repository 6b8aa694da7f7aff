"""What the log says of items, and that it is what training knows."""

import numpy as np
from tests.contracts import WORLD

from instructrec.data.measures import measures_of
from instructrec.data.split import split
from instructrec.instructions import parse
from instructrec.tables import Catalog, Interactions, Limit


def log_of(items, ratings):
    rows = len(items)
    return Interactions(
        user_ids=tuple(f"u{row}" for row in range(rows)),
        users=np.arange(rows),
        items=np.array(items),
        timestamps=np.zeros(rows, np.int64),
        ratings=np.array(ratings, np.float32),
    )


CATALOG = Catalog(item_ids=("a", "b", "c", "d"), titles=("A", "B", "C", "D"))


def test_popularity_is_the_share_of_items_that_fewer_people_chose():
    found = measures_of(log_of([0, 0, 0, 1, 2], [5, 3, 4, 1, 1]), CATALOG)
    np.testing.assert_allclose(found["popularity"], [1.0, 0.5, 0.5, 0.0])
    np.testing.assert_allclose(found["rating"], [4.0, 1.0, 1.0, np.nan])


def test_ratings_that_say_nothing_and_attributes_of_the_catalog_are_no_measures():
    assert set(measures_of(log_of([0, 1], [np.nan, np.nan]), CATALOG)) == {"popularity"}
    assert set(measures_of(log_of([0, 1], [1, 1]), CATALOG)) == {"popularity"}
    own = Catalog(item_ids=("a",), titles=("A",), numbers={"popularity": np.array([7.0])})
    assert measures_of(log_of([0], [1]), own) == {}


def test_a_split_knows_the_popularity_of_training_only_and_words_can_ask_for_it():
    parts = split(WORLD)
    catalog = parts.train.catalog
    counts = np.bincount(parts.train.interactions.items, minlength=len(catalog))
    assert catalog.measures["popularity"][counts.argmax()] == catalog.measures["popularity"].max()
    asked = parse("popularity above 0.5", catalog)
    [limit] = asked.limits
    assert (limit.attribute, limit.operator) == ("popularity", "range")
    assert catalog.matching([limit]).sum() == (catalog.measures["popularity"] > 0.5).sum() > 0
    assert not catalog.matching([Limit(attribute="popularity", operator="range", low=1.5)]).any()
