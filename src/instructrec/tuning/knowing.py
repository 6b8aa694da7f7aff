"""What is known of user and item before the user's review: what others wrote of the item, and the user of other items."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from instructrec.data.reviews import Review

MOST_FEATURES = 4
"""Features of an item, and of a user, that are named at most."""


Sums = Mapping[str, tuple[float, int]]
"""Of each name, the sum of its ratings as they differ from what was expected, and their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingBiases:
    """rating = mean + user + item, each bias shrunk towards 0 (Koren 2009, KDD Cup "BellKor", section 2)."""

    mean: float
    shrink: float
    users: Sums
    items: Sums

    @classmethod
    def of(cls, reviews: Sequence[Review], *, shrink: float) -> Self:
        """Biases in two passes: items first, then users from what is left; `shrink` (above 0) is added to every count."""
        mean = float(np.mean([review.rating for review in reviews]))
        items = _sums((review.item, review.rating - mean) for review in reviews)
        known = cls(mean=mean, shrink=shrink, users={}, items=items)
        return replace(known, users=_sums((review.user, review.rating - mean - known.of_item(review.item)) for review in reviews))

    def of_item(self, item: str, own: Sequence[float] = ()) -> float:
        """How much better an item is rated than others, without the ratings `own` that were counted."""
        return self._bias(self.items, item, [rating - self.mean for rating in own])

    def of_user(self, user: str, item: str, own: Sequence[float] = ()) -> float:
        """How much better a user rates than others, without the ratings `own` of `item` that were counted."""
        return self._bias(self.users, user, [rating - self.mean - self.of_item(item) for rating in own])

    def rating(self, user: str, item: str, own: Sequence[float] = ()) -> float:
        """The expected rating, on the scale of 1 to 5. `own`: what the user gave the item; it counts for `mean` alone."""
        return float(np.clip(self.mean + self.of_user(user, item, own) + self.of_item(item, own), 1, 5))

    def _bias(self, sums: Sums, name: str, without: Sequence[float]) -> float:
        total, count = sums.get(name, (0.0, 0))
        return (total - sum(without)) / (count - len(without) + self.shrink)


def _sums(values: Iterable[tuple[str, float]]) -> Sums:
    found: dict[str, tuple[float, int]] = {}
    for name, value in values:
        total, count = found.get(name, (0.0, 0))
        found[name] = (total + value, count + 1)
    return found


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
    """The reviews that a writer learns from, by user and by item; their `words`; the `usual` pairs of words, said twice or more."""

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

    def known(self, user: str, item: str, *, before: int | None = None) -> Known:
        """What is known of a pair, without the user's own review of the item: the same in training and when it is asked for.

        `before`: only reviews that were written earlier than that (seconds since 1970); the expected rating is that of all.
        """
        by_user = self._by_user.get(user, ())
        own = [review.rating for review in by_user if review.item == item]
        return Known(
            user=user,
            item=item,
            rating=self.biases.rating(user, item, own),
            of_item=tuple(
                each for each in self._of_item.get(item, ()) if each.user != user and (before is None or each.time < before)
            ),
            by_user=tuple(each for each in by_user if each.item != item and (before is None or each.time < before)),
        )
