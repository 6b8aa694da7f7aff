"""A thread that asks a slow model: several waiting requests at once, none of them twice, and never the thread that serves."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from instructrec.core import Query, Recommendation

AT_ONCE = 8
"""Requests that are asked together."""
ROOM = 32
"""Requests that may wait; a full room sends the next one to another model at once."""
HANG_S = 10.0
"""A call that takes longer is given up: another thread takes over, and the answer is thrown away if it ever comes."""
MOST_THREADS = 3
"""Threads at most, given up or not: none can be stopped from outside, so a model that hangs for good costs no more than these."""

Ask = Callable[[Sequence[Query]], Sequence[Recommendation]]


class Worker:
    """Asks one model for waiting requests, in their order. Threads are daemons: they never keep the process alive."""

    def __init__(self, ask: Ask, *, clock: Callable[[], float] = time.monotonic, hang_s: float = HANG_S) -> None:
        self._ask, self._clock, self._hang_s = ask, clock, hang_s
        self._waiting: deque[tuple[Query, float, Future[Recommendation]]] = deque()
        self._changed = threading.Condition()
        self._turn = 0
        self._began: float | None = None
        self._threads = 0
        self._closed = False
        self._start()

    def submit(self, query: Query, *, end: float) -> Future[Recommendation] | None:
        """The answer to come; None where too many wait, or every thread hangs. `end`: when nobody waits for it any more."""
        with self._changed:
            if self._began is not None and self._clock() - self._began > self._hang_s:
                if self._threads >= MOST_THREADS:
                    return None
                self._start()
            if len(self._waiting) >= ROOM or self._closed:
                return None
            future: Future[Recommendation] = Future()
            self._waiting.append((query, end, future))
            self._changed.notify()
            return future

    @property
    def waiting(self) -> int:
        """Requests that nobody has begun with."""
        return len(self._waiting)

    def close(self) -> None:
        """Take no more requests; what waits is still answered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        """A thread whose turn it is from now on; the one before ends with the call that it is in."""
        self._turn += 1
        self._threads += 1
        self._began = None
        threading.Thread(target=self._run, args=(self._turn,), name=f"model-{self._turn}", daemon=True).start()

    def _run(self, turn: int) -> None:
        while some := self._next(turn):
            queries = [query for query, _ in some]
            try:
                found = self._ask(queries)
                if len(found) != len(queries):
                    raise RuntimeError(f"The model gave {len(found)} answers to {len(queries)} requests.")
                for (_, future), answer in zip(some, found, strict=True):
                    future.set_result(answer)
            except Exception as problem:  # whatever a model does wrong is for the caller to see
                for _, future in some:
                    if not future.done():
                        future.set_exception(problem)
        with self._changed:
            self._threads -= 1

    def _next(self, turn: int) -> list[tuple[Query, Future[Recommendation]]]:
        """The requests to ask next, without those that nobody waits for; empty where the turn or the work is over."""
        with self._changed:
            if turn == self._turn:
                self._began = None
            while turn == self._turn:
                some: list[tuple[Query, Future[Recommendation]]] = []
                while self._waiting and len(some) < AT_ONCE:
                    query, end, future = self._waiting.popleft()
                    if not future.set_running_or_notify_cancel():
                        continue
                    if end > self._clock():
                        some.append((query, future))
                    else:
                        future.set_exception(TimeoutError("Nobody waits for this any more."))
                if some:
                    self._began = self._clock()
                    return some
                if self._closed:
                    return []
                self._changed.wait()
            return []
