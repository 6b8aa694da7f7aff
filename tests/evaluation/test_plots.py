"""Plots: well-formed, escaped, told in words, and honest about their axes."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.notation import places
from instructrec.evaluation.plots import Bar, Line, Point, bars, lines, nice_ticks, shorten, thin

HOSTILE = "</svg><script>\"alert('x')\"</script>&"


def test_bars_are_as_long_as_their_values() -> None:
    rows = [Bar("one", Interval(0.1, 0.05, 0.15)), Bar("two", Interval(0.2, 0.2, 0.2), 1)]
    tree = ElementTree.fromstring(bars(rows, title="Accuracy", form=places))
    widths = [float(node.attrib["width"]) for node in tree.iter("rect")]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert len([node for node in tree.iter("path") if node.attrib["class"] == "whisker"]) == 1
    assert tree.attrib["aria-label"] == "Accuracy. one 0.100 (0.050–0.150); two 0.200"


def test_an_axis_can_be_wider_than_the_points() -> None:
    line = Line("lists", (Point(-5, 1.0), Point(0, 2.0)))
    tree = ElementTree.fromstring(lines([line], title="T", form=places, x_title="minutes", x_range=(-10.0, 0.0), width=480))
    first, last = (float(node.attrib["cx"]) for node in tree.iter("circle"))
    assert first == pytest.approx((62 + last) / 2, abs=0.1) and last == pytest.approx(480 - 18)


def test_lines_draw_one_path_and_a_mark_a_point() -> None:
    line = Line("fusion", (Point(0, 0.1, 0.05, 0.2), Point(1, 0.3)), 2)
    tree = ElementTree.fromstring(lines([line], title="T", form=places, x_title="items", x_labels=["1–5", "6–9"]))
    assert [text.text for text in tree.iter("text")][-3:] == ["1–5", "6–9", "items"]
    assert len([node for node in tree.iter() if "mark" in node.attrib.get("class", "")]) == 2
    assert "0.100 → 0.300" in tree.attrib["aria-label"]


@pytest.mark.parametrize("text", [HOSTILE, "電影", "a\u202eb", "x" * 500])
def test_any_text_stays_text(text: str) -> None:
    line = Line(text, (Point(0, 1), Point(1, 2)))
    for picture in (
        bars([Bar(text, Interval(1, 0, 2))], title=text, form=places),
        lines([line], title=text, form=places, x_title=text, x_labels=[text, text]),
    ):
        tree = ElementTree.fromstring(picture)
        assert tree.attrib["aria-label"].startswith(text)
        assert "script" not in {node.tag for node in tree.iter()}


def test_nothing_to_draw_gives_nothing() -> None:
    assert bars([], title="", form=places) == ""
    assert bars([Bar("x", Interval(math.nan, math.nan, math.nan))], title="", form=places) == ""
    assert lines([Line("x", (Point(0, math.nan),))], title="", form=places, x_title="") == ""


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_are_round_rise_and_enclose_the_data(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert 2 <= len(ticks) <= 9
    assert all(one < two for one, two in zip(ticks, ticks[1:], strict=False))
    slack = 1e-8 * (ticks[1] - ticks[0])
    assert ticks[0] <= low + slack
    assert ticks[-1] >= low + span - slack


def test_long_curves_are_thinned_but_keep_their_end() -> None:
    points = tuple(Point(step, 1.0) for step in range(10_000)) + (Point(10_000, math.inf),)
    kept = thin(Line("loss", points)).points
    assert len(kept) <= 301
    assert kept[-1].x == 9_999


def test_long_names_are_shortened() -> None:
    assert shorten("recency_ease") == "recency_ease"
    assert len(shorten("x" * 50)) == 22
