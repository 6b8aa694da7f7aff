"""The store, on SQLite and PostgreSQL alike: each event once, the first delivery wins, one person's things are theirs alone."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from tests.journal import postgres
from tests.journal.deeds import NOW, deed

from instructrec.errors import DataError, StoreError
from instructrec.journal import schema, session_key, user_key
from instructrec.journal.opening import parsed
from instructrec.journal.records import Assignment, Deed, Key, Shown
from instructrec.journal.state import PersonState
from instructrec.journal.store import Store

U = user_key("u")


def fates(store, *events, tenant="t"):
    return [verdict.fate for verdict in store.append([(tenant, event) for event in events])]


def engine_of(url):
    return create_engine(parsed(url))


def test_what_is_appended_is_read_back_in_order(store):
    events = [deed(n, user="uv"[n % 2], item=f"i{n}") for n in range(10)]
    assert [v.seq for v in store.append([("t", event) for event in events], received=NOW)] == list(range(1, 11))
    assert [row.event for row in store.events_of("t", U)] == events[::2]
    assert [row.event for row in store.events_of("t", U, after=3)] == events[4::2]
    assert [row.event for row in store.events_after(0, 100)] == events
    assert [row.seq for row in store.events_after(4, 3)] == [5, 6, 7]
    assert store.events_after(10, 5) == [] and store.last_seq() == 10
    assert {(row.tenant, row.received) for row in store.events_after(0, 100)} == {("t", NOW)}


def test_many_people_are_read_with_what_each_of_them_did(store):
    fates(store, *(deed(n, user=f"u{n % 700}") for n in range(1_400)))
    fates(store, deed("other", user="u1"), tenant="another")
    names = [user_key(f"u{n}") for n in range(701)]
    found = dict(store.events_of_each("t", names))
    assert list(found) == names and found[user_key("u700")] == []
    assert all(found[name] == store.events_of("t", name) for name in names[:20]) and all(
        len(found[name]) == 2 for name in names[:700]
    )


def test_deeds_are_those_of_the_events(store):
    events = [
        deed(1, "click", time=1.7e9 + 0.25), deed(2, "impression"), deed(3, "rating", value=4.5, user="ü\"'"),
        deed(4, "undo", undoes="1"), deed(5, "purchase", item="i/5", session_id="s", value=3),
    ]  # fmt: skip
    store.append([("t", event) for event in events], received=NOW)
    rows = {row.event.event_id: Deed.of(row) for row in store.events_after(0, 100)}
    assert list(store.deeds_after(0, ("click", "rating", "undo", "purchase"))) == [rows[name] for name in "1345"]
    assert list(store.deeds_after(3, ("click", "rating", "undo"))) == [rows["4"]]
    assert rows["3"].value == 4.5 and rows["4"].undoes == "1" and rows["4"].item_id is None


def test_each_event_once_and_the_first_delivery_wins(store):
    first, other = deed(1, item="a"), deed(1, item="b")
    assert fates(store, first, first, other, deed(2)) == ["stored", "duplicate", "conflict", "stored"]
    assert fates(store, other, deed(2), first) == ["conflict", "duplicate", "duplicate"]
    assert [row.event for row in store.events_of("t", U)] == [first, deed(2)]
    assert [verdict.seq for verdict in store.append([("t", other), ("t", deed(3))])] == [1, 3], (
        "no number is spent on what was there"
    )


def test_more_events_than_one_statement_takes(store):
    events = [deed(n) for n in range(1_203)]
    assert set(fates(store, *events)) == {"stored"}
    assert set(fates(store, *events)) == {"duplicate"}
    assert store.last_seq() == 1_203


def test_tenants_are_strangers(store):
    assert fates(store, deed(1, item="a"), tenant="one") == fates(store, deed(1, item="b"), tenant="two") == ["stored"]
    assert [row.event.item_id for row in store.events_of("one", U)] == ["a"]
    assert [row.event.item_id for row in store.events_after(0, 9, tenant="two")] == ["b"]
    store.put_items("one", [{"item_id": "a"}])
    store.put_users("one", [{"user_id": "u", "text": "mine"}])
    assert store.items("two") == [] and store.user("two", "u") is None and store.users("two") == []
    assert list(store.export_person("two", U)) == [line for line in store.export_person("two", U) if "mine" not in line]
    store.erase_person("two", U)
    assert [row.event.item_id for row in store.events_of("one", U)] == ["a"] and store.user("one", "u").text == "mine"
    assert fates(store, deed(1, item="a"), tenant="one") == ["duplicate"]


def test_odd_words_are_kept_as_they_are(store):
    odd = deed("é\U0001f600'\"\\%", item="電影; DROP TABLE events", user="a b\u202e", text="line\nline\t'\"\\ \u2028")
    assert fates(store, odd) == ["stored"]
    assert [row.event for row in store.events_of("t", odd.person)] == [odd]
    assert store.integrity() == []


def test_a_session_and_a_user_of_one_name_are_two_people(store):
    fates(store, deed(1, session_id="u"), deed(2))
    assert [row.event.event_id for row in store.events_of("t", session_key("u"))] == ["1"]
    assert [row.event.event_id for row in store.events_of("t", U)] == ["2"]


def test_an_event_without_a_time_of_its_senders_is_one_event(store):
    early, late = (deed(1, time=when, stamped=False) for when in (5, 9))
    assert fates(store, early, late) == ["stored", "duplicate"]
    assert [row.event for row in store.events_of("t", U)] == [early] and store.integrity() == []


def test_items_and_users_are_replaced_and_told_by_version(store):
    first = store.put_items(
        "t", [{"item_id": "a", "title": "A"}, {"item_id": "b", "hidden": True}, {"item_id": "a", "title": "A2"}]
    )
    second = store.put_items("t", [{"item_id": "b", "available": False}])
    assert [(row.item_id, dict(row.body), row.hidden, row.available, row.version) for row in store.items("t")] == [
        ("a", {"item_id": "a", "title": "A2"}, False, True, first),
        ("b", {"item_id": "b", "available": False}, False, False, second),
    ]
    assert [row.item_id for row in store.items("t", after=first)] == ["b"]
    third = store.put_users("t", [{"user_id": "u", "attributes": {"age": 9}, "text": "I like films."}, {"user_id": "v"}])
    assert second < third
    assert store.user("t", "u") == store.users("t")[0]
    assert (store.user("t", "u").attributes, store.user("t", "v").text) == ({"age": 9}, "")


@pytest.mark.parametrize("bad", [{}, {"item_id": 5}, {"item_id": ""}, {"item_id": "a\x00"}])
def test_an_item_without_a_good_id_changes_nothing(store, bad):
    with pytest.raises(DataError, match="'item_id' is .*must be a string"):
        store.put_items("t", [{"item_id": "a"}, bad])
    assert store.items("t") == [] and store.failed == ""


@pytest.mark.parametrize(
    "bad", [{"text": "a\x00"}, {"text": "\ud800"}, {"attributes": {"a": float("nan")}}, {"attributes": {"\ud800": 1}}]
)
def test_what_no_database_keeps_is_refused_and_changes_nothing(store, bad):
    with pytest.raises(DataError, match="Leave that out"):
        store.put_users("t", [{"user_id": "a", "text": "kept"}, {"user_id": "b", **bad}])
    with pytest.raises(DataError, match="Leave that out"):
        store.trials.put_experiment("t", "e", {"note": "\ud800"})
    assert store.users("t") == [] and store.trials.experiments("t") == {} and store.failed == ""
    assert store.put_users("t", [{"user_id": "a", "text": "tabs\tand\nlines", "attributes": {"a": "\x00"}}]) > 0


def test_keys_are_found_by_hash_and_revoked_by_their_tenant(store):
    key = Key(key_hash=b"h" * 32, tenant="t", name="web", scopes=("read", "write"), created=1.0, expires=9.0)
    store.keys.put(key)
    assert store.keys.find(b"h" * 32) == key and store.keys.find(b"x" * 32) is None
    assert (key.is_live(8.9), key.is_live(9.0)) == (True, False)
    assert not store.keys.revoke("other", b"h" * 32, 2.0) and store.keys.find(b"h" * 32).revoked is None
    assert store.keys.revoke("t", b"h" * 32, 2.0)
    (found,) = store.keys.of("t")
    assert (found.revoked, found.is_live(1.5), found.is_live(2.0)) == (2.0, True, False)


def test_shown_lists_and_experiments(store):
    shown = Shown(id="r1", person=U, items=("a", "b"), time=5.0, model_version="m", arm="x:B", propensity=0.5, request={"n": 2})
    store.trials.record_shown([("t", shown), ("t", Shown(id="r1", person=U, items=(), time=6.0))])
    assert store.trials.shown("t", "r1") == shown and store.trials.shown("other", "r1") is None
    assert store.append([("t", deed(1))], shown=[("t", Shown(id="r2", person=U, items=("c",), time=7.0))])[0].fate == "stored"
    assert [row.id for row in store.trials.shown_between("t", 5.0, 7.0)] == ["r1"]
    assert [row.id for row in store.trials.shown_between("t", 5.0, 7.1)] == ["r1", "r2"]
    mine, yours = Assignment("x", U, "A", 1.0), Assignment("x", "user:v", "B", 2.0)
    assert store.trials.assign("t", [mine, yours]) == [mine, yours]
    assert store.trials.assign("t", [Assignment("x", U, "B", 3.0)]) == [mine], "the first arm stays"
    assert store.trials.assignments("t", "x") == [mine, yours] and store.trials.assignments("t", "y") == []
    store.trials.put_experiment("t", "x", {"arms": ["A", "B"]})
    store.trials.put_experiment("t", "x", {"arms": ["A"]})
    assert store.trials.experiments("t") == {"x": {"arms": ["A"]}} and store.trials.experiments("other") == {}


def lived(store, *people):
    """A life for each: events, a profile, a shown list, an arm; every word of it holds the person's name."""
    for name in people:
        key = user_key(name)
        fates(store, *(deed(f"{name}-{n}", user=name, item=f"{name}-item", text=f"{name}-words") for n in range(3)))
        store.put_users("t", [{"user_id": name, "text": f"{name}-profile", "attributes": {"name": name}}])
        store.trials.record_shown([("t", Shown(id=f"{name}-r", person=key, items=(f"{name}-item",), time=5.0))])
        store.trials.assign("t", [Assignment("x", key, f"{name}-arm", 6.0)])


def test_export_is_all_of_a_person_and_nothing_of_others(store):
    lived(store, "alice", "bob")
    lines = [json.loads(line) for line in store.export_person("t", user_key("alice"))]
    assert [line["kind"] for line in lines] == ["profile", "event", "event", "event", "shown", "assignment"]
    assert all("alice" in json.dumps(line) and "bob" not in json.dumps(line) for line in lines)
    assert {line["event_id"] for line in lines if line["kind"] == "event"} == {"alice-0", "alice-1", "alice-2"}
    assert list(store.export_person("t", user_key("nobody"))) == []


def test_erasing_leaves_nothing_and_refuses_what_is_delivered_again(store):
    lived(store, "alice", "bob")
    assert store.erase_person("t", user_key("alice"), at=NOW) == {"events": 3, "recommendations": 1, "assignments": 1, "users": 1}
    assert list(store.export_person("t", user_key("alice"))) == []
    assert PersonState.of(store.events_of("t", user_key("alice")), NOW) == PersonState()
    assert len(list(store.export_person("t", user_key("bob")))) == 6
    again = deed("alice-0", user="alice", item="alice-item", text="alice-words")
    assert fates(store, again, deed("late", user="alice", time=NOW), deed("new", user="alice", time=NOW + 1)) == [
        "erased", "erased", "stored",
    ]  # fmt: skip
    unstamped = deed("alice-1", user="alice", time=NOW + 5, stamped=False)
    assert fates(store, unstamped) == ["erased"], "what was erased is known by its id, too"
    assert fates(store, deed("bob-0", user="bob", item="bob-item", text="bob-words")) == ["duplicate"]
    assert [row.event.event_id for row in store.events_of("t", user_key("alice"))] == ["new"]
    store.erase_person("t", user_key("alice"), at=NOW + 9)
    assert fates(store, deed("later", user="alice", time=NOW + 8)) == ["erased"]


def test_erased_bytes_are_gone_from_the_files(tmp_path):
    path = tmp_path / "journal.db"
    with Store.open(path) as store:
        lived(store, *(f"canary{n}" for n in range(5)), "bob")
        for n in range(5):
            store.erase_person("t", user_key(f"canary{n}"))
        for file in sorted(tmp_path.iterdir()):
            assert b"canary" not in file.read_bytes(), file.name
        assert b"bob-words" in path.read_bytes()
        assert store.integrity() == []
    assert all(b"canary" not in file.read_bytes() for file in tmp_path.iterdir())


def test_numbers_are_not_given_twice_after_an_erasure(store):
    fates(store, deed(1), deed(2))
    store.erase_person("t", U, at=1.0)
    assert store.append([("t", deed(3, time=2.0))])[0].seq == 3


def test_a_copy_is_a_journal_and_writers_go_on(tmp_path):
    store = Store.open(tmp_path / "journal.db")
    fates(store, *(deed(n) for n in range(500)))
    stop, written = threading.Event(), []

    def write():
        while not stop.is_set():
            written.extend(store.append([("t", deed(f"more-{len(written)}"))]))

    writing = threading.Thread(target=write)
    writing.start()
    try:
        size = store.backup(tmp_path / "copy.db")
    finally:
        stop.set()
        writing.join()
    assert size == (tmp_path / "copy.db").stat().st_size
    with pytest.raises(StoreError, match="exists already"):
        store.backup(tmp_path / "copy.db")
    assert {path.name for path in tmp_path.iterdir() if "copy" in path.name} == {"copy.db"}
    with Store.open(tmp_path / "copy.db") as copy:
        assert copy.integrity() == [] and copy.last_seq() >= 500
        assert copy.events_after(0, 10_000) == store.events_after(0, copy.last_seq())
    store.close()


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path):
    with Store.open(tmp_path / "journal.db") as store:
        with pytest.raises(StoreError, match="could not be written"):
            store.backup(tmp_path / "missing" / "copy.db")
        assert fates(store, deed(1)) == ["stored"]


def test_postgresql_is_copied_by_its_own_tools(postgres_ready, tmp_path):
    with Store.open(postgres_ready) as store, pytest.raises(StoreError, match="pg_dump"):
        store.backup(tmp_path / "copy.db")


def test_a_changed_byte_is_found_and_never_given_out(store, url):
    fates(store, deed(1, item="right"), deed(2))
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET body = replace(body, 'right', 'wrong') WHERE seq = 1"))
    engine.dispose()
    assert store.integrity() == ["Event number 1 is not what was written."]
    with pytest.raises(StoreError, match="number 1 .* restore a backup"):
        store.events_of("t", U)


def test_a_moved_event_is_found(store, url):
    fates(store, deed(1))
    engine = engine_of(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE events SET person = 'user:v'"))
    engine.dispose()
    assert store.integrity() == ["Event number 1 is not what was written."]


def test_a_broken_page_is_found(tmp_path):
    path = tmp_path / "journal.db"
    with Store.open(path) as store:
        fates(store, *(deed(n) for n in range(2_000)))
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 600):
        content[place] ^= 0x55
    path.write_bytes(content)
    with Store.open(path) as store:
        try:
            problems = store.integrity()
        except StoreError as error:
            problems = [str(error)]
    assert problems


def test_closing_and_opening_keeps_all(empty_url):
    with Store.open(empty_url) as store:
        fates(store, deed(1))
    with Store.open(empty_url) as store:
        assert fates(store, deed(1), deed(2)) == ["duplicate", "stored"]


def test_migrations_end_at_the_tables_of_the_code(store, url):
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_current_head() == schema.HEAD
    engine = engine_of(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
    engine.dispose()


def test_a_newer_schema_is_refused_and_left_alone(empty_url):
    Store.open(empty_url).close()
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for read_only in (False, True):
        with pytest.raises(StoreError, match="schema 9999, which is newer than the 0001"):
            Store.open(empty_url, read_only=read_only)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    engine.dispose()


def test_a_database_of_something_else_is_refused(empty_url):
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (a integer)"))
    with pytest.raises(StoreError, match="tables that are not InstructRec's .theirs."):
        Store.open(empty_url)
    engine.dispose()


def test_a_reader_beside_the_writer_sees_what_is_committed_and_cannot_write(store, url):
    with Store.open(url, read_only=True) as reader:
        fates(store, deed(1))
        assert [row.event for row in reader.events_of("t", U)] == [deed(1)]
        with pytest.raises(StoreError, match="opened for reading"):
            reader.append([("t", deed(2))])
        assert reader.integrity() == []


def test_a_file_has_one_writer(tmp_path):
    with Store.open(tmp_path / "journal.db"), pytest.raises(StoreError, match="written by another process"):
        Store.open(tmp_path / "journal.db")
    Store.open(tmp_path / "journal.db").close()


def test_what_is_no_journal_is_refused(tmp_path):
    (tmp_path / "words").write_text("These are no pages of a database. " * 99)
    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        Store.open(tmp_path / "words")
    assert (tmp_path / "words").read_text().startswith("These are")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "nothing.db", read_only=True)
    assert not (tmp_path / "nothing.db").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("sqlite://", "in memory would lose"),
        ("sqlite:///:memory:", "in memory would lose"),
        ("mysql://somewhere/db", "'mysql' is no database"),
        ("://", "no address of a database"),
        ("postgresql://u:secret@127.0.0.1:1/db", "cannot be opened"),
    ],
)
def test_addresses_that_are_refused(address, said):
    if address.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="no psycopg here: pip install 'instructrec[postgres]'")
    with pytest.raises(StoreError, match=said) as found:
        Store.open(address)
    assert "secret" not in str(found.value)


def test_the_database_promises_durability(store, url):
    with store._database.writing() as connection:
        if "sqlite" in url:
            settings = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in (
                "journal_mode", "synchronous", "mmap_size", "secure_delete", "wal_autocheckpoint"
            )}  # fmt: skip
            assert settings == {
                "journal_mode": "wal",
                "synchronous": 2,
                "mmap_size": 0,
                "secure_delete": 1,
                "wal_autocheckpoint": 1000,
            }
        else:
            assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == "on"
    with store._database.reading() as connection, pytest.raises(Exception, match=r"read.?only"):
        connection.execute(text("DELETE FROM events"))
    if "sqlite" in url:
        with store._database.reading() as connection:
            assert connection.execute(text("PRAGMA wal_autocheckpoint")).scalar_one() == 0
            assert connection.execute(text("PRAGMA mmap_size")).scalar_one() == 0


@pytest.mark.skipif("INSTRUCTREC_POSTGRES" in os.environ, reason="changes the settings of the server, which is not the tests' own")
def test_a_server_without_fsync_is_refused(postgres_ready):
    engine = create_engine(parsed(postgres_ready), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        try:
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
            with pytest.raises(StoreError, match="runs with fsync off"):
                for _ in range(100):  # a server takes a moment to read its settings
                    Store.open(postgres_ready).close()
                    time.sleep(0.05)
        finally:
            connection.execute(text("ALTER SYSTEM RESET fsync"))
            connection.execute(text("SELECT pg_reload_conf()"))
            while connection.execute(text("SHOW fsync")).scalar_one() != "on":
                time.sleep(0.05)
    engine.dispose()


def test_a_text_that_the_database_cannot_hold_fails_alone(postgres_ready):
    postgres.clear(postgres_ready)
    with Store.open(postgres_ready) as store:
        with pytest.raises(StoreError, match="refused what was to be written"):
            store.append([("t", deed("a\x00b"))])
        assert store.failed == "" and fates(store, deed(1)) == ["stored"]


def test_migrations_are_in_the_package():
    assert {path.name for path in Path(schema.MIGRATIONS).rglob("*.py")} >= {"env.py", "v0001_first.py"}


def test_everybody_comes_with_their_events_in_pieces_of_any_size(store):
    fates(store, deed(1), deed(2, user="v"), deed(3), deed(4, "impression"), deed(5, user="v"), deed(6, session_id="u"), deed(7))
    store.append([("other", deed(1, user="w"))])
    for size in (1, 2, 3, 50):
        found = dict(store.by_person("t", 6, without=("impression",), at_once=size))
        assert {key: [row.seq for row in rows] for key, rows in found.items()} == {U: [1, 3], "user:v": [2, 5], "session:u": [6]}
    assert [row.event for row in dict(store.by_person("t", 7))[U]] == [deed(1), deed(3), deed(4, "impression"), deed(7)]
    assert list(store.by_person("nobody", 7)) == []


def test_who_was_erased_is_told_to_those_who_know_the_name(store):
    assert store.erasures("t", [U, "user:v"]) == {}
    fates(store, deed(1), deed(2, user="v"))
    store.erase_person("t", U, at=1.8e9)
    assert store.erasures("t", [U, "user:v"]) == {U: 1.8e9}
    assert store.erasures("other", [U]) == {}
