"""Numbers without a unit that can only be prices: "20以内的口红", "30到50之间", "预算不到20"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.wholes import clause_spans
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_BOUNDS = ("since", "until", "before", "after", "between")
_BEHIND = ("since_after", "until_after", "before_after", "after_after", "between_after")
_LEAST = 10.0
"""A smaller number may be a rating, or count things."""
_WIDEST = 20.0
"""How many times the highest price of the catalog a price may be."""


def with_prices(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with bounded numbers that no other number of the catalog can be as numbers of the price."""
    out = list(marks)
    price = vocabulary.kinds.get("price")
    if price is None or not any(_is_bare(mark) for mark in out):
        return out
    for start, end in clause_spans(out, tokens):
        _Bare(out, tokens, vocabulary, lexicon, start, end).read(price)
    return out


def _is_bare(mark: Mark) -> bool:
    return mark.plays("number", "count") and not mark.plays("sum") and mark.attribute is None and mark.low is not None


class _Bare:
    """The numbers of one clause."""

    def __init__(
        self, marks: list[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon, start: int, end: int
    ) -> None:
        self.marks, self.tokens, self.vocabulary, self.lexicon = marks, tokens, vocabulary, lexicon
        self.start, self.end = start, end

    def read(self, price: str) -> None:
        """Give the numbers that are prices their attribute."""
        numbers = [place for place in range(self.start, self.end) if _is_bare(self.marks[place])]
        if not numbers:
            return
        spoken = "".join(token.key for token in self.tokens[self.marks[self.start].first : self.marks[self.end - 1].last])
        if any(word in spoken for word in self.lexicon.around.get("other", ())):
            return
        budget = self._budget()
        for place in numbers:
            if not self._is_named(place, price):
                self._settle(place, budget if budget is not None and budget < place else None, price)

    def _settle(self, place: int, budget: int | None, price: str) -> None:
        """Make a number one of the price if it can be no other; `budget`: where its clause speaks of one before it."""
        span = self._span(place)
        if budget is not None and self._leads(budget, place):
            self._cap(place, budget, price)
        elif self._totals(place):
            self.marks[place] = self.marks[place].handed_back
        elif span and (self._fits(place) or budget is not None) and self._stands_free(span[-1]):
            for at in span:
                if self.marks[at].low is not None:
                    self.marks[at] = replace(self.marks[at], roles=("number", "sum"), attribute=price)
            if budget is not None:
                self.marks[budget] = self.marks[budget].idle

    def _is_named(self, place: int, price: str) -> bool:
        """Whether it can be the number of another attribute that the clause names: no rating is 20 where the rating has one."""
        for at in range(self.start, self.end):
            name = self.marks[at].attribute if self.marks[at].plays("attribute") else None
            if name is None or name == price:
                continue
            wide = name in self.vocabulary.catalog.quantities and self.vocabulary.span(name)[1] > _LEAST
            if wide or (at < place and not any(_is_bare(mark) for mark in self.marks[at:place])):
                return True
        return False

    def _leads(self, budget: int, place: int) -> bool:
        """Whether a rough number follows the word for a budget: "预算大概两三百"."""
        between = self.marks[budget + 1 : place]
        rough = self.marks[place].low != self.marks[place].high or any(mark.plays("about", "sign") for mark in between)
        after = self.marks[place + 1] if place + 1 < self.end else None
        return rough and all(mark.plays("filler", "about", "from", "sign") for mark in between) and after is None

    def _cap(self, place: int, budget: int, price: str) -> None:
        mark = self.marks[place]
        self.marks[place] = Mark(("range", "sum"), mark.first, mark.last, attribute=price, high=mark.high)
        for at in range(budget, place):
            self.marks[at] = self.marks[at].idle

    def _budget(self) -> int | None:
        """Where the clause speaks of a budget: what bounds prices without a "than"."""
        return next((at for at in range(self.start, self.end) if self._is_budget(self.marks[at])), None)

    def _is_budget(self, mark: Mark) -> bool:
        return mark.compare is not None and mark.compare[1] == "until"

    def _fits(self, place: int) -> bool:
        """Whether a price, and no rating and no count, has this size."""
        mark = self.marks[place]
        top = self.vocabulary.span(self.vocabulary.kinds["price"])[1]
        length = self.vocabulary.kinds.get("length")
        return length is None and (mark.low or 0.0) > _LEAST and (mark.high or 0.0) <= _WIDEST * top

    def _span(self, place: int) -> list[int]:
        """The number with its bound, and the number that it reaches to, as far as they stand side by side; empty without one."""
        before = next(
            (at for at in range(place - 1, self.start - 1, -1) if not self.marks[at].plays("filler", "about", "from", "article")),
            None,
        )
        last = place
        joins = place + 2 < self.end and self.marks[place + 1].plays("to", "and") and _is_bare(self.marks[place + 2])
        if joins and (self.marks[place + 2].low or 0) > (self.marks[place].low or 0):
            closed = place + 3 < self.end and self.marks[place + 3].plays("between_after")
            if self.marks[place + 1].plays("to") or closed:
                return [place, place + 2, place + 3] if closed else [place, place + 2]
        bounded = last + 1 < self.end and self.marks[last + 1].plays(*_BEHIND)
        about = last + 1 < self.end and self.marks[last + 1].plays("about_after")
        led = before is not None and self.marks[before].plays(*_BOUNDS) and not self._is_budget(self.marks[before])
        if bounded or about:
            return [place, place + 1]
        return [place] if led or self._is_spent(place) else []

    def _is_spent(self, place: int) -> bool:
        """Whether words around it speak of money to spend, or say that it is not reached: "最多花50", "三十不到"."""
        first, last = self.marks[self.start].first, self.marks[self.end - 1].last
        before = "".join(token.key for token in self.tokens[first : self.marks[place].first])
        after = "".join(token.key for token in self.tokens[self.marks[place].last : last])
        sums = self.lexicon.around
        return any(before.endswith(word) for word in sums["spend"]) or any(after.startswith(word) for word in sums["short"])

    def _stands_free(self, last: int) -> bool:
        """Whether nothing behind says what else is counted."""
        after = self.marks[last + 1] if last + 1 < self.end else None
        return after is None or not (
            after.plays("measure", "unit", "people", "year_suffix", "percent", "tenths")
            or (after.plays("unknown") and after.first == self.marks[last].last)
        )

    def _totals(self, place: int) -> bool:
        """Whether a number without a measure word sums up the price of several things: "两支口红一共40"."""
        total = place > self.start and self.marks[place - 1].plays("list", "alone")
        words = (
            "".join(token.key for token in self.tokens[self.marks[place - 1].first : self.marks[place - 1].last]) if total else ""
        )
        counted = any(
            _is_bare(mark) and after.plays("measure") for mark, after in zip(self.marks[:place], self.marks[1:place], strict=False)
        )
        return words in self.lexicon.around.get("total", ()) and counted and self._fits(place) and place + 1 >= self.end
