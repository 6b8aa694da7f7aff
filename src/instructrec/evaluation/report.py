"""The report of a run: one HTML page that needs nothing else, filled from typed data, every string escaped."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from instructrec.errors import ConfigError, nearest
from instructrec.evaluation.beyond import BEYOND
from instructrec.evaluation.boards import verdict_of
from instructrec.evaluation.comparison import Comparison, definitions
from instructrec.evaluation.costs import COSTS
from instructrec.evaluation.maps import ItemMap
from instructrec.evaluation.metrics import METRICS
from instructrec.evaluation.notation import FILTERS, metric_title
from instructrec.evaluation.peruser import RATINGS
from instructrec.evaluation.views import curves, view

LANGUAGES: Final = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value of the run: data set, model, seed, duration, machine ..."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningStep:
    """One step of cleaning: interactions before and after it, and what was done in words."""

    name: str
    before: int
    after: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleItem:
    """One item of a history or a list. `status` is that of its explanation (verified, fallback, none)."""

    title: str
    detail: str = ""
    score: float | None = None
    source: str = ""
    explanation: str = ""
    status: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleList:
    """One list shown to a user; with the words it obeys and what was understood of them, if there were any."""

    items: tuple[SampleItem, ...]
    instruction: str = ""
    limits: tuple[str, ...] = ()
    wish: str = ""
    not_understood: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleUser:
    """A user with the last items of the history, newest first, and the lists made for them."""

    name: str
    history: tuple[SampleItem, ...]
    lists: tuple[SampleList, ...]
    history_length: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything the page shows; empty parts are left out of it.

    `curve`: one mapping a step with "step" and any of "loss" and "valid_loss". `next_steps`: commands to type next.
    """

    title: str
    subtitle: str = ""
    facts: tuple[Fact, ...] = ()
    data: tuple[Fact, ...] = ()
    cleaning: tuple[CleaningStep, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    curve: Sequence[Mapping[str, float | None]] = ()
    users: tuple[SampleUser, ...] = ()
    map: ItemMap | None = None
    next_steps: tuple[str, ...] = ()
    language: str = "en"


def render(data: ReportData) -> str:
    """The page as text, to be written as UTF-8; equal data give equal bytes. Raises ConfigError for an unknown language."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= FILTERS
    text = wording(data.language)
    template = environment.from_string(_read("templates/report.html.jinja"))
    return template.render(
        d=data,
        t=text,
        style=Markup(style()),
        views=[view(comparison, text) for comparison in data.comparisons],
        curves=curves(data.curve, text),
        map_picture=Markup(data.map.picture) if data.map else "",
        map_legend=[(Markup(mark), value) for mark, value in data.map.legend] if data.map else [],
        metric_definitions=_definitions(data, text),
        verdict_of=verdict_of,
    )


def style() -> str:
    """The style sheet of every page of the product."""
    return _read("templates/report.css")


def wording(language: str) -> Mapping[str, Any]:
    """The words of the page in one language. Raises ConfigError for a language there are no words in."""
    if language not in LANGUAGES:
        raise ConfigError(f"There is no report in '{language}'. Known: {', '.join(LANGUAGES)}.{nearest(language, LANGUAGES)}")
    return tomllib.loads(_read(f"wording/{language}.toml"))


def _definitions(data: ReportData, text: Mapping[str, Any]) -> dict[str, str]:
    """Definitions of everything on the page, in the language of the page where it has them."""
    metrics = definitions([metric for comparison in data.comparisons for metric in comparison.metrics])
    shown = {name for comparison in data.comparisons for row in comparison.beyond.values() for name in row}
    found = {
        metric_title(f"{name}@k" if METRICS[name].cut else name): text["definitions"].get(name, sentence)
        for name, sentence in metrics.items()
    }
    beyond = {text["beyond"][name]: text["definitions"].get(name, sentence) for name, sentence in BEYOND.items() if name in shown}
    ratings = RATINGS if any(comparison.ratings for comparison in data.comparisons) else {}
    costs = COSTS if any(comparison.costs for comparison in data.comparisons) else {}
    errors = {name.upper(): text["definitions"].get(name, sentence) for name, sentence in ratings.items()}
    times = {text["costs"][name]: text["definitions"].get(name, sentence) for name, sentence in costs.items()}
    return found | errors | beyond | times


def _read(name: str) -> str:
    return files("instructrec.evaluation").joinpath(name).read_text(encoding="utf-8")
