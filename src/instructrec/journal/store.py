"""The journal: what people did, in the order in which it was written; items, users, shown lists and keys beside it; all by
tenant.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import JSON, cast, select, tuple_, type_coerce

from instructrec.errors import DataError
from instructrec.journal import appending, copies, failpoints, people, schema, trials
from instructrec.journal.appending import Delivery
from instructrec.journal.database import Database
from instructrec.journal.events import checked
from instructrec.journal.keys import Keys
from instructrec.journal.records import Deed, Shown, Stored, StoredItem, StoredUser, Verdict
from instructrec.journal.schema import events, items, meta, users
from instructrec.journal.trials import Trials
from instructrec.plain import UNSTORABLE_TEXT, is_id

MOST_TENANT_CHARACTERS = 64


class Store:
    """One journal, open. Reading is safe from any thread; writers wait for each other. `keys` and `trials` hold what their names
    say.

    Every method raises StoreError where the database cannot be read or written; after a failed write nothing is written any more
    and `failed` says why.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.keys = Keys(database)
        self.trials = Trials(database)
        with database.reading() as connection:
            secret = connection.execute(select(meta.c.value).where(meta.c.name == "secret")).scalar_one()
        self._secret = bytes.fromhex(secret)

    @classmethod
    def open(cls, url: str | Path, *, read_only: bool = False) -> Store:
        """Open the journal at "sqlite:///FILE" (or a path), or "postgresql://...", made and brought to the newest schema if need
        be.

        A SQLite file is written by one process at a time; others open it with `read_only`. Raises StoreError for what cannot be
        opened: an unreadable or foreign database, a newer schema, a second writer, a server whose commits are not on disk.
        """
        database = Database.open(url, read_only=read_only)
        try:
            return cls(database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def failed(self) -> str:
        """Why nothing is written any more; empty as long as all is well."""
        return self._database.failed

    # Events

    def append(
        self, rows: Sequence[Delivery], *, received: float | None = None, shown: Sequence[tuple[str, Shown]] = ()
    ) -> list[Verdict]:
        """Append events (tenant, event), each once whatever is delivered how often; when it returns they are on disk. A verdict a
        row.

        `received`: when they came, in seconds since 1970 (none: now); `shown`: lists to keep in the same transaction.
        """
        with self._database.writing() as connection:
            failpoints.reach("append-begun")
            verdicts = appending.append(
                self._database, connection, self._secret, rows, schema.now() if received is None else received
            )
            trials.write_shown(self._database, connection, shown)
            failpoints.reach("append-written")
        failpoints.reach("append-committed")
        return verdicts

    def events_of(self, tenant: str, person: str, after: int = 0) -> list[Stored]:
        """The events of a person (`user_key`, `session_key`) with seq > `after`, in the order of seq."""
        here = (events.c.tenant == tenant) & (events.c.person == person) & (events.c.seq > after)
        with self._database.reading() as connection:
            return [appending.stored(row) for row in connection.execute(select(events).where(here).order_by(events.c.seq))]

    def events_of_each(self, tenant: str, names: Iterable[str]) -> Iterator[tuple[str, list[Stored]]]:
        """Many people, each once, with their events as `events_of` gives them; read in pieces, so that few are held at a time."""
        for piece in appending.in_pieces(names):
            found: dict[str, list[Stored]] = {name: [] for name in piece}
            here = (events.c.tenant == tenant) & events.c.person.in_(piece)
            with self._database.reading() as connection:
                for row in connection.execute(select(events).where(here).order_by(events.c.seq)):
                    found[row.person].append(appending.stored(row))
            yield from found.items()

    def events_after(self, seq: int, limit: int, tenant: str | None = None) -> list[Stored]:
        """At most `limit` events with a larger seq, of one tenant or all, in the order of seq: what a relay or a replay reads.

        None is skipped for good: a smaller seq is never committed after a larger one.
        """
        query = select(events).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
        if tenant is not None:
            query = query.where(events.c.tenant == tenant)
        with self._database.reading() as connection:
            return [appending.stored(row) for row in connection.execute(query)]

    def by_person(
        self, tenant: str | None, until: int, *, without: Sequence[str] = (), at_once: int = 2_000
    ) -> Iterator[tuple[str, list[Stored]]]:
        """Everybody of a tenant, or of all, with their events up to seq `until`, without some types, in the order of seq: what a
        model is trained on, or a replay reads. A person of two tenants is two.

        Read in pieces of `at_once` events, between which no reader is held. Who is erased meanwhile may be there in part.
        """
        order = (events.c.person, events.c.tenant, events.c.seq)
        query = select(events).where((events.c.seq <= until) & events.c.type.not_in(without)).order_by(*order).limit(at_once)
        if tenant is not None:
            query = query.where(events.c.tenant == tenant)
        place, rows = ("", "", 0), list[Stored]()
        while True:
            with self._database.reading() as connection:
                found = connection.execute(query.where(tuple_(*order) > tuple_(*place))).all()
            for row in map(appending.stored, found):
                if rows and (rows[0].event.person, rows[0].tenant) != (row.event.person, row.tenant):
                    yield rows[0].event.person, rows
                    rows = []
                rows.append(row)
            if len(found) < at_once:
                break
            place = (found[-1].person, found[-1].tenant, found[-1].seq)
        if rows:
            yield rows[0].event.person, rows

    def deeds_after(self, seq: int, types: Sequence[str]) -> Iterator[Deed]:
        """Who did what with a larger seq, of some types, in the order of seq; several times as quick as whole events, and without a
        look at their hashes.
        """
        columns = events.c
        body = type_coerce(columns.body, JSON) if self._database.is_sqlite else cast(columns.body, JSON)
        about = (body["item_id"].as_string(), body["value"].as_float(), body["time"].as_float(), body["undoes"].as_string())
        said = (columns.tenant, columns.event_id, columns.person, columns.type, *about, columns.received)
        query = select(*said).where((columns.seq > seq) & columns.type.in_(types)).order_by(columns.seq)
        with self._database.reading() as connection:
            yield from map(Deed._make, connection.execute(query))

    def last_seq(self) -> int:
        """The seq of the newest event that is on disk; 0 for an empty journal."""
        with self._database.reading() as connection:
            return schema.last_number(connection, "events")

    # Items and users

    def put_items(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Keep items, JSON objects with an `item_id` (also `hidden`, default false, and `available`, default true), in place of
        older ones; of two rows with one id the last holds. Gives the number of the change. Raises DataError for a row without a
        good id.
        """
        with self._database.writing() as connection:
            version = schema.next_numbers(connection, "versions", 1) + 1
            found = {
                name: {
                    "tenant": tenant,
                    "item_id": name,
                    "body": checked(row, f"Item '{name}'"),
                    "hidden": bool(row.get("hidden", False)),
                    "available": bool(row.get("available", True)),
                    "version": version,
                }
                for row in rows
                if (name := _named(row, "item_id"))
            }
            self._database.upsert(connection, items, list(found.values()))
        return version

    def items(self, tenant: str, after: int = 0) -> list[StoredItem]:
        """The items of a tenant, hidden ones too, that were put by a change with a number larger than `after`; in order of id."""
        query = select(items).where((items.c.tenant == tenant) & (items.c.version > after)).order_by(items.c.item_id)
        with self._database.reading() as connection:
            return [
                StoredItem(row.item_id, json.loads(row.body), row.hidden, row.available, row.version)
                for row in connection.execute(query)
            ]

    def put_users(self, tenant: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Keep profiles, JSON objects with a `user_id`, `attributes` (an object) and `text`, in place of older ones; as
        `put_items`.
        """
        with self._database.writing() as connection:
            version = schema.next_numbers(connection, "versions", 1) + 1
            found = {
                name: {
                    "tenant": tenant,
                    "user_id": name,
                    "attributes": checked(row.get("attributes") or {}, f"'attributes' of user '{name}'"),
                    "text": _words(row, name),
                    "version": version,
                }
                for row in rows
                if (name := _named(row, "user_id"))
            }
            self._database.upsert(connection, users, list(found.values()))
        return version

    def users(self, tenant: str, after: int = 0) -> list[StoredUser]:
        """The profiles of a tenant that were put by a change with a number larger than `after`, in order of id."""
        query = select(users).where((users.c.tenant == tenant) & (users.c.version > after)).order_by(users.c.user_id)
        with self._database.reading() as connection:
            return [_user_of(row) for row in connection.execute(query)]

    def user(self, tenant: str, user_id: str) -> StoredUser | None:
        """The profile of one user, if there is one."""
        here = (users.c.tenant == tenant) & (users.c.user_id == user_id)
        with self._database.reading() as connection:
            row = connection.execute(select(users).where(here)).first()
        return None if row is None else _user_of(row)

    # One person

    def export_person(self, tenant: str, person: str) -> Iterator[str]:
        """Everything that is kept of a person, and of nobody else, one JSON object a line with its `kind`: profile, event, shown or
        assignment.
        """
        with self._database.reading() as connection:
            # All at once: a slow receiver is not to hold a reader, which would keep an erasure from emptying the log.
            return iter(list(people.lines(connection, tenant, person)))

    def erase_person(self, tenant: str, person: str, at: float | None = None) -> dict[str, int]:
        """Delete everything of a person and leave marks that name nobody; gives how many rows of each table went.

        Redelivered events of theirs are refused from then on, and so are late ones that are not newer than `at` (seconds since
        1970; none: now); newer ones are taken, so a person can come back. A session is a person of its own: erase the sessions
        that are theirs, too. SQLite overwrites the deleted bytes and empties its log; PostgreSQL does so by its own vacuum and
        log rotation.
        """
        return people.erase(self._database, self._secret, tenant, person, schema.now() if at is None else at)

    def erasures(self, tenant: str, persons: Iterable[str]) -> dict[str, float]:
        """Which of these persons were erased, and up to when what they did is to be forgotten (seconds since 1970)."""
        with self._database.reading() as connection:
            return people.erasures(connection, self._secret, tenant, persons)

    # The whole

    def backup(self, path: str | Path) -> int:
        """Copy a SQLite journal, as it is now, into a new file while it serves; gives the bytes of the copy, which is a journal
        itself. Erasures after the copy are not in it: erase again after a restore. Raises StoreError for PostgreSQL, which has
        pg_dump.
        """
        return copies.backup(self._database, Path(path))

    def content_hash(self) -> str:
        """The sha256 (64 hexadecimal digits) of all that a journal holds that nobody writes to; equal for it and its copies."""
        return copies.content_hash(self._database)

    @property
    def file(self) -> Path | None:
        """The file of a SQLite journal."""
        return self._database.file

    def integrity(self) -> list[str]:
        """What is wrong with the journal, in words; empty for a sound one. Reads all of it, each event against its hash."""
        return copies.integrity(self._database)


def _named(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not is_id(value):
        raise DataError(f"'{name}' is {value!r:.80}, but must be a string of 1 to 256 characters without control characters.")
    return str(value)


def _words(row: Mapping[str, Any], name: str) -> str:
    text = str(row.get("text") or "")
    if UNSTORABLE_TEXT.search(text):
        raise DataError(f"'text' of user '{name}' holds a control character or half of a surrogate pair. Leave that out.")
    return text


def _user_of(row: Any) -> StoredUser:
    return StoredUser(row.user_id, json.loads(row.attributes), row.text, row.version)
