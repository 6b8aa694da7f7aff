"""Chinese numbers that date or count something else than what is wanted: years of a life, people, what somebody has, ranks."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_SCALES = (1.0, 5.0, 10.0, 100.0)
"""The highest ratings that scales have."""
_NEAR = 6


def without_unrelated(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks, with such numbers to be handed back, and two decades side by side ("80年代末90年代初") as one stretch."""
    out = list(marks)
    if lexicon.script == "han":
        finder = _Finder(out, tokens, lexicon)
        for place, mark in enumerate(marks):
            if mark.low is not None or mark.plays("fresh"):
                finder.read(place)
    return [mark for mark in out if mark.first < mark.last]


def without_other_scales(marks: Sequence[Mark], vocabulary: Vocabulary) -> list[Mark]:
    """The marks, with ratings handed back that the scale of the catalog does not have ("豆瓣8分以上" of five stars)."""
    rating = vocabulary.kinds.get("rating")
    if rating is None or not any(mark.plays("range") and mark.attribute == rating for mark in marks):
        return list(marks)
    top = next((scale for scale in _SCALES if 0 <= vocabulary.span(rating)[1] <= scale), None)
    return [
        mark.handed_back
        if top is not None and mark.plays("range") and mark.attribute == rating and max(mark.low or 0, mark.high or 0) > top + 0.001
        else mark
        for mark in marks
    ]


class _Finder:
    """Looks at the numbers of a text one by one."""

    def __init__(self, marks: list[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = marks
        self.tokens = tokens
        self.lexicon = lexicon
        self.said = lexicon.around

    def read(self, place: int) -> None:
        """Settle the number at a place."""
        mark = self.marks[place]
        if mark.plays("fresh"):
            repeats = self._text(place, place + 1) in self.said["repeats"]
            if repeats and self._plays(place - 1, "unknown", "known", "attribute"):
                self._hand_back(place)  # "导演别重复"
        elif mark.plays("decade"):
            self._join_decades(place)
        elif mark.plays("year"):
            if self._is_of_life(place):
                self._hand_back(place)
        elif mark.plays("count", "number", "article") and not mark.plays("sum"):
            self._count(place)

    def _hand_back(self, *places: int) -> None:
        for at in places:
            self.marks[at] = self.marks[at].handed_back

    def _text(self, first: int, last: int) -> str:
        """The words of some marks."""
        marks = self.marks[max(0, first) : last]
        return "".join(token.key for token in self.tokens[marks[0].first : marks[-1].last]) if marks else ""

    def _clause(self, place: int) -> tuple[int, int]:
        """First mark of the clause of a place, and the first behind it."""
        start, end = place, place
        while start > 0 and not self.marks[start - 1].plays("sign"):
            start -= 1
        while end < len(self.marks) and not self.marks[end].plays("sign"):
            end += 1
        return start, end

    def _plays(self, place: int, *roles: str) -> bool:
        return 0 <= place < len(self.marks) and self.marks[place].plays(*roles)

    def _join_decades(self, place: int) -> None:
        """The end of one decade and the beginning of the next are one stretch of years."""
        parts = self.marks[place : place + 4]
        if len(parts) < 4 or not (parts[1].plays("part") and parts[2].plays("decade") and parts[3].plays("part")):
            return
        low, high = (parts[at].low or 0.0 for at in (0, 2))
        if high - low != 10:
            return
        whole = Mark(("decade",), parts[0].first, parts[3].last, low=low + (parts[1].low or 0), high=high + (parts[3].high or 9))
        self.marks[place] = whole
        for at in range(place + 1, place + 4):
            self.marks[at] = Mark(("filler",), whole.last, whole.last)

    def _is_of_life(self, place: int) -> bool:
        """Whether a year is one of somebody's life, or the present one: "我2010年在法国留学", "2024年了"."""
        start, end = self._clause(place)
        behind = place + 1 + self._plays(place + 1, "year_suffix")
        suffixed = behind > place + 1
        if any(self._text(start, place).endswith(word) for word in self.said["presently"]):
            return True
        if not suffixed or behind >= end:
            return False
        if self._text(behind, behind + 1) in ("了", "都") and self.marks[behind].roles == ("filler",):
            return True
        told = place > start and self.lexicon.is_subject(self.tokens[self.marks[place - 1].last - 1].key)
        led = place > start + 1 and self.marks[place - 1].last - self.marks[place - 1].first > 1
        follows = self.marks[behind].plays("of_what", "since_after", "until_after", "before_after", "after_after", "to", "part")
        return told and not led and not follows

    def _count(self, place: int) -> None:
        start, end = self._clause(place)
        mark, measured = self.marks[place], self._plays(place + 1, "measure")
        bounded = self._plays(place - 1, "within", "exactly", "since", "until", "before", "after")  # "评分控制在4以内"
        if self._plays(place - 1, "list") and not bounded and self._plays(place - 2, "attribute"):
            self._hand_back(place - 2)  # "评分前三" is a rank
            return
        if measured and self._text(place - 1, place).endswith("的"):
            named = [at for at in range(max(start, place - 4), place - 1) if self._plays(at, "attribute")]
            self._hand_back(*named)  # "价格最低的三支"
        before, after = self._text(start, place), self._text(place + 1, min(end, place + 1 + _NEAR))
        if mark.plays("article"):
            if any(before.endswith(word) for word in self.said["apiece"]) or self._is_apiece(start, place):
                self._hand_back(place)
        elif any(after.startswith(word) for word in self.said["persons"]) or any(
            before.endswith(word) for word in self.said["family"]
        ):
            self._hand_back(place, *([place + 1] if measured else []))
        elif measured and (self._is_for_people(place, before) or self._is_owned(start, place) or self._is_apiece(start, place)):
            self._hand_back(place, place + 1)

    def _is_for_people(self, place: int, before: str) -> bool:
        """Whether it counts whom something is for: "给三个闺蜜"."""
        person = self._text(place + 1, place + 2) in ("个", "位", "名", "口")
        strange = self._plays(place + 2, "unknown", "known")
        return (
            person and strange and any(before.endswith(word) for word in ("给", "送", "送给", "替", "为", "跟", "和", "陪", "带"))
        )

    def _is_owned(self, start: int, place: int) -> bool:
        """Whether it counts what somebody has or had: "我有两支了", "上个月买了三支口红"."""
        before = self._text(start, place)
        return any(before.endswith(word) for word in self.said["owned"]) or (
            any(before.endswith(word) for word in self.said["got"]) and not any(word in before for word in self.said["today"])
        )

    def _is_apiece(self, start: int, place: int) -> bool:
        """Whether so many of every kind are meant, and the kinds are not named: "每种类型来一部"."""
        named = [mark for mark in self.marks[start:place] if mark.plays("value")]
        each = any(mark.plays("each") for mark in self.marks[start:place]) or self._text(start, start + 1).startswith("每")
        earlier = any(mark.plays("value") for mark in self.marks[:start])
        return each and not named and not earlier and not any(mark.plays("value") for mark in self.marks[place : place + _NEAR])
