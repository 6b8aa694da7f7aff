"""Fifth pass: words whose part depends on what stands around them ("if possible" before or behind, "either is fine")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.marks import Mark
from instructrec.instructions.tokens import Token

_NEAR = 4
"""Marks that may stand between words that act on each other; keeps the reading linear."""
_LONGEST_LIST = 40


class ContextReader:
    """Gives marks the part that their neighbours leave them, from left to right."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        self.marks = list(marks)
        self.tokens = tokens
        self.lexicon = lexicon
        self._alternating = False
        """An "either" was read in this sentence, so that the next one joins an alternative to it."""

    def read(self) -> list[Mark]:
        """The marks with the roles that they have where they stand."""
        rules: tuple[tuple[str, Callable[[int], None]], ...] = (
            ("soft_after", self._soft_ahead),
            ("negation_after", self._negation_ahead),
            ("negation", self._negation_behind),
            ("negation_after", self._all_behind),
            ("contrast", self._all_but),
            ("either_then", self._either_then),
            ("unknown", self._quality),
            ("range", self._negated),
            ("familiar", self._told),
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

    def _soft_ahead(self, place: int) -> None:
        """At the head of a clause it acts on what follows: "and if possible a western"."""
        if self._is_head(place) and self._leads_to_content(place):
            self.marks[place] = replace(self.marks[place], roles=("soft",))

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

    def _all_behind(self, place: int) -> None:
        """Words that speak of all ("都不要") reach all that was listed."""
        mark = self.marks[place]
        alone = "all" in self.lexicon.strong.get((self.tokens[mark.first].key,), ())
        if alone or (place and self.marks[place - 1].plays("all")):
            self.marks[place] = replace(mark, roles=(*mark.roles, "all"))

    def _all_but(self, place: int) -> None:
        """What follows "any country but" is unwanted."""
        before = self.marks[max(0, place - 2) : place]
        follows = any(mark.plays("value") for mark in self.marks[place + 1 : place + 2])
        if len(before) == 2 and before[0].plays("any") and before[1].plays("attribute", "noun", *(("value",) if follows else ())):
            self.marks[place] = replace(self.marks[place], roles=("negation",))

    def _either_then(self, place: int) -> None:
        """Two words that together say "either ... or" ("不是A就是B") negate nothing."""
        for at in range(place - 1, max(-1, place - 2 * _NEAR), -1):
            if self.marks[at].plays("either_not"):
                self.marks[at] = replace(self.marks[at], roles=("filler",))
                self.marks[place] = replace(self.marks[place], roles=("or",))
            if self.marks[at].plays("either_not", "sign"):
                return

    def _is_head(self, place: int) -> bool:
        """Whether the clause begins here: after a sign, "and" or "but", or at the very start."""
        for mark in reversed(self.marks[max(0, place - _NEAR) : place]):
            if mark.plays("sign", "and", "contrast"):
                return True
            if not mark.plays("filler", "article"):
                return False
        return place <= _NEAR

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

    @property
    def _is_han(self) -> bool:
        return self.lexicon.script == "han"

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

    def _either(self, place: int) -> None:
        """The first "either" opens alternatives, each further one joins the next."""
        self.marks[place] = replace(self.marks[place], roles=("or",) if self._alternating else ("filler",))
        self._alternating = True

    def _or_behind(self, place: int) -> None:
        """What stands side by side before it is an alternative, as far as it speaks of one attribute: "A, B, both are fine"."""
        self.marks[place] = replace(self.marks[place], roles=("filler",))
        last: Mark | None = None
        joints: list[int] = []
        for at in range(place - 1, max(-1, place - _LONGEST_LIST), -1):
            mark = self.marks[at]
            if mark.plays("value"):
                if last is not None and not {ref.attribute for ref in mark.refs} & {ref.attribute for ref in last.refs}:
                    return
                for joint in joints:
                    self.marks[joint] = replace(self.marks[joint], roles=("or",))
                last, joints = mark, []
            elif mark.plays("and") or (mark.plays("sign") and self.tokens[mark.first].key == ","):
                joints += [at] if last is not None else []
            elif not self._is_within_list(mark, near=last is None and place - at <= 2 * _NEAR):
                return

    def _is_within_list(self, mark: Mark, *, near: bool) -> bool:
        passed = mark.plays("filler", "noun", "article", "or", "or_after", "either", "firm", "owner")
        return passed or (near and mark.plays("unknown", "amount", "count", "measure"))


def in_context(marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> list[Mark]:
    """The marks with the roles that they have where they stand."""
    return ContextReader(marks, tokens, lexicon).read()
