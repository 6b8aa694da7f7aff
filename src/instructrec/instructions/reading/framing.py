"""What conditions are made of that several words far apart say together: their clause, its numbers and what bounds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.bounds import WAYS, amount, bounded
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.surroundings import NEAR, Surroundings
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

LONGEST_CLAUSE = 16
"""Marks that one such condition may have; keeps the reading linear."""
_EXTREMES = ("too_high", "too_low", "oldest", "newest")


class Frames(Surroundings):
    """The marks of a request, which can be made into ranges and amounts, or into words of no weight."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, lexicon)
        self.quantities = vocabulary.catalog.quantities
        self.year = vocabulary.year
        self.integral = vocabulary.is_integral

    def _fill(self, places: Sequence[int] | range) -> None:
        """Take the words at `places` for words of no weight; what says something, or is not known, must not get lost."""
        for place in places:
            mark = self.marks[place]
            if not mark.plays("sign") and (not mark.is_content or mark.plays(*_EXTREMES)):
                self.marks[place] = self.marks[place].idle

    def _merge(self, first: int, last: int, mark: Mark) -> None:
        """Make one mark of those from `first` to `last`."""
        self.marks[last] = replace(mark, first=self.marks[first].first, last=self.marks[last].last)
        for place in range(first, last):
            self.marks[place] = replace(self.marks[place], roles=())

    def _back(self, place: int, *, sentence: bool = False) -> Iterator[int]:
        """Places before one, up to the sign that parts its clause, or its sentence, from what stands before."""
        for at in range(place - 1, max(-1, place - 1 - LONGEST_CLAUSE), -1):
            mark = self.marks[at]
            if mark.plays("sign") and (not sentence or self.tokens[mark.first].ends_sentence):
                return
            if mark.roles:
                yield at

    def _ahead(self, place: int) -> Iterator[int]:
        """Places behind one in its clause."""
        for at in range(place + 1, min(place + 1 + LONGEST_CLAUSE, len(self.marks))):
            if self.marks[at].plays("sign", "contrast"):
                return
            yield at

    def _is_number(self, place: int) -> bool:
        mark = self.marks[place]
        one = mark.plays("one") and mark.plays("article")
        if one and place > 1 and self.marks[place - 1].plays("value", "quality") and self.marks[place - 2].plays("article"):
            return False  # "a funny one"
        return mark.low is not None and (one or mark.plays(*NUMERIC))

    def _bound(self, place: int) -> tuple[str | None, int, int]:
        """How the number at `place` is bounded by words right before or behind, and where all of it begins and ends."""
        first = place
        while first > 0 and self.marks[first - 1].plays("article", "attribute", "about") and place - first < 3:
            first -= 1
        if first > 0:
            mark = self.marks[first - 1]
            way = mark.compare[1] if mark.compare is not None else next((role for role in WAYS if role in mark.roles), None)
            than = first > 1 and mark.plays("than") and self.marks[first - 2].compare is not None
            if than:
                way, first = self.marks[first - 2].compare[1], first - 1  # type: ignore[index]
            if way is not None:
                return way, first - 1, place
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if after is not None and after.plays("since_after", "until_after"):
            return "since" if after.plays("since_after") else "until", place, place + 1
        return None, place, place

    def _range_of(self, place: int, within: Sequence[int]) -> str | None:
        """What number of the items a figure speaks of: its own, one that is named within the clause, or the year."""
        if self.marks[place].attribute in self.quantities:
            return self.marks[place].attribute
        named = [at for at in within if self.marks[at].plays("attribute") and self.marks[at].attribute in self.quantities]
        if named:
            attribute = self.marks[named[0]].attribute
            self._fill(named)
            return attribute
        return self.year if self.marks[place].plays("year", "decade") else None

    def _ranged(self, place: int, way: str, attribute: str) -> Mark:
        mark = self.marks[place]
        low, high = bounded(way, mark.low, mark.high, whole=self.integral(attribute))
        return Mark(("range",), 0, 0, attribute=attribute, low=low, high=high)

    def _counted(self, place: int, way: str) -> Mark | None:
        """An amount of the list, bounded as `way` says."""
        number = self.marks[place].low
        if number is None or not float(number).is_integer():
            return None
        kind, low, high = amount(way, number)
        return Mark(("amount", kind, "partitive"), 0, 0, low=low, high=high)

    def _conditional(self, place: int) -> bool:
        """Whether "if", "that" or the like begins here."""
        mark = self.marks[place]
        words = [*self.tokens[mark.first : mark.first + (2 if mark.plays("soft") else 1)], self.tokens[mark.last - 1]]
        # "plus if it's ...", "everything that's ..."
        return any("conditional" in self.lexicon.strong.get((word.key,), ()) for word in words)

    def _refusal_before(self, opens: int) -> list[int]:
        """The words that refuse all that is spoken of behind them ("I won't take anything | that isn't A")."""
        for at in self._back(opens):
            mark = self.marks[at]
            if mark.plays("negation", "negation_head"):
                return list(range(at, opens))
            if mark.plays("value", "title", "range", "known", "unknown", "firm", *NUMERIC):
                return []
            if mark.plays("any_other") and self.lexicon.negates(self.tokens[mark.first].key):
                return list(range(at, opens))
        return []

    def _refusal_behind(self, end: int) -> list[int]:
        """The words right behind that refuse it and name nothing themselves ("if it's not A, | leave it out")."""
        start = end + (end < len(self.marks) and self.marks[end].plays("sign") and self.tokens[self.marks[end].first].key == ",")
        ahead = list(self._ahead(start - 1))
        refuses = ("negation", "negation_after", "negation_head", "nothing_else", "particle")
        first = next((n for n, at in enumerate(ahead) if self.marks[at].plays(*refuses)), None)
        joint = next((n for n, at in enumerate(ahead) if first is not None and n > first and self.marks[at].plays("and")), None)
        ahead = ahead[:joint]
        if any(self.marks[at].plays("value", "title", "range", "amount", "fresh", *NUMERIC) or self._is_known(at) for at in ahead):
            ahead = []
        behind = self.marks[ahead[-1] + 1 : ahead[-1] + 2] if ahead else []
        if any(self.tokens[mark.first].key == ":" for mark in behind):
            ahead = []  # "anything that isn't A and neither of these: B, C" refuses B and C
        return ahead if first is not None and first <= NEAR else []

    def _is_known(self, place: int) -> bool:
        """Whether it speaks of what is known in more than a word like "again"."""
        return self.marks[place].plays("familiar") and self.marks[place].last - self.marks[place].first > 1
