"""MovieLens and what is built like it: 100K (as published, and as RecBole's files), 1M, MovieTweetings, latest-small and larger."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from instructrec.data.options import LoadOptions
from instructrec.data.pieces import read_log
from instructrec.data.places import beside, has
from instructrec.data.raw import Items, Note, Raw, Table, as_id
from instructrec.data.readers import read_table
from instructrec.data.tabular import log_of
from instructrec.data.titles import article_first, split_year
from instructrec.errors import DataError

_RATINGS = ("user", "item", "rating", "timestamp")
_MOVIES = ("item", "title", "genres")
_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_ITEMS_100K = ("item", "title", "released", "video", "url", *_GENRES_100K)
_NO_GENRE = frozenset({"", "unknown", "(no genres listed)"})
# One entry of ML-100K has neither a film nor a spelling: item 267 is called "unknown" upstream and "unkonwn" in RecBole's copy.
_NO_TITLE = {"unkonwn": "unknown"}


def is_atomic_100k(folder: Path) -> bool:
    """Whether a folder holds ML-100K as RecBole's atomic files."""
    return has(folder, "ml-100k.inter") and has(folder, "ml-100k.item")


def read_atomic_100k(folder: Path, options: LoadOptions) -> Raw:
    """ML-100K from RecBole's copy: the year stands in its own column, genres are words between blanks."""
    table = read_table(beside(folder, "ml-100k.item"), options)
    cells = {name.split(":")[0]: column.tolist() for name, column in table.columns.items()}
    try:
        ids, titles, years, genres = (cells[name] for name in ("item_id", "movie_title", "release_year", "class"))
    except KeyError as error:
        raise DataError(f"{table.name} has no column {error}. Columns found: {', '.join(table.columns)}.") from error
    # Item 1412 is a video: its year stands in the title and "V" in the column of years.
    dated = [f"{title} ({year})" if re.fullmatch(r"\d{4}", year) else title for title, year in zip(titles, years, strict=True)]
    items, notes = _films(table, ids, dated, [row.split(" ") for row in genres])
    return _raw("ml-100k", read_table(beside(folder, "ml-100k.inter"), options), items, options, (*table.notes, *notes))


def is_upstream_100k(folder: Path) -> bool:
    """Whether a folder holds ML-100K as GroupLens published it."""
    return has(folder, "u.data") and has(folder, "u.item")


def read_upstream_100k(folder: Path, options: LoadOptions) -> Raw:
    """ML-100K from u.data and u.item (latin-1, one flag a genre)."""
    options = _western(options)
    table = read_table(beside(folder, "u.item"), options, header=_ITEMS_100K, separator="|")
    cells = {name: column.tolist() for name, column in table.columns.items()}
    flags = list(zip(*(cells[genre] for genre in _GENRES_100K), strict=True))
    genres = [[genre for genre, flag in zip(_GENRES_100K, row, strict=True) if flag == "1"] for row in flags]
    items, notes = _films(table, cells["item"], cells["title"], genres)
    ratings = read_table(beside(folder, "u.data"), options, header=_RATINGS, separator="\t")
    return _raw("ml-100k", ratings, items, options, (*table.notes, *notes))


def is_dat(folder: Path) -> bool:
    """Whether a folder holds ML-1M, or MovieTweetings: movies.dat beside ratings.dat or interactions.parquet."""
    return has(folder, "movies.dat") and (has(folder, "ratings.dat") or has(folder, "interactions.parquet"))


def read_dat(folder: Path, options: LoadOptions) -> Raw:
    """ML-1M and MovieTweetings: fields between "::", genres between "|", the year in the title."""
    options = _western(options)
    items, notes = films_of(folder, options)
    if has(folder, "ratings.dat"):
        ratings = read_table(beside(folder, "ratings.dat"), options, header=_RATINGS, separator="::")
    else:
        ratings = read_table(beside(folder, "interactions.parquet"), options)
    return _raw(folder.resolve().name, ratings, items, options, notes)


def films_of(folder: Path, options: LoadOptions) -> tuple[Items, tuple[Note, ...]]:
    """The films of movies.dat."""
    table = read_table(beside(folder, "movies.dat"), _western(options), header=_MOVIES, separator="::")
    cells = {name: column.tolist() for name, column in table.columns.items()}
    items, notes = _films(table, cells["item"], cells["title"], [row.split("|") for row in cells["genres"]])
    return items, (*table.notes, *notes)


def is_latest(folder: Path) -> bool:
    """Whether a folder holds latest-small or a larger set of the same form: ratings.csv and movies.csv."""
    return has(folder, "ratings.csv") and has(folder, "movies.csv")


def read_latest(folder: Path, options: LoadOptions) -> Raw:
    """MovieLens latest-small, latest, 10M or later in CSV; the tags that people gave a film, where they are there, are its text."""
    table = read_table(beside(folder, "movies.csv"), options)
    try:
        ids, titles, genres = (table.columns[name].tolist() for name in ("movieId", "title", "genres"))
    except KeyError as error:
        raise DataError(f"{table.name} has no column {error}. Columns found: {', '.join(table.columns)}.") from error
    items, notes = _films(table, ids, titles, [row.split("|") for row in genres])
    if has(folder, "tags.csv"):
        tags = read_table(beside(folder, "tags.csv"), options)
        items, notes = replace(items, texts=_tagged(tags, items.item_ids)), (*notes, *tags.notes)
    log, more = read_log([beside(folder, "ratings.csv")], options)
    return Raw(name=folder.resolve().name, log=log, items=items, notes=(*table.notes, *notes, *more))


def _tagged(tags: Table, ids: Sequence[str]) -> tuple[str, ...]:
    """What people wrote about each film in a word or two: its different tags, the commonest first."""
    try:
        films, words = (tags.columns[name].tolist() for name in ("movieId", "tag"))
    except KeyError as error:
        raise DataError(f"{tags.name} has no column {error}. Columns found: {', '.join(tags.columns)}.") from error
    written: dict[str, Counter[str]] = {}
    for film, tag in zip(films, words, strict=True):
        written.setdefault(as_id(film), Counter())[str(tag).strip().lower()] += 1
    return tuple(", ".join(tag for tag, _ in written.get(item, Counter[str]()).most_common()) for item in ids)


def _raw(name: str, ratings: Table, items: Items, options: LoadOptions, notes: tuple[Note, ...]) -> Raw:
    log, more = log_of(ratings, options)
    return Raw(name=name, log=log, items=items, notes=(*notes, *more))


def _films(
    table: Table, ids: Sequence[str], titles: Sequence[str], genres: Sequence[Sequence[str]]
) -> tuple[Items, tuple[Note, ...]]:
    """Titles without year and with the article in front; the year as a number; genres without the words for "none"."""
    parts = [split_year(_NO_TITLE.get(title, title)) for title in titles]
    years = np.array([year for _, year in parts], dtype=np.float64)
    undated = [title for title, year in parts if year != year]
    items = Items(
        item_ids=tuple(as_id(cell) for cell in ids),
        titles=tuple(article_first(title) for title, _ in parts),
        labels={"genres": [tuple(genre for genre in row if genre not in _NO_GENRE) for row in genres]},
        numbers={"year": years},
        lines=table.lines,
    )
    shown = ", ".join(undated[:3]) + (", ..." if len(undated) > 3 else "")
    return items, (Note("years", {"count": f"{len(undated):,}", "titles": shown}),) if undated else ()


def _western(options: LoadOptions) -> LoadOptions:
    """The older sets are latin-1; the report says when that was used."""
    return options if options.fallback_encoding else replace(options, fallback_encoding="latin-1")
