"""What stands around a mark: where its clause begins and ends, and what it leads to."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token

NEAR = 4
"""Marks that may stand between words that act on each other; keeps the reading linear."""
LONGEST_LIST = 40
"""Marks that one list may have."""
NAMED = ("value", "title", "range")
"""Roles of what a request can name."""
_ASKING = ("?", ":", "=", "–", "—", "-")


class Surroundings:
    """The marks of a request, and what can be asked about the places between them."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.lexicon = lexicon

    def _is_sign(self, place: int) -> bool:
        return self.marks[place].plays("sign")

    @property
    def _is_han(self) -> bool:
        return self.lexicon.script == "han"

    def _is_head(self, place: int) -> bool:
        """Whether the clause begins here: after a sign, "and" or "but", or at the very start."""
        for mark in reversed(self.marks[max(0, place - NEAR) : place]):
            if mark.plays("sign", "and", "contrast", "further"):
                return True
            if not mark.plays("filler", "article", "leading"):
                return False
        return place <= NEAR

    def _is_comma(self, place: int) -> bool:
        """Whether a comma stands there that parts clauses."""
        token = self.tokens[self.marks[place].first]
        return self._is_sign(place) and token.key == "," and token.text != "、"

    def _leads_to_content(self, place: int) -> bool:
        for mark in self.marks[place + 1 : place + 1 + NEAR]:
            if mark.is_content:
                return True
            if not mark.plays("filler", "article", "including", "from", "noun", "firm"):
                return False
        return False

    def _leads_to_named(self, place: int) -> bool:
        """Whether it leads to something that a wish can name, rather than to words nobody can check."""
        after = (mark for mark in self.marks[place + 1 : place + 1 + NEAR] if mark.is_content)
        return self._leads_to_content(place) and not next(after).plays("unknown", "known")

    def _opens_sentence(self, place: int) -> bool:
        """Whether nothing was said before, and a comma and something follow: "if possible, a comedy"."""
        if place + 1 >= len(self.marks) or not self._is_sign(place + 1) or self.tokens[self.marks[place + 1].first].key not in ",:":
            return False
        for mark in reversed(self.marks[max(0, place - LONGEST_LIST) : place]):
            if mark.plays("sign") and self.tokens[mark.first].ends_sentence:
                break
            if mark.plays(*NAMED, "amount", "fresh", "familiar"):
                return False
        return self._leads_to_named(place + 1)

    def _ends_behind(self, place: int) -> bool:
        """Whether it ends a clause right behind something that is named, with nothing but words for the person between."""
        behind = self.marks[place + 1 : place + 3]
        after = behind[1:] if behind and behind[0].plays("filler") else behind
        joins = len(after) > 1 and after[0].plays("and") and after[1].plays("aged", "firm", "filler")  # "..., and we're after ..."
        if after and not after[0].plays("sign") and not joins:
            return False
        if after and self.tokens[after[0].first].key == ":":
            return False  # "neither of these: A, B"
        for mark in reversed(self.marks[max(0, place - NEAR) : place]):
            if mark.plays("value", "title", "range"):
                return True
            if not self.lexicon.is_subject(self.tokens[mark.first].key) and not mark.plays("noun"):
                return False
        return False

    def _softens_back(self, place: int) -> int | None:
        """Where a clause begins that only softens the one before it: "来点喜剧，有的话优先考虑"."""
        if place + 1 < len(self.marks) and not self._is_sign(place + 1):
            return None
        start = place
        while start > 0 and self.marks[start - 1].plays("soft", "soft_after", "filler") and not self._is_sign(start - 1):
            start -= 1
        named = any(mark.plays("value") for mark in self.marks[max(0, start - 1 - NEAR) : start])
        return start if 0 < start < place and self._is_comma(start - 1) and named else None

    def _closes(self, place: int) -> bool:
        """Whether nothing more is said in the clause."""
        for mark in self.marks[place + 1 : place + 1 + NEAR]:
            if mark.plays("sign", "contrast"):
                return True
            if not mark.plays("filler", "any_other", "nothing_else"):
                return False
        return True

    def _answers(self, place: int) -> bool:
        """Whether it answers what was named before: "horror? never.", "horror: no"."""
        if place < 2 or not self.marks[place - 2].plays(*NAMED) or not self._is_sign(place - 1):
            return False
        asked = self.tokens[self.marks[place - 1].first].key in _ASKING
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        ends = after is None or after.plays("sign", "and", "contrast")
        ends = ends and not (after is not None and (after.plays("pair") or self.tokens[after.first].key == ":"))
        return asked and ends  # "..., - neither of these: A, B" begins anew

    def _was_quality(self, place: int) -> bool:
        """Whether the character before, of the same word, was taken for a quality."""
        return self.marks[place - 1].plays("described")

    def _is_described(self, place: int) -> bool:
        """Whether the word has the form of an adjective and stands where one does."""
        if not self.tokens[self.marks[place].first].key.endswith(self.lexicon.qualities or ("\0",)):
            return False
        return place > 0 and self.marks[place - 1].plays("noun", "soft")
