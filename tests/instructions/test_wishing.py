"""Wishes about an item are true of it, and demand nothing that it lacks."""

import numpy as np
from tests.instructions.shelves import film_shelf

from instructrec.instructions.render import instruction_words
from instructrec.instructions.wishing import wish_for
from instructrec.tables import Catalog

SHELF = film_shelf()


def test_every_target_meets_what_is_demanded_and_most_have_a_wish():
    targets = list(range(len(SHELF))) * 3
    found = wish_for(SHELF, targets, np.random.default_rng(0))
    assert all(SHELF.matching(one.limits)[target] for one, target in zip(found, targets, strict=True))
    assert np.mean([bool(instruction_words(one)) for one in found]) > 0.8
    assert 0.2 < np.mean([bool(one.limits) for one in found]) < 0.8


def test_equal_seeds_give_equal_wishes():
    first, again = (wish_for(SHELF, [3, 5, 7], np.random.default_rng(4)) for _ in range(2))
    assert first == again


def test_words_of_a_text_are_wished_for_where_there_are_texts():
    texts = Catalog(item_ids=("a", "b"), titles=("A", "B"), texts=("quiet harbour storms", "engines and orbits"))
    wishes = [one.wish for one in wish_for(texts, [0] * 40, np.random.default_rng(0))]
    assert any(wishes)
    assert {word for wish in wishes for word in wish.split()} <= {"quiet", "harbour", "storms"}
