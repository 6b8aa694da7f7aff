"""The one place where a request becomes a prompt: tuning, evaluation and serving all render here.

A prompt is a trunk (task words, then the history as item tokens) and questions that branch off it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from instructrec.core import Branch, Example, Instruction, ItemRef, Query
from instructrec.errors import ConfigError, nearest
from instructrec.tables import Catalog, Limit

LANGUAGES = ("en", "zh")
FIRST_YEAR, LAST_YEAR = 1800, 2100
"""A numeric attribute whose known values all lie between these is read as years, and has decades."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Phrasings of one language: task -> list of sentences with {placeholders}."""

    language: str
    train: Mapping[str, tuple[str, ...]]
    held_out: Mapping[str, tuple[str, ...]]
    completion: Mapping[str, tuple[str, ...]]
    decades: tuple[str, ...]
    joins: tuple[str, ...]


@cache
def wording(language: str) -> Wording:
    """Read the wording of a language from its data file. Raises ConfigError for a language without one."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise ConfigError(f"There is no wording for language '{language}'. Known: {known}.{nearest(language, LANGUAGES)}")
    path = resources.files("instructrec.instructions") / "wording" / f"tasks.{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    forms = table.pop("forms")

    def column(name: str) -> dict[str, tuple[str, ...]]:
        return {task: tuple(rows[name]) for task, rows in table.items() if name in rows}

    return Wording(
        language=language,
        train=column("train"),
        held_out=column("held_out"),
        completion=column("completion"),
        decades=tuple(forms["decade"]),
        joins=tuple(forms["and"]),
    )


def history_trunk(items: Sequence[int], words: str) -> tuple[str | ItemRef, ...]:
    """Task words followed by the items (catalog codes), oldest first."""
    return (words, *(ItemRef(int(code)) for code in items))


def query_example(query: Query, catalog: Catalog, *, language: str, max_history: int) -> Example:
    """The prompt of a live request: the last `max_history` items and, if there are words, one question after them."""
    items = catalog.codes(query.history)[-max_history:]
    trunk = history_trunk([int(code) for code in items], wording(language).train["history"][0])
    words = query_words(query)
    if not words:
        return Example(trunk=trunk)
    return Example(trunk=trunk, branches=(question(words, at=len(trunk), task="wish"),))


def question(words: str, *, at: int, task: str, target: int | None = None, weight: float = 1.0) -> Branch:
    """A question in words that is answered by an item."""
    return Branch(at=at, pieces=(words,), task=task, target=target, weight=weight)


def query_words(query: Query) -> str:
    """What the model reads of a query's words: nothing when they have no strength."""
    return instruction_words(query.instruction) if query.strength > 0 else ""


def instruction_words(instruction: Instruction | None) -> str:
    """What the model reads of an instruction: the wish, else the limits spelled out, else the words as they came.

    Words that became limits are enforced elsewhere; what remains of them here only orders what they allow.
    """
    if instruction is None:
        return ""
    limits = " ".join(_limit_words(limit) for limit in instruction.limits)
    return instruction.wish.strip() or limits.strip() or instruction.text.strip()


def _limit_words(limit: Limit) -> str:
    if limit.operator == "range":
        return "" if limit.low is None else f"{int(limit.low) // 10 * 10}s"
    values = " ".join(value.lower() for value in limit.values)
    return f"no {values}" if limit.operator == "exclude" else values


def year_attribute(catalog: Catalog) -> str | None:
    """The first numeric attribute that holds years, if any."""
    for name, values in catalog.numbers.items():
        known = values[np.isfinite(values)]
        if len(known) and known.min() >= FIRST_YEAR and known.max() <= LAST_YEAR:
            return name
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWords:
    """What can be said of each item: its label values in lower case, and its decade (None where the year is unknown)."""

    values: tuple[tuple[str, ...], ...]
    decades: tuple[int | None, ...]

    @staticmethod
    def of(catalog: Catalog) -> ItemWords:
        """Collect the words of a catalog."""
        rows: list[list[str]] = [[] for _ in range(len(catalog))]
        for name in catalog.labels:
            for row, values in zip(rows, catalog.label_rows(name), strict=True):
                row.extend(value.lower() for value in values)
        year = year_attribute(catalog)
        years = catalog.numbers[year] if year else np.full(len(catalog), np.nan)
        decades = tuple(int(value) // 10 * 10 if np.isfinite(value) else None for value in years)
        return ItemWords(values=tuple(tuple(row) for row in rows), decades=decades)

    def lines(self) -> list[str]:
        """One line of attribute words an item."""
        return [
            " ".join([*values, f"{decade}s"] if decade is not None else values)
            for values, decade in zip(self.values, self.decades, strict=True)
        ]


def attribute_phrase(values: Sequence[str], decade: int | None, *, forms: Wording, rng: np.random.Generator) -> str:
    """Attribute values and a decade in words: "comedy and romance from the 90s". Empty when there is nothing to say."""
    joint = forms.joins[int(rng.integers(len(forms.joins)))]
    parts = [joint.join(values)] if len(values) else []
    if decade is not None:
        short = 1900 <= decade < 2000 and rng.random() < 0.3
        form = forms.decades[int(rng.integers(len(forms.decades)))]
        parts.append(form.format(decade=decade % 100 if short else decade))
    return " ".join(parts)


def target_wish(words: ItemWords, item: int, *, language: str, held_out: bool, rng: np.random.Generator) -> str:
    """Every label value and the decade of an item as a wish; with `held_out` in a phrasing that tuning never saw."""
    forms = wording(language)
    sentences = (forms.held_out if held_out else forms.train)["wish"]
    phrase = attribute_phrase(words.values[item], words.decades[item], forms=forms, rng=rng)
    return sentences[int(rng.integers(len(sentences)))].format(values=phrase)
