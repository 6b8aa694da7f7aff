"""What a run was made of and what its journal says since, as one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from instructrec.core import Progress, Silent
from instructrec.data import Loaded
from instructrec.data.extending import Row, extended
from instructrec.data.items import kept_item, with_items
from instructrec.data.raw import Note
from instructrec.data.report import CleaningReport, CleaningStep
from instructrec.data.split import utc
from instructrec.errors import DataError
from instructrec.journal import session_key, user_key
from instructrec.journal.records import EVERYBODY, Stored
from instructrec.journal.state import PersonState, is_meeting
from instructrec.runs import Run
from instructrec.tables import BoolArray, Dataset, UserId

if TYPE_CHECKING:
    from instructrec.journal.store import Store

IDLE = ("impression", "text")
"""Types of events that say nothing of what people chose."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Data of a run and of its journal.

    `times`: of the meetings in the journal, int64 seconds since 1970, sorted; `num_events`: events that were read, `num_people`: of
    how many; `new_items`: those that the catalog of the run did not have.
    """

    loaded: Loaded
    times: np.ndarray[tuple[int], np.dtype[np.int64]]
    num_events: int
    num_people: int
    new_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    """What the journal says of somebody: meetings that count, those that were undone (item, second), and what they dislike."""

    key: str
    num_events: int
    rows: tuple[Row, ...]
    undone: frozenset[tuple[str, int]]
    rejected: frozenset[str]


def gather(run: Run, store: Store, *, tenant: str, until: int, progress: Progress = Silent()) -> Gathered:
    """The interactions of a run with those that the journal holds up to event number `until`, about the items as they are now.

    A meeting with an item counts as in the histories that are served (`journal.state`): not what was undone or turned out to be
    disliked, wherever it stood. What an erased person did is dropped from the data of the run, too. A session is a person whose
    user id is its key, unless there are users whose ids look like that. Raises DataError where nothing counts.
    """
    catalog = with_items(run.catalog, [kept_item(row.body) for row in store.items(EVERYBODY)])
    old = run.with_catalog(catalog).dataset
    people = _people(store, tenant, until, progress)
    num_events = sum(person.num_events for person in people)
    notes, people, as_sessions = _sessions(run, old, people)
    erased = store.erasures(tenant, [*(_key_of(user, as_sessions) for user in old.interactions.user_ids), *(p.key for p in people)])
    kept, steps = _still_true(old, people, erased, as_sessions)
    rows = [row for person in people for row in person.rows if row.time > erased.get(person.key, -np.inf)]
    times = np.sort(np.array([row.time for row in rows if row.item in catalog.index], dtype=np.int64))
    if not len(times):
        raise DataError(
            f"The journal has no interaction to learn from: {num_events:,} events of tenant '{tenant}' were read, and none of them "
            "is a view, click, like, purchase or good rating of an item of the catalog that still counts. Serve the run and record "
            "what people do, or name another --tenant or --database."
        )
    dataset, more = extended(kept, rows, run.config.cleaning)
    facts = {"events": f"{num_events:,}", "people": f"{len(people):,}", "count": f"{len(rows):,}"}
    notes = (
        Note("parent", {"version": run.version, "count": f"{len(old.interactions):,}"}),
        Note("journal", facts | {"first": utc(int(times[0])), "last": utc(int(times[-1]))}),
        *notes,
    )
    return Gathered(
        loaded=Loaded(dataset=dataset, report=_report(dataset, notes, (*steps, *more), num_read=len(old.interactions) + len(rows))),
        times=times,
        num_events=num_events,
        num_people=len(people),
        new_items=len(catalog) - len(run.catalog),
    )


def _report(dataset: Dataset, notes: tuple[Note, ...], steps: tuple[CleaningStep, ...], *, num_read: int) -> CleaningReport:
    return CleaningReport(
        source=dataset.name,
        notes=notes,
        steps=steps,
        num_read=num_read,
        num_users=len(dataset.interactions.user_ids),
        num_items=len(dataset.catalog),
        num_interactions=len(dataset.interactions),
    )


def _people(store: Store, tenant: str, until: int, progress: Progress) -> list[_Person]:
    progress.stage("read journal", total=until)
    found, done = [], 0
    for key, events in store.by_person(tenant, until, without=IDLE):
        found.append(_person(key, events))
        done += len(events)
        progress.step(done)
    progress.step(until)
    return found


def _person(key: str, events: Sequence[Stored]) -> _Person:
    # Of the time that a state is asked for nothing depends that is used here.
    state = PersonState.of(events, now=0.0)
    met = [row.event for row in events if is_meeting(row.event)]
    valid = [event for event in met if event.event_id not in state.undone and event.item_id not in state.rejected]
    user = key.removeprefix(user_key(""))
    return _Person(
        key=key,
        num_events=len(events),
        rows=tuple(Row(user, str(one.item_id), int(one.time), state.rating.get(str(one.item_id), np.nan)) for one in valid),
        undone=frozenset((str(event.item_id), int(event.time)) for event in met if event.event_id in state.undone),
        rejected=state.rejected,
    )


def _sessions(run: Run, old: Dataset, people: list[_Person]) -> tuple[tuple[Note, ...], list[_Person], bool]:
    """What is said of sessions, who counts, and whether ids that look like a session's are one's."""
    mark = session_key("")
    # In the data of a run that was retrained sessions stand already.
    stored = "retrained" not in run.report and any(user.startswith(mark) for user in old.interactions.user_ids)
    mixed = stored or any(person.key.startswith(user_key(mark)) for person in people)
    count = sum(person.key.startswith(mark) for person in people)
    notes = (Note("sessions_left_out" if mixed else "sessions", {"count": f"{count:,}"}),) if count else ()
    return notes, [person for person in people if not (mixed and person.key.startswith(mark))], not mixed


def _key_of(user: UserId, as_sessions: bool) -> str:
    """The key under which the journal keeps a user of the data."""
    return user if as_sessions and user.startswith(session_key("")) else user_key(user)


def _still_true(
    old: Dataset, people: Sequence[_Person], erased: Mapping[str, float], as_sessions: bool
) -> tuple[Dataset, tuple[CleaningStep, ...]]:
    """The data of the run without erased people, and without what the journal says otherwise or again."""
    log, ids = old.interactions, old.catalog.item_ids
    gone: BoolArray = np.zeros(len(log), dtype=np.bool_)
    for code, user in enumerate(log.user_ids):
        here = slice(log.offsets[code], log.offsets[code + 1])
        gone[here] = log.timestamps[here] <= erased.get(_key_of(user, as_sessions), -np.inf)
    back: BoolArray = np.zeros(len(log), dtype=np.bool_)
    by_key = {person.key: person for person in people}
    for code, user in enumerate(log.user_ids):
        person = by_key.get(_key_of(user, as_sessions))
        if person is None:
            continue
        settled = person.undone | {(row.item, row.time) for row in person.rows}
        for place in range(log.offsets[code], log.offsets[code + 1]):
            item = ids[log.items[place]]
            back[place] = item in person.rejected or (item, int(log.timestamps[place])) in settled
    back &= ~gone
    steps = [
        CleaningStep(name=name, before=len(log), after=len(log) - int(rows.sum()))
        for name, rows in (("erased", gone), ("taken_back", back))
        if rows.any()
    ]
    return old.with_interactions(log.keep(~(gone | back))), tuple(steps)
