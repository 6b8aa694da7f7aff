"""What is said of every mark once its context is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from instructrec.instructions.reading.marks import Mark

Polarity: TypeAlias = Literal["include", "exclude", "open", "unclear", "counted"]
Joint: TypeAlias = Literal["new", "adjacent", "comma", "and", "or"]


@dataclass(frozen=True, slots=True)
class Read:
    """A mark in context.

    `polarity`: wanted, unwanted, without condition ("not only"), a degree nobody can check ("less", "not too"), or used up by a
    count of the list ("at least two");
    `soft`: a preference rather than a demand; `joint`: how it hangs on the content before it; `article`: "a" before it;
    `comma`: it follows a comma, whatever that stands for; `segment`, `sentence`: numbers of the clause and sentence;
    `trigger`: index of the mark that set the polarity, if any.
    """

    mark: Mark
    polarity: Polarity
    soft: bool
    joint: Joint
    article: bool
    segment: int
    sentence: int
    trigger: int | None
    comma: bool = False
