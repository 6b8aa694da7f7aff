"""Columns find their meaning by name, times by their size, attributes by their content."""

from __future__ import annotations

import numpy as np
import pytest

from instructrec.data.cells import times
from instructrec.data.options import LoadOptions
from instructrec.data.raw import encode, natural
from instructrec.data.readers import objects, read_table
from instructrec.data.tabular import attributes, items_of, lists, log_of
from instructrec.errors import BrokenLineError, ConfigError, DataError


def table_of(folder, text, name="interactions.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return read_table(folder / name)


@pytest.mark.parametrize(
    "header",
    [
        "user,item,timestamp,rating",
        "userId,movieId,timestamp,rating",
        "reviewerID,asin,unixReviewTime,overall",
        "UID,Item_ID,Time,Stars",
    ],
)
def test_columns_are_known_by_many_names(tmp_path, header):
    log, notes = log_of(table_of(tmp_path, f"{header}\nb,x,10,4\na,y,20,5\n"))
    assert log.user_ids == ("a", "b") and log.users.tolist() == [1, 0]
    assert log.item_ids == ("x", "y") and log.items.tolist() == [0, 1]
    assert log.times.tolist() == [10, 20] and log.ratings.tolist() == [4, 5]
    assert notes == ()


def test_wrong_columns_name_what_was_found_and_the_nearest(tmp_path):
    with pytest.raises(DataError) as caught:
        log_of(table_of(tmp_path, "usr,thing,timestamp\n1,2,3\n"))
    message = str(caught.value)
    assert "no column for user and item" in message
    assert "Columns found: usr, thing, timestamp" in message
    assert "Did you mean 'usr'" in message
    assert "--set data.options.interaction_columns.user=COLUMN" in message
    assert "--set data.options.interaction_columns.item=COLUMN" in message


def test_a_file_without_header_is_recognised_as_such(tmp_path):
    with pytest.raises(DataError, match="first line looks like data"):
        log_of(table_of(tmp_path, "196,242,3,881250949\n186,302,3,891717742\n"))


def test_columns_can_be_mapped(tmp_path):
    table = table_of(tmp_path, "a,b,c,user\n1,2,3,x\n")
    log, _ = log_of(table, LoadOptions(interaction_columns={"user": "a", "item": "b", "timestamp": "c"}))
    assert (log.user_ids, log.item_ids, log.times.tolist()) == (("1",), ("2",), [3])
    with pytest.raises(DataError, match="no column 'usr'.*Did you mean 'user'"):
        log_of(table, LoadOptions(interaction_columns={"user": "usr", "item": "b"}))
    with pytest.raises(ConfigError, match="no role 'usr'.*Did you mean 'user'"):
        log_of(table, LoadOptions(interaction_columns={"usr": "a"}))


def test_kinds_are_words(tmp_path):
    log, _ = log_of(table_of(tmp_path, "user,item,timestamp,event\n1,2,3,click\n1,3,4,\n1,4,5,buy\n"))
    assert log.kind_names == ("buy", "click")
    assert log.kinds.tolist() == [1, -1, 0]


def test_without_times_the_order_counts(tmp_path):
    log, notes = log_of(table_of(tmp_path, "user,item\n1,2\n1,3\n"))
    assert log.times.tolist() == [0, 1] and [note.key for note in notes] == ["no_times"]
    log, notes = log_of(table_of(tmp_path, "user,item,pos\n1,2,7\n1,3,4\n"))
    assert log.times.tolist() == [7, 4] and [note.key for note in notes] == ["order_column"]


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["1700000000", "1700000001"], "s"),
        (["1700000000000", "1700000001000"], "ms"),
        (["1700000000000000", "1700000001000000"], "us"),
        (["1700000000000000000", "1700000001000000000"], "ns"),
        (["2023-11-14T22:13:20", "2023-11-14 22:13:21"], "s"),
        (["2023-11-14T22:13:20Z", "2023-11-15T00:13:21+02:00"], "s"),
        (np.array([1_700_000_000, 1_700_000_001]), "s"),
        (np.array(["2023-11-14T22:13:20", "2023-11-14T22:13:21"], dtype="datetime64[ns]"), "s"),
    ],
)
def test_times_are_read_in_every_unit(cells, unit):
    column = cells if isinstance(cells, np.ndarray) else objects(cells)
    seconds, bad, found = times(column)
    assert np.allclose(seconds, [1_700_000_000, 1_700_000_001], atol=1e-3)
    assert not bad.any() and found == unit


def test_dates_without_dashes_are_dates():
    seconds, bad, unit = times(objects(["20240229", "", "19991231"]))
    assert unit == "days" and not bad.any()
    expected = np.array(["2024-02-29", "NaT", "1999-12-31"], dtype="datetime64[s]")
    assert seconds[[0, 2]].tolist() == expected[[0, 2]].astype(np.int64).tolist() and np.isnan(seconds[1])
    assert times(objects(["20241345"]))[2] == "s"


def test_an_id_that_is_a_list_is_a_broken_line(tmp_path):
    table = table_of(tmp_path, '{"user": 1, "item": 2}\n{"user": 2, "item": [1]}\n', "log.jsonl")
    with pytest.raises(BrokenLineError, match="line 2: 'item' is not one id"):
        log_of(table)
    assert log_of(table, LoadOptions(on_broken="skip"))[0].lines.tolist() == [1]


def test_missing_times_and_ratings_are_nan_and_a_unit_is_noted(tmp_path):
    log, notes = log_of(table_of(tmp_path, "user,item,timestamp,rating\n1,2,1700000000000,NaN\n1,3,,4\n1,4,null,\n"))
    assert np.isnan(log.times).tolist() == [False, True, True]
    assert np.isnan(log.ratings).tolist() == [True, False, True]
    assert [(note.key, note.facts["unit"]) for note in notes] == [("time_unit", "milliseconds")]


@pytest.mark.parametrize(("column", "cell"), [("rating", "good"), ("timestamp", "yesterday")])
def test_a_cell_that_is_no_number_is_a_broken_line(tmp_path, column, cell):
    row = {"rating": "4", "timestamp": "1700000000"} | {column: cell}
    lines = ["1,1,5,1700000000", f"2,2,{row['rating']},{row['timestamp']}", "3,3,5,1700000000", "4,3,5,1700000000"]
    text = "\n".join(["user,item,rating,timestamp", *lines])
    with pytest.raises(BrokenLineError, match=f"line 3.*{cell}") as caught:
        log_of(table_of(tmp_path, text))
    assert caught.value.line == 3
    log, notes = log_of(table_of(tmp_path, text), LoadOptions(on_broken="skip"))
    assert log.lines.tolist() == [2, 4, 5]
    assert notes[0].facts["lines"] == "3"


def test_items_have_titles_texts_and_attributes(tmp_path):
    text = (
        "item_id,name,description,genres,year,brand,released\n"
        "1,One,First,Drama|War,1994,Acme,2001-05-01\n2,,Second,Drama,1999,Acme,2003-01-31\n3,Three,,,,Best,\n"
    )
    items, notes = items_of(table_of(tmp_path, text, "items.csv"))
    assert items.titles == ("One", "2", "Three")
    assert items.texts == ("First", "Second", "")
    assert items.labels["genres"] == [("Drama", "War"), ("Drama",), ()]
    assert items.labels["brand"] == [("Acme",), ("Acme",), ("Best",)]
    assert np.array_equal(items.numbers["year"], [1994, 1999, np.nan], equal_nan=True)
    assert ("list_separator", "|") in [(note.key, note.facts.get("separator")) for note in notes]


def test_a_date_becomes_a_year_when_there_is_none():
    _, numbers, notes = attributes({"released": objects(["2001-05-01", None, "1999-12-31"])})
    assert np.array_equal(numbers["year"], [2001, np.nan, 1999], equal_nan=True)
    assert [note.key for note in notes] == ["year_of_date"]


@pytest.mark.parametrize(
    ("cells", "rows"),
    [
        (["a|b", "a", ""], [("a", "b"), ("a",), ()]),
        (["a; b", "b;c"], [("a", "b"), ("b", "c")]),
        (["a, b", "b, c", "a, c"], [("a", "b"), ("b", "c"), ("a", "c")]),
        (['["a", "b,c"]', "[]"], [("a", "b,c"), ()]),
        ([["a", "b"], None], [("a", "b"), ()]),
        (["Smith, John", "Doe, Jane"], [("Smith, John",), ("Doe, Jane",)]),
    ],
)
def test_lists_are_found_by_their_separator(cells, rows):
    assert lists(objects(cells), "x")[0] == rows


def test_a_separator_can_be_forced():
    assert lists(objects(["a/b"]), "x", "/")[0] == [("a", "b")]
    assert lists(objects(["a|b"]), "x", "none")[0] == [("a|b",)]


def test_columns_that_say_nothing_are_left_out_visibly():
    links = objects([f"http://x/{number}" for number in range(30)])
    labels, numbers, notes = attributes({"url": links, "nothing": objects([""] * 30)})
    assert labels == {} and numbers == {}
    assert {note.key for note in notes} == {"all_different", "empty_column"}
    assert "url" in attributes({"url": links}, LoadOptions(attributes=("url",)))[0]


def test_a_nearly_numeric_column_is_numeric():
    column = objects([*[str(number) for number in range(99)], "V"])
    _, numbers, notes = attributes({"year": column})
    assert np.isnan(numbers["year"]).sum() == 1
    assert notes[0].facts["cells"] == "'V'"


def test_ids_are_sorted_as_people_do():
    assert natural(["10", "2", "01", "1"]) == ("01", "1", "2", "10")
    assert natural(["u10", "u2", "a", "u2b"]) == ("a", "u2", "u2b", "u10")
    assert natural(["²", "3", "x1"]) == natural(["x1", "²", "3"])


def test_ids_of_any_type_become_strings():
    assert encode(np.array([10, 2, 10])) == (("2", "10"), pytest.approx([1, 0, 1]))
    ids, codes = encode(objects([1.0, None, " x ", "nan", 7]))
    assert ids == ("1", "7", "x") and codes.tolist() == [0, -1, 2, -1, 1]


@pytest.mark.parametrize("header", ["user,item,Rating,rating", "user,User,item,rating"])
def test_two_columns_of_one_name_but_for_case_are_refused_until_one_is_chosen(tmp_path, header):
    table = table_of(tmp_path, f"{header}\n1,2,3,4\n")
    with pytest.raises(DataError, match="several columns for (rating: Rating, rating|user: user, User).*interaction_columns"):
        log_of(table)
    role, column = ("rating", "rating") if "Rating" in header else ("user", "User")
    log, _ = log_of(table, LoadOptions(interaction_columns={role: column}))
    assert (log.ratings.tolist(), log.user_ids) == ([4.0], ("1",) if role == "rating" else ("2",))


def test_a_file_without_header_whose_first_line_repeats_a_number_is_recognised(tmp_path):
    with pytest.raises(DataError, match="column '3' more than once. The first line looks like data: .*data.options.header="):
        table_of(tmp_path, "196,3,3,881250949\n186,302,3,891717742\n")


def test_a_number_among_dates_is_not_called_no_number(tmp_path):
    table = table_of(tmp_path, "user,item,timestamp\na,1,2020-01-01\nb,2,1577836800\nc,3,2020-01-02\n")
    with pytest.raises(BrokenLineError, match="line 3: 'timestamp' is not of one form: most of the column are dates.*'1577836800'"):
        log_of(table)
    with pytest.raises(BrokenLineError, match="line 2: 'timestamp' is not a time .a number of seconds, or ISO"):
        log_of(table_of(tmp_path, "user,item,timestamp\na,1,today\nb,2,2020-01-01\n"))
