"""A decoder that reads words and a few marks of its own, and says which of some given tokens comes next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from instructrec.lm.decoder import Decoder
from instructrec.lm.lora import load_adapter, save_adapter, set_frozen
from instructrec.lm.shared_prefix import SharedPrefixDecoder

_NEW_MARKS = 0.5
"""Size of the marks before tuning, in sizes of an average word."""


class MarkedDecoder(nn.Module):
    """Tokens below `vocabulary` are words of the base, the `num_marks` tokens behind them are marks, whose vectors are learned.

    Reading and writing share the vectors of words and marks; `gain` scales a state before it is compared with them.
    """

    def __init__(self, decoder: Decoder, num_marks: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.body = decoder.body
        self.vocabulary = len(decoder.words)
        size = decoder.words.std() * _NEW_MARKS
        self.marks = nn.Parameter(torch.randn(num_marks, decoder.width) * size)
        self.gain = nn.Parameter(torch.ones(decoder.width))
        # Vectors of a base differ in size by orders of magnitude; scores should begin near one.
        self.scale = float(1.0 / (decoder.words.std() * decoder.width**0.5))

    def tune(self) -> None:
        """Make ready for tuning."""
        set_frozen(self.body, False)
        self.train()

    def vectors(self, tokens: Tensor) -> Tensor:
        """What the body reads for tokens int64 [...]: float32 [..., width]."""
        is_mark = tokens >= self.vocabulary
        words = functional.embedding(tokens.masked_fill(is_mark, 0), self.decoder.words)
        marks = functional.embedding((tokens - self.vocabulary).clamp(min=0), self.marks)
        return torch.where(is_mark[..., None], marks, words)

    def hidden(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Hidden states [batch, length, width] of tokens at positions, both int64 [batch, length]; each sees those before it."""
        batch, length = tokens.shape
        visible = torch.ones(length, length, dtype=torch.bool).tril().expand(batch, -1, -1)
        return self.decoder.hidden(self.vectors(tokens), positions, visible)

    def scores(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """How well each of `tokens` int64 [rows, choices] follows a state [rows, width]: float32 [rows, choices]."""
        states = hidden.float() * self.gain
        return torch.einsum("rw,rcw->rc", states, self.vectors(tokens)) * self.scale

    def scores_of(self, hidden: Tensor, tokens: Tensor) -> Tensor:
        """How well each of the same `tokens` int64 [choices] follows each state [rows, width]: float32 [rows, choices]."""
        return (hidden.float() * self.gain) @ self.vectors(tokens).T * self.scale

    def save(self, folder: Path) -> None:
        """Write the adapter and the marks."""
        save_adapter(self.body, folder / "adapter.safetensors")
        save_file({"marks": self.marks.detach(), "gain": self.gain.detach()}, str(folder / "marks.safetensors"))
        (folder / "marks.json").write_text(json.dumps({"num_marks": len(self.marks)}), encoding="utf-8")

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote."""
        load_adapter(self.body, folder / "adapter.safetensors")
        found = load_file(str(folder / "marks.safetensors"))
        with torch.no_grad():
            self.marks.copy_(found["marks"])
            self.gain.copy_(found["gain"])


class Continuing(SharedPrefixDecoder):
    """Reads one text piece by piece: what was read is kept, and a piece of any length is one pass over the layers."""

    def begin(self) -> None:
        """Forget what was read."""
        self._kept: list[tuple[Tensor, Tensor]] = []
        self._length = 0

    @torch.inference_mode()
    def append(self, vectors: Tensor, positions: Tensor) -> Tensor:
        """The state [width] behind vectors [length, width] at positions int64 [length] that follow what was read."""
        x = vectors[None].to(self.dtype)
        count = x.shape[1]
        cos, sin = self._angles(x, positions[None])
        mask = None
        if count > 1:
            mask = torch.ones(count, self._length + count, dtype=torch.bool).tril(self._length)
        for number, layer in enumerate(self._layers):
            q, k, v = (part.transpose(1, 2) for part in self._read(layer, x, cos[:, :, None], sin[:, :, None]))
            if self._length:
                k, v = (torch.cat([old, new], dim=2) for old, new in zip(self._kept[number], (k, v), strict=True))
                self._kept[number] = (k, v)
            else:
                self._kept.append((k, v))
            mixed = functional.scaled_dot_product_attention(q, k, v, mask, enable_gqa=self.heads != self.kv_heads)
            x = self._write(layer, x, mixed.transpose(1, 2).flatten(2))
        self._length += count
        return cast(Tensor, self._last_norm(x[0, -1]))
