"""An encoder-decoder that reads a prompt once and then writes many answers: beams, or candidates, share what was read.

The interface of `SharedPrefixDecoder`. The encoder reads a prompt; every layer of the decoder makes keys and values of it once a
request. Of its own tokens a beam keeps only the few that it added, behind the token that asks for the answer, which all share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.errors import ModelError
from instructrec.lm.attention import Packing, own_mixed, own_scores, rows_at
from instructrec.lm.memory import keep_freed
from instructrec.lm.precision import Precision, Weight, linear, served_in, stored
from instructrec.lm.shared_prefix import Context, Continuations, SharedPrefixDecoder, norm_in, weight_of
from instructrec.lm.t5 import T5_TYPES


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a layer: a norm, the maps that read it, joined, and the map that writes what the part adds."""

    norm: nn.Module
    read: Weight
    write: Weight


@dataclass(frozen=True, slots=True)
class _Layer:
    own: _Part
    crossing: _Part | None
    mlp: _Part
    activation: Any
    gated: bool


Mix: TypeAlias = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(number of the layer, queries, keys, values), each [batch, rows, heads, head_width] -> attention of each row over its own answer,
of the same shape."""


class EncoderDecoder:
    """The two stacks of T5 (Raffel et al. 2020, arXiv 1910.10683), with or without adapters, for inference.

    Adapters are folded in when it is made; make a new one after tuning. `precision` is that of its products (none: the body's);
    int8 keeps everything but the linear maps as the body has it. Raises ModelError for bodies of another make.
    """

    def __init__(self, body: Any, *, precision: Precision | None = None) -> None:
        inner: Any = getattr(getattr(body, "base_model", None), "model", body)
        config: Any = inner.config
        if config.model_type not in T5_TYPES:
            raise ModelError(f"Answers cannot be written with a body of type '{config.model_type}'. Use a T5-shaped base.")
        self.heads, self.head_width = int(config.num_heads), int(config.d_kv)
        encoder, decoder = inner.encoder, inner.decoder
        keep_freed()
        with torch.no_grad():
            self.dtype, kept = served_in(next(iter(encoder.block[0].parameters())).dtype, precision)
            self._encoder, self._decoder = (
                [_joined(block, kept, self.dtype) for block in stack.block] for stack in (encoder, decoder)
            )
            crossing = [block.layer[1].EncDecAttention for block in decoder.block]
            self._cross = stored(torch.cat([weight_of(part) for each in crossing for part in (each.k, each.v)]), kept)
            self._ends = tuple(norm_in(stack.final_layer_norm, self.dtype) for stack in (encoder, decoder))
            self._bias, self._own_bias = (
                _distances(stack.block[0].layer[0].SelfAttention).to(self.dtype) for stack in (encoder, decoder)
            )

    @torch.inference_mode()
    def read(self, vectors: Tensor, lengths: Tensor | None = None) -> Context:
        """Read prompts [batch, longest, width], filled up at the end to one length; `lengths` int64 [batch], else all of it.

        The last vector of each prompt is the token that asks for an answer: the decoder reads it, all before it the encoder.
        """
        batch, longest, _ = vectors.shape
        x = vectors.to(self.dtype)
        place = torch.arange(longest - 1, device=x.device)
        filling = None if lengths is None else (place >= lengths[:, None] - 1)[:, None, None]
        lengths = torch.full((batch,), longest, device=x.device) if lengths is None else lengths
        joined = linear(self._encode(x[:, :-1], filling), self._cross)
        parts = joined.view(batch, longest - 1, -1, self.heads, self.head_width).permute(2, 0, 3, 1, 4).contiguous().unbind()
        first = x[torch.arange(batch, device=x.device), None, lengths - 1]
        context = Context(keys=parts[::2], values=parts[1::2], lengths=lengths, filling=filling, hidden=first[:, 0])
        nothing = torch.zeros(batch, 1, 0, dtype=torch.bool, device=x.device)
        hidden, begun = self._add(context, Continuations(), nothing, first)
        return replace(context, hidden=hidden[:, 0], begun=begun)

    @torch.inference_mode()
    def step(self, context: Context, beams: Continuations, parents: Tensor, vectors: Tensor) -> tuple[Tensor, Continuations]:
        """Add one token to each beam: hidden states [batch, beams, width] after it, and what the beams hold now.

        `vectors` [batch, beams, width]: the embedding of the token each beam adds; `parents` int64 [batch, beams]: the beam of
        `beams` that it goes on from (not read in the first step).
        """
        batch, count = vectors.shape[:2]
        x = vectors.to(self.dtype)
        if beams.own is not None:
            return self._add(context, beams, rows_at(beams.own, parents), x)
        return self._add(context, _begun(context), torch.ones(batch, count, 1, dtype=torch.bool, device=x.device), x)

    @torch.inference_mode()
    def extend(self, context: Context, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Read candidates behind their prompt at once: hidden states [batch, candidates, longest, width] after each token.

        `vectors` [batch, candidates, longest, width]: the embeddings of their tokens, filled up at the end to one length; `lengths`
        int64 [batch, candidates], 0 for a candidate that is not there. A candidate sees its prompt and its own tokens, no other
        candidate. States behind its end mean nothing.
        """
        longest, begun = vectors.shape[2], _begun(context)
        packing = Packing.of(lengths, longest)
        place = packing.tokens % longest
        own_bias = self._answer_bias(place[..., None] - torch.arange(longest, device=place.device))
        first_bias = self._answer_bias(place[..., None] + 1)

        def mix(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            own_keys, own_values = (packing.spread(part).transpose(2, 3) for part in (k, v))
            own = own_scores(q[:, :, :, None], own_keys, packing) + own_bias.permute(0, 2, 1, 3)[:, :, :, None]
            first = (q.transpose(1, 2) @ begun.keys[number].transpose(-1, -2) + first_bias).transpose(1, 2)[:, :, :, None]
            weights = torch.cat([first, own], dim=-1).softmax(dim=-1)
            begins = weights[..., :1] * begun.values[number].transpose(1, 2)[..., None, :]
            return (begins + own_mixed(weights[..., 1:].contiguous(), own_values, packing)).squeeze(3)

        return packing.spread(self._decode(context, packing.pack(vectors.to(self.dtype)), mix))

    def _add(self, context: Context, before: Continuations, own: Tensor, x: Tensor) -> tuple[Tensor, Continuations]:
        """Add a token to answers [batch, beams, width] that hold what `own` bool [batch, beams, tokens] says of `before`."""
        batch, count = x.shape[:2]
        own = torch.cat([own, torch.eye(count, dtype=torch.bool, device=x.device).expand(batch, -1, -1)], dim=2)
        # The tokens of a beam stand in the order in which they were written, and the new one is the last.
        bias = self._answer_bias(before.steps + 1 - own.cumsum(dim=2)).masked_fill(~own[:, None], torch.finfo(x.dtype).min)
        keys: list[Tensor] = []
        values: list[Tensor] = []

        def mix(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            for kept, earlier, part in ((keys, before.keys, k), (values, before.values, v)):
                part = part.transpose(1, 2)
                kept.append(torch.cat([earlier[number], part], dim=2) if before.steps else part)
            weights = (q.transpose(1, 2) @ keys[number].transpose(-1, -2) + bias).softmax(dim=-1)
            return (weights @ values[number]).transpose(1, 2)

        hidden = self._decode(context, x, mix)
        return hidden, Continuations(keys=tuple(keys), values=tuple(values), own=own, steps=before.steps + 1)

    def _answer_bias(self, distance: Tensor) -> Tensor:
        """What is added to scores of tokens `distance` places back, int64 [batch, rows, tokens]: [batch, heads, rows, tokens]."""
        middle = self._own_bias.shape[1] // 2
        return self._own_bias[:, middle - distance.clamp(min=0, max=middle)].transpose(0, 1)

    def _encode(self, x: Tensor, filling: Tensor | None) -> Tensor:
        """States of the encoder [batch, length, width]."""
        place, middle = torch.arange(x.shape[1], device=x.device), self._bias.shape[1] // 2
        bias = self._bias[:, (place - place[:, None]).clamp(-middle, middle) + middle][None]
        if filling is not None:
            bias = bias.masked_fill(filling, torch.finfo(bias.dtype).min)
        for layer in self._encoder:
            q, k, v = (part.transpose(1, 2) for part in self._heads(layer.own, x))
            # T5 does not divide by the root of the width of a head.
            mixed = functional.scaled_dot_product_attention(q, k, v, bias, scale=1.0)
            x = self._feed(layer, x + linear(mixed.transpose(1, 2).flatten(2), layer.own.write))
        return self._end(0, x)

    def _decode(self, context: Context, x: Tensor, mix: Mix) -> Tensor:
        """States of the decoder [batch, rows, width] for rows that see their prompt, and of their own answer what `mix` sees."""
        seen = None if context.filling is None else ~context.filling
        for number, layer in enumerate(self._decoder):
            x = x + linear(mix(number, *self._heads(layer.own, x)).flatten(2), layer.own.write)
            if layer.crossing is not None:
                (q,) = (part.transpose(1, 2) for part in self._heads(layer.crossing, x))
                mixed = functional.scaled_dot_product_attention(q, context.keys[number], context.values[number], seen, scale=1.0)
                x = x + linear(mixed.transpose(1, 2).flatten(2), layer.crossing.write)
            x = self._feed(layer, x)
        return self._end(1, x)

    def _heads(self, part: _Part, x: Tensor) -> tuple[Tensor, ...]:
        """What the joined maps of a part read, each [batch, rows, heads, head_width]."""
        joined = linear(part.norm(x), part.read)
        return joined.view(*joined.shape[:-1], -1, self.heads, self.head_width).unbind(dim=2)

    def _feed(self, layer: _Layer, x: Tensor) -> Tensor:
        inner = linear(layer.mlp.norm(x), layer.mlp.read)
        if layer.gated:
            gate, up = inner.chunk(2, dim=-1)
            return x + linear(layer.activation(gate) * up, layer.mlp.write)
        return x + linear(layer.activation(inner), layer.mlp.write)

    def _end(self, stack: int, x: Tensor) -> Tensor:
        states: Tensor = self._ends[stack](x)
        return states


PromptReader: TypeAlias = SharedPrefixDecoder | EncoderDecoder
"""What reads a prompt once and continues it many times."""


def _begun(context: Context) -> Continuations:
    """Where answers begin. Raises ModelError for prompts that a decoder read."""
    if context.begun is None:
        raise ModelError("These prompts were read by a decoder without encoder. Read them with the object that goes on from them.")
    return context.begun


def _joined(block: Any, precision: Precision, dtype: torch.dtype) -> _Layer:
    def part(norm: nn.Module, readers: list[nn.Module], writer: nn.Module) -> _Part:
        read = stored(torch.cat([weight_of(reader) for reader in readers]), precision)
        return _Part(norm_in(norm, dtype), read, stored(weight_of(writer), precision))

    first, last = block.layer[0], block.layer[-1]
    own, mlp = first.SelfAttention, last.DenseReluDense
    crossing = block.layer[1] if len(block.layer) == 3 else None
    gated = hasattr(mlp, "wi_0")
    return _Layer(
        own=part(first.layer_norm, [own.q, own.k, own.v], own.o),
        crossing=None if crossing is None else part(crossing.layer_norm, [crossing.EncDecAttention.q], crossing.EncDecAttention.o),
        mlp=part(last.layer_norm, [mlp.wi_0, mlp.wi_1] if gated else [mlp.wi], mlp.wo),
        activation=mlp.act,
        gated=gated,
    )


def _distances(attention: Any) -> Tensor:
    """What attention adds to the score of a token that stands d places on, [heads, 2 * most + 1], d from -most to most; farther
    ones count as far as these.
    """
    most = int(attention.relative_attention_max_distance)
    table: Tensor = attention.compute_bias(most + 1, most + 1)[0]
    return torch.cat([table[:, 1:, 0].flip(1), table[:, 0]], dim=1)
