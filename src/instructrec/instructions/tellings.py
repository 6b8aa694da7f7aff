"""Right after the first pass: whole clauses that tell, permit, complain or answer rather than ask (wording/tellings.*.toml).

A pattern is a row of words: `{value}` stands for a value or a list of them, `{other}` for a second one, `{title}` for a title,
`{word}` for any word, `<set>` for each phrase of a set, `...` for up to five words, `^` and `$` for where a clause begins or ends;
what stands in brackets may be left out. What a clause does with its values is said by the table that its pattern stands in.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.tokens import Token, keys
from instructrec.instructions.wording import read_wording

_SET = re.compile(r"<(\w+)>")
_WORD = r"(?![VT] )\w+[~#]? "
_LED = r"(?:(?:a|an|the|any|some|more|my|another|all|these|those|of|really|very|for|by|in|from) )*"
_VALUE = rf"{_LED}V (?:{_LED}V )*(?:\w+[~#] )?"
_LIST = rf"{_VALUE}(?:(?:, V (?:\w+[~#] )?)*(?:, )?(?:and|or|nor) {_VALUE})?"
_SLOTS = {
    "{value}": rf"(?P<value>{_LIST})",
    "{other}": rf"(?P<other>{_LIST})",
    "{one}": rf"(?P<value>{_VALUE})",
    "{bare}": r"(?P<value>V )",
    "{kind}": rf"(?P<value>(?:{_LED}V )(?:(?:and|or|nor) {_LED}V )?\w+# )",
    "{attribute}": r"\w+# ",
    "{also}": r"(?=(?:i|we) also )",
    "{title}": "(?P<value>T )",
    "{word}": _WORD,
    "...": rf"(?:{_WORD}){{0,5}}?",
    "^": r"(?:^|(?<=[,.!?:;(–—-] )|(?<=\band )|(?<=\bbut )|(?<=\bso )|(?<=\bor )|(?<=\bbecause )|(?<=\bthough ))",
    "$": r"(?=[,.!?:;)–—-] |$|and |but |so |or |though |because |if |please |then |now )",
}
_MOST = 12
"""Clauses of one request that are read."""
_OTHER_ENDS = ("sign", "contrast")


class Pattern:
    """One row of words, compiled when a text first holds a word of each of its parts."""

    def __init__(self, text: str, sets: Mapping[str, Sequence[str]]) -> None:
        self.needs: list[frozenset[str]] = []
        self._pieces: list[str] = []
        self._compiled: re.Pattern[str] | None = None
        for part in re.findall(r"\([^)]*\)|\S+", text):
            if part.startswith("("):
                self._pieces.append(f"(?:{''.join(self._piece(word, sets)[0] for word in part[1:-1].split())})?")
                continue
            piece, first = self._piece(part, sets)
            self._pieces.append(piece)
            self.needs += [first] if first else []

    def _piece(self, part: str, sets: Mapping[str, Sequence[str]]) -> tuple[str, frozenset[str]]:
        """The expression of one part, and the words of which one must be there."""
        if part in _SLOTS:
            return _SLOTS[part], frozenset(("V",) if "V " in _SLOTS[part] else ("T",) if "T " in _SLOTS[part] else ())
        phrases = list(_phrases(part, sets))
        spelled = sorted(("".join(map(_spelled, phrase.split())) for phrase in phrases), key=len, reverse=True)
        first = frozenset(keys(phrase)[0] for phrase in phrases if phrase)
        return f"(?:{'|'.join(spelled)})", frozenset() if "" in phrases else first

    def find(self, text: str) -> re.Match[str] | None:
        """Where it stands in a text."""
        if self._compiled is None:
            self._compiled = re.compile(r"\b" + "".join(self._pieces) if self._pieces[0] != _SLOTS["^"] else "".join(self._pieces))
        return self._compiled.search(text)


def _spelled(word: str) -> str:
    return _SLOTS.get(word) or "".join(f"{re.escape(key)}[~#]? " for key in keys(word))


def _phrases(part: str, sets: Mapping[str, Sequence[str]]) -> Iterator[str]:
    named = _SET.search(part)
    if named is None:
        yield part
        return
    for phrase in sets[named[1]]:
        yield from _phrases(part[: named.start()] + phrase + part[named.end() :], sets)


@cache
def _patterns(language: str) -> tuple[tuple[str, Pattern], ...]:
    table: Mapping[str, Any] = read_wording("tellings", language)
    sets = table.get("sets", {})
    return tuple((role, Pattern(text, sets)) for role, texts in table.items() if role != "sets" for text in texts)


class TellingReader:
    """Rewrites the marks of one request."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.lexicon = lexicon
        self._done: set[int] = set()

    def read(self) -> list[Mark]:
        """The marks, each such clause with what it does."""
        patterns = _patterns(self.lexicon.language)
        if not patterns or not any(mark.plays("value", "title", "attribute", "year") for mark in self.marks):
            return self.marks
        text, starts, words = self._text()
        found = 0
        for role, pattern in patterns:
            while found < _MOST and all(not words.isdisjoint(need) for need in pattern.needs):
                match = pattern.find(text)
                if match is None:
                    break
                found += 1
                self._apply(role, match, starts)
                text, starts, words = self._text()
        return self.marks

    def _text(self) -> tuple[str, list[int], set[str]]:
        """The words, with V for a value and T for a title, "~" behind a general noun; where each token begins; and all of them."""
        pieces: list[str] = []
        named: set[str] = set()
        for place, mark in enumerate(self.marks):
            if place in self._done:
                pieces += ["\\"] * (mark.last - mark.first)
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
        starts, at = list[int](), 0
        for piece in pieces:
            starts.append(at)
            at += len(piece) + 1 if piece else 0
        return "".join(piece + " " for piece in pieces if piece), starts, {piece.rstrip("~#") for piece in pieces}

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
        slots = {name: self._places(starts, match.span(name)) for name in groups if groups[name] is not None}
        values = [at for at in slots.get("value", []) if self.marks[at].plays("value", "title")]
        others = [at for at in slots.get("other", []) if self.marks[at].plays("value", "title")]
        handlers = {"told": self._tell, "refused": self._refuse, "wanted": self._want, "granted": self._grant, "over": self._prefer}
        handlers[role](whole, values, others)
        self._done.update(whole)

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
            self._plain([at for at in whole if not self.marks[at].is_content], told=True)
            self.marks[whole[0]] = replace(self.marks[whole[0]], roles=("unknown", "handed_back"))

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
            listed = any(self.marks[at].plays("and", "or") for at in range(values[0], values[-1]))
            self.marks[behind[-1]] = replace(self.marks[behind[-1]], roles=("negation_after", "all" if listed else "whole"))
            return
        end = behind[-1] if behind else whole[-1] + 1
        if end < len(self.marks) and not self.marks[end].plays(*_OTHER_ENDS) and not self.marks[end].is_content:
            self.marks[end] = replace(self.marks[end], roles=("contrast",))

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
        demanded = self.marks[before] if before >= 0 else None
        alike = demanded is not None and demanded.plays("value") and before not in self._done and bool(joints)
        alike = alike and bool({ref.attribute for ref in demanded.refs} & {ref.attribute for ref in self.marks[values[0]].refs})
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
