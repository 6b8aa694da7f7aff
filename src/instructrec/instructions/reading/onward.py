"""Clauses that refuse all but what they name ("A or B, but nothing else"), and words that go on to a condition of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from instructrec.instructions.reading.remainders import LIGHT, Remainders
from instructrec.instructions.reading.surroundings import NEAR


class Onward(Remainders):
    """Makes demands of the first, and ends what was said before at the second."""

    def _nothing_besides(self, place: int) -> None:
        """What is only liked must be there where all else is refused: "happy with A or B, but nothing other than that"."""
        opens = place > 0 and self.marks[place - 1].plays("contrast", "and", "sign")
        words = self.tokens[self.marks[place].first : self.marks[place].last]
        led = "contrast" in self.lexicon.strong.get((words[0].key,), ()) and len(words) > 1  # "but no"
        if not (opens or led) or not any(self.lexicon.negates(word.key) for word in words):
            return
        ahead = list(takewhile(lambda at: not self.marks[at].plays("and"), self._ahead(place)))
        said = [word.key for at in (place, *ahead) for word in self.tokens[self.marks[at].first : self.marks[at].last]]
        other = any(self.lexicon.can_be(word, "other") for word in said)
        if not other or any(not self._is_besides(at) for at in ahead):
            return
        listed = self._listed_before(place)
        values = [at for at in listed if self.marks[at].plays("value")]
        soft = [at for at in listed if self.marks[at].plays("soft", "soft_after")]
        if not values or not soft:
            return
        leads = min(soft) < min(values)
        if not leads and listed[0] and self._is_comma(listed[0] - 1):
            self.marks[listed[0] - 1] = replace(self.marks[listed[0] - 1], roles=("contrast",))  # "no A, B if there is one, or C"
        for at in soft:
            again = self.marks[at].plays("soft") and at > min(values)
            self.marks[at] = replace(
                self.marks[at], roles=("or",) if again else ("firm",) if at == min(soft) and leads else ("filler",)
            )
            if again and self.marks[at - 1].plays("sign"):
                self.marks[at - 1] = replace(self.marks[at - 1], roles=("filler",))
        self._void(range(place, ahead[-1] + 1 if ahead else place + 1))

    def _or_nothing(self, place: int) -> None:
        """What is the only thing that will do must be there: "..., A or don't bother"."""
        if place < 2 or not self.marks[place - 1].plays("or") or not self.marks[place - 2].plays("value"):
            return
        first = place - 2
        while first > 0 and self.marks[first - 1].plays("value", "or", "article"):
            first -= 1
        after = self.marks[place + 1 : place + 2]
        if (first and not self.marks[first - 1].plays("sign", "and")) or (after and not after[0].plays("sign", "and", "contrast")):
            return
        self._void([place - 1, place])
        if first:
            self.marks[first - 1] = replace(self.marks[first - 1], roles=("contrast",))

    def _listed_before(self, place: int) -> list[int]:
        """Where the things right before are listed, with what is said of each: "could be A, could be B", "A if any, or B"."""
        found: list[int] = []
        for at in self._back(place, sentence=True):
            mark = self.marks[at]
            if found and mark.plays("sign", "and", "contrast") and self._conditioned(found[::-1]):
                break
            if not mark.plays("value", "soft", "soft_after", "or", "and", "sign", "contrast", *LIGHT):
                break
            found.append(at)
            led = mark.plays("soft") and at and not self.marks[at - 1].plays("value")
            if led and not self._said_again(at):
                break
        return found[::-1]

    def _conditioned(self, listed: list[int]) -> bool:
        """Whether a list begins with a thing under a condition of its own: "A if there is one, otherwise B"."""
        said = [at for at in listed if self.marks[at].plays("value", "soft_after", "sign", "soft")]
        return len(said) > 1 and self.marks[said[0]].plays("value") and self.marks[said[1]].plays("soft_after")

    def _said_again(self, place: int) -> bool:
        """Whether the same words introduce the thing before, or it has a condition of its own: "could be A, | could be B"."""
        words = [token.key for token in self.tokens[self.marks[place].first : self.marks[place].last]]
        before = [self.marks[at] for at in self._back(place, sentence=True)][:NEAR]
        said = [[token.key for token in self.tokens[mark.first : mark.last]] for mark in before if mark.plays("soft")]
        return words in said or any(mark.plays("soft_after") for mark in before)

    def _is_besides(self, place: int) -> bool:
        """Whether it names nothing in words like "no third kind", "nothing other than that"."""
        words = [word.key for word in self.tokens[self.marks[place].first : self.marks[place].last]]
        other = any(self.lexicon.can_be(word, "other") for word in words)
        return other or self.marks[place].plays("further", "than", "except", "any_other", "attribute", "enough", *LIGHT)

    def _opens_anew(self, place: int) -> bool:
        """Whether a sentence ended right before."""
        return place > 0 and self.marks[place - 1].plays("sign") and self.tokens[self.marks[place - 1].first].ends_sentence

    def _goes_further(self, place: int) -> None:
        """A word that goes on to the next condition; before a bare value it may also go on with a list: "no A, moreover B"."""
        mark = self.marks[place]
        if mark.plays("likewise"):
            first = place == 0 or self.marks[place - 1].plays("sign", "and")
            if (
                mark.last - mark.first > 1
                or not first
                or any(at.plays("value", "article") for at in self.marks[place + 1 : place + 2])
            ):
                return  # "A is out, and so is B"
        elif mark.plays("and") and (self._describes_anew(place) or self._counts_anew(place)):
            self.marks[place] = replace(mark, roles=("contrast",))
            return
        elif not mark.plays("further") and (mark.plays("pair") or not self._opens_anew(place)):
            return
        listed = not self._opens_anew(place) and any(mark.plays("value") for mark in self.marks[place + 1 : place + 2])
        self.marks[place] = replace(self.marks[place], roles=("and" if listed else "contrast",))

    def _describes_anew(self, place: int) -> bool:
        """Whether words that describe a thing begin a condition of their own: "no A and whose kind is B"."""
        key = self.tokens[self.marks[place].last].key if self.marks[place].last < len(self.tokens) else ""
        begins = self.lexicon.can_be(key, "describing")
        return begins and all(self.tokens[self.marks[at].first].key != key for at in self._back(place, sentence=True))

    def _counts_anew(self, place: int) -> bool:
        """Whether a verb begins a clause that says how many: "no A and | keep B down to two"."""
        ahead = list(takewhile(lambda at: not self.marks[at].plays("and", "or"), self._ahead(place)))
        if len(ahead) < 3 or not self.marks[ahead[0]].plays("part_verb", "owning", "cap"):
            return False
        named = next((at for at in ahead[1:] if not self.marks[at].plays("article")), ahead[0])
        return self.marks[named].plays("value") and any(self._is_number(at) for at in ahead if at > named)

    def _count_behind_comma(self, place: int) -> None:
        """A verb that begins a clause of its own, which says how many: "no A, no B, | give C two places"."""
        if place and self._is_comma(place - 1) and self._counts_anew(place - 1):
            self.marks[place] = replace(self.marks[place], roles=("contrast",))
