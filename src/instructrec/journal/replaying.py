"""What the whole journal says: the state of everybody, folded again from the events, and one hash of all of it."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from instructrec.core import Progress, Silent
from instructrec.journal.events import canonical
from instructrec.journal.records import Stored
from instructrec.journal.state import PersonState
from instructrec.journal.store import Store

EVENTS_AT_ONCE: Final = 5_000
"""Events that one query reads: none lasts so long that a service which writes, or erases somebody, waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay found: how many events counted, whose people they are, the newest event of the journal (`last_seq`), the sha256
    (64 hexadecimal digits) of the state of everybody, and how long it took.
    """

    events: int
    people: int
    last_seq: int
    state_hash: str
    seconds: float


def up_to(rows: Iterable[Stored], moment: float, *, by_event_time: bool = False) -> list[Stored]:
    """The events that the journal held at a moment (seconds since 1970); with `by_event_time` those that had happened by then,
    whenever they came.
    """
    return [row for row in rows if (row.event.time if by_event_time else row.received) <= moment]


def replay(
    store: Store, *, moment: float = math.inf, by_event_time: bool = False, tenant: str | None = None, progress: Progress = Silent()
) -> Replayed:
    """Fold the events of one tenant, or of all, into states, each person's in the order of the journal; see `up_to` for `moment`.

    The hash is a function of the events alone: in it no "not now" has run out. Journals with equal events have equal hashes,
    whoever wrote them and however the people are mixed. Reads what was there when it began and writes nothing. Raises StoreError
    for an event that is not what was written.
    """
    began, last = time.perf_counter(), store.last_seq()
    progress.stage("replay", total=last)
    states, read, count = [], 0, 0
    for person, rows in store.by_person(tenant, last, at_once=EVENTS_AT_ONCE):
        if theirs := up_to(rows, moment, by_event_time=by_event_time):
            count += len(theirs)
            states.append(canonical([theirs[0].tenant, person, PersonState.of(theirs, now=0.0).digest()]))
        read += len(rows)
        progress.step(min(read, last - 1))
    progress.step(last)
    said = "\n".join(sorted(states))
    return Replayed(
        events=count,
        people=len(states),
        last_seq=last,
        state_hash=hashlib.sha256(said.encode()).hexdigest(),
        seconds=time.perf_counter() - began,
    )
