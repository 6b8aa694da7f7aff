"""The closed-class words of a language, read from its data file: what negates, joins, softens, compares."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from instructrec.instructions.tokens import keys

Phrase: TypeAlias = tuple[str, ...]
LANGUAGES = ("en", "zh")
"""Languages with a wording file for understanding."""

_MIN_STEM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """What the function words of one language do.

    `strong` and `weak`: phrase (as compared words) -> the roles it can play; strong ones win over catalog values.
    `decades`: phrase -> two digits; `parts`: phrase -> first and last year inside a decade.
    """

    language: str
    script: str
    strong: Mapping[Phrase, tuple[str, ...]]
    weak: Mapping[Phrase, tuple[str, ...]]
    decades: Mapping[Phrase, int]
    parts: Mapping[Phrase, tuple[int, int]]
    plural: tuple[tuple[str, str], ...]
    adjective: tuple[tuple[str, str], ...]
    decade_ending: Phrase
    foreign: frozenset[str]
    foreign_negation: frozenset[str]
    describe: Mapping[str, str]
    words: frozenset[str]
    strong_words: frozenset[str]

    def stem(self, word: str) -> str:
        """A word without its plural ending, only for comparing."""
        if len(word) >= _MIN_STEM:
            for ending, single in self.plural:
                if word.endswith(ending):
                    return word[: len(word) - len(ending)] + single
        return word

    def nouns(self, word: str) -> list[str]:
        """The nouns a relational adjective may come from: "romantic" -> "romance" among others."""
        return [word[: len(word) - len(ending)] + noun for ending, noun in self.adjective if word.endswith(ending)]


@cache
def lexicon(language: str) -> Lexicon | None:
    """The lexicon of a language, or None when there is none."""
    if language not in LANGUAGES:
        return None
    path = resources.files("instructrec.instructions") / "wording" / f"parsing.{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    strong, weak = _roles(table["strong"]), _roles(table["weak"])
    decades = {keys(phrase): int(digits) for phrase, digits in table["decades"].items()}
    parts = {keys(phrase): (int(first), int(last)) for phrase, (first, last) in table["parts"].items()}
    return Lexicon(
        language=table["language"],
        script=table["script"],
        strong=strong,
        weak=weak,
        decades=decades,
        parts=parts,
        plural=tuple((ending, single) for ending, single in table["endings"]["plural"]),
        adjective=tuple((ending, noun) for ending, noun in table["endings"]["adjective"]),
        decade_ending=keys(table["endings"]["decade"]),
        foreign=frozenset(table["foreign"]["words"]) | frozenset(table["foreign"]["negation"]),
        foreign_negation=frozenset(table["foreign"]["negation"]),
        describe=table["describe"],
        words=frozenset(word for phrases in (strong, weak, decades, parts) for phrase in phrases for word in phrase),
        strong_words=frozenset(word for phrases in (strong, decades, parts) for phrase in phrases for word in phrase),
    )


def lexicon_for(text: str, language: str, *, han: float) -> Lexicon | None:
    """The lexicon that can read `text`: that of `language`, or the Chinese one when most words (`han` of 1) are Chinese."""
    chosen = lexicon(language)
    if chosen is not None and text and han >= 0.5 and chosen.script != "han":
        return lexicon("zh")
    return chosen


def _roles(table: Mapping[str, Any]) -> dict[Phrase, tuple[str, ...]]:
    roles: dict[Phrase, tuple[str, ...]] = {}
    for role, phrases in table.items():
        for phrase in phrases:
            words = keys(phrase)
            roles[words] = tuple(dict.fromkeys((*roles.get(words, ()), role)))
    return roles
