"""A profile says only what the history shows, in words that steer when they are given back."""

import numpy as np
import pytest
from tests.instructions.shelves import film_shelf

from instructrec.core import Instruction, Query
from instructrec.errors import ConfigError
from instructrec.instructions import profile_of, steered_by
from instructrec.instructions.render import query_example, query_words

SHELF = film_shelf()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_share_is_that_of_the_history(language):
    shelf = film_shelf(language)
    rng = np.random.default_rng(0)
    for _ in range(20):
        history = tuple(shelf.item_ids[code] for code in rng.integers(0, len(shelf), size=12))
        found = profile_of(history, shelf, language=language)
        codes = shelf.codes(history)
        owners = {value: name for name, labels in shelf.labels.items() for value in labels.names}
        for value, share in (*found.likes, *found.rarely):
            has = shelf.labels[owners[value]].any_of([value])[codes]
            assert has.mean() == pytest.approx(share)
            assert value in found.text
        assert all(share >= 0.2 for _, share in found.likes)
        for decade, share in found.decades:
            assert ((shelf.numbers["year"][codes] // 10 * 10) == decade).mean() == pytest.approx(share)
        assert found.titles[0] == history[-1]


def test_nobody_has_a_profile_that_says_so():
    assert "Nothing" in profile_of((), SHELF).text
    with pytest.raises(ConfigError, match="fr"):
        profile_of((), SHELF, language="fr")


def test_the_text_is_read_before_the_instruction_and_its_bans_hold():
    query = steered_by(Query(instruction=Instruction(text="tonight", wish="tonight")), "I love westerns. No horror!", SHELF)
    assert query_words(query) == "I love westerns. No horror! tonight"
    horror = {SHELF.item_ids[code] for code in np.flatnonzero(SHELF.labels["genres"].any_of(["Horror"]))}
    assert horror == query.exclude
    assert query.instruction is not None
    assert not query.instruction.limits
    assert query_example(query, SHELF, language="en", max_history=5).branches[0].pieces == (query_words(query),)


def test_a_written_profile_bans_nothing_when_it_is_given_back():
    for start in range(0, len(SHELF) - 12, 3):
        text = profile_of(SHELF.item_ids[start : start + 12], SHELF).text
        assert steered_by(Query(), text, SHELF).exclude == frozenset()


def test_no_text_changes_nothing():
    assert steered_by(Query(n=3), "  ", SHELF) == Query(n=3)
