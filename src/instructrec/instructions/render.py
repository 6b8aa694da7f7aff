"""The one place where a request becomes a prompt: tuning, evaluation and serving all render here.

A prompt is a trunk (task words, then the history as item tokens) and questions that branch off it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Literal, TypeAlias

import numpy as np

from instructrec.core import Branch, Example, Instruction, ItemRef, Piece, Query
from instructrec.instructions.wording import read_wording
from instructrec.tables import Catalog

FIRST_YEAR, LAST_YEAR = 1800, 2100
"""A numeric attribute whose known values all lie between these is read as years, and has decades."""
Form: TypeAlias = Literal["pointwise", "pairwise", "matching", "reranking"]
"""What is asked about items: whether one is taken, which of two is, which of the catalog is, which of some candidates is."""
_SLOTS: Mapping[Form, tuple[str, ...]] = {"pointwise": ("item",), "pairwise": ("first", "second"), "reranking": ("candidates",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """Phrasings of one language: task -> list of sentences with {placeholders}.

    `completion`: answers in words. `features` and `others`: before a question about a review, which feature it is about, and what
    others had written. `listing` stands between items that are written out, `stop` between two sentences; `yes` and
    `no` answer a pointwise question.
    """

    language: str
    train: Mapping[str, tuple[str, ...]]
    held_out: Mapping[str, tuple[str, ...]]
    completion: Mapping[str, tuple[str, ...]]
    decades: tuple[str, ...]
    numbers: tuple[str, ...]
    about: tuple[str, ...]
    joins: tuple[str, ...]
    features: tuple[str, ...]
    others: tuple[str, ...]
    listing: str
    stop: str
    yes: str
    no: str

    def sentences(self, task: str, *, held_out: bool) -> tuple[str, ...]:
        """The sentences of a task that tuning shows, or those that it never does."""
        return (self.held_out if held_out else self.train)[task]


@cache
def wording(language: str) -> Wording:
    """Read the wording of a language from its data file. Raises ConfigError for a language without one."""
    table = read_wording("tasks", language)
    forms, completions = table.pop("forms"), table.pop("completions")
    return Wording(
        language=language,
        train={task: tuple(rows["train"]) for task, rows in table.items()},
        held_out={task: tuple(rows["held_out"]) for task, rows in table.items()},
        completion={task: tuple(rows) for task, rows in completions.items()},
        decades=tuple(forms["decade"]),
        numbers=tuple(forms["number"]),
        about=tuple(forms["about"]),
        joins=tuple(forms["and"]),
        features=tuple(forms["feature"]),
        others=tuple(forms["others"]),
        listing=forms["list"],
        stop=forms["stop"],
        yes=forms["yes"],
        no=forms["no"],
    )


def history_trunk(items: Sequence[int], words: str) -> tuple[str | ItemRef, ...]:
    """Task words followed by the items (catalog codes), oldest first."""
    return (words, *(ItemRef(int(code)) for code in items))


def query_example(query: Query, catalog: Catalog, *, language: str, max_history: int) -> Example:
    """The prompt of a live request: the last `max_history` items and, if there are words, one question after them."""
    trunk = _query_trunk(query, catalog, language, max_history)
    liked = catalog.codes(query.instruction.like) if query.instruction and query.strength > 0 else ()
    if query.instruction and len(liked):
        forms, said = wording(language), query.instruction.wish.strip()
        refs = [ItemRef(int(code)) for code in liked]
        return Example(trunk=trunk, branches=(similar_question(said, refs, forms.train["similar"][0], at=len(trunk), forms=forms),))
    words = query_words(query)
    if not words:
        return Example(trunk=trunk)
    return Example(trunk=trunk, branches=(question(words, at=len(trunk), task="wish"),))


def candidates_example(
    query: Query, catalog: Catalog, questions: Sequence[tuple[Form, Sequence[int]]], *, language: str, max_history: int
) -> Example:
    """The prompt of a live request about given items (catalog codes): questions after its history, in the wording that serves."""
    trunk, forms = _query_trunk(query, catalog, language, max_history), wording(language)
    words = query_words(query)
    branches = tuple(
        form_question(form, words, items, sentence=forms.train[form][0], at=len(trunk), forms=forms) for form, items in questions
    )
    return Example(trunk=trunk, branches=branches, next_item=False)


def _query_trunk(query: Query, catalog: Catalog, language: str, max_history: int) -> tuple[Piece, ...]:
    items = catalog.codes(query.history)[-max_history:] if max_history else ()
    return history_trunk([int(code) for code in items], wording(language).train["history"][0])


def question(words: str, *, at: int, task: str, target: int | None = None, weight: float = 1.0) -> Branch:
    """A question in words that is answered by an item."""
    return Branch(at=at, pieces=(words,), task=task, target=target, weight=weight)


def form_question(form: Form, said: str, items: Sequence[int], *, sentence: str, at: int, forms: Wording) -> Branch:
    """What is `said` of taste and wish, then a sentence of the task `form` with the items (catalog codes) that it is about."""
    refs = [ItemRef(int(code)) for code in items]
    return Branch(at=at, pieces=form_pieces(form, said, refs, sentence=sentence, forms=forms), task=form)


def form_pieces(form: Form, said: str, items: Sequence[Piece], *, sentence: str, forms: Wording) -> tuple[Piece, ...]:
    """The pieces of `form_question`; the items may be words, too.

    A question over the whole catalog is what is said, as in a live request, and the sentence only where nothing is said.
    """
    if form == "matching":
        return (said or sentence,)
    slots = _SLOTS[form]
    fill = {slots[0]: items} if len(slots) == 1 else {slot: [item] for slot, item in zip(slots, items, strict=True)}
    return spoken(said, sentence, fill, forms=forms)


def similar_question(said: str, items: Sequence[Piece], sentence: str, *, at: int, forms: Wording) -> Branch:
    """What is said of a wish, then a sentence that asks for something like the items (or their titles)."""
    return Branch(at=at, pieces=spoken(said, sentence, {"item": items}, forms=forms), task="similar")


def spoken(said: str, sentence: str, fill: Mapping[str, Sequence[Piece]], *, forms: Wording) -> tuple[Piece, ...]:
    """Words, then a sentence whose {names} are replaced by pieces. Neighbouring words are one piece, read as one text."""
    pieces: list[Piece] = []
    for literal, name, _, _ in Formatter().parse(sentence):
        pieces += [literal, *(fill[name] if name else ())]
    merged: list[Piece] = [joined((said, ""), forms)] if said else []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    stripped = [piece.strip() if isinstance(piece, str) else piece for piece in merged]
    return tuple(piece for piece in stripped if piece != "")


def joined(sentences: Sequence[str], forms: Wording) -> str:
    """Sentences one after another, with the stop of the language behind each that does not end with a mark of its own."""
    text = ""
    for sentence in sentences:
        if text:
            text += " " if text[-1] in ".?!:,;" else "" if text[-1] in "。？！：，；" else forms.stop
        text += sentence
    return text


def query_words(query: Query) -> str:
    """What the model reads of a query: what the person says of their taste, and the instruction unless it has no strength."""
    asked = instruction_words(query.instruction) if query.strength > 0 else ""
    return " ".join(part for part in (query.profile, asked) if part)


def instruction_words(instruction: Instruction | None) -> str:
    """What models read of an instruction: the wish, or the words as they came where nothing was understood of them.

    Demands alone are not read: the list holds nothing else anyway, and a model that reads them again orders worse by them than by
    the person's taste (`benchmarks/control.py`). What is unwanted is never read: no vector and no small model follows a "not".
    """
    if instruction is None:
        return ""
    demands = (
        instruction.limits or instruction.quotas or instruction.like or instruction.unlike or instruction.seen or instruction.n
    )
    return instruction.wish.strip() or ("" if demands else instruction.text.strip())


def year_attribute(catalog: Catalog) -> str | None:
    """The first numeric attribute that holds years, if any."""
    for name, values in catalog.numbers.items():
        known = values[np.isfinite(values)]
        if len(known) and known.min() >= FIRST_YEAR and known.max() <= LAST_YEAR:
            return name
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWords:
    """What can be said for each item: its label values in lower case, and its decade (None where the year is unknown). What
    reviewers criticise is left out: nobody wishes for it.
    """

    values: tuple[tuple[str, ...], ...]
    decades: tuple[int | None, ...]

    @staticmethod
    def of(catalog: Catalog) -> ItemWords:
        """Collect the words of a catalog."""
        rows: list[list[str]] = [[] for _ in range(len(catalog))]
        for name in catalog.favourable:
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

    @staticmethod
    def lines_without(catalog: Catalog, item: int) -> dict[tuple[str, str], str]:
        """The line of attribute words that an item would have without each of its label values, by attribute and value."""
        own = [(name, value) for name in catalog.favourable for value in catalog.labels[name].of(item)]
        decade = ItemWords.of(catalog).decades[item]
        rest = tuple(tuple(value.lower() for name, value in own if (name, value) != gone) for gone in own)
        return dict(zip(own, ItemWords(values=rest, decades=(decade,) * len(own)).lines(), strict=True))


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
