"""Amazon's reviews as they were published in 2014, 2018 and 2023: reviews and products as JSON lines, ratings alone as CSV.

Known by what is inside, not by names. 2014: products are dicts as Python prints them, ratings are `user,item,rating,time`. 2018:
the same names of fields in JSON, ratings are `item,user,rating,time`, and titles may hold HTML or the code of the page. 2023: an
item is a `parent_asin` (its variants are one), times are in milliseconds, details are an object.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from instructrec.data.literals import python_literal
from instructrec.data.options import LoadOptions
from instructrec.data.pieces import pieces_of, read_log
from instructrec.data.raw import Items, Note, Raw, as_id, is_missing
from instructrec.data.readers import JSON_SUFFIXES, first_lines, objects, suffix_of
from instructrec.data.tabular import items_of
from instructrec.errors import DataError

USER_FIRST, ITEM_FIRST = ("user", "item", "rating", "timestamp"), ("item", "user", "rating", "timestamp")
"""The columns of the ratings of 2014, and of 2018."""
_ASIN = re.compile(r"B[0-9A-Z]{9}|[0-9]{9}[0-9X]")
_USER = re.compile(r"A[0-9A-Z]{9,30}")
_RATING = re.compile(r"[0-5](\.\d+)?")
_SECONDS = re.compile(r"\d{8,13}")
_PLAIN_NAMES = ("interactions", "ratings", "events", "reviews")
"""Tables with these names are read as any others."""
_SURE = 0.9
"""Share of the first rows whose ids must have the form of their column."""
_LATER = ("average_rating", "rating_number", "salesRank", "rank", "related", "also_buy", "also_view", "bought_together")
"""What the shop learned of a product by the day of the collection, which for most reviews lies in the future."""
_LONGEST_CATEGORY = 100
"""Longer "categories" of 2018 are descriptions that went astray."""
_TAG, _BLANKS = re.compile(r"<[^>]*>"), re.compile(r"\s+")
_PRICE = re.compile(r"(?:from\s+)?\$?\s*(\d[\d,]*(?:\.\d+)?)")


def is_reviews(path: Path) -> bool:
    """Whether a file holds reviews of 2014, 2018 or 2023 as JSON lines."""
    found = _first_record(path)
    return {"reviewerID", "asin"} <= found.keys() or {"user_id", "parent_asin", "rating"} <= found.keys()


def is_products(path: Path) -> bool:
    """Whether a file holds products of one of the three as JSON lines."""
    found = _first_record(path)
    named = {"title", "price", "categories", "category", "brand", "store", "imUrl", "main_category", "details", "description"}
    return bool({"asin", "parent_asin"} & found.keys()) and not is_review(found) and len(named & found.keys()) > 1


def is_review(record: Mapping[str, Any]) -> bool:
    """Whether a record says who wrote it."""
    return bool({"reviewerID", "user_id"} & record.keys())


def is_ratings(path: Path) -> bool:
    """Whether a CSV holds ratings alone: of 2014 or 2018 without header (two ids, stars and seconds), or of 2023 with its names."""
    if suffix_of(path) != ".csv":
        return False
    if _is_named(path):
        return True
    rows = [line.split(",") for line in first_lines(path)]
    fit = [len(row) == 4 and bool(_RATING.fullmatch(row[2]) and _SECONDS.fullmatch(row[3].strip())) for row in rows]
    if not rows or not fit[0] or sum(fit) < _SURE * len(rows):
        return False
    return any(_ASIN.fullmatch(cell) or _USER.fullmatch(cell) for cell in rows[0][:2])


def _is_named(path: Path) -> bool:
    """Whether the first line of a CSV names the columns of the ratings of 2023."""
    return any({"user_id", "parent_asin", "rating", "timestamp"} <= set(line.split(",")) for line in first_lines(path, most=1))


def is_raw(folder: Path) -> bool:
    """Whether a folder holds reviews, or ratings alone, as published, and no table with a name that says what it is."""
    files = _files(folder)
    plain = any(path.name.split(".")[0].lower() in _PLAIN_NAMES for path in files)
    return not plain and any(is_reviews(path) or is_ratings(path) for path in files)


def read_raw(folder: Path, options: LoadOptions) -> Raw:
    """The reviews (else the ratings) of a folder, and its products where they are there."""
    files = _files(folder)
    reviews = [path for path in files if is_reviews(path)] or [path for path in files if is_ratings(path)]
    products = [path for path in files if is_products(path)]
    for found, what in ((reviews, "reviews"), (products, "products")):
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise DataError(f"{folder} holds {len(found)} files of {what} ({names}). Give a folder for each category of products.")
    raw = replace(read_reviews(reviews[0], options), name=folder.resolve().name)
    if not products:
        return raw
    items, notes = read_products(products[0], options)
    kept = tuple(note for note in raw.notes if note.key != "no_items_table")
    return replace(raw, items=items, notes=(*kept, *notes))


def read_reviews(path: Path, options: LoadOptions) -> Raw:
    """The interactions of a file of reviews or of ratings alone."""
    header: Sequence[str] = options.header
    found: tuple[Note, ...] = ()
    if suffix_of(path) == ".csv" and not header and not _is_named(path):
        header, found = _columns_of(path, options)
    log, notes = read_log([path], options, header=header)
    return Raw(name=path.name.split(".")[0], log=log, notes=(*found, *notes, Note("no_items_table")))


def read_products(path: Path, options: LoadOptions) -> tuple[Items, tuple[Note, ...]]:
    """Titles, texts, categories, brands and prices. What the shop learned later, such as the mean rating, is left out."""
    rows: list[tuple[str, str, str, list[str], list[str], float]] = []
    lines: list[int] = []
    later: set[str] = set()
    code, kept_notes = 0, []
    for piece in pieces_of(path, options):
        columns = {name: column.tolist() for name, column in piece.columns.items()}
        later |= columns.keys() & set(_LATER)
        kept_notes += [note for note in piece.notes if note not in kept_notes]
        for row, line in enumerate(piece.lines.tolist()):
            record = {name: cells[row] for name, cells in columns.items()}
            code += "getTime" in str(record.get("title"))
            rows.append(_product(record))
            lines.append(line)
    names = ("id", "title", "description", "categories", "brand", "price")
    table = replace(
        piece,
        columns={name: objects(list(cells)) for name, cells in zip(names, zip(*rows, strict=True), strict=True)},
        lines=np.array(lines, dtype=np.int64),
        notes=tuple(kept_notes),
    )
    items, notes = items_of(table, options)
    found = [Note("page_code", {"file": path.name, "count": f"{code:,}"})] if code else []
    found += [Note("known_later", {"file": path.name, "columns": ", ".join(sorted(later))})] if later else []
    return items, (*notes, *found)


def _product(record: Mapping[str, Any]) -> tuple[str, str, str, list[str], list[str], float]:
    """id, title, text, categories, brand and price (NaN: not known) of one product."""
    details = _details(record.get("details"))
    title = str(record.get("title") or "")
    brand = _plain(record.get("brand") or details.get("Brand") or record.get("store") or "")
    texts = [*_flat(record.get("description")), *_flat(record.get("features") or record.get("feature"))]
    categories = [
        _plain(cell) for cell in (record.get("main_category"), *_flat(record.get("categories") or record.get("category")))
    ]
    item = as_id(record.get("parent_asin") or record.get("asin"))
    return (
        item,
        "" if "getTime" in title else _plain(title),
        " ".join(filter(None, map(_plain, texts))),
        list(dict.fromkeys(name for name in categories if name and len(name) <= _LONGEST_CATEGORY)),
        [brand.removeprefix("by ")] if brand else [],
        _price(record.get("price")),
    )


def _details(cell: Any) -> Mapping[str, Any]:
    """The details of 2023, an object or one in a string; of 2018 nothing is used."""
    if isinstance(cell, str) and cell.startswith("{"):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return {}
    return cell if isinstance(cell, dict) else {}


def _flat(cell: Any) -> list[Any]:
    """A value, a list, or lists in a list (categories of 2014) as one list."""
    if isinstance(cell, list):
        return [part for entry in cell for part in (entry if isinstance(entry, list) else [entry])]
    return [cell] if isinstance(cell, str) else []


def _plain(cell: Any) -> str:
    """Text without tags and entities, its blanks single."""
    if is_missing(cell) or isinstance(cell, dict | list):
        return ""
    return _BLANKS.sub(" ", _TAG.sub(" ", html.unescape(str(cell)))).strip()


def _price(cell: Any) -> float:
    """Dollars; the lower end of a range; NaN for what is no price (2018 has pieces of the page there)."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    found = _PRICE.match(cell.strip()) if isinstance(cell, str) else None
    return float(found[1].replace(",", "")) if found else float("nan")


def _columns_of(path: Path, options: LoadOptions) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """Which of the two orders a file of ratings has: by the form of its ids, else by which column has more of them."""
    rows = [line.split(",") for line in first_lines(path, most=10_000)]
    rows = [row for row in rows if len(row) == 4]
    first, second = (np.mean([bool(_ASIN.fullmatch(row[place])) for row in rows]) if rows else 0.0 for place in (0, 1))
    if first >= _SURE > second:
        order, why = ITEM_FIRST, "form"
    elif second >= _SURE > first:
        order, why = USER_FIRST, "form"
    else:
        log, _ = read_log([path], options, header=USER_FIRST)
        order, why = (USER_FIRST if len(log.user_ids) >= len(log.item_ids) else ITEM_FIRST), "counts"
    return order, (Note(f"amazon_order_{why}", {"file": path.name, "order": ", ".join(order)}),)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_file() and suffix_of(path) in (*JSON_SUFFIXES, ".csv")]


def _first_record(path: Path) -> Mapping[str, Any]:
    """The first object among the first lines of a file of JSON lines; empty where there is none."""
    for line in first_lines(path, most=20) if suffix_of(path) in JSON_SUFFIXES else []:
        for parse in (json.loads, python_literal):
            try:
                found = parse(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return {}
