"""What clicks add to scores: a dislike presses down what resembles the item and touches nothing else, a like and "more like this"
pull up what resembles it. Nothing is learned, so taking a click back gives the list that was there before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np

from instructrec.core import Query, Reaction, ReactionKind
from instructrec.lists import DoubleArray, jaccard, nth_best
from instructrec.tables import Catalog, FloatArray, IntArray, ItemId

FEEDBACK = "feedback"
"""The source of a list that comes from reactions."""
PRESSED, PULLED = 30, 80
"""What is as like an item as can be falls (rises) by as much as lies between the best item and the one so many places behind it.

On validation of MovieLens-1M 81 % of what resembles a disliked item leaves the next 20; with 80 places 94 %, but what is chosen
next often resembles what was disliked, so that every press costs accuracy on it (benchmarks.feedback_effect).
"""
ALIKE = (0.9, 0.95)
"""Quantiles of likeness over the catalog: up to the first an item does not resemble another, from the second on it does fully."""
NAMED = 2.0
"""Times the distance by which values press that were named as the reason, for what somebody names they mean."""
PULL: Mapping[ReactionKind, float] = {"like": 0.05, "similar": 2.0}
"""By how much of the same distance the item is pulled up that resembles a liked one most.

On validation of MovieLens-1M likes of what was rated high among the last choices change NDCG@10 by -0.2 to +1.0 % (2,500 users)."""
ORDINARY = 128
"""Items, evenly spread over the catalog, whose mean likeness is what is usual."""
MOST_BYTES = 64 * 2**20
"""Memory a model for what resembles an item; what was not asked for longest is forgotten, and found again when it is."""


def effects(model: Scores, queries: Sequence[Query], totals: FloatArray) -> FloatArray | None:
    """What reactions add to `totals`, the scores without them: float32 [num_queries, num_items]; None where nobody reacted.

    Of several pulls, and of several presses, the strongest counts for an item: no order matters, and clicks do not add up.
    What a dislike adds is never above 0, so that it raises no score, and exactly 0 for what does not resemble its item.
    """
    rows = [row for row, query in enumerate(queries) if _known(query, model.catalog)]
    if not rows:
        return None
    out = np.zeros_like(totals)
    for row in rows:
        query, catalog = queries[row], model.catalog
        pull, press = np.zeros((2, len(catalog)), dtype=np.float32)
        for reaction in _known(query, catalog):
            into = press if reaction.kind == "dislike" else pull
            for codes, degrees in _touched(reaction, query, model):
                into[codes] = np.maximum(into[codes], np.float32(reaction.weight) * degrees)
        past = catalog.codes(query.history)
        out[row] = _distance(totals[row], past, PULLED) * pull - _distance(totals[row], past, PRESSED) * press
    return out


def unusable(query: Query, catalog: Catalog) -> tuple[str, ...]:
    """Codes for what reactions say that nothing could be made of: items and attributes that the catalog does not have."""
    unknown = catalog.unknown([reaction.item for reaction in query.reactions])
    attributes = {reaction.attribute for reaction in query.reactions} - {"", *catalog.labels}
    found = {"unknown_reactions": unknown, "unknown_reasons": sorted(attributes)}
    return tuple(f"{code}:{','.join(list(names)[:5])}" for code, names in found.items() if names)


def pulled(query: Query, catalog: Catalog) -> bool:
    """Whether the person said of some item that there should be more like it."""
    return any(reaction.kind != "dislike" for reaction in _known(query, catalog))


def disliked(query: Query) -> tuple[ItemId, ...]:
    """Items of dislikes, whatever the reason: they are shown to nobody who said so, and are no reason for others."""
    return tuple(reaction.item for reaction in query.reactions if reaction.kind == "dislike")


class Scores(Protocol):
    """What is asked of a model; every recommender has it."""

    @property
    def catalog(self) -> Catalog:
        """The items that it scores."""

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """What each source adds to the score: float32 [num_queries, num_items]."""

    def is_personal(self, query: Query) -> bool:
        """Whether the scores depend on this query beyond popularity."""

    def item_vectors(self) -> FloatArray | None:
        """Vectors float32 [num_items, width] that lie near each other where items are alike; None without any."""


@dataclass(frozen=True, slots=True)
class Alike:
    """The items that resemble one: `codes` int64, and two degrees float32 in (0, 1]: `full` is 1 for all that clearly do, `best`
    only for what does most.
    """

    codes: IntArray
    full: FloatArray
    best: FloatArray


class Likeness:
    """Which items resemble an item as a model sees it, kept for the model's life. A model that is fitted again is a new object."""

    _kept: WeakKeyDictionary[Scores, Likeness] = WeakKeyDictionary()

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._found: OrderedDict[int, Alike] = OrderedDict()
        self._bytes = 0
        self._usual: FloatArray | None = None
        self._lock = Lock()

    @staticmethod
    def of(model: Scores) -> Likeness:
        """That of a model, begun when it is first asked for."""
        found = Likeness._kept.get(model)
        if found is None or found.catalog is not model.catalog:
            found = Likeness._kept[model] = Likeness(model.catalog)
        return found

    def alike(self, item: int, model: Scores) -> Alike:
        """What resembles an item code, from its `row`; remembered."""
        with self._lock:
            found = self._found.get(item)
            if found is not None:
                self._found.move_to_end(item)
                return found
        found = _alike(self.row(item, model), item)
        with self._lock:
            if item not in self._found:
                self._found[item] = found
                self._bytes += _size(found)
            while self._bytes > MOST_BYTES and len(self._found) > 1:
                self._bytes -= _size(self._found.popitem(last=False)[1])
        return found

    def row(self, item: int, model: Scores) -> FloatArray:
        """Likeness of every item to an item code, float32 [num_items], above 0 for what resembles it at all.

        It is what somebody who chose only it would be offered sooner than is usual: the score of that query, in standard deviations
        of its row, above the mean of the same over ORDINARY items; an item below the mean of its row resembles nothing. On
        MovieLens-1M this tells which items somebody rates low beside one that they rated low better than the scores themselves do,
        and it does not take what is popular for what is alike. It is 0 for all where the model does not know the item.
        """
        own = self._own(item, model)
        return np.zeros(len(self.catalog), dtype=np.float32) if own is None else np.minimum(own - self.usual(model), own)

    def usual(self, model: Scores) -> FloatArray:
        """The mean row of ORDINARY items, float32 [num_items]; made once (one query an item), which a service may do beforehand."""
        if self._usual is None:
            total, count = np.zeros(len(self.catalog), dtype=np.float64), 0
            for item in np.unique(np.linspace(0, len(self.catalog) - 1, ORDINARY).astype(np.int64)).tolist():
                row = self._own(item, model)
                if row is not None:
                    total, count = total + row, count + 1
            self._usual = (total / max(1, count)).astype(np.float32)
        return self._usual

    def _own(self, item: int, model: Scores) -> FloatArray | None:
        """Scores of who chose only this item, standardised; None for an item of which the model knows nothing.

        Asked for one by one: bits that depend on what else was asked for would not come back with an undo.
        """
        query = Query(history=(self.catalog.item_ids[item],), hide_seen=False)
        if not model.is_personal(query):
            return None
        row = np.sum(list(model.sources([query]).values()), axis=0)[0]
        spread = float(row.std())
        return np.asarray((row - row.mean()) / spread, dtype=np.float32) if spread > 0 else None


def resemblance(codes: IntArray, model: Scores) -> DoubleArray:
    """How much k items resemble each other, float64 [k, k] in [0, 1], 0 for an item and itself; the same both ways.

    The share of their attribute values that both have (Jaccard), which is what `diversity` of an evaluation measures and what a
    person sees; a pair of which one has no value is as alike as the others are in the mean. In a catalog without label attributes
    it is the cosine of the model's vectors, not below 0, or else what `Likeness` says (a query an item).
    """
    if model.catalog.labels:
        near = jaccard(model.catalog.label_matrix(codes))
        np.fill_diagonal(near, np.nan)
        known = near[~np.isnan(near)]
        near = np.where(np.isnan(near), known.mean() if len(known) else 0.0, near)
    else:
        vectors = model.item_vectors()
        near = _cosines(vectors[codes]) if vectors is not None else _likenesses(codes, model)
    np.fill_diagonal(near, 0.0)
    return near


def _cosines(vectors: FloatArray) -> DoubleArray:
    wide = vectors.astype(np.float64)
    wide /= np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return np.clip(wide @ wide.T, 0.0, 1.0)


def _likenesses(codes: IntArray, model: Scores) -> DoubleArray:
    near, kept = np.zeros((len(codes), len(codes))), Likeness.of(model)
    for place, code in enumerate(codes.tolist()):
        degree, found = np.zeros(len(model.catalog)), kept.alike(code, model)
        degree[found.codes] = found.best
        near[place] = degree[codes]
    return (near + near.T) / 2


def _known(query: Query, catalog: Catalog) -> list[Reaction]:
    return [reaction for reaction in query.reactions if reaction.item in catalog.index]


def _touched(reaction: Reaction, query: Query, model: Scores) -> Iterator[tuple[IntArray, FloatArray]]:
    """Items that a reaction touches, codes int64, and how much of the distance, float32 above 0."""
    item = model.catalog.index[reaction.item]
    if reaction.kind == "dislike" and reaction.attribute:
        yield from _sharing(item, reaction.attribute, query, model.catalog)
    elif reaction.kind == "dislike" and not reaction.reason:
        near = Likeness.of(model).alike(item, model)
        yield near.codes, near.full
    elif reaction.kind != "dislike":
        near = Likeness.of(model).alike(item, model)
        codes, best = (near.codes, near.best) if reaction.kind == "like" else _with_values(item, near, model.catalog)
        yield codes, np.float32(PULL[reaction.kind]) * best


def _with_values(item: int, near: Alike, catalog: Catalog) -> tuple[IntArray, FloatArray]:
    """Half of a degree is likeness to the model, half the share of the item's own values, rare ones counting more (idf)."""
    degree, most = np.zeros(len(catalog), dtype=np.float32), 0.0
    for labels in catalog.labels.values():
        for value in labels.of(item):
            has = labels.any_of((value,))
            rarity = float(np.log(len(catalog) / has.sum()))
            degree[has] += np.float32(rarity)
            most += rarity
    degree /= np.float32(max(2.0 * most, 1e-9))
    degree[near.codes] += near.best / 2
    codes = np.flatnonzero(degree)
    return codes.astype(np.int64), degree[codes]


def _sharing(item: int, attribute: str, query: Query, catalog: Catalog) -> Iterator[tuple[IntArray, FloatArray]]:
    """The items with each value of an attribute that an item has, and the share of the history that lacks it: what somebody chooses
    all the time is hardly what they mind.
    """
    if attribute not in catalog.labels:
        return
    labels, past = catalog.labels[attribute], np.unique(catalog.codes(query.history))
    for value in labels.of(item):
        has = labels.any_of((value,))
        often = float(has[past].mean()) if len(past) else 0.0
        codes = np.flatnonzero(has).astype(np.int64)
        yield codes, np.full(len(codes), NAMED * (1.0 - often), dtype=np.float32)


def _distance(scores: FloatArray, past: IntArray, places: int) -> np.float32:
    """How far the best item that is new to somebody lies above the one so many places behind: a way out of any list."""
    new = np.delete(scores, past)
    if not len(new):
        return np.float32(0.0)
    found = np.float32(float(new.max()) - nth_best(new, min(places + 1, len(new))))
    # Where all are equal nothing has a place yet, and any distance makes one.
    return found if found > 0 else np.float32(1.0)


def _alike(likeness: FloatArray, item: int) -> Alike:
    likeness[item] = likeness.min()
    low, high = np.quantile(likeness, ALIKE)
    codes = np.flatnonzero(likeness > max(low, 0.0))
    degree = likeness[codes]
    full = np.clip((degree - low) / max(high - low, 1e-9), 0.0, 1.0)
    best = degree / max(float(degree.max(initial=0.0)), 1e-9)
    return Alike(codes.astype(np.int64), full.astype(np.float32), best.astype(np.float32))


def _size(found: Alike) -> int:
    return found.codes.nbytes + found.full.nbytes + found.best.nbytes
