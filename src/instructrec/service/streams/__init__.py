"""Events from a stream that others write to: NATS JetStream and Redis Streams behind one interface.

A stream delivers at least once, the journal keeps each event once (`event_id`): the effect is that of exactly once.
"""

from instructrec.service.streams.consumer import Consumer
from instructrec.service.streams.source import Address, Batch, Message, Source, source_at

__all__ = ["Address", "Batch", "Consumer", "Message", "Source", "source_at"]
