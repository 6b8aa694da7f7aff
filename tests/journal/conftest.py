"""Every test of the store runs on SQLite, and on PostgreSQL where there is a server."""

from __future__ import annotations

import os
import shutil

import pytest
from tests.journal import postgres

from instructrec.journal.store import Store


@pytest.fixture(scope="session")
def postgres_url():
    """The URL of a server: the one given, or one of the tests' own."""
    if given := os.environ.get("INSTRUCTREC_POSTGRES"):
        yield given
    elif postgres.programs() is None:
        pytest.skip(postgres.MISSING)
    else:
        pytest.importorskip("psycopg", reason="no psycopg here: pip install 'instructrec[postgres]'")
        with postgres.running() as server:
            yield server.url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    """A file with the newest schema and nothing in it."""
    path = tmp_path_factory.mktemp("template") / "journal.db"
    Store.open(path).close()
    return path


@pytest.fixture(scope="session")
def postgres_ready(postgres_url):
    """The URL of one database with the newest schema, which tests share one after the other."""
    with postgres.fresh_database(postgres_url) as address:
        Store.open(address).close()
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path):
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'journal.db'}"
    else:
        with postgres.fresh_database(request.getfixturevalue("postgres_url")) as address:
            yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a database of each kind with the newest schema and nothing in it."""
    if request.param == "sqlite":
        path = tmp_path / "journal.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    address = request.getfixturevalue("postgres_ready")
    postgres.clear(address)
    return address


@pytest.fixture
def store(url):
    """An open, empty store of each kind."""
    with Store.open(url) as opened:
        yield opened
