"""Sums of money before the frames: what can be spent is a ceiling ("I have $40", "can't spend more than 20"), never a count."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from instructrec.instructions.asides import NUMERIC, Aside, Asides
from instructrec.instructions.bounds import WAYS, bounded
from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.strays import StrayReader
from instructrec.instructions.sums import SumReader
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_FEW = 10
"""A number up to this one, that nothing says to be money, may count items."""
_TURNED = {"after": "until", "since": "before", "before": "since"}
"""What is left of the numbers that one does not want to reach: not more than 20 is up to 20."""
_FRAMES = ("spend", "reach", "cost", "owned", "purse", "ceiling", "spent")
_SURE = ("spend", "purse", "left")
_NEAR = 6


class SpendingReader(Asides):
    """Bounds the sums that a request can spend, and finds the bare numbers that are sums; Latin script only."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, vocabulary, lexicon)
        self.price = vocabulary.kinds.get("price")
        self.length = vocabulary.kinds.get("length")
        self.least, self.other = self._likely()
        self._last: tuple[int, str] | None = None
        """The sum or number without a meaning that was met last, and how it is bounded."""

    def _likely(self) -> tuple[float, float]:
        """The lowest price, and the highest number that may rather be a rating."""
        known = self.vocabulary.catalog.quantities
        prices = known[self.price] if self.price is not None else np.empty(0)
        rating = self.vocabulary.kinds.get("rating")
        rated = known[rating] if rating is not None else np.empty(0)
        low = float(np.nanmin(prices)) if np.isfinite(prices).any() else math.inf
        high = float(np.nanmax(rated)) if np.isfinite(rated).any() else 0.0
        return low // 1, high // -1 * -1

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
        way, first, last = self._bound(place)
        if earlier is None or mark.attribute not in (None, self.price) or (mark.attribute is None and not self._ends(last + 1)):
            return False
        before, its_way = earlier
        between = self.marks[before + 1 : first]
        revised = any(near.plays("correction") or self.keys[near.first] == "well" for near in between)
        if any(near.plays("value", "noun", "attribute", "and", "title") for near in between) or self._names_other(place, None):
            return False
        if revised and self.marks[before].attribute == self.price and self.price is not None:
            start, end = (self._bound(before)[1], before) if self.marks[before].plays("number") else (before, before)
            self._hand_back(start, end)
            self.marks[place] = self._range(place, way or its_way or "until", self.price) if way != "between" else mark
            if way:
                self._fill(self.marks[first].first, self.marks[place].first)
                self._fill(self.marks[place].last, self.marks[last].last)
            return True
        if mark.attribute is None and not way:
            self._hand_back(place, place)
            return True
        return False

    def _frame(self, place: int) -> Aside | None:
        """The words right before or behind that say what a sum is: "I have $40", "budget: 40", "$60 is my limit"."""
        start, first = self._start(place), self._bound(place)[1]
        behind = self._aside(self.marks[place].last, "purse", "ceiling", "left")
        if behind is not None:
            return behind
        lead = self.marks[start].first
        found = self._within(lead, self.marks[min(first + 1, place)].first, *_FRAMES)
        inside = self._within(self.marks[first].first, self.marks[place].first, "spend", "reach") if first < place else None
        if found is None or inside is not None:
            return inside or found
        between = [at for at in range(start, place) if self.marks[at].first >= found.last and at < first]
        near = all(
            self.marks[at].plays("filler", "article", "about", "exactly", "alone", "list", "aged", "including") or self._colon(at)
            for at in between
        )
        loose = {"spend", "spent", "cost"}.intersection(found.roles) and len(between) <= _NEAR
        return found if near or loose else None

    def _colon(self, place: int) -> bool:
        return self.marks[place].plays("sign") and self.keys[self.marks[place].first] == ":"

    def _bare(self, place: int) -> None:
        """A number that nothing calls money, where what is said around it, or its size behind one thing, makes it money."""
        mark = self.marks[place]
        low = mark.low or 0.0
        way, first, last = self._bound(place)
        if way == "between" and self.marks[last].attribute is not None:
            return  # "20-30 dollars"
        bought = self._bought(place)
        frame = self._frame(place) if bought is None else bought
        if mark.plays("year", "vague") or self._names_other(place, frame) or self._is_second(place):
            return
        sure = frame is not None and bool({*_SURE, "buys"}.intersection(frame.roles))
        if not self._ends(last + 1) and frame is not bought and not (frame is not None and frame.first >= mark.last):
            return
        fits = self.least <= low and low > self.other
        if sure and self.price is None:
            self._hand_back(first, max(place, last) if way != "between" else place)
        elif sure and (fits or self.price is not None):
            self._as_sum(place)
        elif fits and low > _FEW and frame is not None and {"reach", "ceiling", "cost"}.intersection(frame.roles):
            self._as_sum(place)
        elif (
            fits
            and self._total(last) is not None
            and (self._counted_before(place) or self.keys[mark.first - 1 : mark.first] == ("for",))
        ):
            self._hand_back(first, last)
            self._sum_up(place)
        elif fits:
            self._bounded(place, way, first, last)
        elif way == "between" and low > _FEW and not self._asked_for(first):
            self._hand_back(first, last)  # "85-92"

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
        start = self._start(place)
        around = [*self.marks[start:place], *self.marks[place + 1 : place + 3]]
        named = [mark for mark in around if mark.plays("attribute") and mark.attribute in self.vocabulary.catalog.quantities]
        used = any(self._is_number(at) for at in range(start, place))  # "rated 4 or above, under 20"
        named = [
            mark
            for mark in named
            if (mark.attribute != self.price or frame is None) and not (used and mark.first < self.marks[place].first)
        ]
        compared = any(mark.compare is not None and mark.compare[0] != "price" for mark in around)
        return bool(named) or compared or any(mark.plays("title") for mark in self.marks[max(0, place - 1) : place])

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
            if not way and self.keys[max(0, self.marks[place].first - 1)] == "for" and low > _FEW:
                self._as_sum(place)
            return
        strict = way in ("before", "after")
        counted = before is not None and before.plays("value") and low > _FEW
        if costly or (
            strict
            and (single or counted or before is None or before.plays("noun", "filler", "firm", "quality", "conditional", "in_case"))
        ):
            self._as_sum(place)
        elif low > _FEW and self._counts_nothing(place):
            if before is None and not self._for_one(last):
                self._hand_back(first, last)
            else:
                self._as_sum(place)
        elif low > _FEW:
            self._hand_back(first, last)  # "lipsticks, 20 max": so many, or a price

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

    def _total(self, last: int) -> Aside | None:
        """Words behind a sum that make it the sum of several things."""
        at = self.marks[last].last
        return self._aside(at, "total") or (
            self._aside(at + 1, "total") if at < len(self.keys) and self.keys[at] == "for" else None
        )

    def _sum_up(self, place: int) -> None:
        """Hand back with a sum the words that say it is the whole."""
        total = self._total(place)
        if total is not None:
            self._fill(total.first, total.last)

    def _sum(self, place: int, attribute: str) -> None:
        """A sum of money or a length of time, in what is said of it."""
        way, first, last = self._bound(place)
        if attribute == self.length:
            self._lasting(place, way)
            return
        if self._total(last) is not None:
            total = self._total(last)
            self._hand_back(first if way else place, max(last, place))
            if total is not None:
                self._fill(total.first, total.last)
            return
        frame = self._frame(place)
        if frame is not None and "spent" in frame.roles:
            self._hand_back(first, max(last, place))
            return
        refused = self._refusal(place, frame) if frame is not None else None
        if frame is not None and any(mark.plays("open") for mark in self.marks[self._start(place) : place]):
            self._hand_back(first, max(last, place))  # "I don't mind spending more than 30"
            return
        below = self._within(self.marks[max(0, place - 1)].first, self.marks[place].first, "below")
        if refused is not None:
            self._refused(place, way, first, refused)
        elif frame is not None and way in ("after", "since") and "cost" not in frame.roles and not self._is_asked(place):
            self._hand_back(first, max(last, place))  # "I can spend more than 30" asks for nothing
        elif below is not None:
            self.marks[place] = self._range(place, "before", attribute)
        elif not way and self._about(place):
            pass
        elif not way and self._is_ceiling(place, frame):
            self.marks[place] = self._range(place, "until", attribute)
        if frame is not None and "cost" not in frame.roles:
            self._fill(frame.first, frame.last, keep=("range", "compare", "value", *WAYS, *NUMERIC))
            self._unlist(place)

    def _is_ceiling(self, place: int, frame: Aside | None) -> bool:
        """Whether a sum without a bound is what there is to spend, and not the price that a thing must have."""
        if frame is not None and "cost" not in frame.roles:
            return True
        start = self._start(place)
        near = [mark for mark in self.marks[max(start, place - 3) : place]]
        exact = any(mark.plays("exactly", "about", "alone", "between") or mark.attribute == self.price for mark in near)
        exact = exact or frame is not None or any(mark.attribute == self.price for mark in self.marks[place + 1 : place + 2])
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        return not exact and not (after is not None and after.plays("about_after", "exact_after", "to", "and"))

    def _is_asked(self, place: int) -> bool:
        """Whether somebody asks for it: "I want to spend at least 50"."""
        return any(mark.plays("firm") for mark in self.marks[self._start(place) : place])

    def _refusal(self, place: int, frame: Aside) -> int | None:
        """The mark that refuses what is said of a sum ("can't spend"), if there is one close before."""
        start = self._start(place)
        negated = self._within(self.marks[start].first, frame.first + ("owned" in frame.roles), "unable")
        at = [
            at
            for at in range(start, place)
            if self.marks[at].first < max(frame.first, 1) + 1 and self.marks[at].plays("negation", "fresh")
        ]
        at = [index for index in at if self.marks[index].first <= frame.first and self.marks[index].last > frame.first - _NEAR]
        if negated is not None and negated.last > frame.first - _NEAR and negated.first <= frame.first:
            at.append(next(self._marks_of(negated.first, negated.last), start))
        if not at or {"purse", "ceiling"}.intersection(frame.roles):
            return None
        first = min(at)
        between = (mark for mark in self.marks[first:place] if mark.first < frame.first)
        bound = self._bound(place)[1]
        inside = (
            bound < place
            and self.marks[bound].first <= self.marks[first].first
            and self.marks[bound].first <= frame.first < self.marks[bound].last
        )
        return None if inside or any(mark.plays("value", "title") for mark in between) else first

    def _refused(self, place: int, way: str, first: int, refused: int) -> None:
        """Turn a bound that is refused, and let nothing behind it be refused with it."""
        attribute = self.marks[place].attribute or ""
        begins = self.marks[refused].first
        if not way:
            self.marks[place] = self._range(place, "before", attribute)
            self._fill(begins, self.marks[place].first, keep=("value", "title"))
            return
        bound = self.marks[first] if first < place else None
        if bound is not None and way in _TURNED:
            self.marks[first] = replace(bound, roles=(_TURNED[way],), compare=None)
        self._fill(begins, self.marks[first].first, keep=("value", "title"))

    def _lasting(self, place: int, way: str) -> None:
        """A length of time: what there is of it is a ceiling; one that nothing bounds asks for nothing."""
        mark = self.marks[place]
        frame = self._frame(place)
        owned = frame is not None and {"owned", "purse", "ceiling"}.intersection(frame.roles)
        start = self._start(place)
        exact = any(near.plays("exactly", "attribute") for near in self.marks[max(start, place - 3) : place])
        self._trim(place)
        if owned and not way and frame is not None and self._refusal(place, frame) is None:
            self.marks[place] = self._range(place, "until", mark.attribute or "")
            self._fill(frame.first, frame.last)
        elif not way and not self._about(place) and not exact:
            self._hand_back(place, place)

    def _trim(self, place: int) -> None:
        """Words that only say that it is a length of time: "lasts less than 100 minutes", "at most two hours long"."""
        for at in (self._bound(place)[1] - 1, place + 1):
            if (
                0 <= at < len(self.marks)
                and self._aside(self.marks[at].first, "lasting") is not None
                and self.marks[at].plays("quality", "known", "unknown")
            ):
                self.marks[at] = replace(self.marks[at], roles=("filler",))

    def _about(self, place: int) -> bool:
        """Whether a sum is only roughly meant, and then a range around it: "about 20 dollars", "90 minutes or so"."""
        mark, about = self.marks[place], [at for at in range(max(0, place - 2), place) if self.marks[at].plays("about")]
        if place + 1 < len(self.marks) and self.marks[place + 1].plays("about_after"):
            about.append(place + 1)
        if not about or mark.low is None or any(self.marks[at].plays("exactly") for at in range(max(0, place - 2), place)):
            return False
        low, high = (round(share * mark.low, 9) for share in (0.9, 1.1))
        self.marks[place] = Mark(("range",), mark.first, mark.last, attribute=mark.attribute, low=low, high=high)
        for at in about:
            self.marks[at] = replace(self.marks[at], roles=("filler",))
        return True

    def _unlist(self, place: int) -> None:
        """Words that else ask for so many items say nothing before a sum: "limit of $20"."""
        for at in range(max(0, place - 2), place):
            if self.marks[at].plays("list") and not self.marks[at].plays("until", "since"):
                self.marks[at] = replace(self.marks[at], roles=("filler",))

    def _range(self, place: int, way: str, attribute: str) -> Mark:
        mark = self.marks[place]
        low, high = bounded(way, mark.low, mark.high, whole=self.vocabulary.is_integral(attribute))
        return Mark(("range",), mark.first, mark.last, attribute=attribute, low=low, high=high)


def read_sums(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with sums of money and lengths of time bounded as what is said around them means, and without stray numbers."""
    if lexicon.script == "han":
        return list(marks)
    found = StrayReader(SumReader(marks, tokens, vocabulary, lexicon).read(), tokens, vocabulary, lexicon).read()
    return SpendingReader(found, tokens, vocabulary, lexicon).read()
