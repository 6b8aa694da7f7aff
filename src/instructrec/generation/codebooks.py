"""Codes of several tokens: `semantic` from vectors by residual k-means, `title` from the words of the title.

Residual k-means needs no training and gives the accuracy of RQ-VAE (GRID, cornac). Both kinds end with a token that counts items
whose code is equal up to there, so no two items collide whatever the vectors or titles are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from instructrec.errors import ModelError
from instructrec.generation.codes import NO_TOKEN, CodeTable, distinct
from instructrec.tables import FloatArray, IntArray

SPARE = 64
"""How many items more than now may share the rest of a code before a codebook has to be rebuilt."""
_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Codebook:
    """`centroids`: one float32 [size, width] a level; a code is the nearest centroid of what the levels before left over."""

    centroids: tuple[FloatArray, ...]
    codes: CodeTable

    def add(self, vectors: FloatArray) -> Codebook:
        """Codes for new items after the old ones, whose codes stay. Raises ModelError when too many share the levels of one."""
        levels = _levels(vectors, self.centroids)
        last = distinct(levels, first_token=_size(self.centroids), before=self.codes.tokens[:, :-1])
        if len(last) and last.max() >= self.codes.num_tokens:
            most = self.codes.num_tokens - _size(self.centroids)
            raise ModelError(f"More than {most} items have equal levels in this codebook. Rebuild it from all items.")
        tokens = np.concatenate([self.codes.tokens, np.column_stack([levels, last])])
        return Codebook(centroids=self.centroids, codes=CodeTable(kind="semantic", tokens=tokens, num_tokens=self.codes.num_tokens))


def semantic(vectors: FloatArray, *, sizes: Sequence[int] = (256, 256, 256), seed: int = 0, rounds: int = 25) -> Codebook:
    """Codes from item vectors float32 [num_items, width]: k-means, then k-means of what it left over, for each of `sizes`."""
    rng = np.random.default_rng(seed)
    rest = np.array(vectors, dtype=np.float32)
    centroids: list[FloatArray] = []
    for size in sizes:
        found = _kmeans(rest, min(size, max(len(rest), 1)), rng, rounds)
        rest -= found[_nearest(rest, found)]
        centroids.append(found)
    levels = _levels(vectors, centroids)
    last = distinct(levels, first_token=_size(centroids))
    num_tokens = int(last.max(initial=_size(centroids))) + 1 + SPARE
    tokens = np.column_stack([levels, last]).astype(np.int64)
    return Codebook(centroids=tuple(centroids), codes=CodeTable(kind="semantic", tokens=tokens, num_tokens=num_tokens))


def title(titles: Sequence[str], encode: Callable[[str], Sequence[int]], *, vocabulary: int, longest: int = 16) -> CodeTable:
    """Codes from the words of titles: up to `longest` ids below `vocabulary`, then a token that counts equal titles.

    An item without words has the counting token alone. The words of a title are only ever read as a code: those that a tokenizer
    gives a special meaning must not come out of `encode`.
    """
    words = np.full((len(titles), longest), NO_TOKEN, dtype=np.int64)
    lengths = np.zeros(len(titles), dtype=np.int64)
    for row, text in enumerate(titles):
        ids = list(encode(text[: 20 * longest]))[:longest]
        if ids and not 0 <= min(ids) <= max(ids) < vocabulary:
            raise ModelError(
                f"The title '{text[:40]}' has word ids outside 0 to {vocabulary - 1}; the tokenizer is another model's."
            )
        words[row, : len(ids)], lengths[row] = ids, len(ids)
    last = distinct(words, first_token=vocabulary)
    tokens = np.column_stack([words, np.full(len(titles), NO_TOKEN, dtype=np.int64)])
    tokens[np.arange(len(titles)), lengths] = last
    keep = int(lengths.max(initial=0)) + 1
    return CodeTable(kind="title", tokens=tokens[:, :keep], num_tokens=int(last.max(initial=vocabulary)) + 1)


def churn(old: CodeTable, new: CodeTable) -> float:
    """Share of the items of `old` whose code is another in `new`."""
    pairs = [old.encode(item) != new.encode(item) for item in range(min(len(old), len(new)))]
    return float(np.mean(pairs)) if pairs else 0.0


def _levels(vectors: FloatArray, centroids: Sequence[FloatArray]) -> IntArray:
    """Level tokens of vectors float32 [num_items, width], int64 [num_items, num_levels], counted through the levels."""
    rest, out, start = np.array(vectors, dtype=np.float32), [], 0
    for level in centroids:
        nearest = _nearest(rest, level)
        rest -= level[nearest]
        out.append(nearest + start)
        start += len(level)
    return np.stack(out, axis=1) if out else np.zeros((len(vectors), 0), dtype=np.int64)


def _size(centroids: Sequence[FloatArray]) -> int:
    return sum(len(level) for level in centroids)


def _nearest(vectors: FloatArray, centroids: FloatArray) -> IntArray:
    """Row of the nearest centroid, in blocks so that a million items need no matrix of all distances."""
    half = 0.5 * np.square(centroids).sum(axis=1)
    blocks = [
        np.argmax(vectors[start : start + _AT_ONCE] @ centroids.T - half, axis=1) for start in range(0, len(vectors), _AT_ONCE)
    ]
    return np.concatenate(blocks).astype(np.int64) if blocks else np.zeros(0, dtype=np.int64)


def _kmeans(vectors: FloatArray, size: int, rng: np.random.Generator, rounds: int) -> FloatArray:
    """Lloyd's iterations from random items; a centroid that lost all its items moves to an item far from its own centroid."""
    if not len(vectors):
        return np.zeros((1, vectors.shape[1]), dtype=np.float32)
    centroids = vectors[rng.choice(len(vectors), size=size, replace=False)]
    for _ in range(rounds):
        owner = _nearest(vectors, centroids)
        counts = np.bincount(owner, minlength=len(centroids))
        sums = np.zeros_like(centroids)
        np.add.at(sums, owner, vectors)
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids).astype(np.float32)
        empty = np.flatnonzero(counts == 0)
        if len(empty):
            far = np.argsort(-np.square(vectors - moved[owner]).sum(axis=1), kind="stable")[: len(empty)]
            moved[empty[: len(far)]] = vectors[far]
        if np.allclose(moved, centroids):
            break
        centroids = np.asarray(moved, dtype=np.float32)
    return centroids
