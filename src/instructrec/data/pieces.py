"""Interactions of files that need not fit into memory: read piece by piece, of which only codes and numbers are kept.

A Parquet file is read a batch of rows at a time, and of its columns only those that interactions have; a large text file a block of
lines at a time. Ids are kept once each. So reading takes about as much memory as the ids and five numbers a row.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instructrec.data.cells import UNIT_NAMES
from instructrec.data.columns import INTERACTION_ALIASES, check_names, check_roles, resolve
from instructrec.data.options import AS_FOUND, LoadOptions, TimeUnit
from instructrec.data.raw import Log, Note, Table, natural
from instructrec.data.readers import (
    JSON_SUFFIXES,
    PARQUET_SUFFIXES,
    guess_separator,
    opened,
    parquet_errors,
    read_table,
    suffix_of,
    table_of,
    table_of_arrow,
)
from instructrec.data.tabular import log_of
from instructrec.errors import DataError
from instructrec.tables import IntArray

BIG = 32 << 20
"""Text files of more bytes than this (as they lie on the disk) are read in pieces."""
BLOCK = 8 << 20
"""Bytes of text read at once."""
ROWS = 1 << 16
"""Rows of Parquet read at once."""
_CUTS = 100
"""Line ends that are tried for the end of a block, so that no quoted cell is cut."""


def read_log(paths: Sequence[Path], options: LoadOptions = AS_FOUND, *, header: Sequence[str] = ()) -> tuple[Log, tuple[Note, ...]]:
    """The interactions of one or several files with the same columns, one behind the other.

    Raises DataError and BrokenLineError as `read_table` and `log_of` do.
    """
    growing = _Growing(paths[0].name, options)
    for path in paths:
        for piece in pieces_of(path, options, header):
            growing.add(piece)
    return growing.whole()


def pieces_of(path: Path, options: LoadOptions, header: Sequence[str] = ()) -> Iterator[Table]:
    """A file as one table or several; of a Parquet file only the columns of interactions."""
    if suffix_of(path) in PARQUET_SUFFIXES:
        yield from _batches(path, options)
    elif path.is_file() and path.stat().st_size > BIG and _is_lined(path):
        yield from _blocks(path, options, header)
    else:
        yield read_table(path, options, header=header)


def _batches(path: Path, options: LoadOptions) -> Iterator[Table]:
    """The columns of a Parquet file that interactions have, some rows at a time."""
    import pyarrow
    import pyarrow.parquet

    option = "interaction_columns"
    check_roles(options.interaction_columns, option)
    # Without a buffer a whole row group, which may be the whole file, is read before its first row is given; threads read ahead.
    with parquet_errors(path), pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
        names, rows = file.schema_arrow.names, 0
        check_names(names, path.name)
        chosen, needed = options.interaction_columns, ("user", "item")
        roles = resolve(names, INTERACTION_ALIASES, chosen=chosen, needed=needed, file=path.name, option=option)
        unread = {"review"} if not options.reviewers else set()
        wanted = [name for name in names if name in {column for role, column in roles.items() if role not in unread}]
        for batch in file.iter_batches(batch_size=ROWS, columns=wanted, use_threads=False):
            yield table_of_arrow(path.name, pyarrow.Table.from_batches([batch]), before=rows)
            rows += len(batch)


def _is_lined(path: Path) -> bool:
    """Whether a text file can be cut at line ends: not in UTF-16, nor one JSON list, nor with the line ends of old Macs."""
    with opened(path) as file:
        begin = file.read(1 << 16)
    return begin[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\n" in begin and not begin.lstrip().startswith(b"[")


def _blocks(path: Path, options: LoadOptions, header: Sequence[str]) -> Iterator[Table]:
    """A text file some million bytes at a time, each block read like a file; the first says what the columns are called."""
    rest, line, separator = b"", 1, ""
    lined = suffix_of(path) in JSON_SUFFIXES
    try:
        with opened(path) as file:
            while block := file.read(BLOCK):
                data = rest + block
                cut = _cut(data)
                data, rest = data[:cut], data[cut:]
                if data.strip():
                    yield (table := table_of(data, path, options, header=header, separator=separator, first=line))
                    if not lined and not separator:
                        begin = data.lstrip(b"\r\n").split(b"\n", 1)[0].decode(options.encoding, "replace")
                        separator, header = options.separator or guess_separator(begin, path), tuple(table.columns)
                line += data.count(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name} is cut short or damaged ({error}). Get the file again.") from error
    if rest.strip():
        yield table_of(rest, path, options, header=header, separator=separator, first=line)


def _cut(data: bytes) -> int:
    """Behind the last line end that no quote is open at; behind the last one where a quote stays open for long; 0 without any."""
    last = end = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, end)
    for _ in range(_CUTS):
        if not end or quotes % 2 == 0:
            return end
        before = data.rfind(b"\n", 0, end - 1) + 1
        quotes -= data.count(b'"', before, end)
        end = before
    return last


class _Growing:
    """A log that gets longer by tables. Codes are given as ids come, and put in natural order at the end."""

    def __init__(self, name: str, options: LoadOptions) -> None:
        self.name, self.options, self.rows = name, options, 0
        self.users, self.items, self.kinds = _Ids(), _Ids(), _Ids()
        self.columns: dict[str, _Column] = {}
        self.notes: dict[tuple[str, str], Note] = {}

    def add(self, table: Table) -> None:
        """The rows of one more table, which may hold broken lines only."""
        if not len(table):
            for note in table.notes:
                self._note(note)
            return
        log, notes = log_of(table, self.options)
        for note in notes:
            self._note(note)
        # Where the order of rows stands in for the time, it goes on.
        times = log.times + self.rows if any(note.key == "no_times" for note in notes) else log.times
        found: dict[str, NDArray[Any]] = {
            "users": self.users.codes(log.user_ids, log.users),
            "items": self.items.codes(log.item_ids, log.items),
            "times": times,
            "ratings": log.ratings,
            "lines": log.lines,
        }
        # What a piece lacks and others have, its rows have not.
        if len(log.kinds) or "kinds" in self.columns:
            kinds = log.kinds if len(log.kinds) else np.full(len(log), -1, dtype=np.int64)
            found["kinds"] = self.kinds.codes(log.kind_names, kinds)
        if len(log.reviews) or "reviews" in self.columns:
            found["reviews"] = log.reviews if len(log.reviews) else np.full(len(log), "", dtype=object)
        before = self.columns["users"].size if self.columns else 0
        for name, column in found.items():
            if name not in self.columns:
                self.columns[name] = _Column(column.dtype)
                self.columns[name].append(np.full(before, "" if name == "reviews" else -1, dtype=column.dtype))
            self.columns[name].append(column)
        self.rows += len(table)

    def whole(self) -> tuple[Log, tuple[Note, ...]]:
        """The log, and what was noticed. Raises DataError for files without a row."""
        if not self.columns:
            raise DataError(f"{self.name} has no rows. Give at least one interaction.")
        columns: dict[str, Any] = {name: self.columns.pop(name).whole() for name in tuple(self.columns)}
        for name, ids, key in (
            ("users", self.users, "user_ids"),
            ("items", self.items, "item_ids"),
            ("kinds", self.kinds, "kind_names"),
        ):
            if name in columns:
                columns[key], columns[name] = ids.ordered(columns[name])
        return Log(**columns), tuple(self.notes.values())

    def _note(self, note: Note) -> None:
        """Each decision once; lines that were skipped are counted over all pieces; the unit of time of the first piece holds."""
        file = note.facts.get("file", "") if note.key == "broken_lines" else repr(sorted(note.facts.items()))
        before = self.notes.get((note.key, file))
        if before is not None and note.key == "broken_lines":
            count = sum(int(entry.facts["count"].replace(",", "")) for entry in (before, note))
            note = Note(note.key, {**before.facts, "count": f"{count:,}"})
        self.notes[note.key, file] = note
        if note.key == "time_unit":
            units: dict[str, TimeUnit] = {UNIT_NAMES[unit]: unit for unit in ("ms", "us", "ns")}
            self.options = replace(self.options, time_unit=units.get(note.facts["unit"], self.options.time_unit))


class _Column:
    """Numbers that get more, in one block of memory that grows where it lies."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.values, self.size = np.empty(0, dtype=dtype), 0

    def append(self, more: NDArray[Any]) -> None:
        """Put more behind the last."""
        end = self.size + len(more)
        if end > len(self.values):
            self.values.resize(end + end // 4, refcheck=False)
        self.values[self.size : end] = more
        self.size = end

    def whole(self) -> NDArray[Any]:
        """All of them."""
        self.values.resize(self.size, refcheck=False)
        return self.values


class _Ids:
    """Ids, each once, coded as they come."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}

    def codes(self, ids: Sequence[str], codes: IntArray) -> NDArray[np.int32]:
        """The codes of cells, from their codes into `ids` (-1: none)."""
        known = self.known
        own = np.fromiter((known.setdefault(name, len(known)) for name in ids), dtype=np.int32, count=len(ids))
        return np.append(own, np.int32(-1))[codes]

    def ordered(self, codes: NDArray[np.int32]) -> tuple[tuple[str, ...], IntArray]:
        """Ids in natural order, and the codes into them."""
        ids = natural(self.known)
        places = np.full(len(ids) + 1, -1, dtype=np.int64)
        places[np.fromiter((self.known[name] for name in ids), dtype=np.int64, count=len(ids))] = np.arange(len(ids))
        self.known = {}
        return ids, places[codes]
