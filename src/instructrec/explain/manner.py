"""How reasons are said: in which tone, at which length, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from instructrec.explain.writing import Writer, write
from instructrec.instructions.plans import LENGTHS, TONES, Plan, known

PIECES = {"short": 2, "medium": 3, "long": 4}
"""Facts in a text of each length; the history is one, however many items of it are named."""
_NAMED = {"short": 1, "medium": 3, "long": 3}
"""History items that a text of each length names, at most."""


class TextModel(Protocol):
    """A language model that puts outlines into words. Whatever it writes is checked before it is shown."""

    language: str

    def write(self, plans: Sequence[Plan], *, seeds: Sequence[int]) -> list[str]:
        """A text with slots for each outline, "" where it has none; other seeds give other texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """`model` writes in its own language, if there is one, in the tone that is asked for; where it cannot, `grammar` does."""

    tone: str = "plain"
    length: str = "medium"
    model: TextModel | None = None
    grammar: Writer = write

    def __post_init__(self) -> None:
        known("tone", self.tone, TONES)
        known("length", self.length, LENGTHS)

    @property
    def named(self) -> int:
        """History items that a text names, at most."""
        return _NAMED[self.length]

    def writes(self, language: str) -> bool:
        """Whether a language model writes in this language."""
        return self.model is not None and self.model.language == language
