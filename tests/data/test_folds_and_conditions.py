"""Cross-validation tests everything once and leaks nothing; hidden items are nowhere; random clicks are as many as asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_split import dataset_of, logs

from instructrec.data.conditions import drawn_items, hide_items, with_random_clicks
from instructrec.data.split import SplitConfig, split
from instructrec.data.synthetic import checkerboard, genres
from instructrec.errors import ConfigError, DataError

WORLD = genres(40, 60)


def pairs(log):
    return set(zip(log.users.tolist(), log.items.tolist(), strict=True))


def asked(holdout):
    return [(int(user), int(item)) for user, row in zip(holdout.user_codes, holdout.targets, strict=True) for item in row]


@settings(max_examples=25, deadline=None)
@given(rows=logs, folds=st.integers(2, 6))
def test_every_interaction_is_tested_once_and_never_trained_on_then(rows, folds):
    dataset = dataset_of(rows)
    tested = []
    for fold in range(1, folds + 1):
        try:
            parts = split(dataset, SplitConfig(kind="k-fold", folds=folds, fold=fold))
        except DataError as error:
            assert "no validation query" in str(error) or "no test query" in str(error)
            return
        test, valid = asked(parts.test), asked(parts.valid)
        assert not set(test) & pairs(parts.known.interactions)
        assert not set(valid) & pairs(parts.train.interactions)
        assert set(valid) <= pairs(parts.known.interactions)
        for holdout, learnt in ((parts.valid, parts.train), (parts.test, parts.known)):
            for query, user in zip(holdout.queries, holdout.user_codes, strict=True):
                assert query.history == tuple(dataset.catalog.item_ids[code] for code in learnt.interactions.history(user))
                assert query.history
        tested += test
    log = dataset.interactions
    enough = {user for user in range(len(log.user_ids)) if len(set(log.history(user).tolist())) >= 3}
    assert sorted(tested) == sorted(pair for pair in pairs(log) if pair[0] in enough)


def test_folds_are_even_and_the_same_at_every_call():
    counts = [len(asked(split(WORLD, SplitConfig(kind="k-fold", folds=4, fold=fold)).test)) for fold in (1, 2, 3, 4)]
    assert sum(counts) == len(WORLD.interactions)
    assert max(counts) - min(counts) <= len(WORLD.interactions.user_ids)
    one, two = (split(WORLD, SplitConfig(kind="k-fold")) for _ in range(2))
    assert one.test.queries == two.test.queries


@pytest.mark.parametrize("wrong", [{"folds": 1}, {"fold": 0}, {"folds": 3, "fold": 4}])
def test_impossible_folds_are_refused(wrong):
    with pytest.raises(ConfigError, match="folds must be at least 2"):
        SplitConfig(kind="k-fold", **wrong)


def test_targets_carry_their_ratings():
    log = WORLD.interactions
    given_ratings = dict(zip(zip(log.users.tolist(), log.items.tolist(), strict=True), log.ratings.tolist(), strict=True))
    parts = split(WORLD, SplitConfig(kind="ratio", test_fraction=0.3))
    found = [value for row in parts.test.ratings for value in row.tolist()]
    assert found == [given_ratings[pair] for pair in asked(parts.test)]


@pytest.mark.parametrize("kind", ["leave-one-out", "ratio", "time", "k-fold"])
def test_cold_items_are_in_no_part_that_a_model_sees(kind):
    parts = split(WORLD, SplitConfig(kind=kind, test_fraction=0.3))
    cold = hide_items(parts, 0.2, seed=1)
    wanted = {item for _, item in asked(cold.test)}
    met = set(parts.known.interactions.items.tolist()) | {item for _, item in asked(parts.test)}
    hidden = met - set(cold.known.interactions.items.tolist()) - {item for _, item in asked(parts.test) if item not in wanted}
    assert wanted and wanted <= hidden
    names = {WORLD.catalog.item_ids[code] for code in wanted}
    for log in (cold.train.interactions, cold.known.interactions):
        assert not wanted & set(log.items.tolist())
    assert not wanted & {item for _, item in asked(cold.valid)}
    for query in (*cold.valid.queries, *cold.test.queries):
        assert query.history and not names & set(query.history)
    assert (cold.train.catalog.measures["popularity"][sorted(wanted)] == 0).all()
    assert cold.train.catalog.titles == WORLD.catalog.titles
    assert set(asked(cold.test)) <= set(asked(parts.test))
    assert f"{round(0.2 * len(met))} of the items" in cold.protocol


@pytest.mark.parametrize("kind", ["leave-one-out", "ratio"])
def test_everybody_who_met_a_hidden_item_is_asked_once_for_the_last(kind):
    parts = split(WORLD, SplitConfig(kind=kind))
    hidden, cold = drawn_items(parts, 0.2, seed=1), hide_items(parts, 0.2, seed=1, everybody=True)
    few = hide_items(parts, 0.2, seed=1)
    for part in ("train", "known"):
        assert pairs(getattr(cold, part).interactions) == pairs(getattr(few, part).interactions)
        assert not hidden[getattr(cold, part).interactions.items].any()
    assert asked(cold.valid) == asked(few.valid) and len(cold.test) > len(few.test)
    log, found = WORLD.interactions, iter(zip(cold.test.queries, cold.test.targets, cold.test.ratings, strict=True))
    for user, name in enumerate(log.user_ids):
        whole = log.history(user).tolist()
        places = [place for place, item in enumerate(whole) if hidden[item]]
        before = [WORLD.catalog.item_ids[item] for item in whole[: places[-1]] if not hidden[item]] if places else []
        if not before:
            continue
        query, target, ratings = next(found)
        row = log.offsets[user] + places[-1]
        assert (query.user, list(query.history), target.tolist()) == (name, before, [whole[places[-1]]])
        assert (ratings.tolist(), query.time) == ([log.ratings[row]], parts_time(parts, user, row))
    assert next(found, None) is None and "asked once" in cold.protocol


def parts_time(parts, user, row):
    """When a row was met; what the test asks for stands at the time of its query."""
    [query] = [one for one, code in zip(parts.test.queries, parts.test.user_codes.tolist(), strict=True) if code == user]
    return min(int(WORLD.interactions.timestamps[row]), query.time)


def test_hidden_items_follow_from_the_seed():
    parts = split(WORLD, SplitConfig(kind="ratio"))
    one, same, other = (hide_items(parts, 0.2, seed=seed) for seed in (1, 1, 2))
    assert asked(one.test) == asked(same.test) != asked(other.test)


def test_hiding_what_nobody_is_asked_for_says_so():
    parts = split(dataset_of([(user, item, item) for user in range(2) for item in range(4)]), SplitConfig())
    with pytest.raises(DataError, match="no .* query left"):
        for seed in range(20):
            hide_items(parts, 0.25, seed=seed)


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.02, 0.9), seed=st.integers(0, 5))
def test_random_clicks_are_exactly_as_many_and_new(share, seed):
    parts = split(WORLD, SplitConfig())
    noisy = with_random_clicks(parts, share, seed=seed)
    before, after = parts.train.interactions, noisy.train.interactions
    assert len(after) - len(before) == round(share * len(before))
    added = pairs(after) - pairs(before)
    assert len(added) == round(share * len(before))
    assert not added & (set(asked(parts.test)) | set(asked(parts.valid)))
    order = np.lexsort((np.arange(len(after)), after.timestamps, after.users))
    assert np.array_equal(order, np.arange(len(after)))
    # What was there stays there, in its order.
    kept = [row for row, pair in enumerate(zip(after.users.tolist(), after.items.tolist(), strict=True)) if pair not in added]
    for name in ("users", "items", "timestamps", "ratings"):
        np.testing.assert_array_equal(getattr(after, name)[kept], getattr(before, name))
    assert noisy.known.interactions is parts.known.interactions
    assert (noisy.test, noisy.valid) == (parts.test, parts.valid)


def test_clicks_that_do_not_fit_say_so():
    full = checkerboard(10)
    with pytest.raises(DataError, match="do not fit"):
        with_random_clicks(split(dataset_of([(u, i, i) for u in range(3) for i in range(12)]), SplitConfig()), 0.5)
    assert len(with_random_clicks(split(full, SplitConfig()), 0.5).train.interactions) > 0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
@pytest.mark.parametrize("harder", [hide_items, with_random_clicks])
def test_shares_outside_their_bounds_are_refused(harder, share):
    with pytest.raises(ConfigError, match="above 0 and below 1"):
        harder(split(WORLD, SplitConfig()), share)
