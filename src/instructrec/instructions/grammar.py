"""What may be said of a text in the canonical language: which pieces may come next, given those before.

Values, titles and numbers are only those of which words stand in the text, and a wish is a value or a stretch of the text itself.
Nothing else can be written, whatever the text says. Statements follow the text: none begins with words that stand before those of
the last one, and no value, title or attribute of numbers is used twice, so that every way through ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from instructrec.instructions.canonical import END, STOP, Piece, Statement, attributes_of, mark, place_of
from instructrec.instructions.evidence import Evidence
from instructrec.tables import Catalog

MOST_STATEMENTS = 10
MOST_WISHES = 3
MOST_ITEMS = 100
"""The longest list that can be asked for."""
_LOW, _HIGH = (mark(">="), mark(">")), (mark("<="), mark("<"))
_COUNTED = ("least", "most", "exact")
_EXAMPLES = ("like", "unlike")


class Grammar:
    """The canonical language for one text."""

    def __init__(self, evidence: Evidence, catalog: Catalog) -> None:
        self.evidence = evidence
        self.catalog = catalog
        named: dict[str, None] = dict.fromkeys(ref.value for ref in evidence.values)
        self.values = {value: attributes_of(catalog, [value]) for value in named}
        self.numbers = list(evidence.numbers) if catalog.numbers else []
        self.decades = list(evidence.decades) if catalog.numbers else []
        self.counts = [value for value in evidence.numbers if value.is_integer() and 0 < value <= MOST_ITEMS]
        self.titles = list(evidence.titles)
        self.words = [Piece("copy", token.text, place) for place, token in enumerate(evidence.tokens) if token.is_word]

    def following(self, done: Sequence[Statement], open_: Statement) -> list[Piece]:
        """The pieces that may come after finished statements and the begun one; none after the stop."""
        state = _State(self, done)
        if not open_:
            return [STOP] if len(done) >= MOST_STATEMENTS else [*state.starts(), STOP]
        if open_[-1] in (END, STOP):
            return []
        if open_[0].text in ("new", "known") and open_[0].kind == "mark":
            return [END]
        if open_[0] == mark("wish"):
            return self._copied(open_)
        if len(open_) == 1:
            return state.roles(open_[0])
        role = open_[1].text
        if role in ("n", *_EXAMPLES) or open_[-1] == mark("wish"):
            return [END]
        if role in _COUNTED:
            return state.counted(open_)
        return state.condition(open_, ends=[END])

    def _copied(self, open_: Statement) -> list[Piece]:
        """Any word to begin with, then the one that stands next in the text, or the end."""
        if len(open_) == 1:
            return self.words
        place = open_[-1].place + 1
        tokens = self.evidence.tokens
        return [Piece("copy", tokens[place].text, place), END] if place < len(tokens) else [END]


class _State:
    """What is still free after some statements."""

    def __init__(self, grammar: Grammar, done: Sequence[Statement]) -> None:
        self.grammar = grammar
        self.catalog = grammar.catalog
        self.done = done
        self._used: dict[bool, set[str]] = defaultdict(set)
        for statement in done:
            if not set(statement[:2]) & {mark(text) for text in ("new", "known", *_EXAMPLES)} and statement[0] != mark("wish"):
                self._used[_is_counted(statement)] |= {piece.text for piece in statement if piece.kind == "word"}

    def starts(self) -> list[Piece]:
        """Words that a statement may begin with: not before those of the last one."""
        last = [place for each in self.done if (place := place_of(each[0], each[1].text, self.grammar.evidence)) >= 0]
        begun = max((place for place in last if place != float("inf")), default=-1)
        pieces = [piece for piece in self._free_words() if self._last_place(piece) >= begun]
        first = {statement[0].text for statement in self.done if statement[0].kind == "mark"}
        more = [] if first & {"new", "known"} else [mark("new"), mark("known")]
        wishes = sum(statement[0] == mark("wish") for statement in self.done)
        return [*pieces, *more, *([mark("wish")] if self.grammar.words and wishes < MOST_WISHES else [])]

    def _free_words(self) -> list[Piece]:
        named = [value for value in self.grammar.values if value not in self._used[False]]
        titled = {each[0].text for each in self.done if each[1].text in _EXAMPLES}
        words = dict.fromkeys([*named, *(title for title in self.grammar.titles if title not in titled)])
        numbers = dict.fromkeys([*self.grammar.numbers, *self.grammar.decades, *self.grammar.counts])
        return [piece for piece in (*(Piece("word", word) for word in words), *map(_digits, numbers)) if self.roles(piece)]

    def _last_place(self, piece: Piece) -> float:
        """The latest place at which one of the roles of a word has it."""
        places = [place_of(piece, role.text, self.grammar.evidence) for role in self.roles(piece)]
        return max((place for place in places if place != float("inf")), default=-1.0)

    def roles(self, piece: Piece) -> list[Piece]:
        """What may be said of the word or number that a statement begins with."""
        if piece.kind == "number":
            return self._roles_of_number(float(piece.text))
        found = []
        if piece.text in self.grammar.values and piece.text not in self._used[False]:
            alone = len(self.grammar.values[piece.text]) == 1
            found += [mark("+"), mark("-"), mark("wish")] if alone else [mark("@"), mark("wish")]
            found += [mark("|")] if self._partners([piece.text], counted=False) else []
        if piece.text in self.grammar.titles and piece.text not in {
            each[0].text for each in self.done if each[1].text in _EXAMPLES
        }:
            found += [mark("like"), mark("unlike")]
        return found

    def _roles_of_number(self, value: float) -> list[Piece]:
        found = self._bounds(value, counted=False)
        if value in self.grammar.counts:
            found += [] if any(each[1] == mark("n") for each in self.done) else [mark("n")]
            found += [mark(text) for text in _COUNTED] if self._inner() else []
        return found

    def _inner(self) -> list[Piece]:
        """The first words of a condition that is counted."""
        values = [Piece("word", value) for value in self.grammar.values if value not in self._used[True]]
        bounds = dict.fromkeys([*self.grammar.numbers, *self.grammar.decades]) if self._attributes(counted=True) else {}
        return [*values, *map(_digits, bounds)]

    def counted(self, open_: Statement) -> list[Piece]:
        """The rest of a statement that counts."""
        after = 4 if len(open_) > 3 and open_[3] == mark("most") else 2
        if len(open_) < after + 1:
            higher = [_digits(count) for count in self.grammar.counts if count > float(open_[0].text)]
            return [*self._inner(), *([piece for piece in higher if open_[1] == mark("least") and after == 2])]
        inner = open_[after:]
        if len(inner) == 1:
            second = after == 2 and open_[1] == mark("least") and inner[0].kind == "number"
            more = second and float(inner[0].text) in self.grammar.counts and float(inner[0].text) > float(open_[0].text)
            return [*self._inner_roles(inner[0]), *([mark("most")] if more else [])]
        if mark("&") in inner:
            begun = inner[inner.index(mark("&")) + 1 :]
            return self.condition(begun, ends=[END], counted=True) if begun else self._limits_on_numbers()
        joint = [mark("&")] if inner[-1] in (mark("+"), mark("-")) and self._limits_on_numbers() else []
        return self.condition(inner, ends=[*joint, END], counted=True)

    def _limits_on_numbers(self) -> list[Piece]:
        return [piece for piece in self._inner() if piece.kind == "number"]

    def _inner_roles(self, piece: Piece) -> list[Piece]:
        if piece.kind == "number":
            return self._bounds(float(piece.text), counted=True)
        alone = len(self.grammar.values[piece.text]) == 1
        return [
            *([mark("+"), mark("-")] if alone else [mark("@")]),
            *([mark("|")] if self._partners([piece.text], counted=True) else []),
        ]

    def _bounds(self, value: float, *, counted: bool) -> list[Piece]:
        if not self._attributes(counted=counted):
            return []
        found = [*_LOW, *_HIGH, mark("=")] if value in self.grammar.numbers else []
        found += [mark("to")] if found and any(other > value for other in self.grammar.numbers) else []
        return [*found, *([mark("decade")] if value in self.grammar.decades else [])]

    def _attributes(self, *, counted: bool) -> list[Piece]:
        return [Piece("word", name) for name in self.catalog.numbers if name not in self._used[counted]]

    def _partners(self, values: Sequence[str], *, counted: bool) -> list[str]:
        """Values that can be joined to some by "or": of the same attribute, and later in the text."""
        free = [value for value in self.grammar.values if value not in self._used[counted] and value not in values]
        shared = set(attributes_of(self.catalog, values))
        begun = place_of(Piece("word", values[-1]), "+", self.grammar.evidence)
        later = [value for value in free if place_of(Piece("word", value), "+", self.grammar.evidence) >= begun]
        return [value for value in later if set(self.grammar.values[value]) & shared]

    def condition(self, open_: Statement, ends: list[Piece], *, counted: bool = False) -> list[Piece]:
        """The rest of one condition, whose first words are there."""
        last = open_[-1]
        if open_[0].kind == "number":
            return self._range(open_, ends, counted=counted)
        if last in (mark("+"), mark("-")):
            return ends
        values = [piece.text for piece in open_[: open_.index(mark("@")) if mark("@") in open_ else None] if piece.kind == "word"]
        if last == mark("|"):
            return [Piece("word", value) for value in self._partners(values, counted=counted)]
        if last == mark("@"):
            return [Piece("word", name) for name in attributes_of(self.catalog, values)]
        if len(open_) == 1:
            return self._inner_roles(last)
        # An exclusion has one value a statement, where it does not count.
        signs = [mark("+")] if len(values) > 1 and not counted else [mark("+"), mark("-")]
        if mark("@") in open_:
            return signs
        more = [mark("|")] if self._partners(values, counted=counted) else []
        return [*more, *(signs if len(attributes_of(self.catalog, values)) == 1 else [mark("@")])]

    def _range(self, open_: Statement, ends: list[Piece], *, counted: bool) -> list[Piece]:
        last, first = open_[-1], float(open_[0].text)
        above = [_digits(value) for value in self.grammar.numbers if value > first]
        if last.kind == "word":
            return ends
        if len(open_) == 1:
            return self._bounds(first, counted=counted)
        if last == mark("to"):
            return above
        if last.kind == "number":
            return self._attributes(counted=counted) if open_[-2] == mark("to") else list(_HIGH)
        both = above if last in _LOW else []
        return [*self._attributes(counted=counted), *both]


def _is_counted(statement: Statement) -> bool:
    return statement[1].kind == "mark" and statement[1].text in _COUNTED


def _digits(value: float) -> Piece:
    return Piece("number", str(int(value)) if value.is_integer() else repr(value))
