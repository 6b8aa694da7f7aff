"""RecBole's atomic files: tab-separated, each column named `name:type`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from instructrec.data.columns import ITEM_ALIASES, resolve
from instructrec.data.options import LoadOptions
from instructrec.data.raw import Note, Raw, Table
from instructrec.data.readers import objects, read_table
from instructrec.data.tabular import items_of, log_of
from instructrec.errors import DataError

_TYPES = ("token", "token_seq", "float", "float_seq")


def is_recbole(folder: Path) -> bool:
    """Whether a folder holds atomic files: at least one .inter."""
    return any(folder.glob("*.inter"))


def read_recbole(folder: Path, options: LoadOptions) -> Raw:
    """The .inter file of a folder and the .item file of the same name; lists (`token_seq`) stand between blanks."""
    logs = sorted(folder.glob("*.inter"))
    if len(logs) != 1:
        raise DataError(f"{folder} holds {len(logs)} .inter files ({', '.join(path.name for path in logs)}). Give one of them.")
    return read_recbole_file(logs[0], options)


def read_recbole_file(path: Path, options: LoadOptions) -> Raw:
    """An .inter file, with the .item file beside it when there is one."""
    log, notes = log_of(_typed(read_table(path, options), lists=False), options)
    item_path = path.with_suffix(".item")
    if not item_path.is_file():
        return Raw(name=path.stem, log=log, notes=(*notes, Note("no_items_table")))
    items, more = items_of(_typed(read_table(item_path, options), lists=True), options)
    return Raw(name=path.stem, log=log, items=items, notes=(*notes, *more))


def _typed(table: Table, *, lists: bool) -> Table:
    """Bare column names; `token_seq` becomes lists (but for titles and texts), `float_seq` is left out with a note."""
    columns, notes = {}, []
    types = {}
    for header, column in table.columns.items():
        name, _, kind = header.partition(":")
        if kind not in _TYPES:
            wanted = ", ".join(f"{name}:{known}" for known in _TYPES)
            raise DataError(f"{table.name} has the column '{header}'; an atomic file names each column with its type: {wanted}.")
        if kind == "float_seq":
            notes.append(Note("vectors", {"column": name}))
            continue
        columns[name], types[name] = column, kind
    if lists:
        roles = resolve(columns, ITEM_ALIASES, chosen={}, needed=("id",), file=table.name, option="item_columns")
        for name in [name for name, kind in types.items() if kind == "token_seq" and name not in roles.values()]:
            split = [cell.split(" ") if cell else [] for cell in columns[name].tolist()]
            columns[name] = objects(split)
    return replace(table, columns=columns, notes=(*table.notes, *notes))
