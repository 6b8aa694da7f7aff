"""What somebody who wants a certain item might say: a sentence from the item's attributes, and what is understood of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructrec.core import Instruction
from instructrec.instructions.parse import parse
from instructrec.instructions.render import ItemWords, attribute_phrase, wording
from instructrec.tables import Catalog


def ask_for(
    catalog: Catalog, targets: Sequence[int], rng: np.random.Generator, *, language: str = "en", held_out: bool = False
) -> list[Instruction]:
    """One instruction for each target (item code), about some of its attribute values and, mostly, its decade.

    The sentence goes through `parse` as any other does. Where a target does not meet what was understood (its attribute is
    ambiguous, say), nothing is demanded and the sentence is only a wish.
    """
    words, forms = ItemWords.of(catalog), wording(language)
    sentences = (forms.held_out if held_out else forms.train)["wish"]
    out = []
    for target in targets:
        values = [words.values[target][int(place)] for place in rng.permutation(len(words.values[target]))]
        some = values[: int(rng.integers(1, len(values) + 1))] if values else []
        decade = words.decades[target] if rng.random() < 0.7 else None
        phrase = attribute_phrase(some, decade, forms=forms, rng=rng)
        text = sentences[int(rng.integers(len(sentences)))].format(values=phrase) if phrase else ""
        found = parse(text, catalog, language=language)
        fits = bool(catalog.matching(found.limits)[target])
        out.append(found if fits else Instruction(text=text, wish=text))
    return out
