"""The mixture of instruction-tuning tasks: each chunk of a history becomes one example with questions branching off it.

Nothing later than a question's target is visible to it, and stated preferences are read off the history before the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from string import Formatter

import numpy as np

from instructrec.core import Branch, Example, ItemRef, Piece
from instructrec.errors import ConfigError
from instructrec.instructions.cells import CELLS, Cell, CellWriter, Moment
from instructrec.instructions.parse import parse
from instructrec.instructions.phrasing import Phrasing, held_out_values, one_of
from instructrec.instructions.render import history_trunk, instruction_words, question, similar_question
from instructrec.instructions.reviews import ReviewSentence, review_question
from instructrec.tables import Catalog, IntArray


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """How many questions a history gets, and of which kinds."""

    questions: float = field(default=2.0, metadata={"help": "questions a 100 history items (at least one a history)"})
    question_weight: float = field(default=2.0, metadata={"help": "loss weight of one question; a next-item target has weight 1"})
    share_wish: float = field(default=0.5, metadata={"help": "share of wishes: attributes of the target in words"})
    share_preference: float = field(default=0.1, metadata={"help": "share of stated preferences: what the history before shows"})
    share_limit: float = field(default=0.15, metadata={"help": "share of limits in words: attributes that must or must not hold"})
    share_text_to_item: float = field(default=0.1, metadata={"help": "share of title -> item"})
    share_item_to_text: float = field(default=0.08, metadata={"help": "share of item -> title and attributes"})
    share_explanation: float = field(default=0.07, metadata={"help": "share of item -> reason that names a history item"})
    share_vague: float = field(default=0.03, metadata={"help": "share of vague intentions: the commonest attribute of the target"})
    share_specific: float = field(
        default=0.05, metadata={"help": "share of specific intentions: attributes, numbers and words of the description"}
    )
    share_matching: float = field(default=0.02, metadata={"help": "share of questions for the next item without any intention"})
    share_pointwise: float = field(default=0.07, metadata={"help": "share of 'would this item be taken?', answered by yes or no"})
    share_pairwise: float = field(default=0.06, metadata={"help": "share of 'which of two items?'"})
    share_reranking: float = field(default=0.06, metadata={"help": "share of 'which of these candidates?'"})
    share_similar: float = field(default=0.05, metadata={"help": "share of 'something like this item'"})
    share_review: float = field(
        default=0.05,
        metadata={
            "help": "share of item -> sentence of the user's own review; counts where reviews are read (data.options.reviewers)"
        },
    )
    hold_out_values: bool = field(
        default=False,
        metadata={
            "help": "never say a fixed fifth of the attribute values in tuning: for measuring whether new words are understood"
        },
    )

    def shares(self, *, reviews: bool = False) -> dict[str, float]:
        """Share of each kind, summing to one. Without `reviews` nothing is asked about them. Raises ConfigError where all are zero
        or one is negative.
        """
        kinds = [name.removeprefix("share_") for name in TaskConfig.__dataclass_fields__ if name.startswith("share_")]
        shares = {kind: float(getattr(self, f"share_{kind}")) for kind in kinds}
        shares["review"] *= reviews
        total = sum(shares.values())
        if min(shares.values()) < 0 or total <= 0:
            raise ConfigError(f"The shares of the tuning tasks are {shares}; none may be below 0 and one must be above it.")
        return {kind: share / total for kind, share in shares.items()}


UNDERSTOOD = ("wish", "limit", "preference", "matching")
"""Tasks whose words are instructions; they are understood in tuning as they are in serving."""
ENFORCED = 0.5
"""Share of them whose limits are enforced in tuning. The others teach what words mean to a list that nothing else limits: wishes
that are soft, and words that no attribute has."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a history (item codes, oldest first), every item of the whole (what its user is known to take), and what the user
    wrote of items.
    """

    items: IntArray
    taken: frozenset[int]
    written: Mapping[int, ReviewSentence] = field(default_factory=dict)

    @staticmethod
    def whole(history: IntArray, written: Mapping[int, ReviewSentence] | None = None) -> Chunk:
        """A history that is not cut."""
        return Chunk(history, frozenset(history.tolist()), written or {})


class TaskMixture:
    """Writes examples for one catalog in one language. `popular`: item codes, each as often as it was taken in training;
    `reviews`: whether the chunks come with what their users wrote.
    """

    def __init__(
        self, catalog: Catalog, config: TaskConfig, *, language: str, popular: IntArray | None = None, reviews: bool = False
    ) -> None:
        self.catalog = catalog
        self.config = config
        self.language = language
        self.shares = config.shares(reviews=reviews)
        self.unsaid = held_out_values(catalog) if config.hold_out_values else frozenset()
        self.phrasing = Phrasing(catalog, language, unsaid=self.unsaid)
        self.forms = self.phrasing.forms
        self.words = self.phrasing.words
        self.vocabulary = self.phrasing.vocabulary
        self.cells = CellWriter(self.phrasing, popular=popular)
        self.kinds: dict[str, Callable[[Moment, np.random.Generator], Branch | None]] = {
            "wish": self._wish,
            "preference": self._preference,
            "limit": self._limit,
            "text_to_item": self._text_to_item,
            "item_to_text": self._item_to_text,
            "explanation": self._explanation,
            "similar": self._similar,
            "review": self._review,
        }
        for form in ("pointwise", "pairwise", "reranking"):
            self.kinds[form] = partial(self._in_cells, [cell for cell in CELLS if cell.form == form])
        for kind, intention in (("matching", "I0"), ("vague", "I1"), ("specific", "I2")):
            cells = [cell for cell in CELLS if cell.form == "matching" and cell.intention == intention]
            self.kinds[kind] = partial(self._in_cells, cells)

    def examples(self, chunks: Sequence[Chunk], rng: np.random.Generator) -> list[Example]:
        """One example for each chunk of a history."""
        return [self._example(chunk, rng) for chunk in chunks]

    def _example(self, chunk: Chunk, rng: np.random.Generator) -> Example:
        shares, items = self.shares, [int(code) for code in chunk.items]
        count = min(len(items), max(1, round(self.config.questions * len(items) / 100))) if self.config.questions > 0 else 0
        places = rng.choice(len(items), size=count, replace=False)
        kinds = rng.choice(list(shares), size=count, p=list(shares.values()))
        moments = [
            Moment(before=items[:place], target=items[place], taken=chunk.taken, written=chunk.written.get(items[place]))
            for place in places
        ]
        made = [self.kinds[kind](moment, rng) for kind, moment in zip(kinds, moments, strict=True)]
        branches = tuple(
            as_served(branch, self.catalog, self.language) if rng.random() < ENFORCED else branch
            for branch in made
            if branch is not None
        )
        return Example(trunk=history_trunk(items, self._opening(rng)), branches=branches)

    def _opening(self, rng: np.random.Generator) -> str:
        """The words before a history: in half of the cases those that serve, so that what is served is well known."""
        return self.forms.train["history"][0] if rng.random() < 0.5 else self.phrasing.pick("history", rng)

    def _in_cells(self, cells: Sequence[Cell], moment: Moment, rng: np.random.Generator) -> Branch | None:
        """A question of any of the cells that the moment allows."""
        for place in rng.permutation(len(cells)):
            draft = self.cells.draft(cells[int(place)], moment, rng)
            if draft is not None:
                return self.cells.branch(draft, weight=self.config.question_weight)
        return None

    def _asked(self, kind: str, words: str, moment: Moment, *, at: int | None = None) -> Branch:
        """A question in words that the target answers, behind the history before it unless `at` says otherwise."""
        place = 1 + len(moment.before) if at is None else at
        return question(words, at=place, task=kind, target=moment.target, weight=self.config.question_weight)

    def _wish(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        phrase = self.phrasing.attributes(moment.target, rng)
        return self._asked("wish", self.phrasing.pick("wish", rng).format(values=phrase), moment) if phrase else None

    def _preference(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        words = self.phrasing.preference(moment.before, rng)
        return self._asked("preference", words, moment) if words else None

    def _limit(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        phrase = self.phrasing.attributes(moment.target, rng)
        absent = [value for value in self.vocabulary if value not in self.words.values[moment.target]]
        excluded = absent[int(rng.integers(len(absent)))] if absent else ""
        fill = {"values": phrase, "excluded": excluded} if rng.random() < 0.5 or not phrase else {"values": phrase}
        known = {key: value for key, value in fill.items() if value}
        sentences = [text for text in self.forms.train["limit"] if set(_blanks(text)) == set(known)]
        if not sentences:
            return None
        return self._asked("limit", one_of(sentences, rng).format(**known), moment)

    def _similar(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        """Something like the latest item before that shares a value with the target, or else like the last one; by token or title.

        A third also says what the target is; half do not see the history.
        """
        if not moment.before:
            return None
        target = set(self.words.values[moment.target])
        akin = [item for item in moment.before if target & set(self.words.values[item]) and item != moment.target]
        liked = (akin or moment.before)[-1]
        shown: Piece = ItemRef(liked) if rng.random() < 0.5 else self.phrasing.title(liked)
        said = self.phrasing.attributes(moment.target, rng) if rng.random() < 1 / 3 else ""
        at = 1 + len(moment.before) if rng.random() < 0.5 else 1
        branch = similar_question(said, [shown], self.phrasing.pick("similar", rng), at=at, forms=self.forms)
        return replace(branch, target=moment.target, weight=self.config.question_weight)

    def _text_to_item(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        title = self.catalog.titles[moment.target]
        words = self.phrasing.pick("text_to_item", rng).format(title=title)
        return self._asked("text_to_item", words, moment, at=1) if title else None

    def _item_to_text(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        fill = {"title": self.catalog.titles[moment.target], "values": " ".join(self.words.values[moment.target])}
        return self._tell("item_to_text", moment, rng, at=1, fill=fill) if fill["title"] else None

    def _explanation(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        """A true reason: the latest history item that shares attribute values with the target, and what is shared."""
        target = set(self.words.values[moment.target])
        for item in reversed(moment.before):
            shared = [value for value in self.words.values[item] if value in target]
            if shared and self.catalog.titles[item]:
                fill = {"liked": self.catalog.titles[item], "values": " ".join(shared)}
                return self._tell("explanation", moment, rng, at=1 + len(moment.before), fill=fill)
        return None

    def _review(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        """What the user wrote of the target; a wish where that is nothing, or not to be said."""
        if moment.written is None or any(value in " ".join(moment.written.words) for value in self.unsaid):
            return self._wish(moment, rng)
        at, weight = 1 + len(moment.before), self.config.question_weight
        return review_question(moment.target, moment.written, rng, at=at, forms=self.forms, weight=weight)

    def _tell(self, kind: str, moment: Moment, rng: np.random.Generator, *, at: int, fill: dict[str, str]) -> Branch:
        """A question about the target that is answered in words."""
        return Branch(
            at=at,
            pieces=(ItemRef(moment.target), self.phrasing.pick(kind, rng)),
            task=kind,
            completion=one_of(self.forms.completion[kind], rng).format(**fill),
            weight=self.config.question_weight,
        )


def as_served(branch: Branch, catalog: Catalog, language: str) -> Branch:
    """A question for an item as serving would ask it: what `parse` finds in its words to be limits is enforced, and the model reads
    what serving would have it read.

    Words that call an item by its title are left alone, and so is a sentence whose limits the target does not meet (an attribute
    value that means something else here).
    """
    if branch.target is None or branch.task not in UNDERSTOOD or not all(isinstance(piece, str) for piece in branch.pieces):
        return branch
    found = parse(" ".join(str(piece) for piece in branch.pieces), catalog, language=language)
    fits = bool(catalog.matching(found.limits)[branch.target])
    words = instruction_words(found)
    return replace(branch, pieces=(words,), limits=found.limits) if words and fits else branch


def _blanks(sentence: str) -> list[str]:
    """Names of the placeholders of a sentence."""
    return [name for _, name, _, _ in Formatter().parse(sentence) if name]


def chunks(
    histories: Sequence[IntArray],
    *,
    length: int,
    rng: np.random.Generator,
    written: Sequence[Mapping[int, ReviewSentence]] = (),
) -> list[Chunk]:
    """Cut long histories into pieces of at most `length` items at random places; every item is in exactly one piece. `written`:
    what the user of each history wrote of items, if anything is known of it.
    """
    pieces: list[Chunk] = []
    for history, own in zip_longest(histories, written):
        if len(history) <= length:
            pieces.extend([Chunk.whole(history, own)] if len(history) else [])
            continue
        first = int(rng.integers(length // 2, length + 1))
        cuts = [0, *range(first, len(history), length), len(history)]
        whole = Chunk.whole(history, own)
        pieces.extend(replace(whole, items=history[start:stop]) for start, stop in zip(cuts[:-1], cuts[1:], strict=True))
    return pieces
