"""Sentences with known meaning as lessons: what is read, what is to be written, and each choice on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.instructions.automaton import Automaton, Path
from instructrec.instructions.canonical import MARKS, Piece, mark, statements
from instructrec.instructions.evidence import Evidence
from instructrec.instructions.grammar import Grammar, filled
from instructrec.instructions.sentences import Sentence
from instructrec.lm.decoder import Tokenizer
from instructrec.lm.marked_decoder import MarkedDecoder
from instructrec.tables import Catalog

READ_TOKENS = 256
"""Tokens of a text that are read."""


class Speller:
    """Texts and pieces as tokens: words by the tokenizer of the base, marks by tokens behind its vocabulary."""

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        self.tokenizer = tokenizer
        self._marks = {text: vocabulary + number for number, text in enumerate(MARKS)}
        self.answer = vocabulary + len(MARKS)
        self.num_marks = len(MARKS) + 1

    def text(self, text: str) -> list[int]:
        """A text, and the mark behind which its meaning is written."""
        return [*self.tokenizer.encode(f" {text}")[:READ_TOKENS], self.answer]

    def piece(self, piece: Piece) -> Sequence[int]:
        """A piece of the canonical language."""
        if piece.kind == "mark":
            return [self._marks[piece.text]]
        return self.tokenizer.encode(piece.text if piece.kind == "number" else f" {piece.text}")


class Positions:
    """Where in a text, in tokens, written words stand: they are read at the position of the words that they repeat.

    Attention in a decoder goes by distance. A word that is written at the position of its source is as near to what stands beside
    the source as the source itself, so that what is said of it ("no" before, "at most" before) need not be searched for.
    """

    def __init__(self, evidence: Evidence, tokenizer: Tokenizer) -> None:
        self.evidence = evidence
        self.tokenizer = tokenizer
        self._starts: dict[int, int] = {}

    def of(self, path: Path, length: int, last: int) -> int:
        """The position of the next token of a path, whose piece has `length` tokens; `last` is that of the token before."""
        place = path.open[-1].place
        return last if place < 0 else min(self._start(place) + length - len(path.left), READ_TOKENS)

    def _start(self, place: int) -> int:
        if place not in self._starts:
            before = self.evidence.text[: self.evidence.tokens[place].start].rstrip()
            self._starts[place] = len(self.tokenizer.encode(f" {before}")) if before else 0
        return self._starts[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Tokens that are read and written, and their positions; for each choice its place (the token before), what can be chosen, and
    what is right.
    """

    tokens: list[int]
    positions: list[int]
    places: list[int]
    choices: list[list[int]]
    right: list[int]


def lesson(sentence: Sentence, catalog: Catalog, speller: Speller, *, language: str) -> Lesson | None:
    """A sentence as a lesson; none where the grammar cannot say what it means."""
    evidence = Evidence.of(sentence.text, catalog, language)
    grammar = Grammar(evidence, catalog)
    automaton = Automaton(grammar, speller.piece)
    tokens = speller.text(evidence.text)
    positions = Positions(evidence, speller.tokenizer)
    found = Lesson(tokens=tokens, positions=[*range(len(tokens))], places=[], choices=[], right=[])
    wanted = [each for each in statements(sentence.truth, catalog, evidence) if each[0] != mark("wish")]
    form = filled(grammar, wanted)
    paths = automaton.start()
    for piece in (piece for statement in form or () for piece in statement):
        for token in automaton.tokens(piece):
            choices = automaton.choices(paths)
            if token not in choices:
                return None
            _choose(found, list(choices), token)
            first = choices[token][0]
            found.positions.append(positions.of(first, len(automaton.tokens(first.open[-1])), found.positions[-1]))
            paths = automaton.step(_meant(choices[token], piece))
    return found if form else None


def _meant(paths: list[Path], piece: Piece) -> list[Path]:
    """The paths that write this piece, where tokens alone do not tell."""
    return [path for path in paths if path.open[-1] == piece] or paths


def _choose(found: Lesson, choices: list[int], token: int) -> None:
    if len(choices) > 1:
        found.places.append(len(found.tokens) - 1)
        found.choices.append(choices)
        found.right.append(choices.index(token))
    found.tokens.append(token)


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonBatch:
    """`tokens` and `positions` int64 [batch, length]; for each choice its place in the flat batch, what can be chosen int64
    [choices, most] with bool `exist`, and the number of what is right.
    """

    tokens: Tensor
    positions: Tensor
    places: Tensor
    choices: Tensor
    exist: Tensor
    right: Tensor


def batched(lessons: Sequence[Lesson], *, batch_tokens: int, rng: np.random.Generator) -> list[LessonBatch]:
    """Lessons of like length together, in random order."""
    order = sorted(range(len(lessons)), key=lambda k: (len(lessons[k].tokens), k))
    batches: list[list[Lesson]] = [[]]
    for k in order:
        if batches[-1] and len(lessons[k].tokens) * (len(batches[-1]) + 1) > batch_tokens:
            batches.append([])
        batches[-1].append(lessons[k])
    return [_padded(batches[int(place)]) for place in rng.permutation(len(batches)) if batches[int(place)]]


def _padded(lessons: Sequence[Lesson]) -> LessonBatch:
    length = max(len(each.tokens) for each in lessons)
    tokens, positions = (torch.zeros(len(lessons), length, dtype=torch.int64) for _ in range(2))
    places: list[int] = []
    choices: list[list[int]] = []
    for row, each in enumerate(lessons):
        tokens[row, : len(each.tokens)] = torch.tensor(each.tokens)
        positions[row, : len(each.tokens)] = torch.tensor(each.positions)
        places += [row * length + place for place in each.places]
        choices += each.choices
    most = max((len(each) for each in choices), default=1)
    listed = torch.zeros(len(choices), most, dtype=torch.int64)
    for row, tokens_ in enumerate(choices):
        listed[row, : len(tokens_)] = torch.tensor(tokens_)
    counts = torch.tensor([len(each) for each in choices])
    return LessonBatch(
        tokens=tokens,
        positions=positions,
        places=torch.tensor(places, dtype=torch.int64),
        choices=listed,
        exist=torch.arange(most) < counts[:, None],
        right=torch.tensor([right for each in lessons for right in each.right], dtype=torch.int64),
    )


def loss_of(model: MarkedDecoder, batch: LessonBatch) -> Tensor:
    """Mean cross-entropy (nats) of the choices of a batch, each among what can be chosen."""
    hidden = model.hidden(batch.tokens, batch.positions).flatten(0, 1)
    scores = model.scores(functional.embedding(batch.places, hidden), batch.choices)
    return functional.cross_entropy(scores.masked_fill(~batch.exist, -torch.inf), batch.right)
