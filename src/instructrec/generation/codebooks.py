"""Codes of several tokens: `semantic` from vectors by residual k-means, `title` from the words of the title.

Residual k-means needs no training and gives the accuracy of RQ-VAE (GRID, cornac; benchmarks/codebooks.py). Both kinds end with a
token that counts items whose code is equal up to there, so no two items collide whatever the vectors or titles are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse

from instructrec.errors import ModelError
from instructrec.generation.codes import NO_TOKEN, CodeTable, distinct
from instructrec.tables import FloatArray, IntArray

Encode: TypeAlias = Callable[[str], Sequence[int]]
"""A text to its word ids, none of them negative."""
CHARACTERS_A_WORD = 20
"""What is read of a title: this many characters a word that its code may have."""
AXES = 32
"""Principal components that are clustered, as many numbers as the RQ-VAE of TIGER keeps. In hundreds of dimensions distances tell
little: one cluster takes what is nothing special, and most items share all their levels with others.
"""
SPARE = 64
"""How many items more than now may share the rest of a code before a codebook has to be rebuilt."""
_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Codebook:
    """`centroids`: one float32 [size, kept] a level; a code is the nearest centroid of what the levels before left over.

    `axes` float32 [width, kept]: where vectors are looked at, their principal components. `scales`: what text and factors are
    multiplied by before they are joined to vectors.
    """

    centroids: tuple[FloatArray, ...]
    axes: FloatArray
    codes: CodeTable
    scales: tuple[float, float] = (1.0, 1.0)

    def codes_of(self, vectors: FloatArray) -> IntArray:
        """Codes that new items would get, int64 [num_new, longest]. Raises ModelError when too many share the levels of one."""
        levels = _levels(vectors @ self.axes, self.centroids)
        last = distinct(levels, first_token=_size(self.centroids), before=self.codes.tokens[:, :-1])
        if len(last) and last.max() >= self.codes.num_tokens:
            most = self.codes.num_tokens - _size(self.centroids)
            raise ModelError(f"More than {most} items have equal levels in this codebook. Rebuild it from all items.")
        return np.column_stack([levels, last])


def semantic(vectors: FloatArray, *, sizes: Sequence[int] = (256, 256, 256), seed: int = 0, rounds: int = 25) -> Codebook:
    """Codes from item vectors float32 [num_items, width]: k-means of their first principal components, then k-means of what it left
    over, for each of `sizes`.
    """
    rng = np.random.default_rng(seed)
    axes = _principal_axes(vectors)
    seen = vectors @ axes
    rest = np.array(seen, dtype=np.float32)
    centroids: list[FloatArray] = []
    for size in sizes:
        found = _kmeans(rest, min(size, max(len(rest), 1)), rng, rounds)
        rest -= found[_nearest(rest, found)]
        centroids.append(found)
    levels = _levels(seen, centroids)
    last = distinct(levels, first_token=_size(centroids))
    num_tokens = int(last.max(initial=_size(centroids))) + 1 + SPARE
    tokens = np.column_stack([levels, last]).astype(np.int64)
    return Codebook(centroids=tuple(centroids), axes=axes, codes=CodeTable(kind="semantic", tokens=tokens, num_tokens=num_tokens))


@dataclass(frozen=True, kw_only=True)
class TitleBook:
    """Codes of words: code token t is the word `words[t]` (int64, sorted), and tokens behind them count equal titles."""

    words: IntArray
    codes: CodeTable

    def codes_of(self, titles: Sequence[str], encode: Encode) -> IntArray:
        """Codes that new items would get, int64 [num_new, longest]; words that no old title has are left out of a code.

        Raises ModelError when too many share their words with others.
        """
        longest = self.codes.tokens.shape[1] - 1
        rows = _known(self.words, _word_rows(titles, encode, longest))
        before = np.where(self.codes.tokens < len(self.words), self.codes.tokens, NO_TOKEN)[:, :longest]
        last = distinct(rows, first_token=len(self.words), before=before)
        if len(last) and last.max() >= self.codes.num_tokens:
            most = self.codes.num_tokens - len(self.words)
            raise ModelError(f"More than {most} items have equal titles in these codes. Make new codes from all items.")
        return _closed(rows, last)


def title(titles: Sequence[str], encode: Encode, *, longest: int = 16) -> TitleBook:
    """Codes from the words of titles: up to `longest` of them, then a token that counts items with the same words.

    An item without words has the counting token alone. Words are only ever read as a code: a title that spells a special token of
    the model's tokenizer cannot end a prompt or open a role, because what is written are code tokens.
    """
    rows = _word_rows(titles, encode, longest)
    words = np.unique(rows[rows >= 0])
    rows = _known(words, rows)
    last = distinct(rows, first_token=len(words))
    num_tokens = int(last.max(initial=len(words))) + 1 + SPARE
    return TitleBook(words=words, codes=CodeTable(kind="title", tokens=_closed(rows, last), num_tokens=num_tokens))


def token_means(codes: CodeTable, features: FloatArray) -> FloatArray:
    """What a code token stands for, float32 [num_tokens, width]: the mean of what its items' tokens before it leave over.

    `features` float32 [num_items, width]. With semantic codes of the same features these are about the centroids, so a model
    whose token table starts here can tell from the first step which items a token leads to. Zeros for a token that no item has.
    """
    sums, counts = np.zeros((codes.num_tokens, features.shape[1]), dtype=np.float64), np.zeros(codes.num_tokens)
    rest = np.array(features, dtype=np.float64)
    for column in codes.tokens.T:
        has = np.flatnonzero(column >= 0)
        own, number = np.zeros_like(sums), np.bincount(column[has], minlength=codes.num_tokens)
        np.add.at(own, column[has], rest[has])
        rest[has] -= (own / np.maximum(number, 1)[:, None])[column[has]]
        sums, counts = sums + own, counts + number
    return np.asarray(sums / np.maximum(counts, 1)[:, None], dtype=np.float32)


def churn(old: CodeTable, new: CodeTable) -> float:
    """Share of the items of `old` whose code is another in `new`."""
    pairs = [old.encode(item) != new.encode(item) for item in range(min(len(old), len(new)))]
    return float(np.mean(pairs)) if pairs else 0.0


def _word_rows(titles: Sequence[str], encode: Encode, longest: int) -> IntArray:
    """Word ids of titles, int64 [num_titles, longest], filled up with NO_TOKEN; of a very long title only its beginning is read."""
    rows = np.full((len(titles), longest), NO_TOKEN, dtype=np.int64)
    for row, text in zip(rows, titles, strict=True):
        ids = list(encode(text[: CHARACTERS_A_WORD * longest]))[:longest]
        row[: len(ids)] = ids
    return rows


def _known(words: IntArray, rows: IntArray) -> IntArray:
    """Word ids as places in `words`, those that are not there left out."""
    place = np.minimum(np.searchsorted(words, rows), max(len(words) - 1, 0))
    known = (words[place] == rows) & (rows >= 0) if len(words) else np.zeros_like(rows, dtype=np.bool_)
    # A stable sort moves what is left out behind what is known.
    order = np.argsort(~known, axis=1, kind="stable")
    return np.take_along_axis(np.where(known, place, NO_TOKEN), order, axis=1)


def _closed(rows: IntArray, last: IntArray) -> IntArray:
    """Rows of words with their last token behind them."""
    tokens = np.column_stack([rows, np.full(len(rows), NO_TOKEN, dtype=np.int64)])
    tokens[np.arange(len(rows)), (rows >= 0).sum(axis=1)] = last
    return tokens


def _levels(vectors: FloatArray, centroids: Sequence[FloatArray]) -> IntArray:
    """Level tokens of vectors float32 [num_items, width], int64 [num_items, num_levels], counted through the levels."""
    rest, out, start = np.array(vectors, dtype=np.float32), [], 0
    for level in centroids:
        nearest = _nearest(rest, level)
        rest -= level[nearest]
        out.append(nearest + start)
        start += len(level)
    return np.stack(out, axis=1) if out else np.zeros((len(vectors), 0), dtype=np.int64)


def _principal_axes(vectors: FloatArray) -> FloatArray:
    """Directions in which vectors differ most, float32 [width, at most AXES]."""
    if len(vectors) < 2:
        return np.eye(vectors.shape[1], min(vectors.shape[1], AXES), dtype=np.float32)
    around = vectors - vectors.mean(axis=0)
    _, directions = np.linalg.eigh((around.T @ around).astype(np.float64))
    axes = directions[:, ::-1][:, :AXES]
    # The sign of a direction is the library's choice; it is made the same everywhere.
    return np.asarray(axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]), dtype=np.float32)


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
        members = scipy.sparse.csr_array(
            (np.ones(len(owner), np.float32), (owner, np.arange(len(owner)))), (len(counts), len(owner))
        )
        sums = members @ vectors
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], centroids).astype(np.float32)
        empty = np.flatnonzero(counts == 0)
        if len(empty):
            far = np.argsort(-np.square(vectors - moved[owner]).sum(axis=1), kind="stable")[: len(empty)]
            moved[empty[: len(far)]] = vectors[far]
        if np.allclose(moved, centroids):
            break
        centroids = np.asarray(moved, dtype=np.float32)
    return centroids
