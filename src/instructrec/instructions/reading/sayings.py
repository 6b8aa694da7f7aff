"""Right after the first pass: Chinese clauses that tell, permit, complain or compare rather than ask (wording/tellings.zh.toml)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.signs import patterns_of
from instructrec.instructions.reading.tellings import Handler, TellingReader
from instructrec.instructions.tokens import Token

_MOST = 12
"""Clauses of one request that are read."""
_MEASURES = "部个支瓶款本首件盒套种"
"""Measures that stand for one thing without a number."""
_COUNTED = (*NUMERIC, "range", "amount")


class SayingReader(TellingReader):
    """Rewrites the marks of one request."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, lexicon)
        self._at: list[int] = []
        """The place of the mark of each sign of the text."""

    def read(self) -> list[Mark]:
        """The marks, each such clause with what it does."""
        if not any(mark.plays("value", "title", "familiar", *_COUNTED) for mark in self.marks):
            return self.marks
        patterns = patterns_of(self.lexicon.language)
        text = self._signs()
        signs = frozenset(text)
        left, found = patterns.among(signs), 0
        while left and found < _MOST:
            role, pattern = patterns.rows[left[0]]
            match = pattern.find(text, signs)
            if match is None:
                left.pop(0)
                continue
            found += 1
            self._say(role, match)
            text = self._signs()
            signs = frozenset(text)
            left = [number for number in patterns.among(signs) if number >= left[0]]
        return self.marks

    def _signs(self) -> str:
        """One sign for each value (V), title (T), number (N), noun or measure behind one (I), and else for each token."""
        signs: list[str] = []
        self._at = []
        for place, mark in enumerate(self.marks):
            size = mark.last - mark.first
            words = ["、" if token.text == "、" else token.key for token in self.tokens[mark.first : mark.last]]
            behind = "".join(signs[-1:])
            if place in self._done:
                found = ["\\"] * size
            elif mark.plays("value"):
                found = ["V"]
            elif mark.plays("title"):
                found = ["T"]
            elif mark.plays(*_COUNTED) and mark.low is not None and words != ["一"]:
                found = ["N"]
            elif _is_item(mark, words[0], behind):
                found = ["I"]
            elif mark.plays("quote"):
                found = []
            else:
                found = [word if len(word) == 1 and word not in "VTNI" else "_" for word in words]
            signs += found
            self._at += [place] * len(found)
        return "".join(signs)

    def _covered(self, span: tuple[int, int]) -> list[int]:
        return sorted(set(self._at[span[0] : span[1]])) if span[0] >= 0 else []

    def _say(self, role: str, match: re.Match[str]) -> None:
        groups = match.groupdict()
        slots = {name: self._covered(match.span(name)) for name in groups if groups[name] is not None}
        inner = {at for places in slots.values() for at in places}
        whole = [at for at in self._covered(match.span()) if at in inner or not self.marks[at].plays("value")]
        self._settle(role, whole, slots)

    def _handlers(self) -> Mapping[str, Handler]:
        further = {"rather": self._rather, "either": self._either, "spared": self._spare, "plain": self._pass}
        further |= {
            "composed": self._compose,
            "both": self._refuse_both,
            "instead": self._instead,
            "choice": self._choose,
            "only": self._only,
        }
        return {**super()._handlers(), **further}

    def _refuse(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """Refuse the values by the word right before them, and else by the one right behind."""
        before = [at for at in whole if at < values[0] and not self.marks[at].plays("sign")]
        behind = [at for at in whole if at > values[-1] and not self.marks[at].plays("sign")]
        listed = any(self.marks[at].plays("and", "or", "sign") for at in range(values[0], values[-1]))
        self._plain([*before, *behind])
        self._plain(others, told=True)
        if before:
            self.marks[before[-1]] = replace(self.marks[before[-1]], roles=("negation",))
        elif behind:
            self.marks[behind[-1]] = replace(
                self.marks[behind[-1]], roles=("negation_after", *(("all", "shared") if listed else ("whole",)))
            )

    def _compose(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """Refuse the values by words that refuse together, where none of them is known to do so by itself."""
        behind = [self.marks[at] for at in whole if at > values[-1]]
        before = [self.marks[at] for at in whole if at < values[0]]
        sides = ((behind, "negation_after"), (before, "negation"))
        strange = [any(mark.plays("unknown", "known") for mark in side) for side, _ in sides]
        known = [any(mark.plays(role) for mark in side) for side, role in sides]
        if not any(told and not odd for told, odd in zip(known, strange, strict=True)):
            self._refuse(whole, values, others)

    def _refuse_both(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """Refuse two things, each by the word right behind it."""
        self._pass(whole, values, others)
        for at in (values[-1] + 1, others[-1] + 1):
            self.marks[at] = replace(self.marks[at], roles=("negation_after", "whole"))

    def _instead(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """The first is refused, the second demanded."""
        self._pass(whole, values, others)
        self.marks[values[0] - 1] = replace(self.marks[values[0] - 1], roles=("negation",))
        self.marks[others[0] - 1] = replace(self.marks[others[0] - 1], roles=("contrast",))

    def _only(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """One of what is named is demanded, for all else is refused."""
        self._choose(whole, values, others)
        if whole[0] < values[0]:
            self.marks[whole[0]] = replace(self.marks[whole[0]], roles=("firm",))

    def _choose(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """All that is named are alternatives."""
        named = sorted((*values, *others))
        self._plain([at for at in whole if at not in named])
        for first, second in pairwise(named):
            if second > first + 1:
                self.marks[second - 1] = replace(self.marks[second - 1], roles=("or",))

    def _want(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        kept = ("article", "and", "or", "noun", "of_what")
        inner = range(values[0], values[-1])
        self._plain([at for at in whole if at not in values and not (at in inner and self.marks[at].plays(*kept))])
        self._plain(others, told=True)
        if whole[0] < values[0] and not self.marks[whole[0]].plays("sign"):
            self.marks[whole[0]] = replace(self.marks[whole[0]], roles=("firm",))

    def _pass(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        self._plain([at for at in whole if at not in values and at not in others])

    def _prefer(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        self._pass(whole, values, others)
        self._plain(others, told=True)

    def _rather(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """The first is demanded, the second refused."""
        self._pass(whole, values, others)
        self.marks[others[0] - 1] = replace(self.marks[others[0] - 1], roles=("negation",))

    def _either(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """Both are alternatives."""
        first, second = sorted((tuple(values), tuple(others)))
        self._pass(whole, values, others)
        for at in range(first[-1] + 1, second[0]):
            self.marks[at] = replace(self.marks[at], roles=("filler",))
        self.marks[second[0] - 1] = replace(self.marks[second[0] - 1], roles=("or",))

    def _spare(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """The first is refused, but not where it is the second."""
        self._pass(whole, values, others)
        before = [at for at in whole if at < values[0]]
        joint = [at for at in whole if values[-1] < at < others[0]]
        if before:
            self.marks[before[-1]] = replace(self.marks[before[-1]], roles=("negation",))
        else:
            self.marks[joint[0]] = replace(self.marks[joint[0]], roles=("negation_after", "whole"))
        for at in joint[bool(not before) : -1]:
            self.marks[at] = replace(self.marks[at], roles=("filler",))
        self.marks[joint[-1]] = replace(self.marks[joint[-1]], roles=("negation", "excepting"))

    def _grant(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """What may be is an alternative to what is demanded in the clause before, and else no demand."""
        start = whole[0]
        while start > 0 and (self.marks[start - 1].plays("sign", "contrast", "filler", "or") and whole[0] - start < 3):
            start -= 1
        clause: list[int] = []
        while start > 0 and not self.marks[start - 1].plays("sign", "contrast"):
            start -= 1
            clause.append(start)
        names = {ref.attribute for ref in self.marks[values[0]].refs}
        demanded = [at for at in clause if self.marks[at].plays("value") and at not in self._done]
        alike = [at for at in demanded if {ref.attribute for ref in self.marks[at].refs} & names]
        refused = any(self.marks[at].plays("negation", "negation_after", "like", "nothing_else", "soft") for at in clause)
        if not alike or refused or len(values) > 1:
            self._tell(whole, values, others)
        elif len(demanded) > 1:
            self._plain([at for at in whole if at not in values])
            self.marks[values[0]] = replace(self.marks[values[0]], roles=("value", "granted"))
        elif not self.marks[values[0] - 1].plays("sign"):
            self._plain([at for at in whole if at < values[0]])
            self.marks[values[0] - 1] = replace(self.marks[values[0] - 1], roles=("or",))


def _is_item(mark: Mark, word: str, before: str) -> bool:
    """Whether a general noun behind a value, or a measure, stands there."""
    if mark.plays("noun", "kinds_of"):
        return before in ("V", "I", "的")
    return mark.plays("measure", "article") and (before in ("N", "一") or word == "一" or (word in _MEASURES and before != "V"))


def read_sayings(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks, with clauses that tell, permit, complain or compare made into what they do."""
    return SayingReader(marks, tokens, lexicon).read()
