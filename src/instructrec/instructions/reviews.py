"""Questions that are answered with what a user wrote of an item: of a feature, or of the item; and the rating."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from instructrec.core import Branch, ItemRef
from instructrec.instructions.phrasing import one_of
from instructrec.instructions.render import Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSentence:
    """What a user wrote of an item: one `sentence`, and the `feature` that it is about. `others`: what others had written of the
    item before, the latest sentence (empty: nothing); `rating`: that of the user, NaN where there is none.
    """

    sentence: str
    feature: str
    others: str = ""
    rating: float = math.nan

    @property
    def words(self) -> tuple[str, ...]:
        """All that can come into a question or its answer."""
        return self.sentence, self.feature, self.others


def review_question(
    item: int, written: ReviewSentence, rng: np.random.Generator, *, at: int, forms: Wording, weight: float
) -> Branch:
    """A question about an item (catalog code) that the user's own sentence answers.

    Half of the questions name the feature, and half show what others had written.
    """
    parts = [one_of(forms.others, rng).format(sentence=written.others)] if written.others and rng.random() < 0.5 else []
    parts += [one_of(forms.features, rng).format(feature=written.feature)] if rng.random() < 0.5 else []
    words = " ".join([*parts, one_of(forms.train["review"], rng)])
    rated = math.isfinite(written.rating)
    answer = one_of(forms.completion["review_rated" if rated else "review"], rng)
    return Branch(
        at=at,
        pieces=(ItemRef(item), words),
        task="review",
        completion=answer.format(sentence=written.sentence, rating=f"{written.rating:g}"),
        weight=weight,
    )
