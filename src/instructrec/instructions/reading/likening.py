"""Chinese words that compare with a title or a thing: "和《X》类似的", "跟喜剧沾边的", "《X》很好，要类似的喜剧"."""

from __future__ import annotations

from dataclasses import replace

from instructrec.instructions.reading.surroundings import NEAR, Surroundings


class Likening(Surroundings):
    """The part of reading marks in context that speaks of what is like something."""

    def _likening(self, place: int) -> None:
        """A Chinese "and" that joins nothing but leads to a title compares with it: "和《X》类似的"."""
        before = self.marks[place - 1] if place else None
        joins = before is not None and (before.is_content or before.plays("fresh", "familiar"))
        if not self._is_han or joins or self.marks[place].plays("further"):
            return
        relating = self._relating(place)
        if relating is not None:
            for at in (place, relating):
                self.marks[at] = replace(self.marks[at], roles=("filler",))  # "喜剧，跟恐怖沾边的都不要"
            return
        told = before is not None and self.lexicon.is_subject(self.tokens[before.first].key)
        if any(mark.plays("title") for mark in self.marks[place + 1 : place + 2]):
            self.marks[place] = replace(self.marks[place], roles=("like", "filler"))
        elif told and (place == 1 or self.marks[place - 2].plays("sign", "further")):
            self.marks[place] = replace(self.marks[place], roles=("filler",))  # "我跟喜剧八字不合"
        elif (
            before is not None and before.plays("further", "firm", "soft") and self.marks[place].last - self.marks[place].first == 1
        ):
            self.marks[place] = replace(self.marks[place], roles=("filler",))  # "跟喜剧相关的"

    def _comparing(self, place: int) -> None:
        """A word that alone says nothing compares with the title behind it: "同《X》一类的"."""
        titled = any(mark.plays("title") for mark in self.marks[place + 1 : place + 2])
        self.marks[place] = replace(self.marks[place], roles=("like", "filler") if titled else ("unknown",))

    def _relating(self, place: int) -> int | None:
        """Where it is said that all that has to do with what an "and" leads to is spoken of: "跟喜剧沾边的"."""
        for at in range(place + 1, min(place + 1 + 2 * NEAR, len(self.marks))):
            if self.marks[at].plays("relates"):
                return at if at > place + 1 else None
            if not self.marks[at].plays("value", "and", "or", "noun"):
                return None
        return None

    def _likened(self, place: int) -> None:
        """Behind the title that it compares with, it says nothing of what follows ("和《X》有点像的喜剧"), or that it differs."""
        at = place - 1
        while at >= max(0, place - NEAR) and self.marks[at].plays("filler", "soft", "graded"):
            at -= 1
        if not self._is_han or at < 0 or not self.marks[at].plays("title"):
            self._likens_back(place)
            return
        for passed in range(at + 1, place):
            self.marks[passed] = replace(self.marks[passed], roles=("filler",))
        differs = self.marks[place].plays("differs", "negation")
        self.marks[place] = replace(self.marks[place], roles=("negation_after",) if differs else ("filler",))

    def _likens_back(self, place: int) -> None:
        """Behind a clause with a title "like it" compares with that title only: "《X》念念不忘，想找像它的喜剧"."""
        at = place + 1
        while at < len(self.marks) and self.marks[at].plays("back"):
            at += 1
        if not self._is_han or not self.marks[place].plays("like") or not self.marks[at : at + 1]:
            return
        if not self.marks[at].plays("of_what") or self.tokens[self.marks[place].first].key == "不":
            return
        for before in reversed(self.marks[max(0, place - 4 * NEAR) : place]):
            if before.plays("title"):
                self.marks[place:at] = [replace(mark, roles=("filler",)) for mark in self.marks[place:at]]
                return
            if before.plays("value", "range", "contrast", "further") or self.tokens[before.first].ends_sentence:
                return
