"""What can be said of items, tastes and wishes in the words of a language: the sentences of tuning questions."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.render import ItemWords, Wording, attribute_phrase, wording, year_attribute
from instructrec.instructions.tokens import keys
from instructrec.tables import Catalog

HELD_OUT_SHARE = 0.2
"""Share of the values of each label attribute that tuning never says where values are held out."""
FAVOURITES = 3
"""Values that a stated preference names at most."""
_WORD = re.compile(r"[\u4e00-\u9fff]{2,4}|[^\W\d_\u4e00-\u9fff]{4,}")
_TEXT_LENGTH = 1000
_WORDS_OF_AN_ITEM = 40


def held_out_values(catalog: Catalog) -> frozenset[str]:
    """The fifth of the values (lower case) of each label attribute whose sha256 comes first: the same for every seed.

    Titles are said as they are, also where they hold such a word.
    """
    held: set[str] = set()
    for labels in catalog.labels.values():
        values = sorted({name.lower() for name in labels.names}, key=lambda value: hashlib.sha256(value.encode()).digest())
        held.update(values[: round(HELD_OUT_SHARE * len(values))])
    return frozenset(held)


class Phrasing:
    """Says things about the items of a catalog in one language; the values in `unsaid` never come into words."""

    def __init__(self, catalog: Catalog, language: str, *, unsaid: Collection[str] = ()) -> None:
        self.catalog = catalog
        self.forms: Wording = wording(language)
        every = ItemWords.of(catalog)
        said = tuple(tuple(value for value in row if value not in unsaid) for row in every.values)
        self.words = replace(every, values=said)
        self.counts = Counter(value for row in said for value in row)
        self.vocabulary = tuple(sorted(self.counts))
        self._attribute_words = {word for row in every.values for value in row for word in _WORD.findall(value)}
        self._lexicon = lexicon(language)
        # Chinese has no spaces: a value may stand inside what was taken for a word.
        self._inside = tuple(word for word in self._attribute_words if "\u4e00" <= word[0] <= "\u9fff")

    def pick(self, task: str, rng: np.random.Generator, *, held_out: bool = False) -> str:
        """Any sentence of a task."""
        return one_of(self.forms.sentences(task, held_out=held_out), rng)

    def title(self, item: int) -> str:
        """What an item is called in text: its title, or its id where it has none."""
        return self.catalog.titles[item] or self.catalog.item_ids[item]

    def attributes(self, item: int, rng: np.random.Generator) -> str:
        """Some or all of the values of an item, mostly with its decade."""
        decade = self.words.decades[item] if rng.random() < 0.7 else None
        return attribute_phrase(some_of(self.words.values[item], rng), decade, forms=self.forms, rng=rng)

    def favourites(self, items: Sequence[int], rng: np.random.Generator) -> list[str]:
        """Some of the values that these items have most often."""
        counts = Counter(value for item in items for value in self.words.values[item])
        return some_of([value for value, _ in counts.most_common(FAVOURITES)], rng)

    def preference(self, before: Sequence[int], rng: np.random.Generator, *, held_out: bool = False) -> str:
        """A stated preference, read off the items before; empty where they have no values."""
        values = self.favourites(before, rng)
        return (
            self.pick("preference", rng, held_out=held_out).format(values=one_of(self.forms.joins, rng).join(values))
            if values
            else ""
        )

    def vague(self, item: int, rng: np.random.Generator, *, held_out: bool = False) -> str:
        """A vague intention: the value of the item that most items of the catalog share, or else its decade."""
        values = self.words.values[item]
        coarse = [max(values, key=lambda value: (self.counts[value], value))] if values else []
        decade = None if coarse else self.words.decades[item]
        phrase = attribute_phrase(coarse, decade, forms=self.forms, rng=rng)
        return self.pick("vague", rng, held_out=held_out).format(values=phrase) if phrase else ""

    def specific(self, item: int, rng: np.random.Generator, *, held_out: bool = False) -> str:
        """A specific intention: values, decade, a number, and words of title or description that are no values; at least two."""
        values = list(self.words.values[item])
        order = [values[int(place)] for place in rng.permutation(len(values))]
        kept = order[: int(rng.integers(2, len(order) + 1))] if len(order) > 2 else order
        decade = self.words.decades[item]
        further = [*self._numbers(item, rng), *self._about(item, rng)]
        if len(kept) + (decade is not None) + len(further) < 2:
            return ""
        bare = len(kept) + (decade is not None) < 2
        extra = further[: int(rng.integers(1 if bare else 0, len(further) + 1))] if further else []
        phrase = " ".join(part for part in (attribute_phrase(kept, decade, forms=self.forms, rng=rng), *extra) if part)
        return self.pick("wish", rng, held_out=held_out).format(values=phrase)

    def _numbers(self, item: int, rng: np.random.Generator) -> list[str]:
        """A number of the item that is no year, to two digits."""
        known = [(name, float(values[item])) for name, values in self._measures.items() if np.isfinite(values[item])]
        if not known:
            return []
        name, value = known[int(rng.integers(len(known)))]
        return [one_of(self.forms.numbers, rng).format(name=name.replace("_", " "), number=f"{float(f'{value:.2g}'):.10g}")]

    def _about(self, item: int, rng: np.random.Generator) -> list[str]:
        """One or two words of the title or description."""
        found = self.about_words[item]
        if not found:
            return []
        chosen = [found[int(place)] for place in rng.permutation(len(found))[: int(rng.integers(1, 3))]]
        return [one_of(self.forms.about, rng).format(about=one_of(self.forms.joins, rng).join(chosen))]

    @cached_property
    def _measures(self) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        year = year_attribute(self.catalog)
        return {name: values for name, values in self.catalog.numbers.items() if name != year}

    @cached_property
    def about_words(self) -> list[tuple[str, ...]]:
        """Words of each item's title and description that few items share, and that are no part of an attribute value and no words
        that an instruction is made of ("free", "under").
        """
        texts = self.catalog.texts or ("",) * len(self.catalog)
        rows = []
        for title, text in zip(self.catalog.titles, texts, strict=True):
            words = dict.fromkeys(_WORD.findall(f"{title} {text[:_TEXT_LENGTH]}".lower()))
            rows.append([word for word in words if self._tells(word)][:_WORDS_OF_AN_ITEM])
        spread = Counter(word for row in rows for word in row)
        most = max(5, len(rows) // 20)
        return [tuple(word for word in row if spread[word] <= most) for row in rows]

    def _tells(self, word: str) -> bool:
        """Whether a word tells what an item is about, rather than being a value or, alone, a way to ask."""
        return (
            word not in self._attribute_words
            and not (self._lexicon and self._lexicon.is_phrase(keys(word)))
            and not any(value in word for value in self._inside)
        )


def one_of(values: Sequence[str], rng: np.random.Generator) -> str:
    """Any of the values."""
    return values[int(rng.integers(len(values)))]


def some_of(values: Sequence[str], rng: np.random.Generator) -> list[str]:
    """All values in half of the cases, else some of them, in any order."""
    order = [values[int(place)] for place in rng.permutation(len(values))]
    return order if rng.random() < 0.5 else order[: int(rng.integers(1, len(order) + 1))] if order else []
