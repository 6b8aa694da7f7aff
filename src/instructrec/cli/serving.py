"""The verbs of the live service: serve, and the keys that open it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

import typer

from instructrec.cli import options
from instructrec.cli.output import Output
from instructrec.errors import ConfigError
from instructrec.service.settings import DEFAULTS, ServiceConfig

JOURNAL = "journal.db"
Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Where events are kept: sqlite:///FILE or postgresql://...",
        show_default="RUN-journal.db beside the run folder",
    ),
]


def serve(
    run: options.RunFolder,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8000,
    database: Database = None,
    deadline_ms: Annotated[
        int, typer.Option("--deadline-ms", help="When a list must be there, in milliseconds, unless a request says.")
    ] = DEFAULTS.deadline_ms,
    trending_half_life: Annotated[
        float,
        typer.Option("--trending-half-life", metavar="HOURS", help="Hours after which an event counts half in what is trending."),
    ] = DEFAULTS.trending_half_life_h,
    wants_keys: Annotated[
        bool | None,
        typer.Option("--keys/--no-keys", help="Open only to API keys.", show_default="no keys on this machine's own address"),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            metavar="URL",
            help="Take events from a stream, too: nats://HOST:4222/STREAM or redis://HOST:6379/0/STREAM, with ?tenant=T or "
            "?group=G behind; may be given several times (pip install 'instructrec[streams]').",
            show_default=False,
        ),
    ] = None,
    json: options.Json = None,
) -> None:
    """Serve a run over HTTP; events are kept in a journal, and every click counts in the next list."""
    import uvicorn

    from instructrec.service.access import Gate
    from instructrec.service.app import build
    from instructrec.service.live import opened
    from instructrec.service.process import prepare_process
    from instructrec.service.streams import source_at

    alone = _is_own(host)
    if wants_keys is False and not alone:
        raise ConfigError(
            f"'{host}' can be reached from other machines, so --no-keys would open everything to everybody. Listen on 127.0.0.1, "
            "or leave --no-keys away and make a key: instructrec key RUN --name NAME"
        )
    output, streams = Output(json), [source_at(url) for url in sources or ()]
    settings = ServiceConfig(deadline_ms=deadline_ms, trending_half_life_h=trending_half_life)
    live = opened(run, place_of(run, database), settings)
    gate = Gate(live.store, wants_keys=not alone if wants_keys is None else wants_keys, requests_per_s=live.config.requests_per_s)
    output.words.print(
        f"Serving {run} (version {live.snapshot.version}) at http://{host}:{port}\n"
        f"  http://{host}:{port}/ in a browser; for its owner http://{host}:{port}/owner\n"
        + "".join(f"  events from {stream.address.shown}\n" for stream in streams)
        + f'  curl "http://{host}:{port}/v1/recommend/USER?n=5"\n  http://{host}:{port}/v1/openapi.json\nCtrl-C ends it.',
        markup=False,
    )
    prepare_process()
    # The access log would cost more than a list from memory does; /metrics counts requests.
    uvicorn.run(
        build(live, gate, streams), host=host, port=port, access_log=False, log_level="warning", timeout_graceful_shutdown=5
    )
    output.finish({"run": str(run), "model_version": live.snapshot.version, "lists_from_memory": live.answers.hits})


def key(
    run: options.RunFolder,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the key is for.", show_default=False)],
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="A,B", help="What it opens: read (lists), write (events), admin (items, runs).")
    ] = "read,write",
    tenant: Annotated[
        str, typer.Option("--tenant", metavar="T", help="Whose people it is about; tenants see nothing of each other.")
    ] = "local",
    days: Annotated[float | None, typer.Option("--days", help="How long it opens anything.", show_default="for ever")] = None,
    database: Database = None,
    json: options.Json = None,
) -> None:
    """Make an API key for the service of a run; it is shown once, and only its hash is kept. Stop a service on SQLite first."""
    from instructrec.journal.store import Store
    from instructrec.service.access import new_key

    output = Output(json)
    with Store.open(place_of(run, database)) as store:
        made = new_key(store, tenant=tenant, name=name, scopes=[part.strip() for part in scopes.split(",")], days=days)
    output.words.print(f"{made}\nKeep it: it cannot be shown again. Send it as 'X-API-Key'.", markup=False)
    output.finish({"key": made, "tenant": tenant, "name": name})


def backup(
    run: options.RunFolder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to make.", show_default=False)],
    database: Database = None,
    json: options.Json = None,
) -> None:
    """Copy the journal of a run into a new file while the service goes on; every event of the copy is checked."""
    from instructrec.journal.copies import look_over
    from instructrec.journal.store import Store

    output = Output(json)
    with Store.open(place_of(run, database), read_only=True) as store:
        store.backup(out)
    found = look_over(out)
    output.words.print(f"{found.events:,} events in {out} ({found.size:,} bytes), content {found.content_hash}", markup=False)
    output.finish({"file": str(out), "events": found.events, "bytes": found.size, "content_hash": found.content_hash})


def restore(
    run: options.RunFolder,
    copy: Annotated[Path, typer.Argument(metavar="FILE", help="A file that backup made.", show_default=False)],
    database: Database = None,
    json: options.Json = None,
) -> None:
    """Put a copy in the place of the journal of a run, checked before and after; stop the service first. The old one is kept."""
    from instructrec.journal.copies import restore as put_back

    output = Output(json)
    found, aside = put_back(place_of(run, database), copy)
    kept = f"\nWhat was there before is kept as {aside}." if aside else ""
    output.words.print(
        f"{found.events:,} events restored from {copy}, content {found.content_hash}{kept}\n"
        "Who was erased after the copy was made is in it again: erase them once more.",
        markup=False,
    )
    about = {"file": str(copy), "events": found.events, "bytes": found.size, "content_hash": found.content_hash}
    output.finish(about | {"kept": str(aside) if aside else None})


def place_of(run: Path, database: str | None) -> str:
    """Where the journal of a run is: beside the folder, which no service changes."""
    folder = run.resolve()
    return database or f"sqlite:///{folder.parent / f'{folder.name}-{JOURNAL}'}"


def _is_own(host: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
