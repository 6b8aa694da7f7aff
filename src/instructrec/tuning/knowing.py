"""What is known of user and item before the user's review: what others wrote of the item, and the user of other items."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from instructrec.data.reviews import Review

MOST_FEATURES = 4
"""Features of an item, and of a user, that are named at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingBiases:
    """rating = mean + user + item, each bias shrunk towards 0 (Koren 2009, KDD Cup "BellKor", section 2)."""

    mean: float
    users: Mapping[str, float]
    items: Mapping[str, float]

    @classmethod
    def of(cls, reviews: Sequence[Review], *, shrink: float) -> Self:
        """Biases in two passes: items first, then users from what is left; `shrink` is added to every count."""
        mean = float(np.mean([review.rating for review in reviews]))
        items = _means([(review.item, review.rating - mean) for review in reviews], shrink)
        users = _means([(review.user, review.rating - mean - items[review.item]) for review in reviews], shrink)
        return cls(mean=mean, users=users, items=items)

    def rating(self, user: str, item: str) -> float:
        """The expected rating, on the scale of 1 to 5."""
        return float(np.clip(self.mean + self.users.get(user, 0.0) + self.items.get(item, 0.0), 1, 5))


def _means(values: Sequence[tuple[str, float]], shrink: float) -> dict[str, float]:
    sums: defaultdict[str, float] = defaultdict(float)
    counts: Counter[str] = Counter()
    for name, value in values:
        sums[name] += value
        counts[name] += 1
    return {name: sums[name] / (counts[name] + shrink) for name in counts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """`of_item`: reviews of the item by others; `by_user`: of other items by the user; `rating`: what is expected."""

    user: str
    item: str
    rating: float
    of_item: tuple[Review, ...]
    by_user: tuple[Review, ...]

    @property
    def item_features(self) -> list[str]:
        """What others speak of, the commonest first."""
        return _commonest(self.of_item)

    @property
    def user_features(self) -> list[str]:
        """What the user speaks of, the commonest first."""
        return _commonest(self.by_user)


def _commonest(reviews: Sequence[Review]) -> list[str]:
    counts = Counter(review.feature for review in reviews)
    return [feature for feature, _ in counts.most_common(MOST_FEATURES)]


class Memory:
    """The reviews that a writer learns from, by user and by item; their `words`, and the `usual` pairs of words, said twice or more."""

    def __init__(self, train: Sequence[Review], *, shrink: float = 3.0) -> None:
        self.train = tuple(train)
        self.biases = RatingBiases.of(train, shrink=shrink)
        pairs = Counter(pair for review in train for pair in itertools.pairwise(review.words))
        self.usual = frozenset(pair for pair, count in pairs.items() if count > 1)
        self.words = frozenset(word for review in train for word in review.words)
        self._by_user: dict[str, list[Review]] = {}
        self._of_item: dict[str, list[Review]] = {}
        for review in train:
            self._by_user.setdefault(review.user, []).append(review)
            self._of_item.setdefault(review.item, []).append(review)

    def known(self, user: str, item: str) -> Known:
        """What is known of a pair, without the user's own review of the item: the same in training and when it is asked for."""
        return Known(
            user=user,
            item=item,
            rating=self.biases.rating(user, item),
            of_item=tuple(review for review in self._of_item.get(item, ()) if review.user != user),
            by_user=tuple(review for review in self._by_user.get(user, ()) if review.item != item),
        )
