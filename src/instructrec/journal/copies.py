"""A copy of the journal while it serves, the journal of a copy, and whether all of it is what was written."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from instructrec.errors import StoreError
from instructrec.journal import failpoints, opening
from instructrec.journal.appending import is_whole
from instructrec.journal.database import Database
from instructrec.journal.schema import events, metadata

_MOST_PROBLEMS = 100
ELSEWHERE = (
    "PostgreSQL is copied and restored by its own tools: run pg_dump (or pg_basebackup), and pg_restore, against the database."
)


@dataclass(frozen=True, slots=True)
class Sound:
    """What a journal holds of which every event is what was written: events, bytes of the file, and its content hash."""

    events: int
    size: int
    content_hash: str


def backup(database: Database, path: Path) -> int:
    """Write a copy of a SQLite journal as of now into a new file, whole or not at all; gives its bytes.

    Writers go on meanwhile: one step reads one state of the log. The copy is a journal itself: serve it to restore. An erasure
    after the copy is not in it: erase again after a restore.
    """
    if database.file is None:
        raise StoreError(ELSEWHERE)
    if path.exists():
        raise StoreError(f"{path} exists already. Give the name of a new file.")
    with _copied(database.file, path) as building:
        failpoints.reach("backup-copied")
        building.rename(path)
        _sync(path.parent)
    return path.stat().st_size


def restore(url: str | Path, copy: Path) -> tuple[Sound, Path | None]:
    """Put what a copy holds in the place of the SQLite journal at `url`, whole or not at all, while no service runs on it.

    The copy is read event by event, and so is what was written of it; both must have one content hash. What was there before is
    kept beside it, under the name that is given back (None: there was nothing). Raises StoreError for a copy that is not sound or
    of an older schema, a journal that somebody writes to, and PostgreSQL.
    """
    address = opening.parsed(url)
    if address.get_backend_name() != "sqlite":
        raise StoreError(ELSEWHERE)
    path = Path(address.database or "")
    if path.exists() and copy.exists() and path.samefile(copy):
        raise StoreError(f"{copy} is the journal itself. Give a copy of it.")
    wanted = look_over(copy)
    lock = opening.WriterLock(path)
    try:
        with _copied(copy, path) as building:
            found = look_over(building)
            if found.content_hash != wanted.content_hash:
                raise StoreError(f"What was written of {copy} is not what it holds. Nothing was changed; check the disk.")
            aside = _set_aside(path)
            failpoints.reach("restore-aside")
            building.replace(path)
            _sync(path.parent)
    finally:
        lock.release()
    return found, aside


def look_over(path: Path) -> Sound:
    """What the journal in a file holds that nobody writes to. Raises StoreError where one event of it is not what was written."""
    database = Database.open(path, read_only=True)
    try:
        problems = integrity(database)
        if problems:
            raise StoreError(f"{path} is not sound: {problems[0]} ({len(problems)} such findings). Use another copy.")
        with database.reading() as connection:
            count = connection.execute(select(func.count()).select_from(events)).scalar_one()
        return Sound(int(count), path.stat().st_size, content_hash(database))
    finally:
        database.close()


def content_hash(database: Database) -> str:
    """The sha256 (64 hexadecimal digits) of every row of every table of a journal that nobody writes to: equal for a journal and
    its copies, whatever their files look like.
    """
    digest = hashlib.sha256()
    with database.reading() as connection:
        for table in metadata.sorted_tables:
            digest.update(f"{table.name}:".encode())
            query = select(table).order_by(*table.primary_key).execution_options(yield_per=2_000)
            for row in connection.execute(query):
                digest.update(repr(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)).encode())
    return digest.hexdigest()


def integrity(database: Database) -> list[str]:
    """What is wrong with the journal, in words; nothing for a sound one. Reads all of it, each event against its hash."""
    problems: list[str] = []
    with database.reading() as connection:
        if database.is_sqlite:
            said = connection.execute(text("PRAGMA integrity_check")).scalars().all()
            problems += [f"SQLite: {line}" for line in said if line != "ok"]
        after = 0
        query = select(events).order_by(events.c.seq).limit(2_000)
        while rows := connection.execute(query.where(events.c.seq > after)).all():
            problems += [f"Event number {row.seq} is not what was written." for row in rows if not is_whole(row)]
            after = rows[-1].seq
            if len(problems) >= _MOST_PROBLEMS:
                break
    return problems[:_MOST_PROBLEMS]


@contextlib.contextmanager
def _copied(source: Path, path: Path) -> Iterator[Path]:
    """A copy of a SQLite journal as of now in a hidden file beside `path`, on disk; gone when the block ends, unless it was moved.

    Raises StoreError where something cannot be read or written, and where the copy is no sound database.
    """
    building = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    try:
        address = f"{source.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as live, closing(sqlite3.connect(building)) as copy:
            live.execute("PRAGMA wal_autocheckpoint = 0")
            live.backup(copy, pages=-1)
            _check_copy(copy, building)
        _sync(building)
        yield building
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The copy {path} could not be written: {error}. Nothing was left of it; choose another place.") from error
    finally:
        for left in (building, Path(f"{building}-wal"), Path(f"{building}-shm"), Path(f"{building}-journal")):
            left.unlink(missing_ok=True)


def _set_aside(path: Path) -> Path | None:
    """Give a journal and its log a second name, under which both stay; the log is taken from the first, as the next journal of that
    name must not find it. That name itself stands until the new file takes it.
    """
    names = (path.with_name(f"{path.name}.before-restore{number or ''}") for number in itertools.count())
    aside = next(name for name in names if not name.exists())
    for end in ("", "-wal"):
        if Path(f"{path}{end}").exists():
            _second_name(Path(f"{path}{end}"), Path(f"{aside}{end}"))
    _sync(path.parent)
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    return aside if aside.exists() else None


def _second_name(path: Path, other: Path) -> None:
    try:
        os.link(path, other)
    except OSError:  # a disk that knows no second names
        shutil.copyfile(path, other)
        _sync(other)


def _check_copy(copy: sqlite3.Connection, place: Path) -> None:
    # A copy stands alone: without a log beside it.
    copy.execute("PRAGMA journal_mode = DELETE")
    found = copy.execute("PRAGMA quick_check").fetchone()[0]
    if found != "ok":
        raise StoreError(f"The copy {place} is not sound ({found}), so the journal is not either. Check the disk.")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
