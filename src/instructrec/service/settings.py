"""How a service answers: the defaults of the command line and of the library alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from instructrec.errors import ConfigError

STEP_S = 3600.0
"""What fades with time fades in such steps, so that an unchanged person gets an unchanged list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """`deadline_ms`: when a list must be there, in milliseconds, unless a request says; `requests_per_s`: how often one API key may
    ask; `body_bytes`: the largest body of a request; `trending_half_life_h`: hours after which an event counts half in what is
    trending; `trending_prior`: events that the most popular item of the run's log counts as there.
    """

    deadline_ms: int = 800
    requests_per_s: float = 2000.0
    body_bytes: int = 4_000_000
    trending_half_life_h: float = 24.0
    trending_prior: float = 10.0

    def __post_init__(self) -> None:
        for name in ("trending_half_life_h", "trending_prior"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ConfigError(f"{name} is {value}, but must be a number above 0.")


DEFAULTS = ServiceConfig()
