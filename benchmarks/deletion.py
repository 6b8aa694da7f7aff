"""Are the history items that a text names those that an item's place rests on? Lists made again without them.

Part of benchmarks.explanations. `named` are the items of a text, `greedy` the three found by trying all, and again after each,
`random` three at random. Deletion curves (CFExpRec's POS_P and NEG_P): the history is taken away in ten steps, the items that
matter most first (`curve_first`, share of steps at which the item is still listed: lower is better) or last (`curve_last`, higher
is better), as our effects (`ours`), LIME (Ribeiro et al. 2016, doi 10.1145/2939672.2939778: ridge regression on random subsets of
the history) and Kernel SHAP (Lundberg and Lee 2017) rank them. Each peer sees SAMPLES subsets, ours two variants an item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from instructrec.core import Explanation, Query, Recommendation
from instructrec.explain.facts import Facts
from instructrec.explain.influence import MAX_HISTORY, distinct, measure_influence, outcomes, without
from instructrec.recommender import Recommender
from instructrec.tables import BoolArray, FloatArray, IntArray

K = 10
RANKS = (0, 3, 6, 9)
"""Places of the list whose items are looked at."""
FEWEST = 10
"""Different items that a history must have."""
STEPS = 10
SAMPLES = 500
"""Subsets of a history that LIME and SHAP see: five times what ours needs."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """One explained item: the list it stands in, its explanation, and the facts it was made from."""

    recommendation: Recommendation
    explanation: Explanation
    facts: Facts

    @property
    def item(self) -> int:
        """The item's code."""
        return self.facts.item

    @property
    def named(self) -> list[int]:
        """The history items that the text names as its reasons."""
        index = self.facts.lore.catalog.index
        return [index[entry.item] for entry in self.explanation.evidence if entry.kind == "history" and entry.item is not None]

    @property
    def past(self) -> list[int]:
        """The history."""
        return [int(code) for code in self.facts.lore.catalog.codes(self.recommendation.query.history)]


def deletion(model: Recommender, all_told: Sequence[Told], users: int) -> dict[str, float]:
    """How often an item leaves the list without the items that its text, greedy search and chance name; and deletion curves."""
    rng = np.random.default_rng(0)
    gone: dict[str, list[float]] = {"named": [], "greedy": [], "random": []}
    curves: dict[str, list[float]] = {}
    for start in range(0, min(users * K, len(all_told)), K):
        some = [told for place, told in enumerate(all_told[start : start + K]) if place in RANKS]
        if not some or len(set(some[0].past)) < FEWEST:
            continue
        query = some[0].recommendation.query
        past = distinct(query, model.catalog, MAX_HISTORY)
        for told in some:
            three = {
                "named": told.named,
                "greedy": greedy(model, query, told.item, past.tolist()),
                "random": past[rng.permutation(len(past))[:3]].tolist(),
            }
            for name, codes in three.items():
                gone[name].append(float(not still_listed(model, query, told.item, [codes])[0]))
        for name, value in curves_of(model, some, past, rng).items():
            curves.setdefault(name, []).append(value)
    share = {name: float(np.mean(values)) for name, values in gone.items()}
    return {
        **{f"gone_without_{name}": value for name, value in share.items()},
        "deletion_vs_greedy": share["named"] / share["greedy"],
        "deletion_vs_random": share["named"] / max(share["random"], 1e-9),
        "deleted": float(len(gone["named"])),
        **{name: float(np.mean(values)) for name, values in curves.items()},
    }


def still_listed(model: Recommender, query: Query, item: int, taken: Sequence[Sequence[int]]) -> list[bool]:
    """Whether an item is in the list made without each of some sets of history items."""
    asked = [(without(query, codes, model.catalog), np.array([item], dtype=np.int64)) for codes in taken]
    return [bool(found.listed[0]) for found in outcomes(model, asked)]


def greedy(model: Recommender, query: Query, item: int, past: Sequence[int]) -> list[int]:
    """Three history items, each the one without which the item falls deepest below what is listed, given those before."""
    chosen: list[int] = []
    hidden = model.catalog.codes(query.history)
    for _ in range(3):
        rest = [code for code in past if code not in chosen]
        variants = [without(query, [*chosen, code], model.catalog) for code in rest]
        scores = np.sum(list(model.sources(variants).values()), axis=0)
        scores[:, hidden] = -np.inf
        others = np.delete(scores, item, axis=1)
        lead = scores[:, item] - np.partition(others, -K, axis=1)[:, -K]
        chosen.append(rest[int(np.argmin(lead))])
    return chosen


def curves_of(model: Recommender, some: Sequence[Told], past: IntArray, rng: np.random.Generator) -> dict[str, float]:
    """Both curves of each ranking, as means over the items of one list."""
    found: dict[str, list[float]] = {}
    query = some[0].recommendation.query
    for name, rank in rankings(model, some, past, rng).items():
        for column, told in enumerate(some):
            order = np.argsort(-rank[:, column], kind="stable")
            for end, places in (("first", order), ("last", order[::-1])):
                taken = [past[places[: round(len(past) * step / STEPS)]].tolist() for step in range(1, STEPS + 1)]
                listed = still_listed(model, query, told.item, taken)
                found.setdefault(f"curve_{end}_{name}", []).append(float(np.mean(listed)))
    return {name: float(np.mean(values)) for name, values in found.items()}


def rankings(model: Recommender, some: Sequence[Told], past: IntArray, rng: np.random.Generator) -> Mapping[str, FloatArray]:
    """How much each history item matters to each item, float32 [num_history, num_items], by every method."""
    recommendation = some[0].recommendation
    items = np.array([told.item for told in some], dtype=np.int64)
    [influence] = measure_influence(model, [recommendation])
    columns = [influence.shown.tolist().index(item) for item in items.tolist()]

    def values(masks: BoolArray) -> FloatArray:
        """What a model makes of the items with only some of the history, float32 [num_masks, num_items]."""
        asked = [(without(recommendation.query, past[~mask].tolist(), model.catalog), items) for mask in masks]
        return np.stack([found.scores for found in outcomes(model, asked)])

    return {"ours": influence.effects[:, columns], "lime": lime(len(past), values, rng), "shap": shap(len(past), values, rng)}


def lime(size: int, values: Callable[[BoolArray], FloatArray], rng: np.random.Generator) -> FloatArray:
    """Ridge regression of the scores on which items are there; subsets near the whole history count more (exponential kernel)."""
    masks = rng.random((SAMPLES, size)) < rng.uniform(0.5, 1.0, (SAMPLES, 1))
    scores = values(masks)
    distance = 1 - np.sqrt(masks.mean(axis=1))
    weight = np.exp(-(distance**2) / 0.25**2)
    return _regression(masks.astype(np.float64), scores.astype(np.float64), weight, penalty=1.0)


def shap(size: int, values: Callable[[BoolArray], FloatArray], rng: np.random.Generator) -> FloatArray:
    """Shapley values by weighted regression; subset sizes drawn by the Shapley kernel, each subset with its complement."""
    sizes = np.arange(1, size)
    kernel = np.array([(size - 1) / (comb(size, int(k)) * k * (size - k)) * comb(size, int(k)) for k in sizes])
    masks = np.zeros((SAMPLES, size), dtype=np.bool_)
    for row in range(0, SAMPLES, 2):
        chosen = rng.permutation(size)[: int(rng.choice(sizes, p=kernel / kernel.sum()))]
        masks[row, chosen] = True
        masks[row + 1] = ~masks[row]
    whole, scores = values(np.ones((1, size), dtype=np.bool_)), values(masks)
    # All effects together are the score of the whole history (nothing is 0): the last one is what the others leave.
    design = masks[:, :-1].astype(np.float64) - masks[:, -1:]
    target = scores - masks[:, -1:] * whole
    found = _regression(design, target.astype(np.float64), np.ones(SAMPLES), penalty=1e-6, intercept=False)
    return np.concatenate([found, whole - found.sum(axis=0, keepdims=True)])


def _regression(
    design: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64], *, penalty: float, intercept: bool = True
) -> FloatArray:
    """Weighted ridge coefficients, [num_features, num_targets]; the intercept is left out of them and of the penalty."""
    if intercept:
        design = np.hstack([design, np.ones((len(design), 1))])
    weighted = design * weight[:, None]
    system = design.T @ weighted + penalty * np.diag([1.0] * (design.shape[1] - intercept) + [0.0] * intercept)
    return np.asarray(np.linalg.solve(system, weighted.T @ target)[: design.shape[1] - intercept], dtype=np.float32)
