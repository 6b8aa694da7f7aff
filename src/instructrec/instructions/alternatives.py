"""Words that make alternatives of what stands around them: "either ... or", "both are fine"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.tokens import Token

_NEAR = 4
"""Marks that may stand between words that act on each other; keeps the reading linear."""
_LONGEST_LIST = 40


class Alternatives:
    """The part of reading marks in context that speaks of alternatives."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.lexicon = lexicon
        self._alternating = False
        """An "either" was read in this sentence, so that the next one joins an alternative to it."""

    @property
    def _is_han(self) -> bool:
        return self.lexicon.script == "han"

    def _either_then(self, place: int) -> None:
        """Two words that together say "either ... or" ("不是A就是B") negate nothing."""
        for at in range(place - 1, max(-1, place - 2 * _NEAR), -1):
            if self.marks[at].plays("either_not"):
                self.marks[at] = replace(self.marks[at], roles=("filler",))
                self.marks[place] = replace(self.marks[place], roles=("or",))
            if self.marks[at].plays("either_not", "sign"):
                return

    def _either(self, place: int) -> None:
        """The first "either" opens alternatives, each further one joins the next."""
        opens = ("further", "filler") if self._is_han else ("filler",)
        self.marks[place] = replace(self.marks[place], roles=("or",) if self._alternating else opens)
        self._alternating = True

    def _or_opens(self, place: int) -> None:
        """A Chinese "or" that begins a clause, with the same word to follow, opens alternatives: "，或者喜剧，或者剧情片"."""
        words = [self.tokens[at].key for at in range(self.marks[place].first, self.marks[place].last)]
        again = (mark for mark in self.marks[place + 2 : place + 2 + 2 * _NEAR] if mark.plays("or"))
        same = any([self.tokens[at].key for at in range(mark.first, mark.last)] == words for mark in again)
        if self._is_han and same and (place == 0 or not self.marks[place - 1].is_content) and not self._alternating:
            self.marks[place] = replace(self.marks[place], roles=("further", "filler"))
            self._alternating = True

    def _or_behind(self, place: int) -> None:
        """What stands side by side before it is an alternative, as far as it speaks of one attribute: "A, B, both are fine"."""
        if self._is_repeated(place):
            self.marks[place] = replace(self.marks[place], roles=("or",))  # "A也罢B也罢"
            return
        self.marks[place] = replace(self.marks[place], roles=("filler",))
        last: Mark | None = None
        joints: list[int] = []
        for at in range(place - 1, max(-1, place - _LONGEST_LIST), -1):
            mark = self.marks[at]
            if mark.plays("value"):
                if last is not None and not {ref.attribute for ref in mark.refs} & {ref.attribute for ref in last.refs}:
                    return
                if last is not None and last.first == mark.last:
                    self.marks[at + 1] = replace(last, roles=(*last.roles, "or_before"))  # "红色粉色都行"
                for joint in joints:
                    self.marks[joint] = replace(self.marks[joint], roles=("or",))
                last, joints = mark, []
            elif mark.plays("further"):
                return
            elif mark.plays("and") or (mark.plays("sign") and self.tokens[mark.first].key == ","):
                joints += [at] if last is not None else []
            elif not self._is_within_list(mark, near=last is None and place - at <= 2 * _NEAR):
                return

    def _is_repeated(self, place: int) -> bool:
        """Whether the same words come again behind the next thing."""
        mark, after = self.marks[place], self.marks[place + 1 : place + 1 + _NEAR]
        words = [token.key for token in self.tokens[mark.first : mark.last]]
        again = any([token.key for token in self.tokens[other.first : other.last]] == words for other in after[1:])
        return bool(after) and after[0].plays("value") and again

    def _is_within_list(self, mark: Mark, *, near: bool) -> bool:
        passed = mark.plays("filler", "noun", "article", "or", "or_after", "either", "firm", "owner")
        return passed or (near and mark.plays("unknown", "amount", "count", "measure"))
