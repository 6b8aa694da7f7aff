"""Which words of an item's texts and of a person's profile a reason would speak of, learned from reasons others were given.

A word's weight is softplus(features . w), and the words' weights times their rarity make a sparse vector that stands for the text
still to be written. It is fitted by the cross-entropy of finding the own reference among those of a batch
(InfoNCE, van den Oord et al. 2018), so a word counts for what it does for finding the reference, not for being in it. The weights
of a row are made by a model that was fitted on rows with another item, another title and another user.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from instructrec.explain.cutting import words_of
from instructrec.explain.telling import rarities, short_title
from instructrec.lm.sentences import SentenceEncoder

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
SOURCES = ("title", "item_summary", "user_summary")
FOLDS = 10
DIRECTIONS = 16
"""Principal directions of the word vectors that are features."""
BATCH, STEPS, RATE, START_SCALE, PENALTY = 400, 300, 0.02, 25.0, 3e-3
PRIOR = 20.0
"""Words seen less often than this in training are taken to be more like the average word."""


@dataclass(frozen=True)
class Candidates:
    """Words of each row's inputs: row and word of each candidate (sorted by row), where it stands [m, 3], and features [m, f]."""

    words: tuple[str, ...]
    row: Rows
    word: Rows
    sources: NDArray[np.bool_]
    features: Floats
    spoken: NDArray[np.bool_]
    references: tuple[tuple[str, ...], ...]


class Similarity(torch.autograd.Function):
    """Dot products of sparse rows, given by their values, with sparse references."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, row: Rows, word: Rows, references: sp.csr_matrix) -> torch.Tensor:
        """Dense [rows, references]."""
        ctx.given = (row, word, references)
        made = sp.csr_matrix((values.detach().numpy(), (row, word)), shape=references.shape)
        return torch.tensor((made @ references.T).toarray(), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Of the values alone."""
        row, word, references = ctx.given
        dense = references.T @ gradients[0].numpy().T
        return torch.tensor(dense[word, row], dtype=torch.float32), None, None, None


def folds(table: Mapping[str, Sequence[Any]], number: int = FOLDS) -> list[tuple[Rows, Rows]]:
    """(test rows, training rows): titles are dealt by hash, and no title, item or user of a test row occurs in training."""
    titles = np.array([title.lower() for title in table["title"]])
    dealt = np.array([zlib.crc32(title.encode()) % number for title in titles])
    columns = (titles, np.array(table["uid"]), np.array(table["iid"]))
    found = []
    for fold in range(number):
        test = dealt == fold
        strange = ~np.any([np.isin(column, column[test]) for column in columns], axis=0)
        found.append((np.flatnonzero(test), np.flatnonzero(strange)))
    return found


def candidates(table: Mapping[str, Sequence[Any]], encoder: SentenceEncoder) -> Candidates:
    """The words of all rows with what can be said of them without any reference."""
    inputs = {source: [words_of(text) for text in table[source]] for source in SOURCES}
    references = tuple(words_of(text) for text in table["explanation"])
    words = tuple(sorted({word for rows in (*inputs.values(), references) for row in rows for word in row}))
    number = {word: place for place, word in enumerate(words)}
    counts = {source: Counter(word for row in set(rows) for word in set(row)) for source, rows in inputs.items()}
    row, word, features, spoken = [], [], [], []
    for at, told in enumerate(references):
        texts = [inputs[source][at] for source in SOURCES]
        head = set(words_of(short_title(table["title"][at])))
        names = {name.lower() for name in re.findall(r"(?<=\w )[A-Z]\w+", table["item_summary"][at])}
        for each in sorted(set().union(*texts)):
            row.append(at)
            word.append(number[each])
            common = [float(np.log1p(counts[source][each])) for source in SOURCES]
            features.append(_plain(each, texts, common, each in head, each in names))
            spoken.append(each in told)
    plain = np.array(features)
    sources = plain[:, :3] > 0
    rows_, words_ = np.array(row), np.array(word)
    meant = _meanings(table, words, rows_, words_, sources, encoder)
    return Candidates(words, rows_, words_, sources, np.hstack([plain, meant]), np.array(spoken), references)


def _plain(word: str, texts: Sequence[tuple[str, ...]], common: Sequence[float], in_head: bool, is_name: bool) -> list[float]:
    title, item, user = texts
    a, b, c = (float(word in text) for text in texts)
    first = [text.index(word) / len(text) if word in text else 1.0 for text in (item, user)]
    long = len(title) / 10
    return [
        *(a, b, c, a * b, a * c, b * c, c * (1 - a) * (1 - b)),
        *(a * in_head, b * is_name * (1 - a), float(word.isdigit()), len(word) / 10, b * (item.count(word) > 1)),
        *common,
        *(a * common[0], a * common[1], b * common[1], b * common[2], c * common[1], c * common[2], b * c * common[1]),
        *(a * common[0] ** 2, b * common[1] ** 2, c * (1 - b) * common[2]),
        *(*first, b * first[0], c * first[1]),
        *(long, a * long, a / max(1, len(title)), a * (len(title) == 1), a * (len(title) == 2)),
        *(b * np.log(max(1, len(item))), c * np.log(max(1, len(user)))),
    ]


def _meanings(
    table: Mapping[str, Sequence[Any]],
    words: Sequence[str],
    row: Rows,
    word: Rows,
    sources: NDArray[np.bool_],
    encoder: SentenceEncoder,
) -> Floats:
    """Cosines of the word with each of the three texts, and where it lies among all words, for each place it stands in."""
    vectors = encoder.encode(words)
    cosines = []
    for source in SOURCES:
        distinct = sorted(set(table[source]))
        place = {text: at for at, text in enumerate(distinct)}
        encoded = encoder.encode(distinct)[[place[text] for text in table[source]]]
        cosines.append((vectors[word] * encoded[row]).sum(axis=1))
    centred = vectors - vectors.mean(axis=0)
    directions = centred @ np.linalg.svd(centred, full_matrices=False)[2][:DIRECTIONS].T
    directions /= directions.std(axis=0)
    alone = sources[:, 2] & ~sources[:, 0] & ~sources[:, 1]
    places = [sources[:, 0], sources[:, 1], alone]
    parts = [np.stack(cosines, axis=1), *(np.stack(cosines, axis=1) * place[:, None] for place in places)]
    return np.hstack([*parts, *(directions[word] * place[:, None] for place in places)])


def references_of(found: Candidates, rarity: Mapping[str, float]) -> sp.csr_matrix:
    """Unit tf-idf vectors of the references."""
    return vectors_of(found.references, found.words, rarity)


def vectors_of(texts: Iterable[Sequence[str]], words: Sequence[str], rarity: Mapping[str, float]) -> sp.csr_matrix:
    """Unit tf-idf vectors [texts, words]; words without a rarity do not count."""
    number = {word: place for place, word in enumerate(words)}
    counts = [Counter(word for word in text if word in rarity) for text in texts]
    row = [at for at, count in enumerate(counts) for _ in count]
    column = [number[word] for count in counts for word in count]
    values = [times * rarity[word] for count in counts for word, times in count.items()]
    return unit_rows(sp.csr_matrix((values, (row, column)), shape=(len(counts), len(words)), dtype=np.float64))


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Rows of length 1; empty rows stay empty."""
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix)


def _how_often_spoken(found: Candidates, train: Rows) -> Floats:
    """How much more than others a word that stands in a source was spoken of in training, its own row left out."""
    inside = np.isin(found.row, train)
    size, columns = len(found.words), []
    for source in found.sources.T:
        seen = inside & source
        usual = found.spoken[seen].mean()
        spoken = np.bincount(found.word[seen], found.spoken[seen], minlength=size)[found.word] - found.spoken * seen
        times = np.bincount(found.word[seen], minlength=size)[found.word] - seen
        columns += [source * np.log((spoken + PRIOR * usual) / (times + PRIOR) / usual), source * np.log1p(times) / 5]
    return np.stack(columns, axis=1)


def fit(found: Candidates, train: Rows, seed: int = 0) -> Floats:
    """Weights of all candidates by a model of the training rows."""
    rarity = rarities([" ".join(found.references[row]) for row in train])
    references = references_of(found, rarity).astype(np.float32)
    idf = torch.tensor([rarity.get(word, 0.0) for word in found.words], dtype=torch.float32)
    spread = np.hstack([found.features, _how_often_spoken(found, train), idf.numpy()[found.word][:, None]])
    inside = np.isin(found.row, train)
    spread = (spread - spread[inside].mean(axis=0)) / (spread[inside].std(axis=0) + 1e-6)
    features, start = torch.tensor(spread, dtype=torch.float32), np.searchsorted(found.row, np.arange(len(found.references) + 1))
    weights = torch.zeros(features.shape[1] + 2, requires_grad=True)  # with a constant, and the logarithm of the scale
    optimiser = torch.optim.Adam([weights], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    rng = np.random.default_rng(seed)

    def weigh(chosen: Any) -> torch.Tensor:
        return torch.nn.functional.softplus(features[chosen] @ weights[2:] + weights[0])

    for _ in range(STEPS):
        rows = rng.choice(train, min(BATCH, len(train)), replace=False)
        chosen = np.concatenate([np.arange(start[row], start[row + 1]) for row in rows])
        row = np.repeat(np.arange(len(rows)), start[rows + 1] - start[rows])
        values = weigh(chosen) * idf[found.word[chosen]]
        lengths = torch.zeros(len(rows)).index_add(0, torch.tensor(row), values**2).sqrt()
        scores = Similarity.apply(values / lengths[row], row, found.word[chosen], references[rows])
        loss = torch.nn.functional.cross_entropy(scores * START_SCALE * weights[1].exp(), torch.arange(len(rows)))
        loss = loss + PENALTY * (weights[2:] ** 2).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        return weigh(np.arange(len(found.row))).numpy().astype(np.float64)
