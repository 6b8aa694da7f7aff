"""Bounds that stand in front of what they bound: "3 <= rating < 4", "2≤评分≤4"."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.bounds import MIRRORED, WAYS, bounded
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token, keys
from instructrec.instructions.vocabulary import Vocabulary


def read_inequalities(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with each number, sign and name, and a sign and number behind them, as one range."""
    out: list[Mark] = []
    place = 0
    while place < len(marks):
        found = _read(marks[place : place + 5], tokens, vocabulary, lexicon)
        out.append(found[0] if found else marks[place])
        place += found[1] if found else 1
    return out


def _read(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> tuple[Mark, int] | None:
    if len(marks) < 3 or not _is_number(marks[0]):
        return None
    attribute = _named(marks[2], tokens, vocabulary)
    signs = [_sign(mark, tokens, lexicon) for mark in marks[1::2]]
    if attribute is None or not signs[0]:
        return None
    both = len(marks) == 5 and bool(signs[1]) and _is_number(marks[4])
    sides = [(MIRRORED[signs[0]], marks[0]), *([(signs[1], marks[4])] if both else [])]
    low, high = None, None
    for way, mark in sides:
        first, last = bounded(way, mark.low, mark.low, whole=vocabulary.is_integral(attribute))
        low, high = low if first is None else first, high if last is None else last
    length = 5 if both else 3
    return Mark(("range",), marks[0].first, marks[length - 1].last, attribute=attribute, low=low, high=high), length


def _named(mark: Mark, tokens: Sequence[Token], vocabulary: Vocabulary) -> str | None:
    """The number of the items that a mark names, also where its name is a function word ("year")."""
    if mark.attribute in vocabulary.catalog.quantities:
        return mark.attribute
    said = tuple(token.key for token in tokens[mark.first : mark.last])
    return vocabulary.year if vocabulary.year is not None and said == keys(vocabulary.year) else None


def _sign(mark: Mark, tokens: Sequence[Token], lexicon: Lexicon) -> str:
    """Which bound a sign of comparison, or a Chinese word of one or two characters, sets; empty for any other."""
    written = lexicon.script == "han" and mark.last - mark.first <= 2
    if not written and any(token.is_word for token in tokens[mark.first : mark.last]):
        return ""
    return next((way for way in WAYS if mark.plays(way)), "")


def _is_number(mark: Mark) -> bool:
    return mark.plays("number", "count", "year") and mark.low is not None and mark.low == mark.high


def stated(marks: Sequence[Mark], start: int, vocabulary: Vocabulary) -> tuple[str, int] | None:
    """Which bound of what is named a number before is said to be in Chinese ("4是评分的下限"), and the mark behind it."""
    place = start
    while place < min(start + 3, len(marks)) and marks[place].plays("filler"):
        place += 1
    said = [at for at in range(place, min(place + 3, len(marks))) if not marks[at].plays("of_what")]
    if place == start or len(said) < 2 or not marks[said[0]].plays("attribute"):
        return None
    way = next((way for way in ("since", "until") if marks[said[1]].plays(way)), None)
    end = said[1] + 1
    if way is None or marks[said[0]].attribute not in vocabulary.catalog.quantities:
        return None
    return (way, end) if end >= len(marks) or marks[end].plays("sign", "filler") else None
