"""Can a reader tell from the text alone how high an item stands? A judge that has read other people's texts tries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

APART = 10
"""Ranks between the two items of a pair."""
_QUOTED = re.compile(r"“[^”]*”|《[^》]*》|‘[^’]*’")
_PENALTY = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One text, of whose list it is, and at which rank its item stands (1 is the first)."""

    user: int
    rank: int
    text: str


def coherence(texts: Sequence[Standing]) -> dict[str, float]:
    """`coherence`: of two items of one list that stand APART ranks apart, how often the judge finds the higher one; ties are half.
    `sentiment`: how often it finds on which half of the list an item stands.

    The judge is a ridge regression of the rank on the words and pairs of words of a text, titles and wished words left out; it
    learns from the texts of every other user and judges those of the rest, then the other way round.
    """
    words = [_words(entry.text) for entry in texts]
    ranks = np.array([entry.rank for entry in texts], dtype=np.float64)
    fold = np.array([entry.user % 2 for entry in texts])
    guessed = np.zeros(len(texts))
    for half in (0, 1):
        guessed[fold == half] = _judged(words, ranks, fold != half)[fold == half]
    place = {(entry.user, entry.rank): number for number, entry in enumerate(texts)}
    right = []
    for (user, rank), number in place.items():
        lower = place.get((user, rank + APART))
        if lower is not None:
            gap = guessed[lower] - guessed[number]
            right.append(1.0 if gap > 0 else 0.5 if gap == 0 else 0.0)
    middle = APART + 0.5
    agrees = (guessed < middle) == (ranks < middle)
    return {"coherence": float(np.mean(right)), "sentiment": float(np.mean(agrees)), "coherence_pairs": float(len(right))}


def _words(text: str) -> list[str]:
    found = re.findall(r"\w+", _QUOTED.sub(" ", text).lower())
    return [*found, *(f"{one} {other}" for one, other in zip(found, found[1:], strict=False))]


def _judged(words: Sequence[Sequence[str]], ranks: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Ranks of all texts as read off those that are known."""
    from scipy import sparse
    from scipy.sparse.linalg import lsqr

    names = {
        word: place
        for place, word in enumerate(
            sorted({word for some, is_known in zip(words, known, strict=True) if is_known for word in some})
        )
    }
    rows, columns = [], []
    for row, some in enumerate(words):
        places = sorted({names[word] for word in some if word in names})
        rows += [row] * len(places)
        columns += places
    matrix = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(words), len(names)))
    middle = float(ranks[known].mean())
    weights = lsqr(matrix[known], ranks[known] - middle, damp=_PENALTY)[0]
    guessed: np.ndarray = matrix @ weights + middle
    return guessed
