"""What a text says of how well an item fits: it must be what its place in the list says."""

from __future__ import annotations

from instructrec.explain.cues import Cues
from instructrec.explain.facts import Facts

BAND_NAMES = ("first", "second", "third", "fourth")
"""Names of the bands of places (`Facts.band`) in the wording, from the best down."""
_BEFORE = 16
"""Letters before such words in which a "not" turns them around."""


def standing_problems(text: str, facts: Facts, cues: Cues) -> list[str]:
    """Words of a text (titles masked) that rank the item higher or lower than it stands, or deny where it stands."""
    found = []
    longest: list[tuple[int, int, str]] = []
    for name, pattern in cues.standing.items():
        longest += [(*match.span(), name) for match in pattern.finditer(text.lower())]
    for first, last, name in longest:
        if any(low <= first and last <= high and high - low > last - first for low, high, _ in longest):
            continue  # a part of longer words: "match for you" in "a looser match for you"
        said = text[first:last]
        if name != BAND_NAMES[facts.band]:
            found.append(f"'{said}' is not what its place {facts.rank} says.")
        elif cues.negating.search(text.lower(), max(0, first - _BEFORE), first):
            found.append(f"'{said}' is denied, but it is at place {facts.rank}.")
    return found
