"""Item codes: how an item is written in the token space of the model. One-to-one, and old codes never change.

Atomic codes give every item one token behind the word vocabulary. Codes of several tokens share this interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from instructrec.errors import ModelError
from instructrec.tables import ItemId


@dataclass(frozen=True, slots=True, kw_only=True)
class AtomicCodes:
    """Item `i` of the catalog is token `vocabulary + i`."""

    vocabulary: int
    item_ids: tuple[ItemId, ...]

    def encode(self, item: int) -> tuple[int, ...]:
        """Tokens of a catalog code."""
        if not 0 <= item < len(self.item_ids):
            raise ModelError(f"Item code {item} is outside the {len(self.item_ids)} items that have tokens.")
        return (self.vocabulary + item,)

    def decode(self, tokens: Sequence[int]) -> int:
        """Catalog code of tokens. Raises ModelError when they are not an item."""
        if len(tokens) != 1 or not 0 <= tokens[0] - self.vocabulary < len(self.item_ids):
            raise ModelError(f"Tokens {list(tokens)} are not an item; item tokens are one number from {self.vocabulary} on.")
        return tokens[0] - self.vocabulary

    @property
    def answer(self) -> int:
        """The token at which a question is answered."""
        return self.vocabulary + len(self.item_ids)
