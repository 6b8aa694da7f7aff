"""Two readings of one request, by rules and by a model: what holds where they agree, and the safer of two where they do not.

The model gives way as a whole where it is not sure of itself at all (the note UNSURE). It gives way, but for exclusions of what the
rules do not speak of, where the rules understood every word (they are right in 9 of 10 such sentences, and in 6 of 10 of the
others: benchmarks/understanding.py), or something that the grammar of the model cannot say. Otherwise, condition by condition:

- What both say holds. What either excludes stays out, and wins over whatever wants it.
- What only one of them speaks of holds where its words stand in the text and no "no" stands before them.
- Where both use the same value, title or attribute, but differently, the model's use holds: it read the sentence as a whole.
- What a number counts (items, years, a price), the rules know better: they found the word that says so. Only a number that they
  took for itself, for want of such a word, is free.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from instructrec.core import Instruction, Quota
from instructrec.instructions.canonical import statements
from instructrec.instructions.describing import strict_bound
from instructrec.instructions.evidence import Evidence
from instructrec.instructions.grammar import Grammar, filled
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import Catalog, Limit

UNSURE = "unsure"
"""The note of a reading that its reader is not sure of; with a word behind it ("unsure:Comedy"), only of what was said of that,
and the reading does not hold it.
"""


def agree(by_rules: Instruction, by_model: Instruction, catalog: Catalog, *, language: str = "en") -> Instruction:
    """What holds of two readings of the same text. Never raises; notes ("disagreement:Comedy") say what they differed in."""
    rules, model = _known(by_rules, catalog), _known(by_model, catalog)
    if UNSURE in model.notes:
        return by_rules
    evidence = Evidence.of(by_rules.text, catalog, language)
    if not by_rules.not_understood or not _can_say(rules, catalog, evidence):
        return _with_exclusions(rules, model)
    return _settled(by_rules, _Claims.of(rules), _Claims.of(model), model, evidence)


def _known(instruction: Instruction, catalog: Catalog) -> Instruction:
    """Only what the catalog has."""
    limits = tuple(limit for limit in instruction.limits if _is_known(limit, catalog))
    quotas = tuple(quota for quota in instruction.quotas if all(_is_known(limit, catalog) for limit in quota.limits))
    like, unlike = (tuple(item for item in items if item in catalog.index) for items in (instruction.like, instruction.unlike))
    return replace(instruction, limits=limits, quotas=quotas, like=like, unlike=unlike)


def _is_known(limit: Limit, catalog: Catalog) -> bool:
    if limit.operator == "range":
        return limit.attribute in catalog.numbers
    labels = catalog.labels.get(limit.attribute)
    return bool(limit.values) and labels is not None and all(value in labels.index for value in limit.values)


def _can_say(rules: Instruction, catalog: Catalog, evidence: Evidence) -> bool:
    """Whether the grammar of the text has words for all that the rules understood."""
    return filled(Grammar(evidence, catalog), statements(replace(rules, wish=""), catalog, evidence)) is not None


def _with_exclusions(rules: Instruction, model: Instruction) -> Instruction:
    """The reading of the rules, and what the model excludes of that of which the rules say nothing."""
    spoken = {word for claim in _Claims.of(rules).all for word in claim.words}
    more = [claim for claim in _Claims.of(model).excluded if not claim.words & spoken]
    if not more:
        return rules
    limits = (*rules.limits, *(limit for claim in more for limit in claim.limits))
    return replace(rules, limits=_gathered(limits), notes=_noted(rules.notes, more))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """One condition: its kind, the words it uses (values, attributes of numbers, numbers of items, titles), and what it is."""

    kind: Literal["include", "exclude", "range", "quota", "like", "unlike", "seen", "n"]
    words: frozenset[Hashable]
    is_: Limit | Quota | str | int
    limits: tuple[Limit, ...] = ()
    numbers: frozenset[float] = frozenset()

    @property
    def name(self) -> str:
        """What a note calls it."""
        return next((limit.values[0] if limit.values else limit.attribute for limit in self.limits), self.kind)


@dataclass(frozen=True, slots=True)
class _Claims:
    all: tuple[_Claim, ...]

    @property
    def excluded(self) -> tuple[_Claim, ...]:
        return tuple(claim for claim in self.all if claim.kind == "exclude")

    @staticmethod
    def of(instruction: Instruction) -> _Claims:
        """The conditions of an instruction; exclusions and examples one by one."""
        found: list[_Claim] = []
        for limit in instruction.limits:
            if limit.operator == "exclude":
                found += [_claim("exclude", replace(limit, values=(value,))) for value in limit.values]
            else:
                found.append(_claim(limit.operator, limit))
        for quota in instruction.quotas:
            words = frozenset(word for limit in quota.limits for word in _words(limit))
            numbers = frozenset(float(count) for count in (quota.at_least, quota.at_most) if count).union(
                *map(_numbers, quota.limits)
            )
            found.append(_Claim(kind="quota", words=words, is_=_plain(quota), limits=quota.limits, numbers=numbers))
        found += [_Claim(kind="like", words=frozenset([("item", item)]), is_=item) for item in instruction.like]
        found += [_Claim(kind="unlike", words=frozenset([("item", item)]), is_=item) for item in instruction.unlike]
        if instruction.seen:
            found.append(_Claim(kind="seen", words=frozenset(["seen"]), is_=instruction.seen))
        if instruction.n is not None:
            found.append(_Claim(kind="n", words=frozenset(["n"]), is_=instruction.n, numbers=frozenset([float(instruction.n)])))
        return _Claims(tuple(found))


def _claim(kind: Literal["include", "exclude", "range"], limit: Limit) -> _Claim:
    sorted_ = replace(limit, values=tuple(sorted(limit.values)))
    return _Claim(kind=kind, words=frozenset(_words(limit)), is_=sorted_, limits=(limit,), numbers=_numbers(limit))


def _numbers(limit: Limit) -> frozenset[float]:
    """The numbers that a text can have given for the bounds of a limit: themselves, and those just outside."""
    found: set[float] = set()
    for bound, direction in ((limit.low, -1), (limit.high, 1)):
        if bound is not None:
            outside = strict_bound(bound, direction)
            found |= {bound, bound + direction} | ({outside} if outside is not None else set())
    return frozenset(found)


def _is_bare(claim: _Claim) -> bool:
    """Whether it is a number taken for itself."""
    return claim.kind == "range" and claim.limits[0].low == claim.limits[0].high


def _is_taken(claim: _Claim, rules: _Claims) -> bool:
    """Whether the rules know better what the numbers of a claim of the model count."""
    others = [other for other in rules.all if claim.numbers & other.numbers and not _is_bare(other)]
    return any(claim.kind != other.kind or not claim.words & other.words for other in others)


def _plain(quota: Quota) -> Quota:
    limits = [replace(limit, values=tuple(sorted(limit.values))) for limit in quota.limits]
    return replace(quota, limits=tuple(sorted(limits, key=repr)))


def _words(limit: Limit) -> Iterable[Hashable]:
    return [limit.attribute] if limit.operator == "range" else [Ref(limit.attribute, value) for value in limit.values]


def _settled(whole: Instruction, rules: _Claims, model: _Claims, model_read: Instruction, evidence: Evidence) -> Instruction:
    """The conditions that hold, put together."""
    same = {(claim.kind, claim.is_) for claim in rules.all} & {(claim.kind, claim.is_) for claim in model.all}
    wished = {ref for ref in evidence.values if ref.value in model_read.wish.split(", ")}
    taken = [claim for claim in model.all if _is_taken(claim, rules)]
    said = [claim for claim in model.all if claim not in taken]
    used = {word for claim in said for word in claim.words} | wished
    bare = frozenset[float]().union(*(claim.numbers for claim in said if claim.kind in ("n", "quota")))
    kept: list[_Claim] = []
    differing: list[_Claim] = []
    for claim in rules.all:
        agreed = (claim.kind, claim.is_) in same
        counted = _is_bare(claim) and bool(claim.numbers & bare)
        if agreed or claim.kind == "exclude" or not (claim.words & used or counted):
            kept.append(claim)
        differing += [] if agreed else [claim]
    for claim in model.all:
        if (claim.kind, claim.is_) not in same:
            differing.append(claim)
            if not _is_negated(claim, evidence) and claim not in taken:
                kept.append(claim)
    return _put_together(whole, _without_excluded(kept), model_read, differing)


def _is_negated(claim: _Claim, evidence: Evidence) -> bool:
    """Whether a "no" stands before the words of something that is said to be wanted."""
    places = [place for ref, place in evidence.values.items() if ref in claim.words]
    return claim.kind == "include" and any(place in evidence.negated for place in places)


def _without_excluded(claims: Sequence[_Claim]) -> list[_Claim]:
    """Exclusions win: over the value itself, and over quotas of it."""
    banned = {word for claim in claims if claim.kind == "exclude" for word in claim.words}
    kept: list[_Claim] = []
    for claim in claims:
        if claim.kind == "include" and claim.words & banned:
            (limit,) = claim.limits
            values = tuple(value for value in limit.values if Ref(limit.attribute, value) not in banned)
            kept += [_claim("include", replace(limit, values=values))] if values else []
        elif claim.kind != "quota" or not claim.words & banned:
            kept.append(claim)
    unwanted = {claim.is_ for claim in kept if claim.kind == "unlike"}
    return [claim for claim in kept if claim.kind != "like" or claim.is_ not in unwanted]


def _put_together(whole: Instruction, kept: Sequence[_Claim], model: Instruction, differing: Sequence[_Claim]) -> Instruction:
    limits = _gathered([limit for claim in kept if claim.kind in ("include", "exclude", "range") for limit in claim.limits])
    seen = [claim.is_ for claim in kept if claim.kind == "seen"]
    return replace(
        whole,
        limits=limits,
        quotas=tuple(dict.fromkeys(claim.is_ for claim in kept if isinstance(claim.is_, Quota))),
        like=_items(kept, "like"),
        unlike=_items(kept, "unlike"),
        seen="" if not seen else "new" if seen[0] == "new" else "known",
        n=next((claim.is_ for claim in kept if isinstance(claim.is_, int)), None),
        wish=whole.wish or model.wish,
        notes=_noted(whole.notes, differing),
    )


def _items(kept: Sequence[_Claim], kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(claim.is_ for claim in kept if claim.kind == kind and isinstance(claim.is_, str)))


def _gathered(limits: Iterable[Limit]) -> tuple[Limit, ...]:
    """Limits in order, exclusions of an attribute in one, none twice."""
    found: list[Limit] = []
    places: dict[str, int] = {}
    for limit in limits:
        if limit.operator == "exclude" and limit.attribute in places:
            place = places[limit.attribute]
            found[place] = replace(limit, values=tuple(dict.fromkeys((*found[place].values, *limit.values))))
        elif limit not in found:
            if limit.operator == "exclude":
                places[limit.attribute] = len(found)
            found.append(limit)
    return tuple(found)


def _noted(notes: Iterable[str], differing: Iterable[_Claim]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*notes, *(f"disagreement:{claim.name}" for claim in differing)]))
