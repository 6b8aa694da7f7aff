"""The routes: each one reads its request, calls one function of the service, and gives its answer."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from instructrec import wire
from instructrec.data.items import Item
from instructrec.instructions import parse
from instructrec.journal import user_key
from instructrec.service.access import Caller
from instructrec.service.answers import Alive, Figures, Known, Ready, Serving, Version
from instructrec.service.contract import PROBLEMS, KeyFirst, admit, caller
from instructrec.service.figures import figures, folder_named, serving
from instructrec.service.live import Live
from instructrec.service.shapes import (
    MOST_EVENTS,
    Answer,
    Ask,
    Events,
    EventVerdicts,
    Folder,
    Items,
    Profile,
    RowVerdicts,
    Text,
    Understood,
    Users,
)
from instructrec.service.values import Id, Words
from instructrec.service.verdicts import TAKEN, told

JSON, LINES = "application/json", "application/x-ndjson"

MOST_LISTED = 500
Key = Annotated[Id, Path()]
Number = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many items.")]
Minutes = Annotated[int, Query(ge=1, le=60, description="How far back, in minutes.")]


class Counters(PlainTextResponse):
    """The text that Prometheus reads."""

    media_type = "text/plain; version=0.0.4"


class Direct(KeyFirst):
    """A route that answers what comes most without reading it into shapes first; everything else goes the usual way, and so does
    what is wrong, so that there is one contract and one place for errors.
    """

    @abstractmethod
    async def direct(self, request: Request) -> Response | None:
        """The answer, or None to go the usual way."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Try the short way, then the usual one."""
        usual = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await self.direct(request) or await usual(request)

        return handler


class KeptList(Direct):
    """A list that was sent before and still holds is found by the bytes of the request."""

    async def direct(self, request: Request) -> Response | None:
        """The kept answer."""
        body = service(request).kept(admit(request, "read").tenant, await request.body())
        return None if body is None else Response(body, media_type=JSON)


class PlainEvents(Direct):
    """Events are judged row by row anyway, so their list is taken as it is."""

    async def direct(self, request: Request) -> Response | None:
        """The verdicts, where the body is a list of events."""
        who = admit(request, "write")
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError):
            return None
        rows = body.get("events") if isinstance(body, dict) and len(body) == 1 else None
        if not isinstance(rows, list) or not 0 < len(rows) <= MOST_EVENTS:
            return None
        return JSONResponse(await _taken(request, who, rows), status_code=202)


def service(request: Request) -> Live:
    """The service behind the application."""
    live: Live = request.app.state.live
    return live


Reader = Annotated[Caller, caller("read")]
Writer = Annotated[Caller, caller("write")]
Owner = Annotated[Caller, caller("admin")]
Service = Annotated[Live, Depends(service)]


def public() -> APIRouter:
    """What applications call."""
    router = APIRouter(prefix="/v1", tags=["lists and people"], responses=PROBLEMS, route_class=KeyFirst)

    @router.get("/recommend/{user_id}", response_model=Answer)
    async def recommend_user(
        user_id: Key, who: Reader, live: Service, n: Number = 10, instruction: Annotated[Words, Query()] = ""
    ) -> Response:
        """The same for a user, from a browser or curl."""
        ask = Ask.model_validate({"user_id": user_id, "n": n, "instruction": instruction})
        return Response(await live.recommend(who.tenant, ask), media_type=JSON)

    _add_direct(router)
    _add_answers(router)
    _add_people(router)
    return router


def _add_direct(router: APIRouter) -> None:
    """What is asked most."""

    async def recommend(ask: Ask, who: Reader, live: Service, request: Request) -> Response:
        """A list for a person or a visitor, as they stand after their last event."""
        return Response(await live.recommend(who.tenant, ask, await request.body()), media_type=JSON)

    async def events(body: Events, who: Writer, request: Request) -> dict[str, Any]:
        """Take in events. What is counted as accepted is on disk and counts in the next list; sending it again changes nothing."""
        return await _taken(request, who, body.events)

    add = router.add_api_route
    add("/recommend", recommend, methods=["POST"], response_model=Answer, route_class_override=KeptList)
    add("/events", events, methods=["POST"], response_model=EventVerdicts, status_code=202, route_class_override=PlainEvents)


async def _taken(request: Request, who: Caller, sent: Sequence[Any]) -> dict[str, Any]:
    """What became of events, row by row."""
    rows = [told(found) for found in await service(request).record(who.tenant, sent)]
    request.app.state.metrics.judged_all(sent, rows)
    taken = sum(row["verdict"] in TAKEN for row in rows)
    verdicts = [{"index": index, **row} for index, row in enumerate(rows)]
    return {"accepted": taken, "rejected": len(rows) - taken, "verdicts": verdicts}


def _add_answers(router: APIRouter) -> None:
    """What can be asked beside a list of one's own."""

    @router.post("/similar/{item_id}", response_model=Answer)
    async def similar(item_id: Key, who: Reader, live: Service, n: Number = 10) -> dict[str, Any]:
        """What resembles an item."""
        return await live.similar(item_id, n)

    @router.post("/parse", response_model=Understood)
    async def understand(text: Text, who: Reader, live: Service) -> dict[str, Any]:
        """What is understood of words, without a list."""
        language, catalog = text.language or live.snapshot.run.config.language, live.snapshot.catalog
        return wire.instruction(parse(text.text, catalog, language=language), catalog=catalog, language=language)


def _add_people(router: APIRouter) -> None:
    """What people may do with what is kept of them."""

    @router.get("/users/{user_id}", response_model=Known)
    async def user(user_id: Key, who: Reader, live: Service) -> dict[str, Any]:
        """What is known of a user: taste in words, and what follows from their events."""
        return live.known_of(who.tenant, user_id)

    @router.put("/users/{user_id}/profile", response_model=Known)
    async def profile(user_id: Key, body: Profile, who: Writer, live: Service) -> dict[str, Any]:
        """What the user says of their taste, in place of what they said before."""
        await live.put_users(who.tenant, [{"user_id": user_id, "text": body.text}])
        return live.known_of(who.tenant, user_id)

    @router.get("/users/{user_id}/export", response_class=Response, responses={200: {"content": {LINES: {}}}})
    async def export(user_id: Key, who: Writer, live: Service) -> Response:
        """Everything that is kept of a user, as JSON lines."""
        lines = live.store.export_person(who.tenant, user_key(user_id))
        return Response("".join(f"{line}\n" for line in lines), media_type=LINES)

    @router.delete("/users/{user_id}")
    async def erase(user_id: Key, who: Writer, live: Service) -> dict[str, int]:
        """Forget a user: events, profile, lists. They are gone from the file, too."""
        return await live.erase(who.tenant, user_key(user_id))

    @router.put("/users", response_model=RowVerdicts)
    async def users(body: Users, who: Writer, live: Service) -> dict[str, Any]:
        """Add or change users."""
        await live.put_users(who.tenant, [row.model_dump() for row in body.users])
        rows = [{"index": place, "id": row.user_id, "verdict": "stored"} for place, row in enumerate(body.users)]
        return {"accepted": len(rows), "rejected": 0, "verdicts": rows}


def owner() -> APIRouter:
    """What the owner of the service calls."""
    router = APIRouter(prefix="/v1", tags=["owner"], responses=PROBLEMS, route_class=KeyFirst)

    @router.put("/items", response_model=RowVerdicts)
    async def items(body: Items, who: Owner, live: Service) -> dict[str, Any]:
        """Add, change or withdraw items. A withdrawn one is in no list from now on."""
        rows = []
        for place, found in enumerate(await live.put_items(body.items)):
            taken = isinstance(found, Item)
            name = found.item_id if isinstance(found, Item) else None
            rows.append(
                {"index": place, "id": name, "verdict": "stored" if taken else "rejected", "message": "" if taken else str(found)}
            )
        taken_in = sum(row["verdict"] == "stored" for row in rows)
        return {"accepted": taken_in, "rejected": len(rows) - taken_in, "verdicts": rows}

    @router.post("/items/refresh", response_model=Version)
    async def refresh(who: Owner, live: Service) -> dict[str, str]:
        """Let the models read new and changed items; lists go on meanwhile."""
        return {"model_version": await live.refresh()}

    @router.get("/run", response_model=Serving)
    async def run(who: Reader, live: Service) -> dict[str, Any]:
        """What serves."""
        return serving(live)

    @router.post("/run", response_model=Serving)
    async def swap(body: Folder, who: Owner, live: Service) -> dict[str, Any]:
        """Serve another run folder, one beside the one that serves. A bad one is refused, as is one without the model of an arm
        that makes lists (stop its experiment first); what serves goes on.
        """
        await live.swap(await asyncio.to_thread(folder_named, live, body.path))
        return serving(live)

    @router.get("/owner/figures", response_model=Figures)
    async def counts(who: Owner, live: Service, minutes: Minutes = 15) -> dict[str, Any]:
        """What this process served in the last minutes, to all tenants: lists, events, times, shares, how much of the catalog."""
        return figures(live, minutes)

    return router


def health() -> APIRouter:
    """What watches the service: these routes are open."""
    router = APIRouter(tags=["health"])

    @router.get("/health/live", response_model=Alive)
    async def alive() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @router.get("/health/ready", response_model=Ready, responses={503: {"model": Ready, "description": "Not now."}})
    async def ready(live: Service, response: Response) -> dict[str, Any]:
        """Lists are made, and events are written."""
        failed = live.writer.failed
        response.status_code = 503 if failed else 200
        return {"ready": not failed, "reason": failed, "model_version": live.snapshot.version}

    @router.get("/metrics", response_class=Counters)
    async def metrics(request: Request) -> PlainTextResponse:
        """Counters for Prometheus."""
        return Counters(request.app.state.metrics.text())

    return router
