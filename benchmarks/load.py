"""Requests to a service on this machine, many at once, with as little work as can be for each: HTTP/1.1 over open connections."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


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


class Connection:
    """One open connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, wire: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(wire)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        return int(lines[0].split()[1]), await reader.readexactly(length)


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
    except (OSError, asyncio.IncompleteReadError) as problem:
        tally.errors.append(type(problem).__name__)
        return b""
    tally.seconds.append(time.perf_counter() - began)
    if not 200 <= status < 300:
        tally.errors.append(f"{status} {body[:100].decode('utf-8', 'replace')}")
    return body
