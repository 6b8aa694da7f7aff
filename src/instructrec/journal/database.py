"""One database with one writing connection and several reading ones, which fails closed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from instructrec.errors import StoreError
from instructrec.journal import opening, schema

ROWS_OF_A_STATEMENT = 256
"""Rows in one INSERT of SQLite, which takes 32,766 values in a statement."""


class Database:
    """Transactions. After a failed write nothing is written any more: what the disk holds is then not known, and `failed` says
    why.
    """

    def __init__(self, address: URL, reader: Engine, writer: Engine | None, lock: opening.WriterLock | None) -> None:
        self.address = address
        self.is_sqlite = address.get_backend_name() == "sqlite"
        self.file = Path(address.database or "") if self.is_sqlite else None
        self.failed = ""
        self._reader, self._writer, self._lock = reader, writer, lock
        self._driver: Any = reader.dialect.loaded_dbapi
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
        if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
            raise StoreError(
                f"{opening.shown(address)} cannot be opened: there is no such file. A service makes it when it first runs "
                "(instructrec serve RUN); give the address of the one that there is."
            )
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
        except PoolTimeout as error:
            raise StoreError(f"All {opening.READERS} readers of {opening.shown(self.address)} are busy. Try again.") from error

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, on disk when the block has ended; an error inside takes it back. Raises StoreError."""
        with self._turn:
            try:
                with self._open_writer().begin() as connection:
                    yield connection
            except (DBAPIError, self._driver.Error) as error:
                cause = error.orig if isinstance(error, DBAPIError) else error
                if isinstance(cause, (self._driver.DataError, self._driver.IntegrityError, self._driver.ProgrammingError)):
                    # The database took the transaction back because of what was to be written; the disk is well.
                    raise StoreError(f"{opening.shown(self.address)} refused what was to be written: {cause}.") from error
                self.failed = f"A write failed: {cause}."
                raise self._failure() from error

    def purge_log(self) -> None:
        """SQLite: move the whole write-ahead log into the file and empty it, so that nothing that was deleted stays there."""
        if not self.is_sqlite:
            return
        with self._turn:
            raw = self._open_writer().raw_connection()
            try:
                busy, _, _ = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except self._driver.Error as error:
                self.failed = f"The log could not be emptied: {error}."
                raise self._failure() from error
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
        statement = self._insert_into(table)
        changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
        connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed), list(rows))

    def insert_new(self, connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows; where the primary key is taken the old row stays."""
        if rows:
            statement = self._insert_into(table)
            connection.execute(statement.on_conflict_do_nothing(index_elements=list(table.primary_key)), list(rows))

    def _insert_into(self, table: Table) -> Any:
        """An INSERT that knows ON CONFLICT, in the language of the database; the other one's is not loaded."""
        return import_module(f"sqlalchemy.dialects.{'sqlite' if self.is_sqlite else 'postgresql'}").insert(table)

    def insert_many(self, connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of new keys, each with the values of all columns in order, the fastest way that the driver has."""
        names = ", ".join(table.columns.keys())
        if self.is_sqlite:
            # The driver lets go of Python's lock in each step of a statement. With a statement a row, a thread that is busy would
            # get it back for its whole turn a row.
            row_of_marks = f"({', '.join('?' * len(table.columns))})"
            for start in range(0, len(rows), ROWS_OF_A_STATEMENT):
                piece = rows[start : start + ROWS_OF_A_STATEMENT]
                marks = ", ".join([row_of_marks] * len(piece))
                values = tuple(value for row in piece for value in row)
                connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES {marks}", values)
            return
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

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
