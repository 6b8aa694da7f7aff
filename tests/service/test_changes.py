"""Runs, items and journals that change while requests are under way: nothing fails, nothing comes back, nothing stale is sent."""

import asyncio
import json
import threading
import time

import pytest

from instructrec.core import Query
from instructrec.data.synthetic import genres
from instructrec.errors import DataError, StoreError
from instructrec.models import resolve
from instructrec.service import live as living
from instructrec.service.live import opened
from instructrec.service.shapes import Ask
from instructrec.service.worker import Worker

WORLD = genres()
RIDGE = resolve("ridge")().fit(WORLD)


@pytest.fixture
def live(run_folder, tmp_path):
    made = opened(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    yield made
    made.close()


def ask(**body):
    return Ask.model_validate({"n": 5, **body})


def listed(live, **body):
    return [entry["item_id"] for entry in json.loads(asyncio.run(live.recommend("local", ask(**body))))["items"]]


def user(live, number=0):
    return live.snapshot.dataset.interactions.user_ids[number]


def test_what_waits_for_a_model_is_answered_when_another_run_takes_over():
    gate = threading.Event()

    def slowly(queries):
        gate.wait(10)
        return RIDGE.recommend(queries)

    worker = Worker(slowly)
    futures = [worker.submit(Query(history=(item,), n=3), end=time.monotonic() + 30) for item in WORLD.catalog.item_ids[:12]]
    worker.close()
    gate.set()
    assert all(len(future.result(10).items) == 3 for future in futures)


def test_a_request_that_came_too_late_to_a_model_is_late_and_not_cancelled():
    worker = Worker(RIDGE.recommend)
    with pytest.raises(TimeoutError):
        worker.submit(Query(n=3), end=time.monotonic() - 1).result(10)
    worker.close()


def test_an_item_that_is_withdrawn_while_a_run_is_read_stays_withdrawn(live, monkeypatch):
    gone, read = listed(live, user_id=user(live))[0], living.take_up

    def slowly(*given, **more):
        found = read(*given, **more)
        reading.set()
        assert withdrawn.wait(10)
        return found

    reading, withdrawn = threading.Event(), threading.Event()

    async def both():
        swapping = asyncio.create_task(live.refresh())
        await asyncio.to_thread(reading.wait, 10)
        await live.put_items([{"item_id": gone, "available": False}])
        withdrawn.set()
        await swapping

    monkeypatch.setattr(living, "take_up", slowly)
    asyncio.run(both())
    assert gone not in listed(live, user_id=user(live), n=100)
    asyncio.run(live.put_items([{"item_id": gone, "available": True}]))
    assert gone in listed(live, user_id=user(live), n=100)


def test_a_list_that_was_kept_is_made_anew_when_the_models_have_read_new_items(live):
    asyncio.run(live.put_items([{"item_id": "new", "title": "New", "attributes": {"genres": ["Comedy"]}}]))
    before = listed(live, user_id=user(live), n=400)
    asyncio.run(live.refresh())
    assert "new" not in before and "new" in listed(live, user_id=user(live), n=400)


def test_what_was_said_of_an_item_stays_when_only_its_availability_changes(live):
    told = {"item_id": "new", "title": "A new one", "attributes": {"genres": ["Comedy"]}}
    for row in (told, {"item_id": "new", "available": False}, {"item_id": "new", "available": True}):
        assert not isinstance(asyncio.run(live.put_items([row]))[0], str)
    asyncio.run(live.refresh())
    catalog = live.snapshot.catalog
    assert catalog.titles[catalog.index["new"]] == "A new one"
    assert catalog.labels["genres"].of(catalog.index["new"]) == ("Comedy",)


def test_lists_of_a_run_before_the_last_hold_no_models_in_memory(live):
    listed(live, user_id=user(live))
    for number in (1, 2, 3):
        asyncio.run(live.refresh())
        listed(live, user_id=user(live, number))
    assert len({id(one.snapshot.ladder) for one in live.reasons._lists.values()}) <= 2


def test_an_item_that_is_disliked_no_longer_speaks_for_others(live):
    items = live.snapshot.catalog.item_ids
    told = [{"event_id": "1", "type": "click", "user_id": "ann", "item_id": items[0]}]
    asyncio.run(live.record("local", [*told, {"event_id": "2", "type": "click", "user_id": "ann", "item_id": items[1]}]))
    asyncio.run(live.record("local", [{"event_id": "3", "type": "dislike", "user_id": "ann", "item_id": items[0]}]))
    seen = []
    asked = living.query_for
    try:
        living.query_for = lambda *given: seen.append(asked(*given)) or seen[-1]
        found = listed(live, user_id="ann", n=100)
    finally:
        living.query_for = asked
    assert seen[0].query.history == (items[1],) and items[0] not in found


def test_lists_are_made_while_the_journal_cannot_be_written(live):
    arms = [{"name": "now"}, {"name": "then", "settings": {"model": "ridge"}}]
    live.comparing.put("local", {"id": "a", "arms": arms})
    live.comparing.start("local", "a")

    def refuse(*given, **more):
        raise StoreError("The disk is full. Make room.")

    live.writer.run = live.writer.show = refuse
    assert len(listed(live, user_id=user(live))) == 5


def test_who_asked_to_be_forgotten_is_forgotten_by_experiments_too(live):
    live.comparing.put("local", {"id": "a", "arms": [{"name": "now"}, {"name": "then"}]})
    live.comparing.start("local", "a")
    listed(live, user_id="ann")
    assert "user:ann" in live.comparing._arms["local", "a"]
    asyncio.run(live.erase("local", "user:ann"))
    assert "user:ann" not in live.comparing._arms["local", "a"]
    assert not live.store.trials.assignments("local", "a")


@pytest.mark.parametrize("problem", [StoreError("The disk is full."), DataError("A value that no database keeps.")])
def test_items_that_cannot_be_written_change_nothing(live, monkeypatch, problem):
    kept = {"item_id": "kept", "title": "As it was", "attributes": {"genres": ["Comedy"]}}
    asyncio.run(live.put_items([kept]))
    shown, known, snapshot = listed(live, user_id=user(live), n=400), dict(live._items), live.snapshot

    def full(*given):
        raise problem

    rows = [{"item_id": "new"}, {"item_id": shown[0], "available": False}, {"item_id": "kept", "title": "Another"}]
    with monkeypatch.context() as patch:
        patch.setattr(live.store, "put_items", full)
        with pytest.raises(type(problem)):
            asyncio.run(live.put_items(rows))
    assert live._items == known and live.snapshot is snapshot and listed(live, user_id=user(live), n=400) == shown
    asyncio.run(live.refresh())
    catalog = live.snapshot.catalog
    assert "new" not in catalog.index and catalog.titles[catalog.index["kept"]] == "As it was"
    # The same call again, when the journal is well.
    assert not any(isinstance(found, str) for found in asyncio.run(live.put_items(rows)))
    assert shown[0] not in listed(live, user_id=user(live), n=400)
    asyncio.run(live.refresh())
    assert "new" in live.snapshot.catalog.index and live._items["kept"]["title"] == "Another"


def test_changes_of_one_item_that_come_at_once_all_hold(live):
    rows = [{"item_id": "new", "title": "New"}, {"item_id": "new", "text": "Words."}, {"item_id": "new", "available": False}]

    async def at_once():
        await asyncio.gather(*(live.put_items([row]) for row in rows))

    asyncio.run(at_once())
    [kept] = [row.body for row in live.store.items("everybody") if row.item_id == "new"]
    assert (kept["title"], kept["text"], kept["available"]) == ("New", "Words.", False) and live._items["new"] == kept
    assert live.snapshot.withdrawn == {"new"}
    # In one call, too, where a row that is wrong holds up no other.
    found = asyncio.run(
        live.put_items([{"item_id": "b", "title": "B"}, {"item_id": "b", "colour": 1}, {"item_id": "b", "text": "b"}])
    )
    assert [isinstance(one, str) for one in found] == [False, True, False] and live._items["b"]["title"] == "B"
