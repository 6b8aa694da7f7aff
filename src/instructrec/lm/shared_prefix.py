"""A decoder that reads a prompt once and then many short continuations of it: beams, or candidates, share the prompt's keys.

Keys and values of the prompt are kept once a request; those of a beam are only the few tokens that it added. A step of 20 beams
then reads the prompt's keys once instead of 20 times, and reordering beams moves a few rows instead of whole caches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.errors import ModelError
from instructrec.lm.lora import FusedLora


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Prompts that were read: keys and values of each layer [batch, kv_heads, longest, head_width], `lengths` int64 [batch], and
    the hidden state after the last token of each, [batch, width].

    `filling` bool [batch, 1, 1, longest]: places behind the end of a prompt; none where all are equally long.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    lengths: Tensor
    filling: Tensor | None
    hidden: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuations:
    """What beams added so far: keys and values of each layer [batch, beams, kv_heads, steps, head_width]."""

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()

    @property
    def steps(self) -> int:
        """Tokens added by each beam."""
        return int(self.keys[0].shape[3]) if self.keys else 0


@dataclass(frozen=True, slots=True)
class _Layer:
    """One block with its maps joined: fewer and larger products."""

    read: Tensor
    read_bias: Tensor | None
    write: Tensor
    gate_up: Tensor
    down: Tensor
    norms: tuple[nn.Module, nn.Module]
    head_norms: tuple[nn.Module | None, nn.Module | None]
    activation: Any


class SharedPrefixDecoder:
    """The body of a Llama-shaped decoder (Llama, Mistral, Qwen 2 and 3, SmolLM), with or without adapters, for inference.

    Adapters are folded in when it is made; make a new one after tuning. Raises ModelError for bodies of another make.
    """

    def __init__(self, body: Any) -> None:
        inner: Any = getattr(getattr(body, "base_model", None), "model", body)
        config: Any = inner.config
        self._rotary: Any = getattr(inner, "rotary_emb", None)
        self._last_norm: nn.Module = inner.norm
        blocks = list(inner.layers)
        if self._rotary is None or any(
            hasattr(block, "pre_feedforward_layernorm") or not hasattr(block, "mlp") for block in blocks
        ):
            raise ModelError(
                f"Continuations cannot be decoded with a body of type '{config.model_type}'. Use a Llama-shaped base "
                "(Llama, Mistral, Qwen, SmolLM)."
            )
        self.heads = int(config.num_attention_heads)
        self.kv_heads = int(config.num_key_value_heads)
        self.head_width = int(getattr(config, "head_dim", None) or config.hidden_size // self.heads)
        with torch.no_grad():
            self._layers = [_joined(block) for block in blocks]
        self.dtype = self._layers[0].read.dtype

    @torch.inference_mode()
    def read(self, vectors: Tensor, lengths: Tensor | None = None) -> Context:
        """Read prompts [batch, longest, width], filled up at the end to one length; `lengths` int64 [batch], else all of it."""
        batch, longest, _ = vectors.shape
        place = torch.arange(longest, device=vectors.device)
        filling = None if lengths is None else (place >= lengths[:, None])[:, None, None]
        lengths = torch.full((batch,), longest, device=vectors.device) if lengths is None else lengths
        x = vectors.to(self.dtype)
        cos, sin = self._angles(x, place.expand(batch, -1))
        keys, values = [], []
        for layer in self._layers:
            q, k, v = (part.transpose(1, 2) for part in self._read(layer, x, cos[:, :, None], sin[:, :, None]))
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
            x = self._write(layer, x, mixed.transpose(1, 2).flatten(2))
            keys.append(k.contiguous())
            values.append(v.contiguous())
        last = x[torch.arange(batch, device=x.device), lengths - 1]
        hidden = self._last_norm(last)
        return Context(keys=tuple(keys), values=tuple(values), lengths=lengths, filling=filling, hidden=hidden)

    @torch.inference_mode()
    def step(self, context: Context, beams: Continuations, parents: Tensor, vectors: Tensor) -> tuple[Tensor, Continuations]:
        """Add one token to each beam: hidden states [batch, beams, width] after it, and what the beams hold now.

        `vectors` [batch, beams, width]: the embedding of the token each beam adds; `parents` int64 [batch, beams]: the beam of
        `beams` that it goes on from (not read in the first step).
        """
        x = vectors.to(self.dtype)
        position = (context.lengths + beams.steps)[:, None].expand(x.shape[:2])
        cos, sin = self._angles(x, position)
        keys, values = [], []
        for number, layer in enumerate(self._layers):
            q, k, v = self._read(layer, x, cos[:, :, None], sin[:, :, None])
            own_keys, own_values = k.unsqueeze(3), v.unsqueeze(3)
            if beams.steps:
                own_keys = torch.cat([_of_parents(beams.keys[number], parents), own_keys], dim=3)
                own_values = torch.cat([_of_parents(beams.values[number], parents), own_values], dim=3)
            mixed = self._attend(q, context.keys[number], context.values[number], own_keys, own_values, context.filling)
            x = self._write(layer, x, mixed)
            keys.append(own_keys)
            values.append(own_values)
        return self._last_norm(x), Continuations(keys=tuple(keys), values=tuple(values))

    def _angles(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        return cast(tuple[Tensor, Tensor], self._rotary(x, positions))

    def _read(self, layer: _Layer, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [batch, length, heads, head_width], the first two turned by their position."""
        joined = functional.linear(layer.norms[0](x), layer.read, layer.read_bias)
        sizes = [count * self.head_width for count in (self.heads, self.kv_heads, self.kv_heads)]
        q, k, v = (part.view(*part.shape[:-1], -1, self.head_width) for part in torch.split(joined, sizes, dim=-1))
        q, k = (part if norm is None else norm(part) for norm, part in zip(layer.head_norms, (q, k), strict=True))
        return _turned(q, cos, sin), _turned(k, cos, sin), v

    def _write(self, layer: _Layer, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + functional.linear(mixed, layer.write)
        gate, up = functional.linear(layer.norms[1](x), layer.gate_up).chunk(2, dim=-1)
        return x + functional.linear(layer.activation(gate) * up, layer.down)

    def _attend(
        self, q: Tensor, keys: Tensor, values: Tensor, own_keys: Tensor, own_values: Tensor, filling: Tensor | None
    ) -> Tensor:
        """Attention of every beam over its request's prompt and its own tokens, [batch, beams, heads * head_width]."""
        batch, beams = q.shape[:2]
        group = self.heads // self.kv_heads
        # Beams and the heads of a group become rows of one product with the prompt's keys.
        rows = q.view(batch, beams, self.kv_heads, group, self.head_width) * self.head_width**-0.5
        shared = rows.permute(0, 2, 1, 3, 4).flatten(2, 3)
        prompt = shared @ keys.transpose(-1, -2)
        if filling is not None:
            prompt = prompt.masked_fill(filling, torch.finfo(prompt.dtype).min)
        own = (rows @ own_keys.transpose(-1, -2)).permute(0, 2, 1, 3, 4).flatten(2, 3)
        weights = torch.cat([prompt, own], dim=-1).softmax(dim=-1, dtype=torch.float32).to(q.dtype)
        from_prompt, from_own = torch.split(weights, [prompt.shape[-1], own.shape[-1]], dim=-1)
        apart = (batch, self.kv_heads, beams, group, -1)
        mine = from_own.reshape(apart).permute(0, 2, 1, 3, 4) @ own_values
        mixed: Tensor = (from_prompt @ values).view(apart).permute(0, 2, 1, 3, 4) + mine
        return mixed.flatten(2)


def _joined(block: Any) -> _Layer:
    attention, mlp = block.self_attn, block.mlp
    readers = (attention.q_proj, attention.k_proj, attention.v_proj)
    biases = [_bias(reader) for reader in readers]
    return _Layer(
        read=torch.cat([_weight(reader) for reader in readers]),
        read_bias=None if biases[0] is None else torch.cat([bias for bias in biases if bias is not None]),
        write=_weight(attention.o_proj),
        gate_up=torch.cat([_weight(mlp.gate_proj), _weight(mlp.up_proj)]),
        down=_weight(mlp.down_proj),
        norms=(block.input_layernorm, block.post_attention_layernorm),
        head_norms=(getattr(attention, "q_norm", None), getattr(attention, "k_norm", None)),
        activation=mlp.act_fn,
    )


def _weight(linear: nn.Module) -> Tensor:
    """The matrix of a linear map, with its adapter where it has one."""
    if isinstance(linear, FusedLora):
        return linear.effective()
    return cast(Tensor, linear.weight).detach()


def _bias(linear: Any) -> Tensor | None:
    inner = linear.base_layer if isinstance(linear, FusedLora) else linear
    return cast("Tensor | None", inner.bias)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021, arXiv 2104.09864): pairs are the two halves of a head."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def _of_parents(kept: Tensor, parents: Tensor) -> Tensor:
    """Rows of [batch, beams, ...] in the order of `parents`."""
    rows = torch.arange(len(parents), device=parents.device)[:, None]
    return kept[rows, parents]
