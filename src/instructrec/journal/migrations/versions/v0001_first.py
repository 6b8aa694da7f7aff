"""The first schema."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make every table, the counters, and the secret of the marks that erased people leave."""
    _make_events()
    _make_catalogue_and_keys()
    _make_shown()
    op.create_table("erased", _bytes("mark", primary_key=True), sa.Column("until", sa.Float(53)))
    meta = op.create_table("meta", _words("name", primary_key=True), _words("value"))
    counters = op.create_table("counters", _words("name", primary_key=True), sa.Column("value", sa.BigInteger, nullable=False))
    op.bulk_insert(meta, [{"name": "secret", "value": secrets.token_hex(32)}])
    op.bulk_insert(counters, [{"name": "events", "value": 0}, {"name": "versions", "value": 0}])


def downgrade() -> None:
    """There is nothing before the first schema."""


def _words(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=False, primary_key=primary_key)


def _json(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _bytes(name: str, *, primary_key: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=False, primary_key=primary_key)


def _seconds(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=False)


def _make_events() -> None:
    op.create_table(
        "events",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        _words("tenant"),
        _words("event_id"),
        _words("person"),
        _words("type"),
        _json("body"),
        _bytes("body_hash"),
        _seconds("received"),
    )
    op.create_index("events_by_id", "events", ["tenant", "event_id"], unique=True)
    op.create_index("events_by_person", "events", ["person", "tenant", "seq"])


def _make_catalogue_and_keys() -> None:
    op.create_table(
        "items",
        _words("tenant", primary_key=True),
        _words("item_id", primary_key=True),
        _json("body"),
        sa.Column("hidden", sa.Boolean, nullable=False),
        sa.Column("available", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("items_by_version", "items", ["tenant", "version"])
    op.create_table(
        "users",
        _words("tenant", primary_key=True),
        _words("user_id", primary_key=True),
        _json("attributes"),
        _json("text"),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "keys",
        _bytes("key_hash", primary_key=True),
        _words("tenant"),
        _words("name"),
        _json("scopes"),
        _seconds("created"),
        sa.Column("expires", sa.Float(53)),
        sa.Column("revoked", sa.Float(53)),
    )


def _make_shown() -> None:
    op.create_table(
        "recommendations",
        _words("tenant", primary_key=True),
        _words("id", primary_key=True),
        _words("person"),
        _json("items"),
        _words("model_version"),
        _words("arm"),
        sa.Column("propensity", sa.Float(53)),
        _json("request"),
        _seconds("time"),
    )
    op.create_index("recommendations_by_person", "recommendations", ["tenant", "person"])
    op.create_index("recommendations_by_time", "recommendations", ["tenant", "time"])
    op.create_table(
        "assignments",
        _words("tenant", primary_key=True),
        _words("experiment", primary_key=True),
        _words("person", primary_key=True),
        _words("arm"),
        _seconds("time"),
    )
    op.create_index("assignments_by_person", "assignments", ["tenant", "person"])
    op.create_table(
        "experiments",
        _words("tenant", primary_key=True),
        _words("id", primary_key=True),
        _json("body"),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
