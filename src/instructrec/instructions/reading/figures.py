"""Numbers in a way of their own: Chinese years digit by digit or without their century and decimals in words, and "'95"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.numerals import SumFinder
from instructrec.instructions.render import FIRST_YEAR, LAST_YEAR
from instructrec.instructions.tokens import number
from instructrec.instructions.vocabulary import Vocabulary

_ZEROS = ("零", "〇", "○")
_APOSTROPHES = ("'", "’", "‘")
_BEGINS = frozenset("○〇零一二两俩三仨四五六七八九十百千万几半上过￥¥$")
_EARLIEST_SHORT = 30
"""A smaller number before "year" without a leading zero rather counts years."""
_LONGEST_COUNT = 3


class Figure(NamedTuple):
    """A "year", "decade" or "number" up to the token `end`."""

    role: str
    end: int
    low: float | None
    high: float | None
    attribute: str | None = None
    more: tuple[str, ...] = ()
    """Further roles."""


class FigureReader:
    """Reads such numbers at a place of the text."""

    def __init__(self, keys: Sequence[str], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.keys = tuple(keys)
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self.sums = SumFinder(self.keys, lexicon)

    def find(self, place: int) -> Figure | None:
        """The number that begins at a token, if it is of this kind."""
        if self.lexicon.script != "han":
            return self._apostrophe(place)
        if not (self.keys[place][:1].isdigit() or self.keys[place] in _BEGINS):
            return None
        return (
            self._year(place)
            or self._vague_year(place)
            or self._decades(place)
            or self._sum(place)
            or self._decimal(place)
            or self._numeral(place)
        )

    def _sum(self, place: int) -> Figure | None:
        """A number with a unit: of the attribute of its kind, or nothing that the catalog knows."""
        found = self.sums.sum(place)
        if found is None:
            return None
        attribute = self.vocabulary.kinds.get(found.kind)
        if attribute is None:
            return Figure("unknown", found.end, None, None)
        return Figure("number", found.end, float(found.low), float(found.high), attribute, ("sum",))

    def _numeral(self, place: int) -> Figure | None:
        """A number in several characters: "一百五十", "三四十"."""
        found = self.sums.numeral(place)
        if found is None or (self.vocabulary.year is not None and self._plays(found.end, "year_suffix")):
            return None
        return Figure("count" if found.low == found.high else "number", found.end, float(found.low), float(found.top))

    def _vague_year(self, place: int) -> Figure | None:
        """A decade by its first digit: "九几年", "80几年"."""
        digit, tens = self._digit(place), self._tens(place)
        at = tens[1] if tens is not None else place + 1
        if (
            self.vocabulary.year is None
            or self.keys[at : at + 2] != ("几", "年")
            or (tens is None and digit not in (0, *range(3, 10)))
        ):
            return None
        first = tens[0] if tens is not None else (digit or 0) * 10
        low = float(self.vocabulary.decade(first) if first < 100 else first)
        return Figure("decade", at + 2, low, low + 9)

    def _decades(self, place: int) -> Figure | None:
        """Two decades of which only the last is called one: "70、80年代", "七十、八十年代"."""
        first = self._tens(place)
        at = first[1] if first is not None else place
        joined = at < len(self.keys) and (self.keys[at] == "," or self._plays(at, "and"))
        last = self._tens(at + 1) if joined else None
        ending = self.lexicon.decade_ending
        if first is None or last is None or self.keys[last[1] : last[1] + len(ending)] != ending or self.vocabulary.year is None:
            return None
        low, high = (self.vocabulary.decade(tens) if tens < 100 else tens for tens in (first[0], last[0]))
        return Figure("decade", last[1] + len(ending), float(low), high + 9.0) if low < high else None

    def _tens(self, place: int) -> tuple[int, int] | None:
        """The digits of a decade and where they end: "70", "1980", "七十"."""
        key = self.keys[place] if place < len(self.keys) else ""
        if key.isascii() and len(key) in (2, 4) and key.isdigit() and key[-1] == "0":
            return int(key), place + 1
        digit = self._digit(place)
        return (digit * 10, place + 2) if digit and self.keys[place + 1 : place + 2] == ("十",) else None

    def _apostrophe(self, place: int) -> Figure | None:
        """A year of which an apostrophe leaves out the century: "'95"."""
        key = self.keys[place + 1] if place + 1 < len(self.keys) and self.keys[place] in _APOSTROPHES else ""
        if self.vocabulary.year is None or len(key) != 2 or not (key.isascii() and key.isdigit()):
            return None
        year = float(self._century(int(key)))
        return Figure("year", place + 2, year, year)

    def _digit(self, place: int) -> int | None:
        if place >= len(self.keys):
            return None
        key = self.keys[place]
        value = 0 if key in _ZEROS else self.lexicon.counts.get((key,), 10)
        return int(value) if value < 10 and key != "两" else None

    def _plays(self, place: int, role: str) -> bool:
        return place < len(self.keys) and role in self.lexicon.strong.get(self.keys[place : place + 1], ())

    def _year(self, place: int) -> Figure | None:
        found = self._short(place) or self._spelled(place) or self._counted(place)
        if self.vocabulary.year is None or found is None:
            return None
        year, end = found
        ending = self.lexicon.decade_ending
        if self.keys[end : end + len(ending)] == ending:
            return Figure("decade", end + len(ending), float(year), year + 9.0) if year % 10 == 0 else None
        return Figure("year", end, float(year), float(year)) if FIRST_YEAR <= year <= LAST_YEAR else None

    def _spelled(self, place: int) -> tuple[int, int] | None:
        """A year digit by digit: "一九六零年", "九五年"."""
        digits: list[int] = []
        while len(digits) < 5 and (digit := self._digit(place + len(digits))) is not None:
            digits.append(digit)
        end = place + len(digits)
        if len(digits) not in (2, 4) or not self._plays(end, "year_suffix"):
            return None
        if len(digits) == 2:
            return (self._century(digits[0] * 10 + digits[1]), end) if digits[0] in (0, *range(3, 10)) else None
        return int("".join(str(digit) for digit in digits)), end

    def _counted(self, place: int) -> tuple[int, int] | None:
        """A year in a number word: "两千年"."""
        for length in range(_LONGEST_COUNT, 0, -1):
            value = self.lexicon.counts.get(self.keys[place : place + length], 0)
            if value >= FIRST_YEAR and self._plays(place + length, "year_suffix"):
                return int(value), place + length
        return None

    def _short(self, place: int) -> tuple[int, int] | None:
        """A year without its century: "95年", "95到99年"."""
        if not self._is_short(place) or self.keys[place + 1 : place + 3] == self.lexicon.decade_ending:
            return None
        span = self._plays(place + 1, "to") and self._is_short(place + 2) and self._plays(place + 3, "year_suffix")
        joined = place + 2 < len(self.keys) and self.keys[place + 1 : place + 3] in self.lexicon.strong
        suffix = self._plays(place + 1, "year_suffix") and not joined
        dated = self._plays(place + 1, "year_suffix") and self._is_bound(place + 1)
        return (self._century(int(self.keys[place])), place + 1) if span or suffix or dated else None

    def _is_bound(self, place: int) -> bool:
        """Whether a bound of three characters begins there ("年以前"), which no stretch of years has."""
        roles = self.lexicon.strong.get(self.keys[place : place + 3], ())
        return bool({"before_after", "since_after", "until_after"}.intersection(roles))

    def _is_short(self, place: int) -> bool:
        key = self.keys[place] if place < len(self.keys) else ""
        return key.isascii() and key.isdigit() and len(key) == 2 and (key[0] == "0" or int(key) >= _EARLIEST_SHORT)

    def _century(self, short: int) -> int:
        return self.vocabulary.decade(short // 10 * 10) + short % 10

    def _decimal(self, place: int) -> Figure | None:
        """A decimal in words: "四点五", "九块九"."""
        for length in range(_LONGEST_COUNT, 0, -1):
            at = place + length
            whole = self.lexicon.counts.get(self.keys[place:at]) if at < len(self.keys) else None
            whole = number(self.keys[place]) if whole is None and length == 1 else whole
            if whole is None:
                continue
            unit = self.lexicon.kind_words.get(self.keys[at : at + 1]) == "price"
            digit = self._digit(at + 1)
            if digit is None and at + 1 < len(self.keys) and self.keys[at + 1].isdigit() and len(self.keys[at + 1]) == 1:
                digit = int(self.keys[at + 1])
            if digit is None or not (unit or self._plays(at, "point")) or self._counts_on(at + 2):
                return None
            attribute = self.vocabulary.kinds.get("price") if unit else None
            value = round(whole + digit / 10, 6)
            return None if unit and attribute is None else Figure("number", at + 2, value, value, attribute)
        return None

    def _counts_on(self, place: int) -> bool:
        """Whether the digit before belongs to something else: "三点十分", "二十块两瓶"."""
        if place >= len(self.keys):
            return False
        measure = self._plays(place, "measure") and not self.vocabulary.attributes.get(self.keys[place : place + 1])
        return measure or self._digit(place) is not None or self.lexicon.counts.get(self.keys[place : place + 1], 0) >= 10
