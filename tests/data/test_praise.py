"""Reviews become attributes of items, and those of held-out interactions stay silent whatever the split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from instructrec import parquet
from instructrec.data import CleaningConfig, LoadOptions, SplitConfig, load, split
from instructrec.data.opinions import Opinion, claims_in, lexicon, own_features
from instructrec.data.praise import CRITICISED, PRAISED, with_praise
from instructrec.errors import ConfigError, DataError
from instructrec.instructions import parse
from instructrec.tables import Catalog, Dataset, Interactions, Labels, Written

KNOWN = lexicon()
START = 1_500_000_000


def world(texts, *, others=("The strap is great.",) * 5):
    """A dataset in which user u reviews item i at time t with `texts[u, i, t]`; `others` review item 9, so that words are known."""
    rows = [(user, item, time, text) for (user, item, time), text in texts.items()]
    rows += [(100 + number, 9, number, text) for number, text in enumerate(others)]
    rows.sort(key=lambda row: (row[0], row[2]))
    users = sorted({row[0] for row in rows})
    log = Interactions(
        user_ids=tuple(f"u{user}" for user in users),
        users=np.array([users.index(row[0]) for row in rows], dtype=np.int64),
        items=np.array([row[1] for row in rows], dtype=np.int64),
        timestamps=np.array([START + row[2] for row in rows], dtype=np.int64),
        ratings=np.full(len(rows), np.nan, dtype=np.float32),
        reviews=tuple(Written(row[3], START + row[2]) for row in rows),
    )
    catalog = Catalog(item_ids=tuple(f"i{item}" for item in range(10)), titles=tuple(f"Thing {item}" for item in range(10)))
    return Dataset(name="straps", interactions=log, catalog=catalog)


def all_of_it(dataset):
    """A split whose training part is the whole dataset."""
    held = split(replace(dataset, interactions=dataset.interactions), SplitConfig(kind="leave-one-out"))
    return replace(held, train=dataset)


def labels_of(parts, item):
    labels = parts.train.catalog.labels
    return {name: dict(labels[name].people_of(item)) for name in (PRAISED, CRITICISED) if name in labels and labels[name].of(item)}


def three_each(texts):
    """The texts, and two more items for three users, so that each has something to hold out."""
    return texts | {(user, item, 50 + item): "" for user in (0, 1, 2) for item in (7, 8)}


GOOD, BAD = "The strap is great.", "A flimsy strap, bad strap."


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([GOOD, GOOD], {PRAISED: {"good strap": 2}}),
        ([GOOD, GOOD, GOOD, BAD], {PRAISED: {"good strap": 3}}),
        ([GOOD, GOOD, BAD], {}),
        ([BAD, BAD, BAD, GOOD], {CRITICISED: {"bad strap": 3}}),
        ([GOOD, "It came."], {}),
        (["Nice strap. Great strap. Good strap!", "Nothing."], {}),
        ([f"{GOOD} Terrible strap.", GOOD], {}),
    ],
)
def test_so_many_reviewers_must_be_of_one_mind(said, expected):
    texts = three_each({(user, 0, user): text for user, text in enumerate(said)})
    assert labels_of(with_praise(all_of_it(world(texts)), least=2), 0) == expected


HELD = {(user, 0, 90): GOOD for user in (0, 1, 2)}
"""The last thing that three users did: in the test under every split."""


@pytest.mark.parametrize("kind", ["leave-one-out", "ratio", "time"])
def test_reviews_of_held_out_interactions_stay_silent(kind):
    texts = three_each(HELD | {(user, 5, 10 + user): "" for user in (0, 1, 2)})
    parts = split(world(texts), SplitConfig(kind=kind, valid_fraction=0.25, test_fraction=0.25))
    tested = {int(target) for targets in parts.test.targets for target in targets}
    assert 0 in tested
    silent = with_praise(parts, least=2)
    assert labels_of(silent, 0) == {}
    assert labels_of(silent, 9) == {PRAISED: {"good strap": 5}}
    # The same words count as soon as they are in the training part.
    assert labels_of(with_praise(all_of_it(world(texts)), least=2), 0) == {PRAISED: {"good strap": 3}}


def test_a_held_out_review_changes_nothing_whatever_it_says():
    texts = three_each({(user, 0, user): GOOD for user in (0, 1)})
    labels = []
    for held in ("", BAD, "The zither is great. Great zither." * 9):
        parts = split(world(texts | {(user, 1, 95): held for user in (0, 1, 2)}), SplitConfig(kind="leave-one-out"))
        labels.append(with_praise(parts, least=2).train.catalog.labels[PRAISED])
    assert labels_of(with_praise(parts, least=2), 0) == {PRAISED: {"good strap": 2}}
    assert all(found.names == labels[0].names and np.array_equal(found.codes, labels[0].codes) for found in labels)


def test_a_review_that_came_after_training_stays_silent():
    texts = three_each({(user, 0, user): GOOD for user in (0, 1)})
    parts = split(world(texts), SplitConfig(kind="leave-one-out"))
    log = parts.train.interactions
    late = tuple(Written(review.text, int(log.timestamps.max()) + 1) for review in log.reviews)
    parts = replace(parts, train=parts.train.with_interactions(replace(log, reviews=late)))
    assert with_praise(parts, least=2).train.catalog.labels == {}


def test_an_attribute_of_its_own_is_not_overwritten():
    dataset = world(three_each(HELD))
    taken = replace(dataset.catalog, labels={PRAISED: Labels.build([["x"]] * 10)})
    parts = split(replace(dataset, catalog=taken), SplitConfig(kind="leave-one-out"))
    with pytest.raises(DataError, match="attribute 'praised' of its own.*item_columns"):
        with_praise(parts, least=2)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("the strap is great", [Opinion("strap", "great", 1)]),
        ("the strap is too long", [Opinion("strap", "long", -1)]),
        ("the strap is not too long", []),
        ("the strap is long", []),
        ("a low price", [Opinion("price", "low", 1)]),
        ("a low strap", []),
        ("i was looking for a great strap", []),
        ("other makers have a great strap", []),
        ("a better strap", []),
    ],
)
def test_only_claims_that_stand_for_themselves_count(sentence, expected):
    assert claims_in(sentence.split(), KNOWN, frozenset({"strap", "price"})) == expected


def test_features_of_an_item_are_not_the_item_nor_the_reviewers_nor_names():
    texts = ["I like this pedal, a great pedal. My great guitar. The Boss is great, a great Boss. The sound is great, great sound."]
    assert own_features(texts * 5, KNOWN) == {"sound": "sound"}


def test_singular_and_plural_are_one_feature():
    assert own_features(["Great tone. Nice tones. Great tone!"] * 5, KNOWN) == {"tone": "tone", "tones": "tone"}


def test_labels_of_reviewers_are_kept_on_disk_and_when_items_come(tmp_path):
    people = Labels.said([{"good sound": 3, "good price": 2}, {}], 1)
    catalog = Catalog(item_ids=("a", "b"), titles=("A", "B"), labels={"genres": Labels.build([["x"], []]), PRAISED: people})
    parquet.write_catalog(catalog, tmp_path / "catalog.parquet")
    read = parquet.read_catalog(tmp_path / "catalog.parquet").labels
    assert (read[PRAISED].sentiment, dict(read[PRAISED].people_of(0))) == (1, {"good sound": 3, "good price": 2})
    assert read["genres"].sentiment == 0 and read["genres"].people_of(0) == {}
    more = Catalog(item_ids=("c",), titles=("C",), labels={PRAISED: Labels.build([["good sound"]])})
    grown = catalog.add(more).labels[PRAISED]
    assert [dict(grown.people_of(item)) for item in range(3)] == [{"good sound": 3, "good price": 2}, {}, {"good sound": 0}]
    assert grown.sentiment == 1


LOG = "user,item,timestamp\na,1,1500000000\nb,1,1500000001\na,2,1500000002\na,1,1500000009\n"
REVIEWS = (
    "user,item,text,timestamp\na,1,Great strap,1500000005\nb,1,Nice strap,1600000000\nc,1,Apart,1500000000\na,1,Again,1500000006\n"
)


def test_reviews_beside_the_interactions_belong_to_the_last_of_their_pair(tmp_path):
    (tmp_path / "interactions.csv").write_text(LOG, encoding="utf-8")
    (tmp_path / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    found = load(tmp_path, options=LoadOptions(reviewers=2), cleaning=CleaningConfig(repeated="keep"))
    log = found.dataset.interactions
    said = {
        (log.user_ids[user], int(time)): review for user, time, review in zip(log.users, log.timestamps, log.reviews, strict=True)
    }
    assert said[("a", 1500000000)] == Written() and said[("a", 1500000009)] == Written("Great strap", 1500000009)
    assert said[("b", 1500000001)] == Written("Nice strap", 1600000000)
    assert "reviews.csv: 1 reviews belong to no interaction and are left out" in found.report.lines()
    unread = load(tmp_path)
    assert unread.dataset.interactions.reviews == ()
    assert any("reviews.csv is not read" in line for line in unread.report.lines())


def test_reviews_may_be_a_column_of_the_interactions(tmp_path):
    (tmp_path / "log.csv").write_text("user,item,timestamp,said\na,1,1500000000,Fine\nb,1,1500000001,\n", encoding="utf-8")
    options = LoadOptions(reviewers=2, interaction_columns={"review": "said"})
    log = load(tmp_path / "log.csv", options=options).dataset.interactions
    assert log.reviews == (Written("Fine", 1500000000), Written("", 1500000001))
    with pytest.raises(DataError, match="has no reviews. Put reviews.csv"):
        load(tmp_path / "log.csv", options=LoadOptions(reviewers=2))
    with pytest.raises(ConfigError, match="reviewers is -1"):
        LoadOptions(reviewers=-1)


@pytest.mark.parametrize(
    ("words", "operator", "attribute", "value"),
    [
        ("something with good sound", "include", PRAISED, "good sound"),
        ("I want great sound", "include", PRAISED, "good sound"),
        ("nothing with bad sound please", "exclude", CRITICISED, "bad sound"),
        ("no poor sound", "exclude", CRITICISED, "bad sound"),
    ],
)
def test_limits_in_words_reach_what_reviewers_say(words, operator, attribute, value):
    texts = {(user, 0, user): "The sound is great. Great sound!" for user in range(3)}
    texts |= {(user + 10, 1, user): "Terrible sound. The sound is bad." for user in range(3)}
    catalog = with_praise(all_of_it(world(three_each(texts))), least=2).train.catalog
    [limit] = parse(words, catalog).limits
    assert (limit.operator, limit.attribute, limit.values) == (operator, attribute, (value,))
