"""Experiments on the owner's side: who gets what, what came of it with intervals as plots, and the steps that can be taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from instructrec import wire
from instructrec.evaluation.intervals import Interval
from instructrec.evaluation.plots import Bar, bars
from instructrec.experiments import CREDITED, Experiment
from instructrec.service.drafting import EXPLORATION, MODEL
from instructrec.service.findings import notes
from instructrec.service.live import Live
from instructrec.service.page.frame import fill, words
from instructrec.service.page.owner import WIDTH, Plot

MOST_LISTED, MOST_TOLD = 20, 3
"""Experiments that are listed, and those of them whose results are told: what runs, and what ran last."""
STEPS = {"draft": ("start",), "running": ("stop", "promote"), "stopped": ("promote",), "promoted": ("stop",)}
"""What the owner can do, by status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One experiment, ready to be written down.

    `arms`: name, what makes its lists, and how many people or lists fell on it, as `fell` says; `means`: metric, arm, people who
    count and their mean (none of an interleaving); `is_alarm`: the arms cannot be compared; `steps`: names of the buttons.
    """

    name: str
    about: str
    notes: tuple[str, ...]
    is_alarm: bool
    fell: str
    arms: tuple[tuple[str, str, str], ...]
    means: tuple[tuple[str, str, str, str], ...]
    guardrails: tuple[str, ...]
    plots: tuple[Plot, ...]
    steps: tuple[str, ...]


def view(live: Live, tenant: str, language: str) -> list[Trial]:
    """The experiments of a tenant: what runs, then what ran last, then drafts."""
    every = sorted(live.comparing.all(tenant).values(), key=lambda one: (one.status == "running", one.started or 0.0), reverse=True)
    return [_trial(live, tenant, one, language, told=place < MOST_TOLD) for place, one in enumerate(every[:MOST_LISTED])]


def _trial(live: Live, tenant: str, one: Experiment, language: str, *, told: bool) -> Trial:
    text = words(language)["trials"]
    found = live.comparing.lately(tenant, one.id) if told and one.status != "draft" else None
    counts = found["split"]["counts"] if found else {}
    since = "" if one.started is None else datetime.fromtimestamp(one.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = [text["kind"][one.kind], text["status"][one.status], fill(text["since"], day=since) if since else ""]
    return Trial(
        name=one.id,
        about=" · ".join(part for part in parts if part),
        notes=tuple(wire.note(code, language=language) for code in notes(one, found, live.snapshot.models)) if found else (),
        is_alarm=found is not None and found["split"]["alarm"],
        fell=text["begun" if one.kind == "interleaving" else "people"],
        arms=tuple(
            (arm.name, _maker(arm.settings, text), f"{counts[arm.name]:,}" if arm.name in counts else "–") for arm in one.arms
        ),
        means=_means(found, text) if found else (),
        guardrails=tuple(
            fill(text["guardrail"], metric=text["metric"][check["metric"]], arm=check["arm"], state=text["state"][check["state"]])
            for check in (found or {}).get("guardrails", ())
        ),
        plots=tuple(plot for plot in _plots(one, found, text) if plot.picture) if found else (),
        steps=STEPS[one.status],
    )


def _maker(settings: Mapping[str, Any], text: Mapping[str, Any]) -> str:
    """What makes the lists of an arm."""
    model = str(settings.get(MODEL) or text["as_served"])
    epsilon = settings.get(EXPLORATION)
    return fill(text["explores"], model=model, share=_percent(epsilon)) if epsilon else model


def _means(found: Mapping[str, Any], text: Mapping[str, Any]) -> tuple[tuple[str, str, str, str], ...]:
    """Each metric by arm; of an interleaving how many people chose more of which arm."""
    if "preferences" in found:
        names = ("wins", "losses", "ties")
        return tuple(
            (text["credit"][CREDITED[metric]], text[name], f"{row[name]:,}", "")
            for metric, row in found["preferences"].items()
            for name in names
        )
    return tuple(
        (text["metric"][metric], arm, f"{row['n']:,}", "–" if row["mean"] is None else _form(metric)(row["mean"]))
        for metric, rows in found["metrics"].items()
        for arm, row in rows.items()
    )


def _plots(one: Experiment, found: Mapping[str, Any], text: Mapping[str, Any]) -> list[Plot]:
    """The differences to the control by metric, and what if everybody had an arm; those that are not bounded yet are left out."""
    if "preferences" in found:
        rows = [(text["credit"][CREDITED[metric]], row["difference"]) for metric, row in found["preferences"].items()]
        return [_plot(fill(text["preference"], arm=one.arms[1].name), rows, lambda value: f"{value:+.2f}")]
    drawn = [
        _plot(
            fill(text["difference"], metric=text["metric"][metric]),
            [(arm, row["always_valid"]) for arm, row in arms.items() if row["always_valid"]],
            _signed(_form(metric)),
        )
        for metric, arms in found["metrics"].items()
    ]
    policies = [row for row in found["off_policy"]["policies"] if not row["refused"]]
    named = [
        (row["arm"] if row["explores"] else fill(text["unexplored"], arm=row["arm"]), row["estimates"]["snips"]["reward"])
        for row in policies
    ]
    reward = text["reward"][found["off_policy"]["reward"]]
    return [*drawn, _plot(fill(text["what_if"], reward=reward), named, _percent)]


def _plot(title: str, rows: Sequence[tuple[str, Mapping[str, float | None]]], form: Callable[[float], str]) -> Plot:
    drawn = [
        Bar(name, Interval(value, low, high), place)
        for place, (name, row) in enumerate(rows)
        for value, low, high in [(row["value"], row["low"], row["high"])]
        if value is not None and low is not None and high is not None
    ]
    return Plot(title, Markup(bars(drawn, title=title, form=form, width=WIDTH)))


def _form(metric: str) -> Callable[[float], str]:
    """How values of a metric are written: answers as they are, all others are shares."""
    return (lambda value: f"{value:.2f}") if metric == "satisfaction" else _percent


def _signed(form: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: f"+{form(value)}" if value > 0 else form(value)


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"
