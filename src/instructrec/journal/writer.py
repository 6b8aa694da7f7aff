"""The one thread that writes: it commits what many wait for together, and answers only what is on disk."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from instructrec.errors import BusyError, StoreError
from instructrec.journal import failpoints
from instructrec.journal.events import Event
from instructrec.journal.records import Shown, Stored, Verdict
from instructrec.journal.store import Store

T = TypeVar("T")
Listener: TypeAlias = Callable[[list[Stored]], None]

MOST_EVENTS_OF_A_COMMIT: Final = 512
LONGEST_WAIT_S: Final = 0.005
"""How long a commit waits for more where the one before was for several."""
SHORT_PAUSE_S: Final = 0.0005
"""A commit does not wait for more when nothing came for so long, where the one before was for a single one."""
MOST_QUEUED_BYTES: Final = 32 << 20
RETRY_AFTER_S: Final = 1.0
_BYTES_OF_AN_EVENT: Final = 400
_BYTES_OF_A_CALL: Final = 1_000


@dataclass(slots=True)
class _Task:
    """Something to be written, and the future of who waits for it. `call` is work of its own, between two commits."""

    size: int
    future: Future[Any]
    rows: list[tuple[str, Event]] = field(default_factory=list)
    shown: list[tuple[str, Shown]] = field(default_factory=list)
    call: Callable[[Store], Any] | None = None


class Writer:
    """Writes to a store from one thread, at most 512 events or 5 ms a commit (a larger submission is one commit).

    A future resolves after the commit that holds its events is on disk and after every listener has seen the new ones, so a
    reader that asks behind an acknowledgement sees them. When a commit, its fsync or a listener fails, nothing is acknowledged
    any more and `failed` says why: the futures that wait and all later calls raise StoreError. Delivering again after a restart
    is safe.
    """

    def __init__(self, store: Store, *, most_queued_bytes: int = MOST_QUEUED_BYTES) -> None:
        self._store = store
        self._most = most_queued_bytes
        self._queued = 0
        self._failed = ""
        self._closing = False
        self._crowded = False
        self._listeners: list[Listener] = []
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @property
    def failed(self) -> str:
        """Why nothing is acknowledged any more; empty as long as all is well."""
        return self._failed or self._store.failed

    @property
    def queued_bytes(self) -> int:
        """About how many bytes wait to be written."""
        return self._queued

    def on_commit(self, listener: Listener) -> None:
        """Have `listener` called in the writing thread with the new events of each commit, before anybody is told of them."""
        self._listeners.append(listener)

    def submit(self, tenant: str, events: Sequence[Event]) -> Future[list[Verdict]]:
        """Have events appended. The future gives a verdict each when they are on disk.

        Raises BusyError, before anything is taken, when too many bytes wait; StoreError when the writer has failed or is closed.
        """
        size = sum(map(_size_of, events))
        return self._put(_Task(size, Future(), rows=[(tenant, event) for event in events]))

    def show(self, tenant: str, shown: Sequence[Shown]) -> Future[list[Verdict]]:
        """Have shown lists kept, with the next commit; one whose id is there already stays as it is. The future gives an empty
        list.
        """
        size = sum(_BYTES_OF_AN_EVENT + sum(map(len, row.items)) + len(str(row.request)) for row in shown)
        return self._put(_Task(size, Future(), shown=[(tenant, row) for row in shown]))

    def run(self, work: Callable[[Store], T]) -> Future[T]:
        """Have something else done by the writing thread, behind everything that was submitted before and ahead of what comes later
        (an erasure, new items). The future gives its result or its exception.
        """
        return self._put(_Task(_BYTES_OF_A_CALL, Future(), call=work))

    def close(self, timeout_s: float | None = None) -> None:
        """Write what waits, then end the thread. The store stays open."""
        with self._gate:
            if not self._closing:
                self._closing = True
                self._tasks.put(None)
        self._thread.join(timeout_s)

    def _put(self, task: _Task) -> Future[Any]:
        with self._gate:
            if self._closing:
                raise StoreError("The journal is being closed and takes nothing more. Send it again after the restart.")
            if self.failed:
                raise self._failure()
            if self._queued and self._queued + task.size > self._most:
                raise BusyError(
                    f"{self._queued} bytes wait to be written, more are not taken. Send it again after {RETRY_AFTER_S:g} s.",
                    retry_after_s=RETRY_AFTER_S,
                )
            self._queued += task.size
            self._tasks.put(task)
        return task.future

    def _run(self) -> None:
        left: _Task | None = None
        while True:
            first = left or self._tasks.get()
            left = None
            if first is None:
                return
            if first.call is not None:
                self._settle([first], self._call)
                continue
            group, left, last = self._gather(first)
            self._crowded = len(group) > 1
            self._settle(group, self._commit)
            if last:
                return

    def _gather(self, first: _Task) -> tuple[list[_Task], _Task | None, bool]:
        """What is committed with the first task, the task that comes after (if it was taken), and whether the writer is closed."""
        failpoints.reach("writer-took")
        group, count = [first], len(first.rows)
        if self._crowded and count < MOST_EVENTS_OF_A_COMMIT:
            # One long sleep, not a short one an event: each time that this thread wakes it takes a turn from those that serve.
            time.sleep(LONGEST_WAIT_S)
        while count < MOST_EVENTS_OF_A_COMMIT:
            try:
                task = self._tasks.get(block=not self._crowded, timeout=SHORT_PAUSE_S)
            except queue.Empty:
                break
            if task is None:
                return group, None, True
            if task.call is not None or count + len(task.rows) > MOST_EVENTS_OF_A_COMMIT:
                return group, task, False
            group.append(task)
            count += len(task.rows)
        return group, None, False

    def _settle(self, group: list[_Task], work: Callable[[list[_Task]], None]) -> None:
        """Do the work of a group unless the writer has failed, and let nobody wait for ever."""
        try:
            work(group)
        except BaseException as error:
            for task in group:
                if not task.future.done():
                    task.future.set_exception(error)
        finally:
            with self._gate:
                self._queued -= sum(task.size for task in group)

    def _call(self, group: list[_Task]) -> None:
        (task,) = group
        if self.failed:
            raise self._failure()
        assert task.call is not None
        task.future.set_result(task.call(self._store))

    def _commit(self, group: list[_Task]) -> None:
        if self.failed:
            raise self._failure()
        received = time.time()
        rows = [row for task in group for row in task.rows]
        try:
            verdicts = self._store.append(rows, received=received, shown=[row for task in group for row in task.shown])
        except Exception:
            if self.failed or len(group) == 1:
                raise
            # Something in the group cannot be written, and the disk is well: the others are not to suffer from it.
            for task in group:
                self._settle_alone(task)
            return
        self._tell(rows, verdicts, received)
        _resolve(group, verdicts)

    def _settle_alone(self, task: _Task) -> None:
        try:
            self._commit([task])
        except Exception as error:
            if not task.future.done():
                task.future.set_exception(error)

    def _tell(self, rows: list[tuple[str, Event]], verdicts: list[Verdict], received: float) -> None:
        new = [
            Stored(verdict.seq, tenant, event, received)
            for (tenant, event), verdict in zip(rows, verdicts, strict=True)
            if verdict.fate == "stored"
        ]
        try:
            for listener in self._listeners if new else ():
                listener(new)
        except Exception as error:
            self._failed = f"Events were written, but what reads them failed on them ({type(error).__name__}: {error})."
            raise self._failure() from error
        failpoints.reach("writer-told")

    def _failure(self) -> StoreError:
        return StoreError(
            f"The journal takes nothing more. {self.failed} See to the cause, start again, and send again "
            "what was not acknowledged."
        )


def _resolve(group: list[_Task], verdicts: list[Verdict]) -> None:
    place = 0
    for task in group:
        mine = verdicts[place : place + len(task.rows)]
        place += len(task.rows)
        if task.future.set_running_or_notify_cancel():
            task.future.set_result(mine)
    failpoints.reach("writer-resolved")


def _size_of(event: Event) -> int:
    """About how many bytes an event is in the queue."""
    properties = sum(len(name) + len(str(value)) for name, value in event.properties.items())
    return _BYTES_OF_AN_EVENT + len(event.text or "") + properties
