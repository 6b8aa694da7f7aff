"""Instructions as a short text that has one meaning: one statement a condition, each begun by a mark and ended by ";".

    + "Comedy" | "Drama" ;              one of these values; + "English" @ "language" where two attributes have the value
    - "Horror" ;                        not this value
    # "year" >= "1990" ;                also > <= < =, from "1990" to "1995", decade "1990", and > "3" < "5"
    least "2" of + "Comedy" & # "year" < "1980" ;       also most, exact, and least "2" most "4" of
    n "5" ;   new ;   known ;   like "Static" ;   unlike "Brine" ;   like @ "17" ;   wish "something light" ;

Words are JSON strings, so that nothing in a catalog or a text can be taken for a mark.
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
    *("+", "-", "|", "@", "&", "#", ">=", "<=", ">", "<", "=", "from", "to", "decade", "least", "most", "exact", "of", "n"),
    *("new", "known", "like", "unlike", "wish", ";", "."),
)
"""All that stands outside of words; "." ends the whole."""
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')


class Piece(NamedTuple):
    """A mark, a word of the catalog, a number, or a word of the text at a place (token number)."""

    kind: Literal["mark", "word", "number", "copy"]
    text: str
    place: int = -1


Statement: TypeAlias = tuple[Piece, ...]


def mark(text: str) -> Piece:
    """A mark as a piece."""
    return Piece("mark", text)


END, STOP = mark(";"), mark(".")


def to_canonical(instruction: Instruction, catalog: Catalog, *, language: str = "en") -> str:
    """An instruction in the canonical language, in the order in which its text says things."""
    evidence = Evidence.of(instruction.text, catalog, language)
    return written(statements(instruction, catalog, evidence), evidence)


def written(found: Iterable[Statement], evidence: Evidence | None = None) -> str:
    """Statements as text; words that were copied from the text of `evidence` are one word."""
    return " ".join(_shown(piece) for statement in found for piece in _joined(statement, evidence))


def _joined(statement: Statement, evidence: Evidence | None) -> Statement:
    if evidence is None or len(statement) < 3 or statement[1].kind != "copy":
        return statement
    copied = [piece.place for piece in statement if piece.kind == "copy"]
    return (statement[0], Piece("word", evidence.said(copied[0], copied[-1] + 1)), *statement[1 + len(copied) :])


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
    found = [(writer.place_of(limit), each) for limit in instruction.limits for each in writer.limit(limit)]
    found += [(writer.place_of(*quota.limits) - 0.5, writer.quota(quota)) for quota in instruction.quotas]
    for kind, items in (("like", instruction.like), ("unlike", instruction.unlike)):
        found += writer.examples(kind, items)
    if instruction.n is not None:
        found.append((evidence.numbers.get(float(instruction.n), math.inf), (mark("n"), _number(instruction.n), END)))
    if instruction.seen:
        found.append((math.inf, (mark(instruction.seen), END)))
    found += [writer.wish(part) for part in _wishes(instruction.wish, evidence)]
    return [statement for _, statement in sorted(found, key=lambda entry: entry[0])]


def _wishes(wish: str, evidence: Evidence) -> Sequence[str]:
    """The wish in parts that stand in the text, or as a whole."""
    parts = wish.split(", ")
    split = wish not in evidence.text and all(part and part in evidence.text for part in parts)
    return parts if split else [wish] if wish else []


class _Writer:
    def __init__(self, catalog: Catalog, evidence: Evidence) -> None:
        self.catalog = catalog
        self.evidence = evidence

    def place_of(self, *limits: Limit) -> float:
        """Where the text speaks of one of these limits first; infinity where it does not say."""
        known = self.evidence
        places: list[float] = [place for limit in limits for ref, place in known.values.items() if _names(limit, ref)]
        for bound in (bound for limit in limits for bound in (limit.low, limit.high) if bound is not None):
            near = (bound, bound - 1, bound + 1, strict_bound(bound, -1), strict_bound(bound, 1))
            places += [known.numbers[number] for number in near if number is not None and number in known.numbers]
            places += [known.decades[bound]] if bound in known.decades else []
        return min(places, default=math.inf)

    def limit(self, limit: Limit) -> list[Statement]:
        """The statements of one limit: an exclusion has one a value."""
        if limit.operator == "exclude":
            return [(mark("-"), *self._values(limit.attribute, [value]), END) for value in limit.values]
        return [(*self._condition(limit), END)]

    def _condition(self, limit: Limit) -> Statement:
        if limit.operator == "include":
            return (mark("+"), *self._values(limit.attribute, limit.values))
        if limit.operator == "exclude":
            return (mark("-"), *self._values(limit.attribute, limit.values))
        return (mark("#"), Piece("word", limit.attribute), *self._bounds(limit))

    def _values(self, attribute: str, values: Sequence[str]) -> Statement:
        listed: list[Piece] = []
        for value in values:
            listed += [mark("|")] if listed else []
            listed.append(Piece("word", value))
        if len(attributes_of(self.catalog, values)) > 1:
            listed += [mark("@"), Piece("word", attribute)]
        return tuple(listed)

    def _bounds(self, limit: Limit) -> Statement:
        low, high, known = limit.low, limit.high, self.evidence
        if low is None or high is None:
            return (*self._bound(limit.attribute, low, -1), *self._bound(limit.attribute, high, 1))
        if low == high:
            return (mark("="), _number(low))
        if low in known.decades and high == low + 9:
            return (mark("decade"), _number(low))
        if low in known.numbers and high in known.numbers:
            return (mark("from"), _number(low), mark("to"), _number(high))
        return (*self._bound(limit.attribute, low, -1), *self._bound(limit.attribute, high, 1))

    def _bound(self, attribute: str, bound: float | None, direction: int) -> Statement:
        """A bound by the number that the text gives: itself, or the one that it lies just beyond."""
        if bound is None:
            return ()
        closed, strict = (">=", ">") if direction < 0 else ("<=", "<")
        outside, known = beyond(self.catalog, attribute, bound, direction), self.evidence.numbers
        said = outside in known if is_whole(self.catalog, attribute) else True
        if outside is not None and said and bound not in known:
            return (mark(strict), _number(outside))
        return (mark(closed), _number(bound))

    def quota(self, quota: Quota) -> Statement:
        """The statement of a quota."""
        amounts: list[Piece] = []
        if quota.at_least == quota.at_most:
            amounts = [mark("exact"), _number(quota.at_least)]
        else:
            amounts += [mark("least"), _number(quota.at_least)] if quota.at_least or quota.at_most is None else []
            amounts += [mark("most"), _number(quota.at_most)] if quota.at_most is not None else []
        conditions: list[Piece] = []
        for limit in quota.limits:
            conditions += [mark("&")] if conditions else []
            conditions += self._condition(limit)
        return (*amounts, mark("of"), *conditions, END)

    def examples(self, kind: str, items: Sequence[ItemId]) -> list[tuple[float, Statement]]:
        """One statement a title where all items of that title are meant, else one an item."""
        found: list[tuple[float, Statement]] = []
        titles = dict.fromkeys(self.catalog.titles[self.catalog.index[item]] for item in items)
        for title in titles:
            meant = items_of(self.catalog, title)
            place = self.evidence.titles.get(title, math.inf)
            if title and set(meant) <= set(items):
                found.append((place, (mark(kind), Piece("word", title), END)))
            else:
                some = [item for item in items if item in meant]
                found += [(place, (mark(kind), mark("@"), Piece("word", item), END)) for item in some]
        return found

    def wish(self, words: str) -> tuple[float, Statement]:
        """A wish: word by word where it stands in the text, else as a whole."""
        start = self.evidence.text.find(words)
        inside = [k for k, token in enumerate(self.evidence.tokens) if start <= token.start and token.end <= start + len(words)]
        if start < 0 or not inside or self.evidence.said(inside[0], inside[-1] + 1) != words:
            return math.inf, (mark("wish"), Piece("word", words), END)
        copied = [Piece("copy", self.evidence.tokens[k].text, k) for k in inside]
        return inside[0], (mark("wish"), *copied, END)


def _names(limit: Limit, ref: tuple[str, str]) -> bool:
    return ref[0] == limit.attribute and ref[1] in limit.values


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
        kept[attribute] = all(math.isnan(value) or float(value).is_integer() for value in catalog.numbers[attribute].tolist())
    return kept[attribute]


def beyond(catalog: Catalog, attribute: str, bound: float, direction: int) -> float | None:
    """The number that a bound lies just inside of: 1991 is "more than 1990" where all numbers are whole."""
    if is_whole(catalog, attribute):
        return bound + direction if float(bound).is_integer() else None
    return strict_bound(bound, direction)
