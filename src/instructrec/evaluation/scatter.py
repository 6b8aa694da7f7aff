"""Points with names over a logarithmic axis, as inline SVG: what something costs against what it gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.plots import WIDTH, Format, Frame, horizontal_grid, marker, nice_ticks, said_of, shorten, svg

HEIGHT: Final = 330.0
LETTER: Final = 7.5
"""Width of a letter of a name in pixels, about; names are placed by it."""
SHIFTS: Final = tuple(sign * step for step in (0.0, 8.0, 16.0, 24.0, 32.0, 44.0, 56.0, 70.0) for sign in (1, -1))
"""How far up or down of its point a name may stand, in pixels."""
LEAD: Final = 24.0
"""From this distance on a line leads from the point to its name."""
_Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Dot:
    """One named point: `x` above 0, and a value with its interval."""

    label: str
    x: float
    interval: Interval
    colour: int = 0


def scatter(dots: Sequence[Dot], *, title: str, form: Format, x_form: Format, x_title: str) -> str:
    """Points with whiskers and names beside them; an empty string without any point that has a value and an x above 0."""
    dots = [dot for dot in dots if math.isfinite(dot.interval.value) and math.isfinite(dot.x) and dot.x > 0]
    if not dots:
        return ""
    low, high = min(dot.interval.low for dot in dots), max(dot.interval.high for dot in dots)
    ticks = nice_ticks(0.0 if 0 <= low < 0.6 * high else low, high)
    powers = [math.log10(dot.x) for dot in dots]
    edges = (min(powers) - 0.2, max(powers) + 0.3)
    # A decade at least, or one point would stand on an axis without a tick.
    middle, half = sum(edges) / 2, max(0.5, (edges[1] - edges[0]) / 2)
    frame = Frame((middle - half, middle + half), (ticks[0], ticks[-1]), 62, WIDTH - 24, 14, HEIGHT - 56)
    places = [(frame.at_x(power), frame.at_y(dot.interval.value)) for power, dot in zip(powers, dots, strict=True)]
    body = [horizontal_grid(frame, ticks, form), _x_axis(frame, x_form, x_title)]
    body += [_dot(dot, place, frame, form, x_form) for dot, place in zip(dots, places, strict=True)]
    body += _names(dots, places, frame)
    said = "; ".join(f"{dot.label} {x_form(dot.x)}, {said_of(dot.interval, form)}" for dot in dots)
    return svg(body, title=title, said=said, width=WIDTH, height=HEIGHT)


def _dot(dot: Dot, place: tuple[float, float], frame: Frame, form: Format, x_form: Format) -> str:
    x, y = place
    whisker = ""
    if dot.interval.high > dot.interval.low:
        span = f"M{x:.1f} {frame.at_y(dot.interval.low):.1f}V{frame.at_y(dot.interval.high):.1f}"
        whisker = f'<path class="whisker faint s{dot.colour}" d="{span}"/>'
    told = escape(f"{dot.label}: {x_form(dot.x)}, {said_of(dot.interval, form)}")
    return f"<g><title>{told}</title>{whisker}{marker(dot.colour, x, y)}</g>"


def _names(dots: Sequence[Dot], places: Sequence[tuple[float, float]], frame: Frame) -> list[str]:
    """The name of each point near it, where it covers little; a thin line leads to one that had to move away."""
    taken: list[_Box] = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    taken += [
        (x - 1, frame.at_y(dot.interval.high), x + 1, frame.at_y(dot.interval.low))
        for dot, (x, _) in zip(dots, places, strict=True)
        if dot.interval.high > dot.interval.low
    ]
    out = []
    for dot, (x, y) in sorted(zip(dots, places, strict=True), key=lambda pair: pair[1]):
        name = shorten(dot.label)
        width = LETTER * len(name)
        spots = [(left, y + shift - 8, left + width, y + shift + 8) for shift in SHIFTS for left in (x + 9, x - 9 - width)]
        box = min(spots, key=lambda spot: _cost(spot, y, taken, frame))
        taken.append(box)
        if abs(box[1] + 8 - y) >= LEAD:
            end = box[0] if box[0] > x else box[2]
            out.append(f'<path class="grid" d="M{x:.1f} {y:.1f}L{end:.1f} {box[1] + 8:.1f}"/>')
        anchor = ("start", box[0]) if box[0] > x else ("end", box[2])
        out.append(f'<text class="name" x="{anchor[1]:.1f}" y="{box[3] - 3.5:.1f}" text-anchor="{anchor[0]}">{escape(name)}</text>')
    return out


def _cost(spot: _Box, y: float, taken: Sequence[_Box], frame: Frame) -> float:
    """Pixels that a name would cover of others, and how far away it would be; far more where it would leave the frame."""
    left, top, right, bottom = spot
    outside = max(0.0, frame.left - left) + max(0.0, right - frame.right - 20) + max(0.0, frame.top - 8 - top)
    outside += max(0.0, bottom - frame.bottom)
    covered = sum(
        max(0.0, min(right, box[2]) - max(left, box[0])) * max(0.0, min(bottom, box[3]) - max(top, box[1])) for box in taken
    )
    return covered + 2 * abs(top + 8 - y) + 100 * outside


def _x_axis(frame: Frame, form: Format, title: str) -> str:
    """Powers of ten, and 2 and 5 between them where there are few; the grid stands under each."""
    decades = range(math.floor(frame.x[0]), math.ceil(frame.x[1]) + 1)
    steps = (1, 2, 5) if frame.x[1] - frame.x[0] < 2.5 else (1,)
    ticks = [decade + math.log10(step) for decade in decades for step in steps]
    ticks = [tick for tick in ticks if frame.x[0] <= tick <= frame.x[1]]
    grid = "".join(f"M{frame.at_x(tick):.1f} {frame.top:.1f}V{frame.bottom:.1f}" for tick in ticks)
    texts = "".join(
        f'<text class="tick" x="{frame.at_x(tick):.1f}" y="{frame.bottom + 19:.1f}" text-anchor="middle">'
        f"{escape(form(float(f'{10**tick:.3g}')))}</text>"
        for tick in ticks
    )
    middle = (frame.left + frame.right) / 2
    name = f'<text class="axis" x="{middle:.1f}" y="{frame.bottom + 42:.1f}" text-anchor="middle">{escape(title)}</text>'
    return f'<path class="grid" d="{grid}"/>{texts}{name}'
