"""Further names for the values and attributes of a catalog: synonyms, and the words of other languages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from instructrec.data.options import LoadOptions
from instructrec.data.raw import Note, as_id
from instructrec.data.readers import broken, read_table, skipped
from instructrec.errors import DataError, nearest
from instructrec.tables import Catalog

COLUMNS = ("attribute", "value", "name")
"""Columns of a table of names."""


def with_names(catalog: Catalog, path: Path, options: LoadOptions) -> tuple[Catalog, tuple[Note, ...]]:
    """The catalog with the names of a table: attribute, value (empty: the attribute itself), name; a row a name.

    Raises DataError for a table that cannot be read or has other columns, BrokenLineError for an attribute or value that the
    catalog does not have.
    """
    table = read_table(path, options)
    if missing := [column for column in COLUMNS if column not in table.columns]:
        raise DataError(
            f"{path.name} has no column {' and '.join(missing)}. A table of names has the columns {', '.join(COLUMNS)}, such as "
            f"genre,Comedy,something funny. Columns found: {', '.join(table.columns)}."
        )
    cells = ([as_id(cell) for cell in table.columns[column].tolist()] for column in COLUMNS)
    found: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    bad: list[int] = []
    for line, attribute, value, name in zip(table.lines.tolist(), *cells, strict=True):
        why = _wrong(catalog, attribute, value, name)
        if why and options.on_broken == "refuse":
            raise broken(path.name, line, why, ",".join((attribute, value, name)))
        if why:
            bad.append(line)
        else:
            found[attribute][value][name] = None
    names = {attribute: {value: tuple(words) for value, words in values.items()} for attribute, values in found.items()}
    count = sum(len(words) for values in names.values() for words in values.values())
    notes = (*table.notes, Note("names", {"file": path.name, "count": f"{count:,}"}))
    return replace(catalog, also_called=names), (*notes, *([skipped(path.name, bad)] if bad else []))


def _wrong(catalog: Catalog, attribute: str, value: str, name: str) -> str:
    """What is wrong with a row; empty where nothing is."""
    if attribute not in catalog.attributes:
        return _missing("attribute", attribute, catalog.attributes)
    if value and attribute not in catalog.labels:
        return f"'{attribute}' is a number and has no value '{value}' that could have a name"
    if value and value not in catalog.labels[attribute].index:
        return _missing(f"value of {attribute}", value, catalog.labels[attribute].index)
    return "" if name else "there is no name in it"


def _missing(kind: str, came: str, known: Iterable[str]) -> str:
    hint = nearest(came, known).strip().rstrip(".")
    return f"the catalog has no {kind} '{came}'" + (f" ({hint})" if hint else "")
