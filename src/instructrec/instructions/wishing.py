"""What somebody who wants a certain item might say, and what is understood of it; and what they might say of their taste."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructrec.core import Instruction
from instructrec.instructions.clauses import Clause
from instructrec.instructions.parse import parse
from instructrec.instructions.phrasing import Phrasing
from instructrec.instructions.sentences import SentenceWriter
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Catalog, IntArray

DEMANDED = 0.5
"""Share of the sentences that demand something beside what would be nice."""
ABOUT = 0.3
"""Share of the sentences that name what a text is about, where items have texts."""


def wish_for(catalog: Catalog, targets: Sequence[int], rng: np.random.Generator, *, language: str = "en") -> list[Instruction]:
    """One instruction with a wish for each target (item code): values that would be nice, or words of its text, half of them beside
    a demand that it meets. Every sentence goes through `parse`; where that finds demands that the target does not meet, the
    sentence is only a wish.
    """
    writer, about = SentenceWriter(catalog, language=language), Phrasing(catalog, language).about_words
    return [_wished(writer, about[target] if catalog.texts else (), target, rng, language) for target in targets]


def preferences_of(catalog: Catalog, histories: Sequence[IntArray], rng: np.random.Generator, *, language: str = "en") -> list[str]:
    """What the user of each history (item codes, oldest first) might say of their taste; empty where the items have no values."""
    phrasing = Phrasing(catalog, language)
    return [phrasing.preference([int(code) for code in history], rng) for history in histories]


def _wished(writer: SentenceWriter, words: Sequence[str], target: int, rng: np.random.Generator, language: str) -> Instruction:
    catalog = writer.catalog
    favourable = catalog.favourable
    own = [ref for ref in writer.values if ref.attribute in favourable and ref.value in catalog.labels[ref.attribute].of(target)]
    refs = [own[int(place)] for place in rng.permutation(len(own))]
    if words and rng.random() < ABOUT:
        count = int(rng.integers(1, min(3, len(words)) + 1))
        text = " ".join(words[int(place)] for place in rng.permutation(len(words))[:count])
        return Instruction(text=text, wish=text)
    clauses = _demand(writer, refs, target, rng) if rng.random() < DEMANDED else []
    clauses += [writer.soft(ref, rng) for ref in refs[:1]]
    if not clauses:
        return Instruction(text="")
    text = writer.write(clauses, rng).text
    found = parse(text, catalog, language=language)
    return found if catalog.matching(found.limits)[target] else Instruction(text=text, wish=text)


def _demand(writer: SentenceWriter, refs: list[Ref], target: int, rng: np.random.Generator) -> list[Clause]:
    """One thing that the item has: a value, which is taken off `refs`, or its years."""
    year = writer.catalog.numbers[writer.year][target] if writer.year else np.nan
    if len(refs) > 1 and (not np.isfinite(year) or rng.random() < 0.5):
        return [writer.include(refs.pop(), rng)]
    return [writer.years(int(year), rng)] if np.isfinite(year) else []
