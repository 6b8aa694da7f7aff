"""The verb that makes a run of what people did with the last one."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from instructrec.cli import options
from instructrec.cli.output import EXIT_NOT_PROMOTED, Output
from instructrec.cli.serving import Database, place_of


def retrain(
    run: options.RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="The run folder to make.", show_default="RUN-2, RUN-3, ... beside the run folder"
        ),
    ] = None,
    database: Database = None,
    tenant: Annotated[str, typer.Option("--tenant", metavar="T", help="Whose events count.")] = "local",
    days: Annotated[
        float,
        typer.Option(
            "--days",
            help="How many of the last days are held out to measure both runs on; where events span less than twice as long, the "
            "last fifth of their span.",
        ),
    ] = 7.0,
    margin: Annotated[
        float,
        typer.Option(
            "--margin",
            help="By how many percent of the old run's value the new one may be worse: the 95 % interval of the paired difference "
            "(new minus old, of the first metric of the run: ndcg@10 unless set) must not reach further down.",
        ),
    ] = 2.0,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit/--no-refit",
            help="Fit a run that is kept again on everything, the held-out days with it, with the same settings (it takes as long "
            "as before); else it serves as it was measured.",
        ),
    ] = True,
    json: options.Json = None,
) -> None:
    """Train a run anew on its data and what its service recorded since, and keep the new run where it is not worse.

    Both are measured on what people did in the last days, which neither has learned from; a run that is kept then learns from
    these, too, and its report says so. Nothing that there is changes; the service may go on meanwhile. Ends with code 3 where the
    new run may be worse, so that nothing was saved; after Ctrl-C the same command continues.
    """
    from instructrec.console import LiveProgress, show_leaderboard
    from instructrec.pipeline import Terms
    from instructrec.pipeline import retrain as retrain_run
    from instructrec.runs import Run

    output, terms = Output(json), Terms(tenant=tenant, days=days, margin=margin, refit=refit)
    with LiveProgress() as progress:
        found = retrain_run(Run.load(run), place_of(run, database), out, terms=terms, progress=progress)
    for line in found.cleaning:
        output.words.print(f"  {line}", markup=False)
    report = found.comparison.to_json()
    show_leaderboard(output.words, report)
    for line in (
        *_measured(found.facts),
        *_again(found.facts),
        *(_next(found.run.path, run, database) if found.run else _kept(found.facts)),
    ):
        output.words.print(line, markup=False)
    place = {"run": str(found.run.path), "version": found.run.version} if found.run else {"run": None, "version": None}
    output.finish({**place, **report, "retrained": found.facts})
    if found.run is None:
        raise SystemExit(EXIT_NOT_PROMOTED)


def _measured(facts: Mapping[str, Any]) -> list[str]:
    held_out, change = facts["held_out"], facts["difference"]
    return [
        f"Held out:   {held_out['interactions']:,} interactions of {held_out['users']:,} people from {held_out['since']} UTC on "
        f"(the last {held_out['days']:g} days)",
        f"{facts['metric']}: the old run {facts['old']['value']:.4f}, the new one {facts['new']['value']:.4f}, difference "
        f"{change['value']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]; it may fall by {facts['margin']:.4f}",
    ]


def _again(facts: Mapping[str, Any]) -> list[str]:
    again = facts["refit"]
    return [f"Then fitted again on {again['interactions']:,} interactions up to {again['last']} UTC, as it serves"] if again else []


def _next(made: Path, run: Path, database: str | None) -> list[str]:
    body = json_text.dumps({"path": made.name}, ensure_ascii=False)
    # An address may hold a password, which is no business of a terminal.
    journal = place_of(run, database) if database is None or database.startswith("sqlite") else "URL"
    lines = [f"Promoted: the new run is not worse.\nRun folder: {made}\nReport:     {made / 'report.html'}"]
    if made.resolve().parent == run.resolve().parent:
        lines.append(
            "A service that runs takes it up with (-H 'X-API-Key: KEY' where it asks for keys)\n"
            f"  curl -X POST http://127.0.0.1:8000/v1/run -H 'Content-Type: application/json' -d '{body}'"
        )
    return [*lines, f"Next start: instructrec serve {made} --database {journal}"]


def _kept(facts: Mapping[str, Any]) -> list[str]:
    if facts["difference"]["high"] < 0:
        return ["Not promoted: the new run is worse. The old one stays, and nothing was saved."]
    return [
        "Not promoted: so few held-out people do not show that the new run is no worse. The old one stays, and nothing was saved. "
        "More --days or a wider --margin can decide it, and so can more clicks."
    ]
