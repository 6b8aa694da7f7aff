"""The nouns of a request and its answer. Knows only the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, get_args

from instructrec.errors import QueryError
from instructrec.tables import ItemId, Limit, UserId

ReactionKind: TypeAlias = Literal["like", "dislike", "similar"]
EvidenceKind: TypeAlias = Literal["history", "attribute", "instruction", "popularity", "rank", "source"]
WrittenBy: TypeAlias = Literal["model", "grammar"]
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
    `n`: how many items were asked for. `wish` is empty where all that is wanted is demanded; else it is the affirmative part of
    the words, which models read to order the list. `not_understood` holds the words that none of these could use, `notes` codes for
    what was settled between words that do not agree ("contradiction:Comedy").
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


SCOPE = "attribute:"
"""What begins the reason of a dislike that is about one attribute, before its name."""


@dataclass(frozen=True, slots=True, order=True)
class Reaction:
    """What somebody said of an item by a click, and the strength that it still has, above 0 and at most 1 (`weight`).

    like: a little more of what resembles it; similar: more like this; dislike: less of what resembles it, in the way that `reason`
    says: "" (nobody said: as the model sees it), "attribute:NAME" (what shares a value of that attribute with it, for nothing
    else), "seen" or "not_now" (nothing is wrong with it, so nothing else is touched).
    """

    item: ItemId
    kind: ReactionKind
    reason: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(ReactionKind):
            raise QueryError(f"There is no reaction '{self.kind}'. Use one of: {', '.join(get_args(ReactionKind))}.")
        if not 0.0 < self.weight <= 1.0:
            raise QueryError(
                f"The weight of a reaction is {self.weight}, but must be above 0 and at most 1. Leave out what has faded."
            )
        if self.reason not in ("", "seen", "not_now") and not self.attribute:
            raise QueryError(f"'{self.reason}' is no reason of a reaction. Use seen, not_now, {SCOPE}NAME (an attribute), or none.")

    @property
    def attribute(self) -> str:
        """The attribute that the reason names; empty where it names none."""
        return self.reason.removeprefix(SCOPE) if self.reason.startswith(SCOPE) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One request: everything that is known when it is made.

    `history` is oldest first. `candidates` restricts the answer; `exclude` is never shown;
    `hide_seen` keeps the items of the history out; `strength`, 0 to 1, is how much the wish weighs against the person's taste;
    `profile` is what the person says of their taste; `reactions` are their clicks, whose order means nothing: they are kept sorted,
    and what is disliked is never shown; `diversity`, 0 to 1, is how much items that resemble each other give way to others.
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
    strength: float = 1.0
    profile: str = ""
    reactions: tuple[Reaction, ...] = ()
    # Not shown in `repr`, which names answers: a list that asks for none keeps its id.
    diversity: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reactions", tuple(sorted(set(self.reactions))))
        if not 0.0 <= self.diversity <= 1.0:
            raise QueryError(f"diversity is {self.diversity}, but must lie between 0 (the best items) and 1 (the least alike).")
        if not 0.0 <= self.strength <= 1.0:
            raise QueryError(f"strength is {self.strength}, but must lie between 0 (words do not order) and 1 (they do fully).")
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

    history: `item` is the history item. attribute: `attribute` and `value` of the shown item; `people`: how many reviewers say so,
    where reviewers do.
    instruction: `attribute`/`value` is the limit met, or `value` a word of the wish. source: `value` names the model.
    popularity: `value` is the number of people. rank: `value` is its place in the list.
    `weight`, in the model's own units: what a history item gives to the score, the mean of what is lost without it and of what it
    brings alone; for a value that the user rated lower than the rest how much lower; 0 for facts without a measured effect.
    """

    kind: EvidenceKind
    weight: float
    item: ItemId | None = None
    attribute: str | None = None
    value: str | None = None
    people: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one item was recommended. `status` is verified when every claim of the text follows from the evidence, and fallback when
    that is so of a plainer text than was wanted. `written_by`: a language model, or the grammar.

    `caveat` is a sentence on what speaks against the item, and `against` the fact behind it (weight below 0, or 0 for what
    reviewers criticise); empty where nothing does. `counterfactual`: history items without all of which the item would not be in
    the list, and `counterfactual_text` the sentence that says so; empty where that was not looked for, or where no few items
    decide.
    """

    item: ItemId
    text: str
    status: ExplanationStatus
    evidence: tuple[Evidence, ...] = ()
    caveat: str = ""
    against: tuple[Evidence, ...] = ()
    counterfactual: tuple[ItemId, ...] = ()
    counterfactual_text: str = ""
    written_by: WrittenBy = "grammar"


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token that a language model reads of a query, two views into the model: `effect`, what gradients say that it adds to a
    score, and `attention`, the share of it where the answer begins, mean over layers and heads (0 where that is not to be had).
    """

    text: str
    effect: float
    attention: float


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

    The answer is the item code `target`, or the words `completion`; a branch of a live query has neither. With `limits` the item is
    chosen among those that meet them, as in serving.
    """

    at: int
    pieces: tuple[Piece, ...]
    task: str
    target: int | None = None
    completion: str = ""
    weight: float = 1.0
    limits: tuple[Limit, ...] = ()


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
    `folder`: where unfinished work may be kept so that an interrupted fit goes on (none: start anew). `watch`: told every NDCG@10
    on validation that training takes on its way; what it raises ends the fit.
    """

    validation: tuple[Sequence[Query], Sequence[int]] | None = None
    seed: int = 0
    progress: Progress = Silent()
    folder: Path | None = None
    watch: Callable[[float], None] | None = None
