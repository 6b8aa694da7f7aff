"""An example of a base that reads both ways has one answer, and what is read for it holds neither the answer nor anything later."""

import numpy as np
import pytest
from tests.tuning.test_packing import ask, trunk

from instructrec.core import Branch, Example, ItemRef
from instructrec.generation.codes import CodeTable, ItemTokens
from instructrec.lm.tiny import VOCABULARY, HashTokenizer
from instructrec.tuning.packing import Encoded, pack
from instructrec.tuning.single import SingleAnswerEncoder

CODES = ItemTokens(
    vocabulary=VOCABULARY,
    codes=CodeTable(kind="semantic", tokens=np.array([[k // 3, 3 + k % 3, 6] for k in range(9)]), num_tokens=7),
)
ENCODER = SingleAnswerEncoder(HashTokenizer(), CODES, targets=3)


def read_items(encoded: Encoded) -> list[int]:
    read = encoded.tokens[encoded.branch == 0]
    return [int(token) - VOCABULARY for token in read if token >= VOCABULARY]


def written_tokens(encoded: Encoded) -> list[int]:
    return encoded.tokens[encoded.branch == 1].tolist()


def test_the_next_items_of_a_history_are_drawn_and_the_last_is_always_one() -> None:
    example, seen = Example(trunk=trunk(0, 1, 2, 3, 4, 5)), set()
    for seed in range(20):
        lessons = ENCODER.lessons(example, np.random.default_rng(seed))
        assert len(lessons) == 3
        before = [read_items(one) for one in lessons]
        assert before[-1] == [0, 1, 2, 3, 4]
        assert all(items == list(range(len(items))) for items in before)
        for items, one in zip(before, lessons, strict=True):
            target = CODES.encode(len(items))
            assert written_tokens(one) == [CODES.answer, *target[:-1]]
            assert [choice.token + CODES.first_written for choice in one.next_items[0]] == list(target)
        seen.update(len(items) for items in before)
    assert seen == set(range(6)), "the first items of a history are learnt, too"


def test_a_short_history_is_learnt_whole_and_one_without_next_items_not_at_all() -> None:
    rng = np.random.default_rng(0)
    assert [read_items(one) for one in ENCODER.lessons(Example(trunk=trunk(4, 5)), rng)] == [[], [4]]
    assert ENCODER.lessons(Example(trunk=trunk(4, 5), next_item=False), rng) == []


def test_a_question_reads_the_history_up_to_its_branch_and_its_words() -> None:
    example = Example(trunk=trunk(0, 1, 2, 3), branches=(ask("something blue", at=3, target=7),))
    asked = ENCODER.lessons(example, np.random.default_rng(0))[-1]
    assert read_items(asked) == [0, 1]
    words = ENCODER.words("something blue")
    assert asked.tokens[asked.branch == 0].tolist()[-2:] == list(words)
    (question,) = asked.questions
    assert question.words == words
    assert [choice.token + CODES.first_written for choice in question.choices] == list(CODES.encode(7))
    assert {choice.start for choice in question.choices} == {question.place} == {asked.answer_place}


def test_words_of_a_completion_are_each_predicted_from_what_stands_before() -> None:
    branch = Branch(at=1, pieces=(ItemRef(3), "name it"), task="item_to_text", completion="the green door")
    told = ENCODER.lessons(Example(trunk=trunk(1), branches=(branch,)), np.random.default_rng(0))[-1]
    words = ENCODER.words("the green door")
    assert written_tokens(told) == [CODES.answer, *words[:-1]]
    assert pack([told], [[0]], padding=CODES.answer).word_targets.tolist() == list(words)


@pytest.mark.parametrize("branches", [(), (Branch(at=4, pieces=("what next",), task="wish"),)])
def test_a_live_request_ends_with_the_token_that_asks_for_an_answer(branches: tuple[Branch, ...]) -> None:
    live = ENCODER.encode(Example(trunk=trunk(0, 1, 2), branches=branches, next_item=False))
    assert written_tokens(live) == [CODES.answer]
    assert live.answer_place == len(live.tokens) - 1


def test_what_is_read_sees_all_of_itself_and_what_is_written_sees_no_later_token() -> None:
    lessons = ENCODER.lessons(Example(trunk=trunk(0, 1, 2)), np.random.default_rng(0))
    visible = pack(lessons, [[0, 1, 2]], padding=CODES.answer).batch.visible[0].numpy()
    start = 0
    for one in lessons:
        stop, read = start + len(one.tokens), int((one.branch == 0).sum())
        wanted = np.tri(len(one.tokens), dtype=bool)
        wanted[:, :read] = True
        wanted[:read, read:] = False
        np.testing.assert_array_equal(visible[start:stop, start:stop], wanted)
        assert not visible[start:stop, :start].any()
        assert not visible[start:stop, stop:].any()
        start = stop
