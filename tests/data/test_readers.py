"""Files of every kind become columns; broken ones are refused with their line, or skipped when asked."""

from __future__ import annotations

import gzip

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.data import load
from instructrec.data.options import LoadOptions
from instructrec.data.readers import read_table
from instructrec.errors import BrokenLineError, DataError

SKIP = LoadOptions(on_broken="skip")


def put(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "user,item\n1,2\n3,4\n"),
        ("a.csv", "user;item\r\n1;2\r\n\r\n3;4"),
        ("a.csv", "user,item\r1,2\r3,4\r"),
        ("a.tsv", "user\titem\n1\t2\n3\t4\n"),
        ("a.txt", "user|item\n1|2\n3|4\n"),
        ("a.dat", "user::item\n1::2\n3::4\n"),
        ("a.csv", '"user","item"\n"1","2"\n"3",4\n'),
        ("a.csv", b"\xef\xbb\xbfuser,item\n1,2\n3,4\n"),
        ("a.csv", "user,item\n1,2\n3,4\n".encode("utf-16")),
        ("a.csv.gz", gzip.compress(b"user,item\n1,2\n3,4\n", mtime=0)),
        ("a.jsonl", '{"user": "1", "item": "2"}\n{"user": "3", "item": "4"}\n'),
        ("a.json", '[{"user": "1", "item": "2"}, {"user": "3", "item": "4"}]'),
    ],
)
def test_every_format_gives_the_same_columns(tmp_path, name, content):
    table = read_table(put(tmp_path, name, content))
    assert {key: column.tolist() for key, column in table.columns.items()} == {"user": ["1", "3"], "item": ["2", "4"]}


def test_parquet_keeps_numbers_times_and_lists(tmp_path):
    moment = pyarrow.array([1_000_000, None], type=pyarrow.timestamp("us"))
    columns = {"n": [1, 2], "x": [0.5, None], "tags": [["a", "b"], []], "big": pyarrow.array([2**60, None]), "when": moment}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert table.columns["n"].dtype.kind == "i"
    assert table.columns["tags"].tolist() == [["a", "b"], []]
    assert table.columns["big"].tolist() == [2**60, None]
    assert table.columns["when"].dtype.kind == "M"


def test_quotes_may_hold_separators_and_line_breaks(tmp_path):
    table = read_table(put(tmp_path, "a.csv", 'id,title\n1,"Good, Bad"\n2,"two\nlines"\n3,"say ""hi"""\n'))
    assert table.columns["title"].tolist() == ["Good, Bad", "two\nlines", 'say "hi"']
    assert table.lines.tolist() == [2, 3, 5]


@pytest.mark.parametrize(
    ("name", "content", "line", "why"),
    [
        ("a.csv", "user,item\n1,2\n3\n5,6\n", 3, "1 fields instead of 2"),
        ("a.csv", 'user,item\n"1",2\n3\n5,6\n', 3, "1 fields instead of 2"),
        ("a.csv", 'user,item\n1,2\n"3,4\n5,6\n', 3, "quote is not closed"),
        ("a.csv", 'user,item\n1,2\n"3,4\n5,"6"\n', 3, "quote is not closed"),
        ("a.jsonl", '{"user": "1", "item": "2"}\n{"user": \n{"user": "5", "item": "6"}\n', 2, "not JSON"),
        ("a.jsonl", '{"user": "1", "item": "2"}\n[3]\n{"user": "5", "item": "6"}\n', 2, "not a JSON object"),
    ],
)
def test_a_broken_line_is_refused_by_number_or_skipped(tmp_path, name, content, line, why):
    path = put(tmp_path, name, content)
    with pytest.raises(BrokenLineError, match=why) as caught:
        read_table(path)
    assert caught.value.line == line
    assert f"line {line}" in str(caught.value) and "on_broken" in str(caught.value)
    table = read_table(path, SKIP)
    assert table.columns["user"].tolist() == ["1", "5"]
    assert [(note.key, note.facts["lines"]) for note in table.notes] == [("broken_lines", str(line))]


def test_another_encoding_is_refused_with_its_line_or_read_when_declared(tmp_path):
    path = put(tmp_path, "a.csv", "id,title\n1,Toy Story\n2,Fantômas\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"line 3: byte 0xf4 is not utf-8.*cp1252"):
        read_table(path)
    table = read_table(path, LoadOptions(fallback_encoding="latin-1"))
    assert table.columns["title"].tolist()[1] == "Fantômas"
    assert table.notes[0].facts["encoding"] == "latin-1"
    assert read_table(path, LoadOptions(encoding="cp1252")).columns["title"].tolist()[1] == "Fantômas"
    with pytest.raises(DataError, match="neither utf-8 nor ascii"):
        read_table(path, LoadOptions(fallback_encoding="ascii"))
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        read_table(path, LoadOptions(encoding="klingon"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "user,item\n", "no rows below its header"),
        ("a.csv", "user,user\n1,2\n", "'user' more than once"),
        ("a.csv.gz", gzip.compress(b"user,item\n1,2\n" * 50, mtime=0)[:-12], "cut short"),
        ("a.parquet", b"PAR1nothing", "not a readable Parquet"),
        ("a.json", "[1, 2", "not one"),
        ("a.jsonl", "\n \n", "is empty"),
        ("a.xlsx", b"PK", "unknown format '.xlsx'"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path, name, content, message):
    with pytest.raises(DataError, match=message):
        read_table(put(tmp_path, name, content))


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_a_separator_that_was_found_is_noted(tmp_path):
    table = read_table(put(tmp_path, "a.csv", "user;item\n1;2\n"))
    assert [(note.key, note.facts["separator"]) for note in table.notes] == [("separator", ";")]


cell = st.text(
    st.characters(codec="utf-8", exclude_characters='\r\n"\x00,', exclude_categories=["Cs", "Cc", "Zl", "Zp"]),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(cell, cell), min_size=1, max_size=8))
def test_what_was_written_is_read_back(tmp_path_factory, rows):
    path = put(tmp_path_factory.mktemp("t"), "a.csv", "user,item\n" + "".join(f"{a},{b}\n" for a, b in rows))
    table = read_table(path)
    assert list(zip(table.columns["user"], table.columns["item"], strict=True)) == rows


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=120))
def test_any_bytes_give_a_table_or_a_data_error(tmp_path_factory, content):
    path = put(tmp_path_factory.mktemp("t"), "a.csv", content)
    try:
        table = read_table(path, SKIP)
    except DataError as error:
        assert "a.csv" in str(error)
    else:
        assert len(table) > 0


def test_bytes_of_parquet_that_are_text_are_read_as_text(tmp_path):
    words = pyarrow.array([b"7", "Am\u00e9lie".encode()])
    plain = {"user": words, "item": words.dictionary_encode(), "kind": words.cast(pyarrow.large_binary())}
    pyarrow.parquet.write_table(pyarrow.table(plain), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert {name: column.tolist() for name, column in table.columns.items()} == dict.fromkeys(plain, ["7", "Am\u00e9lie"])


def test_bytes_that_are_no_text_are_no_ids(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"user": [b"\xff\xfe"], "item": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(BrokenLineError, match="line 1: 'user' is not one id"):
        load(tmp_path / "a.parquet")


@pytest.mark.parametrize("read", [read_table, load], ids=["table", "interactions"])
def test_a_column_that_stands_twice_in_parquet_is_refused(tmp_path, read):
    columns = [pyarrow.array([1, 2])] * 3
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, names=["user", "item", "item"]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet has the column 'item' more than once\. Rename one"):
        read(tmp_path / "a.parquet")
