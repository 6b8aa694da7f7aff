"""Ranking metrics as pure functions of where the relevant items stand; every metric carries the definition it follows.

The same words mean different formulas in different libraries, so `METRICS` pairs each name with one sentence that reports print.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ConfigError, DataError, nearest
from instructrec.tables import BoolArray, IntArray

Values: TypeAlias = NDArray[np.float64]
Discount: TypeAlias = Callable[[Values], Values]
_Number = TypeVar("_Number", np.int64, np.float64)

NOT_RANKED: Final = 2**53
"""Rank of an item that the list cannot contain: behind every catalog, and exact as float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRanks:
    """Where the relevant items of each user stand in that user's ranking.

    `ranks`: int64 [num_users, max_targets], 1 is the top, ascending within a row; `NOT_RANKED` for relevant items that were not
    ranked and for padding. `counts`: int64 [num_users], all relevant items of the user, ranked or not.
    `gains`: float64 like `ranks`, 0 for padding; none means that every relevant item gains 1. `codes`: int64 like `ranks`, which
    item stands there, -1 for padding; `sizes`: int64 [num_users], how many items were ranked. Both are none for lists from
    elsewhere.
    """

    ranks: IntArray
    counts: IntArray
    gains: Values | None = None
    codes: IntArray | None = None
    sizes: IntArray | None = None

    def __len__(self) -> int:
        return len(self.ranks)

    @property
    def num_unreachable(self) -> int:
        """Relevant items that no list could show (hidden as seen, excluded, outside the candidates)."""
        return int(self.counts.sum() - (self.ranks < NOT_RANKED).sum())

    @staticmethod
    def pad(rows: Sequence[IntArray], counts: Sequence[int], gains: Sequence[Values] | None = None) -> TargetRanks:
        """Bring rows of unequal length into one matrix, each sorted by rank; `gains` follow their ranks."""
        orders = [np.argsort(values, kind="stable") for values in rows]
        return TargetRanks(
            ranks=_matrix([values[order] for values, order in zip(rows, orders, strict=True)], NOT_RANKED),
            counts=np.asarray(counts, dtype=np.int64),
            gains=None if gains is None else _matrix([row[order] for row, order in zip(gains, orders, strict=True)], 0.0),
        )

    @staticmethod
    def join(parts: Sequence[TargetRanks]) -> TargetRanks:
        """The users of all parts, one part after the other (binary gains only)."""
        codes = [part.codes for part in parts if part.codes is not None]
        sizes = [part.sizes for part in parts if part.sizes is not None]
        whole = bool(parts)
        return TargetRanks(
            ranks=_matrix([row for part in parts for row in part.ranks], NOT_RANKED),
            counts=np.array([int(count) for part in parts for count in part.counts], dtype=np.int64),
            codes=_matrix([row for part in codes for row in part], -1) if whole and len(codes) == len(parts) else None,
            sizes=np.concatenate(sizes) if whole and len(sizes) == len(parts) else None,
        )

    def among(self, items: BoolArray) -> TargetRanks:
        """Only the relevant items that `items`, bool [num_items], names; their ranks stay those in the whole ranking (binary
        gains).

        Raises DataError where it is not known which item stands where.
        """
        if self.codes is None:
            raise DataError("These ranks do not say which item stands where. Rank with `evaluate` or `evaluate_scores`.")
        kept = (self.codes >= 0) & items[self.codes]
        ranks = np.sort(np.where(kept, self.ranks, NOT_RANKED), axis=1)
        return TargetRanks(ranks=ranks, counts=kept.sum(axis=1).astype(np.int64), sizes=self.sizes)


def _matrix(rows: Sequence[NDArray[_Number]], filler: float) -> NDArray[_Number]:
    """Rows of unequal length as one matrix, [num_rows, longest]; int64 or float64 as the filler is."""
    width = max((len(row) for row in rows), default=0)
    out: NDArray[_Number] = np.full((len(rows), width), filler)
    for row, values in enumerate(rows):
        out[row, : len(values)] = values
    return out


def ranks_in_lists(
    recommended: Sequence[Sequence[Hashable]], relevant: Sequence[Collection[Hashable] | Mapping[Hashable, float]]
) -> TargetRanks:
    """Ranks of the relevant items in given lists, one list a user, best first.

    An item that a list repeats counts where it comes first. With a mapping, its values are the gains (those above 0 are relevant).
    """
    graded = any(isinstance(row, Mapping) for row in relevant)
    rows: list[IntArray] = []
    gains: list[Values] = []
    for shown, wanted in zip(recommended, relevant, strict=True):
        gain = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(wanted, 1.0)
        gain = {item: value for item, value in gain.items() if value > 0}
        place = {item: rank for rank, item in reversed(list(enumerate(shown, start=1)))}
        rows.append(np.array([place.get(item, NOT_RANKED) for item in gain], dtype=np.int64))
        gains.append(np.array(list(gain.values()), dtype=np.float64))
    return TargetRanks.pad(rows, [len(row) for row in rows], gains if graded else None)


def precision(targets: TargetRanks, k: int) -> Values:
    """Relevant items among the first k, divided by k (also when the list is shorter), float64 [num_users]."""
    return _defined(targets, _hits(targets, k) / _positive(k))


def recall(targets: TargetRanks, k: int) -> Values:
    """Relevant items among the first k, divided by all relevant items of the user, float64 [num_users]."""
    return _defined(targets, _hits(targets, k) / np.maximum(targets.counts, 1))


def hit_rate(targets: TargetRanks, k: int) -> Values:
    """1 where at least one relevant item is among the first k, else 0, float64 [num_users]."""
    return _defined(targets, (_hits(targets, k) > 0).astype(np.float64))


def f1(targets: TargetRanks, k: int) -> Values:
    """Harmonic mean of `precision` and `recall`: 2 * hits / (k + relevant items), float64 [num_users]."""
    return _defined(targets, 2 * _hits(targets, k) / (_positive(k) + targets.counts))


def reciprocal_rank(targets: TargetRanks, k: int) -> Values:
    """1 / rank of the first relevant item, 0 where none is among the first k, float64 [num_users]."""
    first = targets.ranks.min(axis=1, initial=NOT_RANKED)
    return _defined(targets, np.where(first <= _positive(k), 1.0 / first, 0.0))


def average_precision(targets: TargetRanks, k: int, *, over_all: bool = False) -> Values:
    """Precision at each relevant item among the first k, summed, over min(k, relevant items), float64 [num_users].

    `over_all` divides by all relevant items instead (trec_eval's `map` and `map_cut`).
    """
    order = np.arange(1, targets.ranks.shape[1] + 1)
    total = np.where(targets.ranks <= _positive(k), order / targets.ranks, 0.0).sum(axis=1)
    reachable = targets.counts if over_all else np.minimum(targets.counts, k)
    return _defined(targets, total / np.maximum(reachable, 1))


def log_discount(ranks: Values) -> Values:
    """1 / log2(rank + 1), Järvelin and Kekäläinen 2002 as most libraries use it."""
    return np.asarray(1.0 / np.log2(ranks + 1.0))


def flat_log_discount(ranks: Values) -> Values:
    """1 / max(1, log2(rank)): ranks 1 and 2 weigh the same (LensKit)."""
    return np.asarray(1.0 / np.maximum(1.0, np.log2(ranks)))


def ndcg(targets: TargetRanks, k: int, *, discount: Discount = log_discount) -> Values:
    """Discounted gain of the first k over that of a perfect list of min(k, relevant items), float64 [num_users].

    Gain is linear (`targets.gains`, 1 where there are none).
    """
    gains = targets.gains if targets.gains is not None else np.arange(targets.ranks.shape[1]) < targets.counts[:, None]
    dcg = np.where(targets.ranks <= _positive(k), gains * discount(targets.ranks.astype(np.float64)), 0.0).sum(axis=1)
    best = -np.sort(-gains.astype(np.float64), axis=1)[:, :k]
    ideal = (best * discount(np.arange(1.0, best.shape[1] + 1.0))).sum(axis=1)
    return _defined(targets, np.divide(dcg, ideal, out=np.zeros(len(targets)), where=ideal > 0))


def auc(targets: TargetRanks, k: int = 0) -> Values:
    """Share of pairs of a relevant and another ranked item that stand in the right order, float64 [num_users]; `k` plays no part.

    The area under the ROC curve of the whole ranking (Hanley and McNeil 1982), exact from ranks: of the i-th relevant item on rank
    r, r - i others stand above. Relevant items that were not ranked stand below all. NaN where there is no pair.
    Raises DataError where it is not known how many items were ranked.
    """
    if targets.sizes is None:
        raise DataError("These ranks do not say how many items were ranked, so there is no AUC. Rank the whole catalog for it.")
    ranked = targets.ranks < NOT_RANKED
    others = targets.sizes - ranked.sum(axis=1)
    order = np.arange(1, targets.ranks.shape[1] + 1)
    below = np.where(ranked, others[:, None] - (targets.ranks - order), 0).sum(axis=1)
    pairs = (others * targets.counts).astype(np.float64)
    return np.asarray(np.divide(below, pairs, out=np.full(len(targets), np.nan), where=pairs > 0))


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric and what it means; `of(targets, k)` gives float64 [num_users], NaN for users without a relevant item.

    `cut`: whether it counts the first k items only, so that its name needs a cut-off.
    """

    name: str
    of: Callable[[TargetRanks, int], Values]
    definition: str
    cut: bool = True


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(
            "ndcg",
            ndcg,
            "Sum of 1/log2(rank + 1) over the relevant items among the first k, divided by that sum for a perfect list of min(k, "
            "relevant items); binary gain.",
        ),
        Metric("hr", hit_rate, "1 if at least one relevant item is among the first k, else 0 (hit rate)."),
        Metric("mrr", reciprocal_rank, "1/rank of the first relevant item, 0 if none is among the first k."),
        Metric("recall", recall, "Relevant items among the first k, divided by all relevant items of the user."),
        Metric("precision", precision, "Relevant items among the first k, divided by k even when the list is shorter."),
        Metric("f1", f1, "Harmonic mean of precision and recall at k, for each user."),
        Metric(
            "map",
            average_precision,
            "Precision at the rank of each relevant item among the first k, summed, divided by min(k, relevant items).",
        ),
        Metric(
            "auc",
            auc,
            "Area under the ROC curve of each user's ranking of all allowed items: the share of pairs of a relevant and another "
            "item that stand in the right order; equal scores stand in catalog order.",
            cut=False,
        ),
    )
}


def find(name: str) -> tuple[Metric, int]:
    """The metric and cut-off that a name such as "ndcg@10" stands for. Raises ConfigError for a name that does not exist."""
    base, at, depth = name.partition("@")
    if base not in METRICS:
        raise ConfigError(f"There is no metric '{base}'. Known: {', '.join(METRICS)}.{nearest(base, METRICS)}")
    if not METRICS[base].cut:
        if at:
            raise ConfigError(f"The metric '{base}' has no cut-off, but '{name}' gives one. Write '{base}'.")
        return METRICS[base], 0
    if not depth.isdecimal() or int(depth) < 1:
        raise ConfigError(f"The metric '{name}' has no cut-off. Write how many items count, for example '{base}@10'.")
    return METRICS[base], int(depth)


def measure(name: str, recommended: Sequence[Hashable], relevant: Collection[Hashable]) -> float:
    """One metric such as "ndcg@10" of one list, best first; NaN if nothing is relevant."""
    metric, k = find(name)
    return float(metric.of(ranks_in_lists([recommended], [relevant]), k)[0])


def _hits(targets: TargetRanks, k: int) -> Values:
    return np.asarray((targets.ranks <= _positive(k)).sum(axis=1), dtype=np.float64)


def _positive(k: int) -> int:
    if k < 1:
        raise ConfigError(f"The cut-off is {k}, but at least one item must count. Use k >= 1.")
    return k


def _defined(targets: TargetRanks, values: Values) -> Values:
    """Nothing can be hit or missed without a relevant item, so such users have no value and stay out of means."""
    return np.where(targets.counts > 0, values, np.nan)
