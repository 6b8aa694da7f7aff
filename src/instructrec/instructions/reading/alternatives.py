"""Words that make alternatives of what stands around them: "either ... or", "both are fine"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.surroundings import LONGEST_LIST, NEAR, Surroundings
from instructrec.instructions.tokens import Token


class Alternatives(Surroundings):
    """The part of reading marks in context that speaks of alternatives."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, lexicon)
        self._alternating = False
        """An "either" was read in this sentence, so that the next one joins an alternative to it."""

    def _either_then(self, place: int) -> None:
        """Two words that together say "either ... or" ("不是A就是B") negate nothing."""
        for at in range(place - 1, max(-1, place - 2 * NEAR), -1):
            if self.marks[at].plays("either_not"):
                self.marks[at] = replace(self.marks[at], roles=("choice", "filler"))
                self.marks[place] = replace(self.marks[place], roles=("or",))
            if self.marks[at].plays("either_not", "sign"):
                return

    def _either(self, place: int) -> None:
        """The first "either" opens alternatives, each further one joins the next."""
        first = ("choice", "filler") if self._leads_to_content(place) else ("filler",)
        self.marks[place] = replace(self.marks[place], roles=("or",) if self._alternating else first)
        self._alternating = True

    def _or_opens(self, place: int) -> None:
        """A Chinese "or" that begins a clause, with the same word to follow, opens alternatives: "，或者喜剧，或者剧情片"."""
        words = [self.tokens[at].key for at in range(self.marks[place].first, self.marks[place].last)]
        again = (mark for mark in self.marks[place + 2 : place + 2 + 2 * NEAR] if mark.plays("or"))
        same = any([self.tokens[at].key for at in range(mark.first, mark.last)] == words for mark in again)
        if self._is_han and same and (place == 0 or not self.marks[place - 1].is_content) and not self._alternating:
            self.marks[place] = replace(self.marks[place], roles=("choice", "filler"))
            self._alternating = True

    def _or_behind(self, place: int) -> None:
        """What stands side by side before it is an alternative, as far as it speaks of one attribute: "A, B, both are fine"."""
        if self._is_repeated(place):
            self.marks[place] = replace(self.marks[place], roles=("or",))  # "A也罢B也罢"
            return
        self.marks[place] = replace(self.marks[place], roles=("filler",))
        last: Mark | None = None
        joints: list[int] = []
        for at in range(place - 1, max(-1, place - LONGEST_LIST), -1):
            mark = self.marks[at]
            if mark.plays("value"):
                if last is not None and not {ref.attribute for ref in mark.refs} & {ref.attribute for ref in last.refs}:
                    return
                if last is not None and last.first == mark.last:
                    self.marks[at + 1] = replace(last, roles=(*last.roles, "or_before"))  # "红色粉色都行"
                for joint in joints:
                    self.marks[joint] = replace(self.marks[joint], roles=("or",))
                last, joints = mark, []
            elif mark.plays("further", "choice"):
                return
            elif mark.plays("and") or (mark.plays("sign") and self.tokens[mark.first].key == ","):
                joints += [at] if last is not None else []
            elif not self._is_within_list(mark, near=last is None and place - at <= 2 * NEAR):
                return

    def _one_of(self, place: int) -> None:
        """What is listed behind are alternatives, as far as it speaks of one attribute: "one of A and B"."""
        leads = self._leads_to_content(place)
        if self.marks[place].plays("between") and not leads:
            return
        self.marks[place] = replace(self.marks[place], roles=("choice", "filler") if leads else ("filler",))
        attributes: set[str] = set()
        joint = -1
        for at in range(place + 1, min(place + LONGEST_LIST, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("value"):
                named = {ref.attribute for ref in mark.refs}
                if attributes and (joint < 0 or not attributes & named):
                    return
                if joint > 0 and self.marks[joint].plays("and"):
                    self.marks[joint] = replace(self.marks[joint], roles=("or",))
                    return
                attributes, joint = named, -1
            elif mark.plays("and", "or") or (mark.plays("sign") and self.tokens[mark.first].key == ","):
                joint = at
            elif not mark.plays("article", "filler", "from", "noun"):
                return

    def _is_repeated(self, place: int) -> bool:
        """Whether the same words come again behind the next thing."""
        mark, after = self.marks[place], self.marks[place + 1 : place + 1 + NEAR]
        words = [token.key for token in self.tokens[mark.first : mark.last]]
        again = any([token.key for token in self.tokens[other.first : other.last]] == words for other in after[1:])
        return bool(after) and after[0].plays("value") and again

    def _is_within_list(self, mark: Mark, *, near: bool) -> bool:
        passed = mark.plays("filler", "noun", "article", "or", "or_after", "either", "firm", "owner")
        return passed or (near and mark.plays("unknown", "amount", "count", "measure"))
