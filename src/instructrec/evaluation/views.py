"""From a comparison and a learning curve to what the report's page shows of them: a headline and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instructrec.evaluation.beyond import BEYOND
from instructrec.evaluation.boards import MOST_LINES, SURE, Square, cost_pictures, item_picture, kept_picture, matrix, tests_of_best
from instructrec.evaluation.comparison import Comparison, ModelTest
from instructrec.evaluation.notation import (
    PERCENT,
    hundredths,
    metric_title,
    number,
    p_value,
    percent_of,
    places,
    short,
    thousands,
    whole_percent,
)
from instructrec.evaluation.plots import NUM_COLOURS, Bar, Line, Point, bars, legend_mark, lines

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A comparison with its pictures, ready for the template."""

    comparison: Comparison
    headline: str
    leaderboard: Markup
    segments: Markup
    segment_legend: tuple[tuple[Markup, str], ...]
    beyond: tuple[tuple[str, Markup], ...]
    best: Mapping[str, str]
    tests: tuple[ModelTest, ...]
    matrix: Sequence[tuple[str, Sequence[Square | None]]]
    items: Markup
    costs: tuple[tuple[str, Markup], ...]
    kept: Markup
    num_lines: int
    """How many models the pictures with lines show where they do not show all, else 0."""


def view(comparison: Comparison, text: Mapping[str, Any]) -> View:
    """Lay out one comparison; `text` holds the words of the page (see `report.wording`)."""
    from markupsafe import Markup

    # Markup is right here: plots.py escapes every string it is given.
    colours = {name: place % NUM_COLOURS for place, name in enumerate(comparison.models)}
    metric = comparison.metrics[0] if comparison.metrics else ""
    rows = [Bar(name, row[metric], colours[name]) for name, row in comparison.models.items()] if metric else []
    title = text["plots"]["leaderboard"].format(metric=metric_title(metric))
    return View(
        comparison=comparison,
        headline=_headline(comparison, text),
        leaderboard=Markup(bars(rows, title=title, form=places)),
        segments=Markup(_segments(comparison, colours, text, metric)),
        segment_legend=tuple((Markup(legend_mark(colour)), name) for name, colour in list(colours.items())[:MOST_LINES]),
        beyond=tuple((name, Markup(picture)) for name, picture in _beyond(comparison, colours, text)),
        best={name: max(comparison.models, key=lambda model: _value(comparison, model, name)) for name in comparison.metrics},
        tests=tests_of_best(comparison),
        matrix=matrix(comparison),
        items=Markup(item_picture(comparison, colours, text)),
        costs=tuple(cost_pictures(comparison, colours, text)),
        kept=Markup(kept_picture(comparison, colours, text)),
        num_lines=MOST_LINES if len(colours) > MOST_LINES else 0,
    )


def _value(comparison: Comparison, model: str, metric: str) -> float:
    value = comparison.models[model][metric].value
    return -1.0 if math.isnan(value) else value


def _headline(comparison: Comparison, text: Mapping[str, Any]) -> str:
    if not comparison.metrics:
        return ""
    words, metric, names = text["headline"], comparison.metrics[0], list(comparison.models)
    best = comparison.models[names[0]][metric]
    numbers = {"value": number(best.value), "low": number(best.low), "high": number(best.high)}
    said = words["best"].format(model=names[0], metric=metric_title(metric), users=thousands(comparison.num_users), **numbers)
    test = next((test for test in comparison.tests if names[1:2] and {test.first, test.second} == set(names[:2])), None)
    if test is None:
        return str(said)
    key = "clear" if test.p_holm < SURE else "unclear"
    return f"{said} {words[key].format(model=names[0], other=names[1], p=p_value(test.p_holm))}"


def _segments(comparison: Comparison, colours: Mapping[str, int], text: Mapping[str, Any], metric: str) -> str:
    if max((len(found) for found in comparison.segments.values()), default=0) < 2:
        return ""
    lows = sorted({segment.low for found in comparison.segments.values() for segment in found})
    labels = {segment.low: segment.label for found in comparison.segments.values() for segment in found}
    series = [
        Line(name, tuple(Point(lows.index(s.low), s.metric.value, s.metric.low, s.metric.high) for s in found), colours[name])
        for name, found in list(comparison.segments.items())[:MOST_LINES]
    ]
    words = text["plots"]
    title = words["segments"].format(metric=metric_title(metric))
    return lines(series, title=title, form=places, x_title=words["history_length"], x_labels=[labels[low] for low in lows])


def _beyond(comparison: Comparison, colours: Mapping[str, int], text: Mapping[str, Any]) -> list[tuple[str, str]]:
    pictures = []
    for name in BEYOND:
        rows = [Bar(model, found[name], colours[model]) for model, found in comparison.beyond.items() if name in found]
        if rows and name != "gini":
            form = percent_of if name == "serendipity" else whole_percent if name in PERCENT else hundredths
            pictures.append((name, bars(rows, title=text["beyond"][name], form=form, width=460)))
    return pictures


def curves(curve: Sequence[Mapping[str, float | None]], text: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Title and picture of each curve that has at least two points (see `report.ReportData.curve`)."""
    from markupsafe import Markup

    pictures = []
    for colour, name in ((0, "loss"), (2, "valid_loss")):
        found = [(row.get("step"), row.get(name)) for row in curve]
        points = tuple(Point(float(step), float(value)) for step, value in found if step is not None and value is not None)
        title = text["plots"][name]
        line = Line(title, points, colour)
        if len(points) > 1:
            picture = lines([line], title=title, form=short, x_title=text["plots"]["step"], width=460)
            pictures.append((title, Markup(picture)))
    return pictures
