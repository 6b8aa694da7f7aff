"""The network of `sasrec`: blocks of causal self-attention over item vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.models.sequence_layers import Dropout, SequenceNetwork, draw


def causal_attention(projected: Tensor, heads: int) -> Tensor:
    """What each position reads of those before it and of itself: float32 [batch, length, width].

    `projected` holds queries, keys and values [batch, length, 3 * width]. The weights have no dropout: with it, torch would write
    all of them to memory.
    """
    rows, length, width = projected.shape
    query, key, value = projected.view(rows, length, 3, heads, -1).permute(2, 0, 3, 1, 4)
    seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    return seen.transpose(1, 2).reshape(rows, length, width // 3)


class Block(nn.Module):
    """Causal attention, then a map of each state by itself; both read normalised states and add to what they read."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.project, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, width))

    def forward(self, states: Tensor) -> Tensor:
        """float32 [batch, length, width], in and out; a state sees those before it and itself."""
        seen = causal_attention(self.project(self.norms[0](states)), self.heads)
        states = states + self.dropout(self.mix(seen))
        return states + self.dropout(self.inner(self.norms[1](states)))


class SelfAttention(SequenceNetwork):
    """Learned places, blocks of causal attention, and a norm at the end."""

    def __init__(self, num_items: int, blocks: Sequence[nn.Module], *, width: int, max_history: int, dropout: float) -> None:
        super().__init__(num_items, width=width, dropout=dropout)
        # Places start at zero, so that one that no training history is long enough to reach changes nothing.
        self.places = nn.Parameter(torch.zeros(max_history + 1, width))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        own = [value for name, value in self.named_parameters() if name != "places" and (value.dim() > 1 or name == "start")]
        draw(own)

    def forward(self, items: Tensor) -> Tensor:
        """Item codes int64 [batch, length] to states float32 [batch, length + 1, width]; none depends on what comes after it."""
        states = self.dropout(self.read(items) + self.places[: items.shape[1] + 1])
        for block in self.blocks:
            states = block(states)
        normal: Tensor = self.norm(states)
        return normal
