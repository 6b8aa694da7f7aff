"""Fifth pass: words whose part depends on what stands around them ("if possible" before or behind, "either is fine")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from instructrec.instructions.alternatives import Alternatives
from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.tokens import Token

_NEAR = 4
"""Marks that may stand between words that act on each other; keeps the reading linear."""
_ASKING = ("?", ":", "=", "–", "—", "-")
_NAMED = ("value", "title", "range")


class ContextReader(Alternatives):
    """Gives marks the part that their neighbours leave them, from left to right."""

    def read(self) -> list[Mark]:
        """The marks with the roles that they have where they stand."""
        rules: tuple[tuple[str, Callable[[int], None]], ...] = (
            ("soft_after", self._soft_ahead),
            ("soft", self._allowance),
            ("soft_behind", self._soft_behind),
            ("negation_after", self._negation_ahead),
            ("except", self._only_this),
            ("particle", self._particle),
            ("back_only", self._back_only),
            ("negation", self._negation_behind),
            ("negation", self._pronoun_behind),
            ("negation", self._all_behind),
            ("negation_after", self._all_behind),
            ("contrast", self._all_but),
            ("either_then", self._either_then),
            ("unknown", self._quality),
            ("range", self._negated),
            ("familiar", self._told),
            ("further", self._further),
            ("and", self._likening),
            ("or", self._or_opens),
            ("like", self._likened),
            ("differs", self._likened),
            ("either", self._either),
            ("or_after", self._or_behind),
        )
        for place in range(len(self.marks)):
            if self._is_sign(place) and self.tokens[self.marks[place].first].ends_sentence:
                self._alternating = False
            for role, rule in rules:
                if role in self.marks[place].roles:
                    rule(place)
        return self.marks

    def _is_sign(self, place: int) -> bool:
        return self.marks[place].plays("sign")

    def _is_comma(self, place: int) -> bool:
        """Whether a comma stands there that parts clauses."""
        token = self.tokens[self.marks[place].first]
        return self._is_sign(place) and token.key == "," and token.text != "、"

    def _soft_ahead(self, place: int) -> None:
        """At the head of a clause it acts on what follows: "and if possible a western"."""
        opens = self.marks[place].plays("soft_open") and place + 1 < len(self.marks) and self._is_comma(place + 1)
        if self._is_head(place) and self._leads_to_content(place + opens):
            self.marks[place] = replace(self.marks[place], roles=("soft", *(("soft_open",) if opens else ())))

    def _soft_behind(self, place: int) -> None:
        """A Chinese softener that ends its clause acts on what stands before it: "有喜剧最好"."""
        after, before = self.marks[place + 1 : place + 2], self.marks[max(0, place - 1) : place]
        ends = not after or after[0].plays("sign")
        if self._is_han and ends and before and (before[0].is_content or before[0].plays("filler", "measure")):
            named = [mark for mark in self.marks[max(0, place - _NEAR) : place] if mark.is_content or mark.plays("sign")]
            if named and named[-1].is_content:
                self.marks[place] = replace(self.marks[place], roles=("soft_after",))

    def _allowance(self, place: int) -> None:
        """What a counted number "may be" is no preference: "at most two may be horror"."""
        before = self.marks[place - 1] if place else None
        if before is not None and before.plays("amount") and self._leads_to_content(place):
            self.marks[place] = replace(self.marks[place], roles=("filler",))

    def _negation_ahead(self, place: int) -> None:
        mark = self.marks[place]
        if not mark.plays("negation") and self._is_head(place) and self._leads_to_content(place):
            self.marks[place] = replace(mark, roles=("negation",))

    def _negation_behind(self, place: int) -> None:
        """A Chinese negation of several characters that ends its clause acts on what stands before it."""
        mark = self.marks[place]
        if not self._is_han or mark.last - mark.first < 2 or mark.plays("prefix", "negation_after", "either_not"):
            return
        after = next((at for at in self.marks[place + 1 : place + 1 + _NEAR] if not at.plays("filler")), None)
        before = next((at for at in reversed(self.marks[max(0, place - _NEAR) : place]) if at.is_content or at.plays("sign")), None)
        if (after is None or after.plays("sign")) and before is not None and before.is_content:
            self.marks[place] = replace(mark, roles=(*mark.roles, "negation_after"))

    def _back_only(self, place: int) -> None:
        """An order what to leave out acts on what its clause named before, unless it names something itself."""
        before = next(
            (
                at
                for at in reversed(self.marks[max(0, place - 2 * _NEAR) : place])
                if at.plays(*_NAMED, "fresh", "familiar", "sign")
            ),
            None,
        )
        if before is None or before.plays("sign"):
            return
        for mark in self.marks[place + 1 : place + 1 + 2 * _NEAR]:
            if mark.plays("sign"):
                break
            if mark.plays(*_NAMED, "quality", "amount"):
                return
        self.marks[place] = replace(self.marks[place], roles=("negation_after",))

    def _pronoun_behind(self, place: int) -> None:
        """A negation of "them" or "both" acts on what was named before: "leave out both"."""
        if self._answers(place):
            self.marks[place] = replace(self.marks[place], roles=("negation_after",))
            return
        back = False
        for mark in self.marks[place + 1 : place + 1 + _NEAR]:
            if mark.plays("sign", "contrast"):
                break
            if not mark.plays("back", "filler"):
                return
            back = back or mark.plays("back")
        if back and any(mark.plays(*_NAMED) for mark in self.marks[max(0, place - 2 * _NEAR) : place]):
            self.marks[place] = replace(self.marks[place], roles=("negation_after", "all"))

    def _particle(self, place: int) -> None:
        """The end of a verb in two parts acts on what stands between them: "keep horror out"."""
        after = next((mark for mark in self.marks[place + 1 : place + 1 + _NEAR] if mark.first and not mark.plays("filler")), None)
        if after is not None and not after.plays("sign", "contrast", "and"):
            return
        named = False
        for mark in reversed(self.marks[max(0, place - 3 * _NEAR) : place]):
            if mark.plays("sign", "contrast") or (mark.plays("part_verb") and not named):
                return
            if mark.plays("part_verb"):
                self.marks[place] = replace(self.marks[place], roles=("negation_after",))
                return
            named = named or mark.plays(*_NAMED)

    def _answers(self, place: int) -> bool:
        """Whether it answers what was named before: "horror? never.", "horror: no"."""
        if place < 2 or not self.marks[place - 2].plays(*_NAMED) or not self._is_sign(place - 1):
            return False
        asked = self.tokens[self.marks[place - 1].first].key in _ASKING
        return asked and (place + 1 == len(self.marks) or self._is_sign(place + 1))

    def _only_this(self, place: int) -> None:
        """Nothing but what "except" names, where the sentence then refuses all else: "apart from A I watch nothing"."""
        named, other = False, False
        for at in range(place + 1, min(place + 1 + 3 * _NEAR, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("sign") and (self.tokens[mark.first].key != "," or not named):
                return
            if mark.plays("or_after", "fresh", "familiar", "further"):
                return  # "apart from A anything will do, nothing that I know"
            if mark.plays(*_NAMED):
                if other or at - place > 2 * _NEAR or (named and self._is_comma(at - 1)):
                    return
                named = True
            other = other or (named and mark.plays("any_other", "rest"))
            if named and (mark.plays("nothing_else") or (other and mark.plays("negation", "negation_after"))):
                if self._leads_to_content(at) or self._leads_to_seen(at):
                    return
                self.marks[place] = replace(self.marks[place], roles=("firm",))
                for passed in range(place + 1, at + 1):
                    if self.marks[passed].plays("any_other", "rest", "negation", "negation_after", "nothing_else", "except"):
                        self.marks[passed] = replace(self.marks[passed], roles=("filler",))
                return

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

    def _is_head(self, place: int) -> bool:
        """Whether the clause begins here: after a sign, "and" or "but", or at the very start."""
        for mark in reversed(self.marks[max(0, place - _NEAR) : place]):
            if mark.plays("sign", "and", "contrast", "further"):
                return True
            if not mark.plays("filler", "article"):
                return False
        return place <= _NEAR

    def _leads_to_seen(self, place: int) -> bool:
        """Whether what is new or known follows."""
        after = next((mark for mark in self.marks[place + 1 : place + 1 + _NEAR] if not mark.plays("filler")), None)
        return after is not None and after.plays("fresh", "familiar")

    def _leads_to_content(self, place: int) -> bool:
        for mark in self.marks[place + 1 : place + 1 + _NEAR]:
            if mark.is_content:
                return True
            if not mark.plays("filler", "article", "including", "from", "noun", "firm"):
                return False
        return False

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

    def _was_quality(self, place: int) -> bool:
        """Whether the character before, of the same word, was taken for a quality."""
        return self.marks[place - 1].plays("described")

    def _is_described(self, place: int) -> bool:
        """Whether the word has the form of an adjective and stands where one does."""
        if not self.tokens[self.marks[place].first].key.endswith(self.lexicon.qualities or ("\0",)):
            return False
        return place > 0 and self.marks[place - 1].plays("noun", "soft")

    def _told(self, place: int) -> None:
        """Only "(films that) I have seen" asks for what is known; "I have seen a lot of horror" tells something."""
        mark = self.marks[place]
        before = self.marks[place - 1] if place else None
        if not self.lexicon.is_subject(self.tokens[mark.first].key):
            return
        if before is not None and not before.plays("sign", "and", "contrast"):
            return
        for after in self.marks[place + 1 : place + 1 + _NEAR]:
            if after.plays("article", "noun", "quality", "known", "unknown", "value", "amount"):
                self.marks[place] = replace(mark, roles=("open",))
            if not after.plays("filler") or after.plays("of_what"):
                return

    def _likening(self, place: int) -> None:
        """A Chinese "and" that joins nothing but leads to a title compares with it: "和《X》类似的"."""
        before = self.marks[place - 1] if place else None
        joins = before is not None and (before.is_content or before.plays("fresh", "familiar"))
        if not self._is_han or joins or self.marks[place].plays("further"):
            return
        if any(mark.plays("title") for mark in self.marks[place + 1 : place + 2]):
            self.marks[place] = replace(self.marks[place], roles=("like", "filler"))
        elif (
            before is not None and before.plays("further", "firm", "soft") and self.marks[place].last - self.marks[place].first == 1
        ):
            self.marks[place] = replace(self.marks[place], roles=("filler",))  # "跟喜剧相关的"

    def _likened(self, place: int) -> None:
        """Behind the title that it compares with, it says nothing of what follows ("和《X》有点像的喜剧"), or that it differs."""
        at = place - 1
        while at >= max(0, place - _NEAR) and self.marks[at].plays("filler", "soft", "graded"):
            at -= 1
        if not self._is_han or at < 0 or not self.marks[at].plays("title"):
            return
        for passed in range(at + 1, place):
            self.marks[passed] = replace(self.marks[passed], roles=("filler",))
        differs = self.marks[place].plays("differs", "negation")
        self.marks[place] = replace(self.marks[place], roles=("negation_after",) if differs else ("filler",))

    def _further(self, place: int) -> None:
        """An "and" that begins a clause begins a further condition, unless it goes on counting; `bare`: with a name alone."""
        mark, after = self.marks[place], self.marks[place + 1 : place + 1 + _NEAR]
        if not place or not self._is_comma(place - 1) or not after:
            self.marks[place] = replace(mark, roles=tuple(role for role in mark.roles if role != "further") or ("and",))
        elif after[0].plays("value", "title"):
            self.marks[place] = replace(mark, roles=(*mark.roles, "bare"))


def in_context(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks with the roles that they have where they stand."""
    return ContextReader(marks, tokens, lexicon).read()
