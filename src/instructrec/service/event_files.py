"""Files of events as rows, one after another: JSON lines, CSV and Parquet; nothing but the current piece is held."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

from instructrec.data.readers import JSON_SUFFIXES, PARQUET_SUFFIXES, suffix_of
from instructrec.errors import DataError
from instructrec.journal.reading import parsed

STANDARD_INPUT: Final = "-"
_SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}
_ROWS_AT_ONCE: Final = 10_000
_JSON_CELLS: Final = ("properties", "experiment_ids")
_TIMES: Final = ("time", "timestamp")


class Line(NamedTuple):
    """A row and its place (1 is the first line of a text, or the first row of a Parquet file). `wrong`: why it cannot be read;
    empty for a row that can, whose `row` is a JSON value.
    """

    number: int
    row: object
    wrong: str = ""


class EventFile:
    """A file of events; "-" is JSON lines on standard input, and a text may be gzipped (.gz). `done` of `total` is how much was
    read, in kB or in rows of Parquet; a `total` of 0 says that nobody knows. Raises DataError for what is no such file, and for
    one that is cut short.
    """

    def __init__(self, place: str) -> None:
        self.place, self.total = place, 0
        self.name = "standard input" if place == STANDARD_INPUT else place
        self._rows, self._raw = 0, cast("IO[bytes] | None", None)
        self._suffix = ".jsonl" if place == STANDARD_INPUT else suffix_of(Path(place))
        known = (*JSON_SUFFIXES, *_SEPARATORS, *PARQUET_SUFFIXES)
        if self._suffix not in known:
            raise DataError(
                f"{place} has the unknown format '{self._suffix}'. Give JSON lines, CSV or Parquet ({', '.join(known)}), or - for "
                "JSON lines on standard input."
            )
        if place != STANDARD_INPUT:
            try:
                self.total = Path(place).stat().st_size // 1000
            except OSError as error:
                raise self._unreadable(error) from error

    @property
    def done(self) -> int:
        """How much was read."""
        return self._rows if self._raw is None or self._raw.closed else self._raw.tell() // 1000

    def lines(self) -> Iterator[Line]:
        """All rows in order; blank lines count as lines, not as rows."""
        try:
            if self._suffix in PARQUET_SUFFIXES:
                yield from self._parquet()
                return
            with ExitStack() as open_:
                text = self._opened(open_)
                yield from self._json(text) if self._suffix in JSON_SUFFIXES else self._csv(text)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self.name} is cut short or damaged ({error}). Get the file again; what is imported stays."
            ) from error
        except OSError as error:
            raise self._unreadable(error) from error

    def _opened(self, open_: ExitStack) -> IO[bytes]:
        if self.place == STANDARD_INPUT:
            return sys.stdin.buffer
        self._raw = raw = open_.enter_context(Path(self.place).open("rb"))  # noqa: SIM115  # the stack closes it
        if Path(self.place).suffix.lower() == ".gz":
            return cast(IO[bytes], open_.enter_context(gzip.GzipFile(fileobj=raw)))
        return raw

    def _json(self, text: IO[bytes]) -> Iterator[Line]:
        for number, line in enumerate(text, start=1):
            if not line.isspace():
                yield Line(number, *parsed(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line))

    def _csv(self, text: IO[bytes]) -> Iterator[Line]:
        # A byte that is no UTF-8 costs its own row: what stands for it is in no id and no text.
        with io.TextIOWrapper(text, encoding="utf-8-sig", errors="surrogateescape", newline="") as words:
            rows = _records(csv.reader(words, delimiter=_SEPARATORS[self._suffix]))
            _, header = next(rows, (0, []))
            names = [name.strip() for name in header] if isinstance(header, list) else []
            for number, cells in rows:
                if isinstance(cells, str):
                    yield Line(number, None, cells)
                elif len(cells) == len(names):
                    yield Line(number, {name: _cell(name, cell) for name, cell in zip(names, cells, strict=True) if cell})
                else:
                    yield Line(number, None, f"{len(cells)} fields instead of {len(names)} ({', '.join(names)[:80]}).")

    def _parquet(self) -> Iterator[Line]:
        import pyarrow
        import pyarrow.parquet

        try:
            with pyarrow.parquet.ParquetFile(self.place) as file:
                self.total = file.metadata.num_rows
                for piece in file.iter_batches(_ROWS_AT_ONCE):
                    for row in piece.to_pylist():
                        self._rows += 1
                        yield Line(self._rows, {name: _plain(name, value) for name, value in row.items() if not _is_empty(value)})
        except pyarrow.ArrowException as error:
            raise DataError(f"{self.place} is no readable Parquet file ({str(error)[:150]}). Get or write it again.") from error

    def _unreadable(self, error: OSError) -> DataError:
        return DataError(f"{self.name} cannot be read ({error.strerror or error}). Check the path and its permissions.")


def _records(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """The line where each record of a CSV file begins, and its cells or what is wrong with it; blank lines are no records."""
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield number, f"This is no CSV ({error})."
            continue
        if cells is None:
            return
        if cells:
            yield number, cells


def _cell(name: str, cell: str) -> object:
    """A cell of a text table as the JSON value that the field wants; what is no such value stays text, for the verdict to name."""
    try:
        if name in _JSON_CELLS:
            return json.loads(cell)
        if name == "position":
            return int(cell)
        return float(cell) if name == "value" or name in _TIMES else cell
    except (ValueError, RecursionError):
        return cell


def _is_empty(value: object) -> bool:
    """Whether a cell of a Parquet file says nothing: pandas writes NaN for a number that is not there."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(name: str, value: Any) -> object:
    """A value of a Parquet file as the JSON value that the field wants. A time without a zone is UTC, as Parquet has it."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.timestamp() if name in _TIMES else moment.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if name == "position" and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and name.endswith("_id"):
        return str(value)
    if name == "properties" and isinstance(value, list | dict):  # a map is a list of pairs
        return {key: _plain(key, entry) for key, entry in dict(value).items() if entry is not None}
    return _cell(name, value) if isinstance(value, str) and name in _JSON_CELLS else value
