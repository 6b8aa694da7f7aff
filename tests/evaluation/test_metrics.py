"""Metrics: worked numbers, what separates the definitions in use, properties that must always hold, and ranx."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.errors import ConfigError
from instructrec.evaluation.metrics import (
    METRICS,
    NOT_RANKED,
    TargetRanks,
    average_precision,
    find,
    flat_log_discount,
    measure,
    ndcg,
    ranks_in_lists,
)

TEN = list(range(1, 11))
FIFTEEN_RELEVANT = {1, 3, 4, 8, 10, *range(100, 110)}
"""Hits at ranks 1, 3, 4, 8 and 10 of ten, fifteen relevant items."""

lists = st.lists(st.integers(0, 30), min_size=1, max_size=15, unique=True)
relevant_items = st.sets(st.integers(0, 30), min_size=1, max_size=12)
cutoffs = st.integers(1, 20)
CUT = {name: metric for name, metric in METRICS.items() if metric.cut}
"""The metrics of lists; AUC needs the whole ranking."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall@10", 5 / 15),
        ("precision@10", 0.5),
        ("map@10", 0.3417),
        ("ndcg@10", 0.55798),
        ("hr@10", 1.0),
        ("mrr@10", 1.0),
        ("f1@10", 0.4),
    ],
)
def test_worked_numbers(name: str, expected: float) -> None:
    assert measure(name, TEN, FIFTEEN_RELEVANT) == pytest.approx(expected, abs=5e-5)


def test_definitions_that_differ_between_libraries_can_be_chosen() -> None:
    targets = ranks_in_lists([TEN], [FIFTEEN_RELEVANT])
    assert average_precision(targets, 10, over_all=True)[0] == pytest.approx(0.2278, abs=5e-5)
    assert ndcg(targets, 10, discount=flat_log_discount)[0] == pytest.approx(0.526, abs=5e-4)
    two = ranks_in_lists([TEN], [{3, 99}])
    assert ndcg(two, 10)[0] == pytest.approx(0.307, abs=5e-4)
    assert ndcg(two, 10, discount=flat_log_discount)[0] == pytest.approx(0.315, abs=5e-4)


def test_a_graded_list_is_compared_with_the_best_order_of_its_gains() -> None:
    targets = ranks_in_lists([["a", "b", "c"]], [{"a": 1.0, "b": 3.0, "never": 2.0, "not": 0.0}])
    dcg = 1.0 + 3.0 / math.log2(3)
    assert ndcg(targets, 2)[0] == pytest.approx(dcg / (3.0 + 2.0 / math.log2(3)))
    assert ndcg(targets, 3)[0] == pytest.approx(dcg / (3.0 + 2.0 / math.log2(3) + 1.0 / 2))


def test_an_item_repeated_in_a_list_counts_once() -> None:
    assert measure("precision@4", ["a", "a", "a", "b"], {"a"}) == 0.25
    assert measure("mrr@4", ["b", "a", "a"], {"a"}) == 0.5


def test_users_with_nothing_to_find_have_no_value() -> None:
    targets = ranks_in_lists([["a"], ["a"]], [set(), {"a"}])
    for metric in CUT.values():
        values = metric.of(targets, 5)
        assert math.isnan(values[0])
        assert values[1] > 0


def test_a_world_without_any_relevant_item_has_no_values() -> None:
    targets = ranks_in_lists([["a"]], [set()])
    assert all(np.isnan(metric.of(targets, 3)).all() for metric in CUT.values())


@settings(max_examples=60, deadline=None)
@given(lists, relevant_items, cutoffs)
def test_every_metric_lies_between_0_and_1(shown: list[int], relevant: set[int], k: int) -> None:
    for name in CUT:
        assert 0.0 <= measure(f"{name}@{k}", shown, relevant) <= 1.0 + 1e-12


@settings(max_examples=60, deadline=None)
@given(relevant_items)
def test_a_perfect_list_scores_1(relevant: set[int]) -> None:
    for name in CUT:
        assert measure(f"{name}@{len(relevant)}", sorted(relevant), relevant) == pytest.approx(1.0)


@settings(max_examples=60, deadline=None)
@given(lists, relevant_items, cutoffs, st.randoms(use_true_random=False))
def test_names_and_order_of_relevant_items_do_not_matter(shown: list[int], relevant: set[int], k: int, random: object) -> None:
    renamed = list(range(31))
    random.shuffle(renamed)  # type: ignore[attr-defined]
    for name in CUT:
        before = measure(f"{name}@{k}", shown, sorted(relevant))
        after = measure(
            f"{name}@{k}", [renamed[item] for item in shown], [renamed[item] for item in sorted(relevant, reverse=True)]
        )
        assert before == pytest.approx(after)


@settings(max_examples=60, deadline=None)
@given(lists, relevant_items, cutoffs, st.integers(0, 13))
def test_moving_a_relevant_item_up_never_hurts(shown: list[int], relevant: set[int], k: int, place: int) -> None:
    if place + 1 >= len(shown) or shown[place] in relevant or shown[place + 1] not in relevant:
        return
    better = [*shown[:place], shown[place + 1], shown[place], *shown[place + 2 :]]
    for name in CUT:
        assert measure(f"{name}@{k}", better, relevant) >= measure(f"{name}@{k}", shown, relevant) - 1e-12


@settings(max_examples=60, deadline=None)
@given(lists, relevant_items, cutoffs)
def test_a_longer_list_never_has_fewer_hits(shown: list[int], relevant: set[int], k: int) -> None:
    for name in ("recall", "hr", "mrr"):
        assert measure(f"{name}@{k + 1}", shown, relevant) >= measure(f"{name}@{k}", shown, relevant)


def test_joining_parts_keeps_every_user() -> None:
    parts = [ranks_in_lists([["a", "b"]], [{"b"}]), ranks_in_lists([["a", "b", "c"]], [{"a", "c", "z"}])]
    joined = TargetRanks.join(parts)
    assert joined.counts.tolist() == [1, 3]
    assert joined.ranks.tolist() == [[2, NOT_RANKED, NOT_RANKED], [1, 3, NOT_RANKED]]
    assert joined.num_unreachable == 1


@pytest.mark.parametrize(
    ("name", "hint"), [("ndgc@10", "Did you mean 'ndcg'"), ("ndcg", "ndcg@10"), ("ndcg@zero", "ndcg@10"), ("hr@0", "hr@10")]
)
def test_a_wrong_name_is_answered_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        find(name)


def test_a_cutoff_below_1_is_refused() -> None:
    with pytest.raises(ConfigError, match="k >= 1"):
        ndcg(ranks_in_lists([["a"]], [{"a"}]), 0)


@pytest.mark.filterwarnings("ignore")
def test_ranx_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    if "numba" not in sys.modules:  # Half disabled it fails: what was imported before is compiled.
        monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")  # Compiling takes half a minute, and the numbers are the same.
    ranx = pytest.importorskip("ranx", reason="ranx is not installed; it comes with the test extra")
    rng = np.random.default_rng(0)
    shown = [rng.permutation(60)[:30].tolist() for _ in range(40)]
    relevant = [rng.choice(60, size=rng.integers(1, 15), replace=False).tolist() for _ in range(40)]
    qrels = ranx.Qrels({f"q{row:02d}": {f"d{item}": 1 for item in items} for row, items in enumerate(relevant)})
    run = ranx.Run({f"q{row:02d}": {f"d{item}": 30.0 - rank for rank, item in enumerate(items)} for row, items in enumerate(shown)})
    targets = ranks_in_lists(shown, relevant)
    theirs = {"ndcg": "ndcg", "hr": "hit_rate", "mrr": "mrr", "recall": "recall", "precision": "precision", "f1": "f1"}
    for name, known_as in theirs.items():
        expected = ranx.evaluate(qrels, run, f"{known_as}@10", return_mean=False)
        np.testing.assert_allclose(METRICS[name].of(targets, 10), expected, atol=1e-9, err_msg=name)
    expected = ranx.evaluate(qrels, run, "map@10", return_mean=False)
    np.testing.assert_allclose(average_precision(targets, 10, over_all=True), expected, atol=1e-9)
