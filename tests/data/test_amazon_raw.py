"""Amazon's three editions as published: small files made here in each form, and the real Gift Cards."""

from __future__ import annotations

import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from instructrec.data import CleaningConfig, LoadOptions, load, pieces
from instructrec.errors import BrokenLineError, DataError

SKIP = LoadOptions(on_broken="skip")
USERS = ("A1YJEY40YUW4SE", "AO94DHGC771SJ", "A2VNYWOPJ13AFP")
ITEMS = ("B00004YB5N", "0439893577", "B000068VBQ")


def put(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        name = name.replace("__", ".")
        text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
        (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


def reviews_2018():
    return [
        {
            "overall": 4.0,
            "verified": True,
            "reviewerID": user,
            "asin": item,
            "reviewText": "Fine.",
            "unixReviewTime": 1400000000 + row,
        }
        for row, (user, item) in enumerate((user, item) for user in USERS for item in ITEMS)
    ]


def test_2014_reviews_and_products_as_python_prints_them(tmp_path):
    products = [
        {
            "asin": ITEMS[0], "title": "Cables &amp; <b>more</b>", "price": 9.5, "brand": "Hosa's", "description": 'A "good" one.',
            "categories": [["Instruments", "Cables"], ["Instruments", "Sale"]], "salesRank": {"Music": 3},
            "related": {"also_bought": ["X"]},
        },
        {"asin": ITEMS[1], "categories": [["Books"]]},
    ]  # fmt: skip
    reviews = [
        {"reviewerID": user, "asin": item, "helpful": [0, 0], "reviewText": "Good.", "overall": 5.0, "unixReviewTime": 1393545600}
        for user in USERS
        for item in ITEMS[:2]
    ]
    folder = put(tmp_path / "music", reviews_Music_5__json__gz=reviews, meta_Music__json="".join(f"{row!r}\n" for row in products))
    loaded = load(folder)
    dataset = loaded.dataset
    assert len(dataset.interactions) == 6
    assert dataset.interactions.timestamps[0] == 1393545600
    row = dataset.catalog.index[ITEMS[0]]
    assert dataset.catalog.titles[row] == "Cables & more"
    assert dataset.catalog.texts[row] == 'A "good" one.'
    assert dataset.catalog.labels["categories"].of(row) == ("Instruments", "Cables", "Sale")
    assert dataset.catalog.labels["brand"].of(row) == ("Hosa's",)
    assert dataset.catalog.numbers["price"][row] == 9.5
    assert dataset.catalog.titles[dataset.catalog.index[ITEMS[1]]] == ITEMS[1]
    assert any("related, salesRank not used" in line for line in loaded.report.lines())


def test_2018_titles_with_html_and_pieces_of_the_page(tmp_path):
    products = [
        {
            "asin": ITEMS[0], "title": "Red&nbsp;<span>Polish</span>", "price": "$1,012.50", "brand": "Essie",
            "category": ["Beauty", "Nails", "</span></span>" + "long " * 40], "description": ["One.", "Two."],
            "feature": ["Shines"], "rank": ["1 in Beauty"],
        },
        {"asin": ITEMS[1], "title": "var aPageStart = (new Date()).getTime();", "price": ".a-box-inner{color:red}", "category": []},
        {"asin": ITEMS[2], "title": "Tape", "price": "$3.00 - $5.00", "category": ["Beauty"], "brand": "", "description": []},
    ]  # fmt: skip
    loaded = load(put(tmp_path / "beauty", Beauty_5__json=reviews_2018(), meta_Beauty__json=products))
    catalog = loaded.dataset.catalog
    first, second, third = (catalog.index[item] for item in ITEMS)
    assert catalog.titles[first] == "Red Polish"
    assert catalog.texts[first] == "One. Two. Shines"
    assert catalog.labels["categories"].of(first) == ("Beauty", "Nails")
    assert catalog.titles[second] == ITEMS[1]
    assert catalog.numbers["price"][first] == 1012.5
    assert math.isnan(catalog.numbers["price"][second])
    assert catalog.numbers["price"][third] == 3.0
    assert any("1 titles are code of the page" in line for line in loaded.report.lines())


def test_2023_items_are_parents_and_times_milliseconds(tmp_path):
    user = "AGKASBHYZPGTEPO6LWZPVJWB2BVA"
    reviews = [
        {"rating": 5.0, "title": "Wow", "text": "Good.", "images": [], "asin": f"B0VARIANT{row}", "parent_asin": ITEMS[row % 2],
         "user_id": user[:-1] + str(row // 2), "timestamp": 1588687728923 + 1000 * row, "helpful_vote": 0}
        for row in range(6)
    ]  # fmt: skip
    products = [
        {"main_category": "All Beauty", "title": "Sea Mist", "average_rating": 4.3, "rating_number": 384, "features": ["Salty"],
         "description": ["Smells."], "price": 12.0, "store": "Herbivore", "categories": ["Hair"], "parent_asin": ITEMS[0],
         "details": {"Brand": "HERB", "Size": {"unit": "oz"}}, "bought_together": None, "images": [{"thumb": "x"}]},
        {"main_category": "All Beauty", "title": "Comb", "price": None, "store": "Combs", "parent_asin": ITEMS[1],
         "details": '{"Brand": "C"}'},
    ]  # fmt: skip
    dataset = load(put(tmp_path / "b", All_Beauty__jsonl__gz=reviews, meta_All_Beauty__jsonl=products)).dataset
    assert sorted(dataset.catalog.item_ids) == sorted(ITEMS[:2])
    assert dataset.interactions.timestamps.min() == 1588687728
    first, second = (dataset.catalog.index[item] for item in ITEMS[:2])
    assert dataset.catalog.labels["brand"].of(first) == ("HERB",)
    assert dataset.catalog.labels["brand"].of(second) == ("C",)
    assert dataset.catalog.labels["categories"].of(first) == ("All Beauty", "Hair")
    assert not {"average_rating", "rating_number"} & {*dataset.catalog.numbers, *dataset.catalog.labels}
    plain = put(tmp_path / "c", All_Beauty__csv=f"user_id,parent_asin,rating,timestamp\n{user},{ITEMS[0]},3.0,1452647382000\n"
                                                f"{user[:-1]}C,{ITEMS[0]},3.0,1452647383000\n")  # fmt: skip
    assert load(plain / "All_Beauty.csv").dataset.interactions.timestamps[0] == 1452647382


@pytest.mark.parametrize("swapped", [False, True], ids=["2014", "2018"])
def test_ratings_alone_by_the_form_of_their_ids(tmp_path, swapped):
    rows = [(user, item) for user in USERS for item in ITEMS]
    lines = [
        f"{item if swapped else user},{user if swapped else item},5.0,{1400000000 + row}" for row, (user, item) in enumerate(rows)
    ]
    path = put(tmp_path / "x", ratings_Beauty__csv="\n".join(lines)) / "ratings_Beauty.csv"
    for source in (path, path.parent):
        loaded = load(source)
        assert set(loaded.dataset.interactions.user_ids) == set(USERS)
        assert set(loaded.dataset.catalog.item_ids) == set(ITEMS)
        order = "item, user, rating, timestamp" if swapped else "user, item, rating, timestamp"
        assert any(f"by the form of its ids the columns are {order}" in line for line in loaded.report.lines())
    forced = load(path, options=LoadOptions(header=("user", "item", "rating", "timestamp"))).dataset
    assert set(forced.interactions.user_ids) == set(ITEMS if swapped else USERS)


def test_ratings_alone_whose_ids_have_no_form_go_by_counts(tmp_path):
    rows = [(f"A{row:013d}" if row == 0 else f"user{row}", f"thing{row % 3}") for row in range(30)]
    lines = [f"{item},{user},4.0,{1400000000 + row}" for row, (user, item) in enumerate(rows)]
    loaded = load(put(tmp_path / "x", r__csv="\n".join(lines)) / "r.csv")
    assert len(loaded.dataset.interactions.user_ids) == 30
    assert any("how many different ids" in line for line in loaded.report.lines())


def test_hostile_lines_are_counted_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "BIG", 10)
    monkeypatch.setattr(pieces, "BLOCK", 400)
    good = [json.dumps(row) for row in reviews_2018()]
    bad = ["[" * 100_000, "{'asin': __import__('os')}", '{"reviewerID": ["a"], "asin": "B", "overall": 1, "unixReviewTime": 3}',
           "\x00\x01",
           '{"reviewerID": "U", "asin": "B000000000", "overall": "many", "unixReviewTime": 3}']  # fmt: skip
    folder = put(tmp_path / "x", Beauty_5__json="\n".join([*good, *bad]))
    with pytest.raises(BrokenLineError, match="line 10"):
        load(folder)
    loaded = load(folder, options=SKIP)
    assert len(loaded.dataset.interactions) == len(good)
    assert any("5 broken lines skipped" in line for line in loaded.report.lines())
    products = ["{'asin': '" + ITEMS[0] + "', 'title': 'Ten', 'price': 3}", "{'asin': 'B', 'title': open('x')}", "{" * 5000, "null"]
    put(folder, meta_Beauty__json="\n".join(products))
    catalog = load(folder, options=SKIP).dataset.catalog
    assert catalog.titles[catalog.index[ITEMS[0]]] == "Ten"


def test_two_categories_in_a_folder_are_refused(tmp_path):
    folder = put(tmp_path / "x", Beauty_5__json=reviews_2018(), Toys_5__json=reviews_2018())
    with pytest.raises(DataError, match=r"2 files of reviews \(Beauty_5.json, Toys_5.json\)"):
        load(folder)


def real(name):
    root = os.environ.get("INSTRUCTREC_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"{name} is not in $INSTRUCTREC_DATA: set the variable to a folder that holds it")


def test_musical_instruments():
    real("amazon2014-musical-instruments")
    dataset = load("amazon2014-musical-instruments", cleaning=CleaningConfig(exact_duplicates=False, repeated="keep")).dataset
    assert (len(dataset.interactions), len(dataset.interactions.user_ids), len(dataset.catalog)) == (10261, 1429, 900)


def test_gift_cards():
    real("amazon2018-gift-cards")
    loaded = load("amazon2018-gift-cards", cleaning=CleaningConfig(exact_duplicates=False, repeated="keep"))
    dataset = loaded.dataset
    assert len(dataset.interactions) == 2972
    assert len(dataset.interactions.user_ids) == 458
    assert len(np.unique(dataset.interactions.items)) == 148
    assert len(dataset.catalog) == 1547
    assert (dataset.interactions.timestamps.min(), dataset.interactions.timestamps.max()) == (1327968000, 1534896000)
    row = dataset.catalog.index["B001BKEWF2"]
    assert dataset.catalog.titles[row] == "Serendipity 3 $100.00 Gift Card"
    assert dataset.catalog.labels["brand"].of(row) == ("Serendipity 3",)
    prices = int(np.isfinite(dataset.catalog.numbers["price"]).sum())
    assert 300 < prices <= 362  # 362 have something there, some of it pieces of the page
    assert not any("<" in title or "getTime" in title for title in dataset.catalog.titles)


def test_2023_ratings_alone_with_their_products(tmp_path):
    """As published: a CSV with the names of its columns, times in milliseconds, beside the products of the category."""
    rows = [f"{user},{item},4.0,{1600000000000 + 1000 * place}" for place, item in enumerate(ITEMS) for user in USERS]
    products = [{"parent_asin": ITEMS[0], "title": "Cable", "price": 9.5, "store": "Hosa", "main_category": "Music"}]
    text = "\n".join(["user_id,parent_asin,rating,timestamp", *rows, ""])
    folder = put(tmp_path / "music", Music__csv=text, meta_Music__jsonl=products)
    loaded = load(folder)
    assert loaded.report.num_read == len(loaded.dataset.interactions) == 9
    assert loaded.dataset.catalog.titles[loaded.dataset.catalog.index[ITEMS[0]]] == "Cable"
    assert sorted(set(loaded.dataset.interactions.timestamps.tolist())) == [1600000000, 1600000001, 1600000002]
    alone = load(folder / "Music.csv").dataset
    assert np.array_equal(alone.interactions.timestamps, loaded.dataset.interactions.timestamps)
