"""What a canonical text means: the way back from `canonical.to_canonical`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, cast

from instructrec.core import Instruction, Quota
from instructrec.errors import QueryError, nearest
from instructrec.instructions.canonical import END, NOTHING, Piece, Statement, attributes_of, is_whole, items_of, spelled, written
from instructrec.tables import Catalog, ItemId, Limit

_BOUNDS = (">=", "<=", ">", "<", "=", "to", "decade")


def from_canonical(text: str, catalog: Catalog, *, said: str = "") -> Instruction:
    """The instruction that a canonical text means; `said` is the text it was understood from.

    Raises QueryError for what is not canonical or names what the catalog does not have.
    """
    return meaning(spelled(text), catalog, said=said)


def meaning(found: Iterable[Statement], catalog: Catalog, *, said: str = "") -> Instruction:
    """The instruction that statements mean."""
    read = _Read(catalog)
    for statement in found:
        if NOTHING not in statement:
            _Reader(statement, read).read()
    excluded = [Limit(attribute=name, operator="exclude", values=tuple(values)) for name, values in read.unwanted.items()]
    return Instruction(
        text=said,
        limits=(*dict.fromkeys(read.limits), *excluded),
        quotas=tuple(dict.fromkeys(read.quotas)),
        like=tuple(dict.fromkeys(read.like)),
        unlike=tuple(dict.fromkeys(read.unlike)),
        seen=read.seen,
        n=read.n,
        wish=", ".join(dict.fromkeys(read.wishes)),
    )


@dataclass(slots=True)
class _Read:
    """What was read so far; exclusions by attribute."""

    catalog: Catalog
    limits: list[Limit] = field(default_factory=list)
    unwanted: dict[str, dict[str, None]] = field(default_factory=dict)
    quotas: list[Quota] = field(default_factory=list)
    like: list[ItemId] = field(default_factory=list)
    unlike: list[ItemId] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)
    seen: Literal["", "new", "known"] = ""
    n: int | None = None


class _Reader:
    """Reads one statement from left to right."""

    def __init__(self, statement: Statement, into: _Read) -> None:
        self.statement = statement
        self.into = into
        self.catalog = into.catalog
        self.at = 0

    def read(self) -> None:
        if self._sees("new", "known"):
            self.into.seen = cast(Literal["new", "known"], self._next().text)
        elif self._sees("wish"):
            self._next()
            self.into.wishes.append(self._word())
        else:
            self._spoken()
        if self._next() != END:
            raise self._wrong("its end was expected sooner")

    def _spoken(self) -> None:
        """A statement that begins with words."""
        role = self._role()
        if role == "n":
            self.into.n = self._whole()
            self._next()
        elif role in ("least", "most", "exact"):
            self.into.quotas.append(self._quota())
        elif role in ("like", "unlike", "id"):
            self._example()
        elif role == "wish":
            self.into.wishes.append(self._word())
            self._next()
        else:
            self._keep(self._condition())

    def _role(self, ahead: int = 1) -> str:
        """The mark behind the next word; empty where there is none."""
        place = self.at + ahead
        behind = self.statement[place] if place < len(self.statement) else END
        return behind.text if behind.kind == "mark" else ""

    def _keep(self, limit: Limit) -> None:
        if limit.operator == "exclude":
            self.into.unwanted.setdefault(limit.attribute, {}).update(dict.fromkeys(limit.values))
        else:
            self.into.limits.append(limit)

    def _next(self) -> Piece:
        if self.at >= len(self.statement):
            raise self._wrong("it ends too soon")
        self.at += 1
        return self.statement[self.at - 1]

    def _sees(self, *texts: str) -> bool:
        piece = self.statement[self.at] if self.at < len(self.statement) else END
        return piece.kind == "mark" and piece.text in texts

    def _word(self) -> str:
        piece = self._next()
        if piece.kind == "mark":
            raise self._wrong(f"a word was expected, not {piece.text}")
        return piece.text

    def _number(self) -> float:
        word = self._word()
        try:
            value = float(word)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._wrong(f"'{word}' is no number")
        return value

    def _whole(self) -> int:
        value = self._number()
        if not value.is_integer() or value < 0:
            raise self._wrong(f"{value:g} is no number of items")
        return int(value)

    def _condition(self) -> Limit:
        if self._role() in _BOUNDS:
            return self._range()
        values = [self._word()]
        while self._sees("|"):
            self._next()
            values.append(self._word())
        attributes = attributes_of(self.catalog, values)
        if self._sees("@"):
            self._next()
            named = self._word()
            attributes = [name for name in attributes if name == named]
        if len(attributes) != 1:
            raise self._wrong(f"{' and '.join(values)} are values of {len(attributes)} attributes, and of one they should be")
        if not self._sees("+", "-"):
            raise self._wrong("'+' or '-' was expected")
        operator: Literal["include", "exclude"] = "include" if self._next().text == "+" else "exclude"
        return Limit(attribute=attributes[0], operator=operator, values=tuple(values))

    def _range(self) -> Limit:
        bounds: list[tuple[str, float]] = []
        while self._role() in _BOUNDS:
            bound = self._number()
            kind = self._next().text
            bounds.append((kind, bound))
            if kind == "to":
                bounds.append(("<=", self._number()))
        attribute = self._word()
        if attribute not in self.catalog.quantities:
            known = list(self.catalog.quantities)
            raise self._wrong(f"there are no numbers '{attribute}'; known: {', '.join(known) or 'none'}{nearest(attribute, known)}")
        low: float | None = None
        high: float | None = None
        for kind, bound in bounds:
            low = self._inside(attribute, bound, 1) if kind == ">" else bound if kind in (">=", "=", "to", "decade") else low
            high = self._inside(attribute, bound, -1) if kind == "<" else bound if kind in ("<=", "=") else high
            high = bound + 9 if kind == "decade" else high
        return Limit(attribute=attribute, operator="range", low=low, high=high)

    def _inside(self, attribute: str, bound: float, direction: int) -> float:
        """The first number beyond a bound that is not in."""
        if is_whole(self.catalog, attribute):
            return math.floor(bound) + 1.0 if direction > 0 else math.ceil(bound) - 1.0
        return math.nextafter(bound, direction * math.inf)

    def _quota(self) -> Quota:
        least, most = 0, None
        while self._role() in ("least", "most", "exact"):
            amount, kind = self._whole(), self._next().text
            least = amount if kind in ("least", "exact") else least
            most = amount if kind in ("most", "exact") else most
        limits = [self._condition()]
        while self._sees("&"):
            self._next()
            limits.append(self._condition())
        return Quota(limits=tuple(limits), at_least=least, at_most=most)

    def _example(self) -> None:
        name = self._word()
        found = list(items_of(self.catalog, name))
        if self._sees("id"):
            self._next()
            found = [name] if name in self.catalog.index else []
        if not found or not self._sees("like", "unlike"):
            raise self._wrong(f"no item is called '{name}'")
        (self.into.like if self._next().text == "like" else self.into.unlike).extend(found)

    def _wrong(self, why: str) -> QueryError:
        return QueryError(f"The canonical statement '{written([self.statement])}' has no meaning: {why}.")
