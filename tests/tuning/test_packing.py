"""Packing is only a way to compute: every example gets the hidden states it would get alone, and no token sees what it must not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.core import Branch, Example, ItemRef
from instructrec.generation.codes import ItemTokens, atomic
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import DecoderShape, load_decoder
from instructrec.lm.item_model import Features, ItemTokenModel
from instructrec.lm.tiny import VOCABULARY, HashTokenizer
from instructrec.tuning.packing import Encoder, fill_rows, pack

NUM_ITEMS = 9
CODES = ItemTokens(vocabulary=VOCABULARY, codes=atomic(NUM_ITEMS))


FEATURES = Features(
    text=torch.randn(NUM_ITEMS, 8, generator=torch.Generator().manual_seed(1)) * 0.25, factors=torch.zeros(NUM_ITEMS, 4)
)


@pytest.fixture(scope="module")
def model() -> ItemTokenModel:
    decoder = load_decoder(prepare("tiny"), DecoderShape(layers=2, rank=2, alpha=4.0), seed=1)
    torch.manual_seed(1)
    made = ItemTokenModel(decoder, FEATURES, None, dropout=0.0)
    made.serve()
    return made


def trunk(*items: int) -> tuple[str | ItemRef, ...]:
    return ("history of a user", *(ItemRef(item) for item in items))


def ask(words: str, *, at: int, target: int = 0) -> Branch:
    return Branch(at=at, pieces=(words,), task="wish", target=target)


def answers(model: ItemTokenModel, examples: list[Example], rows: list[list[int]]) -> torch.Tensor:
    encoder = Encoder(HashTokenizer(), CODES)
    packed = pack([encoder.encode(example) for example in examples], rows, padding=CODES.answer)
    with torch.inference_mode():
        return model.hidden(packed.batch, model.table()).flatten(0, 1)[packed.answers].float()


EXAMPLES = [
    Example(trunk=trunk(0, 1, 2), branches=(ask("something blue", at=4),)),
    Example(trunk=trunk(3)),
    Example(trunk=trunk(4, 5, 6, 7), branches=(ask("nothing red please", at=5),)),
    Example(trunk=trunk()),
]


def test_rows_packed_together_answer_as_rows_alone(model: ItemTokenModel) -> None:
    alone = answers(model, EXAMPLES, [[0], [1], [2], [3]])
    together = answers(model, EXAMPLES, [[2, 0], [3, 1]])
    torch.testing.assert_close(together, alone, rtol=0.05, atol=0.05)


def test_a_question_in_the_middle_answers_as_if_the_history_ended_there(model: ItemTokenModel) -> None:
    short = answers(model, [Example(trunk=trunk(0, 1), branches=(ask("what next", at=3),))], [[0]])
    tree = answers(model, [Example(trunk=trunk(0, 1, 2, 3, 4), branches=(ask("what next", at=3),))], [[0]])
    torch.testing.assert_close(tree, short, rtol=0.05, atol=0.05)


def test_questions_do_not_see_each_other_and_the_history_does_not_see_them(model: ItemTokenModel) -> None:
    encoder = Encoder(HashTokenizer(), CODES)
    example = encoder.encode(Example(trunk=trunk(0, 1, 2), branches=(ask("first words", at=2), ask("other words", at=4))))
    visible = pack([example], [[0]], padding=CODES.answer).batch.visible[0].numpy()
    assert not visible[np.ix_(example.branch == 1, example.branch == 2)].any()
    assert not visible[np.ix_(example.branch == 2, example.branch == 1)].any()
    assert not visible[np.ix_(example.branch == 0, example.branch > 0)].any()
    assert not np.triu(visible, k=1).any()


def test_a_question_never_sees_its_target_or_anything_after_it() -> None:
    encoder = Encoder(HashTokenizer(), CODES)
    for at in range(1, 6):
        example = encoder.encode(Example(trunk=trunk(0, 1, 2, 3), branches=(ask("what", at=min(at, 5), target=8),)))
        visible = pack([example], [[0]], padding=CODES.answer).batch.visible[0].numpy()
        seen = visible[example.questions[0].place] & (example.branch == 0)
        assert set(example.tokens[seen][example.tokens[seen] >= VOCABULARY] - VOCABULARY) == set(range(at - 1))


def test_every_history_item_is_predicted_from_the_tokens_before_it() -> None:
    encoded = Encoder(HashTokenizer(), CODES).encode(Example(trunk=trunk(5, 6, 7)))
    assert [[choice.token for choice in item] for item in encoded.next_items] == [[5], [6], [7]]
    for (choice,) in encoded.next_items:
        assert encoded.tokens[choice.place + 1] == VOCABULARY + choice.token


def test_words_of_a_completion_are_each_predicted_from_what_stands_before() -> None:
    encoder = Encoder(HashTokenizer(), CODES)
    branch = Branch(at=1, pieces=(ItemRef(3), "name it"), task="item_to_text", completion="the green door")
    encoded = encoder.encode(Example(trunk=trunk(1), branches=(branch,)))
    packed = pack([encoded], [[0]], padding=CODES.answer)
    words = encoder.words("the green door")
    assert packed.word_targets.tolist() == list(words)
    tokens = packed.batch.tokens.flatten()[packed.word_places].tolist()
    assert tokens == [CODES.answer, *words[:-1]]
    assert float(packed.word_weights.sum()) == pytest.approx(1.0)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40), st.integers(20, 60))
@settings(max_examples=60, deadline=None)
def test_every_example_is_in_exactly_one_row_and_rows_are_not_too_long(lengths: list[int], row_length: int) -> None:
    rows = fill_rows(lengths, row_length)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[index] for index in row) <= row_length for row in rows)


def test_long_questions_are_cut() -> None:
    encoder = Encoder(HashTokenizer(), CODES)
    assert len(encoder.words("word " * 10_000)) == 96
