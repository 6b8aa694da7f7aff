"""From scores to a list: the best items that may be shown, also where the list has quotas to keep or its items shall differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.tables import BoolArray, FloatArray, IntArray

DoubleArray: TypeAlias = NDArray[np.float64]

BLOCK = 128
"""Scores that are represented by the best of them while the best of all are looked for."""
DEPTH, FURTHER, MOST = 5, 200, 1_000
"""A varied list of n items is looked for among the DEPTH * n best (at most FURTHER more than n), of all quotas MOST together."""
STEPS = tuple(step / 10 for step in range(1, 11))
"""Diversities on the way from the best list to the least alike one."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are counted in a list, bool [num_items], and how many of them it shall have."""

    members: BoolArray
    at_least: int = 0
    at_most: int | None = None


def top_n(scores: FloatArray, mask: BoolArray, n: int) -> list[int]:
    """Codes of the n best allowed items, best first; ties by catalog order, so that equal input gives equal lists."""
    codes = np.flatnonzero(mask)
    own = scores[codes]
    if 0 < n < len(codes):
        # Sorting what can be in the list is enough: the n-th best, what is above it, and what is equal to it.
        kept = np.flatnonzero(own >= nth_best(own, n))
        codes, own = codes[kept], own[kept]
    found: list[int] = codes[np.argsort(-own, kind="stable")[:n]].tolist()
    return found


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


def varied_list(
    scores: FloatArray,
    mask: BoolArray,
    n: int,
    groups: Sequence[Group],
    *,
    diversity: float,
    alike: Callable[[IntArray], DoubleArray],
) -> list[int]:
    """A list that gives up scores for items that differ, best first; as long as `best_list`, and with quotas kept as well.

    Maximal marginal relevance (Carbonell & Goldstein 1998) of a list as a whole (max-sum diversification by exchanges: Borodin, Lee
    & Ye 2012): a list L is the better the larger

        (1 - diversity) * mean of worth(i) over L - diversity * mean of alike(i, j) over the pairs of L

    where `worth` is the score on a scale from 0 to 1 over the items that are looked at, and `alike` gives float64 [k, k] in [0, 1]
    of k item codes, 0 for an item and itself. From the best list on, which is the one for diversity 0, two items are exchanged as
    long as that helps, first for a low diversity, then for higher ones. The best list of this way is taken. The way is the same
    whatever is asked for, so more diversity never makes the items of a list more alike.
    """
    best = best_list(scores, mask, n, groups)
    if diversity == 0 or len(best) < 2:
        return best
    codes = _candidates(scores, mask, min(DEPTH * n, n + FURTHER), groups)
    if len(codes) > MOST:
        codes = np.union1d(best, top_n(scores, _only(codes, len(scores)), MOST))
    low = float(scores[codes].min())
    worth = (scores[codes].astype(np.float64) - low) / max(float(scores[codes].max()) - low, 1e-9)
    near, members = alike(codes), [group.members[codes] for group in groups]
    way = [np.isin(codes, best)]
    for step in STEPS:
        way.append(_exchanged(way[-1], worth, near, step, lambda inside: _exchangeable(inside, groups, members)))
    chosen = max(way, key=lambda inside: _value(inside, worth, near, diversity))
    return top_n(scores, _only(codes[chosen], len(scores)), n)


class Extension:
    """Which items may come next in a list that is made item by item and shall keep every quota as well as a whole one.

    An item may come if it stands in the whole list, or if one that is not needed yet can make room for it there; the last such one
    does. Where no item is counted by two quotas this is every item with which the list can still be finished; else it may be fewer.
    The new list can always be finished: as many items as it lacks stand in the changed whole list.
    """

    def __init__(self, whole: Sequence[int], groups: Sequence[Group]) -> None:
        """`whole`: codes of a list that keeps the quotas as well as can be; `groups`: what these count, one at least."""
        self._whole, self._groups, self._members = list(whole), groups, [group.members for group in groups]
        self._begin()

    def __call__(self, begun: Sequence[int] | IntArray) -> BoolArray:
        """The items that may come behind those so far, each of which came when it might, bool [num_items]."""
        codes = [int(code) for code in begun]
        if codes[: len(self._begun)] != self._begun:
            self._begin()
        for code in codes[len(self._begun) :]:
            self._take(code)
        out, free = self._inside & ~self._settled, ~self._settled[self._inside]
        if free.any():
            out[~self._inside] = self._exchangeable()[free].any(axis=0)
        return out

    def _begin(self) -> None:
        num_items = len(self._members[0])
        self._begun: list[int] = []
        self._inside, self._settled = _only(np.array(self._whole, dtype=np.int64), num_items), np.zeros(num_items, dtype=np.bool_)
        # What came in place of another is as late as any.
        self._order = np.full(num_items, len(self._whole))
        self._order[self._whole] = np.arange(len(self._whole))

    def _take(self, code: int) -> None:
        if not self._inside[code]:
            within, outside = np.flatnonzero(self._inside), np.flatnonzero(~self._inside)
            room = within[self._exchangeable()[:, np.searchsorted(outside, code)] & ~self._settled[within]]
            gone = room[np.lexsort((room, self._order[room]))[-1]]
            self._inside[gone], self._inside[code] = False, True
        self._settled[code] = True
        self._begun.append(code)

    def _exchangeable(self) -> BoolArray:
        return _exchangeable(self._inside, self._groups, self._members, each=True)


def jaccard(has: BoolArray) -> DoubleArray:
    """Share of their values that two of k items have in common, float64 [..., k, k]; NaN where one of them has no value.

    `has`: bool [..., k, num_values].
    """
    wide, size = has.astype(np.float32), has.sum(axis=-1, keepdims=True).astype(np.float64)
    others = np.swapaxes(size, -1, -2)
    common = (wide @ np.swapaxes(wide, -1, -2)).astype(np.float64)
    return np.where((size > 0) & (others > 0), common / np.maximum(size + others - common, 1.0), np.nan)


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


def _value(inside: BoolArray, worth: DoubleArray, near: DoubleArray, diversity: float) -> float:
    size = int(inside.sum())
    pairs = float(near[np.ix_(inside, inside)].sum()) / (size * (size - 1))
    return (1 - diversity) * float(worth[inside].mean()) - diversity * pairs


def _exchanged(
    inside: BoolArray, worth: DoubleArray, near: DoubleArray, diversity: float, permitted: Callable[[BoolArray], BoolArray]
) -> BoolArray:
    """The list after exchanges, each the one that helps most, until none helps: bool [num_candidates]."""
    inside, size = inside.copy(), int(inside.sum())
    for _ in range(2 * size):
        within, outside = np.flatnonzero(inside), np.flatnonzero(~inside)
        if not len(outside):
            break
        total = near[:, within].sum(axis=1)
        worthier = (worth[outside] - worth[within, None]) / size
        nearer = (total[outside] - near[np.ix_(within, outside)] - total[within, None]) * 2 / (size * (size - 1))
        gain = np.where(permitted(inside), (1 - diversity) * worthier - diversity * nearer, -np.inf)
        gone, new = np.unravel_index(int(gain.argmax()), gain.shape)
        if gain[gone, new] <= 1e-12:
            break
        inside[within[gone]], inside[outside[new]] = False, True
    return inside


def _exchangeable(inside: BoolArray, groups: Sequence[Group], members: Sequence[BoolArray], *, each: bool = False) -> BoolArray:
    """Which items of a list can make room for which others without the quotas (`each` of them, or all together) being kept less,
    bool [num_inside, num_outside].
    """
    lacking = np.zeros((int(inside.sum()), int((~inside).sum())), dtype=np.int64)
    out = np.ones(lacking.shape, dtype=np.bool_)
    for group, has in zip(groups, members, strict=True):
        before = int(has[inside].sum())
        after = before - has[inside].astype(np.int64)[:, None] + has[~inside]
        more = np.maximum(group.at_least - after, 0) - max(group.at_least - before, 0)
        lacking += more
        out &= (more <= 0) | (not each)
        if group.at_most is not None:
            out &= after <= group.at_most
    return out & (lacking <= 0)


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
