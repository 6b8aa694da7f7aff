"""Right after the first pass: numbers with a unit become numbers of one attribute ("$20", "20 bucks", "an hour and a half")."""

from __future__ import annotations

import re
from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import NUMBERS, Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_CLOCK = re.compile(r"(\d{1,2})h(\d{2})?(?:m|min)?|(\d{1,3})(m|min|mins|hr|hrs)")
_ON_DAYS = ("before", "after", "since", "until", "till", "by", "in")
"""Words that put a length of time before a point of time: "after two hours" bounds no length."""
_WIDEST = 3.0
"""How many times the longest of the catalog a length may be; a longer one speaks of something else."""
_FEWEST_MINUTES = 20
"""A smaller number before "min" is rather a minimum: "rating 4 min"."""


class SumReader:
    """Makes one number of each sum of money and length of time, from left to right; Latin script only."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.lexicon = lexicon
        self.price = vocabulary.kinds.get("price")
        self.length = vocabulary.kinds.get("length")
        self.longest = vocabulary.span(self.length)[1]

    def read(self) -> list[Mark]:
        """The marks, with each sum as one number of its attribute."""
        if self.lexicon.script == "han":
            return self.marks
        out: list[Mark] = []
        place = 0
        while place < len(self.marks):
            mark, end = self._money(place) or self._time(place) or (self.marks[place], place + 1)
            out.append(mark)
            place = end
        return out

    def _word(self, place: int) -> str:
        """The one word or sign of a mark; empty where there is none."""
        mark = self.marks[place] if 0 <= place < len(self.marks) else None
        return self.tokens[mark.first].key if mark is not None and mark.last - mark.first == 1 else ""

    def _plays(self, place: int, role: str) -> bool:
        """Whether a mark that is one word or sign does something beside a number."""
        return role in self.lexicon.sums.get((self._word(place),), ())

    def _is_number(self, place: int) -> bool:
        mark = self.marks[place] if 0 <= place < len(self.marks) else None
        return mark is not None and mark.plays(*NUMBERS) and mark.low is not None and mark.low == mark.high

    def _money(self, place: int) -> tuple[Mark, int] | None:
        """A number with a currency before or behind it."""
        before = self._plays(place, "currency") and self._is_number(place + 1)
        at = place + before
        if self.price is None or not self._is_number(at):
            return None
        behind = self._plays(at + 1, "currency") and not self._is_number(at + 2)
        if not before and not behind:
            return None
        return self._number(place, at + behind, self.price, self.marks[at].low)

    def _time(self, place: int) -> tuple[Mark, int] | None:
        """A length of time in minutes and hours."""
        found = (self._first(place) or self._minutes(place)) if self.length is not None else None
        if found is None:
            return None
        minutes, end = found
        mark, end = self._number(place, end - 1, self.length or "", minutes)
        at = place - 1
        pointed = (
            at >= 0 and self.tokens[self.marks[at].last - 1].key in _ON_DAYS and self.marks[at].last - self.marks[at].first == 1
        )
        if minutes > _WIDEST * self.longest or pointed:
            return mark.handed_back, end
        return mark, end

    def _first(self, place: int) -> tuple[float, int] | None:
        """A number whose unit stands behind the next one: "one to two hours", "90-120 min"."""
        one = self._word(place) in ("one", "an", "a")
        joined = place + 1 < len(self.marks) and self.marks[place + 1].plays("to", "and", "or")
        if not joined or not (one or self._is_number(place)) or not self._is_number(place + 2):
            return None
        found, second = self._minutes(place + 2), self.marks[place + 2].low
        if found is None or not second:
            return None
        unit = 60.0 if found[0] >= 60 * second else 1.0
        low = 1.0 if one else self.marks[place].low or 0.0
        return (unit * low, place + 1) if low < second else None

    def _minutes(self, place: int) -> tuple[float, int] | None:
        word = self._word(place)
        clock = _CLOCK.fullmatch(word) if word[:1].isdigit() else None
        if clock:
            hours = clock[1] or (clock[3] if clock[4] in ("hr", "hrs") else None)
            minutes = clock[2] or (None if hours else clock[3])
            return 60.0 * float(hours or 0) + float(minutes or 0), place + 1
        found = self._hours(place)
        if found is None:
            return self._counted_minutes(place)
        hours, at = found
        more = self._counted_minutes(at + (self._word(at) == "and"))
        return (60 * hours + more[0], more[1]) if more is not None and more[0] < 60 else (60 * hours, at)

    def _counted_minutes(self, place: int) -> tuple[float, int] | None:
        if not self._is_number(place):
            return None
        low = self.marks[place].low or 0.0
        exact = self._plays(place + 1, "minute") and (self._word(place + 1) != "min" or low >= _FEWEST_MINUTES)
        return (low, place + 2) if exact and not self._is_number(place + 2) else None

    def _hours(self, place: int) -> tuple[float, int] | None:
        """Hours with what is added to them: "two hours", "an hour and a half", "one and a half hours", "half an hour"."""
        if (
            self._half(place)
            and self._word(place + 1) in ("an", "hour")
            and self._plays(place + 1 + (self._word(place + 1) == "an"), "hour")
        ):
            return 0.5, place + 2 + (self._word(place + 1) == "an")
        whole = self.marks[place].low if self._is_number(place) else 1.0 if self._word(place) in ("a", "an", "one") else None
        if whole is None:
            return None
        at, half = place + 1, 0.0
        if [self._word(index) for index in range(at, at + 3)] == ["1", "/", "2"]:
            at, half = at + 3, 0.5
        elif self._half(at, joined=True):
            at, half = at + 2, 0.5
        if not self._plays(at, "hour"):
            return None
        if not half and self._half(at + 1, joined=True):
            return whole + 0.5, at + 3
        return whole + half, at + 1

    def _half(self, place: int, *, joined: bool = False) -> bool:
        at = place + joined
        if joined and self._word(place) != "and":
            return False
        return at < len(self.marks) and self.marks[at].plays("share") and self.marks[at].low == 0.5

    def _number(self, first: int, last: int, attribute: str, value: float | None) -> tuple[Mark, int]:
        ends = self.marks[first].first, self.marks[last].last
        return Mark(("number", "sum"), *ends, attribute=attribute, low=value, high=value), last + 1
