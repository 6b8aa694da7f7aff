"""Bounds of years and numbers whose words reach beyond one phrase: "by the end of 1990", "once 1990 was over", "neither
before 1980 nor after 1990", "don't go further back than 1990".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.reading.bounds import WAYS
from instructrec.instructions.reading.marks import NUMERIC
from instructrec.instructions.reading.surroundings import NEAR
from instructrec.instructions.reading.verdicts import NumberFrames

_AT_END = {"before": "until", "until": "until", "after": "after", "since": "after"}
"""What a bound means of the end of a year, and of its beginning."""
_AT_START = {"before": "before", "until": "before", "after": "since", "since": "since"}
DENIED = {"before": "since", "after": "until", "since": "before", "until": "after"}
_JOINED = {"before": "since", "after": "until"}


class EdgeFrames(NumberFrames):
    """Gives such bounds the word that the later passes read."""

    def _void(self, places: Sequence[int] | range) -> None:
        """Take what stands there for words of no weight, known or not, unless it names something."""
        for place in places:
            mark = self.marks[place]
            if mark.roles and not mark.plays("value", "title", "range", "sign", *NUMERIC):
                self.marks[place] = mark.idle

    def _turn(self, place: int, way: str) -> None:
        """Make one of the WAYS of a mark."""
        self.marks[place] = replace(self.marks[place], roles=(way,), compare=None, low=None, high=None)

    def _way_at(self, place: int) -> str | None:
        """The bound that a mark sets, if any."""
        if not 0 <= place < len(self.marks):
            return None
        mark = self.marks[place]
        if mark.compare is not None:
            return mark.compare[1] if mark.compare[0] == "year" else None
        return next((way for way in WAYS if way in mark.roles or f"{way}_range" in mark.roles), None)

    def _before_skipping(self, place: int, *roles: str) -> int:
        """The nearest place before that plays none of the roles; -1 at the beginning."""
        at = place - 1
        while at >= 0 and place - at <= NEAR and (not self.marks[at].roles or self.marks[at].plays(*roles)):
            at -= 1
        return at

    def _year_ahead(self, place: int) -> int | None:
        for at in range(place + 1, min(place + NEAR, len(self.marks))):
            if self.marks[at].plays("year", "decade"):
                return at
            if not self.marks[at].plays("article", "filler", "from", "attribute", "edge_end", "edge_start"):
                return None
        return None

    def _edge(self, place: int) -> None:
        """The end or the beginning of a year, which a bound speaks of: "by the end of 1990", "before 1990 began"."""
        if self._year_ahead(place) is None:
            return
        at = self._before_skipping(place, "article", "from")
        way = self._way_at(at)
        if way is None and at >= 0 and self.marks[at].plays("since_after", "until_after"):
            key = self.tokens[self.marks[at].last - 1].key  # "and after | the end of 1990"
            way = key if key in ("before", "after") else None
        if way is not None:
            self._turn(at, (_AT_END if self.marks[place].plays("edge_end") else _AT_START)[way])
        self._void([place])

    def _passed(self, place: int) -> None:
        """A year that is over, or has begun: "once 1990 was over", "by the time 1990 ended"."""
        year = self._before_skipping(place, "filler", "aged")
        if year < 0 or not self.marks[year].plays("year", "decade"):
            return
        at = year - 1
        lead = ("article", "filler", "attribute")
        while at > 0 and self.marks[at].plays(*lead) and not self.marks[at].plays("time_once", "time_until", *WAYS):
            at -= 1
        if at < 0:
            return
        over = self.marks[place].plays("year_over")
        mark = self.marks[at]
        if self.lexicon.can_be(self.tokens[mark.first].key, "any_other"):
            return  # "anything prior to 1990 is out"
        way = self._way_at(at)
        if way is None:
            way = "after" if mark.plays("time_once") else "until" if mark.plays("time_until") else None
        if way is None:
            return
        denial = self._denied_existence(at)
        if denial is not None:
            way = "after" if over else "since"
            self._void(range(denial, at))
            self._turn(at, way)
        else:
            self._turn(at, (_AT_END if over else _AT_START)[way])
        self._void(range(year + 1, place + 1))

    def _not_yet(self, place: int) -> None:
        """What did not exist by a time came after it: "that wasn't out yet by 1990"."""
        year = self._year_ahead(place)
        way = self._way_at(place)
        if year is None or way not in ("until", "before"):
            return
        denial = self._denied_existence(place)
        if denial is None:
            return
        until = self.tokens[self.marks[place].first].key in ("until", "till")  # "that didn't exist until 1990"
        self._turn(place, "since" if until or way == "before" else "after")
        self._void(range(denial, place))

    def _denied_existence(self, place: int) -> int | None:
        """Where the words before begin to say that it did not exist yet: "that wasn't out yet | when 1990 ended"."""
        exists = False
        for at in range(place - 1, max(-1, place - 2 * NEAR), -1):
            mark = self.marks[at]
            if mark.plays("existing"):
                exists = True
            elif exists and mark.plays("denial", "negation"):
                return at
            elif not mark.plays("filler", "contrast", "aged", "unknown", "known", "article"):
                return None
        return None

    def _moved(self, place: int) -> None:
        """What the search must not go beyond: "don't go further back than 1990", "no need to look past 1990"."""
        way = self._way_at(place)
        if way not in ("before", "after") or self._numeric_ahead(place) is None:
            return
        move = self._before_skipping(place, "filler", "known", "unknown", "particle")
        moves = [at for at in range(move + 1, place) if self.marks[at].plays("moving")]
        if not moves or move < 0 or not self.marks[move].plays("negation", "denial"):
            return
        if any(self.marks[at].plays("known", "unknown") and not self.marks[at].plays("moving") for at in range(move + 1, place)):
            return
        self._turn(place, DENIED[way])
        self._void(range(move, place))

    def _refused_with(self, place: int) -> None:
        """A year that is refused with all behind or before it: "no 1990 and nothing after that"."""
        mark = self.marks[place]
        year = place - 1 - (place > 2 and self.marks[place - 1].plays("and"))
        if year < 1 or not self.marks[year].plays("year") or not self.lexicon.negates(self.tokens[mark.last - 2].key):
            return
        no = self.marks[year - 1]
        if self.year is None or no.last - no.first > 1 or not no.plays("negation"):
            return
        made = self._ranged(year, "after" if mark.plays("since_after") else "before", self.year)
        self._merge(year - 1, place, made)

    def _numeric_ahead(self, place: int) -> int | None:
        for at in range(place + 1, min(place + NEAR, len(self.marks))):
            if self.marks[at].plays(*NUMERIC):
                return at
            if not self.marks[at].plays("article", "filler", "from", "attribute", "than"):
                return None
        return None

    def _neither(self, place: int) -> None:
        """A "no" that reaches over an "or": "nothing earlier than 1980 or later than 1990", "not earlier or later than 1990"."""
        way = self._way_at(place)
        joint = self._before_skipping(place, "article")
        if self.lexicon.negates(self.tokens[self.marks[place].first].key):
            self._exact_again(place, joint)
            return
        if way not in _JOINED:
            return
        if joint < 1 or not self._number_follows(place):
            return
        nor = self.tokens[self.marks[joint].first].key == "nor"
        if not nor and not self.marks[joint].plays("or"):
            return
        before = joint - 1
        if self.marks[before].plays("sign") and before:
            before -= 1
        if self.marks[before].plays(*NUMERIC):
            self._neither_end(place, joint, before)
        elif self.marks[before].plays("more_of", *WAYS):
            at = self._before_skipping(before, "filler", "aged", "article")
            if at >= 0 and self.marks[at].plays("negation", "denial") and self.marks[at].last - self.marks[at].first <= 2:
                self._void(range(at, place))
                self.marks[place] = replace(self.marks[place], roles=("from",), compare=None)

    def _exact_than(self, place: int) -> None:
        """Both ends refused in one phrase: "not earlier and not later | than 1990", "neither more nor fewer | than two"."""
        than = self.marks[place + 1 : place + 2]
        number = self._numeric_ahead(place) if than and than[0].plays("than") else None
        if number is not None:
            self._void([place + 1])
            role = "from" if self.marks[number].plays("year", "decade") else "exactly"
            self.marks[place] = replace(self.marks[place], roles=(role,))

    def _exact_again(self, place: int, joint: int) -> None:
        """Both ends refused, each with its own "no": "not earlier and not later than 1990"."""
        if joint < 2 or not self.marks[joint].plays("and", "or", "sign", "contrast") or not self._number_follows(place):
            return
        at = joint - 1
        if self.marks[at].plays("more_of") and self.marks[at - 1].plays("negation", "denial"):
            self._void(range(at - 1, place))
            if self.marks[joint].plays("sign"):
                self.marks[joint] = replace(self.marks[joint], roles=("filler",))
            self.marks[place] = replace(self.marks[place], roles=("from",), compare=None)

    def _number_follows(self, place: int) -> bool:
        return self._numeric_ahead(place) is not None

    def _neither_end(self, place: int, joint: int, number: int) -> None:
        """The second end of what a "no" closes on both sides."""
        first = self._before_skipping(number, "article", "filler", "from", "attribute")
        way = self._way_at(first)
        mine = self._way_at(place)
        if way is None or mine is None:
            return
        said = self.lexicon.negates(self.tokens[self.marks[first].first].key)
        other = {"since": "after", "until": "before"}.get(way)
        if said and other == mine:
            self._turn(place, _JOINED[mine])
            self.marks[joint] = replace(self.marks[joint], roles=("and",))
            return
        at = self._before_skipping(first, "filler", "aged", "article")
        denied = at >= 0 and self.marks[at].plays("negation", "denial", "either_not")
        if denied and way in _JOINED and mine != way and self.marks[at].last - self.marks[at].first <= 3:
            self._turn(first, _JOINED[way])
            self._turn(place, _JOINED[mine])
            self.marks[joint] = replace(self.marks[joint], roles=("and",))
            self._void(range(at, first))
