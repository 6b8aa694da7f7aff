"""English clauses that only say more of the number before them: "exactly 3 is not enough, the rating must be higher", "a price of
20, nothing above it", "from 1990 on, that year itself not included".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import takewhile

from instructrec.instructions.reading.bounds import WAYS
from instructrec.instructions.reading.framing import Frames
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.surroundings import NEAR

_WITHOUT_END = {
    "since": "after", "after": "after", "until": "before", "before": "before",
    "since_after": "after_after", "after_after": "after_after", "until_after": "before_after", "before_after": "before_after",
}  # fmt: skip
"""What a bound is whose end is said not to count."""
_NAMED_SOFTLY = ("article", "filler", "from", "aged", "owner", "owning", "firm", "whole_of")
"""What may stand between the name of a number and the number."""


class CommentFrames(Frames):
    """Puts what such a clause says into the number that it speaks of."""

    def _comment(self, place: int) -> list[int]:
        """Where the clause behind a verdict stands that says it again: "3 is not enough, | it must be higher"."""
        parted = place + 1 < len(self.marks) and self.marks[place + 1].plays("sign")
        ahead = list(takewhile(lambda at: not self.marks[at].plays("and", "further"), self._ahead(place + parted)))
        if any(self.marks[at].plays("value", "title", "range", "familiar", "fresh", "unknown", *NUMERIC) for at in ahead):
            return []
        ended = parted and self.tokens[self.marks[place + 1].first].ends_sentence
        again = any(self._compares_again(at) for at in ahead) and not (ended and self._names(ahead) is None)
        return ahead if again else []

    def _compares_again(self, place: int) -> bool:
        """Whether it only says which way: "higher", "more than that"."""
        after = self.marks[place + 1 : place + 2]
        return self.marks[place].plays("more_of") or (self.marks[place].plays(*WAYS) and bool(after) and after[0].plays("back"))

    def _names(self, places: Iterable[int]) -> int | None:
        """Where a number of the items is named first."""
        named = (at for at in places if self.marks[at].plays("attribute") and self.marks[at].attribute in self.quantities)
        return next(named, None)

    def _named_at(self, places: Iterable[int]) -> str | None:
        """The number of the items that is named first at some places, where its name then says no more."""
        at = self._names(places)
        if at is None:
            return None
        attribute = self.marks[at].attribute
        self._fill([at])
        return attribute

    def _named_beside(self, number: int, verdict: int) -> str | None:
        """The number of the items that is named in the clause of a verdict, or right behind it: "1 is already too much rating"."""
        before = takewhile(lambda at: not self.marks[at].plays("and", "contrast"), self._back(number))
        return self._named_at([*before, *range(number, min(verdict + 2, len(self.marks)))])

    def _without_end(self, place: int) -> None:
        """A bound whose end is said not to count: "from 3 up in rating, that number itself not included"."""
        number = next((at for at in self._back(place, sentence=True) if self._is_number(at)), None)
        if number is None or any(self.marks[at].plays("value", "title", "range") for at in range(number + 1, place)):
            return
        way, first, last = self._bound(number)
        at = last if last != number else first
        mark = self.marks[at]
        bound = next((role for role in mark.roles if role in _WITHOUT_END), None)
        if way is None or (bound is None and mark.compare is None):
            return
        roles = mark.roles if bound is None or mark.compare is not None else (_WITHOUT_END[bound],)
        compare = None if mark.compare is None else (mark.compare[0], _WITHOUT_END[way])
        self.marks[at] = replace(mark, roles=roles, compare=compare)
        self.marks[place] = self.marks[place].idle
        if self.marks[place - 1].plays("sign", "contrast"):
            self.marks[place - 1] = self.marks[place - 1].idle

    def _ended_at(self, at: int, way: str) -> Mark | None:
        """The range of a number whose name stands before it, and that nothing bounds but the words behind: "a rating of 4 | ,
        nothing above it".
        """
        if self._bound(at)[0] is not None or way not in WAYS:
            return None
        before = at - 1
        while before >= 0 and at - before < NEAR and self.marks[before].plays(*_NAMED_SOFTLY):
            before -= 1
        attribute = self.marks[at].attribute or (self._named_at([before]) if before >= 0 else None)
        return self._ranged(at, way, attribute) if attribute in self.quantities and attribute is not None else None
