"""Sixth pass: how far negation, softness and lists reach. The result says of every mark whether it is wanted, and how firmly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from instructrec.instructions.commas import CommaReader
from instructrec.instructions.marks import Mark
from instructrec.instructions.reads import Joint, Polarity, Read
from instructrec.instructions.tokens import Token

_HANDLERS = (
    "negation", "open", "unclear", "negation_after", "soft_after", "soft", "like", "firm", "contrast", "further", "or", "and",
    "article",
)  # fmt: skip
_NEAR = 4
_LONGEST_LIST = 40
"""Marks that one list may have; keeps the reading linear."""


@dataclass(slots=True)
class _State:
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
    noun: bool = False
    """A general noun stands behind the last "and": "no A and things from before 1980"."""
    head_article: bool = False
    """The first content in the scope of the negation had an article."""
    reads: list[Read] = field(default_factory=list)
    content: list[int] = field(default_factory=list)
    """Indices of the reads that say what is wanted."""


class ScopeReader:
    """Walks over the marks once and keeps what is in force."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token]) -> None:
        self.marks = marks
        self.tokens = tokens
        self.commas = CommaReader(marks, tokens)
        self.state = _State()

    def read(self) -> list[Read]:
        """One Read a mark, in order."""
        self._walk()
        self._close()
        return self.state.reads

    def _walk(self) -> None:
        for place, mark in enumerate(self.marks):
            if mark.is_content:
                self._content(mark)
            elif mark.plays("sign"):
                self._sign(place)
            else:
                self._word(place)
            if not mark.is_content:
                self.state.reads.append(self._current(mark))

    def _close(self) -> None:
        """A negation that nothing follows acts on what stands before it where its words can ("恐怖片都不要")."""
        state = self.state
        trigger = state.trigger if state.fresh and state.polarity == "exclude" else None
        if trigger is not None and self.marks[trigger].plays("negation_after"):
            self._backwards("negation_after", trigger)
            self._reset("adjacent")

    def _current(self, mark: Mark) -> Read:
        state = self.state
        return Read(mark, state.polarity, state.soft, state.joint, state.article, state.segment, state.sentence, state.trigger)

    def _content(self, mark: Mark) -> None:
        state = self.state
        if state.example and not state.fresh and not mark.plays("title") and state.joint == "adjacent":
            state.polarity, state.soft, state.trigger = "include", False, None  # "like X from the 90s": the years must hold
        was_example, state.example = state.example, mark.plays("title") and (state.soft or state.polarity != "include")
        if mark.plays("amount") and not state.fresh and (state.polarity != "include" or was_example):
            self._reset(state.joint)  # "no horror and two comedies"
        if state.joint == "and" and state.polarity != "include" and not state.fresh and state.article and not state.head_article:
            self._reset("and")  # "no romance and a happy end": the second thing has its own article, so it is wanted
        if self._stands_apart(mark) or self._is_described(mark):
            self._reset(state.joint)
        if state.fresh:
            state.head_article = state.article
        if mark.plays("or_before"):
            state.joint = "or"
        state.content.append(len(state.reads))
        state.reads.append(self._current(mark))
        state.joint, state.article, state.fresh, state.noun = "adjacent", False, False, False
        if state.once:
            state.once, state.polarity, state.trigger = False, "include", None

    def _is_described(self, mark: Mark) -> bool:
        """Whether a degree only spoke of the word before: "a not too expensive mascara"."""
        state = self.state
        if state.polarity != "unclear" or state.fresh or state.joint != "adjacent" or not mark.plays("value"):
            return False
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

    def _word(self, place: int) -> None:
        mark, state = self.marks[place], self.state
        if self._joins_names(place):
            return
        state.noun = mark.plays("noun") or (state.noun and not mark.plays("and", "or"))
        if mark.plays("fresh") and state.polarity == "exclude" and not state.fresh:
            self._reset(state.joint)  # "nothing from there, and new to me"
        role = next((role for role in _HANDLERS if role in mark.roles), None)
        if role in ("negation", "open", "unclear"):
            self._negate(place, role)
        elif role in ("soft", "like"):
            self._soften()
        elif role in ("negation_after", "soft_after"):
            self._behind(role, place)
        else:
            self._joining(role, mark)
        if mark.plays("fresh", "familiar"):
            state.fresh = False
        if self._ends_description(place):
            self._reset("adjacent")

    def _joining(self, role: str | None, mark: Mark) -> None:
        """Words that begin, join or lead to something rather than judge it."""
        state = self.state
        if role in ("firm", "contrast"):
            self._end_scope(role, mark)
        elif role == "further":
            self._further(mark)
        elif role in ("or", "and"):
            state.joint = "or" if role == "or" else "and" if state.joint != "or" else "or"
        elif role == "article":
            state.article = True

    def _ends_description(self, place: int) -> bool:
        """Whether a "not" within a description ends, because what is described follows ("不刺激的洁面乳")."""
        state, trigger = self.state, self.state.trigger
        if trigger is None or state.fresh or not self.marks[place].plays("of_what"):
            return False
        described = state.polarity == "unclear" or (state.polarity == "exclude" and self.marks[trigger].plays("prefix"))
        return described and place + 1 < len(self.marks) and self.marks[place + 1].is_content

    def _joins_names(self, place: int) -> bool:
        """Whether the mark is an attribute name followed by a colon: a new condition begins, and no negation reaches it."""
        if self.marks[place].plays("named"):
            self._reset("new")
            return True
        return False

    def _negate(self, place: int, role: str) -> None:
        state = self.state
        if role == "negation" and self.marks[place].plays("except") and self._refuses_all(place):
            self._reset("new")  # "I won't watch anything but ...": only that
            return
        if role == "negation" and state.polarity == "exclude" and state.fresh and not self._is_nor(place):
            state.polarity = "open"  # "don't skip ...": a negated negation imposes nothing
        else:
            state.polarity = {"negation": "exclude", "open": "open", "unclear": "unclear"}[role]  # type: ignore[assignment]
        if self._is_nor(place):
            state.joint = "or"
        state.trigger, state.fresh, state.soft, state.article = place, True, False, False
        state.once = self._is_prefix(place)

    def _refuses_all(self, place: int) -> bool:
        """Whether a negation is in force and nothing was named since: "I won't touch anything ..."."""
        trigger = self.state.trigger
        if self.state.polarity != "exclude" or trigger is None:
            return False
        return place - trigger <= 2 * _NEAR and not any(mark.plays("value", "title", "range") for mark in self.marks[trigger:place])

    def _is_nor(self, place: int) -> bool:
        return self.tokens[self.marks[place].first].key == "nor"

    def _is_prefix(self, place: int) -> bool:
        """Whether a hyphen (which is no token) ties the negation to the word after it."""
        last = self.marks[place].last
        if last >= len(self.tokens) or self.marks[place].last - self.marks[place].first > 1:
            return False
        return self.tokens[last].start - self.tokens[last - 1].end == 1 and self.tokens[last].hyphenated

    def _soften(self) -> None:
        state = self.state
        if state.fresh and state.polarity != "include":
            return
        if state.polarity != "include":
            self._reset("new")
        state.soft, state.fresh = True, True

    def _end_scope(self, role: str, mark: Mark) -> None:
        state = self.state
        if role == "firm" and state.fresh and (state.polarity != "include" or (state.soft and not mark.plays("must"))):
            return  # "I don't really want ...", "if possible give me ..."
        if role == "firm" and state.joint == "comma":
            state.joint = "new"  # "sci-fi or western, just thrillers": a condition that must hold as well
        if state.polarity != "include" or state.soft or role == "contrast":
            self._reset("new" if role == "contrast" else state.joint)

    def _says_nothing(self) -> bool:
        """Whether what is in force reaches no content: a softener alone, or a negation of what is new or known."""
        state = self.state
        named = bool(state.content) and state.reads[state.content[-1]].trigger == state.trigger
        return (state.soft and state.fresh) or (state.polarity == "exclude" and not state.fresh and not named)

    def _further(self, mark: Mark) -> None:
        """Words that begin a further condition ("，而且"), which nothing from before reaches; a bare name may go on with a list."""
        state = self.state
        named = bool(state.content) and state.reads[state.content[-1]].trigger == state.trigger
        if mark.plays("bare") and state.polarity == "exclude" and named:
            state.joint = "and"
        elif state.polarity == "include" or not state.fresh:
            self._reset("new")

    def _reset(self, joint: Joint) -> None:
        state = self.state
        state.polarity, state.soft, state.trigger, state.fresh, state.joint = "include", False, None, False, joint
        state.once = state.example = False
        state.segment += 1

    def _behind(self, role: str, place: int) -> None:
        state = self.state
        if role == "negation_after" and state.polarity == "exclude" and state.fresh and state.trigger == place - 1:
            self._reset("adjacent")  # "doesn't bore me"
            return
        self._backwards(role, place)
        if role == "negation_after" and self.state.polarity == "exclude" and not self.state.fresh:
            self._reset("adjacent")  # "除了……以外" ends here

    def _backwards(self, role: str, place: int) -> None:
        """Words that act on what stands before them: "romance-free", "a comedy or a drama if possible"."""
        reads = self.state.reads
        seen = self._seen_behind(place)
        if seen is not None and role == "negation_after":
            reads[seen] = replace(reads[seen], polarity="exclude", trigger=place)
            return
        listed = False
        for index in reversed(self.state.content[-_LONGEST_LIST:]):
            read = reads[index]
            if role == "soft_after":
                reads[index] = replace(read, soft=True)
            else:
                reads[index] = replace(read, polarity="exclude", trigger=place)
            listed = listed or read.joint in ("and", "or")
            linked = ("and", "or") if role == "negation_after" else ("and", "or", "adjacent", *(("comma",) if listed else ()))
            reaches = role == "negation_after" and self._lists(index, place, listed=listed)
            beside = role == "negation_after" and read.joint == "adjacent" and self._lies_beside(index, place)
            if read.joint not in linked and not reaches and not beside:
                return

    def _lies_beside(self, index: int, place: int) -> bool:
        """Whether words behind reach over this one to its neighbour: to the other half of a pair ("romantic comedies are out"),
        over a word nobody knows, and where not one is wanted.
        """
        read = self.state.reads[index]
        if read.mark.plays("unknown", "known") or self.marks[place].plays("every_one", "all"):
            return True
        before = self.state.reads[index - 1].mark if index else None
        return before is not None and bool({ref.attribute for ref in before.refs} & {ref.attribute for ref in read.mark.refs})

    def _lists(self, index: int, place: int, *, listed: bool) -> bool:
        """Whether the comma before a thing only lists, so that words behind reach beyond it ("A, B and C are out")."""
        read = self.state.reads[index]
        if read.joint != "comma" or not read.mark.plays("value"):
            return False
        earlier = next((self.state.reads[at] for at in reversed(self.state.content[-_LONGEST_LIST:]) if at < index), None)
        listed = listed and earlier is not None and not earlier.article
        bare = earlier is not None and self._opens_clause(earlier.mark)
        return self.tokens[read.mark.first - 1].text == "、" or (self.marks[place].plays("all") and bare) or listed

    def _opens_clause(self, mark: Mark) -> bool:
        """Whether nothing asks for it: it stands first in the text or right behind a sign."""
        return mark.first == 0 or not self.tokens[mark.first - 1].is_word

    def _seen_behind(self, place: int) -> int | None:
        """What is new or known, if nothing else stands between it and the words behind it ("我看过的就别推荐了")."""
        for index in range(place - 1, max(-1, place - 1 - _NEAR), -1):
            if self.marks[index].plays("fresh", "familiar"):
                return index
            if self.marks[index].is_content or self.marks[index].plays("sign"):
                return None
        return None

    def _sign(self, place: int) -> None:
        token, state = self.tokens[self.marks[place].first], self.state
        if token.key == "," and state.soft and state.fresh and place and self.marks[place - 1].plays("soft_open"):
            return  # "if possible, a western"
        if token.key == "," and self._says_nothing():
            self._reset("comma" if state.joint != "new" else "new")
            return
        if token.ends_sentence or token.key == ",":
            self._close()
        if token.ends_sentence:
            self._reset("new")
            self.state.sentence += 1
        elif token.key == ":" and place and self.marks[place - 1].plays("amount", "noun") and self.state.joint == "adjacent":
            self.state.joint = "comma"
        elif token.key == "," or token.text in "–—":
            before = state.reads[state.content[-1]].mark if state.content else None
            unwanted = state.polarity != "include"
            if not self.commas.goes_on(place, before, unwanted=unwanted, soft=state.soft, article=state.head_article):
                keep = self.state.joint
                self._reset("comma" if keep != "new" else "new")
            elif self.state.joint == "adjacent":
                self.state.joint = "comma"
