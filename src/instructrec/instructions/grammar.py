"""What may be said of a text in the canonical language: which pieces may come next, given those before.

Values, titles and numbers are only those of which words stand in the text, and a wish is a stretch of the text itself. Nothing else
can be written, whatever the text says, and every way through ends: each value, title and number attribute is used up.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from instructrec.instructions.canonical import END, STOP, Piece, Statement, attributes_of, mark
from instructrec.instructions.evidence import Evidence
from instructrec.tables import Catalog

MOST_STATEMENTS = 10
MOST_ITEMS = 100
"""The longest list that can be asked for."""
_BOUNDS = ((">=", ">"), ("<=", "<"))


class Grammar:
    """The canonical language for one text."""

    def __init__(self, evidence: Evidence, catalog: Catalog) -> None:
        self.evidence = evidence
        self.catalog = catalog
        named: dict[str, list[str]] = defaultdict(list)
        for ref in evidence.values:
            named[ref.value].append(ref.attribute)
        self.values = {value: attributes_of(catalog, [value]) for value in named}
        self.numbers = [Piece("number", _digits(value)) for value in evidence.numbers]
        self.counts = [
            Piece("number", _digits(value)) for value in evidence.numbers if value.is_integer() and 0 < value <= MOST_ITEMS
        ]
        self.decades = [Piece("number", _digits(value)) for value in evidence.decades]
        has_numbers = bool(self.numbers or self.decades)
        self.attributes = [Piece("word", name) for name in catalog.numbers] if has_numbers else []
        self.titles = [Piece("word", title) for title in evidence.titles]
        self.words = [Piece("copy", token.text, place) for place, token in enumerate(evidence.tokens) if token.is_word]

    def following(self, done: Sequence[Statement], open_: Statement) -> list[Piece]:
        """The pieces that may come after finished statements and the begun one; none after the stop."""
        if not open_:
            return [STOP] if len(done) >= MOST_STATEMENTS else [*self._starts(done), STOP]
        first, last = open_[0], open_[-1]
        if last in (END, STOP):
            return []
        if first.text in ("new", "known"):
            return [END]
        if first.text == "n":
            return self.counts if len(open_) == 1 else [END]
        if first.text in ("like", "unlike"):
            return self._titles(done) if len(open_) == 1 else [END]
        if first.text == "wish":
            return self._copied(open_)
        if first.text in ("least", "most", "exact"):
            return self._quota(done, open_)
        return self._condition(done, open_, ends=[END])

    def _starts(self, done: Sequence[Statement]) -> list[Piece]:
        used = [statement[0].text for statement in done]
        starts = [mark("+"), mark("-")] if self._values(done) else []
        if self._attributes(done):
            starts.append(mark("#"))
        if self.counts:
            starts += [] if "n" in used else [mark("n")]
            if self._values(done, counted=True) or self._attributes(done, counted=True):
                starts += [mark("least"), mark("most"), mark("exact")]
        if "new" not in used and "known" not in used:
            starts += [mark("new"), mark("known")]
        if self._titles(done):
            starts += [mark("like"), mark("unlike")]
        if self.words and used.count("wish") < 3:
            starts.append(mark("wish"))
        return starts

    def _values(self, done: Sequence[Statement], *, counted: bool = False, now: Statement = ()) -> list[str]:
        """Values that no statement of this sort has used."""
        same = [*(statement for statement in done if (mark("of") in statement) == counted), now]
        labelled = (statement for statement in same if statement and statement[0].text not in ("like", "unlike"))
        used = {piece.text for statement in labelled for piece in statement if piece.kind == "word"}
        return [value for value in self.values if value not in used]

    def _attributes(self, done: Sequence[Statement], *, counted: bool = False) -> list[Piece]:
        same = [statement for statement in done if (mark("of") in statement) == counted]
        used = [piece for statement in same for piece in statement]
        return [piece for piece in self.attributes if piece not in used]

    def _titles(self, done: Sequence[Statement]) -> list[Piece]:
        used = {statement[1].text for statement in done if statement[0].text in ("like", "unlike")}
        return [piece for piece in self.titles if piece.text not in used]

    def _copied(self, open_: Statement) -> list[Piece]:
        """Any word to begin with, then the one that stands next in the text, or the end."""
        if len(open_) == 1:
            return self.words
        place = open_[-1].place + 1
        tokens = self.evidence.tokens
        return [Piece("copy", tokens[place].text, place), END] if place < len(tokens) else [END]

    def _quota(self, done: Sequence[Statement], open_: Statement) -> list[Piece]:
        of = mark("of")
        if of in open_:
            inner = open_[open_.index(of) + 1 :]
            if not inner:
                starts = [mark("+"), mark("-")] if self._values(done, counted=True) else []
                return [*starts, *([mark("#")] if self._attributes(done, counted=True) else [])]
            parts = sum(piece == mark("&") for piece in inner)
            if inner[-1] == mark("&"):
                return [mark("#")]
            begun = inner[inner.index(mark("&")) + 1 :] if parts else inner
            joint = [mark("&")] if not parts and inner[0] != mark("#") and self._attributes(done, counted=True) else []
            return self._condition(done, begun, ends=[*joint, END], counted=True)
        if len(open_) == 1:
            return self.counts
        more = [piece for piece in self.counts if int(piece.text) > int(open_[1].text)]
        if open_[-1] == mark("most"):
            return more
        return [of, mark("most")] if open_[0] == mark("least") and len(open_) == 2 and more else [of]

    def _condition(self, done: Sequence[Statement], open_: Statement, *, ends: list[Piece], counted: bool = False) -> list[Piece]:
        """The rest of one condition, which began with "+", "-" or "#"."""
        if open_[0] == mark("#"):
            return self._range(done, open_, ends, counted=counted)
        if open_[-1] == mark("@"):
            return [Piece("word", name) for name in self._meant(open_[:-1])]
        free = self._values(done, counted=counted, now=open_)
        if open_[-1].kind == "mark":
            shared = self._meant(open_[:-1]) if len(open_) > 1 else list(self.catalog.labels)
            return [Piece("word", value) for value in free if set(self.values[value]) & set(shared)]
        if mark("@") in open_:
            return ends
        shared = self._meant(open_)
        more = [mark("|")] if open_[0] == mark("+") and any(set(self.values[value]) & set(shared) for value in free) else []
        return [*more, *([mark("@")] if len(shared) > 1 else ends)]

    def _meant(self, open_: Statement) -> list[str]:
        """The attributes that have all the values of a condition."""
        return attributes_of(self.catalog, [piece.text for piece in open_ if piece.kind == "word"])

    def _range(self, done: Sequence[Statement], open_: Statement, ends: list[Piece], *, counted: bool) -> list[Piece]:
        last = open_[-1].text
        if len(open_) == 1:
            return self._attributes(done, counted=counted)
        if len(open_) == 2:
            some = [mark(text) for pair in _BOUNDS for text in pair] + [mark("=")] if self.numbers else []
            spans = [mark("from")] if len(self.numbers) > 1 else []
            return [*some, *spans, *([mark("decade")] if self.decades else [])]
        if open_[-1].kind == "mark":
            begun = float(open_[-2].text) if open_[-2].kind == "number" else -math.inf
            above = [piece for piece in self.numbers if float(piece.text) > begun]
            highest = max((float(piece.text) for piece in self.numbers), default=0.0)
            below = [piece for piece in above if float(piece.text) < highest]
            return self.decades if last == "decade" else below if last == "from" else above
        if open_[-2].text == "from":
            return [mark("to")]
        if len(open_) == 4 and open_[2].text in _BOUNDS[0]:
            above = [piece for piece in self.numbers if float(piece.text) > float(last)]
            return [*(mark(text) for text in _BOUNDS[1] if above), *ends]
        return ends


def _digits(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
