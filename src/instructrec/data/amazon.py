"""Amazon reviews in two published forms: S3-Rec's sequences (2014: Beauty and its like), MiniOneRec's rows (2018: Industrial)."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from instructrec.core import Query
from instructrec.data.cells import bad_cells, floats, judge
from instructrec.data.literals import python_literal
from instructrec.data.options import AS_FOUND, LoadOptions
from instructrec.data.places import beside
from instructrec.data.raw import Column, Items, Note, Raw, Table, as_id
from instructrec.data.readers import objects, read_table
from instructrec.data.sequences import read_histories
from instructrec.data.split import Holdout, Split
from instructrec.data.tabular import items_of, log_of
from instructrec.data.wording import phrase
from instructrec.errors import DataError
from instructrec.tables import Dataset, IntArray, Interactions


def is_s3rec(folder: Path) -> bool:
    """Whether a folder holds sequences as S3-Rec publishes them: *.s3rec.txt."""
    return bool(_found(folder, ".s3rec.txt"))


def read_s3rec(folder: Path, options: LoadOptions) -> Raw:
    """Lines `user item item ...` in order of time; titles and categories where their files are there."""
    log, notes = read_histories(_need(folder, ".s3rec.txt"), options, numbers=True)
    name = folder.resolve().name
    path = _one(folder, ".items.tsv")
    if path is None:
        return Raw(name=name, log=log, notes=(*notes, Note("no_items_table")))
    items, more = _titled(path, options)
    return Raw(name=name, log=log, items=items, notes=(*notes, *more))


def _titled(path: Path, options: LoadOptions) -> tuple[Items, tuple[Note, ...]]:
    """The table of items, with the names of their attributes as `categories`."""
    table = read_table(path, options, separator="\t")
    listed, named = _one(path.parent, "_item2attributes.json"), _one(path.parent, "attribute_names.tsv")
    if listed is not None and named is not None:
        members = _members(listed, list, "a list of attribute numbers", options)
        attributes = read_table(named, options, separator="\t")
        names = dict(zip(*(map(as_id, column) for column in _columns(attributes, "id", "name")), strict=True))
        rows = dict(zip(members.columns["id"].tolist(), members.columns["value"].tolist(), strict=True))
        (ids,) = _columns(table, "id")
        # A number without a name becomes "", which is no value.
        categories = [[names.get(as_id(number), "") for number in rows.get(as_id(item), ())] for item in ids]
        notes = (*table.notes, *members.notes, *attributes.notes)
        table = replace(table, columns={**table.columns, "categories": objects(categories)}, notes=notes)
    return items_of(table, options)


def is_minionerec(folder: Path) -> bool:
    """Whether a folder holds MiniOneRec's items beside sequences: *.item.json and *.sequences.parquet."""
    return bool(_found(folder, ".item.json")) and bool(_found(folder, ".sequences.parquet"))


def read_minionerec(folder: Path, options: LoadOptions) -> Raw:
    """All items with title, description and brand, and each user's whole sequence; how it was divided: `industrial_split`."""
    table = _members(_need(folder, ".item.json"), dict, "an object with title, description and brand", options)
    records: list[dict[str, object]] = table.columns["value"].tolist()
    fields = {name: [record.get(name) for record in records] for name in dict.fromkeys(key for record in records for key in record)}
    if "description" in fields:
        fields["description"] = [_sentences(cell) for cell in fields["description"]]
    if "brand" in fields:  # a list of one, for "Sealed Unit Parts Co., Inc." is one brand
        fields["brand"] = [[cell] for cell in fields["brand"]]
    columns = {name: objects(cells) for name, cells in fields.items()} | {"id": table.columns["id"]}
    items, notes = items_of(replace(table, columns=columns), options)
    log, more = log_of(read_table(_need(folder, ".sequences.parquet"), options), options)
    return Raw(name=folder.resolve().name, log=log, items=items, notes=(*notes, *more))


def _sentences(cell: object) -> object:
    """A description that was printed as a Python list is that list again; any other stays as it is."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return cell
    try:
        parsed = python_literal(cell)
    except ValueError:
        return cell
    return parsed if isinstance(parsed, list) else cell


def industrial_split(folder: Path, dataset: Dataset) -> Split:
    """MiniOneRec's own division, read from its files: one query for every row of *.eval_rows.parquet, in the order of the file.

    `dataset` gives the catalog and the users; the interactions are those of the files, whatever was cleaned. Raises DataError
    when the files do not fit the dataset or each other. Where a target also stands in its history (236 rows of validation and
    128 of the test), nobody who hides seen items can hit it.
    """
    log, parts = _sequences(_need(folder, ".sequences.parquet"), dataset)
    rows = read_table(_need(folder, ".eval_rows.parquet"))
    asked = _parts(rows, "valid", "test")
    valid, test = (_holdout(rows.keep(asked == part), log.keep(parts == part), dataset) for part in ("valid", "test"))
    return Split(
        name="rows",
        protocol=phrase("protocol.rows", valid=f"{len(valid):,}", test=f"{len(test):,}"),
        train=dataset.with_interactions(log.keep(parts == "history")),
        known=dataset.with_interactions(log.keep(parts != "test")),
        valid=valid,
        test=test,
    )


def _sequences(path: Path, dataset: Dataset) -> tuple[Interactions, Column]:
    """Every interaction of the file in the codes of the dataset, and the part of each."""
    table = read_table(path)
    parts = _parts(table, "history", "valid", "test")
    _columns(table, "user_id", "item_id", "pos")
    places, _ = floats(table.columns["pos"])
    judge(table, "pos", ~np.isfinite(places), AS_FOUND, "a place in the history")
    users = _codes(table, "user_id", dataset.interactions.user_index)
    items = _codes(table, "item_id", dataset.catalog.index)
    order = np.lexsort((places, users))
    log = Interactions(
        user_ids=dataset.interactions.user_ids,
        users=users[order],
        items=items[order],
        timestamps=places[order].astype(np.int64),
        ratings=np.full(len(order), np.nan, dtype=np.float32),
    )
    return log, parts[order]


def _parts(table: Table, *known: str) -> Column:
    """The column `split`, in which only these words may stand."""
    (cells,) = _columns(table, "split")
    judge(table, "split", np.array([cell not in known for cell in cells]), AS_FOUND, " or ".join(known))
    return table.columns["split"]


def _holdout(rows: Table, due: Interactions, dataset: Dataset) -> Holdout:
    """A query for each row. `due`: the interactions of this part by user and time; each is the target of one row."""
    _, _, histories = _columns(rows, "user_id", "item_id", "history")
    judge(rows, "history", np.array([not isinstance(cell, list) for cell in histories]), AS_FOUND, "a list of items")
    users = _codes(rows, "user_id", dataset.interactions.user_index)
    items = _codes(rows, "item_id", dataset.catalog.index)
    order = np.argsort(users, kind="stable")
    if not (np.array_equal(users[order], due.users) and np.array_equal(items[order], due.items)):
        raise DataError(f"The rows of {rows.name} are not those of the sequences beside it. Get both files again from one source.")
    times = np.empty(len(order), dtype=np.int64)
    times[order] = due.timestamps
    ids = dataset.interactions.user_ids
    queries = [
        Query(user=ids[user], history=tuple(map(as_id, history)), time=time)
        for user, history, time in zip(users.tolist(), histories, times.tolist(), strict=True)
    ]
    return Holdout(queries=tuple(queries), targets=tuple(items.reshape(-1, 1)), user_codes=users)


def _codes(table: Table, column: str, index: Mapping[str, int]) -> IntArray:
    """The codes of a column of ids. Raises DataError for an id that the dataset lacks."""
    ids = [as_id(cell) for cell in table.columns[column].tolist()]
    lost = next((name for name in ids if name not in index), None)
    if lost is not None:
        raise DataError(
            f"{table.name} has the {column} '{lost}', which the dataset lacks. Load the dataset from the same folder and drop no "
            "users or items in cleaning."
        )
    return np.array([index[name] for name in ids], dtype=np.int64)


def _columns(table: Table, *names: str) -> list[list[Any]]:
    """Columns by name. Raises DataError naming those found."""
    for name in names:
        if name not in table.columns:
            raise DataError(f"{table.name} has no column '{name}'. Columns found: {', '.join(table.columns)}. Get the file again.")
    return [table.columns[name].tolist() for name in names]


def _members(path: Path, kind: type, what: str, options: LoadOptions) -> Table:
    """A file that is one JSON object: its keys as `id`, their values (of one kind) as `value`; lines count the members."""
    try:
        data = path.read_bytes()
        content = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise DataError(f"{path.name} is not a readable JSON file ({error}). Get the file again.") from error
    if not isinstance(content, dict):
        raise DataError(f'{path.name} is not one JSON object of items by their id, such as {{"1": ...}}. Get the file again.')
    columns = {"id": objects(list(content)), "value": objects(list(content.values()))}
    table = Table(name=path.name, columns=columns, lines=np.arange(1, len(content) + 1, dtype=np.int64))
    bad = np.array([not isinstance(value, kind) for value in content.values()], dtype=np.bool_)
    keep = judge(table, "value", bad, options, what)
    return table.keep(keep, *bad_cells(table, keep))


def _found(folder: Path, ending: str) -> list[Path]:
    """The files of a folder whose names end so, plain or with .gz."""
    names = [path.name.removesuffix(".gz") for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    return [beside(folder, name) for name in sorted(set(names)) if name.endswith(ending)]


def _one(folder: Path, ending: str) -> Path | None:
    """The file of a folder whose name ends so. Raises DataError when there are several."""
    found = _found(folder, ending)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{folder} holds {len(found)} files *{ending} ({names}). Give a folder for each data set.")
    return found[0] if found else None


def _need(folder: Path, ending: str) -> Path:
    """The file of a folder whose name ends so. Raises DataError when there is not exactly one."""
    path = _one(folder, ending)
    if path is None:
        raise DataError(f"{folder} has no file *{ending}. Give the folder with all files of the data set.")
    return path
