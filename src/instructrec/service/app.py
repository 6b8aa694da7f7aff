"""The service over HTTP: routes under /v1 in snake_case, one shape for every error, health, and metrics."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from instructrec.errors import BusyError, InstructRecError, QueryError, RunError, StoreError
from instructrec.service.access import AccessError, Gate
from instructrec.service.guards import BodyLimit
from instructrec.service.live import Live
from instructrec.service.metrics import Metrics
from instructrec.service.routes import health, owner, public
from instructrec.service.shapes import Problem

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        400: "It cannot be answered as asked.",
        401: "No API key, or one that is not known.",
        403: "The key lacks the scope.",
        413: "The body is too large.",
        422: "The body does not have the shape.",
        429: "The key asks too often.",
        503: "Not now: try again after `Retry-After` seconds.",
    }.items()
}
Handler = Callable[[Request], Awaitable[Response]]


def build(live: Live, gate: Gate) -> FastAPI:
    """The application of a service; it closes the service when it ends."""

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        yield
        live.close()

    app = FastAPI(
        title="InstructRec",
        version="1",
        summary="Recommendations that follow words and clicks, and say why.",
        lifespan=living,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.live, app.state.gate, app.state.metrics = live, gate, Metrics(live)
    for router in (public(), owner()):
        app.include_router(_with_problems(router), prefix="/v1")
    app.include_router(health())
    app.add_middleware(BodyLimit, most=live.config.body_bytes)
    app.middleware("http")(_counted)
    for kind in (AccessError, QueryError, RunError, BusyError, StoreError):
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(Exception, _broken)
    return app


def _with_problems(router: APIRouter) -> APIRouter:
    router.responses = PROBLEMS
    return router


async def _counted(request: Request, call_next: Handler) -> Response:
    began = time.perf_counter()
    response = await call_next(request)
    route = request.scope.get("route")
    request.app.state.metrics.answered(
        request.method, getattr(route, "path", "other"), response.status_code, time.perf_counter() - began
    )
    return response


def problem(status: int, code: str, message: str, *, wait_s: float | None = None) -> JSONResponse:
    """The one shape of an error."""
    headers = {} if wait_s is None else {"Retry-After": str(max(1, round(wait_s)))}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": code, "message": message}, status_code=status, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, AccessError):
        codes = {401: "no_key", 403: "no_scope", 429: "too_often"}
        return problem(error.status, codes[error.status], str(error), wait_s=error.wait_s or None)
    if isinstance(error, BusyError):
        return problem(503, "busy", str(error), wait_s=error.retry_after_s)
    if isinstance(error, StoreError):
        return problem(503, "journal", str(error), wait_s=5.0)
    assert isinstance(error, InstructRecError)
    return problem(400, "not_answerable", str(error))


async def _misshapen(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem(422, "wrong_shape", f"{where}: {first['msg']}. See /v1/openapi.json for the shape.")


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, "no_such_route", f"{error.detail}. See /v1/openapi.json for what there is.")
    answer.headers.update(error.headers or {})
    return answer


async def _broken(request: Request, error: Exception) -> Response:
    return problem(500, "unexpected", f"Something went wrong here ({type(error).__name__}). Nothing stored is lost.")
