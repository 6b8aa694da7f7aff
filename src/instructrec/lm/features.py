"""What an item token knows before tuning: collaborative factors of the item and the words of its title and attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor

from instructrec.lm.decoder import Decoder
from instructrec.tables import Catalog, FloatArray, IntArray

FEATURE_SCALE = 0.25
"""Standard deviation of features: small, so that one optimiser step does not swing every logit at once."""


def collaborative_factors(histories: Sequence[IntArray], num_items: int, *, width: int, window: int) -> FloatArray:
    """Item factors float32 [num_items, width]: truncated SVD of shifted-positive PMI over co-occurrence within `window`.

    Pairs are weighted by 1 / distance (as in GloVe, Pennington et al. 2014); PMI factorisation follows Levy and Goldberg 2014.
    Where there are fewer items than `width`, the missing columns are zero.
    """
    counts = _cooccurrence(histories, num_items, window)
    rank = min(width, num_items - 2)
    out = np.zeros((num_items, width), dtype=np.float32)
    if counts.nnz == 0 or rank < 1:
        return out
    pairs = counts.tocoo()
    marginal = np.asarray(counts.sum(axis=1)).ravel() + 1.0
    pmi = np.log1p(pairs.data * pairs.data.sum() / (marginal[pairs.row] * marginal[pairs.col]))
    matrix = scipy.sparse.coo_matrix((pmi, (pairs.row, pairs.col)), shape=counts.shape).tocsr()
    # A fixed start vector makes the Lanczos iteration, and so the whole tuning, repeatable.
    left, values, _ = scipy.sparse.linalg.svds(matrix, k=rank, v0=np.ones(num_items) / math.sqrt(num_items))
    order = np.argsort(-values)
    factors = left[:, order] * np.sqrt(values[order])
    signs = np.sign(factors[np.abs(factors).argmax(axis=0), np.arange(rank)])
    out[:, :rank] = factors * np.where(signs == 0, 1.0, signs)
    return np.asarray(out * (FEATURE_SCALE / max(float(out[:, :rank].std()), 1e-12)), dtype=np.float32)


def _cooccurrence(histories: Sequence[IntArray], num_items: int, window: int) -> scipy.sparse.csr_matrix:
    rows, columns, values = [], [], []
    for history in histories:
        for gap in range(1, min(window, len(history) - 1) + 1):
            rows.append(history[:-gap])
            columns.append(history[gap:])
            values.append(np.full(len(history) - gap, 1.0 / gap))
    if not rows:
        return scipy.sparse.csr_matrix((num_items, num_items))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    counts = scipy.sparse.coo_matrix(entries, shape=(num_items, num_items)).tocsr()
    return (counts + counts.T).tocsr()


def text_features(catalog: Catalog, decoder: Decoder, attribute_words: Sequence[str]) -> Tensor:
    """Item text as float32 [num_items, 2 * width]: mean word embedding of the title (and text), then of the attributes.

    `attribute_words`: one line of words an item, written by the same wording that instructions use.
    """
    texts = catalog.texts or ("",) * len(catalog)
    titles = [f"{title} {text}".strip() for title, text in zip(catalog.titles, texts, strict=True)]
    return torch.cat([mean_words(titles, decoder), mean_words(attribute_words, decoder)], dim=1)


def mean_words(lines: Sequence[str], decoder: Decoder, *, max_tokens: int = 64) -> Tensor:
    """Mean word embedding of each line, float32 [num_lines, width]; zeros for an empty line. Not yet standardised."""
    out = torch.zeros(len(lines), decoder.width)
    for row, line in enumerate(lines):
        ids = decoder.tokenizer.encode(f" {line}")[:max_tokens] if line else []
        if ids:
            out[row] = decoder.words[ids].mean(dim=0)
    return out


def standardise(features: Tensor, reference: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Centre and scale features to FEATURE_SCALE by their own statistics, or by those of training (`reference`).

    Returns the features and the statistics float32 [width + 1]: the means, then one common standard deviation.
    """
    if reference is None:
        mean = features.mean(dim=0)
        reference = torch.cat([mean, (features - mean).std().clamp_min(1e-6)[None]])
    return (features - reference[:-1]) / reference[-1] * FEATURE_SCALE, reference


def text_to_factors(text: FloatArray, factors: FloatArray, seen: IntArray, *, penalty: float = 1.0) -> FloatArray:
    """The ridge map from text features to collaborative factors, float32 [text_width, factor_width], for items without clicks.

    Fitted on the `seen` item codes; `penalty` is multiplied by the number of rows.
    """
    x, y = text[seen].astype(np.float64), factors[seen].astype(np.float64)
    gram = x.T @ x + penalty * FEATURE_SCALE**2 * max(len(seen), 1) * np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(gram, x.T @ y), dtype=np.float32)
