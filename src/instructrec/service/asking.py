"""From a request and what is known of the person to the query that every model answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from instructrec.core import Instruction, Query, Reaction, ReactionKind
from instructrec.errors import QueryError
from instructrec.instructions import Dialogue, refine
from instructrec.journal import session_key, user_key
from instructrec.journal.state import PersonState
from instructrec.pipeline.answering import Request, query_of, stored_history, understood
from instructrec.service.people import Person
from instructrec.service.shapes import Ask
from instructrec.service.snapshot import Snapshot

FAINT = 0.02
"""Reactions that have faded below this say nothing any more."""
MOST_REACTIONS = 20
"""Of each kind, the last ones: a model is asked once what resembles each of these items."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and the conversation that led to it (none: the request was none)."""

    query: Query
    dialogue: Dialogue | None = None


def person_of(ask: Ask) -> str | None:
    """The key under which the journal keeps the person; none for nobody in particular. Raises QueryError where two are named."""
    if ask.user_id is not None and ask.session_id is not None:
        raise QueryError("A request is for a user or for a session, but both came. Leave out 'user_id' or 'session_id'.")
    if ask.user_id is not None:
        return user_key(ask.user_id)
    return None if ask.session_id is None else session_key(ask.session_id)


def query_for(ask: Ask, person: Person, snapshot: Snapshot, now: float) -> Asked:
    """The query behind a request, as the person stands at a time (seconds since 1970).

    Raises QueryError that says what came and what to do.
    """
    state = person.state(now)
    language = ask.language or snapshot.run.config.language
    dialogue, standing = _said(ask, state, snapshot, language)
    past = tuple(ask.history) if ask.history is not None else history_of(ask.user_id, state, snapshot)
    request = Request(
        user=ask.user_id,
        history=past,
        instruction="" if dialogue is not None else ask.instruction,
        n=ask.n,
        hide_seen=ask.hide_seen,
        candidates=None if ask.candidates is None else tuple(ask.candidates),
        language=language,
        parameters=ask.parameters,
        standing=standing,
        strength=ask.strength,
        diversity=ask.diversity,
        profile=ask.profile or person.profile,
    )
    query = query_of(snapshot.dataset, request, language=language)
    exclude = query.exclude | snapshot.withdrawn | hidden(state) | frozenset(ask.exclude)
    return Asked(replace(query, exclude=exclude, reactions=reactions(state, snapshot, now)), dialogue)


def hidden(state: PersonState) -> frozenset[str]:
    """What somebody is not shown: what they banned or know, what is not for now, and what they dislike."""
    disliked = {one.item for one in state.disliked if one.reason != "not_now"}
    return state.banned | state.seen | state.not_now.keys() | disliked


def reactions(state: PersonState, snapshot: Snapshot, now: float) -> tuple[Reaction, ...]:
    """What somebody's clicks say about what resembles an item, as strong as it still is; about items that are there."""
    known, weights = snapshot.catalog.index, state.weights(now)
    found = [Reaction(item=item, kind="dislike", reason=reason, weight=weight) for item, reason, weight in weights.dislikes]
    found += [Reaction(item=item, kind="like", weight=weights.history.get(item, 1.0)) for item in state.liked]
    found += [Reaction(item=one.item, kind="similar", weight=weights.history.get(one.item, 1.0)) for one in state.similar]
    alive = [one for one in found if one.item in known and one.weight >= FAINT]
    return tuple(one for kind in get_args(ReactionKind) for one in [one for one in alive if one.kind == kind][-MOST_REACTIONS:])


def history_of(user: str | None, state: PersonState, snapshot: Snapshot) -> tuple[str, ...]:
    """What somebody has met, oldest first: by the log of the run, then by the journal; without what they turned out to dislike."""
    met, rejected = (*stored_history(snapshot.dataset, user), *state.history), state.rejected
    return tuple(item for item in met if item not in rejected)


def _said(ask: Ask, state: PersonState, snapshot: Snapshot, language: str) -> tuple[Dialogue | None, Instruction | None]:
    """The conversation, where there is one, and what holds before the words of the request."""
    standing = _standing(state.text, snapshot, language) if state.text else None
    if ask.dialogue is None:
        return None, standing
    dialogue = Dialogue.from_json(ask.dialogue, snapshot.catalog)
    if ask.instruction.strip():
        dialogue = dialogue.say(ask.instruction, snapshot.catalog, language=language, shown=ask.shown, n=ask.n)
    return dialogue, _both(standing, dialogue.standing, snapshot)


def _both(standing: Instruction | None, said: Instruction | None, snapshot: Snapshot) -> Instruction | None:
    return standing if said is None else refine(standing, said, snapshot.catalog)


def _standing(text: str, snapshot: Snapshot, language: str) -> Instruction | None:
    """What was understood of words that hold until others come."""
    return understood(Request(instruction=text, language=language), snapshot.catalog, language)


def with_dialogue(answer: Mapping[str, Any], asked: Asked, snapshot: Snapshot) -> dict[str, Any]:
    """The answer with the conversation in it, to be sent with the next request."""
    if asked.dialogue is None:
        return dict(answer)
    return {**answer, "dialogue": asked.dialogue.to_json(snapshot.catalog)}
