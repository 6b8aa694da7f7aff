"""Attention as a shared prefix needs it: tokens of a prompt up to themselves, and candidates that see a prompt and their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_ROWS = 128
"""Tokens of a prompt whose attention is computed at a time: their scores stay in the cache, and keys behind them cost nothing."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Tokens of candidates as the rows of one matrix a prompt: none is spent on what fills up a candidate behind its end.

    `tokens` int64 [batch, rows]: which of the candidates * longest tokens each row is. `rows` int64 [batch, candidates, longest]:
    the row of each token, of any other token where it only fills up. A prompt with fewer tokens than another has rows of filling.
    """

    tokens: Tensor
    rows: Tensor

    @staticmethod
    def of(lengths: Tensor, longest: int) -> Packing:
        """For candidates of `lengths` int64 [batch, candidates]."""
        real = torch.arange(longest, device=lengths.device) < lengths[..., None]
        flat = real.flatten(1)
        most = max(1, int(flat.sum(dim=1).max()))
        tokens = (~flat).int().argsort(dim=1, stable=True)[:, :most]
        return Packing(tokens, (flat.cumsum(dim=1) - 1).clamp(min=0).view_as(real))

    def pack(self, x: Tensor) -> Tensor:
        """[batch, candidates, longest, ...] -> [batch, rows, ...]."""
        return rows_at(x.flatten(1, 2), self.tokens)

    def spread(self, x: Tensor) -> Tensor:
        """[batch, rows, ...] -> [batch, candidates, longest, ...]."""
        return rows_at(x, self.rows.flatten(1)).view(*self.rows.shape, *x.shape[2:])


def causal(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of each token to those up to itself, [batch, heads, length, head_width]; `k` and `v` may have fewer heads.

    In bfloat16, plain products over blocks of rows, each with the keys up to its end, take three fifths of the time of the fused
    kernel on a processor (512 tokens, two cores); in float32, and on a GPU, the fused kernel is as fast or faster.
    """
    heads, kv_heads, length = q.shape[1], k.shape[1], q.shape[2]
    if q.dtype != torch.bfloat16 or q.device.type != "cpu":
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=heads != kv_heads)
    keys, mixed = k.transpose(-1, -2), torch.empty_like(q)
    batch, _, _, width = q.shape
    group = heads // kv_heads
    rows = (q * width**-0.5).view(batch, kv_heads, group, length, width)
    later = torch.ones(_ROWS, _ROWS, dtype=torch.bool, device=q.device).triu_(1)
    for start in range(0, length, _ROWS):
        stop = min(start + _ROWS, length)
        scores = rows[:, :, :, start:stop].flatten(2, 3) @ keys[..., :stop]
        scores = scores.view(batch, kv_heads, group, stop - start, stop)
        scores[..., start:].masked_fill_(later[: stop - start, : stop - start], -torch.inf)
        found = scores.softmax(dim=-1).flatten(2, 3) @ v[:, :, :stop]
        mixed[:, :, start:stop] = found.view(batch, heads, stop - start, width)
    return mixed


def own_scores(rows: Tensor, own_keys: Tensor, packing: Packing) -> Tensor:
    """Scores [batch, rows, kv_heads, group, longest] of queries [..., head_width] with the keys of their candidate."""
    scores = torch.einsum("bcqhgd,bchkd->bcqhgk", packing.spread(rows), own_keys)
    longest = own_keys.shape[3]
    later = torch.ones(longest, longest, dtype=torch.bool, device=rows.device).triu(1)[:, None, None]
    return packing.pack(scores.masked_fill(later, torch.finfo(scores.dtype).min))


def own_mixed(weights: Tensor, own_values: Tensor, packing: Packing) -> Tensor:
    """Values of each row's candidate, summed by weights [batch, rows, kv_heads, group, longest]: [..., head_width]."""
    return packing.pack(torch.einsum("bcqhgk,bchkd->bcqhgd", packing.spread(weights), own_values))


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864): pairs are the two halves of a head."""
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat([-second, first], dim=-1), sin)


def rows_at(x: Tensor, places: Tensor) -> Tensor:
    """The rows of x [batch, rows, ...] at `places` int64 [batch, count], a choice for each of the batch."""
    batch = torch.arange(len(places), device=places.device)[:, None]
    return x[batch, places]
