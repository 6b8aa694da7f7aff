"""Splits never let a user's own future into training; the time split lets nobody's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.data.split import SplitConfig, split
from instructrec.data.synthetic import FIRST_SECOND
from instructrec.errors import ConfigError, DataError
from instructrec.tables import Catalog, Dataset, Interactions

KINDS = ["leave-one-out", "time", "ratio", "since"]


def dataset_of(rows, num_items=12):
    """rows: (user, item, seconds after the first second), in order of arrival."""
    num_users = max((user for user, _, _ in rows), default=-1) + 1
    users, items, times = (np.array([row[place] for row in rows], dtype=np.int64) for place in range(3))
    order = np.lexsort((np.arange(len(rows)), times, users))
    log = Interactions(
        user_ids=tuple(f"u{user}" for user in range(num_users)),
        users=users[order],
        items=items[order],
        timestamps=FIRST_SECOND + times[order],
        ratings=np.full(len(rows), np.nan, dtype=np.float32),
    )
    ids = tuple(f"i{item}" for item in range(num_items))
    return Dataset(name="drawn", interactions=log, catalog=Catalog(item_ids=ids, titles=ids))


logs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 11), st.integers(0, 40)), min_size=3, max_size=70)


def try_split(rows, kind, **settings_):
    dataset = dataset_of(rows)
    settings_ = {"since": FIRST_SECOND + 20} | settings_ if kind == "since" else settings_
    try:
        return dataset, split(dataset, SplitConfig(kind=kind, **settings_))
    except DataError as error:
        assert "no validation query" in str(error) or "no test query" in str(error)
        return dataset, None


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(rows=logs)
def test_a_history_is_exactly_what_the_user_did_before_the_target(kind, rows):
    dataset, parts = try_split(rows, kind)
    if parts is None:
        return
    log, ids = dataset.interactions, dataset.catalog.item_ids
    for holdout in (parts.valid, parts.test):
        assert len(holdout.queries) == len(holdout.targets) == len(holdout.user_codes)
        for query, targets, user in zip(holdout.queries, holdout.targets, holdout.user_codes, strict=True):
            rows_of_user = slice(log.offsets[user], log.offsets[user + 1])
            own = [ids[code] for code in log.items[rows_of_user]]
            length = len(query.history)
            assert query.user == log.user_ids[user]
            assert query.history == tuple(own[:length])
            assert ids[targets[0]] == own[length]
            assert query.time == log.timestamps[rows_of_user][length]
            assert (log.timestamps[rows_of_user][:length] <= query.time).all()
            assert len(set(targets.tolist())) == len(targets)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(rows=logs)
def test_nothing_a_user_is_asked_for_was_trained_on(kind, rows):
    dataset, parts = try_split(rows, kind)
    if parts is None:
        return
    train, known = parts.train.interactions, parts.known.interactions
    for holdout, learnt in ((parts.valid, train), (parts.test, known)):
        for query, user in zip(holdout.queries, holdout.user_codes, strict=True):
            seen = [dataset.catalog.item_ids[code] for code in learnt.history(user)]
            # What was learnt of this user is a beginning of the history: the target and all after it are missing.
            assert tuple(seen) == query.history[: len(seen)]
    assert len(train) <= len(known) <= len(dataset.interactions)
    assert train.user_ids == dataset.interactions.user_ids
    assert parts.train.catalog is parts.known.catalog
    assert parts.train.catalog.item_ids == dataset.catalog.item_ids


@settings(max_examples=40, deadline=None)
@given(rows=logs, valid=st.floats(0.05, 0.4), test=st.floats(0.05, 0.4))
def test_no_future_of_anybody_is_in_the_training_of_the_time_split(rows, valid, test):
    dataset, parts = try_split(rows, "time", valid_fraction=valid, test_fraction=test)
    if parts is None:
        return
    first_asked = min(query.time for query in parts.valid.queries)
    first_tested = min(query.time for query in parts.test.queries)
    assert parts.train.interactions.timestamps.max(initial=0) < first_asked
    assert parts.known.interactions.timestamps.max(initial=0) < first_tested
    for holdout in (parts.valid, parts.test):
        assert len(set(holdout.user_codes.tolist())) == len(holdout)


@settings(max_examples=25, deadline=None)
@given(rows=logs)
def test_leave_one_out_asks_for_the_last_two(rows):
    dataset, parts = try_split(rows, "leave-one-out")
    if parts is None:
        return
    log = dataset.interactions
    enough = np.flatnonzero(np.diff(log.offsets) >= 3)
    assert np.array_equal(parts.test.user_codes, enough)
    for place, user in enumerate(enough):
        history = log.history(user)
        assert parts.test.targets[place].tolist() == [history[-1]]
        assert parts.valid.targets[place].tolist() == [history[-2]]
        assert np.array_equal(parts.train.interactions.history(user), history[:-2])
    for user in np.flatnonzero(np.diff(log.offsets) < 3):
        assert np.array_equal(parts.train.interactions.history(user), log.history(user))


@settings(max_examples=25, deadline=None)
@given(rows=logs, valid=st.floats(0.05, 0.45), test=st.floats(0.05, 0.45))
def test_ratio_leaves_something_in_every_part_of_every_user(rows, valid, test):
    dataset, parts = try_split(rows, "ratio", valid_fraction=valid, test_fraction=test)
    if parts is None:
        return
    log = dataset.interactions
    for place, user in enumerate(parts.test.user_codes):
        count = len(log.history(user))
        trained, known = len(parts.train.interactions.history(user)), len(parts.known.interactions.history(user))
        assert 1 <= trained < known < count
        assert set(parts.test.targets[place].tolist()) == set(log.history(user)[known:].tolist())


def test_ratio_shares_are_those_asked_for():
    rows = [(0, item, item) for item in range(10)] + [(1, item, item) for item in range(10)]
    parts = split(dataset_of(rows), SplitConfig(kind="ratio", valid_fraction=0.2, test_fraction=0.3))
    assert [len(targets) for targets in parts.valid.targets] == [2, 2]
    assert [len(targets) for targets in parts.test.targets] == [3, 3]


def test_time_histories_hold_what_happened_inside_the_window():
    rows = [(0, 0, 0), (0, 1, 60), (0, 2, 61), (0, 3, 90), (1, 4, 1), (1, 5, 62), *[(2, item, item) for item in range(12)]]
    parts = split(dataset_of(rows), SplitConfig(kind="time", valid_fraction=0.2, test_fraction=0.1))
    asked = {(part, query.user): query.history for part in ("valid", "test") for query in getattr(parts, part).queries}
    assert asked["valid", "u0"] == ("i0", "i1")
    assert asked["test", "u0"] == ("i0", "i1", "i2")
    assert asked["test", "u1"] == ("i4",)


def test_time_keeps_new_people_when_asked():
    rows = [*[(0, item, item) for item in range(10)], (1, 3, 100), (0, 10, 101), (1, 4, 110), (0, 11, 120)]
    dataset = dataset_of(rows)
    config = {"kind": "time", "valid_fraction": 0.15, "test_fraction": 0.15}
    assert 1 not in split(dataset, SplitConfig(**config)).valid.user_codes
    assert 1 in split(dataset, SplitConfig(**config, min_history=0)).valid.user_codes


def test_protocols_say_what_leaks():
    rows = [(user, item, 10 * item + user) for user in range(4) for item in range(8)]
    texts = {kind: try_split(rows, kind)[1].protocol for kind in KINDS}
    assert "other users' future leaks" in texts["leave-one-out"]
    assert "other users' future leaks" in texts["ratio"]
    for kind in ("time", "since"):
        assert "No future of anybody" in texts[kind] and "2001-09-09" in texts[kind]


def test_times_that_are_positions_cannot_be_split_by_time():
    rows = [(user, item, item - FIRST_SECOND) for user in range(3) for item in range(5)]
    with pytest.raises(DataError, match="no times.*leave-one-out or ratio"):
        split(dataset_of(rows), SplitConfig(kind="time"))


def test_too_little_data_says_what_is_needed():
    with pytest.raises(DataError, match="users with 3 or more"):
        split(dataset_of([(0, 0, 0), (1, 1, 1)]))
    with pytest.raises(DataError, match="both sides of the cut"):
        split(dataset_of([(0, 0, 5), (0, 1, 5), (1, 1, 5)]), SplitConfig(kind="time"))


@pytest.mark.parametrize("settings_", [{"test_fraction": 0.0}, {"valid_fraction": 0.6, "test_fraction": 0.5}])
def test_impossible_fractions_are_refused(settings_):
    with pytest.raises(ConfigError, match="above 0"):
        SplitConfig(**settings_)


def test_an_unknown_split_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'leave-one-out'"):
        SplitConfig(kind="leave-one")


@settings(max_examples=40, deadline=None)
@given(rows=logs, since=st.integers(1, 40), share=st.floats(0.05, 0.6))
def test_since_asks_for_all_that_came_after_a_moment_and_lets_nothing_of_it_into_training(rows, since, share):
    moment = FIRST_SECOND + since
    dataset, parts = try_split(rows, "since", since=moment, valid_fraction=share)
    if parts is None:
        return
    log, ids = dataset.interactions, dataset.catalog.item_ids
    assert parts.known.interactions.timestamps.max() < moment
    before = int((log.timestamps < moment).sum())
    assert len(parts.known.interactions) == before
    assert 1 <= len(parts.valid) <= np.ceil(share * before)
    assert len(parts.train.interactions) == before - len(parts.valid)
    for query, targets, user in zip(parts.test.queries, parts.test.targets, parts.test.user_codes, strict=True):
        own = slice(log.offsets[user], log.offsets[user + 1])
        later = log.items[own][log.timestamps[own] >= moment]
        assert query.history == tuple(ids[code] for code in log.items[own][log.timestamps[own] < moment])
        assert query.time >= moment
        assert targets.tolist() == list(dict.fromkeys(later.tolist()))
    for query, user in zip(parts.valid.queries, parts.valid.user_codes, strict=True):
        assert query.history == tuple(ids[code] for code in parts.train.interactions.history(user))


def test_since_keeps_new_people_when_asked():
    rows = [*[(0, item, item) for item in range(10)], (0, 10, 50), (1, 4, 50)]
    asked = {
        least: split(
            dataset_of(rows), SplitConfig(kind="since", since=FIRST_SECOND + 20, min_history=least)
        ).test.user_codes.tolist()
        for least in (1, 0)
    }
    assert asked == {1: [0], 0: [0, 1]}


def test_since_needs_a_moment():
    with pytest.raises(ConfigError, match="needs the moment at which its test begins"):
        SplitConfig(kind="since")
