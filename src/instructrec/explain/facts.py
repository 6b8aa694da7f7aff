"""Everything that is true of one shown item and may be said about it; what a finished text is checked against."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from instructrec.core import Recommendation
from instructrec.explain.influence import Influence
from instructrec.explain.phrases import Phrases
from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.parse import Reading, read
from instructrec.instructions.reading.marks import Mark, Scanner
from instructrec.instructions.tokens import keys
from instructrec.instructions.vocabulary import Ref, Vocabulary
from instructrec.tables import Catalog, Dataset, IntArray, Limit, UserId

MOST_READINGS = 20_000
"""Sentences whose reading is remembered."""
RATED = 3
"""Ratings that say what somebody thinks of a value, at least."""
LOWER = 0.1
"""Part of the span of ratings by which a value must be rated lower than the rest to speak against an item."""
BAND = 5
"""Places of a list that a text speaks of in the same way, so that items ten places apart are always told apart."""
BANDS = 4
"""Ways to say how well an item fits, from the best down."""
_QUOTES = str.maketrans({"“": "'", "”": "'", "《": "<", "》": ">", "\n": " ", "\r": " "})


class Lore:
    """What all items of a batch share: the catalog's vocabulary, the names of its items, how many people chose each."""

    def __init__(self, dataset: Dataset, phrases: Phrases) -> None:
        words = lexicon(phrases.language)
        if words is None:
            raise ValueError(phrases.language)
        self.dataset = dataset
        self.catalog: Catalog = dataset.catalog
        self.phrases = phrases
        self.lexicon = words
        self.vocabulary = Vocabulary.of(dataset.catalog, words)
        self._values: dict[int, tuple[Ref, ...]] = {}
        self._readings: dict[str, Reading] = {}
        self._marks: dict[str, list[Mark]] = {}

    @staticmethod
    def of(dataset: Dataset, phrases: Phrases) -> Lore:
        """What is known of a dataset in one language, put together once and kept with its catalog."""
        kept: dict[str, Lore] = vars(dataset.catalog).setdefault("_lore", {})
        found = kept.get(phrases.language)
        if found is None or found.dataset is not dataset:
            found = kept[phrases.language] = Lore(dataset, phrases)
        return found

    def read(self, text: str) -> Reading:
        """Read a text by the rules that read instructions; what was read lately is remembered, for sentences come again."""
        found = self._readings.get(text)
        if found is None:
            if len(self._readings) >= MOST_READINGS:
                self._readings.clear()
            found = self._readings[text] = read(text, self.vocabulary, self.lexicon, asks=False)
        return found

    def marks(self, reading: Reading) -> list[Mark]:
        """What every word of a text can be, whatever the rules that read instructions make of it; remembered like readings."""
        found = self._marks.get(reading.text)
        if found is None:
            if len(self._marks) >= MOST_READINGS:
                self._marks.clear()
            found = self._marks[reading.text] = Scanner(reading.tokens, self.vocabulary, self.lexicon).scan()
        return found

    @cached_property
    def named(self) -> Mapping[str, tuple[int, ...]]:
        """Name as printed -> the items of that name."""
        found: dict[str, list[int]] = {}
        for code in range(len(self.catalog)):
            found.setdefault(display_name(self.catalog, code), []).append(code)
        return {name: tuple(codes) for name, codes in found.items()}

    @cached_property
    def dotted(self) -> re.Pattern[str] | None:
        """Values with a full stop or the like in the middle, as they are written; None where there are none."""
        names = {
            value
            for labels in self.catalog.labels.values()
            for value in labels.names
            if re.search(r"[.!?。！？]\s|[。！？].", value)
        }
        return (
            re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)), re.IGNORECASE) if names else None
        )

    @cached_property
    def people(self) -> IntArray:
        """How many different users have each item in the dataset, int64 [num_items]."""
        rows = self.dataset.interactions
        pairs = np.unique(rows.users.astype(np.int64) * len(self.catalog) + rows.items)
        return np.bincount(pairs % len(self.catalog), minlength=len(self.catalog)).astype(np.int64)

    def rated_low(self, user: UserId | None) -> Mapping[Ref, float]:
        """Values that a user rated lower than the rest, and how much lower (below 0); nothing for who never rated.

        Means of at least RATED ratings on either side count, drawn towards each other by as many.
        """
        rows = self.dataset.interactions
        code = None if user is None else rows.user_index.get(user)
        if code is None or not self.rating_span:
            return {}
        own = slice(*np.searchsorted(rows.users, [code, code + 1]).tolist())
        given = np.isfinite(rows.ratings[own])
        items, ratings = rows.items[own][given], rows.ratings[own][given].astype(np.float64)
        found: dict[Ref, float] = {}
        by_value: dict[Ref, list[float]] = {}
        for item, rating in zip(items.tolist(), ratings.tolist(), strict=True):
            for ref in self.values(item):
                by_value.setdefault(ref, []).append(rating)
        for ref, some in by_value.items():
            rest = len(ratings) - len(some)
            if len(some) >= RATED and rest >= RATED:
                gap = sum(some) / len(some) - (float(ratings.sum()) - sum(some)) / rest
                gap *= len(some) / (len(some) + RATED)
                if gap < -LOWER * self.rating_span:
                    found[ref] = gap
        return found

    @cached_property
    def rating_span(self) -> float:
        """From the lowest to the highest rating of the dataset; 0 where there are none."""
        ratings = self.dataset.interactions.ratings
        return float(np.nanmax(ratings) - np.nanmin(ratings)) if np.isfinite(ratings).any() else 0.0

    def values(self, item: int) -> tuple[Ref, ...]:
        """All label values of an item."""
        found = self._values.get(item)
        if found is None:
            found = tuple(Ref(name, value) for name, labels in self.catalog.labels.items() for value in labels.of(item))
            self._values[item] = found
        return found

    def reasons(self, item: int) -> tuple[Ref, ...]:
        """The label values of an item that can be a reason for it: all but what reviewers criticise."""
        return tuple(ref for ref in self.values(item) if self.sentiment(ref.attribute) >= 0)

    def sentiment(self, attribute: str | None) -> int:
        """1 for an attribute of what reviewers praise, -1 for what they criticise, 0 for one of facts."""
        labels = self.catalog.labels.get(attribute or "")
        return labels.sentiment if labels else 0

    def words(self, item: int) -> frozenset[str]:
        """Stemmed words of an item's title and text."""
        text = self.catalog.texts[item] if self.catalog.texts else ""
        return frozenset(self.lexicon.stem(key) for key in keys(f"{self.catalog.titles[item]} {text}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One shown item in the light of one request.

    `weights`: effect of every measured history item on this item's score (`Influence.effects`), `losses`: what it loses without it;
    `limits` and `wish`: of the instruction; `source`: the part of a fusion that contributed most, None where there is only one;
    `low`: values that the user rates lower than the rest; `rank`: its place in the list of the user, from 1.
    """

    lore: Lore
    item: int
    weights: Mapping[int, float]
    limits: tuple[Limit, ...]
    wish: str
    source: str | None
    low: Mapping[Ref, float]
    losses: Mapping[int, float]
    rank: int

    @property
    def band(self) -> int:
        """How high it stands: 0 for the first BAND places, 1 for the next so many, and so on, up to 3 for all behind them."""
        return min((self.rank - 1) // BAND, BANDS - 1)

    @property
    def name(self) -> str:
        """The item's name as printed."""
        return display_name(self.lore.catalog, self.item)

    @property
    def people(self) -> int:
        """How many different users have the item."""
        return int(self.lore.people[self.item])

    def reasons(self) -> list[tuple[int, float]]:
        """History items that raise the score, strongest first; ties by item code. An item is no reason for itself."""
        raising = [(code, weight) for code, weight in self.weights.items() if weight > 0 and code != self.item]
        return sorted(raising, key=lambda pair: (-pair[1], pair[0]))

    def opposed(self) -> list[tuple[int, float]]:
        """History items that lower the score, those that lower it most first; ties by item code.

        Without each of them the item scores higher, so that it may be said.
        """
        lowering = [
            (code, weight) for code, weight in self.weights.items() if weight < 0 and self.losses[code] < 0 and code != self.item
        ]
        return sorted(lowering, key=lambda pair: (pair[1], pair[0]))

    def rated_low(self) -> dict[Ref, float]:
        """Values of the item that the user rates lower than the rest, the lowest first, and how much lower."""
        found = {ref: self.low[ref] for ref in self.lore.values(self.item) if ref in self.low}
        return dict(sorted(found.items(), key=lambda pair: (pair[1], pair[0])))

    def reviewers(self, ref: Ref) -> int:
        """How many reviewers say a value of the item; 0 where none does, or it is not known."""
        return self.lore.catalog.labels[ref.attribute].people_of(self.item).get(ref.value, 0)

    def number(self, attribute: str) -> float | None:
        """A number of the item, None where unknown."""
        value = float(self.lore.catalog.numbers[attribute][self.item]) if attribute in self.lore.catalog.numbers else float("nan")
        return value if np.isfinite(value) else None


def display_name(catalog: Catalog, code: int) -> str:
    """The title without quotation marks of its own, or the id of an item without a title."""
    title = " ".join(catalog.titles[code].translate(_QUOTES).split())
    return title or catalog.item_ids[code].translate(_QUOTES)


def collect(lore: Lore, recommendation: Recommendation, influence: Influence) -> list[Facts]:
    """The facts of every item of a list."""
    instruction = recommendation.query.instruction
    low = lore.rated_low(recommendation.query.user)
    bare: Sequence[Sequence[float]] = [[]] * len(influence.shown)
    columns = influence.effects.T.tolist() if influence.effects.size else bare
    losses = influence.losses.T.tolist() if influence.losses.size else bare
    return [
        Facts(
            lore=lore,
            item=int(code),
            weights=dict(zip(influence.history.tolist(), column, strict=False)),
            limits=instruction.limits if instruction else (),
            wish=instruction.wish if instruction else "",
            source=scored.source if scored.source not in (recommendation.served_by, recommendation.model) else None,
            low=low,
            losses=dict(zip(influence.history.tolist(), lost, strict=False)),
            rank=influence.first_rank + place,
        )
        for place, (code, column, lost, scored) in enumerate(
            zip(influence.shown, columns, losses, recommendation.items, strict=True)
        )
    ]
