"""What a person did: one event, and the one form of it that is stored and hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from instructrec.errors import DataError

EventType: TypeAlias = Literal[
    "view", "click", "like", "dislike", "rating", "similar", "text", "purchase", "impression", "ban", "satisfaction", "undo"
]
Scalar: TypeAlias = str | int | float | bool | None

NAMES: Final = (
    "event_id", "experiment_ids", "item_id", "position", "properties", "reason", "recommendation_id", "session_id", "text", "time",
    "type", "undoes", "user_id", "value",
)  # fmt: skip
"""The fields of an event in JSON, in the order of the canonical form."""
_values = attrgetter(*NAMES)
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# For a flat object whose keys stand in order already: every event that comes goes through here.
_encode_sorted = json.JSONEncoder(check_circular=False, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def canonical(value: object) -> str:
    """JSON in the one form that is stored and hashed: keys sorted, no spaces, no NaN."""
    return _encode(value)


def checked(value: object, what: str) -> str:
    """The canonical form of a value that somebody sent. Raises DataError for one that cannot be kept."""
    try:
        text = canonical(value)
        text.encode()
    except (ValueError, TypeError, RecursionError):
        raise DataError(
            f"{what} cannot be kept as JSON: it holds a number that is none, half of a surrogate pair, or more levels than can be "
            "read. Leave that out."
        ) from None
    return text


def user_key(user_id: str) -> str:
    """The key under which a user's events are kept; a session of the same name has another one."""
    return f"user:{user_id}"


def session_key(session_id: str) -> str:
    """The key under which the events of an anonymous session are kept."""
    return f"session:{session_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that a person did. Exactly one of `user_id` and `session_id` is given.

    `value`: the stars of a rating, the price of a purchase, the seconds of a view; of "satisfaction", which is about no item, the
    answer to how well the list fits, from 1 (not at all) to 5 (very well). `text`: the standing words of a "text" event, or a
    remark. `time`: seconds since 1970 by the sender's clock; where the sender gave none (`stamped` false) it is when the event
    came, and no part of the body hash, so that a second delivery is the same event. `position`: place in the list, 0 is the first.
    `reason`, of a dislike alone: "" (no reason), "seen", "not_now", or "attribute:NAME" (it is that attribute's value that is
    disliked). `undoes`: the event_id that an "undo" takes back. `properties`: a flat object of the owner's, kept and not read.
    """

    event_id: str
    type: EventType
    user_id: str | None = None
    session_id: str | None = None
    item_id: str | None = None
    value: float | None = None
    text: str | None = None
    time: float
    stamped: bool = True
    recommendation_id: str | None = None
    position: int | None = None
    reason: str = ""
    undoes: str | None = None
    experiment_ids: tuple[str, ...] = ()
    properties: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def person(self) -> str:
        """Whose event it is: `user_key` or `session_key`."""
        return user_key(self.user_id) if self.user_id is not None else session_key(self.session_id or "")

    def as_json(self) -> dict[str, Any]:
        """The fields that say something, as JSON values; `reading.read_events` takes them back."""
        fields = {name: value for name, value in zip(NAMES, _values(self), strict=True) if value or value == 0}
        if self.properties:
            fields["properties"] = dict(sorted(self.properties.items()))
        if self.experiment_ids:
            fields["experiment_ids"] = list(self.experiment_ids)
        return fields

    def body_and_hash(self) -> tuple[str, bytes]:
        """The canonical JSON that is stored, and the sha256 (32 bytes) of what the sender said."""
        fields = self.as_json()
        body = _encode_sorted(fields)
        if self.stamped:
            return body, hashlib.sha256(body.encode()).digest()
        told = _encode_sorted({name: value for name, value in fields.items() if name != "time"})
        whole = dict(sorted((*fields.items(), ("stamped", False))))
        return _encode_sorted(whole), hashlib.sha256(told.encode()).digest()

    @property
    def body_hash(self) -> bytes:
        """The sha256 (32 bytes) of what the sender said: equal for two deliveries of one event."""
        return self.body_and_hash()[1]


def from_body(body: str) -> Event:
    """The event of a stored body, which was checked when it came."""
    fields = json.loads(body)
    if "experiment_ids" in fields:
        fields["experiment_ids"] = tuple(fields["experiment_ids"])
    return Event(**fields)
