"""Words that bound a number by the part of another phrase: "runtime is over 120", "made up to but not including 1992"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.reading.marks import NUMBERS, Mark

_OPEN = {"until": "before", "since": "after"}
"""What a bound says that leaves out its own number."""


def read_ends(marks: Sequence[Mark]) -> list[Mark]:
    """The marks, with such words as bounds; Latin script only."""
    out = list(marks)
    for place, mark in enumerate(marks):
        if mark.plays("year_over") and mark.plays("passes"):
            out[place] = _over(out, place)
        elif mark.plays("leaves_out"):
            _left_out(out, place)
    return [mark for mark in out if mark.roles]


def _over(marks: Sequence[Mark], place: int) -> Mark:
    """What is said to be over for a time, but bounds the number behind where one is named: "is over 120 minutes"."""
    mark, number = marks[place], _number_at(marks, place + 1)
    if number is None or not place or marks[place - 1].plays("year", "decade"):
        return mark
    named = marks[place - 1].plays("attribute") or marks[number].attribute is not None
    return replace(mark, roles=("after",)) if named else mark


def _left_out(marks: list[Mark], place: int) -> None:
    """Make "up to | but | not including | 1992" one bound that leaves out its number."""
    first = place - 1
    while first > 0 and place - first < 4 and marks[first].plays("contrast", "and", "sign"):
        first -= 1
    compared = marks[first].compare if first >= 0 else None
    way = next((way for way in _OPEN if first >= 0 and (marks[first].plays(way) or (compared and compared[1] == way))), None)
    number = place + 1
    while number < len(marks) and number < place + 3 and marks[number].plays("sign"):
        number += 1
    if way is None or _number_at(marks, number) != number:
        return
    bound = replace(marks[first], roles=(_OPEN[way],), last=marks[number - 1].last, compare=None)
    marks[first:number] = [bound, *[replace(bound, roles=())] * (number - first - 1)]


def _number_at(marks: Sequence[Mark], place: int) -> int | None:
    """The number that begins at `place`, behind words that say nothing of it."""
    at = place
    while at < len(marks) and at < place + 3 and marks[at].plays("article", "filler", "attribute", "about", "exactly"):
        at += 1
    return at if at < len(marks) and marks[at].plays(*NUMBERS) and marks[at].low is not None else None
