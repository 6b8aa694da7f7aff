"""Tables of any origin to interactions and items: the generic reader that every other source builds on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from instructrec.data.cells import bad_cells, floats, judge, read_numbers, read_times
from instructrec.data.columns import INTERACTION_ALIASES, ITEM_ALIASES, check_roles, resolve
from instructrec.data.options import AS_FOUND, LoadOptions
from instructrec.data.raw import Column, Items, Log, Note, Numbers, Table, as_id, encode, is_missing
from instructrec.errors import DataError
from instructrec.tables import BoolArray

NUMERIC_SHARE = 0.98
"""A column is numeric when at least this share of its filled cells are numbers; the others become unknown."""
_FEW = 20
"""With this many rows or fewer, a column whose every value differs may still be an attribute."""


def log_of(table: Table, options: LoadOptions = AS_FOUND) -> tuple[Log, tuple[Note, ...]]:
    """Read a table as interactions. Raises DataError for missing columns, BrokenLineError for a cell that is no number."""
    option = "interaction_columns"
    check_roles(options.interaction_columns, option)
    chosen = options.interaction_columns
    roles = resolve(table.columns, INTERACTION_ALIASES, chosen=chosen, needed=("user", "item"), file=table.name, option=option)
    times, keep, notes = _times(table, roles, options)
    ratings = np.full(len(table), np.nan)
    if "rating" in roles:
        ratings, rows = read_numbers(table, roles["rating"], options, "a number")
        keep &= rows
    keep &= _plain_ids(table, (roles["user"], roles["item"]), options)
    user_ids, users = encode(table.columns[roles["user"]])
    item_ids, items = encode(table.columns[roles["item"]])
    reviews, read = _reviews(table, roles, options)
    kind_names, kinds = encode(table.columns[roles["kind"]]) if "kind" in roles else ((), np.empty(0, dtype=np.int64))
    log = Log(
        user_ids=user_ids,
        item_ids=item_ids,
        users=users,
        items=items,
        times=times,
        ratings=ratings,
        kinds=kinds,
        kind_names=kind_names,
        reviews=reviews,
        lines=table.lines,
    )
    return log.keep(keep), (*table.notes, *notes, *read, *bad_cells(table, keep))


def _reviews(table: Table, roles: Mapping[str, str], options: LoadOptions) -> tuple[Column, tuple[Note, ...]]:
    """What was written with each row; nothing where no reviews are wanted, or there is no column of them."""
    if not options.reviewers or "review" not in roles:
        return np.empty(0, dtype=object), ()
    texts = _words(table, roles["review"])
    facts = {"file": table.name, "column": roles["review"], "count": f"{sum(map(bool, texts)):,}"}
    return np.array(texts, dtype=object), (Note("reviews", facts),)


def _plain_ids(table: Table, names: Sequence[str], options: LoadOptions) -> BoolArray:
    """Rows whose ids are single values; a list, an object (in JSON and Parquet) or bytes that are no text are a broken line."""
    rows = np.ones(len(table), dtype=np.bool_)
    for name in names:
        column = table.columns[name]
        if column.dtype.kind == "O":
            bad = np.fromiter(
                (isinstance(cell, list | dict | bytes) for cell in column.tolist()), dtype=np.bool_, count=len(column)
            )
            rows &= judge(table, name, bad, options, "one id")
    return rows


def _times(table: Table, roles: Mapping[str, str], options: LoadOptions) -> tuple[Numbers, BoolArray, tuple[Note, ...]]:
    """Times in seconds; without such a column the order column, or the order of the file, stands in."""
    if "timestamp" in roles:
        return read_times(table, roles["timestamp"], options)
    if "order" in roles:
        values, keep = read_numbers(table, roles["order"], options, "a number")
        return values, keep, (Note("order_column", {"file": table.name, "column": roles["order"]}),)
    keep = np.ones(len(table), dtype=np.bool_)
    return np.arange(len(table), dtype=np.float64), keep, (Note("no_times", {"file": table.name}),)


def items_of(table: Table, options: LoadOptions = AS_FOUND) -> tuple[Items, tuple[Note, ...]]:
    """Read a table as items: id, title (the id where there is none), text, image, and every other column as an attribute."""
    chosen = options.item_columns
    roles = resolve(table.columns, ITEM_ALIASES, chosen=chosen, needed=("id",), file=table.name, option="item_columns")
    ids = [as_id(cell) for cell in table.columns[roles["id"]].tolist()]
    if not all(ids):
        keep = np.array([bool(name) for name in ids])
        notes = Note("items_without_id", {"file": table.name, "count": f"{int((~keep).sum()):,}"})
        return items_of(table.keep(keep, notes), options)
    titles = _words(table, roles.get("title"))
    names = {column: column for column in table.columns if column not in roles.values()}
    names |= {column: name for name, column in chosen.items() if name not in ITEM_ALIASES}
    if options.attributes:
        names = {column: name for column, name in names.items() if column in options.attributes or name in options.attributes}
    labels, numbers, found = attributes({name: table.columns[column] for column, name in names.items()}, options)
    items = Items(
        item_ids=tuple(ids),
        titles=tuple([title or name for title, name in zip(titles, ids, strict=True)]),
        texts=tuple(_words(table, roles["text"])) if "text" in roles else (),
        images=tuple(_words(table, roles["image"])) if "image" in roles else (),
        labels=labels,
        numbers=numbers,
        lines=table.lines,
    )
    return items, (*table.notes, *found)


def attributes(
    columns: Mapping[str, Column], options: LoadOptions = AS_FOUND
) -> tuple[dict[str, list[tuple[str, ...]]], dict[str, Numbers], tuple[Note, ...]]:
    """Columns to label attributes (lists or single words) and numeric ones, with a note for every decision."""
    labels: dict[str, list[tuple[str, ...]]] = {}
    numbers: dict[str, Numbers] = {}
    notes: list[Note] = []
    for name, column in columns.items():
        years = _years(column)
        values, bad = floats(column) if column.dtype.kind != "M" else (np.empty(0), np.ones(1, dtype=np.bool_))
        filled = np.array([not is_missing(cell) for cell in column.tolist()])
        if not filled.any():
            notes.append(Note("empty_column", {"column": name}))
        elif years is not None and "year" not in columns:
            numbers["year"] = years
            notes.append(Note("year_of_date", {"column": name}))
        elif len(values) and bad[filled].mean() <= 1 - NUMERIC_SHARE:
            numbers[name] = np.where(np.isfinite(values), values, np.nan)
            if bad.any():
                notes.append(Note("not_numbers", {"column": name, "cells": _some(column[bad])}))
        else:
            rows, decided = lists(column, name, options.list_separator)
            if _is_attribute(rows) or name in options.attributes:
                labels[name] = rows
                notes.extend(decided)
            else:
                notes.append(Note("all_different", {"column": name}))
    return labels, numbers, tuple(notes)


def lists(column: Column, name: str, separator: str = "") -> tuple[list[tuple[str, ...]], tuple[Note, ...]]:
    """Cells to tuples of values: lists as they are, JSON lists, or words between a separator (found from the column if "")."""
    cells = ["" if is_missing(cell) else cell for cell in column.tolist()]
    if any(isinstance(cell, list) for cell in cells):
        return [_values(cell if isinstance(cell, list) else [cell]) for cell in cells], ()
    words = [str(cell).strip() for cell in cells]
    parsed = [_json_list(word) for word in words]
    if any(words) and all(row is not None for row, word in zip(parsed, words, strict=True) if word):
        return [_values(row or ()) for row in parsed], (Note("json_lists", {"column": name}),)
    separator = separator or _list_separator(words)
    if separator == "none":
        return [_values([word]) for word in words], ()
    notes = (Note("list_separator", {"column": name, "separator": separator}),) if any(separator in word for word in words) else ()
    return [_values(word.split(separator)) for word in words], notes


def _list_separator(words: Sequence[str]) -> str:
    """The first of | ; , that holds lists. A comma must part short values that come again, for it is also in prose."""
    filled = [word for word in words if word]
    for separator in ("|", ";"):
        if any(separator in word for word in filled):
            return separator
    rows = [[part.strip() for part in word.split(",")] for word in filled]
    parts = [part for row in rows for part in row]
    short = bool(parts) and sum(len(part.split()) for part in parts) / len(parts) <= 3
    again = len(set(parts)) <= 0.7 * len(parts)
    return "," if short and again and any(len(row) > 1 for row in rows) else "none"


def _json_list(word: str) -> list[object] | None:
    if not word.startswith("["):
        return None
    try:
        value = json.loads(word)
    except ValueError:
        return None
    return value if isinstance(value, list) else None


def _values(cells: Sequence[object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(as_id(cell) for cell in cells if not is_missing(cell)))


def _is_attribute(rows: Sequence[tuple[str, ...]]) -> bool:
    """Values that are all different (links, file names) say nothing about other items."""
    values = [value for row in rows for value in row]
    return len(rows) <= _FEW or len(set(values)) < len(values)


def _years(column: Column) -> Numbers | None:
    """The year of each date when the whole column holds dates, else None."""
    if column.dtype.kind == "M":
        years = column.astype("datetime64[Y]").astype(np.int64).astype(np.float64) + 1970
        years[np.isnat(column)] = np.nan
        return years
    if column.dtype.kind != "O":
        return None
    out = np.full(len(column), np.nan)
    for row, cell in enumerate(column.tolist()):
        if is_missing(cell):
            continue
        if not isinstance(cell, str) or not re.match(r"\d{4}-\d{2}-\d{2}", cell):
            return None
        try:
            out[row] = datetime.fromisoformat(cell.strip()).year
        except ValueError:
            return None
    return out if np.isfinite(out).any() else None


def _words(table: Table, column: str | None) -> list[str]:
    """Cells as text; lists of sentences (Amazon's descriptions) are joined."""
    if column is None:
        return [""] * len(table)
    cells = table.columns[column].tolist()
    return [" ".join(map(str, cell)) if isinstance(cell, list) else "" if is_missing(cell) else str(cell).strip() for cell in cells]


def _some(cells: Column) -> str:
    return ", ".join(repr(cell) for cell in cells[:3].tolist()) + (", ..." if len(cells) > 3 else "")


def need_rows(log: Log, name: str) -> None:
    """Raise DataError when a source has no interaction."""
    if not len(log):
        raise DataError(f"{name} has no interactions. Give a table with a user, an item and a timestamp in each row.")
