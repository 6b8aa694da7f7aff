"""Many texts that are written at the same time, each behind its own prompt: a token of every text is one pass over the layers."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from instructrec.lm.shared_prefix import SharedPrefixDecoder


class Following(SharedPrefixDecoder):
    """Places for the keys and values of all tokens to come are made at the beginning, so that a step moves none of them."""

    @torch.inference_mode()
    def begin(self, vectors: Tensor, lengths: Tensor, room: int) -> Tensor:
        """Read prompts [batch, longest, width], filled up at the end; the state behind each [batch, width].

        `lengths` int64 [batch]; `room`: tokens that will follow, at most.
        """
        context = self.read(vectors, lengths)
        batch, longest = vectors.shape[:2]
        self._lengths, self._begun, self._place = lengths, longest, longest
        self._kept: list[tuple[Tensor, Tensor]] = []
        for pair in zip(context.keys, context.values, strict=True):
            roomy = [part.new_empty(batch, self.kv_heads, longest + room, self.head_width) for part in pair]
            for place, part in zip(roomy, pair, strict=True):
                place[:, :, :longest] = part
            self._kept.append((roomy[0], roomy[1]))
        self._seen = torch.ones(batch, 1, 1, longest + room, dtype=torch.bool, device=vectors.device)
        self._seen[..., :longest] = (torch.arange(longest, device=vectors.device) < lengths[:, None])[:, None, None]
        return context.hidden

    @torch.inference_mode()
    def append(self, vectors: Tensor) -> Tensor:
        """Add one token to each text, vectors [batch, width]: the states behind them [batch, width]."""
        x = vectors[:, None].to(self.dtype)
        batch, end = len(x), self._place + 1
        cos, sin = self._angles(x, (self._lengths + self._place - self._begun)[:, None])
        seen = self._seen[..., :end]
        for layer, (keys, values) in zip(self._layers, self._kept, strict=True):
            q, k, v = self._read(layer, x, cos[:, :, None], sin[:, :, None])
            keys[:, :, self._place], values[:, :, self._place] = k[:, 0], v[:, 0]
            # The heads of a group are rows of one product with the keys that they share.
            rows = q.view(batch, self.kv_heads, -1, self.head_width)
            mixed: Any = functional.scaled_dot_product_attention(rows, keys[:, :, :end], values[:, :, :end], seen)
            x = self._write(layer, x, mixed.reshape(batch, 1, -1))
        self._place = end
        return cast(Tensor, self._last_norm(x[:, 0]))

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the texts only: their numbers, int64 [kept]."""
        self._lengths, self._seen = self._lengths[rows], self._seen[rows]
        self._kept = [(keys[rows], values[rows]) for keys, values in self._kept]
