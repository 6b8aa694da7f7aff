"""Items by words alone: BM25 over what is written about them, and a sentence encoder. They know nobody's taste."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from instructrec.core import FitContext, Progress, Query
from instructrec.errors import ModelError
from instructrec.instructions.lexicon import lexicon
from instructrec.instructions.render import query_words
from instructrec.instructions.tokens import keys
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Bm25Config:
    """Settings of `bm25`, at their usual values (Robertson and Zaragoza 2009)."""

    k1: float = field(default=1.2, metadata={"help": "How soon repeating a word stops to count."})
    b: float = field(default=0.75, metadata={"help": "How much long texts are discounted, 0 to 1."})


@dataclass(frozen=True, slots=True, kw_only=True)
class SentencesConfig:
    """Settings of `sentences`."""

    base: str = field(
        default="minilm", metadata={"help": "minilm, or a folder or Hugging Face id of an encoder that is mean-pooled."}
    )


class TextSearch(Recommender):
    """Scores by the words of a query; without words every item scores 0."""

    needs_words: ClassVar[bool] = True

    def is_personal(self, query: Query) -> bool:
        """Words are what it answers to."""
        return bool(query_words(query))

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """How well each item fits the words, float32 [num_queries, num_items], at least 0."""
        if not self._is_fitted():
            raise ModelError(f"Model '{self.name}' has read no catalog yet. Call fit(dataset) or load(folder, catalog) first.")
        out = np.zeros((len(queries), len(self.catalog)), dtype=np.float32)
        words = [query_words(query) for query in queries]
        rows = [row for row, text in enumerate(words) if text]
        if rows and len(self.catalog):
            out[rows] = self._search([words[row] for row in rows])
        return out

    @abstractmethod
    def _is_fitted(self) -> bool: ...

    @abstractmethod
    def _search(self, words: Sequence[str]) -> FloatArray: ...


class Bm25(TextSearch):
    """Okapi BM25 over title, attribute values and text (the library bm25s)."""

    name: ClassVar[str] = "bm25"
    config_type: ClassVar[type[Bm25Config]] = Bm25Config

    def __init__(self, config: Bm25Config | None = None) -> None:
        self.config = config or Bm25Config()
        self._index: Any = None

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Index what is written about the items."""
        return self.reading(dataset.catalog)

    def reading(self, catalog: Catalog) -> Self:
        """Index a catalog; nothing else has to be known."""
        from bm25s import BM25

        self.catalog = catalog
        self._index = BM25(k1=self.config.k1, b=self.config.b)
        # One word that no text has keeps an empty catalog indexable.
        lines = [terms(line) for line in item_lines(catalog)]
        self._index.index(lines if any(lines) else [["\0"]] * max(1, len(lines)), show_progress=False)
        return self

    def _is_fitted(self) -> bool:
        return self._index is not None

    def _search(self, words: Sequence[str]) -> FloatArray:
        known = self._index.vocab_dict
        out = np.zeros((len(words), len(self.catalog)), dtype=np.float32)
        for row, text in enumerate(words):
            asked = [term for term in terms(text) if term in known]
            if asked:
                out[row] = self._index.get_scores(asked)
        return out

    def save(self, folder: Path) -> None:
        """Write the settings; the index is made again from the catalog."""
        self.score([])
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays={})

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote, and index the catalog."""
        config, _, _ = read_model(folder, cls.name, config_type=Bm25Config, catalog=catalog)
        return cls(config).reading(catalog)


class Sentences(TextSearch):
    """Cosine between the words and what is written about an item, both as vectors of a sentence encoder."""

    name: ClassVar[str] = "sentences"
    config_type: ClassVar[type[SentencesConfig]] = SentencesConfig

    def __init__(self, config: SentencesConfig | None = None) -> None:
        self.config = config or SentencesConfig()
        self._items: FloatArray | None = None
        self._encoder: Any = None

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Encode every item."""
        progress = (context or FitContext()).progress
        self.catalog = dataset.catalog
        self._items = self.encoded(item_lines(self.catalog), progress)
        return self

    def encoded(self, lines: Sequence[str], progress: Progress) -> FloatArray:
        """Unit vectors of texts, float32 [num_texts, width]; an empty text has the vector 0."""
        encoder = self._encode(progress)
        progress.stage(self.name, total=max(1, len(lines)))
        parts = []
        for start in range(0, len(lines), 512):
            parts.append(encoder.encode(lines[start : start + 512]))
            progress.step(min(start + 512, len(lines)))
        return np.concatenate(parts) if parts else np.zeros((0, 1), dtype=np.float32)

    def _encode(self, progress: Any = None) -> Any:
        if self._encoder is None:
            from instructrec.lm.sentences import SentenceEncoder

            self._encoder = SentenceEncoder(self.config.base, progress=progress)
        return self._encoder

    def _is_fitted(self) -> bool:
        return self._items is not None

    def _search(self, words: Sequence[str]) -> FloatArray:
        assert self._items is not None
        cosines: FloatArray = self._encode().encode(words) @ self._items.T
        return np.maximum(cosines, 0.0)

    def save(self, folder: Path) -> None:
        """Write the vectors of the items."""
        self.score([])
        assert self._items is not None
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays={"items": self._items})

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; items added to the catalog since are encoded now."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=SentencesConfig, catalog=catalog)
        model = cls(config)
        model.adopt(catalog, arrays["items"], num_items)
        return model

    def item_vectors(self) -> FloatArray | None:
        """The vectors of what is written about the items."""
        return self.vectors

    @property
    def vectors(self) -> FloatArray:
        """Unit vectors of the items, float32 [num_items, width]."""
        if self._items is None:
            raise ModelError("Model 'sentences' has read no catalog yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._items

    def adopt(self, catalog: Catalog, vectors: FloatArray, num_items: int) -> None:
        """Take over the vectors of the first items of a catalog, and encode the others."""
        self.catalog, self._items = catalog, vectors
        if len(catalog) > num_items:
            self._items = np.concatenate([vectors, self._encode().encode(item_lines(catalog)[num_items:])])


def item_lines(catalog: Catalog) -> list[str]:
    """What is written for each item: title, attribute values without what reviewers criticise, text."""
    rows = [[title] for title in catalog.titles]
    for name in catalog.favourable:
        for row, values in zip(rows, catalog.label_rows(name), strict=True):
            row.append(" ".join(values))
    for row, text in zip(rows, catalog.texts, strict=False):
        row.append(text)
    return [". ".join(part for part in row if part) for row in rows]


def terms(text: str) -> list[str]:
    """The words of a text as BM25 compares them: without case, accents, signs and English plural endings."""
    words = lexicon("en")
    assert words is not None
    return [words.stem(key) for key in keys(text) if any(letter.isalnum() for letter in key)]
