"""One database with one writing connection and several reading ones, which fails closed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from instructrec.errors import StoreError
from instructrec.journal import opening, schema


class Database:
    """Transactions. After a failed write nothing is written any more: what the disk holds is then not known, and `failed` says
    why.
    """

    def __init__(self, address: URL, reader: Engine, writer: Engine | None, lock: opening.WriterLock | None) -> None:
        self.address = address
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self.failed = ""
        self._reader, self._writer, self._lock = reader, writer, lock
        self._turn = threading.Lock()

    @classmethod
    def open(cls, url: str | Path, *, read_only: bool = False) -> Database:
        """Open and bring to the newest schema. Raises StoreError with what is wrong: address, driver, rights, schema, another
        writer.
        """
        address = opening.parsed(url)
        if read_only:
            return cls._open_to_read(address)
        lock = opening.WriterLock(Path(address.database or "")) if address.get_backend_name() == "sqlite" else None
        try:
            writer = opening.writing_engine(address)
            try:
                opening.prepare(writer, address)
            except BaseException:
                writer.dispose()
                raise
        except BaseException:
            if lock:
                lock.release()
            raise
        return cls(address, opening.reading_engine(address), writer, lock)

    @classmethod
    def _open_to_read(cls, address: URL) -> Database:
        reader = opening.reading_engine(address)
        try:
            with reader.connect() as connection:
                schema.check_is_current(connection)
        except DBAPIError as error:
            reader.dispose()
            raise opening.unreadable(address, error) from error
        except BaseException:
            reader.dispose()
            raise
        return cls(address, reader, None, None)

    def close(self) -> None:
        """Close the readers, then the writer, which then moves its log into the file."""
        with self._turn:
            self.failed = self.failed or "It was closed."
            self._reader.dispose()
            if self._writer:
                self._writer.dispose()
            if self._lock:
                self._lock.release()
                self._lock = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees what is committed. Raises StoreError where the database cannot be read."""
        try:
            with self._reader.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(f"{opening.shown(self.address)} cannot be read: {error.orig}.") from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, on disk when the block has ended; an error inside takes it back. Raises StoreError."""
        with self._turn:
            try:
                with self._open_writer().begin() as connection:
                    yield connection
            except (DataError, IntegrityError, ProgrammingError) as error:
                # The database took the transaction back because of what was to be written; the disk is well.
                raise StoreError(f"{opening.shown(self.address)} refused what was to be written: {error.orig}.") from error
            except DBAPIError as error:
                self.failed = f"A write failed: {error.orig}."
                raise self._failure() from error

    def purge_log(self) -> None:
        """SQLite: move the whole write-ahead log into the file and empty it, so that nothing that was deleted stays there."""
        if not self.is_sqlite:
            return
        with self._turn:
            raw = self._open_writer().raw_connection()
            try:
                busy, _, _ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                raw.close()
        if busy:
            raise StoreError(
                "It is deleted, but a reader keeps the log of the database from being emptied. End it and erase once more."
            )

    def upsert(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; where the primary key is taken the other columns are replaced."""
        if not rows:
            return
        statement = (sqlite.insert if self.is_sqlite else postgresql.insert)(table)
        changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed), list(rows))

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; where the primary key is taken the old row stays."""
        if rows:
            statement = (sqlite.insert if self.is_sqlite else postgresql.insert)(table)
            connection.execute(statement.on_conflict_do_nothing(index_elements=list(table.primary_key)), list(rows))

    def _open_writer(self) -> Engine:
        if self._writer is None:
            raise StoreError("The journal was opened for reading. Open it without read_only to write.")
        if self.failed:
            raise self._failure()
        return self._writer

    def _failure(self) -> StoreError:
        return StoreError(
            f"{opening.shown(self.address)} takes nothing more. {self.failed} Nothing was acknowledged since; "
            "see to the disk or the server, then start again."
        )
