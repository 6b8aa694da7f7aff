"""Every exception a caller can meet, in one tree.

    InstructRecError
    ├── DataError            a table cannot be read as interactions or items
    │   └── BrokenLineError  one line of a file cannot be read
    ├── ConfigError          a configuration key or value does not exist
    ├── AssetError           weights or data could not be fetched, or do not have the expected hash
    ├── RunError             a run folder is missing, incomplete or does not match its manifest
    ├── ModelError           a model name, or a call that this model cannot answer
    ├── QueryError           a request that cannot be answered as asked
    │   └── NotFoundError    it names something that is not there
    └── StoreError           the journal cannot be opened, read or written
        └── BusyError        it takes no more at this moment

Each message says what came, what was wanted, and what to do about it.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Iterable, Iterator, Mapping, Set
from itertools import islice
from typing import Final

MOST_COMPARED: Final = 500
"""Names up to which each is compared with a wrong one."""
LONGEST_COMPARED: Final = 40
"""Characters of a wrong name up to which its slips are looked for among more names."""
KEYS: Final = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_.:/ "


class InstructRecError(Exception):
    """Base of all errors that are shown to a user without a traceback."""

    def __str__(self) -> str:
        return sayable(super().__str__())


class DataError(InstructRecError):
    """A table cannot be read as interactions or items."""


class BrokenLineError(DataError):
    """One line of a file cannot be read; carries the line number (1-based)."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


class ConfigError(InstructRecError):
    """A configuration key or value does not exist."""


class AssetError(InstructRecError):
    """Weights or data could not be fetched, or do not have the expected hash."""


class RunError(InstructRecError):
    """A run folder is missing, incomplete or does not match its manifest."""


class ModelError(InstructRecError):
    """A model name that does not exist, or a call that this model cannot answer."""


class QueryError(InstructRecError):
    """A request that cannot be answered as asked."""


class NotFoundError(QueryError):
    """A request whose address names something that is not there (any more): an item, a list, an experiment."""


class StoreError(InstructRecError):
    """The journal of events cannot be opened, read or written; nothing more is acknowledged."""


class BusyError(StoreError):
    """More came than can be written at this moment; nothing of it was taken. Carries after how many seconds to try again."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def sayable(text: str) -> str:
    """The text as every terminal and every answer can show it: halves of surrogate pairs, which JSON may hold, as escapes."""
    return text.encode(errors="backslashreplace").decode()


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name closest to `name`, or an empty string.

    Among at most MOST_COMPARED names the closest is looked for, without regard to case. Among more (items, users) it is one that
    differs by case or by one slip of the hand, which takes a millisecond however many there are; for that `known` has to be a
    mapping or a set, else nothing is said.
    """
    some = list(islice(known, MOST_COMPARED + 1))
    if len(some) > MOST_COMPARED:
        slip = next((word for word in _slips(name) if word in known), "") if isinstance(known, Mapping | Set) else ""
        return f" Did you mean '{slip}'?" if slip else ""
    choices = {str(k).lower(): str(k) for k in some}
    close = difflib.get_close_matches(name.lower(), list(choices), n=1, cutoff=0.5)
    return f" Did you mean '{choices[close[0]]}'?" if close else ""


def _slips(name: str) -> Iterator[str]:
    """What a name may have been meant to be: other case, two characters in turn, one that is wrong, too much or missing."""
    yield from (name.strip(), name.lower(), name.upper(), name.capitalize())
    if len(name) > LONGEST_COMPARED:
        return
    parts = [(name[:at], name[at:]) for at in range(len(name) + 1)]
    keys = dict.fromkeys(name + KEYS)
    yield from (left + right[1] + right[0] + right[2:] for left, right in parts if len(right) > 1)
    yield from (left + key + right[1:] for left, right in parts if right for key in keys)
    yield from (left + right[1:] for left, right in parts if right)
    yield from (left + key + right for left, right in parts for key in keys)
