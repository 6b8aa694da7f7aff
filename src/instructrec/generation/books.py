"""One door to the three kinds of item codes: make them for a catalog, add new items, keep them in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ConfigError
from instructrec.generation.codebooks import Codebook, Encode, TitleBook, semantic, title
from instructrec.generation.codes import CodeKind, CodeTable, atomic
from instructrec.tables import FloatArray, IntArray

ITEMS_A_CLUSTER = 12
"""A first level this fine was better on validation (Amazon Beauty) than one of 256 clusters: it decides most of the score."""
MOST_CLUSTERS = 4096


@dataclass(frozen=True, kw_only=True)
class CodeConfig:
    """How items are written."""

    codes: CodeKind = field(
        default="atomic", metadata={"help": "item codes: atomic (one token), semantic (levels of clusters) or title (its words)"}
    )
    code_levels: tuple[int, ...] = field(
        default=(), metadata={"help": "clusters in each level of semantic codes; empty: three levels by the size of the catalog"}
    )
    code_text: float = field(default=0.6, metadata={"help": "share of the text in the vectors that semantic codes cluster"})
    code_words: int = field(default=16, metadata={"help": "longest title code, in words of the tokenizer"})

    def __post_init__(self) -> None:
        if min(self.code_levels, default=1) < 1 or self.code_words < 1 or not 0 <= self.code_text <= 1:
            raise ConfigError(
                f"code_levels are {self.code_levels}, code_words {self.code_words} and code_text {self.code_text}; wanted are "
                "cluster counts of at least 1, at least one word, and a share from 0 to 1."
            )


@dataclass(frozen=True, kw_only=True)
class AtomicBook:
    """One token an item."""

    codes: CodeTable


Book: TypeAlias = AtomicBook | Codebook | TitleBook


@dataclass(frozen=True, kw_only=True)
class Described:
    """Items as codes are made from them: titles, and `text` and `factors` float32 [num_items, ...]."""

    titles: Sequence[str]
    text: FloatArray
    factors: FloatArray

    def scales(self, share: float) -> tuple[float, float]:
        """What to multiply text and factors by, so that the text has `share` of the mean squared length, and both together one."""
        text, factors = (max(float(np.sqrt(np.square(rows).sum(axis=1).mean())), 1e-6) for rows in (self.text, self.factors))
        return np.sqrt(share).item() / text, np.sqrt(1 - share).item() / factors

    def vectors(self, scales: tuple[float, float]) -> FloatArray:
        """Text and factors side by side, float32 [num_items, width]."""
        return np.concatenate([scales[0] * self.text, scales[1] * self.factors], axis=1).astype(np.float32)


def levels_for(num_items: int) -> tuple[int, int, int]:
    """Clusters of three levels: about ITEMS_A_CLUSTER items in each of the first (a power of two), then at most 256."""
    first = 2 ** round(np.log2(max(num_items / ITEMS_A_CLUSTER, 8)))
    first = int(min(first, MOST_CLUSTERS))
    return first, min(first, 256), min(first, 256)


def make_book(config: CodeConfig, items: Described, encode: Encode, *, seed: int = 0) -> Book:
    """New codes for a catalog."""
    if config.codes == "semantic":
        sizes = config.code_levels or levels_for(len(items.titles))
        scales = items.scales(config.code_text)
        return replace(semantic(items.vectors(scales), sizes=sizes, seed=seed), scales=scales)
    if config.codes == "title":
        return title(items.titles, encode, longest=config.code_words)
    return AtomicBook(codes=atomic(len(items.titles)))


def codes_of(book: Book, items: Described, encode: Encode) -> IntArray:
    """The codes that new items would get, int64 [num_new, longest]: milliseconds, whatever the size of the catalog."""
    if isinstance(book, Codebook):
        return book.codes_of(items.vectors(book.scales))
    if isinstance(book, TitleBook):
        return book.codes_of(items.titles, encode)
    return len(book.codes) + np.arange(len(items.titles))[:, None]


def grow(book: Book, items: Described, encode: Encode) -> Book:
    """Codes for new items behind the old ones, whose codes stay."""
    return replace(book, codes=book.codes.add(codes_of(book, items, encode)))


def arrays_of(book: Book) -> dict[str, NDArray[Any]]:
    """What has to be kept beside the codes."""
    if isinstance(book, Codebook):
        centroids = {f"centroids.{level}": rows for level, rows in enumerate(book.centroids)}
        return centroids | {"code_axes": book.axes, "code_scales": np.array(book.scales)}
    return {"title_words": book.words} if isinstance(book, TitleBook) else {}


def read_book(codes: CodeTable, arrays: Mapping[str, NDArray[Any]]) -> Book:
    """The book that these codes and `arrays_of` belong to."""
    if codes.kind == "semantic":
        levels = sum(name.startswith("centroids.") for name in arrays)
        text, factors = arrays["code_scales"].tolist()
        centroids = tuple(arrays[f"centroids.{level}"] for level in range(levels))
        return Codebook(centroids=centroids, axes=arrays["code_axes"], codes=codes, scales=(text, factors))
    return TitleBook(words=arrays["title_words"], codes=codes) if codes.kind == "title" else AtomicBook(codes=codes)
