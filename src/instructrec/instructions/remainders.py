"""How many of the list have a value, said by what the rest of it is, or by a clause of its own: "two comedies, the rest not"."""

from __future__ import annotations

from dataclasses import replace

from instructrec.instructions.edges import EdgeFrames
from instructrec.instructions.marks import Mark
from instructrec.instructions.surroundings import NEAR

_LIGHT = ("filler", "aged", "article", "firm", "back", "clause", "owning", "noun", "person", "from", "of_them")


class Remainders(EdgeFrames):
    """Makes amounts of such numbers."""

    def _remainder(self, place: int) -> None:
        """The rest without it makes the number exact, a rest that is free makes it a least one."""
        end, denied, free = place + 1, False, False
        while end < len(self.marks) and end - place <= 2 * NEAR:
            mark = self.marks[end]
            if mark.plays("sign", "and", "contrast"):
                break
            denied = denied or mark.plays("negation", "negation_after", "except", "rest_other", "denial")
            free = free or mark.plays("rest_free", "any_other", "or_after")
            if not mark.plays("negation", "negation_after", "denial", "except", "any_other", "rest_free", "rest_other", *_LIGHT, "or_after"):
                return
            end += 1
        first = place
        while first > 0 and self.marks[first - 1].plays("negation", "rest_none", "from") and place - first < 2:
            denied, first = True, first - 1
        if not denied and not free:
            return
        at = self._counted_value(first)
        if at is None:
            return
        way, start, last = self._bound(at)
        made = self._counted(at, way or ("exactly" if denied else "since"))
        if made is None or (way is not None and denied):
            return
        self._merge(start, last, made)
        self._void(range(first, end))
        if self.marks[first - 1].plays("and", "contrast"):
            self._void([first - 1])

    def _counted_value(self, place: int) -> int | None:
        """The number of the value that was named right before: "two of them comedies | and the rest not"."""
        value = None
        for at in self._back(place, sentence=True):
            mark = self.marks[at]
            if self._is_number(at) and not mark.plays("year", "decade"):
                return at if value is not None else None
            if mark.plays("value"):
                value = at
            elif not mark.plays("sign", "and", "contrast", "unknown", "known", "enough", "exactly", *_LIGHT):
                return None
        return None

    def _sparing(self, place: int) -> None:
        """What there should be little of, where a number says how much: "go easy on comedies, two at most"."""
        value = next((at for at in range(place + 1, min(place + NEAR, len(self.marks))) if self.marks[at].plays("value")), None)
        if value is None or not all(self.marks[at].plays("article", "filler") for at in range(place + 1, value)):
            return
        if self._capped_behind(value) is not None:
            self.marks[place] = replace(self.marks[place], roles=("contrast",))

    def _capped_behind(self, value: int) -> Mark | None:
        """The number right behind a value that says how many at most, in a clause of its own."""
        at = value + 1
        while at < len(self.marks) and at - value <= NEAR and self.marks[at].plays("sign", "contrast", "and", "filler", "noun"):
            if self.marks[at].plays("sign") and self.tokens[self.marks[at].first].ends_sentence:
                return None
            at += 1
        for number in range(at, min(at + 3, len(self.marks))):
            if self._is_number(number) and not self.marks[number].plays("year", "decade"):
                way, _, last = self._bound(number)
                closes = last + 1 >= len(self.marks) or self.marks[last + 1].plays("sign", "and", "contrast", "filler", "of_them")
                return self.marks[number] if way in ("until", "before") and closes else None
        return None

    def _allowed(self, place: int) -> None:
        """A value that is fine, and a clause that says how many at most: "comedies are okay but two at most"."""
        value = self._before_skipping(place, "filler", "aged")
        if value < 0 or not self.marks[value].plays("value") or not self._opens(value):
            return
        end = place
        while end + 1 < len(self.marks) and self.marks[end + 1].plays("filler"):
            end += 1
        joins = self.marks[end + 1 : end + 2]
        if not joins or not joins[0].plays("contrast", "sign", "and"):
            return
        if self._capped_behind(end) is None:
            return
        at = next(at for at in range(end, len(self.marks)) if self._is_number(at))
        way, first, last = self._bound(at)
        made = self._counted(at, way or "until")
        if made is not None:
            self._merge(first, last, made)
            self._void(range(value + 1, first))
            for sign in range(value + 1, first):
                self.marks[sign] = replace(self.marks[sign], roles=("filler",))

    def _opens(self, place: int) -> bool:
        return place == 0 or self.marks[place - 1].plays("sign", "and", "contrast", "article", "further")

    def _demanded(self, place: int) -> None:
        """A list that is refused without so many: "if there aren't at least two comedies I'm not happy"."""
        mark = self.marks[place]
        if not mark.plays("since") or not any(self._is_number(at) for at in range(place + 1, min(place + 3, len(self.marks)))):
            return
        at = self._before_skipping(place, "filler", "aged", "owning")
        if at < 0 or not self.marks[at].plays("denial", "negation", "conditional"):
            return
        opens = next((index for index in range(at, max(-1, at - 4), -1) if self._conditional(index)), None)
        words = [token.key for token in self.tokens[self.marks[at].first : self.marks[at].last]]
        if opens is None and words != ["without"]:
            return
        value = next((index for index in range(place, min(place + 6, len(self.marks))) if self.marks[index].plays("value")), None)
        if value is None:
            return
        end = value + 1
        while end < len(self.marks) and self.marks[end].plays("noun", "from", "filler") and not self.marks[end].plays("sign"):
            end += 1
        refused = self._refusal_behind(end)
        if not refused:
            return
        self._void(refused)
        self._void(range(at if opens is None else opens, place))
