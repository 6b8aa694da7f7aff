"""What a text says of the item and a title together without naming a value: "the same director as", "cheaper than"."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.explain.clauses import Part, Title
from instructrec.explain.cues import Cues
from instructrec.explain.facts import Facts
from instructrec.explain.linking import right_before

_HOLDS = {
    "after": float.__gt__,
    "before": float.__lt__,
    "since": float.__ge__,
    "until": float.__le__,
    "same": float.__eq__,
}
"""Ways to compare the item's number with that of a title."""


def relation_problems(parts: Sequence[Part], facts: Facts, cues: Cues) -> list[str]:
    """Comparisons and shared attributes of a sentence that do not hold."""
    return [
        f"What is said of '{title.name}' and the item together is not true or not known."
        for part in parts
        for title in part.titles
        if title.name != facts.name and not _holds(title, part, parts, facts, cues)
    ]


def _holds(title: Title, part: Part, parts: Sequence[Part], facts: Facts, cues: Cues) -> bool:
    compared = _comparison(title, part, facts, cues)
    if compared is not None:
        return _numbers_hold(title, *compared, facts)
    before = [name for place, name in part.named if place < title.place] or [name for _, name in part.named]
    if not before:
        return True
    attribute = before[-1]
    if attribute in facts.lore.catalog.labels:
        said = {ref.attribute for each in parts for value in each.values for ref in value.refs}
        return attribute in said or _share(title, attribute, facts)
    return bool(part.numbers) or not cues.shared.search(part.text) or _numbers_hold(title, attribute, "same", facts)


def _comparison(title: Title, part: Part, facts: Facts, cues: Cues) -> tuple[str, str] | None:
    """The number that is compared with a title's, and how; an attribute "" is none of the catalog."""
    for end, (kind, way) in part.compared:
        if end <= title.place and not part.text[end - part.start : title.place - part.start].strip():
            return facts.lore.vocabulary.kinds.get(kind, ""), way
    numeric = [name for place, name in part.named if place < title.place and name in facts.lore.catalog.numbers]
    if numeric and right_before(cues.lesser, part, title.place):
        before = part.until(title.place)
        ways = [("after", cues.greater), ("before", cues.smaller)]
        return next(((numeric[-1], way) for way, cue in ways if cue.search(before)), None)
    return None


def _share(title: Title, attribute: str, facts: Facts) -> bool:
    labels = facts.lore.catalog.labels[attribute]
    own = set(labels.of(facts.item))
    return any(own & set(labels.of(code)) for code in facts.lore.named.get(title.name, ()))


def _numbers_hold(title: Title, attribute: str, way: str, facts: Facts) -> bool:
    own, numbers = facts.number(attribute), facts.lore.catalog.numbers.get(attribute)
    codes = facts.lore.named.get(title.name, ())
    return own is not None and numbers is not None and any(_HOLDS[way](own, float(numbers[code])) for code in codes)
