"""Each cleaning step does what its line of the report says, and never touches its input."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.data.cleaning import CLEANERS, CleaningConfig, clean
from instructrec.data.missing import fill
from instructrec.data.raw import Log
from instructrec.errors import ConfigError

NONE = float("nan")
START = 1_000_000_000.0


def log_of(rows, kinds=()):
    """rows: (user, item, seconds after the start, rating), in order of arrival."""
    users, items, times, ratings = (np.array([row[place] for row in rows], dtype=np.float64) for place in range(4))
    names = tuple(sorted(set(kinds)))
    return Log(
        user_ids=tuple(f"u{user}" for user in range(int(users.max(initial=-1)) + 1)),
        item_ids=tuple(f"i{item}" for item in range(int(items.max(initial=-1)) + 1)),
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        times=START + times,
        ratings=ratings,
        kinds=np.array([names.index(kind) for kind in kinds], dtype=np.int64),
        kind_names=names,
        lines=np.arange(2, len(rows) + 2),
    )


def step_of(log, **config):
    """The cleaned log and the steps by name."""
    cleaned, steps = clean(log, CleaningConfig(**config))
    return cleaned, {step.name: step for step in steps}


def rows_of(log):
    return list(zip(log.users.tolist(), log.items.tolist(), (log.times - START).tolist(), strict=True))


def test_rows_without_ids_are_dropped_with_their_lines():
    log, steps = step_of(log_of([(0, 0, 0, 5), (-1, 0, 1, 5), (1, -1, 2, 5), (1, 0, 3, 5)]))
    assert rows_of(log) == [(0, 0, 0), (1, 0, 3)]
    assert steps["missing_ids"].removed == 2
    assert steps["missing_ids"].examples == ("line 3: user ?, item i0", "line 4: user u1, item ?")


def test_impossible_values_count_as_missing():
    rows = [(0, 0, 0, 5), (0, 1, 1, 9), (0, 2, -START, 4), (0, 3, 4e9, 4), (0, 4, 4, float("inf")), (1, 1, 5, 3)]
    log, steps = step_of(log_of(rows), rating_range=(1, 5))
    assert rows_of(log) == [(0, 0, 0), (1, 1, 5)]
    assert steps["impossible"].facts == {"ratings": "2", "times": "2"}
    assert steps["missing_ratings_dropped"].removed == 2 and steps["missing_times_dropped"].removed == 2


@pytest.mark.parametrize(
    ("policy", "value"),
    [("mean", 3.0), ("median", 2.0), ("interpolate", 4.5)],
)
def test_missing_ratings_are_filled_as_asked(policy, value):
    # Item 1 was rated 2, 2 and 5 by others; user 0 rated 4 just before and 5 just after in time.
    rows = [(0, 2, 9, 5), (0, 1, 5, NONE), (0, 0, 1, 4), (1, 1, 0, 2), (2, 1, 0, 2), (3, 1, 0, 5)]
    log, steps = step_of(log_of(rows), missing_rating=policy)
    assert log.ratings[(log.users == 0) & (log.items == 1)].tolist() == [value]
    assert steps["missing_ratings_filled"].facts == {"count": "1", "how": policy}
    assert len(log) == 6


def test_missing_ratings_can_stay():
    log, steps = step_of(log_of([(0, 0, 0, NONE), (0, 1, 1, 4)]), missing_rating="keep")
    assert np.isnan(log.ratings).tolist() == [True, False]
    assert steps["missing_ratings_kept"].facts["count"] == "1"


def test_kinds_that_never_have_a_rating_miss_none():
    log, steps = step_of(log_of([(0, 0, 0, NONE), (0, 1, 1, 4), (0, 2, 2, NONE)], kinds=["click", "rating", "rating"]))
    assert log.items.tolist() == [0, 1]
    assert steps["missing_ratings_dropped"].examples == ("line 4: user u0, item i2",)


def test_data_without_ratings_misses_none():
    assert len(step_of(log_of([(0, 0, 0, NONE), (0, 1, 1, NONE)]))[0]) == 2


@pytest.mark.parametrize(("policy", "second"), [("mean", 5.0), ("median", 5.0), ("interpolate", 9.0)])
def test_missing_times_are_filled_as_asked(policy, second):
    log, _ = step_of(log_of([(0, 0, 0, 1), (0, 1, 8, 1), (0, 2, NONE, 1), (0, 3, 10, 1), (0, 4, 2, 1)]), missing_time=policy)
    filled = dict(zip(log.items.tolist(), (log.times - START).tolist(), strict=True))[2]
    assert filled == pytest.approx(second)
    assert len(log) == 5


def test_times_that_nothing_can_fill_are_dropped():
    log, steps = step_of(log_of([(0, 0, NONE, 1), (1, 1, NONE, 1)]), missing_time="mean")
    assert len(log) == 0 and steps["missing_times_filled"].removed == 2


def test_exact_duplicates_go_and_near_ones_stay():
    rows = [(0, 0, 0, 5), (0, 0, 0, 5), (0, 0, 0, 4), (0, 0, 1, 5), (1, 0, 0, NONE), (1, 0, 0, NONE)]
    log, steps = step_of(log_of(rows), repeated="keep", missing_rating="keep")
    assert steps["exact_duplicates"].removed == 2
    assert steps["exact_duplicates"].examples == ("line 3: user u0, item i0", "line 7: user u1, item i0")
    assert len(log) == 4
    assert "exact_duplicates_kept" in step_of(log_of(rows), exact_duplicates=False)[1]


@pytest.mark.parametrize(("policy", "kept"), [("first", [1.0]), ("last", [9.0]), ("keep", [1.0, 5.0, 9.0])])
def test_repeated_pairs_keep_the_first_or_last_in_time(policy, kept):
    log, steps = step_of(log_of([(0, 0, 5, 1), (0, 0, 1, 1), (0, 0, 9, 1), (1, 0, 0, 1)]), repeated=policy)
    assert [row[2] for row in rows_of(log) if row[0] == 0] == kept
    step = steps["repeated_kept" if policy == "keep" else f"repeated_{policy}"]
    assert step.removed == (0 if policy == "keep" else 2)


def test_a_rule_turns_ratings_into_implicit_feedback():
    log, steps = step_of(log_of([(0, 0, 0, 5), (0, 1, 1, 3), (1, 1, 2, 4)]), rule="rating>=4")
    assert rows_of(log) == [(0, 0, 0), (1, 1, 2)]
    assert steps["rule"].removed == 1 and "rating>=4" in steps["rule"].text()


def crowd(extra=()):
    """Forty people choose ten of forty items, popular ones more often; then the extra rows."""
    rng = np.random.default_rng(0)
    chances = 1 / np.arange(1, 41) ** 1.2
    rows = []
    for user in range(40):
        chosen = rng.choice(40, size=10, replace=False, p=chances / chances.sum())
        rows += [(user, int(item), 10_000 * user + 500 * place, 4) for place, item in enumerate(chosen)]
    return log_of([*rows, *extra])


def test_people_are_no_outliers():
    assert "no_outliers" in step_of(crowd())[1]


@pytest.mark.parametrize(
    ("extra", "fact", "config"),
    [
        ([(40, item, 7, 4) for item in range(25)], "fast_users", {}),
        ([(40, item % 41, 60 * item, 4) for item in range(400)], "busy_users", {"repeated": "keep"}),
        ([(40, item, 60 * item, 4) for item in range(12)], "busy_users", {"max_per_user": 11}),
        ([(40, item, 9_000 * item, 4) for item in range(1, 40)], "random_users", {}),
        ([(user, 40, 30 * user, 4) for user in range(40)], "burst_items", {}),
        ([(user, 40, 90_000 * user, 4) for user in range(41)], "busy_items", {"max_per_item": 40}),
    ],
)
def test_machines_are_reported_and_dropped_only_when_asked(extra, fact, config):
    log = crowd(extra)
    kept, steps = step_of(log, **config)
    assert steps["outliers_kept"].facts[fact] == "1"
    assert len(kept) == len(log) and "drop_outliers" in steps["outliers_kept"].text()
    dropped, steps = step_of(log, drop_outliers=True, **config)
    code = 40
    assert code not in (dropped.users if "users" in fact else dropped.items)
    assert steps["outliers_dropped"].removed >= len(extra)


def test_k_core_repeats_until_everybody_has_enough():
    # Item 2 goes first, then user 1 has too few, and then item 1.
    rows = [(0, 0, 0, 1), (0, 3, 1, 1), (1, 1, 0, 1), (1, 2, 1, 1), (2, 0, 0, 1), (2, 3, 1, 1), (2, 1, 2, 1)]
    log, steps = step_of(log_of(rows), user_core=2, item_core=2)
    assert rows_of(log) == [(0, 0, 0), (0, 3, 1), (2, 0, 0), (2, 3, 1)]
    assert steps["k_core"].removed == 3


@pytest.mark.parametrize(("how", "expected"), [("minmax", [0, 0.5, 1, 0.5]), ("zscore", [-1.2247449, 0, 1.2247449, 0])])
def test_ratings_are_normalised_for_each_user(how, expected):
    log, _ = step_of(
        log_of([(0, 0, 0, 1), (0, 1, 1, 3), (0, 2, 2, 5), (1, 0, 0, 4), (1, 1, 1, NONE)]), normalise=how, missing_rating="keep"
    )
    assert log.ratings[:4] == pytest.approx(expected)
    assert np.isnan(log.ratings[4])


def test_equal_seconds_stay_in_order_of_arrival_but_fractions_count():
    rows = [(0, 3, 1.0, 1), (0, 1, 1.0, 1), (0, 2, 0.0, 1), (0, 5, 2.7, 1), (0, 4, 2.2, 1)]
    log, steps = step_of(log_of(rows))
    assert log.items.tolist() == [2, 3, 1, 4, 5]
    assert steps["order"].facts["count"] == "4"


def test_every_step_is_reported_in_order_and_in_two_languages():
    cleaned, steps = clean(crowd(), CleaningConfig())
    assert len(steps) == len(CLEANERS)
    for step in steps:
        assert step.text() and "{" not in step.text()
        assert step.text("zh") and step.text("zh") != step.text()
        assert step.text("klingon") == step.text()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"missing_rating": "means"}, "Did you mean 'mean'"),
        ({"missing_time": "keep"}, "Choose one of: drop, mean"),
        ({"normalise": "zscores"}, "Did you mean 'zscore'"),
        ({"repeated": "all"}, "keep, first, last"),
        ({"catalog": "some"}, "all, used"),
        ({"rule": "stars>3"}, "rating, timestamp, kind"),
        ({"rating_range": (5, 1)}, "lowest and the highest"),
    ],
)
def test_settings_that_do_not_exist_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        CleaningConfig(**config)


row = st.tuples(
    st.integers(-1, 4),
    st.integers(-1, 4),
    st.one_of(st.integers(0, 5).map(float), st.just(NONE)),
    st.one_of(st.integers(1, 5).map(float), st.just(NONE)),
)
configs = st.builds(
    CleaningConfig,
    missing_rating=st.sampled_from(["drop", "keep", "mean", "median", "interpolate"]),
    missing_time=st.sampled_from(["drop", "mean", "median", "interpolate"]),
    repeated=st.sampled_from(["keep", "first", "last"]),
    drop_outliers=st.booleans(),
    user_core=st.integers(0, 3),
    item_core=st.integers(0, 3),
    normalise=st.sampled_from(["none", "minmax", "zscore"]),
    rule=st.sampled_from(["", "rating>=3"]),
)


@settings(max_examples=80, deadline=None)
@given(rows=st.lists(row, min_size=1, max_size=40), config=configs)
def test_whatever_comes_the_result_is_clean_and_the_counts_add_up(rows, config):
    log = log_of(rows)
    before = {name: getattr(log, name).copy() for name in ("users", "items", "times", "ratings", "lines")}
    cleaned, steps = clean(log, config)
    for name, column in before.items():
        assert np.array_equal(getattr(log, name), column, equal_nan=column.dtype.kind == "f")
    assert steps[0].before == len(log) and steps[-1].after == len(cleaned)
    assert all(one.after == two.before for one, two in zip(steps[:-1], steps[1:], strict=True))
    assert not np.isnan(cleaned.times).any() and (cleaned.users >= 0).all() and (cleaned.items >= 0).all()
    assert np.array_equal(np.lexsort((cleaned.times, cleaned.users)), np.arange(len(cleaned)))
    if config.missing_rating != "keep" and not np.isnan(cleaned.ratings).all():
        assert not np.isnan(cleaned.ratings).any()
    for codes, core in ((cleaned.users, config.user_core), (cleaned.items, config.item_core)):
        assert all(count == 0 or count >= core for count in np.bincount(codes).tolist())
    if config.repeated != "keep":
        assert len(set(zip(cleaned.users.tolist(), cleaned.items.tolist(), strict=True))) == len(cleaned)
    assert set(cleaned.lines.tolist()) <= set(log.lines.tolist())


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.one_of(st.integers(0, 9).map(float), st.just(NONE)), min_size=1, max_size=20),
    seed=st.integers(0, 9),
    policy=st.sampled_from(["mean", "median"]),
)
def test_filling_equals_the_plain_definition(values, seed, policy):
    column = np.array(values)
    groups = np.random.default_rng(seed).integers(0, 3, size=len(values))
    filled = fill(column, groups, policy)
    known = ~np.isnan(column)
    typical = np.mean if policy == "mean" else np.median
    for place in range(len(values)):
        own = column[(groups == groups[place]) & known]
        others = own if len(own) else column[known]
        expected = column[place] if known[place] or not len(others) else typical(others)
        assert filled[place] == pytest.approx(expected, nan_ok=True)


def test_a_million_rows_are_cleaned_in_seconds():
    rng = np.random.default_rng(0)
    size = 1_000_000
    log = Log(
        user_ids=tuple(map(str, range(6_000))),
        item_ids=tuple(map(str, range(4_000))),
        users=rng.integers(0, 6_000, size),
        items=rng.integers(0, 4_000, size),
        times=START + rng.integers(0, 10**8, size).astype(np.float64),
        ratings=rng.integers(1, 6, size).astype(np.float64),
        lines=np.arange(size),
    )
    begin = time.process_time()
    cleaned, _ = clean(log, CleaningConfig(user_core=5, item_core=5, rule="rating>=2", normalise="zscore"))
    assert time.process_time() - begin < 6
    assert 700_000 < len(cleaned) < 800_000
