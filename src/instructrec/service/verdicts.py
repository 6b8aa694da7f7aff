"""What became of an event, as its sender is told."""

from __future__ import annotations

from typing import Any

from instructrec.journal import Rejected
from instructrec.journal.records import Verdict

TAKEN = ("stored", "duplicate")
"""Verdicts on events that are on disk as they were sent."""
_REASONS = {
    "conflict": "Another event has this id. Send a new id for a new event.",
    "erased": "The person asked to be forgotten.",
}


def told(found: Rejected | Verdict) -> dict[str, Any]:
    """The verdict on one event as JSON values: `event_id`, `verdict`, and `code` and `message` where it was not taken."""
    if isinstance(found, Rejected):
        return {"event_id": None, "verdict": "rejected", "code": found.code, "message": found.message}
    reason = _REASONS.get(found.fate, "")
    return {"event_id": found.event_id, "verdict": found.fate, "code": found.fate if reason else "", "message": reason}
