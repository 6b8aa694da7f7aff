"""Accuracy against cost: every point has its place on a logarithmic axis, its name, and its words for who cannot see it."""

from __future__ import annotations

import math
import re

import pytest

from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.notation import places, seconds, size
from instructrec.evaluation.scatter import Dot, scatter


def drawn(*dots: Dot) -> str:
    return scatter(dots, title="A title", form=places, x_form=seconds, x_title="time")


def dot(name: str, x: float, value: float) -> Dot:
    return Dot(name, x, Interval(value, value - 0.01, value + 0.01))


def test_equal_factors_are_equal_ways() -> None:
    picture = drawn(dot("a", 0.01, 0.3), dot("b", 0.1, 0.2), dot("c", 1.0, 0.1))
    places_of = [float(x) for x in re.findall(r'<circle class="c0 mark" cx="([\d.]+)"', picture)]
    assert len(places_of) == 3
    assert places_of[1] - places_of[0] == pytest.approx(places_of[2] - places_of[1], abs=0.2)
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', picture)]
    assert heights == sorted(heights)


def test_names_do_not_cover_one_another() -> None:
    dots = [dot(f"model_{number}", 1.0 + number / 1000, 0.2 + number / 500) for number in range(4)]
    picture = drawn(*dots)
    boxes = [(float(x), float(y)) for x, y in re.findall(r'<text class="name" x="([\d.]+)" y="([\d.]+)"', picture)]
    assert len(boxes) == 4
    for place, (x, y) in enumerate(boxes):
        assert all(abs(y - other_y) >= 12 or abs(x - other_x) >= 45 for other_x, other_y in boxes[:place])


def test_what_has_no_place_is_left_out() -> None:
    assert drawn() == drawn(dot("a", 0.0, 0.1)) == drawn(dot("a", 1.0, math.nan)) == ""
    picture = drawn(dot("<b>", 1.0, 0.1), dot("gone", math.inf, 0.1))
    assert "&lt;b&gt;" in picture and "<b>" not in picture and "gone" not in picture
    assert 'aria-label="A title. &lt;b&gt; 1 s, 0.100 (0.090–0.110)"' in picture


def test_one_point_has_ticks_around_it() -> None:
    assert picture_ticks(drawn(dot("only", 0.003, 0.1))) >= 2


def picture_ticks(picture: str) -> int:
    return len(re.findall(r"m?s</text>", picture))


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0004, "0.4 ms"), (0.0123, "12 ms"), (1.0, "1 s"), (75.4, "75 s"), (150.0, "2.5 min"), (3 * 3600.0, "3 h")],
)
def test_times_are_said_in_their_unit(value: float, said: str) -> None:
    assert seconds(value) == said


def test_sizes() -> None:
    assert [size(value) for value in (None, 0, 12_300_000, 2_340_000_000)] == ["–", "0 MB", "12 MB", "2.34 GB"]
