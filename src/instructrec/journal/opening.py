"""Opening a database so that what is committed is on disk: engines for SQLite and PostgreSQL, and the lock of the one writer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from instructrec.errors import StoreError
from instructrec.files import lock_now
from instructrec.journal import schema

READERS: Final = 8
_BUSY_MS: Final = 10_000
_PAGES_OF_A_CHECKPOINT: Final = 1_000


def parsed(url: str | Path) -> URL:
    """The address of a database: "sqlite:///FILE", "postgresql://...", or the path of a SQLite file. Raises StoreError for
    others.
    """
    words = str(url)
    try:
        address = make_url(words) if "://" in words else URL.create("sqlite", database=words)
    except ArgumentError as error:
        raise StoreError(
            f"{words.partition('@')[0]!r} is no address of a database. Give sqlite:///FILE or postgresql://..."
        ) from error
    kind = address.get_backend_name()
    if kind == "sqlite":
        if not address.database or address.database == ":memory:" or address.database.startswith("file:"):
            raise StoreError("A journal in memory would lose what it acknowledged. Give a file: sqlite:///FILE.")
        return address
    if kind != "postgresql":
        raise StoreError(f"'{kind}' is no database that InstructRec can write to. Give sqlite:///FILE or postgresql://...")
    return address.set(drivername="postgresql+psycopg")


def shown(address: URL) -> str:
    """The address without its password."""
    return address.render_as_string(hide_password=True)


def reading_engine(address: URL) -> Engine:
    """Connections that cannot write; each statement sees all that was committed before it."""
    if address.get_backend_name() == "postgresql":
        return _postgres(address, READERS, {"isolation_level": "AUTOCOMMIT"}, "SET default_transaction_read_only = on")
    path = Path(address.database or "").absolute().as_uri()
    readable = URL.create("sqlite", database=path, query={"mode": "ro", "uri": "true"})
    return _sqlite(readable, READERS, ["query_only = ON", "wal_autocheckpoint = 0"])


def writing_engine(address: URL) -> Engine:
    """One connection, which alone writes and moves the write-ahead log into the file. Raises StoreError where a commit is not
    durable.
    """
    if address.get_backend_name() == "postgresql":
        engine = _postgres(address, 1, {}, "SET synchronous_commit = on")
        with _connected(engine, address) as connection:
            if connection.execute(text("SHOW fsync")).scalar_one() != "on":
                raise StoreError(
                    f"{shown(address)} runs with fsync off, so a commit is not on disk. Set fsync = on in its configuration."
                )
        return engine
    engine = _sqlite(address, 1, [f"wal_autocheckpoint = {_PAGES_OF_A_CHECKPOINT}", "secure_delete = ON"])

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    with _connected(engine, address) as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    if mode != "wal":
        raise StoreError(f"{shown(address)} cannot keep a write-ahead log (it is in mode '{mode}'). Put the file on a local disk.")
    return engine


def _sqlite(address: URL, size: int, pragmas: list[str]) -> Engine:
    engine = create_engine(address, pool_size=size, max_overflow=0, connect_args={"check_same_thread": False})
    # FULL: a commit returns when its log is on disk. No memory map: with it a failing disk ends the process.
    every = [f"busy_timeout = {_BUSY_MS}", "synchronous = FULL", "mmap_size = 0", "cache_size = -32000", *pragmas]

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        # The driver would otherwise begin transactions by itself, and each of them only when it writes.
        connection.isolation_level = None
        if "secure_delete = ON" in every:
            connection.execute("PRAGMA journal_mode = WAL")
        for pragma in every:
            connection.execute(f"PRAGMA {pragma}")

    return engine


def _postgres(address: URL, size: int, options: dict[str, Any], setting: str) -> Engine:
    try:
        engine = create_engine(address, pool_size=size, max_overflow=0, pool_pre_ping=True, **options)
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError("PostgreSQL needs the psycopg driver. Install it: pip install 'instructrec[postgres]'.") from error

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(setting)
            # A plan that was made for a small table is not to be kept while the table grows.
            cursor.execute("SET plan_cache_mode = force_custom_plan")
        connection.commit()

    return engine


@contextlib.contextmanager
def _connected(engine: Engine, address: URL) -> Any:
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        engine.dispose()
        raise unreadable(address, error) from error
    except BaseException:
        engine.dispose()
        raise


def unreadable(address: URL, error: DBAPIError) -> StoreError:
    """What to tell when a database cannot be opened."""
    said = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    advice = (
        "Is it a SQLite file, and may you write there?" if address.get_backend_name() == "sqlite" else "Does the server run there?"
    )
    return StoreError(f"{shown(address)} cannot be opened: {said}. {advice}")


def prepare(engine: Engine, address: URL) -> None:
    """Bring the schema to this version's; of several processes that open one database at once, one does it."""
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(7316120110)"))
            schema.upgrade(connection)
    except DBAPIError as error:
        raise unreadable(address, error) from error


class WriterLock:
    """The lock file beside a SQLite file: one process writes. The system lets go of it when the process dies, however it dies."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises StoreError when another process has it, or the folder cannot be written."""
        self._file: IO[str]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = Path(f"{path}.lock").open("a", encoding="ascii")  # noqa: SIM115  # open as long as it is locked
        except OSError as error:
            raise StoreError(f"{path} cannot be written ({error.strerror}). Choose a folder that you may write to.") from error
        try:
            lock_now(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise StoreError(
                f"{path} is being written by another process, and SQLite is safe with one. Stop that one, or use postgresql://...; "
                "a service that runs takes events over HTTP: instructrec import-events RUN FILE --url http://..."
            ) from error

    def release(self) -> None:
        """Let go of the lock; the file stays, as another process may be about to lock it."""
        self._file.close()
