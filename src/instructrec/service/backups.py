"""Copies of the journal while it serves."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from instructrec.errors import QueryError
from instructrec.journal.copies import ELSEWHERE
from instructrec.journal.store import Store
from instructrec.service.contract import PROBLEMS, KeyFirst
from instructrec.service.routes import Owner, Service
from instructrec.service.values import ShownAs, Strict

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}\.db$")


class Place(Strict):
    """Where a copy goes."""

    path: Annotated[str, ShownAs(Annotated[str, Field(pattern=_NAME.pattern)])] = Field(
        description="Name of a new file, such as monday.db; it is put beside the journal."
    )


class Copied(BaseModel):
    """A copy that is on disk."""

    path: str
    bytes: int
    events: int = Field(description="Events were numbered up to this one when it began; all of them that were kept are in it.")


def backups() -> APIRouter:
    """The route of copies."""
    router = APIRouter(prefix="/v1", tags=["owner"], responses=PROBLEMS, route_class=KeyFirst)

    @router.post("/backup", response_model=Copied)
    async def backup(body: Place, who: Owner, live: Service) -> Copied:
        """Copy the journal, of all tenants, into a new file beside it while events come in: a journal itself, with every event that
        was acknowledged before. `instructrec restore` puts it back.
        """
        return await asyncio.to_thread(_copied, live.store, body.path)

    return router


def _copied(store: Store, name: str) -> Copied:
    if store.file is None:
        raise QueryError(ELSEWHERE)
    if not _NAME.fullmatch(name):
        raise QueryError(
            f"A copy cannot be called '{name:.60}'. Give a plain name of letters, digits, '-', '_' and '.' that ends in .db, such "
            "as monday.db: the file is put beside the journal."
        )
    path = store.file.with_name(name)
    if path.exists():
        raise QueryError(f"There is a file '{name}' beside the journal already. Give the name of a new one.")
    last = store.last_seq()
    return Copied(path=name, bytes=store.backup(path), events=last)
