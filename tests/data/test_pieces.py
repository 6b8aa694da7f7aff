"""Large files are read piece by piece: the same interactions as at once, and memory for codes and numbers only."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from instructrec.data import LoadOptions, load, pieces
from instructrec.data.pieces import read_log
from instructrec.data.readers import read_table
from instructrec.data.tabular import log_of
from instructrec.errors import BrokenLineError, DataError

ROWS = 3000


def made_up(rng):
    """Columns with all that is unpleasant in one table: gaps, fractions, ids of several forms, kinds, quotes and line ends."""
    users = [f"u{number}" for number in rng.integers(0, 200, ROWS)]
    items = [f'i{number:03d}, "{number % 7}"' for number in rng.integers(0, 90, ROWS)]
    ratings = [float(number) / 2 for number in rng.integers(1, 11, ROWS)]
    times = [1_600_000_000_000 + int(number) for number in rng.integers(0, 10**9, ROWS)]
    kinds = [("click", "buy")[number] for number in rng.integers(0, 2, ROWS)]
    return {"user": users, "item": items, "rating": ratings, "timestamp": times, "event": kinds, "extra": ["x\ny"] * ROWS}


def csv_text(columns):
    def cell(value):
        return '"' + str(value).replace('"', '""') + '"'

    return "\n".join([",".join(columns), *(",".join(map(cell, row)) for row in zip(*columns.values(), strict=True)), ""])


def same(one, other):
    for part in fields(one):
        ours, theirs = getattr(one, part.name), getattr(other, part.name)
        if isinstance(ours, np.ndarray):
            assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), part.name
        else:
            assert ours == theirs, part.name


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(pieces, "BIG", 10)
    monkeypatch.setattr(pieces, "BLOCK", 1500)
    monkeypatch.setattr(pieces, "ROWS", 64)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet"])
def test_pieces_are_the_whole(tmp_path, small, suffix):
    columns = made_up(np.random.default_rng(0))
    path = tmp_path / f"log{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=1000)
    else:
        rows = [json.dumps(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]
        data = (csv_text(columns) if "csv" in suffix else "\n".join(rows)).encode()
        path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    whole, notes = log_of(read_table(path))
    found, more = read_log([path])
    same(found, whole)
    assert len(found) == ROWS
    assert more == notes  # the times are in milliseconds: said once


def test_broken_lines_of_all_pieces_are_counted_and_named_by_their_line(tmp_path, small):
    lines = ["user,item,timestamp", *(f"u{row},i{row % 5},{row}" for row in range(500))]
    lines[10], lines[400], lines[450] = "only two,fields", "u,i,never", "a,b,c,d"
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines))
    log, notes = read_log([path], LoadOptions(on_broken="skip"))
    assert len(log) == 497
    assert log.lines[-1] == 501
    (broken,) = [note for note in notes if note.key == "broken_lines"]
    assert broken.facts["count"] == "3"
    path.write_text("\n".join(line for number, line in enumerate(lines) if number not in (10, 400)))
    with pytest.raises(BrokenLineError) as caught:
        read_log([path])
    assert caught.value.line == 449


def test_without_times_the_order_goes_on_from_piece_to_piece(tmp_path, small):
    path = tmp_path / "log.csv"
    path.write_text("user,item\n" + "".join(f"u{row % 3},i{row}\n" for row in range(400)))
    log, notes = read_log([path])
    assert log.times.tolist() == list(range(400))
    assert [note.key for note in notes] == ["no_times"]


def test_kinds_that_only_later_pieces_have(tmp_path, small):
    path = tmp_path / "log.jsonl"
    rows = [{"user": row % 4, "item": row, "timestamp": row} | ({"event": "buy"} if row >= 200 else {}) for row in range(300)]
    path.write_text("\n".join(map(json.dumps, rows)))
    log, _ = read_log([path])
    assert log.kind_names == ("buy",)
    assert (log.kinds >= 0).tolist() == [row >= 200 for row in range(300)]


def test_a_cut_gzip_and_other_damage_say_so(tmp_path, small):
    path = tmp_path / "log.csv.gz"
    data = gzip.compress(b"user,item\n" + b"".join(b"u%d,i%d\n" % (row, row) for row in range(20000)))
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="cut short or damaged"):
        read_log([path])
    (tmp_path / "log.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        load(tmp_path / "log.parquet")


def test_movielens_in_csv_is_the_same_in_pieces(monkeypatch):
    root = os.environ.get("INSTRUCTREC_DATA")
    if not root or not any(Path(root).glob("ml-latest-small*")):
        pytest.skip("ml-latest-small is not in $INSTRUCTREC_DATA: set the variable to a folder that holds it")
    whole = load("ml-latest-small").dataset
    monkeypatch.setattr(pieces, "BIG", 10)
    monkeypatch.setattr(pieces, "BLOCK", 1 << 16)
    found = load("ml-latest-small").dataset
    same(found.interactions, whole.interactions)
    assert found.catalog.item_ids == whole.catalog.item_ids
    rows = found.interactions
    assert (len(rows.user_ids), len(np.unique(rows.items)), len(rows)) == (671, 9066, 100004)


def test_parquet_files_of_different_columns_are_no_table(tmp_path):
    for number, columns in enumerate(({"user": ["a"], "item": ["1"]}, {"user": ["a"], "bought": ["1"]})):
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / f"part-{number}.parquet")
    with pytest.raises(DataError, match="not known as a data set.*only where all have the same columns"):
        load(tmp_path)


@pytest.mark.parametrize("layout", ["interactions.parquet", "interactions.parquet/year=2024", "."])
def test_folders_of_parquet_files_are_one_table(tmp_path, layout):
    place = tmp_path / "shop" / layout
    parts = [("a", [1, 2, 3]), ("b", [2, 3]), ("c", [1])]
    if layout == "interactions.parquet":
        # Items of their own beside the interactions, in a folder as well.
        (tmp_path / "shop" / "items.parquet").mkdir(parents=True)
        items = pyarrow.table({"id": ["1", "2", "3"], "title": ["One", "Two", "Three"]})
        pyarrow.parquet.write_table(items, tmp_path / "shop" / "items.parquet" / "part-0.parquet")
    place.mkdir(parents=True, exist_ok=True)
    for number, (user, items) in enumerate(parts):
        table = pyarrow.table({"user": [user] * len(items), "item": items, "timestamp": list(range(len(items)))})
        pyarrow.parquet.write_table(table, place / f"part-{number}.snappy.parquet")
    (place / "_SUCCESS").write_text("")
    (place / "_metadata.parquet").write_bytes(b"not data")
    dataset = load(tmp_path / "shop").dataset
    assert dataset.interactions.user_ids == ("a", "b", "c")
    assert [dataset.catalog.item_ids[code] for code in dataset.interactions.history(0)] == ["1", "2", "3"]
    assert dataset.catalog.titles == (("One", "Two", "Three") if layout == "interactions.parquet" else ("1", "2", "3"))


MEASURE = r"""
import re, sys
import pyarrow.parquet, numpy
from instructrec.data import load
from instructrec.data.pieces import read_log
from pathlib import Path
def peak():
    # Of this process alone: what getrusage says begins with the peak of the parent.
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
load("synthetic-chain")
before = peak()
log, _ = read_log([Path(sys.argv[1])])
print(len(log), len(log.user_ids), len(log.item_ids), peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_reading_a_large_parquet_file_takes_memory_for_codes_and_numbers_only(tmp_path):
    rows, users = 1_500_000, 20_000
    path = tmp_path / "log.parquet"
    rng = np.random.default_rng(0)
    schema = pyarrow.schema([("user_id", pyarrow.string()), ("item_id", pyarrow.string()), ("ts", pyarrow.int64())])
    schema = schema.append(pyarrow.field("rating", pyarrow.float32())).append(pyarrow.field("page", pyarrow.string()))
    with pyarrow.parquet.ParquetWriter(path, schema, use_dictionary=False, compression="none") as writer:
        for start in range(0, rows, 250_000):
            size = min(250_000, rows - start)
            columns = {
                "user_id": [f"00000000-0000-0000-0000-{code:012d}" for code in rng.integers(0, users, size)],
                "item_id": [f"item-{code:012d}" for code in rng.integers(0, 5000, size)],
                "ts": rng.integers(1_600_000_000, 1_700_000_000, size),
                "rating": rng.integers(1, 6, size).astype(np.float32),
                "page": ["https://example.org/a/page/that/nobody/needs/" + "x" * 150] * size,
            }
            writer.write_table(pyarrow.table(columns, schema=schema))
    assert path.stat().st_size > 400e6
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    found_rows, found_users, found_items, grown = map(int, done.stdout.split())
    assert (found_rows, found_users, found_items) == (rows, users, 5000)
    # Five numbers of 8 bytes a row, a fifth more for growing, and 150 MB for the batch at hand and the reader; the file has 408 MB.
    assert grown < rows * 48 + 150e6
