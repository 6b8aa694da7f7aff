"""Reviews with text: raw ones as Amazon publishes them, and ready ones with feature, opinion and sentence (PETER's files)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from instructrec.data.cells import floats, judge
from instructrec.data.options import AS_FOUND
from instructrec.data.plain_values import plain_values
from instructrec.data.raw import Column, Table, as_id, is_missing
from instructrec.data.readers import objects, read_table, suffix_of
from instructrec.errors import DataError

PICKLE_SUFFIXES = (".pickle", ".pkl")
PARTS = ("train", "validation", "test")
_RAW_COLUMNS: Mapping[str, str] = {"user": "reviewerID", "item": "asin", "rating": "overall", "text": "reviewText"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a user wrote of an item. `time`: seconds since 1970 (0: unknown).

    `sentence`: the one sentence, lower-case words between blanks, that says `opinion` of `feature`; `sentiment`: 1 for, -1 against,
    0 where nothing was found yet. A ready file has no `text`, a raw one nothing but.
    """

    user: str
    item: str
    rating: float
    time: int = 0
    text: str = ""
    feature: str = ""
    opinion: str = ""
    sentence: str = ""
    sentiment: int = 0

    @property
    def words(self) -> list[str]:
        """The words of the sentence."""
        return self.sentence.split()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSplit:
    """Reviews to learn from, to choose with, and to measure with."""

    train: tuple[Review, ...]
    valid: tuple[Review, ...]
    test: tuple[Review, ...]


def read_reviews(path: Path) -> list[Review]:
    """Reviews of a file: Amazon's rows (Parquet, JSON lines, CSV), or PETER's records (reviews.pickle, or the same as JSON lines).

    Of raw rows without text none is kept, and of those of one user about one item the first: a second would show the writer of
    the one the words of the other. Raises DataError for any other file, and for pickles that hold more than plain values.
    """
    table = _pickled(path) if suffix_of(path) in PICKLE_SUFFIXES else read_table(path)
    if "template" in table.columns:
        return _ready(table)
    if all(name in table.columns for name in _RAW_COLUMNS.values()):
        return _raw(table)
    raise DataError(
        f"{path.name} has the columns {', '.join(table.columns)}, which are no reviews. Give user, item, rating and template "
        f"(PETER's records), or {', '.join(_RAW_COLUMNS.values())} (Amazon's rows)."
    )


def _raw(table: Table) -> list[Review]:
    ratings = _ratings(table, _RAW_COLUMNS["rating"])
    times, _ = floats(table.columns.get("unixReviewTime", np.zeros(len(table))))
    users, items, texts = (table.columns[_RAW_COLUMNS[name]].tolist() for name in ("user", "item", "text"))
    found: dict[tuple[str, str], Review] = {}
    for user, item, text, rating, time in zip(map(as_id, users), map(as_id, items), texts, ratings, times.tolist(), strict=True):
        if is_missing(text) or not user or not item:
            continue
        review = Review(user=user, item=item, rating=rating, time=int(time) if time == time else 0, text=str(text))
        found.setdefault((user, item), review)
    return list(found.values())


def _ratings(table: Table, name: str) -> list[float]:
    """A column of ratings in which every cell is a number."""
    values, bad = floats(table.columns[name])
    judge(table, name, bad | ~np.isfinite(values), AS_FOUND, "a rating (a number)")
    return [float(value) for value in values]


def _ready(table: Table) -> list[Review]:
    for name in ("user", "item", "rating"):
        if name not in table.columns:
            raise DataError(f"{table.name} has no '{name}' beside 'template'. Get PETER's reviews.pickle again.")
    templates: Column = table.columns["template"]
    judge(
        table,
        "template",
        np.array([not _is_template(cell) for cell in templates]),
        AS_FOUND,
        "a feature, an adjective, a sentence and a score",
    )
    rows = zip(
        table.columns["user"].tolist(),
        table.columns["item"].tolist(),
        _ratings(table, "rating"),
        templates.tolist(),
        strict=True,
    )
    return [
        Review(
            user=as_id(user),
            item=as_id(item),
            rating=rating,
            feature=feature,
            opinion=opinion,
            sentence=" ".join(sentence.split()),
            sentiment=int(np.sign(score)),
        )
        for user, item, rating, (feature, opinion, sentence, score) in rows
    ]


def _is_template(cell: object) -> bool:
    return (
        isinstance(cell, list | tuple)
        and len(cell) == 4
        and all(isinstance(part, str) for part in cell[:3])
        and isinstance(cell[3], int | float)
    )


def _pickled(path: Path) -> Table:
    try:
        content = plain_values(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}). Check the path and its permissions.") from error
    except ValueError as error:
        raise DataError(
            f"{path.name} is not a pickle of plain values ({error}). Only lists, dicts, strings and numbers are read; write the "
            "records as JSON lines instead."
        ) from error
    if not isinstance(content, list) or not content or not all(isinstance(record, dict) for record in content):
        raise DataError(f"{path.name} is not a list of records with user, item, rating and template. Get reviews.pickle again.")
    names = dict.fromkeys(str(key) for record in content for key in record)
    columns = {name: objects([record.get(name) for record in content]) for name in names}
    return Table(name=path.name, columns=columns, lines=np.arange(1, len(content) + 1, dtype=np.int64))


def published_split(reviews: Sequence[Review], folder: Path) -> ReviewSplit:
    """The division that train.index, validation.index and test.index of a folder give: places in the file, from 0.

    Raises DataError for a file that is missing, for a place that does not exist, and for one that stands twice.
    """
    places = [_places(folder / f"{part}.index", len(reviews)) for part in PARTS]
    together = [place for part in places for place in part]
    if len(set(together)) < len(together):
        raise DataError(f"The index files of {folder} name a review twice. Every review belongs to one part at most.")
    train, valid, test = (tuple(reviews[place] for place in part) for part in places)
    return ReviewSplit(train=train, valid=valid, test=test)


def _places(path: Path, number: int) -> list[int]:
    try:
        found = [int(word) for word in path.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no list of whole numbers ({error}). Give the three index files of one division.") from error
    wrong = next((place for place in found if not 0 <= place < number), None)
    if wrong is not None:
        raise DataError(f"{path.name} names the review {wrong}, but there are {number}. Give the index files of this very file.")
    return found


def random_split(reviews: Sequence[Review], *, seed: int = 0, held_out: float = 0.1) -> ReviewSplit:
    """A random division, `held_out` of all reviews each for validation and test, where every user and item has one in train.

    Li et al. 2021 (PETER, ACL, section 5.1): reviews are drawn at random, whatever their time. The first of each user and of each
    item in random order stays in train.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(reviews)).tolist()
    users: set[str] = set()
    items: set[str] = set()
    free: list[int] = []
    for place in order:
        review = reviews[place]
        if review.user in users and review.item in items:
            free.append(place)
        users.add(review.user)
        items.add(review.item)
    size = int(len(reviews) * held_out)
    if len(free) < 2 * size:
        raise DataError(
            f"Of {len(reviews)} reviews only {len(free)} can be held out, and {2 * size} were wanted. Hold out a smaller share, or "
            "keep only users and items with several reviews."
        )
    valid, test = set(free[:size]), set(free[size : 2 * size])
    return ReviewSplit(
        train=tuple(review for place, review in enumerate(reviews) if place not in valid and place not in test),
        valid=tuple(reviews[place] for place in sorted(valid)),
        test=tuple(reviews[place] for place in sorted(test)),
    )
