"""A stream of NATS JetStream, read by a durable pull consumer that is made where it is not there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from instructrec.service.streams.source import CONNECT_S, MESSAGES_AT_ONCE, REDELIVERED_AFTER_S, WAIT_S, Address, Batch, Message

_ENDED: Final = ("404", "408", "409")
"""How the server says that a request has ended: nothing there, out of time, or something of the consumer changed."""
_HEARTBEAT: Final = "100"
_LEAST_S: Final = 0.001
_REST_S: Final = 0.05
_PING_S: Final = 10
"""How often a silent connection is tried: after twice so long without an answer it is lost."""


class Stream:
    """Messages of one stream; see `Source`. The stream itself is made by who writes to it."""

    def __init__(self, address: Address) -> None:
        self.address = address

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Connect, and give batches."""
        import nats

        client = await nats.connect(
            self.address.server,
            # Whoever reads connects again: only so does it notice, and tell, that the connection was lost. The client alone would
            # try for minutes before it says so.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=int(CONNECT_S),
            ping_interval=_PING_S,
            error_cb=_unheard,
            name=self.address.group,
        )
        try:
            await self._make_consumer(client)
            pulling = _Pulling(client, await client.subscribe(client.new_inbox()), self.address)
            while True:
                found = await pulling.messages()
                if not client.is_connected:
                    raise ConnectionError("the connection was lost")
                yield Batch(
                    [Message(_id(self.address.stream, message), message.data) for message in found], partial(_acknowledge, found)
                )
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CONNECT_S):
                    await client.close()

    async def _make_consumer(self, client: Any) -> None:
        from nats.js.api import ConsumerConfig
        from nats.js.errors import NotFoundError

        stream, group, manager = self.address.stream, self.address.group, client.jsm()
        try:
            await manager.consumer_info(stream, group)
        except NotFoundError:
            await manager.add_consumer(stream, ConsumerConfig(durable_name=group, ack_wait=REDELIVERED_AFTER_S))


class _Pulling:
    """Asks a consumer for messages and tells them from what the server says of the request.

    The client's own `fetch` goes by a header named `Status`, which anybody who writes to the stream may give a message: that
    message would then be taken for the end of the request, or for an error, at every delivery. Here a message is one if it says
    where its acknowledgement goes (docs.nats.io/reference/reference-protocols/nats_api_reference): the server alone settles that.
    """

    def __init__(self, client: Any, inbox: Any, address: Address) -> None:
        self._client, self._inbox = client, inbox
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{address.stream}.{address.group}"
        self._asked_for, self._until = 0, 0.0

    async def messages(self) -> list[Any]:
        """What has come, at most `MESSAGES_AT_ONCE`; after `WAIT_S` without anything nothing."""
        found: list[Any] = []
        end = time.monotonic() + WAIT_S
        while len(found) < MESSAGES_AT_ONCE:
            if found and not self._inbox.pending_msgs:
                break
            if not self._inbox.pending_msgs and (not self._asked_for or time.monotonic() >= self._until):
                await self._ask()
            try:
                message = await self._inbox.next_msg(timeout=max(end - time.monotonic(), _LEAST_S))
            except TimeoutError:
                break
            if message.reply:
                found.append(message)
                self._asked_for -= 1
            elif self._has_ended(message.headers or {}):
                self._asked_for = 0
                if time.monotonic() >= end:
                    break
                await asyncio.sleep(_REST_S)
        return found

    async def _ask(self) -> None:
        """Ask for messages, which come as they are there until the request ends."""
        self._asked_for, self._until = MESSAGES_AT_ONCE, time.monotonic() + WAIT_S + CONNECT_S
        request = {"batch": MESSAGES_AT_ONCE, "expires": round(WAIT_S * 1e9)}
        await self._client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox.subject)

    @staticmethod
    def _has_ended(headers: Mapping[str, str]) -> bool:
        """Whether the server says that the request has ended. Raises ConnectionError where none would be answered."""
        status = headers.get("Status", "")
        if status not in (*_ENDED, _HEARTBEAT):
            raise ConnectionError(f"the server says {status or 'nothing'} {headers.get('Description', '')}".rstrip())
        return status != _HEARTBEAT


def _id(stream: str, message: Any) -> str:
    """The name of a message: its number, and when the stream took it (microseconds since 1970), for a stream that is made anew
    counts from one again.
    """
    about = message.metadata
    return f"{stream}:{about.sequence.stream}:{round(about.timestamp.timestamp() * 1e6)}"


async def _acknowledge(messages: Sequence[Any]) -> None:
    # Not waited for: what the server does not hear of comes again, which does no harm.
    for message in messages:
        await message.ack()


async def _unheard(error: Exception) -> None:
    """The client tells of every error twice: here, and to who waits for it."""
