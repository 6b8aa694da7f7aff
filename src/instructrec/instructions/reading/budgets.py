"""Right after the first pass, Chinese only: what the words around a sum of money or a length of time make of it.

Money there is to spend is a ceiling ("我只有50块", "50块能买到什么"), a price that somebody paid or complains of is none of the
wanted thing ("上次花了60块", "50块太贵"), and a price for several things or a time that nothing bounds is handed back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.around import BEHIND, BOUNDS, Around
from instructrec.instructions.reading.bounds import bounded
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.unnamed import with_prices
from instructrec.instructions.reading.wholes import clause_spans
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_WIDEST = 3.0
"""How many times the longest of the catalog a length of time may be; a longer one speaks of something else."""
_ABOUT = 0.1


def read_budgets(marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> list[Mark]:
    """The marks, with each sum as a number of what is wanted, as a ceiling, or handed back."""
    if lexicon.script != "han":
        return list(marks)
    out = with_prices(marks, tokens, vocabulary, lexicon)
    if any(mark.plays("sum") for mark in out):
        spans = clause_spans(out, tokens)
        for number, (start, end) in enumerate(spans):
            further = spans[number + 1] if number + 1 < len(spans) else (end, end)
            _Clause(out, tokens, vocabulary, lexicon, (start, end), further).read()
    return out


class _Clause(Around):
    """Settles the sums of one clause."""

    def read(self) -> None:
        """Settle every sum of the clause, from left to right."""
        for place in range(self.start, self.end):
            if self.marks[place].plays("sum") and self.marks[place].plays("number"):
                self._settle(place)

    def _settle(self, place: int) -> None:
        mark = self.marks[place]
        after = self.marks[place + 1] if place + 1 < self.end else mark
        if after is not mark and after.plays("sum") and after.plays("number") and after.attribute == mark.attribute:
            ends = [end for one in (mark, after) for end in (one.low, one.high) if end is not None]  # "十块八块"
            self.marks[place] = Mark(
                ("range", "sum"), mark.first, mark.last, attribute=mark.attribute, low=min(ends), high=max(ends)
            )
            self.marks[place + 1] = after.idle
        elif self._is_told(place) or self._is_for_several(place) or self._is_unwilling(place):
            self._hand_back(place)
        elif complained := self._complained(place):
            self._complain(place, complained)
        elif mark.attribute == self.vocabulary.kinds.get("length"):
            self._time(place)
        else:
            self._money(place)

    # What is no demand

    def _hand_back(self, place: int, *others: int) -> None:
        """A sum goes back with the bounds right around it, which must bound nothing else."""
        near = []
        if self.marks[place].plays("sum"):
            near = [at for at in (place + 1,) if at < self.end and self.marks[at].plays(*BEHIND)]
            before = next((at for at in range(place - 1, self.start - 1, -1) if not self.marks[at].plays("filler", "about")), place)
            near += [before] if self.marks[before].plays(*BOUNDS) and not self.marks[before].plays("negation") else []
        for at in (place, *others, *near):
            self.marks[at] = self.marks[at].handed_back

    def _is_told(self, place: int) -> bool:
        """Whether the sum is of the past, of others or of something else: "上次花了60块", "工资三千块"."""
        before, after = self._before(place), self._after(place)
        at = max((before.rfind(word) + len(word) for word in self.said.get("told", ()) if word in before), default=-1)
        if at >= 0 and not self._says(before[at:], "today"):
            return True
        lead = self._lead(place)[1]
        paid = bool({"spent", "spend", "hold"}.intersection(lead)) or self._says(before, "sells")
        others = self._says(before, "others") and not self._says(before, "gives")
        return "spent" in lead or (others and paid) or any(after.startswith(word) for word in self.said.get("bought", ()))

    def _is_for_several(self, place: int) -> bool:
        """Whether it is the price of several things: "100元两支", "两支一共40块"; a price for each stays."""
        after = self.marks[place + 1 : min(place + 3, self.end)]
        if len(after) == 2 and _is_count(after[0]) and after[1].plays("measure") and (after[0].low or 0) > 1:
            self._hand_back(place + 1, place + 2)
            return True
        if after and after[0].plays("article") and after[0].low == 1 and self._ends_each(place + 2):
            self.marks[place + 1] = after[0].idle
        before = self.marks[max(self.start, place - 2) : place]
        several = len(before) == 2 and _is_count(before[0]) and before[1].plays("measure") and (before[0].low or 0) > 1
        bound = place + 1 < self.end and self.marks[place + 1].plays(*BEHIND)
        return (several and not bound) or ("total" in self._lead(place)[1] and _counts_several(self.marks))

    def _ends_each(self, place: int) -> bool:
        return place >= self.end or self.marks[place].plays("of_what", *BEHIND, "sign")

    def _is_unwilling(self, place: int) -> bool:
        """Whether somebody will not spend it: "不想花50块买香水"."""
        at, lead = self._lead(place)
        if "spend" not in lead or "over" in lead or self._bound(place):
            return False
        refusing = self._refusing(at)
        if refusing is not None:
            self._hand_back(refusing)
        return refusing is not None

    def _refusing(self, token: int) -> int | None:
        """The mark that refuses and stands before a token of the clause."""
        for at in range(self.end - 1, self.start - 1, -1):
            mark = self.marks[at]
            if mark.first < token and mark.plays("negation") and not mark.plays("since", "until", "before", "after"):
                return at
        return None

    def _complained(self, place: int) -> str:
        """What is said against it: of its own clause, or of the next one that says nothing else."""
        after, name = (
            self._after(place),
            "costly" if self.marks[place].attribute == self.vocabulary.kinds.get("price") else "lengthy",
        )
        behind = after if self._says(after, name) else ""
        if not behind and not self._bound(place) and self._begins(self.further, name):
            behind = self.further
        denied = self._says(behind, "fine") or any(word in behind for word in ("的不", "的别"))
        return name if behind and not denied or self._lead_word(place, "finds") else ""

    def _begins(self, text: str, name: str) -> bool:
        return any(text.startswith(word) and not text.startswith(word + "的") for word in self.said.get(name, ()))

    def _lead_word(self, place: int, name: str) -> bool:
        return any(self._before(place).endswith(word) for word in self.said.get(name, ()))

    def _complain(self, place: int, name: str) -> None:
        """What lies beyond a number that is too much is not wanted; of the number itself nothing is said that can be kept."""
        mark, way = self.marks[place], self._bound(place)
        if way == "since" and mark.low == mark.high:
            self._make_range(place, "until", self.marks[place].first - 1, self.marks[self.end - 1].last)
            return
        self._hand_back(place)
        for at in range(place + 1, self.end):
            if self.marks[at].plays("quality", "unknown", "graded", "negation_after", "too_much", "compare"):
                self._hand_back(at)

    # What is demanded

    def _make_range(self, place: int, way: str, first: int, last: int) -> None:
        """A range in place of the sum; the words from token `first` to `last` that only say so say nothing else."""
        mark = self.marks[place]
        low, high = bounded(way, mark.low, mark.high)
        self.marks[place] = Mark(("range", "sum"), mark.first, mark.last, attribute=mark.attribute, low=low, high=high)
        for at in range(self.start, self.end):
            other = self.marks[at]
            inside = first <= other.first and other.last <= last and not other.plays("value", "title", "range")
            if at != place and (inside or (other.roles == ("attribute",) and other.attribute == mark.attribute)):
                self.marks[at] = other.idle

    def _money(self, place: int) -> None:
        mark = self.marks[place]
        first, lead = self._lead(place)
        behind, follows = self._walk(mark.last, "afford", back=False)
        way = self._bound(place)
        if "over" in lead and {"spend", "hold"}.intersection(lead):
            refusing = self._refusing(first)
            if refusing is not None:
                self.marks[refusing] = replace(self.marks[refusing], roles=("filler",))
                self._make_range(place, "until", first, mark.last)
            return
        if "least" in lead and "spend" in lead:
            self._make_range(place, "since", first, mark.last)
            return
        if self._near(place) or way == "since" or "least" in lead:
            return
        ends = all(other.plays("filler") for other in self.marks[place + 1 : self.end])
        spends = "spend" in lead or bool(follows) or ("hold" in lead and (ends or self._says(self._after(place), "ends")))
        if spends and mark.low == mark.high and not (way and place + 1 < self.end and self.marks[place + 1].plays(*BEHIND)):
            self._make_range(place, "until", first, behind)
        elif way == "until":
            self._firm(place)

    def _near(self, place: int) -> bool:
        """Words for "nearly" that stand before sums only, and "not even" behind one."""
        mark = self.marks[place]
        before = place - 1
        if before >= self.start and self._text(self.marks[before].first, self.marks[before].last) in self.said.get("nearly", ()):
            self.marks[before] = replace(self.marks[before], roles=("about",))
            return True
        end, found = self._walk(mark.last, "short", back=False)
        if found:
            self._make_range(place, "before", mark.last, end)
        elif place + 1 < self.end and self._after(place) in self.said.get("under", ()):
            self._make_range(place, "until", mark.last, self.marks[self.end - 1].last)
        return self.marks[place].plays("range")

    def _firm(self, place: int) -> None:
        """A ceiling is a demand however politely it is said, where its clause says nothing else."""
        others = [mark for at, mark in enumerate(self.marks[self.start : self.end], self.start) if at != place and mark.is_content]
        if others:
            return
        for at in range(self.start, self.end):
            if self.marks[at].plays("soft", "soft_after"):
                self.marks[at] = replace(self.marks[at], roles=("filler",))

    def _time(self, place: int) -> None:
        """A length of time is that of the wanted thing where it is bounded, named, or describes it."""
        mark = self.marks[place]
        if (mark.low or 0) > _WIDEST * self.vocabulary.span(mark.attribute)[1]:
            self._hand_back(place)
            return
        for name, way in (("longest", "until"), ("shortest", "since")):
            first, found = self._walk(mark.first, name, back=True)
            if found and not self._bound(place):
                self._make_range(place, way, first, mark.last)
                return
        _, lead = self._lead(place)
        if "hold" in lead and (mark.last == self.marks[self.end - 1].last or self._says(self._after(place), "ends")):
            last, _ = self._walk(mark.last, "ends", back=False)
            self._make_range(place, "until", self._lead(place)[0], last)
            return
        last, found = self._walk(self.marks[place + 1].last if self._is_inside(place) else mark.last, "finish", back=False)
        if found:
            self._make_range(place, "until", mark.last, last)
            return
        named = any(other.attribute == mark.attribute and not other.plays("sum") for other in self.marks[self.start : self.end])
        after = self.marks[place + 1 : self.end]
        joined = bool(after) and after[0].plays("about_after", "to", "between_after", "and")
        about = place > self.start and self.marks[place - 1].plays("about", "than")
        if self._bound(place) == "until":
            self._firm(place)
        if self._near(place) or self._bound(place) or named or joined or about:
            return
        alone = place == self.start and all(other.plays("of_what") for other in after)
        describes = len(after) > 1 and after[0].plays("of_what") and after[1].plays("value", "noun")
        if (alone or describes) and mark.low != mark.high:
            return
        if alone or describes:
            low, high = (round((mark.low or 0.0) * (1 + sign * _ABOUT), 6) for sign in (-1, 1))
            self.marks[place] = replace(mark, low=low, high=high)
            return
        self._hand_back(place)

    def _is_inside(self, place: int) -> bool:
        return place + 1 < self.end and self.marks[place + 1].plays("until_after")


def _is_count(mark: Mark) -> bool:
    return mark.plays("count", "number") and not mark.plays("sum") and mark.low is not None and mark.low == mark.high


def _counts_several(marks: Sequence[Mark]) -> bool:
    """Whether several things are counted somewhere: "两支"."""
    pairs = zip(marks, marks[1:], strict=False)
    return any(_is_count(mark) and (mark.low or 0) > 1 and after.plays("measure") for mark, after in pairs)
