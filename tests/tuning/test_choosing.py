"""Of many draws the one that is most like what could be true is taken, and not what others were given."""

from __future__ import annotations

import numpy as np
import pytest

from instructrec.data.reviews import Review
from instructrec.tuning.choosing import ChoiceWeights, candidates, choose, offered
from instructrec.tuning.knowing import Known, Memory

ALONE = Known(user="u", item="i", rating=4.0, of_item=(), by_user=())
OTHERS = Known(
    user="u",
    item="i",
    rating=4.0,
    of_item=(Review(user="v", item="i", rating=5.0, feature="cable", sentence="solid cable"),),
    by_user=(Review(user="u", item="j", rating=5.0, feature="strap", sentence="i like the strap"),),
)
MEMORY = Memory([*OTHERS.of_item, *OTHERS.by_user, *OTHERS.by_user])
FEATURES = frozenset({"sound", "cable", "strap"})
DRAWN = ["great sound", "great sound", "great clear sound", "i like the strap", "solid cable", ""]
PLAIN = ChoiceWeights(pairs=0, triples=0, fours=0, of_item=0, by_user=0, feature=0, usual=0, again=0, crowded=0)


def test_expected_overlaps_counted_by_hand():
    found = candidates(["a b", "a b", "a c d"], ALONE, frozenset(), MEMORY)
    assert found.sentences == (("a", "b"), ("a", "c", "d"))
    assert found.exists.tolist() == [True, False, False]
    np.testing.assert_allclose(found.overlap[0, 0], [(2 * 1 + 2 / 5) / 3, (2 * 2 / 5 + 1) / 3])
    np.testing.assert_allclose(found.overlap[0, 1], [2 / 3, 1 / 3])
    np.testing.assert_allclose(found.overlap[0, 3], [0, 0])
    assert not found.overlap[1:].any()


def test_offered_are_draws_what_others_speak_of_in_their_place_and_what_others_wrote():
    found = [" ".join(words) for words in offered(DRAWN, OTHERS, FEATURES)]
    plain = ["great sound", "great cable", "great clear sound", "great clear cable", "i like the strap", "i like the cable"]
    assert found == [*plain, "solid cable"]
    assert offered(["good strings"], OTHERS, frozenset({"strings", "cable"})) == [("good", "strings"), ("solid", "cable")]
    assert offered(["", "great sound"], ALONE, FEATURES) == [("great", "sound")]


def test_expected_matches_are_half_by_draws_half_by_others():
    found = candidates(DRAWN, OTHERS, FEATURES, MEMORY)
    chances = {"sound": 0.5 * 3 / 6, "strap": 0.5 / 6, "cable": 0.5 / 6 + 0.5}
    np.testing.assert_allclose(found.matches, [chances[next(iter(held))] for held in found.features])
    np.testing.assert_allclose(candidates(DRAWN[:1], ALONE, FEATURES, MEMORY).matches, [1.0])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "great sound"),
        ({"of_item": 9.0}, "solid cable"),
        ({"by_user": 9.0}, "i like the strap"),
        ({"feature": 9.0}, "great cable"),
        ({"usual": 9.0}, "i like the strap"),
        ({"length": 1.0}, "i like the cable"),
    ],
)
def test_each_weight_counts_for_what_it_says(changed, expected):
    weights = ChoiceWeights(**({name: getattr(PLAIN, name) for name in PLAIN.__dataclass_fields__} | changed))
    assert choose([candidates(DRAWN, OTHERS, FEATURES, MEMORY)], weights) == [expected.split()]


def test_what_others_were_given_counts_against_a_sentence():
    same = [candidates(DRAWN, ALONE, FEATURES, MEMORY)] * 3
    assert [" ".join(words) for words in choose(same, PLAIN)] == ["great sound"] * 3
    again = ChoiceWeights(pairs=0, fours=0, feature=0, again=9.0, crowded=0)
    assert len({tuple(words) for words in choose(same, again)}) == 3
    crowded = ChoiceWeights(pairs=0, fours=0, feature=0, again=0, crowded=9.0)
    assert [set(words) & FEATURES for words in choose(same, crowded)][0] != [
        set(words) & FEATURES for words in choose(same, crowded)
    ][1]


def test_where_nothing_was_drawn_nothing_is_given():
    given = [candidates(["", ""], OTHERS, FEATURES, MEMORY), candidates([], ALONE, FEATURES, MEMORY)]
    assert choose(given, ChoiceWeights()) == [["solid", "cable"], []]
    assert choose(given, PLAIN) == [["solid", "cable"], []]
