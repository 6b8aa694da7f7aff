"""Patterns of Chinese clauses (wording/tellings.zh.toml), which are looked for in one sign for each mark or character of a text.

A pattern is a row of parts: `{value}` stands for a value or a list of them, `{other}` for a second one, `{title}` for a title,
`{n}` for a number, `{item}` for a general noun or a measure, `<set>` for each phrase of a set, `...` for up to six other signs,
`^` and `$` for where a clause begins or ends; what stands in brackets may be left out, and all else is written as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

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


class Patterns:
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
def patterns_of(language: str) -> Patterns:
    """The patterns of a language."""
    return Patterns(read_wording("tellings", language))
