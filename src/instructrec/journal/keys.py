"""API keys, as hashes."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from instructrec.journal.database import Database
from instructrec.journal.events import canonical
from instructrec.journal.records import Key
from instructrec.journal.schema import keys


class Keys:
    """The API keys of a store (`Store.keys`). Makes and checks none: it keeps hashes and finds them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, key: Key) -> None:
        """Keep a key, in place of one with the same hash."""
        row = {name: getattr(key, name) for name in ("key_hash", "tenant", "name", "created", "expires", "revoked")}
        with self._database.writing() as connection:
            self._database.upsert(connection, keys, [row | {"scopes": canonical(key.scopes)}])

    def find(self, key_hash: bytes) -> Key | None:
        """The key with this hash, live or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(keys).where(keys.c.key_hash == key_hash)).first()
        return None if row is None else _key_of(row)

    def of(self, tenant: str) -> list[Key]:
        """The keys of a tenant, oldest first."""
        query = select(keys).where(keys.c.tenant == tenant).order_by(keys.c.created, keys.c.key_hash)
        with self._database.reading() as connection:
            return [_key_of(row) for row in connection.execute(query)]

    def revoke(self, tenant: str, key_hash: bytes, at: float) -> bool:
        """Close a key of a tenant from a time on (seconds since 1970); false where the tenant has no such key."""
        here = (keys.c.tenant == tenant) & (keys.c.key_hash == key_hash)
        with self._database.writing() as connection:
            return connection.execute(keys.update().where(here).values(revoked=at)).rowcount == 1


def _key_of(row: Any) -> Key:
    return Key(
        key_hash=bytes(row.key_hash),
        tenant=row.tenant,
        name=row.name,
        scopes=tuple(json.loads(row.scopes)),
        created=row.created,
        expires=row.expires,
        revoked=row.revoked,
    )
