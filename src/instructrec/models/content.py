"""Items by what is written about them, people by what they liked: TF-IDF, word vectors, sentence vectors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.core import Progress, Silent
from instructrec.errors import ConfigError
from instructrec.models.cooccurrence import common_direction, counted, ppmi_vectors, rarity
from instructrec.models.memory import check_positive
from instructrec.models.profiles import (
    ContentModel,
    DenseContent,
    EncodedContent,
    ProfileConfig,
    hashed,
    nothing_written,
    places_of,
    unit,
)
from instructrec.models.search import Sentences, SentencesConfig, item_lines, terms
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BINS = 10
"""Parts of equal size that the numbers of an attribute are cut into."""


@dataclass(frozen=True, kw_only=True)
class TfidfConfig(ProfileConfig):
    """Settings of `tfidf`, as measured on ML-100K (`python -m benchmarks.tune_memory --models tfidf --steps 2`).

    NDCG@10 at decay 0.9: .0376, .0404, .0392, .0377 with values at 1, 2, 3, 5. What was rated low says more about what comes next
    as something chosen than as something disliked: .0382, .0361, .0319, .0305 with low_rated at 1, 0.5, 0, -0.25 (decay 0.8, values
    1), and in the same order where only targets that were rated 4 or 5 count.
    """

    values: float = field(default=2.0, metadata={"help": "weight of a value of an attribute beside a word; 0: only its words"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (np.isfinite(self.values) and self.values >= 0):
            raise ConfigError(f"values is {self.values}, but must be 0 (attributes are only read as words) or more.")


class Tfidf(ContentModel):
    """Items as TF-IDF over the words of title, text and attributes, and over the values of attributes as they are.

    A term of an item weighs (1 + log count) * log((1 + items) / (1 + items that have it)), Salton and Buckley 1988.
    """

    name: ClassVar[str] = "tfidf"
    config_type: ClassVar[type[TfidfConfig]] = TfidfConfig

    def __init__(self, config: TfidfConfig | None = None) -> None:
        super().__init__()
        self.config = config or TfidfConfig()

    def unfit_for(self, dataset: Dataset) -> str:
        """A catalog of ids alone says nothing."""
        return nothing_written(self.name, dataset)

    def _describe(self, catalog: Catalog, progress: Progress) -> csr_array:
        progress.stage(self.name, total=1)
        found = tfidf(item_counts(catalog, values=self.config.values), num_items=len(catalog))
        progress.step(1)
        return found

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def _recall(self, folder: Path, arrays: dict[str, NDArray[Any]], num_items: int) -> csr_array:
        # What is written may have changed since, so it is read anew.
        return self._describe(self.catalog, Silent())


@dataclass(frozen=True, kw_only=True)
class WordVectorsConfig(ProfileConfig):
    """Settings of `word_vectors`, as measured on ML-100K (`python -m benchmarks.tune_memory --models word_vectors --steps 2`).

    NDCG@10 at decay 0.9 and window 2: .0250, .0251, .0246 with width 100, 300, 500; .0225 and .0242 with window 5 and width 100 and
    300. Tokens of minilm: .0234. On Beauty (one step) they are better, .0331, against .0298 learned with window 5 and width 200.
    """

    words: str = field(
        default="catalog",
        metadata={
            "help": "catalog: vectors are learned of its own texts; minilm, a folder or Hugging Face id: those of an encoder"
        },
    )
    width: int = field(default=300, metadata={"help": "numbers of a word"})
    window: int = field(default=2, metadata={"help": "words on either side that a word is known by"})
    least: int = field(default=2, metadata={"help": "times that a word must be written in the catalog to have a vector"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "window", "least"):
            check_positive(name, getattr(self, name))


class WordVectors(DenseContent):
    """Items as means of word vectors. Words count by rarity, and what all items have in common is taken away (Arora, Liang and
    Ma 2017). Words that the texts of training do not have count nothing in a new item.

    The vectors are learned from the catalog's own texts, in any language and without a download: a word is what stands around it,
    by positive pointwise mutual information, decomposed (Levy and Goldberg 2014; contexts smoothed). Or they are those that a
    sentence encoder begins with.
    """

    name: ClassVar[str] = "word_vectors"
    config_type: ClassVar[type[WordVectorsConfig]] = WordVectorsConfig

    def __init__(self, config: WordVectorsConfig | None = None) -> None:
        super().__init__()
        self.config = config or WordVectorsConfig()
        self._encoder: Any = None

    def unfit_for(self, dataset: Dataset) -> str:
        """A catalog of ids alone says nothing."""
        return nothing_written(self.name, dataset)

    def bytes_needed(self, dataset: Dataset) -> int:
        """The vectors of the items, twice, and the pairs of words."""
        words = sum(len(text) for text in (*dataset.catalog.titles, *dataset.catalog.texts)) // 5
        width, window = int(self.config.width), int(self.config.window)
        return 8 * len(dataset.catalog) * width + 24 * words * min(window, 10)

    def _describe(self, catalog: Catalog, progress: Progress) -> FloatArray:
        progress.stage(self.name, total=3)
        self._edges = bin_edges(catalog)
        lines = self._lines(catalog)
        counts = Counter(word for line in lines for word in line)
        # An encoder knows every token, however rare it is here.
        least = self.config.least if self._encoder is None else 1
        names = [word for word, count in counts.items() if count >= least]
        keys = hashed(names)
        order = np.argsort(keys)
        self._words, place = keys[order], {names[k]: at for at, k in enumerate(order.tolist())}
        coded = [np.array([place[word] for word in line if word in place], dtype=np.int64) for line in lines]
        progress.step(1)
        if self._encoder is None:
            self._vectors = ppmi_vectors(coded, len(names), width=self.config.width, window=self.config.window)
        else:
            self._vectors = self._encoder.piece_vectors(sorted(names, key=place.__getitem__))
        progress.step(2)
        self._rarity = rarity(coded, len(names))
        means = self._means(coded)
        self._common = common_direction(means)
        progress.step(3)
        return self._without_common(means)

    def _embed(self, catalog: Catalog, first: int, progress: Progress = Silent()) -> FloatArray:
        """Items by the words that are known."""
        lines = [places_of(hashed(line), self._words) for line in self._lines(catalog)[first:]]
        return self._without_common(self._means([line[line >= 0] for line in lines]))

    def _lines(self, catalog: Catalog) -> list[list[str]]:
        """What each item is made of: words and numbers of the catalog, or tokens of an encoder."""
        if self.config.words == "catalog":
            numbers = number_terms(catalog, self._edges)
            return [terms(line) + more for line, more in zip(item_lines(catalog), numbers, strict=True)]
        if self._encoder is None:
            from instructrec.lm.sentences import SentenceEncoder

            self._encoder = SentenceEncoder(self.config.words)
        return [self._encoder.pieces(line) for line in item_lines(catalog)]

    def _means(self, lines: Sequence[IntArray]) -> FloatArray:
        weights = counted(lines, len(self._words))
        weights.data = weights.data * self._rarity[weights.indices]
        total = np.asarray(weights.sum(axis=1)).ravel()
        return np.asarray((weights @ self._vectors) / np.maximum(total, 1e-9)[:, None], dtype=np.float32)

    def _without_common(self, means: FloatArray) -> FloatArray:
        return unit(means - (means @ self._common)[:, None] * self._common)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        own: dict[str, NDArray[Any]] = {
            "words": self._words,
            "vectors": self._vectors,
            "rarity": self._rarity,
            "common": self._common,
        }
        return {**super()._arrays(), **own, "edges": self._edges}

    def _recall(self, folder: Path, arrays: dict[str, NDArray[Any]], num_items: int) -> FloatArray:
        self._words, self._vectors = arrays["words"], arrays["vectors"]
        self._rarity, self._common, self._edges = arrays["rarity"], arrays["common"], arrays["edges"]
        return super()._recall(folder, arrays, num_items)


@dataclass(frozen=True, kw_only=True)
class SentenceVectorsConfig(ProfileConfig):
    """Settings of `sentence_vectors`."""

    encoder: str = field(
        default="minilm",
        metadata={
            "help": "minilm (English), or a folder or Hugging Face id of a sentence-transformers encoder that is mean-pooled"
        },
    )


class SentenceVectors(EncodedContent):
    """Items as vectors of a sentence encoder that reads title, attributes, text and numbers (Reimers and Gurevych 2019).

    The encoder runs once over the catalog, and again over items that come later. On two validation steps of ML-100K NDCG@10 is
    .0340 with the numbers and less the mean of all items, .0263 without the numbers, .0171 without either.
    """

    name: ClassVar[str] = "sentence_vectors"
    config_type: ClassVar[type[SentenceVectorsConfig]] = SentenceVectorsConfig

    def __init__(self, config: SentenceVectorsConfig | None = None) -> None:
        super().__init__()
        self.config = config or SentenceVectorsConfig()
        self._sentences = Sentences(SentencesConfig(base=self.config.encoder))

    def unfit_for(self, dataset: Dataset) -> str:
        """A catalog of ids alone says nothing."""
        return nothing_written(self.name, dataset)

    def _encoded(self, catalog: Catalog, first: int, progress: Progress) -> tuple[FloatArray, BoolArray]:
        lines = item_lines(catalog)
        for name, column in catalog.numbers.items():
            lines = [
                f"{line}. {name} {value:g}" if value == value else line for line, value in zip(lines, column.tolist(), strict=True)
            ]
        vectors = self._sentences.encoded(lines[first:], progress)
        return vectors, np.asarray(vectors.any(axis=1), dtype=np.bool_)


def item_counts(catalog: Catalog, *, values: float) -> list[dict[str, float]]:
    """How often each item has each term: words of its lines, and `values` times each value of its attributes."""
    counts: list[dict[str, float]] = [dict(Counter(terms(line))) for line in item_lines(catalog)]
    for name in catalog.favourable if values else ():
        for row, own in zip(counts, catalog.label_rows(name), strict=True):
            # A sign that no word has keeps values and words apart.
            row.update({f"\0{name}\0{value}": values for value in own})
    for row, parts in zip(counts, number_terms(catalog, bin_edges(catalog)), strict=True):
        row.update(dict.fromkeys(parts, values))
    return counts


def bin_edges(catalog: Catalog) -> NDArray[np.float64]:
    """Where each number of a catalog is cut into parts of equal size, float64 [num_numbers, BINS - 1]; NaN where none is known."""
    cuts, out = np.linspace(0, 1, BINS + 1)[1:-1], np.full((len(catalog.numbers), BINS - 1), np.nan)
    for row, column in enumerate(catalog.numbers.values()):
        known = column[np.isfinite(column)]
        if len(known):
            out[row] = np.quantile(known, cuts)
    return out


def number_terms(catalog: Catalog, edges: NDArray[np.float64]) -> list[list[str]]:
    """A term for each number that is known of an item: in which part of its `bin_edges` it lies."""
    found: list[list[str]] = [[] for _ in range(len(catalog))]
    for (name, column), cuts in zip(catalog.numbers.items(), edges, strict=False):
        known = np.flatnonzero(np.isfinite(column))
        for item, place in zip(known.tolist(), np.searchsorted(cuts, column[known]).tolist(), strict=True):
            found[item].append(f"\0{name}\0{place}")
    return found


def tfidf(counts: Sequence[dict[str, float]], *, num_items: int) -> csr_array:
    """Counts of terms as rows of unit length, float32 CSR [num_items, num_terms]; counts below 1 weigh as they are."""
    from scipy.sparse import csr_array

    names: dict[str, int] = {}
    columns = np.array([names.setdefault(name, len(names)) for row in counts for name in row], dtype=np.int64)
    often = np.array([count for row in counts for count in row.values()], dtype=np.float64)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in counts])]).astype(np.int64)
    items_with = np.bincount(columns, minlength=len(names))
    rare = np.log((1 + num_items) / (1 + items_with))
    weights = (np.minimum(often, 1.0) + np.log(np.maximum(often, 1.0))) * rare[columns]
    found = csr_array((weights, columns, starts), shape=(num_items, max(1, len(names))))
    lengths = np.sqrt(np.asarray(found.power(2).sum(axis=1))).ravel()
    found.data = found.data / np.maximum(np.repeat(lengths, np.diff(found.indptr)), 1e-9)
    return found.astype(np.float32)
