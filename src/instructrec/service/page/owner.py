"""The owner's side: figures as tiles and plots, the run that serves, and items that nobody is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.plots import Bar, Line, Point, bars, legend_mark, lines
from instructrec.service.figures import Folder, figures, rate, together
from instructrec.service.live import Live
from instructrec.service.page.acting import title_of
from instructrec.service.page.frame import fill, words
from instructrec.service.watch import STEP_S, Step, latency_ms

WINDOWS = (5, 15, 60)
"""Minutes that can be looked at."""
WIDTH = 480.0
MOST_WITHDRAWN = 50
MOST_BARS = 10


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: its name, its value, and what stands below it."""

    name: str
    value: str
    below: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture with its legend: (mark, name) a series."""

    title: str
    picture: Markup
    legend: tuple[tuple[Markup, str], ...] = ()


def view(live: Live, minutes: int, language: str, beside: Sequence[Folder]) -> dict[str, Any]:
    """What the template of the owner's side shows; `beside`: the run folders that there are."""
    text = words(language)["owner"]
    found = figures(live, minutes)
    steps = live.watch.steps(minutes, together=together(minutes))
    gone = sorted(live.snapshot.withdrawn)
    return {
        "minutes": minutes,
        "windows": WINDOWS,
        "tiles": _tiles(found, text),
        "plots": [plot for plot in _over_the_window(steps, found, text) if plot.picture],
        "shares": [plot for plot in _shares(found["total"], text) if plot.picture],
        "run": found["run"],
        "folders": [folder for folder in beside if not folder.serves],
        "withdrawn": [(item, title_of(live, item)) for item in gone[:MOST_WITHDRAWN]],
        "more_withdrawn": max(0, len(gone) - MOST_WITHDRAWN),
    }


def _tiles(found: dict[str, Any], text: dict[str, Any]) -> list[Tile]:
    whole, cover = found["total"], found["coverage"]
    seconds = found["minutes"] * 60
    times = {name: _ms(whole["lists_latency"][f"{name}_ms"]) for name in ("p50", "p95", "p99")}
    rest = text["comma"].join(f"{name} {times[name]}" for name in ("p95", "p99"))
    asked = fill(text["per_s"], n=f"{whole['requests'] / seconds:.2g}")
    return [
        Tile(text["requests"], f"{whole['requests']:,}", fill(text["failed"], n=whole["failed"], rate=asked)),
        Tile(text["lists"], f"{whole['lists']:,}", fill(text["per_s"], n=f"{whole['lists'] / seconds:.2g}")),
        Tile(text["latency"], times["p50"], rest),
        Tile(text["from_memory"], _percent(whole["from_memory_share"]), text["from_memory_hint"]),
        Tile(text["degraded"], _percent(whole["degraded_share"]), text["degraded_hint"]),
        Tile(text["clicks"], _number(whole["clicks_per_list"]), fill(text["of_all"], n=f"{whole['events'].get('click', 0):,}")),
        Tile(text["likes"], _number(whole["likes_per_list"]), fill(text["of_all"], n=f"{whole['events'].get('like', 0):,}")),
        Tile(text["coverage"], _percent(cover["share"]), fill(text["coverage_hint"], n=cover["shown"], all=cover["items"])),
        _drift(found["drift"], text),
    ]


def _drift(found: dict[str, Any], text: dict[str, Any]) -> Tile:
    """The largest shift of what people choose, and in what it is."""
    if not found["shifts"]:
        return Tile(text["drift"], _number(None), text["drift_none"])
    largest = found["shifts"][0]
    most = largest["most"][0]
    below = fill(
        text["drift_found" if largest["shifted"] else "drift_chance"],
        by=text["by_popularity"] if largest["by"] == "popularity" else largest["by"],
        name=most["name"],
        then=_percent(most["then"]),
        now=_percent(most["now"]),
        n=f"{found['choices']:,}",
    )
    return Tile(text["drift"], _number(largest["index"]), below)


def _over_the_window(steps: Sequence[Step], found: dict[str, Any], text: dict[str, Any]) -> list[Plot]:
    minutes, length = found["minutes"], STEP_S * together(found["minutes"])
    times = [latency_ms(step.lists) for step in steps]
    quantiles = [(name, [entry[f"{name}_ms"] for entry in times]) for name in ("p50", "p95", "p99")]
    rates = [(text["clicks"], rate(steps, "click")), (text["likes"], rate(steps, "like"))]
    sent = [(text["lists"], [step.lists.total() / length for step in steps])] if found["total"]["lists"] else []
    drawn = ((text["traffic"], sent), (text["latency_of"], quantiles), (text["rates_plot"], rates))
    return [_over_time(title, series, steps, minutes, text["ago"]) for title, series in drawn]


def _shares(whole: dict[str, Any], text: dict[str, Any]) -> list[Plot]:
    names = text["event"]
    events = [(names.get(name, name), float(count)) for name, count in whole["events"].items()]
    return [
        _as_bars(text["events"], events, lambda value: f"{value:,g}"),
        _as_bars(text["served_by"], list(whole["served_by"].items()), _percent),
    ]


def _over_time(
    title: str, series: Sequence[tuple[str, Sequence[float | None]]], steps: Sequence[Step], minutes: int, x_title: str
) -> Plot:
    """Lines over the minutes that have gone by, the present at the right; no line where nothing was counted."""
    last = steps[-1].at if steps else 0
    drawn = []
    for place, (name, values) in enumerate(series):
        points = tuple(
            Point((step.at - last) * STEP_S / 60, value) for step, value in zip(steps, values, strict=True) if value is not None
        )
        if points:
            drawn.append(Line(name, points, place))
    picture = lines(drawn, title=title, form=_short, x_title=x_title, x_range=(-float(minutes), 0.0), width=WIDTH)
    legend = tuple((Markup(legend_mark(line.colour)), line.label) for line in drawn) if len(drawn) > 1 else ()
    return Plot(title, Markup(picture), legend)


def _as_bars(title: str, rows: Sequence[tuple[str, float]], form: Callable[[float], str]) -> Plot:
    drawn = [Bar(name, Interval(value, value, value)) for name, value in rows[:MOST_BARS]]
    return Plot(title, Markup(bars(drawn, title=title, form=form, width=WIDTH)))


def _ms(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1000:.2g} s" if value >= 1000 else f"{value:.3g} ms"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %".replace(".0 ", " ")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2g}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
