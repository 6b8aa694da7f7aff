"""How rows of JSON become events: one verdict a row, and no exception for a bad one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast, get_args

from instructrec.errors import nearest
from instructrec.journal.events import NAMES, Event, EventType, Scalar
from instructrec.plain import MOST_ID_CHARACTERS, UNSTORABLE, UNSTORABLE_TEXT, whole

MOST_TEXT_CHARACTERS: Final = 2_000
MOST_EXPERIMENTS: Final = 20
MOST_PROPERTIES: Final = 20
MOST_PROPERTY_CHARACTERS: Final = 500
LARGEST_VALUE: Final = 1e12
LARGEST_POSITION: Final = 1_000_000
CLOCK_AHEAD_S: Final = 86_400.0
"""How far the clock of a sender may be ahead of ours."""
PLAIN_REASONS: Final = ("", "seen", "not_now")
ATTRIBUTE_REASON: Final = "attribute:"

_TYPES: Final = frozenset(get_args(EventType))
_WITHOUT_ITEM: Final = frozenset(("text", "satisfaction", "undo"))
ANSWERS: Final = (1.0, 2.0, 3.0, 4.0, 5.0)
"""To the question how well the lists fit: from not at all to very well."""
_KEYS: Final = frozenset((*NAMES, "timestamp"))
_decode = json.JSONDecoder().decode


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a row is no event: its place (0 is the first), a code for programs and a sentence for people.

    Codes: not_an_object, unknown_key, missing, not_both, not_for_this_type, unknown_type, wrong_type, too_long, bad_value,
    bad_time.
    """

    index: int
    code: str
    message: str


class _Bad(Exception):  # noqa: N818
    """What is wrong with a row; never leaves this module."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_events(rows: Sequence[object], now: float) -> list[Event | Rejected]:
    """One verdict a row, in order: an event, or why it is none. `now` (seconds since 1970) is the time of rows that give none.

    A row is a JSON object with the fields of `Event`; `time` (or `timestamp`) is in seconds or ISO 8601 with a zone. A row without
    `event_id` gets a new one: then a second delivery counts as a second event. null is the same as a key that is not there.
    """
    verdicts: list[Event | Rejected] = []
    for index, row in enumerate(rows):
        try:
            verdicts.append(_read(row, now))
        except _Bad as bad:
            verdicts.append(Rejected(index, bad.code, str(bad)))
    return verdicts


def parsed(text: bytes) -> tuple[object, str]:
    """The JSON value of a text in UTF-8, and why it has none: one of the two is empty."""
    try:
        return _decode(text.decode()), ""
    except (ValueError, RecursionError) as error:
        return None, f"This is no JSON ({str(error)[:100]})."


def named(row: object, event_id: str) -> object:
    """The row with this event_id, where it is an object that gives none: what has a name of its own wherever it came from is one
    event however often it comes.
    """
    return row | {"event_id": event_id} if isinstance(row, dict) and row.get("event_id") is None else row


def _read(row: object, now: float) -> Event:
    if not isinstance(row, dict):
        raise _Bad("not_an_object", f"An event is a JSON object, but this is {_kind(row)}.")
    if not row.keys() <= _KEYS:
        name = min(map(str, row.keys() - _KEYS))[:60]
        raise _Bad("unknown_key", f"An event has no {name!r}.{nearest(name, _KEYS)} What is yours goes into 'properties'.")
    kind = row.get("type")
    if not isinstance(kind, str) or kind not in _TYPES:
        said = "missing" if kind is None else repr(kind)[:60]
        raise _Bad("unknown_type", f"'type' is {said}, but is one of {', '.join(sorted(_TYPES))}.")
    time, stamped = _time(row, now)
    event = Event(
        event_id=_id(row, "event_id") or uuid.uuid4().hex,
        type=cast(EventType, kind),
        user_id=_id(row, "user_id"),
        session_id=_id(row, "session_id"),
        item_id=_id(row, "item_id"),
        value=_value(row),
        text=_text(row),
        time=time,
        stamped=stamped,
        recommendation_id=_id(row, "recommendation_id"),
        position=_position(row),
        reason=_id(row, "reason") or "",
        undoes=_id(row, "undoes"),
        experiment_ids=_experiments(row),
        properties=_properties(row),
    )
    _check_together(event)
    return event


def _check_together(event: Event) -> None:
    """That the fields of an event are those that its type needs."""
    kind = event.type
    if (event.user_id is None) == (event.session_id is None):
        given = "neither" if event.user_id is None else "both"
        raise _Bad(
            "missing" if given == "neither" else "not_both", f"Exactly one of 'user_id' and 'session_id' is needed, {given} came."
        )
    needs_item = kind not in _WITHOUT_ITEM
    if needs_item != (event.item_id is not None):
        raise _missing(kind, "item_id") if needs_item else _misplaced(kind, "item_id")
    if kind in ("rating", "satisfaction"):
        _check_stars(kind, event.value)
    if kind == "text" and event.text is None:
        raise _missing(kind, "text")
    if (kind == "undo") != (event.undoes is not None):
        raise _missing(kind, "undoes") if kind == "undo" else _misplaced(kind, "undoes")
    if event.reason:
        _check_reason(event)


def _check_stars(kind: str, value: float | None) -> None:
    if value is None:
        raise _missing(kind, "value")
    if kind == "satisfaction" and value not in ANSWERS:
        raise _Bad("bad_value", f"'value' is {value:g}, but an answer is a whole number from 1 (not at all) to 5 (very well).")


def _check_reason(event: Event) -> None:
    if event.type != "dislike":
        raise _misplaced(event.type, "reason")
    if event.reason not in PLAIN_REASONS and (not event.reason.startswith(ATTRIBUTE_REASON) or event.reason == ATTRIBUTE_REASON):
        raise _Bad("bad_value", f"'reason' is {event.reason[:60]!r}, but is 'seen', 'not_now', 'attribute:NAME' or not there.")


def _missing(kind: str, name: str) -> _Bad:
    return _Bad("missing", f"An event of type '{kind}' needs '{name}'.")


def _misplaced(kind: str, name: str) -> _Bad:
    return _Bad("not_for_this_type", f"An event of type '{kind}' takes no '{name}'.")


def _kind(value: object) -> str:
    """What a JSON value is, in words that a sender knows."""
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "a string", list: "an array"}
    return names.get(type(value), "an object")


def _wrong(name: str, value: object, wanted: str) -> _Bad:
    return _Bad("wrong_type", f"'{name}' is {_kind(value)}, but must be {wanted}.")


def _long(name: str, most: int, unit: str = "characters") -> _Bad:
    return _Bad("too_long", f"'{name}' has more than {most} {unit}.")


def _id(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value is None else _checked_id(value, name)


def _checked_id(value: object, name: str) -> str:
    """An identifier that can be stored: 1 to 256 characters, none of them a control character or half of a surrogate pair."""
    if not isinstance(value, str):
        raise _wrong(name, value, "a string")
    if not value:
        raise _Bad("bad_value", f"'{name}' is empty. Leave it out, or give at least one character.")
    if len(value) > MOST_ID_CHARACTERS:
        raise _long(name, MOST_ID_CHARACTERS)
    if UNSTORABLE.search(value):
        raise _Bad("bad_value", f"'{name}' holds a control character or half of a surrogate pair.")
    return value


def _text(row: Mapping[str, Any]) -> str | None:
    value = row.get("text")
    if value is None:
        return None
    if not isinstance(value, str):
        raise _wrong("text", value, "a string")
    if len(value) > MOST_TEXT_CHARACTERS:
        raise _long("text", MOST_TEXT_CHARACTERS)
    if UNSTORABLE_TEXT.search(value):
        raise _Bad("bad_value", "'text' holds a control character or half of a surrogate pair.")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(name, value, "a number")
    if not abs(value) <= LARGEST_VALUE:  # NaN fails this, too
        raise _Bad("bad_value", f"'{name}' must be a finite number of at most {LARGEST_VALUE:g}.")
    return float(value)


def _value(row: Mapping[str, Any]) -> float | None:
    value = row.get("value")
    return None if value is None else _number("value", value)


def _position(row: Mapping[str, Any]) -> int | None:
    value = whole(row.get("position"))
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong("position", value, "a whole number")
    if not 0 <= value <= LARGEST_POSITION:
        raise _Bad("bad_value", f"'position' must lie between 0 (the first place) and {LARGEST_POSITION}.")
    return value


def _time(row: Mapping[str, Any], now: float) -> tuple[float, bool]:
    """Seconds since 1970, and whether the sender gave them."""
    value, other = row.get("time"), row.get("timestamp")
    if value is not None and other is not None:
        raise _Bad("not_both", "'time' and 'timestamp' are two names of one thing. Give one of them.")
    value = other if value is None else value
    if value is None:
        return now, False
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong("time", value, "a number or a string")
    seconds = iso_seconds(value) if isinstance(value, str) else value
    if seconds is None:
        raise _Bad("bad_time", "'time' must be seconds since 1970, or ISO 8601 with a zone (2026-05-01T12:00:00Z).")
    if not 0 <= seconds <= now + CLOCK_AHEAD_S:
        raise _Bad("bad_time", "'time' must lie between 1970 and now (a clock may be a day ahead). Is it in seconds?")
    return float(seconds), True


def iso_seconds(value: str) -> float | None:
    """Seconds since 1970 of a moment in ISO 8601 with a zone; none for any other text."""
    try:
        moment = datetime.fromisoformat(value) if len(value) <= 40 else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.timestamp()


def _experiments(row: Mapping[str, Any]) -> tuple[str, ...]:
    value = row.get("experiment_ids")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _wrong("experiment_ids", value, "an array of strings")
    if len(value) > MOST_EXPERIMENTS:
        raise _long("experiment_ids", MOST_EXPERIMENTS, "entries")
    return tuple(_checked_id(entry, "experiment_ids") for entry in value)


def _properties(row: Mapping[str, Any]) -> dict[str, Scalar]:
    value = row.get("properties")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _wrong("properties", value, "an object")
    if len(value) > MOST_PROPERTIES:
        raise _long("properties", MOST_PROPERTIES, "entries")
    return {_checked_id(name, "properties"): _scalar(entry) for name, entry in value.items()}


def _scalar(value: object) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        _number("properties", value)
        return value
    if not isinstance(value, str):
        raise _wrong("properties", value, "flat: strings, numbers, true, false or null inside")
    if len(value) > MOST_PROPERTY_CHARACTERS:
        raise _long("properties", MOST_PROPERTY_CHARACTERS)
    if UNSTORABLE_TEXT.search(value):
        raise _Bad("bad_value", "'properties' holds a control character or half of a surrogate pair.")
    return value
