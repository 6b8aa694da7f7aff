"""A decoder that reads a prompt once and then many short continuations of it: beams, or candidates, share the prompt's keys.

Keys and values of the prompt are kept once a request; those of a beam are only the few tokens that it added. A step of 20 beams
then reads the prompt's keys once instead of 20 times, and reordering beams moves a few rows instead of whole caches. Candidates
whose tokens are known beforehand are read together, and the model then reads prompt + candidates instead of candidates * prompt
tokens. A `Context` may be kept and continued as often as wanted: nothing writes into it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.errors import ModelError
from instructrec.lm.attention import Packing, causal, own_mixed, own_scores, rows_at, turned
from instructrec.lm.lora import FusedLora
from instructrec.lm.memory import keep_freed
from instructrec.lm.precision import Precision, Weight, linear, served_in, stored

_BLOCK = 1 << 20
"""Attention scores over prompts that are held at a time (4 MB as float32): bounds the memory of long lists of candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Prompts that were read: keys and values of each layer [batch, kv_heads, longest, head_width], `lengths` int64 [batch], and
    the hidden state after the last token of each, [batch, width].

    `filling` bool [batch, 1, 1, longest]: places behind the end of a prompt; none where all are equally long. `begun`: what an
    encoder-decoder has written of every answer when it begins, one token.
    """

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    lengths: Tensor
    filling: Tensor | None
    hidden: Tensor
    begun: Continuations | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuations:
    """What beams added in `steps` steps: keys and values of each layer [batch, kv_heads, tokens, head_width] of all tokens that any
    beam added, and which of them are those of a beam, bool [batch, beams, tokens]. Reordering beams moves only these flags.
    """

    keys: tuple[Tensor, ...] = ()
    values: tuple[Tensor, ...] = ()
    own: Tensor | None = None
    steps: int = 0


@dataclass(frozen=True, slots=True)
class _Layer:
    """One block with its maps joined: fewer and larger products."""

    read: Weight
    read_bias: Tensor | None
    write: Weight
    gate_up: Weight
    down: Weight
    norms: tuple[nn.Module, nn.Module]
    head_norms: tuple[nn.Module | None, ...]
    activation: Any


class SharedPrefixDecoder:
    """The body of a Llama-shaped decoder (Llama, Mistral, Qwen 2 and 3, SmolLM), with or without adapters, for inference.

    Adapters are folded in when it is made; make a new one after tuning. `precision` is that of its products (none: the body's);
    int8 keeps everything but the linear maps as the body has it. Raises ModelError for bodies of another make.
    """

    def __init__(self, body: Any, *, precision: Precision | None = None) -> None:
        inner: Any = getattr(getattr(body, "base_model", None), "model", body)
        config: Any = inner.config
        self._rotary: Any = getattr(inner, "rotary_emb", None)
        blocks = list(getattr(inner, "layers", ()))
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
        keep_freed()
        with torch.no_grad():
            self.dtype, kept = served_in(next(iter(blocks[0].parameters())).dtype, precision)
            self._layers = [_joined(block, kept, self.dtype) for block in blocks]
            self._last_norm = norm_in(inner.norm, self.dtype)

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
            q, k, v = (part.transpose(1, 2).contiguous() for part in self._read(layer, x, cos[:, :, None], sin[:, :, None]))
            keys.append(k)
            values.append(v)
            if layer is self._layers[-1]:
                # Behind the last keys and values only the end of each prompt is read on.
                rows = torch.arange(batch, device=x.device)
                x, q = x[rows, None, lengths - 1], q[rows, :, None, lengths - 1]
                mask = None if filling is None else ~filling
                mixed = functional.scaled_dot_product_attention(q, k, v, mask, enable_gqa=self.heads != self.kv_heads)
            else:
                mixed = causal(q, k, v)
            x = self._write(layer, x, mixed.transpose(1, 2).flatten(2))
        hidden = self._last_norm(x[:, 0])
        return Context(keys=tuple(keys), values=tuple(values), lengths=lengths, filling=filling, hidden=hidden)

    @torch.inference_mode()
    def step(self, context: Context, beams: Continuations, parents: Tensor, vectors: Tensor) -> tuple[Tensor, Continuations]:
        """Add one token to each beam: hidden states [batch, beams, width] after it, and what the beams hold now.

        `vectors` [batch, beams, width]: the embedding of the token each beam adds; `parents` int64 [batch, beams]: the beam of
        `beams` that it goes on from (not read in the first step).
        """
        x = vectors.to(self.dtype)
        batch, count = x.shape[:2]
        cos, sin = self._angles(x, (context.lengths + beams.steps)[:, None].expand(batch, count))
        own = torch.eye(count, dtype=torch.bool, device=x.device).expand(batch, -1, -1)
        if beams.own is not None:
            own = torch.cat([rows_at(beams.own, parents), own], dim=2)
        others = ~own.repeat_interleave(self.heads // self.kv_heads, dim=1)[:, None]
        keys, values = [], []
        for number, layer in enumerate(self._layers):
            q, k, v = self._read(layer, x, cos[:, :, None], sin[:, :, None])
            own_keys, own_values = k.transpose(1, 2), v.transpose(1, 2)
            if beams.steps:
                own_keys = torch.cat([beams.keys[number], own_keys], dim=2)
                own_values = torch.cat([beams.values[number], own_values], dim=2)
            # Rows and the heads of a group become rows of one product with the prompt's keys.
            rows = self._by_group(q).permute(0, 2, 1, 3, 4).flatten(2, 3)
            scores = (rows @ own_keys.transpose(-1, -2)).masked_fill_(others, torch.finfo(x.dtype).min)
            mixed, weights = self._mix(rows, scores, context, number)
            mixed = (mixed + weights @ own_values).view(batch, self.kv_heads, count, -1, self.head_width)
            x = self._write(layer, x, mixed.permute(0, 2, 1, 3, 4).flatten(2))
            keys.append(own_keys)
            values.append(own_values)
        found = Continuations(keys=tuple(keys), values=tuple(values), own=own, steps=beams.steps + 1)
        return self._last_norm(x), found

    @torch.inference_mode()
    def extend(self, context: Context, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Read candidates behind their prompt at once: hidden states [batch, candidates, longest, width] after each token.

        `vectors` [batch, candidates, longest, width]: the embeddings of their tokens, filled up at the end to one length; `lengths`
        int64 [batch, candidates], 0 for a candidate that is not there. A candidate sees its prompt and its own tokens, no other
        candidate. States behind its end mean nothing.
        """
        packing = Packing.of(lengths, vectors.shape[2])
        x = packing.pack(vectors.to(self.dtype))
        cos, sin = self._angles(x, context.lengths[:, None] + packing.tokens % vectors.shape[2])
        for number, layer in enumerate(self._layers):
            q, k, v = self._read(layer, x, cos[:, :, None], sin[:, :, None])
            own_keys, own_values = (packing.spread(part).transpose(2, 3) for part in (k, v))
            x = self._write(layer, x, self._attend(q, context, number, own_keys, own_values, packing))
        return packing.spread(self._last_norm(x))

    def _angles(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        return cast(tuple[Tensor, Tensor], self._rotary(x, positions))

    def _read(self, layer: _Layer, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [batch, length, heads, head_width], the first two turned by their position."""
        joined = linear(layer.norms[0](x), layer.read, layer.read_bias)
        sizes = [count * self.head_width for count in (self.heads, self.kv_heads, self.kv_heads)]
        q, k, v = (part.view(*part.shape[:-1], -1, self.head_width) for part in torch.split(joined, sizes, dim=-1))
        q, k = (part if norm is None else norm(part) for norm, part in zip(layer.head_norms, (q, k), strict=True))
        q, k = torch.split(turned(torch.cat([q, k], dim=-2), cos, sin), [self.heads, self.kv_heads], dim=-2)
        return q, k, v

    def _write(self, layer: _Layer, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + linear(mixed, layer.write)
        gate, up = linear(layer.norms[1](x), layer.gate_up).chunk(2, dim=-1)
        return x + linear(layer.activation(gate).mul_(up), layer.down)

    def _by_group(self, q: Tensor) -> Tensor:
        """Queries as [batch, rows, kv_heads, group, head_width], scaled; a group shares keys and values."""
        rows: Tensor = (q * self.head_width**-0.5).view(*q.shape[:2], self.kv_heads, -1, self.head_width)
        return rows

    def _attend(self, q: Tensor, context: Context, number: int, own_keys: Tensor, own_values: Tensor, packing: Packing) -> Tensor:
        """Attention of tokens of candidates over their request's prompt and their own, [batch, rows, heads * head_width].

        A token sees its own candidate up to itself. Own keys and values are [batch, candidates, kv_heads, longest, head_width];
        `number` is the layer's.
        """
        rows = self._by_group(q)
        shared, own = (part.permute(0, 2, 1, 3, 4).flatten(2, 3) for part in (rows, own_scores(rows, own_keys, packing)))
        from_prompt, own_weights = self._mix(shared, own, context, number)
        apart = (len(q), self.kv_heads, q.shape[1], q.shape[2] // self.kv_heads, -1)
        from_prompt, weights = (part.view(apart).permute(0, 2, 1, 3, 4) for part in (from_prompt, own_weights))
        mixed: Tensor = from_prompt + own_mixed(weights, own_values, packing)
        return mixed.flatten(2)

    def _mix(self, shared: Tensor, own: Tensor, context: Context, number: int) -> tuple[Tensor, Tensor]:
        """Values of the prompt, summed for queries `shared` [batch, kv_heads, rows, head_width], and the weights of own tokens.

        Scores of own tokens are `own` [batch, kv_heads, rows, steps]; one softmax goes over prompt and own tokens.
        """
        keys, values = context.keys[number].transpose(-1, -2), context.values[number]
        size = max(1, _BLOCK // (keys.shape[0] * keys.shape[1] * keys.shape[3]))
        mixed, rest = [], []
        for some, their_own in zip(torch.split(shared, size, dim=2), torch.split(own, size, dim=2), strict=True):
            scores = some @ keys
            if context.filling is not None:
                scores = scores.masked_fill(context.filling, torch.finfo(scores.dtype).min)
            weights = torch.cat([scores, their_own], dim=-1).softmax(dim=-1)
            from_prompt, from_own = torch.split(weights, [scores.shape[-1], own.shape[-1]], dim=-1)
            mixed.append(from_prompt @ values)
            rest.append(from_own)
        return torch.cat(mixed, dim=2), torch.cat(rest, dim=2)


def _joined(block: Any, precision: Precision, dtype: torch.dtype) -> _Layer:
    attention, mlp = block.self_attn, block.mlp
    readers = (attention.q_proj, attention.k_proj, attention.v_proj)
    biases = [_bias(reader) for reader in readers]
    head_norms = (getattr(attention, "q_norm", None), getattr(attention, "k_norm", None))
    return _Layer(
        read=stored(torch.cat([weight_of(reader) for reader in readers]), precision),
        read_bias=None if biases[0] is None else torch.cat([bias for bias in biases if bias is not None]).to(dtype),
        write=stored(weight_of(attention.o_proj), precision),
        gate_up=stored(torch.cat([weight_of(mlp.gate_proj), weight_of(mlp.up_proj)]), precision),
        down=stored(weight_of(mlp.down_proj), precision),
        norms=(norm_in(block.input_layernorm, dtype), norm_in(block.post_attention_layernorm, dtype)),
        head_norms=tuple(norm if norm is None else norm_in(norm, dtype) for norm in head_norms),
        activation=mlp.act_fn,
    )


def norm_in(norm: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The norm in the dtype of the decoder: one that is wider than its input would widen its output."""
    epsilon, weight = getattr(norm, "variance_epsilon", None), next(iter(norm.parameters()), None)
    if epsilon is None or weight is None:
        return copy.deepcopy(norm).to(dtype)
    # The same function as the module of transformers, in one call instead of eight.
    fused = nn.RMSNorm(len(weight), eps=epsilon)
    fused.weight = nn.Parameter(weight.detach().to(dtype), requires_grad=False)
    return fused


def weight_of(mapping: nn.Module) -> Tensor:
    """The matrix of a linear map, with its adapter where it has one."""
    if isinstance(mapping, FusedLora):
        return mapping.effective()
    return cast(Tensor, mapping.weight).detach()


def _bias(mapping: Any) -> Tensor | None:
    inner = mapping.base_layer if isinstance(mapping, FusedLora) else mapping
    return cast("Tensor | None", inner.bias)
