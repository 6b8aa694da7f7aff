"""Fourth pass: number words and what qualifies them become amounts ("at least three", "half of them", "top 10")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.bounds import WAYS, amount
from instructrec.instructions.reading.lengths import MOST_BETWEEN, LengthReader
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token

MOST_ITEMS = 1000
"""No list is longer; a greater number counts something else."""

_QUANTIFIERS = (*WAYS, "exactly", "list", "between")


class CountReader(LengthReader):
    """Reads amounts from left to right.

    An amount is one mark of the roles "amount", a kind ("plain", "at_least", "at_most", "exactly", "list", "share", "few",
    "rest") and, where they apply, "partitive" ("of them"), "noun" ("five films"), "with" ("with five"), "asked" (the words before
    or behind say that it is the length of the list) and "alone" ("just five").
    """

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, lexicon)
        follows = zip(marks, marks[1:], strict=False)
        self._ones = sum(mark.plays("article") and mark.low is not None and after.plays("value") for mark, after in follows)
        self._ones += self._counted_values() if self._ones and lexicon.script == "han" else 0
        """How many things stand with an article that also means one ("一部喜剧，一部剧情片"): several are counted."""

    def _counted_values(self) -> int:
        """How many values are counted by a number with a measure word: "三部喜剧"."""
        triples = zip(self.marks, self.marks[1:], self.marks[2:], strict=False)
        return sum(mark.plays("count", "number") and one.plays("measure") and after.plays("value") for mark, one, after in triples)

    def read(self) -> list[Mark]:
        """The marks, with each amount as one mark."""
        out: list[Mark] = []
        place = 0
        while place < len(self.marks):
            found = None if self.marks[place].plays("amount") else self._amount(place)
            out.append(found[0] if found else self.marks[place])
            place = found[1] if found else place + 1
        return out

    def _amount(self, place: int) -> tuple[Mark, int] | None:
        mark = self.marks[place]
        if mark.plays("rest"):
            return replace(mark, roles=("amount", "rest")), place + 1
        for way in _QUANTIFIERS:
            if mark.plays(way):
                found = self._between(place) if way == "between" else self._quantified(place, way)
                if found is not None:
                    return found
        if mark.plays("or_after") and self._picks_one(place):
            return self._made(("plain", "count", "asked"), place, place + 1, low=1.0, high=1.0)
        percent = self._percent(place)
        if percent is not None:
            return self._made(("share",), place, percent[1], low=percent[0], high=None)
        if mark.plays("few", "share"):
            kind = "few" if mark.plays("few") else "share"
            return self._made((kind,), place, place + 1, low=mark.low, high=None)
        return None if self._number(place) is None or self._is_blocked(place) else self._plain(place)

    def _quantified(self, place: int, way: str) -> tuple[Mark, int] | None:
        at = place + 1
        while at < len(self.marks) and at - place < MOST_BETWEEN and self._may_stand_between(at):
            at += 1
        if at >= len(self.marks):
            return None
        share = (self.marks[at].low, at + 1) if self.marks[at].plays("share") else self._percent(at)
        if share is not None and way != "list":
            low, high = (0.0, share[0]) if way in ("until", "before") else (share[0], None)
            return self._made(("share",), place, share[1], low=low, high=high)
        number = self._number(at, qualified=True)
        if number is None or self._counts_other(at):
            return None
        after = self.marks[at + 1] if at + 1 < len(self.marks) else None
        if way == "exactly" and after is not None and after.plays("since_after", "until_after") and not after.plays("enough"):
            kind, low, high = amount("since" if after.plays("since_after") else "until", number)
            return self._made((kind, "count"), place, at + 2, low=low, high=high)  # "only three or fewer"
        kind, low, high = amount(way, number)
        alone = ("alone",) if self.marks[place].plays("alone") else ()
        return self._made((kind, "count", *alone), place, at + 1, low=low, high=high)

    def _percent(self, place: int) -> tuple[float, int] | None:
        """A part of the list in percent ("50%", "百分之五十") or tenths, and the mark behind it."""
        before, at = self.marks[place].plays("percent_before"), place + self.marks[place].plays("percent_before")
        mark, after = (self.marks[index] if index < len(self.marks) else None for index in (at, at + 1))
        if mark is None or mark.low is None or mark.low != mark.high or not mark.plays("number", "count", "article"):
            return None
        parts = 100.0 if before or (after is not None and after.plays("percent")) else 0.0
        parts = 10.0 if after is not None and after.plays("tenths") else parts
        return (mark.low / parts, at + 1 + (not before)) if parts and 0 < mark.low <= parts else None

    def _may_stand_between(self, at: int) -> bool:
        mark = self.marks[at]
        return (
            mark.low is None
            and mark.plays("article", "filler", "from", "quality", "list", "alone", "firm", "about")
            and not mark.plays("noun")
        )

    def _between(self, place: int) -> tuple[Mark, int] | None:
        low = self._number(place + 1, qualified=True)
        joined = place + 3 < len(self.marks) and self.marks[place + 2].plays("and", "to")
        high = self._number(place + 3, qualified=True) if joined else None
        if low is None or high is None or self._counts_other(place + 3):
            return None
        return self._made(("at_least", "count"), place, place + 4, low=min(low, high), high=max(low, high))

    def _plain(self, place: int) -> tuple[Mark, int] | None:
        number, mark = self._number(place), self.marks[place]
        if number is None:
            return None
        to = self._behind(place + 1)
        if to is not None and to + 1 < len(self.marks) and self.marks[to].plays("or", "to"):
            second = self._number(to + 1)
            if second is not None and second > number and not self._counts_other(to + 1):
                return self._made(("span", "count"), place, to + 2, low=number, high=second)
        if self._counts_other(place):
            return None
        if self._is_capped(place):
            return self._made(("at_most", "count"), place, place + 1, low=0.0, high=number)
        after = self._behind(place + 1)
        if after is not None and self.marks[after].plays("exact_after"):
            return self._made(("exactly", "count"), place, after + 1, low=number, high=number)  # "four exactly should be ..."
        if after == place + 1 and self.marks[after].plays("enough") and self.marks[after].plays("soft_after"):
            return self._made(("plain", "count", "asked"), place, after + 1, low=number, high=number)  # "twelve would suit me"
        bound = after is not None and self.marks[after].plays("since_after", "until_after")
        if after is not None and bound and not (after == place + 1 and self.marks[after].plays("enough")):
            # "three or more"
            kind, low, high = amount("since" if self.marks[after].plays("since_after") else "until", number)
            return self._made((kind, "count"), place, after + 1, low=low, high=high)
        vague = ("vague",) if mark.plays("vague") else ()
        return self._made(("plain", "count", *vague), place, place + 1, low=number, high=number)

    def _is_capped(self, place: int) -> bool:
        """Whether the words before only let so many of something in: "limit comedies to two"."""
        at = place - 2
        while at > 0 and self.marks[at].plays("noun"):
            at -= 1
        if at < 1 or not self.marks[place - 1].plays("to", "cap_at", "filler") or not self.marks[at].plays("value", "range"):
            return False
        at -= 1
        while at > 0 and self.marks[at].plays("article", "value", "range"):
            at -= 1
        return self.marks[at].plays("cap")

    def _behind(self, place: int) -> int | None:
        """The mark behind a number and its measure word."""
        while place < len(self.marks) and self.marks[place].plays("measure", "of_them"):
            place += 1
        return place if place < len(self.marks) else None

    def _number(self, place: int, *, qualified: bool = False) -> float | None:
        """The whole number that a mark counts with; "one" counts where it is `qualified` or stands before what it counts."""
        if place >= len(self.marks):
            return None
        mark = self.marks[place]
        if mark.plays("article") and mark.low is not None:
            partitive = place > 0 and self.marks[place - 1].plays("of_them", "each")
            counts = (
                qualified
                or partitive
                or self._is_capped(place)
                or self._closes(place)
                or ((mark.plays("one") or self.lexicon.script == "han") and self._is_bounded_behind(place))
                or (not mark.plays("one") and self._ones > 1 and self._is_before_value(place))
            )
            return mark.low if counts or (mark.plays("one") and self._is_numeral(place)) else None
        if not mark.plays("count", "number") or mark.low is None or mark.low != mark.high:
            return None
        is_count = mark.low.is_integer() if isinstance(mark.low, float) else True
        return mark.low if is_count and (0 if qualified else 1) <= mark.low <= MOST_ITEMS else None

    def _is_bounded_behind(self, place: int) -> bool:
        """Whether words right behind make a bound of it: "one or more"."""
        after = self.marks[place + 1 : place + 2]
        named = place > 1 and self.marks[place - 1].plays("value", "quality", "known", "unknown")
        if named and self.marks[place - 2].plays("article"):
            return False  # "a funny one for tonight"
        return bool(after) and after[0].plays("since_after", "until_after", "enough")

    def _closes(self, place: int, *, picked: bool = False) -> bool:
        """Whether it ends a clause and stands behind a value or an order, or alone: "香水一瓶", "推荐一个就行"."""
        if self.lexicon.script != "han":
            return False
        further = self.marks[place + 1 : place + 1 + MOST_BETWEEN]
        if len(further) > 1 and further[0].plays("of_what") and further[1].plays("filler", "noun"):
            further = further[2:]  # "一个的清单"
        after = next((mark for mark in further if not mark.plays("filler", "firm") or mark.plays("of_what")), None)
        if place > 1 and self.marks[place - 1].plays("handing") and self.marks[place - 2].plays("firm", "sign", "further"):
            return after is None or after.plays("sign")  # "帮我挑选给一个"
        behind = picked or place == 0 or self.marks[place - 1].plays("value", "exactly", "alone", "firm", "list", "sign", "further")
        return behind and (after is None or after.plays("sign"))

    def _picks_one(self, place: int) -> bool:
        """Whether a Chinese clause only asks that one be chosen, of nothing that is named: "挑一个给我"."""
        last = self.tokens[self.marks[place].first : self.marks[place].last][-2:]
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if self.lexicon.script != "han" or last[0].key != "一" or after is None or not after.plays("firm"):
            return False
        before = next((mark for mark in reversed(self.marks[:place]) if not mark.plays("filler", "firm")), None)
        return self._closes(place, picked=True) and (before is None or before.plays("sign", "further", "contrast"))

    def _is_before_value(self, place: int) -> bool:
        return place + 1 < len(self.marks) and self.marks[place + 1].plays("value")

    def _is_numeral(self, place: int) -> bool:
        """Whether "one" counts rather than stands for something: "one comedy" and "just one", but not "a funny one"."""
        before = self.marks[place - 1] if place else None
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if before is not None and before.plays("article", "value", "quality", "known", "unknown", "negation", "owner"):
            return False
        if after is not None and after.plays("or", "to") and place + 2 < len(self.marks):
            return self._number(place + 2) is not None
        alone = before is None or before.plays("sign", "and", "firm")
        if alone and after is not None and after.plays("filler") and not after.plays("from") and self._ends(place + 2):
            return True  # "one please"
        if after is None or after.plays("sign"):
            words = [token.key for token in self.tokens[max(0, self.marks[place].first - 3) : self.marks[place].first]]
            if words in (["how", "many", "?"], ["how", "many", ":"]):
                return True
        follows = after is not None and after.plays("value", "quality", "noun", "of_them", "range", "known", "each")
        return follows or (before is not None and before.plays("firm", "and") and (after is None or after.plays("sign", "from")))

    def _is_blocked(self, place: int) -> bool:
        """Whether the words before say that the number counts or names something else: "item 7", "for 2", "my 3 kids"."""
        if place == 0:
            return False
        before = self.marks[place - 1]
        other = before.plays("owner", "noun", "unit", "value", "unknown", "count", "number") and not before.plays("leading")
        other = other and self.lexicon.script != "han"
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if before.plays("owner") and after is not None and after.plays("list") and self._ends(place + 2):
            return False  # "your 12 best"
        if after is not None and (after.plays("enough") or (before.plays("from", "owner") and self._is_noun(place + 1))):
            return False  # "time for 12 things", "my four options", "twelve will do"
        if self._is_for_list(place):
            return False
        if before.plays("value") and after is not None and after.plays("value"):
            other = False  # "3 comedies 2 dramas"
        if self.lexicon.script == "han":
            told = self._is_people(place) or before.plays("unknown") and not self._is_measured(place)
            other = told or (before.plays("owner", "number") and not before.plays("firm", "including"))
        article = before.plays("article") and self.tokens[before.first].key in ("a", "an", "another")
        return other or article or self.tokens[self.marks[place].first].hyphenated

    def _is_for_list(self, place: int) -> bool:
        """Whether it counts what proposals are asked for: "recommendations for 12 good comedies"."""
        if place < 2 or self.tokens[self.marks[place - 1].first].key != "for" or not self.marks[place - 2].plays("noun"):
            return False
        for mark in self.marks[place + 1 : place + 1 + MOST_BETWEEN]:
            if mark.plays("noun", "of_them"):
                return True
            if not mark.plays("quality", "value", "known", "unknown"):
                return False
        return False

    def _is_people(self, place: int) -> bool:
        """Whether a number that needs no measure word says how many persons: "给我俩"."""
        return self.marks[place].plays("measured") and self.lexicon.is_subject(self.tokens[self.marks[place].first - 1].key)

    def _is_measured(self, place: int) -> bool:
        """Whether a measure word follows, and then what is counted or nothing."""
        after = self.marks[place + 1 : place + 3]
        if not after or not after[0].plays("measure"):
            return False
        return len(after) == 1 or after[1].plays("value", "noun", "sign", "range", "fresh", "familiar", "quality", "of_what")

    def _counts_other(self, place: int) -> bool:
        """Whether the number counts something that is no item of the list: hours, people; Chinese needs a measure word."""
        end = self.marks[place].last
        if end < len(self.tokens) and self.tokens[end].hyphenated:
            return True
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if after is not None and after.plays("unit", "people") and not after.plays("value"):
            return True
        before = self.tokens[self.marks[place].first - 1].key if self.marks[place].first else ""
        if (not before.isalpha() and (before,) in self.lexicon.kind_words) or (after is not None and self._measures(after)):
            return True
        if self.lexicon.script != "han" or self.marks[place].plays("article"):
            return False
        measured = (
            self.marks[place].plays("measured")
            or (place > 0 and self.marks[place - 1].plays("each"))
            or (after is not None and after.plays("measure", "noun"))
        )
        return not measured and not (place and self.marks[place - 1].plays("list"))

    def _measures(self, mark: Mark) -> bool:
        """Whether a word speaks of a number that the catalog may lack ("5 dollars")."""
        words = tuple(token.key for token in self.tokens[mark.first : mark.last])
        return words in self.lexicon.kind_words and not mark.plays("value", "measure", "attribute")

    def _made(self, roles: tuple[str, ...], place: int, end: int, *, low: float | None, high: float | None) -> tuple[Mark, int]:
        """The amount from the mark at `place` to `end`, with the measure word and "of them" around it."""
        flags = [*roles, *(["measured"] if self.lexicon.script == "han" and self.marks[end - 1].plays("article") else [])]
        before = self._before(place)
        partitive = before is not None and before.plays("of_them")
        while end < len(self.marks) and self.marks[end].plays("measure", "of_them"):
            flags += ["measured"] if self.marks[end].plays("measure") else []
            partitive = partitive or self.marks[end].plays("of_them")
            end += 1
        if partitive:
            flags.append("partitive")
        if before is not None and before.plays("including"):
            flags.append("with")
        if self._is_noun(end):
            flags.append("noun")
        if any(mark.plays("each") for mark in (*self.marks[max(0, place - 1) : place], *self.marks[end : end + 1])):
            flags.append("each")
        flags += self._asked_flags(place, end, flags)
        return Mark(("amount", *flags), self.marks[place].first, self.marks[end - 1].last, low=low, high=high), end
