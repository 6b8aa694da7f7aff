"""The words of a language that say how titles, values and numbers of a text are meant, read from their data file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from instructrec.explain.phrases import phrases


@dataclass(frozen=True, slots=True, kw_only=True)
class Cues:
    """Patterns over the lower-case text of a sentence; wording/claims.*.toml says what each of them means."""

    asked: re.Pattern[str]
    unasked: re.Pattern[str]
    lowers: re.Pattern[str]
    drawbacks: re.Pattern[str]
    raises: re.Pattern[str]
    negating: re.Pattern[str]
    strongest: re.Pattern[str]
    not_strongest: re.Pattern[str]
    sequence: re.Pattern[str]
    in_order: re.Pattern[str]
    lesser: re.Pattern[str]
    contrast: re.Pattern[str]
    shared: re.Pattern[str]
    shared_far: re.Pattern[str]
    comparing: re.Pattern[str]
    relative: re.Pattern[str]
    copula: re.Pattern[str]
    dependent: re.Pattern[str]
    this: re.Pattern[str]
    rated_low: re.Pattern[str]
    rated_high: re.Pattern[str]
    denying: re.Pattern[str]
    denied_by: re.Pattern[str]
    greater: re.Pattern[str]
    smaller: re.Pattern[str]
    unsourced: re.Pattern[str]
    about: re.Pattern[str]
    praising: re.Pattern[str]
    criticising: re.Pattern[str]
    reviewers: re.Pattern[str]
    people: re.Pattern[str]
    by_people: re.Pattern[str]
    own: re.Pattern[str]
    more: re.Pattern[str]
    fewer: re.Pattern[str]
    things: re.Pattern[str]
    joints: re.Pattern[str]
    subjects: re.Pattern[str]
    ands: re.Pattern[str]
    sources: Mapping[str, str]
    standing: Mapping[str, re.Pattern[str]]

    def is_strongest(self, text: str) -> list[int]:
        """Where a text says that something counts most."""
        other = [found.span() for found in self.not_strongest.finditer(text)]
        places = [found.start() for found in self.strongest.finditer(text)]
        return [place for place in places if not any(first <= place < last for first, last in other)]


@cache
def cues(language: str) -> Cues:
    """The cues of a language that has phrases."""
    path = resources.files("instructrec.explain") / "wording" / f"claims.{language}.toml"
    table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    sources, further = table.pop("sources", {}), table.pop("standing")
    spaced = bool(table.pop("spaced", True))
    own = phrases(language).sentences
    standing = {name: _pattern([*own["standing", name], *further[name]], spaced=spaced) for name in further}
    return Cues(sources=sources, standing=standing, **{name: _pattern(words, spaced=spaced) for name, words in table.items()})


def _pattern(words: Iterable[str], *, spaced: bool) -> re.Pattern[str]:
    """A pattern for any of the phrases, the longest first; "*" is the rest of a word, ".." some words in between."""
    forms = [_form(phrase, spaced=spaced) for phrase in sorted(words, key=len, reverse=True)]
    either = "|".join(forms) or "(?!)"
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)" if spaced else f"(?:{either})")


def _form(phrase: str, *, spaced: bool) -> str:
    form = re.escape(phrase).replace(r"\*", r"\w*")
    return form.replace(r"\ \.\.\ ", r" (?:[^,;:]{0,40}? )?") if spaced else form.replace(r"\.\.", r"[^，；：、]{0,16}?")
