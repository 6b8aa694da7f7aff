"""Fifth pass: words whose part depends on what stands around them ("if possible" before or behind, "either is fine")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.alternatives import Alternatives
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.surroundings import NAMED, NEAR
from instructrec.instructions.tokens import Token

_ASKED_FOR = (
    "article", "noun", "quality", "known", "amount", "range", "attribute", "from", "like", "fresh", "familiar", "in_case",
)  # fmt: skip
"""What follows where a thing of its own is asked for."""


class ContextReader(Alternatives):
    """Gives marks the part that their neighbours leave them, from left to right."""

    def read(self) -> list[Mark]:
        """The marks with the roles that they have where they stand."""
        rules: tuple[tuple[str, Callable[[int], None]], ...] = (
            ("soft_after", self._soft_ahead),
            ("desire", self._desired),
            ("soft", self._allowance),
            ("soft", self._soft_behind),
            ("negation_after", self._negation_ahead),
            ("negation_head", self._negation_head),
            ("negation_after", self._refused_before),
            ("except", self._only_this),
            ("particle", self._particle),
            ("back_only", self._back_only),
            ("negation", self._negation_behind),
            ("negation", self._range_behind),
            ("negation", self._pronoun_behind),
            ("negation", self._all_behind),
            ("negation_after", self._all_behind),
            ("contrast", self._all_but),
            ("either_then", self._either_then),
            ("unknown", self._quality),
            ("range", self._negated),
            ("fresh", self._unmet),
            ("familiar", self._apart),
            ("familiar", self._told),
            ("further", self._further),
            ("and", self._likening),
            ("likens", self._comparing),
            ("or", self._or_opens),
            ("like", self._likened),
            ("differs", self._likened),
            ("either", self._either),
            ("or_after", self._or_behind),
            ("one_of", self._one_of),
            ("between", self._one_of),
        )
        for place in range(len(self.marks)):
            if self._is_sign(place) and self.tokens[self.marks[place].first].ends_sentence:
                self._alternating = False
            for role, rule in rules:
                if role in self.marks[place].roles:
                    rule(place)
        return self.marks

    def _soft_ahead(self, place: int) -> None:
        """At the head of a clause it acts on what follows: "and if possible a western"."""
        goes_on = any(mark.plays("soft") for mark in self.marks[place + 1 : place + 2])  # "it would be great if it were ..."
        opens = goes_on or self._leads_to_named(place) or self._opens_sentence(place)
        if self._is_head(place) and opens:
            self.marks[place] = replace(self.marks[place], roles=("soft",))

    def _soft_behind(self, place: int) -> None:
        """At the end of a clause it acts on what stands right before: "a comedy preferably", "有喜剧最好"."""
        if self._ends_behind(place):
            self.marks[place] = replace(self.marks[place], roles=("soft_after",))
        elif self._is_han and self.marks[place].plays("soft_after") and (start := self._softens_back(place)) is not None:
            self.marks[start:place] = [replace(mark, roles=("filler",)) for mark in self.marks[start:place]]
            self.marks[place] = replace(self.marks[place], roles=("soft_after",))

    def _desired(self, place: int) -> None:
        """A thing of its own is asked for politely, a kind of things only liked: "I'd love a comedy" and "I'd love comedies"."""
        after = self.marks[place + 1] if place + 1 < len(self.marks) else None
        if after is not None and after.plays(*_ASKED_FOR):
            self.marks[place] = replace(self.marks[place], roles=("firm",))

    def _allowance(self, place: int) -> None:
        """What a counted number "may be" is no preference: "at most two may be horror"."""
        before = self.marks[place - 1] if place else None
        after = self.marks[place + 1 : place + 2]
        titled = before is not None and before.plays("title") and bool(after) and after[0].plays("noun")  # "the X sort of thing"
        if titled or (before is not None and before.plays("amount") and self._leads_to_content(place)):
            self.marks[place] = replace(self.marks[place], roles=("filler",))

    def _negation_ahead(self, place: int) -> None:
        mark = self.marks[place]
        again = self._is_han and self._refuses_again(place)
        ahead = (again or self._is_head(place)) and self._leads_to_content(place)
        if not mark.plays("negation") and (ahead or (self._is_han and self._refuses_first(place))):
            self.marks[place] = replace(mark, roles=("negation",))

    def _refuses_first(self, place: int) -> bool:
        """Whether its clause names nothing before it and something right behind: "就想要跳过我看过的"."""
        for mark in reversed(self.marks[:place]):
            if mark.plays("sign", "contrast", "further"):
                break
            if mark.plays(*NAMED, "fresh", "familiar", "unknown", "known", "quality", "amount"):
                return False
        behind = (mark for mark in self.marks[place + 1 : place + 1 + NEAR] if not mark.plays("filler", "article"))
        return next(behind, self.marks[place]).plays("value", "range", "title", "fresh", "familiar")

    def _refuses_again(self, place: int) -> bool:
        """Whether what stands before it is refused already by words of its own: "既不想看喜剧也不想看恐怖片"."""
        named = False
        for mark in reversed(self.marks[max(0, place - 2 * NEAR) : place]):
            if mark.plays("sign", "contrast"):
                return False
            if named and mark.plays("negation"):
                return not mark.plays("except")
            named = named or mark.plays(*NAMED)
        return False

    def _refused_before(self, place: int) -> None:
        """Of words that refuse either way ("is not allowed") those act on what stands before that nothing follows."""
        before, after = (self.marks[at] if 0 <= at < len(self.marks) else None for at in (place - 1, place + 1))
        ends = after is None or after.plays("sign", "and", "contrast")
        if self.marks[place].plays("negation") and before is not None and before.plays(*NAMED) and ends:
            self.marks[place] = replace(self.marks[place], roles=("negation_after",))

    def _negation_head(self, place: int) -> None:
        """A word that refuses only at the head of a clause, right before what it refuses: "cut the horror"."""
        light = ("article", "filler", "from")
        named = next((at for at in self.marks[place + 1 : place + 1 + NEAR] if not at.plays(*light)), None)
        if named is not None and named.plays("noun"):
            behind = (at for at in self.marks[place + 1 : place + 1 + NEAR] if not at.plays("noun", *light))
            named = next((at for at in behind if at.plays("familiar")), named)  # "hide everything in my history"
        before = self.marks[place - 1] if place else None
        noun = before is not None and before.plays("article", "teller") and not before.plays("one")  # "the cut I have seen"
        seen = named is not None and named.plays("familiar") and before is not None and not noun
        if (self._is_head(place) or seen) and named is not None and named.plays("value", "title", "familiar"):
            self.marks[place] = replace(self.marks[place], roles=("negation",))

    def _unmet(self, place: int) -> None:
        """Words that regret the title behind them say without one that all should be new: "I should not have seen it before"."""
        after = self.marks[place + 1 : place + 2]
        if self.marks[place].plays("like") and not (after and after[0].plays("title")):
            self.marks[place] = replace(self.marks[place], roles=("fresh",))

    def _negation_behind(self, place: int) -> None:
        """A negation that ends its clause acts on what stands before it, a Chinese one if it has several characters."""
        mark = self.marks[place]
        if not self._is_han and not mark.plays("negation_after", "like") and self._ends_behind(place):
            self.marks[place] = replace(mark, roles=("negation_after",))  # "horror I can do without"
            return
        if not self._is_han or mark.last - mark.first < 2 or mark.plays("prefix", "negation_after", "either_not"):
            return
        after = next((at for at in self.marks[place + 1 : place + 1 + NEAR] if not at.plays("filler")), None)
        near = reversed(self.marks[max(0, place - 2 * NEAR) : place])
        before = next((at for at in near if at.is_content or at.plays("sign")), None)
        if (after is None or after.plays("sign")) and before is not None and before.is_content:
            self.marks[place] = replace(mark, roles=(*mark.roles, "negation_after"))

    def _range_behind(self, place: int) -> None:
        """A Chinese refusal of years acts on them where some of a thing are named right behind: "1993年以后的我不考虑几样喜剧"."""
        before = next((at for at in reversed(self.marks[max(0, place - NEAR) : place]) if not at.plays("filler")), None)
        behind = self.marks[place + 1 : place + 3]
        some = len(behind) == 2 and behind[0].plays("quantity") and behind[1].plays("value", "quality", "unknown")
        if self._is_han and some and before is not None and before.plays("range"):
            self.marks[place] = replace(self.marks[place], roles=("negation_after",))

    def _back_only(self, place: int) -> None:
        """An order what to leave out acts on what its clause named before, unless it names something itself."""
        before = next(
            (at for at in reversed(self.marks[max(0, place - 2 * NEAR) : place]) if at.plays(*NAMED, "fresh", "familiar", "sign")),
            None,
        )
        if before is None or before.plays("sign"):
            return
        for mark in self.marks[place + 1 : place + 1 + 2 * NEAR]:
            if mark.plays("sign"):
                break
            if mark.plays(*NAMED, "quality", "amount"):
                return
        self.marks[place] = replace(self.marks[place], roles=("negation_after",))

    def _pronoun_behind(self, place: int) -> None:
        """A negation of "them" or "both" acts on what was named before: "leave out both"."""
        if self._answers(place):
            self.marks[place] = replace(self.marks[place], roles=("negation_after",))
            return
        back = False
        for mark in self.marks[place + 1 : place + 1 + NEAR]:
            if mark.plays("sign", "contrast") or (back and mark.plays("and", "firm") and not mark.plays("back")):
                break
            if not mark.plays("back", "filler"):
                return
            back = back or mark.plays("back")
        if back and any(mark.plays(*NAMED) for mark in self.marks[max(0, place - 2 * NEAR) : place]):
            self.marks[place] = replace(self.marks[place], roles=("negation_after", "all"))

    def _particle(self, place: int) -> None:
        """The end of a verb in two parts acts on what stands between them: "keep horror out"."""
        after = next((mark for mark in self.marks[place + 1 : place + 1 + NEAR] if mark.first and not mark.plays("filler")), None)
        if after is not None and after.plays(*NAMED, "quality", "amount", "negation"):
            return
        named = False
        for at in range(place - 1, max(-1, place - 3 * NEAR), -1):
            mark = self.marks[at]
            if mark.plays("part_verb") and at == place - 1 and after is not None and after.plays("familiar", "fresh"):
                self.marks[place] = replace(self.marks[place], roles=("negation",))  # "set aside what I've already seen"
            if mark.plays("sign", "contrast") or (mark.plays("part_verb") and not named):
                return
            if mark.plays("part_verb"):
                self.marks[place] = replace(self.marks[place], roles=("negation_after",))
                self.marks[at] = replace(mark, roles=("contrast",))  # a clause begins with the verb
                return
            named = named or mark.plays(*NAMED, "familiar", "fresh")

    def _only_this(self, place: int) -> None:
        """Nothing but what "except" names, where the sentence then refuses all else: "apart from A I watch nothing"."""
        named, other = False, False
        for at in range(place + 1, min(place + 1 + 3 * NEAR, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("sign") and (self.tokens[mark.first].key != "," or not named):
                return
            if mark.plays("or_after", "fresh", "familiar", "further") or (mark.plays("except") and self._is_comma(at - 1)):
                return  # "apart from A anything will do, nothing that I know"
            if mark.plays(*NAMED):
                if other or at - place > 2 * NEAR or (named and self._is_comma(at - 1)):
                    return
                named = True
            other = other or (named and mark.plays("any_other", "rest"))
            if named and (mark.plays("nothing_else") or (other and mark.plays("negation", "negation_after"))):
                if not self._closes(at):
                    return
                self.marks[place] = replace(self.marks[place], roles=("firm",))
                self._pass_rest(place, at)
                return

    def _pass_rest(self, place: int, end: int) -> None:
        """What is said of all else is passed over; in Chinese one of what is named is enough."""
        for passed in range(place + 1, end + 1):
            lists = self.marks[passed].plays("and") or self.tokens[self.marks[passed].first].text == "、"
            if self._is_han and lists and self.marks[passed + 1].plays("value"):
                self.marks[passed] = replace(self.marks[passed], roles=("or",))
            if self.marks[passed].plays("any_other", "rest", "negation", "negation_after", "nothing_else", "except"):
                self.marks[passed] = replace(self.marks[passed], roles=("filler",))

    def _all_behind(self, place: int) -> None:
        """Words that speak of all ("都不要") reach all that was listed."""
        mark = self.marks[place]
        if place and self.marks[place - 1].plays("every_one"):
            self.marks[place] = replace(mark, roles=("negation_after", "all", "every_one"))  # "一部都别放进来"
            return
        alone = "all" in self.lexicon.strong.get((self.tokens[mark.first].key,), ())
        if alone or (place and self.marks[place - 1].plays("all")):
            self.marks[place] = replace(mark, roles=(*mark.roles, "all"))

    def _all_but(self, place: int) -> None:
        """What follows "any country but" is unwanted."""
        before = self.marks[max(0, place - 2) : place]
        follows = any(mark.plays("value") for mark in self.marks[place + 1 : place + 2])
        if len(before) == 2 and before[0].plays("any") and before[1].plays("attribute", "noun", *(("value",) if follows else ())):
            self.marks[place] = replace(self.marks[place], roles=("negation",))

    def _quality(self, place: int) -> None:
        """An unknown word that says how something is ("very gloomy", "something soothing") is wished for, not asked for by name."""
        mark, before = self.marks[place], self.marks[place - 1] if place else None
        graded = before is not None and (before.plays("graded") or (self._is_han and self._was_quality(place)))
        if not graded and not self._is_described(place):
            return
        if self.tokens[mark.first].text.islower() or self._is_han:
            self.marks[place] = replace(mark, roles=("quality", "described"))

    def _negated(self, place: int) -> None:
        """Ranges that say themselves what is unwanted: "no older than 1990"."""
        mark = self.marks[place]
        if self.lexicon.negates(self.tokens[mark.first].key):
            self.marks[place] = replace(mark, roles=(*mark.roles, "negated"))

    def _told(self, place: int) -> None:
        """Only "(films that) I have seen" asks for what is known; "I have seen a lot of horror" tells something."""
        mark = self.marks[place]
        before = self.marks[place - 1] if place else None
        if not self.lexicon.is_subject(self.tokens[mark.first].key):
            return
        if self._is_han and any(token.key == "的" for token in self.tokens[mark.first : mark.last]):
            return  # "我用过的那些"
        behind = self.marks[place + 1 : place + 2]
        # "I've had a rough day"
        thing = bool(behind) and behind[0].plays("article") and self.tokens[behind[0].first].key in ("a", "an")
        if before is not None and not before.plays(
            "sign", "and", "contrast", *(("filler", "firm", "soft", "owning") if thing else ())
        ):
            return
        for after in self.marks[place + 1 : place + 1 + NEAR]:
            if after.plays("article", "noun", "quality", "known", "unknown", "value", "amount"):
                self.marks[place] = replace(mark, roles=("open",))
            if not after.plays("filler") or after.plays("of_what"):
                return

    def _further(self, place: int) -> None:
        """An "and" that begins a clause begins a further condition, unless it goes on counting; `bare`: with a name alone."""
        mark, after = self.marks[place], self.marks[place + 1 : place + 1 + NEAR]
        if self._is_han and place and self.tokens[self.marks[place - 1].first].ends_sentence:
            self.marks[place] = replace(mark, roles=("further",))  # "要剧情片。其次，喜剧和动画都不看"
        elif not place or not self._is_comma(place - 1) or not after:
            self.marks[place] = replace(mark, roles=tuple(role for role in mark.roles if role != "further") or ("and",))
        elif after[0].plays("value", "title") and not (self._is_han and any(one.plays("amount", "tally") for one in after)):
            self.marks[place] = replace(mark, roles=(*mark.roles, "bare"))

    def _apart(self, place: int) -> None:
        """What is known begins a condition of its own behind an "and", but not with an "any": "without A and that I know"."""
        words = tuple(token.key for token in self.tokens[self.marks[place].first : self.marks[place].last])
        begins = {role for length in (1, 2) for role in self.lexicon.strong.get(words[:length], ())}
        relative = bool({"clause", "from"}.intersection(begins))  # "and that I know", "and from my history"
        for mark in reversed(self.marks[max(0, place - NEAR) : place]):
            if mark.plays("and"):
                if relative or mark is self.marks[place - 1]:
                    self.marks[place] = replace(self.marks[place], roles=(*self.marks[place].roles, "apart"))
                return
            if mark.plays("any", "any_other") or not mark.plays("filler", "noun", "firm", "from", "exactly", "one"):
                return
            relative = relative or mark.plays("noun", "firm", "from", "exactly", "one")


def in_context(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks with the roles that they have where they stand."""
    return ContextReader(marks, tokens, lexicon).read()
