"""A stream of Redis, read by a consumer group that is made where it is not there. A message is an entry with a field `event`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

from instructrec.service.streams.source import CONNECT_S, MESSAGES_AT_ONCE, REDELIVERED_AFTER_S, WAIT_S, Address, Batch, Message

FIELD: Final = b"event"
_FIRST = b"0-0"
_Entry: TypeAlias = "tuple[bytes, dict[bytes, bytes] | None]"


class Stream:
    """Messages of one stream; see `Source`.

    All processes that read under one group are one consumer of it: a message that two of them get counts once all the same.
    """

    def __init__(self, address: Address) -> None:
        self.address = address

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Connect, and give batches: first what was not acknowledged before, then what is new."""
        from redis.asyncio import Redis

        client: Any = Redis.from_url(
            self.address.server, protocol=2, socket_connect_timeout=CONNECT_S, socket_timeout=WAIT_S + CONNECT_S
        )
        try:
            await self._make_group(client)
            idle_s, claimed_at, place = 0.0, time.monotonic(), _FIRST
            while True:
                if place or time.monotonic() - claimed_at > REDELIVERED_AFTER_S:
                    place, entries = await self._unacknowledged(client, place or _FIRST, idle_s)
                    if not place:
                        idle_s, claimed_at = REDELIVERED_AFTER_S, time.monotonic()
                else:
                    entries = await self._new(client)
                yield Batch([self._message(entry) for entry in entries], partial(self._acknowledge, client, entries))
        finally:
            with suppress(Exception):
                await client.aclose()

    async def _make_group(self, client: Any) -> None:
        from redis.exceptions import ResponseError

        try:
            await client.xgroup_create(self.address.stream, self.address.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):  # it is there already
                raise

    async def _unacknowledged(self, client: Any, place: bytes, idle_s: float) -> tuple[bytes, list[_Entry]]:
        """Entries that were delivered and have waited so long since, from a place on; first the place to go on at, empty at the
        end.
        """
        address = self.address
        following, entries, *_ = await client.xautoclaim(
            address.stream, address.group, address.group, int(idle_s * 1000), place, count=MESSAGES_AT_ONCE
        )
        return (b"" if following == _FIRST else following), entries

    async def _new(self, client: Any) -> list[_Entry]:
        address = self.address
        found = await client.xreadgroup(
            address.group, address.group, {address.stream: ">"}, count=MESSAGES_AT_ONCE, block=int(WAIT_S * 1000)
        )
        return list(found[0][1]) if found else []

    def _message(self, entry: _Entry) -> Message:
        name, fields = entry
        return Message(f"{self.address.stream}:{name.decode()}", (fields or {}).get(FIELD, b""))

    async def _acknowledge(self, client: Any, entries: Sequence[_Entry]) -> None:
        await client.xack(self.address.stream, self.address.group, *[name for name, _ in entries])
