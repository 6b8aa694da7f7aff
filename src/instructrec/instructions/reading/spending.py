"""Sums of money and lengths of time before the frames: what there is to spend is a ceiling ("I have $40", "can't pay more")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.asides import Aside, Asides
from instructrec.instructions.reading.bounds import WAYS, bounded
from instructrec.instructions.reading.marks import NUMBERS, Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_TURNED = {"after": "until", "since": "before", "before": "since"}
"""What is left of the numbers that one does not want to reach: not more than 20 is up to 20."""
_FRAMES = ("spend", "reach", "cost", "owned", "purse", "ceiling", "spent")
_BETWEEN = ("filler", "article", "about", "exactly", "alone", "list", "aged", "including")
_OWN = ("value", "title", "open", "range", "of_them", "people")
"""What a refusal is of, where it stands before a sum."""
_JUDGING = ("too_high", "too_low", "before_after", "after_after")
_NEAR = 6


class SpendingReader(Asides):
    """Bounds the sums that a request can spend; Latin script only."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, vocabulary, lexicon)
        self.price = vocabulary.kinds.get("price")
        self.length = vocabulary.kinds.get("length")

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
        of_one = "purse" in found.roles and bool(between) and self.keys[self.marks[between[0]].first] in ("for", "on")
        passed = (*_BETWEEN, "value") if of_one else _BETWEEN  # "my budget for a lipstick is 15"
        near = all(self.marks[at].plays(*passed) or self._is_colon(at) for at in between)
        loose = {"spend", "spent", "cost"}.intersection(found.roles) and len(between) <= _NEAR
        return found if near or loose else None

    def _is_colon(self, place: int) -> bool:
        return self.marks[place].plays("sign") and self.keys[self.marks[place].first] == ":"

    def _total(self, last: int) -> Aside | None:
        """Words behind a sum that make it the sum of several things."""
        at = self.marks[last].last
        return self._aside(at, "total") or (
            self._aside(at + 1, "total") if at < len(self.keys) and self.keys[at] == "for" else None
        )

    def _sum(self, place: int, attribute: str) -> None:
        """A sum of money or a length of time, in what is said of it."""
        way, first, last = self._bound(place)
        if attribute == self.length:
            self._lasting(place, way)
            return
        total, frame = self._total(last), self._frame(place)
        if total is not None:
            self._hand_back(first if way else place, max(last, place))
            self._fill(total.first, total.last)
        elif frame is None or "cost" in frame.roles:
            self._priced(place, way, first, frame)
        elif self._is_told(place, way, frame):
            self._hand_back(first, max(last, place))
        else:
            self._spent(place, way, first, frame)

    def _is_told(self, place: int, way: str, frame: Aside) -> bool:
        """Whether it was spent, or may be: "I paid $60", "I don't mind spending more than 30", "I can spend more than 30"."""
        permitted = any(mark.plays("open") for mark in self.marks[self._start(place) : place])
        able = way in ("after", "since") and self._refusal(place, frame) is None and not self._is_asked(place)
        return "spent" in frame.roles or permitted or able

    def _priced(self, place: int, way: str, first: int, frame: Aside | None) -> None:
        """A sum that nobody says to have, or that something costs."""
        attribute = self.marks[place].attribute or ""
        refused = self._refusal(place, frame) if frame is not None else self._denial(place, way, first)
        below = self._within(self.marks[max(0, place - 1)].first, self.marks[place].first, "below")
        if refused is not None:
            self._refused(place, way, first, refused)
        elif below is not None:
            self.marks[place] = self._range(place, "before", attribute)
        elif not way and not self._about(place) and self._is_ceiling(place, frame):
            self.marks[place] = self._range(place, "until", attribute)

    def _spent(self, place: int, way: str, first: int, frame: Aside) -> None:
        """A sum that there is to spend, or that is too much."""
        refused = self._refusal(place, frame)
        if refused is not None:
            self._refused(place, way, first, refused)
        elif not way:
            self._about(place)
            self.marks[place] = self._range(place, "until", self.marks[place].attribute or "")
        bounds = ("compare", *WAYS) if way else ()
        self._fill(frame.first, frame.last, keep=("range", "value", *bounds, *NUMBERS))
        self._unlist(place)

    def _is_ceiling(self, place: int, frame: Aside | None) -> bool:
        """Whether a sum without a bound is what there is to spend, and not the price that a thing must have."""
        start = self._start(place)
        near = [mark for mark in self.marks[max(start, place - 3) : place]]
        exact = any(mark.plays("exactly", "about", "alone", "between") or mark.attribute == self.price for mark in near)
        exact = exact or frame is not None or any(mark.attribute == self.price for mark in self.marks[place + 1 : place + 2])
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if any(mark.plays(*_JUDGING) for mark in self.marks[place + 1 : place + 1 + _NEAR]):
            return False  # "$60 for a perfume is too much"
        return not exact and not (after is not None and after.plays("about_after", "exact_after", "to", "and"))

    def _is_asked(self, place: int) -> bool:
        """Whether somebody asks for it: "I want to spend at least 50"."""
        return any(mark.plays("firm") for mark in self.marks[self._start(place) : place])

    def _refusal(self, place: int, frame: Aside) -> int | None:
        """The mark that refuses what is said of a sum ("can't spend"), if there is one close before."""
        start = self._start(place)
        negated = self._within(self.marks[start].first, frame.first + ("owned" in frame.roles), "unable")
        reached = [
            at for at in range(start, place) if frame.first - _NEAR < self.marks[at].last and self.marks[at].first <= frame.first
        ]
        at = [at for at in reached if self.marks[at].plays("negation", "fresh")]
        if negated is not None and negated.last > frame.first - _NEAR and negated.first <= frame.first:
            at.append(next(self._marks_of(negated.first, negated.last), start))
        if not at or {"purse", "ceiling"}.intersection(frame.roles):
            return None
        first = min(at)
        between = (mark for mark in self.marks[first:place] if mark.first < frame.first)
        bound = self._bound(place)[1]
        said = self.marks[bound]
        inside = bound < place and said.first <= self.marks[first].first and said.first <= frame.first < said.last
        return None if inside or any(mark.plays("value", "title") for mark in between) else first

    def _denial(self, place: int, way: str, first: int) -> int | None:
        """The mark that says one can't, which refuses nothing by itself: "can't sit through more than two hours"."""
        start = self._start(place)
        found = self._within(self.marks[start].first, self.marks[first].first, "unable") if way in _TURNED else None
        if found is None or found.last <= self.marks[first].first - _NEAR:
            return None
        denied = next(self._marks_of(found.first, found.last), start)
        between = self.marks[denied:first]
        counted = any(mark.plays(*_OWN, *NUMBERS) for mark in between)
        return None if counted or self.marks[denied].plays(*WAYS) else denied

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
        elif way:
            first = self._bound(place)[1]
            refused = self._refusal(place, frame) if owned and frame is not None else self._denial(place, way, first)
            if refused is not None:
                self._refused(place, way, first, refused)
            elif self._is_done(first):
                self._hand_back(first, max(self._bound(place)[2], place))
        elif not self._about(place) and not exact:
            self._hand_back(place, place)

    def _is_done(self, first: int) -> bool:
        """Whether a bound is of what a person did, by a word that nobody knows: "we waited over two hours"."""
        before = self.marks[max(0, first - 3) : first]
        person = any(self.lexicon.is_subject(self.keys[mark.first]) for mark in before)
        return person and bool(before) and before[-1].plays("unknown")

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
