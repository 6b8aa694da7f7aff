"""The network of `sasrec`: blocks of causal self-attention over item vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.models.sequence_layers import Dropout, SequenceNetwork, at, draw


def causal_attention(projected: Tensor, heads: int, last: Tensor | None = None) -> Tensor:
    """What each position reads of those before it and of itself: float32 [batch, length, width]; with `last` what one reads.

    `projected` holds queries, keys and values [batch, length, 3 * width]. The weights have no dropout: with it, torch would write
    all of them to memory.
    """
    rows, length, width = projected.shape
    query, key, value = projected.view(rows, length, 3, heads, width // (3 * heads)).permute(2, 0, 3, 1, 4)
    if last is None:
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
    else:
        query, past = query[torch.arange(rows), :, last][:, :, None], torch.arange(length) <= last[:, None]
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=past[:, None, None])
    return seen.transpose(1, 2).reshape(rows, -1, width // 3)


class Block(nn.Module):
    """Causal attention, then a map of each state by itself; both read normalised states and add to what they read."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.project, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, width))

    def forward(self, states: Tensor, last: Tensor | None = None) -> Tensor:
        """float32 [batch, length, width], in and out; a state sees those before it and itself. With `last` only those states."""
        seen = causal_attention(self.project(self.norms[0](states)), self.heads, last)
        states = (states if last is None else at(states, last)) + self.dropout(self.mix(seen))
        mapped: Tensor = states + self.dropout(self.inner(self.norms[1](states)))
        return mapped


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

    def forward(self, items: Tensor, last: Tensor | None = None) -> Tensor:
        """Item codes to states; above the last block nothing but the last state of a row is needed, where `last` says which."""
        states = self.dropout(self.read(items) + self.places[: items.shape[1] + 1])
        for block in self.blocks[:-1]:
            states = block(states)
        normal: Tensor = self.norm(self.blocks[-1](states, last))
        return normal
