"""The mixture of instruction-tuning tasks: each chunk of a history becomes one example with questions branching off it.

Nothing later than a question's target is visible to it, and stated preferences are read off the history before the target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from string import Formatter

import numpy as np

from instructrec.core import Branch, Example, ItemRef
from instructrec.instructions.render import ItemWords, Wording, attribute_phrase, history_trunk, question, wording
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

    def shares(self) -> dict[str, float]:
        """Share of each kind, summing to one."""
        kinds = ("wish", "preference", "limit", "text_to_item", "item_to_text", "explanation")
        total = sum(getattr(self, f"share_{kind}") for kind in kinds)
        return {kind: getattr(self, f"share_{kind}") / total for kind in kinds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One point of a history: the items before it and the item that followed."""

    before: Sequence[int]
    target: int


class TaskMixture:
    """Writes examples for one catalog in one language."""

    def __init__(self, catalog: Catalog, config: TaskConfig, *, language: str) -> None:
        self.catalog = catalog
        self.config = config
        self.forms: Wording = wording(language)
        self.words = ItemWords.of(catalog)
        self.vocabulary = tuple(sorted({value for row in self.words.values for value in row}))
        self.kinds: dict[str, Callable[[Moment, np.random.Generator], Branch | None]] = {
            "wish": self._wish,
            "preference": self._preference,
            "limit": self._limit,
            "text_to_item": self._text_to_item,
            "item_to_text": self._item_to_text,
            "explanation": self._explanation,
        }

    def examples(self, chunks: Sequence[IntArray], rng: np.random.Generator) -> list[Example]:
        """One example for each chunk of a history (item codes, oldest first)."""
        return [self._example([int(code) for code in chunk], rng) for chunk in chunks]

    def _example(self, items: list[int], rng: np.random.Generator) -> Example:
        shares = self.config.shares()
        count = min(len(items), max(1, round(self.config.questions * len(items) / 100))) if self.config.questions > 0 else 0
        places = rng.choice(len(items), size=count, replace=False)
        kinds = rng.choice(list(shares), size=count, p=list(shares.values()))
        moments = [Moment(before=items[:place], target=items[place]) for place in places]
        made = [self.kinds[kind](moment, rng) for kind, moment in zip(kinds, moments, strict=True)]
        return Example(
            trunk=history_trunk(items, self._pick(self.forms.train["history"], rng)),
            branches=tuple(branch for branch in made if branch is not None),
        )

    def _pick(self, sentences: Sequence[str], rng: np.random.Generator) -> str:
        return sentences[int(rng.integers(len(sentences)))]

    def _ask(self, kind: str, moment: Moment, rng: np.random.Generator, **fill: str) -> Branch:
        fitting = [sentence for sentence in self.forms.train[kind] if set(fill) <= set(_blanks(sentence))]
        words = self._pick(fitting, rng).format(**fill)
        return question(words, at=1 + len(moment.before), task=kind, target=moment.target, weight=self.config.question_weight)

    def _some(self, values: Sequence[str], rng: np.random.Generator) -> list[str]:
        """All values in half of the cases, else some of them, in any order."""
        order = [values[int(place)] for place in rng.permutation(len(values))]
        return order if rng.random() < 0.5 else order[: int(rng.integers(1, len(order) + 1))] if order else []

    def _phrase(self, item: int, rng: np.random.Generator) -> str:
        decade = self.words.decades[item] if rng.random() < 0.7 else None
        return attribute_phrase(self._some(self.words.values[item], rng), decade, forms=self.forms, rng=rng)

    def _wish(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        phrase = self._phrase(moment.target, rng)
        return self._ask("wish", moment, rng, values=phrase) if phrase else None

    def _preference(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        counts = Counter(value for item in moment.before for value in self.words.values[item])
        favourites = [value for value, _ in counts.most_common(3)]
        return self._ask("preference", moment, rng, values=" ".join(self._some(favourites, rng))) if favourites else None

    def _limit(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        phrase = self._phrase(moment.target, rng)
        absent = [value for value in self.vocabulary if value not in self.words.values[moment.target]]
        excluded = absent[int(rng.integers(len(absent)))] if absent else ""
        fill = {"values": phrase, "excluded": excluded} if rng.random() < 0.5 else {"values": phrase}
        known = {key: value for key, value in fill.items() if value}
        sentences = [text for text in self.forms.train["limit"] if set(_blanks(text)) == set(known)]
        if not sentences:
            return None
        words = self._pick(sentences, rng).format(**known)
        return question(words, at=1 + len(moment.before), task="limit", target=moment.target, weight=self.config.question_weight)

    def _text_to_item(self, moment: Moment, rng: np.random.Generator) -> Branch | None:
        title = self.catalog.titles[moment.target]
        words = self._pick(self.forms.train["text_to_item"], rng).format(title=title)
        if not title:
            return None
        return question(words, at=1, task="text_to_item", target=moment.target, weight=self.config.question_weight)

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

    def _tell(self, kind: str, moment: Moment, rng: np.random.Generator, *, at: int, fill: dict[str, str]) -> Branch:
        """A question about the target that is answered in words."""
        return Branch(
            at=at,
            pieces=(ItemRef(moment.target), self._pick(self.forms.train[kind], rng)),
            task=kind,
            completion=self._pick(self.forms.completion[kind], rng).format(**fill),
            weight=self.config.question_weight,
        )


def _blanks(sentence: str) -> list[str]:
    """Names of the placeholders of a sentence."""
    return [name for _, name, _, _ in Formatter().parse(sentence) if name]


def chunks(histories: Sequence[IntArray], *, length: int, rng: np.random.Generator) -> list[IntArray]:
    """Cut long histories into pieces of at most `length` items at random places; every item is in exactly one piece."""
    pieces: list[IntArray] = []
    for history in histories:
        if len(history) <= length:
            pieces.extend([history] if len(history) else [])
            continue
        first = int(rng.integers(length // 2, length + 1))
        cuts = [0, *range(first, len(history), length), len(history)]
        pieces.extend(history[start:stop] for start, stop in zip(cuts[:-1], cuts[1:], strict=True))
    return pieces
