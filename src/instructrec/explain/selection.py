"""Choose the two or three pieces of evidence that say most: one fact of the item, one link to the history or to the words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import zip_longest

from instructrec.core import Evidence, EvidenceKind
from instructrec.explain.facts import Facts, display_name
from instructrec.instructions.reading.marks import Mark
from instructrec.instructions.vocabulary import Ref
from instructrec.tables import ItemId, Limit

NAMED = 3
"""History items that are named, at most."""
_WORTH_NAMING = 0.2
"""A further history item is named when it has at least this part of the strongest one's effect."""
_WORTH_A_CAVEAT = 0.5
"""A history item speaks against an item when it takes at least this part of what the strongest one gives."""


def select(facts: Facts, max_evidence: int = 3, *, named: int = NAMED) -> tuple[Evidence, ...]:
    """The pieces of evidence to speak of, in the order in which they are said; history items together are one piece,
    and how well the item fits comes with them. `named`: history items that are named, at most.

    Only facts with a positive or no effect are chosen.
    """
    asked = [[entry] for entry in (*_limits(facts), *_wishes(facts))]
    past = list(_history(facts))[:named]
    said = {(entry.attribute, entry.value) for entries in asked[:1] for entry in entries}
    own = [[entry] for entry in _attributes(facts) if (entry.attribute, entry.value) not in said]
    crowd = [] if past and own and max_evidence <= 3 else [[entry] for entry in _popularity(facts)]
    ranked: list[list[Evidence]] = []
    for entries in zip_longest(asked[:3], [past] if past else [], own[:1], crowd):
        ranked.extend(entry for entry in entries if entry is not None)
    ranked.extend([entry] for entry in _source(facts))
    kept = [entry for piece in ranked[: max(1, max_evidence)] for entry in piece]
    if kept:
        kept.append(Evidence(kind="rank", weight=0.0, value=str(facts.rank)))
    order = ("instruction", "history", "attribute", "source", "popularity", "rank")
    return tuple(sorted(kept, key=lambda entry: order.index(entry.kind)))


def against(facts: Facts) -> Evidence | None:
    """What speaks against the item most: a value that the user rates low, a history item that takes from its score, or else what
    most reviewers criticise.
    """
    for ref, gap in facts.rated_low().items():
        return Evidence(kind="attribute", weight=gap, attribute=ref.attribute, value=ref.value)
    strongest = next((weight for _, weight in facts.reasons()), 0.0)
    for code, weight in facts.opposed()[:1]:
        if weight <= -_WORTH_A_CAVEAT * strongest:
            return Evidence(kind="history", weight=weight, item=facts.lore.catalog.item_ids[code])
    criticised = [ref for ref in facts.lore.values(facts.item) if facts.lore.sentiment(ref.attribute) < 0]
    return max((of_value(facts, ref) for ref in criticised), key=lambda entry: entry.people or 0, default=None)


def of_value(facts: Facts, ref: Ref, *, kind: EvidenceKind = "attribute", item: ItemId | None = None) -> Evidence:
    """A value of the item as evidence, with the number of reviewers who say so."""
    people = facts.reviewers(ref) or None
    return Evidence(kind=kind, weight=0.0, item=item, attribute=ref.attribute, value=ref.value, people=people)


def _limits(facts: Facts) -> Iterator[Evidence]:
    """Limits that the item visibly meets; demands before exclusions."""
    for limit in sorted(facts.limits, key=lambda limit: ("include", "range", "exclude").index(limit.operator)):
        value = _met(facts, limit)
        if value is not None and limit.operator == "include":
            yield of_value(facts, Ref(limit.attribute, value), kind="instruction")
        elif value is not None:
            yield Evidence(kind="instruction", weight=0.0, attribute=limit.attribute, value=value)


def _met(facts: Facts, limit: Limit) -> str | None:
    if limit.operator == "range":
        number = facts.number(limit.attribute)
        inside = number is not None and (limit.low is None or limit.low <= number) and (limit.high is None or number <= limit.high)
        return f"{_bound(limit.low)}..{_bound(limit.high)}" if inside else None
    labels = facts.lore.catalog.labels.get(limit.attribute)
    has = [value for value in limit.values if labels is not None and value in labels.of(facts.item)]
    if limit.operator == "include":
        return has[0] if has else None
    return f"not {limit.values[0]}" if not has and limit.values else None


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"


def _wishes(facts: Facts) -> Iterator[Evidence]:
    """Values and words of the wish that the item has."""
    if not facts.wish:
        return
    own, words = facts.lore.values(facts.item), facts.lore.words(facts.item)
    reading = facts.lore.read(facts.wish)
    for part in reading.reads:
        if part.polarity != "include":
            continue
        met = next((ref for ref in part.mark.refs if ref in own), None)
        if met is not None and not any(met.value in limit.values for limit in facts.limits):
            yield of_value(facts, met, kind="instruction")
        elif _is_word(part.mark) and facts.lore.lexicon.stem(reading.tokens[part.mark.first].key) in words:
            yield Evidence(kind="instruction", weight=0.0, value=reading.tokens[part.mark.first].text)


def _is_word(mark: Mark) -> bool:
    return mark.plays("known", "quality") and mark.last - mark.first == 1


def _history(facts: Facts) -> Iterator[Evidence]:
    """Reasons by effect; of items with the same name only the first, so that a text names everything once."""
    reasons = facts.reasons()
    named: set[str] = set()
    for code, weight in reasons:
        name = display_name(facts.lore.catalog, code)
        if weight >= _WORTH_NAMING * reasons[0][1] and name not in named:
            named.add(name)
            yield Evidence(kind="history", weight=weight, item=facts.lore.catalog.item_ids[code])


def _attributes(facts: Facts) -> Iterator[Evidence]:
    """Values shared with the strongest reason, by carried history effect times specificity; then other values; then a number.

    What the user rates lower than the rest is no reason, nor is what reviewers criticise.
    """
    reasons = facts.reasons()
    top = reasons[0][0] if reasons else None
    shared = facts.lore.values(top) if top is not None else ()
    low = facts.rated_low()
    liked = [ref for ref in facts.lore.reasons(facts.item) if ref not in low]
    ranked = sorted(liked, key=lambda ref: (ref not in shared, -_carried(facts, ref), ref))
    for ref in ranked:
        common = top is not None and ref in shared and not facts.lore.sentiment(ref.attribute)
        yield of_value(facts, ref, item=facts.lore.catalog.item_ids[top] if top is not None and common else None)
    for name in facts.lore.catalog.numbers:
        number = facts.number(name)
        if number is not None:
            yield Evidence(kind="attribute", weight=0.0, attribute=name, value=f"{number:.15g}")


def _carried(facts: Facts, ref: Ref) -> float:
    """Share of the history's effect that comes from items with this value, times how rare the value is (idf)."""
    reasons = facts.reasons()
    total = sum(weight for _, weight in reasons)
    with_value = sum(weight for code, weight in reasons if ref in facts.lore.values(code))
    rarity = math.log(len(facts.lore.catalog) / facts.lore.vocabulary.count(ref))
    return (with_value / total if total else 1.0) * rarity


def _source(facts: Facts) -> Iterator[Evidence]:
    if facts.source in facts.lore.phrases.sources:
        yield Evidence(kind="source", weight=0.0, value=facts.source)


def _popularity(facts: Facts) -> Iterator[Evidence]:
    if facts.people:
        yield Evidence(kind="popularity", weight=0.0, value=str(facts.people))
