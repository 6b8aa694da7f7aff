"""The routes of the page: what is asked of them is answered as HTML, and the same whether a script sends it or a form."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response

from instructrec import wire
from instructrec.errors import BusyError, InstructRecError, QueryError, StoreError
from instructrec.journal import user_key
from instructrec.journal.reading import ANSWERS
from instructrec.service.access import AccessError, Caller, Gate
from instructrec.service.live import Live
from instructrec.service.page import views
from instructrec.service.page.acting import Click, Told, act, asks_how_it_fits, scope_of, undoable, with_words
from instructrec.service.page.form import State, read_fields, state_of
from instructrec.service.page.frame import fill, html, language_of, words
from instructrec.service.shapes import read_ask

LISTED = 10
"""Items of a list."""


def pages() -> APIRouter:
    """The user's side."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def opened(request: Request) -> Response:
        """The list of a user, or the choice of one."""
        language = language_of(request, request.query_params.get("lang"))
        return await answered(request, language, lambda: _opened(request, language))

    @router.post("/")
    async def clicked(request: Request) -> Response:
        """The page after a click."""
        body = await request.body()
        language = language_of(request, request.query_params.get("lang"))
        return await answered(request, language, lambda: _clicked(request, body))

    @router.get("/why")
    async def why(request: Request) -> Response:
        """The evidence behind one item of a list."""
        language = language_of(request, request.query_params.get("lang"))
        return await answered(request, language, lambda: _why(request, language))

    return router


async def answered(request: Request, language: str, work: Callable[[], Awaitable[Response]]) -> Response:
    """The answer, or a page that says why there is none; a request without a key where one is wanted gets the form for it."""
    try:
        return await work()
    except AccessError as problem:
        asked = bool(request.headers.get("x-api-key"))
        if problem.status == 429 or (problem.status == 403 and not asked):
            return _problem(request, language, problem, problem.status)
        status, said = (problem.status, str(problem)) if asked else (200, "")
        return html("key.html.jinja", language=language, status=status, said=said, url=_here(request))
    except (BusyError, StoreError) as problem:
        return _problem(request, language, problem, 503)
    except InstructRecError as problem:
        return _problem(request, language, problem, 400)


def _here(request: Request) -> str:
    """Where the browser goes back to, once it has a key."""
    asked = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{asked}" if request.method == "GET" else ""


def _problem(request: Request, language: str, problem: Exception, status: int) -> Response:
    return html("problem.html.jinja", language=language, status=status, said=str(problem), url="")


def admitted(request: Request, scope: str) -> Caller:
    """Who asks, where the key opens the scope; a form of another site opens nothing. Raises AccessError."""
    if request.method == "POST" and _foreign(request):
        raise AccessError(403, "This form came from another site. Open the page itself, and use its buttons.")
    gate: Gate = request.app.state.gate
    return gate.admit(request.headers.get("x-api-key"), scope)


def _foreign(request: Request) -> bool:
    """Whether the browser says that another site sent the form: where no key is wanted nothing else would keep it out."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


async def _opened(request: Request, language: str) -> Response:
    who, asked = admitted(request, "read"), request.query_params
    user = asked.get("user", "").strip()
    if not user:
        return await _welcome(request, language, asked.get("find", "").strip())
    live: Live = request.app.state.live
    _check_user(user)
    state = State(user=user, language=language, done=undoable(live, who.tenant, user))
    return await _listed(live, who, state, Click(name=""), None)


async def _welcome(request: Request, language: str, part: str, told: str = "") -> Response:
    live: Live = request.app.state.live
    return html(
        "welcome.html.jinja",
        language=language,
        part=part[:256],
        found=await asyncio.to_thread(views.found_users, live, part[:256]),
        users=len(live.snapshot.dataset.interactions.user_ids),
        told=told,
        url=f"/?lang={language}",
        fresh=views.fresh_user(),
    )


async def _clicked(request: Request, body: bytes) -> Response:
    fields = read_fields(body)
    click = Click.of(fields)
    who = admitted(request, scope_of(click))
    wanted = click.about if click.name == "lang" else fields.get("lang")
    state = state_of(fields, language_of(request, wanted))
    live: Live = request.app.state.live
    _check_user(state.user)
    if click.name == "erase":
        await live.erase(who.tenant, user_key(state.user))
        return await _welcome(request, state.language, "", fill(words(state.language)["told"]["erased"], user=state.user))
    state, told = await act(live, request.app.state.metrics, who.tenant, state, click)
    return await _listed(live, who, state, click, told)


async def _listed(live: Live, who: Caller, state: State, click: Click, told: Told | None) -> Response:
    """The page with the list as it is now."""
    said, draft = (click.sentence, "") if click.name in ("say", "") else ("", click.sentence)
    body: dict[str, Any] = {
        "user_id": state.user, "n": LISTED, "instruction": said, "dialogue": list(state.dialogue), "shown": list(state.shown),
        "explain": "reasons", "language": state.language,
    }  # fmt: skip
    answer = json.loads(await live.recommend(who.tenant, read_ask(body, advice="Open the page again.")))
    state, catalog = with_words(state, answer["dialogue"]), live.snapshot.catalog
    rows = views.rows_of(answer, state, catalog)
    now = replace(state, shown=tuple(row.item for row in rows), list_id=answer["recommendation_id"])
    text = words(state.language)
    later, stranger = (wire.note(code, language=state.language) for code in ("reasons_later", f"unknown_user:{state.user}"))
    return html(
        "list.html.jinja",
        language=state.language,
        state=now,
        rows=rows,
        change="" if click.name in ("lang", "again") else views.change_of(rows, state, state.language),
        told=fill(text["told"][told.name], title=told.title) if told else "",
        chips=views.chips(now, catalog),
        notes=[note for note in answer["notes"] if note not in (later, stranger)],
        later=later if later in answer["notes"] else "",
        reasons=views.reasons_for(live, who.tenant, now),
        answer=answer,
        answers=ANSWERS if asks_how_it_fits(live, who.tenant, state.user, time.time()) else (),
        draft=draft,
        suggestions=views.suggestions(catalog, state.language),
        known=await asyncio.to_thread(views.known, live, who.tenant, state.user, state.language),
        url=views.url_of(state.user, state.language),
    )


async def _why(request: Request, language: str) -> Response:
    who, asked = admitted(request, "read"), request.query_params
    live: Live = request.app.state.live
    entry = await live.explain(who.tenant, asked.get("list", ""), asked.get("item", ""))
    return html(
        "why.html.jinja",
        language=language,
        why=views.evidence_of(entry, live.snapshot.catalog, language),
        asked={name: asked.get(name, "") for name in ("list", "item", "user")},
        back=views.url_of(asked.get("user", ""), language),
        url="",
    )


def _check_user(user: str) -> None:
    if not 0 < len(user) <= 256 or not user.isprintable():
        raise QueryError("A user id has 1 to 256 characters, none of them a control character. Choose a user, or become a new one.")
