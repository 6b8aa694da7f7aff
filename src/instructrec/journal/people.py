"""Everything that is kept of one person: giving it to them, and erasing it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, select

from instructrec.journal import failpoints
from instructrec.journal.appending import in_pieces, mark, stored
from instructrec.journal.database import Database
from instructrec.journal.events import canonical, user_key
from instructrec.journal.schema import assignments, erased, events, recommendations, users
from instructrec.journal.trials import shown_of

_USER = user_key("")


def lines(connection: Connection, tenant: str, person: str) -> Iterator[str]:
    """What is kept of a person, one JSON object a line, with its `kind`: profile, event, shown or assignment."""
    for row in connection.execute(select(users).where(_profile(tenant, person))):
        yield canonical({"kind": "profile", "user_id": row.user_id, "text": row.text, "attributes": json.loads(row.attributes)})
    theirs = (events.c.tenant == tenant) & (events.c.person == person)
    for row in connection.execute(select(events).where(theirs).order_by(events.c.seq)):
        yield canonical({"kind": "event", "received": row.received, **stored(row).event.as_json()})
    theirs = (recommendations.c.tenant == tenant) & (recommendations.c.person == person)
    for row in connection.execute(select(recommendations).where(theirs).order_by(recommendations.c.time, recommendations.c.id)):
        shown = shown_of(row)
        fields = {name: getattr(shown, name) for name in ("id", "person", "items", "time", "model_version", "arm", "request")}
        yield canonical({"kind": "shown", **fields, "propensity": shown.propensity})
    theirs = (assignments.c.tenant == tenant) & (assignments.c.person == person)
    for row in connection.execute(select(assignments).where(theirs).order_by(assignments.c.experiment)):
        yield canonical({"kind": "assignment", "experiment": row.experiment, "person": person, "arm": row.arm, "time": row.time})


def erase(database: Database, secret: bytes, tenant: str, person: str, at: float) -> dict[str, int]:
    """Delete everything of a person, leave marks, and empty the log. Gives how many rows of each table went."""
    gone = {}
    with database.writing() as connection:
        theirs = (events.c.tenant == tenant) & (events.c.person == person)
        names = connection.execute(select(events.c.event_id).where(theirs)).scalars().all()
        marks: list[dict[str, Any]] = [{"mark": mark(secret, tenant, "event", name), "until": None} for name in names]
        marks.append({"mark": mark(secret, tenant, "person", person), "until": at})
        for piece in in_pieces(marks):
            database.upsert(connection, erased, piece)
        for table in (events, recommendations, assignments):
            here = (table.c.tenant == tenant) & (table.c.person == person)
            gone[table.name] = connection.execute(delete(table).where(here)).rowcount
        gone[users.name] = connection.execute(delete(users).where(_profile(tenant, person))).rowcount
        failpoints.reach("erase-written")
    failpoints.reach("erase-committed")
    database.purge_log()
    return gone


def erasures(connection: Connection, secret: bytes, tenant: str, persons: Iterable[str]) -> dict[str, float]:
    """Person -> up to when what they did is to be forgotten (seconds since 1970), for those who were erased."""
    if connection.execute(select(erased.c.mark).limit(1)).first() is None:
        return {}
    marks = {mark(secret, tenant, "person", person): person for person in persons}
    found: dict[str, float] = {}
    for piece in in_pieces(marks):
        for name, until in connection.execute(select(erased.c.mark, erased.c.until).where(erased.c.mark.in_(piece))):
            found[marks[bytes(name)]] = until
    return found


def _profile(tenant: str, person: str) -> ColumnElement[bool]:
    """The row of `users` that is a person's; a session has none."""
    name = person.removeprefix(_USER) if person.startswith(_USER) else None
    return (users.c.tenant == tenant) & (users.c.user_id == name)
