"""How many of the list have a value, said by what the rest of it is, or by a clause of its own: "two comedies, the rest not"."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from instructrec.instructions.reading.edges import DENIED, EdgeFrames
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.reading.surroundings import NEAR
from instructrec.instructions.tokens import keys

LIGHT = ("filler", "aged", "article", "firm", "back", "clause", "owning", "noun", "person", "from", "of_them")
_REFUSING = ("negation", "negation_after", "denial", "except", "rest_other")


class Remainders(EdgeFrames):
    """Makes amounts of such numbers."""

    def _remainder(self, place: int) -> None:
        """The rest without it makes the number exact, a rest that is free makes it a least one."""
        end, denied, free = place + 1, False, False
        while end < len(self.marks) and end - place <= 2 * NEAR:
            mark = self.marks[end]
            if mark.plays("sign", "and", "contrast") or (mark.plays("enough") and end > place + 1):
                break
            denied = denied or mark.plays(*_REFUSING)
            free = free or mark.plays("rest_free", "any_other", "or_after")
            if not mark.plays(*_REFUSING, "any_other", "rest_free", "or_after", *LIGHT):
                return
            end += 1
        first = place
        while first > 0 and self.marks[first - 1].plays("negation", "rest_none", "from", "clause") and place - first < 2:
            denied, first = True, first - 1
        if not denied and not free:
            return
        at = self._counted_value(first)
        if at is None:
            return
        way, start, last = self._bound(at)
        made = self._counted(at, way or ("exactly" if denied else "since"))
        if made is None or (way is not None and denied):
            return
        self._merge(start, last, made)
        self._void(range(first, end))
        if self.marks[first - 1].plays("and", "contrast"):
            self._void([first - 1])

    def _counted_value(self, place: int) -> int | None:
        """The number of the value that was named right before: "two of them comedies | and the rest not"."""
        value = None
        for at in self._back(place, sentence=True):
            mark = self.marks[at]
            if self._is_number(at) and not mark.plays("year", "decade"):
                back = (near for near in self._back(at) if not self.marks[near].plays(*LIGHT, "known", "unknown"))
                listed = self.marks[next(back, at)].plays("value")
                return at if value is not None or listed else None
            if mark.plays("value"):
                value = at
            elif not mark.plays("sign", "and", "contrast", "unknown", "known", "enough", "exactly", *LIGHT):
                return None
        return None

    def _sparing(self, place: int) -> None:
        """What there should be little of, where a number says how much: "go easy on comedies, two at most"."""
        value = next((at for at in range(place + 1, min(place + NEAR, len(self.marks))) if self.marks[at].plays("value")), None)
        if value is None or not all(self.marks[at].plays("article", "filler") for at in range(place + 1, value)):
            return
        if self._capped_behind(value) is not None:
            self.marks[place] = replace(self.marks[place], roles=("contrast",))

    def _capped_behind(self, value: int) -> Mark | None:
        """The number right behind a value that says how many at most, in a clause of its own."""
        at = value + 1
        while at < len(self.marks) and at - value <= NEAR and self.marks[at].plays("sign", "contrast", "and", "filler", "noun"):
            if self.marks[at].plays("sign") and self.tokens[self.marks[at].first].ends_sentence:
                return None
            at += 1
        for number in range(at, min(at + 3, len(self.marks))):
            if self._is_number(number) and not self.marks[number].plays("year", "decade"):
                way, _, last = self._bound(number)
                closes = last + 1 >= len(self.marks) or self.marks[last + 1].plays("sign", "and", "contrast", "filler", "of_them")
                return self.marks[number] if way in ("until", "before") and closes else None
        return None

    def _allowed(self, place: int) -> None:
        """A value that is fine, and a clause that says how many at most: "comedies are okay but two at most"."""
        value = self._before_skipping(place, "filler", "aged")
        if value < 0 or not self.marks[value].plays("value") or not self._opens(value):
            return
        end = place
        while end + 1 < len(self.marks) and self.marks[end + 1].plays("filler"):
            end += 1
        joins = self.marks[end + 1 : end + 2]
        if not joins or not joins[0].plays("contrast", "sign", "and"):
            return
        if self._capped_behind(end) is None:
            return
        at = next(at for at in range(end, len(self.marks)) if self._is_number(at))
        way, first, last = self._bound(at)
        made = self._counted(at, way or "until")
        if made is not None:
            self._merge(first, last, made)
            self._void(range(value + 1, first))
            for sign in range(value + 1, first):
                self.marks[sign] = replace(self.marks[sign], roles=("filler",))

    def _opens(self, place: int) -> bool:
        return place == 0 or self.marks[place - 1].plays("sign", "and", "contrast", "article", "further")

    def _demanded(self, place: int) -> None:
        """A list that is refused without so many, or with so many: "if there are fewer than two comedies I'm not happy"."""
        way = self._way_at(place)
        if way is None or not any(self._is_number(at) for at in range(place + 1, min(place + 3, len(self.marks)))):
            return
        at = place - 1
        while at > 0 and self.marks[at].plays("filler", "aged", "owning") and not self._conditional(at) and place - at <= NEAR:
            at -= 1
        if at < 0 or not self.marks[at].plays("denial", "negation", "conditional"):
            self._threatened(place, way)
            return
        opens = next((index for index in range(at, max(-1, at - 4), -1) if self._conditional(index)), None)
        words = [token.key for token in self.tokens[self.marks[at].first : self.marks[at].last]]
        denied = self.marks[at].plays("denial") or words == ["unless"]
        if (opens is None and words != ["without"]) or (denied and way != "since"):
            return
        ahead = range(place, min(place + 6, len(self.marks)))
        value = next((index for index in ahead if self.marks[index].plays("value", "sign")), None)
        if value is None or self.marks[value].plays("sign"):
            return
        end = value + 1
        while end < len(self.marks) and self.marks[end].plays("noun", "from", "filler", "enough") and not self._speaks_at(end):
            end += 1
        refused = self._refusal_behind(end) or self._threat_behind(end)
        if not refused or any(self._says(at, "litotes") for at in refused):  # "... I won't complain"
            return
        self._void(refused)
        self._void(range(at if opens is None else opens, place))
        if not denied:
            self._turn(place, DENIED[way])

    def _threatened(self, place: int, way: str) -> None:
        """So many, or so few, and a threat behind: "more than two comedies and I'm off"."""
        value = next((at for at in range(place, min(place + 6, len(self.marks))) if self.marks[at].plays("value", "sign")), None)
        at = self._before_skipping(place, "moving", "filler")
        if way not in ("before", "after") or value is None or (at >= 0 and not self.marks[at].plays("sign")):
            return
        joint = value + 1
        while joint < len(self.marks) and self.marks[joint].plays("noun", "of_them"):
            joint += 1
        if joint + 1 >= len(self.marks) or not self.marks[joint].plays("and") or not self._speaks_at(joint + 1):
            return
        threat = self._threat_behind(joint + 1)
        if 0 < len(threat) <= 3 and not any(self._says(at, "litotes") for at in threat):
            self._void([joint, *threat])
            self._void(range(at + 1, place))
            self._turn(place, DENIED[way])

    def _speaks_at(self, place: int) -> bool:
        """Whether the person speaks of himself there."""
        return self.lexicon.is_subject(self.tokens[self.marks[place].first].key) or self.marks[place].plays("aged")

    def _threat_behind(self, end: int) -> list[int]:
        """The words behind a condition that say what happens then, if nothing in them names or welcomes anything: "I'm off"."""
        start = end + (end < len(self.marks) and self._is_comma(end))
        ahead = list(takewhile(lambda at: not self.marks[at].plays("and"), self._ahead(start - 1)))
        kind = (
            "value",
            "title",
            "range",
            "amount",
            "fresh",
            "familiar",
            "firm",
            "soft",
            "soft_after",
            "allowed",
            "negation",
        )
        if not ahead or len(ahead) > NEAR or any(self.marks[at].plays(*kind) for at in ahead):
            return []
        return ahead if any(self._says(at, "threat") for at in ahead) else []

    def _occasion(self, place: int) -> None:
        """An adjective for an occasion is a mood, though the class of things has the same stem: "for a romantic evening"."""
        value = self.marks[place - 1] if place else None
        if value is None or not value.plays("value") or not self.marks[place - 2].plays("article") or place < 3:
            return
        words = tuple(token.key for token in self.tokens[value.first : value.last])
        written = any(words == keys(ref.value) or value.plural for ref in value.refs)
        if not written and self.tokens[self.marks[place - 3].last - 1].key == "for":
            self.marks[place - 1] = replace(value, roles=("quality",), refs=())

    def _either_too(self, place: int) -> None:
        """What is said of one thing holds of the next: "A leaves me cold, B too"."""
        value = self._before_skipping(place, "filler", "aged")
        first = value
        while first > 0 and self.marks[first - 1].plays("value", "article", "from", "noun"):
            first -= 1
        ends = place + 1 >= len(self.marks) or self.marks[place + 1].plays("sign", "and", "contrast", "filler", "enough")
        if not ends or first < 2 or not self.marks[value].plays("value") or not self.marks[first - 1].plays("sign", "and"):
            return
        at = first - 1
        while at > 0 and self.marks[at].plays("sign", "and", "filler"):
            at -= 1
        if self.marks[at].plays("negation_after"):
            self.marks[place] = replace(self.marks[place], roles=("negation_after",))
        elif self.marks[at].plays("value") and at and self.marks[at - 1].plays("negation") and first == value:
            # "no A, B too" could mean either
            self.marks[value] = replace(self.marks[value], roles=("unknown", "handed_back"), refs=())

    def _if_chosen(self, place: int) -> None:
        """What depends on a choice or chance is a preference: "if you can, a comedy", "a comedy, if I get a choice"."""
        if self.tokens[self.marks[place].first].key != "if" or not self._is_head(place):
            return
        end = place
        while end < len(self.marks) and end - place <= 2 * NEAR and not self.marks[end].plays("sign", "and", "contrast"):
            if not self.marks[end].plays("chance", "in_case", "person", "soft", "soft_after", "of_them", *LIGHT):
                return
            end += 1
        chance = any(self._says(at, "chance") for at in range(place, end))
        chosen = any(self._says(at, "chosen") for at in range(place, end))
        leads = end + 1 < len(self.marks) and self._is_comma(end) and self._leads_to_named(end)
        value = self._before_skipping(place, "sign", "noun")
        ranked = value > 0 and self.lexicon.can_be(self.tokens[self.marks[value - 1].first].key, "sooner")
        if (
            chance
            and leads
            and not ranked
            and (place == 0 or not self.marks[place - 1].plays("value"))
            and self._opens_sentence_at(place)
        ):
            self._void(range(place + 1, end))
            self.marks[place] = replace(self.marks[place], roles=("soft",))
        elif chosen and self._ends_value(place):
            if ranked:
                self.marks[value - 1] = replace(self.marks[value - 1], roles=("soft",))  # "no A and rather B, if I get a choice"
            self._void(range(place + 1, end))
            if self.marks[place - 1].plays("sign"):
                self.marks[place - 1] = replace(self.marks[place - 1], roles=("filler",))
            self.marks[place] = replace(self.marks[place], roles=("soft_after",))

    def _opens_sentence_at(self, place: int) -> bool:
        """Whether no value stands before it in its clause."""
        clause = takewhile(lambda at: not self.marks[at].plays("and", "contrast"), self._back(place))
        return not any(self.marks[at].plays("value") for at in clause)

    def _ends_value(self, place: int) -> bool:
        at = self._before_skipping(place, "sign", "noun")
        return at >= 0 and self.marks[at].plays("value")

    def _says(self, place: int, role: str) -> bool:
        """Whether one of its words alone can play a role."""
        mark = self.marks[place]
        return mark.plays(role) or any(self.lexicon.can_be(token.key, role) for token in self.tokens[mark.first : mark.last])

    def _seen_case(self, place: int) -> None:
        """What is refused if it is known must be new: "if I've had it before, leave it out", and the other way round."""
        mark = self.marks[place]
        opens = next((at for at in range(place - 1, max(-1, place - 4), -1) if self._conditional(at)), None)
        if opens is None and not self._conditional(place):
            return
        opens = place if opens is None else opens
        if any(not self.marks[at].plays("conditional", "aged", "noun", *LIGHT) for at in range(opens, place)):
            return
        end = place + 1
        while end < len(self.marks) and self.marks[end].plays("before", "since", "existing", *LIGHT, "familiar"):
            end += 1
        refused = self._refusal_behind(end)
        if not refused or not self._is_condition(opens, place):
            return
        self._void([*range(opens, place), *range(place + 1, end), *refused])
        self.marks[place] = replace(mark, roles=("familiar",) if mark.plays("fresh") else ("fresh",))
        starts = opens if opens < place else place - 1
        if starts >= 0 and (opens < place or self.marks[starts].plays("and")):
            self.marks[starts] = self.marks[starts].without_meaning("contrast")  # "no horror, and if I know it, skip it"

    def _also_seen(self, place: int) -> None:
        """A second way of knowing what is known adds nothing: "everything I've already rated or tried"."""
        after = self.marks[place + 1 : place + 4]
        at = next((n for n, mark in enumerate(after) if not mark.plays("filler")), len(after))
        if at + 1 >= len(after) or not (after[at].plays("or", "and") or self.tokens[after[at].first].key == "nor"):
            return
        words = ("i", self.tokens[after[at + 1].first].key)
        single = after[at + 1].last - after[at + 1].first == 1
        if single and after[at + 1].plays("unknown", "known") and "familiar" in self.lexicon.strong.get((*words, "before"), ()):
            self._void([place + 1 + at, place + 2 + at])

    def _is_condition(self, opens: int, place: int) -> bool:
        """Whether an "if" or "when" opens it, rather than a "that"."""
        words = [token.key for token in self.tokens[self.marks[opens].first : self.marks[place].last]]
        return any("in_case" in self.lexicon.strong.get((word,), ()) for word in words[:2])
