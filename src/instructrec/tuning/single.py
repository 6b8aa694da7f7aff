"""Examples for a base that reads both ways: everything before an answer is seen as a whole, so an example has one answer.

One history becomes several examples, one for each of some next items and one for each question. What is read comes first (branch
0), then the token that asks for the answer and all but the last token of the answer (branch 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructrec.core import Branch, Example, ItemRef, Piece
from instructrec.generation.codes import ItemTokens
from instructrec.lm.decoder import Decoder, Tokenizer
from instructrec.tuning.packing import MAX_COMPLETION_TOKENS, Choice, Encoded, Encoder, Question


def encoder_for(decoder: Decoder, codes: ItemTokens, *, targets: int) -> Encoder:
    """What turns examples into the tokens of a model; `targets`: next items learnt of a history where it reads both ways."""
    if decoder.both_ways:
        return SingleAnswerEncoder(decoder.tokenizer, codes, targets=targets)
    return Encoder(decoder.tokenizer, codes)


class SingleAnswerEncoder(Encoder):
    """Turns examples into tokens that have one answer each."""

    def __init__(self, tokenizer: Tokenizer, codes: ItemTokens, *, targets: int) -> None:
        super().__init__(tokenizer, codes)
        self.targets = targets

    def encode(self, example: Example) -> Encoded:
        """The example with one answer: that to its first question, else the last item of the trunk where next items are to be
        predicted, else the one that a live request is waiting for.
        """
        if example.branches:
            return self._asked(example.trunk, example.branches[0])
        if example.next_item and isinstance(example.trunk[-1], ItemRef):
            return self._followed(example.trunk[:-1], example.trunk[-1].code)
        return self._encoded(self._read(example.trunk), ())

    def lessons(self, example: Example, rng: np.random.Generator) -> list[Encoded]:
        """One example for each question, and for each of `targets` next items: the last one, and others drawn at random."""
        places = [place for place, piece in enumerate(example.trunk) if place and isinstance(piece, ItemRef)]
        if not example.next_item:
            places = []
        if len(places) > self.targets:
            drawn = rng.choice(places[:-1], size=self.targets - 1, replace=False)
            places = [*sorted(int(place) for place in drawn), places[-1]]
        trunk = example.trunk
        followed = [self._followed(trunk[:place], piece.code) for place in places if isinstance(piece := trunk[place], ItemRef)]
        return followed + [self._asked(trunk, branch) for branch in example.branches]

    def _read(self, pieces: Sequence[Piece]) -> list[int]:
        return [token for piece in pieces for token in self._tokens(piece)]

    def _followed(self, pieces: Sequence[Piece], item: int) -> Encoded:
        """Pieces, and the item that comes next."""
        read, code = self._read(pieces), self.codes.encode(item)
        choices = self._choices(item, range(len(read), len(read) + len(code)))
        return self._encoded(read, code, next_items=(choices,))

    def _asked(self, trunk: Sequence[Piece], branch: Branch) -> Encoded:
        """A question behind the part of the trunk that it branches off."""
        asked = self._read(branch.pieces)
        read = [*self._read(trunk[: branch.at]), *asked]
        words = tuple(token for token in asked if token < self.codes.vocabulary)
        completion = self.words(branch.completion)[:MAX_COMPLETION_TOKENS] if branch.completion else ()
        written = () if completion or branch.target is None else self.codes.encode(branch.target)
        choices = self._choices(branch.target, range(len(read), len(read) + len(written))) if branch.target is not None else ()
        question = Question(
            place=len(read),
            words=words,
            weight=branch.weight,
            choices=choices if written else (),
            completion=completion,
            limits=branch.limits,
        )
        return self._encoded(read, completion or written, questions=(question,))

    def _encoded(
        self,
        read: Sequence[int],
        answer: Sequence[int],
        *,
        next_items: tuple[tuple[Choice, ...], ...] = (),
        questions: tuple[Question, ...] = (),
    ) -> Encoded:
        """Tokens that are read, then those that write the answer; what is read is seen by all of them."""
        written = [self.codes.answer, *answer[:-1]]
        length = len(read) + len(written)
        return Encoded(
            tokens=np.array([*read, *written]),
            positions=np.arange(length),
            branch=np.repeat([0, 1], [len(read), len(written)]),
            sees=np.full(length, len(read)),
            next_items=next_items,
            questions=questions,
        )
