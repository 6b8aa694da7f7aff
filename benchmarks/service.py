"""The live service under load, on this machine, beside a bare route that returns the same bytes.

    python -m benchmarks.service --json
    python -m benchmarks.service --lm RUN --json          # also lists with words from a run whose model reads them

A made-up catalog of --items with a long tail and 20,000 histories; `item_knn` serves (fitted in a minute, kept in --work). The
service runs as users run it, `instructrec serve` in its own process; the load comes from this one.

lists_per_s, p99_ms: lists of people who did nothing since the last one, --connections at once, while --events durable events a
second (one a request) come in: event_p99_ms. lists_vs_bare: that by answers of a route of FastAPI that returns the same bytes, in
the same minute, without events. cached: share of these lists that were sent as they were. fresh_lists_per_s: lists made anew, each
after a click of that person, four people at once; click_to_list_p95_ms: from sending the click to having the list, one person at a
time. ingest_per_s: events in batches of 1,000. lm_p95_ms: --lm-rate requests a second with words; lm_degraded: share of them that
another model answered. memory_growth: of the process that serves, between the first and the last quarter of the steady load.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from benchmarks.calibration import add_json_option, finish
from benchmarks.load import Connection, Tally, closed, request, steady
from instructrec import config
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig
from instructrec.runs import RunContent, is_run, save
from instructrec.tables import Catalog, Dataset, Interactions, Labels

USERS, LENGTH, GENRES = 20_000, 20, 40
WARM_S = 2.0
"""Seconds of the same load before what is measured, in which connections are opened."""
BARE = """
import sys, uvicorn
from pathlib import Path
from fastapi import FastAPI, Response
app, body = FastAPI(), Path(sys.argv[2]).read_bytes()
@app.post("/bare")
async def bare() -> Response:
    return Response(body, media_type="application/json")
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning")
"""


def world(items: int, seed: int = 0) -> Dataset:
    """People who keep to a few genres, and items of which few are met often (Zipf)."""
    rng = np.random.default_rng(seed)
    genre = rng.integers(0, GENRES, items)
    by_genre = [np.flatnonzero(genre == one) for one in range(GENRES)]
    chosen = []
    for _ in range(USERS):
        tastes = rng.integers(0, GENRES, 3)
        of = [by_genre[tastes[place]] for place in rng.integers(0, 3, LENGTH)]
        chosen.append([some[int(len(some) * rng.random() ** 3)] for some in of])
    catalog = Catalog(
        item_ids=tuple(f"i{code}" for code in range(items)),
        titles=tuple(f"Item {code}" for code in range(items)),
        labels={"genres": Labels.build([(f"genre {one}",) for one in genre])},
    )
    rows = Interactions(
        user_ids=tuple(f"u{code}" for code in range(USERS)),
        users=np.repeat(np.arange(USERS), LENGTH),
        items=np.array(chosen).ravel(),
        timestamps=np.tile(np.arange(LENGTH), USERS) + 1_000_000_000,
        ratings=np.full(USERS * LENGTH, np.nan, dtype=np.float32),
    )
    return Dataset(name="made-up", interactions=rows, catalog=catalog)


def run_of(folder: Path, items: int) -> Path:
    """A run folder with that world, made once."""
    path = folder / f"run-{items}"
    if not is_run(path):
        dataset = world(items)
        model = ItemKnn(ItemKnnConfig(neighbours=100, nearness=1.0)).fit(dataset)
        save(
            path,
            RunContent(
                config=config.from_toml("", ["model=item_knn"]),
                dataset=dataset,
                parts=["train"] * len(dataset.interactions),
                models={"item_knn": model},
                report={},
                html="",
                card="",
            ),
        )
    return path


@contextmanager
def process(arguments: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server in its own process, from when it answers on until the end of the block."""
    running = subprocess.Popen([sys.executable, *arguments], env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        for _ in range(1200):
            if running.poll() is not None:
                raise SystemExit(f"{arguments} ended with {running.returncode}.")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield running
    finally:
        running.terminate()
        running.wait(20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clicks(rng: random.Random, items: int, users: int = USERS, first: int = 0) -> Iterator[dict[str, Any]]:
    """Events, each with an id of its own."""
    for number in itertools.count(first):
        item = f"i{int(items * rng.random() ** 2)}"
        yield {"event_id": f"{first}-{number}", "type": "click", "user_id": f"u{rng.randrange(users)}", "item_id": item}


async def under_load(port: int, given: argparse.Namespace, pid: int) -> tuple[Tally, Tally, float, float]:
    """Lists of people who do nothing while others click: their tallies, the share from memory, and how memory grew."""
    quiet = [request("POST", "/v1/recommend", {"user_id": f"u{code}"}) for code in range(500)]
    connection = Connection(port)
    for wire in quiet:
        await connection.send(wire)
    sizes: list[int] = []
    busy = clicks(random.Random(1), given.items, users=USERS - 500)
    events = (_event(one) for one in busy)

    async def watched() -> None:
        while True:
            sizes.append(resident(pid))
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watched())
    for seconds in (WARM_S, given.seconds):
        sizes.clear()
        before = await cached(connection)
        lists, written = await asyncio.gather(
            closed(port, itertools.cycle(quiet), connections=given.connections, seconds=seconds),
            steady(port, events, per_s=given.events, seconds=seconds),
        )
    watching.cancel()
    quarter = max(1, len(sizes) // 4)
    growth = float(np.mean(sizes[-quarter:]) / np.mean(sizes[:quarter]) - 1)
    return lists, written, (await cached(Connection(port)) - before) / len(lists.seconds), growth


def _event(one: dict[str, Any]) -> bytes:
    """An event of somebody beyond the 500 whose lists are asked for."""
    return request("POST", "/v1/events", {"events": [{**one, "user_id": f"u{500 + int(one['user_id'][1:])}"}]})


async def cached(connection: Connection) -> float:
    """Lists that were sent as they were, so far."""
    _, text = await connection.send(request("GET", "/metrics"))
    found = re.search(rb"^instructrec_lists_from_memory (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def resident(pid: int) -> int:
    """Memory of a process in bytes."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


async def after_clicks(port: int, items: int, *, people: int, seconds: float, first: int) -> Tally:
    """A click and the list after it, again and again, by so many people at once: seconds from one to the other."""
    tally = Tally(began=time.perf_counter())

    async def one(number: int) -> None:
        connection, events = Connection(port), clicks(random.Random(number), items, first=first + number * 1_000_000)
        while time.perf_counter() - tally.began < seconds:
            event, began = next(events), time.perf_counter()
            for wire in (
                request("POST", "/v1/events", {"events": [event]}),
                request("POST", "/v1/recommend", {"user_id": event["user_id"]}),
            ):
                status, body = await connection.send(wire)
                if status not in (200, 202):
                    tally.errors.append(f"{status} {body[:80]!r}")
            tally.seconds.append(time.perf_counter() - began)
            if event["item_id"].encode() + b'"' in body:
                tally.errors.append("the clicked item is in the list")

    await asyncio.gather(*(one(number) for number in range(people)))
    tally.ended = time.perf_counter()
    return tally


async def ingested(port: int, items: int, *, seconds: float) -> Tally:
    """Events in batches of 1,000 over two connections."""
    batches = [
        request(
            "POST", "/v1/events", {"events": list(itertools.islice(clicks(random.Random(k), items, first=10**9 + k * 10**6), 1000))}
        )
        for k in range(int(60 * seconds))
    ]
    tally = await closed(port, iter(batches), connections=2, seconds=seconds)
    return tally


async def with_words(port: int, users: list[str], *, per_s: float, seconds: float) -> Tally:
    """Lists with words, at a steady rate."""
    words = ("something funny", "a thriller from the 1990s", "no horror, please", "an evening with friends", "dark and slow")
    bodies = (
        {"user_id": user, "instruction": text} for user, text in zip(itertools.cycle(users), itertools.cycle(words), strict=False)
    )
    return await steady(port, (request("POST", "/v1/recommend", body) for body in bodies), per_s=per_s, seconds=seconds)


def measured(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures of the made-up run."""
    run, port, bare_port = run_of(folder, given.items), free_port(), free_port()
    journal = folder / f"journal-{os.getpid()}.db"
    with process(
        ["-m", "instructrec", "serve", str(run), "--port", str(port), "--database", f"sqlite:///{journal}"], port
    ) as server:
        lists, written, from_memory, growth = uvloop.run(under_load(port, given, server.pid))
        fresh = uvloop.run(after_clicks(port, given.items, people=4, seconds=given.seconds / 2, first=10**7))
        alone = uvloop.run(after_clicks(port, given.items, people=1, seconds=given.seconds / 2, first=2 * 10**7))
        batches = uvloop.run(ingested(port, given.items, seconds=given.seconds / 2))
        body = uvloop.run(Connection(port).send(request("POST", "/v1/recommend", {"user_id": "u0"})))[1]
    sample, script = folder / "body.json", folder / "bare.py"
    sample.write_bytes(body)
    script.write_text(BARE, encoding="utf-8")
    with process([str(script), str(bare_port), str(sample)], bare_port):
        wire = itertools.cycle([request("POST", "/bare", {"user_id": "u0"})])
        bare = uvloop.run(closed(bare_port, wire, connections=given.connections, seconds=given.seconds / 2))
    tallies = (lists, written, fresh, alone, batches, bare)
    return {
        "lists_per_s": lists.per_s,
        "bare_per_s": bare.per_s,
        "lists_vs_bare": lists.per_s / bare.per_s,
        "p50_ms": lists.at(0.5),
        "p99_ms": lists.at(0.99),
        "cached": from_memory,
        "events_per_s": written.per_s,
        "event_p99_ms": written.at(0.99),
        "fresh_lists_per_s": fresh.per_s,
        "click_to_list_p95_ms": alone.at(0.95),
        "ingest_per_s": 1000 * batches.per_s,
        "memory_growth": growth,
        "errors": sum(len(tally.errors) for tally in tallies),
        "first_errors": [error for tally in tallies for error in tally.errors][:3],
    }


def language_model(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Lists with words from a run of the owner's."""
    from instructrec.runs import Run

    users, port = list(Run.load(given.lm).dataset.interactions.user_ids), free_port()
    random.Random(0).shuffle(users)
    journal = folder / f"journal-lm-{os.getpid()}.db"
    with process(["-m", "instructrec", "serve", str(given.lm), "--port", str(port), "--database", f"sqlite:///{journal}"], port):
        uvloop.run(with_words(port, users, per_s=1, seconds=3))
        found = uvloop.run(with_words(port, users[10:], per_s=given.lm_rate, seconds=2 * given.seconds))
        text = uvloop.run(Connection(port).send(request("GET", "/metrics")))[1]
    lists = [float(count) for count in re.findall(rb"^instructrec_lists_total{[^}]*} (\S+)", text, re.MULTILINE)]
    degraded = [float(count) for count in re.findall(rb'^instructrec_lists_total{degraded="true"[^}]*} (\S+)', text, re.MULTILINE)]
    return {
        "lm_p50_ms": found.at(0.5),
        "lm_p95_ms": found.at(0.95),
        "lm_errors": float(len(found.errors)),
        "lm_degraded": sum(degraded) / max(sum(lists), 1.0),
    }


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=15.0, help="of the steady load; the others take half of it")
    parser.add_argument("--connections", type=int, default=12)
    parser.add_argument("--events", type=float, default=750.0, help="durable events a second beside the lists")
    parser.add_argument("--lm", type=Path, default=None, metavar="RUN")
    parser.add_argument("--lm-rate", type=float, default=3.0)
    parser.add_argument("--work", type=Path, default=None, metavar="FOLDER")
    add_json_option(parser)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        numbers = measured(given, folder)
        if given.lm is not None:
            numbers |= language_model(given, folder)
    for name, value in numbers.items():
        print(f"{name:<24}{value:.3f}" if isinstance(value, float) else f"{name:<24}{json.dumps(value)}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
