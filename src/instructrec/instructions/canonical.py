"""Instructions as a short text that has one meaning: one statement a condition, words first, ended by ";".

    "Comedy" | "Drama" + ;          one of these values; "English" @ "language" + where two attributes have the value
    "Horror" - ;                    not this value
    "1990" >= "year" ;              also > <= < = decade; "1990" to "1995" "year", and "3" > "5" < "rating"
    "2" least "Comedy" + & "1980" < "year" ;        also most, exact, and "2" least "4" most
    "5" n ;   new ;   known ;   "Static" like ;   "Brine" unlike ;   "17" id like ;   "Comedy" wish ;   wish "something light" ;

Words are JSON strings, so that nothing in a catalog or a text can be taken for a mark. They come first, because a reader that goes
through a text finds the next words that matter more easily than it foresees what will be said of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError
from instructrec.instructions.describing import strict_bound
from instructrec.instructions.evidence import Evidence
from instructrec.tables import Catalog, ItemId, Limit

MARKS = (
    *("+", "-", "|", "@", "&", ">=", "<=", ">", "<", "=", "to", "decade", "least", "most", "exact", "n"),
    *("new", "known", "like", "unlike", "id", "wish", "_", ";", "."),
)
"""All that stands outside of words; "_" is what no condition is said of, "." ends the whole."""
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


_NUMERIC = (">=", "<=", ">", "<", "=", "to", "least", "most", "exact", "n")


class Piece(NamedTuple):
    """A mark, a word of the catalog or a number; `place` is where (token number) it stands in a text that is gone through."""

    kind: Literal["mark", "word", "number"]
    text: str
    place: int = -1


Statement: TypeAlias = tuple[Piece, ...]


def mark(text: str) -> Piece:
    """A mark as a piece."""
    return Piece("mark", text)


END, STOP, NOTHING = mark(";"), mark("."), mark("_")


def to_canonical(instruction: Instruction, catalog: Catalog, *, language: str = "en") -> str:
    """An instruction in the canonical language, in the order in which its text says things."""
    evidence = Evidence.of(instruction.text, catalog, language)
    return written(statements(instruction, catalog, evidence))


def written(found: Iterable[Statement]) -> str:
    """Statements as text, those that say something."""
    return " ".join(_shown(piece) for statement in found if NOTHING not in statement for piece in statement)


def _shown(piece: Piece) -> str:
    return piece.text if piece.kind == "mark" else json.dumps(piece.text, ensure_ascii=False)


def spelled(text: str) -> list[Statement]:
    """The statements of a canonical text. Raises QueryError where one has no end, or holds what is neither mark nor word."""
    found: list[Statement] = []
    pieces: list[Piece] = []
    for part in _PIECE.findall(text):
        pieces.append(_piece(part))
        if pieces[-1] == END:
            found.append(tuple(pieces))
            pieces = []
    if pieces:
        raise QueryError(f"A statement of a canonical instruction has no end: '{written([tuple(pieces)])}'. End it with ';'.")
    return found


def _piece(part: str) -> Piece:
    if part.startswith('"'):
        try:
            return Piece("word", str(json.loads(part)))
        except ValueError as error:
            raise QueryError(f"{part} is no JSON string. Words of a canonical instruction are JSON strings.") from error
    if part not in MARKS:
        raise QueryError(f"'{part}' is no mark of a canonical instruction. Known: {' '.join(MARKS)}; words stand in quotes.")
    return mark(part)


def statements(instruction: Instruction, catalog: Catalog, evidence: Evidence) -> list[Statement]:
    """What an instruction says, one statement a condition, in the order in which the text of `evidence` says it."""
    writer = _Writer(catalog, evidence)
    found = [each for limit in instruction.limits for each in writer.limit(limit)]
    found += [writer.quota(quota) for quota in instruction.quotas]
    found += [each for kind in ("like", "unlike") for each in writer.examples(kind, getattr(instruction, kind))]
    found += [(_number(instruction.n), mark("n"), END)] if instruction.n is not None else []
    found += [writer.wish(part) for part in _wishes(instruction.wish, evidence)]
    found += [(mark(instruction.seen), END)] if instruction.seen else []
    return sorted(found, key=writer.place)


def _wishes(wish: str, evidence: Evidence) -> Sequence[str]:
    """The wish in parts of which each is a value or stands in the text, or as a whole."""
    parts, values = wish.split(", "), {ref.value for ref in evidence.values}
    split = wish not in evidence.text and all(part and (part in evidence.text or part in values) for part in parts)
    return parts if split else [wish] if wish else []


class _Writer:
    def __init__(self, catalog: Catalog, evidence: Evidence) -> None:
        self.catalog = catalog
        self.evidence = evidence

    def place(self, statement: Statement) -> float:
        """Where the text has the first words of a statement; infinity where it does not."""
        return place_of(statement[0], statement[1].text, self.evidence)

    def limit(self, limit: Limit) -> list[Statement]:
        """The statements of one limit: an exclusion has one a value."""
        if limit.operator == "exclude":
            return [(*self._values(limit.attribute, [value]), mark("-"), END) for value in limit.values]
        return [(*self._condition(limit), END)]

    def _condition(self, limit: Limit) -> Statement:
        if limit.operator == "range":
            return (*self._bounds(limit), Piece("word", limit.attribute))
        return (*self._values(limit.attribute, limit.values), mark("+" if limit.operator == "include" else "-"))

    def _values(self, attribute: str, values: Sequence[str]) -> Statement:
        listed: list[Piece] = []
        for value in sorted(values, key=lambda value: place_of(Piece("word", value), "+", self.evidence)):
            listed += [mark("|")] if listed else []
            listed.append(Piece("word", value))
        if len(attributes_of(self.catalog, values)) > 1:
            listed += [mark("@"), Piece("word", attribute)]
        return tuple(listed)

    def _bounds(self, limit: Limit) -> Statement:
        low, high, known = limit.low, limit.high, self.evidence
        if low is not None and high is not None:
            if low == high:
                return (_number(low), mark("="))
            if low in known.decades and high == low + 9:
                return (_number(low), mark("decade"))
            if low in known.numbers and high in known.numbers:
                return (_number(low), mark("to"), _number(high))
        return (*self._bound(limit.attribute, low, -1), *self._bound(limit.attribute, high, 1))

    def _bound(self, attribute: str, bound: float | None, direction: int) -> Statement:
        """A bound by the number that the text gives: itself, or the one that it lies just beyond."""
        if bound is None:
            return ()
        closed, strict = (">=", ">") if direction < 0 else ("<=", "<")
        outside, known = beyond(self.catalog, attribute, bound, direction), self.evidence.numbers
        said = outside in known if is_whole(self.catalog, attribute) else True
        if outside is not None and said and bound not in known:
            return (_number(outside), mark(strict))
        return (_number(bound), mark(closed))

    def quota(self, quota: Quota) -> Statement:
        """The statement of a quota."""
        amounts: list[Piece] = []
        if quota.at_least == quota.at_most:
            amounts = [_number(quota.at_least), mark("exact")]
        else:
            amounts += [_number(quota.at_least), mark("least")] if quota.at_least or quota.at_most is None else []
            amounts += [_number(quota.at_most), mark("most")] if quota.at_most is not None else []
        conditions: list[Piece] = []
        for limit in quota.limits:
            conditions += [mark("&")] if conditions else []
            conditions += self._condition(limit)
        return (*amounts, *conditions, END)

    def examples(self, kind: str, items: Sequence[ItemId]) -> list[Statement]:
        """One statement a title where all items of that title are meant, else one an item."""
        found: list[Statement] = []
        for title in dict.fromkeys(self.catalog.titles[self.catalog.index[item]] for item in items):
            meant = items_of(self.catalog, title)
            if title and set(meant) <= set(items):
                found.append((Piece("word", title), mark(kind), END))
            else:
                found += [(Piece("word", item), mark("id"), mark(kind), END) for item in items if item in meant]
        return found

    def wish(self, words: str) -> Statement:
        """A wish: for a value, or in its own words."""
        if any(ref.value == words for ref in self.evidence.values):
            return (Piece("word", words), mark("wish"), END)
        return (mark("wish"), Piece("word", words), END)


def place_of(piece: Piece, role: str, evidence: Evidence) -> float:
    """Where the text has a word or number first, given the mark behind it; infinity where it does not, and for marks."""
    if piece.kind == "mark":
        return math.inf
    if piece.kind == "number" or role in ("decade", *_NUMERIC):
        value = _value(piece.text)
        places = [evidence.decades.get(value, math.inf)] if role == "decade" else [evidence.numbers.get(value, math.inf)]
        return min(places)
    if role in ("like", "unlike"):
        return evidence.titles.get(piece.text, math.inf)
    return min((place for ref, place in evidence.values.items() if ref.value == piece.text), default=math.inf)


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _number(value: float) -> Piece:
    return Piece("number", str(int(value)) if float(value).is_integer() else repr(float(value)))


def attributes_of(catalog: Catalog, values: Sequence[str]) -> list[str]:
    """The label attributes that have all of these values."""
    return [name for name, labels in catalog.labels.items() if all(value in labels.index for value in values)]


def items_of(catalog: Catalog, title: str) -> tuple[ItemId, ...]:
    """The items of a title."""
    return tuple(item for item, name in zip(catalog.item_ids, catalog.titles, strict=True) if name == title)


def is_whole(catalog: Catalog, attribute: str) -> bool:
    """Whether all known numbers of an attribute are whole."""
    kept: dict[str, bool] = vars(catalog).setdefault("_whole", {})
    if attribute not in kept:
        kept[attribute] = all(math.isnan(value) or float(value).is_integer() for value in catalog.quantities[attribute].tolist())
    return kept[attribute]


def beyond(catalog: Catalog, attribute: str, bound: float, direction: int) -> float | None:
    """The number that a bound lies just inside of: 1991 is "more than 1990" where all numbers are whole."""
    if is_whole(catalog, attribute):
        return bound + direction if float(bound).is_integer() else None
    return strict_bound(bound, direction)
