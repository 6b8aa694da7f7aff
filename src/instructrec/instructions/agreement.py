"""Two readings of one request, by rules and by a model: what holds where they agree, and the safer of two where they do not.

The rules are right in 9 of 10 sentences of which they understood every word, and in 5 to 7 of 10 of the others; the model alone is
right less often, but not in the same ones (benchmarks/understanding.py). So the rules hold, and the model fills their gaps:

- What the rules understood holds, but for inclusions that a "no" stands before and that the model excludes: an exclusion wins.
- Where the rules left words aside, a condition of the model joins if the rules speak of none of its values, attributes, titles and
  numbers, and no "no" stands before what it includes. What was seen has no words that could be looked for: the rules say it.
- Exclusions join in any case, of values that the rules do not speak of.
- A model that is not sure of itself (the note UNSURE) changes nothing, nor does it where the rules understood something that its
  grammar cannot say, but for exclusions.

Letting the model decide where both use the same words differently was tried: of 796 sentences it won 41 and lost 21; filling the
gaps won 26 and lost 3.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from instructrec.core import Instruction, Quota
from instructrec.instructions.canonical import statements
from instructrec.instructions.describing import describe, strict_bound
from instructrec.instructions.evidence import Evidence
from instructrec.instructions.grammar import Grammar, filled
from instructrec.instructions.vocabulary import Ref
from instructrec.instructions.wording import LANGUAGES
from instructrec.tables import Catalog, Limit

UNSURE = "unsure"
"""The note of a reading that its reader is not sure of; with a word behind it ("unsure:Comedy"), only of what was said of that,
and the reading does not hold it.
"""


class Reader(Protocol):
    """A model that reads requests about one catalog beside the rules, in one language."""

    language: str

    def understand(self, text: str) -> Instruction:
        """What it is sure that a text means; the note UNSURE says that it is not."""


def agree(by_rules: Instruction, by_model: Instruction, catalog: Catalog, *, language: str = "en") -> Instruction:
    """What holds of two readings of the same text. Never raises.

    Notes say what they differed in ("disagreement:Comedy"), and in words of `language` what each of them read there
    ("read_by_rules:genres: Comedy", "read_by_model:genres: not Comedy"). In a language without words the rules hold.
    """
    rules, model = _known(by_rules, catalog), _known(by_model, catalog)
    if UNSURE in model.notes or language not in LANGUAGES:
        return by_rules
    evidence = Evidence.of(by_rules.text, catalog, language)
    ours, others = _Claims.of(rules), _Claims.of(model)
    open_ = bool(by_rules.not_understood) and _can_say(rules, catalog, evidence)
    more = [claim for claim in others.all if _joins(claim, ours, evidence, only_excluded=not open_)]
    differing = [claim for claim in others.all if claim in more or (_touching(claim, ours) and not _is_in(claim, ours))]
    notes = (*rules.notes, *_told(differing, ours, catalog, language))
    kept = _without_excluded([*ours.all, *more])
    return _put_together(rules, kept, wish=rules.wish or (model.wish if open_ else ""), notes=notes)


def _told(differing: Sequence[_Claim], ours: _Claims, catalog: Catalog, language: str) -> list[str]:
    """The notes on conditions of the model that the rules read otherwise, or not at all."""
    if not differing:
        return []
    touched = [claim for claim in ours.all if _touching(claim, _Claims(tuple(differing)))]
    read = (("rules", touched), ("model", differing))
    said = [f"read_by_{who}:{_in_words(claims, catalog, language) or 'nothing'}" for who, claims in read]
    return [*(f"disagreement:{claim.name}" for claim in differing), *said]


def _in_words(claims: Sequence[_Claim], catalog: Catalog, language: str) -> str:
    seen = [claim.is_ for claim in claims if claim.kind == "seen"]
    nothing = Instruction(text="", seen="new" if "new" in seen else "known" if seen else "")
    return describe(_put_together(nothing, claims, wish="", notes=()), language, catalog=catalog)


def _is_in(claim: _Claim, claims: _Claims) -> bool:
    return any((claim.kind, claim.is_) == (other.kind, other.is_) for other in claims.all)


def _touching(claim: _Claim, claims: _Claims) -> bool:
    """Whether the other reading speaks of the same words or numbers."""
    return any(claim.words & other.words or claim.numbers & other.numbers for other in claims.all)


def _joins(claim: _Claim, rules: _Claims, evidence: Evidence, *, only_excluded: bool) -> bool:
    """Whether a condition of the model joins those of the rules."""
    if claim.kind == "seen" or _is_in(claim, rules):
        return False
    touching, negated = _touching(claim, rules), _is_negated(claim, evidence)
    if claim.kind == "exclude":
        # Words that the rules want are excluded only where a "no" stands before them.
        return not touching or (negated and not only_excluded)
    return not touching and not only_excluded and not (claim.kind == "include" and negated)


def _known(instruction: Instruction, catalog: Catalog) -> Instruction:
    """Only what the catalog has."""
    limits = tuple(limit for limit in instruction.limits if _is_known(limit, catalog))
    quotas = tuple(quota for quota in instruction.quotas if all(_is_known(limit, catalog) for limit in quota.limits))
    like, unlike = (tuple(item for item in items if item in catalog.index) for items in (instruction.like, instruction.unlike))
    return replace(instruction, limits=limits, quotas=quotas, like=like, unlike=unlike)


def _is_known(limit: Limit, catalog: Catalog) -> bool:
    if limit.operator == "range":
        return limit.attribute in catalog.quantities
    labels = catalog.labels.get(limit.attribute)
    return bool(limit.values) and labels is not None and all(value in labels.index for value in limit.values)


def _can_say(rules: Instruction, catalog: Catalog, evidence: Evidence) -> bool:
    """Whether the grammar of the text has words for all that the rules understood."""
    return filled(Grammar(evidence, catalog), statements(replace(rules, wish=""), catalog, evidence)) is not None


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


def _plain(quota: Quota) -> Quota:
    limits = [replace(limit, values=tuple(sorted(limit.values))) for limit in quota.limits]
    return replace(quota, limits=tuple(sorted(limits, key=repr)))


def _words(limit: Limit) -> Iterable[Hashable]:
    return [limit.attribute] if limit.operator == "range" else [Ref(limit.attribute, value) for value in limit.values]


def _is_negated(claim: _Claim, evidence: Evidence) -> bool:
    """Whether a "no" stands before the words of a condition."""
    return any(place in evidence.negated for ref, place in evidence.values.items() if ref in claim.words)


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


def _put_together(whole: Instruction, kept: Sequence[_Claim], *, wish: str, notes: Iterable[str]) -> Instruction:
    limits = _gathered([limit for claim in kept if claim.kind in ("include", "exclude", "range") for limit in claim.limits])
    return replace(
        whole,
        limits=limits,
        quotas=tuple(dict.fromkeys(claim.is_ for claim in kept if isinstance(claim.is_, Quota))),
        like=_items(kept, "like"),
        unlike=_items(kept, "unlike"),
        n=next((claim.is_ for claim in kept if isinstance(claim.is_, int)), None),
        wish=wish,
        notes=tuple(dict.fromkeys(notes)),
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
