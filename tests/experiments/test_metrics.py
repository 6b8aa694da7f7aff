"""Metrics of a unit, counted by hand."""

from __future__ import annotations

import math

import pytest

from instructrec.experiments import METRICS, Event, pre_period

DAY = 86_400.0
T0 = 1_000_000.0
"""First exposure."""


def at(days, kind, value=math.nan):
    return Event(kind, T0 + days * DAY, value)


SHOWN = [at(0, "impression"), at(1, "impression"), at(2, "impression"), at(3, "impression")]


@pytest.mark.parametrize(
    ("metric", "events", "value"),
    [
        ("ctr", [*SHOWN, at(1, "click")], 0.25),
        ("ctr", [*SHOWN, at(-1, "click"), at(-1, "impression"), at(21, "click")], 0.0),
        ("ctr", [at(0, "impression"), at(0, "click"), at(0, "click")], 1.0),
        ("ctr", [at(0, "click")], None),
        ("ctr", [], None),
        ("like_rate", [*SHOWN, at(0, "like"), at(1, "like"), at(1, "dislike")], 0.5),
        ("dislike_rate", [*SHOWN, at(0, "like"), at(1, "like"), at(1, "dislike")], 0.25),
        ("conversion", [at(0, "purchase"), at(1, "purchase")], 1.0),
        ("conversion", [at(-1, "purchase"), *SHOWN], 0.0),
        ("conversion", [], 0.0),
        ("repeat_purchase", [at(0, "purchase"), at(1, "purchase")], 1.0),
        ("repeat_purchase", [at(1, "purchase"), at(1, "purchase")], 0.0),
        ("repeat_purchase", [at(-1, "purchase"), at(1, "purchase")], 0.0),
        ("retention", [at(7, "view")], 1.0),
        ("retention", [at(6.9, "view"), at(14, "view")], 0.0),
        ("retention", [], 0.0),
        ("satisfaction", [at(1, "satisfaction", 4), at(2, "satisfaction", 5), at(3, "satisfaction")], 4.5),
        ("satisfaction", [at(-1, "satisfaction", 4)], None),
        ("empty_lists", [at(0, "list"), at(1, "list"), at(1, "empty_list"), at(-1, "empty_list")], 0.5),
        ("empty_lists", [at(0, "click")], None),
        ("degraded_lists", [at(0, "list"), at(0, "degraded_list"), at(1, "list"), at(2, "list"), at(3, "list")], 0.25),
        ("retention", [at(8, "list")], 0.0),
    ],
)
def test_a_metric_counts_what_its_definition_says(metric, events, value):
    found = METRICS[metric].measure(events, T0, T0 + 20 * DAY)
    assert math.isnan(found) if value is None else found == value


def test_retention_waits_until_the_second_week_is_over():
    events = [at(8, "view")]
    assert math.isnan(METRICS["retention"].measure(events, T0, T0 + 13.9 * DAY))
    assert METRICS["retention"].measure(events, T0, T0 + 14 * DAY) == 1.0


def test_before_the_experiment_the_same_is_measured_and_nothing_after():
    events = [at(-30, "impression"), at(-3, "impression"), at(-2, "impression"), at(-2, "click"), at(0, "click"), *SHOWN]
    assert pre_period("ctr", events, T0) == 0.5
    assert pre_period("conversion", events, T0) == 0.0
    assert pre_period("retention", [at(-20, "view")], T0) == 1.0
    assert pre_period("ctr", events, T0, days=60) == pytest.approx(1 / 3)
    assert math.isnan(pre_period("conversion", SHOWN, T0)), "somebody new has no value before"


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_defined_in_words(name):
    assert METRICS[name].definition.endswith(".") and len(METRICS[name].definition) > 40
    assert METRICS[name].better == ("lower" if name in ("dislike_rate", "empty_lists", "degraded_lists") else "higher")
