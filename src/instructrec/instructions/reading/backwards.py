"""How far words reach that act on what stands before them ("A and B are out", "a comedy if possible")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reads import Joint, Polarity, Read
from instructrec.instructions.reading.surroundings import LONGEST_LIST, NEAR
from instructrec.instructions.tokens import Token


@dataclass(slots=True)
class ScopeState:
    """What is in force at a place of the text."""

    polarity: Polarity = "include"
    soft: bool = False
    joint: Joint = "new"
    article: bool = False
    segment: int = 0
    sentence: int = 0
    trigger: int | None = None
    example: bool = False
    """A title was just named as an example, wanted or not."""
    fresh: bool = False
    """A negation or softener was just read and nothing it applies to yet."""
    once: bool = False
    """The negation is a prefix ("non-romantic") and reaches only the next content."""
    spent: bool = False
    """What is new or known took up the negation, and reaches no further than the next sign."""
    noun: bool = False
    """A general noun stands behind the last "and": "no A and things from before 1980"."""
    head_article: bool = False
    """The first content in the scope of the negation had an article."""
    reads: list[Read] = field(default_factory=list)
    content: list[int] = field(default_factory=list)
    """Indices of the reads that say what is wanted."""


class Backwards:
    """Applies such words to what was read."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token]) -> None:
        self.marks = marks
        self.tokens = tokens
        self.state = ScopeState()

    def _backwards(self, role: str, place: int) -> None:
        """Words that act on what stands before them: "romance-free", "a comedy or a drama if possible"."""
        reads = self.state.reads
        seen = self._seen_behind(place)
        if seen is not None and role == "negation_after":
            reads[seen] = replace(reads[seen], polarity="exclude", trigger=place)
            return
        listed = False
        if role == "soft_after" and self.state.content and reads[self.state.content[-1]].soft:
            return  # "A, and ideally B, if possible"
        for index in reversed(self.state.content[-LONGEST_LIST:]):
            read = reads[index]
            if role == "negation_after" and self._is_out_of_reach(index, place):
                return
            if role == "soft_after" and read.soft and self.tokens[self.marks[place].first].is_han:
                return  # "没有喜剧也没关系，有当然好"
            if role == "soft_after":
                carried = read.trigger is not None and read.joint == "and" and self._goes_further(read.trigger, index)
                polarity, trigger = ("include", None) if carried else (read.polarity, read.trigger)
                reads[index] = replace(read, soft=True, polarity=polarity, trigger=trigger)
                if read.mark.plays("title"):
                    return  # "a comedy. “X” is my favourite"
            else:
                reads[index] = replace(read, polarity="exclude", trigger=place)
            listed = listed or read.joint in ("and", "or")
            linked = ("and", "or") if role == "negation_after" else ("and", "or", "adjacent", *(("comma",) if listed else ()))
            reaches = role == "negation_after" and self._lists(index, place, listed=listed)
            beside = role == "negation_after" and read.joint == "adjacent" and self._lies_beside(index, place)
            if (read.joint not in linked and not reaches and not beside) or self._begins_kind(index):
                return
            if index and self.marks[index - 1].plays("pair", "handled"):
                return  # "A, both B and C are out", "要A，把B和C都去掉"

    def _is_out_of_reach(self, index: int, place: int) -> bool:
        """Whether words that refuse end before a thing: it is refused already ("like X, and Y was a letdown, none of that kind"),
        somebody begins to speak of himself ("three A, and I'm all B'd out"), or it is only preferred.
        """
        read = self.state.reads[index]
        ahead = read.trigger is not None and read.trigger < index  # "A, I don't want B, keep C off the list"
        refused = read.polarity == "exclude" and (read.mark.plays("title") or (ahead and read.mark.plays("value")))
        return refused or self._speaks_anew(index) or (read.soft and self._is_softened(index, place))

    def _speaks_anew(self, index: int) -> bool:
        """Whether somebody begins to speak of himself between a thing and the next; behind both he speaks of both."""
        after = next((at for at in self.state.content if at > index), index)
        return any(mark.plays("aged") and mark.last - mark.first == 1 for mark in self.marks[index + 1 : after])

    def _is_softened(self, index: int, place: int) -> bool:
        """Whether words between say that a thing is only preferred."""
        return any(mark.plays("soft_after") for mark in self.marks[index + 1 : min(place, index + 1 + NEAR)])

    def _goes_further(self, trigger: int, index: int) -> bool:
        """Whether a further thought begins between a negation and a thing: "不要恐怖的，还有喜剧的话就更好了"."""
        return any(mark.plays("further") for mark in self.marks[trigger:index])

    def _begins_kind(self, index: int) -> bool:
        """Whether an "and" joins it to something of another kind: "from the 90s and horror is out"."""
        read = self.state.reads[index]
        kinds = ("value", "range", "amount", "title")
        for before in reversed(self.state.reads[max(0, index - 2 * NEAR) : index]):
            if before.mark.plays("fresh", "familiar"):
                return read.joint == "and"
            if before.mark.is_content:
                differ = any(before.mark.plays(kind) != read.mark.plays(kind) for kind in kinds)
                return read.joint == "and" and differ and before.mark.plays(*kinds)
        return False

    def _lies_beside(self, index: int, place: int) -> bool:
        """Whether words behind reach over this one to its neighbour: to the other half of a pair ("romantic comedies are out"),
        over a word nobody knows, where not one is wanted, and where nothing before asks for it ("French comedies are out").
        """
        read = self.state.reads[index]
        if read.mark.plays("unknown", "known", "count") or self.marks[place].plays("every_one", "all"):
            return True
        before = self.state.reads[index - 1].mark if index else None
        whole = self.marks[place].last - self.marks[place].first > 1 or self.marks[place].plays("whole")
        if whole and self._heads_clause(index):
            return True
        return before is not None and bool({ref.attribute for ref in before.refs} & {ref.attribute for ref in read.mark.refs})

    def _heads_clause(self, index: int) -> bool:
        """Whether nothing stands before it in its clause but what it is one thing with."""
        for before in reversed(self.state.reads[max(0, index - 2 * NEAR) : index]):
            if before.mark.plays("sign", "contrast"):
                return True
            if not before.mark.plays("value", "range", "article", "filler", "noun", "from", "quality", "unknown", "known"):
                return False
            if before.mark.plays("article", "noun") and not before.mark.plays("from") and before.joint == "new":
                return self.tokens[before.mark.first].key not in ("a", "an", "something")
        return index < 2 * NEAR

    def _lists(self, index: int, place: int, *, listed: bool) -> bool:
        """Whether the comma before a thing only lists, so that words behind reach beyond it ("A, B and C are out")."""
        read = self.state.reads[index]
        if read.joint != "comma" or not read.mark.plays("value"):
            return False
        before = next((at for at in reversed(self.state.content[-LONGEST_LIST:]) if at < index), index)
        earlier = self.state.reads[before] if before < index else None
        asked = any(mark.plays("firm") for mark in self.marks[before + 1 : index])  # "喜剧是硬性条件，恐怖都别出现"
        if earlier is not None and (asked or earlier.mark.plays("range", "title", "amount")):
            return False
        listed = listed and earlier is not None and not earlier.article
        bare = earlier is not None and self._opens_clause(earlier.mark) and not self._is_led_in(index)
        start = index - 1
        while start > 0 and self.marks[start].plays("filler") and read.mark.first - self.marks[start].first <= NEAR:
            start -= 1
        return self.tokens[self.marks[max(0, start)].last - 1].text == "、" or (self.marks[place].plays("all") and bare) or listed

    def _is_led_in(self, index: int) -> bool:
        """Whether a Chinese clause begins with words of its own before a thing: "喜剧类的，凡是恐怖的都去掉"."""
        before = self.state.reads[index - 1].mark if index else None
        return before is not None and before.plays("filler") and self.tokens[before.first].is_han

    def _opens_clause(self, mark: Mark) -> bool:
        """Whether nothing asks for it: it stands first in the text or right behind a sign."""
        return mark.first == 0 or not self.tokens[mark.first - 1].is_word

    def _seen_behind(self, place: int) -> int | None:
        """What is new or known, if nothing else stands between it and the words behind it ("我看过的就别推荐了")."""
        for index in range(place - 1, max(-1, place - 1 - NEAR), -1):
            if self.marks[index].plays("fresh", "familiar"):
                return index
            if self.marks[index].is_content or self.marks[index].plays("sign"):
                return None
        return None
