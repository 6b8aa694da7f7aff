"""Numbers that nothing calls money: prices, where what is said around them or their size makes them so, and never counts then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.asides import Aside
from instructrec.instructions.reading.ends import read_ends
from instructrec.instructions.reading.marks import NUMBERS, Mark
from instructrec.instructions.reading.spending import SpendingReader
from instructrec.instructions.reading.strays import ALIKE, StrayReader
from instructrec.instructions.reading.sums import SumReader
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_FEW = 10
"""A number up to this one, that nothing says to be money, may count items."""
_SURE = ("spend", "purse", "left", "buys")
_LIKELY = ("reach", "ceiling", "cost", "owned")
_LEADING = ("noun", "filler", "firm", "quality", "conditional", "in_case")
_JOINING = ("sign", "and", "contrast", "negation", "filler", "unit", "since_after", "until_after")
"""What may stand between the two ends of one number."""
_BEYOND = 1.5
"""How many times the highest number of the catalog the end of a range may be."""
_NEAR = 6


class BareReader(SpendingReader):
    """Finds the bare numbers that are sums, and reads all sums from left to right."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, vocabulary, lexicon)
        self.least = vocabulary.span(self.price)[0] - 1
        """A lower number is no price; one up to `other` may rather be a rating, one from `shortest` on a length."""
        self.other = vocabulary.span(vocabulary.kinds.get("rating"))[1] + 0.5
        self.shortest = max(vocabulary.span(self.length)[0], _FEW)
        self._last: tuple[int, str] | None = None
        """The sum or number without a meaning that was met last, and how it is bounded."""

    def read(self) -> list[Mark]:
        """The marks, with each sum that can be spent as a range."""
        for place in range(len(self.marks)):
            mark = self.marks[place]
            if mark.plays("sign") and self.tokens[mark.first].ends_sentence:
                self._last = None
            if not self._is_number(place) or self._again(place):
                continue
            way, first, _ = self._bound(place)
            if mark.attribute is None:
                self._bare(place)
            elif mark.plays("sum"):
                self._sum(place, mark.attribute)
            if self.marks[place].attribute is not None or self.marks[first].plays("handed_back"):
                self._last = place, way
        return [mark for mark in self.marks if mark.roles]

    def _again(self, place: int) -> bool:
        """Whether a number only says another one again that was a sum: it takes its place, or is handed back."""
        mark, earlier = self.marks[place], self._last
        if earlier is None:
            return False
        way, first, last = self._bound(place)
        if mark.attribute not in (None, self.price) or (mark.attribute is None and not self._ends(last + 1)):
            return False
        between = self.marks[earlier[0] + 1 : first]
        if any(near.plays("value", "noun", "attribute", "and", "title") for near in between) or self._names_other(place, None):
            return False
        revised = any(near.plays("correction") or self.keys[near.first] == "well" for near in between)
        if revised and self.marks[earlier[0]].attribute == self.price and self.price is not None:
            self._revise(place, *earlier)
            return True
        if mark.attribute is None and not way:
            self._hand_back(place, place)
            return True
        return False

    def _revise(self, place: int, before: int, its_way: str) -> None:
        """Put a number in the place of the sum before it: "under 20, no wait, 30"."""
        way, first, last = self._bound(place)
        mark, attribute = self.marks[place], self.marks[before].attribute or ""
        self._hand_back(self._bound(before)[1] if self.marks[before].plays("number") else before, before)
        if way == "between":
            self.marks[place] = replace(mark, roles=("number", "sum"), attribute=attribute)
            return
        self.marks[place] = self._range(place, way or its_way or "until", attribute)
        self._fill(self.marks[first].first, mark.first)
        self._fill(mark.last, self.marks[last].last)

    def _bare(self, place: int) -> None:
        """A number that nothing calls money."""
        mark = self.marks[place]
        if mark.plays("year", "vague"):
            return
        way, first, last = self._bound(place)
        frame = (self._bought(place) or self._frame(place)) if self.asides else None
        if (frame is None and self.price is None and not way) or self._names_other(place, frame) or self._is_second(place):
            return
        ends = (self.marks[last], self.marks[first], *self.marks[first + 1 : first + 2])
        if way == "between" and any(end.attribute is not None or end.plays("year", "decade") for end in ends):
            return  # "20-30 dollars", "1980-95"
        if frame is not None and self._asks(frame, place, last):
            return
        behind = frame is not None and frame.first >= mark.last
        if frame is not None and not behind and self._lists(frame):
            frame = None  # "limit it to 12"
        sure = frame is not None and bool(set(_SURE).intersection(frame.roles))
        enough = sure and any(after.plays("enough") for after in self.marks[last + 1 : last + 2])  # "paying 20 is fine"
        if behind or enough or self._ends(last + 1) or self._total(last) is not None:
            self._judge(place, frame)

    def _asks(self, frame: Aside, place: int, last: int) -> bool:
        """Whether nobody is said to have so much, but a list is asked for: "hey, got top 11", "got 18 overall"."""
        opens = frame.first == 0 or not self.tokens[frame.first - 1].is_word
        if not opens or self.keys[frame.first : frame.last] != ("got",):
            return False
        return self._total(last) is not None or any(mark.plays("list") for mark in self.marks[max(0, place - 2) : place])

    def _lists(self, frame: Aside) -> bool:
        """Whether its words are part of words that ask for a list of some length."""
        return any(self.marks[at].plays("list", "firm") for at in self._marks_of(frame.first, frame.last))

    def _judge(self, place: int, frame: Aside | None) -> None:
        """Whether it is a sum for what is said of it, and else for how it is bounded."""
        way, first, last = self._bound(place)
        low = self.marks[place].low or 0.0
        fits = self.least < low and low > self.other
        likely = frame is not None and bool(set(_LIKELY).intersection(frame.roles))
        if frame is not None and set(_SURE).intersection(frame.roles):
            if self.price is None:
                self._hand_back(first, last)
            else:
                self._as_sum(place)
        elif fits and low > _FEW and likely:
            self._as_sum(place)
        elif fits and self._sums_up(place, last):
            self._hand_back(first, last)
        elif fits:
            self._bounded(place, way, first, last)
        elif low > _FEW and not self._asked_for(first) and self._is_nothing(place, way, first):
            self._hand_back(first, last)  # "85-92", "a shampoo under 20" where nothing has a price, "not over 90"

    def _is_nothing(self, place: int, way: str, first: int) -> bool:
        """Whether a number that is no price neither counts nor surely bounds anything."""
        low = self.marks[place].low or 0.0
        return way == "between" or (bool(way) and low >= self.shortest) or self._priceless(place, way, first)

    def _priceless(self, place: int, way: str, first: int) -> bool:
        """Whether a bound behind one thing speaks of no number that the catalog has, and does not count."""
        before = self.marks[first - 1] if first else None
        single = before is not None and before.plays("value") and not before.plural
        fewer = "fewer" in self.keys[self.marks[first].first : self.marks[place].first]
        return self.price is None and way in ("before", "after") and single and not fewer and not self._counted_before(place)

    def _sums_up(self, place: int, last: int) -> bool:
        """Whether it is what several things should be together; the words that say so are used up."""
        total = self._total(last)
        if total is None or not self._counted_before(place):
            return False
        self._fill(total.first, total.last)
        return True

    def _as_sum(self, place: int) -> None:
        assert self.price is not None
        self.marks[place] = replace(self.marks[place], roles=("number", "sum"), attribute=self.price)
        self._sum(place, self.price)

    def _is_second(self, place: int) -> bool:
        """Whether the number before, from which it goes on, is a sum: "50-70"."""
        before = self.marks[place - 2] if place > 1 else None
        return before is not None and before.plays("sum") and self.marks[place - 1].plays("to", "and")

    def _names_other(self, place: int, frame: Aside | None) -> bool:
        """Whether the clause names another number of the items than a sum, or the price without a frame."""
        _, first, last = self._bound(place)
        money = frame is not None and bool({*_SURE, "cost"}.intersection(frame.roles))
        found = [*range(self._start(place), place), *range(place + 1, min(last + 5, len(self.marks)))]
        around = [self.marks[at] for at in found]
        named = [
            at
            for at in found
            if self.marks[at].plays("attribute") and self.marks[at].attribute in self.vocabulary.catalog.quantities
        ]
        named = [at for at in named if self.marks[at].attribute != self.price or not money]
        named = [
            at for at in named if not any(self._is_number(used) for used in (*range(at, first), *range(last + 1, at)))
        ]  # "rated 4 or above, under 20"
        compared = any(mark.compare is not None and mark.compare[0] != "price" for mark in around)
        return (
            bool(named)
            or compared
            or self._goes_on(place, first)
            or any(mark.plays("title") for mark in self.marks[max(0, place - 1) : place])
        )

    def _goes_on(self, place: int, first: int) -> bool:
        """Whether it is the other end of a named number before: "runtime no less than 90 and no more than 120"."""
        other = first - 1
        while other > 0 and first - other < _NEAR and self.marks[other].plays(*_JOINING) and not self._is_number(other):
            other -= 1
        if other < 1 or not self._is_number(other):
            return False
        names = [mark.attribute for mark in self.marks[self._start(other) : other] if mark.plays("attribute")]
        ways = {self._bound(other)[0], self._bound(place)[0]}
        if not names or names[-1] not in self.vocabulary.catalog.quantities:
            return False
        low, high = self.vocabulary.span(names[-1])
        fits = all(low / _BEYOND <= (self.marks[at].low or 0.0) <= high * _BEYOND for at in (other, place))
        return fits and bool(ways & {"since", "after"}) and bool(ways & {"until", "before"})

    def _bought(self, place: int) -> Aside | None:
        """What a number is asked to buy: "would 15 get me a mascara?"."""
        mark = self.marks[place]
        asked = mark.first > 0 and self.keys[mark.first - 1] in ("would", "will", "does", "can", "could", "do")
        return self._aside(mark.last, "buys") if asked else None

    def _bounded(self, place: int, way: str, first: int, last: int) -> None:
        """A bound on a bare number: a price behind one thing, or where nothing can be counted so; else what both may be is left."""
        low = self.marks[place].low or 0.0
        before = self._before(first)
        single = before is not None and before.plays("value") and not before.plural
        costly = self._within(self._sentence(place), self.marks[place].first, "costly") is not None
        fewer = any("fewer" in self.keys[mark.first : mark.last] for mark in self.marks[max(0, first) : last + 1])
        if fewer or self._asked_for(first) or not way:
            if (
                not way
                and place
                and self.marks[place - 1].plays("clause")
                and self.keys[self.marks[place].first - 1] == "for"
                and low > _FEW
            ):
                self._as_sum(place)
            return
        strict = way in ("before", "after")
        if way == "since" and self.keys[self.marks[last].first] == "+" or self._is_named(place):
            self._hand_back(first, last)  # "sunscreen 50+", "SPF 30 or higher"
            return
        counted = before is not None and before.plays("value") and low > _FEW
        sure = costly or (strict and (single or counted or before is None or before.plays(*_LEADING)))
        named = before is not None or self._for_one(last)
        if sure or (low > _FEW and named and self._counts_nothing(place)):
            self._as_sum(place)
        elif low > _FEW:
            self._hand_back(first, last)  # "max 20", "lipsticks, 20 max": so many, or a price

    def _is_named(self, place: int) -> bool:
        """Whether an unknown name stands right before it, of which it is a part: "SPF 30"."""
        before = self.marks[place - 1] if place else None
        return before is not None and before.plays("unknown") and self.tokens[before.first].text[:1].isupper()

    def _asked_for(self, first: int) -> bool:
        """Whether the words before ask for so many things: "give me 20 to 30"."""
        before = self._before(first)
        return before is not None and before.plays("firm", "list") and self.keys[before.last - 1] not in ("be", "to", "is", "for")

    def _counts_nothing(self, place: int) -> bool:
        """Whether no plural stands before that the number could count."""
        start = self._start(place)
        return not any(mark.plays("value") and mark.plural for mark in self.marks[max(0, start - 3) : place])

    def _for_one(self, last: int) -> bool:
        """Whether one thing follows that the number is for: "25 max for a moisturizer"."""
        behind = self.marks[last + 1 : last + 4]
        named = any(mark.plays("value") and not mark.plural for mark in behind)
        return named and bool(behind) and self.keys[behind[0].first] in ("for", "on")

    def _before(self, first: int) -> Mark | None:
        """What stands before a bound in its sentence, whatever sign parts them."""
        for at in range(first - 1, max(-1, first - 1 - _NEAR), -1):
            mark = self.marks[at]
            if not mark.plays("sign", "filler", "article", "negation", "contrast", "soft") or not mark.roles or mark.plays("noun"):
                return mark if mark.roles else None
        return None

    def _counted_before(self, place: int) -> bool:
        """Whether things are counted before in the sentence: "three lipsticks, no more than 40 altogether"."""
        start = self._sentence(place)
        earlier = [at for at in range(place - 1) if self.marks[at].first >= start]
        return any(self._is_number(at) and self.marks[at + 1].plays("value", "noun") for at in earlier)


def read_sums(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with sums of money and lengths of time bounded as what is said around them means, and without stray numbers."""
    if lexicon.script == "han":
        return list(marks)
    found = read_ends(SumReader(marks, tokens, vocabulary, lexicon).read())
    numeric = any(mark.plays(*NUMBERS) for mark in found)
    if numeric or any(token.key in ALIKE for token in tokens):
        found = StrayReader(found, tokens, vocabulary, lexicon).read()
    return BareReader(found, tokens, vocabulary, lexicon).read() if numeric else found
