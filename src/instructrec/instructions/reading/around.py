"""What stands around a sum of money or a length of time in its clause."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

BOUNDS = ("since", "until", "before", "after", "between", "to")
"""Roles of the words before a number that bound it."""
BEHIND = ("since_after", "until_after", "before_after", "after_after")
"""Roles of those behind it."""
_LONGEST_PHRASE = 6
_MOST_PHRASES = 6


class Around:
    """One clause of the marks, the words of it, and the clause behind it."""

    def __init__(
        self,
        marks: list[Mark],
        tokens: Sequence[Token],
        vocabulary: Vocabulary,
        lexicon: Lexicon,
        span: tuple[int, int],
        further: tuple[int, int],
    ) -> None:
        self.marks = marks
        self.keys = tuple(token.key for token in tokens)
        self.vocabulary = vocabulary
        self.said = lexicon.around
        self.start, self.end = span
        self.further = "".join(self.keys[marks[further[0]].first : marks[further[1] - 1].last]) if further[0] < further[1] else ""

    def _text(self, first: int, last: int) -> str:
        return "".join(self.keys[first:last])

    def _before(self, place: int) -> str:
        return self._text(self.marks[self.start].first, self.marks[place].first)

    def _after(self, place: int) -> str:
        return self._text(self.marks[place].last, self.marks[self.end - 1].last)

    def _says(self, text: str, what: str) -> bool:
        return any(word in text for word in self.said.get(what, ()))

    def _walk(self, at: int, *sets: str, back: bool) -> tuple[int, list[str]]:
        """How far phrases of some sets reach from a token on, longest first, and of which sets they are."""
        found: list[str] = []
        edge = self.marks[self.start].first if back else self.marks[self.end - 1].last
        while len(found) < _MOST_PHRASES:
            step = next(
                (
                    (length, name)
                    for length in range(min(_LONGEST_PHRASE, abs(at - edge)), 0, -1)
                    for name in sets
                    if self._text(*((at - length, at) if back else (at, at + length))) in self.said.get(name, ())
                ),
                None,
            )
            if step is None:
                break
            at += -step[0] if back else step[0]
            found.append(step[1])
        return at, found

    def _lead(self, place: int) -> tuple[int, list[str]]:
        sets = ("spent", "spend", "hold", "over", "least", "total", "lead")
        return self._walk(self.marks[place].first, *sets, back=True)

    def _bound(self, place: int) -> str:
        """The bound that other words set for the sum: "since", "until", or nothing."""
        before = next(
            (mark for mark in reversed(self.marks[self.start : place]) if not mark.plays("filler", "about", "from")), None
        )
        after = self.marks[place + 1] if place + 1 < self.end else None
        for mark, roles in ((after, BEHIND), (before, BOUNDS)):
            if mark is not None and mark.plays(*roles):
                role = next(role for role in roles if mark.plays(role))
                return "since" if role.startswith(("since", "after")) else "until"
        return ""
