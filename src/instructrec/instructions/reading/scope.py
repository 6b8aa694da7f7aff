"""Sixth pass: how far negation, softness and lists reach. The result says of every mark whether it is wanted, and how firmly."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.reading.commas import CommaReader
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.reach import Reach
from instructrec.instructions.reading.reads import Joint, Read
from instructrec.instructions.reading.surroundings import NEAR
from instructrec.instructions.tokens import Token

_HANDLERS = (
    "negation", "open", "unclear", "negation_after", "soft_after", "soft", "like", "firm", "contrast", "further", "or", "and",
    "article",
)  # fmt: skip


class ScopeReader(Reach):
    """Walks over the marks once and keeps what is in force."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token]) -> None:
        super().__init__(marks, tokens)
        self.commas = CommaReader(marks, tokens)

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
        self._narrow_known(mark)
        apart = state.joint == "adjacent" or (state.polarity == "include" and state.joint in ("and", "comma"))
        if state.example and not state.fresh and not mark.plays("title") and apart:
            state.polarity, state.soft, state.trigger = "include", False, None  # "like X from the 90s": the years must hold
        was_example, state.example = state.example, mark.plays("title") and (state.soft or state.polarity != "include")
        if mark.plays("amount") and not state.fresh and (state.polarity != "include" or was_example):
            self._reset(state.joint)  # "no horror and two comedies"
        if state.joint == "and" and state.polarity != "include" and not state.fresh and state.article and not state.head_article:
            self._reset("and")  # "no romance and a happy end": the second thing has its own article, so it is wanted
        if state.soft and not state.fresh and state.joint == "and" and mark.plays("range", "amount") and not self._after_range():
            self._reset("and")  # "ideally a comedy, and after 1964": a condition of another kind must hold
        if state.spent and state.polarity == "exclude" and mark.plays("range", "amount"):
            self._reset(state.joint)  # "nothing I know, and from after 1990"
        if self._is_beyond(mark):
            self._reset("new" if mark.plays("title") else state.joint)
        if state.fresh:
            state.head_article = state.article
        if mark.plays("or_before"):
            state.joint = "or"
        state.content.append(len(state.reads))
        state.reads.append(self._current(mark))
        state.joint, state.article, state.fresh, state.noun, state.spent = "adjacent", False, False, False, False
        if state.once:
            state.once, state.polarity, state.trigger = False, "include", None

    def _narrow_known(self, mark: Mark) -> None:
        """What stands in a Chinese clause right behind what is known and refused only says which of it: "别推我看过的喜剧"."""
        if not self.state.spent or self.state.polarity != "exclude":
            return
        before = [read.mark for read in self.state.reads[-NEAR:]]
        last = max((at for at, one in enumerate(before) if one.plays("familiar", "fresh")), default=len(before))
        passed = before[last + 1 :]
        led = bool(passed) and passed[0].plays("of_what") and all(one.plays("filler", "article") for one in passed)
        if led and mark.plays("value", "quality", "known", "unknown"):
            self.state.polarity = "unclear"  # no limit can say that

    def _word(self, place: int) -> None:
        mark, state = self.marks[place], self.state
        if self._joins_names(place) or self._repeats(place):
            return
        state.noun = mark.plays("noun") or (state.noun and not mark.plays("and", "or"))
        self._begin(place)
        role = next((role for role in _HANDLERS if role in mark.roles), None)
        if role in ("negation", "open", "unclear"):
            self._negate(place, role)
        elif role in ("soft", "like"):
            self._soften()
        elif role in ("negation_after", "soft_after"):
            self._behind(role, place)
        else:
            self._joining(role, mark)
        if self._ends_description(place):
            self._reset("adjacent")
        if mark.plays("familiar", "fresh") and state.joint == "or":
            state.joint = "adjacent"  # "only what I have used or seen before, from 1963"
        if state.fresh and (mark.plays("familiar", "fresh") or self._refers_back(place)):
            state.fresh, state.spent = False, True  # "nothing I have seen, and in the mood for ...": the negation is used up

    def _joining(self, role: str | None, mark: Mark) -> None:
        """Words that begin, join or lead to something rather than judge it."""
        state = self.state
        if role in ("firm", "contrast"):
            self._end_scope(role, mark)
        elif role == "further":
            self._further(mark)
        elif role == "and" and self._opens_han(mark):
            return  # "要喜剧。再说一句，动画不要": nothing before a full stop is joined
        elif role in ("or", "and"):
            state.joint = "or" if role == "or" else "and" if state.joint != "or" else "or"
        elif role == "article":
            state.article = True

    def _opens_han(self, mark: Mark) -> bool:
        """Whether a Chinese sentence begins, and nothing has been named in it."""
        state = self.state
        named = bool(state.content) and state.reads[state.content[-1]].sentence == state.sentence
        return not named and state.sentence > 0 and self.tokens[mark.first].is_han

    def _begin(self, place: int) -> None:
        """What begins with a word, whatever it does then."""
        mark, state = self.marks[place], self.state
        if mark.plays("fresh", "apart") and state.polarity == "exclude" and not state.fresh:
            self._reset(state.joint)  # "nothing from there, and new to me"
        if mark.plays("quantity") and state.polarity == "exclude" and not state.fresh and self.marks[place - 1].plays("range"):
            self._reset("new")  # "不能比1990年更早几种喜剧"
        if mark.plays("including") and state.polarity == "exclude" and not state.fresh and state.joint == "and":
            self._reset("and")  # "without A and with B"
        if mark.plays("list") and state.polarity == "exclude" and not state.fresh and state.joint == "and":
            self._reset("and")  # "no A and the best B"
        chosen = mark.plays("choice") and not state.fresh and state.joint in ("comma", "and")
        if chosen or self._begins_anew(place):
            self._reset("new")  # "no A, either B or C": what can be chosen from is a condition of its own
        if mark.plays("likewise") and state.content and state.reads[state.content[-1]].polarity == "exclude":
            state.polarity, state.trigger, state.fresh, state.soft = "exclude", place, True, False  # "A is out, and so is B"

    def _begins_anew(self, place: int) -> bool:
        """Whether a general noun with what it is of ("something in ...") begins a condition, unless it is an "anything"."""
        mark, state = self.marks[place], self.state
        if not mark.plays("noun") or mark.plays("any_other") or state.fresh or state.joint not in ("comma", "and"):
            return False
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        return (
            after is not None
            and after.plays("from", "including", "filler", "clause", *(("value",) if mark.plays("some") else ()))
            and (state.joint == "comma" or state.polarity == "include" or mark.plays("some"))
        )

    def _refers_back(self, place: int) -> bool:
        """Whether what is liked, or not, was named before, so that nothing behind is: "more of that", "..., which I loved"."""
        mark, before = self.marks[place], self.marks[place - 1] if place else None
        if before is None or (place + 1 < len(self.marks) and self.marks[place + 1].is_content):
            return False
        if mark.plays("back") and self.state.polarity == "exclude":
            return self._ends_pronoun(place)
        if mark.plays("back") or not self.state.soft:
            return before.plays("like") and self.state.soft
        if mark.plays("desire") and before.plays("unknown", "known", "person", "teller") and place + 1 < len(self.marks):
            return self.marks[place + 1].plays("sign", "and")  # "something my grandad would enjoy, from 1990"
        titled = place > 2 and any(near.plays("title") for near in self.marks[place - 3 : place - 1])
        ends = place + 1 == len(self.marks) or self.marks[place + 1].plays("sign", "and", "contrast")
        return mark.plays("like") and before.plays("clause", "conditional") and titled and ends

    def _ends_pronoun(self, place: int) -> bool:
        """Whether another thought follows what a pronoun speaks of: "not that kind of thing | and from 1990 or later"."""
        at = place + 1
        while at < len(self.marks) and self.marks[at].plays("filler", "noun", "from", "unit", "unknown") and at - place <= NEAR:
            at += 1
        return at < len(self.marks) and self.marks[at].plays("and") and not self.marks[at].plays("back")

    def _ends_description(self, place: int) -> bool:
        """Whether a "not" within a description ends, because what is described follows ("不刺激的洁面乳")."""
        state, trigger = self.state, self.state.trigger
        if trigger is None or state.fresh or not self.marks[place].plays("of_what"):
            return False
        described = state.polarity == "unclear" or (state.polarity == "exclude" and self.marks[trigger].plays("prefix"))
        behind = (mark for mark in self.marks[place + 1 : place + 1 + NEAR] if not mark.plays("article", "filler"))
        return described and next(behind, self.marks[place]).is_content

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
        last = self.tokens[self.marks[place].last - 1].key
        led = self.marks[place].last - self.marks[place].first > 1 and last in ("the", "a", "an")  # "spare me the A and the B"
        state.trigger, state.fresh, state.soft, state.article = place, True, False, led
        state.once, state.spent = self._is_prefix(place), False

    def _refuses_all(self, place: int) -> bool:
        """Whether a negation is in force and nothing was named since: "I won't touch anything ..."."""
        trigger = self.state.trigger
        if self.state.polarity != "exclude" or trigger is None:
            return False
        return place - trigger <= 2 * NEAR and not any(mark.plays("value", "title", "range") for mark in self.marks[trigger:place])

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
        if role == "firm" and state.joint in ("comma", "and"):
            state.joint = "new"  # "sci-fi or western, just thrillers": a condition that must hold as well
        if state.polarity != "include" or state.soft or role == "contrast":
            self._reset("new" if role == "contrast" else state.joint)

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
        state.once = state.example = state.spent = False
        state.segment += 1

    def _behind(self, role: str, place: int) -> None:
        state = self.state
        if role == "negation_after" and state.polarity == "exclude" and state.fresh and state.trigger == place - 1:
            self._reset("adjacent")  # "doesn't bore me"
            return
        self._backwards(role, place)
        if role == "negation_after" and self.state.polarity == "exclude" and not self.state.fresh:
            self._reset("adjacent")  # "除了……以外" ends here

    def _sign(self, place: int) -> None:
        token, state = self.tokens[self.marks[place].first], self.state
        if token.ends_sentence or token.key in (",", "-"):
            self._close()
        if token.text == "-" or self.marks[place].plays("choice"):
            self._reset("new")  # what can be chosen from behind a comma is a condition of its own
        if token.ends_sentence:
            self._reset("new")
            self.state.sentence += 1
        elif token.key == ":" and place and self.marks[place - 1].plays("amount", "noun") and self.state.joint == "adjacent":
            self.state.joint = "comma"
        elif token.key == ":" and place and self.marks[place - 1].plays("unknown", "known"):
            self.state.joint = "new"
        elif token.key == ":" and not state.fresh and self._names_kind(place - 1):
            self._reset("new")
        elif token.key == "," or token.text in "–—":
            if state.soft and state.fresh:
                return  # "if possible, a western"
            self._comma(place)

    def _names_kind(self, place: int) -> bool:
        """Whether a Chinese word of no weight stands alone there, as in "类别：喜剧"."""
        if place < 0 or not self.marks[place].plays("filler") or not self.tokens[self.marks[place].first].is_han:
            return False
        return place == 0 or self.marks[place - 1].plays("sign", "further", "contrast", "and")

    def _is_done(self, place: int) -> bool:
        """Whether a Chinese clause that refuses, or doubts, ends at a comma without naming anything."""
        sign, trigger = self.tokens[self.marks[place].first], self.state.trigger
        han = trigger is not None and self.tokens[self.marks[trigger].first].is_han
        return han and sign.key == "," and sign.text != "、"

    def _comma(self, place: int) -> None:
        """A comma, or a dash for one, that goes on with a list or begins a clause."""
        state = self.state
        before = state.reads[state.content[-1]].mark if state.content else None
        unwanted = state.polarity != "include"
        if state.fresh and state.polarity != "include" and self._is_done(place):
            self._reset("comma" if state.content else "new")  # "喜剧我不喜欢，不要，1990年的": nothing follows what refuses
            return
        if state.spent or not self.commas.goes_on(place, before, unwanted=unwanted, soft=state.soft, article=state.head_article):
            self._reset("comma" if state.joint != "new" else "new")
        elif state.joint == "adjacent":
            state.joint = "comma"
