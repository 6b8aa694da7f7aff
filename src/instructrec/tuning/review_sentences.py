"""What users wrote of their items, as answers to tuning questions: one sentence a review, with what was known before it."""

from __future__ import annotations

import numpy as np

from instructrec.data.opinions import with_opinions
from instructrec.data.reviews import Review
from instructrec.instructions.reviews import ReviewSentence
from instructrec.tables import Dataset
from instructrec.tuning.knowing import Memory


def review_sentences(dataset: Dataset) -> list[dict[int, ReviewSentence]]:
    """For every user with a history: item code -> the best sentence of the user's review, where it says something of a feature.

    Beside it stands what others had written of the item before the review, and never the review itself or a later one. `dataset`
    is the training part: other reviews are not read. Empty where no review says anything of a feature.
    """
    log = dataset.interactions
    found: list[dict[int, ReviewSentence]] = [{} for _ in log.user_ids]
    reviews = _reviews(dataset)
    if not reviews:
        return []
    memory = Memory(reviews)
    for review in reviews:
        others = memory.known(review.user, review.item, before=review.time).of_item
        latest = max(others, key=lambda other: other.time, default=None)
        found[log.user_index[review.user]].setdefault(
            dataset.catalog.index[review.item],
            ReviewSentence(
                sentence=review.sentence,
                feature=review.feature,
                others=latest.sentence if latest else "",
                rating=review.rating,
            ),
        )
    return [own for own, length in zip(found, np.diff(log.offsets).tolist(), strict=True) if length]


def _reviews(dataset: Dataset) -> list[Review]:
    """The reviews that may be read, each with its best sentence; those that say nothing of a feature are left out."""
    log, ids = dataset.interactions, dataset.catalog.item_ids
    return with_opinions(
        [
            Review(
                user=log.user_ids[log.users[row]],
                item=ids[log.items[row]],
                rating=float(log.ratings[row]),
                time=log.reviews[row].time,
                text=log.reviews[row].text,
            )
            for row in log.reviewed
        ]
    )
