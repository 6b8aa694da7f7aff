"""Files of sequences without a header: `user item item ...` a line (S3-Rec, LightGCN), or one pair `user item` a line (SASRec)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from instructrec.data.cells import bad_cells, judge
from instructrec.data.movielens import films_of
from instructrec.data.options import LoadOptions
from instructrec.data.places import beside, has
from instructrec.data.raw import Column, Items, Log, Note, Raw, Table, as_id
from instructrec.data.readers import SEPARATORS, first_lines, objects, read_table, suffix_of
from instructrec.data.tabular import log_of
from instructrec.tables import BoolArray

_NO_SEPARATOR = "\n\n"
"""Stands in no line: what is read with it has one field a line."""
_PAIRED = 0.5
"""A file is one of pairs when more than this share of its first lines have two words."""


def is_sequences(path: Path, options: LoadOptions) -> bool:
    """Whether a text file holds ids between blanks, and nothing says how else it is to be read."""
    if suffix_of(path) != ".txt" or options.header or options.separator:
        return False
    lines = first_lines(path)
    return bool(lines) and all(len(line.split()) > 1 and not any(mark in line for mark in SEPARATORS) for line in lines[:1])


def read_sequences(path: Path, options: LoadOptions) -> Raw:
    """The interactions of such a file; the order of the items of a user stands in for the time."""
    log, notes = read_pairs(path, options) if _paired(path) else read_histories(path, options)
    return Raw(name=path.name.split(".")[0], log=log, notes=(*notes, Note("no_items_table")))


def read_histories(path: Path, options: LoadOptions, *, numbers: bool = False) -> tuple[Log, tuple[Note, ...]]:
    """One interaction for every item of a line; its place in the line (0, 1, ...) stands in for the time.

    `numbers`: ids must be whole numbers. A user has one line; a further one is broken.
    """
    table, lines = _lines(path, options)
    told: set[str] = set()
    bad = np.zeros(len(lines), dtype=np.bool_)
    for row, words in enumerate(lines):
        plain = not numbers or all(word.isascii() and word.isdigit() for word in words)
        bad[row] = len(words) < 2 or words[0] in told or not plain
        told.update(words[:1])
    what = "whole numbers" if numbers else "ids"
    keep = judge(table, "history", bad, options, f"a user, who has no other line, and at least one item ({what} between blanks)")
    sizes = np.where(keep, [len(words) - 1 for words in lines], 0)
    columns: dict[str, Column] = {
        "user": objects([words[0] for words, kept in zip(lines, keep, strict=True) if kept for _ in words[1:]]),
        "item": objects([word for words, kept in zip(lines, keep, strict=True) if kept for word in words[1:]]),
        "pos": np.concatenate([np.arange(size) for size in sizes]),
    }
    notes = (*table.notes, Note("order_in_line", {"file": table.name}), *bad_cells(table, keep))
    log, more = log_of(Table(name=table.name, columns=columns, lines=np.repeat(table.lines, sizes)), options)
    return log, (*notes, *[note for note in more if note.key != "order_column"])


def read_pairs(path: Path, options: LoadOptions) -> tuple[Log, tuple[Note, ...]]:
    """One interaction a line; the order of the file is the order of time."""
    table, lines = _lines(path, options)
    bad: BoolArray = np.array([len(words) != 2 for words in lines], dtype=np.bool_)
    keep = judge(table, "history", bad, options, "a user and an item (two ids between blanks)")
    good = [words for words, kept in zip(lines, keep, strict=True) if kept]
    columns = {"user": objects([user for user, _ in good]), "item": objects([item for _, item in good])}
    log, notes = log_of(Table(name=table.name, columns=columns, lines=table.lines[keep]), options)
    return log, (*table.notes, *bad_cells(table, keep), *notes)


def read_ml_1m_sas(folder: Path, options: LoadOptions) -> Raw:
    """ML-1M as SASRec, BERT4Rec and gSASRec use it (ml-1m_sas.txt: 6,040 users, 3,416 items that five people or more rated, 999,611
    pairs); titles where movies.dat and the table of original ids lie beside it.
    """
    raw = read_sequences(beside(folder, "ml-1m_sas.txt"), options)
    raw = replace(raw, name="ml-1m_sas")
    if not (has(folder, "movies.dat") and has(folder, "sas_to_original_items.txt")):
        return raw
    films, notes = films_of(folder, options)
    pairs = first_lines(beside(folder, "sas_to_original_items.txt"), most=len(films) + 1)
    places = {item: row for row, item in enumerate(films.item_ids)}
    known = [(own, places[film]) for own, film in (line.split()[:2] for line in pairs if len(line.split()) > 1) if film in places]
    named: Items = replace(films.keep([row for _, row in known]), item_ids=tuple([as_id(own) for own, _ in known]))
    return replace(raw, items=named, notes=(*[note for note in raw.notes if note.key != "no_items_table"], *notes))


def _lines(path: Path, options: LoadOptions) -> tuple[Table, list[list[str]]]:
    table = read_table(path, options, header=("history",), separator=_NO_SEPARATOR)
    return table, [line.split() for line in table.columns["history"].tolist()]


def _paired(path: Path) -> bool:
    lines = first_lines(path)
    return sum(len(line.split()) == 2 for line in lines) > _PAIRED * len(lines)
