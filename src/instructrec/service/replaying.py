"""The list that somebody would have had at a moment in the past, made by the code that serves from what the journal held then."""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from instructrec import wire
from instructrec.core import Query
from instructrec.data.items import kept_item
from instructrec.errors import ModelError, QueryError, nearest
from instructrec.journal.replaying import up_to
from instructrec.journal.store import Store
from instructrec.pipeline.answering import with_notes
from instructrec.runs import Run
from instructrec.service.asking import person_of, query_for
from instructrec.service.people import People
from instructrec.service.settings import STEP_S
from instructrec.service.shapes import Ask
from instructrec.service.snapshot import Snapshot, kept_items, take_up

PATIENCE_S = 3600.0
"""How long the best model may take: a list of the past is in no hurry."""


def list_at(
    run: Run, store: Store, tenant: str, ask: Ask, *, moment: float = math.inf, by_event_time: bool = False, model: str = ""
) -> dict[str, Any]:
    """The answer to a request with the events that `up_to` gives of the person at a moment (seconds since 1970), in the JSON
    shape of `wire.answer`. Beside it, under `replay`: how many events counted, how many there are, and the hash of the state.

    The run, its items and what people wrote of their taste are those of now: of these the journal keeps the last state alone.
    Somebody of whom nothing was known gets what many chose by the run's own log, not what was trending.
    `model` is who answers, where it was another one than the run's own (an arm of an experiment). Writes nothing. Raises
    QueryError for a request for nobody, ModelError for a model that the run does not hold.
    """
    key = person_of(ask)
    if key is None:
        raise QueryError("A list of the past is somebody's. Give --user U, or --session S for a visitor.")
    now = People(store).get(tenant, key)
    then = now.before(up_to(now.events, moment, by_event_time=by_event_time))
    asked_at = min(moment, time.time()) // STEP_S * STEP_S
    with ThreadPoolExecutor(1) as quick:
        items, revision = kept_items(store)
        snapshot = take_up(run, quick, items=[kept_item(body) for body in items.values()], revision=revision, tried=0)
        try:
            answer = _answer(snapshot, ask, model, query_for(ask, then, snapshot, asked_at).query)
        finally:
            snapshot.close()
    counts = {"events": len(then.events), "events_now": len(now.events), "state_hash": then.state(asked_at).digest()}
    return {**answer, "replay": counts}


def _answer(snapshot: Snapshot, ask: Ask, model: str, query: Query) -> dict[str, Any]:
    if model and model not in snapshot.models:
        raise ModelError(
            f"This run holds no model '{model}'.{nearest(model, snapshot.models)} There is: {', '.join(snapshot.models)}."
        )
    found = asyncio.run(snapshot.ladder_for(model).answer(query, deadline_s=PATIENCE_S))
    found = with_notes(found, snapshot.model, snapshot.dataset)
    language = ask.language or snapshot.run.config.language
    return wire.answer(found, catalog=snapshot.catalog, model_version=snapshot.version, language=language)
