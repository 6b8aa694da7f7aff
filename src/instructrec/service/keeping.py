"""Answers as they were sent, for as long as they are what would be sent again."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from instructrec.core import Recommendation
from instructrec.service.drafting import Placed

MOST_ANSWERS = 20_000


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an answer rests on: as long as none of it changes the answer does not.

    `known`: version of what is known of the person; `snapshot`: number of what serves; `moment`: step of time; `placed`: arms.
    """

    known: tuple[int, int]
    snapshot: int
    moment: float
    placed: Placed | None


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer as it was sent, to whom (None: to nobody in particular), and what it rested on."""

    person: str | None
    grounds: Grounds
    body: bytes
    found: Recommendation


class Answers:
    """The last answers, by tenant and by the bytes of the request."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, bytes], Sent] = OrderedDict()
        self.hits = 0

    def find(self, tenant: str, request: bytes) -> Sent | None:
        """What was sent to the same request."""
        return self._sent.get((tenant, _digest(request)))

    def keep(self, tenant: str, request: bytes, sent: Sent) -> None:
        """Keep an answer; the oldest one goes where there are too many."""
        name = (tenant, _digest(request))
        self._sent[name] = sent
        self._sent.move_to_end(name)
        while len(self._sent) > MOST_ANSWERS:
            self._sent.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        self._sent.clear()


def _digest(request: bytes) -> bytes:
    """What stands for the bytes of a request, which may be many."""
    return hashlib.blake2b(request, digest_size=16).digest()
