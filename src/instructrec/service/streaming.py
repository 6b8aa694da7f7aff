"""Answers that are sent piece by piece, as Server-Sent Events (html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from instructrec.service.problems import described

EVENT_STREAM = "text/event-stream"


def wants_events(request: Request) -> bool:
    """Whether a client asks for events, as browsers do for an EventSource."""
    return EVENT_STREAM in request.headers.get("accept", "")


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
