"""Lists of one order for everybody: what is trending, and what is new. What must hold for a person holds in them, too."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from instructrec import wire
from instructrec.errors import QueryError, nearest
from instructrec.recommender import Recommender
from instructrec.service.asking import person_of, query_for
from instructrec.service.contract import PROBLEMS, KeyFirst
from instructrec.service.live import Live
from instructrec.service.people import Person
from instructrec.service.routes import Number, Reader, Service
from instructrec.service.settings import STEP_S
from instructrec.service.shapes import Answer, Ask
from instructrec.service.values import Id, Language
from instructrec.tables import Catalog

OPTIONS = ("n", "user_id", "session_id", "language")
"""What a request for a chart can say beside attributes."""
Somebody = Annotated[Id | None, Query(description="Whose bans, dislikes and history are kept out; nobody's if left out.")]


def asked_for(
    request: Request,
    live: Service,
    n: Number = 10,
    user_id: Somebody = None,
    session_id: Somebody = None,
    language: Annotated[Language | None, Query(description="Language of notes.")] = None,
) -> Ask:
    """The request that a URL makes: OPTIONS, and attributes of the catalog with a value each ("genres=Comedy"; twice: one of them)
    or a number or range ("year=1990..1999", either end may be left out).

    Raises QueryError for a parameter that is neither.
    """
    attributes = [pair for pair in request.query_params.multi_items() if pair[0] not in OPTIONS]
    limits = list(_limits(attributes, live.snapshot.catalog))
    parameters = {"limits": limits} if limits else None
    return Ask.model_validate(
        {"user_id": user_id, "session_id": session_id, "n": n, "language": language, "parameters": parameters}
    )


Chart = Annotated[Ask, Depends(asked_for)]


def charts() -> APIRouter:
    """The routes of charts."""
    router = APIRouter(prefix="/v1", tags=["lists and people"], responses=PROBLEMS, route_class=KeyFirst)

    @router.get("/trending", response_model=Answer)
    async def trending(who: Reader, live: Service, ask: Chart) -> JSONResponse:
        """What people choose now, and before that in the log of the run; attributes of the catalog limit it: ?genres=Comedy."""
        model = live.snapshot.trending(live.trends, who.tenant)
        return JSONResponse(await asyncio.to_thread(_chart, live, who.tenant, ask, model))

    @router.get("/latest", response_model=Answer)
    async def latest(who: Reader, live: Service, ask: Chart) -> JSONResponse:
        """The newest items: those put since the run was made (and read: /v1/items/refresh), then by their first interaction."""
        return JSONResponse(await asyncio.to_thread(_chart, live, who.tenant, ask, live.snapshot.latest))

    return router


def _chart(live: Live, tenant: str, ask: Ask, model: Recommender) -> dict[str, Any]:
    snapshot, key = live.snapshot, person_of(ask)
    person = Person() if key is None else live.people.get(tenant, key)
    asked = query_for(ask, person, snapshot, time.time() // STEP_S * STEP_S)
    [found] = model.recommend([asked.query])
    language = ask.language or snapshot.run.config.language
    return wire.answer(found, catalog=snapshot.catalog, model_version=snapshot.version, language=language)


def _limits(pairs: Sequence[tuple[str, str]], catalog: Catalog) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys(name for name, _ in pairs):
        values = [value for other, value in pairs if other == name]
        if name in catalog.labels:
            yield {"attribute": name, "operator": "include", "values": values}
        elif name in catalog.quantities:
            low, several, high = values[-1].partition("..")
            ends = {key: _number(name, end) for key, end in (("low", low), ("high", high if several else low)) if end}
            yield {"attribute": name, "operator": "range", **ends}
        else:
            known = (*OPTIONS, *catalog.attributes)
            raise QueryError(f"A chart has no parameter '{name:.60}'.{nearest(name, known)} It has: {', '.join(known)}.")


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"'{name}' is '{text:.40}', but must be a range of numbers, such as {name}=1990..1999.") from None
