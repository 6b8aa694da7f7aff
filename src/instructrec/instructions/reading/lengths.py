"""Whether a number can be the length of the list: what stands before and behind it."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token

MOST_BETWEEN = 4
"""Marks that may stand between a number and the words that qualify it."""


class LengthReader:
    """The marks of a request, and what asks for a number among them."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = marks
        self.tokens = tokens
        self.lexicon = lexicon

    def _asked_flags(self, place: int, end: int, flags: Sequence[str]) -> list[str]:
        """Whether it can be the length of the list ("asked"), or stands behind what it counts ("listed")."""
        if self._is_listed(place, end):
            return ["measured", "listed"]
        measured = self.lexicon.script == "han" and flags[0] in ("plain", "exactly") and "measured" in flags
        bare = flags[0] in ("plain", "exactly", "list", "span") or self._is_bound(place, end)
        stands = measured and self._stands_alone(place, end)
        return ["asked"] if stands or self._is_asked(place, end, self._before(place), bare=bare) else []

    def _is_listed(self, place: int, end: int) -> bool:
        """Whether the number stands behind what it counts: "comedies: 3, dramas: 2"."""
        if (
            place < 2
            or not self.marks[place - 1].plays("sign")
            or self.tokens[self.marks[place - 1].first].key not in (":", "x", "×")
        ):
            return False
        return self.marks[place - 2].plays("value") and (end >= len(self.marks) or self.marks[end].plays("sign", "and"))

    def _stands_alone(self, place: int, end: int) -> bool:
        """Whether the clause names nothing that the number could count ("周末片单六部，……")."""
        behind = (
            mark for mark in self.marks[end : end + MOST_BETWEEN] if not mark.plays("filler", "firm") or mark.plays("of_what")
        )
        if not next(behind, self.marks[-1]).plays("sign", "filler"):
            return False
        for mark in reversed(self.marks[max(0, place - 2 * MOST_BETWEEN) : place]):
            if mark.plays("sign"):
                return True
            if mark.plays("value", "range", "amount", "of_them"):
                return False
        return place < 2 * MOST_BETWEEN

    def _is_bound(self, place: int, end: int) -> bool:
        """Whether the whole clause is a length with a bound: "max 5", "5 max"."""
        upper = self.marks[place].plays("until") or self.marks[end - 1].plays("until_after")
        end += end + 1 < len(self.marks) and self.marks[end].plays("filler")
        return upper and (end >= len(self.marks) or self.marks[end].plays("sign", "filler", "and", "contrast"))

    def _ends(self, place: int) -> bool:
        return place >= len(self.marks) or self.marks[place].plays("sign", "and", "contrast")

    def _before(self, place: int) -> Mark | None:
        return self.marks[place - 1] if place else None

    def _is_noun(self, end: int) -> bool:
        return end < len(self.marks) and self.marks[end].plays("noun")

    def _is_asked(self, place: int, end: int, before: Mark | None, *, bare: bool) -> bool:
        """Whether it can be the length of the list: a general noun follows, or nothing does and an order stands before."""
        best = before is not None and before.plays("owner") and self._ends(end + 1)
        if end < len(self.marks) and self.marks[end].plays("enough", *(("list",) if best else ())):
            return True  # "twelve will do", "your twelve best"
        for mark in self.marks[end : end + MOST_BETWEEN]:
            if mark.plays("noun", "like", "fresh", "familiar"):
                return True
            if not mark.plays("quality", "known", "unknown", "article", "filler", "from"):
                break
        ends = end >= len(self.marks) or self.marks[end].plays("sign")
        if bare and ends and before is not None and before.plays("whole_of"):
            return True  # "a marathon of twelve: ..."
        if not bare or (end < len(self.marks) and self.marks[end].plays("unknown", "known", "number", "year")):
            return False
        at = place - 1
        while (
            at >= 0 and place - at < MOST_BETWEEN and self.marks[at].plays("filler", "article") and not self.marks[at].plays("list")
        ):
            at -= 1
        if at < 0 or self.marks[at].plays("firm", "list", "contrast", "exactly", "further"):
            return True
        if self.marks[at].plays("owning") and self.marks[at].first and (self._ends(end) or self._ends(end + 1)):
            first = self.tokens[self.marks[at].first - 1].key
            return self.tokens[self.marks[at].first].key == "got" and not self.lexicon.is_subject(first)  # "hey, got only three?"
        return self.marks[at].plays("sign", "and") and not (before is not None and before.plays("noun"))
