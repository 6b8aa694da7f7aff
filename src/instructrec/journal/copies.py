"""A copy of the journal while it serves, and whether all of it is what was written."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import select, text

from instructrec.errors import StoreError
from instructrec.journal import failpoints, opening
from instructrec.journal.appending import is_whole
from instructrec.journal.database import Database
from instructrec.journal.schema import events

_MOST_PROBLEMS = 100


def backup(database: Database, path: Path) -> int:
    """Write a copy of a SQLite journal as of now into a new file, whole or not at all; gives its bytes.

    Writers go on meanwhile: one step reads one state of the log. The copy is a journal itself: serve it to restore. An erasure
    after the copy is not in it: erase again after a restore.
    """
    if not database.is_sqlite:
        raise StoreError(
            f"{opening.shown(database.address)} is copied by PostgreSQL's own tools. Run pg_dump (or pg_basebackup) against it."
        )
    if path.exists():
        raise StoreError(f"{path} exists already. Give the name of a new file.")
    building = path.with_name(f".{path.name}-{secrets.token_hex(6)}")
    source = f"{Path(database.address.database or '').absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(source, uri=True)) as live, closing(sqlite3.connect(building)) as copy:
            live.execute("PRAGMA wal_autocheckpoint = 0")
            live.backup(copy, pages=-1)
            _check_copy(copy, building)
        _sync(building)
        failpoints.reach("backup-copied")
        building.rename(path)
        _sync(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"The copy {path} could not be written: {error}. Nothing was left of it; choose another place.") from error
    finally:
        for left in (building, Path(f"{building}-wal"), Path(f"{building}-shm"), Path(f"{building}-journal")):
            left.unlink(missing_ok=True)
    return path.stat().st_size


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
