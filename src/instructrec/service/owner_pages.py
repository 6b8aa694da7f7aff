"""The routes of the owner's side of the page; what it changes goes the way of the JSON routes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from instructrec.data.items import Item
from instructrec.errors import QueryError
from instructrec.service.figures import folder_named, folders
from instructrec.service.live import Live
from instructrec.service.page import owner, trials
from instructrec.service.page.acting import title_of
from instructrec.service.page.form import read_fields
from instructrec.service.page.frame import fill, html, language_of, words
from instructrec.service.pages import admitted, answered


def owner_pages() -> APIRouter:
    """The owner's side."""
    router = APIRouter(include_in_schema=False)

    @router.get("/owner")
    async def opened(request: Request) -> Response:
        """Figures, the run, items that are withdrawn, and experiments."""
        language = language_of(request, request.query_params.get("lang"))
        return await answered(request, language, lambda: _shown(request, language, ""))

    @router.post("/owner")
    async def changed(request: Request) -> Response:
        """Swap the run, withdraw an item or bring it back, or take a step of an experiment."""
        body = await request.body()
        language = language_of(request, request.query_params.get("lang"))
        return await answered(request, language, lambda: _changed(request, body))

    return router


async def _shown(request: Request, language: str, told: str) -> Response:
    who = admitted(request, "admin")
    asked = request.query_params.get("minutes", "15")
    minutes = int(asked) if asked in map(str, owner.WINDOWS) else 15
    live: Live = request.app.state.live
    beside = await asyncio.to_thread(folders, live)
    experiments = await asyncio.to_thread(trials.view, live, who.tenant, language)
    return html(
        "owner.html.jinja",
        language=language,
        v=owner.view(live, minutes, language, beside),
        trials=experiments,
        told=told,
        url=f"/owner?minutes={minutes}&lang={language}",
    )


async def _changed(request: Request, body: bytes) -> Response:
    who = admitted(request, "admin")
    fields = read_fields(body)
    language = language_of(request, fields.get("lang"))
    live: Live = request.app.state.live
    return await _shown(request, language, await _act(live, who.tenant, fields, language))


async def _act(live: Live, tenant: str, fields: Mapping[str, str], language: str) -> str:
    """Do what a button says; a sentence of what was done."""
    act, text = fields.get("act", ""), words(language)["owner"]
    if act in ("start", "stop", "promote"):
        name, arm = fields.get("experiment", ""), fields.get("arm", "")
        await asyncio.to_thread(live.comparing.go, tenant, name, act, arm)
        return fill(words(language)["trials"]["told"][act], name=name, arm=arm)
    if act == "swap":
        path = await asyncio.to_thread(folder_named, live, fields.get("folder", ""))
        return fill(text["swapped"], name=path.name, version=await live.swap(path))
    if act not in ("withdraw", "restore"):
        raise QueryError(f"The page has no button '{act[:40]}'. Open it again, and use its buttons.")
    item = fields.get("item", "").strip()
    if item not in live.snapshot.catalog.index:
        raise QueryError(f"There is no item '{item[:100]}' in the catalog. Item ids come from the items table.")
    found = (await live.put_items([{"item_id": item, "available": act == "restore"}]))[0]
    if not isinstance(found, Item):
        raise QueryError(found)
    return fill(text["restored_told" if act == "restore" else "withdrawn_told"], title=title_of(live, item))
