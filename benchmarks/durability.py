"""Is what a journal acknowledged there, once, after its process was killed again and again; and how fast does it take events?

python -m benchmarks.durability --json
python -m benchmarks.durability --kills 10000 --database sqlite:///journal.db --database postgresql://user@host/empty

Each database must be empty. The rates are those of the journal alone, without a web server: `ingest_per_s` appends batches of 1,000
events that were read from JSON before (`read_and_ingest_per_s`: reading counts, too; `ingest_per_cpu_s`: a second of this process's
own work, which others on the machine and the disk do not slow), `events_per_s` is of single events that 64 threads submit and wait
for. The same table, filled through the bare driver in the same run, shows what of it is the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from benchmarks.crashes import Toll, torment
from instructrec.journal import Event, read_events
from instructrec.journal.replaying import replay
from instructrec.journal.store import Store
from instructrec.journal.writer import Writer

BATCH = 1_000
BATCHES = 30
THREADS = (16, 64)
SECONDS = 4.0
TARGETS = {
    "lost": 0,
    "doubled": 0,
    "ready_s_p99": 2.0,
    "ingest_per_s": 25_000,
    "import_per_s": 25_000,
    "events_per_s": 750,
    "event_p99_ms": 100,
}


def rows_of(count: int) -> list[dict[str, Any]]:
    """Events as a web page sends them, with random ids."""
    return [
        {
            "event_id": uuid.uuid4().hex,
            "type": "click",
            "user_id": f"u{number % 5_000}",
            "item_id": f"i{number % 997}",
            "time": 1.7e9 + number,
            "recommendation_id": f"r{number // 10}",
            "position": number % 10,
        }
        for number in range(count)
    ]


def events_of(rows: list[dict[str, Any]]) -> list[tuple[str, Event]]:
    """The rows, read, with a tenant each."""
    return [("speed", event) for event in read_events(rows, time.time()) if isinstance(event, Event)]


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed (nearest rank); 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def ingest(store: Store, batches: int) -> dict[str, float]:
    """Events a second that are appended in batches of 1,000, read before and read on the way."""
    ready = [events_of(rows_of(BATCH)) for _ in range(batches)]
    began, worked = time.perf_counter(), time.process_time()
    for batch in ready:
        store.append(batch)
    alone, worked = time.perf_counter() - began, time.process_time() - worked
    raw = [rows_of(BATCH) for _ in range(batches // 2)]
    began = time.perf_counter()
    for rows in raw:
        store.append(events_of(rows))
    both = time.perf_counter() - began
    count = batches * BATCH
    return {"ingest_per_s": count / alone, "ingest_per_cpu_s": count / worked, "read_and_ingest_per_s": len(raw) * BATCH / both}


def bare(folder: Path, batches: int) -> float:
    """Rows a second that sqlite3 alone takes into the same table and indexes, with the same settings, in the same batches."""
    with closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as connection:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -32000"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(
            "CREATE TABLE events (seq INTEGER PRIMARY KEY, tenant TEXT, event_id TEXT, person TEXT, type TEXT, body TEXT, "
            "body_hash BLOB, received REAL)"
        )
        connection.execute("CREATE UNIQUE INDEX by_id ON events (tenant, event_id)")
        connection.execute("CREATE INDEX by_person ON events (tenant, person, seq)")
        rows = [
            (place, tenant, event.event_id, event.person, event.type, *event.body_and_hash(), 1.0)
            for place, (tenant, event) in enumerate(events_of(rows_of(batches * BATCH)))
        ]
        began = time.perf_counter()
        for at in range(0, len(rows), BATCH):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows[at : at + BATCH])
            connection.execute("COMMIT")
        return len(rows) / (time.perf_counter() - began)


def singles(store: Store, threads: int, seconds: float) -> dict[str, float]:
    """Single events that so many threads submit, each waiting for its acknowledgement: events a second, and latencies."""
    writer = Writer(store)
    times: list[float] = []
    end = time.perf_counter() + seconds

    def click() -> None:
        mine = []
        while time.perf_counter() < end:
            ((_, event),) = events_of(rows_of(1))
            began = time.perf_counter()
            writer.submit("speed", [event]).result()
            mine.append(time.perf_counter() - began)
        times.extend(mine)

    running = [threading.Thread(target=click) for _ in range(threads)]
    began = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    took = time.perf_counter() - began
    writer.close()
    return {"per_s": len(times) / took, "p50_ms": quantile(times, 0.5) * 1e3, "p99_ms": quantile(times, 0.99) * 1e3}


def whole_files(folder: Path, batches: int) -> dict[str, float]:
    """Events a second of `instructrec import-events` from JSON lines (and a second of this process's own work), and of `replay`."""
    from instructrec.service.event_files import EventFile
    from instructrec.service.importing import import_events, into_journal

    lines = folder / "events.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows_of(batches * BATCH)), encoding="utf-8")
    with Store.open(folder / "imported.db") as store:
        worked = time.process_time()
        found = import_events(EventFile(str(lines)), into_journal(store, "speed"))
        worked = time.process_time() - worked
        again = replay(store)
    assert found.verdicts["stored"] == found.rows == again.events
    return {
        "import_per_s": found.rows / found.seconds,
        "import_per_cpu_s": found.rows / worked,
        "replay_per_s": again.events / again.seconds,
    }


def fsync_ms(folder: Path, repeats: int = 50) -> tuple[float, float]:
    """Median and p99 time of writing 4 kB at the end of a file and waiting until the disk has them."""
    times = []
    with (folder / "block").open("wb") as file:
        for _ in range(repeats):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times), quantile(times, 0.99)


def databases(given: list[str], folder: Path) -> Iterator[tuple[str, str]]:
    """The kind and the address of each database."""
    for url in given or [f"sqlite:///{folder / 'journal.db'}"]:
        yield ("postgresql" if url.startswith("postgres") else "sqlite"), url


def print_toll(kind: str, toll: Toll) -> None:
    """What killing found, as lines."""
    state = "the same as" if toll.is_same_state else "NOT THE SAME AS"
    problems = toll.problems or "none"
    print(f"{kind}: {toll.kills} kills in {toll.lives} lives; {toll.deliveries} deliveries of {toll.acked} acknowledged events")
    print(f"  lost {toll.lost}, doubled {toll.doubled}, problems {problems}; states {state} those of one clean delivery")
    for name, times in (("a new interpreter", toll.ready), ("a fork", toll.reopened)):
        middle, late = quantile(times, 0.5), quantile(times, 0.99)
        print(f"  takes events again in {name}: p50 {middle:.2f} s, p99 {late:.2f} s ({len(times)} times)")


def measured(kind: str, url: str, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about one database, printed and as numbers."""
    toll = torment(url, kills=options.kills, seed=options.seed, fresh_every=options.fresh_every)
    print_toll(kind, toll)
    with Store.open(url) as store:
        rates = ingest(store, options.batches)
        alone = {threads: singles(store, threads, options.seconds) for threads in THREADS}
    print(
        f"  batches of {BATCH}: {rates['ingest_per_s']:,.0f} events/s ({rates['ingest_per_cpu_s']:,.0f} a second of its own work)"
    )
    print(f"  from JSON: {rates['read_and_ingest_per_s']:,.0f} events/s")
    for threads, one in alone.items():
        print(f"  single events, {threads} threads: {one['per_s']:,.0f}/s, p50 {one['p50_ms']:.1f} ms, p99 {one['p99_ms']:.1f} ms")
    return {
        "kills": toll.kills,
        "acked": toll.acked,
        "lost": toll.lost,
        "doubled": toll.doubled,
        "same_state": toll.is_same_state,
        "sound": not toll.problems,
        "ready_s_p50": round(quantile(toll.ready, 0.5), 3),
        "ready_s_p99": round(quantile(toll.ready, 0.99), 3),
        "reopened_s_p99": round(quantile(toll.reopened, 0.99), 3),
        **{name: round(value) for name, value in rates.items()},
        "events_per_s": round(alone[THREADS[-1]]["per_s"]),
        "event_p99_ms": round(alone[THREADS[-1]]["p99_ms"], 1),
        **{f"{name}_{THREADS[0]}": round(value, 1) for name, value in alone[THREADS[0]].items()},
    }


def main() -> None:
    """Print what was found and, as the last line, one JSON object: the numbers of the first database, and of each by kind."""
    # Here, as every new interpreter that is timed imports this module, and the calibration imports numpy.
    from benchmarks.calibration import add_json_option, finish

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, help="10,000 in the long form")
    parser.add_argument(
        "--database", action="append", default=[], metavar="URL", help="an empty database; may be given several times"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of single events, for each number of threads")
    parser.add_argument("--fresh-every", type=int, default=20, help="every so many lives a new interpreter is started")
    add_json_option(parser)
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = {kind: measured(kind, url, options) for kind, url in databases(options.database, folder)}
        first = next(iter(found.values()))
        median, late = fsync_ms(folder)
        files = {name: round(value) for name, value in whole_files(folder, options.batches).items()}
        first |= files | {
            "bare_per_s": round(bare(folder, options.batches)),
            "fsync_ms_p50": round(median, 2),
            "fsync_ms_p99": round(late, 2),
        }
    print(
        f"from a file of JSON lines into SQLite: {files['import_per_s']:,} events/s ({files['import_per_cpu_s']:,} a second of its "
        f"own work); replayed {files['replay_per_s']:,} events/s"
    )
    print(f"in the same run: bare sqlite3 {first['bare_per_s']:,} rows/s; fsync p50 {median:.2f} ms, p99 {late:.2f} ms")
    for name, target in TARGETS.items():
        print(f"{name:<14} {first[name]:>10}  (target {target})")
    finish(first | {"databases": found}, options.json)


if __name__ == "__main__":
    main()
