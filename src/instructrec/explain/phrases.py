"""The sentences of explanations in one language, read from their data file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from instructrec.errors import QueryError, nearest

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phrases:
    """Sentences by (kind, form); quotation marks of titles and of wished words; signs between."""

    language: str
    sentences: Mapping[tuple[str, str], tuple[str, ...]]
    title_marks: tuple[str, str]
    word_marks: tuple[str, str]
    between: str
    comma: str
    last_comma: str
    sources: Mapping[str, str]


@cache
def phrases(language: str) -> Phrases:
    """The phrases of a language. Raises QueryError for a language without them."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise QueryError(f"There are no explanations in language '{language}'. Known: {known}.{nearest(language, LANGUAGES)}")
    path = resources.files("instructrec.explain") / "wording" / f"{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    marks, sources = table.pop("marks"), table.pop("source_names")
    return Phrases(
        language=language,
        sentences={(kind, form): tuple(lines) for kind, forms in table.items() for form, lines in forms.items()},
        title_marks=(marks["title"][0], marks["title"][1]),
        word_marks=(marks["word"][0], marks["word"][1]),
        between=marks["between"],
        comma=marks["comma"],
        last_comma=marks["last_comma"],
        sources=sources,
    )
