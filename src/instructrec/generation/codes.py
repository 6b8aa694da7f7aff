"""Item codes: how an item is written in the token space of the model. One-to-one, and old codes never change.

Three kinds behind one table: `atomic` (one token an item), `semantic` (levels of a residual codebook, then a token that keeps items
with equal levels apart) and `title` (the item's own words, then the same kind of token). Code tokens count from 0; in the
vocabulary of a model they follow its words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from instructrec.errors import ModelError
from instructrec.tables import IntArray, ItemId, fingerprint

CodeKind: TypeAlias = Literal["atomic", "semantic", "title"]
NO_TOKEN = -1
"""Fills the row of an item whose code is shorter than the longest."""
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class CodeTable:
    """The code of every item: `tokens` int64 [num_items, longest], filled up with NO_TOKEN; `num_tokens` code tokens exist.

    Checked when made: no two items share a code, and no code begins with another whole code, so that a token sequence is at most
    one item. Raises ModelError otherwise.
    """

    kind: CodeKind
    tokens: IntArray
    num_tokens: int

    def __post_init__(self) -> None:
        if len(self.tokens) and (self.tokens.max() >= self.num_tokens or (self.tokens[:, 0] < 0).any()):
            raise ModelError(f"Item codes need tokens from 0 to {self.num_tokens - 1}, and at least one each.")
        order = np.lexsort(self.tokens.T[::-1])
        first, second = self.tokens[order[:-1]], self.tokens[order[1:]]
        # A whole code sorts right before the codes that begin with it, because NO_TOKEN is the smallest.
        within = ((first == second) | (first == NO_TOKEN)).all(axis=1)
        if within.any():
            place = int(np.flatnonzero(within)[0])
            raise ModelError(f"Items {order[place]} and {order[place + 1]} have codes of which one begins with the other.")

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def _items(self) -> Mapping[tuple[int, ...], int]:
        return {self.encode(item): item for item in range(len(self))}

    def encode(self, item: int) -> tuple[int, ...]:
        """Tokens of an item code. Raises ModelError for an item that has none."""
        if not 0 <= item < len(self):
            raise ModelError(f"Item {item} is outside the {len(self)} items that have codes.")
        row = self.tokens[item]
        return tuple(int(token) for token in row[row >= 0])

    def add(self, tokens: IntArray) -> CodeTable:
        """The codes of new items, int64 [num_new, longest], behind these."""
        num_tokens = max(self.num_tokens, int(tokens.max(initial=-1)) + 1)
        return CodeTable(kind=self.kind, tokens=np.concatenate([self.tokens, tokens]), num_tokens=num_tokens)

    def distinguishing(self) -> CodeTable:
        """The same codes, each cut behind the token that tells its item from all others: what a model has to write.

        Old items may need more of their code once new ones are there, but the code itself stays.
        """
        order = np.lexsort(self.tokens.T[::-1]) if len(self) else np.zeros(0, dtype=np.int64)
        rows = self.tokens[order]
        equal = np.cumprod(rows[1:] == rows[:-1], axis=1).sum(axis=1) if len(rows) > 1 else np.zeros(0, dtype=np.int64)
        shared = np.maximum(np.concatenate([[0], equal]), np.concatenate([equal, [0]]))[: len(rows)]
        cut = np.where(np.arange(rows.shape[1]) <= shared[:, None], rows, NO_TOKEN)
        tokens = np.empty_like(rows)
        tokens[order] = cut
        return CodeTable(kind=self.kind, tokens=tokens[:, : int(shared.max(initial=0)) + 1], num_tokens=self.num_tokens)

    def decode(self, tokens: Sequence[int]) -> int:
        """Item code of tokens. Raises ModelError when they are not exactly one item."""
        found = self._items.get(tuple(tokens))
        if found is None:
            raise ModelError(f"Tokens {list(tokens)} are not an item. Only sequences from `encode` are.")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTokens:
    """Items in the vocabulary of a model, after its words: one token an item that is read, then the tokens of codes that are
    written, then the answer token. An atomic code is the token that is read.
    """

    vocabulary: int
    codes: CodeTable

    @property
    def first_written(self) -> int:
        """Token of code token 0."""
        return self.vocabulary + (0 if self.codes.kind == "atomic" else len(self.codes))

    def read(self, item: int) -> int:
        """The one token that stands for an item in a history. Raises ModelError for an item that has none."""
        if not 0 <= item < len(self.codes):
            raise ModelError(f"Item {item} is outside the {len(self.codes)} items that have codes.")
        return self.vocabulary + item

    def encode(self, item: int) -> tuple[int, ...]:
        """Tokens of an item code as it is written. Raises ModelError for an item that has none."""
        return tuple(self.first_written + token for token in self.codes.encode(item))

    def decode(self, tokens: Sequence[int]) -> int:
        """Item code of written tokens. Raises ModelError when they are not exactly one item."""
        return self.codes.decode([token - self.first_written for token in tokens])

    @property
    def answer(self) -> int:
        """The token at which a question is answered."""
        return self.first_written + self.codes.num_tokens


def atomic(num_items: int) -> CodeTable:
    """One token an item."""
    return CodeTable(kind="atomic", tokens=np.arange(num_items, dtype=np.int64)[:, None], num_tokens=num_items)


def distinct(prefixes: IntArray, *, first_token: int, before: IntArray | None = None) -> IntArray:
    """The last token of each code, int64 [num_items]: items with equal prefixes are counted, in order, from `first_token` on.

    `before`: prefixes that are taken already, in the order in which they came; they count first, so their codes do not change.
    """
    taken = prefixes[:0] if before is None else before
    # Only equal rows count together: of a large catalog, those that begin like a new one are few.
    taken = taken[np.isin(taken[:, 0], prefixes[:, 0])] if taken.shape[1] else taken
    rows = np.concatenate([taken, prefixes])
    _, group = np.unique(rows, axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    grouped = group.ravel()[order]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(grouped) != 0])) if len(grouped) else np.zeros(0, dtype=np.int64)
    count = np.empty(len(rows), dtype=np.int64)
    count[order] = np.arange(len(rows)) - np.repeat(starts, np.diff(np.concatenate([starts, [len(rows)]])))
    return count[len(taken) :] + first_token


def write_codes(path: Path, codes: CodeTable, item_ids: Sequence[ItemId]) -> None:
    """Write codes with a fingerprint of the items that they belong to."""
    rows = [list(codes.encode(item)) for item in range(len(codes))]
    facts = {
        "format": FORMAT,
        "kind": codes.kind,
        "num_tokens": codes.num_tokens,
        "items_sha256": fingerprint(item_ids),
        "rows": rows,
    }
    path.write_text(json.dumps(facts), encoding="utf-8")


def read_codes(path: Path, item_ids: Sequence[ItemId]) -> CodeTable:
    """Read codes; the catalog may have new items at its end. Raises ModelError for a broken file or one of another catalog."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        rows, kind, num_tokens = facts["rows"], facts["kind"], int(facts["num_tokens"])
        found = (facts["format"], facts["items_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read as item codes: {error!r}. Train again or copy the folder anew.") from error
    if found != (FORMAT, fingerprint(item_ids[: len(rows)])):
        raise ModelError(
            f"{path} holds the codes of {len(rows)} other items than this catalog of {len(item_ids)} begins with. "
            "Use the codes that were made for this catalog, or make new ones."
        )
    tokens = np.full((len(rows), max(map(len, rows), default=1)), NO_TOKEN, dtype=np.int64)
    for row, code in zip(tokens, rows, strict=True):
        row[: len(code)] = code
    return CodeTable(kind=kind, tokens=tokens, num_tokens=num_tokens)
