"""Copies of a journal while events come in, and what is put back of them."""

import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
from tests.journal.deeds import deed
from tests.journal.test_crashes import OPEN, killed

from instructrec.cli import main
from instructrec.errors import StoreError
from instructrec.journal.copies import look_over, restore
from instructrec.journal.store import Store
from instructrec.service.access import new_key


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def made(path, count=5, **more):
    with Store.open(path) as store:
        store.append([("t", deed(f"{path.name}-{n}", **more)) for n in range(count)])
        store.put_items("everybody", [{"item_id": "x", "title": "ü"}])
        new_key(store, tenant="t", name="shop", scopes=["read"])
        return store.content_hash()


def rows_of(path):
    with Store.open(path, read_only=True) as store:
        return store.events_after(0, 100_000)


def test_a_copy_that_is_made_under_load_holds_all_that_was_acknowledged_before_and_no_gap(serve, tmp_path):
    served = serve()
    stop, acknowledged, lock = threading.Event(), [], threading.Lock()

    def write(worker):
        with httpx.Client(base_url=served.url, timeout=30) as client:
            number = 0
            while not stop.is_set():
                name = f"{worker}-{number}"
                row = {"event_id": name, "type": "click", "user_id": f"u{worker}", "item_id": "m1"}
                answer = client.post("/v1/events", json={"events": [row]}).json()
                assert answer["accepted"] == 1
                with lock:
                    acknowledged.append(name)
                number += 1

    with ThreadPoolExecutor(3) as pool:
        writing = [pool.submit(write, worker) for worker in range(3)]
        copies = []
        for number in range(3):
            while len(acknowledged) < 20 * (number + 1):
                assert not any(one.done() for one in writing)
            before = list(acknowledged)
            answer = httpx.post(f"{served.url}/v1/backup", json={"path": f"copy-{number}.db"}, timeout=30)
            assert answer.status_code == 200, answer.text
            copies.append((before, answer.json()))
        stop.set()
        for one in writing:
            one.result()
    journal = served.live.store.events_after(0, 100_000)
    for before, told in copies:
        place = served.live.store.file.with_name(told["path"])
        held = rows_of(place)
        assert held == journal[: len(held)] and {row.event.event_id for row in held} >= set(before)
        assert len(held) >= told["events"] >= len(before) and place.stat().st_size == told["bytes"]
        assert look_over(place).events == len(held)


def test_a_copy_goes_nowhere_but_beside_the_journal(serve, tmp_path):
    url, before = serve().url, sorted(tmp_path.iterdir())
    names = [
        "../out.db",
        "/tmp/out.db",
        "a/b.db",
        ".hidden.db",
        "0.db-wal",
        "x.db\n",
        "",
        "..",
        "ü.db",
        "c\x00.db",
        "a" * 200 + ".db",
    ]
    for name in names:
        answer = httpx.post(f"{url}/v1/backup", json={"path": name})
        assert answer.status_code in (400, 422) and set(answer.json()) == {"error", "message"}
    assert sorted(tmp_path.iterdir()) == before and not (tmp_path.parent / "out.db").exists()


def test_a_copy_is_for_the_owner_and_replaces_nothing(serve, tmp_path):
    served = serve(wants_keys=True)
    keys = {scope: new_key(served.live.store, tenant="t", name=scope, scopes=[scope]) for scope in ("write", "admin")}

    def ask(scope):
        return httpx.post(f"{served.url}/v1/backup", json={"path": "copy.db"}, headers={"X-API-Key": keys[scope]})

    assert ask("write").status_code == 403 and not (tmp_path / "copy.db").exists()
    assert ask("admin").status_code == 200
    size = (tmp_path / "copy.db").stat().st_size
    again = ask("admin")
    assert again.status_code == 400 and "already" in again.json()["message"] and (tmp_path / "copy.db").stat().st_size == size


def test_what_is_restored_is_what_was_copied_and_what_was_there_is_kept(tmp_path, capsys):
    place, run = tmp_path / "journal.db", tmp_path / "run"
    database = ("--database", f"sqlite:///{place}")
    content = made(place)
    code, out, _ = command(capsys, "backup", run, tmp_path / "copy.db", *database, "--json")
    facts = json.loads(out.splitlines()[-1])
    assert (code, facts["events"], facts["content_hash"]) == (0, 5, content)
    with Store.open(place) as store:
        store.append([("t", deed("later"))])
        changed = store.content_hash()
        assert changed != content
        code, _, err = command(capsys, "restore", run, tmp_path / "copy.db", *database)
        assert code == 2 and "another process" in err, "not under a service that runs"
        assert store.last_seq() == 6
    code, out, _ = command(capsys, "restore", run, tmp_path / "copy.db", *database, "--json")
    facts = json.loads(out.splitlines()[-1])
    assert (code, facts["content_hash"], facts["kept"]) == (0, content, f"{place}.before-restore")
    with Store.open(place) as store:
        assert store.content_hash() == content and store.integrity() == [] and store.last_seq() == 5
        assert store.append([("t", deed("again"))])[0].seq == 6
    with Store.open(tmp_path / "journal.db.before-restore") as store:
        assert store.content_hash() == changed and store.integrity() == []
    assert command(capsys, "restore", run, tmp_path / "copy.db", *database)[0] == 0
    assert (tmp_path / "journal.db.before-restore1").exists()


def test_a_copy_is_restored_where_nothing_is_and_over_what_is_broken(tmp_path):
    content = made(tmp_path / "copy.db")
    found, aside = restore(tmp_path / "new" / "journal.db", tmp_path / "copy.db")
    assert (found.content_hash, aside) == (content, None)
    place = tmp_path / "journal.db"
    made(place, count=50)
    place.write_bytes(b"x" * 8_000)
    (tmp_path / "journal.db-wal").write_bytes(b"a log of another journal")
    found, aside = restore(place, tmp_path / "copy.db")
    assert found.content_hash == content and aside.stat().st_size == 8_000
    assert (tmp_path / f"{aside.name}-wal").read_bytes() == b"a log of another journal"
    with Store.open(place) as store:
        assert store.content_hash() == content and store.integrity() == []


def test_what_a_killed_service_left_in_its_log_is_kept_with_it(tmp_path):
    place, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    made(place)
    content = made(copy)
    late = "from tests.journal.deeds import deed\nstore.append([('t', deed('late'))])"
    killed(OPEN + late, "append-committed", place)
    assert (tmp_path / "journal.db-wal").exists()
    _, aside = restore(place, copy)
    assert not (tmp_path / "journal.db-wal").exists() and (tmp_path / f"{aside.name}-wal").exists()
    with Store.open(place) as store:
        assert store.content_hash() == content
    with Store.open(aside) as store:
        assert [row.event.event_id for row in store.events_after(5, 10)] == ["late"]


def test_a_copy_that_is_not_sound_changes_nothing(tmp_path):
    place, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    content = made(place)
    made(copy)
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE events SET body = replace(body, 'view', 'like') WHERE seq = 3")
    (tmp_path / "text.db").write_text("no database")
    for wrong, said in (
        (copy, "not sound"),
        (tmp_path / "text.db", "text.db"),
        (tmp_path / "none.db", "none.db"),
        (place, "itself"),
    ):
        with pytest.raises(StoreError, match=said):
            restore(place, wrong)
    with Store.open(place) as store:
        assert store.content_hash() == content
    assert not [path for path in tmp_path.iterdir() if "before-restore" in path.name or path.name.startswith(".")]


def test_killed_while_it_is_restored_there_is_still_a_journal(tmp_path):
    place, copy = tmp_path / "journal.db", tmp_path / "copy.db"
    before, content = made(place), made(copy)
    code = "import sys, pathlib; from instructrec.journal.copies import restore; restore(sys.argv[1], pathlib.Path(sys.argv[2]))"
    killed(code, "restore-aside", place, copy)
    with Store.open(place) as store:
        assert store.content_hash() == before
    assert restore(place, copy)[0].content_hash == content


def test_postgresql_is_told_where_its_tools_are(tmp_path, capsys):
    made(tmp_path / "copy.db")
    code, _, err = command(capsys, "restore", "run", tmp_path / "copy.db", "--database", "postgresql://u@127.0.0.1:1/none")
    assert code == 2 and "pg_restore" in err
