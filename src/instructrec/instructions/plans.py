"""What a reason is to say, as an outline with slots: a writer puts words around the slots, and facts are filled in afterwards.

A slot stands for one fact ("{h1}" for a title, "{count}" for a number of people), so that whoever writes cannot misspell it, and
cannot name anything that is not in the outline.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from instructrec.errors import QueryError, nearest

TONES = ("plain", "warm", "brisk")
LENGTHS = ("short", "medium", "long")
SLOTS = (
    "h1",
    "h2",
    "h3",
    "shared",
    "value",
    "attribute",
    "number",
    "measure",
    "count",
    "asked",
    "ruled",
    "word",
    "fit",
    "item",
)
"""What may stand in a text: history items from the strongest down; a value that the item shares with the strongest, or has of its
own, and the name of its attribute; a number of the item, and what it measures; how many people picked it; what was asked for, and
what was ruled out; a word of the wish; how well the item fits; its own title.
"""
OPTIONAL = frozenset({"attribute", "measure", "item"})
"""Slots that a text may leave out; all others of an outline must be said."""
TOLD = ("shared", "value", "attribute", "measure", "asked", "ruled", "word")
"""Slots whose words a writer reads, because words around them depend on them."""
_SLOT = re.compile(r"\{(\w+)\}")
_BEGINNING = re.compile(r"(^|[.!?] )(?:\{(fit)\}|([a-z]))")
"""Where a sentence begins with a small letter, or with what may be one."""


def known(name: str, given: str, names: tuple[str, ...]) -> None:
    """Raise QueryError where a tone or length is none of those that there are."""
    if given not in names:
        raise QueryError(f"There is no {name} '{given}'. Known: {', '.join(names)}.{nearest(given, names)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An outline: the words of every slot, in the order of SLOTS, and how it is to be said."""

    words: Mapping[str, str]
    tone: str = "plain"
    length: str = "medium"

    def __post_init__(self) -> None:
        known("tone", self.tone, TONES)
        known("length", self.length, LENGTHS)

    @property
    def needed(self) -> frozenset[str]:
        """Slots that a text must hold."""
        return frozenset(self.words) - OPTIONAL

    def is_said_by(self, text: str) -> bool:
        """Whether a text holds every slot that it must, each slot once, and none that the outline lacks."""
        found = slots_of(text)
        return self.needed <= set(found) <= set(self.words) and len(set(found)) == len(found)

    def filled(self, text: str) -> str:
        """A text with the words of its slots; a sentence begins with a capital letter, but titles stay as they are."""

        def word(found: re.Match[str]) -> str:
            opening, slot = found[1], found[2]
            words = self.words[slot] if slot else found[3]
            return opening + words[:1].upper() + words[1:]

        begun = _BEGINNING.sub(word, text)
        return _SLOT.sub(lambda found: self.words[found[1]], begun)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """A text with slots that was written by hand, from which a writer learns."""

    text: str
    tone: str
    length: str

    @property
    def slots(self) -> frozenset[str]:
        """The slots that it holds."""
        return frozenset(slots_of(self.text))


def slots_of(text: str) -> list[str]:
    """The slots of a text, in the order in which they come."""
    return _SLOT.findall(text)


def pieces(text: str) -> list[str]:
    """A text cut at its slots: words and slots by turns, beginning and ending with words (which may be empty)."""
    return _SLOT.split(text)


@cache
def seeds(language: str) -> tuple[Seed, ...]:
    """All texts of a language that a writer learns from; none where there are none."""
    path = resources.files("instructrec.instructions") / "wording" / f"reasons.{language}.toml"
    if not path.is_file():
        return ()
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Seed(text=text, tone=tone, length=length)
        for tone, lengths in table.items()
        for length, texts in lengths.items()
        for text in texts
    )
