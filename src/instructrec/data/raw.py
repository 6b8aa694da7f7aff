"""What a source delivers before cleaning: interactions and items as they were read, with line numbers and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.tables import BoolArray, IntArray

Column: TypeAlias = NDArray[Any]
"""One column of a file: a numeric dtype, or objects (str, None, list, number)."""
Numbers: TypeAlias = NDArray[np.float64]

MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "\\n", "-"})
"""Cells (in lower case) that mean "no value"."""


@dataclass(frozen=True, slots=True)
class Note:
    """One visible decision or find of a reader: a phrase of the wording, and what fills it."""

    key: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file as columns of equal length. `lines`: line of each row (1-based); for Parquet the row number."""

    name: str
    columns: Mapping[str, Column]
    lines: IntArray
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def keep(self, rows: BoolArray, *notes: Note) -> Table:
        """Only the rows where `rows` is true, with more notes."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        return replace(self, columns=columns, lines=self.lines[rows], notes=(*self.notes, *notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Interactions in order of arrival, not cleaned.

    `users`, `items`: codes into `user_ids`, `item_ids`, -1 where the cell was empty; `times`: seconds since 1970 with their
    fraction, NaN where missing; `ratings`: NaN where missing; `kinds`: codes into `kind_names` (empty array: no kinds);
    `reviews`: what was written with each row (empty array: no reviews); `lines`: where each row stands in the file.
    """

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    users: IntArray
    items: IntArray
    times: Numbers
    ratings: Numbers
    kinds: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    kind_names: tuple[str, ...] = ()
    reviews: Column = field(default_factory=lambda: np.empty(0, dtype=object))
    lines: IntArray

    def __len__(self) -> int:
        return len(self.users)

    def keep(self, rows: BoolArray | IntArray) -> Log:
        """Only these rows (a mask, or row numbers in their new order); ids stay."""
        kinds = self.kinds[rows] if len(self.kinds) else self.kinds
        reviews = self.reviews[rows] if len(self.reviews) else self.reviews
        columns = {name: getattr(self, name)[rows] for name in ("users", "items", "times", "ratings", "lines")}
        return replace(self, kinds=kinds, reviews=reviews, **columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Items as read, an id may stand twice. `images`: paths of pictures, "" for none; `labels`: one tuple of values an item;
    `numbers`: float64, NaN where unknown.
    """

    item_ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    labels: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    lines: IntArray

    def __len__(self) -> int:
        return len(self.item_ids)

    def keep(self, rows: Sequence[int]) -> Items:
        """These rows in this order."""
        return Items(
            item_ids=tuple([self.item_ids[row] for row in rows]),
            titles=tuple([self.titles[row] for row in rows]),
            texts=tuple([self.texts[row] for row in rows]) if self.texts else (),
            images=tuple([self.images[row] for row in rows]) if self.images else (),
            labels={name: [values[row] for row in rows] for name, values in self.labels.items()},
            numbers={name: values[list(rows)] for name, values in self.numbers.items()},
            lines=self.lines[list(rows)],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Everything a source delivers: a log, the items when there is a table of them, and what the reader noticed."""

    name: str
    log: Log
    items: Items | None = None
    notes: tuple[Note, ...] = ()


def encode(column: Column) -> tuple[tuple[str, ...], IntArray]:
    """Ids in natural order, and the code of each cell (-1 where it is empty)."""
    if column.dtype.kind in "iu":
        values, codes = np.unique(column, return_inverse=True)
        return tuple([str(value) for value in values.tolist()]), codes.astype(np.int64)
    cells = [as_id(cell) for cell in column.tolist()]
    ids = natural(set(cells) - {""})
    index = {"": -1} | {name: code for code, name in enumerate(ids)}
    return ids, np.fromiter((index[cell] for cell in cells), dtype=np.int64, count=len(cells))


def as_id(cell: object) -> str:
    """An id as a string without blanks around it; whole floats lose their ".0", empty cells become ""."""
    if isinstance(cell, float):
        return "" if cell != cell else str(int(cell)) if cell.is_integer() else repr(cell)
    text = "" if cell is None else str(cell).strip()
    return "" if len(text) < 5 and text.lower() in MISSING else text


def is_missing(cell: object) -> bool:
    """Whether a cell means "no value"."""
    return cell is None or cell != cell or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def natural(ids: Iterable[str]) -> tuple[str, ...]:
    """Ids sorted as people do: "2" before "10", "u2" before "u10"."""
    names = list(ids)
    if all(name.isascii() and name.isdigit() for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names, key=_natural_key))


def _natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Text and numbers in turn, so that equal places always compare equal types; the name itself breaks ties ("01", "1")."""
    parts = re.split(r"([0-9]+)", name)
    return tuple([int(part) if place % 2 else part for place, part in enumerate(parts)]), name
