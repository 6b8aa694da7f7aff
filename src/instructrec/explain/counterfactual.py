"""What would have to be missing from a history for an item not to be in the list: checked by making the list again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import numpy as np

from instructrec.core import Recommendation
from instructrec.explain.influence import Influence, outcomes, without
from instructrec.recommender import Recommender
from instructrec.tables import Catalog

MOST = 10
"""History items that may be missing, at most; where more would be needed, no counterfactual is given."""
PAIRED = 6
"""Of the strongest so many, every pair is tried."""


Sets: TypeAlias = dict[tuple[int, int], tuple[int, ...]]
"""By the place of a list and an item in it: the history items without which it would not be there. Item codes."""


@dataclass(frozen=True, slots=True)
class Case:
    """An item of the list at `place`, and history items without which it is looked for: item codes."""

    place: int
    item: int
    gone: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """An item of the list at `place` that no single history item decides; `order`: those that raise its score, strongest first."""

    place: int
    item: int
    order: tuple[int, ...]


def counterfactuals(
    model: Recommender, recommendations: Sequence[Recommendation], influences: Sequence[Influence]
) -> list[list[tuple[int, ...]]]:
    """For each item of each list the history items without which it would not be in the list; empty where no few decide.

    Every answer is found in lists that were made again without these items, and none of its members can be left out of it. Of
    single items all are tried, of pairs those of the PAIRED strongest; otherwise the strongest are taken away one after the other
    (ranked by what each takes from the score alone) until the item is gone, and whatever turns out not to be needed is put back.
    """
    found, undecided = _alone(influences)
    found |= _first(_decisive(model, recommendations, _pairs(undecided)))
    longer = [
        Case(one.place, one.item, one.order[:size])
        for one in undecided
        if (one.place, one.item) not in found
        for size in range(3, len(one.order) + 1)
    ]
    needed = _first(_decisive(model, recommendations, longer))
    while (fewer := _pruned(model, recommendations, needed)) != needed:
        needed = fewer
    found |= needed
    return [
        [_oldest_first(found.get((place, item), ()), recommendation, model.catalog) for item in influence.shown.tolist()]
        for place, (recommendation, influence) in enumerate(zip(recommendations, influences, strict=True))
    ]


def _alone(influences: Sequence[Influence]) -> tuple[Sets, list[Open]]:
    """What a single history item decides, the strongest of such ones; and what none does."""
    found: Sets = {}
    undecided: list[Open] = []
    for place, influence in enumerate(influences):
        for column, item in enumerate(influence.shown.tolist()):
            effects = influence.effects[:, column]
            others = influence.history != item
            order = [row for row in np.argsort(-effects, kind="stable").tolist() if effects[row] > 0 and others[row]]
            alone = [row for row in order if influence.decisive[row, column]]
            if alone:
                found[place, item] = (int(influence.history[alone[0]]),)
            elif influence.listed[column] and len(order) > 1:
                undecided.append(Open(place, item, tuple(influence.history[order[:MOST]].tolist())))
    return found, undecided


def _pairs(undecided: Iterable[Open]) -> list[Case]:
    """Pairs of the strongest, those that take most from the score first."""
    return [
        Case(one.place, one.item, (one.order[first], one.order[second]))
        for one in undecided
        for first, second in sorted(combinations(range(min(PAIRED, len(one.order))), 2), key=sum)
    ]


def _decisive(model: Recommender, recommendations: Sequence[Recommendation], cases: Sequence[Case]) -> list[Case]:
    """The cases whose item is in the list, but not in the one without what is gone."""
    asked = [
        (without(recommendations[case.place].query, case.gone, model.catalog), np.array([case.item], dtype=np.int64))
        for case in cases
    ]
    return [case for case, outcome in zip(cases, outcomes(model, asked), strict=True) if not outcome.listed[0]]


def _first(cases: Iterable[Case]) -> Sets:
    """The first case of each item."""
    found: Sets = {}
    for case in cases:
        found.setdefault((case.place, case.item), case.gone)
    return found


def _pruned(model: Recommender, recommendations: Sequence[Recommendation], needed: Sets) -> Sets:
    """The same without members that are not needed, the weakest tried first: one round a member, all items together."""
    found = dict(needed)
    for back in range(1, max((len(gone) for gone in needed.values()), default=0) + 1):
        fewer = [
            Case(place, item, tuple(code for code in found[place, item] if code != gone[-back]))
            for (place, item), gone in needed.items()
            if len(gone) >= back and len(found[place, item]) > 1
        ]
        found |= _first(_decisive(model, recommendations, fewer))
    return found


def _oldest_first(codes: Sequence[int], recommendation: Recommendation, catalog: Catalog) -> tuple[int, ...]:
    last = {int(code): position for position, code in enumerate(catalog.codes(recommendation.query.history))}
    return tuple(sorted(codes, key=lambda code: last[code]))
