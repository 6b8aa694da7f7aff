"""Small made-up worlds whose right answer is known, for tests, examples and a first try without any download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from instructrec.errors import DataError
from instructrec.tables import Catalog, Dataset, IntArray, Interactions, Labels

FIRST_SECOND = 1_000_000_000
"""Time of the first interaction of every world (September 2001), seconds since 1970."""

GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi")
"""The genres of the genre world; user `u` likes `GENRES[u % 6]`."""

_ADJECTIVES = ("Quiet", "Crimson", "Hidden", "Broken", "Golden", "Last", "Silver", "Distant", "Frozen", "Electric")
_SUBJECTS = (
    "River",
    "Garden",
    "Letter",
    "Station",
    "Mirror",
    "Harbour",
    "Orchard",
    "Signal",
    "Winter",
    "Parade",
    "Lantern",
    "Bridge",
)


def checkerboard(size: int = 50) -> Dataset:
    """`size` users and items; a user has every item of the same parity once, each in another order.

    Right answer: under leave-one-out the held-out item is the only unseen one of the user's colour ("white" is even).
    """
    _at_least("size", size, 6)
    histories = []
    for user in range(size):
        own = np.arange(user % 2, size, 2)
        histories.append(np.roll(own, -(user // 2)))
    colours = [("black",) if item % 2 else ("white",) for item in range(size)]
    titles = [f"{colour[0].title()} square {item}" for item, colour in enumerate(colours)]
    catalog = Catalog(item_ids=_ids("i", size), titles=tuple(titles), labels={"colour": Labels.build(colours)})
    return _world("checkerboard", histories, catalog)


def chain(num_users: int = 60, num_items: int = 20, seed: int = 0) -> Dataset:
    """A Markov chain without chance: every user starts anywhere and walks on item by item, never meeting one twice.

    Right answer: item code `c` is followed by `(c + 1) % num_items`. Histories are half to all but one of the items long.
    """
    _at_least("num_items", num_items, 8)
    rng = np.random.default_rng(seed)
    starts = rng.integers(0, num_items, size=num_users)
    lengths = rng.integers(num_items // 2, num_items - 1, size=num_users, endpoint=True)
    histories = [(start + np.arange(length)) % num_items for start, length in zip(starts, lengths, strict=True)]
    titles = tuple(f"Step {item}" for item in range(num_items))
    return _world("chain", histories, Catalog(item_ids=_ids("i", num_items), titles=titles))


def genres(num_users: int = 60, num_items: int = 80, seed: int = 0) -> Dataset:
    """Films with one or two genres, a year (1960-2009) and a text; 9 of 10 items of a user have the genre the user likes.

    Right answer: user code `u` likes `GENRES[u % 6]`. Titles differ; ratings are 4-5 for the liked genre and 1-3 beside it.
    """
    _at_least("num_items", num_items, 4 * len(GENRES))
    rng = np.random.default_rng(seed)
    rows = _genre_rows(num_items, rng)
    catalog = _films(rows, rng.integers(1960, 2010, size=num_items))
    liked = catalog.labels["genres"].matrix()
    histories, ratings = [], []
    for user in range(num_users):
        mask = liked[:, user % len(GENRES)]
        history, own = _taste(mask, rng)
        histories.append(history)
        ratings.append(np.where(own, rng.integers(4, 6, size=len(history)), rng.integers(1, 4, size=len(history))))
    return _world("genres", histories, catalog, ratings=np.concatenate(ratings))


def _genre_rows(num_items: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """The first genre goes round, so that each has enough items; every third item has a second one."""
    rows: list[tuple[str, ...]] = []
    for item in range(num_items):
        first = item % len(GENRES)
        second = (first + int(rng.integers(1, len(GENRES)))) % len(GENRES)
        rows.append((GENRES[first], GENRES[second]) if item % 3 == 0 else (GENRES[first],))
    return rows


def _films(rows: Sequence[tuple[str, ...]], years: IntArray) -> Catalog:
    num_items = len(rows)
    words = [f"The {a} {s}" for s in _SUBJECTS for a in _ADJECTIVES]
    titles = [
        words[(item * 7) % len(words)] + (f" {item // len(words) + 1}" if item >= len(words) else "") for item in range(num_items)
    ]
    texts = [f"{title}: {' and '.join(row).lower()} from {year}." for title, row, year in zip(titles, rows, years, strict=True)]
    return Catalog(
        item_ids=_ids("m", num_items),
        titles=tuple(titles),
        texts=tuple(texts),
        labels={"genres": Labels.build(rows)},
        numbers={"year": years.astype(np.float64)},
    )


def _taste(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """A shuffled history of up to 10 liked items and one other; second value: 1 where the item is liked."""
    own = rng.permutation(np.flatnonzero(mask))[:10]
    other = rng.permutation(np.flatnonzero(~mask))[:1]
    history = rng.permutation(np.concatenate([own, other]))
    return history.astype(np.int64), mask[history].astype(np.int64)


def _world(name: str, histories: Sequence[IntArray], catalog: Catalog, *, ratings: IntArray | None = None) -> Dataset:
    """Users take turns: everybody's first item, then everybody's second; one interaction a minute."""
    lengths = np.array([len(history) for history in histories])
    steps = np.concatenate([np.arange(length) for length in lengths])
    users = np.repeat(np.arange(len(histories)), lengths)
    interactions = Interactions(
        user_ids=_ids("u", len(histories)),
        users=users.astype(np.int64),
        items=np.concatenate(histories).astype(np.int64),
        timestamps=(FIRST_SECOND + 60 * (steps * len(histories) + users)).astype(np.int64),
        ratings=(np.full(len(users), np.nan) if ratings is None else ratings).astype(np.float32),
    )
    return Dataset(name=name, interactions=interactions, catalog=catalog)


def _ids(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}" for number in range(count))


def _at_least(what: str, value: int, least: int) -> None:
    if value < least:
        raise DataError(f"{what} is {value}, but this world needs at least {least}. Use {what}={least} or more.")
