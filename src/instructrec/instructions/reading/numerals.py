"""Chinese numbers as people say them: compound ("一百五十", "1,200"), roughly ("三四十", "20多"), and with a unit.

A number with a unit ("两百块", "一个半小时") is a sum: a number of the attribute that the unit speaks of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.tokens import number

_CHARACTERS = frozenset("零〇一二两三四五六七八九十百千万几多来余")
_LONGEST = 12
_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
_UNITS = {"十": 10, "百": 100, "千": 1000, "万": 10000}
_DIGIT = "[一二两三四五六七八九]"
_PAIR = "一两|一二|两三|二三|三四|三五|四五|五六|六七|七八|八九"
_WHOLE = rf"(?:{_DIGIT}?万)?(?:{_DIGIT}?千)?(?:零?{_DIGIT}?百)?(?:零?{_DIGIT}?十)?(?:零?{_DIGIT})?"
_MULTIPLIED = re.compile(rf"({_PAIR})([十百千万])多?")
_TRAILING = re.compile(rf"({_DIGIT}?十|{_DIGIT}百|{_DIGIT}千)({_PAIR})([十百]?)")
_SEVERAL = re.compile(r"几([十百千万])")
_ABOUT_A_HUNDRED = re.compile(r"百十(?:来|几|多)?|百八十")
_UP_TO_NEXT = re.compile(rf"({_DIGIT}?十)[几多]({_DIGIT}十)")
_PLAIN_PAIR = re.compile(_PAIR)
_COMPOUND = re.compile(_WHOLE)
_ROUGH = ("多", "几", "余", "来")
_THOUSANDS = re.compile(r"\d{1,3}")
_BELOW = 0.01
"""How far below the next round number "over twenty" may reach."""


class Numeral(NamedTuple):
    """A number from `low` to `high` up to the token `end`; `open`: it ends below `high`.

    `needs_unit`: only a unit behind makes a number of these characters.
    """

    low: float
    high: float
    end: int
    needs_unit: bool = False
    open: bool = False

    @property
    def top(self) -> float:
        """The highest number that it can be."""
        return round(self.high - _BELOW, 6) if self.open else self.high


class Sum(NamedTuple):
    """A number of a kind ("price", "length") in the unit of the catalogs, up to the token `end`."""

    kind: str
    low: float
    high: float
    end: int


def read_numeral(keys: Sequence[str], place: int) -> Numeral | None:
    """The longest number at a place that is more than a word for a number or a token of digits alone could say, or such a one."""
    written = number(keys[place]) if place < len(keys) else None
    if written is not None:
        return _written(keys, place, written)
    text = keys[place] if place < len(keys) and keys[place] in "上过" else ""
    while len(text) < _LONGEST and place + len(text) < len(keys) and keys[place + len(text)] in _CHARACTERS:
        text += keys[place + len(text)]
    return _spoken(text, place) if text else None


def _written(keys: Sequence[str], place: int, value: float) -> Numeral:
    """Digits with what may follow them: "1,200", "3百", "20多"."""
    end, needs_unit = place + 1, False
    while (
        _THOUSANDS.fullmatch(keys[place])
        and end + 1 < len(keys)
        and keys[end] == ","
        and len(keys[end + 1]) == 3
        and keys[end + 1].isdigit()
    ):
        value, end, needs_unit = value * 1000 + int(keys[end + 1]), end + 2, True
    if end < len(keys) and keys[end] in _UNITS:
        value, end = value * _UNITS[keys[end]], end + 1
    return _roughly(keys, value, end, needs_unit=needs_unit)


def _roughly(keys: Sequence[str] | str, value: float, end: int, *, needs_unit: bool = False, shift: int = 0) -> Numeral:
    """A round number with the word behind that leaves its last places open."""
    word = keys[end - shift] if end - shift < len(keys) else ""
    if word not in _ROUGH or not value or value % 10:
        return Numeral(value, value, end, needs_unit)
    if word == "来":
        return Numeral(round(value * 0.9, 6), round(value * 1.1, 6), end + 1, needs_unit)
    step = 10
    while value % (step * 10) == 0:
        step *= 10
    return Numeral(value, value + step, end + 1, needs_unit, open=True)


def _spoken(text: str, place: int) -> Numeral | None:
    if found := _ABOUT_A_HUNDRED.match(text):
        low, high = (80, 100) if found[0] == "百八十" else (100, 120)
        return Numeral(low, high, place + found.end(), needs_unit=True)
    if found := _MULTIPLIED.match(text):
        low, high = (_DIGITS[digit] * _UNITS[found[2]] for digit in found[1])
        return Numeral(low, high, place + found.end())
    if found := _TRAILING.match(text):
        return _trailing(found, place)
    if found := _UP_TO_NEXT.match(text):
        return Numeral(_value(found[1]), _value(found[2]), place + found.end())
    if text[:2] in ("上百", "上千", "上万", "过百", "过千"):
        return Numeral(_UNITS[text[1]], 10 * _UNITS[text[1]], place + 2, needs_unit=True, open=True)
    if found := _SEVERAL.match(text):
        unit = _UNITS[found[1]]
        return Numeral(2 * unit, 10 * unit, place + found.end(), open=True)
    if text[0] == "几":
        return Numeral(2, 10, place + 1, needs_unit=True, open=True)
    if found := _PLAIN_PAIR.match(text):
        low, high = (_DIGITS[digit] for digit in found[0])
        return Numeral(low, high, place + found.end(), needs_unit=True)
    found = _COMPOUND.match(text)
    if not found or not found[0]:
        return None
    bare = found[0] in ("百", "千", "万")
    return _roughly(text, _value(found[0]), place + found.end(), needs_unit=bare, shift=place)


def _trailing(found: re.Match[str], place: int) -> Numeral:
    """Two digits behind a round number: "十五六", "一百二三", "一百二三十"."""
    base = _value(found[1])
    unit = 1 if found[1].endswith("十") else _UNITS[found[1][-1]] // 10
    low, high = (base + _DIGITS[digit] * unit for digit in found[2])
    return Numeral(low, high, place + found.end())


def _value(text: str) -> float:
    """A compound number; a digit right behind hundreds or thousands counts the next lower places ("一百二")."""
    total, digit, last = 0, 0, 1
    for letter in text:
        if letter in "零〇":
            last = 1
        elif letter in _UNITS:
            last = _UNITS[letter]
            total += (digit or 1) * last
            digit = 0
        else:
            digit = _DIGITS[letter]
    return float(total + digit * (last // 10 if last >= 100 else 1))


class SumFinder:
    """Finds sums, and numbers that only several characters say, at a place of a text."""

    def __init__(self, keys: Sequence[str], lexicon: Lexicon) -> None:
        self.keys = tuple(keys)
        self.lexicon = lexicon

    def sum(self, place: int) -> Sum | None:
        """A number with its unit."""
        return self._length(place) or self._money(place)

    def numeral(self, place: int) -> Numeral | None:
        """A number without a unit that no single word or token says."""
        found = read_numeral(self.keys, place)
        if (
            found is None
            or found.needs_unit
            or found.end - place < 2
            or found.end < len(self.keys)
            and self.keys[found.end] in "年成"
        ):
            return None
        spoken = self.keys[place : found.end]
        return None if spoken in self.lexicon.counts or spoken[0] == "零" else found

    def _unit(self, place: int) -> tuple[str, float, int] | None:
        """The kind, the size and the end of a unit at a place; the longest one."""
        for length in (3, 2, 1):
            words = self.keys[place : place + length]
            if words in self.lexicon.units:
                return (*self.lexicon.units[words], place + len(words))
        return None

    def _money(self, place: int) -> Sum | None:
        signed = place < len(self.keys) and self.keys[place] in self.lexicon.around.get("sign", ())
        found = read_numeral(self.keys, place + signed)
        if found is None:
            return None
        unit = self._unit(found.end)
        series = self.keys[found.end : found.end + 2] == tuple("字头") and found.low == found.high < 100
        if series:
            return Sum("price", found.low * 10, found.low * 10 + 10 - _BELOW, found.end + 2)
        if unit is None or unit[0] != "price":
            return Sum("price", found.low, found.top, found.end) if signed and unit is None else None
        if self.keys[place] in "一几" and found.end == place + 1 and self.keys[found.end : unit[2]] == ("块",):
            return None  # "一块看", "几块香皂"
        end, low, high = unit[2], found.low, found.top
        if found.low == found.high and (tenths := self._tenths(end)) is not None:
            low = high = round(low + tenths[0], 6)
            end = tenths[1]
        return Sum("price", low, high, end)

    def _tenths(self, place: int) -> tuple[float, int] | None:
        """The digit behind "块" that counts tenths: "15块5", "九块九"."""
        if place >= len(self.keys) or self.keys[place - 1] not in ("块", "元"):
            return None
        key = self.keys[place]
        digit = int(key) if key.isascii() and key.isdigit() and len(key) == 1 else _DIGITS.get(key) if key != "两" else None
        after = self.keys[place + 1 : place + 2]
        if digit is None or not digit:
            return None
        if after in (("毛",), ("角",)):
            return digit / 10, place + 2
        counts = after and (
            "measure" in self.lexicon.strong.get(after, ())
            or after[0] in _CHARACTERS
            or after[0][0].isdigit()
            or self._unit(place + 1) is not None
        )
        return None if counts else (digit / 10, place + 1)

    def _length(self, place: int) -> Sum | None:
        """A length of time: "90分钟", "两小时", "一个半小时", "半小时", "一小时二十分钟", "两小时半"."""
        if self.keys[place : place + 1] == ("半",):
            unit = self._unit(place + 1)
            return Sum("length", unit[1] / 2, unit[1] / 2, unit[2]) if unit is not None and unit[0] == "length" else None
        found = read_numeral(self.keys, place)
        if found is None:
            return None
        at, more = found.end, 0.0
        if self.keys[at : at + 2] == ("个", "半"):
            at, more = at + 2, 0.5
        elif self.keys[at : at + 1] == ("个",) and not self._unit(at):
            return None
        unit = self._unit(at)
        if unit is None or unit[0] != "length":
            return None
        low, high, end = (found.low + more) * unit[1], (found.top + more) * unit[1], unit[2]
        if unit[1] > 1 and found.low == found.high and not more:
            low, end = self._minutes_behind(low, unit[1], end)
            high = low
        return Sum("length", round(low, 6), round(high, 6), end)

    def _minutes_behind(self, minutes: float, size: float, end: int) -> tuple[float, int]:
        if self.keys[end : end + 1] == ("半",):
            return minutes + size / 2, end + 1
        further = read_numeral(self.keys, end)
        if further is not None and further.low == further.high and self.keys[further.end : further.end + 2][:1] == ("分",):
            return minutes + further.low, further.end + 1 + (self.keys[further.end + 1 : further.end + 2] == ("钟",))
        unit = self._unit(further.end) if further is not None else None
        if further is None or unit is None or unit[0] != "length" or unit[1] != 1 or further.low != further.high:
            return minutes, end
        return minutes + further.low, unit[2]
