"""Events of a stream count exactly once, whoever dies in between; what is no event does not hold up the others."""

import asyncio
import json
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import aclosing

import httpx
import pytest
from tests.service.stream_servers import MISSING, STREAM, StreamServer, program

from instructrec.cli import main
from instructrec.errors import BusyError, ConfigError, StoreError
from instructrec.journal.store import Store
from instructrec.service.live import opened
from instructrec.service.metrics import Metrics
from instructrec.service.streams import Address, Batch, Consumer, Message, consumer, source_at
from instructrec.service.streams.source import read_address

PATIENCE_S = 40


@pytest.fixture
def server_of(tmp_path):
    """A function that starts a stream server of a kind; it ends with the test."""
    running = []

    def start(kind):
        pytest.importorskip(kind, reason="no clients of streams here: pip install 'instructrec[streams]'")
        if program(kind) is None:
            pytest.skip(MISSING[kind])
        folder = tmp_path / kind
        folder.mkdir()
        running.append(StreamServer(kind, folder))
        return running[-1]

    yield start
    for one in running:
        one.kill()


@pytest.fixture(params=["nats", "redis"])
def server(request, server_of):
    """A stream server of each kind."""
    return server_of(request.param)


def event(number, kind="like"):
    return {"event_id": f"e{number}", "type": kind, "user_id": f"u{number % 7}", "item_id": f"m{number % 30 + 1}"}


def until(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


# Real servers


class Process:
    """`instructrec serve` with a stream; `failpoint` is where it dies."""

    def __init__(self, run, database, url, failpoint=""):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self._client = httpx.Client()
        command = ["serve", run, "--port", self.url.rpartition(":")[2], "--database", database, "--source", url]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "instructrec", *map(str, command)],
            env=os.environ | {"INSTRUCTREC_FAILPOINT": failpoint},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def get(self, path):
        try:
            return self._client.get(self.url + path).text
        except httpx.TransportError:
            return ""

    def died(self):
        self._client.close()
        self._process.wait(PATIENCE_S)
        self._process.stderr.close()
        return self._process.returncode

    def stop(self):
        self._client.close()
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0, said
        return said


@pytest.mark.slow
def test_a_thousand_events_count_once_though_the_service_and_the_server_die(run_folder, tmp_path, server_of):
    server, database, (early, late) = server_of("nats"), f"sqlite:///{tmp_path / 'journal.db'}", deliveries()
    server.publish(*early)
    # It dies when the second batch is in the journal, and the stream does not know.
    assert Process(run_folder, database, server.url, "append-committed:2").died() == -signal.SIGKILL
    server.kill()
    server.start()
    reading = Process(run_folder, database, server.url)
    until(lambda: _figure(reading.get("/metrics"), "stream_connected") == 1, "it reads")
    server.kill()
    until(lambda: _figure(reading.get("/metrics"), "stream_connected") == 0, "it notices")
    assert json.loads(reading.get("/health/ready"))["ready"], "lists and events over HTTP go on without the stream"
    server.start()
    server.publish(*late, {"type": "ban", "user_id": "u1", "item_id": "m1"})
    until(lambda: server.waiting() == (0, 0), "everything is acknowledged")
    figures = reading.get("/metrics")
    assert _figure(figures, "stream_connected") == 1 and _figure(figures, "stream_failures_total") >= 1
    listed = json.loads(reading.get("/v1/recommend/u1?n=100"))
    assert "m1" not in {entry["item_id"] for entry in listed["items"]}, "what the stream brought counts in the next list"
    assert "is not read" in reading.stop()
    check(database, more=1)


def test_a_thousand_events_count_once_though_the_reader_and_the_server_end(run_folder, tmp_path, server):
    database, (early, late) = f"sqlite:///{tmp_path / 'journal.db'}", deliveries()
    live = opened(run_folder, database)
    metrics, record, calls = Metrics(live), live.record, []

    async def ended(tenant, rows):
        found = await record(tenant, rows)
        calls.append(rows)
        if len(calls) == 2:
            raise asyncio.CancelledError  # on disk, and the stream does not know
        return found

    async def read(recording, reader):
        live.record = recording
        reading = asyncio.create_task(Consumer(source_at(server.url), live, metrics).run())
        try:
            await reader(reading)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def until_it_ends(reading):
        await asyncio.wait_for(asyncio.gather(reading, return_exceptions=True), PATIENCE_S)

    async def through_a_restart(reading):
        await asyncio.to_thread(until, lambda: len(calls) > 3, "it reads")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.publish, *late)
        await asyncio.to_thread(until, lambda: server.waiting() == (0, 0), "everything is acknowledged")

    try:
        server.publish(*early)
        asyncio.run(read(ended, until_it_ends))
        asyncio.run(read(ended, through_a_restart))
    finally:
        live.close()
    check(database)


def deliveries():
    """A thousand events, each twice, in any order, some of them in lists; among them what is none. In two parts."""
    draw, events = random.Random(1), [event(number) for number in range(1_000)]
    both = [*events, *events]
    draw.shuffle(both)
    packed = [both[at : at + 3] if at % 3 == 0 and at % 2 else both[at] for at in range(len(both))]
    return [b"no json", *packed[:900], {"type": "clik"}, b"\xff"], [*packed[900:], 7, []]


def check(database, more=0):
    """That the journal holds each of the thousand events once, and so many others."""
    with Store.open(database) as store:
        names = Counter(row.event.event_id for row in store.events_after(0, 5_000))
        assert store.integrity() == []
    assert set(names.values()) == {1}
    assert sorted(names.keys() & {f"e{number}" for number in range(1_000)}) == sorted(f"e{number}" for number in range(1_000))
    assert sum(name.startswith(f"{STREAM}:") for name in names) == more == len(names) - 1_000


def _figure(text, name, **labels):
    """The value of one metric; none where it is not there."""
    for line in text.splitlines():
        if line.startswith(f"instructrec_{name}{{") and all(f'{label}="{value}"' in line for label, value in labels.items()):
            return float(line.rpartition(" ")[2])
    return None


def test_an_event_without_an_id_is_one_event_at_every_delivery(server):
    server.publish({"type": "like", "user_id": "u", "item_id": "m1"}, [{"type": "like", "user_id": "u", "item_id": "m2"}] * 2)
    source = source_at(server.url)

    async def read(acknowledged):
        found = []
        async with aclosing(source.batches()) as batches:
            async for batch in batches:
                found += batch.messages
                if batch.messages and acknowledged:
                    await batch.acknowledge()
                if len(found) >= 2:
                    return found

    async def twice():
        first = await read(acknowledged=False)
        second = await read(acknowledged=True)
        return first, second

    first, second = asyncio.run(twice())
    assert len({message.id for message in first}) == 2 and all(message.id.startswith(f"{STREAM}:") for message in first)
    assert {message.id: message.payload for message in second} == {message.id: message.payload for message in first}
    until(lambda: server.waiting() == (0, 0), "everything is acknowledged")


@pytest.mark.parametrize("status", ["404", "408", "409", "503", "100", "x", "200 OK"])
def test_a_header_that_the_client_takes_for_word_of_the_server_holds_up_nothing(server_of, serve, status):
    server = server_of("nats")
    server.publish(event(1))
    server.publish(event(2), b"no json", headers={"Status": status, "Description": "Consumer Deleted"})
    server.publish(event(3))
    served = serve(sources=[source_at(server.url)])
    until(lambda: len(served.live.store.events_after(0, 9)) == 3, "it reads them all")
    until(lambda: server.waiting() == (0, 0), "everything is acknowledged")
    assert [row.event.event_id for row in served.live.store.events_after(0, 100)] == ["e1", "e2", "e3"]
    text = httpx.get(f"{served.url}/metrics").text
    assert _figure(text, "stream_messages_total", fate="taken") == 3 and _figure(text, "stream_connected") == 1
    assert _figure(text, "stream_messages_total", fate="malformed") == 1 and _figure(text, "stream_failures_total") is None


def test_a_consumer_that_is_deleted_is_made_again_and_gives_everything_once_more(server_of, serve, monkeypatch):
    monkeypatch.setattr(consumer, "FIRST_WAIT_S", 0.05)
    server = server_of("nats")
    server.publish(event(1))
    served = serve(sources=[source_at(server.url)])
    until(lambda: len(served.live.store.events_after(0, 9)) == 1, "it reads")

    async def gone():
        async with server._client() as client:
            await client.jetstream().delete_consumer(STREAM, "instructrec")

    asyncio.run(gone())
    server.publish(event(2))
    until(lambda: len(served.live.store.events_after(0, 9)) == 2, "it reads again")
    text = httpx.get(f"{served.url}/metrics").text
    assert _figure(text, "stream_failures_total") >= 1 and _figure(text, "events_total", verdict="duplicate") == 1


# A scripted stream


class Scripted:
    """A stream that gives its messages again until they are acknowledged; `breaks` times it fails instead."""

    def __init__(self, *payloads, breaks=0):
        self.address = Address(server="", shown="scripted://stream", stream=STREAM, tenant="shop")
        self.left = [Message(f"{STREAM}:{place}", payload) for place, payload in enumerate(payloads)]
        self.breaks, self.given = breaks, 0

    async def batches(self):
        while True:
            if self.breaks:
                self.breaks -= 1
                raise ConnectionError("gone")
            messages = list(self.left)
            self.given += len(messages)

            async def acknowledge(done=messages):
                self.left = [message for message in self.left if message not in done]

            yield Batch(messages, acknowledge)
            await asyncio.sleep(0.01)


def as_bytes(*values):
    return [json.dumps(value).encode() for value in values]


def names_of(served):
    return [row.event.event_id for row in served.live.store.events_after(0, 100, tenant="shop")]


def test_what_is_no_event_is_counted_and_told_and_holds_up_nobody(serve, caplog):
    caplog.set_level(logging.WARNING)
    without = {name: value for name, value in event(2).items() if name != "event_id"}
    source = Scripted(b"{", *as_bytes(event(1), 5, [without, {"type": "clik"}], {**event(1), "item_id": "other"}), b"[" * 100_000)
    served = serve(sources=[source])
    until(lambda: not source.left, "all is acknowledged")
    assert names_of(served) == ["e1", f"{STREAM}:3:0"]
    text = httpx.get(f"{served.url}/metrics").text
    assert (
        _figure(text, "stream_messages_total", fate="malformed") == 2 and _figure(text, "stream_messages_total", fate="taken") == 4
    )
    assert _figure(text, "events_total", type="none", verdict="rejected") == 2
    assert _figure(text, "events_total", type="like", verdict="conflict") == 1
    assert "5 of 7 events were not taken" in caplog.text


def test_a_stream_that_fails_is_tried_again_later_and_the_service_goes_on(serve, monkeypatch, caplog):
    monkeypatch.setattr(consumer, "FIRST_WAIT_S", 0.05)
    source = Scripted(*as_bytes(event(1)), breaks=3)
    served = serve(sources=[source])
    assert httpx.get(f"{served.url}/health/ready").json()["ready"] is True
    until(lambda: not source.left, "it is read at last")
    assert names_of(served) == ["e1"]
    text = httpx.get(f"{served.url}/metrics").text
    assert _figure(text, "stream_failures_total") == 3 and _figure(text, "stream_connected") == 1
    assert "gone" in caplog.text


def test_nothing_is_acknowledged_that_is_not_on_disk(serve, monkeypatch):
    monkeypatch.setattr(consumer, "FIRST_WAIT_S", 0.05)
    source = Scripted()
    served = serve(sources=[source])
    record = served.live.record
    trouble = iter([BusyError("Too much waits.", retry_after_s=0.05), StoreError("The disk is full."), None])

    async def troubled(tenant, rows):
        problem = next(trouble)
        assert len(source.left) == 2, "not acknowledged before"
        if problem:
            raise problem
        return await record(tenant, rows)

    served.live.record = troubled
    source.left = [Message(f"{STREAM}:{place}", payload) for place, payload in enumerate(as_bytes(event(1), event(2)))]
    until(lambda: not source.left, "all is acknowledged")
    assert names_of(served) == ["e1", "e2"] and source.given == 4, "once more after the journal failed, not after it was busy"


# Addresses


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("nats://h:4222/EVENTS", ("nats", "nats://h:4222", "EVENTS", "instructrec", "local")),
        ("tls://u:p@h/EVENTS?tenant=shop", ("nats", "tls://u:p@h", "EVENTS", "instructrec", "shop")),
        ("redis://:p@h:6379/0/EVENTS?group=g", ("redis", "redis://:p@h:6379/0", "EVENTS", "g", "local")),
        ("rediss://h/2/shop:events/clicks%20x", ("redis", "rediss://h/2", "shop:events/clicks x", "instructrec", "local")),
    ],
)
def test_addresses(url, expected):
    kind, address = read_address(url)
    assert (kind, address.server, address.stream, address.group, address.tenant) == expected
    assert "p@" not in address.shown and "p@" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "kafka://h/EVENTS", "EVENTS", "nats://h:4222", "nats://h:4222/a/b", "nats://h/a.b", "nats:///EVENTS", "nats://h:port/EVENTS",
        "nats://h:99999/EVENTS", "redis://h/EVENTS", "redis://h/0/", "redis://h/x/EVENTS", "nats://h/EVENTS?tenannt=a",
        "nats://h/EVENTS?tenant=A%20B", "nats://h/EVENTS?group=a.b", "nats://h:12/3@h/EVENTS", "nats://h/" + "x" * 201, "nats://[h/EVENTS",
    ],
)  # fmt: skip
def test_bad_addresses_are_refused(url):
    with pytest.raises(ConfigError, match=r"Give |There is: |A tenant is|The group of") as wrong:
        source_at(url.replace("//h", "//user:secret@h"))
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize(("kind", "url"), [("nats", "nats://h/EVENTS"), ("redis", "redis://h/0/EVENTS")])
def test_without_the_client_the_extra_is_named(kind, url, monkeypatch, capsys, run_folder):
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(run_folder), "--source", url])
    assert ended.value.code == 2 and "instructrec[streams]" in capsys.readouterr().err
