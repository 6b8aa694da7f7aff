"""Evidence as an outline with slots, and what of it an outline cannot hold."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.core import Evidence
from instructrec.explain.facts import Facts
from instructrec.explain.writing import fit_of, title_of
from instructrec.instructions.plans import SLOTS, Plan


def plan_of(
    evidence: Sequence[Evidence], facts: Facts, *, variant: int, tone: str = "plain", length: str = "medium"
) -> tuple[Plan, tuple[Evidence, ...]]:
    """The outline of some evidence, and the evidence that it has no slot for: bounds of numbers, sources, a second of a kind.

    `variant` chooses among the ways to say how well the item fits. Raises QueryError for a tone or length that is not known.
    """
    words: dict[str, str] = {}
    rest = []
    for entry in evidence:
        slots = _slots(entry, facts, variant, words)
        if not slots or words.keys() & slots.keys():
            rest.append(entry)
        else:
            words |= slots
    if "shared" in words and "h1" not in words:
        words["value"] = words.pop("shared")
    words["item"] = title_of(facts.lore.catalog.item_ids[facts.item], facts)
    ordered = {slot: words[slot] for slot in SLOTS if slot in words}
    return Plan(words=ordered, tone=tone, length=length), tuple(rest)


def _slots(entry: Evidence, facts: Facts, variant: int, taken: dict[str, str]) -> dict[str, str]:
    """The slots of one piece of evidence and their words; none where it has no slot."""
    value = entry.value or ""
    if entry.kind == "history":
        place = sum(slot in taken for slot in ("h1", "h2", "h3")) + 1
        return {f"h{place}": title_of(entry.item or "", facts)} if place <= 3 else {}
    if entry.kind == "attribute":
        if facts.lore.sentiment(entry.attribute):
            return {}  # what reviewers say has sentences of its own
        name = (entry.attribute or "").replace("_", " ")
        if entry.attribute in facts.lore.catalog.numbers:
            return {"number": value, "measure": name}
        return {"shared" if entry.item is not None else "value": value, "attribute": name}
    if entry.kind == "popularity":
        return {"count": value} if value != "1" else {}
    if entry.kind == "rank":
        return {"fit": fit_of(facts, variant)}
    return _asked(entry, facts) if entry.kind == "instruction" else {}


def _asked(entry: Evidence, facts: Facts) -> dict[str, str]:
    value = entry.value or ""
    if entry.attribute is None:
        opening, closing = facts.lore.phrases.word_marks
        return {"word": f"{opening}{value}{closing}"}
    if entry.attribute in facts.lore.catalog.numbers:
        return {}
    if value.startswith("not ") and value not in facts.lore.catalog.labels[entry.attribute].names:
        return {"ruled": value.removeprefix("not ")}
    return {"asked": value}
