"""Words beside numbers, looked up in the text itself whatever else they do, and how numbers are handed back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from instructrec.instructions.lexicon import Lexicon, lexicon
from instructrec.instructions.reading.bounds import WAYS
from instructrec.instructions.reading.marks import NUMBERS, Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

LONGEST_CLAUSE = 16
"""Marks of one clause that are looked at; keeps the reading linear."""
_AROUND = ("article", "filler", "about", "than", "exactly", "list")
"""What may stand between a number and the word that bounds it."""
_COUNTABLE = (
    "noun", "value", "quality", "known", "unknown", "of_them", "unit", "people", "percent", "number", "count", "attribute", "list",
    "each", "enough", "share", "year", "decade", "title", "fresh", "familiar", "range",
)  # fmt: skip


class Aside(NamedTuple):
    """A phrase beside numbers: what it does, its first token and the token behind it."""

    roles: tuple[str, ...]
    first: int
    last: int


class Asides:
    """The marks of a request with the words beside its numbers."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self.keys = tuple(token.key for token in tokens)
        self.asides = self._found()
        self._places = sorted(self.asides)

    def _found(self) -> dict[int, list[Aside]]:
        """All phrases beside numbers by their first token, the longest first."""
        heads, sums = _heads(self.lexicon.language), self.lexicon.sums
        found: dict[int, list[Aside]] = {}
        for first, key in enumerate(self.keys):
            reach = heads.get(key, 0)
            for last in range(min(first + reach, len(self.keys)), first, -1):
                if (roles := sums.get(self.keys[first:last])) is not None:
                    found.setdefault(first, []).append(Aside(roles, first, last))
        return found

    def _aside(self, first: int, *roles: str) -> Aside | None:
        """The longest phrase that begins with a token and does one of these things."""
        return next((aside for aside in self.asides.get(first, ()) if any(role in aside.roles for role in roles)), None)

    def _within(self, first: int, last: int, *roles: str) -> Aside | None:
        """The last such phrase of the tokens [first, last)."""
        for at in range(bisect_right(self._places, last - 1) - 1, -1, -1):
            place = self._places[at]
            if place < first:
                return None
            found = self._aside(place, *roles)
            if found is not None and found.last <= last:
                longer = self._aside(place - 1, *roles) if place > first else None
                return longer if longer is not None and longer.last == found.last else found
        return None

    def _is_number(self, place: int) -> bool:
        mark = self.marks[place] if 0 <= place < len(self.marks) else None
        return mark is not None and mark.plays(*NUMBERS) and mark.low is not None and mark.low == mark.high

    def _is_sign(self, place: int) -> bool:
        """Whether a sign stands there that parts clauses."""
        mark = self.marks[place]
        return mark.plays("sign") and self.keys[mark.first] not in ("'", "’", "‘", ":", "-", "–", "—", "$", "€", "£", "(", ")", '"')

    def _start(self, place: int) -> int:
        """Where the clause of a number begins."""
        at = place
        while at > 0 and place - at < LONGEST_CLAUSE:
            before = self.marks[at - 1]
            joins = before.plays("and", "or") and not self._is_number(at - 2)
            if self._is_sign(at - 1) or before.plays("contrast", "further") or joins:
                break
            at -= 1
        return at

    def _sentence(self, place: int) -> int:
        """The first token of the sentence of a number."""
        first = self.marks[place].first
        while first > 0 and not self.tokens[first - 1].ends_sentence and self.marks[place].first - first < 4 * LONGEST_CLAUSE:
            first -= 1
        return first

    def _bound(self, place: int) -> tuple[str, int, int]:
        """How words around the number at `place` bound it, and the first and last mark of all of it; "": not at all."""
        first = place
        while first > 0 and place - first < 4 and self.marks[first - 1].plays(*_AROUND):
            if self.marks[first - 1].plays("to", *WAYS, *(f"{way}_range" for way in WAYS)):
                break
            first -= 1
        before = self.marks[first - 1] if first else None
        way = self._way(before) if before is not None else ""
        if way and before is not None and before.plays("to") and self._is_number(first - 2):
            return "between", first - 2, place
        if way:
            return way, first - 1, place
        span = self._span(place, first)
        if span is not None:
            return "between", *span
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if after is not None and not after.plays("to") and self.keys[after.first] != "on":
            way = next((way for way in WAYS if after.plays(f"{way}_after")), "")
        return way, place, place + bool(way)

    def _way(self, mark: Mark) -> str:
        """How a mark bounds what follows it; "": not at all."""
        if mark.compare is not None:
            return mark.compare[1]
        return next((way for way in WAYS if mark.plays(way, f"{way}_range")), "")

    def _span(self, place: int, first: int) -> tuple[int, int] | None:
        """The first and last mark of "between 10 and 20" or "10 to 20", where a number is one of its ends."""
        before = self.marks[first - 1] if first else None
        second = place + 2 + (place + 2 < len(self.marks) and self.marks[place + 2].plays("article", "attribute"))
        joins = self._is_number(second) and self.marks[place + 1].plays("to", "and")
        if before is not None and before.plays("between"):
            return first - 1, second if joins else place
        if before is not None and before.plays("to") and self._is_number(first - 2):
            return first - 2, place
        opened = first > 2 and self.marks[first - 3].plays("between")
        if before is not None and before.plays("and") and self._is_number(first - 2) and opened:
            return first - 3, place
        return (place, second) if joins and self.marks[place + 1].plays("to") else None

    def _ends(self, place: int) -> bool:
        """Whether nothing that a number could count, or be a number of, stands at `place`."""
        for mark in self.marks[place : place + 3]:
            if self.keys[mark.first] in ("on", "for"):
                return True
            if mark.plays(*_COUNTABLE) and not mark.plays("soft", "and", "clause", "since_after", "until_after"):
                return False
            if not mark.plays("filler", "article") or mark.plays("clause", "including", "firm"):
                return True
        return True

    def _hand_back(self, first: int, last: int) -> None:
        """Take the marks from `first` to `last` for words nobody knows."""
        begins, ends = self.marks[first].first, self.marks[last].last
        whole = Mark(("unknown", "handed_back"), begins, ends)
        self.marks[first : last + 1] = [whole, *[replace(whole, roles=())] * (last - first)]

    def _fill(self, first: int, last: int, *, keep: tuple[str, ...] = ()) -> None:
        """Make words that say nothing of the marks of the tokens [first, last)."""
        for place in self._marks_of(first, last):
            if not self.marks[place].plays(*keep):
                self.marks[place] = self.marks[place].idle

    def _marks_of(self, first: int, last: int) -> Iterator[int]:
        """Places of the marks that hold one of the tokens [first, last)."""
        for place in range(bisect_right(self.marks, first, key=lambda mark: mark.last), len(self.marks)):
            if self.marks[place].first >= last:
                return
            if self.marks[place].roles:
                yield place


@cache
def _heads(language: str) -> dict[str, int]:
    """First words of the phrases beside numbers, with the words of the longest one."""
    found: dict[str, int] = {}
    known = lexicon(language)
    for phrase in known.sums if known is not None else ():
        found[phrase[0]] = max(found.get(phrase[0], 0), len(phrase))
    return found
