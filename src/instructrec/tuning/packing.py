"""Examples as rows of tokens: several examples share a row, several questions share one history, nobody sees what he must not.

A token sees the tokens before it in its own example's trunk, up to the place where its question branches off, and the tokens
before it in its own question (tree attention). Positions go on from the place of the branch.

An item in a history is one token, whatever its code. An item that is answered is written token by token: each token of its code
is a choice among the branches of a trie node, made at the token before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from instructrec.core import Branch, Example, ItemRef, Piece
from instructrec.generation.codes import ItemTokens
from instructrec.generation.trie import Trie
from instructrec.lm.decoder import Tokenizer
from instructrec.lm.item_model import TokenBatch
from instructrec.tables import IntArray, Limit

MAX_QUESTION_TOKENS = 96
"""Words beyond this are not read: a question of ten thousand characters costs as much as a long sentence."""
MAX_COMPLETION_TOKENS = 32
"""Words of an answer beyond this are not learnt."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One token of an answer that begins at `start`: chosen at `place` among the branches of the trie node `node`.

    Places count from the start of an example.
    """

    start: int
    place: int
    token: int
    node: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where one question of an encoded example is answered: `place` in the example, the tokens of its target item or its words.

    `limits`: what the items among which it is answered must meet.
    """

    place: int
    words: tuple[int, ...]
    weight: float
    choices: tuple[Choice, ...] = ()
    completion: tuple[int, ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One example as tokens. `branch` is 0 on the trunk; `sees` is how much of the trunk a token's branch sees.

    `next_items`: the choices that write each item of the trunk after the first.
    """

    tokens: IntArray
    positions: IntArray
    branch: IntArray
    sees: IntArray
    next_items: tuple[tuple[Choice, ...], ...]
    questions: tuple[Question, ...]

    @property
    def answer_place(self) -> int:
        """Where a live request is answered: at its question, else at the end of the trunk."""
        return self.questions[0].place if self.questions else len(self.tokens) - 1


class Encoder:
    """Turns examples into tokens with one tokenizer and one code table; remembers the tokens of words it has seen.

    `codes` are what is written: whole codes, or those cut by `CodeTable.distinguishing`.
    """

    def __init__(self, tokenizer: Tokenizer, codes: ItemTokens) -> None:
        self.tokenizer = tokenizer
        self.codes = codes
        self.trie = Trie.build(codes.codes)
        self._nodes = self.trie.paths(codes.codes)
        self._seen: dict[str, tuple[int, ...]] = {}

    def words(self, text: str) -> tuple[int, ...]:
        """Word ids of a text, at most MAX_QUESTION_TOKENS. Text beyond 1,000 characters cannot matter then and is not read."""
        if text not in self._seen:
            if len(self._seen) > 100_000:
                self._seen.clear()
            self._seen[text] = tuple(self.tokenizer.encode(f" {text[:1000]}")[:MAX_QUESTION_TOKENS])
        return self._seen[text]

    def _tokens(self, piece: Piece) -> tuple[int, ...]:
        return self.words(piece) if isinstance(piece, str) else (self.codes.read(piece.code),)

    def encode(self, example: Example) -> Encoded:
        """Tokens, positions, visibility and answers of one example."""
        tokens: list[int] = []
        ends = [0]
        for piece in example.trunk:
            tokens.extend(self._tokens(piece))
            ends.append(len(tokens))
        columns = _Columns(tokens=tokens, positions=list(range(len(tokens))), branch=[0] * len(tokens), sees=[0] * len(tokens))
        targets = [(end, piece.code) for end, piece in zip(ends[1:], example.trunk[1:], strict=False) if isinstance(piece, ItemRef)]
        next_items = tuple(self._next(columns, end, item) for end, item in targets) if example.next_item else ()
        questions = tuple(self._branch(columns, branch, ends[branch.at]) for branch in example.branches)
        return Encoded(
            tokens=np.array(columns.tokens),
            positions=np.array(columns.positions),
            branch=np.array(columns.branch),
            sees=np.array(columns.sees),
            next_items=next_items,
            questions=questions,
        )

    def lessons(self, example: Example, rng: np.random.Generator) -> list[Encoded]:
        """What is learnt of an example in an epoch: all its answers at once; `rng` draws where they are too many."""
        return [self.encode(example)]

    def _next(self, columns: _Columns, sees: int, item: int) -> tuple[Choice, ...]:
        """The item that follows the first `sees` tokens: its first token is chosen at the last of them, the others on a branch."""
        written = self.codes.encode(item)
        start = len(columns.tokens)
        columns.extend(written[:-1], sees)
        return self._choices(item, [sees - 1, *range(start, start + len(written) - 1)])

    def _choices(self, item: int, places: Sequence[int]) -> tuple[Choice, ...]:
        code, nodes = self.codes.codes.encode(item), self._nodes[item].tolist()
        return tuple(Choice(places[0], place, token, node) for place, token, node in zip(places, code, nodes, strict=False))

    def _branch(self, columns: _Columns, branch: Branch, sees: int) -> Question:
        tokens = [token for piece in branch.pieces for token in self._tokens(piece)]
        completion = self.words(branch.completion)[:MAX_COMPLETION_TOKENS] if branch.completion else ()
        words = tuple(token for token in tokens if token < self.codes.vocabulary)
        written = () if completion or branch.target is None else self.codes.encode(branch.target)
        # The answer token asks for an item or words; all but the last of their tokens are read behind it (teacher forcing).
        columns.extend([*tokens, self.codes.answer, *completion[:-1], *written[:-1]], sees)
        place = len(columns.tokens) - max(len(completion), len(written), 1)
        choices = self._choices(branch.target, range(place, len(columns.tokens))) if written and branch.target is not None else ()
        return Question(
            place=place,
            words=words,
            weight=branch.weight,
            choices=choices,
            completion=completion,
            limits=branch.limits,
        )


@dataclass(slots=True)
class _Columns:
    tokens: list[int]
    positions: list[int]
    branch: list[int]
    sees: list[int]

    branches: int = 0

    def extend(self, tokens: Sequence[int], sees: int) -> None:
        self.branches += 1
        self.branch.extend([self.branches] * len(tokens))
        self.positions.extend(range(sees, sees + len(tokens)))
        self.sees.extend([sees] * len(tokens))
        self.tokens.extend(tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Choices of many answers, int64 [num_choices]: flat indices of where their answer starts and where they are made, the code
    token chosen, and the trie node whose branches compete.
    """

    starts: Tensor
    places: Tensor
    targets: Tensor
    nodes: Tensor

    def __len__(self) -> int:
        return len(self.places)

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int, int]]) -> Choices:
        """From one row a choice."""
        starts, places, targets, nodes = torch.tensor(rows, dtype=torch.int64).reshape(-1, 4).T.contiguous()
        return Choices(starts=starts, places=places, targets=targets, nodes=nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedBatch:
    """Rows with the places where answers are read, as flat indices into batch * length.

    `next_items`: the choices that write `num_next` next items. `items`: those of items that were asked for, by `item_owners` (the
    question) [num_choices]; by question, `item_weights` and `item_limits` (what the items among which it is answered must meet).
    The questions' words: `word_ids`, `word_owners` [num_words]. Answers in words: `word_places`, `word_targets`, `word_weights`
    [num_completion_tokens]. `answers`: place of each example's live answer.
    """

    batch: TokenBatch
    num_next: int
    next_items: Choices
    items: Choices
    item_owners: Tensor
    item_weights: Tensor
    item_limits: tuple[tuple[Limit, ...], ...]
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
    num_next: int = 0
    next_items: list[tuple[int, int, int, int]] = field(default_factory=list)
    items: list[tuple[int, int, int, int]] = field(default_factory=list)
    item_owners: list[int] = field(default_factory=list)
    item_weights: list[float] = field(default_factory=list)
    item_limits: list[tuple[Limit, ...]] = field(default_factory=list)
    word_ids: list[int] = field(default_factory=list)
    word_owners: list[int] = field(default_factory=list)
    words: list[tuple[int, int, float]] = field(default_factory=list)
    answers: dict[int, int] = field(default_factory=dict)

    def add(self, example: Encoded, number: int, start: int) -> None:
        self.num_next += len(example.next_items)
        self.next_items.extend(_row(one, start) for item in example.next_items for one in item)
        for question in example.questions:
            if question.completion:
                weight = question.weight / len(question.completion)
                self.words.extend((start + question.place + k, word, weight) for k, word in enumerate(question.completion))
                continue
            owner = len(self.item_weights)
            self.word_ids.extend(question.words)
            self.word_owners.extend([owner] * len(question.words))
            self.items.extend(_row(one, start) for one in question.choices)
            self.item_owners.extend([owner] * len(question.choices))
            self.item_weights.append(question.weight)
            self.item_limits.append(question.limits)
        self.answers[number] = start + example.answer_place


def _row(choice: Choice, start: int) -> tuple[int, int, int, int]:
    """A choice of an example that stands at `start` of a batch."""
    return start + choice.start, start + choice.place, choice.token, choice.node


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
    def column(rows: Sequence[tuple[float, ...]], index: int, dtype: torch.dtype = torch.int64) -> Tensor:
        return torch.tensor([row[index] for row in rows], dtype=dtype)

    return PackedBatch(
        batch=TokenBatch(tokens=torch.from_numpy(tokens), positions=torch.from_numpy(positions), visible=visible),
        num_next=places.num_next,
        next_items=Choices.of(places.next_items),
        items=Choices.of(places.items),
        item_owners=torch.tensor(places.item_owners, dtype=torch.int64),
        item_weights=torch.tensor(places.item_weights, dtype=torch.float32),
        item_limits=tuple(places.item_limits),
        word_ids=torch.tensor(places.word_ids, dtype=torch.int64),
        word_owners=torch.tensor(places.word_owners, dtype=torch.int64),
        word_places=column(places.words, 0),
        word_targets=column(places.words, 1),
        word_weights=column(places.words, 2, torch.float32),
        answers=torch.tensor([places.answers[number] for number in sorted(places.answers)], dtype=torch.int64),
    )
