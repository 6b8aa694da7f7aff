"""A stream of NATS JetStream, read by a durable pull consumer that is made where it is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from instructrec.service.streams.source import CONNECT_S, MESSAGES_AT_ONCE, REDELIVERED_AFTER_S, WAIT_S, Address, Batch, Message

_PING_S: Final = 10
"""How often a silent connection is tried: after twice so long without an answer it is lost."""


class Stream:
    """Messages of one stream; see `Source`. The stream itself is made by who writes to it."""

    def __init__(self, address: Address) -> None:
        self.address = address

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Connect, and give batches."""
        import nats
        from nats.js.api import ConsumerConfig

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
            consumer = await client.jetstream().pull_subscribe(
                "", self.address.group, self.address.stream, ConsumerConfig(ack_wait=REDELIVERED_AFTER_S)
            )
            while True:
                try:
                    found = await consumer.fetch(MESSAGES_AT_ONCE, timeout=WAIT_S)
                except TimeoutError:
                    found = []
                if not client.is_connected:
                    raise ConnectionError("the connection was lost")
                yield Batch(
                    [Message(_id(self.address.stream, message), message.data) for message in found], partial(_acknowledge, found)
                )
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CONNECT_S):
                    await client.close()


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
