"""What is known of items beside who met them, as sparse rows: label values, numbers by tenths, words of title and text.

The vocabulary comes from the items of training, so an item that came later is described in the same terms, and what only it has
says nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import RunError
from instructrec.models.search import terms
from instructrec.tables import Catalog, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FILE = "features.json"
FEWEST_ITEMS = 5
"""A word or value that fewer items have tells them apart, but nothing that holds for others."""
LARGEST_SHARE = 0.5
"""Words that more items have than this share describe none of them."""
MOST_WORDS = 5_000
TENTHS = 10


@dataclass(frozen=True, kw_only=True)
class ItemFeatures:
    """A vocabulary. `labels`: attribute -> values; `numbers`: attribute -> bounds between bins; `words`: word -> its weight."""

    labels: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, tuple[float, ...]]
    words: Mapping[str, float]

    @staticmethod
    def learn(catalog: Catalog, items: IntArray) -> ItemFeatures:
        """The vocabulary of these item codes: values and words that several have, numbers cut at their tenths."""
        least = min(FEWEST_ITEMS, max(1, len(items) // 10))
        labels = {}
        for name in catalog.favourable:
            found = catalog.labels[name]
            people = found.matrix(items).sum(axis=0)
            labels[name] = tuple(value for value, count in zip(found.names, people, strict=True) if count >= least)
        numbers = {}
        for name, column in catalog.numbers.items():
            known = column[items][np.isfinite(column[items])]
            if len(known):
                numbers[name] = tuple(float(bound) for bound in np.unique(np.quantile(known, np.arange(1, TENTHS) / TENTHS)))
        lines = _lines(catalog)
        counts = Counter(word for item in items for word in set(terms(lines[item])))
        often = [(word, count) for word, count in counts.most_common() if least <= count <= LARGEST_SHARE * len(items)]
        words = {word: float(np.log(len(items) / count)) for word, count in sorted(often[:MOST_WORDS])}
        return ItemFeatures(labels=labels, numbers=numbers, words=words)

    @property
    def width(self) -> int:
        """Columns of `encode`."""
        return sum(map(len, self.labels.values())) + sum(len(bounds) + 1 for bounds in self.numbers.values()) + len(self.words)

    def encode(self, catalog: Catalog, *, first: int = 0) -> csr_array:
        """The items from code `first` on, float32 CSR [num_items - first, width].

        Each attribute and the words are a block of length 1 where an item has any of it, so that no block outweighs the others by
        having more columns. Words weigh log(items / items with the word).
        """
        from scipy.sparse import csr_array, hstack

        codes = np.arange(first, len(catalog), dtype=np.int64)
        blocks = [csr_array((len(codes), 0), dtype=np.float32)]
        for name, values in self.labels.items():
            place = {value: column for column, value in enumerate(values)}
            rows = catalog.label_rows(name)
            blocks.append(_unit([{place[value]: 1.0 for value in rows[code] if value in place} for code in codes], len(values)))
        for name, bounds in self.numbers.items():
            column = catalog.numbers.get(name, np.full(len(catalog), np.nan))[codes]
            bins = np.searchsorted(bounds, column, side="right")
            known = np.isfinite(column)
            blocks.append(_unit([{int(bin_): 1.0} if ok else {} for bin_, ok in zip(bins, known, strict=True)], len(bounds) + 1))
        lines, index = _lines(catalog), {word: column for column, word in enumerate(self.words)}
        written = [{index[word]: self.words[word] for word in terms(lines[code]) if word in index} for code in codes]
        blocks.append(_unit(written, len(self.words)))
        return csr_array(hstack(blocks, format="csr"), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the vocabulary into an existing folder."""
        (folder / FILE).write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> ItemFeatures:
        """Read what `save` wrote. Raises RunError for a file that is missing or damaged."""
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            labels = {name: tuple(values) for name, values in content["labels"].items()}
            numbers = {name: tuple(bounds) for name, bounds in content["numbers"].items()}
            return ItemFeatures(labels=labels, numbers=numbers, words=content["words"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{folder / FILE} cannot be read: {error!r}. Train again or copy the folder anew.") from error


NO_FEATURES = ItemFeatures(labels={}, numbers={}, words={})
"""Nothing is read of items."""


def _lines(catalog: Catalog) -> list[str]:
    """Title and text of every item; attributes have columns of their own."""
    texts = catalog.texts or ("",) * len(catalog)
    return [f"{title} {text}" for title, text in zip(catalog.titles, texts, strict=True)]


def _unit(rows: Sequence[Mapping[int, float]], width: int) -> csr_array:
    """Rows of column -> value as float32 CSR [num_rows, width], each of length 1 (empty ones stay empty)."""
    from scipy.sparse import csr_array

    values = np.array([value for row in rows for value in row.values()], dtype=np.float32)
    columns = np.array([column for row in rows for column in row], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    owners = np.repeat(np.arange(len(rows)), np.diff(starts))
    lengths: NDArray[np.float64] = np.sqrt(np.bincount(owners, weights=np.square(values), minlength=len(rows)))
    return csr_array((values / np.maximum(lengths, 1e-12)[owners].astype(np.float32), columns, starts), shape=(len(rows), width))
