"""The cleaning report: every step with counts before and after, in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from instructrec.data.raw import Note
from instructrec.data.wording import phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningStep:
    """What one step did. `before`, `after`: number of rows; `facts` fill the step's words; `examples`: a few of the rows."""

    name: str
    before: int
    after: int
    facts: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    @property
    def removed(self) -> int:
        """How many rows the step took away."""
        return self.before - self.after

    def text(self, language: str = "en") -> str:
        """One line: what was done, to how many, and examples."""
        words = phrase(f"steps.{self.name}", language=language, **{"removed": f"{self.removed:,}", **self.facts})
        shown = phrase("report.examples", language=language, examples="; ".join(self.examples)) if self.examples else ""
        return words + shown


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningReport:
    """What was read, what each cleaning step did, and what is left. Rendered by `lines` and `to_json`."""

    source: str
    notes: tuple[Note, ...]
    steps: tuple[CleaningStep, ...]
    num_read: int
    num_users: int
    num_items: int
    num_interactions: int

    def lines(self, language: str = "en") -> list[str]:
        """The report for people, one line a note or step."""
        share = self.num_interactions / max(1, self.num_users * self.num_items)
        counts = {"users": f"{self.num_users:,}", "items": f"{self.num_items:,}", "interactions": f"{self.num_interactions:,}"}
        return [
            phrase("report.read", language=language, source=self.source, count=f"{self.num_read:,}"),
            *[phrase(f"notes.{note.key}", language=language, **note.facts) for note in self.notes],
            *[step.text(language) for step in self.steps],
            phrase("report.left", language=language, density=f"{share:.2%}", **counts),
        ]

    def to_json(self) -> dict[str, Any]:
        """The report for programs: source, counts, notes and steps."""
        return {
            "source": self.source,
            "read": self.num_read,
            "users": self.num_users,
            "items": self.num_items,
            "interactions": self.num_interactions,
            "notes": [{"note": note.key, **note.facts, "text": phrase(f"notes.{note.key}", **note.facts)} for note in self.notes],
            "steps": [self._step(step) for step in self.steps],
        }

    @staticmethod
    def _step(step: CleaningStep) -> dict[str, Any]:
        return {
            "step": step.name,
            "before": step.before,
            "after": step.after,
            "removed": step.removed,
            "facts": dict(step.facts),
            "examples": list(step.examples),
            "text": step.text(),
        }
