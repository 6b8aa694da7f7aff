"""Where what is in force ends before a thing, though no word says so: of the sixth pass, beside `scope.py`."""

from __future__ import annotations

from instructrec.instructions.reading.backwards import Backwards
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.surroundings import NEAR


class Reach(Backwards):
    """Tells whether a negation, or a likeness, still reaches the thing that comes next."""

    def _is_beyond(self, mark: Mark) -> bool:
        """Whether the next thing is a condition of its own."""
        return self._stands_apart(mark) or self._is_described(mark) or self._leaves_number(mark) or self._is_praised(mark)

    def _leaves_number(self, mark: Mark) -> bool:
        """Whether only a number was unwanted, and something else follows: "the rating must not be over 4, and horror"."""
        state = self.state
        if state.polarity != "exclude" or state.fresh or state.joint != "and" or state.trigger is None or not state.content:
            return False
        last = state.reads[state.content[-1]].mark
        named = any(near.plays("attribute") for near in self.marks[max(0, state.trigger - 2) : state.trigger + 2])
        other = mark.plays("range") and last.plays("range") and mark.attribute != last.attribute
        return other or named and last.plays("range") and not (mark.plays("range") and mark.attribute == last.attribute)

    def _is_praised(self, mark: Mark) -> bool:
        """Whether words right behind say how a title itself was: "not like X, and Y was great"."""
        place = len(self.state.reads)
        behind, before = self.marks[place + 1 : place + 2], self.marks[max(0, place - 2) : max(0, place - 1)]
        if not mark.plays("title") or self.state.joint != "and" or not behind or not behind[0].plays("likened"):
            return False
        listed = behind[0].plays("negation_after") and any(near.plays("title") for near in before)
        return not listed and behind[0].last - behind[0].first > 1

    def _after_range(self) -> bool:
        """Whether what was said last is a range or an amount."""
        return bool(self.state.content) and self.state.reads[self.state.content[-1]].mark.plays("range", "amount")

    def _is_described(self, mark: Mark) -> bool:
        """Whether a degree only spoke of the word before: "a not too expensive mascara"."""
        state = self.state
        if state.polarity != "unclear" or state.fresh or state.joint != "adjacent" or not mark.plays("value"):
            return False
        if state.trigger is not None and self.marks[state.trigger].plays("negation"):
            return False  # "不许推我看过的像样的喜剧"
        return state.reads[state.content[-1]].mark.plays("quality", "known", "unknown")

    def _stands_apart(self, mark: Mark) -> bool:
        """Whether no negation from before reaches it: "no A, and rated above 4"; a range may also say itself what is unwanted."""
        state = self.state
        if not mark.plays("range") or state.polarity not in ("exclude", "unclear"):
            return False
        if mark.plays("negated"):
            return True
        before = state.reads[state.content[-1]].mark if state.content else None
        return state.joint == "and" and not state.fresh and not state.noun and before is not None and not before.plays("range")

    def _repeats(self, place: int) -> bool:
        """Whether a Chinese word only says again how two things belong together: the second one of "既属于A又属于B"."""
        words = [self.tokens[mark.first].key for mark in self.marks[max(0, place - NEAR) : place]]
        return (
            bool(words) and words[-1] == "又" and words[:-1].count(self.tokens[self.marks[place].first].key) > 0 and "既" in words
        )
