"""Right after the first pass: conditions that several words far apart say together, whatever stands between them.

"1990 is the oldest year I'd take", "more than three comedies would be too many", "if it's not a comedy, skip it".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.ranges import beyond
from instructrec.instructions.surroundings import Surroundings
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_NEAR = 5
_CLAUSE = 16
"""Marks that one such condition may have; keeps the reading linear."""
_NUMERIC = ("year", "number", "count", "decade")
_EXTREMES = ("too_high", "too_low", "oldest", "newest")
_BOUNDS = ("since", "until", "before", "after")
_LISTED = ("value", "to", "article", "and", "or", "filler", "noun", "from", "decade", "year", "attribute", "quality", "firm")
_WAYS = {
    "high": {None: "before", "since": "before", "after": "until"},
    "low": {None: "after", "until": "after", "before": "since"},
}
"""What a number means that is too high, or too low, by the bound that was said of it: "more than three is too many"."""


class FrameReader(Surroundings):
    """Rewrites such conditions into marks that the later passes read, from left to right; Latin script only."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, lexicon)
        self.quantities = vocabulary.catalog.quantities
        self.year = vocabulary.year
        self.integral = vocabulary.is_integral

    def read(self) -> list[Mark]:
        """The marks, with the conditions that were found."""
        if self._is_han:
            return self.marks
        for place, mark in enumerate(self.marks):
            if mark.plays("too_high", "too_low", "before_after", "after_after"):
                self._judged(place)
            elif mark.plays("oldest", "newest"):
                self._extreme(place)
            elif mark.plays("until_after", "since_after", "exact_after"):
                self._bounded_behind(place)
            elif mark.plays("number_of"):
                self._number_of(place)
            elif mark.plays("attribute"):
                self._chained(place)
                self._named_behind(place)
            elif mark.plays("after", "before"):
                self._refused_share(place)
            if mark.plays("negation", "either_not", "except"):
                self._all_else(place)
            if mark.plays("in_case"):
                self._refused_case(place)
            if mark.plays("familiar"):
                self._once_more(place)
            if mark.plays(*_NUMERIC):
                self._led_in(place)
            if mark.plays("soft"):
                self._asked_softly(place)
            if mark.plays("one_of"):
                self._listed_after(place)
            if mark.plays("further"):
                self._goes_further(place)
        return [mark for mark in self.marks if mark.roles]

    def _fill(self, places: Sequence[int] | range) -> None:
        """Take the words at `places` for words of no weight; what says something, or is not known, must not get lost."""
        for place in places:
            mark = self.marks[place]
            if not mark.plays("sign") and (not mark.is_content or mark.plays(*_EXTREMES)):
                self.marks[place] = replace(self.marks[place], roles=("filler",), compare=None, attribute=None, low=None, high=None)

    def _merge(self, first: int, last: int, mark: Mark) -> None:
        """Make one mark of those from `first` to `last`."""
        self.marks[last] = replace(mark, first=self.marks[first].first, last=self.marks[last].last)
        for place in range(first, last):
            self.marks[place] = replace(self.marks[place], roles=())

    def _back(self, place: int, *, sentence: bool = False) -> Iterator[int]:
        """Places before one, up to the sign that parts its clause, or its sentence, from what stands before."""
        for at in range(place - 1, max(-1, place - 1 - _CLAUSE), -1):
            mark = self.marks[at]
            if mark.plays("sign") and (not sentence or self.tokens[mark.first].ends_sentence):
                return
            if mark.roles:
                yield at

    def _ahead(self, place: int) -> Iterator[int]:
        """Places behind one in its clause."""
        for at in range(place + 1, min(place + 1 + _CLAUSE, len(self.marks))):
            if self.marks[at].plays("sign", "contrast"):
                return
            yield at

    def _is_number(self, place: int) -> bool:
        mark = self.marks[place]
        return mark.low is not None and (mark.plays(*_NUMERIC) or (mark.plays("one") and mark.plays("article")))

    def _bound(self, place: int) -> tuple[str | None, int, int]:
        """How the number at `place` is bounded by words right before or behind, and where all of it begins and ends."""
        first = place
        while first > 0 and self.marks[first - 1].plays("article", "attribute", "about") and place - first < 3:
            first -= 1
        if first > 0:
            mark = self.marks[first - 1]
            way = mark.compare[1] if mark.compare is not None else next((role for role in _BOUNDS if role in mark.roles), None)
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
        """What number of the items a figure speaks of: one that is named within the clause, or the year."""
        named = [at for at in within if self.marks[at].plays("attribute") and self.marks[at].attribute in self.quantities]
        if named:
            attribute = self.marks[named[0]].attribute
            self._fill(named)
            return attribute
        return self.year if self.marks[place].plays("year", "decade") else None

    def _ranged(self, place: int, way: str, attribute: str) -> Mark:
        low, high = self.marks[place].low, self.marks[place].high
        whole = self.integral(attribute)
        bounds = {
            "since": (low, None),
            "until": (None, high),
            "before": (None, beyond(low, -1, whole=whole)),
            "after": (beyond(high, 1, whole=whole), None),
        }[way]
        return Mark(("range",), 0, 0, attribute=attribute, low=bounds[0], high=bounds[1])

    def _counted(self, place: int, way: str) -> Mark | None:
        """An amount of the list, bounded as `way` says."""
        number = self.marks[place].low
        if number is None or not float(number).is_integer():
            return None
        low, high = {
            "since": (number, None),
            "until": (0.0, number),
            "before": (0.0, number - 1),
            "after": (number + 1, None),
            "exactly": (number, number),
        }[way]
        kind = {"since": "at_least", "after": "at_least", "exactly": "exactly"}.get(way, "at_most")
        return Mark(("amount", kind, "partitive"), 0, 0, low=low, high=high)

    def _judged(self, place: int) -> None:
        """A number that would be too much or too little: "if the rating is just 3, that's not enough"."""
        verdict = self.marks[place]
        judged = "high" if verdict.plays("too_high", "before_after") else "low"
        behind = list(self._back(place, sentence=True))
        numbers = [at for at in behind if self._is_number(at)]
        if not numbers or any(self.marks[at].plays("range", "title", "too_high", "too_low") for at in behind if at > numbers[0]):
            return
        within = [at for at in behind if at >= numbers[0] - _NEAR]
        values = any(self.marks[at].plays("value") for at in within if at > numbers[0])
        count = numbers[1] if len(numbers) > 1 and self._joins(numbers[1], numbers[0]) else numbers[0]
        counts = (values or count != numbers[0]) and self.marks[count].plays("count", "number", "one")
        at = count if counts else numbers[0]
        way, first, last = self._bound(at)
        if way not in _WAYS[judged]:
            return
        meant = _WAYS[judged][way]
        if counts:
            made = self._counted(at, meant)
        else:
            attribute = self._range_of(at, within)
            made = self._ranged(at, meant, attribute) if attribute is not None else None
        if made is None:
            return
        kept = ("value", "noun", "article", "attribute", *_BOUNDS, *_NUMERIC, "and", "or", "from")
        self._merge(first, last, made)
        self._fill([index for index in range(last + 1, place) if not self.marks[index].plays(*kept)])
        self._fill([index for index in range(max(0, first - 3), first) if self.marks[index].plays("conditional", "soft")])
        self._fill([place])
        self._fill_comment(place)

    def _joins(self, first: int, last: int) -> bool:
        """Whether no other condition begins between two numbers of one: "three from before 1990"."""
        between = self.marks[first + 1 : last]
        return last - first <= _NEAR and not any(mark.plays("sign", "and", "further", "contrast", "title") for mark in between)

    def _fill_comment(self, place: int) -> None:
        """A clause behind that only says it again names nothing: "..., it must be higher"."""
        start = place + 1
        if start < len(self.marks) and self.marks[start].plays("sign") and not self.tokens[self.marks[start].first].ends_sentence:
            start += 1
        ahead = list(self._ahead(start - 1))
        said = [at for at in ahead if self.marks[at].plays("value", "title", "range", "familiar", "fresh", *_NUMERIC, "and")]
        ends = said[0] if said else (ahead[-1] + 1 if ahead else start)
        comparing = any(self.marks[at].plays("more_of") for at in range(start, ends))
        if comparing and not said and not any(self.marks[at].plays("attribute", "unknown") for at in ahead):
            self._fill(range(start, ends))

    def _extreme(self, place: int) -> None:
        """An end of what is allowed, said before or behind it: "1990 is the oldest year I'd take"."""
        behind, ahead = list(self._back(place)), list(self._ahead(place))
        around = [*behind, *ahead]
        numbers = [at for at in around if self._is_number(at)]
        if len(numbers) != 1 or any(self.marks[at].plays("negation", "value", "title", *_BOUNDS) for at in around):
            return
        at = numbers[0]
        between = self.marks[min(at, place) + 1 : max(at, place)]
        if not any(mark.plays("aged", "firm") for mark in between):
            return
        attribute = self._range_of(at, around)
        if attribute is None:
            return
        made = self._ranged(at, "since" if self.marks[place].plays("oldest") else "until", attribute)
        self._fill([place, *range(min(at, place) + 1, max(at, place))])
        self._merge(at, at, made)

    def _bounded_behind(self, place: int) -> None:
        """A bound at the end of a clause holds for its number, not only for one right before: "two of them comedies, no more"."""
        mark, before = self.marks[place], self.marks[place - 1] if place else None
        after = next((at for at in self.marks[place + 1 : place + 1 + _NEAR] if not at.plays("filler", "soft_after")), None)
        if after is not None and not after.plays("sign", "and", "contrast", "further"):
            return
        if before is None or not before.plays("sign", "value", "noun", "of_them") or self.tokens[mark.first].key in ("on", "up", "+"):
            return
        named = False
        for at in self._back(place, sentence=True):
            if self._is_number(at):
                way = "exactly" if mark.plays("exact_after") else "since" if mark.plays("since_after") else "until"
                made = self._counted(at, way)
                bound = self._bound(at)[0] is not None or self.marks[at].plays("year", "decade")
                exact = at > 0 and self.marks[at - 1].plays("exactly", "attribute")
                if named and made is not None and not bound and not exact:
                    self._merge(at, at, made)
                    self._fill([place])
                return
            named = named or self.marks[at].plays("value")
            if self.marks[at].plays("negation", "title", "range", "attribute", "and", "familiar", "fresh", *_BOUNDS):
                return

    def _number_of(self, place: int) -> None:
        """How many of something the list has: "the number of comedies must be four"."""
        ahead = list(self._ahead(place))
        values = [at for at in ahead if self.marks[at].plays("value")]
        numbers = [at for at in ahead if self._is_number(at) and not self.marks[at].plays("year")]
        if not values or len(numbers) != 1 or numbers[0] < values[-1] or values[0] > place + _NEAR:
            return
        at = numbers[0]
        way, first, last = self._bound(at)
        made = self._counted(at, way or "exactly")
        if made is not None:
            self._fill([place, *range(values[-1] + 1, first)])
            self._merge(first, last, made)

    def _chained(self, place: int) -> None:
        """A number between two others: "3 <= rating < 4"."""
        if place < 2 or place + 2 >= len(self.marks):
            return
        first, before, after, last = (self.marks[at] for at in (place - 2, place - 1, place + 1, place + 2))
        if not (first.plays("number", "count", "year") and last.plays("number", "count", "year")):
            return
        ways = [next((role for role in _BOUNDS if role in mark.roles), "") for mark in (before, after)]
        attribute = self.marks[place].attribute
        if attribute not in self.quantities or attribute is None:
            return
        turned = {"until": "since", "before": "after", "since": "until", "after": "before"}
        if ways[0] in turned and ways[1] in turned:
            ends = (self._ranged(place - 2, turned[ways[0]], attribute), self._ranged(place + 2, ways[1], attribute))
            low, high = (next((v for v in (getattr(end, name) for end in ends) if v is not None), None) for name in ("low", "high"))
            if low is not None and high is not None and low <= high:
                self._merge(place - 2, place + 2, Mark(("range",), 0, 0, attribute=attribute, low=low, high=high))

    def _named_behind(self, place: int) -> None:
        """A number whose name stands far behind it: "a value of 3 or lower for the rating"."""
        attribute = self.marks[place].attribute
        if attribute not in self.quantities or not place or not self.marks[place - 1].plays("article", "from", "owner", "filler"):
            return
        if any(self.marks[at].plays(*_NUMERIC, *_BOUNDS, "exactly") for at in list(self._ahead(place))[:2]):
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
        if at is None or not self.marks[at].plays("count", "number", "one"):
            return
        values = 0
        for before in self._back(place):
            mark = self.marks[before]
            if mark.plays("negation"):
                made = self._counted(at, "until" if self.marks[place].plays("after") else "since")
                if values == 1 and made is not None:
                    self.marks[before] = replace(mark, roles=("contrast",))  # a condition of its own
                    self._merge(place, at, made)
                return
            values += mark.plays("value")
            if mark.plays("attribute", "range", "title", "and", "or", "contrast", *_NUMERIC):
                return

    def _all_else(self, place: int) -> None:
        """What is refused unless it has a value must have it: "if it's not A, skip it", "nothing that isn't A"."""
        if not self._denies(place):
            return
        opens = next((at for at in range(place, max(-1, place - 4), -1) if self._conditional(at)), None)
        if opens is None or any(not self.marks[at].plays("filler", "clause", "back", "aged", "conditional", "noun") for at in range(opens, place)):
            return
        end = place + 1
        while end < len(self.marks) and (self.marks[end].plays(*_LISTED) or self.tokens[self.marks[end].first].key == "nor"):
            if self.marks[end].plays("back") or (self.marks[end].plays("firm") and end > place + 2):
                break
            end += 1
        if not any(self.marks[at].plays("value", "decade", "year") for at in range(place + 1, end)):
            return
        refused = self._refusal_before(opens) or self._refusal_behind(end)
        if not refused:
            return
        self._fill([at for at in refused if self.marks[at].roles])
        self._fill(range(opens, place))
        self.marks[place] = replace(self.marks[place], roles=("firm",))
        for at in range(place + 1, end):
            if self.tokens[self.marks[at].first].key == "nor":
                self.marks[at] = replace(self.marks[at], roles=("or",))

    def _refused_case(self, place: int) -> None:
        """A case that is refused is a condition of its own: "..., and if it's A, I don't want it"."""
        named = False
        for at in range(place + 1, min(place + 1 + _CLAUSE, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("sign", "negation", "negation_after", "either_not", "contrast"):
                if named and self._refusal_behind(at):
                    self.marks[place] = replace(self.marks[place], roles=("contrast",))
                return
            named = named or mark.plays("value")
            if not mark.plays(*_LISTED, "back", "aged"):
                return

    def _denies(self, place: int) -> bool:
        """Whether it denies that something is so ("isn't"), rather than that the person likes it ("that I hate")."""
        words = [token.key for token in self.tokens[self.marks[place].first : self.marks[place].last]]
        denies = any("denial" in self.lexicon.strong.get((word,), ()) for word in words)
        return denies and not any(self.lexicon.is_subject(word) for word in words)

    def _conditional(self, place: int) -> bool:
        """Whether "if", "that" or the like begins here."""
        return "conditional" in self.lexicon.strong.get((self.tokens[self.marks[place].first].key,), ())

    def _refusal_before(self, opens: int) -> list[int]:
        """The words that refuse all that is spoken of behind them ("I won't take anything | that isn't A")."""
        for at in self._back(opens):
            mark = self.marks[at]
            if mark.plays("negation", "negation_head"):
                return list(range(at, opens))
            if mark.plays("value", "title", "range", "known", "unknown", "firm", *_NUMERIC):
                return []
            if mark.plays("any_other") and self.lexicon.negates(self.tokens[mark.first].key):
                return list(range(at, opens))
        return []

    def _refusal_behind(self, end: int) -> list[int]:
        """The words right behind that refuse it and name nothing themselves ("if it's not A, | leave it out")."""
        start = end + (end < len(self.marks) and self.marks[end].plays("sign") and self.tokens[self.marks[end].first].key == ",")
        ahead = list(self._ahead(start - 1))
        refuses = ("negation", "negation_after", "negation_head", "nothing_else", "particle")
        if any(self.marks[at].plays("value", "title", "range", "amount", "fresh", *_NUMERIC) for at in ahead[:_CLAUSE]):
            ahead = []
        first = next((n for n, at in enumerate(ahead) if self.marks[at].plays(*refuses)), None)
        return ahead if first is not None and first <= _NEAR else []

    def _once_more(self, place: int) -> None:
        """An "again" behind a state is no item that is known: "feel like a child again"."""
        mark = self.marks[place]
        single = mark.last - mark.first == 1
        if single and (not place or self.marks[place - 1].plays("known", "unknown", "quality")):
            self._fill([place])

    def _led_in(self, place: int) -> None:
        """An unknown word that leads from one condition to the next counts nothing: "furthermore two comedies"."""
        if place and self.marks[place - 1].roles == ("unknown",) and (place == 1 or self.marks[place - 2].plays("sign", "and")):
            self.marks[place - 1] = replace(self.marks[place - 1], roles=("unknown", "leading"))

    def _goes_further(self, place: int) -> None:
        """A word that goes on to the next condition; before a bare value it may also go on with a list: "no A, moreover B"."""
        after = self.marks[place + 1 : place + 2]
        self.marks[place] = replace(self.marks[place], roles=("and" if after and after[0].plays("value") else "contrast",))

    def _listed_after(self, place: int) -> None:
        """What is listed behind "one of these:" are alternatives, with or without an "or"."""
        comma = None
        for at in range(place + 1, min(place + _CLAUSE, len(self.marks) - 1)):
            mark = self.marks[at]
            listing = mark.plays("sign") and self.tokens[mark.first].key == "," and self.marks[at + 1].plays("value")
            if listing and self.marks[at - 1].plays("value"):
                comma = at
            elif not mark.plays("value", "article", "filler"):
                comma = None if mark.plays("or", "and") else comma
                break
        if comma is not None:
            self.marks[comma] = replace(self.marks[comma], roles=("or",))

    def _asked_softly(self, place: int) -> None:
        """What the person then asks for stays a preference: "if I could choose, I'd take a comedy"."""
        for at in range(place + 1, min(place + 3, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("firm") and self.lexicon.is_subject(self.tokens[mark.first].key.removesuffix("d")):
                self._fill([at])
            if not mark.plays("sign") or self.tokens[mark.first].key != ",":
                return
