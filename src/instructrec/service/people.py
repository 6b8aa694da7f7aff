"""What is known of people at this moment: their events since the run was made, read once and followed from then on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from instructrec.journal.records import Stored
from instructrec.journal.state import PersonState
from instructrec.journal.store import Store

MOST_PEOPLE = 50_000
"""People who are kept in memory, those who came last."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody's events in the order of the journal, and what they say of their taste."""

    events: tuple[Stored, ...] = ()
    profile: str = ""
    profile_version: int = 0

    @property
    def version(self) -> tuple[int, int]:
        """Changes with all that is known of the person."""
        return (self.events[-1].seq if self.events else 0, self.profile_version)

    def before(self, events: Sequence[Stored]) -> Person:
        """The same person with these of their events alone."""
        return replace(self, events=tuple(events))

    def state(self, now: float) -> PersonState:
        """What follows from the events at a time (seconds since 1970)."""
        return PersonState.of(self.events, now)


class People:
    """Everybody's events by (tenant, person). Safe from any thread."""

    def __init__(self, store: Store, *, most: int = MOST_PEOPLE) -> None:
        self._store, self._most = store, most
        self._known: OrderedDict[tuple[str, str], Person] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, tenant: str, person: str) -> Person:
        """Somebody as of the last commit."""
        key = (tenant, person)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
            # Read under the lock: what is committed meanwhile waits, and is then added to what was read.
            found = self._read(tenant, person)
            self._keep(key, found)
            return found

    def follow(self, rows: Sequence[Stored]) -> None:
        """Take in events that were committed, before anybody hears that they are."""
        with self._lock:
            for row in rows:
                key = (row.tenant, row.event.person)
                known = self._known.get(key)
                if known is not None and row.seq > known.version[0]:
                    self._known[key] = replace(known, events=(*known.events, row))

    def forget(self, tenant: str, person: str) -> None:
        """Drop what is in memory of somebody."""
        with self._lock:
            self._known.pop((tenant, person), None)

    def _read(self, tenant: str, person: str) -> Person:
        rows, kind, name = self._store.events_of(tenant, person), *person.split(":", 1)
        user = self._store.user(tenant, name) if kind == "user" else None
        return Person(tuple(rows), user.text if user else "", user.version if user else 0)

    def _keep(self, key: tuple[str, str], person: Person) -> None:
        self._known[key] = person
        if len(self._known) > self._most:
            self._known.popitem(last=False)
