"""Amazon's sets: S3-Rec's sequences and MiniOneRec's rows, in small copies made here, and the real ones."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from instructrec.data import CleaningConfig, LoadOptions, load
from instructrec.data.amazon import industrial_split
from instructrec.errors import BrokenLineError, DataError

KEEP_REPEATS = CleaningConfig(repeated="keep")

LINES = "1 10 2 3\n2 3 10\n"
TITLES = "id\tasin\ttitle\n2\tB02\tRed polish\n3\tB03\t\n10\tB10\tnan\n11\tB11\tNever bought\n"
ATTRIBUTES = {"2": [1, 2], "10": [2, 3, 9], "77": [1]}
NAMES = "id\tcount\tname\n1\t5\tMakeup\n2\t4\tNails\n3\t1\t\n"

ITEMS = {
    "0": {"title": "Staples", "description": "['Strong.', \"They don't bend.\"]", "brand": "Stanley & Sons, Inc."},
    "1": {"title": "Relay", "description": r"['Up to 5\d volts']", "brand": "3M"},
    "2": {"title": "Tape", "description": "['cut short", "brand": ""},
    "3": {"title": "", "description": "", "brand": "3M"},
}
SEQUENCES = [
    ("A", [(0, "history"), (1, "history"), (0, "history"), (2, "valid"), (1, "test"), (0, "test")]),
    ("B", [(1, "history"), (0, "valid"), (2, "valid")]),
    ("C", [(2, "history"), (2, "history"), (0, "test")]),
]
# In order of time, not of users.
ROWS = [
    ("valid", "B", [1], 0),
    ("valid", "A", [1, 0], 2),
    ("valid", "B", [1, 0], 2),
    ("test", "C", [2, 2], 0),
    ("test", "A", [0, 1, 0, 2], 1),
    ("test", "A", [0, 1, 0, 2, 1], 0),
]


def real(name):
    root = os.environ.get("INSTRUCTREC_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"{name} is not in $INSTRUCTREC_DATA: set the variable to a folder that holds it")
    return Path(root) / name


def put(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        name = name.replace("__", ".")
        data = (content if isinstance(content, str) else json.dumps(content, indent=1)).encode()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder


def put_rows(folder, rows, name="X.eval_rows.parquet"):
    columns = dict(zip(("split", "user_id", "history", "item_id"), map(list, zip(*rows, strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / name)


def put_industrial(folder, items=ITEMS, rows=ROWS):
    put(folder, X__item__json__gz=items)
    flat = [(user, pos, item, part) for user, steps in SEQUENCES for pos, (item, part) in enumerate(steps)]
    columns = dict(zip(("user_id", "pos", "item_id", "split"), map(list, zip(*flat, strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "X.sequences.parquet")
    put_rows(folder, rows)
    return folder


def test_s3rec_lines_are_histories_in_order(tmp_path):
    loaded = load(put(tmp_path, x__s3rec__txt__gz=LINES, x__items__tsv=TITLES))
    log, catalog = loaded.dataset.interactions, loaded.dataset.catalog
    assert log.user_ids == ("1", "2") and loaded.dataset.name == tmp_path.name
    assert [[catalog.item_ids[code] for code in history] for history in log.histories()] == [["10", "2", "3"], ["3", "10"]]
    assert log.timestamps.tolist() == [0, 1, 2, 0, 1]
    assert "x.s3rec.txt.gz: no times, so the place in the line is the order of time" in loaded.report.lines()


def test_an_s3rec_item_without_a_title_has_its_id(tmp_path):
    catalog = load(put(tmp_path, x__s3rec__txt=LINES, x__items__tsv__gz=TITLES)).dataset.catalog
    assert catalog.item_ids == ("2", "3", "10", "11")
    assert catalog.titles == ("Red polish", "3", "10", "Never bought")
    assert "categories" not in catalog.attributes


def test_s3rec_attributes_have_names_or_are_left_out(tmp_path):
    files = {"x__s3rec_item2attributes__json__gz": ATTRIBUTES, "x__attribute_names__tsv": NAMES}
    folder = put(tmp_path, x__s3rec__txt=LINES, x__items__tsv=TITLES, **files)
    catalog = load(folder).dataset.catalog
    assert catalog.label_rows("categories") == [("Makeup", "Nails"), (), ("Nails",), ()]
    assert load(folder, options=LoadOptions(attributes=("asin",))).dataset.catalog.attributes == ("asin",)


def test_s3rec_without_a_table_of_items_has_ids_for_titles(tmp_path):
    loaded = load(put(tmp_path, x__s3rec__txt=LINES))
    assert loaded.dataset.catalog.titles == ("2", "3", "10")
    assert "no items table: items have their id as title" in loaded.report.lines()


@pytest.mark.parametrize("line", ["3", "3 x", "1 5 6", '3 "5 6', "user_id 5 6"])
def test_a_broken_s3rec_line_is_refused_or_skipped(tmp_path, line):
    folder = put(tmp_path, x__s3rec__txt=f"1 10 2 3\n{line}\n2 3 10\n")
    with pytest.raises(BrokenLineError, match="x.s3rec.txt, line 2: 'history' is not a user.*skip") as error:
        load(folder)
    assert error.value.line == 2
    loaded = load(folder, options=LoadOptions(on_broken="skip"))
    assert loaded.report.num_interactions == 5
    assert "x.s3rec.txt: 1 broken lines skipped (lines 2)" in loaded.report.lines()


def test_s3rec_files_that_do_not_fit_are_explained(tmp_path):
    files = {"x__s3rec_item2attributes__json": {"2": [1], "3": "Makeup"}, "x__attribute_names__tsv": NAMES}
    folder = put(tmp_path, x__s3rec__txt=LINES, x__items__tsv=TITLES, **files)
    with pytest.raises(BrokenLineError, match="line 2: 'value' is not a list of attribute numbers. It reads: 'Makeup'"):
        load(folder)
    skipped = load(folder, options=LoadOptions(on_broken="skip"))
    assert skipped.dataset.catalog.label_rows("categories") == [("Makeup",), (), (), ()]
    put(tmp_path, x__s3rec_item2attributes__json={"2": [1]}, x__attribute_names__tsv="id\tword\n1\tMakeup\n")
    with pytest.raises(DataError, match="x.attribute_names.tsv has no column 'name'. Columns found: id, word"):
        load(folder)
    put(tmp_path, y__s3rec__txt=LINES)
    with pytest.raises(DataError, match=r"holds 2 files \*.s3rec.txt .x.s3rec.txt, y.s3rec.txt."):
        load(folder)


def test_minionerec_items_have_text_and_brand(tmp_path):
    loaded = load(put_industrial(tmp_path), cleaning=KEEP_REPEATS)
    log, catalog = loaded.dataset.interactions, loaded.dataset.catalog
    assert catalog.item_ids == ("0", "1", "2", "3")
    assert catalog.titles == ("Staples", "Relay", "Tape", "3")
    assert catalog.texts == ("Strong. They don't bend.", r"Up to 5\d volts", "['cut short", "")
    assert catalog.label_rows("brand") == [("Stanley & Sons, Inc.",), ("3M",), (), ("3M",)]
    assert log.user_ids == ("A", "B", "C")
    assert [history.tolist() for history in log.histories()] == [[0, 1, 0, 2, 1, 0], [1, 0, 2], [2, 2, 0]]
    assert log.timestamps.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 1, 2]
    assert any("'pos' is the order of time" in line for line in loaded.report.lines())


def test_broken_minionerec_items_are_refused_or_skipped(tmp_path):
    folder = put_industrial(tmp_path, items={**ITEMS, "9": "Bolt"})
    with pytest.raises(BrokenLineError, match="X.item.json.gz, line 5: 'value' is not an object with title.*Bolt"):
        load(folder)
    loaded = load(folder, options=LoadOptions(on_broken="skip"))
    assert len(loaded.dataset.catalog) == 4
    assert "X.item.json.gz: 1 broken lines skipped (lines 5)" in loaded.report.lines()
    for content, message in (('{"0": ', "not a readable JSON file"), ("[1]", "is not one JSON object of items")):
        put(folder, X__item__json__gz=content)
        with pytest.raises(DataError, match=f"X.item.json.gz.*{message}"):
            load(folder)


def test_minionerec_sequences_without_items_are_not_a_data_set(tmp_path):
    folder = put_industrial(tmp_path)
    (folder / "X.item.json.gz").unlink()
    with pytest.raises(DataError, match=r"It holds: X.eval_rows.parquet, X.sequences.parquet. Wanted:.*\*.item.json"):
        load(folder)


@pytest.mark.parametrize("cleaning", [CleaningConfig(), KEEP_REPEATS])
def test_the_rows_are_the_queries_whatever_was_cleaned(tmp_path, cleaning):
    folder = put_industrial(tmp_path)
    dataset = load(folder, cleaning=cleaning).dataset
    parts = industrial_split(folder, dataset)
    ids = dataset.catalog.item_ids
    for part, holdout in (("valid", parts.valid), ("test", parts.test)):
        rows = [row for row in ROWS if row[0] == part]
        assert [query.user for query in holdout.queries] == [user for _, user, _, _ in rows]
        assert [query.history for query in holdout.queries] == [tuple(map(str, history)) for _, _, history, _ in rows]
        assert [[ids[code] for code in target] for target in holdout.targets] == [[str(item)] for _, _, _, item in rows]
        assert [dataset.interactions.user_ids[code] for code in holdout.user_codes] == [user for _, user, _, _ in rows]
        assert all(query.hide_seen for query in holdout.queries)
    assert [query.time for query in parts.valid.queries] == [1, 3, 2]
    assert [query.time for query in parts.test.queries] == [2, 4, 5]
    assert [history.tolist() for history in parts.train.interactions.histories()] == [[0, 1, 0], [1], [2, 2]]
    assert [history.tolist() for history in parts.known.interactions.histories()] == [[0, 1, 0, 2], [1, 0, 2], [2, 2]]
    assert parts.name == "rows" and "3 validation and 3 test rows" in parts.protocol


def test_rows_that_do_not_fit_are_refused(tmp_path):
    folder = put_industrial(tmp_path)
    dataset = load(folder).dataset
    put_rows(folder, [*ROWS[:-1], ("test", "A", [0], 2)])
    with pytest.raises(DataError, match="rows of X.eval_rows.parquet are not those of the sequences"):
        industrial_split(folder, dataset)
    put_rows(folder, [*ROWS[:-1], ("train", "A", [0], 0)])
    with pytest.raises(DataError, match="X.eval_rows.parquet, line 6: 'split' is not valid or test. It reads: 'train'"):
        industrial_split(folder, dataset)
    used = load(folder, cleaning=CleaningConfig(user_core=3)).dataset
    with pytest.raises(DataError, match="X.sequences.parquet has the user_id 'C', which the dataset lacks.*cleaning"):
        industrial_split(folder, used)
    (folder / "X.eval_rows.parquet").unlink()
    with pytest.raises(DataError, match=r"has no file \*.eval_rows.parquet"):
        industrial_split(folder, dataset)


def test_short_names_lead_to_the_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSTRUCTREC_DATA", str(tmp_path / "sets"))
    (tmp_path / "sets").mkdir()
    with pytest.raises(DataError, match="amazon2014-beauty is not in .*INSTRUCTREC_DATA.*get it from its publisher"):
        load("beauty")
    put(tmp_path / "sets" / "amazon2014-beauty", x__s3rec__txt=LINES)
    put_industrial(tmp_path / "sets" / "amazon2018-industrial")
    for short, name in (("beauty", "amazon2014-beauty"), ("industrial", "amazon2018-industrial")):
        assert load(short).dataset.name == load(name).dataset.name == name
    put(tmp_path / "beauty", interactions__csv="user,item,timestamp\na,1,1700000000\nb,1,1700000001\n")
    assert load("beauty").dataset.name == "beauty"


def test_the_real_beauty():
    loaded = load(real("amazon2014-beauty"))
    assert (loaded.report.num_users, loaded.report.num_items, loaded.report.num_interactions) == (22_363, 12_101, 198_502)
    assert all(step.removed == 0 for step in loaded.report.steps)
    catalog = loaded.dataset.catalog
    assert catalog.titles[0] == "OPI Nail Lacquer, Simmer and Shimmer, 0.5-Fluid Ounce"
    assert sum(title == item for title, item in zip(catalog.titles, catalog.item_ids, strict=True)) == 7
    assert len(catalog.labels["categories"].names) == 636  # one of 637 has no name
    assert catalog.labels["categories"].of(catalog.index["4"]) == ("Makeup", "Face", "Concealers & Neutralizers")
    assert load("beauty").dataset.name == "amazon2014-beauty"


def test_the_real_industrial():
    folder = real("amazon2018-industrial")
    loaded = load(folder, cleaning=KEEP_REPEATS)
    assert (loaded.report.num_users, loaded.report.num_items, loaded.report.num_interactions) == (3_285, 3_686, 22_743)
    gentle = {step.name: step.removed for step in load("industrial").report.steps if step.removed}
    assert gentle == {"repeated_first": 1_079}
    catalog = loaded.dataset.catalog
    assert catalog.labels["brand"].of(0) == ("Sealed Unit Parts Co., Inc.",)
    assert catalog.texts[0].startswith("Relay/CAPACITOR hard start kit") and sum(map(bool, catalog.texts)) == 3_457


def test_the_real_rows_of_industrial():
    folder = real("amazon2018-industrial")
    parts = industrial_split(folder, load(folder).dataset)
    assert (len(parts.valid), len(parts.test)) == (4_532, 4_533)
    assert (len(parts.train.interactions), len(parts.known.interactions)) == (13_678, 18_210)
    rows = pyarrow.parquet.read_table(folder / "Industrial_and_Scientific.eval_rows.parquet").to_pylist()
    queries, targets = (*parts.valid.queries, *parts.test.queries), (*parts.valid.targets, *parts.test.targets)
    assert [(query.user, query.history) for query in queries] == [(row["user_id"], tuple(map(str, row["history"]))) for row in rows]
    ids = parts.train.catalog.item_ids
    assert [ids[int(target[0])] for target in targets] == [str(row["item_id"]) for row in rows]
    assert np.all(np.diff(parts.train.interactions.users) >= 0)
    again = [str(row["item_id"]) in query.history for query, row in zip(queries, rows, strict=True)]
    assert (sum(again[:4_532]), sum(again[4_532:])) == (236, 128)
