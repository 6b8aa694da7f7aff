"""A person's taste as a short text: read off the history, edited by the person, and read back as a stated preference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from instructrec.core import Query
from instructrec.instructions.parse import parse
from instructrec.instructions.render import ItemWords
from instructrec.instructions.wording import read_wording
from instructrec.tables import Catalog, ItemId, Limit

MOST_VALUES = 3
MOST_TITLES = 3
FEWEST_ITEMS = 5
"""A shorter history says what was chosen, but not what is rarely chosen."""
_OFTEN, _RARELY = 0.2, 0.3
"""A value is liked where at least this share of the history has it; it is rare where it has under this share of what the catalog
would lead one to expect, and at least `_EXPECTED` items with it would be expected.
"""
_EXPECTED = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The text, and the facts it was written from: label values with the share of the history that has them, and decades."""

    text: str
    likes: tuple[tuple[str, float], ...] = ()
    rarely: tuple[tuple[str, float], ...] = ()
    decades: tuple[tuple[int, float], ...] = ()
    titles: tuple[ItemId, ...] = ()


def profile_of(history: Sequence[ItemId], catalog: Catalog, *, language: str = "en") -> Profile:
    """What a history shows, in sentences of which each is true of it. Raises ConfigError for a language without wording."""
    words = wording(language)
    codes = [int(code) for code in catalog.codes(history)]
    if not codes:
        return Profile(text=words["unknown"])
    every, base = _words_of(catalog)
    named = {value.lower(): value for name in catalog.favourable for value in catalog.labels[name].names}
    counts = Counter(value for code in codes for value in every.values[code])
    shares = {named[value]: count / len(codes) for value, count in counts.items()}
    likes = sorted(((value, share) for value, share in shares.items() if share >= _OFTEN), key=lambda pair: (-pair[1], pair[0]))
    expected = {named[value]: count / len(catalog) * len(codes) for value, count in base.items()}
    rarely = [
        (value, shares.get(value, 0.0))
        for value, count in sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
        if len(codes) >= FEWEST_ITEMS and count >= _EXPECTED and shares.get(value, 0.0) * len(codes) < _RARELY * count
    ]
    decades = _decades([every.decades[code] for code in codes])
    titled = [catalog.item_ids[code] for code in dict.fromkeys(reversed(codes)) if catalog.titles[code]]
    found = Profile(
        text="", likes=tuple(likes[:MOST_VALUES]), rarely=tuple(rarely[:1]), decades=decades, titles=tuple(titled[:MOST_TITLES])
    )
    return replace(found, text=_written(found, words, catalog))


def _words_of(catalog: Catalog) -> tuple[ItemWords, Counter[str]]:
    """What can be said of items, and how many have each value: put together once and kept with the catalog."""
    kept = vars(catalog)
    if "_profiled" not in kept:
        every = ItemWords.of(catalog)
        kept["_profiled"] = every, Counter(value for row in every.values for value in row)
    found: tuple[ItemWords, Counter[str]] = kept["_profiled"]
    return found


def steered_by(query: Query, text: str, catalog: Catalog, *, language: str = "en") -> Query:
    """The query of a person who says this of themselves: models read it as a stated preference. What the text says never to show
    ("no horror") is a limit; all else in it is taste, which orders and forbids nothing.
    """
    text = text.strip()
    if not text:
        return query
    unwanted = [limit for limit in parse(text, catalog, language=language).limits if limit.operator == "exclude"]
    barred: set[ItemId] = set()
    for limit in unwanted:
        mask = catalog.matching([Limit(attribute=limit.attribute, operator="include", values=limit.values)])
        barred.update(catalog.item_ids[code] for code in np.flatnonzero(mask))
    return replace(query, exclude=query.exclude | barred, profile=text)


@cache
def wording(language: str) -> dict[str, Any]:
    """The sentences of profiles in one language."""
    return read_wording("profile", language)


def _decades(decades: Sequence[int | None]) -> tuple[tuple[int, float], ...]:
    """The decades that together hold most of the history, latest last; none where they spread."""
    known = Counter(decade for decade in decades if decade is not None)
    top = [(decade, count / len(decades)) for decade, count in known.most_common(2)]
    if not top or sum(share for _, share in top) < 0.5:
        return ()
    return tuple(sorted(top[:1] if top[0][1] >= 0.5 else top))


def _written(found: Profile, words: dict[str, Any], catalog: Catalog) -> str:
    sentences = []
    if found.likes:
        sentences.append(words["likes"].format(values=_list([value for value, _ in found.likes], words)))
    if found.rarely:
        sentences.append(words["rarely"].format(values=_list([value for value, _ in found.rarely], words)))
    if found.decades:
        named = [words["decade"].format(decade=decade) for decade, _ in found.decades]
        sentences.append(words["decades"].format(decades=_list(named, words)))
    if found.titles:
        named = [words["title"].format(title=catalog.titles[catalog.index[item]]) for item in found.titles]
        sentences.append(words["examples"].format(titles=_list(named, words)))
    return str(words["between"].join(sentences))


def _list(parts: Sequence[str], words: dict[str, Any]) -> str:
    if len(parts) == 1:
        return parts[0]
    return str(words["comma"].join(parts[:-1]) + words["and"] + parts[-1])
