"""The service without its web: what serves, what is known of people, and what happens between a request and its answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from instructrec import wire
from instructrec.core import Explanation, Query, Recommendation
from instructrec.data.items import Item, kept_item, merged, read_item, to_json
from instructrec.errors import NotFoundError, QueryError, RunError
from instructrec.journal import Event, Rejected, read_events, user_key
from instructrec.journal.records import EVERYBODY, Verdict
from instructrec.journal.store import Store
from instructrec.journal.writer import Writer
from instructrec.pipeline.answering import with_notes
from instructrec.runs import Run
from instructrec.service.asking import Asked, history_of, person_of, query_for, with_dialogue
from instructrec.service.comparing import Comparing
from instructrec.service.drift import Drift
from instructrec.service.estimating import kept_ask
from instructrec.service.keeping import Answers, Grounds, Sent
from instructrec.service.people import People, Person
from instructrec.service.process import set_aside_again
from instructrec.service.reasons import Listed, Reasons
from instructrec.service.settings import DEFAULTS, STEP_S, ServiceConfig
from instructrec.service.shapes import Ask
from instructrec.service.snapshot import Snapshot, kept_items, take_up
from instructrec.service.trending import Trends
from instructrec.service.watch import Watch

T = TypeVar("T")
QUICK_THREADS = 2


class Live:
    """One run that serves, with a journal of what people do. Made by `opened`, ended by `close`."""

    def __init__(self, run: Run, store: Store, config: ServiceConfig = DEFAULTS) -> None:
        self.config, self.store = config, store
        self.people = People(store)
        self.writer = Writer(store)
        self.writer.on_commit(self.people.follow)
        self.drift = Drift()
        self.writer.on_commit(self.drift.follow)
        self._quick = ThreadPoolExecutor(QUICK_THREADS, thread_name_prefix="quick")
        self._slow = ThreadPoolExecutor(1, thread_name_prefix="slow")
        self._items, revision = kept_items(store)
        self.snapshot = self._read(run, self._items, revision)
        self.trends = Trends(lambda item: item in self.snapshot.catalog.index or item in self._items, config)
        self.trends.read(store)
        self.writer.on_commit(self.trends.follow)
        self.comparing = Comparing(store, self.writer, lambda: self.snapshot.models)
        self.answers = Answers()
        self.reasons = Reasons(self._quick, self._slow)
        self.watch = Watch()
        self.on_list: Callable[[str, bool], None] = lambda served_by, degraded: None

    def close(self) -> None:
        """Answer what was asked, write what was said, and end."""
        self.writer.close()
        self.snapshot.close()
        for pool in (self._quick, self._slow):
            pool.shutdown(wait=False, cancel_futures=True)
        self.store.close()

    # Lists

    def kept(self, tenant: str, request: bytes) -> bytes | None:
        """The answer to a request that was answered before, word for word the same, if it still is what would be answered."""
        sent = self.answers.find(tenant, request)
        if sent is None:
            return None
        began = time.monotonic()
        _, grounds = self._grounds(tenant, sent.person)
        if sent.grounds != grounds:
            return None
        self.answers.hits += 1
        self._count(sent.found, began, from_memory=True)
        return sent.body

    async def recommend(self, tenant: str, ask: Ask, request: bytes = b"") -> bytes:
        """The answer to a request in the JSON shape of `wire.answer`, within its deadline; `request`: its bytes as it came, under
        which the answer is kept (empty: those of `ask`).

        Raises QueryError for a request that cannot be answered as asked.
        """
        request = request or ask.model_dump_json().encode()
        kept = self.kept(tenant, request)
        if kept is not None:
            return kept
        began = time.monotonic()
        snapshot, key = self.snapshot, person_of(ask)
        person, grounds = self._grounds(tenant, key)
        placed, moment = grounds.placed, grounds.moment
        deadline_s = (ask.deadline_ms or self.config.deadline_ms) / 1000
        loop = asyncio.get_running_loop()
        asked = await loop.run_in_executor(self._quick, query_for, ask, person, snapshot, moment)
        left_s, last = deadline_s - (time.monotonic() - began), snapshot.trending(self.trends, tenant)
        if placed and key:
            asking = replace(placed, ask=kept_ask(ask))
            found = await self.comparing.answer(tenant, key, asking, asked.query, snapshot, deadline_s=left_s, last=last)
        else:
            found = await snapshot.ladder.answer(asked.query, deadline_s=left_s, last=last)
        body, whole = await self._told(tenant, ask, asked, found, snapshot, deadline_s - (time.monotonic() - began))
        if whole and (not found.degraded or found.served_by == snapshot.model.name):
            self.answers.keep(tenant, request, Sent(key, grounds, body, found))
        self._count(found, began, from_memory=False)
        return body

    def _grounds(self, tenant: str, key: str | None) -> tuple[Person, Grounds]:
        """Somebody as they are known now, and all that an answer for them rests on."""
        person = Person() if key is None else self.people.get(tenant, key)
        placed = self.comparing.place(tenant, key) if key else None
        return person, Grounds(person.version, self.snapshot.number, time.time() // STEP_S * STEP_S, placed)

    def _count(self, found: Recommendation, began: float, *, from_memory: bool) -> None:
        items, seconds = (entry.item for entry in found.items), time.monotonic() - began
        self.on_list(found.served_by, found.degraded)
        self.watch.listed(found.served_by, items, seconds=seconds, degraded=found.degraded, from_memory=from_memory)

    async def _told(
        self, tenant: str, ask: Ask, asked: Asked, found: Recommendation, snapshot: Snapshot, left_s: float
    ) -> tuple[bytes, bool]:
        """The body of an answer, with reasons where they are wanted and there is time for them, and whether it is all that was
        wanted.
        """
        language = ask.language or snapshot.run.config.language
        found = with_notes(found, snapshot.model, snapshot.dataset)
        listed = Listed(tenant, snapshot, found, language)
        reasons: Sequence[Explanation] = ()
        whole = True
        if ask.explain == "reasons" and found.items:
            try:
                reasons = await asyncio.wait_for(self.reasons.of(listed), max(left_s, 0.001))
            except TimeoutError:
                found, whole = replace(found, notes=(*found.notes, "reasons_later")), False
        self.reasons.keep(listed)
        answer = wire.answer(
            found, catalog=snapshot.catalog, model_version=snapshot.version, explanations=reasons, language=language
        )
        return json.dumps(with_dialogue(answer, asked, snapshot), ensure_ascii=False).encode(), whole

    async def explain(self, tenant: str, recommendation_id: str, item: str) -> dict[str, Any]:
        """Why an item of a list that was shown is there: see `Reasons.told`."""
        return await self.reasons.told(tenant, recommendation_id, item)

    async def similar(self, item: str, n: int) -> dict[str, Any]:
        """What resembles an item: the list of somebody who has chosen nothing else. Raises NotFoundError for an unknown item."""
        snapshot = self.snapshot
        if item not in snapshot.catalog.index:
            raise NotFoundError(f"There is no item '{item}' in the catalog. Item ids come from the items table.")
        query = Query(history=(item,), n=n, exclude=snapshot.withdrawn)
        found = await snapshot.ladder.answer(query, deadline_s=self.config.deadline_ms / 1000)
        return wire.answer(found, catalog=snapshot.catalog, model_version=snapshot.version)

    # What people do

    async def record(self, tenant: str, rows: Sequence[object]) -> list[Rejected | Verdict]:
        """What became of each event. When this returns those that were taken are on disk, and count in the next list.

        Raises BusyError where too many wait to be written, and StoreError where nothing can be written.
        """
        read = read_events(rows, time.time())
        events = [entry for entry in read if isinstance(entry, Event)]
        found = await asyncio.wrap_future(self.writer.submit(tenant, events)) if events else []
        verdicts = iter(found)
        return [entry if isinstance(entry, Rejected) else next(verdicts) for entry in read]

    def known_of(self, tenant: str, user: str) -> dict[str, Any]:
        """What is known of a user, for the user to read: taste in words, and what follows from their events."""
        person, snapshot = self.people.get(tenant, user_key(user)), self.snapshot
        state = person.state(time.time())
        return {
            "user_id": user,
            "profile": person.profile,
            "history": list(history_of(user, state, snapshot)),
            "liked": list(state.liked),
            "disliked": [{"item_id": one.item, "reason": one.reason} for one in state.disliked],
            "banned": sorted(state.banned),
            "text": state.text,
            "events": len(person.events),
        }

    async def put_users(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep what people say of their taste; it counts in the next list."""
        await self._written(lambda store: store.put_users(tenant, rows))
        for row in rows:
            self.people.forget(tenant, user_key(row["user_id"]))

    async def erase(self, tenant: str, person: str) -> dict[str, int]:
        """Forget somebody: events, profile, lists; how many rows of each were there."""
        gone = await self._written(lambda store: store.erase_person(tenant, person))
        self.people.forget(tenant, person)
        self.comparing.forget(tenant, person)
        self.trends.forget(tenant, person)
        self.answers.clear()
        self.reasons.clear()
        return gone

    async def _written(self, work: Callable[[Store], T]) -> T:
        return await asyncio.wrap_future(self.writer.run(work))

    # Items and runs

    async def put_items(self, rows: Sequence[object]) -> list[Item | str]:
        """Take in items: each as it was read, or what is wrong with it. Withdrawn ones are in no list from now on.

        What is new or changed about them is read by the models with the next `refresh`. Raises StoreError, and leaves everything as
        it was, where they cannot be written.
        """
        read, bodies, revision = await self._written(lambda store: self._kept(store, rows))
        if bodies:
            gone = frozenset(item for item, body in bodies.items() if not body["available"])
            back = bodies.keys() - gone
            self.snapshot = self.snapshot.with_withdrawn((self.snapshot.withdrawn | gone) - back, revision)
        return read

    def _kept(self, store: Store, rows: Sequence[object]) -> tuple[list[Item | str], dict[str, Mapping[str, Any]], int]:
        """What becomes of rows of items, the items that were kept, and the number of the change. In the writing thread, so that one
        call after another finds what the one before it left; what is not on disk in the end is not in memory either.
        """
        read: list[Item | str] = []
        changed: dict[str, Mapping[str, Any]] = {}
        for row in rows:
            name = row.get("item_id") if isinstance(row, Mapping) else None
            try:
                kept = (changed.get(name) or self._items.get(name, {})) if isinstance(name, str) else {}
                item = read_item(merged(kept, row), self.snapshot.catalog)
            except QueryError as problem:
                read.append(str(problem))
                continue
            changed[item.item_id] = to_json(replace(item, since=kept.get("since", 0.0 if kept else time.time())))
            read.append(item)
        revision = store.put_items(EVERYBODY, list(changed.values())) if changed else 0
        self._items.update(changed)
        return read, changed, revision

    async def refresh(self) -> str:
        """Let the models read the items as they are now; the version that serves then."""
        return await self.swap(self.snapshot.run.path)

    async def swap(self, path: Path) -> str:
        """Serve the run of a folder from now on; requests under way are answered by the one before. Its version.

        Lists of the run before it can still be explained, those of earlier ones no longer. Raises RunError, and goes on as before,
        where the folder is no whole run, the run gives unsound lists, or it lacks the model of an arm that makes lists now.
        """
        items, revision = dict(self._items), self.snapshot.revision
        loop = asyncio.get_running_loop()
        fresh = await loop.run_in_executor(self._slow, lambda: self._read(Run.load(path), items, revision))
        try:
            with self.comparing.taking_up(path, fresh.models):
                before = self.snapshot
                # What was withdrawn while the run was read is withdrawn.
                self.snapshot = fresh.with_withdrawn(before.withdrawn, before.revision)
        except RunError:
            fresh.close()
            raise
        self.answers.clear()
        self.reasons.keep_only(before.ladder)
        before.close()
        set_aside_again()
        return self.snapshot.version

    def _read(self, run: Run, items: Mapping[str, Any], revision: int) -> Snapshot:
        """A run with items as they are kept."""
        return take_up(run, self._quick, items=[kept_item(body) for body in items.values()], revision=revision)


def opened(path: Path, url: str, config: ServiceConfig = DEFAULTS) -> Live:
    """A service of a run folder with a journal at a URL. Raises RunError or StoreError where one of them does not open."""
    run, store = Run.load(path), Store.open(url)
    try:
        return Live(run, store, config)
    except BaseException:
        store.close()
        raise
