"""What every route has in common, and says in the OpenAPI: keys, refusals, and the methods that an address answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from instructrec.service.access import Caller, Gate
from instructrec.service.shapes import Problem

METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
KEY_HEADER = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="A key that `instructrec key` made. A service that only its own machine reaches may want none.",
    auto_error=False,
)
BEARER = HTTPBearer(scheme_name="Bearer", description="The same key as `Authorization: Bearer KEY`.", auto_error=False)
_WAIT = {"Retry-After": {"description": "Seconds until it is worth another try.", "schema": {"type": "integer", "minimum": 1}}}
_HOW = {"WWW-Authenticate": {"description": "How to send a key.", "schema": {"type": "string"}}}


def refusals(words: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    """Answers that say why there is none, by status, for the OpenAPI of a route."""
    headers = {401: _HOW, 429: _WAIT, 503: _WAIT}
    return {
        status: {"model": Problem, "description": said} | ({"headers": headers[status]} if status in headers else {})
        for status, said in words.items()
    }


PROBLEMS = refusals(
    {
        400: "It cannot be answered as asked.",
        401: "No API key, or one that is not known.",
        403: "The key lacks the scope.",
        404: "What the address names is not there.",
        413: "The body is too large.",
        422: "The request does not have the shape.",
        429: "The key asks too often.",
        503: "Not now: try again after `Retry-After` seconds.",
    }
)
"""What any route that wants a key may answer."""


def methods_at(scope: Scope, routes: Sequence[BaseRoute]) -> list[str]:
    """The methods that the address of a request answers; none where there is no such address."""
    asked = {name: scope[name] for name in ("type", "path", "root_path", "headers")}
    return [name for name in METHODS if any(route.matches({**asked, "method": name})[0] == Match.FULL for route in routes)]


def admit(request: Request, scope: str) -> Caller:
    """Who asks; raises AccessError where the key does not open the scope. A request is let in, and counted, once."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is None:
        gate: Gate = request.app.state.gate
        bearer = request.headers.get("authorization", "")
        key = request.headers.get("x-api-key") or (bearer[7:] if bearer[:7].lower() == "bearer " else None)
        known = request.state.caller = gate.admit(key, scope)
    return known


class Admitted:
    """Who asks, where the key opens a scope."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    # The two parameters are there for the OpenAPI, which tells from them how a key is sent.
    async def __call__(
        self, request: Request, key: Annotated[Any, Security(KEY_HEADER)], bearer: Annotated[Any, Security(BEARER)]
    ) -> Caller:
        """Let the request in."""
        return admit(request, self.scope)


class KeyFirst(APIRoute):
    """A route that looks at the key before it reads a body: who may not ask is told so, whatever they sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at the key, then go the usual way."""
        usual = super().get_route_handler()
        scopes = [one.call.scope for one in self.dependant.dependencies if isinstance(one.call, Admitted)]

        async def handler(request: Request) -> Response:
            for scope in scopes:
                admit(request, scope)
            return await usual(request)

        return handler


def caller(scope: str) -> Any:
    """A dependency: who asks, where the key opens the scope; the OpenAPI names the scope beside the key."""
    return Security(Admitted(scope), scopes=[scope])
