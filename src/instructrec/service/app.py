"""The service over HTTP: routes under /v1 in snake_case, one shape for every error, health, and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from instructrec.errors import InstructRecError, sayable
from instructrec.service.access import Gate
from instructrec.service.backups import backups
from instructrec.service.charts import charts
from instructrec.service.contract import methods_at
from instructrec.service.experiment_routes import experiments
from instructrec.service.gorse import gorse
from instructrec.service.guards import BodyLimit, Counted
from instructrec.service.live import Live
from instructrec.service.metrics import Metrics
from instructrec.service.owner_pages import owner_pages
from instructrec.service.page.frame import files
from instructrec.service.pages import pages
from instructrec.service.problems import Described, described
from instructrec.service.reason_routes import reasons
from instructrec.service.routes import health, owner, public
from instructrec.service.streams import Consumer, Source


def build(live: Live, gate: Gate, sources: Sequence[Source] = ()) -> FastAPI:
    """The application of a service, which also takes the events of streams; it closes the service when it ends."""

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        reading = [asyncio.create_task(Consumer(source, live, app.state.metrics).run()) for source in sources]
        yield
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
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
    for router in (
        public(), reasons(), charts(), owner(), experiments(), backups(), gorse(), health(), pages(), owner_pages(), files()
    ):  # fmt: skip
        app.include_router(router)
    app.add_middleware(BodyLimit, most=live.config.body_bytes)
    app.add_middleware(Counted, metrics=app.state.metrics)
    app.add_exception_handler(InstructRecError, _refused)
    app.add_exception_handler(RequestValidationError, _misshapen)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(Exception, _refused)
    return app


def problem(found: Described) -> JSONResponse:
    """The one shape of an error."""
    headers = {} if found.wait_s is None else {"Retry-After": str(max(1, round(found.wait_s)))}
    if found.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": found.code, "message": sayable(found.message)}, status_code=found.status, headers=headers)


async def _refused(request: Request, error: Exception) -> Response:
    return problem(described(error))


async def _misshapen(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem(Described(422, "wrong_shape", f"{where}: {first['msg']}. See /v1/openapi.json for the shape."))


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "no_such_route", 405: "wrong_method"}
    said = f"{error.detail.rstrip('.')}. See /v1/openapi.json for what there is."
    answer = problem(Described(error.status_code, codes.get(error.status_code, "unreadable"), said))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        # One address may have a route for each of its methods, and each knows only its own.
        answer.headers["Allow"] = ", ".join(methods_at(request.scope, request.app.router.routes))
    return answer
