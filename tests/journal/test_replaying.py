"""A replay of the whole journal gives one hash of what everybody did; it writes nothing."""

import hashlib
import random

import pytest
from sqlalchemy import create_engine, text
from tests.journal.deeds import NOW, deed

from instructrec.errors import StoreError
from instructrec.journal import replaying
from instructrec.journal.opening import parsed
from instructrec.journal.replaying import replay, up_to
from instructrec.journal.store import Store

KINDS = ("view", "like", "dislike", "ban", "undo")


def deeds_of(person, count=7):
    draw = random.Random(person)
    events = []
    for number in range(count):
        kind = draw.choice(KINDS)
        fields = {"undoes": f"{person}-{draw.randrange(count)}"} if kind == "undo" else {}
        events.append(deed(f"{person}-{number}", kind, draw.choice("abc"), user=person, time=number, **fields))
    return events


PEOPLE = {person: deeds_of(person) for person in ("ann", "bob", "émile", "user:x", "zoë")}


def append(store, *events, tenant="t", received=NOW):
    store.append([(tenant, event) for event in events], received=received)


def test_however_people_are_mixed_the_hash_is_the_same(store, tmp_path, monkeypatch):
    waiting, draw = {person: list(events) for person, events in PEOPLE.items()}, random.Random(1)
    while waiting:
        person = draw.choice(list(waiting))
        event = waiting[person].pop(0)
        append(store, event, event)
        if not waiting[person]:
            del waiting[person]
    with Store.open(tmp_path / "other.db") as other:
        for events in PEOPLE.values():
            append(other, *events)
        clean = replay(other)
        found = replay(store)
        assert found.state_hash == clean.state_hash and (found.events, found.people, found.last_seq) == (35, 5, 35)
        monkeypatch.setattr(replaying, "EVENTS_AT_ONCE", 3)
        assert replay(store).state_hash == clean.state_hash, "whatever is read at once"
        append(other, deed("more", "like", "d", user="ann"))
        assert replay(other).state_hash != clean.state_hash
        append(other, deed("back", "undo", user="ann", undoes="more"))
        assert replay(other).state_hash == clean.state_hash, "an undo leaves no trace"


def test_tenants_are_told_apart(store):
    append(store, deed(1, "like"), tenant="one")
    alone = replay(store)
    append(store, deed(1, "like"), tenant="two")
    both = replay(store)
    assert both.people == 2 and both.state_hash != alone.state_hash
    assert replay(store, tenant="one").state_hash == alone.state_hash != replay(store, tenant="two").state_hash


def test_what_counts_until_a_moment_goes_by_arrival_or_by_the_events_own_times(store):
    append(store, deed(1, "like", "a", time=10), received=100)
    first = replay(store)
    append(store, deed(2, "like", "b", time=20), received=200)
    append(store, deed(3, "like", "c", time=5), received=300)
    assert replay(store, moment=199).state_hash == first.state_hash
    assert replay(store, moment=200).events == 2
    assert replay(store, moment=10, by_event_time=True).events == 2
    assert [row.seq for row in up_to(store.events_after(0, 9), 10, by_event_time=True)] == [1, 3]
    assert replay(store, moment=0).people == 0


def test_beside_a_writer_it_writes_nothing(tmp_path):
    path = tmp_path / "journal.db"
    with Store.open(path) as writing:
        for events in PEOPLE.values():
            append(writing, *events)
        before = {
            entry.name: hashlib.sha256(entry.read_bytes()).hexdigest()
            for entry in tmp_path.glob("journal.db*")
            if entry.suffix != ".db-shm"
        }
        with Store.open(path, read_only=True) as reading:
            found = replay(reading)
        after = {
            entry.name: hashlib.sha256(entry.read_bytes()).hexdigest()
            for entry in tmp_path.glob("journal.db*")
            if entry.suffix != ".db-shm"
        }
        assert before == after and found.events == 35
        append(writing, deed("later", "like"))
        assert replay(writing).last_seq == 36


def test_an_event_that_was_changed_on_disk_is_found(store, url):
    append(store, *PEOPLE["ann"])
    engine = create_engine(parsed(url))
    with engine.begin() as connection:
        connection.execute(text('UPDATE events SET body = replace(body, \'"item_id":"a"\', \'"item_id":"z"\')'))
    engine.dispose()
    with pytest.raises(StoreError, match="is not what was written"):
        replay(store)


def test_a_journal_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreError, match="there is no such file"):
        Store.open(tmp_path / "none.db", read_only=True)
    assert list(tmp_path.iterdir()) == []
