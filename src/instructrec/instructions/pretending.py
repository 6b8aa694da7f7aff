"""Catalogs that are made up: a real one with other labels and numbers, so that what is learned is the grammar, not the values."""

from __future__ import annotations

import re

import numpy as np

from instructrec.instructions.lexicon import Lexicon, lexicon
from instructrec.instructions.tokens import HAN, keys
from instructrec.tables import Catalog, Labels

ITEMS = 60
_MOST_VALUES = 14
_SCALES = ((1.0, 5.0, 1), (0.0, 1.0, 2), (3.0, 90.0, 2), (60.0, 200.0, 0), (1.0, 500.0, 0))
"""Lowest and highest number of a made-up attribute, and its decimals."""
_NAME = re.compile(rf"[{HAN}]{{2,4}}|[^\W\d_{HAN}]{{3,}}")


def pretended(catalog: Catalog, language: str, rng: np.random.Generator) -> Catalog:
    """Some items of a catalog under one to four made-up label attributes, and made-up numbers, mostly with a year.

    Values and names of labels are words of titles; numbers are called what the language calls prices, ratings and the like.
    """
    words = lexicon(language)
    assert words is not None
    names = _names(catalog, words, rng)
    chosen = rng.choice(len(catalog), size=min(ITEMS, len(catalog)), replace=False)
    titles = tuple(catalog.titles[int(code)] for code in chosen)
    labels = {}
    for _ in range(int(rng.integers(1, 5))):
        attribute, *values = [names.pop() for _ in range(int(rng.integers(3, _MOST_VALUES))) if names] or [""]
        if values:
            labels[attribute.lower().replace(" ", "_")] = Labels.build([_some(values, rng) for _ in titles])
    return Catalog(
        item_ids=tuple(str(place) for place in range(len(titles))),
        titles=titles,
        labels=labels,
        numbers=_numbers(words, len(titles), rng),
    )


def _names(catalog: Catalog, words: Lexicon, rng: np.random.Generator) -> list[str]:
    """Words of titles that do nothing in the language, some of them in pairs, in random order."""
    found = dict.fromkeys(word for title in catalog.titles for word in _NAME.findall(title))
    free = [word for word in found if not set(keys(word)) & words.words]
    order = [free[int(place)] for place in rng.permutation(len(free))][:200]
    names = [f"{word} {order[place - 1]}" if place and rng.random() < 0.2 else word for place, word in enumerate(order)]
    used: set[str] = set()
    out = []
    for name in names:
        parts = {words.stem(key) for key in keys(name)}
        if parts and not parts & used:
            used |= parts
            out.append(name if rng.random() < 0.3 or name != name.lower() else name.title())
    return out


def _some(values: list[str], rng: np.random.Generator) -> list[str]:
    return [values[int(place)] for place in rng.choice(len(values), size=min(len(values), int(rng.integers(1, 4))), replace=False)]


def _numbers(words: Lexicon, size: int, rng: np.random.Generator) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    found = {}
    for kind, spoken in words.kinds.items():
        names = ["".join(name) if words.script == "han" else "_".join(name) for name in spoken]
        if kind == "year":
            if rng.random() < 0.75:
                found["year"] = rng.integers(1930, 2021, size=size).astype(np.float64)
        elif rng.random() < 0.5:
            low, high, decimals = _SCALES[int(rng.integers(len(_SCALES)))]
            found[names[int(rng.integers(len(names)))]] = np.round(rng.uniform(low, high, size=size), decimals)
    return found
