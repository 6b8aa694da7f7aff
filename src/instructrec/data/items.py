"""Items as their owner sends them, checked one by one, and a catalog with them in it."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from instructrec.errors import QueryError, nearest
from instructrec.plain import UNSTORABLE, UNSTORABLE_TEXT
from instructrec.tables import Catalog, ItemId, Labels

LONGEST_ID, LONGEST_TITLE, LONGEST_TEXT, LONGEST_VALUE, MOST_VALUES = 200, 500, 10_000, 200, 50
"""Characters of an id, a title, a text and a value, and values of an attribute, at most."""
FIELDS = ("item_id", "title", "text", "attributes", "available")
Value: TypeAlias = "tuple[str, ...] | float"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item as it came. `attributes`: label values, or a number, by name; `available`: whether it may be shown; `since`: when
    it first came, in seconds since 1970 (0: not known).
    """

    item_id: ItemId
    title: str = ""
    text: str = ""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    available: bool = True
    since: float = 0.0


def read_item(row: object, catalog: Catalog) -> Item:
    """One item from JSON values. Raises QueryError that says what came, what was wanted and what to do."""
    if not isinstance(row, Mapping):
        raise QueryError(f"An item is a JSON object, but a {type(row).__name__} came. Send {{'item_id': ..., 'title': ...}}.")
    unknown = [str(name) for name in row if name not in FIELDS]
    if unknown:
        raise QueryError(
            f"An item has no field '{unknown[0]}'.{nearest(unknown[0], FIELDS)} There is: {', '.join(FIELDS)}. "
            "What else is known of it goes into 'attributes'."
        )
    available = row.get("available", True)
    if not isinstance(available, bool):
        raise QueryError(f"'available' is {available!r}, but must be true or false.")
    attributes = row.get("attributes", {})
    if not isinstance(attributes, Mapping):
        raise QueryError(f"'attributes' is a {type(attributes).__name__}, but must be an object of names and values.")
    return Item(
        item_id=_text(row, "item_id", LONGEST_ID, least=1),
        title=_text(row, "title", LONGEST_TITLE),
        text=_text(row, "text", LONGEST_TEXT),
        attributes={str(name): _value(str(name), value, catalog) for name, value in attributes.items()},
        available=available,
    )


def merged(kept: Mapping[str, Any], row: object) -> object:
    """A row with what was said of the item before, where the row says nothing; what is no object stays what it is."""
    if not isinstance(row, Mapping):
        return row
    attributes = row.get("attributes", {})
    if isinstance(attributes, Mapping):
        attributes = {**kept.get("attributes", {}), **attributes}
    said = {name: value for name, value in kept.items() if name in FIELDS}
    return {**said, **row, "attributes": attributes}


def to_json(item: Item) -> dict[str, Any]:
    """The item as `kept_item` reads it."""
    values = {name: value if isinstance(value, float) else list(value) for name, value in item.attributes.items()}
    return {
        "item_id": item.item_id, "title": item.title, "text": item.text, "attributes": values, "available": item.available,
        "since": item.since,
    }  # fmt: skip


def kept_item(body: Mapping[str, Any]) -> Item:
    """An item as `to_json` wrote it, which was checked when it came."""
    values = {name: tuple(value) if isinstance(value, list) else float(value) for name, value in body["attributes"].items()}
    return Item(
        item_id=body["item_id"], title=body["title"], text=body["text"], attributes=values, available=body["available"],
        since=body.get("since", 0.0),
    )  # fmt: skip


def with_items(catalog: Catalog, items: Sequence[Item]) -> Catalog:
    """The catalog with new items at its end, and what is known of the others in place of what was.

    Codes of items do not change, so models that were fitted on the catalog read the new one. Attributes that an item comes
    without are kept as they were.
    """
    last = {item.item_id: item for item in items}
    old = [item for name, item in last.items() if name in catalog.index]
    new = [item for name, item in last.items() if name not in catalog.index]
    found = catalog.add(_catalog_of(new, catalog)) if new else catalog
    return _changed(found, old) if old else found


def _catalog_of(items: Sequence[Item], like: Catalog) -> Catalog:
    """The items alone, with attributes of the kinds that the catalog has."""
    rows = {name: [_labels(item.attributes.get(name)) for item in items] for name in like.labels}
    numbers = {name: np.array([_number(item.attributes.get(name)) for item in items], dtype=np.float64) for name in like.numbers}
    return Catalog(
        item_ids=tuple(item.item_id for item in items),
        titles=tuple(item.title for item in items),
        texts=tuple(item.text for item in items),
        labels={name: Labels.build(values) for name, values in rows.items()},
        numbers=numbers,
    )


def _changed(catalog: Catalog, items: Sequence[Item]) -> Catalog:
    titles, texts = list(catalog.titles), list(catalog.texts or ("",) * len(catalog))
    labels, numbers = dict(catalog.labels), dict(catalog.numbers)
    for item in items:
        code = catalog.index[item.item_id]
        titles[code], texts[code] = item.title or titles[code], item.text or texts[code]
    for name in {name for item in items for name in item.attributes if name in labels}:
        rows = catalog.label_rows(name)
        for item in items:
            if name in item.attributes:
                rows[catalog.index[item.item_id]] = _labels(item.attributes[name])
        labels[name] = labels[name].with_rows(rows)
    for name in {name for item in items for name in item.attributes if name in numbers}:
        column = numbers[name].copy()
        for item in items:
            if name in item.attributes:
                column[catalog.index[item.item_id]] = _number(item.attributes[name])
        numbers[name] = column
    kept = tuple(texts) if catalog.texts or any(texts) else ()
    return replace(catalog, titles=tuple(titles), texts=kept, labels=labels, numbers=numbers)


def _labels(value: Value | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _number(value: Value | None) -> float:
    return value if isinstance(value, float) else math.nan


def _text(row: Mapping[Any, Any], name: str, most: int, *, least: int = 0) -> str:
    value = row.get(name, "")
    if not isinstance(value, str) or not least <= len(value.strip()) or len(value) > most:
        came = f"has {len(value)} characters" if isinstance(value, str) else f"is a {type(value).__name__}"
        raise QueryError(f"'{name}' {came}, but must be text of {least} to {most} characters.")
    text = value.strip()
    if (UNSTORABLE if name == "item_id" else UNSTORABLE_TEXT).search(text):
        raise QueryError(f"'{name}' holds a control character or half of a surrogate pair. Leave that out.")
    return text


def _value(name: str, value: object, catalog: Catalog) -> Value:
    """A value as the catalog has them: a number, or labels."""
    if name in catalog.numbers:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise QueryError(f"'{name}' is {value!r:.80}, but it is a number in this catalog. Send a finite number.")
        return float(value)
    if name not in catalog.labels:
        known = ", ".join((*catalog.labels, *catalog.numbers)) or "none"
        raise QueryError(
            f"The catalog has no attribute '{name}'.{nearest(name, (*catalog.labels, *catalog.numbers))} It has: {known}. "
            "New attributes come in with a new run."
        )
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MOST_VALUES or not all(_is_label(entry) for entry in values):
        raise QueryError(
            f"'{name}' must be text, or at most {MOST_VALUES} texts of 1 to {LONGEST_VALUE} characters, none of them a "
            f"control character, but {value!r:.80} came."
        )
    return tuple(dict.fromkeys(entry.strip() for entry in values))


def _is_label(value: object) -> bool:
    return isinstance(value, str) and len(value.strip()) > 0 and len(value) <= LONGEST_VALUE and not UNSTORABLE_TEXT.search(value)
