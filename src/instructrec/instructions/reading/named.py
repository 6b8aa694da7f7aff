"""Which number of the items a range speaks of: named before, behind, or by the range before. The base of `ranges`."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import CONTENT, Mark
from instructrec.instructions.render import FIRST_YEAR
from instructrec.instructions.tokens import Token, number
from instructrec.instructions.vocabulary import Vocabulary


class AttributeFinder:
    """Remembers what was named last, and finds the attribute of the numbers that come next."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.marks = marks
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self.attribute: str | None = None
        self._named_at = -1
        """Where in the result the attribute stands that was named last."""
        self._used: set[int] = set()
        self._previous: tuple[str, int] = ("", 0)
        """Attribute of the last range, and the mark behind it."""
        self._open: tuple[str, ...] = ()
        """Roles of the bound that the last range lacks."""

    def _attribute_of(self, start: int, end: int) -> tuple[str | None, int]:
        named = [mark.attribute for mark in self.marks[start:end] if mark.attribute in self.vocabulary.catalog.quantities]
        if named:
            if named[0] == self.attribute:
                self._used.add(self._named_at)
            return named[0], end
        if self.attribute is not None:
            self._used.add(self._named_at)
            return self.attribute, end
        if self._is_of_years(start, end):
            return self.vocabulary.year, end
        if (
            end < len(self.marks)
            and self.marks[end].attribute in self.vocabulary.catalog.quantities
            and self.marks[end].plays("attribute")
            and not self.marks[end].plays("named")
        ):
            return self.marks[end].attribute, end + 1
        if (behind := self._named_behind(end)) is not None:
            return behind
        dated = any(mark.plays("year", "decade", "count") for mark in self.marks[start:end])
        dated = dated or self._previous[0] == self.vocabulary.year  # a number that was none is no year here
        if self._goes_on(start, end) and not dated and self._may_go_on(start, end):
            return self._previous[0], end
        numbers = [mark for mark in self.marks[start:end] if mark.plays("number", "count")]
        years = all(mark is not self.marks[start] and self._is_short_year(mark) for mark in numbers)
        return (self.vocabulary.year if years else None), end

    def _named_behind(self, end: int) -> tuple[str, int] | None:
        """The attribute that is named behind a number, and the mark behind it: "at least 3 in rating", "至少4的评分"."""
        leading = ("from", "owner", "of_what", "between_after")
        leads = end + 1 < len(self.marks) and (self.marks[end].plays(*leading) or self._is_on(self.marks[end]))
        if not leads:
            return None
        place = end + 1 + (self.marks[end + 1].plays("definite") and end + 2 < len(self.marks))
        name = self.marks[place].attribute
        named = self.marks[place].roles == ("attribute",) and name in self.vocabulary.catalog.quantities
        return (name, place + 1) if named and name is not None else None

    def _is_of_years(self, start: int, end: int) -> bool:
        """Whether a Chinese number says itself that it is a year, whatever is named behind: "90年代的口碑不错的"."""
        if self.lexicon.script != "han" or not any(mark.plays("year", "decade") for mark in self.marks[start:end]):
            return False
        return any(token.key == "年" for token in self.tokens[self.marks[start].first : self.marks[end - 1].last])

    def _is_on(self, mark: Mark) -> bool:
        """Whether a mark may say what a number before it is of: "don't go above 4 on rating"."""
        return mark.plays("since_after") and mark.plays("filler") and mark.last - mark.first == 1

    def _goes_on(self, start: int, end: int) -> bool:
        """Whether only "and" or "but" stands between the range before and this one: "over 3, but not over 4"."""
        before = self._previous[1]
        between, han = self.marks[before:start], self.lexicon.script == "han"
        if not 0 < before < start + han <= before + 4 + 2 * han or not all(
            mark.plays("and", "or", "contrast", "negation", "sign", "negation_after", "of_what" if han else "moving")
            for mark in between
        ):
            return False
        if any(mark.plays("sign") and self.tokens[mark.first].key != "," for mark in between):
            return False
        counts = end < len(self.marks) and self.marks[end].plays("measure", "of_them", "noun", "people", "firm", *CONTENT)
        joined = any(mark.plays("and", "or", "contrast", "negation", "negation_after") for mark in between) or self._closes_open(
            start, end
        )
        return (joined or self.lexicon.negates(self.tokens[self.marks[start].first].key)) and not counts

    def _may_go_on(self, start: int, end: int) -> bool:
        """Whether a bare number can belong to what the range before spoke of: only with a bound behind it, as Chinese has it."""
        bounded = self.marks[end - 1].plays("since_after", "until_after")
        return not self.marks[start].plays("number") or (self.lexicon.script == "han" and bounded)

    def _closes_open(self, start: int, end: int) -> bool:
        """Whether the range before was open where this one ends: "at least 3, at most 4"."""
        if self._open and self.marks[start].plays(*self._open):
            return True
        return self.lexicon.script == "han" and self.marks[end - 1].plays(*(f"{role}_after" for role in self._open))

    def _is_short_year(self, mark: Mark) -> bool:
        return mark.low is not None and 0 <= mark.low < 100 and mark.last - mark.first == 1 and self._follows_dash(mark)

    def _follows_dash(self, mark: Mark) -> bool:
        year = number(self.tokens[mark.first - 2].key) if mark.first > 1 else None
        return (
            year is not None
            and year >= FIRST_YEAR
            and self.tokens[mark.first].key[:1].isdigit()
            and self.tokens[mark.first - 1].text in "-–—~"
        )
