"""Right after the first pass: whole clauses that tell, permit, complain or answer rather than ask (wording/tellings.*.toml).

What a clause does with its values is said by the table that its pattern (`patterns.py`) stands in.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.patterns import Text, patterns_of
from instructrec.instructions.tokens import Token

_OPENING = frozenset((",", ".", "!", "?", ":", ";", "(", "-", "–", "—", "\n", "and", "but", "so", "because", "though"))
_MOST = 12
"""Clauses of one request that are read."""
_OTHER_ENDS = ("sign", "contrast")
Handler = Callable[[Sequence[int], Sequence[int], Sequence[int]], None]
"""Rewrites the marks at the places of a whole clause, of its values, and of its other values."""


class TellingReader:
    """Rewrites the marks of one request."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.lexicon = lexicon
        self._done: set[int] = set()

    def read(self) -> list[Mark]:
        """The marks, each such clause with what it does."""
        patterns, by_word = patterns_of(self.lexicon.language)
        if not patterns or not any(
            mark.plays("value", "title", "attribute", "year", "decade", "number", "range") for mark in self.marks
        ):
            return self.marks
        text = self._text()
        found = 0
        for role, pattern in (patterns[n] for n in sorted({n for word in text.words for n in by_word.get(word, ())})):
            while found < _MOST and (match := pattern.find(text)) is not None:
                found += 1
                self._apply(role, match, text.starts)
                text = self._text()
        self._drop_idle()
        return self.marks

    def _drop_idle(self) -> None:
        """What says nothing: a word of the name of its attribute behind a value ("oily skin"), an adverb before ("damn horror")."""
        for place, mark in enumerate(self.marks):
            if not mark.plays("unknown", "known") or mark.plays("handed_back"):
                continue
            word = self.lexicon.stem(self.tokens[mark.first].key)
            before, after = self.marks[max(0, place - 1) : place], self.marks[place + 1 : place + 2]
            named = any(word in ref.attribute.split("_") for near in before for ref in near.refs)
            if named or (word in self.lexicon.adverbs and any(near.plays("value") for near in after)):
                self.marks[place] = replace(mark, roles=("filler",))

    def _text(self) -> Text:
        """The words that are not used up, "~" behind a general noun and "#" behind a word for an attribute."""
        pieces: list[str] = []
        named: set[str] = set()
        for place, mark in enumerate(self.marks):
            if place in self._done:
                pieces += ["\\"] * (mark.last - mark.first)
                continue
            if mark.plays("count", "number", "year", "decade", "range", "amount") and (
                mark.low != 1 or self.tokens[mark.first].key == "1"
            ):
                pieces += ["N"] + [""] * (mark.last - mark.first - 1)
                continue
            if mark.plays("value", "title"):
                pieces += ["V" if mark.plays("value") else "T"] + [""] * (mark.last - mark.first - 1)
                named = {word for ref in mark.refs for word in ref.attribute.split("_")}
                continue
            noun = mark.plays("noun") and mark.last - mark.first == 1
            for token in self.tokens[mark.first : mark.last]:
                of_attribute = mark.plays("attribute") or self.lexicon.stem(token.key) in named
                pieces.append(token.key + ("#" if of_attribute and token.is_word else "~" if noun else ""))
            named = set()
        starts, opens, at, opening = list[int](), list[int](), 0, True
        places: dict[str, list[int]] = {}
        for piece in pieces:
            starts.append(at)
            if piece:
                places.setdefault(piece.rstrip("~#"), []).append(at)
            opens += [at] if opening and piece else []
            opening = piece in _OPENING or (opening and not piece)
            at += len(piece) + 1 if piece else 0
        return Text("".join(piece + " " for piece in pieces if piece), tuple(starts), frozenset(places), tuple(opens), places)

    def _places(self, starts: Sequence[int], span: tuple[int, int]) -> list[int]:
        """Places of the marks that lie in a stretch of the text."""
        if span[0] < 0:
            return []
        first, last = bisect_right(starts, span[0]) - 1, bisect_right(starts, span[1] - 1) - 1
        while first > 0 and starts[first - 1] == starts[first]:
            first -= 1
        return [place for place, mark in enumerate(self.marks) if mark.first <= last and mark.last > first]

    def _apply(self, role: str, match: re.Match[str], starts: Sequence[int]) -> None:
        whole = self._places(starts, match.span())
        groups = match.groupdict()
        self._settle(role, whole, {name: self._places(starts, match.span(name)) for name in groups if groups[name] is not None})

    def _settle(self, role: str, whole: Sequence[int], slots: Mapping[str, Sequence[int]]) -> None:
        """Do with a clause what its table says; `slots`: places of what stands for the parts of its pattern."""
        values = [at for at in slots.get("value", ()) if self.marks[at].plays("value", "title")]
        others = [at for at in slots.get("other", ()) if self.marks[at].plays("value", "title")]
        self._handlers()[role](whole, values, others)
        self._done.update(whole)

    def _handlers(self) -> Mapping[str, Handler]:
        """What is done with the clauses of each table."""
        return {
            "told": self._tell,
            "refused": self._refuse,
            "wanted": self._want,
            "granted": self._grant,
            "over": self._prefer,
            "unclear": self._tell,
            "barred": self._bar,
        }

    def _plain(self, places: Sequence[int], *, told: bool = False) -> None:
        """Take words for such of no weight; what says something is handed back where the clause is only told."""
        for at in places:
            mark = self.marks[at]
            if mark.plays("sign"):
                continue
            roles = ("unknown", "handed_back") if told and mark.is_content else ("filler",)
            self.marks[at] = replace(mark, roles=roles, refs=(), items=(), compare=None, attribute=None, low=None, high=None)

    def _tell(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        self._plain(whole, told=True)
        if not values and whole:
            for at in whole:
                self.marks[at] = replace(self.marks[at], roles=("unknown", "handed_back"))

    def _refuse(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """Make the last word behind the values one that refuses them, or the last one before."""
        if not values:
            behind = [at for at in whole if not self.marks[at].plays("sign")]
            self._plain(behind)
            self.marks[behind[0]] = replace(self.marks[behind[0]], roles=("negation",))
            return
        before = [at for at in whole if at < values[0] and not self.marks[at].plays("article")]
        behind = [at for at in whole if at > values[-1] and not self.marks[at].plays("sign", "noun")]
        self._plain([at for at in others if at > values[-1]], told=True)
        self._plain([at for at in whole if at > values[-1] or at < values[0]])
        if before:
            self.marks[before[-1]] = replace(self.marks[before[-1]], roles=("negation",))
        else:
            listed = any(self.marks[at].plays("and", "or", "sign") for at in range(values[0], values[-1]))
            self.marks[behind[-1]] = replace(self.marks[behind[-1]], roles=("negation_after", "all" if listed else "whole"))
            return
        end = behind[-1] if behind else whole[-1] + 1
        if end < len(self.marks) and not self.marks[end].plays(*_OTHER_ENDS) and not self.marks[end].is_content:
            self.marks[end] = replace(self.marks[end], roles=("contrast",))

    def _bar(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """What is refused if a number is so: "if it's older than 1980, I'm out" is "nothing older than 1980"."""
        numbers = ("count", "number", "year", "decade", "range", "amount")
        if any(self.marks[at].plays("attribute") for at in whole):
            if any(self.marks[at].plays(*numbers) and self.marks[at].attribute for at in whole):
                self._tell(whole, values, others)  # "if its runtime is over two hours"
                return
            if not self.marks[whole[0]].plays("in_case"):
                return  # a number with a name is read as it stands
        last = max(at for at in whole if self.marks[at].plays(*numbers))
        ends = [at for at in whole if at > last and not self.marks[at].plays("unit", "since_after", "until_after")]
        self._plain(ends)
        if ends:
            self.marks[ends[-1]] = replace(self.marks[ends[-1]], roles=("contrast",))
        self.marks[whole[0]] = replace(self.marks[whole[0]], roles=("negation", "any_other"))

    def _want(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        before = [at for at in whole if at < values[0] and not self.marks[at].plays("article")]
        self._plain([at for at in whole if at not in values and not self.marks[at].plays("article", "and", "or", "noun", "from")])
        for at in before:
            if self.marks[at].plays("sign"):
                self.marks[at] = replace(self.marks[at], roles=("filler",))
        if before:
            self.marks[before[0]] = replace(self.marks[before[0]], roles=("firm",))

    def _prefer(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        kept = (*values, *others)
        self._plain([at for at in whole if at > values[-1] and at not in kept])
        self._plain(others, told=True)

    def _grant(self, whole: Sequence[int], values: Sequence[int], others: Sequence[int]) -> None:
        """What may be is an alternative to what is demanded right before, and else no demand."""
        before = whole[0] - 1
        joints: list[int] = []
        while before >= 0 and self.marks[before].plays("sign", "and", "filler", "noun") and len(joints) < 3:
            joints.append(before)
            before -= 1
        demanded = {ref.attribute for ref in self.marks[before].refs} if before >= 0 and before not in self._done else set()
        alike = bool(joints) and bool(demanded & {ref.attribute for ref in self.marks[values[0]].refs})
        ended = any(self.tokens[self.marks[at].first].ends_sentence for at in joints)
        refused = any(mark.plays("negation", "negation_after", "soft", "like") for mark in self.marks[max(0, before - 6) : before])
        if not alike or ended or refused or len(values) > 1:
            self._tell(whole, values, others)
            return
        self._plain([at for at in whole if at not in values])
        for at in joints:
            self.marks[at] = replace(self.marks[at], roles=("filler",))
        self.marks[joints[0]] = replace(self.marks[joints[0]], roles=("or",))


def read_tellings(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks, with clauses that tell, permit, complain or answer made into what they do."""
    return TellingReader(marks, tokens, lexicon).read()
