"""Requests to a service on this machine, many at once, with as little work as can be for each: HTTP/1.1 over open connections."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Tally:
    """What came back: seconds of each answer, and statuses that were none of 2xx."""

    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.seconds) / max(self.ended - self.began, 1e-9)

    def at(self, share: float) -> float:
        """Milliseconds within which that share of the answers came."""
        return float(np.quantile(self.seconds, share) * 1000) if self.seconds else float("nan")


def request(method: str, path: str, body: Any = None) -> bytes:
    """A request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Connection(asyncio.Protocol):
    """One open connection, one request at a time. No streams: the load shall cost less than what it measures."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._got, self._head, self._wanted = bytearray(), 0, 0

    async def send(self, wire: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises ConnectionError where the connection ends first."""
        loop = asyncio.get_running_loop()
        if self._transport is None:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        assert self._transport is not None
        self._waiting = loop.create_future()
        self._transport.write(wire)
        return await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer."""
        self._got += data
        if not self._wanted:
            end = self._got.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            length = LENGTH.search(self._got, 0, end)
            self._wanted = end + int(length[1] if length else 0)
            self._head = end
        if len(self._got) >= self._wanted and self._waiting is not None:
            answer = int(self._got[9:12]), bytes(self._got[self._head : self._wanted])
            self._got.clear()
            self._wanted = 0
            waiting, self._waiting = self._waiting, None
            waiting.set_result(answer)

    def connection_lost(self, problem: Exception | None) -> None:
        """Nobody waits for ever."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError("The connection ended before the answer."))


async def closed(port: int, requests: Iterator[bytes], *, connections: int, seconds: float) -> Tally:
    """As many requests as connections that each wait for their answer can make in that time."""
    tally = Tally(began=time.perf_counter())

    async def one() -> None:
        connection = Connection(port)
        while time.perf_counter() - tally.began < seconds:
            await _timed(connection, next(requests), tally)

    await asyncio.gather(*(one() for _ in range(connections)))
    tally.ended = time.perf_counter()
    return tally


async def steady(port: int, requests: Iterator[bytes], *, per_s: float, seconds: float) -> Tally:
    """Requests at a steady rate, whether the answers come or not; each is timed from when it was due."""
    tally, free = Tally(began=time.perf_counter()), asyncio.Queue[Connection]()
    tasks = []

    async def one(due: float) -> None:
        connection = free.get_nowait() if not free.empty() else Connection(port)
        await _timed(connection, next(requests), tally, due)
        free.put_nowait(connection)

    for number in range(int(per_s * seconds)):
        due = tally.began + number / per_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    tally.ended = time.perf_counter()
    return tally


async def _timed(connection: Connection, wire: bytes, tally: Tally, due: float | None = None) -> bytes:
    began = time.perf_counter() if due is None else due
    try:
        status, body = await connection.send(wire)
    except OSError as problem:
        tally.errors.append(type(problem).__name__)
        return b""
    tally.seconds.append(time.perf_counter() - began)
    if not 200 <= status < 300:
        tally.errors.append(f"{status} {body[:100].decode('utf-8', 'replace')}")
    return body
