"""What a client is told of an error: one shape for all of them."""

from __future__ import annotations

from dataclasses import dataclass

from instructrec.errors import BusyError, InstructRecError, NotFoundError, StoreError
from instructrec.service.access import AccessError


@dataclass(frozen=True, slots=True)
class Described:
    """An HTTP status, a code for programs, a sentence for people, and after how many seconds to try again (None: it is no use)."""

    status: int
    code: str
    message: str
    wait_s: float | None = None


def described(error: Exception) -> Described:
    """What is said of an error; nothing of one that nobody foresaw but its kind."""
    if isinstance(error, AccessError):
        codes = {401: "no_key", 403: "no_scope", 429: "too_often"}
        return Described(error.status, codes[error.status], str(error), error.wait_s or None)
    if isinstance(error, BusyError):
        return Described(503, "busy", str(error), error.retry_after_s)
    if isinstance(error, StoreError):
        return Described(503, "journal", str(error), 5.0)
    if isinstance(error, NotFoundError):
        return Described(404, "not_found", str(error))
    if isinstance(error, InstructRecError):
        return Described(400, "not_answerable", str(error))
    return Described(500, "unexpected", f"Something went wrong here ({type(error).__name__}). Nothing stored is lost.")
