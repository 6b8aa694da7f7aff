"""The table of results and its verdicts, in worlds where the answer is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from instructrec.errors import DataError
from instructrec.experiments import Arm, Experiment, Guardrail, Moments, Row, results
from instructrec.experiments.statistics import cuped, difference, ratio

DAY = 86_400.0


def experiment(*arms, **fields):
    named = tuple(Arm(name=name) for name in (arms or ("old", "new")))
    return Experiment(id="e", arms=named, **({"metrics": ("ctr",)} | fields)).start(1_000.0)


def rows(means, units=2_000, *, seed=0, before=False, **others):
    """`units` rows an arm over ten days, arm -> mean of the click rate; `others`: metric -> mean by arm."""
    rng = np.random.default_rng(seed)
    made = []
    for arm, mean in means.items():
        for unit in range(units):
            habit = rng.normal(0, 0.1)
            values = {"ctr": mean + habit + rng.normal(0, 0.05)}
            values |= {metric: float(rng.random() < each[arm]) for metric, each in others.items()}
            time = 1_000.0 + unit * 10 * DAY / units
            made.append(Row(unit=f"{arm}-{unit}", arm=arm, exposed=time, values=values, before={"ctr": habit} if before else {}))
    return made


def column(found, arm, metric="ctr"):
    return np.array([row.values[metric] for row in found if row.arm == arm])


def test_the_numbers_are_those_of_the_statistics():
    data = rows({"old": 0.2, "new": 0.21})
    found = results(experiment(), data)
    old, new = Moments.of(column(data, "old")), Moments.of(column(data, "new"))
    row = found.of("ctr", "new")
    assert (row.n, row.mean) == (2_000, pytest.approx(column(data, "new").mean()))
    assert row.fixed == difference(new, old, method="fixed")
    assert row.always_valid == difference(new, old)
    expected = ratio(new, old)
    assert (row.lift.value, row.lift.low, row.lift.high) == (expected.value - 1, expected.low - 1, expected.high - 1)
    control = found.of("ctr", "old")
    assert (control.n, control.fixed, control.always_valid, control.lift) == (2_000, None, None, None)
    assert (found.num_units, found.level) == (4_000, pytest.approx(0.95))
    with pytest.raises(DataError, match="no results for metric 'likes'"):
        found.of("likes", "new")


def test_values_from_before_narrow_the_intervals():
    data = rows({"old": 0.2, "new": 0.203}, before=True)
    found, without = results(experiment(), data), results(experiment(), [replace(row, before={}) for row in data])
    row = found.of("ctr", "new")
    assert row.variance_left == pytest.approx(0.05**2 / (0.05**2 + 0.1**2), rel=0.1)
    assert without.of("ctr", "new").variance_left == 1.0
    arms = [0] * 2_000 + [1] * 2_000
    adjusted = cuped([each.values["ctr"] for each in data], [each.before["ctr"] for each in data], arms).values
    assert row.always_valid == difference(Moments.of(adjusted[2_000:]), Moments.of(adjusted[:2_000]))
    width = row.always_valid.high - row.always_valid.low
    assert width < 0.5 * (without.of("ctr", "new").always_valid.high - without.of("ctr", "new").always_valid.low)


@pytest.mark.parametrize(
    ("means", "fields", "verdict", "arm"),
    [
        ({"old": 0.2, "new": 0.2}, {}, "keep_going", None),
        ({"old": 0.2, "new": 0.23}, {}, "ship", "new"),
        ({"old": 0.23, "new": 0.2}, {}, "stop_worse", None),
    ],
)
def test_the_first_metric_decides(means, fields, verdict, arm):
    found = results(experiment(**fields), rows(means))
    assert (found.verdict, found.arm, dict(found.verdicts)) == (verdict, arm, {"new": verdict})


def test_of_a_metric_that_should_fall_less_is_better():
    made = experiment(metrics=("dislike_rate", "ctr"))
    found = results(made, rows({"old": 0.2, "new": 0.2}, dislike_rate={"old": 0.2, "new": 0.1}))
    assert (found.verdict, found.arm) == ("ship", "new")
    found = results(made, rows({"old": 0.2, "new": 0.4}, dislike_rate={"old": 0.1, "new": 0.2}))
    assert found.verdict == "stop_worse", "a better second metric does not help"


def test_the_best_of_several_arms_is_shipped_and_all_share_the_level():
    made = experiment("old", "a", "b", "c")
    found = results(made, rows({"old": 0.2, "a": 0.23, "b": 0.26, "c": 0.1}))
    assert dict(found.verdicts) == {"a": "ship", "b": "ship", "c": "stop_worse"}
    assert (found.verdict, found.arm) == ("ship", "b")
    assert found.level == pytest.approx(1 - 0.05 / 3)
    mixed = results(made, rows({"old": 0.2, "a": 0.2, "b": 0.2, "c": 0.1}))
    assert (mixed.verdict, mixed.arm) == ("keep_going", None)
    worse = results(made, rows({"old": 0.2, "a": 0.1, "b": 0.1, "c": 0.1}))
    assert (worse.verdict, worse.arm) == ("stop_worse", None)


def test_a_wrong_split_stops_everything():
    data = rows({"old": 0.2, "new": 0.3})
    lossy = [row for place, row in enumerate(data) if row.arm == "old" or place % 4]
    found = results(experiment(), lossy)
    assert (found.split.alarm, found.verdict, found.arm) == (True, "stop_srm", None)
    assert results(experiment(), lossy, shares={"old": 4 / 7, "new": 3 / 7}).verdict == "ship"
    with pytest.raises(DataError, match="the arms are old, new"):
        results(experiment(), lossy, shares={"old": 1.0})


def test_a_split_that_one_look_finds_counts_at_the_end():
    data = rows({"old": 0.2, "new": 0.2}, units=1_080)
    lossy = [row for row in data if row.arm == "old" or int(row.unit[4:]) % 7]
    made = experiment()
    running, ended = results(made, lossy), results(made.stop(), lossy)
    assert running.split.p == ended.split.p < 1e-3 < running.split.sequential_p
    assert (running.verdict, ended.verdict) == ("keep_going", "stop_srm")


@pytest.mark.parametrize(("errors", "state"), [(0.06, "open"), (0.2, "broken"), (0.03, "kept")])
def test_a_broken_guardrail_stops_a_better_arm(errors, state):
    made = experiment(guardrails=(Guardrail(metric="error_rate", better="lower", tolerance=0.2),))
    found = results(made, rows({"old": 0.2, "new": 0.25}, units=4_000, error_rate={"old": 0.06, "new": errors}))
    (check,) = found.guardrails
    assert (check.arm, check.state) == ("new", state)
    assert found.verdict == ("stop_worse" if state == "broken" else "ship")


def test_errors_where_the_control_has_none_break_a_guardrail():
    made = experiment(guardrails=(Guardrail(metric="error_rate", better="lower", tolerance=0.5),))
    found = results(made, rows({"old": 0.2, "new": 0.25}, error_rate={"old": 0.0, "new": 0.05}))
    (check,) = found.guardrails
    assert (check.state, check.to_json()["ratio"]["high"], found.verdict) == ("broken", None, "stop_worse")


def test_a_guardrail_may_want_more():
    made = experiment(guardrails=(Guardrail(metric="coverage", tolerance=0.1),))
    for new, state in ((0.2, "broken"), (0.5, "kept")):
        (check,) = results(made, rows({"old": 0.2, "new": 0.2}, units=4_000, coverage={"old": 0.5, "new": new})).guardrails
        assert check.state == state


def test_few_units_decide_nothing():
    assert results(experiment(), rows({"old": 0.0, "new": 0.5}, units=99)).verdict == "keep_going"
    assert results(experiment(), rows({"old": 0.0, "new": 0.5}, units=100)).verdict == "ship"
    empty = results(experiment(), [])
    assert (empty.verdict, empty.num_units, empty.split.alarm) == ("keep_going", 0, False)
    assert empty.to_json()["metrics"]["ctr"]["new"]["mean"] is None


def test_units_without_a_value_are_not_counted():
    data = rows({"old": 0.2, "new": 0.2})
    data[0] = replace(data[0], values={})
    data[1] = replace(data[1], values={"ctr": math.nan})
    assert results(experiment(), data).of("ctr", "old").n == 1_998


def test_the_order_of_rows_does_not_matter_and_the_shape_is_stable():
    made = experiment(metrics=("ctr", "conversion"), guardrails=(Guardrail(metric="error_rate", better="lower"),))
    chances = {"old": 0.1, "new": 0.1}
    data = rows({"old": 0.2, "new": 0.21}, before=True, conversion=chances, error_rate=chances)
    found = results(made, data)
    assert list(found.to_json()) == [
        "experiment", "level", "num_units", "split", "metrics", "guardrails", "verdicts", "verdict", "arm",
    ]  # fmt: skip
    shape = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert list(shape["metrics"]) == ["ctr", "conversion"]
    assert set(shape["metrics"]["ctr"]["new"]) == {"n", "mean", "fixed", "always_valid", "lift", "variance_left"}
    assert set(shape["split"]) == {"counts", "shares", "p", "sequential_p", "alarm"}
    assert set(shape["guardrails"][0]) == {"metric", "arm", "ratio", "state"}
    order = np.random.default_rng(0).permutation(len(data))
    again = results(made, [data[place] for place in order])
    assert again.verdict == found.verdict and again.split == found.split
    assert again.of("ctr", "new").always_valid.low == pytest.approx(found.of("ctr", "new").always_valid.low)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arm": "nwe"}, "arm 'nwe', but 'e' has only old, new. Did you mean 'new'"),
        ({"unit": "old-1"}, "'old-1' stands in two rows"),
        ({"exposed": 999.0}, "started at 1000.0"),
    ],
)
def test_rows_that_cannot_be_are_refused(change, said):
    data = rows({"old": 0.2, "new": 0.2}, units=3)
    with pytest.raises(DataError, match=said):
        results(experiment(), [replace(data[0], **change), *data[1:]])
