"""The tables of the journal, and bringing a database to the schema of this version."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    inspect,
    select,
    text,
)

from instructrec.errors import StoreError
from instructrec.journal import failpoints

HEAD: Final = "0001"
"""The newest migration of this version."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"

metadata = MetaData()
_seq = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    metadata,
    Column("seq", _seq, primary_key=True, autoincrement=False),
    Column("tenant", String, nullable=False),
    Column("event_id", String, nullable=False),
    Column("person", String, nullable=False),
    Column("type", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("received", Float(53), nullable=False),
    Index("events_by_id", "tenant", "event_id", unique=True),
    # The tenant comes second, lest a planner that knows nothing of a new tenant look for an id among all of the tenant's events.
    Index("events_by_person", "person", "tenant", "seq"),
)
items = Table(
    "items",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("item_id", String, primary_key=True),
    Column("body", Text, nullable=False),
    Column("hidden", Boolean, nullable=False),
    Column("available", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("items_by_version", "tenant", "version"),
)
users = Table(
    "users",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("user_id", String, primary_key=True),
    Column("attributes", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)
keys = Table(
    "keys",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("name", String, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("expires", Float(53)),
    Column("revoked", Float(53)),
)
recommendations = Table(
    "recommendations",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("person", String, nullable=False),
    Column("items", Text, nullable=False),
    Column("model_version", String, nullable=False),
    Column("arm", String, nullable=False),
    Column("propensity", Float(53)),
    Column("request", Text, nullable=False),
    Column("time", Float(53), nullable=False),
    Index("recommendations_by_person", "tenant", "person"),
    Index("recommendations_by_time", "tenant", "time"),
)
assignments = Table(
    "assignments",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("experiment", String, primary_key=True),
    Column("person", String, primary_key=True),
    Column("arm", String, nullable=False),
    Column("time", Float(53), nullable=False),
    Index("assignments_by_person", "tenant", "person"),
)
experiments = Table(
    "experiments",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("body", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)
erased = Table(
    "erased",
    metadata,
    Column("mark", LargeBinary, primary_key=True),
    # Events of this person up to this time are refused; an event's own mark refuses it for ever.
    Column("until", Float(53)),
)
meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))
counters = Table("counters", metadata, Column("name", String, primary_key=True), Column("value", BigInteger, nullable=False))


def revision_of(connection: Connection) -> str | None:
    """The migration that a database stands at; none for an empty one. Raises StoreError for a database of something else."""
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if len(found) == 1:
            return str(found[0])
        if found or names & metadata.tables.keys():
            raise StoreError(f"The database names {len(found)} schema versions instead of one. Restore it from a backup.")
        return None
    if names:
        raise StoreError(
            f"The database holds tables that are not InstructRec's ({', '.join(sorted(names)[:3])}). "
            "Give an empty database or a new file."
        )
    return None


def check_revision(found: str | None, known: set[str]) -> None:
    """Raise StoreError for a schema that this version does not know."""
    if found is not None and found not in known:
        raise StoreError(
            f"The database has schema {found}, which is newer than the {HEAD} that this version knows. "
            "Install the version of InstructRec that wrote it, or a newer one."
        )


def upgrade(connection: Connection) -> None:
    """Bring the database to `HEAD`, inside the transaction of the connection: wholly or not at all."""
    found = revision_of(connection)
    if found == HEAD:
        return
    from alembic import command  # only a database that is behind needs it
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    check_revision(found, {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()})
    config.attributes["connection"] = connection
    failpoints.reach("migration-begun")
    command.upgrade(config, "head")
    failpoints.reach("migration-written")


def check_is_current(connection: Connection) -> None:
    """For a reader, which cannot upgrade: raise StoreError unless the schema is this version's."""
    found = revision_of(connection)
    check_revision(found, {HEAD})
    if found != HEAD:
        raise StoreError("The database is empty or of an older version. Open it once for writing (instructrec serve does).")


_TAKE = (
    counters.update()
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value + bindparam("count"))
    .returning(counters.c.value)
)


def next_numbers(connection: Connection, name: str, count: int) -> int:
    """Take `count` numbers of a counter and give the last one before them; holds the counter until the transaction ends.

    Whoever writes takes numbers first, so the order of numbers is the order of commits also where several processes write.
    """
    return int(connection.execute(_TAKE, {"counter": name, "count": count}).scalar_one()) - count


def last_number(connection: Connection, name: str) -> int:
    """The last number of a counter that was given out and committed."""
    return int(connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one())


def now() -> float:
    """Seconds since 1970."""
    return time.time()
