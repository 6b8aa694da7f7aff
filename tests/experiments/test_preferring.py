"""Results of an interleaving: by hand, which arm a verdict names, and no verdict where the arms are equal."""

from __future__ import annotations

import numpy as np

from instructrec.experiments import Arm, Draft, Experiment, preferences

RUNNING = Experiment(id="e", kind="interleaving", arms=(Arm(name="old"), Arm(name="new")), metrics=("ctr", "like_rate")).start(0.0)


def drafts(rng, chances, units=300, lists=1):
    """Lists of people who choose an item of the old and of the new arm with these chances."""
    return [
        Draft(
            unit=f"u{unit}",
            time=float(unit),
            begins="first" if rng.random() < 0.5 else "second",
            credit={"ctr": (int(rng.random() < chances[0]), int(rng.random() < chances[1]))},
        )
        for unit in range(units)
        for _ in range(lists)
    ]


def test_by_hand():
    found = preferences(
        RUNNING,
        [
            Draft(unit="a", time=1.0, begins="first", credit={"ctr": (0, 2), "like_rate": (1, 0)}),
            Draft(unit="a", time=2.0, begins="second", credit={"ctr": (1, 0)}),
            Draft(unit="b", time=3.0, begins="second", credit={"ctr": (0, 1)}),
            Draft(unit="c", time=4.0, begins="second", credit={}),
        ],
    )
    assert (found.num_units, found.num_lists, found.split.counts) == (3, 4, {"old": 1, "new": 3})
    clicks, likes = found.preferences["ctr"], found.preferences["like_rate"]
    assert (clicks.wins, clicks.losses, clicks.ties) == (2, 0, 0)
    assert clicks.difference.value == (1 / 3 + 1) / 2
    assert (likes.wins, likes.losses) == (0, 1)
    assert (found.verdict, found.arm) == ("keep_going", None)


def test_the_better_arm_is_named_whichever_it_is():
    rng = np.random.default_rng(0)
    better, worse = preferences(RUNNING, drafts(rng, (0.2, 0.5))), preferences(RUNNING, drafts(rng, (0.5, 0.2)))
    assert (better.verdict, better.arm) == ("ship", "new") and better.preferences["ctr"].difference.low > 0
    assert (worse.verdict, worse.arm) == ("stop_worse", None) and worse.preferences["ctr"].difference.high < 0


def test_equal_arms_are_seldom_told_apart_at_any_look():
    rng = np.random.default_rng(1)
    ever = 0
    for _ in range(60):
        rows = drafts(rng, (0.4, 0.4))
        ever += any(preferences(RUNNING, rows[:seen]).verdict != "keep_going" for seen in range(50, 301, 50))
    assert ever <= 0.05 * 60


def test_an_arm_that_stands_at_the_top_too_often_decides_nothing():
    rows = [Draft(unit=f"u{n}", time=float(n), begins="second", credit={"ctr": (0, 1)}) for n in range(60)]
    assert preferences(RUNNING, rows).verdict == "stop_srm"


def test_nobody_yet():
    found = preferences(RUNNING, [])
    assert (found.num_units, found.verdict, found.to_json()["preferences"]["ctr"]["wins"]) == (0, "keep_going", 0)
