"""Numbers that count and bound nothing: times of day, years of persons, second thoughts ("tonight at 8", "20, maybe 25")."""

from __future__ import annotations

from dataclasses import replace

from instructrec.instructions.reading.asides import Asides
from instructrec.instructions.reading.marks import Mark

_LAST_HOUR = 24
_OWNERS = ("my", "our", "his", "her", "their")
_POINTING = (("which", "was"), ("that", "was"), ("which", "is"), ("that", "is"))
ALIKE = ("same", "different")
_NEAR = 8
_AGES = {"before": "too_low", "after": "too_high"}
"""What a bound says again that is refused for being too old, or too new."""


class StrayReader(Asides):
    """Hands such numbers back; Latin script only."""

    def read(self) -> list[Mark]:
        """The marks, with the numbers that say nothing of the items as unknown words."""
        for place in range(len(self.marks)):
            if self.keys[self.marks[place].first] in ALIKE and self.marks[place].roles:
                self._alike(place)
            if not self._is_number(place):
                continue
            self._explained(place)
            for rule in (
                self._at_clock,
                self._of_person,
                self._of_ages,
                self._reduced,
                self._nearby,
                self._cut_off,
                self._wavering,
            ):
                if self._is_number(place):
                    rule(place)
        return [mark for mark in self.marks if mark.roles]

    def _alike(self, place: int) -> None:
        """What the items should have in common, or not, is no condition of one of them: "none from the same decade"."""
        first = end = place
        while (
            first > 0 and self.marks[first - 1].plays("article", "from", "negation", "any_other", "until") and place - first < _NEAR
        ):
            first -= 1
        while end + 1 < len(self.marks) and self.marks[end + 1].plays("filler", "attribute", "noun", "unit") and end - place < 2:
            end += 1
        ends = end + 1 == len(self.marks) or self.marks[end + 1].plays("sign", "and", "contrast")
        leads = any(self.marks[at].plays("from", "negation", "until") for at in range(first, place))
        if ends and end > place and leads and not any(self.marks[at].is_content for at in range(first, place)):
            self._hand_back(first, end)

    def _at_clock(self, place: int) -> None:
        """A time of day: "tonight at 8", "8 pm"."""
        mark = self.marks[place]
        daytime = self._aside(mark.last, "daytime")
        alone = place > 0 and self.marks[place - 1].last - self.marks[place - 1].first == 1 and self.keys[mark.first - 1] == "at"
        if daytime is None and not alone:
            return
        start = self._start(place)
        counts = any(after.plays("noun", "value", "quality", "of_them", "percent") for after in self.marks[place + 1 : place + 2])
        named = counts or any(
            near.plays("attribute", "cap") for near in (*self.marks[start:place], *self.marks[place + 1 : place + 2])
        )
        if daytime is not None and (mark.low or 0) <= _LAST_HOUR:
            self._hand_back(place, max(self._marks_of(daytime.first, daytime.last)))
        elif alone and not named and mark.attribute is None and (mark.low or 0) <= _LAST_HOUR and mark.plays("number", "count"):
            self._hand_back(place, place)

    def _of_person(self, place: int) -> None:
        """A year in which something happened to somebody: "my 1990 baby", "before I was born, which was 1985"."""
        mark = self.marks[place]
        if not mark.plays("year"):
            return
        owned = mark.first > 0 and self.keys[mark.first - 1] in _OWNERS
        pointed = self.keys[max(0, mark.first - 2) : mark.first] in _POINTING
        happened = any(near.plays("event") for near in self.marks[max(0, place - _NEAR) : place])
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if (owned and after is not None and after.plays("unknown", "known")) or (pointed and happened):
            self._hand_back(place, place)

    def _of_ages(self, place: int) -> None:
        """How old several are, or how late it is: "the kids are 8 and 10", "it's 9 already"."""
        mark = self.marks[place]
        told = place > 0 and self.marks[place - 1].plays("aged") and mark.attribute is None and not mark.plays("year")
        if told and self._is_number(place + 2) and self.marks[place + 1].plays("and") and self._ends(place + 3):
            self._hand_back(place, place + 2)
        elif mark.first > 0 and self.keys[mark.first - 1] == "its" and self._aside(mark.last, "already") is not None:
            self._hand_back(place, place)

    def _reduced(self, place: int) -> None:
        """Percents that something costs less: "20% off"."""
        percent = place + 2 < len(self.marks) and self.marks[place + 1].plays("percent")
        if percent and self.keys[self.marks[place + 2].first] in ("off", "discount"):
            self._hand_back(place, place + 2)

    def _nearby(self, place: int) -> None:
        """A number whose neighbours would do as well, which no bound says: "from 1980, or a bit earlier"."""
        at = self.marks[place].last
        at += at < len(self.keys) and self.keys[at] == ","
        found = self._aside(at, "nearby")
        if found is not None:
            first = self._bound(place)[1]
            while first > 0 and self.marks[first - 1].plays("from") and not self.marks[first - 1].plays("noun"):
                first -= 1
            self._hand_back(first, max(self._marks_of(found.first, found.last)))

    def _cut_off(self, place: int) -> None:
        """A year that is "the cutoff" for something old or new, when it goes without saying on which side."""
        mark = self.marks[place]
        found = self._aside(mark.last, "cutoff") if mark.plays("year") else None
        if found is not None and self._within(self._sentence(place), mark.first, "aging") is not None:
            self._hand_back(place, max(self._marks_of(found.first, found.last)))

    def _wavering(self, place: int) -> None:
        """Two numbers of which either may be meant: "20, maybe 25"."""
        mark = self.marks[place]
        at = mark.last + (mark.last < len(self.keys) and self.keys[mark.last] == ",")
        found = self._aside(at, "perhaps")
        if found is None or self._bound(place)[0] or mark.attribute is not None:
            return
        second = next(
            (index for index in range(place + 1, min(place + 5, len(self.marks))) if self.marks[index].first >= found.last), 0
        )
        if second and self._is_number(second) and self._ends(second + 1):
            self._hand_back(place, second)

    def _explained(self, place: int) -> None:
        """A bound that only says what was called too old or too new is refused with it: "nothing too old, say before 1970"."""
        if not self.marks[place].plays("year") or not self.asides:
            return
        way, first, _ = self._bound(place)
        namely = self._within(self._sentence(place), self.marks[first].first, "namely")
        if namely is None or namely.last != self.marks[first].first or first == place:
            return
        said = max(self._marks_of(namely.first, namely.last))
        graded = [at for at in range(max(0, said - 4), said) if self.marks[at].plays("too_low", "too_high")]
        if not graded or not any(self.marks[at].plays("negation") for at in range(max(0, graded[0] - _NEAR), graded[0])):
            return
        refused = way in _AGES and self.marks[graded[-1]].plays(_AGES[way])
        self._turn(first, said, {"before": "since", "after": "until"}[way] if refused else way)

    def _turn(self, bound: int, said: int, way: str) -> None:
        """Make the words before a bound begin a condition of its own."""
        self.marks[bound] = replace(self.marks[bound], roles=(way,), compare=None)
        self.marks[said] = replace(self.marks[said], roles=("contrast",))
