"""From scores to a list: the best items that may be shown, also where the list as a whole has quotas to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from instructrec.tables import BoolArray, FloatArray, IntArray

BLOCK = 128
"""Scores that are represented by the best of them while the best of all are looked for."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are counted in a list, bool [num_items], and how many of them it shall have."""

    members: BoolArray
    at_least: int = 0
    at_most: int | None = None


def top_n(scores: FloatArray, mask: BoolArray, n: int) -> list[int]:
    """Codes of the n best allowed items, best first; ties by catalog order, so that equal input gives equal lists."""
    codes = np.flatnonzero(mask)
    if 0 < n < len(codes):
        # Sorting what can be in the list is enough: the n-th best, what is above it, and what is equal to it.
        codes = codes[scores[codes] >= nth_best(scores[codes], n)]
    order = np.lexsort((codes, -scores[codes]))[:n]
    return [int(code) for code in codes[order]]


def nth_best(scores: FloatArray, n: int) -> float:
    """The n-th largest score, n from 1 to as many as there are; only those that can be among the n largest are put in order.

    There are n scores at least as large as the n-th largest of the best of each block.
    """
    whole = len(scores) // BLOCK
    if whole > n:
        best = scores[: whole * BLOCK].reshape(whole, BLOCK).max(axis=1)
        scores = scores[scores >= np.partition(best, whole - n)[whole - n]]
    return float(np.partition(scores, len(scores) - n)[len(scores) - n])


def best_list(scores: FloatArray, mask: BoolArray, n: int, groups: Sequence[Group]) -> list[int]:
    """The list of at most n allowed items with the highest sum of scores that keeps every quota, best first.

    What cannot all be had is given up in this order: no group ever has more than its `at_most`; then as few items as possible
    are missing from `at_least`; then the list is as long as possible; then its scores are as high as possible.
    Exact: a group of groups only ever takes its best items, and which ones is a small integer program (HiGHS).
    """
    best = top_n(scores, mask, n)
    if all(_kept(group, best) for group in groups):
        return best
    codes = _candidates(scores, mask, n, groups)
    chosen = codes[_solve(scores[codes], [group.members[codes] for group in groups], groups, n)]
    return top_n(scores, _only(chosen, len(scores)), n)


def missing(group: Group, codes: Sequence[int]) -> int:
    """How many items of a group a list lacks."""
    return max(0, group.at_least - int(group.members[list(codes)].sum()))


def _kept(group: Group, codes: Sequence[int]) -> bool:
    count = int(group.members[list(codes)].sum())
    return count >= group.at_least and (group.at_most is None or count <= group.at_most)


def _candidates(scores: FloatArray, mask: BoolArray, n: int, groups: Sequence[Group]) -> IntArray:
    """The n best allowed items of every combination of groups: no other item can be in the best list."""
    pattern = np.zeros(len(scores), dtype=np.int64)
    for place, group in enumerate(groups):
        pattern |= group.members.astype(np.int64) << place
    found = [top_n(scores, mask & (pattern == kind), n) for kind in np.unique(pattern[mask])]
    return np.array(sorted(code for codes in found for code in codes), dtype=np.int64)


def _only(codes: IntArray, num_items: int) -> BoolArray:
    out = np.zeros(num_items, dtype=np.bool_)
    out[codes] = True
    return out


def _solve(scores: FloatArray, members: Sequence[BoolArray], groups: Sequence[Group], n: int) -> BoolArray:
    """Which candidates to take, bool [num_candidates]: one 0/1 variable each, and one a group for what it lacks."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    if not len(scores):
        return np.zeros(0, dtype=np.bool_)
    low = float(scores.min())
    worth = (scores.astype(np.float64) - low) / max(float(scores.max()) - low, 1e-9)
    # All scores together are worth less than one item more, and a whole list less than one item that a quota lacks.
    value = np.concatenate([worth + n + 1.0, np.full(len(groups), -(n + 1.0) * (n + 2.0))])
    rows = [np.concatenate([np.ones(len(scores)), np.zeros(len(groups))])]
    lows, highs = [0.0], [float(n)]
    for place, (group, inside) in enumerate(zip(groups, members, strict=True)):
        lack = np.eye(len(groups))[place]
        rows.append(np.concatenate([inside, lack]))
        rows.append(np.concatenate([inside, np.zeros(len(groups))]))
        lows += [float(group.at_least), 0.0]
        highs += [np.inf, np.inf if group.at_most is None else float(group.at_most)]
    found = milp(
        -value,
        constraints=LinearConstraint(np.stack(rows), lows, highs),
        integrality=np.ones(len(value)),
        bounds=Bounds(0.0, np.concatenate([np.ones(len(scores)), [float(group.at_least) for group in groups]])),
        options={"mip_rel_gap": 0.0},
    )
    return np.asarray(found.x[: len(scores)] > 0.5, dtype=np.bool_)
