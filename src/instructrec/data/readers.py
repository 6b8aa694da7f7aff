"""Files to columns: CSV, TSV and other text tables, JSON lines and Parquet, plain or gzipped."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from instructrec.data.columns import check_names
from instructrec.data.literals import python_literal
from instructrec.data.options import AS_FOUND, LoadOptions
from instructrec.data.raw import Column, Note, Table
from instructrec.errors import BrokenLineError, DataError

if TYPE_CHECKING:
    import pyarrow

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".inter", ".item", ".user")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
PARQUET_SUFFIXES = (".parquet", ".pq")
SUFFIXES = (*TEXT_SUFFIXES, *JSON_SUFFIXES, *PARQUET_SUFFIXES)

SEPARATORS = ("::", "\t", ";", "|", ",")
"""What may stand between the fields of a text table."""
_Row = tuple[int, Sequence[str] | None]
"""A line number (1-based) and its fields; None where the line cannot be read."""


def suffix_of(path: Path) -> str:
    """The suffix that tells the format, in lower case, without ".gz"."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def read_table(path: Path, options: LoadOptions = AS_FOUND, *, header: Sequence[str] = (), separator: str = "") -> Table:
    """Read a file by its suffix. `header` names the columns of a text file without a header line.

    Raises DataError for an unknown format, an empty or damaged file or another encoding, BrokenLineError for a line that
    cannot be read (unless `options.on_broken` is "skip").
    """
    suffix = suffix_of(path)
    if suffix in PARQUET_SUFFIXES:
        return _read_parquet(path)
    if suffix not in SUFFIXES:
        raise DataError(f"{path.name} has the unknown format '{suffix}'. Known: {', '.join(SUFFIXES)} (each also with .gz).")
    return table_of(_read_bytes(path), path, options, header=header, separator=separator)


def table_of(
    data: bytes, path: Path, options: LoadOptions, *, header: Sequence[str] = (), separator: str = "", first: int = 1
) -> Table:
    """The table in the bytes of a text or JSON file, or of a piece of it that begins at line `first`; raises as `read_table`."""
    text, notes = _decode(data, path.name, options, first=first)
    if "\n" not in text:  # the line ends of old Macs
        text = text.replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{path.name} is empty. Give a file with a header line and at least one row.")
    if suffix_of(path) in JSON_SUFFIXES:
        return _read_json(text, path.name, options, notes, first=first)
    return _read_text(text, path, options, notes, header=header, separator=separator or options.separator, first=first)


def broken(name: str, line: int, why: str, content: object = "") -> BrokenLineError:
    """The error for one line: where, why, what stands there, and what to do."""
    shown = str(content).strip()
    excerpt = f" It reads: {shown[:80]!r}." if shown else ""
    return BrokenLineError(
        f"{name}, line {line}: {why}.{excerpt} Mend the line, or skip such lines: --set data.options.on_broken=skip "
        '(in Python: LoadOptions(on_broken="skip")).',
        line=line,
    )


def skipped(name: str, lines: Sequence[int]) -> Note:
    """The note about broken lines that were left out."""
    first = ", ".join(str(line) for line in lines[:5]) + (", ..." if len(lines) > 5 else "")
    return Note("broken_lines", {"file": name, "count": f"{len(lines):,}", "lines": first})


def first_lines(path: Path, *, most: int = 1000) -> list[str]:
    """The first lines of a text file that are not blank, at most so many; none where it cannot be read."""
    try:
        with opened(path) as file:
            lines = [line.decode("utf-8", "replace").strip() for line in itertools.islice(file, most)]
    except (OSError, EOFError, zlib.error):
        return []
    return [line for line in lines if line]


def opened(path: Path) -> IO[bytes]:
    """A file for reading, unpacked on the way where it is gzipped."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path.name} is cut short or damaged ({error}). Get the file again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}). Check the path and its permissions.") from error


def _decode(data: bytes, name: str, options: LoadOptions, *, first: int) -> tuple[str, tuple[Note, ...]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16"), (Note("encoding", {"file": name, "encoding": "utf-16"}),)
    encoding = "utf-8-sig" if options.encoding.lower() in ("utf-8", "utf8") else options.encoding
    try:
        return data.decode(encoding), ()
    except LookupError as error:
        raise DataError(f"There is no encoding '{options.encoding}'. Use for example utf-8, latin-1, cp1252 or gb18030.") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + first
        if not options.fallback_encoding:
            raise DataError(
                f"{name}, line {line}: byte 0x{data[error.start]:02x} is not {options.encoding}. Save the file as UTF-8, or say "
                "its encoding: --set data.options.encoding=cp1252 (Western Windows files; latin-1, gb18030 for Chinese)."
            ) from error
    try:
        text = data.decode(options.fallback_encoding)
    except (LookupError, UnicodeDecodeError) as error:
        raise DataError(f"{name} is neither {options.encoding} nor {options.fallback_encoding}. Say its encoding.") from error
    return text, (Note("encoding", {"file": name, "encoding": options.fallback_encoding}),)


def _read_text(
    text: str, path: Path, options: LoadOptions, notes: tuple[Note, ...], *, header: Sequence[str], separator: str, first: int
) -> Table:
    if not separator:
        separator = guess_separator(text.lstrip("\r\n").split("\n", 1)[0], path)
        if separator != "," and suffix_of(path) == ".csv":
            notes += (Note("separator", {"file": path.name, "separator": {"\t": "tab"}.get(separator, separator)}),)
    quoted = '"' in text and len(separator) == 1
    rows = _quoted_rows(text, separator, len(header)) if quoted else _plain_rows(text, separator)
    rows = ((number + first - 1, fields) for number, fields in rows)
    names = list(header)
    if not names:
        names = [str(name).strip() for name in next(((fields or ()) for _, fields in rows), ())]
    check_names(names, path.name)
    return _collect(path.name, names, rows, options, notes, first=first)


def guess_separator(line: str, path: Path) -> str:
    """A tab for .tsv and its like; else what the header line holds most often."""
    if suffix_of(path) in (".tsv", ".tab", ".inter", ".item", ".user"):
        return "\t"
    best = max(SEPARATORS, key=line.count)
    return best if best in line else ","


def _plain_rows(text: str, separator: str) -> Iterator[_Row]:
    """Lines without quoting; blank lines do not count as rows."""
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.removesuffix("\r")
        if line:
            yield number, line.split(separator)


def _quoted_rows(text: str, separator: str, width: int) -> Iterator[_Row]:
    """Lines with quoting. A quote that is never closed costs its own line only: reading goes on at the line after it."""
    lines = list(io.StringIO(text, newline=""))
    start = 0
    while start < len(lines):
        reader = csv.reader(iter(lines[start:]), delimiter=separator, strict=True)
        base = start
        try:
            for fields in reader:
                end = base + reader.line_num
                if end > start + 1 and width and len(fields) != width:
                    break
                if fields:
                    width = width or len(fields)
                    yield start + 1, fields
                start = end
            else:
                return
        except csv.Error:
            pass
        yield start + 1, None
        start += 1


def _collect(
    name: str, names: Sequence[str], rows: Iterable[_Row], options: LoadOptions, notes: tuple[Note, ...], *, first: int
) -> Table:
    good: list[Sequence[str]] = []
    lines: list[int] = []
    bad: list[int] = []
    width = len(names)
    for number, fields in rows:
        if fields is not None and len(fields) == width:
            good.append(fields)
            lines.append(number)
            continue
        if options.on_broken == "refuse":
            why = (
                "a quote is not closed" if fields is None else f"{len(fields)} fields instead of {width} ({', '.join(names)[:80]})"
            )
            raise broken(name, number, why, " ".join(fields or ()))
        bad.append(number)
    if not good and first == 1:
        raise DataError(f"{name} has no rows below its header ({', '.join(names)}). Give at least one interaction or item.")
    columns = {key: objects([row[place] for row in good]) for place, key in enumerate(names)}
    notes += (skipped(name, bad),) if bad else ()
    return Table(name=name, columns=columns, lines=np.array(lines, dtype=np.int64), notes=notes)


def objects(cells: Sequence[object]) -> Column:
    """An object array that never tries to look into lists."""
    return np.fromiter(cells, dtype=object, count=len(cells))


def _read_json(text: str, name: str, options: LoadOptions, notes: tuple[Note, ...], *, first: int) -> Table:
    records: list[Mapping[str, Any]] = []
    lines: list[int] = []
    bad: list[int] = []
    for number, line, parse in _json_lines(text, name, first):
        try:
            record = parse(line)
            why = "not a JSON object"
        except (ValueError, RecursionError) as error:
            record, why = None, f"not JSON ({error})"
        if isinstance(record, dict):
            records.append(record)
            lines.append(number)
        elif options.on_broken == "refuse":
            raise broken(name, number, why, line)
        else:
            bad.append(number)
    if not records and first == 1:
        raise DataError(f'{name} has no JSON object. Give one object a line, such as {{"user": 1, "item": 2, "timestamp": 3}}.')
    names = list(dict.fromkeys(key for record in records for key in record))
    columns = {key: objects([record.get(key) for record in records]) for key in names}
    return Table(
        name=name, columns=columns, lines=np.array(lines, dtype=np.int64), notes=notes + ((skipped(name, bad),) if bad else ())
    )


def _json_lines(text: str, name: str, first: int) -> Iterator[tuple[int, Any, Callable[[Any], Any]]]:
    """One object a line; or, when the file is one JSON list, its members (numbered from 1)."""
    if first == 1 and text.lstrip().startswith("["):
        try:
            members = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name} begins like a JSON list but is not one ({error}). Use one JSON object a line.") from error
        yield from ((number, member, lambda member: member) for number, member in enumerate(members, start=1))
        return
    yield from ((number, line, _record) for number, line in enumerate(text.split("\n"), start=first) if line.strip())


def _record(line: str) -> Any:
    """One line of JSON, or of a dict as Python prints it: older sets were written with `print`."""
    if line.lstrip().startswith(("{'", "{u'")):
        return python_literal(line)
    return json.loads(line)


def _read_parquet(path: Path) -> Table:
    import pyarrow.parquet

    if path.is_file():
        # Arrow cannot read a table with a column twice, and lists its own inner columns as the reason.
        check_names(parquet_columns(path), path.name)
    with parquet_errors(path):
        table = pyarrow.parquet.read_table(path)
    if not table.num_rows:
        raise DataError(f"{path.name} has no rows. Give at least one interaction or item.")
    return table_of_arrow(path.name, table)


@contextlib.contextmanager
def parquet_errors(path: Path) -> Iterator[None]:
    """What pyarrow says of a damaged file, as DataError."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is not a readable Parquet file ({str(error)[:150]}). Get or write it again.") from error


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The names of the columns of a Parquet file."""
    import pyarrow.parquet

    with parquet_errors(path):
        return tuple(pyarrow.parquet.read_schema(path).names)


def table_of_arrow(name: str, table: pyarrow.Table, *, before: int = 0) -> Table:
    """A table of Arrow with the rows numbered behind `before` others."""
    columns = {column: _arrow_column(table.column(column)) for column in table.column_names}
    return Table(name=name, columns=columns, lines=np.arange(before + 1, before + table.num_rows + 1, dtype=np.int64))


def _arrow_column(column: pyarrow.ChunkedArray) -> Column:
    """Numbers and times as numpy dtypes; everything else, and whole numbers with gaps, as objects. Bytes that are UTF-8 are text:
    several writers of Parquet do not mark their strings as such.
    """
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        with contextlib.suppress(pyarrow.ArrowInvalid):
            column = column.cast(pyarrow.large_string())
    if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_date(kind):
        return np.asarray(column.cast(pyarrow.timestamp("us")).to_numpy()).astype("datetime64[us]")
    if pyarrow.types.is_floating(kind) or (pyarrow.types.is_integer(kind) and not column.null_count):
        return np.asarray(column.to_numpy())
    return objects(column.to_pylist())
