"""What a button of the user's page does: an event, a sentence, a chip, or taking the last of these back."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from instructrec.errors import QueryError
from instructrec.journal import Rejected, user_key
from instructrec.journal.events import Event
from instructrec.service.live import Live
from instructrec.service.metrics import Metrics
from instructrec.service.page.chips import without
from instructrec.service.page.form import WORDS, State

OPINIONS = ("like", "dislike", "similar", "ban")
"""Buttons of an item, each an event of that type."""
READING = ("", "say", "drop", "reset", "lang", "again")
"""What changes only the page, so that a key that reads is enough."""
MOST_SEEDED = 20
ASKED_AGAIN_S = 86_400.0
"""After so many seconds somebody who said how well the list fits may be asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A button: its name and what stands behind it ("like 3"), and the words of the fields beside it."""

    name: str
    about: str = ""
    sentence: str = ""
    profile: str = ""

    @staticmethod
    def of(fields: Mapping[str, str]) -> Click:
        """The button of a form that was sent; the return key is the one of the sentence."""
        name, _, about = fields.get("act", "say").partition(" ")
        sentence = fields.get("suggest") or fields.get("say", "")
        return Click(name=name, about=about, sentence=sentence.strip(), profile=fields.get("profile", "").strip())


@dataclass(frozen=True, slots=True)
class Told:
    """What to say of a click: a name in the wording, and the title of an item."""

    name: str
    title: str = ""


def scope_of(click: Click) -> str:
    """What a key must open for a click."""
    return "read" if click.name in READING else "write"


async def act(live: Live, metrics: Metrics, tenant: str, state: State, click: Click) -> tuple[State, Told | None]:
    """The page after a click, and what to say of it. Raises QueryError for a click that the page does not have."""
    if click.name in OPINIONS:
        return await _opinion(live, metrics, tenant, state, click)
    if click.name == "because":
        return await _because(live, metrics, tenant, state, click.about)
    if click.name == "undo":
        return await _undo(live, metrics, tenant, state)
    if click.name == "fits":
        return await _fits(live, metrics, tenant, state, click.about)
    if click.name == "lift":
        await _send(live, metrics, tenant, {"type": "undo", "user_id": state.user, "undoes": click.about, "event_id": state.token})
        return replace(state, done=tuple(one for one in state.done if one != click.about), asks_why=""), Told("lifted")
    if click.name == "unsay":
        row = {"type": "text", "user_id": state.user, "text": "", "event_id": state.token}
        sent = await _send(live, metrics, tenant, row)
        return replace(state, done=(*state.done, sent)), Told("unsaid")
    if click.name == "profile":
        await live.put_users(tenant, [{"user_id": state.user, "text": click.profile}])
        return state, Told("profile")
    return _steered(live, state, click)


def _steered(live: Live, state: State, click: Click) -> tuple[State, Told | None]:
    """What changes only the words."""
    if click.name == "drop" and state.dialogue:
        place = _whole(click.about)
        rest = without(state.dialogue[-1], place, live.snapshot.catalog, state.language)
        return replace(state, dialogue=(*state.dialogue, rest), done=(*state.done, WORDS), asks_why=""), Told("dropped")
    if click.name == "reset":
        return replace(state, dialogue=(), done=tuple(one for one in state.done if one != WORDS), asks_why=""), Told("reset")
    if click.name in ("lang", "again"):
        return state, None
    if click.name in ("say", ""):
        return replace(state, asks_why=""), None
    raise QueryError(f"The page has no button '{click.name[:40]}'. Open it again, and use its buttons.")


async def _opinion(live: Live, metrics: Metrics, tenant: str, state: State, click: Click) -> tuple[State, Told]:
    place = _whole(click.about)
    if not 0 <= place < len(state.shown):
        raise QueryError(f"The list has no item number {place + 1} (any more). Open the page again.")
    item = state.shown[place]
    row = {
        "event_id": state.token, "type": click.name, "user_id": state.user, "item_id": item,
        "recommendation_id": state.list_id or None, "position": place,
    }  # fmt: skip
    sent = await _send(live, metrics, tenant, row)
    asks = sent if click.name == "dislike" else ""
    return replace(state, done=(*state.done, sent), asks_why=asks), Told(click.name, title_of(live, item))


async def _because(live: Live, metrics: Metrics, tenant: str, state: State, reason: str) -> tuple[State, Told]:
    """The reason of the last dislike: it takes the place of the one without, so that one undo takes back both."""
    before = event_of(live, tenant, state.user, state.asks_why)
    if before is None or before.type != "dislike":
        raise QueryError("There is no dislike to give a reason for (any more). Open the page again.")
    await _send(live, metrics, tenant, {"type": "undo", "user_id": state.user, "undoes": before.event_id})
    row = {"event_id": state.token, "type": "dislike", "user_id": state.user, "item_id": before.item_id, "reason": reason}
    sent = await _send(live, metrics, tenant, row)
    done = (*(one for one in state.done if one != before.event_id), sent)
    return replace(state, done=done, asks_why=""), Told("because", title_of(live, before.item_id or ""))


async def _fits(live: Live, metrics: Metrics, tenant: str, state: State, answer: str) -> tuple[State, Told]:
    """How well somebody says that the list fits."""
    row = {
        "event_id": state.token, "type": "satisfaction", "user_id": state.user, "value": _whole(answer),
        "recommendation_id": state.list_id or None,
    }  # fmt: skip
    sent = await _send(live, metrics, tenant, row)
    return replace(state, done=(*state.done, sent), asks_why=""), Told("fits")


async def _undo(live: Live, metrics: Metrics, tenant: str, state: State) -> tuple[State, Told]:
    if not state.done:
        return state, Told("nothing_to_undo")
    last, state = state.done[-1], replace(state, done=state.done[:-1], asks_why="")
    if last == WORDS:
        return replace(state, dialogue=state.dialogue[:-1]), Told("undone")
    await _send(live, metrics, tenant, {"type": "undo", "user_id": state.user, "undoes": last})
    return state, Told("undone")


async def _send(live: Live, metrics: Metrics, tenant: str, row: Mapping[str, Any]) -> str:
    """Record an event and give its id. Raises QueryError where it is refused.

    A form that was sent before with another button brings an id that is taken; what was clicked now is another event.
    """
    row = {"event_id": secrets.token_hex(12), **row}
    for last in (False, True):
        verdict = (await live.record(tenant, [row]))[0]
        if isinstance(verdict, Rejected):
            raise QueryError(verdict.message)
        metrics.judged(str(row["type"]), verdict.fate)
        if verdict.fate != "conflict" or last:
            break
        row = {**row, "event_id": secrets.token_hex(12)}
    return str(row["event_id"])


def asks_how_it_fits(live: Live, tenant: str, user: str, now: float) -> bool:
    """Whether a user is asked how well the list fits: once in `ASKED_AGAIN_S`, counted from the last answer that holds."""
    person = live.people.get(tenant, user_key(user))
    answers = [row for row in person.events if row.event.type == "satisfaction" and now - row.received < ASKED_AGAIN_S]
    return not answers or {row.event.event_id for row in answers} <= person.state(now).undone


def _whole(text: str) -> int:
    """The number behind a button, -1 where there is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else -1


def event_of(live: Live, tenant: str, user: str, event_id: str) -> Event | None:
    """An event of a user."""
    events = live.people.get(tenant, user_key(user)).events
    return next((row.event for row in reversed(events) if row.event.event_id == event_id), None)


def undoable(live: Live, tenant: str, user: str) -> tuple[str, ...]:
    """The last opinions of a user that still hold, oldest first: what a page that is opened anew can take back."""
    person = live.people.get(tenant, user_key(user))
    undone = person.state(0.0).undone
    found = [row.event.event_id for row in person.events if row.event.type in OPINIONS and row.event.event_id not in undone]
    return tuple(found[-MOST_SEEDED:])


def with_words(state: State, dialogue: object) -> State:
    """The page with the conversation of an answer; "undo" in words counts as taking back."""
    turns = tuple(dialogue) if isinstance(dialogue, list) else ()
    done = list(state.done)
    while done.count(WORDS) > len(turns):
        del done[len(done) - 1 - done[::-1].index(WORDS)]
    done += [WORDS] * (len(turns) - done.count(WORDS))
    return replace(state, dialogue=turns, done=tuple(done))


def title_of(live: Live, item: str) -> str:
    """The title of an item, or its id where it has none."""
    catalog = live.snapshot.catalog
    code = catalog.index.get(item)
    return (catalog.titles[code].strip() if code is not None else "") or item
