"""The network of `sasrec`: blocks of causal self-attention over item vectors, and its loss over the catalog or over negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from instructrec.models.sasrec import SasrecConfig

INITIAL = 0.02
"""Standard deviation of all weights at the start."""


class Block(nn.Module):
    """Causal attention, then a map of each state by itself; both read normalised states and add to what they read."""

    def __init__(self, config: SasrecConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.rate = config.heads, config.dropout
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.project, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(width, width))

    def forward(self, states: Tensor) -> Tensor:
        """float32 [batch, length, width], in and out; a state sees those before it and itself."""
        rows, length, width = states.shape
        rate = self.rate if self.training else 0.0
        query, key, value = self.project(self.norms[0](states)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True, dropout_p=rate)
        states = states + functional.dropout(self.mix(seen.transpose(1, 2).reshape(rows, length, width)), rate)
        return states + functional.dropout(self.inner(self.norms[1](states)), rate)


class Network(nn.Module):
    """A learned start, then the items: one state in front of every item. One item table is input and output."""

    def __init__(self, num_items: int, config: SasrecConfig) -> None:
        super().__init__()
        self.rate = config.dropout
        self.items = nn.Embedding(num_items, config.width)
        self.start = nn.Parameter(torch.empty(config.width))
        self.places = nn.Parameter(torch.zeros(config.max_history + 1, config.width))
        self.blocks = nn.ModuleList([Block(config) for _ in range(config.blocks)])
        self.norm = nn.LayerNorm(config.width)
        # Places start at zero, so that one that no training history is long enough to reach changes nothing.
        for name, value in self.named_parameters():
            if value.dim() > 1 and name != "places" or name == "start":
                nn.init.normal_(value, std=INITIAL)

    def forward(self, items: Tensor) -> Tensor:
        """Item codes int64 [batch, length] to states float32 [batch, length + 1, width]; the last item's state is the last."""
        start = self.start.expand(len(items), 1, -1)
        states = torch.cat([start, self.items(items)], dim=1) * self.start.shape[0] ** 0.5 + self.places[: items.shape[1] + 1]
        states = functional.dropout(states, self.rate, self.training)
        for block in self.blocks:
            states = block(states)
        normal: Tensor = self.norm(states)
        return normal

    def nats(self, states: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
        """Sum of cross-entropies; states float32 [n, width], item codes int64 [n] and [num_negatives] (none: all items)."""
        table = self.items.weight
        if not len(negatives):
            return functional.cross_entropy(states @ table.T, targets, reduction="sum")
        # Each negative stands for as many items as there are to a negative: the sum over the catalog, without bias.
        others = states @ functional.embedding(negatives, table).T + float(np.log(len(table) / len(negatives)))
        others = others.masked_fill(targets[:, None] == negatives, -torch.inf)
        own = (states * functional.embedding(targets, table)).sum(dim=1, keepdim=True)
        return functional.cross_entropy(torch.cat([own, others], dim=1), torch.zeros_like(targets), reduction="sum")
