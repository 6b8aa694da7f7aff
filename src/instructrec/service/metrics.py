"""What is counted, in the format of Prometheus."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from instructrec.service.live import Live

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0)
"""Upper bounds of the classes of latency, in seconds."""


class Metrics:
    """The counters of one service."""

    def __init__(self, live: Live) -> None:
        self._registry, self._watch = CollectorRegistry(), live.watch
        self._seconds = Histogram(
            "instructrec_http_request_seconds",
            "Time to answer",
            ("method", "route", "status"),
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._events = Counter(
            "instructrec_events", "Events by type and what became of them", ("type", "verdict"), registry=self._registry
        )
        self._lists = Counter(
            "instructrec_lists", "Lists by the model that made them", ("served_by", "degraded"), registry=self._registry
        )
        self._cached = Gauge("instructrec_lists_from_memory", "Lists that were sent as they were before", registry=self._registry)
        self._cached.set_function(lambda: live.answers.hits)
        self._waiting = Gauge("instructrec_journal_queued_bytes", "Bytes that wait to be written", registry=self._registry)
        self._waiting.set_function(lambda: live.writer.queued_bytes)
        self._unserved = Gauge(
            "instructrec_experiment_arms_without_model",
            "Arms that make lists whose model the run does not hold",
            registry=self._registry,
        )
        self._unserved.set_function(lambda: len(live.comparing.unserved(live.snapshot.models)))
        self._streamed = Counter(
            "instructrec_stream_messages",
            "Messages of a stream that were taken, or malformed",
            ("stream", "fate"),
            registry=self._registry,
        )
        self._connected = Gauge("instructrec_stream_connected", "Whether a stream is read", ("stream",), registry=self._registry)
        self._failures = Counter(
            "instructrec_stream_failures", "How often a stream could not be read", ("stream",), registry=self._registry
        )
        live.on_list = self.listed

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._seconds.labels(method, route, str(status)).observe(seconds)
        self._watch.answered(status, seconds)

    def judged(self, kind: str, verdict: str, count: int = 1) -> None:
        """Count events of one type and fate."""
        self._events.labels(kind, verdict).inc(count)
        self._watch.judged(kind, verdict, count)

    def judged_all(self, rows: Sequence[object], verdicts: Sequence[Mapping[str, Any]]) -> None:
        """Count events as they were sent, each with its verdict; what is no event is of type "none"."""
        counts = Count(
            (str(row.get("type")) if isinstance(row, Mapping) and verdict["verdict"] != "rejected" else "none", verdict["verdict"])
            for row, verdict in zip(rows, verdicts, strict=True)
        )
        for (kind, fate), count in counts.items():
            self.judged(kind, fate, count)

    def streamed(self, stream: str, *, taken: int, malformed: int) -> None:
        """Count messages of a stream."""
        self._streamed.labels(stream, "taken").inc(taken)
        self._streamed.labels(stream, "malformed").inc(malformed)

    def stream_is(self, stream: str, *, connected: bool) -> None:
        """Note whether a stream is read."""
        self._connected.labels(stream).set(connected)

    def stream_failed(self, stream: str) -> None:
        """Count a failure of a stream, which is not read then."""
        self._failures.labels(stream).inc()
        self.stream_is(stream, connected=False)

    def listed(self, served_by: str, degraded: bool) -> None:
        """Count a list that was sent."""
        self._lists.labels(served_by, str(degraded).lower()).inc()

    def text(self) -> bytes:
        """All counters."""
        return generate_latest(self._registry)
