"""Vectors of words from which words stand near them (Levy and Goldberg 2014), and what means of them need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from instructrec.tables import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SMOOTHING = 0.75
"""Power of the frequencies of contexts: rare ones are too much of a coincidence else (Levy, Goldberg and Dagan 2015)."""
FEW_WORDS = 400
"""Up to so many words the whole decomposition is made; above only its first directions."""


def ppmi_vectors(lines: Sequence[IntArray], num_words: int, *, width: int, window: int) -> FloatArray:
    """Vectors of words from which words stand near them, float32 [num_words, at most width].

    `lines`: word codes of each text. Positive pointwise mutual information max(0, log p(w, c) / (p(w) p(c)**SMOOTHING)), and of its
    singular value decomposition the left vectors times the square roots of the values (Levy and Goldberg 2014).
    """
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import svds

    if not num_words:
        return np.zeros((1, 1), dtype=np.float32)
    near = _near(lines, num_words, window=window)
    word, context = near.coords
    words = np.bincount(word, weights=near.data, minlength=num_words)
    contexts = np.bincount(context, weights=near.data, minlength=num_words) ** SMOOTHING
    odds = near.data * contexts.sum() / (words[word] * contexts[context])
    information = csr_array((np.maximum(np.log(odds), 0.0), (word, context)), shape=near.shape)
    if num_words <= FEW_WORDS or num_words <= width:
        left, values, _ = np.linalg.svd(information.toarray())
    else:
        # A fixed start: the same texts give the same bits.
        left, values, _ = svds(information, k=width, v0=np.ones(num_words), random_state=0)
        left, values = left[:, ::-1], values[::-1]
    return np.asarray(left[:, :width] * np.sqrt(values[:width]), dtype=np.float32)


def _near(lines: Sequence[IntArray], num_words: int, *, window: int) -> Any:
    """How often two words stand at most `window` words apart in one text, float64 COO [num_words, num_words], symmetric."""
    from scipy.sparse import coo_array

    words = np.concatenate([*lines, np.zeros(0, dtype=np.int64)])
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    total = coo_array((num_words, num_words), dtype=np.float64).tocsr()
    for lag in range(1, window + 1):
        same = owner[lag:] == owner[:-lag]
        pair = (words[:-lag][same], words[lag:][same])
        total = total + coo_array((np.ones(int(same.sum())), pair), shape=total.shape).tocsr()
    return (total + total.T).tocoo()


def rarity(lines: Sequence[IntArray], num_words: int) -> FloatArray:
    """log((1 + texts) / (1 + texts with the word)) + 1, float32 [num_words]."""
    texts_with = np.asarray((counted(lines, num_words) > 0).sum(axis=0)).ravel()
    return np.asarray(np.log((1 + len(lines)) / (1 + texts_with)) + 1, dtype=np.float32)


def common_direction(means: FloatArray) -> FloatArray:
    """The direction that rows have most in common: the first right singular vector, float32 [width]; zeros where all rows are."""
    _, directions = np.linalg.eigh((means.T @ means).astype(np.float64))
    return np.asarray(directions[:, -1] if means.any() else np.zeros(means.shape[1]), dtype=np.float32)


def counted(lines: Sequence[IntArray], num_words: int) -> csr_array:
    """How often each text has each word, float32 CSR [num_texts, num_words]."""
    from scipy.sparse import coo_array

    words = np.concatenate([*lines, np.zeros(0, dtype=np.int64)])
    owner = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    return coo_array((np.ones(len(words), dtype=np.float32), (owner, words)), shape=(len(lines), max(1, num_words))).tocsr()
