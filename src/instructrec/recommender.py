"""The seam of every model, and the one way from its scores to a list that does what was asked."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from instructrec.core import FitContext, Query, Quota, ReadToken, Recommendation, ScoredItem
from instructrec.feedback import FEEDBACK, disliked, effects, pulled, resemblance, unusable
from instructrec.lists import Group, missing, varied_list
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, ItemId

LIKE, UNLIKE = "like", "unlike"
"""Sources of a list that come from items named in the words."""
LIKE_WEIGHT = 1.0
"""Weight of likeness to a named item, both scores in standard deviations of their rows."""


class Recommender(ABC):
    """A model that scores the whole catalog for a batch of queries. Subclasses write `fit`, `score`, `save` and `load`."""

    name: ClassVar[str]
    follows_words: ClassVar[bool] = False
    """Whether it has a taste that words change: scores of its own both without them and with them."""
    log_scale: ClassVar[bool] = False
    """Whether differences of its scores are differences of log-probabilities, as a network learns them that ends in a softmax."""
    needs_words: ClassVar[bool] = False
    """Whether it has nothing to say without words: a part of a fusion that no plain evaluation can tell anything about."""
    catalog: Catalog

    @abstractmethod
    def fit(self, dataset: Dataset, context: FitContext = FitContext()) -> Self:
        """Learn from the training interactions; return self."""

    @abstractmethod
    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Scores float32 [num_queries, num_items], higher is better, comparable within a row only.

        Limits, exclusions and seen items are not applied here. Rows are finite.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything but the catalog into an existing, empty folder (safetensors and JSON, no pickle)."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote."""

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """What each source adds to the score: name -> float32 [num_queries, num_items]. One source unless it is a fusion."""
        return {self.name: self.score(queries)}

    def item_vectors(self) -> FloatArray | None:
        """Vectors float32 [num_items, width] that lie near each other where items are alike to this model; None without any."""
        return None

    def saliency(self, query: Query, item: ItemId) -> Sequence[ReadToken]:
        """Each token that a language model reads of a query, in its order, with two views into the model for the score of an item.

        They are no reasons: nothing is taken away to find them. Empty for models that read no tokens.
        """
        return ()

    def text_effects(self, query: Query, item: ItemId) -> Mapping[tuple[str, str], float]:
        """By attribute and label value: how much less an item would score if its own text did not have the value.

        Empty for models that read no text of items.
        """
        return {}

    def unfit_for(self, dataset: Dataset) -> str:
        """Why nothing can be learned from such data, and what it would need, a sentence; empty where it can. Asked before `fit`."""
        return ""

    def bytes_needed(self, dataset: Dataset) -> int:
        """The most memory that `fit` takes beside the data, in bytes, foreseen from sizes; 0 where it is small."""
        return 0

    def predicted_ratings(self, queries: Sequence[Query]) -> FloatArray | None:
        """Ratings that the person would give, in the units of the data, float32 [num_queries, num_items]; None without any."""
        return None

    def is_personal(self, query: Query) -> bool:
        """Whether the scores depend on this query beyond popularity."""
        return len(self.catalog.codes(query.history)) > 0

    def informed(self, query: Query) -> bool:
        """Whether there is more to go by than what many choose: scores that are personal, or items that words or clicks name."""
        words = query.instruction
        named = words is not None and bool(words.like or words.unlike)
        return named or pulled(query, self.catalog) or self.is_personal(query)

    def resembling(self) -> Recommender:
        """The model that says what resembles an item that somebody reacted to."""
        return self

    def recommend(self, queries: Sequence[Query]) -> list[Recommendation]:
        """Rank the allowed items of every query.

        The one place that enforces limits, quotas, candidates, exclusions and seen items, and that follows `like`, `unlike`, the
        strength of the wish, reactions, and the diversity that is asked for.
        """
        if not queries:
            return []
        asked = [resolved(query) for query in queries]
        sources = steered(self, asked)
        total = np.sum(list(sources.values()), axis=0)
        return [
            self._answer(query, asked[row], total[row], {name: _gain(name, part[row]) for name, part in sources.items()})
            for row, query in enumerate(queries)
        ]

    def _answer(self, query: Query, asked: Query, scores: FloatArray, gains: Mapping[str, FloatArray]) -> Recommendation:
        quotas, groups = counted(query, self.catalog)
        order = listed(self, asked, scores, groups)
        strongest = np.argmax([part[order] for part in gains.values()], axis=0)
        items = tuple(
            ScoredItem(self.catalog.item_ids[code], float(scores[code]), list(gains)[source])
            for code, source in zip(order, strongest, strict=True)
        )
        notes, degraded = self._notes(asked, len(items))
        short = [
            f"quota_short:{_counted(quota)} ({quota.at_least - missing(group, order)}/{quota.at_least})"
            for quota, group in zip(quotas, groups, strict=True)
            if missing(group, order)
        ]
        return Recommendation(
            id=recommendation_id(self.name, query, items),
            query=query,
            items=items,
            model=self.name,
            served_by="popular" if degraded else self.name,
            degraded=degraded,
            notes=(*notes, *short),
        )

    def _notes(self, asked: Query, num_items: int) -> tuple[tuple[str, ...], bool]:
        notes: list[str] = []
        unknown = self.catalog.unknown(asked.history)
        if unknown:
            notes.append(f"unknown_history:{','.join(unknown[:5])}")
        notes += unusable(asked, self.catalog)
        if num_items < asked.n:
            notes.append(f"short_list:{num_items}")
        degraded = not self.informed(asked)
        if degraded:
            notes.append("cold_start:popularity")
        return tuple(notes), degraded


def resolved(query: Query) -> Query:
    """The query with what its words settle about it: how many items, seen or new ones, and that named items are not shown."""
    words = query.instruction
    if words is None:
        return query
    candidates = query.candidates
    if words.seen == "known":
        known = dict.fromkeys(query.history)
        candidates = tuple(known) if candidates is None else tuple(item for item in candidates if item in known)
    return replace(
        query,
        n=words.n or query.n,
        hide_seen={"": query.hide_seen, "new": True, "known": False}[words.seen],
        exclude=query.exclude | {*words.like, *words.unlike},
        candidates=candidates,
    )


def steered(model: Recommender, queries: Sequence[Query]) -> dict[str, FloatArray]:
    """What each source adds to the score: sources of the model, likeness to items that words name, and what reactions say.

    A strength between 0 and 1 is a straight line between the scores without the words and with them.
    """
    found = {name: np.array(part, dtype=np.float32) for name, part in model.sources(queries).items()}
    between = [row for row, query in enumerate(queries) if query.instruction is not None and 0.0 < query.strength < 1.0]
    if between:
        plain = model.sources([replace(queries[row], strength=0.0) for row in between])
        share = np.array([[queries[row].strength] for row in between], dtype=np.float32)
        for name, part in found.items():
            part[between] = share * part[between] + (1 - share) * plain[name]
    for name, sign in ((LIKE, 1.0), (UNLIKE, -1.0)):
        rows = [row for row, query in enumerate(queries) if _named(query, name)]
        if rows:
            examples = model.sources([_of_examples(queries[row], name) for row in rows])
            near = _standardised(np.sum(list(examples.values()), axis=0))
            spread = np.sum(list(found.values()), axis=0)[rows].std(axis=1, keepdims=True)
            extra = np.zeros((len(queries), len(model.catalog)), dtype=np.float32)
            # What does not resemble an unwanted item at all is as good as any other.
            extra[rows] = sign * LIKE_WEIGHT * spread * (near if name == LIKE else np.maximum(near - 1.0, 0.0))
            found[name] = extra
    said = effects(model.resembling(), queries, np.sum(list(found.values()), axis=0))
    return found if said is None else found | {FEEDBACK: said}


def allowed(query: Query, catalog: Catalog) -> BoolArray:
    """The items that may be shown for this query, bool [num_items]."""
    mask = catalog.matching(query.instruction.limits) if query.instruction else np.ones(len(catalog), dtype=np.bool_)
    for quota in query.instruction.quotas if query.instruction else ():
        if quota.at_most == 0:
            mask &= np.logical_not(catalog.matching(quota.limits))
    if query.candidates is not None:
        only = np.zeros(len(catalog), dtype=np.bool_)
        only[catalog.codes(query.candidates)] = True
        mask &= only
    mask[catalog.codes((*query.exclude, *disliked(query)))] = False
    if query.hide_seen:
        mask[catalog.codes((*query.history, *(reaction.item for reaction in query.reactions)))] = False
    return mask


def counted(query: Query, catalog: Catalog) -> tuple[list[Quota], list[Group]]:
    """The quotas of a query that count items of the list, and what each counts; quotas of none are part of what is allowed."""
    quotas = [quota for quota in query.instruction.quotas if quota.at_most != 0] if query.instruction else []
    return quotas, [Group(catalog.matching(quota.limits), quota.at_least, quota.at_most) for quota in quotas]


def listed(model: Recommender, query: Query, scores: FloatArray, groups: Sequence[Group]) -> list[int]:
    """The list for a query that is resolved, from the scores of all items and what its quotas count: item codes, best first."""
    mask = allowed(query, model.catalog)
    return varied_list(
        scores, mask, query.n, groups, diversity=query.diversity, alike=lambda codes: resemblance(codes, model.resembling())
    )


def recommendation_id(model: str, query: Query, items: Sequence[ScoredItem]) -> str:
    """An id that feedback can refer to; the same answer to the same query has the same id."""
    content = repr((model, query, tuple(item.item for item in items))) + (f" {query.diversity}" if query.diversity else "")
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _counted(quota: Quota) -> str:
    """What a quota counts, by name, for a note."""
    return "/".join("/".join(limit.values) or limit.attribute for limit in quota.limits)


def _named(query: Query, kind: str) -> tuple[str, ...]:
    if query.instruction is None:
        return ()
    return query.instruction.like if kind == LIKE else query.instruction.unlike


def _of_examples(query: Query, kind: str) -> Query:
    """Somebody who has chosen the named items and nothing else."""
    return Query(history=_named(query, kind), n=query.n, hide_seen=False)


def _gain(source: str, scores: FloatArray) -> FloatArray:
    """What a source adds above its mean; reactions above 0, where they touch nothing. float32 [num_items]."""
    return scores if source == FEEDBACK else scores - scores.mean()


def _centred(scores: FloatArray) -> FloatArray:
    return np.asarray(scores - scores.mean(axis=1, keepdims=True), dtype=np.float32)


def _standardised(scores: FloatArray) -> FloatArray:
    return np.asarray(_centred(scores) / np.maximum(scores.std(axis=1, keepdims=True), 1e-9), dtype=np.float32)
