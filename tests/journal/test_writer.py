"""The writing thread: nothing is acknowledged that is not on disk and visible, and after a failure nothing at all."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.journal import postgres
from tests.journal.deeds import NOW, deed

from instructrec.errors import BusyError, StoreError
from instructrec.journal import user_key
from instructrec.journal.records import Shown
from instructrec.journal.store import Store
from instructrec.journal.writer import MOST_EVENTS_OF_A_COMMIT, Writer

U = user_key("u")
PATIENCE_S = 30.0


@pytest.fixture
def writer(store):
    """A writer on an empty store of each kind."""
    opened = Writer(store)
    yield opened
    opened.close(PATIENCE_S)


def fates(future):
    return [verdict.fate for verdict in future.result(PATIENCE_S)]


def test_what_is_acknowledged_is_on_disk_and_was_told(store, writer):
    told, order = [], []
    writer.on_commit(lambda rows: (told.extend(rows), order.append("told")))
    future = writer.submit("t", [deed(1), deed(1), deed(1, item="other"), deed(2)])
    future.add_done_callback(lambda _: order.append("acknowledged"))
    assert fates(future) == ["stored", "duplicate", "conflict", "stored"]
    assert order == ["told", "acknowledged"]
    assert told == store.events_of("t", U) and [row.event for row in told] == [deed(1), deed(2)]
    assert fates(writer.submit("t", [deed(2)])) == ["duplicate"]
    assert len(told) == 2, "listeners hear of new events alone"


def test_who_asks_behind_an_acknowledgement_sees_the_event(store, writer):
    def click(number):
        mine = user_key(f"u{number}")
        for turn in range(5):
            writer.submit("t", [deed(f"{number}-{turn}", user=f"u{number}")]).result(PATIENCE_S)
            assert len(store.events_of("t", mine)) == turn + 1
        return number

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(click, range(8))) == list(range(8))
    assert store.last_seq() == 40 and writer.queued_bytes == 0


def test_many_that_wait_are_committed_together(store, writer, monkeypatch):
    sizes, append = [], store.append
    monkeypatch.setattr(store, "append", lambda rows, **more: (sizes.append(len(rows)), append(rows, **more))[1])
    with store._database.writing():  # the writing thread waits for its turn
        futures = [writer.submit("t", [deed(f"{n}-{m}") for m in range(100)]) for n in range(12)]
    assert all(set(fates(future)) == {"stored"} for future in futures)
    assert max(sizes) > 100 and max(sizes) <= MOST_EVENTS_OF_A_COMMIT and sum(sizes) == 1_200
    assert fates(writer.submit("t", [deed(n) for n in range(MOST_EVENTS_OF_A_COMMIT + 1)])).count("stored") == 513, "in one commit"
    assert sizes[-1] == MOST_EVENTS_OF_A_COMMIT + 1


def test_a_full_queue_refuses_before_it_takes_anything(store):
    writer = Writer(store, most_queued_bytes=5_000)
    taken = []
    with store._database.writing(), pytest.raises(BusyError, match="bytes wait to be written") as busy:
        for n in range(100):
            taken.append(writer.submit("t", [deed(n)]))
    assert busy.value.retry_after_s > 0
    assert 5 < len(taken) < 20
    assert [fates(future) for future in taken] == [["stored"]] * len(taken)
    assert store.last_seq() == len(taken) and writer.failed == ""
    assert fates(writer.submit("t", [deed("again")])) == ["stored"]
    writer.close(PATIENCE_S)


def test_one_large_submission_is_taken_when_nothing_waits(store):
    writer = Writer(store, most_queued_bytes=1_000)
    assert set(fates(writer.submit("t", [deed(n) for n in range(50)]))) == {"stored"}
    writer.close(PATIENCE_S)


def test_closing_writes_what_waits_and_then_takes_nothing(store):
    writer = Writer(store)
    with store._database.writing():
        futures = [writer.submit("t", [deed(n)]) for n in range(600)]
    writer.close(PATIENCE_S)
    assert {fate for future in futures for fate in fates(future)} == {"stored"} and store.last_seq() == 600
    with pytest.raises(StoreError, match="being closed"):
        writer.submit("t", [deed("late")])
    writer.close(PATIENCE_S)


def test_other_work_keeps_its_place(store, writer):
    with store._database.writing():
        futures = [
            writer.submit("t", [deed(1, time=NOW - 9)]),
            writer.run(lambda opened: opened.erase_person("t", U, at=NOW)["events"]),
            writer.submit("t", [deed(1, time=NOW - 9), deed(2, time=NOW + 9)]),
            writer.show("t", [Shown(id="r", person=U, items=("i",), time=NOW)]),
        ]
    assert fates(futures[0]) == ["stored"] and futures[1].result(PATIENCE_S) == 1
    assert fates(futures[2]) == ["erased", "stored"] and futures[3].result(PATIENCE_S) == []
    assert store.trials.shown("t", "r").items == ("i",)


def test_work_that_raises_tells_who_asked_and_the_writer_goes_on(writer):
    def broken(_):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        writer.run(broken).result(PATIENCE_S)
    assert fates(writer.submit("t", [deed(1)])) == ["stored"] and writer.failed == ""


def test_an_event_that_cannot_be_written_harms_no_other(store, writer):
    with store._database.writing():
        futures = [writer.submit("t", [deed(1)]), writer.submit("t", [deed("bad\ud800")]), writer.submit("t", [deed(2)])]
    assert fates(futures[0]) == fates(futures[2]) == ["stored"]
    with pytest.raises((StoreError, UnicodeEncodeError)):
        futures[1].result(PATIENCE_S)
    assert writer.failed == "" and store.last_seq() == 2


def test_a_future_that_was_given_up_harms_no_other(store, writer):
    with store._database.writing():
        futures = [writer.submit("t", [deed(n)]) for n in range(3)]
        given_up = futures[1].cancel()
    assert given_up and fates(futures[0]) == fates(futures[2]) == ["stored"]
    assert store.last_seq() == 3, "it was taken, so it is kept"


def test_after_a_listener_fails_nothing_is_acknowledged(store, writer):
    def broken(_):
        raise KeyError("cache")

    writer.on_commit(broken)
    with pytest.raises(StoreError, match=r"what reads them failed on them \(KeyError"):
        writer.submit("t", [deed(1)]).result(PATIENCE_S)
    assert "KeyError" in writer.failed
    with pytest.raises(StoreError, match="takes nothing more"):
        writer.submit("t", [deed(2)])
    assert store.last_seq() == 1, "it is on disk, but nobody was told so; delivered again it is a duplicate"


FILLING = """
import resource, signal, sys
from tests.journal.deeds import deed
from instructrec.errors import StoreError
from instructrec.journal.store import Store
from instructrec.journal.writer import Writer
store = Store.open(sys.argv[1])
writer = Writer(store)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # no file grows beyond: what a full disk does
refused = 0
for n in range(400):
    try:
        writer.submit("t", [deed(f"{n}-{m}", text="x" * 500) for m in range(5)]).result(30)
    except StoreError as error:
        refused += 1
        said = str(error)
    else:
        assert not refused, "acknowledged after a failure"
        print("acked", n, flush=True)
assert refused > 1 and writer.failed and store.failed, (refused, writer.failed)
print(said, writer.failed)
print("closed", flush=True)
"""


def test_after_a_failed_write_nothing_is_acknowledged_and_nothing_acknowledged_is_lost(tmp_path):
    path = tmp_path / "journal.db"
    done = subprocess.run(
        [sys.executable, "-c", FILLING, str(path)], capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[-1] == "closed", done.stderr
    assert "takes nothing more" in lines[-2] and "A write failed" in lines[-2]
    acked = [line.split()[1] for line in lines if line.startswith("acked")]
    assert len(acked) > 10
    with Store.open(path) as store:
        there = {row.event.event_id for row in store.events_after(0, 10_000)}
        assert {f"{n}-{m}" for n in acked for m in range(5)} <= there
        assert store.integrity() == []
        assert store.append([("t", deed("after"))])[0].fate == "stored"


def test_a_server_that_dies_fails_closed_and_loses_nothing():
    if postgres.programs() is None:
        pytest.skip(postgres.MISSING)
    pytest.importorskip("psycopg", reason="no psycopg here: pip install 'instructrec[postgres]'")
    with postgres.running() as server:
        store = Store.open(server.url)
        writer = Writer(store)
        acked, stop = [], threading.Event()

        def click():
            for n in range(100_000):
                try:
                    writer.submit("t", [deed(n)]).result(PATIENCE_S)
                except StoreError:
                    return
                acked.append(str(n))
                if n == 50:
                    stop.set()

        clicking = threading.Thread(target=click)
        clicking.start()
        assert stop.wait(PATIENCE_S)
        server.stop("immediate")
        clicking.join(PATIENCE_S)
        assert writer.failed
        with pytest.raises(StoreError, match="takes nothing more"):
            writer.submit("t", [deed("more")])
        writer.close(PATIENCE_S)
        store.close()
        server.start()
        with Store.open(server.url) as again:
            names = [row.event.event_id for row in again.events_after(0, 100_000)]
            assert set(acked) <= set(names) and len(names) == len(set(names)) <= len(acked) + 1
            assert again.integrity() == []
