"""What networks over histories are made of: an item table with a learned start before the items, and dropout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn

INITIAL = 0.02
"""Standard deviation of matrices at the start."""


class Dropout(nn.Module):
    """Dropout that draws one random byte an element, so its rate is a whole number of 256ths; random floats take longer to draw."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.dropped = min(round(256 * rate), 255)

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape, in and out; what is kept grows so that the mean stays."""
        if not self.training or not self.dropped:
            return states
        size = states.numel()
        words = torch.empty(-(-size // 8), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.uint8)[:size].view(states.shape) >= self.dropped
        return states * kept.to(states.dtype).mul_(256 / (256 - self.dropped))


class SequenceNetwork(nn.Module, ABC):
    """A learned start, then the items: one state in front of every item and one behind the last. `items` is input and output."""

    def __init__(self, num_items: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items, width)
        self.start = nn.Parameter(torch.empty(width))
        self.dropout = Dropout(dropout)

    @abstractmethod
    def forward(self, items: Tensor, last: Tensor | None = None) -> Tensor:
        """Item codes int64 [batch, length] to states float32 [batch, length + 1, width]; none depends on what comes after it.

        With `last`, int64 [batch]: only the state at that place of each row, [batch, 1, width], for less work.
        """

    def read(self, items: Tensor) -> Tensor:
        """The inputs of the first layer: the start and the vectors of items, scaled, float32 [batch, length + 1, width]."""
        start = self.start.expand(len(items), 1, -1)
        scaled: Tensor = torch.cat([start, self.items(items)], dim=1) * self.start.shape[0] ** 0.5
        return scaled


def at(states: Tensor, last: Tensor) -> Tensor:
    """The state at one place of each row: [batch, length, width], int64 [batch] to [batch, 1, width]."""
    return states[torch.arange(len(states)), last][:, None]


def draw(parameters: Iterable[Tensor]) -> None:
    """Give weights their first values, from torch's generator."""
    for value in parameters:
        nn.init.normal_(value, std=INITIAL)
