"""Cells to numbers: ratings and other numbers, and times in seconds, milliseconds, microseconds or ISO words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np

from instructrec.data.options import LoadOptions, TimeUnit
from instructrec.data.raw import Column, Note, Numbers, Table, is_missing
from instructrec.data.readers import broken, skipped
from instructrec.tables import BoolArray

_UNITS: Mapping[TimeUnit, float] = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
UNIT_NAMES: Mapping[str, str] = {"days": "dates (YYYYMMDD)", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def floats(column: Column) -> tuple[Numbers, BoolArray]:
    """Numbers (NaN where the cell is empty), and which cells are neither a number nor empty."""
    if column.dtype.kind in "iufb":
        return column.astype(np.float64), np.zeros(len(column), dtype=np.bool_)
    return _parse(column, _float)


def times(column: Column, unit: TimeUnit = "auto") -> tuple[Numbers, BoolArray, str]:
    """Seconds since 1970 with their fraction (NaN where empty), which cells are no time, and the unit that was found.

    Numbers are taken by their size: up to 1e11 seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds (each limit
    lies beyond the year 5000 in its own unit and before 1974 in the next); numbers that are all dates such as 20240531 are
    "days". Words are ISO 8601; without a zone they are UTC.
    """
    if column.dtype.kind == "M":
        values = column.astype("datetime64[us]").astype(np.int64).astype(np.float64) / 1e6
        values[np.isnat(column)] = np.nan
        return values, np.zeros(len(column), dtype=np.bool_), "s"
    values, bad = floats(column)
    if column.dtype.kind == "O" and bad.any() and bad.sum() >= np.isfinite(values).sum():
        values, bad = _parse(column, _iso_seconds)
        return values, bad, "s"
    if unit == "auto" and _are_dates(values):
        return _dates(values), bad, "days"
    found = _unit_of(values) if unit == "auto" else unit
    return values / _UNITS[found], bad, found


def read_numbers(table: Table, name: str, options: LoadOptions, what: str) -> tuple[Numbers, BoolArray]:
    """The numbers of a column and the rows to keep; a cell that is no number is refused or skipped as the options say."""
    values, bad = floats(table.columns[name])
    return values, judge(table, name, bad, options, what)


def read_times(table: Table, name: str, options: LoadOptions) -> tuple[Numbers, BoolArray, tuple[Note, ...]]:
    """The times of a column in seconds, the rows to keep, and a note when the unit is not the second."""
    values, bad, unit = times(table.columns[name], options.time_unit)
    notes = (Note("time_unit", {"column": name, "unit": UNIT_NAMES[unit]}),) if unit in UNIT_NAMES else ()
    what = "a time (a number of seconds, or ISO such as 2024-05-31T10:00:00)"
    if bad.any() and not floats(table.columns[name][bad][:1])[1].any():
        what = "of one form: most of the column are dates, and this is a number"
    return values, judge(table, name, bad, options, what), notes


def bad_cells(table: Table, rows: BoolArray) -> tuple[Note, ...]:
    """The note about rows that were skipped for a cell that cannot be read."""
    return (skipped(table.name, table.lines[~rows].tolist()),) if not rows.all() else ()


def judge(table: Table, name: str, bad: BoolArray, options: LoadOptions, what: str) -> BoolArray:
    """The rows to keep; the first bad cell is a BrokenLineError unless broken lines are skipped."""
    if bad.any() and options.on_broken == "refuse":
        row = int(np.flatnonzero(bad)[0])
        raise broken(table.name, int(table.lines[row]), f"'{name}' is not {what}", table.columns[name][row])
    return ~bad


def _parse(column: Column, parse: Callable[[object], float]) -> tuple[Numbers, BoolArray]:
    try:  # the usual case: every cell is a number, and numpy is fast at that
        if parse is _float:
            return column.astype(np.float64), np.zeros(len(column), dtype=np.bool_)
    except (TypeError, ValueError):
        pass
    values = np.full(len(column), np.nan)
    bad = np.zeros(len(column), dtype=np.bool_)
    for row, cell in enumerate(column.tolist()):
        if not is_missing(cell):
            try:
                values[row] = parse(cell)
            except (TypeError, ValueError):
                bad[row] = True
    return values, bad


def _float(cell: object) -> float:
    return float(cell) if isinstance(cell, int | float) else float(str(cell))


def _iso_seconds(cell: object) -> float:
    moment = datetime.fromisoformat(str(cell).strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _are_dates(values: Numbers) -> bool:
    """Whether all known numbers read as YYYYMMDD between 1900 and 2100; as seconds they would lie in a few months of 1970."""
    known = values[np.isfinite(values)]
    month, day = known // 100 % 100, known % 100
    inside = (known >= 19_000_101) & (known <= 21_001_231) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(len(known)) and bool((inside & (known % 1 == 0)).all())


def _dates(values: Numbers) -> Numbers:
    """Seconds since 1970 of YYYYMMDD."""
    out = np.full(len(values), np.nan)
    known = np.isfinite(values)
    numbers = values[known].astype(np.int64)
    months = (numbers // 10_000 - 1970) * 12 + numbers // 100 % 100 - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + numbers % 100 - 1
    out[known] = days * 86_400.0
    return out


def _unit_of(values: Numbers) -> TimeUnit:
    known = values[np.isfinite(values)]
    size = float(np.median(np.abs(known))) if len(known) else 0.0
    limits: tuple[tuple[float, TimeUnit], ...] = ((1e11, "s"), (1e14, "ms"), (1e17, "us"))
    return next((unit for limit, unit in limits if size < limit), "ns")
