"""How a service answers: the defaults of the command line and of the library alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """`deadline_ms`: when a list must be there, in milliseconds, unless a request says; `requests_per_s`: how often one API key may
    ask; `body_bytes`: the largest body of a request.
    """

    deadline_ms: int = 800
    requests_per_s: float = 2000.0
    body_bytes: int = 4_000_000


DEFAULTS = ServiceConfig()
