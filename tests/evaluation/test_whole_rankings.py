"""What needs the whole ranking: AUC against pairs counted one by one and scipy, kinds of items, ratings, samples and folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from tests.evaluation.worlds import TableRecommender, catalog, dataset, evaluation, holdout

from instructrec.data.split import Holdout
from instructrec.errors import ConfigError, DataError, ModelError
from instructrec.evaluation.beyond import Background
from instructrec.evaluation.comparison import compare, compare_folds
from instructrec.evaluation.intervals import bootstrap_mean, bootstrap_ratio
from instructrec.evaluation.metrics import NOT_RANKED, auc, find, measure
from instructrec.evaluation.negatives import random_negatives
from instructrec.evaluation.peruser import Fold, PerUser
from instructrec.evaluation.protocol import INCONSISTENT, Evaluation, evaluate, evaluate_scores
from instructrec.evaluation.ranking import rank_targets
from instructrec.evaluation.segments import KINDS_OF_ITEMS, kinds_of_items

RNG = np.random.default_rng(7)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 25), st.booleans())
def test_auc_counts_pairs_in_the_right_order(seed: int, num_items: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, 4, (3, num_items)) if tied else rng.permutation(3 * num_items).reshape(3, -1)).astype(np.float32)
    mask = rng.random((3, num_items)) < 0.8
    targets = [rng.choice(num_items, size=rng.integers(0, num_items), replace=False) for _ in range(3)]
    found = auc(rank_targets(scores, mask, targets))
    for row in range(3):
        wanted = set(targets[row].tolist())
        others = [item for item in range(num_items) if mask[row, item] and item not in wanted]
        # An item that may not be shown is behind every other; equal scores stand in catalog order.
        right = [
            mask[row, one] and (scores[row, one] > scores[row, two] or (scores[row, one] == scores[row, two] and one < two))
            for one in wanted
            for two in others
        ]
        assert (np.isnan(found[row]) and not right) or found[row] == pytest.approx(np.mean(right))


def test_auc_is_that_of_mann_and_whitney() -> None:
    scores = RNG.permutation(200).astype(np.float32)[None, :]
    relevant = RNG.choice(200, size=13, replace=False)
    found = auc(rank_targets(scores, np.ones((1, 200), dtype=np.bool_), [relevant]))
    others = np.setdiff1d(np.arange(200), relevant)
    assert found[0] == pytest.approx(mannwhitneyu(scores[0, relevant], scores[0, others]).statistic / (13 * 187))


def test_auc_has_no_cut_off_and_needs_the_whole_ranking() -> None:
    assert find("auc")[0].name == "auc"
    with pytest.raises(ConfigError, match="no cut-off"):
        find("auc@10")
    with pytest.raises(DataError, match="how many items were ranked"):
        measure("auc", ["a"], {"a"})


def test_ranks_know_which_item_stands_there() -> None:
    scores = np.array([[5.0, 4.0, 3.0, 2.0]], dtype=np.float32)
    mask = np.array([[True, True, False, True]])
    found = rank_targets(scores, mask, [np.array([3, 2, 1])])
    assert found.codes is not None and found.sizes is not None
    assert found.ranks.tolist() == [[2, 3, NOT_RANKED]]
    assert found.codes.tolist() == [[1, 3, 2]]
    assert found.sizes.tolist() == [3]
    kept = found.among(np.array([False, False, True, True]))
    assert (kept.ranks[0, :2].tolist(), kept.counts.tolist()) == ([3, NOT_RANKED], [2])
    with pytest.raises(DataError, match="which item stands where"):
        evaluation([1]).targets.among(np.ones(3, dtype=np.bool_))


def test_kinds_hold_a_third_of_the_interactions_each() -> None:
    kinds = kinds_of_items(np.array([10, 1, 0, 6, 4, 3, 2, 2, 1, 1, 0]))
    # 30 in all, most popular first 10 | 6 4 | 3 2 2 1 1 1: the head holds a third, so do the next two.
    assert [np.flatnonzero(kinds[name]).tolist() for name in KINDS_OF_ITEMS] == [[0], [3, 4], [1, 5, 6, 7, 8, 9], [2, 10]]
    assert np.sum([mask for mask in kinds.values()], axis=0).tolist() == [1] * 11
    assert kinds_of_items(np.zeros(3, dtype=np.int64))["cold"].all()


class Rater(TableRecommender):
    """Predicts its table as ratings."""

    def predicted_ratings(self, queries):
        return self.score(queries)


def rated(targets: list[list[int]], ratings: list[list[float]]) -> Holdout:
    asked = holdout([[]] * len(targets), targets)
    return Holdout(
        queries=asked.queries,
        targets=asked.targets,
        user_codes=asked.user_codes,
        ratings=tuple(np.array(row, dtype=np.float32) for row in ratings),
    )


def test_errors_of_ratings_are_pooled_over_all_ratings() -> None:
    table = np.array([[1, 2, 3], [4, 5, 1], [2, 2, 2]], dtype=np.float32)
    asked = rated([[0, 1], [2], [0]], [[2.0, 4.0], [5.0], [np.nan]])
    found = evaluate(Rater(catalog(3), table), asked, k=2, batch_size=2)
    assert found.rating_errors is not None
    assert found.rating_errors.tolist() == [[2, 3, 5], [1, 4, 16], [0, 0, 0]]
    board = compare({"rater": found, "other": evaluate(TableRecommender(catalog(3), table), asked, k=2)}, split="x")
    assert list(board.ratings) == ["rater"]
    assert board.ratings["rater"]["rmse"].value == pytest.approx(np.sqrt(21 / 3))
    assert board.ratings["rater"]["mae"].value == pytest.approx(7 / 3)
    assert all(one.low <= one.value <= one.high for one in board.ratings["rater"].values())


def test_a_rating_that_is_no_number_is_refused() -> None:
    table = np.zeros((1, 3), dtype=np.float32)
    model = Rater(catalog(3), table)
    model.predicted_ratings = lambda queries: np.full((1, 3), np.nan, dtype=np.float32)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match="not finite"):
        evaluate(model, rated([[0]], [[3.0]]))


def test_a_ratio_of_sums_draws_users_with_both() -> None:
    lower = RNG.random(200) + 1
    found = bootstrap_ratio(0.5 * lower, lower)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    plain = bootstrap_ratio(lower, np.ones(200), seed=4)
    mean = bootstrap_mean(lower, seed=4)
    assert (plain.value, plain.low, plain.high) == pytest.approx((mean.value, mean.low, mean.high))
    assert np.isnan(bootstrap_ratio(lower, np.zeros(200)).value)


@pytest.mark.parametrize("every", [False, True])
def test_sampled_rankings_say_so_in_every_report(every: bool) -> None:
    items, table = catalog(30), RNG.random((2, 30)).astype(np.float32)
    asked = holdout([[0], [1]], [[3, 4], [5]])
    sampled = random_negatives(asked, items, count=8, every_target=every)
    found = evaluate(TableRecommender(items, table), sampled)
    board = compare({"table": found}, split="x")
    assert board.sampled and INCONSISTENT in board.protocol and "full ranking over" not in board.protocol
    assert found.targets.counts.tolist() == ([2, 1] if every else [1, 1])
    assert found.targets.sizes is not None
    assert found.targets.sizes.tolist() == ([10, 9] if every else [9, 9])
    whole = compare({"table": evaluate(TableRecommender(items, table), asked)}, split="x")
    assert not whole.sampled and INCONSISTENT not in whole.protocol


def fold(users: list[int], ranks: list[int], other: list[int]) -> Fold:
    def made(values: list[int]) -> Evaluation:
        found = evaluation(values, lengths=[5] * len(values))
        return Evaluation(
            model="m",
            hide_seen=True,
            num_items=100,
            users=tuple(f"u{user}" for user in users),
            targets=found.targets,
            top=found.top,
            history_lengths=found.history_lengths,
        )

    background = Background.of(dataset([(0, 0), (1, 1)], num_items=100), holdout([[0]] * len(users), [[1]] * len(users)))
    return Fold(runs={"a": [made(ranks)], "b": [made(other)]}, background=background)


def test_folds_are_averaged_by_user_first() -> None:
    folds = [fold([0, 1], [1, 11], [1, 1]), fold([1, 2], [1, 1], [11, 11])]
    found = compare_folds(folds, split="k-fold", metrics=("hr@10",))
    # u0: 1; u1: 0 and 1; u2: 1. Users weigh alike, however many folds ask them.
    assert found.models["a"]["hr@10"].value == pytest.approx((1 + 0.5 + 1) / 3)
    assert (found.num_users, found.num_folds) == (3, 2)
    assert found.tests[0].test.num_users == 3
    assert "mean over 2 folds" in found.protocol
    values = PerUser(folds, ["hr@10"]).values
    assert values["b"]["hr@10"].tolist() == [1.0, 0.5, 0.0]
    assert sum(segment.num_users for segment in found.segments["a"]) == 3
    assert found.beyond["a"]["coverage"].value == 0.02


def test_item_segments_count_only_what_is_of_their_kind() -> None:
    items = catalog(6)
    train = dataset([(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (0, 2)])
    asked = holdout([[], [], []], [[0, 3], [1], [2]])
    scores = np.tile(np.array([6, 5, 4, 3, 2, 1], dtype=np.float32), (3, 1))
    found = compare(
        {"m": evaluate_scores(scores, asked, items)},
        split="x",
        background=Background.of(train, asked),
        metrics=("mrr@10",),
    ).item_segments["m"]
    assert {one.name: (one.num_users, one.metric.value) for one in found} == {
        "head": (1, 1.0),
        "middle": (1, 0.5),
        "tail": (1, pytest.approx(1 / 3)),
        "cold": (1, 0.25),
    }
