"""Plots as inline SVG with real text: nothing to load, readable in light and dark, told to screen readers in words.

Colours come from the page's style sheet as classes `c0` to `c6`; series also differ by dash and marker, so colour is never alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from instructrec.evaluation.intervals import Interval

NUM_COLOURS: Final = 7
MOST_POINTS: Final = 300
WIDTH: Final = 720.0
LABEL_LENGTH: Final = 22
DASHES: Final = ("", "7 4", "2 3", "10 3 2 3", "5 2", "1 4", "12 4")

Format = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar plot; `interval` bounds equal to the value draw no whisker."""

    label: str
    interval: Interval
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a line; bounds draw a whisker where they are given."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One named line."""

    label: str
    points: tuple[Point, ...]
    colour: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the data lie on the page: data bounds and pixel bounds of both axes (y grows upwards in data)."""

    x: tuple[float, float]
    y: tuple[float, float]
    left: float
    right: float
    top: float
    bottom: float

    def at_x(self, value: float) -> float:
        """Pixel of a data value on the x axis."""
        return self.left + (value - self.x[0]) / ((self.x[1] - self.x[0]) or 1.0) * (self.right - self.left)

    def at_y(self, value: float) -> float:
        """Pixel of a data value on the y axis."""
        return self.bottom - (value - self.y[0]) / ((self.y[1] - self.y[0]) or 1.0) * (self.bottom - self.top)


def bars(rows: Sequence[Bar], *, title: str, form: Format, width: float = WIDTH) -> str:
    """Horizontal bars from 0 to either side, one a row, with intervals as whiskers; an empty string without any finite value."""
    rows = [row for row in rows if math.isfinite(row.interval.value)]
    if not rows:
        return ""
    lowest = min(0.0, min(min(row.interval.value, row.interval.low) for row in rows))
    ticks = nice_ticks(lowest, max(0.0, max(max(row.interval.value, row.interval.high) for row in rows)))
    left = 24 + 7.6 * max(len(shorten(row.label)) for row in rows)
    bottom = 12 + 34.0 * len(rows)
    frame = Frame((ticks[0], ticks[-1]), (0.0, 1.0), left, width - 70, 12, bottom)
    body = [_vertical_grid(frame, ticks, form)]
    body += [_bar(row, frame, 12 + 34.0 * place + 17, form) for place, row in enumerate(rows)]
    said = "; ".join(f"{row.label} {said_of(row.interval, form)}" for row in rows)
    return svg(body, title=title, said=said, width=width, height=bottom + 28)


def lines(
    series: Sequence[Line],
    *,
    title: str,
    form: Format,
    x_title: str,
    x_labels: Sequence[str] = (),
    x_range: tuple[float, float] | None = None,
    width: float = WIDTH,
) -> str:
    """Lines over a numeric axis (`x_range`: from where to where; none: as far as the points go), or over named places 0, 1, 2 ...
    with `x_labels`; an empty string without any point.
    """
    series = [thin(line) for line in series]
    points = [point for line in series for point in line.points]
    if not points:
        return ""
    frame, ticks = _frame(points, width, len(x_labels), x_range)
    body = [horizontal_grid(frame, ticks, form), _x_axis(frame, x_labels, x_title)]
    for place, line in enumerate(series):
        shift = (place - (len(series) - 1) / 2) * 10.0 if x_labels else 0.0
        body.append(_line(line, frame, shift=shift, markers=len(line.points) <= 40, dashed=len(series) > 1))
    said = "; ".join(f"{line.label}: {form(line.points[0].y)} → {form(line.points[-1].y)}" for line in series if line.points)
    return svg(body, title=title, said=said, width=width, height=frame.bottom + 48)


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers that begin at or below `low` and end at or above `high`, about `about` steps apart."""
    largest = max(abs(low), abs(high))
    span = max(high - low, 1e-9 * largest) if largest > 1e-12 else 1.0
    size = 10.0 ** math.floor(math.log10(span / about))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor * about >= span * 0.999)
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    return [float(f"{place * step:.12g}") for place in range(first, last + 1)]


def thin(line: Line, most: int = MOST_POINTS) -> Line:
    """At most `most` finite points of a line, evenly taken, the last one kept."""
    points = [point for point in line.points if math.isfinite(point.x) and math.isfinite(point.y)]
    stride = max(1, math.ceil(len(points) / most))
    kept = points[::stride]
    if points and kept[-1] is not points[-1]:
        kept.append(points[-1])
    return Line(line.label, tuple(kept), line.colour)


def shorten(text: str, most: int = LABEL_LENGTH) -> str:
    """Text of at most `most` characters, the rest as an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _frame(
    points: Sequence[Point], width: float, num_places: int, x_range: tuple[float, float] | None
) -> tuple[Frame, list[float]]:
    low = min(min(point.y, point.low if point.low is not None else point.y) for point in points)
    high = max(max(point.y, point.high if point.high is not None else point.y) for point in points)
    # From 0 when it is near: a short axis makes small differences look large.
    ticks = nice_ticks(0.0 if 0 <= low < 0.6 * high else low, high)
    xs = x_range or (min(point.x for point in points), max(point.x for point in points))
    xs = (-0.5, num_places - 0.5) if num_places else xs
    return Frame(xs, (ticks[0], ticks[-1]), 62, width - 18, 14, 250), ticks


def _bar(row: Bar, frame: Frame, y: float, form: Format) -> str:
    value, low, high = row.interval.value, row.interval.low, row.interval.high
    start, end = sorted((frame.at_x(0.0), frame.at_x(value)))
    whisker = ""
    edge = end
    if high > low:
        first, last = frame.at_x(low), frame.at_x(high)
        edge = max(end, last)
        whisker = (
            f'<path class="whisker" d="M{first:.1f} {y:.1f}H{last:.1f}M{first:.1f} {y - 5:.1f}v10M{last:.1f} {y - 5:.1f}v10"/>'
        )
    name = escape(row.label)
    return (
        f"<g><title>{name}: {escape(said_of(row.interval, form))}</title>"
        f'<text class="name" x="{frame.left - 12:.1f}" y="{y + 4.5:.1f}" text-anchor="end">{escape(shorten(row.label))}</text>'
        f'<rect class="c{row.colour % NUM_COLOURS} bar" x="{start:.1f}" y="{y - 10:.1f}" '
        f'width="{max(1.5, end - start):.1f}" height="20" rx="3"/>{whisker}'
        f'<text class="value" x="{edge + 9:.1f}" y="{y + 4.5:.1f}">{escape(form(value))}</text></g>'
    )


def _line(line: Line, frame: Frame, *, shift: float, markers: bool, dashed: bool) -> str:
    spots = [(frame.at_x(point.x) + shift, frame.at_y(point.y), point) for point in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in spots)
    colour = line.colour % NUM_COLOURS
    dash = f' stroke-dasharray="{DASHES[colour]}"' if dashed and DASHES[colour] else ""
    whiskers = "".join(
        f"M{x:.1f} {frame.at_y(point.low):.1f}V{frame.at_y(point.high):.1f}"
        for x, _, point in spots
        if point.low is not None and point.high is not None
    )
    marks = "".join(marker(colour, x, y) for x, y, _ in spots) if markers else ""
    whisker = f'<path class="whisker faint s{colour}" d="{whiskers}"/>' if whiskers else ""
    return f'<g><title>{escape(line.label)}</title>{whisker}<path class="line s{colour}" d="{path}"{dash}/>{marks}</g>'


def marker(colour: int, x: float, y: float) -> str:
    """The mark of a series, round, square or diamond by its colour, centred on a pixel."""
    shape = colour % 3
    if shape == 0:
        return f'<circle class="c{colour} mark" cx="{x:.1f}" cy="{y:.1f}" r="4.2"/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if shape == 2 else ""
    return f'<rect class="c{colour} mark" x="{x - 3.8:.1f}" y="{y - 3.8:.1f}" width="7.6" height="7.6"{turn}/>'


def legend_mark(colour: int) -> str:
    """A small picture of a series for the legend; decoration, since the name stands beside it."""
    colour %= NUM_COLOURS
    dash = f' stroke-dasharray="{DASHES[colour]}"' if DASHES[colour] else ""
    line = f'<path class="line s{colour}" d="M1 7H29"{dash}/>'
    return f'<svg class="key" viewBox="0 0 30 14" width="30" height="14" aria-hidden="true">{line}{marker(colour, 15, 7)}</svg>'


def _vertical_grid(frame: Frame, ticks: Sequence[float], form: Format) -> str:
    grid = "".join(f"M{frame.at_x(tick):.1f} {frame.top - 4:.1f}V{frame.bottom:.1f}" for tick in ticks)
    below = frame.bottom + 18
    labels = "".join(
        f'<text class="tick" x="{frame.at_x(tick):.1f}" y="{below:.1f}" text-anchor="middle">{escape(form(tick))}</text>'
        for tick in ticks
    )
    return f'<path class="grid" d="{grid}"/>{labels}'


def horizontal_grid(frame: Frame, ticks: Sequence[float], form: Format) -> str:
    """A line across the frame at each tick, with its value at the left."""
    grid = "".join(f"M{frame.left:.1f} {frame.at_y(tick):.1f}H{frame.right:.1f}" for tick in ticks)
    labels = "".join(
        f'<text class="tick" x="{frame.left - 10:.1f}" y="{frame.at_y(tick) + 4:.1f}" text-anchor="end">{escape(form(tick))}</text>'
        for tick in ticks
    )
    return f'<path class="grid" d="{grid}"/>{labels}'


def _x_axis(frame: Frame, labels: Sequence[str], title: str) -> str:
    numbers = [tick for tick in nice_ticks(*frame.x) if frame.x[0] <= tick <= frame.x[1]]
    places = list(enumerate(labels)) if labels else [(tick, f"{tick:g}") for tick in numbers]
    texts = "".join(
        f'<text class="tick" x="{frame.at_x(x):.1f}" y="{frame.bottom + 19:.1f}" text-anchor="middle">{escape(label)}</text>'
        for x, label in places
    )
    middle = (frame.left + frame.right) / 2
    return f'{texts}<text class="axis" x="{middle:.1f}" y="{frame.bottom + 40:.1f}" text-anchor="middle">{escape(title)}</text>'


def said_of(interval: Interval, form: Format) -> str:
    """A value with its bounds in words."""
    bounds = f" ({form(interval.low)}–{form(interval.high)})" if interval.high > interval.low else ""
    return f"{form(interval.value)}{bounds}"


def svg(body: Sequence[str], *, title: str, said: str, width: float, height: float) -> str:
    """A picture that is told in words to who cannot see it."""
    label = escape(f"{title}. {said}", quote=True)
    wide = " wide" if width > 500 else ""
    return f'<svg class="plot{wide}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{label}">{"".join(body)}</svg>'
