"""What goes into the journal beside events, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from instructrec.journal.events import Event

Fate: TypeAlias = Literal["stored", "duplicate", "conflict", "erased"]
EVERYBODY: Final = "everybody"
"""Tenant under which a service keeps items: there is one catalog, that of the run."""


class Verdict(NamedTuple):
    """What became of one delivered event.

    stored: it is on disk. duplicate: it already was, with the same body. conflict: its id already was there with another body,
    which stays. erased: it is older than the erasure of its person, or was erased with them, and is not taken. `seq`: its place
    in the journal (of a conflict: the place of the first delivery; of an erased one 0).
    """

    event_id: str
    fate: Fate
    seq: int = 0


class Stored(NamedTuple):
    """An event of the journal. `seq` grows in the order of commits; `received` is in seconds since 1970 by our clock."""

    seq: int
    tenant: str
    event: Event
    received: float


class Deed(NamedTuple):
    """What a count needs of an event: who did what to which item, when it came. Fields as in `Event` and `Stored`."""

    tenant: str
    event_id: str
    person: str
    type: str
    item_id: str | None
    value: float | None
    time: float
    undoes: str | None
    received: float

    @classmethod
    def of(cls, row: Stored) -> Deed:
        """That of a whole event."""
        event = row.event
        about = (event.item_id, event.value, event.time, event.undoes)
        return cls(row.tenant, event.event_id, event.person, event.type, *about, row.received)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item of a tenant: its JSON object as it was put, and the number of the change that put it."""

    item_id: str
    body: Mapping[str, Any]
    hidden: bool
    available: bool
    version: int


@dataclass(frozen=True, slots=True)
class StoredUser:
    """The profile of a user: attributes, the text they wrote of themselves, and the number of the change that put it."""

    user_id: str
    attributes: Mapping[str, Any]
    text: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A list that a person was shown: `items` in order, by which model and arm of an experiment ("" for none), with which
    probability that arm (or list) was chosen, at what time (seconds since 1970), and the request that it answered.
    """

    id: str
    person: str
    items: tuple[str, ...]
    time: float
    model_version: str = ""
    arm: str = ""
    propensity: float | None = None
    request: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key as it is kept: its hash, never itself. Times in seconds since 1970; none: never."""

    key_hash: bytes
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created: float
    expires: float | None = None
    revoked: float | None = None

    def is_live(self, now: float) -> bool:
        """Whether the key opens anything at that time."""
        return (self.expires is None or now < self.expires) and (self.revoked is None or now < self.revoked)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The arm of an experiment that a person has, since when (seconds since 1970)."""

    experiment: str
    person: str
    arm: str
    time: float
