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
from collections.abc import Iterable


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
    """Return " Did you mean 'x'?" for the known name closest to `name`, or an empty string."""
    choices = {str(k).lower(): str(k) for k in known}
    close = difflib.get_close_matches(name.lower(), list(choices), n=1, cutoff=0.5)
    return f" Did you mean '{choices[close[0]]}'?" if close else ""
