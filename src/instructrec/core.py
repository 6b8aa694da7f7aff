"""The nouns of a request and its answer, and the seams between parts. Knows only the tables."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np

from instructrec.errors import QueryError
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, ItemId, Limit, UserId

EvidenceKind: TypeAlias = Literal["history", "attribute", "instruction", "popularity", "source"]
ExplanationStatus: TypeAlias = Literal["verified", "fallback", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """How many of the shown items meet all of `limits`: at least so many, and at most so many (none: any number)."""

    limits: tuple[Limit, ...]
    at_least: int = 0
    at_most: int | None = None

    def __post_init__(self) -> None:
        if self.at_least < 0 or (self.at_most is not None and self.at_most < self.at_least):
            raise QueryError(
                f"A quota asks for at least {self.at_least} and at most {self.at_most} items, which no list can have. "
                "Give 0 <= at_least <= at_most."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """The user's words, what was understood of them, and what was not.

    `limits` must hold for every shown item, `quotas` for the list as a whole; `like` and `unlike` are items named as examples of
    what is wanted and what is not; `seen`: only items that are new to the user, or only known ones (empty: as the query says);
    `n`: how many items were asked for; `wish` is what the language model reads to order the list. `not_understood` holds the words
    that none of these could use, and `notes` codes for what was settled between words that do not agree ("contradiction:Comedy").
    """

    text: str
    limits: tuple[Limit, ...] = ()
    quotas: tuple[Quota, ...] = ()
    like: tuple[ItemId, ...] = ()
    unlike: tuple[ItemId, ...] = ()
    seen: Literal["", "new", "known"] = ""
    n: int | None = None
    wish: str = ""
    not_understood: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One request: everything that is known when it is made.

    `history` is oldest first. `candidates` restricts the answer; `exclude` is never shown;
    `hide_seen` keeps the items of the history out.
    """

    user: UserId | None = None
    history: tuple[ItemId, ...] = ()
    instruction: Instruction | None = None
    candidates: tuple[ItemId, ...] | None = None
    exclude: frozenset[ItemId] = frozenset()
    hide_seen: bool = True
    n: int = 10
    time: int | None = None
    """Seconds since 1970; none means now."""

    def __post_init__(self) -> None:
        if self.n < 1:
            raise QueryError(f"n is {self.n}, but at least one item must be asked for. Use n >= 1.")


@dataclass(frozen=True, slots=True)
class ScoredItem:
    """One item of an answer: its score, and the source that contributed most to it."""

    item: ItemId
    score: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A ranked answer to one query, best first.

    `model` was asked, `served_by` answered; `degraded` is true when that is less than was asked for, and `notes` say why
    in words for the user (also when fewer than n items may be shown).
    """

    id: str
    query: Query
    items: tuple[ScoredItem, ...]
    model: str
    served_by: str
    degraded: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One fact behind an item: where it comes from, and how much of the score it carries.

    history: `item` is the history item. attribute: `attribute` and `value` of the shown item.
    instruction: `attribute`/`value` is the limit met, or `value` a word of the wish. source: `value` names the model.
    popularity: `value` is the number of people. `weight`: change of the score (in the model's own units) without this fact;
    for facts without a measured effect it is 0.
    """

    kind: EvidenceKind
    weight: float
    item: ItemId | None = None
    attribute: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one item was recommended. `status` is verified when every claim of the text follows from the evidence."""

    item: ItemId
    text: str
    status: ExplanationStatus
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One thing a user did; with `recommendation`, an answer to something that was shown."""

    user: UserId
    item: ItemId
    kind: str
    time: int
    value: float = 1.0
    text: str = ""
    recommendation: str | None = None


@dataclass(frozen=True, slots=True)
class ItemRef:
    """An item inside a prompt, by catalog code; it becomes an item token."""

    code: int


Piece: TypeAlias = str | ItemRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A question asked after the first `at` pieces of a trunk: words (and items) that only this question sees.

    The answer is the item code `target`, or the words `completion`; a branch of a live query has neither.
    """

    at: int
    pieces: tuple[Piece, ...]
    task: str
    target: int | None = None
    completion: str = ""
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The unit of instruction tuning: one trunk (task words, then a history) and the questions that branch off it.

    Every item of the trunk after the first is a target of next-item prediction when `next_item` is true.
    """

    trunk: tuple[Piece, ...]
    branches: tuple[Branch, ...] = ()
    next_item: bool = True


class Progress(Protocol):
    """Where long work reports: one stage at a time, with a known number of steps."""

    def stage(self, name: str, *, total: int) -> None:
        """Begin a stage of `total` steps."""

    def step(self, done: int, *, loss: float | None = None) -> None:
        """`done` steps of the current stage are finished."""


class Silent:
    """A Progress that says nothing."""

    def stage(self, name: str, *, total: int) -> None:
        """Ignore the stage."""

    def step(self, done: int, *, loss: float | None = None) -> None:
        """Ignore the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """What a model may use beside its training data.

    `validation`: one query a user and the code of the item that followed it, for choosing weights or stopping; never test data.
    `folder`: where unfinished work may be kept so that an interrupted fit goes on (none: start anew).
    """

    validation: tuple[Sequence[Query], Sequence[int]] | None = None
    seed: int = 0
    progress: Progress = Silent()
    folder: Path | None = None


class Recommender(ABC):
    """A model that scores the whole catalog for a batch of queries. Subclasses write `fit`, `score`, `save` and `load`."""

    name: ClassVar[str]
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

    def is_personal(self, query: Query) -> bool:
        """Whether the scores depend on this query beyond popularity."""
        return len(self.catalog.codes(query.history)) > 0

    def recommend(self, queries: Sequence[Query]) -> list[Recommendation]:
        """Rank the allowed items of every query; the one place that enforces limits, candidates, exclusions and seen items."""
        if not queries:
            return []
        sources = self.sources(queries)
        total = np.sum(list(sources.values()), axis=0)
        names = list(sources)
        strongest = np.argmax([_centred(part) for part in sources.values()], axis=0)
        return [self._answer(query, total[row], [names[code] for code in strongest[row]]) for row, query in enumerate(queries)]

    def _answer(self, query: Query, scores: FloatArray, strongest: Sequence[str]) -> Recommendation:
        order = top_n(scores, allowed(query, self.catalog), query.n)
        items = tuple(ScoredItem(self.catalog.item_ids[code], float(scores[code]), strongest[code]) for code in order)
        notes, degraded = self._notes(query, len(items))
        return Recommendation(
            id=recommendation_id(self.name, query, items),
            query=query,
            items=items,
            model=self.name,
            served_by="popular" if degraded else self.name,
            degraded=degraded,
            notes=notes,
        )

    def _notes(self, query: Query, num_items: int) -> tuple[tuple[str, ...], bool]:
        notes: list[str] = []
        unknown = self.catalog.unknown(query.history)
        if unknown:
            notes.append(f"unknown_history:{','.join(unknown[:5])}")
        if num_items < query.n:
            notes.append(f"short_list:{num_items}")
        degraded = not self.is_personal(query)
        if degraded:
            notes.append("cold_start:popularity")
        return tuple(notes), degraded


def allowed(query: Query, catalog: Catalog) -> BoolArray:
    """The items that may be shown for this query, bool [num_items]."""
    mask = catalog.matching(query.instruction.limits) if query.instruction else np.ones(len(catalog), dtype=np.bool_)
    if query.candidates is not None:
        only = np.zeros(len(catalog), dtype=np.bool_)
        only[catalog.codes(query.candidates)] = True
        mask &= only
    mask[catalog.codes(tuple(query.exclude))] = False
    if query.hide_seen:
        mask[catalog.codes(query.history)] = False
    return mask


def top_n(scores: FloatArray, mask: BoolArray, n: int) -> list[int]:
    """Codes of the n best allowed items, best first; ties by catalog order, so that equal input gives equal lists."""
    codes = np.flatnonzero(mask)
    order = np.lexsort((codes, -scores[codes]))[:n]
    return [int(code) for code in codes[order]]


def recommendation_id(model: str, query: Query, items: Sequence[ScoredItem]) -> str:
    """An id that feedback can refer to; the same answer to the same query has the same id."""
    content = repr((model, query, tuple(item.item for item in items)))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _centred(scores: FloatArray) -> FloatArray:
    return np.asarray(scores - scores.mean(axis=1, keepdims=True), dtype=np.float32)
