"""Second pass: "newer than X", "cheaper than 20", "like X but shorter" become ranges; "darker than X" an example and a wish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.instructions.lexicon import Comparison, Lexicon
from instructrec.instructions.reading.bounds import bounded
from instructrec.instructions.reading.marks import NUMERIC, Mark
from instructrec.instructions.tokens import Token
from instructrec.instructions.vocabulary import Vocabulary

_WAYS = ("before", "after", "since", "until")
_NOT = {"after": "until", "before": "since", "since": "before", "until": "after"}
_OTHER_WAY = {"after": "before", "before": "after", "since": "until", "until": "since"}
_MOST_BETWEEN = 4
"""Marks that may stand between the parts of a comparison."""
_MEASURED = frozenset(("than", "over", "under", "above", "below", "beyond", "beats", "beating", "exceeding", "most", "least"))
_DATED = frozenset(("before", "after", "earlier", "later", "older", "newer", "since", "until"))


class ComparisonReader:
    """Resolves comparisons from left to right. What cannot be compared, for want of a number, is not understood."""

    def __init__(self, marks: Sequence[Mark], tokens: Sequence[Token], vocabulary: Vocabulary, lexicon: Lexicon) -> None:
        self.marks = marks
        self.tokens = tokens
        self.vocabulary = vocabulary
        self.lexicon = lexicon
        self._carried: str | None = None
        """What was compared last in this sentence: "热度比A低、比B高"."""
        self._example: Mark | None = None
        """The title named last: what a bare "newer" compares with."""
        self._dated = False
        """Whether a year was named since, which a Chinese "更早" then speaks of."""

    def read(self) -> list[Mark]:
        """The marks, with every comparison resolved."""
        out: list[Mark] = []
        place = 0
        while place < len(self.marks):
            mark = self.marks[place]
            if mark.plays("title"):
                self._example, self._dated = mark, False
            elif mark.plays("year", "decade") and self.lexicon.script == "han":
                self._dated = True
            elif mark.plays("sign") and self.tokens[mark.first].ends_sentence:
                self._carried = None
            found = self._found(place, out)
            if found is None:
                out.append(mark)
                place += 1
            else:
                out += found[0]
                place = found[1]
        return out

    def _found(self, place: int, out: list[Mark]) -> tuple[list[Mark], int] | None:
        mark = self.marks[place]
        if mark.plays("compare"):
            return self._compared(place)
        if mark.plays("than", "not_as") and self.lexicon.script == "han":
            return self._turned(place, out)
        if mark.plays("than"):
            return self._graded(place, out)
        if mark.plays(*_WAYS):
            at = self._skipped(place + 1)
            if at is not None and self.marks[at].plays("title"):
                way = next(role for role in _WAYS if role in mark.roles)
                named = self._named_before(out)
                if named is None and (self.vocabulary.year is None or not self._is_dated(mark)):
                    return self._graded_by(place, at)
                attribute = named.attribute if named is not None else self.vocabulary.year
                first = mark.first if named is None else named.first
                while out and out[-1].first >= first:
                    out.pop()
                return [self._relative(self.marks[at], attribute, way, first, self.marks[at].last)], at + 1
        return None

    def _is_dated(self, mark: Mark) -> bool:
        """Whether a bound before a title can speak of its year: "before X", but not "better than X" or "under X"."""
        words = [token.key for token in self.tokens[mark.first : mark.last]]
        return self.lexicon.script == "han" or not _MEASURED.intersection(words) or bool(_DATED.intersection(words))

    def _graded_by(self, place: int, at: int) -> tuple[list[Mark], int] | None:
        """A title that something should be better or worse than is an example; any other bound of it says nothing."""
        if self.lexicon.script == "han" or self._links_better(self.marks[place]):
            return [replace(self.marks[place], roles=("like", "than"), compare=None), *self.marks[place + 1 : at]], at
        return None

    def _links_better(self, mark: Mark) -> bool:
        return self.tokens[mark.first].key == "better"

    def _named_before(self, out: list[Mark]) -> Mark | None:
        """The number whose name stands right before a comparison with a title ("a rating above that of X")."""
        for back in range(1, min(_MOST_BETWEEN, len(out) + 1)):
            mark = out[-back]
            if mark.plays("attribute") and mark.attribute in self.vocabulary.catalog.numbers:
                return mark
            if not mark.plays("filler", "article") and not (mark.plays("and") and self.lexicon.script == "han"):
                return None
        return None

    def _skipped(self, place: int, *more: str) -> int | None:
        """The first mark from `place` on that is no article or filler."""
        for at in range(place, min(place + _MOST_BETWEEN, len(self.marks))):
            if not self.marks[at].plays("article", "filler", "from", "attribute", *more):
                return at
        return None

    def _compared(self, place: int) -> tuple[list[Mark], int]:
        mark = self.marks[place]
        assert mark.compare is not None
        kind, way = mark.compare
        at = self._skipped(place + 1, "than")
        reached = at is not None and (self._links(mark) or any(self.marks[index].plays("than") for index in range(place + 1, at)))
        one = self.marks[place + 1 : place + 3]
        if len(one) > 1 and one[0].plays("one") and one[1].plays("of_them"):
            return [replace(mark, roles=(way,), compare=None)], place + 1  # "comedies for no more than one of them"
        near = at == place + 1 and mark.last - mark.first > 1 and self.marks[at].plays(*NUMERIC, "attribute")  # "for under 20"
        target = self.marks[at] if at is not None and (reached or near) else None
        attribute = self.vocabulary.kinds.get(kind)
        if target is not None and target.plays("title") and at is not None:
            if attribute is None:
                return [replace(mark, roles=("quality",), compare=None), *self._as_like(place + 1, at)], at
            return [self._relative(target, attribute, way, mark.first, target.last)], at + 1
        if target is not None and target.plays(*NUMERIC):
            given = None if kind == "year" else attribute
            end = place + 2 if self.marks[place + 1].plays("than") else place + 1
            behind = self.marks[at + 1] if at is not None and at + 1 < len(self.marks) else None
            named = behind is not None and behind.plays("attribute") and behind.attribute in self.vocabulary.catalog.quantities
            sure = given or named or kind == "year" or target.plays("year", "decade")  # "look for less than 4 in rating"
            counts = behind is not None and behind.plays("of_them", "value", "noun")  # "comedies for no more than two of them"
            roles = (way,) if sure or counts else ("unknown",)
            return [replace(mark, roles=roles, last=self.marks[end - 1].last, attribute=given, compare=None)], end
        return [self._bare(place, attribute)], place + 1

    def _links(self, mark: Mark) -> bool:
        """Whether the comparison itself ends in "than"."""
        last = self.tokens[mark.last - 1].key
        return mark.last - mark.first > 1 and (last == "as" or "than" in self.lexicon.strong.get((last,), ()))

    def _bare(self, place: int, attribute: str | None) -> Mark:
        """A comparison that names nothing: with the example named before, a plain quality where there is no such number."""
        mark = self.marks[place]
        if attribute is None:
            return replace(mark, roles=("quality",), compare=None)
        title = self._ahead(place) or (None if self._dated and attribute == self.vocabulary.year else self._example)
        if title is None or mark.compare is None:
            return replace(mark, roles=("unknown",), compare=None)
        return self._relative(title, attribute, mark.compare[1], mark.first, mark.last)

    def _ahead(self, place: int) -> Mark | None:
        """The title of a comparison that is joined to this one: "newer and cheaper than X"."""
        joined = place + 2 < len(self.marks) and self.marks[place + 1].plays("and") and self.marks[place + 2].plays("compare")
        at = self._skipped(place + 3, "than") if joined else None
        return self.marks[at] if at is not None and self.marks[at].plays("title") else None

    def _relative(self, title: Mark, attribute: str | None, way: str, first: int, last: int) -> Mark:
        """The range that a comparison with a title means."""
        known = self.vocabulary.number_of(title.items, attribute) if attribute is not None else None
        if known is None or attribute is None:
            return Mark(("unknown",), first, last)
        whole = self.vocabulary.is_integral(attribute)
        # Beyond all items of the title.
        end = known[1] if way in ("since", "after") else known[0]
        low, high = bounded(way, end, end, whole=whole)
        return Mark(("range",), first, last, attribute=attribute, low=low, high=high)

    def _as_like(self, start: int, end: int) -> list[Mark]:
        return [replace(mark, roles=("like", "than")) if mark.plays("than") else mark for mark in self.marks[start:end]]

    def _graded(self, place: int, out: list[Mark]) -> tuple[list[Mark], int] | None:
        """In "darker than X", X is an example, and the quality is wished for, whether the catalog knows the word or not."""
        at = self._skipped(place + 1)
        if at is None or not self.marks[at].plays("title") or not out or not out[-1].plays("quality", "known", "unknown"):
            return None
        if out[-1].plays("unknown"):
            out[-1] = replace(out[-1], roles=("known",))
        return self._as_like(place, at), at

    def _turned(self, place: int, out: list[Mark]) -> tuple[list[Mark], int] | None:
        """The Chinese order, in which the word that compares comes last: "比《X》新", "比1990年早", "比20元便宜"."""
        at = self._skipped(place + 1)
        if at is None or not self.marks[at].plays("title", *NUMERIC):
            return None
        end = at + 1
        while end < len(self.marks) and end - at < _MOST_BETWEEN and self._way(end) is None:
            if self.marks[end].is_content:
                break
            end += 1
        way, title = self._way(end), self.marks[at]
        if title.plays("title") and (way is not None or self.marks[place].plays("not_as")):
            self._example = title
            found = self._turned_title(place, title, end, out)
            if found is not None:
                return found
        if self.marks[place].plays("not_as"):
            return None
        self._example = title if title.plays("title") else self._example
        if way is not None and not title.plays("title"):
            number = replace(title, last=self._last(end))
            given = None if way[0] == "year" else self.vocabulary.kinds.get(way[0])
            return [replace(self.marks[place], roles=(way[1],), attribute=given), number], self._after(end)
        if title.plays("title") and end < len(self.marks) and self.marks[end].is_content:
            return [*self._as_like(place, at)], at
        return None

    def _turned_title(self, place: int, title: Mark, end: int, out: list[Mark]) -> tuple[list[Mark], int] | None:
        """What compares with a title: `place` is the "than", `end` the word that says how."""
        way = self._way(end)
        negation = out[-1] if out and out[-1].plays("negation") and out[-1].last == self.marks[place].first else None
        named = self._named_before(out[:-1] if negation else out)
        attribute = self.vocabulary.kinds.get(way[0]) if way is not None else None
        attribute = attribute or (named.attribute if named is not None else None)
        if way is None and named is not None and not title.plays(*NUMERIC):
            way, end = ("any", "after"), self.marks.index(title)  # "热度不及《X》": which way goes without saying
        attribute = attribute or (self._carried if way is not None and way[0] == "any" else None)
        if way is None or attribute is None:
            return None
        self._carried = attribute
        turned = _OTHER_WAY[way[1]] if self.marks[place].plays("not_as") else _NOT[way[1]] if negation else way[1]
        first = min(mark.first for mark in (self.marks[place], negation, named) if mark is not None)
        while out and out[-1].first >= first:
            out.pop()
        if end < len(self.marks) and self.marks[end] is title:
            return [self._relative(title, attribute, turned, first, title.last)], end + 1
        return [self._relative(title, attribute, turned, first, self._last(end))], self._after(end)

    def _way(self, place: int) -> Comparison | None:
        if place >= len(self.marks):
            return None
        mark = self.marks[place]
        if mark.compare is not None:
            return mark.compare
        return self._spelled(place)[0]

    def _spelled(self, place: int) -> tuple[Comparison | None, int]:
        """A comparison that its words only mean behind a "than": the longest phrase that begins with this mark, and its end."""
        first = self.marks[place].first
        for last in range(min(first + 5, len(self.tokens)), first, -1):
            found = self.lexicon.compare_than.get(tuple(token.key for token in self.tokens[first:last]))
            if found is not None:
                return found, last
        return None, first

    def _last(self, place: int) -> int:
        return self.marks[place].last if self.marks[place].compare is not None else self._spelled(place)[1]

    def _after(self, place: int) -> int:
        """The first mark behind a comparison that may reach over several marks."""
        last = self._last(place)
        while place < len(self.marks) and self.marks[place].first < last:
            place += 1
        return place
