"""Evidence to sentences by a grammar; which variant is used depends only on the ids, so equal answers read the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from typing import Protocol

from instructrec.core import Evidence
from instructrec.explain.facts import Facts, display_name
from instructrec.explain.phrases import Phrases
from instructrec.explain.standing import BAND_NAMES

FORMS = ("one", "two", "three")
"""Names of the sentences about so many history items."""
OPINIONS = {1: "praised", -1: "criticised"}
"""Names of the sentences about what reviewers say, by its sentiment."""


class Writer(Protocol):
    """Anything that puts evidence into words. What it writes is checked before it is shown."""

    def __call__(self, evidence: Sequence[Evidence], facts: Facts, *, variant: int) -> str:
        """The text about one item; another `variant` gives other words."""


def first_variant(request: str, item: str) -> int:
    """A number that looks drawn at random but is fixed by the ids."""
    return int.from_bytes(hashlib.sha256(f"{request}\0{item}".encode("utf-8", "surrogatepass")).digest()[:4], "big")


def write(evidence: Sequence[Evidence], facts: Facts, *, variant: int) -> str:
    """One sentence a piece of evidence (history items share one)."""
    phrases = facts.lore.phrases
    sentences: list[str] = []
    past = [entry for entry in evidence if entry.kind == "history"]
    for entry in evidence:
        if entry.kind == "history":
            if entry is past[0]:
                sentences.append(_history(past, facts, variant))
        else:
            sentences.append(_sentence(entry, facts, variant))
    text = phrases.between.join(sentence[:1].upper() + sentence[1:] for sentence in sentences)
    return text or _pick(facts, "fallback", "one", variant)


def could_write(text: str, phrases: Phrases) -> bool:
    """Whether the grammar has a sentence of the same words for every sentence of a text; `text` has slots for what varies."""
    sentences = [sentence for sentence in re.split(r"(?<=[.!?。！？])\s*", text) if sentence]
    return bool(sentences) and all(_forms(phrases).fullmatch(sentence) for sentence in sentences)


@cache
def _forms(phrases: Phrases) -> re.Pattern[str]:
    """A pattern for any one sentence of the grammar."""
    lines = {line for (kind, _), lines in phrases.sentences.items() if kind != "standing" for line in lines}
    blank = "BLANK"
    forms = [re.escape(re.sub(r"\{\w*\}", blank, line)).replace(blank, r"\{\w+\}") for line in lines]
    return re.compile("|".join(forms), re.IGNORECASE)


def title_of(item: str, facts: Facts) -> str:
    """An item's name in the quotation marks of the language."""
    opening, closing = facts.lore.phrases.title_marks
    return f"{opening}{display_name(facts.lore.catalog, facts.lore.catalog.index[item])}{closing}"


def fit_of(facts: Facts, variant: int) -> str:
    """How well the item fits, as what follows "it is"."""
    return _pick(facts, "standing", BAND_NAMES[facts.band], variant)


def _pick(facts: Facts, kind: str, form: str, variant: int) -> str:
    lines = facts.lore.phrases.sentences[kind, form]
    return lines[variant % len(lines)]


def _history(past: Sequence[Evidence], facts: Facts, variant: int) -> str:
    names = [title_of(entry.item, facts) for entry in past if entry.item is not None]
    return _pick(facts, "history", FORMS[len(names) - 1], variant).format(*names)


def write_caveat(entry: Evidence, facts: Facts, *, variant: int) -> str:
    """The sentence on what speaks against the item."""
    if entry.item is not None:
        return _pick(facts, "against", "history", variant).format(title_of(entry.item, facts))
    if facts.lore.sentiment(entry.attribute) < 0 and entry.weight == 0:
        return _reviewed(entry, facts, variant)
    attribute = (entry.attribute or "").replace("_", " ")
    return _pick(facts, "against", "value", variant).format(value=entry.value, attribute=attribute)


def write_counterfactual(items: Sequence[str], facts: Facts, *, variant: int) -> str:
    """The sentence on the history items without which the item would not be in the list."""
    names = [title_of(item, facts) for item in items]
    phrases = facts.lore.phrases
    every = phrases.last_comma.join(part for part in (phrases.comma.join(names[:-1]), names[-1]) if part)
    return _pick(facts, "counterfactual", "one" if len(names) == 1 else "many", variant).format(every)


def _sentence(entry: Evidence, facts: Facts, variant: int) -> str:
    value, attribute = entry.value or "", (entry.attribute or "").replace("_", " ")
    if entry.kind == "popularity":
        return _pick(facts, "popularity", "one" if value == "1" else "many", variant).format(count=value)
    if entry.kind == "rank":
        return _pick(facts, "rank", "one", variant // 7).format(fit=fit_of(facts, variant))
    if entry.kind == "source":
        return _pick(facts, "source", "one", variant).format(source=facts.lore.phrases.sources[value])
    if entry.kind == "instruction":
        return _instruction(entry, facts, variant)
    if facts.lore.sentiment(entry.attribute):
        return _reviewed(entry, facts, variant)
    if entry.attribute in facts.lore.catalog.numbers:
        form = "year" if entry.attribute == facts.lore.vocabulary.year else "number"
        return _pick(facts, "attribute", form, variant).format(attribute=attribute, value=value)
    if entry.item is not None:
        return _pick(facts, "shared", "one", variant).format(a=title_of(entry.item, facts), value=value, attribute=attribute)
    return _pick(facts, "attribute", "one", variant).format(value=value, attribute=attribute)


def _instruction(entry: Evidence, facts: Facts, variant: int) -> str:
    value = entry.value or ""
    if entry.attribute is None:
        opening, closing = facts.lore.phrases.word_marks
        return _pick(facts, "instruction", "word", variant).format(word=f"{opening}{value}{closing}")
    attribute = entry.attribute.replace("_", " ")
    if entry.attribute in facts.lore.catalog.numbers:
        low, _, high = value.partition("..")
        form = _range_form(low, high) if entry.attribute == facts.lore.vocabulary.year else "number"
        number = f"{facts.number(entry.attribute):.15g}"
        return _pick(facts, "instruction", form, variant).format(value=number, low=low, high=high, attribute=attribute)
    unwanted = value.startswith("not ") and value not in facts.lore.catalog.labels[entry.attribute].names
    form = "exclude" if unwanted else "include"
    said = value.removeprefix("not ") if unwanted else value
    if sentiment := facts.lore.sentiment(entry.attribute):
        return _pick(facts, OPINIONS[sentiment], "refused" if unwanted else "asked", variant).format(value=said)
    return _pick(facts, "instruction", form, variant).format(value=said, attribute=attribute)


def _reviewed(entry: Evidence, facts: Facts, variant: int) -> str:
    """The sentence on what reviewers praise or criticise."""
    form = "some" if not entry.people else "one" if entry.people == 1 else "many"
    kind = OPINIONS[facts.lore.sentiment(entry.attribute)]
    return _pick(facts, kind, form, variant).format(people=entry.people, value=entry.value)


def _range_form(low: str, high: str) -> str:
    if low == high:
        return "exact_year"
    return "between_year" if low and high else "low_year" if low else "high_year"
