"""What a stream is to the service: an address, and batches of messages that stay in the stream until they are acknowledged."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, Protocol, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from instructrec.errors import ConfigError, nearest
from instructrec.plain import is_id
from instructrec.service.access import LOCAL, check_tenant

MESSAGES_AT_ONCE: Final = 200
"""Messages of a batch at most: few, so that lists do not wait while they are read."""
WAIT_S: Final = 1.0
"""How long a source waits for messages before it gives an empty batch."""
CONNECT_S: Final = 5.0
REDELIVERED_AFTER_S: Final = 5.0
"""After so long a message that was not acknowledged is delivered again, to whoever reads then: soon, as twice does no harm."""
GROUP: Final = "instructrec"
"""The name under which the stream remembers what was read, unless an address says another."""
EXAMPLES: Final = "nats://HOST:4222/STREAM or redis://HOST:6379/0/STREAM"
_MOST_NAME_CHARACTERS: Final = 200
_MODULES: Final = {"nats": "nats", "tls": "nats", "redis": "redis", "rediss": "redis"}
_SETTINGS: Final = ("group", "tenant")
_NOT_IN_NATS: Final = frozenset(" ./\\*>")
"""Characters that no name of a stream of NATS has."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is the same at each delivery, and no other message of any stream with that name has it."""

    id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages in the order of the stream; `acknowledge` tells the stream that they need not come again. May be empty."""

    messages: Sequence[Message]
    acknowledge: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a stream is: `server` for its client (it may hold a password), `shown` for people, the name of the stream, the `group`
    under which the stream remembers what was read, and the tenant whose events it brings.
    """

    server: str = field(repr=False)
    shown: str
    stream: str
    group: str = GROUP
    tenant: str = LOCAL


class Source(Protocol):
    """A stream to be read from."""

    address: Address

    def batches(self) -> AsyncGenerator[Batch, None]:
        """Connect, and give batches, an empty one after each `WAIT_S` seconds without messages, until the iterator is closed. What
        was delivered and not acknowledged comes again. Raises whatever the client raises where the connection fails.
        """


def source_at(url: str) -> Source:
    """The stream at nats://HOST:4222/STREAM or redis://HOST:6379/0/STREAM (over TLS: tls://, rediss://); `?group=G` and `?tenant=T`
    may follow.

    Raises ConfigError for what is no such address, and where the client is not installed.
    """
    kind, address = read_address(url)
    module = import_module(f"instructrec.service.streams.{kind}")
    try:
        import_module(kind)
    except ImportError:
        raise ConfigError(f"{address.shown} needs the package '{kind}'. Install it: pip install 'instructrec[streams]'.") from None
    return cast(Source, module.Stream(address))


def read_address(url: str) -> tuple[str, Address]:
    """The kind of a stream ("nats" or "redis"), and where it is. Raises ConfigError, which repeats nothing of a password."""
    said = "This" if "@" in url else f"'{url[:100]}'"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        raise ConfigError(f"{said} is no address of a stream. Give {EXAMPLES}.") from None
    kind, place = _MODULES.get(parts.scheme), unquote(parts.path).removeprefix("/")
    # The name of a stream of Redis may hold slashes; the number of its database stands before it.
    database, _, stream = place.partition("/") if kind == "redis" else ("", "", place)
    if kind is None or not parts.hostname or parts.fragment or not is_id(stream) or len(stream) > _MOST_NAME_CHARACTERS:
        raise ConfigError(f"{said} is no address of a stream. Give {EXAMPLES}.")
    if not database.isdecimal() if kind == "redis" else set(stream) & _NOT_IN_NATS:
        raise ConfigError(f"{said} names no stream of that kind. Give {EXAMPLES}.")
    settings = _settings(parts.query)
    server = f"{parts.scheme}://{parts.netloc}" + (f"/{database}" if kind == "redis" else "")
    return kind, Address(server=server, shown=f"{parts.scheme}://{parts.hostname}{port}{parts.path}", stream=stream, **settings)


def _settings(query: str) -> dict[str, str]:
    """What stands behind the question mark."""
    found = dict(parse_qsl(query, keep_blank_values=True))
    for name in found.keys() - set(_SETTINGS):
        raise ConfigError(f"A stream has no setting '{name[:60]}'.{nearest(name, _SETTINGS)} There is: {', '.join(_SETTINGS)}.")
    check_tenant(found.get("tenant", LOCAL))
    if not found.get("group", GROUP).replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"The group of a stream is letters, digits, '-' and '_', but '{found['group'][:60]}' came.")
    return found
