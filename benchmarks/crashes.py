"""Kill a process that writes a journal, again and again, and look whether what it acknowledged is there once.

Some clients, each with people of its own, deliver events in order: a batch, its acknowledgement, the next batch. Half of what they
deliver was delivered before. What a killed process did not acknowledge is delivered again to the next one, ahead of new events. So
each person's events come in one order however often the process dies, and the end must be that of a journal that got each one once.
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from instructrec.journal import Event, failpoints, read_events
from instructrec.journal.records import Verdict
from instructrec.journal.replaying import replay
from instructrec.journal.store import Store
from instructrec.journal.writer import Writer

TENANT = "t"
CLIENTS = 4
PEOPLE_OF_A_CLIENT = 5
NEW_OF_A_BATCH = 10
WRITING_FAILPOINTS = ("writer-took", "append-begun", "append-written", "append-committed", "writer-told", "writer-resolved")
_KINDS = ("view", "click", "like", "dislike", "rating", "similar", "text", "purchase", "impression", "ban", "undo")
_LONGEST_LIFE_S = 20.0


def serve(url: str, pipe: Connection, failpoint: str) -> None:
    """The process that is killed: takes (client, rows) from the pipe, and answers (client, verdicts) when they are on disk."""
    failpoints.arm(failpoint)
    store = Store.open(url)
    writer = Writer(store)
    turn = threading.Lock()

    def answer(client: int) -> Callable[[Future[list[Verdict]]], None]:
        def send(done: Future[list[Verdict]]) -> None:
            with turn:
                pipe.send((client, [(verdict.event_id, verdict.fate) for verdict in done.result()]))

        return send

    pipe.send("ready")
    while True:
        message = pipe.recv()
        if message is None:
            break
        client, rows = message
        events = [event for event in read_events(rows, time.time()) if isinstance(event, Event)]
        assert len(events) == len(rows)
        writer.submit(TENANT, events).add_done_callback(answer(client))
    writer.close()
    store.close()
    pipe.send("closed")


@dataclass
class Client:
    """Delivers the events of its people, in order. `acked`: the event_ids that were acknowledged."""

    number: int
    seed: int
    acked: list[str] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    made: int = 0
    doubled: int = 0

    def __post_init__(self) -> None:
        # Two sources, so that the events are the same however often they are delivered.
        self._draw = random.Random(f"{self.seed}/{self.number}")
        self._again = random.Random(f"{self.seed}/{self.number}/again")
        self._old: deque[dict[str, Any]] = deque(maxlen=200)
        self.people = [f"u{self.number}-{place}" for place in range(PEOPLE_OF_A_CLIENT)]
        self.is_out = False

    def batch(self) -> list[dict[str, Any]]:
        """What is not acknowledged, or new events; and as many that were delivered before, between them."""
        if not self.waiting:
            self.waiting = [self.make() for _ in range(NEW_OF_A_BATCH)]
        self.is_out = True
        again = self._again.choices(self._old, k=len(self.waiting)) if self._old else self.waiting
        rows = list(self.waiting)
        for row in again:
            # Never ahead of its first delivery: the order of first deliveries is that of the clean run.
            rows.insert(len(rows) if row in self.waiting else self._again.randrange(len(rows) + 1), row)
        return rows

    def take(self, verdicts: list[tuple[str, str]]) -> None:
        """Note an acknowledgement. What was acknowledged before must not be stored again."""
        known = set(self.acked)
        self.doubled += sum(fate != "duplicate" for name, fate in verdicts if name in known)
        fates: dict[str, set[str]] = {}
        for name, fate in verdicts:
            fates.setdefault(name, set()).add(fate)
        for row in self.waiting:
            assert fates[row["event_id"]] <= {"stored", "duplicate"}
            self.acked.append(row["event_id"])
            self._old.append(row)
        self.waiting, self.is_out = [], False

    def make(self) -> dict[str, Any]:
        """The next event."""
        kind = self._draw.choice(_KINDS)
        row: dict[str, Any] = {"event_id": f"e{self.number}-{self.made}", "type": kind, "time": 1.7e9 + self.made}
        row["user_id"] = self._draw.choice(self.people)
        self.made += 1
        if kind == "undo":
            row["undoes"] = f"e{self.number}-{self._draw.randrange(self.made)}"
        elif kind == "text":
            row["text"] = f"words {self._draw.randrange(9)}"
        else:
            row["item_id"] = f"i{self._draw.randrange(30)}"
        if kind == "rating":
            row["value"] = float(self._draw.randint(1, 5))
        return row


@dataclass
class Toll:
    """What killing found. Seconds until the journal takes events again: `reopened`, in a process that was forked with everything
    imported; `ready`, in a new interpreter.
    """

    kills: int = 0
    lives: int = 0
    acked: int = 0
    deliveries: int = 0
    lost: int = 0
    doubled: int = 0
    reopened: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    is_same_state: bool = False
    problems: list[str] = field(default_factory=list)


def torment(url: str, *, kills: int, seed: int, fresh_every: int = 10, failpoint: str = "") -> Toll:
    """Kill `kills` times, at random moments or at passages of failpoints (of `failpoint` alone, if given), then look at the end.

    Every `fresh_every`-th process is a new interpreter, the others are forked from one that has imported everything.
    """
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload([__name__])
    fresh = multiprocessing.get_context("spawn")
    draw = random.Random(f"{seed}/kills")
    clients = [Client(number, seed) for number in range(CLIENTS)]
    toll = Toll()
    while toll.kills < kills:
        is_fresh = fresh_every > 0 and toll.lives % fresh_every == fresh_every - 1
        where = failpoint or (draw.choice(WRITING_FAILPOINTS) if draw.random() < 0.5 else "")
        life = Life(url, fresh if is_fresh else forks, f"{where}:{draw.randint(1, 8)}" if where else "")
        if where or draw.random() < 0.9:
            life.deliver(clients, toll, _LONGEST_LIFE_S if where else draw.uniform(0.0, 0.1))
        else:
            time.sleep(draw.uniform(0.0, 0.2))  # while it opens the journal
        life.kill(clients, toll)
    last = Life(url, fresh if fresh_every else forks, "")
    last.deliver(clients, toll, 0.2)
    last.finish(clients)
    _verify(url, clients, toll, seed)
    return toll


class Life:
    """One process that writes, from its start to its end."""

    def __init__(self, url: str, context: Any, failpoint: str) -> None:
        self.is_fresh = context.get_start_method() == "spawn"
        self._pipe, theirs = context.Pipe()
        self._began = time.perf_counter()
        self._process = context.Process(target=serve, args=(url, theirs, failpoint))
        self._process.start()
        theirs.close()

    def deliver(self, clients: list[Client], toll: Toll, lasts_s: float) -> None:
        """Wait until it takes events, then deliver for so long, or until it is gone."""
        if self._received(_LONGEST_LIFE_S) != "ready":
            return
        (toll.ready if self.is_fresh else toll.reopened).append(time.perf_counter() - self._began)
        for client in clients:
            client.is_out = False
        for count in _deliver(self._pipe, clients, time.perf_counter() + lasts_s):
            toll.deliveries += count

    def kill(self, clients: list[Client], toll: Toll) -> None:
        """Kill it, if it is not dead already. What it said before counts."""
        self._process.kill()
        while isinstance(message := self._received(5.0), tuple):
            clients[message[0]].take(message[1])
            toll.deliveries += len(message[1])
        self._process.join()
        self._pipe.close()
        toll.lives += 1
        toll.kills += self._process.exitcode == -9

    def finish(self, clients: list[Client]) -> None:
        """Deliver until nothing waits, then have it close."""
        while any(client.waiting for client in clients):
            for client in clients:
                if client.waiting and not client.is_out:
                    self._pipe.send((client.number, client.batch()))
            number, verdicts = self._pipe.recv()
            clients[number].take(verdicts)
        self._pipe.send(None)
        assert self._received(_LONGEST_LIFE_S) == "closed"
        self._process.join()
        self._pipe.close()

    def _received(self, longest_s: float) -> Any:
        try:
            return self._pipe.recv() if self._pipe.poll(longest_s) else None
        except (EOFError, OSError):
            return None


def _deliver(pipe: Connection, clients: list[Client], end: float) -> Iterator[int]:
    """Keep every client's batch out until `end` or until the process is gone; gives how many events each answer was for."""
    try:
        while (left := end - time.perf_counter()) > 0:
            for client in clients:
                if not client.is_out:
                    pipe.send((client.number, client.batch()))
            if pipe.poll(left):
                number, verdicts = pipe.recv()
                clients[number].take(verdicts)
                yield len(verdicts)
    except (EOFError, OSError):
        return


def _verify(url: str, clients: list[Client], toll: Toll, seed: int) -> None:
    acked = [name for client in clients for name in client.acked]
    with Store.open(url) as store:
        toll.problems = store.integrity()
        names, after = [], 0
        while rows := store.events_after(after, 5_000):
            names += [row.event.event_id for row in rows]
            after = rows[-1].seq
        here = replay(store).state_hash
    toll.acked = len(set(acked))
    toll.lost = len(set(acked) - set(names))
    toll.doubled = len(names) - len(set(names)) + sum(client.doubled for client in clients)
    toll.is_same_state = after == len(names) and here == _clean_hash(clients, seed)


def _clean_hash(clients: list[Client], seed: int) -> str:
    """What everybody's states are in a journal that gets the same events once each, with nothing killed."""
    with tempfile.TemporaryDirectory() as folder, Store.open(f"{folder}/clean.db") as store:
        for client in clients:
            again = Client(client.number, seed)
            rows = [again.make() for _ in range(client.made)]
            store.append([(TENANT, event) for event in read_events(rows, time.time()) if isinstance(event, Event)])
        return replay(store).state_hash
