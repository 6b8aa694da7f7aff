"""Events for tests."""

from __future__ import annotations

from instructrec.journal import Event
from instructrec.journal.records import Stored

NOW = 1_800_000_000.0


def deed(name, kind="view", item="i", *, user="u", time=1.7e9, **fields):
    """An event with an id of `name`; of the user `user`, or of a session where `session_id` is given."""
    person = {} if "session_id" in fields else {"user_id": user}
    if kind in ("text", "satisfaction", "undo"):
        item = None
    return Event(event_id=str(name), type=kind, item_id=item, time=float(time), **person, **fields)


def journal(*events, tenant="t"):
    """Events as a store gives them, in the order given."""
    return [Stored(place + 1, tenant, event, NOW) for place, event in enumerate(events)]
