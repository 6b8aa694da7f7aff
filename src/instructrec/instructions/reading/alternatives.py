"""Words that make alternatives of what stands around them: "either ... or", "both are fine"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Lexicon
from instructrec.instructions.reading.likening import Likening
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.surroundings import LONGEST_LIST, NEAR
from instructrec.instructions.tokens import Token


class Alternatives(Likening):
    """The part of reading marks in context that speaks of alternatives."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], lexicon: Lexicon) -> None:
        super().__init__(marks, tokens, lexicon)
        self._alternating = False
        """An "either" was read in this sentence, so that the next one joins an alternative to it."""

    def _either_then(self, place: int) -> None:
        """Two words that together say "either ... or" ("不是A就是B") negate nothing."""
        for at in range(place - 1, max(-1, place - 2 * NEAR), -1):
            if self.marks[at].plays("either_not"):
                self.marks[at] = replace(self.marks[at], roles=("choice", "filler"))
                self.marks[place] = replace(self.marks[place], roles=("or",))
            if self.marks[at].plays("either_not"):
                return
            if self.marks[at].plays("sign"):
                break
        if self._is_han and self._alternating:
            self.marks[place] = replace(self.marks[place], roles=("or",))  # "要么A，要不就是B"

    def _either(self, place: int) -> None:
        """The first "either" opens alternatives, each further one joins the next."""
        first = ("choice", "filler") if self._leads_to_content(place) else ("filler",)
        self.marks[place] = replace(self.marks[place], roles=("or",) if self._alternating else first)
        self._alternating = True

    def _or_opens(self, place: int) -> None:
        """A Chinese "or" that begins a clause, with the same word to follow, opens alternatives: "，或者喜剧，或者剧情片"."""
        words = [self.tokens[at].key for at in range(self.marks[place].first, self.marks[place].last)]
        again = (mark for mark in self.marks[place + 2 : place + 2 + 2 * NEAR] if mark.plays("or"))
        same = any([self.tokens[at].key for at in range(mark.first, mark.last)] == words for mark in again)
        if self._is_han and same and (place == 0 or not self.marks[place - 1].is_content) and not self._alternating:
            self.marks[place] = replace(self.marks[place], roles=("choice", "filler"))
            self._alternating = True

    def _or_behind(self, place: int) -> None:
        """What stands side by side before it is an alternative, as far as it speaks of one attribute: "A, B, both are fine"."""
        if self._is_repeated(place):
            self.marks[place] = replace(self.marks[place], roles=("or",))  # "A也罢B也罢"
            return
        self.marks[place] = replace(self.marks[place], roles=("filler",))
        last: Mark | None = None
        joints: list[int] = []
        also = self.tokens[self.marks[place].first].key in "也亦"
        chosen = False
        for at in range(place - 1, max(-1, place - LONGEST_LIST), -1):
            mark = self.marks[at]
            if mark.plays("value"):
                if last is not None and not {ref.attribute for ref in mark.refs} & {ref.attribute for ref in last.refs}:
                    return
                if last is not None and last.first == mark.last:
                    self.marks[at + 1] = replace(last, roles=(*last.roles, "or_before"))  # "红色粉色都行"
                for joint in joints:
                    self.marks[joint] = replace(self.marks[joint], roles=("or",))
                chosen = chosen or (last is not None and any(near.plays("or") for near in self.marks[at + 1 : at + 3]))
                last, joints = mark, []
            elif self._parts_list(at, named=last is not None, also=also) or (chosen and self._leads_anew(at)):
                return
            elif mark.plays("and") or (mark.plays("sign") and self.tokens[mark.first].key == ","):
                joints += [at] if last is not None else []
            elif not self._is_within_list(mark, near=last is None and place - at <= 2 * NEAR):
                return

    def _leads_anew(self, comma: int) -> bool:
        """Whether words that demand, behind an English comma, begin the alternatives: "A, it has to be B or C, both are fine"."""
        return not self._is_han and self._is_comma(comma) and any(mark.plays("firm") for mark in self.marks[comma + 1 : comma + 2])

    def _parts_list(self, at: int, *, named: bool, also: bool) -> bool:
        """Whether the list of alternatives behind `at` begins there; if it names something, it is a condition of its own."""
        mark = self.marks[at]
        roles: tuple[str, ...] = ("sign", "choice")
        if mark.plays("further", "choice"):
            roles = ("contrast",) if self._is_han and mark.plays("further") else mark.roles  # "不要喜剧，此外剧情、动画二选一"
        elif not self._is_han or not self._is_comma(at) or self._lists_across(at, also=also):
            return False
        if named:
            self.marks[at] = replace(mark, roles=roles)
        return True

    def _lists_across(self, comma: int, *, also: bool) -> bool:
        """Whether a comma that parts Chinese clauses only lists what is named around it: "喜剧，剧情都行".

        `also`: the words that make alternatives say that something will do as well ("喜剧行，换成剧情也可以").
        """
        after = self.marks[comma + 1 : comma + 2]
        if also and comma and self._will_do(comma):
            return True
        if not also and not (after and (after[0].plays("value", "or_after", "or") or self._is_copied(comma))):
            return not any(mark.plays("value") for mark in self._clause_behind(comma))
        for mark in reversed(self.marks[max(0, comma - 2 * NEAR) : comma]):
            if mark.plays("sign"):
                return True
            if mark.plays("firm", "negation", "negation_after", "from", "soft", "title", "range", "amount"):
                return False
        return True

    def _ends_at(self, place: int) -> bool:
        """Whether a sentence ends there."""
        return self._is_sign(place) and self.tokens[self.marks[place].first].ends_sentence

    def _will_do(self, comma: int) -> bool:
        """Whether the clause before a comma says that something will do: "来点喜剧也行，剧情也行", "来点喜剧可以，剧情也可以"."""
        words = tuple(token.key for token in self.tokens[self.marks[comma - 1].first : self.marks[comma - 1].last])
        return "or_after" in self.lexicon.strong.get(words if words[:1] == ("也",) else ("也", *words), ())

    def _names_behind(self, place: int) -> bool:
        """Whether a value follows at once."""
        return any(mark.plays("value") for mark in self.marks[place + 1 : place + 2])

    def _clause_behind(self, comma: int) -> Sequence[Mark]:
        """The marks behind a comma up to the next one."""
        end = next((at for at in range(comma + 1, len(self.marks)) if self._is_comma(at) or self._ends_at(at)), len(self.marks))
        return self.marks[comma + 1 : end]

    def _is_copied(self, comma: int) -> bool:
        """Whether the clauses on both sides begin with the same word."""
        start = next((at + 1 for at in range(comma - 1, max(-1, comma - 2 * NEAR), -1) if self._is_sign(at)), 0)
        words = [self.tokens[self.marks[at].first].key for at in (start, comma + 1)]
        return words[0] == words[1]

    def _one_of(self, place: int) -> None:
        """What is listed behind are alternatives, as far as it speaks of one attribute: "one of A and B"."""
        leads = self._leads_to_content(place)
        if self.marks[place].plays("between") and not leads:
            return
        self.marks[place] = replace(self.marks[place], roles=("choice", "filler") if leads else ("filler",))
        attributes: set[str] = set()
        joint = -1
        for at in range(place + 1, min(place + LONGEST_LIST, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("value"):
                named = {ref.attribute for ref in mark.refs}
                if attributes and (joint < 0 or not attributes & named):
                    return
                if joint > 0 and self.marks[joint].plays("and"):
                    self.marks[joint] = replace(self.marks[joint], roles=("or",))
                    return
                attributes, joint = named, -1
            elif self._is_han and (mark.plays("further") or (self._is_comma(at) and not self._names_behind(at))):
                return
            elif mark.plays("and", "or") or (mark.plays("sign") and self.tokens[mark.first].key == ","):
                joint = at
            elif not mark.plays("article", "filler", "from", "noun"):
                return

    def _is_repeated(self, place: int) -> bool:
        """Whether the same words come again behind the next thing."""
        mark, after = self.marks[place], self.marks[place + 1 : place + 1 + NEAR]
        words = [token.key for token in self.tokens[mark.first : mark.last]]
        again = any([token.key for token in self.tokens[other.first : other.last]] == words for other in after[1:])
        return bool(after) and after[0].plays("value") and again

    def _is_within_list(self, mark: Mark, *, near: bool) -> bool:
        passed = mark.plays("filler", "noun", "article", "or", "or_after", "either", "firm", "owner")
        return passed or (near and mark.plays("unknown", "amount", "count", "measure", "of_them"))
