"""Names, folders and files become datasets; what cannot be read says what was found and what is wanted."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from instructrec.data import NAMES, load
from instructrec.data.cleaning import CleaningConfig
from instructrec.data.sources import FOLDER_FORMATS, FolderFormat
from instructrec.errors import DataError

LOG = "user,item,timestamp,rating\nb,2,1700000000,4\na,10,1700000001,5\na,2,1700000000,3\n"
ITEMS = "id,title,genres\n10,Ten,Drama|War\n2,Two,Drama\n3,Three,War\n"


def put(folder, **files):
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def test_a_folder_of_tables(tmp_path):
    loaded = load(put(tmp_path, interactions__csv=LOG, items__csv=ITEMS))
    dataset = loaded.dataset
    assert dataset.interactions.user_ids == ("a", "b")
    assert dataset.catalog.item_ids == ("2", "3", "10")
    assert dataset.catalog.titles == ("Two", "Three", "Ten")
    assert dataset.catalog.labels["genres"].of(2) == ("Drama", "War")
    assert [dataset.catalog.item_ids[code] for code in dataset.interactions.history(0)] == ["2", "10"]
    assert dataset.interactions.timestamps.tolist() == [1700000000, 1700000001, 1700000000]
    assert dataset.name == tmp_path.name


def test_a_single_file_makes_items_of_its_ids(tmp_path):
    loaded = load(put(tmp_path, log__csv=LOG) / "log.csv")
    assert loaded.dataset.catalog.titles == ("2", "10")
    assert "no items table: items have their id as title" in loaded.report.lines()


def test_equal_data_in_another_order_gives_equal_codes(tmp_path):
    lines = LOG.splitlines()
    (tmp_path / "x").mkdir()
    one = load(put(tmp_path, log__csv=LOG) / "log.csv").dataset
    two = load(put(tmp_path / "x", log__csv="\n".join([lines[0], *lines[:0:-1]])) / "log.csv").dataset
    assert one.interactions.user_ids == two.interactions.user_ids
    assert np.array_equal(one.interactions.items, two.interactions.items)
    assert one.catalog.item_ids == two.catalog.item_ids


@pytest.mark.parametrize("policy", ["first", "refuse"])
def test_duplicate_item_ids(tmp_path, policy):
    folder = put(tmp_path, interactions__csv=LOG, items__csv=ITEMS + "2,Second two,War\n")
    config = CleaningConfig(duplicate_items=policy)
    if policy == "refuse":
        with pytest.raises(DataError, match="item ids twice.*2: lines 3 and 5.*duplicate_items"):
            load(folder, cleaning=config)
        return
    loaded = load(folder, cleaning=config)
    assert loaded.dataset.catalog.titles[0] == "Two"
    step = next(step for step in loaded.report.steps if step.name == "duplicate_items")
    assert (step.removed, step.examples) == (1, ("2: lines 3 and 5",))


def test_items_that_are_missing_are_added_and_unused_ones_can_go(tmp_path):
    folder = put(tmp_path, interactions__csv=LOG + "b,77,1700000009,1\n", items__csv=ITEMS)
    loaded = load(folder)
    assert loaded.dataset.catalog.titles == ("Two", "Three", "Ten", "77")
    assert loaded.dataset.catalog.labels["genres"].of(3) == ()
    assert any(step.name == "items_without_row" and step.examples == ("77",) for step in loaded.report.steps)
    used = load(folder, cleaning=CleaningConfig(catalog="used"))
    assert used.dataset.catalog.item_ids == ("2", "10", "77")
    assert next(step for step in used.report.steps if step.name == "unused_items").removed == 1


def test_kinds_and_the_rule_reach_the_dataset(tmp_path):
    text = "user,item,timestamp,event\na,1,1700000000,click\na,2,1700000001,buy\nb,1,1700000002,buy\n"
    path = put(tmp_path, log__csv=text) / "log.csv"
    assert load(path).dataset.interactions.kinds == ("click", "buy", "buy")
    assert load(path, cleaning=CleaningConfig(rule="kind==buy")).dataset.interactions.kinds == ("buy", "buy")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user,item,timestamp\n", "no rows below its header"),
        ("user,item,timestamp\na,1,1700000000\na,2,1700000001\n", "one user only .'a'.*more users"),
        (
            "user,item,timestamp,rating\na,1,1700000000,\nb,2,,5\n",
            "no interaction is left after cleaning.*took most: missing (times|ratings)",
        ),
    ],
)
def test_too_little_data_says_what_to_do(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        load(put(tmp_path, log__csv=text) / "log.csv")


def test_the_report_is_also_json(tmp_path):
    report = load(put(tmp_path, interactions__csv=LOG, items__csv=ITEMS)).report
    content = json.loads(json.dumps(report.to_json()))
    assert (content["read"], content["users"], content["items"], content["interactions"]) == (3, 2, 3, 3)
    assert content["steps"][0] == {
        "step": "missing_ids",
        "before": 3,
        "after": 3,
        "removed": 0,
        "facts": {},
        "examples": [],
        "text": "without a user or an item: 0 dropped",
    }
    assert content["notes"][0]["note"] == "list_separator"
    assert report.lines("zh")[0].startswith("读取")
    assert len(report.lines("zh")) == len(report.lines())


def test_nothing_in_the_folder_is_changed(tmp_path):
    folder = put(tmp_path, interactions__csv=LOG, items__csv=ITEMS)
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    load(folder, cleaning=CleaningConfig(rule="rating>=3", drop_outliers=True, catalog="used"))
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == hashes


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("synthetic-")])
def test_worlds_have_names(name):
    loaded = load(name)
    assert loaded.report.num_interactions == loaded.report.num_read == len(loaded.dataset.interactions)
    assert name.endswith(loaded.dataset.name)


def test_an_unknown_source_names_the_nearest():
    with pytest.raises(DataError, match="no data 'ml-100'.*Did you mean 'ml-100k'.*interactions.csv"):
        load("ml-100")


def test_a_folder_of_other_things_names_what_it_holds(tmp_path):
    with pytest.raises(DataError, match="It holds: notes.txt. Wanted: interactions.csv"):
        load(put(tmp_path, notes__txt="hello"))


def test_two_tables_of_one_meaning_are_refused(tmp_path):
    with pytest.raises(DataError, match="several tables.*interactions.csv, interactions.tsv"):
        load(put(tmp_path, interactions__csv=LOG, interactions__tsv=LOG.replace(",", "\t")))


def test_a_known_set_that_is_not_there_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INSTRUCTREC_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"ml-1m is not in .*INSTRUCTREC_DATA"):
        load("ml-1m")
    monkeypatch.delenv("INSTRUCTREC_DATA")
    with pytest.raises(DataError, match="which is not set"):
        load("ml-1m")


def test_a_new_source_is_one_row(tmp_path, monkeypatch):
    from instructrec.data import sources
    from instructrec.data.raw import Raw
    from instructrec.data.readers import read_table
    from instructrec.data.tabular import log_of

    def read_shop(folder, options):
        log, notes = log_of(read_table(folder / "shop.csv", options), options)
        return Raw(name="shop", log=log, notes=notes)

    shop = FolderFormat("a shop", lambda folder: (folder / "shop.csv").is_file(), read_shop)
    monkeypatch.setattr(sources, "FOLDER_FORMATS", (*FOLDER_FORMATS, shop))
    assert load(put(tmp_path, shop__csv=LOG)).dataset.name == "shop"


INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t7\t4\t1700000000\n2\t8\t5\t1700000001\n"
ITEM = (
    "item_id:token\tmovie_title:token_seq\tyear:token\ttags:token_seq\tprice:float\tvector:float_seq\n"
    "7\tA b\t1999\tred blue\t1.5\t0 1\n8\tC\t2001\t\t2\t1 0\n"
)


def test_recbole_files_have_typed_columns(tmp_path):
    loaded = load(put(tmp_path, shop__inter=INTER, shop__item=ITEM))
    catalog = loaded.dataset.catalog
    assert loaded.dataset.name == "shop"
    assert catalog.titles == ("A b", "C")
    assert catalog.label_rows("tags") == [("red", "blue"), ()]
    assert catalog.numbers["year"].tolist() == [1999, 2001] and catalog.numbers["price"].tolist() == [1.5, 2]
    assert "vector" not in catalog.attributes and "'vector' holds vectors of numbers: not used" in loaded.report.lines()
    assert load(tmp_path / "shop.inter").dataset.catalog.titles == ("A b", "C")


def test_recbole_files_without_items_or_types(tmp_path):
    assert load(put(tmp_path, shop__inter=INTER)).dataset.catalog.titles == ("7", "8")
    put(tmp_path, shop__inter=INTER.replace(":float", ":real"))
    with pytest.raises(DataError, match="column 'rating:real'.*rating:token"):
        load(tmp_path)
    put(tmp_path, other__inter=INTER)
    with pytest.raises(DataError, match="holds 2 .inter files"):
        load(tmp_path)


def test_ids_that_are_written_otherwise_in_both_files_are_told(tmp_path):
    log = "user,item,timestamp\na,007,1700000000\nb,008,1700000001\n"
    folder = put(tmp_path, interactions__csv=log, items__csv="id,title\n7,Seven\n8,Eight\n")
    [line] = [line for line in load(folder).report.lines() if "items table" in line]
    assert (
        "no item of the interactions has a row" in line and "look like 7, 8" in line and "2 added" in line and "(007; 008)" in line
    )
    (folder / "items.csv").write_text("id,title\n007,Seven\n8,Eight\n")
    [line] = [line for line in load(folder).report.lines() if "items table" in line]
    assert line.startswith("items without a row in the items table: 1 added") and "(008)" in line


def test_data_of_impossible_times_only_say_so(tmp_path):
    text = "user,item,timestamp\na,1,-1700000000\nb,2,-1700000001\n"
    with pytest.raises(DataError, match="Before that: impossible values: 0 ratings, 2 times emptied .*after 1970 and before 2100"):
        load(put(tmp_path, log__csv=text) / "log.csv")
