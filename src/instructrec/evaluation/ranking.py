"""From score matrices to ranks and top lists, with the tie rule of `core.top_n`: equal scores in catalog order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from instructrec.errors import DataError, ModelError
from instructrec.evaluation.metrics import NOT_RANKED, TargetRanks
from instructrec.tables import BoolArray, FloatArray, IntArray

CELLS_AT_ONCE: Final = 2**23
"""Scores compared in one step; bounds memory at a few tens of MB."""


def rank_targets(scores: FloatArray, mask: BoolArray, targets: Sequence[IntArray]) -> TargetRanks:
    """Ranks of each row's targets among the allowed items.

    `scores`: [num_queries, num_items], higher is better; `mask`: bool of the same shape, true where an item may be shown;
    `targets`: item codes a query. A target that may not be shown is not ranked and counts as missed; one named twice counts once.
    Raises ModelError for scores that are not finite, DataError for target codes outside the catalog.
    """
    _check(scores, targets)
    wanted = [np.unique(row) for row in targets]
    counts = np.array([len(row) for row in wanted], dtype=np.int64)
    rows = np.repeat(np.arange(len(wanted)), counts)
    codes = np.concatenate([*wanted, np.zeros(0, dtype=np.int64)])
    flat = _ranks(scores, mask, rows, codes)
    width = int(counts.max(initial=0))
    inside = np.arange(width) < counts[:, None]
    ranks = np.full((len(wanted), width), NOT_RANKED, dtype=np.int64)
    names = np.full((len(wanted), width), -1, dtype=np.int64)
    ranks[inside], names[inside] = flat, codes
    order = np.argsort(ranks, axis=1, kind="stable")
    return TargetRanks(
        ranks=np.take_along_axis(ranks, order, axis=1),
        counts=counts,
        codes=np.take_along_axis(names, order, axis=1),
        sizes=mask.sum(axis=1).astype(np.int64),
    )


def top_codes(scores: FloatArray, mask: BoolArray, k: int) -> IntArray:
    """The k best allowed items of each row, best first, int64 [num_queries, k]; -1 where fewer may be shown.

    Gives what `core.top_n` gives for every row, without sorting the whole catalog.
    """
    num_rows, num_items = scores.shape
    depth = min(k, num_items)
    out = np.full((num_rows, k), -1, dtype=np.int64)
    if not num_rows or not depth:
        return out
    masked = np.where(mask, scores, -np.inf)
    edge = np.partition(masked, num_items - depth, axis=1)[:, num_items - depth, None]
    above, level = masked > edge, masked == edge
    missing = depth - above.sum(axis=1, keepdims=True)
    chosen = above | (level & (np.cumsum(level, axis=1, dtype=np.int32) <= missing))
    codes = np.nonzero(chosen)[1].reshape(num_rows, depth)
    best = np.take_along_axis(masked, codes, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    codes, best = np.take_along_axis(codes, order, axis=1), np.take_along_axis(best, order, axis=1)
    out[:, :depth] = np.where(np.isneginf(best), -1, codes)
    return out


def _ranks(scores: FloatArray, mask: BoolArray, rows: IntArray, codes: IntArray) -> IntArray:
    """Rank of item `codes[i]` in row `rows[i]`, int64 [num_pairs]."""
    num_items = scores.shape[1]
    ranks = np.empty(len(rows), dtype=np.int64)
    catalog_order = np.arange(num_items)
    step = max(1, CELLS_AT_ONCE // max(1, num_items))
    for start in range(0, len(rows), step):
        row, code = rows[start : start + step], codes[start : start + step, None]
        part = scores[row]
        own = np.take_along_axis(part, code, axis=1)
        ahead = (part > own) | ((part == own) & (catalog_order < code))
        ranks[start : start + step] = 1 + (ahead & mask[row]).sum(axis=1)
    return np.where(mask[rows, codes], ranks, NOT_RANKED)


def _check(scores: FloatArray, targets: Sequence[IntArray]) -> None:
    if len(scores) != len(targets):
        raise DataError(f"There are {len(scores)} rows of scores for {len(targets)} rows of targets. Give one of each a query.")
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
        raise ModelError(
            f"The scores of query {row} are not all finite, so nothing can be ranked. A model must give finite scores."
        )
    highest = max((int(row.max()) for row in targets if len(row)), default=-1)
    if highest >= scores.shape[1]:
        found = f"A target has item code {highest}, but there are {scores.shape[1]} items."
        raise DataError(f"{found} The split and the scores must share a catalog.")
