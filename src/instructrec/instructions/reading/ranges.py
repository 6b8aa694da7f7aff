"""Third pass: numbers, years and the words around them become ranges ("between 1980 and 1995", "price under 20")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from instructrec.instructions.reading.bounds import WAYS, bounded, turned_back
from instructrec.instructions.reading.inequalities import stated
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.named import AttributeFinder

_ABOUT, _ABOUT_YEARS = 0.1, 2
_MOST_BETWEEN = 6
"""Marks that may stand between a word of comparison and its number; also keeps the reading linear."""


class _Bounds(NamedTuple):
    low: float | None
    high: float | None
    end: int
    """Index of the first mark after them."""


class RangeReader(AttributeFinder):
    """Reads the ranges of one marked request from left to right."""

    def read(self) -> list[Mark]:
        """The marks, with each range as one mark of role "range"."""
        out: list[Mark] = []
        place = 0
        while place < len(self.marks):
            mark = self.marks[place]
            self._remember(mark, len(out))
            found = self._range(place)
            if found is None:
                out.append(mark)
                place += 1
            else:
                out.append(found[0])
                place = found[1]
        return [self._left_over(out, index) for index in range(len(out))]

    def _remember(self, mark: Mark, position: int) -> None:
        if mark.plays("attribute"):
            self.attribute = mark.attribute if mark.attribute in self.vocabulary.catalog.quantities else None
            self._named_at = position
        elif mark.plays("sign"):
            token = self.tokens[mark.first]
            self.attribute = None if token.ends_sentence or token.key == "," else self.attribute
        elif mark.plays("and", "contrast", "value", "title", "known", "unknown", "like") and not mark.plays("filler"):
            self.attribute = None

    def _left_over(self, out: Sequence[Mark], index: int) -> Mark:
        """A name or part of a decade that nothing used is a word like others: it must not get lost."""
        mark = out[index]
        if mark.roles == ("part",):
            return replace(mark, roles=("known",), low=None, high=None)
        if mark.roles != ("attribute",) or index in self._used or self._names_neighbour(out, index):
            return mark
        return replace(mark, roles=("known",))

    def _names_neighbour(self, out: Sequence[Mark], index: int) -> bool:
        near = out[max(0, index - 3) : index + 4]
        name = out[index].attribute
        return any(mark.plays("value") and any(ref.attribute == name for ref in mark.refs) for mark in near)

    def _range(self, place: int) -> tuple[Mark, int] | None:
        start = place
        value = self._value(place, prefixes=False)
        role = "" if value else self.marks[place].roles
        bounds = self._plain(value) if value else self._prefixed(place, role)
        if bounds is None:
            return None
        about = "about" in role
        attribute, end = self._attribute_of(start, bounds.end)
        if attribute is None and None in bounds:
            attribute = self._shared(bounds.end)
        if end < len(self.marks) and self.marks[end].roles == ("attribute",) and self.marks[end].attribute == attribute:
            end += 1  # said before and behind: "rating above 4 stars"
        if end < len(self.marks) and self.marks[end].plays("about_after"):
            about, end = True, end + 1
        if attribute is None or self._has_unit(end):
            return None
        bounds = self._blurred(bounds, attribute) if about else bounds
        bounds, self.attribute = self._shifted(bounds, attribute), None
        self._previous = (attribute, end)
        self._open = ("until", "before") if bounds.high is None else ("since", "after") if bounds.low is None else ()
        last = self.marks[end - 1].last
        roles = ("range", "loose") if self.marks[end - 1].plays("loosely") else ("range",)
        return Mark(roles, self.marks[start].first, last, attribute=attribute, low=bounds.low, high=bounds.high), end

    def _blurred(self, bounds: _Bounds, attribute: str) -> _Bounds:
        """What "about" leaves open: a tenth of a number more or less, two years for a year."""
        if bounds.low is None or bounds.high is None:
            return bounds
        below, above = (
            _ABOUT_YEARS if attribute == self.vocabulary.year else round(_ABOUT * abs(end), 9) for end in (bounds.low, bounds.high)
        )
        return _Bounds(bounds.low - below, bounds.high + above, bounds.end)

    def _has_unit(self, end: int) -> bool:
        """Whether a unit follows, which nobody here can convert ("longer than 2 hours")."""
        return end < len(self.marks) and self.marks[end].roles[0] == "unit"

    def _shared(self, end: int) -> str | None:
        """The attribute that is named behind a second bound alone: "3 minimum and 4 maximum for the rating"."""
        if end + 2 < len(self.marks) and self.marks[end].plays("sign") and self.marks[end + 1].plays("contrast"):
            end += 1
        if end + 1 >= len(self.marks) or not self.marks[end].plays("and", "or", "contrast"):
            return None
        value = self._value(end + 1, prefixes=False)
        bounds = self._plain(value) if value else self._prefixed(end + 1, self.marks[end + 1].roles)
        if bounds is None or None not in bounds:
            return None
        named = [mark.attribute for mark in self.marks[end : bounds.end] if mark.attribute in self.vocabulary.catalog.quantities]
        behind = self._named_behind(bounds.end)
        return named[0] if named else behind[0] if behind else None

    def _shifted(self, bounds: _Bounds, attribute: str) -> _Bounds:
        """Strict bounds came as infinitesimals (see `beyond`); make them the next whole number where all numbers are whole."""
        low, high, end = bounds
        if low is not None and not low.is_integer() and self.vocabulary.is_integral(attribute):
            low = float(math.ceil(low))
        if high is not None and not high.is_integer() and self.vocabulary.is_integral(attribute):
            high = float(math.floor(high))
        return _Bounds(low, high, end)

    def _value(self, place: int, *, prefixes: bool = True) -> _Bounds | None:
        """A number, year or decade at `place`, with what may stand before it (articles, "early") when `prefixes`."""
        part: Mark | None = None
        stop = min(place + _MOST_BETWEEN, len(self.marks))
        while place < stop and not self.marks[place].plays(*NUMERIC):
            mark = self.marks[place]
            if mark.plays("part"):
                part = mark
            elif not self._is_apostrophe(mark) and not (prefixes and self._may_lead(mark)):
                return None
            place += 1
        if place >= stop:
            return None
        return self._refined(place, part)

    def _may_lead(self, mark: Mark) -> bool:
        """Whether a mark may stand between a word of comparison and its number; "one" there counts something."""
        if mark.plays("of_what"):
            return False
        return mark.plays("article", "from", "attribute", "filler", "about") and not (
            mark.plays("article") and mark.low is not None
        )

    def _is_apostrophe(self, mark: Mark) -> bool:
        return mark.plays("sign") and self.tokens[mark.first].text in "'’‘"

    def _refined(self, place: int, part: Mark | None) -> _Bounds:
        mark = self.marks[place]
        low, high, end = mark.low, mark.high, place + 1
        if end < len(self.marks) and self.marks[end].plays("year_suffix"):
            end += 1
        if end < len(self.marks) and mark.plays("year") and self.marks[end].plays("year_less", "year_more"):
            step = 1 if self.marks[end].plays("year_more") else -1  # "1990年的下一年"
            low, high, end = low + step if low else low, high + step if high else high, end + 1
        if end < len(self.marks) and self.lexicon.script == "han" and self.marks[end].plays("part"):
            part, end = self.marks[end], end + 1
        if part is not None and low is not None and high == low + 9:
            low, high = low + (part.low or 0), low + (part.high or 9)
        return _Bounds(low, high, end)

    def _plain(self, value: _Bounds) -> _Bounds:
        """A value without a word before it: "1990 or later", "4 stars and up", "1990-1995", "the 80s and 90s", "1994"."""
        low, high, end = value
        behind = ("since_after", "before_after", "after_after", "until_after")
        if end + 1 < len(self.marks) and self.marks[end].plays("attribute") and self.marks[end + 1].plays(*behind, "to"):
            end += 1
        elif self.lexicon.script == "han" and (said := stated(self.marks, end, self.vocabulary)) is not None:
            return _Bounds(*bounded(said[0], low, high), said[1])
        if end < len(self.marks):
            follow = self.marks[end]
            if follow.plays("to") and end + 1 < len(self.marks) and self.marks[end + 1].plays("now"):
                return _Bounds(low, None, end + 2)
            if (second := self._second(end)) is not None:
                return self._ordered(value, second)
            if follow.plays("since_after", "to_now"):
                return _Bounds(low, None, end + 1)
            for way in ("before", "after", "until"):
                if follow.plays(f"{way}_after"):
                    return _Bounds(*bounded(way, low, high), end + 1)
        return self._joined(value)

    def _is_number_named(self, end: int) -> bool:
        """Whether a number other than the year was just named, and nothing behind bounds it."""
        bounded_behind = end < len(self.marks) and self.marks[end].plays(
            "since_after", "until_after", "before_after", "after_after", "to"
        )
        return self.attribute is not None and self.attribute != self.vocabulary.year and not bounded_behind

    def _second(self, place: int) -> _Bounds | None:
        """The other end behind a "to", or behind an "and" that joins two ends ("1.5和3.7之间", "from 1990 and up to 1995")."""
        if not self.marks[place].plays("and"):
            return self._value(place + 1) if self.marks[place].plays("to") else None
        second = self._value(place + 1)
        if second is not None and second.end < len(self.marks) and self.marks[second.end].plays("between_after"):
            return second
        until = place + 2 < len(self.marks) and self.marks[place + 1].plays("until") and self.marks[place + 2].plays("year")
        return self._value(place + 2) if until else None

    def _joined(self, value: _Bounds) -> _Bounds:
        """Neighbouring years or decades joined by "and" or "or" are one range; others stay apart."""
        low, high, end = value
        while end + 1 < len(self.marks) and self.marks[end].plays("and", "or"):
            second = self._value(end + 1)
            if second is None or None in (low, high, second.low, second.high):
                break
            assert low is not None and high is not None and second.low is not None and second.high is not None
            if second.low > high + 1 or low > second.high + 1 or self.marks[second.end - 1].plays("number"):
                break
            low, high, end = min(low, second.low), max(high, second.high), second.end
        return _Bounds(low, high, end)

    def _ordered(self, first: _Bounds, second: _Bounds) -> _Bounds:
        low, high = first.low, second.high
        if low is not None and high is not None and second.low == high < 100 <= low:
            high += low // 100 * 100
        if low is not None and high is not None and low > high:
            low, high = second.low, first.high
        return _Bounds(low, high, second.end)

    def _prefixed(self, place: int, roles: Sequence[str]) -> _Bounds | None:
        value = self._value(place + 1) if place + 1 < len(self.marks) else None
        if value is None:
            return None
        low, high, end = value
        if "between" in roles and ((both := self._between(value)) is not None or "until" not in roles):
            return both
        if self._is_number_named(end) and (way := self._way_to_named(roles)) is not None:
            return _Bounds(*bounded(way, low, high), end)
        turned = self.lexicon.script == "han" and end < len(self.marks) and turned_back(roles, self.marks[end].roles)
        if turned or ("within" in roles and low != high):
            return self._plain(value)  # "起码1990年之前", "限于1990年代"
        span = "until" in roles or ("since" in roles and self.lexicon.script == "han")  # "打1990年起一直到1995年"
        if span and "to" not in roles and end < len(self.marks) and self.marks[end].plays("to"):
            second = self._value(end + 1)  # "a budget of 50 to 80"
            if second is not None:
                return self._ordered(value, second)
        for way in WAYS:
            if way in roles or f"{way}_range" in roles:
                return _Bounds(*bounded(way, low, high), end + self._says_again(way, end))
        leads = self.marks[place].plays("from", "article", "about") and self._may_lead(self.marks[place]) and "measure" not in roles
        return self._plain(value) if leads else None

    def _way_to_named(self, roles: Sequence[str]) -> str | None:
        """Which bound a verb sets of a number that was named: "评分得有4", "评分到4就行", "评分只到4的不要", "评分没有4的不要"."""
        if "reaches" in roles or "passes" in roles:
            return "after" if "passes" in roles else "since"
        if self.lexicon.script != "han":
            return None
        if "to" in roles:
            return "until" if "until" in roles else "since"
        return "before" if "lacks" in roles else None

    def _says_again(self, way: str, end: int) -> bool:
        """Whether a Chinese bound is said once more behind its number: "控制在4以内"."""
        return self.lexicon.script == "han" and end < len(self.marks) and self.marks[end].plays(f"{way}_after")

    def _between(self, value: _Bounds) -> _Bounds | None:
        if value.end < len(self.marks) and self.marks[value.end].plays("and", "to"):
            second = self._value(value.end + 1)
            return self._ordered(value, second) if second is not None else None
        return None
