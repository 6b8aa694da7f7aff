"""Requests that share a row are read as they are alone."""

import numpy as np
import pytest

from instructrec.core import Instruction, Query
from instructrec.data.synthetic import genres
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.tuning.packing import Encoded
from instructrec.tuning.sharing import LONGEST_ROW, blocks, share


def request(*tokens):
    size = len(tokens)
    zeros = np.zeros(size, dtype=np.int64)
    return Encoded(tokens=np.array(tokens), positions=np.arange(size), branch=zeros, sees=zeros, next_items=(), questions=())


def test_what_is_the_same_from_the_start_is_read_once():
    [row] = share([request(1, 2, 3, 4, 5), request(1, 2, 3, 5), request(1, 2, 4, 5)])
    assert row.members == (0, 1, 2) and row.answers == (4, 5, 7)
    assert row.example.tokens.tolist() == [1, 2, 3, 4, 5, 5, 4, 5]
    assert row.example.positions.tolist() == [0, 1, 2, 3, 4, 3, 2, 3]
    assert row.example.branch.tolist() == [0, 0, 0, 0, 0, 1, 2, 2]
    assert row.example.sees.tolist() == [0, 0, 0, 0, 0, 3, 2, 2]


def test_requests_of_different_people_the_same_ones_and_those_of_models_that_look_forward_stay_apart():
    both = [request(1, 2, 3, 4), request(7, 8, 9)]
    assert [row.members for row in share(both)] == [(0,), (1,)]
    assert [row.members for row in share([both[0], both[0]])] == [(0,), (1,)]
    assert [row.members for row in share([request(1, 2, 3, 4), request(1, 2, 3, 5)], apart=True)] == [(0,), (1,)]
    assert share([]) == []


def test_a_row_never_grows_beyond_its_bound():
    whole = list(range(120))
    requests = [request(*whole)] + [request(*whole[:place], *whole[place + 1 :]) for place in range(60, 120)]
    rows = share(requests)
    assert [number for row in rows for number in row.members] == list(range(len(requests)))
    assert all(len(row.example.tokens) <= LONGEST_ROW for row in rows)
    assert sum(len(row.example.tokens) for row in rows) < 0.7 * sum(len(one.tokens) for one in requests)


def test_blocks_hold_every_row_once_and_stay_below_their_bound():
    lengths = [5, 100, 7, 30, 30, 2, 64]
    found = blocks(lengths, 100)
    assert sorted(k for block in found for k in block) == list(range(len(lengths)))
    assert all(len(block) == 1 or len(block) * max(lengths[k] for k in block) <= 100 for block in found)


def test_long_rows_are_not_read_with_many_short_ones():
    lengths = [60] * 13 + [250] * 5
    found = blocks(lengths, 4800)
    assert sorted(map(len, found)) == [5, 13]
    assert len(blocks([20, 30, 60, 90], 4800)) == 1, "few tokens are read at once whatever their lengths are"


@pytest.mark.parametrize("words", ["", "something new"])
def test_scores_are_those_of_requests_read_one_by_one(words):
    world = genres()
    model = LanguageModelRecommender(LmConfig(base="tiny", epochs=1)).fit(world)
    ids = world.catalog.item_ids[:12]
    asked = Instruction(text=words, wish=words) if words else None
    queries = [Query(history=ids, instruction=asked)]
    queries += [Query(history=(*ids[:place], *ids[place + 1 :]), instruction=asked) for place in range(12)]
    queries += [Query(history=tuple(reversed(ids))), Query(), Query(history=ids[:3])]
    assert len(share(model.encoded(queries))) < len(queries)
    alone = np.concatenate([model.score([query]) for query in queries])
    np.testing.assert_allclose(model.score(queries), alone, atol=1e-4)
