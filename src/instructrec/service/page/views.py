"""What the templates of the user's page show, ready to be written down."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from instructrec.instructions import profile_of
from instructrec.instructions.render import year_attribute
from instructrec.journal import user_key
from instructrec.service.live import Live
from instructrec.service.page.acting import event_of, title_of
from instructrec.service.page.chips import Chip, chips_of
from instructrec.service.page.form import State
from instructrec.service.page.frame import fill, words
from instructrec.tables import Catalog

MOST_VALUES = 6
MOST_HISTORY = 12
MOST_FOUND = 12
MOST_ABOUT = 600
"""Characters of an item's own text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One item of the list. `mark`: new, up or down against the list before, by so many places; empty where it did not move."""

    item: str
    title: str
    values: tuple[str, ...]
    reason: str
    mark: str = ""
    by: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An item that something was said of, and the event that said it (empty: the history of the run)."""

    item: str
    title: str
    event: str = ""
    detail: str = ""


def rows_of(answer: Mapping[str, Any], state: State, catalog: Catalog) -> list[Row]:
    """The list, marked against the one before."""
    before = {item: place for place, item in enumerate(state.shown)}
    rows, year = [], year_attribute(catalog)
    for place, entry in enumerate(answer["items"]):
        item = entry["item_id"]
        moved = before.get(item, place) - place
        mark = "new" if before and item not in before else "up" if moved > 0 else "down" if moved < 0 else ""
        rows.append(
            Row(
                item=item,
                title=entry["title"].strip() or item,
                values=values_of(item, catalog, year),
                reason=entry["explanation"],
                mark=mark,
                by=abs(moved),
            )
        )
    return rows


def change_of(rows: Sequence[Row], state: State, language: str) -> str:
    """What changed against the list before, in one sentence; empty for a first list."""
    if not state.shown:
        return ""
    text = words(language)["change"]
    gone = len(set(state.shown) - {row.item for row in rows})
    counts = {
        "came": sum(row.mark == "new" for row in rows),
        "moved": sum(row.mark in ("up", "down") for row in rows),
        "gone": gone,
    }
    parts = [fill(text[name], n=count) for name, count in counts.items() if count]
    return fill(text["all"], parts=text["comma"].join(parts)) if parts else str(text["none"])


def values_of(item: str, catalog: Catalog, year: str | None) -> tuple[str, ...]:
    """The attributes of an item as short words: label values, the year, other numbers with their name."""
    code = catalog.index.get(item)
    if code is None:
        return ()
    found = [value for labels in catalog.labels.values() for value in labels.of(code)][:MOST_VALUES]
    for name, column in catalog.numbers.items():
        if math.isfinite(column[code]):
            found.append(f"{column[code]:g}" if name == year else f"{name.replace('_', ' ')} {column[code]:g}")
    return tuple(found)


def chips(state: State, catalog: Catalog) -> list[Chip]:
    """What holds of the words, part by part."""
    if not state.dialogue:
        return []
    return chips_of(state.dialogue[-1], catalog, state.language, wish=words(state.language)["wish"])


def reasons_for(live: Live, tenant: str, state: State) -> list[tuple[str, str]]:
    """The reasons that a dislike can be given, as (value, words); empty where none is asked for."""
    event = event_of(live, tenant, state.user, state.asks_why) if state.asks_why else None
    if event is None or event.item_id is None:
        return []
    text, catalog = words(state.language)["because"], live.snapshot.catalog
    found = [("seen", text["seen"]), ("not_now", text["not_now"])]
    code = catalog.index.get(event.item_id)
    for name, labels in catalog.labels.items():
        values = labels.of(code) if code is not None else ()
        if values:
            said = fill(text["attribute"], attribute=name.replace("_", " "), values=text["comma"].join(values[:3]))
            found.append((f"attribute:{name}", said))
    return found


def suggestions(catalog: Catalog, language: str) -> list[str]:
    """Sentences to begin with, made of what is most frequent in the catalog."""
    if not catalog.labels:
        return []
    labels = next(iter(catalog.labels.values()))
    counts = np.bincount(labels.codes, minlength=len(labels.names))
    top = [labels.names[int(place)] for place in np.argsort(-counts, kind="stable")[:4]]
    forms = words(language)["suggestions"]
    return [fill(form, a=top[0], b=top[1], c=top[2], d=top[3]) for form in forms] if len(top) >= 4 else list(top[:3])


def known(live: Live, tenant: str, user: str, language: str) -> dict[str, Any]:
    """What is known of a user, with titles, and which event said it."""
    found = live.known_of(tenant, user)
    catalog, events = live.snapshot.catalog, live.people.get(tenant, user_key(user)).events
    last = {(str(row.event.type), row.event.item_id): row.event.event_id for row in events}
    text = words(language)["because"]

    def kept(kind: str, item: str, detail: str = "") -> Kept:
        # Many stars are a like, too.
        event = last.get((kind, item)) or (last.get(("rating", item)) if kind == "like" else None)
        return Kept(item=item, title=title_of(live, item), event=event or "", detail=detail)

    def why(reason: str) -> str:
        name = reason.removeprefix("attribute:")
        return fill(text["short_attribute"], attribute=name) if name != reason else str(text.get(reason, ""))

    history = list(dict.fromkeys(reversed(found["history"])))
    return {
        "profile": found["profile"],
        "text": found["text"],
        "events": found["events"],
        "read_off": profile_of(found["history"][-50:], catalog, language=language).text if history else "",
        "history": [kept("", item) for item in history[:MOST_HISTORY]],
        "more_history": [kept("", item) for item in history[MOST_HISTORY:200]],
        "history_length": len(history),
        "liked": [kept("like", item) for item in reversed(found["liked"])],
        "disliked": [kept("dislike", one["item_id"], why(one["reason"])) for one in reversed(found["disliked"])],
        "banned": [kept("ban", item) for item in found["banned"]],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A history item behind a recommendation: its weight, and its width as a part of the widest, in percent."""

    title: str
    weight: float
    width: float


def evidence_of(entry: Mapping[str, Any], catalog: Catalog, language: str) -> dict[str, Any]:
    """Why an item is in the list, from the JSON of an explained item: bars for history, sentences for other facts."""
    text = words(language)["facts"]
    facts = [*entry["evidence"], *entry["against"]]
    weighed = [fact for fact in facts if fact["kind"] == "history" and fact.get("item_id")]
    widest = max((abs(fact["weight"]) for fact in weighed), default=0.0) or 1.0

    def title(item: str) -> str:
        code = catalog.index.get(item)
        return (catalog.titles[code].strip() if code is not None else "") or item

    def said(fact: Mapping[str, Any]) -> str:
        form = text["instruction_value" if fact["kind"] == "instruction" and not fact.get("attribute") else fact["kind"]]
        value = fact.get("value", "")
        if fact["kind"] == "source":
            value = text["sources"].get(value, value)
        return fill(form, attribute=str(fact.get("attribute", "")).replace("_", " "), value=value)

    return {
        "title": entry["title"].strip() or entry["item_id"],
        "item": entry["item_id"],
        "text": entry["explanation"],
        "about": _about(entry["item_id"], catalog),
        "status": entry["explanation_status"],
        "bars": [
            Bar(title=title(fact["item_id"]), weight=fact["weight"], width=100 * abs(fact["weight"]) / widest) for fact in weighed
        ],
        "facts": list(dict.fromkeys(said(fact) for fact in facts if fact["kind"] in text and fact["kind"] != "history")),
        "caveat": entry["caveat"],
        "counterfactual": entry["counterfactual_text"],
        "source": text["sources"].get(entry["source"], entry["source"]),
    }


def _about(item: str, catalog: Catalog) -> str:
    """The beginning of an item's own text, where it says more than the title."""
    code = catalog.index.get(item)
    text = catalog.texts[code].strip() if code is not None and catalog.texts else ""
    if not text or text == catalog.titles[code or 0].strip():
        return ""
    return text if len(text) <= MOST_ABOUT else f"{text[:MOST_ABOUT].rstrip()}…"


def found_users(live: Live, part: str) -> list[str]:
    """Users of the run whose id begins with, or else holds, a text."""
    ids, low = live.snapshot.dataset.interactions.user_ids, part.lower()
    first = [user for user in ids if user.lower().startswith(low)][:MOST_FOUND]
    inside = [user for user in ids if low in user.lower() and user not in first] if len(first) < MOST_FOUND else []
    return (first + inside)[:MOST_FOUND]


def fresh_user() -> str:
    """An id for somebody new."""
    return f"guest-{secrets.token_hex(4)}"


def url_of(user: str, language: str) -> str:
    """Where the page of a user is."""
    return f"/?{urlencode({'user': user, 'lang': language})}"
