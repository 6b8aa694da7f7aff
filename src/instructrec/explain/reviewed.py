"""What a text says that reviewers praise or criticise: it must be what they say of the item, and what they criticise no reason."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.explain.clauses import Part, Said
from instructrec.explain.cues import Cues
from instructrec.explain.facts import Facts
from instructrec.instructions.vocabulary import Ref


def review_problems(parts: Sequence[Part], facts: Facts, cues: Cues) -> list[str]:
    """Claims of a sentence about reviewers that do not hold.

    Whether the item has a value is checked elsewhere; here is checked on which side reviewers are said to be.
    """
    said = [value for part in parts for value in part.values if any(facts.lore.sentiment(ref.attribute) for ref in value.refs)]
    sides = {side for side, cue in ((1, cues.praising), (-1, cues.criticising)) if any(cue.search(part.text) for part in parts)}
    found = [problem for value in said if value.polarity == "include" for problem in _wrong_side(value, sides, parts, facts, cues)]
    speaking = [part for part in parts if any(cue.search(part.text) for cue in (cues.praising, cues.criticising, cues.reviewers))]
    if not speaking:
        return found
    return found + _bare(speaking if said else parts, sides, facts, cues, needed=not said)


def _wrong_side(value: Said, sides: set[int], parts: Sequence[Part], facts: Facts, cues: Cues) -> list[str]:
    """A value that is said to be praised or criticised, and is the other; or one that is criticised, given as a reason."""
    sentiments = {facts.lore.sentiment(ref.attribute) for ref in value.refs}
    if sides and not sides & sentiments:
        return [f"'{value.words}' is not what reviewers say of it in this way."]
    objects = (cues.criticising, cues.drawbacks, cues.lowers, cues.rated_low)
    if sentiments == {-1} and not value.asked and not any(cue.search(part.text) for part in parts for cue in objects):
        return [f"'{value.words}' speaks against the item, and is no reason for it."]
    return []


def _bare(parts: Sequence[Part], sides: set[int], facts: Facts, cues: Cues, *, needed: bool) -> list[str]:
    """Features that stand alone ("Reviewers praise its sound"): each must be one of the item on that side; `needed`: one must be
    named at least.
    """
    stem, reading = facts.lore.lexicon.stem, parts[0].reading
    values = {token for part in parts for value in part.values for token in range(value.read.mark.first, value.read.mark.last)}
    words = {
        stem(token.key)
        for place, token in enumerate(reading.tokens)
        if place not in values and any(part.start <= token.start < part.end for part in parts)
    }
    labels = facts.lore.catalog.labels
    known = (Ref(name, value) for name, column in labels.items() if column.sentiment for value in column.names)
    named = {feature for ref in known if (feature := stem(_feature(ref))) in words}
    true = {stem(_feature(ref)) for ref in facts.lore.values(facts.item) if sides == {facts.lore.sentiment(ref.attribute)}}
    denied = bool(named) and any(cues.negating.search(part.text) for part in parts)
    return [] if named <= true and not denied and (named or not needed) else ["Nothing is known of what reviewers are said to say."]


def _feature(ref: Ref) -> str:
    """The feature of a value, its last word: "sound" of "good sound"."""
    return ref.value.split()[-1].lower()
