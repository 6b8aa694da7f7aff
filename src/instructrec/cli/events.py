"""The verbs of the journal: import-events, and replay."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructrec.cli import options
from instructrec.cli.experimenting import KEY_VARIABLE
from instructrec.cli.output import Output
from instructrec.cli.serving import Database, place_of
from instructrec.errors import ConfigError, QueryError, StoreError

if TYPE_CHECKING:
    from rich.console import Console

    from instructrec.journal.store import Store
    from instructrec.service.importing import Imported

Tenant = Annotated[
    str | None,
    typer.Option(
        "--tenant",
        metavar="T",
        help="Whose people it is about.",
        show_default="local, as a service without keys; for the state of everybody all",
    ),
]


def import_events(
    run: options.RunFolder,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="JSON lines, CSV or Parquet; - is JSON lines on standard input.", show_default=False),
    ],
    database: Database = None,
    tenant: Tenant = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Send them to the service that runs there instead.", show_default=False),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="K",
            envvar=KEY_VARIABLE,
            help="An API key of that service, with the scopes read and write.",
            show_default=False,
        ),
    ] = "",
    json: options.Json = None,
) -> None:
    """Take the events of a file into the journal of a run, each once; after Ctrl-C the same command continues.

    A row has the fields of an event of /v1/events. One without event_id gets the hash of what it says, with a number where a file
    says it several times, so importing a file again changes nothing. Stop a service on SQLite first, or give --url: a service that
    runs counts what it took in itself in the next list.
    """
    from contextlib import ExitStack

    from instructrec.console import LiveProgress
    from instructrec.journal.store import Store
    from instructrec.runs import Run
    from instructrec.service.access import LOCAL, check_tenant
    from instructrec.service.client import Client
    from instructrec.service.event_files import EventFile
    from instructrec.service.importing import import_events as import_all
    from instructrec.service.importing import into_journal, to_service

    if url is not None and (database is not None or tenant is not None):
        raise ConfigError("--url goes without --database and --tenant: the service has its journal, and the key its tenant.")
    check_tenant(tenant or LOCAL)
    output = Output(json)
    with ExitStack() as open_:
        progress = open_.enter_context(LiveProgress())
        if url is not None:
            deliver = to_service(Client(str(run), url, key))
        else:
            Run.load(run)
            deliver = into_journal(open_.enter_context(Store.open(place_of(run, database))), tenant or LOCAL)
        found = import_all(EventFile(file), deliver, progress=progress)
    _show(output.words, found)
    output.finish({"file": file, **found.to_json()})


def replay(
    run: options.RunFolder,
    user: options.User = None,
    session: Annotated[
        str | None, typer.Option("--session", metavar="S", help="An anonymous visitor, in place of a user.", show_default=False)
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="A moment: 2026-05-01T12:00:00Z, or seconds since 1970.", show_default="now"),
    ] = None,
    by_event_time: Annotated[
        bool,
        typer.Option(
            "--by-event-time/--by-arrival",
            help="What counts until then: what had happened by the events' own times (after an import), or what had come in.",
        ),
    ] = False,
    instruction: options.Words = "",
    number: options.Number = 10,
    model: options.Model = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="HASH", help="Fail unless this is the hash of all states.", show_default=False),
    ] = None,
    database: Database = None,
    tenant: Tenant = None,
    json: options.Json = None,
) -> None:
    """Read the journal of a run again, and write nothing; a service may run beside it.

    With --user: the list that they would have had, from their events until then; run, items and what they wrote of their taste
    are those of now. Without: the state of everybody, computed from all events, as one hash. Equal events give equal hashes.
    """
    from instructrec.journal.store import Store
    from instructrec.service.access import LOCAL

    moment = math.inf if until is None else _seconds(until)
    output = Output(json)
    with Store.open(place_of(run, database), read_only=True) as store:
        if user is None and session is None:
            _everybody(output, store, moment, by_event_time, tenant, expect)
            return
        from instructrec.console import show_answer
        from instructrec.runs import Run
        from instructrec.service.replaying import list_at
        from instructrec.service.shapes import read_ask

        ask = read_ask(
            {"user_id": user, "session_id": session, "n": number, "instruction": instruction}, advice="Give another value."
        )
        report = list_at(Run.load(run), store, tenant or LOCAL, ask, moment=moment, by_event_time=by_event_time, model=model or "")
    show_answer(output.words, report)
    _show_counts(output.words, report["replay"], by_event_time)
    output.finish(report | {"until": until})


def _everybody(output: Output, store: Store, moment: float, by_event_time: bool, tenant: str | None, expect: str | None) -> None:
    """Replay the whole journal, and compare the hash of all states with the one that is expected."""
    from instructrec.console import LiveProgress
    from instructrec.journal.replaying import replay as replay_all

    with LiveProgress() as progress:
        found = replay_all(store, moment=moment, by_event_time=by_event_time, tenant=tenant, progress=progress)
    speed = found.events / max(found.seconds, 1e-9)
    output.words.print(
        f"{found.events:,} events of {found.people:,} people, {speed:,.0f} a second; the newest has number {found.last_seq:,}\n"
        f"State of everybody: {found.state_hash}",
        markup=False,
    )
    if expect is not None and expect != found.state_hash:
        raise StoreError(f"The states are not the expected ones: their hash is {found.state_hash}, but {expect} was expected.")
    output.finish(asdict(found) | {"events_per_s": round(speed)})


def _show(out: Console, found: Imported) -> None:
    """How many rows got which verdict, and why the first that were not taken were not."""
    facts = found.to_json()
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in found.verdicts.most_common()) or "none"
    out.print(f"{found.rows:,} rows: {counts} ({facts['events_per_s']:,} a second)", markup=False)
    for row in found.refused:
        out.print(f"  line {row['line']}: {row['message']}", markup=False)


def _show_counts(out: Console, counts: Mapping[str, Any], by_event_time: bool) -> None:
    out.print(f"\nFrom {counts['events']:,} of {counts['events_now']:,} events; state {counts['state_hash']}", markup=False)
    if counts["events_now"] and not counts["events"] and not by_event_time:
        out.print(
            "None had come in by then. Events that were imported later: --by-event-time goes by their own times.", markup=False
        )


def _seconds(until: str) -> float:
    """A moment as seconds since 1970. Raises QueryError for what is none."""
    from instructrec.journal.reading import iso_seconds

    try:
        return float(until)
    except ValueError:
        found = iso_seconds(until)
    if found is None:
        raise QueryError(f"--until is '{until}', but must be seconds since 1970, or ISO 8601 with a zone (2026-05-01T12:00:00Z).")
    return found
