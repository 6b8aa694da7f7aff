"""Who may do what: API keys that are kept as hashes, scopes, tenants, and how often a key may ask."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from instructrec.errors import ConfigError, InstructRecError, nearest
from instructrec.journal.records import Key
from instructrec.journal.store import Store

SCOPES = ("read", "write", "admin")
"""read: lists and reasons; write: events, items and users; admin: keys, runs, experiments, and the owner's page."""
LOCAL = "local"
"""Tenant of requests where no key is wanted."""
_PREFIX = "ir_"
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
REMEMBERED_S = 5.0
"""How long a key that was looked up is not looked up again: a revoked one opens nothing after that."""
MOST_REMEMBERED = 10_000


class AccessError(InstructRecError):
    """A request that its key does not open. `status`: 401 no key or an unknown one, 403 a scope that it lacks, 429 too often."""

    def __init__(self, status: int, message: str, *, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.wait_s = status, wait_s


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `name` is the key's, never the key."""

    tenant: str
    name: str
    scopes: tuple[str, ...]


def check_tenant(name: str) -> None:
    """Raise ConfigError where a name cannot be that of a tenant."""
    if not _TENANT.fullmatch(name):
        raise ConfigError(f"A tenant is at most 40 small letters, digits, '-' and '_', but '{name[:60]}' came.")


def new_key(store: Store, *, tenant: str, name: str, scopes: Sequence[str], days: float | None = None) -> str:
    """Make a key and keep its hash; the key itself is given back here and never again.

    Raises ConfigError for a scope that there is not, and for a tenant that is no short name.
    """
    for scope in scopes:
        if scope not in SCOPES:
            raise ConfigError(f"There is no scope '{scope}'.{nearest(scope, SCOPES)} There is: {', '.join(SCOPES)}.")
    check_tenant(tenant)
    if not scopes or not 0 < len(name) <= 100:
        raise ConfigError(f"A key needs a name of at most 100 characters and at least one scope; '{name}' and {list(scopes)} came.")
    key, now = _PREFIX + secrets.token_urlsafe(32), time.time()
    expires = None if days is None else now + days * 86_400
    store.keys.put(Key(key_hash=hash_of(key), tenant=tenant, name=name, scopes=tuple(scopes), created=now, expires=expires))
    return key


def hash_of(key: str) -> bytes:
    """What is kept of a key. It is 256 random bits, so nothing slower than sha256 is needed."""
    return hashlib.sha256(key.encode()).digest()


@dataclass
class Bucket:
    """Requests that may come at once, filled up again at a steady rate."""

    level: float
    at: float

    def take(self, *, per_s: float, now: float) -> float:
        """Take one; 0 where there is one, else the seconds until there will be."""
        self.level = min(per_s, self.level + (now - self.at) * per_s)
        self.at = now
        if self.level >= 1:
            self.level -= 1
            return 0.0
        return (1 - self.level) / per_s


@dataclass
class Gate:
    """Lets requests in. `wants_keys` false: everybody is the local owner (a service that only its own machine reaches)."""

    store: Store
    wants_keys: bool
    requests_per_s: float
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[bytes, tuple[float, Key | None]] = field(default_factory=OrderedDict)
    _buckets: OrderedDict[tuple[str, str], Bucket] = field(default_factory=OrderedDict)

    def admit(self, key: str | None, scope: str) -> Caller:
        """Who asks, where the key opens the scope. Raises AccessError otherwise."""
        if not self.wants_keys:
            return Caller(LOCAL, LOCAL, SCOPES)
        if not key:
            raise AccessError(401, "This needs an API key. Send it as 'X-API-Key: KEY' or 'Authorization: Bearer KEY'.")
        found = self._find(hash_of(key))
        if found is None or not found.is_live(time.time()):
            raise AccessError(
                401, "This API key is not known, has expired or was revoked. Ask the owner of the service for another."
            )
        if scope not in found.scopes and "admin" not in found.scopes:
            raise AccessError(403, f"This API key may {', '.join(found.scopes)}, but this needs the scope '{scope}'.")
        self._slow_down(found)
        return Caller(found.tenant, found.name, found.scopes)

    def _find(self, key_hash: bytes) -> Key | None:
        now = self.clock()
        remembered = self._known.get(key_hash)
        if remembered and now - remembered[0] < REMEMBERED_S:
            return remembered[1]
        found = self.store.keys.find(key_hash)
        self._known[key_hash] = (now, found)
        self._known.move_to_end(key_hash)
        if len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _slow_down(self, key: Key) -> None:
        now, name = self.clock(), (key.tenant, key.name)
        bucket = self._buckets.setdefault(name, Bucket(self.requests_per_s, now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_REMEMBERED:
            self._buckets.popitem(last=False)
        wait_s = bucket.take(per_s=self.requests_per_s, now=now)
        if wait_s > 0:
            raise AccessError(
                429, f"This key may ask {self.requests_per_s:g} times a second. Try again in {wait_s:.2f} s.", wait_s=wait_s
            )
