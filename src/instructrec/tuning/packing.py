"""Examples as rows of tokens: several examples share a row, several questions share one history, nobody sees what he must not.

A token sees the tokens before it in its own example's trunk, up to the place where its question branches off, and the tokens
before it in its own question (tree attention). Positions go on from the place of the branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from instructrec.core import Branch, Example, Piece
from instructrec.generation.codes import ItemTokens
from instructrec.lm.decoder import Tokenizer
from instructrec.lm.item_model import TokenBatch
from instructrec.tables import IntArray

MAX_QUESTION_TOKENS = 96
"""Words beyond this are not read: a question of ten thousand characters costs as much as a long sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where one question of an encoded example is answered: `place` in the example, its target item or target words."""

    place: int
    words: tuple[int, ...]
    weight: float
    target: int | None
    completion: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One example as tokens. `branch` is 0 on the trunk; `sees` is how much of the trunk a token's branch sees.

    `next_places` and `next_targets`: where the trunk predicts an item, and which.
    """

    tokens: IntArray
    positions: IntArray
    branch: IntArray
    sees: IntArray
    next_places: tuple[int, ...]
    next_targets: tuple[int, ...]
    questions: tuple[Question, ...]

    @property
    def answer_place(self) -> int:
        """Where a live request is answered: at its question, else at the end of the trunk."""
        return self.questions[0].place if self.questions else len(self.tokens) - 1


class Encoder:
    """Turns examples into tokens with one tokenizer and one code book; remembers the tokens of words it has seen."""

    def __init__(self, tokenizer: Tokenizer, codes: ItemTokens) -> None:
        self.tokenizer = tokenizer
        self.codes = codes
        self._seen: dict[str, tuple[int, ...]] = {}

    def words(self, text: str) -> tuple[int, ...]:
        """Word ids of a text, at most MAX_QUESTION_TOKENS. Text beyond 1,000 characters cannot matter then and is not read."""
        if text not in self._seen:
            if len(self._seen) > 100_000:
                self._seen.clear()
            self._seen[text] = tuple(self.tokenizer.encode(f" {text[:1000]}")[:MAX_QUESTION_TOKENS])
        return self._seen[text]

    def _tokens(self, piece: Piece) -> tuple[int, ...]:
        return self.words(piece) if isinstance(piece, str) else self.codes.encode(piece.code)

    def encode(self, example: Example) -> Encoded:
        """Tokens, positions, visibility and answers of one example."""
        tokens: list[int] = []
        ends = [0]
        for piece in example.trunk:
            tokens.extend(self._tokens(piece))
            ends.append(len(tokens))
        columns = _Columns(tokens=tokens, positions=list(range(len(tokens))), branch=[0] * len(tokens), sees=[0] * len(tokens))
        places = tuple(ends[k] - 1 for k in range(1, len(example.trunk))) if example.next_item else ()
        targets = tuple(piece.code for piece in example.trunk[1:] if not isinstance(piece, str)) if example.next_item else ()
        questions = tuple(self._branch(columns, branch, ends[branch.at]) for branch in example.branches)
        return Encoded(
            tokens=np.array(columns.tokens),
            positions=np.array(columns.positions),
            branch=np.array(columns.branch),
            sees=np.array(columns.sees),
            next_places=places,
            next_targets=targets,
            questions=questions,
        )

    def _branch(self, columns: _Columns, branch: Branch, sees: int) -> Question:
        tokens = [token for piece in branch.pieces for token in self._tokens(piece)]
        completion = self.words(branch.completion)[:32] if branch.completion else ()
        words = tuple(token for token in tokens if token < self.codes.vocabulary)
        # The answer token asks for an item; after it, the words of a completion are read one by one (teacher forcing).
        columns.extend([*tokens, self.codes.answer, *completion[:-1]], sees)
        place = len(columns.tokens) - max(len(completion), 1)
        return Question(place=place, words=words, weight=branch.weight, target=branch.target, completion=completion)


@dataclass(slots=True)
class _Columns:
    tokens: list[int]
    positions: list[int]
    branch: list[int]
    sees: list[int]

    def extend(self, tokens: Sequence[int], sees: int) -> None:
        self.branch.extend([max(self.branch, default=0) + 1] * len(tokens))
        self.positions.extend(range(sees, sees + len(tokens)))
        self.sees.extend([sees] * len(tokens))
        self.tokens.extend(tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBatch:
    """Rows with the places where answers are read, as flat indices into batch * length.

    next-item: `next_places`, `next_targets` int64 [num_targets]. Questions for items: `item_places`, `item_targets`,
    `item_weights` [num_questions], and their words `word_ids`, `word_owners` [num_words]. Questions for words: `word_places`,
    `word_targets`, `word_weights` [num_completion_tokens]. `answers`: place of each example's live answer, in order.
    """

    batch: TokenBatch
    next_places: Tensor
    next_targets: Tensor
    item_places: Tensor
    item_targets: Tensor
    item_weights: Tensor
    word_ids: Tensor
    word_owners: Tensor
    word_places: Tensor
    word_targets: Tensor
    word_weights: Tensor
    answers: Tensor


def fill_rows(lengths: Sequence[int], row_length: int) -> list[list[int]]:
    """Put examples into rows by best fit, longest first; an example longer than `row_length` has a row of its own."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda k: (-lengths[k], k)):
        fitting = [(left, row) for row, left in enumerate(room) if left >= lengths[index]]
        if fitting:
            _, row = min(fitting)
            rows[row].append(index)
            room[row] -= lengths[index]
        else:
            rows.append([index])
            room.append(row_length - lengths[index])
    return rows


@dataclass(slots=True)
class _Places:
    next_places: list[int] = field(default_factory=list)
    next_targets: list[int] = field(default_factory=list)
    item: list[tuple[int, int, float]] = field(default_factory=list)
    word_ids: list[int] = field(default_factory=list)
    word_owners: list[int] = field(default_factory=list)
    words: list[tuple[int, int, float]] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)

    def add(self, example: Encoded, number: int, start: int) -> None:
        self.next_places.extend(start + place for place in example.next_places)
        self.next_targets.extend(example.next_targets)
        for question in example.questions:
            if question.completion:
                weight = question.weight / len(question.completion)
                self.words.extend((start + question.place + k, word, weight) for k, word in enumerate(question.completion))
                continue
            self.word_ids.extend(question.words)
            self.word_owners.extend([len(self.item)] * len(question.words))
            self.item.append((start + question.place, -1 if question.target is None else question.target, question.weight))
        self.answers[number] = start + example.answer_place


def pack(examples: Sequence[Encoded], rows: Sequence[Sequence[int]], *, padding: int, length: int = 0) -> PackedBatch:
    """One batch of the given rows (lists of indices into `examples`); short rows are padded with the token `padding`.

    Rows are at least `length` tokens long: batches of one shape let the allocator reuse its blocks instead of growing.
    """
    length = max(length, *(sum(len(examples[k].tokens) for k in row) for row in rows))
    shape = (len(rows), length)
    tokens, positions = np.full(shape, padding), np.zeros(shape, dtype=np.int64)
    example_of, branch, sees = np.full(shape, -1), np.full(shape, -1), np.zeros(shape, dtype=np.int64)
    places = _Places()
    for line, row in enumerate(rows):
        start = 0
        for number in row:
            example = examples[number]
            stop = start + len(example.tokens)
            tokens[line, start:stop], positions[line, start:stop] = example.tokens, example.positions
            example_of[line, start:stop], branch[line, start:stop] = number, example.branch
            sees[line, start:stop] = start + example.sees
            places.add(example, number, line * length + start)
            start = stop
    return _tensors(tokens, positions, _visible(example_of, branch, sees), places)


def _visible(example_of: IntArray, branch: IntArray, sees: IntArray) -> Tensor:
    """Which token may look at which, bool [batch, length, length]; padding sees only itself."""
    place = np.arange(example_of.shape[1])
    same_example = (example_of[:, :, None] == example_of[:, None, :]) & (example_of[:, :, None] >= 0)
    own = (branch[:, :, None] == branch[:, None, :]) & (place[:, None] >= place)
    trunk = (branch[:, None, :] == 0) & (place < sees[:, :, None])
    return torch.from_numpy((same_example & (own | trunk)) | np.eye(len(place), dtype=np.bool_))


def _tensors(tokens: IntArray, positions: IntArray, visible: Tensor, places: _Places) -> PackedBatch:
    def column(rows: list[tuple[int, int, float]], index: int, dtype: torch.dtype = torch.int64) -> Tensor:
        return torch.tensor([row[index] for row in rows], dtype=dtype)

    return PackedBatch(
        batch=TokenBatch(tokens=torch.from_numpy(tokens), positions=torch.from_numpy(positions), visible=visible),
        next_places=torch.tensor(places.next_places, dtype=torch.int64),
        next_targets=torch.tensor(places.next_targets, dtype=torch.int64),
        item_places=column(places.item, 0),
        item_targets=column(places.item, 1),
        item_weights=column(places.item, 2, torch.float32),
        word_ids=torch.tensor(places.word_ids, dtype=torch.int64),
        word_owners=torch.tensor(places.word_owners, dtype=torch.int64),
        word_places=column(places.words, 0),
        word_targets=column(places.words, 1),
        word_weights=column(places.words, 2, torch.float32),
        answers=torch.tensor([places.answers[number] for number in sorted(places.answers)], dtype=torch.int64),
    )
