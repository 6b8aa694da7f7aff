"""Lists against what their person had before, against what everybody gets, and against one another in words.

Matrices of people and items are sparse (scipy CSR): a history names few of all items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy import sparse

from instructrec.evaluation.metrics import Values
from instructrec.instructions.tokens import keys
from instructrec.tables import Catalog, FloatArray, IntArray

ALPHA: Final = 0.01
"""How much of the profile is mixed into a list before the two are compared, so that the divergence is finite (Steck 2018)."""

ROWS_AT_ONCE: Final = 1024
"""People whose values are laid out at once: many attributes have thousands."""


def word_vectors(catalog: Catalog) -> Any:
    """TF-IDF over the words of titles and the values of attributes, rows of length 1 (0 without words), CSR [num_items, num_words].

    A term counts once an item; its weight is ln(items / items that have it) + 1. What a model thinks of items plays no part, so
    lists of all models are measured in one space.
    """
    rows = [_terms(catalog, item) for item in range(len(catalog))]
    index = {term: place for place, term in enumerate(sorted({term for row in rows for term in row}))}
    codes = np.array([index[term] for row in rows for term in row], dtype=np.int64)
    weight = np.log(max(1, len(rows)) / np.maximum(np.bincount(codes, minlength=len(index)), 1)) + 1.0
    found = _csr([np.array([index[term] for term in row], dtype=np.int64) for row in rows], len(index), weight)
    return _over(found, np.sqrt(np.asarray(found.multiply(found).sum(axis=1)).ravel()))


def main_values(catalog: Catalog) -> Any:
    """The values of the label attribute that most items have, each row summing to 1 (0 without any), CSR [num_items,
    num_values].
    """
    labels = [catalog.labels[name] for name in catalog.favourable]
    if not labels:
        return sparse.csr_matrix((len(catalog), 0))
    widest = max(labels, key=lambda found: int((np.diff(found.offsets) > 0).sum()))
    rows = np.split(widest.codes, widest.offsets[1:-1])
    return _over(_csr(rows, len(widest.names)), np.diff(widest.offsets).astype(np.float64))


def spread(top: IntArray, vectors: Any) -> Values:
    """Mean of 1 - cosine over the pairs of each list, float64 [num_queries]; NaN where fewer than two items have words.

    `top` as in `Evaluation`, `vectors` as from `word_vectors`. Of m unit vectors with sum s, the cosines of all ordered pairs of
    different ones sum to |s|^2 - m.
    """
    shown = _of_lists(top, vectors.shape[0])
    total = shown @ vectors
    squared = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    count = shown @ (np.diff(vectors.indptr) > 0).astype(np.float64)
    pairs = count * (count - 1)
    return _ratio(pairs - (squared - count), pairs)


def serendipity(top: IntArray, popular: IntArray, histories: Sequence[IntArray], targets: Sequence[IntArray]) -> Values:
    """Share of a list that is relevant and unexpected, float64 [num_queries] (Ge, Delgado-Battenfeld and Jannach 2010).

    Relevant is what was held out; expected is the list that a primitive method makes: as many items as the list is long, from
    `popular` (item codes, most popular first) without those of the history. NaN where nothing was held out.
    """
    out = np.full(len(top), np.nan)
    for row, (shown, had, wanted) in enumerate(zip(top, histories, targets, strict=True)):
        if len(wanted):
            known = set(had.tolist())
            expected = [item for item in popular[: top.shape[1] + len(known)].tolist() if item not in known][: top.shape[1]]
            out[row] = len((set(shown.tolist()) & set(wanted.tolist())) - set(expected)) / top.shape[1]
    return out


def lift(top: IntArray, share: Values, histories: Sequence[IntArray]) -> Values:
    """How much more popular lists are than the histories of their people, float64 [num_queries]; NaN for an empty list or history.

    Mean over the list minus mean over the history of `share`, float64 [num_items], divided by the mean of the histories' means: the
    mean over people is the change of group average popularity of Abdollahpouri et al. 2019. 0: lists are as popular as profiles.
    """
    before = _mean_of(_csr(histories, len(share)), share)
    found = _mean_of(_of_lists(top, len(share)), share)
    usual = float(np.nanmean(before)) if np.isfinite(before).any() else 0.0
    return np.asarray((found - before) / usual) if usual > 0 else np.full(len(top), np.nan)


def miscalibration(top: IntArray, values: Any, histories: Sequence[IntArray]) -> Values:
    """Kullback-Leibler divergence of a list's values from those of the history in nats, float64 [num_queries] (Steck 2018).

    `values` as from `main_values`: an item shares one evenly among its values. 0: the list has the same mix as the history. NaN
    where either has no values.
    """
    parts = [
        _divergence(_of_lists(top[start : start + ROWS_AT_ONCE], values.shape[0]), _csr(part, values.shape[0]), values)
        for start in range(0, len(top), ROWS_AT_ONCE)
        for part in [histories[start : start + ROWS_AT_ONCE]]
    ]
    return np.concatenate([np.zeros(0), *parts])


def _divergence(lists: Any, histories: Any, values: Any) -> Values:
    wanted, found = _mixed(histories, values), _mixed(lists, values)
    smooth = (1 - ALPHA) * found + ALPHA * wanted
    terms = np.where(wanted > 0, wanted * np.log(np.where(wanted > 0, wanted, 1.0) / np.where(wanted > 0, smooth, 1.0)), 0.0)
    usable = (wanted.sum(axis=1) > 0) & (found.sum(axis=1) > 0)
    return np.where(usable, np.maximum(terms.sum(axis=1), 0.0), np.nan)


def _terms(catalog: Catalog, item: int) -> list[str]:
    labels = [f"{name}={value}" for name in catalog.favourable for value in catalog.labels[name].of(item)]
    return list(dict.fromkeys([*filter(str.isalnum, keys(catalog.titles[item])), *labels]))


def _csr(rows: Sequence[IntArray], width: int, weight: Values | None = None) -> Any:
    """The columns of each row as a matrix of ones, or of the weight of each column; a column named twice counts twice."""
    columns = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
    data = np.ones(len(columns)) if weight is None else weight[columns]
    return sparse.csr_matrix((data, columns, starts), shape=(len(rows), width))


def _of_lists(top: IntArray, num_items: int) -> Any:
    return _csr([row[row >= 0] for row in top], num_items)


def _over(matrix: Any, sizes: Values) -> Any:
    """Each row divided by its size."""
    return sparse.diags(1.0 / np.where(sizes > 0, sizes, 1.0)) @ matrix


def _mixed(chosen: Any, values: Any) -> Values:
    """The mean of the values of the chosen items that have any, float64 [num_rows, num_values]."""
    total = np.asarray((chosen @ values).todense(), dtype=np.float64)
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12))


def _mean_of(chosen: Any, share: Values) -> Values:
    return _ratio(chosen @ share, np.diff(chosen.indptr).astype(np.float64))


def _ratio(upper: Values | FloatArray, lower: Values) -> Values:
    return np.asarray(np.divide(upper, lower, out=np.full(len(lower), np.nan), where=lower > 0), dtype=np.float64)
