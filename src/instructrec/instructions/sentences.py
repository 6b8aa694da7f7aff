"""Sentences that ask for something, written from conditions that are known: what understanding is tuned on and measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from instructrec.core import Instruction
from instructrec.instructions.clauses import Clause, ClauseWriter, limited, phrasings
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Limit

__all__ = ["Clause", "Sentence", "SentenceWriter", "hard_part", "limited", "phrasings", "together"]

_WEIGHTS = {
    "include": 6,
    "either": 2,
    "exclude": 5,
    "exclude_two": 1.5,
    "years": 5,
    "number": 4,
    "quota": 3,
    "quota_before": 0.7,
    "count": 3,
    "seen": 2,
    "like": 2,
    "unlike": 1.2,
    "soft": 2,
    "mood": 1.5,
}
"""How often a condition is drawn, in proportion."""
_APART = frozenset({"exclude", "exclude_two", "unlike", "quota_least", "quota_most", "quota_exact", "quota_before", "soft"})
"""Kinds of clauses that do not go on from "I want"."""
_BESIDE = frozenset({"decade", "before", "after", "since", "until", "between", "exactly", "new", "known", "like"})
"""Kinds of clauses that can stand beside a noun without a comma."""
_REACHING = frozenset(
    {
        "include",
        "noun",
        "count_noun",
        "either",
        "exclude",
        "exclude_two",
        "soft",
        "unlike",
        "quota_least",
        "quota_most",
        "quota_exact",
        "new",
        "mood",
    }
)
"""Kinds of clauses that could take in a name behind them ("no war and comedy"): a name then begins a sentence or a part of one."""
_COUNTING = frozenset({"count_noun", "quota_least", "quota_most", "quota_exact"})
"""Kinds of clauses that could count the noun behind them ("two comedies, a western")."""
_WANTED = frozenset({"include", "noun", "count_noun", "either"})
"""Kinds of clauses that a wish or a choice could take in ("ideally war and some drama")."""
_YEARS = ("years", "quota_before")
_ONCE = ("count", "seen", "either", "mood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A request in words, and what it means; `truth.text` is the request itself."""

    text: str
    truth: Instruction


@dataclass(slots=True)
class _Drawn:
    """What a sentence speaks of already, so that no two of its conditions clash: values, attributes, titles, and its length."""

    item: int
    values: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    titles: set[int] = field(default_factory=set)
    kinds: list[str] = field(default_factory=list)
    n: int = 10


class SentenceWriter(ClauseWriter):
    """Draws conditions on one catalog and writes sentences about them.

    `held_out`: only phrasings that tuning never sees, for openings, clauses and endings alike.
    """

    def write(self, clauses: Sequence[Clause], rng: np.random.Generator) -> Sentence:
        """One sentence of these clauses, in their order."""
        first = clauses[0].kind if clauses else ""
        text = self._pick("opening_apart" if first in _APART or rng.random() < 0.15 else "opening", rng)
        for place, clause in enumerate(clauses):
            text += (self._join(clauses[place - 1], clause, rng) if place else "") + clause.text
        text = (text + self._pick("ending", rng)).strip()
        return Sentence(text=text, truth=together(text, [clause.means for clause in clauses]))

    def _pick(self, kind: str, rng: np.random.Generator) -> str:
        return self.forms[kind][int(rng.integers(len(self.forms[kind])))]

    def _join(self, left: Clause, right: Clause, rng: np.random.Generator) -> str:
        noun, other = (right, left) if self.words["adjectives_first"] else (left, right)
        if noun.kind in ("noun", "count_noun") and self._stands_beside(other):
            return self._pick("close", rng)
        taken = right.bare and left.kind in _REACHING
        counted = right.kind in ("noun", "either") and left.kind in _COUNTING
        counted = counted or (right.kind == "count_noun" and left.kind == "noun")
        wished = right.kind in _WANTED and left.kind in ("soft", "either")
        return self._pick("joins_apart" if taken or counted or wished else "joins", rng)

    def _stands_beside(self, clause: Clause) -> bool:
        """Whether it can stand beside a noun; an order cannot ("don't show me what I've seen")."""
        return clause.kind in _BESIDE and not any(order in clause.text for order in self.words["orders"])

    def draw(self, rng: np.random.Generator, size: int) -> Sentence:
        """A sentence of `size` conditions that go together, of whatever kinds the catalog allows; fewer where it allows no more."""
        drawn = _Drawn(item=int(rng.integers(len(self.catalog))))
        clauses: list[Clause] = []
        for _ in range(4 * size):
            if len(clauses) == size:
                break
            kind = self._kind(drawn, rng)
            clause = self._clause(kind, drawn, rng) if kind else None
            if clause is not None:
                clauses.append(clause)
                drawn.kinds.append(kind)
        return self.write(self._arranged(clauses, rng), rng)

    def _kind(self, drawn: _Drawn, rng: np.random.Generator) -> str:
        """The kind of the next condition; empty where none is left."""
        free = [kind for kind in _WEIGHTS if self._is_free(kind, drawn)]
        if not free:
            return ""
        weights = np.array([_WEIGHTS[kind] for kind in free])
        return free[int(rng.choice(len(free), p=weights / weights.sum()))]

    def _is_free(self, kind: str, drawn: _Drawn) -> bool:
        if kind in _YEARS:
            return self.year is not None and not set(_YEARS) & set(drawn.kinds)
        if kind in ("like", "unlike"):
            return bool(self.titles)
        return kind not in drawn.kinds if kind in _ONCE else drawn.kinds.count(kind) < 2

    def _clause(self, kind: str, drawn: _Drawn, rng: np.random.Generator) -> Clause | None:
        """A clause of a kind that does not clash with what was drawn; none where the catalog has no more for it."""
        if kind == "count":
            # Quotas were drawn for lists of five and more.
            drawn.n = int(rng.integers(5 if "quota" in drawn.kinds else 1, 21))
            return self.count(drawn.n, rng)
        if kind == "seen":
            return self.seen("new" if rng.random() < 0.6 else "known", rng)
        if kind == "mood":
            return self.mood(rng)
        if kind in ("like", "unlike"):
            return self._example(drawn, rng, wanted=kind == "like")
        if kind in ("years", "quota_before", "number"):
            return self._bounds(kind, drawn, rng)
        return self._labelled(kind, drawn, rng)

    def _labelled(self, kind: str, drawn: _Drawn, rng: np.random.Generator) -> Clause | None:
        wanted = kind in ("include", "either")
        two = kind in ("either", "exclude_two")
        first = self._value(drawn, rng, wanted=wanted)
        if first is None:
            return None
        drawn.values.add(first.value)
        second = self._value(drawn, rng, attribute=first.attribute) if two else None
        if two and second is None:
            return None
        drawn.values |= {second.value} if second else set()
        if kind == "include":
            return self.include(first, rng, kind="noun" if rng.random() < 0.5 else "include")
        if kind == "either":
            assert second is not None
            return self.either(first, second, rng)
        if kind == "soft":
            return self.soft(first, rng)
        if kind == "quota":
            count = int(rng.integers(1, min(drawn.n, 5) + 1))
            return self.quota(first, count, str(rng.choice(["least", "most", "exact"])), rng)
        return self.exclude([first, second] if second else [first], rng)

    def _value(self, drawn: _Drawn, rng: np.random.Generator, *, attribute: str = "", wanted: bool = False) -> Ref | None:
        """A value that was not spoken of, if there is one: mostly of the item that the sentence is about where it is wanted."""
        free = [ref for ref in self.values if ref.value not in drawn.values and attribute in ("", ref.attribute)]
        own = [ref for ref in free if ref.value in self.catalog.labels[ref.attribute].of(drawn.item)]
        if wanted and own and rng.random() < 0.7:
            free = own
        elif not wanted:
            free = [ref for ref in free if ref not in own] or free
        return free[int(rng.integers(len(free)))] if free else None

    def _bounds(self, kind: str, drawn: _Drawn, rng: np.random.Generator) -> Clause | None:
        names = [name for name in self.catalog.quantities if name != self.year and self.can_say(name) and name not in drawn.numbers]
        if kind == "number" and not names:
            return None
        attribute = names[int(rng.integers(len(names)))] if kind == "number" else str(self.year)
        values = self.catalog.quantities[attribute]
        known = values[np.isfinite(values)]
        around = (
            values[drawn.item] if np.isfinite(values[drawn.item]) else known[int(rng.integers(len(known)))] if len(known) else 0
        )
        drawn.numbers.add(attribute)
        if kind == "number":
            return self.number(attribute, float(around), rng) if len(known) else None
        if kind == "years":
            return self.years(int(around), rng)
        return self.quota_before(int(around), int(rng.integers(1, 5)), rng)

    def _example(self, drawn: _Drawn, rng: np.random.Generator, *, wanted: bool) -> Clause | None:
        codes = [code for code in self.titles if code not in drawn.titles]
        item = codes[int(rng.integers(len(codes)))] if codes else None
        if item is None:
            return None
        drawn.titles |= {code for code in codes if self.titles[code] == self.titles[item]}
        return self.example(item, wanted=wanted, rng=rng)

    def _arranged(self, clauses: list[Clause], rng: np.random.Generator) -> list[Clause]:
        """In any order; but a noun takes what can stand beside it."""
        order = [clauses[int(place)] for place in rng.permutation(len(clauses))]
        noun = next((clause for clause in order if clause.kind == "noun"), None)
        beside = next((clause for clause in order if self._stands_beside(clause)), None)
        if noun is None:
            return order
        count = next((clause for clause in order if clause.kind == "count"), None)
        rest = [clause for clause in order if clause not in (noun, beside)]
        # "One comedy" only says that it is a comedy.
        if count is not None and (count.means.n or 0) > 1 and rng.random() < 0.7:
            limit = noun.means.limits[0]
            noun = self.counted(Ref(limit.attribute, limit.values[0]), int(count.means.n or 1), rng)
            rest.remove(count)
        pair = [noun] if beside is None else [beside, noun] if self.words["adjectives_first"] else [noun, beside]
        place = int(rng.integers(len(rest) + 1)) if rng.random() < 0.3 else 0
        return [*rest[:place], *pair, *rest[place:]]


def together(text: str, parts: Sequence[Instruction]) -> Instruction:
    """What several conditions mean at once: exclusions of one attribute are one limit."""
    limits: list[Limit] = []
    unwanted: dict[str, dict[str, None]] = {}
    for limit in (limit for part in parts for limit in part.limits):
        if limit.operator == "exclude":
            unwanted.setdefault(limit.attribute, {}).update(dict.fromkeys(limit.values))
        else:
            limits.append(limit)
    limits += [Limit(attribute=name, operator="exclude", values=tuple(values)) for name, values in unwanted.items()]
    return Instruction(
        text=text,
        limits=tuple(limits),
        quotas=tuple(quota for part in parts for quota in part.quotas),
        like=tuple(item for part in parts for item in part.like),
        unlike=tuple(item for part in parts for item in part.unlike),
        seen=next((part.seen for part in parts if part.seen), ""),
        n=next((part.n for part in parts if part.n), None),
        wish=", ".join(part.wish for part in parts if part.wish),
    )


def hard_part(instruction: Instruction) -> tuple[object, ...]:
    """What must hold, in a form that compares equal whatever the order."""
    return (
        frozenset(replace(limit, values=tuple(sorted(limit.values))) for limit in instruction.limits),
        frozenset(
            replace(
                quota,
                limits=tuple(sorted((replace(limit, values=tuple(sorted(limit.values))) for limit in quota.limits), key=repr)),
            )
            for quota in instruction.quotas
        ),
        frozenset(instruction.like),
        frozenset(instruction.unlike),
        instruction.seen,
        instruction.n,
    )
