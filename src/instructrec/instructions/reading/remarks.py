"""Chinese clauses that only say more of the bound or number before them, read as a whole by the patterns of the language.

"1990年以后的，当年不算", "喜剧放五个，其余不许再有": alone such a clause says nothing, so it
is read only where the clause before it has a range or a number of things, and where both agree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.bounds import beyond
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.wholes import Whole, ending_at
from instructrec.instructions.tokens import Token, number
from instructrec.instructions.vocabulary import Vocabulary

_COUNTED = {
    "cap": "until", "floor": "since", "open_up": "since", "open_down": "until", "exact": "exactly", "rest": "exactly",
}  # fmt: skip
_UP, _DOWN = ("cap", "open_down", "must_down"), ("floor", "open_up", "must_up")
_TRAILING = ("exact", "rest")
"""Kinds that may also end the clause of what they speak of."""
_REFUSES = ("negation", "negation_after", "too_much", "nothing_else", "back_only")
_LEADING = ("end_in", "end_out", "middle", "must_up", "must_down")
"""Kinds behind which a noun may follow at once."""
_DONE = "行算外"
"""Last characters of refusals that take nothing behind them."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MOST_CLAUSES = 3
"""Clauses back to which a remark may reach."""


def read_remarks(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with every such clause passed over and what it says put into the range or number before it."""
    if not lexicon.remarks:
        return list(marks)
    out = _parted_ones(marks, tokens)
    spans = _clauses(out, tokens)
    passed: set[tuple[int, int]] = set()
    for at, (start, end) in enumerate(spans):
        found = _said(out, tokens, start, end, lexicon)
        if found is None and start + 1 < end and out[start].plays("further"):
            start += 1  # "此外不要别的"
            found = _said(out, tokens, start, end, lexicon)
        named = end < len(out) and tokens[out[end].first].key == ":"  # "此外类别：喜剧"
        if found is None or named:
            continue
        kind, words, first, end = found
        earlier = [span for span in spans[max(0, at - _MOST_CLAUSES) : at] if span not in passed]
        before = [*earlier, *([(start, first)] if first > start else [])]
        excepted = at > 0 and any(mark.plays("except") for mark in out[slice(*spans[at - 1])])
        if kind == "outside" and not excepted and _leads_on(out, spans[at + 1 : at + 2]):
            out[first:end] = [replace(mark, roles=("filler",), low=None, high=None) for mark in out[first:end]]
        elif _Remark(out, tokens, vocabulary, kind, words).reaches(before):
            passed.add(spans[at])
            counted = any(mark.plays("amount", "count", "number", "measure") for mark in out[before[-1][0] : before[-1][1]])
            anew = end < spans[at][1] and not counted  # a noun behind it is a condition of its own
            opens = first == start and kind != "optional"
            for place in range(max(0, first - opens), end):
                role = {"too": "negation_after", "optional": "soft_after"}.get(kind, "filler") if place == first else "filler"
                role = "firm" if place == end - 1 and anew else role
                out[place] = replace(out[place], roles=(role,), low=None, high=None, compare=None, attribute=None)
    return out


def _parted_ones(marks: Sequence[Mark], tokens: Sequence[Token]) -> list[Mark]:
    """The marks, with the "one of them" that a thing follows as a number of things: "其中一个是喜剧"."""
    out: list[Mark] = []
    for place, mark in enumerate(marks):
        after = marks[place + 1] if place + 1 < len(marks) else None
        words = [token.key for token in tokens[mark.first : mark.last]]
        named = after is not None and after.plays("filler", "firm", "value") and not after.plays("sign", "negation")
        if mark.plays("or_after") and len(words) == 4 and words[0] == "其" and words[2] == "一" and named:
            out += [Mark(("of_them",), mark.first, mark.first + 2)]
            out += [Mark(("article", "count"), mark.first + 2, mark.last, low=1.0, high=1.0)]
        else:
            out.append(mark)
    return out


def _clauses(marks: Sequence[Mark], tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Stretches of marks between signs."""
    found: list[tuple[int, int]] = []
    start = 0
    for place, mark in enumerate(marks):
        if mark.plays("sign") and tokens[mark.first].text != "、":
            found.append((start, place))
            start = place + 1
    return [(first, last) for first, last in (*found, (start, len(marks))) if first < last]


def _leads_on(marks: Sequence[Mark], behind: Sequence[tuple[int, int]]) -> bool:
    """Whether the next clause names what alone is wanted: "不要别的，就喜剧"."""
    for start, end in behind:
        named = next((at for at in range(start, end) if marks[at].is_content), None)
        refused = any(mark.plays(*_REFUSES, "soft", "soft_after", "like") for mark in marks[start:end])
        return named is not None and not refused and any(mark.plays("alone", "exactly", "firm") for mark in marks[start:named])
    return False


def _said(
    marks: Sequence[Mark], tokens: Sequence[Token], start: int, end: int, lexicon: Lexicon
) -> tuple[str, str, int, int] | None:
    """Which remark a clause is, its words, where it begins (with the clause, or behind the number that it speaks of) and ends."""
    words = [token.key for token in tokens[marks[start].first : marks[end - 1].last]]
    for kind, pattern in lexicon.remarks.items():
        if pattern.fullmatch("".join(words)):
            return kind, "".join(words), start, end
    kinds: tuple[str, ...] = _TRAILING if any(mark.plays("number", "count", "article") for mark in marks[start:end]) else ()
    kinds = (*kinds, "too") if any(mark.plays("range") for mark in marks[start:end]) else kinds
    if all(mark.plays("firm", "filler") for mark in marks[start : start + 1]):
        kinds = (*kinds, "outside")
    for place in range(start + 1, end if kinds else start):
        if "outside" in kinds and not all(mark.plays("firm", "filler") for mark in marks[start:place]):
            kinds = tuple(kind for kind in kinds if kind != "outside")
        said = "".join(words[marks[place].first - marks[start].first :])
        for kind in kinds:
            if kind in lexicon.remarks and lexicon.remarks[kind].fullmatch(said):
                return kind, said, place, end
    return _glued(marks, tokens, start, end, lexicon)


def _glued(
    marks: Sequence[Mark], tokens: Sequence[Token], start: int, end: int, lexicon: Lexicon
) -> tuple[str, str, int, int] | None:
    """A remark that a noun follows without a sign: "1989年之后的，不包括那一年的喜剧"; none where it may refuse that noun."""
    for place in range(end - 1, start, -1):
        said = "".join(token.key for token in tokens[marks[start].first : marks[place].first])
        kind = next((kind for kind in _LEADING if kind in lexicon.remarks and lexicon.remarks[kind].fullmatch(said)), None)
        if kind is None:
            continue
        parted = marks[place].plays(
            "article", "quality", "firm", "known", "unknown", "of_what", "count", "number", "measure"
        ) or said.endswith("的")
        judged = said[0] not in lexicon.refusing and (said[-1] in _DONE or "也" in said)
        named = any(mark.plays("value") for mark in marks[place:end])
        refused = any(mark.plays(*_REFUSES) for mark in marks[place:end])
        return (kind, said, start, place) if named and not refused and (kind != "end_out" or parted or judged) else None
    return None


class _Remark:
    """One remark, and the clauses that it may speak of."""

    def __init__(self, marks: list[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, kind: str, words: str) -> None:
        self.marks = marks
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.kind = kind
        self.words = words

    def reaches(self, before: Sequence[tuple[int, int]]) -> bool:
        """Whether the last clause before it is one that it speaks of, which then says what both say."""
        if not before:
            return False
        start, end = before[-1]
        if self.kind == "optional":
            named = any(mark.plays("value") for mark in self.marks[start:end])
            counted = ("amount", "measure", "range", "count", "since", "until", "before", "after")
            counts = any(mark.plays(*counted) for mark in self.marks[start:end])
            return named and not counts and not self._refusals(start, end)
        if self.kind in ("one", "middle"):
            return self._joins(start, end)
        counts = any(word in self.words for word in "多少加减增") or self.kind in ("exact", "rest")
        if counts and self._counts(start, end):
            return True
        if self.kind == "rest":
            return False
        ranges = [place for place in range(start, end) if self.marks[place].plays("range")]
        if self.kind == "outside" and not ranges:
            return any(mark.plays("value") for mark in self.marks[start:end]) and not self._refusals(start, end)
        if self.kind in ("end_in", "end_out"):
            return self._ends(before, ranges, start, end)
        if self.kind == "too":
            return len(ranges) == 1 and self._is_beyond(ranges[0], start, end)
        return len(ranges) == 1 and self._bounds(ranges[0], start, end)

    def _refusals(self, start: int, end: int) -> list[int]:
        return [place for place in range(start, end) if self.marks[place].plays(*_REFUSES)]

    def _counts(self, start: int, end: int) -> bool:
        way = _COUNTED.get(self.kind)
        return way is not None and Whole(self.marks, self.tokens, start, end).bound(way)

    def _joins(self, start: int, end: int) -> bool:
        """Whether a remark makes one of two things before it: alternatives, or the years between them."""
        named = [place for place in range(start, end) if self.marks[place].plays("value" if self.kind == "one" else "range")]
        if len(named) < 2 or self._refusals(start, end):
            return False
        if self.kind == "one":
            for place in range(named[0], named[-1]):
                if self.marks[place].plays("and", "or_after", "or", "filler") and not self.marks[place].plays("value"):
                    joins = place + 1 in named or self.marks[place].plays("and")
                    self.marks[place] = replace(self.marks[place], roles=("or",) if joins else ("filler",))
            for place in range(named[-1] + 1, end):
                self.marks[place] = replace(self.marks[place], roles=("filler",))
            for place in named[1:]:
                if place - 1 in named:
                    self.marks[place] = replace(self.marks[place], roles=(*self.marks[place].roles, "or_before"))
            return True
        first, last = (self.marks[place] for place in named)
        if len(named) != 2 or first.attribute != last.attribute or (first.low, last.low) != (first.high, last.high):
            return False
        low, high = sorted((first.low or 0.0, last.low or 0.0))
        self.marks[named[1]] = replace(last, low=low, high=high)
        for place in range(named[0], named[1]):
            self.marks[place] = self.marks[place].idle
        return True

    def _is_beyond(self, place: int, start: int, end: int) -> bool:
        """Whether everything on one side of a bound is too much, or too little: "1990年和之前的太老了"."""
        mark = self.marks[place]
        upper = any(word in self.words for word in "新晚高多大贵近长")
        named = any(self.marks[at].plays("value", "amount", "title") for at in range(start, end))
        one_sided = (mark.low is None) != (mark.high is None)
        return one_sided and upper == (mark.high is None) and not named and not self._refusals(start, end)

    def _ends(self, before: Sequence[tuple[int, int]], ranges: Sequence[int], start: int, end: int) -> bool:
        """Whether a remark on the end of a bound finds it; "这两年本身可以" speaks of two."""
        counts = self.kind == "end_in"
        if not ranges:
            return counts and Whole(self.marks, self.tokens, start, end).allow_equal()
        spans = before[-2:] if "两" in self.words else before[-1:]
        named = {float(one) for one in _NUMBER.findall(self.words)}
        if named and not any(named & self._said(place) for first, last in spans for place in range(first, last)):
            return False
        for first, last in spans:
            refused = bool(self._refusals(first, last))
            for place in range(first, last):
                mark = self.marks[place]
                if not mark.plays("range"):
                    continue
                said = self._said(place) & named if named else self._said(place)
                ends = [one for one in said if any(e is not None and abs(e - one) <= 1 for e in (mark.low, mark.high))]
                whole = self.vocabulary.is_integral(mark.attribute or "")
                for one in ends:
                    ended = ending_at(self.marks[place], one, counts=counts != refused, whole=whole)
                    self.marks[place] = replace(ended, roles=("range",))
        return True

    def _said(self, place: int) -> set[float]:
        """The numbers that are written in a mark."""
        mark = self.marks[place]
        found = (number(token.key) for token in self.tokens[mark.first : mark.last])
        return {one for one in found if one is not None}

    def _bounds(self, place: int, start: int, end: int) -> bool:
        mark = self.marks[place]
        refusals = [at for at in self._refusals(start, end) if at != place]
        if mark.low is None or mark.low != mark.high:
            # What is bounded already is only confirmed.
            agrees = mark.high is None and self.kind in _DOWN or mark.low is None and self.kind in _UP
            beyond_it = mark.high is None and self.kind == "must_down" or mark.low is None and self.kind == "must_up"
            if refusals and beyond_it:
                return True  # "2001年开始的都不要，要更早的"
            return bool(not refusals and (agrees or (self.kind == "outside" or None not in (mark.low, mark.high))))
        if self.kind in ("exact", "outside"):
            return not refusals
        upward = self.kind in ("open_up", "must_up", "floor") if not refusals else self.kind in ("cap", "must_up")
        if refusals and self.kind in ("open_up", "open_down"):
            return False
        low, high = (mark.low, None) if upward else (None, mark.high)
        if self.kind.startswith("must"):
            whole = self.vocabulary.is_integral(mark.attribute or "")
            low, high = beyond(low, 1, whole=whole), beyond(high, -1, whole=whole)
            for at in refusals:
                self.marks[at] = replace(self.marks[at], roles=("filler",))
        self.marks[place] = replace(mark, low=low, high=high)
        return True
