"""Events of a file into a journal, or to a service that runs: each once, however often the file is imported."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from instructrec.core import Progress, Silent
from instructrec.errors import DataError
from instructrec.journal import Event, Rejected, read_events
from instructrec.journal.events import canonical
from instructrec.journal.reading import named
from instructrec.journal.store import Store
from instructrec.service.client import Client
from instructrec.service.event_files import EventFile, Line
from instructrec.service.shapes import MOST_EVENTS
from instructrec.service.verdicts import TAKEN, told

EVENTS_AT_ONCE: Final = 10_000
"""Events of one commit: what an interrupted import has read and not kept is at most so many."""
SHOWN: Final = 10
"""Rows that were not taken, the first ones, of which the line and the reason are told."""
_MOST_BYTES: Final = 1_000_000

Deliver: TypeAlias = Callable[[Sequence[object]], list[Mapping[str, Any]]]
"""Takes rows to where they are kept, and gives what became of each (see `verdicts.told`)."""


@dataclass(slots=True)
class Imported:
    """What became of a file: rows, how many got which verdict, and the first that were not taken, each with its `line`."""

    rows: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refused: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, lines: Sequence[Line], verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Count a piece of the file."""
        self.rows += len(lines)
        self.verdicts.update(verdict["verdict"] for verdict in verdicts)
        if len(self.refused) < SHOWN:
            wrong = ((line, one) for line, one in zip(lines, verdicts, strict=True) if one["verdict"] not in TAKEN)
            self.refused += [{"line": line.number, **one} for line, one in islice(wrong, SHOWN - len(self.refused))]

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON values."""
        counts = {name: self.verdicts[name] for name in ("stored", "duplicate", "conflict", "erased", "rejected")}
        speed = round(self.rows / max(self.seconds, 1e-9))
        return {"rows": self.rows, **counts, "refused": self.refused, "seconds": round(self.seconds, 3), "events_per_s": speed}


class Ids:
    """Ids for rows that bring none: the hash of what a row says, and the how-manieth of the equal rows of its file it is.

    So the same file gives the same ids, also where rows were added, moved or taken out; of rows in two files that say the same
    one counts.
    """

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def give(self, row: object) -> object:
        """The row with an id. A row that cannot be written as JSON stays what it is: it is no event."""
        if not isinstance(row, dict) or row.get("event_id") is not None:
            return row
        try:
            said = canonical({name: value for name, value in row.items() if value is not None}).encode()
        except (ValueError, TypeError, RecursionError):
            return row
        digest = hashlib.blake2b(said, digest_size=16).digest()
        self._seen[digest] += 1
        return named(row, f"{digest.hex()}-{self._seen[digest]}")


def import_events(file: EventFile, deliver: Deliver, *, progress: Progress = Silent()) -> Imported:
    """Deliver the events of a file. What was delivered before changes nothing, so an interrupted import is simply begun again.

    Raises DataError where a file has rows and none of them is taken, StoreError where they cannot be kept.
    """
    found, ids, began = Imported(), Ids(), time.perf_counter()
    progress = progress if file.total else Silent()
    progress.stage("import", total=file.total)
    rows = file.lines()
    while lines := list(islice(rows, EVENTS_AT_ONCE)):
        found.add(lines, _judged(lines, ids, deliver))
        progress.step(min(file.done, file.total - 1))
    progress.step(file.total)
    found.seconds = time.perf_counter() - began
    if found.rows and not any(found.verdicts[name] for name in TAKEN):
        first = found.refused[0]
        raise DataError(f"No row of {file.name} was taken ({found.rows:,} came). Line {first['line']}: {first['message']}")
    return found


def _judged(lines: Sequence[Line], ids: Ids, deliver: Deliver) -> list[Mapping[str, Any]]:
    """A verdict a line; what cannot be read is not delivered."""
    given = iter(deliver([ids.give(line.row) for line in lines if not line.wrong]))
    return [told(Rejected(line.number, "unreadable", line.wrong)) if line.wrong else next(given) for line in lines]


def into_journal(store: Store, tenant: str) -> Deliver:
    """Delivery into an open journal."""

    def deliver(rows: Sequence[object]) -> list[Mapping[str, Any]]:
        return _told(rows, lambda events: map(told, store.append([(tenant, event) for _, event in events])))

    return deliver


def to_service(client: Client) -> Deliver:
    """Delivery to a service that runs, which counts them in the next list."""

    def send(events: Sequence[tuple[object, Event]]) -> Iterator[Mapping[str, Any]]:
        for piece in _pieces([row for row, _ in events]):
            yield from client.events(piece)

    return lambda rows: _told(rows, send)


def _pieces(rows: Sequence[object]) -> Iterator[list[object]]:
    """Lists of rows, none longer than a service takes at once."""
    piece: list[object] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row))
        if piece and (len(piece) == MOST_EVENTS or size + length > _MOST_BYTES):
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += length
    if piece:
        yield piece


def _told(
    rows: Sequence[object], keep: Callable[[Sequence[tuple[object, Event]]], Iterable[Mapping[str, Any]]]
) -> list[Mapping[str, Any]]:
    """A verdict a row, where `keep` gives those of the rows that are events."""
    read = read_events(rows, time.time())
    kept = iter(keep([(row, entry) for row, entry in zip(rows, read, strict=True) if isinstance(entry, Event)]))
    return [told(entry) if isinstance(entry, Rejected) else next(kept) for entry in read]
