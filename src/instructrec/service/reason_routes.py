"""Reasons, at once or piece by piece as Server-Sent Events (html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from instructrec.service.contract import PROBLEMS, KeyFirst
from instructrec.service.problems import described
from instructrec.service.routes import Key, Reader, Service
from instructrec.service.shapes import ListedItem

EVENT_STREAM = "text/event-stream"


def reasons() -> APIRouter:
    """The route of reasons."""
    router = APIRouter(prefix="/v1", tags=["lists and people"], responses=PROBLEMS, route_class=KeyFirst)

    @router.get(
        "/explain/{recommendation_id}/{item_id}",
        response_model=ListedItem,
        response_model_exclude_none=True,
        responses={200: {"content": {EVENT_STREAM: {}}}},
    )
    async def explain(
        recommendation_id: Key, item_id: Key, who: Reader, live: Service, request: Request, stream: bool = False
    ) -> Any:
        """Why an item of a list that was shown is there: text, evidence, what it depends on. With `stream`, or where events are
        accepted, as Server-Sent Events: `evidence`, each `sentence` of the text, and the whole as `done`; or `error`.
        """
        # A browser's EventSource accepts nothing else.
        if stream or EVENT_STREAM in request.headers.get("accept", ""):
            return as_events(live.reasons.telling(who.tenant, recommendation_id, item_id))
        return await live.explain(who.tenant, recommendation_id, item_id)

    return router


def as_events(pieces: AsyncIterator[tuple[str, dict[str, Any]]]) -> StreamingResponse:
    """Each piece (name, JSON object) as an event of that name; what goes wrong is the last one, `error`, in the shape of errors."""
    return StreamingResponse(
        _events(pieces), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )  # fmt: skip


async def _events(pieces: AsyncIterator[tuple[str, dict[str, Any]]]) -> AsyncIterator[str]:
    try:
        async for name, piece in pieces:
            yield _event(name, piece)
    except Exception as error:  # the answer has begun, so that a status could tell nothing any more
        problem = described(error)
        yield _event("error", {"error": problem.code, "message": problem.message})


def _event(name: str, piece: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(piece, ensure_ascii=False)}\n\n"
