"""Last pass: demands that do not agree are settled by fixed rules, and a note says what gave way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from instructrec.core import Quota
from instructrec.tables import Catalog, ItemId, Limit


@dataclass(frozen=True, slots=True)
class Settled:
    """Limits, quotas and examples that agree, notes on what did not, and words of quotas that went with more than the note says."""

    limits: tuple[Limit, ...]
    quotas: tuple[Quota, ...]
    like: tuple[ItemId, ...]
    unlike: tuple[ItemId, ...]
    notes: tuple[str, ...]
    dropped: tuple[str, ...]


def settle(
    limits: Sequence[Limit],
    quotas: Sequence[tuple[Quota, str]],
    *,
    like: Sequence[int],
    unlike: Sequence[int],
    catalog: Catalog,
    n: int,
) -> Settled:
    """Exclusions win over what is wanted; quotas give way to limits, and to the length `n` of the list.

    `quotas` come with their words, `like` and `unlike` as item codes.
    """
    banned = {(limit.attribute, value) for limit in limits if limit.operator == "exclude" for value in limit.values}
    kept, notes = _without_banned(limits, banned)
    fitting, more, dropped = _fitting(quotas, kept, banned)
    held, impossible = _possible(_unique(fitting), catalog, n)
    unwanted = dict.fromkeys(unlike)
    both = [code for code in like if code in unwanted]
    notes += more + impossible + [f"contradiction:{catalog.titles[code]}" for code in both]
    return Settled(
        tuple(kept),
        tuple(held),
        tuple(catalog.item_ids[code] for code in dict.fromkeys(like) if code not in unwanted),
        tuple(catalog.item_ids[code] for code in unwanted),
        tuple(dict.fromkeys(notes)),
        tuple(dropped),
    )


def _without_banned(limits: Sequence[Limit], banned: set[tuple[str, str]]) -> tuple[list[Limit], list[str]]:
    """Demands without the values that are also unwanted."""
    kept: list[Limit] = []
    notes: list[str] = []
    for limit in limits:
        if limit.operator != "include":
            kept.append(limit)
            continue
        left = tuple(value for value in limit.values if (limit.attribute, value) not in banned)
        notes += [f"contradiction:{value}" for value in limit.values if value not in left]
        if left:
            kept.append(replace(limit, values=left))
    return kept, notes


def _fitting(
    quotas: Sequence[tuple[Quota, str]], limits: Sequence[Limit], banned: set[tuple[str, str]]
) -> tuple[list[tuple[Quota, str]], list[str], list[str]]:
    """Quotas that the limits leave open: not of what is unwanted, nor "at least" of what all items are."""
    kept: list[tuple[Quota, str]] = []
    notes: list[str] = []
    dropped: list[str] = []
    for quota, words in quotas:
        against = next((name for limit in quota.limits if (name := _against(limit, limits, banned))), None)
        if against is not None:
            notes += [f"contradiction:{against}"] if quota.at_least else []
            dropped += [words] if len(quota.limits) > 1 else []
        elif not (quota.at_most is None and all(limit in limits for limit in quota.limits)):
            kept.append((quota, words))
    return kept, notes, dropped


def _against(limit: Limit, limits: Sequence[Limit], banned: set[tuple[str, str]]) -> str | None:
    """The value or attribute for which no item that meets the limits can meet this condition."""
    if limit.operator == "include" and all((limit.attribute, value) in banned for value in limit.values):
        return limit.values[0]
    for other in limits:
        if limit.operator == other.operator == "range" and limit.attribute == other.attribute and _are_apart(limit, other):
            return limit.attribute
    return None


def _are_apart(first: Limit, second: Limit) -> bool:
    lows = [limit.low for limit in (first, second) if limit.low is not None]
    highs = [limit.high for limit in (first, second) if limit.high is not None]
    return bool(lows and highs) and max(lows) > min(highs)


def _unique(quotas: Sequence[tuple[Quota, str]]) -> list[tuple[Quota, str]]:
    seen: dict[Quota, str] = {}
    for quota, words in quotas:
        seen.setdefault(quota, words)
    return list(seen.items())


def _possible(quotas: Sequence[tuple[Quota, str]], catalog: Catalog, n: int) -> tuple[list[Quota], list[str]]:
    """Quotas cut to the length of the list; a note where that, or several that no item can share, ask for more than it holds."""
    held: list[Quota] = []
    notes: list[str] = []
    needed, reached = 0, None
    for quota, words in quotas:
        if quota.at_least > n:
            notes.append(f"impossible_quota:{words}")
            quota = replace(quota, at_least=n)
        elif quota.at_least and needed <= n:
            mask = catalog.matching(quota.limits)
            disjoint = reached is None or not bool((mask & reached).any())
            needed = needed + quota.at_least if disjoint else max(needed, quota.at_least)
            reached = mask if reached is None else mask | reached
            if needed > n:
                notes.append(f"impossible_quota:{words}")
        held.append(quota)
    return held, notes
