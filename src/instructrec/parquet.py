"""The tables as Parquet files that read back equal: catalog, interactions, and the lists of a whole user base."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from instructrec.core import Recommendation
from instructrec.tables import Catalog, Interactions, Labels

if TYPE_CHECKING:
    import pyarrow

_META = b"instructrec"


def write_catalog(catalog: Catalog, path: Path) -> None:
    """One row an item: item_id, title, text, image (a path), `label.<name>` (list of strings), `people.<name>` (list of whole
    numbers: how many reviewers say each), `number.<name>` and `measure.<name>` (float64, NaN where unknown); other names of values
    stand in the metadata.
    """
    import pyarrow

    columns: dict[str, Any] = {"item_id": catalog.item_ids, "title": catalog.titles}
    if catalog.texts:
        columns["text"] = catalog.texts
    if catalog.images:
        columns["image"] = catalog.images
    for name in catalog.labels:
        rows = catalog.label_rows(name)
        columns[f"label.{name}"] = pyarrow.array([list(row) for row in rows], type=pyarrow.list_(pyarrow.string()))
    for name, labels in catalog.labels.items():
        if labels.sentiment:
            people = [list(labels.people_of(item).values()) for item in range(len(catalog))]
            columns[f"people.{name}"] = pyarrow.array(people, type=pyarrow.list_(pyarrow.int64()))
    columns |= {f"number.{name}": values for name, values in catalog.numbers.items()}
    columns |= {f"measure.{name}": values for name, values in catalog.measures.items()}
    names = {name: list(labels.names) for name, labels in catalog.labels.items()}
    meta = {"labels": names, "also_called": catalog.also_called}
    sentiments = {name: labels.sentiment for name, labels in catalog.labels.items() if labels.sentiment}
    _write(pyarrow.table(columns), meta | ({"sentiments": sentiments} if sentiments else {}), path)


def read_catalog(path: Path) -> Catalog:
    """The catalog that `write_catalog` wrote; codes of items and of label values do not change."""
    table, meta = _read(path)
    columns = {name: table.column(name) for name in table.column_names}
    labels = {name: _labels(columns[f"label.{name}"].to_pylist(), names) for name, names in meta["labels"].items()}
    for name, sentiment in meta.get("sentiments", {}).items():
        people = [count for row in columns[f"people.{name}"].to_pylist() for count in row]
        labels[name] = replace(labels[name], sentiment=sentiment, people=np.array(people, dtype=np.int64))
    numbers, measures = (
        {
            name.removeprefix(kind): np.asarray(column.to_numpy(), dtype=np.float64)
            for name, column in columns.items()
            if name.startswith(kind)
        }
        for kind in ("number.", "measure.")
    )
    return Catalog(
        item_ids=tuple(columns["item_id"].to_pylist()),
        titles=tuple(columns["title"].to_pylist()),
        texts=tuple(columns["text"].to_pylist()) if "text" in columns else (),
        images=tuple(columns["image"].to_pylist()) if "image" in columns else (),
        labels=labels,
        numbers=numbers,
        measures=measures,
        also_called={
            attribute: {value: tuple(words) for value, words in values.items()}
            for attribute, values in meta.get("also_called", {}).items()
        },
    )


def write_interactions(interactions: Interactions, parts: Sequence[str], *, catalog: Catalog, path: Path) -> None:
    """One row an interaction, in table order: user, item (ids), timestamp (s), rating, kind, and `part` (train, valid or test)."""
    import pyarrow

    columns: dict[str, Any] = {
        "user": pyarrow.array([interactions.user_ids[code] for code in interactions.users], type=pyarrow.string()),
        "item": pyarrow.array([catalog.item_ids[code] for code in interactions.items], type=pyarrow.string()),
        "timestamp": interactions.timestamps,
        "rating": interactions.ratings,
        "part": pyarrow.array(list(parts), type=pyarrow.string()),
    }
    if interactions.kinds:
        columns["kind"] = pyarrow.array(list(interactions.kinds), type=pyarrow.string())
    # The ids are kept beside the rows because a user without a row still has a code.
    _write(pyarrow.table(columns), {"user_ids": list(interactions.user_ids)}, path)


def read_interactions(path: Path, *, catalog: Catalog) -> tuple[Interactions, tuple[str, ...]]:
    """What `write_interactions` wrote: the interactions, and the part of every row."""
    table, meta = _read(path)
    user_ids = tuple(meta["user_ids"])
    index = {user: code for code, user in enumerate(user_ids)}
    interactions = Interactions(
        user_ids=user_ids,
        users=np.array([index[user] for user in table.column("user").to_pylist()], dtype=np.int64),
        items=np.array([catalog.index[item] for item in table.column("item").to_pylist()], dtype=np.int64),
        timestamps=np.asarray(table.column("timestamp").to_numpy(), dtype=np.int64),
        ratings=np.asarray(table.column("rating").to_numpy(), dtype=np.float32),
        kinds=tuple(table.column("kind").to_pylist()) if "kind" in table.column_names else (),
    )
    return interactions, tuple(table.column("part").to_pylist())


def write_lists(batches: Iterable[Sequence[Recommendation]], path: Path) -> int:
    """One row an item of a list: rank (1 is best), score, user_id, item_id, source, recommendation_id, model, served_by.

    Lists are written batch by batch, so that a large user base does not have to fit into memory. Returns the number of lists.
    """
    import pyarrow
    import pyarrow.parquet

    text, schema_of = pyarrow.string(), pyarrow.schema
    names = ("user_id", "item_id", "source", "recommendation_id", "model", "served_by")
    schema = schema_of([("rank", pyarrow.int32()), ("score", pyarrow.float32()), *((name, text) for name in names)])
    num_lists = 0
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            num_lists += len(batch)
            writer.write_table(pyarrow.Table.from_pylist([row for answer in batch for row in _rows(answer)], schema=schema))
    return num_lists


def _rows(answer: Recommendation) -> list[dict[str, Any]]:
    shared = {"user_id": answer.query.user, "recommendation_id": answer.id, "model": answer.model, "served_by": answer.served_by}
    return [
        {"rank": rank, "item_id": entry.item, "score": entry.score, "source": entry.source, **shared}
        for rank, entry in enumerate(answer.items, start=1)
    ]


def _labels(rows: list[list[str]], names: list[str]) -> Labels:
    index = {name: code for code, name in enumerate(names)}
    codes = np.array([index[value] for row in rows for value in row], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Labels(names=tuple(names), codes=codes, offsets=offsets)


def _write(table: pyarrow.Table, meta: dict[str, Any], path: Path) -> None:
    import pyarrow.parquet

    text = json.dumps(meta, ensure_ascii=False, separators=(",", ":"))
    pyarrow.parquet.write_table(table.replace_schema_metadata({_META: text.encode()}), path)


def _read(path: Path) -> tuple[pyarrow.Table, dict[str, Any]]:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path, partitioning=None)
    return table, json.loads((table.schema.metadata or {})[_META])
