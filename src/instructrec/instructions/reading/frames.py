"""Right after the first pass: conditions that several words far apart say together, whatever stands between them.

"1990 is the oldest year I'd take", "more than three comedies would be too many", "if it's not a comedy, skip it".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from instructrec.instructions.reading.bounds import WAYS
from instructrec.instructions.reading.framing import LONGEST_CLAUSE
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.reading.onward import Onward
from instructrec.instructions.reading.surroundings import NEAR

_LISTED = ("value", "to", "article", "and", "or", "filler", "noun", "from", "decade", "year", "attribute", "quality", "firm")
"""What may stand in a list of what is refused unless, or if, something is so."""


class FrameReader(Onward):
    """Rewrites such conditions into marks that the later passes read, from left to right; Latin script only."""

    def read(self) -> list[Mark]:
        """The marks, with the conditions that were found."""
        if self._is_han:
            return self.marks
        rules = self._rules()
        by_role: dict[str, list[int]] = {}
        for number, (roles, _) in enumerate(rules):
            for role in roles:
                by_role.setdefault(role, []).append(number)
        for place in range(len(self.marks)):
            done = -1
            while next_ones := [n for role in self.marks[place].roles for n in by_role.get(role, ()) if n > done]:
                done = min(next_ones)
                rules[done][1](place)
        return [mark for mark in self.marks if mark.roles]

    def _rules(self) -> tuple[tuple[tuple[str, ...], Callable[[int], None]], ...]:
        """Roles of words, and what is done where one of them stands, in this order."""
        return (
            (("edge_end", "edge_start"), self._edge),
            (("year_over", "year_begun"), self._passed),
            (("until", "before"), self._not_yet),
            (("before", "after", "before_range", "after_range", "compare"), self._moved),
            (("exact_after",), self._exact_than),
            (("end_out",), self._without_end),
            (("before", "after", "since", "until", "compare"), self._neither),
            (("since_after", "until_after"), self._refused_with),
            (("rest",), self._remainder),
            (("sparing",), self._sparing),
            (("any_other", "negation", "nothing_else"), self._nothing_besides),
            (("nothing_else",), self._or_nothing),
            (("in_case", "filler", "soft", "soft_after"), self._if_chosen),
            (("familiar", "fresh"), self._also_seen),
            (("familiar", "fresh"), self._seen_case),
            (("allowed",), self._allowed),
            ((*WAYS, "compare"), self._demanded),
            (("also_too",), self._either_too),
            (("occasion",), self._occasion),
            (("too_high", "too_low", "too_many", "too_any", "before_after", "after_after"), self._judged),
            (("oldest", "newest"), self._extreme),
            (("until_after", "since_after", "exact_after"), self._bounded_behind),
            (("number_of",), self._number_of),
            (("attribute",), self._set_to),
            (("attribute",), self._named_behind),
            (("after", "before"), self._refused_share),
            (("negation", "either_not", "except"), self._all_else),
            (("any_other", "negation", "exact_after"), self._no_other),
            (("conditional", "in_case", "negation", "else_lead"), self._else_this),
            (("unknown",), self._unsure),
            (("in_case",), self._refused_case),
            (("familiar",), self._once_more),
            ((*NUMERIC, "negation_head"), self._led_in),
            (("negation",), self._denied),
            (("soft",), self._asked_softly),
            (("one_of", "or_after", "listing"), self._listed_after),
            (("further", "and", "likewise"), self._goes_further),
            (("part_verb",), self._count_behind_comma),
        )

    def _all_else(self, place: int) -> None:
        """What is refused unless it has a value must have it: "if it's not A, skip it", "nothing that isn't A"."""
        whole = self.marks[place].plays("except") and self._is_head(place) and self._speaks_of_all(place)
        if not whole and not self._denies(place):
            return
        opens = place if whole else next((at for at in range(place, max(-1, place - 4), -1) if self._conditional(at)), None)
        if opens is None or any(
            not self.marks[at].plays("filler", "clause", "back", "aged", "conditional", "noun", "soft")
            for at in range(opens, place)
        ):
            return
        end = place + 1
        while end < len(self.marks) and (self.marks[end].plays(*_LISTED) or self.tokens[self.marks[end].first].key == "nor"):
            if self.marks[end].plays("back") or (self.marks[end].plays("firm") and end > place + 2):
                break
            end += 1
        if not any(self.marks[at].plays("value", "decade", "year") for at in range(place + 1, end)):
            return
        further = end < len(self.marks) and self.marks[end].plays("denial") and self._says_how(end)  # "..., and isn't silly"
        refused = (not whole and self._refusal_before(opens)) or ([] if further else self._refusal_behind(end))
        if not refused:
            return
        self._fill([at for at in refused if self.marks[at].roles])
        self._fill(range(opens, place))
        self.marks[place] = replace(self.marks[place], roles=("firm",))
        for at in range(place + 1, end):
            if self.tokens[self.marks[at].first].key == "nor":
                self.marks[at] = replace(self.marks[at], roles=("or",))

    def _speaks_of_all(self, place: int) -> bool:
        """Whether it begins with "anything" or "everything"."""
        word = (self.tokens[self.marks[place].first].key,)
        return bool({"any_other", "noun"}.intersection(self.lexicon.weak.get(word, ())))

    def _refused_case(self, place: int) -> None:
        """A case that is refused is a condition of its own: "..., and if it's A, I don't want it"."""
        if place and self.marks[place - 1].plays("negation"):
            return  # "skip whatever is from before 1990, and horror is out"
        named = False
        for at in range(place + 1, min(place + 1 + LONGEST_CLAUSE, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("sign", "negation", "negation_after", "either_not", "contrast"):
                refused = self._refusal_behind(at) if named else []
                if refused:
                    self.marks[place] = replace(self.marks[place], roles=("contrast",))
                refusing = ("negation", "negation_head", "nothing_else")
                first = next((index for index in refused if self.marks[index].plays(*refusing)), None)
                if first is not None:
                    self.marks[first] = replace(self.marks[first], roles=("negation_after",))
                return
            named = named or mark.plays("value", "year", "decade")
            if not mark.plays(*_LISTED, "back", "aged", "known", "unknown", "like", "since_after", "until_after", *WAYS):
                return

    def _denies(self, place: int) -> bool:
        """Whether it denies that something is so ("isn't"), rather than that the person likes it ("that I hate")."""
        words = [token.key for token in self.tokens[self.marks[place].first : self.marks[place].last]]
        denies = self.marks[place].plays("denial") or any("denial" in self.lexicon.strong.get((word,), ()) for word in words)
        return denies and not any(self.lexicon.is_subject(word) for word in words)

    def _once_more(self, place: int) -> None:
        """An "again" behind a state is no item that is known: "feel like a child again"."""
        mark = self.marks[place]
        single = mark.last - mark.first == 1
        if single and (not place or self.marks[place - 1].plays("known", "unknown", "quality")):
            self._fill([place])

    def _listed_after(self, place: int) -> None:
        """What is listed behind "one of these:" are alternatives, with or without an "or"."""
        comma = None
        for at in range(place + 1, min(place + LONGEST_CLAUSE, len(self.marks) - 1)):
            mark = self.marks[at]
            listing = mark.plays("sign") and self.tokens[mark.first].key == "," and self.marks[at + 1].plays("value")
            if at == place + 1 and mark.plays("sign") and self.tokens[mark.first].key == ":":
                continue
            if listing and self.marks[at - 1].plays("value"):
                comma = at
            elif not mark.plays("value", "article", "filler"):
                comma = None if mark.plays("or", "and") and self._is_value_behind(at) else comma
                break
        if comma is not None:
            self.marks[comma] = replace(self.marks[comma], roles=("or",))
            if self.marks[place].plays("or_after"):
                self.marks[place] = replace(self.marks[place], roles=("choice", "filler"))

    def _asked_softly(self, place: int) -> None:
        """What the person then asks for stays a preference: "if I could choose, I'd take a comedy"."""
        for at in range(place + 1, min(place + 3, len(self.marks))):
            mark = self.marks[at]
            # "I'd" is one token.
            if mark.plays("firm") and self.lexicon.is_subject(self.tokens[mark.first].key.removesuffix("d")):
                self._fill([at])
            if not mark.plays("sign") or self.tokens[mark.first].key != ",":
                return

    def _unsure(self, place: int) -> None:
        """What an unknown word says of a thing could refuse it, so nothing is demanded: "I loathify A", "A is abhorrent to me"."""
        if self.marks[place].roles != ("unknown",) or not self.tokens[self.marks[place].first].text.islower():
            return
        at = place - 1
        while at >= 0 and place - at < NEAR and self.marks[at].plays("filler", "article", "graded") and not self._speaks(at):
            at -= 1
        before = self.marks[at] if at >= 0 else None
        if before is None:
            return
        if self._speaks(at) and before.last - before.first == 1:
            ahead = list(self._ahead(place))
            first = next(
                (
                    index
                    for index in ahead[:3]
                    if not self.marks[index].plays("filler", "article") or self.marks[index].plays("from")
                ),
                place,
            )
            counted = any(self.marks[index].plays("one") for index in range(place + 1, first))
            bounded = any(self.marks[index].plays("since_after", "until_after", "exact_after") for index in ahead)
            if self.marks[first].plays("value") and not (counted and bounded):
                self._hand_back(first, 1)
        elif before.plays("value") and self._is_predicate(at, place):
            asked = ("firm", "soft", "soft_after", "negation", "negation_after", "like", "amount", "desire", "open", "unclear")
            if not any(self.marks[index].plays(*asked) for index in (*self._back(place), *self._ahead(place))):
                self._hand_back(at, -1)

    def _speaks(self, place: int) -> bool:
        return self.lexicon.is_subject(self.tokens[self.marks[place].first].key)

    def _is_predicate(self, at: int, place: int) -> bool:
        """Whether what stands between a value and a word, or the person behind it, makes the word say something of the value."""
        after = self.marks[place + 1 : place + 2]
        person = bool(after) and after[0].plays("person")
        return person or any(mark.plays("aged", "owning") for mark in self.marks[at + 1 : place])

    def _hand_back(self, place: int, step: int) -> None:
        """Take a value, and those that are listed with it, for words nobody knows."""
        while 0 <= place < len(self.marks) and self.marks[place].plays("value", "and", "or", "article"):
            if self.marks[place].plays("value"):
                self.marks[place] = replace(self.marks[place], roles=("unknown", "handed_back"), refs=())
            place += step

    def _no_other(self, place: int) -> None:
        """Nothing of its kind but what follows: "no other decade than the 90s"."""
        for at in range(place + 1, min(place + 1 + NEAR, len(self.marks))):
            mark = self.marks[at]
            if mark.plays("than"):
                tokens = self.tokens[self.marks[place].first : self.marks[at].first]
                if any("other" in self.lexicon.strong.get((token.key,), ()) for token in tokens):
                    self._fill(range(place + 1, at + 1))
                    self.marks[place] = replace(self.marks[place], roles=("firm",))
                return
            if not mark.plays("attribute", "noun", "unit", "from", "filler"):
                return

    def _else_this(self, place: int) -> None:
        """A second choice is an alternative: "if not A, then B"."""
        words = [token.key for token in self.tokens[self.marks[place].first : self.marks[place].last]]
        start = place + 1
        if len(words) == 1 and start < len(self.marks) and self.marks[start].plays("negation") and self._denies(start):
            start += 1  # "if" and "not"
        elif self.marks[place].plays("else_lead"):
            pass
        elif not (self.marks[place].plays("negation") and self._denies(place) and self._conditional(place)):
            return
        ahead = [at for at in range(start, min(start + 2 * NEAR, len(self.marks)))]
        then = next((at for at in ahead if self.marks[at].plays("otherwise_then")), None)
        while then is not None and any(mark.plays("otherwise_then") for mark in self.marks[then + 1 : then + 2]):
            self._fill([then])
            then += 1
        if then is None or not self._is_value_behind(then) or not any(self.marks[at].plays("value") for at in range(start, then)):
            return
        light = ("value", "article", "sign", "or", "and", "from", "noun")
        if any(not self.marks[at].plays(*light) for at in range(start, then)):
            return
        self._fill(range(place, start))
        self.marks[place] = replace(self.marks[place], roles=("firm",))
        self.marks[then] = replace(self.marks[then], roles=("or",))
        if self.marks[then - 1].plays("sign"):
            self.marks[then - 1] = replace(self.marks[then - 1], roles=("filler",))

    def _is_value_behind(self, place: int) -> bool:
        after = next(
            (mark for mark in self.marks[place + 1 : place + 1 + NEAR] if not mark.plays("article", "filler", "from")), None
        )
        return after is not None and after.plays("value")

    def _describes(self, place: int) -> bool:
        """Whether a denial says which of the things before it are spoken of: "a comedy that isn't silly", "but not silly"."""
        first = (self.tokens[self.marks[place].first].key,)
        roles = self.lexicon.strong.get(first, ()) + self.lexicon.weak.get(first, ())
        led = bool({"clause", "contrast", "conditional"}.intersection(roles)) or first[0] in ("that", "which", "who")
        return led and self._says_how(place)

    def _says_how(self, place: int) -> bool:
        """Whether a word that no limit can hold follows."""
        after = next(
            (mark for mark in self.marks[place + 1 : place + 1 + NEAR] if not mark.plays("graded", "filler", "article")), None
        )
        return after is not None and after.plays("unknown", "known", "quality")

    def _denied(self, place: int) -> None:
        """What is only denied of a thing refuses it: "A has no place here", "A shouldn't appear"."""
        at = place - 1
        while at >= 0 and self.marks[at].plays("aged", "owning") and place - at < NEAR:
            at -= 1
        if at < 0 or not self.marks[at].plays("value") or not self._denies(place) or self._describes(place):
            return
        opens = at == 0 or self.marks[at - 1].plays("sign", "and", "contrast", "article")
        bare = at == place - 1 and self.marks[place].plays("negates_ahead")
        ahead = list(self._ahead(place))
        ends = next((index for index in ahead if self.marks[index].plays("and", "or")), len(self.marks))
        said = [self.marks[index] for index in ahead if index < ends]
        told = ("fresh", "familiar")  # "A, and don't show me anything I know" refuses no A
        named = any(mark.plays(*told) or (mark.is_content and not mark.plays("unknown", "known")) for mark in said)
        if opens and not bare and not named:
            self.marks[place] = replace(self.marks[place], roles=("negation_after",))
