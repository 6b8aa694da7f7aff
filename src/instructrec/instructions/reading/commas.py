"""What a comma does: whether the list before it goes on behind it, or a new clause begins."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.surroundings import LONGEST_LIST
from instructrec.instructions.tokens import Token


class CommaReader:
    """Reads the commas of one marked request."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token]) -> None:
        self.marks = marks
        self.tokens = tokens

    def goes_on(self, comma: int, before: Mark | None, *, unwanted: bool, soft: bool, article: bool) -> bool:
        """Whether the comma at `comma` is inside a list that a later "or", "nor" or "and" closes: "no A, B or C".

        `before`: the last content; `unwanted`, `soft`: what holds for it; `article`: its list began with an article.
        """
        if not unwanted and not soft:
            return True
        if self._between_qualities(comma, unwanted=unwanted):
            return True
        if not unwanted and before is not None and before.plays("title") and self._leads_elsewhere(comma):
            return False  # "like X, a comedy or a drama"
        if self._changes_kind(comma, before):
            return False
        if self.tokens[self.marks[comma].first].text == "、":
            return True
        return self._is_closed(comma, article=article)

    def _is_closed(self, comma: int, *, article: bool) -> bool:
        """Whether only names stand between the comma and the word that closes a list."""
        if any(mark.plays("some") and mark.plays("noun") for mark in self.marks[comma + 1 : comma + 2]):
            return False  # "no A, something calm, B or C"
        other, seen = False, False
        for mark in self.marks[comma + 1 : comma + 1 + LONGEST_LIST]:
            if mark.plays("further") and self.tokens[mark.first].is_han:
                return False  # "不要喜剧，有意思的剧情片，此外……"
            if mark.plays("or", "and") or (mark.plays("negation") and self.tokens[mark.first].key == "nor"):
                return not (other and not article)
            if mark.is_content:
                seen = True
            elif mark.plays("article"):
                other = other or not seen
            elif not (mark.plays("sign") and self.tokens[mark.first].key == ",") and not mark.plays("filler", "noun"):
                return False
        return False

    def _between_qualities(self, comma: int, *, unwanted: bool) -> bool:
        """Whether the comma only separates adjectives: "a funny, light comedy"."""
        if not 0 < comma < len(self.marks) - 1:
            return False
        listed = comma + 2 < len(self.marks) and self.marks[comma + 1].plays("unknown")
        if listed and self.marks[comma + 2].plays("value") and self.marks[comma - 1].plays("unknown"):
            return True  # "no stupid, boring comedies"
        before, sign = (self.tokens[self.marks[comma].first + at] for at in (-1, 0))
        parts = before.is_han and sign.text != "、" and not unwanted  # "最近有点无聊，喜剧来三个"
        described = self.marks[comma - 1].plays("quality", "known")
        return described and self.marks[comma + 1].plays("quality", "known", "unknown", *(() if parts else ("value",)))

    def _leads_elsewhere(self, comma: int) -> bool:
        """Whether no further title follows."""
        after = next((mark for mark in self.marks[comma + 1 : comma + 1 + LONGEST_LIST] if mark.is_content), None)
        return after is not None and not after.plays("title", "unknown")

    def _changes_kind(self, comma: int, before: Mark | None) -> bool:
        """Whether a range follows a list of other things without an "or": "no A or B, at least 4 stars"."""
        if before is None or before.plays("amount"):
            return False
        if before.plays("range"):
            after = next((mark for mark in self.marks[comma + 1 : comma + 1 + LONGEST_LIST] if mark.is_content), None)
            return after is not None and after.plays("range") and after.attribute != before.attribute
        for mark in self.marks[comma + 1 : comma + 1 + LONGEST_LIST]:
            if mark.is_content or mark.plays("or", "noun"):
                return mark.plays("range", "amount")
        return False
