"""A PostgreSQL server of the tests' own: in a folder and on a socket of its own, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from instructrec.journal.schema import metadata

MISSING = "no PostgreSQL here: apt-get install postgresql, or set INSTRUCTREC_POSTGRES to the URL of a server"
_PORT = 54_329  # names the socket file alone: the server listens to no network


def programs() -> Path | None:
    """The folder of the newest initdb, if there is one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parents[1].name))
    return found[-1].parent if found else None


class Server:
    """A running cluster: `start`, `kill` (SIGKILL of all of it, as at a crash), `stop`."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self._binaries = folder, binaries
        self._as_other: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as_other = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers (after a crash: until it has recovered)."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c port={_PORT} -c shared_buffers=64MB"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-t", "60", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop; "immediate" drops everything as a crash would."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_other, str(self._binaries / program), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={_PORT}"


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server for the block. The programs must be there."""
    binaries = programs()
    assert binaries is not None, MISSING
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        server = Server(folder, binaries)
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The URL of a new, empty database on a server; dropped afterwards."""
    name = f"journal_{uuid.uuid4().hex[:12]}"
    admin = create_engine(make_url(server_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()


def clear(url: str) -> None:
    """Empty every table of a journal."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        names = [name for name in metadata.tables if name not in ("meta", "counters")]
        connection.execute(text(f"TRUNCATE {', '.join(names)}"))
        connection.execute(text("UPDATE counters SET value = 0"))
    engine.dispose()
