"""Live requests that begin alike, read once: what two of them share is read in one, and the other goes on in a branch of its own.

Explanations ask for a person's list without each item of the history in turn: such requests differ from one place on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instructrec.tables import IntArray
from instructrec.tuning.packing import Encoded

LONGEST_ROW = 256
"""Tokens of a row that requests share, at most: every token is compared with every other of its row, so longer rows cost more."""
LEAST_SHARED = 1 / 3
"""A request joins another if at least this part of its tokens is the same from the start; below it would gain little."""
MANY_TOKENS = 256
"""Up to so many tokens a product takes about as long for more as for less."""
MOST_FILLING = 0.2
"""What fills the shorter rows of a block, by their own tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Requests as one example: `members` are their places in what was given, `answers` where each is answered in `tokens`."""

    example: Encoded
    members: tuple[int, ...]
    answers: tuple[int, ...]


def share(requests: Sequence[Encoded], *, apart: bool = False) -> list[Shared]:
    """Requests in as few rows as they fit into, in their order; one that does not begin like the one before has a row of its own.

    A live request is read from its first token to its last, where it is answered, so each sees the same tokens at the same
    positions as alone. `apart`: nothing is shared, for models whose tokens look forward, too.
    """
    rows: list[Shared] = []
    trunk, branches, starts = -1, [], []  # type: int, list[int], list[int]

    def finish() -> None:
        if trunk >= 0:
            rows.append(_joined(requests, trunk, branches, starts))

    length = 0
    for number, request in enumerate(requests):
        start = _common(requests[trunk].tokens, request.tokens) if trunk >= 0 else 0
        rest = len(request.tokens) - start
        if not apart and trunk >= 0 and start >= LEAST_SHARED * len(request.tokens) and rest and length + rest <= LONGEST_ROW:
            branches.append(number)
            starts.append(start)
            length += rest
            continue
        finish()
        trunk, branches, starts, length = number, [], [], len(request.tokens)
    finish()
    return rows


def blocks(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Rows that are read together, of about the same length: at most `most` tokens of them with what fills the shorter ones, which
    is a small part where there are so many that a product takes its time by its size.
    """
    found: list[list[int]] = []
    own = 0
    for k in sorted(range(len(lengths)), key=lambda k: lengths[k]):
        whole = (len(found[-1]) + 1) * lengths[k] if found else 0
        if not found or whole > most or (own >= MANY_TOKENS and whole > (1 + MOST_FILLING) * (own + lengths[k])):
            found.append([])
            own = 0
        found[-1].append(k)
        own += lengths[k]
    return found


def _common(first: IntArray, second: IntArray) -> int:
    """How many tokens are the same from the start."""
    size = min(len(first), len(second))
    different = np.flatnonzero(first[:size] != second[:size])
    return int(different[0]) if len(different) else size


def _joined(requests: Sequence[Encoded], trunk: int, branches: Sequence[int], starts: Sequence[int]) -> Shared:
    if not branches:
        return Shared(example=requests[trunk], members=(trunk,), answers=(requests[trunk].answer_place,))
    whole = requests[trunk].tokens
    rests = [requests[number].tokens[start:] for number, start in zip(branches, starts, strict=True)]
    lengths = [len(whole), *(len(rest) for rest in rests)]
    ends = np.cumsum(lengths)
    sees = [0, *starts]
    example = Encoded(
        tokens=np.concatenate([whole, *rests]),
        positions=np.concatenate([np.arange(start, start + length) for start, length in zip(sees, lengths, strict=True)]),
        branch=np.repeat(np.arange(len(lengths)), lengths),
        sees=np.repeat(sees, lengths),
        next_items=(),
        questions=(),
    )
    return Shared(example=example, members=(trunk, *branches), answers=tuple(int(end) - 1 for end in ends))
