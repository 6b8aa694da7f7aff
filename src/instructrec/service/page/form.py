"""What a page keeps between two clicks: it stands in hidden fields of its form, and every click sends it back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from instructrec.errors import QueryError

MOST_FIELDS = 40
MOST_TURNS = 49
"""Sentences of a conversation that are kept; each holds all that was said before, so older ones only matter for undo."""
MOST_DONE = 50
"""Actions that can be taken back one after another."""
WORDS = "words"
"""What stands in `done` for a sentence or a chip; every other entry is the id of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Whose page it is, in which language, and how it got there.

    `dialogue`: what holds after each sentence (`Dialogue.to_json`); `done`: actions, oldest first, that can be taken back; `shown`:
    item ids of the list, best first, and `list_id` its recommendation_id; `token`: becomes the id of the next event, so that a form
    that is sent twice counts once; `asks_why`: the id of a dislike whose reason is asked for.
    """

    user: str = ""
    language: str = "en"
    dialogue: tuple[Mapping[str, Any], ...] = ()
    done: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    list_id: str = ""
    token: str = ""
    asks_why: str = ""

    def fields(self) -> dict[str, str]:
        """The hidden fields, with a new token."""
        return {
            "user": self.user,
            "lang": self.language,
            "dialogue": json.dumps(self.dialogue[-MOST_TURNS:]),
            "done": json.dumps(self.done[-MOST_DONE:]),
            "shown": json.dumps(self.shown),
            "list_id": self.list_id,
            "asks_why": self.asks_why,
            "token": secrets.token_hex(12),
        }


def read_fields(body: bytes) -> dict[str, str]:
    """The fields of a form as a browser sends it. Raises QueryError for what is no form."""
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise QueryError("This is no form of the page. Open the page again, and use its buttons.") from None
    return {name: values[-1] for name, values in found.items()}


def state_of(fields: Mapping[str, str], language: str) -> State:
    """What the page kept. Raises QueryError where the fields were changed on the way."""
    dialogue = _list(fields, "dialogue")
    if not all(isinstance(turn, Mapping) for turn in dialogue):
        raise _spoiled("dialogue")
    return State(
        user=fields.get("user", "").strip(),
        language=language,
        dialogue=tuple(dialogue),
        done=_texts(fields, "done"),
        shown=_texts(fields, "shown"),
        list_id=fields.get("list_id", ""),
        token=fields.get("token", "") or secrets.token_hex(12),
        asks_why=fields.get("asks_why", ""),
    )


def _texts(fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = _list(fields, name)
    if not all(isinstance(entry, str) for entry in found):
        raise _spoiled(name)
    return tuple(found)


def _list(fields: Mapping[str, str], name: str) -> Sequence[Any]:
    try:
        found = json.loads(fields.get(name) or "[]")
    except (ValueError, RecursionError):
        raise _spoiled(name) from None
    if not isinstance(found, list):
        raise _spoiled(name)
    return found


def _spoiled(name: str) -> QueryError:
    return QueryError(f"The field '{name}' of the page is not as the page wrote it. Open the page again.")
