"""The comparison: its stable JSON shape, order, tests and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.evaluation.worlds import dataset, evaluation, holdout

from instructrec.errors import DataError, ModelError
from instructrec.evaluation.beyond import BEYOND, Background
from instructrec.evaluation.comparison import compare, definitions
from instructrec.evaluation.metrics import METRICS

RNG = np.random.default_rng(0)
GOOD = evaluation(RNG.integers(1, 8, 60).tolist(), lengths=RNG.integers(1, 50, 60).tolist())
BAD = evaluation(RNG.integers(5, 90, 60).tolist(), lengths=GOOD.history_lengths.tolist())
WORST = evaluation([99] * 60, lengths=GOOD.history_lengths.tolist())


def test_the_stable_shape() -> None:
    found = compare({"bad": BAD, "good": GOOD}, split="leave-one-out", metrics=("ndcg@10", "hr@10")).to_json()
    assert list(found) == ["split", "protocol", "seen_filter", "models"]
    assert (found["split"], found["seen_filter"]) == ("leave-one-out", "hidden")
    assert list(found["models"]) == ["good", "bad"]
    for row in found["models"].values():
        assert list(row) == ["ndcg@10", "hr@10"]
        assert all(list(entry) == ["value", "low", "high"] for entry in row.values())
        assert all(entry["low"] <= entry["value"] <= entry["high"] for entry in row.values())
    assert found["models"]["good"]["ndcg@10"]["value"] == GOOD.value("ndcg@10")
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_protocol_says_how_was_asked_and_ranked() -> None:
    assert compare({"good": GOOD}, split="time", protocol="the last week").protocol == f"the last week; {GOOD.protocol}"


def test_the_best_is_tested_against_each_other_and_corrected() -> None:
    found = compare({"worst": WORST, "bad": BAD, "good": GOOD}, split="x")
    assert [(test.first, test.second) for test in found.tests] == [("good", "bad"), ("good", "worst")]
    assert all(test.p_holm < 0.05 and test.test.difference.value > 0 for test in found.tests)
    assert all(test.p_holm >= test.test.p for test in found.tests)
    assert found.test_of("worst", "good").second == "worst"


def test_pairs_can_be_chosen() -> None:
    found = compare({"worst": WORST, "bad": BAD, "good": GOOD}, split="x", pairs=[("bad", "worst")])
    assert [(test.first, test.second) for test in found.tests] == [("bad", "worst")]
    with pytest.raises(ModelError, match="no paired test between 'good' and 'bad'"):
        found.test_of("good", "bad")
    with pytest.raises(ModelError, match="Did you mean 'good'"):
        compare({"good": GOOD}, split="x", pairs=[("god", "good")])


def test_seeds_are_averaged_before_the_interval() -> None:
    found = compare({"both": [GOOD, WORST]}, split="x", metrics=("hr@10",))
    assert found.num_seeds == 2
    assert found.num_users == 60
    assert found.models["both"]["hr@10"].value == pytest.approx((GOOD.value("hr@10") + WORST.value("hr@10")) / 2)


def test_segments_and_lists_stand_beside() -> None:
    background = Background.of(dataset([(0, 0), (1, 1)], num_items=100), holdout([[0]] * 60, [[1]] * 60))
    found = compare({"good": GOOD, "bad": BAD}, split="x", background=background)
    assert len({tuple(segment.low for segment in row) for row in found.segments.values()}) == 1
    assert set(found.beyond["good"]) == set(BEYOND)
    assert compare({"good": GOOD}, split="x").beyond == {}


def test_details_are_plain_json() -> None:
    background = Background.of(dataset([(0, 0), (1, 1)], num_items=100))
    found = compare({"good": GOOD, "bad": BAD}, split="x", background=background).details()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["tests"][0]["first"] == "good"
    assert sum(segment["num_users"] for segment in found["segments"]["bad"]) == 60
    assert found["beyond"]["good"]["coverage"]["value"] == 0.02


def test_equal_seeds_give_equal_comparisons() -> None:
    assert compare({"a": GOOD, "b": BAD}, split="x", seed=1) == compare({"a": GOOD, "b": BAD}, split="x", seed=1)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="different users"):
        compare({"a": GOOD, "b": evaluation([1, 2])}, split="x")
    with pytest.raises(DataError, match="shown for 'b' but hidden for 'a'"):
        compare({"a": evaluation([1]), "b": evaluation([1], hide_seen=False)}, split="x")
    with pytest.raises(DataError, match="nothing to compare"):
        compare({}, split="x")


def test_definitions_of_what_is_shown() -> None:
    assert definitions(["ndcg@5", "ndcg@10", "hr@10"]) == {"ndcg": METRICS["ndcg"].definition, "hr": METRICS["hr"].definition}
