"""Items by what they are about: words found in texts, and carried on to items whose texts mean nearly the same.

Words alone miss what is said otherwise, and one vector for a whole text is too coarse for a word or two. Each finds what the other
misses: BM25 says which items hold the words, a sentence encoder says which items are like those. Scores that are smoothed over the
nearest neighbours of what was found follow the cluster hypothesis (Kurland and Lee 2004, doi 10.1145/1008992.1009027).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse

from instructrec.core import FitContext
from instructrec.errors import ConfigError, ModelError
from instructrec.models.search import Bm25, Bm25Config, Sentences, SentencesConfig, TextSearch
from instructrec.models.storage import read_model, write_model
from instructrec.tables import Catalog, Dataset, FloatArray

BLOCK = 1024
"""Items whose neighbours are looked for at once."""
MOST_ITEMS = 200_000
"""Every item is compared with every other; larger catalogs are searched without neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemesConfig:
    """Settings of `themes`."""

    base: str = field(default="minilm", metadata={"help": "the sentence encoder: minilm, or a folder or Hugging Face id"})
    neighbours: int = field(default=50, metadata={"help": "items that an item found by words is carried on to"})
    sharpness: float = field(default=10.0, metadata={"help": "power of the cosine; larger favours the nearest"})
    own: float = field(default=0.3, metadata={"help": "weight of the item's own words beside those of its neighbours"})

    def __post_init__(self) -> None:
        if self.neighbours < 0 or self.sharpness <= 0 or self.own < 0:
            raise ConfigError(
                f"neighbours, sharpness and own are {self.neighbours}, {self.sharpness} and {self.own}; they must be at least 0, "
                "above 0 and at least 0."
            )


class Themes(TextSearch):
    """BM25 over what is written, smoothed over the neighbours of each item; every item scores at least 0."""

    name: ClassVar[str] = "themes"
    config_type: ClassVar[type[ThemesConfig]] = ThemesConfig

    def __init__(self, config: ThemesConfig | None = None) -> None:
        self.config = config or ThemesConfig()
        self.words = Bm25(Bm25Config())
        self.sentences = Sentences(SentencesConfig(base=self.config.base))
        self._near: scipy.sparse.csr_matrix | None = None

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Index what is written, encode it, and find the neighbours."""
        context = context or FitContext()
        self.catalog = dataset.catalog
        self.words.fit(dataset, context)
        self.sentences.fit(dataset, context)
        self._near = neighbours(self.sentences.vectors, count=self.config.neighbours, sharpness=self.config.sharpness)
        return self

    def _is_fitted(self) -> bool:
        return self._near is not None

    def _search(self, words: Sequence[str]) -> FloatArray:
        if self._near is None:
            raise ModelError("Model 'themes' has read no catalog yet.")
        found = self.words._search(words)
        carried = (self._near.T @ found.T).T
        return np.asarray(self.config.own * found + carried, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the vectors of the items; index and neighbours are made again from them."""
        self.score([])
        arrays = {"items": self.sentences.vectors}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; items added to the catalog since are encoded now."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=ThemesConfig, catalog=catalog)
        model = cls(config)
        model.catalog = catalog
        model.words = model.words.reading(catalog)
        model.sentences.adopt(catalog, arrays["items"], num_items)
        model._near = neighbours(model.sentences.vectors, count=config.neighbours, sharpness=config.sharpness)
        return model


def neighbours(vectors: FloatArray, *, count: int, sharpness: float) -> scipy.sparse.csr_matrix:
    """Row i: how much of what item i scores goes to each of its `count` nearest items, summing to 1; empty where none is near.

    `vectors` float32 [num_items, width] of unit length; a weight is the cosine, where it is positive, to the power `sharpness`.
    """
    num_items = len(vectors)
    count = min(count, num_items - 1)
    if count < 1 or num_items > MOST_ITEMS:
        return scipy.sparse.csr_matrix((num_items, num_items), dtype=np.float32)
    rows, columns, values = [], [], []
    for start in range(0, num_items, BLOCK):
        cosines = vectors[start : start + BLOCK] @ vectors.T
        place = np.arange(len(cosines))
        cosines[place, start + place] = 0.0
        best = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        weights = np.maximum(np.take_along_axis(cosines, best, axis=1), 0.0) ** sharpness
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        rows.append(np.repeat(start + place, count))
        columns.append(best.ravel())
        values.append(weights.ravel())
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csr_matrix(entries, shape=(num_items, num_items), dtype=np.float32)
