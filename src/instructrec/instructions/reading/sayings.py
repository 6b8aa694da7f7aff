"""Right after the first pass: Chinese clauses that tell, permit, complain or compare rather than ask (wording/tellings.zh.toml).

A pattern is a row of parts: `{value}` stands for a value or a list of them, `{other}` for a second one, `{title}` for a title,
`{n}` for a number, `{item}` for a general noun or a measure, `<set>` for each phrase of a set, `...` for up to six other signs,
`^` and `$` for where a clause begins or ends; what stands in brackets may be left out, and all else is written as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.tellings import Handler, TellingReader
from instructrec.instructions.tokens import Token
from instructrec.instructions.wording import read_wording

_SET = re.compile(r"<(\w+)>")
_SIGN = r"[^VTN,.!?;:。、…]"
_VALUE = "V(?:I?的?V|I)*"
_LIST = rf"{_VALUE}(?:的?[、和或跟与及]{_VALUE})*?(?:的(?:I|东西)|的(?![VN]))?"
_SLOTS = {
    "{value}": f"(?P<value>{_LIST})",
    "{other}": f"(?P<other>{_LIST})",
    "{free}": (
        "(?<![和跟与或及、非没无除唯])(?<!除了)(?<!除开)(?<!除去)(?<!除却)(?<!撇开)(?<!抛开)(?<!刨去)(?<!不是)(?<!没有)(?<!不带)"
        "(?<!不沾)(?<!不含)(?<!属于)(?<!只有)(?<!少了)(?<!缺了)(?<!离了)(?<!没了)(?<!不算)(?<!包含)(?<!比起)(?<!不看)(?<!不要)"
    ),
    "{several}": f"(?P<value>{_VALUE}(?:[、和或跟与及]{_VALUE})+)",
    "{shared}": "(?P<value>V(?:[、和或跟与及]V)+的?V)I?",
    "{bare}": "(?P<value>V)",
    "{title}": "(?P<value>T)",
    "{n}": "N",
    "{item}": "(?:[N一两几]?I)",
    "...": rf"(?:{_SIGN}|N){{0,7}}?",
    "{rest}": rf"(?:{_SIGN}|N){{0,12}}",
    "{wordy}": rf"{_SIGN}{{1,4}}",
    "{plain}": r"(?=[^VT.!?;。]*(?:[.!?;。]|$))",
    "{named}": r"(?=[^.!?;。]*V)",
    "{joined}": "(?<=[VI])",
    "{over}": r"(?=[,.!?;。\s]|$)",
    "{comma}": "(?=,)",
    "{unpraised}": "(?!(?:很|特别|非常)?(?:好|不错|值得|棒|赞)[^,.!?;。]{0,3}的(?:V|I))",
    "{notof}": "(?!的)",
    "{apart}": "(?![^.!?。]*(?:类似|这样|差不多|同类|一样|相似|像))",
    "{single}": "(?P<value>VI?)",
    "{oneitem}": "一?I",
    "{uncapped}": (
        r"(?![^VT.!?;。]{0,14}(?:N|(?:[最至顶]多|上限|封顶|不超过)[^VT.!?;。]{0,3}I|,I(?:以[内下]|之内|封顶|打住|到顶)))"
    ),
    "{unmeasured}": "(?<!NI)",
    "{affirmed}": "(?!听[说闻]过的)",
    "{uncounted}": r"(?!N|.{0,2}N|I(?=[,.!?;。\s]|$))",
    "{once}": r"(?![^,.]{0,4},(?:\\|[^,.]{0,3}VI?[^,.]{0,3}也))",
    "{else}": "(?=[^.!?;。]*,[^.!?;。]*(?:V|别的|换|不一样|其他|其它|另外)|$)",
    "{alone}": r"(?=[.!?;。\s]|$)",
    "{me}": "(?=,(?:但是?|可是?|不过|而)?(?:我|给我|今天|现在))",
    "{now}": "(?=,(?:但是?|可是?|不过|而)?(?:今天|今晚|现在|这次|这回))",
    "{same}": "(?P<other>VI?)",
    "{de}": "的?",
    "{alone_if}": "(?<![需想只主])",
    "{told}": r"(?![^,.;。]*[吗么?])",
    "^": r"(?<![^,.!?;:。、…\s])",
    "$": r"[了吧哦啊呢啦嘛呀的哈]*(?=[,.!?;:。…\s]|$)",
}
_MOST = 12
"""Clauses of one request that are read."""
_MEASURES = "部个支瓶款本首件盒套种"
"""Measures that stand for one thing without a number."""
_COUNTED = (*NUMERIC, "range", "amount")


class Pattern:
    """One row of parts, compiled when a text first holds the signs that it needs."""

    def __init__(self, text: str, sets: Mapping[str, Sequence[str]]) -> None:
        self._sets = sets
        self._parts = re.findall(r"\([^)]*\)|\S+", text)
        self._compiled: re.Pattern[str] | None = None
        self.needs = [need for part in self._parts if (need := self._opening(part))]

    def find(self, text: str, signs: frozenset[str]) -> re.Match[str] | None:
        """Where it first stands in a text of these signs."""
        if any(signs.isdisjoint(need) for need in self.needs):
            return None
        self._compiled = self._compiled or re.compile("".join(map(self._piece, self._parts)))
        return self._compiled.search(text)

    def _piece(self, part: str) -> str:
        if part.startswith("("):
            return f"(?:{''.join(map(self._piece, part[1:-1].split()))})?"
        if part in _SLOTS:
            return _SLOTS[part]
        named = _SET.split(part)
        return "".join(self._any(piece) if at % 2 else re.escape(piece) for at, piece in enumerate(named))

    def _any(self, name: str) -> str:
        return (
            f"(?:{'|'.join(self._piece(phrase) if phrase else '' for phrase in sorted(self._sets[name], key=len, reverse=True))})"
        )

    def _opening(self, part: str) -> frozenset[str]:
        """The signs of which one must be there where a part is; none if it may be empty, or any sign."""
        if part.startswith("("):
            return frozenset()
        if part in _SLOTS:
            return frozenset({"{value}": "V", "{other}": "V", "{title}": "T", "{n}": "N"}.get(part, ""))
        if part[0] != "<":
            return frozenset(part[0])
        found = [self._opening(phrase) if phrase else frozenset[str]() for phrase in self._sets[part[1 : part.index(">")]]]
        return frozenset().union(*found) if all(found) else frozenset()


class _Patterns:
    """The patterns of a language in order, each with its table, found by the signs that they need."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        sets = table.get("sets", {})
        self.rows = tuple((role, Pattern(text, sets)) for role, texts in table.items() if role != "sets" for text in texts)
        self._by_sign: dict[str, list[int]] = {}
        self._always: list[int] = []
        for number, (_, pattern) in enumerate(self.rows):
            rarest = min(pattern.needs, key=lambda need: (bool(need & set("VTN")), len(need)), default=None)
            for sign in rarest or ():
                self._by_sign.setdefault(sign, []).append(number)
            self._always += [] if rarest else [number]

    def among(self, signs: frozenset[str]) -> list[int]:
        """Those that may stand in a text of these signs."""
        return sorted({*self._always, *(number for sign in signs for number in self._by_sign.get(sign, ()))})


@cache
def _patterns(language: str) -> _Patterns:
    return _Patterns(read_wording("tellings", language))


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
        patterns = _patterns(self.lexicon.language)
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
            words = [token.key for token in self.tokens[mark.first : mark.last]]
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
        further |= {"composed": self._compose, "both": self._refuse_both, "instead": self._instead, "choice": self._choose}
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
        known = any(mark.plays("negation_after") for mark in behind)
        known = known or (any(mark.plays("negation") for mark in before) and not any(mark.plays("unknown") for mark in before))
        if not known:
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
