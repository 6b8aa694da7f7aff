"""What may be said of a text in the canonical language: which pieces may come next, given those before.

A text is gone through like a form. First: only new items, only known ones, or either. Then every stretch of words that can speak
of a value, a number or a title is named in turn, and what is said of it: a condition, or nothing. Nothing else can be written,
whatever the text says, and every way through ends with the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.instructions.canonical import END, NOTHING, STOP, Piece, Statement, attributes_of, mark
from instructrec.instructions.evidence import Evidence, Mention
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Catalog

MOST_MENTIONS = 40
MOST_ITEMS = 100
"""The longest list that can be asked for."""
_LOW, _HIGH = (mark(">="), mark(">")), (mark("<="), mark("<"))
_COUNTED = ("least", "most", "exact")
_EXAMPLES = ("like", "unlike")
_FORM = [mark("new"), mark("known"), NOTHING]


class Grammar:
    """The canonical language for one text."""

    def __init__(self, evidence: Evidence, catalog: Catalog) -> None:
        self.evidence = evidence
        self.catalog = catalog
        self.mentions = evidence.mentions[:MOST_MENTIONS]
        self.values = {
            each.key.value: attributes_of(catalog, [each.key.value]) for each in self.mentions if isinstance(each.key, Ref)
        }
        self.pieces = {each: _named(each) for each in self.mentions}
        self.ends = {piece: each.last for each, piece in self.pieces.items()}
        self.titled = {piece for each, piece in self.pieces.items() if isinstance(each.key, str)}
        self.numbers = {piece for each, piece in self.pieces.items() if isinstance(each.key, float) and not each.decade}
        self.decades = {piece for each, piece in self.pieces.items() if each.decade}
        self.valued = {piece for each, piece in self.pieces.items() if isinstance(each.key, Ref)}

    def following(self, done: Sequence[Statement], open_: Statement) -> list[Piece]:
        """The pieces that may come after finished statements and the begun one; none after the stop."""
        if open_ and open_[-1] in (END, STOP):
            return []
        if not done:
            return [END] if open_ else _FORM
        state = _State(self, done)
        if not open_:
            return state.next_mention() or [STOP]
        if len(open_) == 1:
            return [*state.roles(open_[0]), NOTHING]
        role = open_[1]
        if role.text in ("n", *_EXAMPLES) or open_[-1] in (mark("wish"), NOTHING):
            return [END]
        return state.counted(open_) if role.text in _COUNTED else state.condition(open_, ends=[END])


def filled(grammar: Grammar, wanted: Sequence[Statement]) -> list[Statement] | None:
    """The form of a text filled in with some statements and otherwise with nothing; none where the grammar can't say them."""
    left = list(wanted)
    done: list[Statement] = []
    while (starts := grammar.following(done, ())) != [STOP]:
        found = None
        for statement in left:
            found = _fitted(grammar, done, statement)
            if found:
                left.remove(statement)
                break
        done.append(found or ((NOTHING, END) if not done else (starts[0], NOTHING, END)))
    return None if left else [*done, (STOP,)]


def _fitted(grammar: Grammar, done: Sequence[Statement], statement: Statement) -> Statement:
    """A statement as it may stand next, with the places of its words; empty where it may not."""
    open_: Statement = ()
    for piece in statement:
        fitting = [option for option in grammar.following(done, open_) if option[:2] == piece[:2]]
        if not fitting:
            return ()
        open_ = (*open_, fitting[0])
    return open_


def _named(mention: Mention) -> Piece:
    if isinstance(mention.key, float):
        return Piece("number", str(int(mention.key)) if mention.key.is_integer() else repr(mention.key), mention.first)
    return Piece("word", mention.key.value if isinstance(mention.key, Ref) else mention.key, mention.first)


class _State:
    """What is still free after some statements."""

    def __init__(self, grammar: Grammar, done: Sequence[Statement]) -> None:
        self.grammar = grammar
        self.catalog = grammar.catalog
        said = [statement for statement in done if NOTHING not in statement]
        self.written = {piece for statement in said for piece in statement if piece.place >= 0}
        self.passed = max((statement[0].place for statement in done), default=-1)
        examples = [each[0] for each in said if each[1].text in _EXAMPLES]
        self.covered = max((grammar.ends[piece] for piece in examples), default=0)
        self.named = {piece.text for piece in examples}
        self.has_length = any(each[1] == mark("n") for each in said)
        self.used = {counted: _used(said, counted=counted) for counted in (False, True)}

    def next_mention(self) -> list[Piece]:
        """All that the next words may speak of."""
        left = [
            piece
            for piece in self.grammar.pieces.values()
            if piece.place > self.passed and piece.place >= self.covered and piece not in self.written
        ]
        first = min((piece.place for piece in left), default=-1)
        return list(dict.fromkeys(piece for piece in left if piece.place == first))

    def roles(self, piece: Piece) -> list[Piece]:
        """What may be said of the words that a statement begins with."""
        found: list[Piece] = []
        if piece.kind == "number":
            found += self._bounds(piece, counted=False)
            if _is_count(piece):
                found += [] if self.has_length else [mark("n")]
                found += [mark(text) for text in _COUNTED] if self._inner() else []
        if piece in self.grammar.valued and piece.text not in self.used[False]:
            alone = len(self.grammar.values[piece.text]) == 1
            found += [mark("+"), mark("-"), mark("wish")] if alone else [mark("@"), mark("wish")]
            found += [mark("|")] if self._partners([piece], counted=False) else []
        if piece in self.grammar.titled and piece.text not in self.named:
            found += [mark(text) for text in _EXAMPLES]
        return found

    def _inner(self) -> list[Piece]:
        """The words that a counted condition may begin with: of values, only the next and the last one."""
        free = {piece for piece in self.grammar.valued - self.written if piece.text not in self.used[True]}
        after = min((piece.place for piece in free if piece.place > self.passed), default=-1)
        before = max((piece.place for piece in free if piece.place <= self.passed), default=-1)
        values = self._once({piece for piece in free if piece.place in (after, before)})
        numbers = self._once(self.grammar.numbers | self.grammar.decades) if self._attributes(counted=True) else []
        return [*values, *numbers]

    def _once(self, pieces: set[Piece]) -> list[Piece]:
        """The words that nothing was said with yet, each in one place: the first behind those of the last statement, or before."""
        found: dict[str, Piece] = {}
        for piece in sorted(pieces - self.written, key=lambda piece: (piece.place <= self.passed, piece.place)):
            found.setdefault(piece.text, piece)
        return list(found.values())

    def counted(self, open_: Statement) -> list[Piece]:
        """The rest of a statement that counts."""
        after = 4 if len(open_) > 3 and open_[3] == mark("most") else 2
        inner = open_[after:]
        if not inner:
            return [piece for piece in self._inner() if piece != open_[0]]
        if len(inner) == 1:
            higher = inner[0].kind == "number" and _is_count(inner[0]) and float(inner[0].text) > float(open_[0].text)
            more = [mark("most")] if higher and after == 2 and open_[1] == mark("least") and len(self._inner()) > 2 else []
            return [*self._inner_roles(inner[0]), *more] or [NOTHING]
        if mark("&") in inner:
            begun = inner[inner.index(mark("&")) + 1 :]
            return self.condition(begun, ends=[END], counted=True) if begun else self._limits_on_numbers(open_)
        joint = [mark("&")] if inner[-1] in (mark("+"), mark("-")) and self._limits_on_numbers(open_) else []
        return self.condition(inner, ends=[*joint, END], counted=True)

    def _limits_on_numbers(self, open_: Statement) -> list[Piece]:
        free = [piece for piece in self._inner() if piece.kind == "number" and piece not in open_]
        return [piece for piece in free if self._bounds(piece, counted=True)]

    def _inner_roles(self, piece: Piece) -> list[Piece]:
        if piece.kind == "number":
            return self._bounds(piece, counted=True)
        alone = len(self.grammar.values[piece.text]) == 1
        more = [mark("|")] if self._partners([piece], counted=True) else []
        return [*([mark("+"), mark("-")] if alone else [mark("@")]), *more]

    def _bounds(self, piece: Piece, *, counted: bool) -> list[Piece]:
        if not self._attributes(counted=counted):
            return []
        found = [*_LOW, *_HIGH, mark("=")] if piece in self.grammar.numbers else []
        found += [mark("to")] if found and self._above(piece) else []
        return [*found, *([mark("decade")] if piece in self.grammar.decades else [])]

    def _above(self, piece: Piece) -> list[Piece]:
        """Greater numbers that stand behind one."""
        return [
            other
            for other in self._once({other for other in self.grammar.numbers if other.place > piece.place})
            if float(other.text) > float(piece.text)
        ]

    def _attributes(self, *, counted: bool) -> list[Piece]:
        return [Piece("word", name) for name in self.catalog.quantities if name not in self.used[counted]]

    def _partners(self, values: Sequence[Piece], *, counted: bool) -> list[Piece]:
        """Values behind some that can be joined to them by "or": of the same attribute."""
        taken = self.used[counted] | {piece.text for piece in values}
        shared = set(attributes_of(self.catalog, [piece.text for piece in values]))
        later = {piece for piece in self.grammar.valued if piece.place > values[-1].place and piece.text not in taken}
        return [piece for piece in self._once(later) if set(self.grammar.values[piece.text]) & shared]

    def condition(self, open_: Statement, ends: list[Piece], *, counted: bool = False) -> list[Piece]:
        """The rest of one condition, whose first words are there."""
        last = open_[-1]
        if open_[0].kind == "number":
            return self._range(open_, ends, counted=counted)
        if last in (mark("+"), mark("-")):
            return ends
        values = [piece for piece in open_ if piece.place >= 0]
        if last == mark("|"):
            return self._partners(values, counted=counted)
        attributes = attributes_of(self.catalog, [piece.text for piece in values])
        if last == mark("@"):
            return [Piece("word", name) for name in attributes]
        if len(open_) == 1:
            return self._inner_roles(last)
        # An exclusion has one value a statement, where it does not count.
        signs = [mark("+")] if len(values) > 1 and not counted else [mark("+"), mark("-")]
        if mark("@") in open_:
            return signs
        more = [mark("|")] if self._partners(values, counted=counted) else []
        return [*more, *(signs if len(attributes) == 1 else [mark("@")])]

    def _range(self, open_: Statement, ends: list[Piece], *, counted: bool) -> list[Piece]:
        last = open_[-1]
        if last.kind == "word":
            return ends
        if len(open_) == 1:
            return self._bounds(last, counted=counted)
        if last == mark("to"):
            return self._above(open_[0])
        if last.kind == "number":
            return self._attributes(counted=counted) if open_[-2] == mark("to") else list(_HIGH)
        both = self._above(open_[0]) if last in _LOW else []
        return [*self._attributes(counted=counted), *both]


def _used(said: Sequence[Statement], *, counted: bool) -> set[str]:
    """Values and attributes that statements of one sort speak of."""
    same = (each for each in said if each[1].text not in _EXAMPLES and (each[1].text in _COUNTED) == counted)
    return {piece.text for statement in same for piece in statement if piece.kind == "word"}


def _is_count(piece: Piece) -> bool:
    value = float(piece.text)
    return value.is_integer() and 0 < value <= MOST_ITEMS
