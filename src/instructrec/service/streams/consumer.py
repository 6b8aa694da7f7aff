"""Events of a stream into the journal: acknowledged to the stream when they are on disk, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from instructrec.errors import BusyError
from instructrec.journal import Rejected
from instructrec.journal.reading import named, parsed
from instructrec.journal.records import Verdict
from instructrec.service.live import Live
from instructrec.service.metrics import Metrics
from instructrec.service.streams.source import Message, Source
from instructrec.service.verdicts import TAKEN, told

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
"""How long a stream is left alone after a failure: at first, and at most, as it doubles."""
_log = logging.getLogger(__name__)


class Consumer:
    """Reads one stream for a service, for ever.

    A message is a JSON object, one event as /v1/events takes it, or a list of them. An event without an id gets one from the
    message, so that a second delivery is the same event. What is no event is counted, told in the log, and acknowledged: it would
    be none the next time either. When the stream or the journal fails the stream is read again later, from what was not
    acknowledged.
    """

    def __init__(self, source: Source, live: Live, metrics: Metrics) -> None:
        self._source, self._live, self._metrics = source, live, metrics
        self._name = source.address.shown

    async def run(self) -> None:
        """Read until cancelled."""
        wait_s = FIRST_WAIT_S
        self._metrics.stream_is(self._name, connected=False)
        while True:
            why = "it ended"
            try:
                async with aclosing(self._source.batches()) as batches:
                    async for batch in batches:
                        self._metrics.stream_is(self._name, connected=True)
                        if batch.messages:
                            await self._take(batch.messages)
                            await batch.acknowledge()
                        wait_s = FIRST_WAIT_S
            except Exception as error:  # whatever it is, the service goes on
                why = f"{type(error).__name__}: {error}"
            self._metrics.stream_failed(self._name)
            _log.warning("%s is not read (%s). Trying again in %g s.", self._name, why, wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _take(self, messages: Sequence[Message]) -> None:
        """Have the events of messages on disk."""
        rows: list[object] = []
        wrong: list[str] = []
        for message in messages:
            value, why = parsed(message.payload)
            if why:
                wrong.append(f"{message.id}: {why}")
            elif isinstance(value, list):
                rows += [named(row, f"{message.id}:{place}") for place, row in enumerate(value)]
            else:
                rows.append(named(value, message.id))
        verdicts = [told(found) for found in await self._recorded(rows)]
        self._metrics.judged_all(rows, verdicts)
        self._metrics.streamed(self._name, malformed=len(wrong), taken=len(messages) - len(wrong))
        count = len(rows) + len(wrong)
        refused = (verdict for verdict in verdicts if verdict["verdict"] not in TAKEN)
        wrong += [f"{verdict['event_id'] or 'an event'}: {verdict['message']}" for verdict in refused]
        if wrong:
            _log.warning("%s: %d of %d events were not taken. The first: %s", self._name, len(wrong), count, wrong[0])

    async def _recorded(self, rows: Sequence[object]) -> list[Rejected | Verdict]:
        """What became of rows, when it is on disk. Waits where too much waits to be written."""
        while True:
            try:
                return await self._live.record(self._source.address.tenant, rows)
            except BusyError as busy:
                await asyncio.sleep(busy.retry_after_s)
