"""Raw rows and PETER's records are read, whatever else a pickle asks for is refused, and divisions hold what they promise."""

from __future__ import annotations

import json
import os
import pickle
from collections import Counter

import pytest

from instructrec.data.plain_values import plain_values
from instructrec.data.reviews import Review, published_split, random_split, read_reviews
from instructrec.errors import BrokenLineError, DataError

RECORDS = [
    {"user": "u1", "item": "i1", "rating": 4, "template": ("sound", "great", "the sound  is great", 1), "predicted": "sound"},
    {"user": 7, "item": "i2", "rating": 2.5, "template": ("strap", "weak", "a weak strap", -1), "predicted": "strap"},
]
READ = [
    Review(user="u1", item="i1", rating=4.0, feature="sound", opinion="great", sentence="the sound is great", sentiment=1),
    Review(user="7", item="i2", rating=2.5, feature="strap", opinion="weak", sentence="a weak strap", sentiment=-1),
]


def rows(*changes):
    row = {"reviewerID": "u", "asin": "i", "overall": 5.0, "unixReviewTime": 1_400_000_000, "reviewText": "Great."}
    return "".join(json.dumps(row | change) + "\n" for change in changes)


def test_records_are_read_alike_from_pickle_and_json_lines(tmp_path):
    (tmp_path / "reviews.pickle").write_bytes(pickle.dumps(RECORDS))
    (tmp_path / "reviews.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    assert read_reviews(tmp_path / "reviews.pickle") == read_reviews(tmp_path / "reviews.jsonl") == READ


class Harm:
    def __reduce__(self):
        return os.mkdir, (os.environ["HARM"],)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_asks_for_code_is_refused_before_it_runs(tmp_path, monkeypatch, protocol):
    monkeypatch.setenv("HARM", str(tmp_path / "harm"))
    (tmp_path / "reviews.pickle").write_bytes(pickle.dumps([*RECORDS, {"user": Harm()}], protocol=protocol))
    with pytest.raises(DataError, match="not a pickle of plain values .*mkdir"):
        read_reviews(tmp_path / "reviews.pickle")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps(RECORDS)[:40], pickle.dumps({"a": 1}), pickle.dumps([1])])
def test_other_pickles_are_refused(tmp_path, content):
    (tmp_path / "reviews.pickle").write_bytes(content)
    with pytest.raises(DataError, match=r"reviews\.pickle is not a"):
        read_reviews(tmp_path / "reviews.pickle")
    with pytest.raises(DataError, match="cannot be read"):
        read_reviews(tmp_path / "missing.pickle")


@pytest.mark.parametrize("template", [None, ["sound", "great", "a sentence"], ["sound", "great", 3, 1], ["a", "b", "c", "1"]])
def test_a_record_without_its_four_parts_is_named(tmp_path, template):
    (tmp_path / "reviews.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in [RECORDS[0], RECORDS[1] | {"template": template}])
    )
    with pytest.raises(BrokenLineError, match="line 2: 'template' is not a feature, an adjective, a sentence and a score"):
        read_reviews(tmp_path / "reviews.jsonl")


def test_raw_rows_keep_the_first_text_of_a_pair(tmp_path):
    path = tmp_path / "reviews.json"
    path.write_text(rows({}, {"reviewText": "Again."}, {"asin": "j", "reviewText": None}, {"asin": "k", "unixReviewTime": None}))
    assert read_reviews(path) == [
        Review(user="u", item="i", rating=5.0, time=1_400_000_000, text="Great."),
        Review(user="u", item="k", rating=5.0, text="Great."),
    ]


def test_rows_that_are_no_reviews_are_refused(tmp_path):
    path = tmp_path / "reviews.json"
    path.write_text(rows({}, {"overall": "five"}))
    with pytest.raises(BrokenLineError, match=r"line 2: 'overall' is not a rating \(a number\).*five"):
        read_reviews(path)
    path.write_text('{"user": 1, "item": 2}\n')
    with pytest.raises(DataError, match="has the columns user, item, which are no reviews"):
        read_reviews(path)
    path.write_text('{"user": 1, "template": 2}\n')
    with pytest.raises(DataError, match="has no 'item' beside 'template'"):
        read_reviews(path)


def indexed(folder, train, valid, test):
    for name, text in (("train", train), ("validation", valid), ("test", test)):
        (folder / f"{name}.index").write_text(text)
    return folder


def test_a_published_division_is_taken_as_it_is(tmp_path):
    reviews = [Review(user=str(number), item="i", rating=1.0) for number in range(5)]
    parts = published_split(reviews, indexed(tmp_path, "4 0", "2", "1\n"))
    assert [[review.user for review in part] for part in (parts.train, parts.valid, parts.test)] == [["4", "0"], ["2"], ["1"]]


@pytest.mark.parametrize(
    ("train", "valid", "message"),
    [
        ("0 5", "1", "names the review 5, but there are 5"),
        ("0 one", "1", "no list of whole numbers"),
        ("0 1", "1", "a review twice"),
    ],
)
def test_a_division_that_does_not_fit_is_refused(tmp_path, train, valid, message):
    reviews = [Review(user=str(number), item="i", rating=1.0) for number in range(5)]
    with pytest.raises(DataError, match=message):
        published_split(reviews, indexed(tmp_path, train, valid, "2"))


def world(users=30, items=20):
    return [Review(user=f"u{u}", item=f"i{i}", rating=3.0) for u in range(users) for i in range(items) if (u * 7 + i * 3) % 5 < 2]


@pytest.mark.parametrize("seed", range(5))
def test_a_random_division_keeps_every_user_and_item_in_train(seed):
    reviews = world()
    parts = random_split(reviews, seed=seed)
    assert len(parts.valid) == len(parts.test) == len(reviews) // 10
    together = Counter((review.user, review.item) for part in (parts.train, parts.valid, parts.test) for review in part)
    assert together == Counter((review.user, review.item) for review in reviews)
    assert {review.user for review in parts.train} == {review.user for review in reviews}
    assert {review.item for review in parts.train} == {review.item for review in reviews}
    assert parts == random_split(reviews, seed=seed) != random_split(reviews, seed=seed + 1)


def test_too_few_reviews_cannot_be_divided():
    with pytest.raises(DataError, match="only 0 can be held out, and 4 were wanted"):
        random_split([Review(user=str(number), item=str(number), rating=1.0) for number in range(20)])


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_out_as_they_went_in_by_every_protocol(protocol):
    same = ["x", 1]
    values = [
        {"user": "u", "n": [1, -2, 300, 2**40, 2**80], "x": 1.5, "none": None, "yes": True, "no": False, "empty": [(), [], {}]},
        ("a", ("b", ("c", "d", "e", "f"), ("g",)), "héllo", ""),
        [same, same, {1: "one", "two": 2}],
    ]
    assert plain_values(pickle.dumps(values, protocol=protocol)) == values


@pytest.mark.parametrize("content", [b"", b"abc", b"\x80\x04.", pickle.dumps([1, 2])[:-1], b"\x80\x04]q\x00(K\x01", b"h\x05."])
def test_a_damaged_file_is_said_to_be_one(content):
    with pytest.raises(ValueError):
        plain_values(content)
