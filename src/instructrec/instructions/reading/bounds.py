"""What the words "since", "until", "before" and "after" make of a number, and of how many things."""

from __future__ import annotations

import math
from collections.abc import Collection

WAYS = ("since", "until", "before", "after")
"""The bounds: from a number on, up to it, strictly below it, strictly above it."""
MIRRORED = {"before": "after", "after": "before", "since": "until", "until": "since"}
"""The bound that a number sets for what stands behind it: "3 < rating" is a rating after 3."""


def beyond(bound: float | None, direction: int, *, whole: bool = False) -> float | None:
    """The nearest float strictly beyond a bound, the nearest whole number where all numbers are `whole`."""
    if bound is None or not whole:
        return None if bound is None else math.nextafter(bound, direction * math.inf)
    return math.floor(bound) + 1.0 if direction > 0 else math.ceil(bound) - 1.0


def bounded(way: str, low: float | None, high: float | None, *, whole: bool = False) -> tuple[float | None, float | None]:
    """Ends of all numbers that lie one of the WAYS of a span from `low` to `high` (one number is both); None: open."""
    ends = {
        "since": (low, None),
        "until": (None, high),
        "before": (None, beyond(low, -1, whole=whole)),
        "after": (beyond(high, 1, whole=whole), None),
    }
    return ends[way]


def turned_back(before: Collection[str], behind: Collection[str]) -> bool:
    """Whether words behind a number bound it the other way than those before it, which then say no more than "at any rate"."""
    ways = ("before", "until") if "since" in before else ("after", "since") if "until" in before else ()
    return any(f"{way}_after" in behind for way in ways) and not any(way in behind for way in ways)


def outside(low: float | None, high: float | None, *, whole: bool = False) -> list[tuple[float | None, float | None]]:
    """The spans below and above a span, of which a side that is open has none; None: open."""
    below: list[tuple[float | None, float | None]] = [] if low is None else [(None, beyond(low, -1, whole=whole))]
    return below if high is None else [*below, (beyond(high, 1, whole=whole), None)]


def amount(way: str, number: float) -> tuple[str, float, float | None]:
    """Kind of an amount, and the fewest and most things, for a number bounded one of the WAYS; any other word is a kind itself."""
    amounts: dict[str, tuple[str, float, float | None]] = {
        "since": ("at_least", number, None),
        "until": ("at_most", 0.0, number),
        "after": ("at_least", number + 1, None),
        "before": ("at_most", 0.0, number - 1),
    }
    return amounts.get(way, (way, number, number))
