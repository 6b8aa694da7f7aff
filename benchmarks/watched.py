"""A service inside of this process, with a count of what it was asked and of what went wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx

from instructrec import config, pipeline
from instructrec.service.access import Gate, new_key
from instructrec.service.app import build
from instructrec.service.live import Live, opened

Message = MutableMapping[str, Any]
SOURCE = ("data.source=synthetic-genres", "model=ridge")
"""What is trained, in seconds, where a run is needed."""


def small_run(folder: Path) -> Path:
    """Train a small run and give its folder."""
    pipeline.train(pipeline.prepare(config.from_toml("", list(SOURCE))), folder, num_samples=1)
    return folder


class Watched:
    """The application of a service that wants keys: every call is counted, and every answer of 500 and above is kept.

    `key` opens everything. An exception that leaves the application is an answer of 500 here as it is behind a server.
    """

    def __init__(self, run: Path, url: str) -> None:
        self.live: Live = opened(run, url)
        self.app = build(self.live, Gate(self.live.store, wants_keys=True, requests_per_s=1e9))
        self.key = new_key(self.live.store, tenant="a", name="fuzz", scopes=["admin"])
        self.calls, self.routes, self.server_errors = 0, Counter[str](), list[str]()
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self), base_url="http://test", headers={"X-API-Key": self.key}, timeout=60
        )

    def close(self) -> None:
        """End the service."""
        self._runner.run(self._client.aclose())
        self._runner.close()
        self.live.close()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request, with the key."""
        return self._runner.run(self._client.request(method, path, **more))

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """The application as a server calls it."""
        if scope["type"] != "http":
            raise NotImplementedError("A watched service begins and ends with its maker.")
        status, why = 500, ""

        async def heard(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, heard)
        except Exception as problem:
            why = f": {type(problem).__name__}: {problem}"
        self.calls += 1
        if status != 405 and "route" in scope:
            self.routes[f"{scope['method']} {scope['route'].path}"] += 1
        if status >= 500:
            self.server_errors.append(f"{scope['method']} {scope['path']:.80} -> {status}{why:.200}")
