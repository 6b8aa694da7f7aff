"""What an item is about beyond its attributes: the telling words of its text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.tokens import keys
from instructrec.tables import Catalog

MOST_WORDS = 12
"""Telling words kept of one text."""
_COMMON = 0.1
"""A word that more items than this share have tells nothing."""


@dataclass(frozen=True, slots=True)
class Themes:
    """Telling words of each item, most telling first: in its text, but neither in its title nor in its attribute values."""

    words: tuple[tuple[str, ...], ...]

    @staticmethod
    def of(catalog: Catalog) -> Themes:
        """Rank the words of every text by TF-IDF. Words that one item alone has are left out: nobody would wish for them."""
        texts = [_content(text) for text in catalog.texts] or [[] for _ in range(len(catalog))]
        named = [set(keys(title)) for title in catalog.titles]
        for name in catalog.labels:
            for words, values in zip(named, catalog.label_rows(name), strict=True):
                words.update(word for value in values for word in keys(value))
        seen = Counter(word for text in texts for word in set(text))
        return Themes(tuple(_telling(text, words, seen, len(catalog)) for text, words in zip(texts, named, strict=True)))


def _content(text: str) -> list[str]:
    english, chinese = lexicon("en"), lexicon("zh")
    assert english is not None
    assert chinese is not None
    return [
        word for word in keys(text) if len(word) > 2 and word.isalpha() and word not in english.words and word not in chinese.words
    ]


def _telling(text: Sequence[str], named: set[str], seen: Counter[str], num_items: int) -> tuple[str, ...]:
    counts = Counter(word for word in text if word not in named and 1 < seen[word] <= max(2, _COMMON * num_items))
    ranked = sorted(counts, key=lambda word: (-(1 + math.log(counts[word])) * math.log(num_items / seen[word]), word))
    return tuple(ranked[:MOST_WORDS])
