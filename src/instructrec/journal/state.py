"""The state of a person: a function of their events, in the order of the journal, and of the time that it is asked for.

`seq`, the order in which events were written, says what came last (the last opinion of an item, the standing words). An event that
was delivered late takes its place by its own time inside `history` alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from instructrec.journal.events import Event, canonical
from instructrec.journal.records import Stored

LIKE_HALF_LIFE_EVENTS: Final = 20
"""After so many newer items in the history an item counts half."""
DISLIKE_HALF_LIFE_DAYS: Final = 60.0
"""After so many days a dislike counts half. A ban never fades."""
NOT_NOW_DAYS: Final = 14.0
"""For so many days "not now" keeps an item away."""
LIKED_RATING: Final = 4.0
"""A rating of at least so much is a like (of 1 to 5 stars)."""
_DAY_S: Final = 86_400.0
_MET: Final = frozenset(("view", "click", "like", "purchase", "similar"))
ABOUT_THE_ITEM_ALONE: Final = ("seen", "not_now")


class Dislike(NamedTuple):
    """An item that is disliked, why ("", "seen", "not_now" or "attribute:NAME"), since when (seconds since 1970)."""

    item: str
    reason: str
    time: float


class Wanted(NamedTuple):
    """An item that more like it was asked for, when (seconds since 1970)."""

    item: str
    time: float


class Weights(NamedTuple):
    """How much each part of a state counts at a time: 1 when new, halved by every half-life.

    `history`: item -> weight, by how many newer items the history holds. `dislikes`: item, reason and weight, by age; without those
    that speak of the item alone ("seen", "not_now"). `bans` are absolute.
    """

    history: Mapping[str, float]
    dislikes: tuple[tuple[str, str, float], ...]
    bans: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class PersonState:
    """What is known of a person. Two states are equal when they say the same, however many events were undone on the way.

    `history`: items that they met (view, click, like, purchase, similar, a rating of at least `LIKED_RATING`; impressions do not
    count), each once at its latest time, oldest first. `liked`: items whose last opinion is good, in the order in which it was
    given. `disliked`: items whose last opinion is bad, with the reason; it takes in "seen" and "not_now", which say nothing of
    what resembles the item. `similar`: items that more like them was asked for. `banned`: never shown again; a later like does
    not lift a ban, an undo does. `seen`: known from elsewhere. `not_now`: item -> until when (seconds since 1970) it is kept
    away. `rating`: the last one of each item. `text`: the standing words, those said last. `undone`: event_ids of what was taken
    back (not part of equality), and `seq`: the newest event that was read (likewise).
    """

    history: tuple[str, ...] = ()
    liked: tuple[str, ...] = ()
    disliked: tuple[Dislike, ...] = ()
    similar: tuple[Wanted, ...] = ()
    banned: frozenset[str] = frozenset()
    seen: frozenset[str] = frozenset()
    not_now: Mapping[str, float] = field(default_factory=dict)
    rating: Mapping[str, float] = field(default_factory=dict)
    text: str = ""
    undone: frozenset[str] = field(default=frozenset(), compare=False)
    seq: int = field(default=0, compare=False)

    @classmethod
    def of(cls, events: Iterable[Stored], now: float, *, liked_rating: float = LIKED_RATING) -> PersonState:
        """The state that the events of one person make, at `now` (seconds since 1970), whatever order they are given in."""
        rows = sorted({row.seq: row for row in events}.values(), key=lambda row: row.seq)
        undone = _undone([row.event for row in rows])
        fold = _Fold(liked_rating)
        for row in rows:
            if row.event.event_id not in undone and row.event.type != "undo":
                fold.take(row.event, row.seq)
        return fold.state(now, undone=undone, seq=rows[-1].seq if rows else 0)

    @property
    def rejected(self) -> frozenset[str]:
        """Items that turned out to be disliked: a history that held them would go on speaking for what resembles them."""
        return frozenset(one.item for one in self.disliked if one.reason not in ABOUT_THE_ITEM_ALONE)

    def weights(self, now: float) -> Weights:
        """How much each part counts at `now` (seconds since 1970). A pure function of the state."""
        newest = len(self.history) - 1
        history = {item: 0.5 ** ((newest - place) / LIKE_HALF_LIFE_EVENTS) for place, item in enumerate(self.history)}
        dislikes = tuple(
            (one.item, one.reason, 0.5 ** (max(0.0, now - one.time) / (DISLIKE_HALF_LIFE_DAYS * _DAY_S)))
            for one in self.disliked
            if one.reason not in ABOUT_THE_ITEM_ALONE
        )
        return Weights(history, dislikes, self.banned)

    def digest(self) -> str:
        """The sha256 (64 hexadecimal digits) of everything that equality looks at: equal states have equal digests."""
        said = [
            self.history, self.liked, self.disliked, self.similar, sorted(self.banned), sorted(self.seen),
            self.not_now, self.rating, self.text,
        ]  # fmt: skip
        return hashlib.sha256(canonical(said).encode()).hexdigest()


def is_meeting(event: Event, liked_rating: float = LIKED_RATING) -> bool:
    """Whether somebody met an item by this event, so that it belongs into their history unless it is undone."""
    return event.item_id is not None and (event.type in _MET or _is_good(event, liked_rating))


def _is_good(event: Event, liked_rating: float) -> bool:
    return event.type == "like" or (event.type == "rating" and (event.value or 0.0) >= liked_rating)


def _undone(events: list[Event]) -> frozenset[str]:
    """The event_ids that are taken back. An undo that is itself undone takes nothing back.

    An undo may arrive ahead of what it undoes; but of two undos only the later can undo the earlier, so there are no circles.
    """
    places = {event.event_id: place for place, event in enumerate(events)}
    undone: set[str] = set()
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        if event.type != "undo" or event.event_id in undone or event.undoes is None:
            continue
        target = places.get(event.undoes)
        if target is None or events[target].type != "undo" or target < place:
            undone.add(event.undoes)
    return frozenset(undone & places.keys())


class _Fold:
    """A state while events are added to it, in the order of seq."""

    def __init__(self, liked_rating: float) -> None:
        self._liked_rating = liked_rating
        self._met: dict[str, tuple[float, int]] = {}
        self._opinions: dict[str, Event] = {}
        self._similar: dict[str, float] = {}
        self._banned: set[str] = set()
        self._rating: dict[str, float] = {}
        self._text = ""

    def take(self, event: Event, seq: int) -> None:
        """Add one event that is not undone."""
        if event.type == "text":
            self._text = event.text or ""
        if event.item_id is None or event.type == "impression":
            return
        good = _is_good(event, self._liked_rating)
        if is_meeting(event, self._liked_rating):
            self._met[event.item_id] = max(self._met.get(event.item_id, (event.time, seq)), (event.time, seq))
        if event.type in ("like", "dislike") or good:
            # Last, so that the order is that of the opinions.
            self._opinions.pop(event.item_id, None)
            self._opinions[event.item_id] = event
        elif event.type == "rating" and not self._is_disliked(event.item_id):
            # Few stars lift a like, but no dislike.
            self._opinions.pop(event.item_id, None)
        self._note(event, event.item_id)

    def _note(self, event: Event, item: str) -> None:
        if event.type == "similar":
            self._similar.pop(item, None)
            self._similar[item] = event.time
        elif event.type == "ban":
            self._banned.add(item)
        elif event.type == "rating" and event.value is not None:
            self._rating[item] = event.value

    def state(self, now: float, *, undone: frozenset[str], seq: int) -> PersonState:
        """The state after the last event."""
        disliked = [Dislike(item, event.reason, event.time) for item, event in self._opinions.items() if event.type == "dislike"]
        waiting = {one.item: one.time + NOT_NOW_DAYS * _DAY_S for one in disliked if one.reason == "not_now"}
        return PersonState(
            history=tuple(sorted(self._met, key=lambda item: self._met[item])),
            liked=tuple(item for item, event in self._opinions.items() if event.type != "dislike"),
            disliked=tuple(disliked),
            similar=tuple(Wanted(item, time) for item, time in self._similar.items()),
            banned=frozenset(self._banned),
            seen=frozenset(one.item for one in disliked if one.reason == "seen"),
            not_now={item: until for item, until in waiting.items() if until > now},
            rating=self._rating,
            text=self._text,
            undone=undone,
            seq=seq,
        )

    def _is_disliked(self, item: str) -> bool:
        return item in self._opinions and self._opinions[item].type == "dislike"
