"""Every part of an attribution is what a linear model loses without it, worked out by hand, and what a loop finds."""

import numpy as np
import pytest
from tests.explain.worlds import Doubled, Linear, film_world

from instructrec.core import Instruction, Query
from instructrec.data.synthetic import genres
from instructrec.explain import attribute
from instructrec.models import resolve
from instructrec.recommender import steered

WORLD = film_world()


def above_mean(row, code):
    return float(row[code] - row.mean())


def test_history_and_values_of_a_linear_model_are_its_centred_weights():
    found = attribute(Linear().fit(WORLD), Query(history=("i0", "i1", "i3")), "i4")
    by_hand = {"i0": 9 - 15 / 8, "i1": 5 - 11 / 8, "i3": -4 - 3 / 8}
    assert [item for item, _ in found.history] == ["i0", "i1", "i3"]
    assert dict(found.history) == pytest.approx(by_hand, abs=1e-5)
    # Animation is shared with both, Comedy with the first alone; the strongest comes first.
    assert [(ref.value, effect) for ref, effect in found.values] == [
        ("Animation", pytest.approx(by_hand["i0"] + by_hand["i1"], abs=1e-5)),
        ("Comedy", pytest.approx(by_hand["i0"], abs=1e-5)),
    ]
    assert (found.rank, found.listed, found.words) == (1, True, ())


def test_sources_add_up_to_the_score_above_its_mean():
    fusion = Doubled().fit(WORLD)
    found = attribute(fusion, Query(history=("i0",)), "i4")
    assert dict(found.sources) == pytest.approx({"ridge": 0.25 * (9 - 15 / 8), "lm": 0.75 * (9 - 15 / 8)}, abs=1e-5)


def test_an_item_beyond_the_list_has_its_rank_and_a_forbidden_one_none():
    found = attribute(Linear().fit(WORLD), Query(history=("i0",), n=1), "i1")
    assert (found.rank, found.listed) == (2, False)
    assert attribute(Linear().fit(WORLD), Query(history=("i0",)), "i0").rank == 0


def test_words_are_taken_away_one_by_one():
    world = genres()
    model = resolve("bm25")().fit(world)
    title = world.catalog.titles[3].lower()
    wish = f"something {title} please"
    query = Query(instruction=Instruction(text=wish, wish=wish))
    item = world.catalog.item_ids[3]
    found = attribute(model, query, item)
    assert [word for word, _ in found.words] == wish.split()

    def score(words):
        asked = Query(instruction=Instruction(text=words, wish=words))
        return above_mean(np.sum(list(steered(model, [asked]).values()), axis=0)[0], 3)

    for place, (_, effect) in enumerate(found.words):
        rest = " ".join(word for spot, word in enumerate(wish.split()) if spot != place)
        assert effect == pytest.approx(score(wish) - score(rest), abs=1e-5)
    assert max(effect for _, effect in found.words) > 0


def test_the_only_word_leaves_nothing_to_follow():
    world = genres()
    model = resolve("bm25")().fit(world)
    word = world.catalog.titles[3].split()[-1]
    found = attribute(model, Query(instruction=Instruction(text=word, wish=word)), world.catalog.item_ids[3])
    [(_, effect)] = found.words
    assert effect > 0


def test_somebody_without_anything_has_no_reasons():
    found = attribute(Linear().fit(WORLD), Query(), "i4")
    assert (found.history, found.values, found.words) == ((), (), ())
    assert found.rank > 0
