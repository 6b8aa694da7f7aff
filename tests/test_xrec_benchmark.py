"""The parts of the benchmark on which its honesty rests: what a text is held against, and from which rows is learned."""

import numpy as np
import pytest
import scipy.sparse as sp
from benchmarks.xrec import OTHERS, found_itself, grounded, manner, told_apart
from benchmarks.xrec_words import folds


def test_a_text_is_found_only_above_all_others():
    size = OTHERS + 1  # so all others are drawn
    texts = sp.csr_matrix(np.eye(size))
    references = sp.lil_matrix(np.eye(size))
    assert found_itself(texts, references.tocsr()) == 1.0
    references[7, 3] = 1.0  # text 3 is as much like reference 7 as like its own: a tie is lost
    references[8, 4] = 0.5
    assert found_itself(texts, references.tocsr()) == pytest.approx(1 - 1 / size)
    assert found_itself(texts, references.tocsr(), [3, 4]) == 0.5
    assert found_itself(sp.csr_matrix((size, size)), references.tocsr()) == 0.0


def test_no_user_item_or_title_is_learned_from_that_is_tested():
    rng = np.random.default_rng(0)
    table = {
        "title": [f"Title {number}" for number in rng.integers(0, 80, 300)],
        "uid": list(rng.integers(0, 200, 300)),
        "iid": list(rng.integers(0, 150, 300)),
    }
    found = folds(table)
    assert sorted(row for test, _ in found for row in test) == list(range(300))
    for test, train in found:
        assert len(train)
        for column in table.values():
            assert not {column[row] for row in test} & {column[row] for row in train}


def test_of_two_texts_about_one_item_each_belongs_to_its_own_user():
    own = sp.csr_matrix(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))
    assert told_apart(own, own, ["a", "a", "b"]) == 1.0
    assert told_apart(own[[1, 0, 2]], own, ["a", "a", "b"]) == 0.0
    assert told_apart(own[[0, 0, 0]], own, ["a", "a", "b"]) == 0.5


def test_words_that_no_input_has_are_not_grounded():
    table = {"title": ["Moby &amp; co"], "item_summary": ["whales"], "user_summary": ["tulips"]}
    assert grounded(["“Moby & co”: the description speaks of whales, krakens."], table) == pytest.approx(3 / 4)


def test_pairs_and_openings_are_counted():
    measured = manner(["aa bb aa bb", "aa bb cc dd"])
    assert measured["distinct_2"] == pytest.approx(4 / 6)
    assert (measured["opening"], measured["words"]) == (0.5, 4.0)
