"""Numbers whose bound is said elsewhere in the clause: "1990 is the oldest year I'd take", "more than two would be too many"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from instructrec.instructions.reading.bounds import WAYS
from instructrec.instructions.reading.comments import CommentFrames
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.surroundings import NEAR

_JUDGED = {
    "high": {None: "before", "since": "before", "after": "until"},
    "low": {None: "after", "until": "after", "before": "since"},
}
"""What a number means that is too high, or too low, by the bound that was said of it: "more than three is too many"."""
_WAY_BEHIND = {(True, False): "since", (False, False): "until", (False, True): "exactly", (True, True): "exactly"}
"""The bound that words behind set, by whether they say "or more", or "exactly"."""

_MOST_LED_IN = 20
"""A greater number behind an unknown word rather belongs to it."""


class NumberFrames(CommentFrames):
    """Finds the bound that belongs to a number, and makes a range or an amount of both."""

    def _judged(self, place: int) -> None:
        """A number that would be too much or too little: "if the rating is just 3, that's not enough"."""
        verdict = self.marks[place]
        judged = "high" if verdict.plays("too_high", "too_many", "before_after") else "low"
        behind = list(self._back(place, sentence=True))
        numbers = [at for at in behind if self._is_number(at)]
        if not numbers or any(self.marks[at].plays("range", "title", "too_high", "too_low") for at in behind if at > numbers[0]):
            return
        within = [at for at in behind if at >= numbers[0] - NEAR]
        values = any(self.marks[at].plays("value") for at in within if at > numbers[0])
        parted = next((at for at in behind if at > numbers[0] and self.marks[at].plays("sign")), place)
        if any(self.marks[at].plays("value") for at in range(parted, place)):
            return  # "from 1990 or earlier, and horror is a deal-breaker"
        count = numbers[1] if len(numbers) > 1 and self._joins(numbers[1], numbers[0]) else numbers[0]
        counts = (values or count != numbers[0]) and self.marks[count].plays("count", "number", "one")
        dated = verdict.plays("before_after", "after_after") and self.marks[numbers[0]].plays("year", "decade")
        counts = counts and self.marks[count].attribute is None and not dated  # "... from 1990 is too recent"
        at = count if counts else numbers[0]
        way, first, last = self._bound(at)
        if verdict.plays("too_any"):
            judged = "high" if way in ("after", "since") else "low"
        if way not in _JUDGED[judged] or (way is None and verdict.plays("too_any")):
            return
        meant, comment = _JUDGED[judged][way], self._comment(place)
        if counts:
            made = self._counted(at, meant)
        else:
            attribute = self._named_beside(at, place) or self._named_at(comment) or self._range_of(at, within)
            made = self._ranged(at, meant, attribute) if attribute is not None else None
        if made is None:
            return
        kept = ("value", "noun", "article", "attribute", *WAYS, *NUMERIC, "and", "or", "from")
        self._merge(first, last, made)
        self._fill([index for index in range(last + 1, place) if not self.marks[index].plays(*kept)])
        opens = next((index for index in range(first - 1, max(-1, first - 4), -1) if self.marks[index].plays("sign", "and")), 0)
        self._fill([i for i in range(max(opens, first - 3), first) if self.marks[i].plays("conditional", "soft")])
        self._fill([place, *comment])

    def _joins(self, first: int, last: int) -> bool:
        """Whether no other condition begins between two numbers of one: "three from before 1990"."""
        between = self.marks[first + 1 : last]
        return last - first <= NEAR and not any(mark.plays("sign", "and", "further", "contrast", "title") for mark in between)

    def _extreme(self, place: int) -> None:
        """An end of what is allowed, said before or behind it: "1990 is the oldest year I'd take"."""
        joins = ("and", "contrast", "further")
        behind = list(takewhile(lambda at: not self.marks[at].plays(*joins), self._back(place)))
        ahead = list(takewhile(lambda at: not self.marks[at].plays(*joins), self._ahead(place)))
        around = [*behind, *ahead]
        numbers = [at for at in around if self.marks[at].plays("year")] or [at for at in around if self._is_number(at)]
        if len(numbers) != 1 or any(self.marks[at].plays("negation", "title", *WAYS) for at in around):
            return
        at = numbers[0]
        between = self.marks[min(at, place) + 1 : max(at, place)]
        judges = self.lexicon.can_be(self.tokens[self.marks[place].first].key, "aged")  # "is the limit for"
        if not judges and not any(mark.plays("aged", "firm", "soft", "soft_after") for mark in between):
            return
        if not self.marks[at].plays("year") and self.marks[at].attribute is None and self._names(around) is None:
            self._extreme_count(at, place, around)
            return
        if any(mark.plays("value") for mark in between):
            return
        around = [index for index in around if abs(index - at) <= 2 * NEAR]
        attribute = self._range_of(at, around)
        if attribute is None:
            return
        made = self._ranged(at, "since" if self.marks[place].plays("oldest") else "until", attribute)
        self._fill([place, *range(min(at, place) + 1, max(at, place))])
        self._merge(at, at, made)

    def _extreme_count(self, at: int, place: int, around: Sequence[int]) -> None:
        """How many of a thing are the most, or the fewest: "the limit for comedies is three", "three is my limit for them"."""
        named = [index for index in around if self.marks[index].plays("value")]
        said = self.marks[place].last - self.marks[place].first > 1 and self.marks[at].plays("count", "number", "one")
        made = self._counted(at, "since" if self.marks[place].plays("oldest") else "until")
        listed = bool(named) and named[-1] - named[0] == len(named) - 1 and (named[0] > at or named[-1] < at)
        if said and listed and made is not None and self.marks[at].attribute is None:
            self._fill([index for index in range(min(place, at, *named), max(place, at, *named)) if index not in (at, *named)])
            self._fill([place])
            self._merge(at, at, made)

    def _bounded_behind(self, place: int) -> None:
        """A bound at the end of a clause holds for its number, not only for one right before: "two of them comedies, no more"."""
        mark, before = self.marks[place], self.marks[place - 1] if place else None
        after = next(
            (at for at in self.marks[place + 1 : place + 1 + NEAR] if not at.plays("filler", "soft_after", "enough")), None
        )
        if after is not None and not after.plays("sign", "and", "contrast", "further"):
            return
        dated = self._counts_dated(place)
        if dated is not None:
            self._bounded_count(dated, place, named=True)
            return
        if before is None or self.tokens[mark.first].key in ("on", "up", "+"):
            return
        start = place
        while start > 0 and self.marks[start - 1].plays("of_them", "enough", "filler", "noun") and place - start < NEAR:
            start -= 1
        start = start if start and self._is_number(start - 1) and self.marks[start - 1].plays("count", "number", "one") else place
        if start < place and self._number_behind_value(start - 1):
            self._bounded_count(start - 1, place, named=True)
            return
        start = place
        if not before.plays("sign", "value", "noun", "of_them"):
            start = self._remark(place) if mark.plays("exact_after") else place - 1 if self._is_allowed(place - 1) else 0
        if start:
            self._bounded_number(start, place, parted=start < place or before.plays("sign"))

    def _bounded_number(self, start: int, place: int, *, parted: bool) -> None:
        """Bound the number that the clause before `start` names as the words at `place` say; `parted`: by a sign or a "but"."""
        mark = self.marks[place]
        named = dated = False
        for at in self._back(start, sentence=True):
            if dated and self.marks[at].plays(*WAYS):
                named = True
                continue
            if self.marks[at].plays("year") and parted:
                if self._bounded_year(at, mark):
                    self._fill([place])
                    return
                dated = True
                continue
            if self._is_number(at):
                made = self._ended_at(at, _WAY_BEHIND[mark.plays("since_after"), mark.plays("exact_after")]) if parted else None
                if made is not None:
                    self._merge(at, at, made)
                    self._fill([place])
                    return
                named = named or self.marks[at - 1].plays("value", *WAYS)
                self._bounded_count(at, place, named=named)
                return
            named = named or self.marks[at].plays("value")
            if self.marks[at].plays("negation", "title", "range", "amount", "attribute", "and", "familiar", "fresh", *WAYS):
                return

    def _number_behind_value(self, place: int) -> bool:
        """Whether a number says how much room a value before it has: "comedies may take up | two places"."""
        for at in self._back(place):
            if self.marks[at].plays("value"):
                return True
            if not self.marks[at].plays(
                "soft", "firm", "filler", "from", "aged", "owning", "moving", "part_verb", "known", "unknown"
            ):
                return False
        return False

    def _bounded_count(self, at: int, place: int, *, named: bool) -> None:
        mark = self.marks[place]
        made = self._counted(at, _WAY_BEHIND[mark.plays("since_after"), mark.plays("exact_after")])
        bound = self._bound(at)[0] is not None or self.marks[at].plays("year", "decade")
        exact = at > 0 and self.marks[at - 1].plays("exactly", "attribute")
        if named and made is not None and not bound and not exact:
            self._merge(at, at, made)
            self._fill([place])

    def _remark(self, place: int) -> int:
        """Where what only repeats what was said begins: "..., | and I do mean exactly that many"; 0: it does not."""
        while place > 0 and self.marks[place - 1].plays("filler", "and", "person", "firm"):
            place -= 1
        return place - 1 if place > 1 and self.marks[place - 1].plays("sign", "contrast") else 0

    def _is_allowed(self, place: int) -> bool:
        """Whether a "but" stands here behind a year that is fine: "1990 is okay, but | nothing earlier"."""
        at = place
        while at > 0 and place - at <= NEAR and self.marks[at].plays("contrast", "and", "sign"):
            at -= 1
        allowed = False
        while at > 0 and place - at <= 2 * NEAR and self.marks[at].plays("filler", "aged", "allowed"):
            allowed = allowed or self.marks[at].plays("allowed")
            at -= 1
        return allowed and at < place and self.marks[at].plays("year")

    def _counts_dated(self, place: int) -> int | None:
        """The number of things whose year has a bound of its own, so that the words behind bound the number: "four from before
        1990 at most".
        """
        year = place - 1
        while year > 0 and place - year <= 2 and self.marks[year].plays("noun", "sign"):
            year -= 1
        if year < 2 or not self.marks[year].plays("year", "decade"):
            return None
        way, first, _ = self._bound(year)
        at = first - 1
        while at > 0 and self.marks[at].plays("noun", "of_them", "from", "filler") and first - at < NEAR:
            at -= 1
        counts = way is not None and at >= 0 and self.marks[at].plays("count", "number", "one") and self._is_number(at)
        named = counts and self._bound(at)[0] is None and self._counted(at, "until") is not None
        return at if named and not (at and self.marks[at - 1].plays("attribute", "exactly", "owner")) else None

    def _bounded_year(self, at: int, bound: Mark) -> bool:
        """Make a year that nothing bounds a range of the words behind it: "the line is 1990, nothing older"."""
        before = self.marks[at - 1] if at else None
        if (
            bound.plays("exact_after")
            or self._bound(at)[0] is not None
            or (before is not None and before.plays("exactly", "to"))
            or (before is not None and before.plays("and") and self.marks[at - 2].plays(*NUMERIC, "range"))
        ):
            return False
        assert self.year is not None
        self._merge(at, at, self._ranged(at, "since" if bound.plays("since_after") else "until", self.year))
        return True

    def _number_of(self, place: int) -> None:
        """How many of something the list has: "the number of comedies must be four"."""
        ahead = list(self._ahead(place))
        counted = next((at for at in ahead if self._is_number(at)), place)
        ahead = [at for at in ahead if at <= counted or not any(self.marks[n].plays("and") for n in range(counted, at))]
        values = [at for at in ahead if self.marks[at].plays("value")]
        numbers = [at for at in ahead if self._is_number(at) and not self.marks[at].plays("year")]
        if not values or len(numbers) != 1 or numbers[0] < values[-1] or values[0] > place + NEAR:
            return
        at = numbers[0]
        way, first, last = self._bound(at)
        made = self._counted(at, way or "exactly")
        if made is not None:
            self._fill(range(values[-1] + 1, first))
            self.marks[place] = replace(self.marks[place], roles=("contrast",))
            self._merge(first, last, made)

    def _set_to(self, place: int) -> None:
        """What an attribute is set to must hold, also where a value is called like the verb: "set the kind to comedy"."""
        verb = place - 1 - (place > 0 and self.marks[place - 1].plays("article"))
        to = self.marks[place + 1 : place + 2]
        if verb >= 0 and self.marks[verb].plays("cap") and self._caps(place):
            self._fill([verb])
            self.marks[place + 1] = replace(self.marks[place + 1], roles=("until",))
            return
        if verb < 0 or not to or not to[0].plays("to") or self.marks[verb].last - self.marks[verb].first > 1:
            return
        if not self._is_number(min(place + 2, len(self.marks) - 1)) and "setting" in self.lexicon.weak.get(
            (self.tokens[self.marks[verb].first].key,), ()
        ):
            self.marks[verb] = self.marks[verb].without_meaning("firm")
            self._fill([place + 1])

    def _caps(self, place: int) -> bool:
        """Whether a number other than the year is limited right behind its name: "limit the price to 20"."""
        named = self.marks[place].attribute in self.quantities and self.marks[place].attribute != self.year
        led = place + 2 < len(self.marks) and self.tokens[self.marks[place + 1].first].key in ("to", "at")
        return named and led and self.marks[place + 1].last - self.marks[place + 1].first == 1 and self._is_number(place + 2)

    def _named_behind(self, place: int) -> None:
        """A number whose name stands far behind it: "a value of 3 or lower for the rating"."""
        attribute = self.marks[place].attribute
        if attribute not in self.quantities or not place or not self.marks[place - 1].plays("article", "from", "owner", "filler"):
            return
        if any(self.marks[at].plays(*NUMERIC, *WAYS, "exactly") for at in list(self._ahead(place))[:2]):
            return
        for at in self._back(place):
            mark = self.marks[at]
            if mark.plays("number", "count"):
                led = any(self.marks[index].plays("attribute") for index in self._back(at))
                if place - at > 1 and not led and mark.attribute is None:
                    self.marks[at] = replace(mark, attribute=attribute)
                    self._fill(range(at + 1 + self.marks[at + 1].plays("since_after", "until_after"), place + 1))
                return
            if not mark.plays("article", "from", "owner", "filler", "since_after", "until_after", "clause"):
                return

    def _refused_share(self, place: int) -> None:
        """What is refused beyond a number is allowed up to it, wherever the thing is named: "don't give A more than two"."""
        at = next((at for at in range(place + 1, min(place + 3, len(self.marks))) if self._is_number(at)), None)
        if at is None or not self.marks[at].plays("count", "number", "one") or self.marks[at].attribute is not None:
            return
        if any(mark.is_content for mark in self.marks[place + 1 : at]):
            return
        values = 0
        for before in self._back(place):
            mark = self.marks[before]
            if mark.plays("negation", "negation_after"):
                values += bool(before) and self.marks[before - 1].plays("value")
                few = self.marks[place].plays("before") and not self.marks[place].plays("after")
                few = few or any(self.marks[index].plays("unknown", "known") for index in range(before + 1, place))
                values += not values and few and at + 1 < len(self.marks) and self.marks[at + 1].plays("value")
                made = self._counted(at, "until" if self.marks[place].plays("after") else "since")
                if values == 1 and made is not None:
                    behind = before > 0 and self.marks[before - 1].plays("value")  # "A shouldn't appear more than twice"
                    self.marks[before] = replace(mark, roles=("filler" if behind else "contrast",))
                    self._merge(place, at, made)
                return
            values += mark.plays("value")
            if mark.plays("attribute", "range", "title", "and", "or", "contrast", *NUMERIC):
                return

    def _led_in(self, place: int) -> None:
        """An unknown word that leads from one condition to the next counts nothing: "furthermore two comedies"."""
        if place and (self.marks[place].low or 0) > _MOST_LED_IN:
            return  # "SPF 50"
        if place and self.marks[place - 1].roles == ("unknown",) and (place == 1 or self.marks[place - 2].plays("sign", "and")):
            self.marks[place - 1] = replace(self.marks[place - 1], roles=("unknown", "leading"))
