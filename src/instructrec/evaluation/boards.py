"""What a comparison shows beside its leaderboard: costs, kinds of items, which differences are real, what random clicks leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from instructrec.evaluation.comparison import Comparison, ModelTest
from instructrec.evaluation.notation import metric_title, percent_of, places, seconds
from instructrec.evaluation.plots import NUM_COLOURS, Bar, Line, Point, bars, lines
from instructrec.evaluation.scatter import Dot, scatter

if TYPE_CHECKING:
    from markupsafe import Markup

MOST_LINES: Final = NUM_COLOURS
"""Lines in one picture, those of the best models: more could not be told apart."""
SURE: Final = 0.05
"""Largest corrected p-value that the page calls a difference."""


@dataclass(frozen=True, slots=True)
class Square:
    """One field of the matrix of tests: row minus column; `verdict` is better, worse or unclear."""

    test: ModelTest
    verdict: str


def verdict_of(test: ModelTest) -> str:
    """What a test says of its first model."""
    if not test.p_holm < SURE:
        return "unclear"
    return "better" if test.test.difference.value > 0 else "worse"


def matrix(comparison: Comparison) -> list[tuple[str, list[Square | None]]]:
    """A row a model, best first, with a field for each model (none for itself); empty unless all pairs were tested."""
    names = list(comparison.models)
    if len(names) < 3 or len(comparison.tests) < len(names) * (len(names) - 1) // 2:
        return []
    found = {(test.first, test.second): test for test in comparison.tests}
    found |= {(test.second, test.first): test.turned() for test in comparison.tests}
    squares = {pair: Square(test, verdict_of(test)) for pair, test in found.items()}
    return [(row, [squares.get((row, column)) for column in names]) for row in names]


def tests_of_best(comparison: Comparison) -> tuple[ModelTest, ...]:
    """The tests that tell most: where all pairs were tested, those of the best model against each other one, it first."""
    names = list(comparison.models)
    if len(comparison.tests) < len(names):
        return comparison.tests
    best = {
        test.second if test.first == names[0] else test.first: test
        for test in comparison.tests
        if names[0] in (test.first, test.second)
    }
    return tuple(best[name] if best[name].first == names[0] else best[name].turned() for name in names[1:] if name in best)


def cost_pictures(comparison: Comparison, colours: Mapping[str, int], text: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """Title and picture of accuracy against the time of the fit, and against that of one list."""
    from markupsafe import Markup

    if not comparison.metrics:
        return []
    metric, words, found = comparison.metrics[0], text["costs"], []
    for name, factor, axis in (("fit", 1.0, "fit_seconds"), ("latency", 1e-3, "latency_ms")):
        dots = [
            Dot(model, factor * getattr(cost, axis), comparison.models[model][metric], colours[model])
            for model, cost in comparison.costs.items()
            if model in comparison.models
        ]
        title = words[f"{name}_plot"].format(metric=metric_title(metric))
        picture = scatter(dots, title=title, form=places, x_form=seconds, x_title=words[f"{name}_axis"])
        found += [(title, Markup(picture))] if picture else []
    return found


def item_picture(comparison: Comparison, colours: Mapping[str, int], text: Mapping[str, Any]) -> str:
    """The first metric by kind of held-out item, for the best models; empty with fewer than two kinds."""
    kinds = list(dict.fromkeys(segment.name for row in comparison.item_segments.values() for segment in row))
    if len(kinds) < 2:
        return ""
    words = text["item_segments"]
    series = [
        Line(
            name,
            tuple(Point(kinds.index(s.name), s.metric.value, s.metric.low, s.metric.high) for s in comparison.item_segments[name]),
            colours[name],
        )
        for name in list(comparison.item_segments)[:MOST_LINES]
    ]
    return lines(series, title=words["title"], form=places, x_title="", x_labels=[words[kind] for kind in kinds])


def kept_picture(comparison: Comparison, colours: Mapping[str, int], text: Mapping[str, Any]) -> str:
    """What is left of the first metric under random clicks, most first; empty where nothing was tried."""
    order: Sequence[str] = sorted(comparison.kept, key=lambda name: -comparison.kept[name].value)
    rows = [Bar(name, comparison.kept[name], colours[name]) for name in order]
    return bars(rows, title=text["kept"]["title"], form=percent_of)
