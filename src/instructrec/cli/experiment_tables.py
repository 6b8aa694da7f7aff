"""Experiments as tables in the terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from instructrec.console import Values, interval, new_table, plain

if TYPE_CHECKING:
    from rich.console import Console


_REFUSED = {
    "nothing": "Not enough: no list was logged that says something of it. Let a split run, and ask again.",
    "support": "Not enough: for too many requests no arm could have shown its list. Let an arm explore (--exploration NAME=.1), or "
    "make the model an arm.",
    "effective_n": "Not enough: too few lists are like its own. Log more, explore more, ask for shorter lists, or make the model "
    "an arm.",
}
"""What is said where nothing is claimed."""


def show_experiments(out: Console, found: Sequence[Values]) -> None:
    """Experiments, one a row."""
    table = new_table("experiment", "kind", "status", "since", "arms", "metrics")
    for one in found:
        arms = ", ".join(plain(arm["name"]) for arm in one["arms"])
        table.add_row(plain(one["id"]), one["kind"], one["status"], _day(one["started"]), arms, ", ".join(one["metrics"]))
    out.print(table)


def show_experiment(out: Console, one: Values) -> None:
    """An experiment: people by arm and whether they fall on the arms as asked, then what they did, and what that comes to."""
    found = one["results"]
    out.print(
        f"Experiment '{one['id']}' ({one['kind']}, {one['status']}, since {_day(one['started'])})", markup=False, style="bold"
    )
    for said in one["notes"]:
        out.print(f"  {said}", markup=False, style="yellow")
    split, between = found["split"], one["kind"] == "interleaving"
    table = new_table("arm", "model", "lists begun" if between else "people", "asked for")
    for arm in one["arms"]:
        name, settings = arm["name"], arm["settings"]
        model = settings.get("model") or "as served"
        model += f", explores {settings['exploration']:g}" if settings.get("exploration") else ""
        table.add_row(plain(name), plain(model), f"{split['counts'][name]:,}", f"{split['shares'][name]:.0%}")
    out.print(table)
    fair = "not as asked for" if split["alarm"] else "as asked for"
    out.print(f"Split {fair} (p = {split['p']:.3g} for this look, {split['sequential_p']:.3g} for any number of looks).")
    (_show_preferences if between else _show_metrics)(out, one)


def show_estimate(out: Console, found: Values) -> None:
    """What the lists of a model that is no arm would have earned, or why that is not known."""
    out.print(
        f"Model '{found['model']}' on the lists of '{found['experiment']}': {found['n']:,} answered again, {found['left_out']:,} "
        f"left out; an arm could have shown its list for {found['supported']:.1%}; {found['effective_n']:,.0f} lists count, "
        f"{found['needed_n']:,.0f} are needed.",
        markup=False,
    )
    if found["refused"]:
        out.print(_REFUSED[found["refused"]], style="yellow")
        return
    table = new_table(f"part of lists that earn a {found['reward']}", "95 % interval")
    for name, one in found["estimates"].items():
        table.add_row(name, interval(one["reward"]))
    out.print(table)


def _show_metrics(out: Console, one: Values) -> None:
    """Metrics of a split by arm, its guardrails, and what if everybody had an arm."""
    found = one["results"]
    table = new_table("metric", "arm", "people", "mean", "difference", "relative", "verdict")
    for place, (metric, rows) in enumerate(found["metrics"].items()):
        for arm, row in rows.items():
            mean = "-" if row["mean"] is None else f"{row['mean']:.4f}"
            verdict = "" if place else found["verdicts"].get(arm, "control")
            cells = (interval(row[name]) if row[name] else "" for name in ("always_valid", "lift"))
            table.add_row(metric, plain(arm), f"{row['n']:,}", mean, *cells, verdict)
    out.print(table)
    if found["guardrails"]:
        table = new_table("guardrail", "arm", "by the control's", "state")
        for check in found["guardrails"]:
            table.add_row(check["metric"], plain(check["arm"]), interval(check["ratio"]), check["state"])
        out.print(table)
    policies = found["off_policy"]["policies"]
    if policies:
        table = new_table("if everybody had", "lists that count", "ips", "snips", "dr")
        for row in policies:
            arm = row["arm"] if row["explores"] else f"{row['arm']}, without exploring"
            counts = f"{row['effective_n']:,.0f} of {row['n']:,}"
            made = [interval(row["estimates"][name]["reward"]) for name in ("ips", "snips", "dr") if not row["refused"]]
            table.add_row(plain(arm), counts, *(made or [f"none below {row['needed_n']:,.0f}"]))
        out.print(f"Part of lists of which something earned a {found['off_policy']['reward']}:")
        out.print(table)


def _show_preferences(out: Console, one: Values) -> None:
    """Whose items people choose of lists that two arms made in turn."""
    control, other = (arm["name"] for arm in one["arms"])
    found = one["results"]
    table = new_table(
        "metric", f"more of {plain(other)}", f"more of {plain(control)}", "as many", "preference", "p, any number of looks"
    )
    for metric, row in found["preferences"].items():
        counts = (f"{row[name]:,}" for name in ("wins", "losses", "ties"))
        table.add_row(metric, *counts, interval(row["difference"]), f"{row['sequential_p']:.3g}")
    out.print(f"{found['num_lists']:,} lists of {found['num_units']:,} people.")
    out.print(table)


def _day(seconds: float | None) -> str:
    return "never" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
