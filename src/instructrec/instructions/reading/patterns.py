"""Patterns of clauses: rows of words with places for values (wording/tellings.*.toml).

`{value}` stands for a value or a list of them, `{row}` for one that commas alone may part, `{other}` for a second one, `{title}`
for a title, `{word}` for any word, `<set>` for each phrase of a set, `...` for up to five words, `^` and `$` for where a clause
begins or ends; what stands in brackets may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from instructrec.instructions.wording import read_wording

_SET = re.compile(r"<(\w+)>")
_NO = "not|neither|never|isnt|arent|no|without|dont|doesnt|cant|unless|only|just"
_WORD = r"(?![VTN] )\w+[~#]? "
_LED = r"(?:(?:a|an|the|any|some|more|my|another|all|these|those|of|really|very|for|by|in|from) )*"
_VALUE = rf"{_LED}V (?:{_LED}V )*(?:\w+[~#] )?"
_LIST = rf"{_VALUE}(?:(?:, V (?:\w+[~#] )?)*(?:, )?(?:and|or|nor) {_VALUE})?"
_SLOTS = {
    "{value}": rf"(?P<value>{_LIST})",
    "{row}": rf"(?P<value>{_VALUE}(?:(?:, )?(?:(?:and|or|nor) )?{_VALUE})*)",
    "{other}": rf"(?P<other>{_LIST})",
    "{one}": rf"(?P<value>{_VALUE})",
    "{bare}": r"(?P<value>V )",
    "{kind}": rf"(?P<value>(?:{_LED}V )(?:(?:and|or|nor) {_LED}V )?\w+# )",
    "{attribute}": r"\w+# ",
    "{me}": r"(?=(?:(?:but|and|while|whereas|though) )?(?:i|im|ill|id|we|me|mine) )(?!.*\b(?:both|together) )"
    r"(?!(?:i|we) (?:dont|do not) (?:mind|care) |(?:im|were) (?:easy|happy|fine) )",
    "{end}": r"(?!(?:, )?but (?:not|i|we|still|my|he|she|they|today|tonight|now) )",
    "{stays}": r"(?!(?:, )?but (?:not (?!V )|still |today |tonight |now |(?:i|we) (?:still|do|dont|did|like|love|enjoy|happen) ))",
    "{so}": rf"(?!(?:[^VT ]+ ){{0,4}}(?:{_NO}|N|than|most|least) )",
    "{free}": r"(?!(?:[^.!?; ]+ ){0,9}(?:N|than one|most|maximum|max) )(?<!or )(?<!no )(?<!still )(?<!even )(?<!much )",
    "{sure}": rf"(?!(?:(?!N )[^.!?; ]+ ){{0,9}}(?:{_NO}) )",
    "{number}": "N (?!V )",
    "{plain}": r"(?:(?!(?:and|or|V|T|N) )[^,.!?; ]+ ){0,6}?",
    "{any}": r"(?:[^.!?; ]+ ){0,9}?",
    "{own}": r"(?<!be )(?<!be a )(?<!be an )",
    "{also}": r"(?=(?:i|we) (?:also|only|just|still) )",
    "{unasked}": r"(?!(?:[^.!?; ]+ ){0,4}(?:if|whether) )",
    "{title}": "(?P<value>T )",
    "{word}": _WORD,
    "...": rf"(?:{_WORD}){{0,5}}?",
    "^": "",
    "$": r"(?=[,.!?:;)–—-] |$|and |but |so |though |because |if |please |then |now |for tonight |thanks |thank you |thx |cheers )",
}
_LOOKS = ("{so}", "{stays}", "{own}", "{sure}", "{free}", "{end}", "{me}", "{also}", "{unasked}", "^", "$")
"""Parts of patterns that only look at what stands around."""


class Pattern:
    """One row of words, compiled when a text first holds a word of each of its parts."""

    def __init__(self, text: str, sets: Sets) -> None:
        self._sets = sets
        self._parts = re.findall(r"\([^)]*\)|\S+", text)
        self._compiled: re.Pattern[str] | None = None
        self.opens = "^" in self._parts[:2]
        needs = [sets.first(part) for part in self._parts if not part.startswith("(")]
        self.needs = [need for need in needs if need]
        begins = next(part for part in self._parts if part not in _LOOKS)
        self.first = frozenset() if begins.startswith("(") else sets.first(begins)
        """Words with one of which it begins; none where it can begin with any, or only where a clause does."""

    def find(self, text: Text) -> re.Match[str] | None:
        """Where it stands in a text."""
        if any(text.words.isdisjoint(need) for need in self.needs):
            return None
        self._compiled = self._compiled or re.compile("".join(map(self._piece, self._parts)))
        places = text.opens if self.opens else text.where(self.first)
        return next((match for place in places if (match := self._compiled.match(text.text, place))), None)

    def _piece(self, part: str) -> str:
        if part.startswith("("):
            return f"(?:{''.join(map(self._piece, part[1:-1].split()))})?"
        return (
            _SLOTS[part]
            if part in _SLOTS
            else f"(?:{'|'.join(sorted(map(_spelled, self._sets.phrases(part)), key=len, reverse=True))})"
        )


class Sets:
    """The sets of phrases that patterns name."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self.table = table
        self._first: dict[str, frozenset[str]] = {}

    def phrases(self, part: str) -> Iterator[str]:
        """Each way to say a part of a pattern."""
        named = _SET.search(part)
        if named is None:
            yield part
            return
        for phrase in self.table[named[1]]:
            yield from self.phrases(part[: named.start()] + phrase + part[named.end() :])

    def first(self, part: str) -> frozenset[str]:
        """The words of which one must be there where a part of a pattern is; none if it can be empty, or any word."""
        if part in _SLOTS:
            return frozenset(
                ("V",)
                if "P<value>" in _SLOTS[part] and "V " in _SLOTS[part] or part == "{other}"
                else ("T",)
                if part == "{title}"
                else ()
            )
        if part not in self._first:
            words = (
                [phrase.split(maxsplit=1)[0] if phrase else "" for phrase in self.table[part[1:-1]]] if part[0] == "<" else [part]
            )
            found = [self.first(word) if word.startswith("<") else {word} for word in words]
            self._first[part] = frozenset() if any(not each or "" in each for each in found) else frozenset().union(*found)
        return self._first[part]


@dataclass(frozen=True, slots=True)
class Text:
    """The words of a request, with V for a value and T for a title; where each begins, where
    clauses do, and where each word stands.
    """

    text: str
    starts: tuple[int, ...]
    words: frozenset[str]
    opens: tuple[int, ...]
    places: Mapping[str, Sequence[int]]

    def where(self, words: frozenset[str]) -> list[int]:
        """Where one of these words begins, or any where there are none."""
        if not words:
            return list(dict.fromkeys(self.starts))
        found = words.intersection(self.words)
        return sorted(place for word in found for place in self.places.get(word, ()))


def _spelled(phrase: str) -> str:
    return "".join(_SLOTS[word] if word in _SLOTS else f"{re.escape(word)}[~#]? " for word in phrase.split())


@cache
def patterns_of(language: str) -> tuple[tuple[tuple[str, Pattern], ...], Mapping[str, Sequence[int]]]:
    """The patterns of a language in order, each with its table; and which of them may be there where a word is."""
    table: Mapping[str, Any] = read_wording("tellings", language)
    sets = Sets(table.get("sets", {}))
    patterns = tuple((role, Pattern(text, sets)) for role, texts in table.items() if role != "sets" for text in texts)
    by_word: dict[str, list[int]] = {}
    for number, (_, pattern) in enumerate(patterns):
        for word in min((need for need in pattern.needs if not need & {"V", "T"}), key=len, default=frozenset("VT")):
            by_word.setdefault(word, []).append(number)
    return patterns, by_word
