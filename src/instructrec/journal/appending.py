"""Appending events: each once, whatever is delivered how often."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Executable, bindparam, select, text

from instructrec.errors import StoreError
from instructrec.journal import schema
from instructrec.journal.database import Database
from instructrec.journal.events import Event, canonical, from_body
from instructrec.journal.records import Stored, Verdict
from instructrec.journal.schema import erased, events

Delivery: TypeAlias = tuple[str, Event]
"""A tenant and an event."""
Known: TypeAlias = dict[tuple[str, str], tuple[int, bytes]]
_MOST_AT_ONCE = 500

_FIND: dict[str, Executable] = {
    "sqlite": select(events.c.event_id, events.c.seq, events.c.body_hash).where(
        events.c.tenant == bindparam("owner"), events.c.event_id.in_(bindparam("names", expanding=True))
    ),
    # One look into the index of ids a name. Left the choice, a planner without statistics reads all events instead.
    "postgresql": text(
        "SELECT name, seq, body_hash FROM unnest(CAST(:names AS text[])) AS name CROSS JOIN LATERAL "
        "(SELECT seq, body_hash FROM events WHERE tenant = :owner AND event_id = name LIMIT 1) AS found"
    ),
}


def in_pieces(values: Iterable[Any]) -> Iterable[list[Any]]:
    """Lists of at most 500 values, as many as one statement takes well."""
    left = iter(values)
    while piece := list(itertools.islice(left, _MOST_AT_ONCE)):
        yield piece


def mark(secret: bytes, tenant: str, kind: str, name: str) -> bytes:
    """What stays of an erased person or event: 16 bytes that say nothing, but are the same when the name comes again.

    Keyed BLAKE2b; the key is the store's own. Who has the whole store and guesses a name can check the guess, nobody else can.
    """
    return hashlib.blake2b(canonical([tenant, kind, name]).encode(), key=secret, digest_size=16).digest()


def append(database: Database, connection: Connection, secret: bytes, rows: Sequence[Delivery], received: float) -> list[Verdict]:
    """Append what is new; a verdict a row. Inside one transaction, which takes the counter first, so that nobody else appends."""
    first = schema.next_numbers(connection, "events", 0)
    known = _known(connection, rows)
    gone = _gone(connection, secret, rows)
    verdicts: list[Verdict] = []
    new: list[tuple[Any, ...]] = []
    for place, (tenant, event) in enumerate(rows):
        body, body_hash = event.body_and_hash()
        name = (tenant, event.event_id)
        if name in known:
            seq, first_hash = known[name]
            verdicts.append(Verdict(event.event_id, "duplicate" if first_hash == body_hash else "conflict", seq))
        elif place in gone:
            verdicts.append(Verdict(event.event_id, "erased"))
        else:
            seq = first + len(new) + 1
            new.append((seq, tenant, event.event_id, event.person, event.type, body, body_hash, received))
            known[name] = (seq, body_hash)
            verdicts.append(Verdict(event.event_id, "stored", seq))
    if new:
        schema.next_numbers(connection, "events", len(new))
        database.insert_many(connection, events, new)
    return verdicts


def _known(connection: Connection, rows: Sequence[Delivery]) -> Known:
    """Which of the events are there already: (tenant, event_id) -> seq, body hash."""
    found: Known = {}
    for tenant in {tenant for tenant, _ in rows}:
        for names in in_pieces(event.event_id for owner, event in rows if owner == tenant):
            for name, seq, body_hash in connection.execute(_FIND[connection.dialect.name], {"owner": tenant, "names": names}):
                found[tenant, name] = (seq, bytes(body_hash))
    return found


def _gone(connection: Connection, secret: bytes, rows: Sequence[Delivery]) -> set[int]:
    """The places of events that were erased, or are older than the erasure of their person."""
    if connection.execute(select(erased.c.mark).limit(1)).first() is None:
        return set()
    places: dict[bytes, list[int]] = {}
    for place, (tenant, event) in enumerate(rows):
        for kind, name in (("event", event.event_id), ("person", event.person)):
            places.setdefault(mark(secret, tenant, kind, name), []).append(place)
    gone: set[int] = set()
    for marks in in_pieces(places):
        for found, until in connection.execute(select(erased.c.mark, erased.c.until).where(erased.c.mark.in_(marks))):
            gone.update(place for place in places[bytes(found)] if until is None or rows[place][1].time <= until)
    return gone


def stored(row: Any) -> Stored:
    """A row of the table as an event. Raises StoreError when it is not what was written: the hash tells."""
    event = from_body(row.body) if _is_whole(row.body, row.body_hash) else None
    if event is None or (event.event_id, event.person, event.type) != (row.event_id, row.person, row.type):
        raise StoreError(f"Event number {row.seq} of the journal is not what was written. The disk is failing: restore a backup.")
    return Stored(row.seq, row.tenant, event, row.received)


def is_whole(row: Any) -> bool:
    """Whether a row of the table is what was written."""
    try:
        stored(row)
    except StoreError:
        return False
    return True


def _is_whole(body: str, body_hash: bytes) -> bool:
    if hashlib.sha256(body.encode()).digest() == body_hash:
        return True
    # Only an event without a time of the sender's is hashed as other text than what is stored.
    try:
        return '"stamped":false' in body and from_body(body).body_hash == body_hash
    except (ValueError, TypeError):
        return False
