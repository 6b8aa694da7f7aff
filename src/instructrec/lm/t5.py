"""T5 (Raffel et al. 2020, arXiv 1910.10683) as the body of an item-token model: an encoder reads, a decoder answers.

An example has one answer. What comes before it is read by the encoder, where every token sees every other; the answer is written by
the decoder, whose tokens see the whole of what was read and the answer up to themselves. T5 knows places by the distances between
them alone, so examples may share a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from instructrec.errors import ModelError
from instructrec.lm.bases import Base
from instructrec.lm.norms import fold_both_stacks
from instructrec.lm.tiny import scratch_t5_config

T5_TYPES = ("t5", "mt5")
"""Types of configurations whose stacks are made like this; Flan-T5 and ByT5 are of the first type."""
WORD_SIZE = 0.1
"""Root mean square of word vectors, which is about that of items and of the words of small decoders; those of T5 have 1 to 20."""


def t5_from_scratch(*, width: int, layers: int, dropout: float) -> Any:
    """Both stacks with random weights, float32."""
    from transformers import AutoModel, T5Config

    config = T5Config(**cast(Any, scratch_t5_config(width=width, layers=layers, dropout=dropout)))
    stacks: Any = AutoModel
    return stacks.from_config(config, dtype=torch.float32, attn_implementation="eager")


def t5_of(base: Base, dtype: torch.dtype, *, random_weights: bool) -> Any:
    """Both stacks of a base, or the same shape with random weights. Raises ModelError for an encoder-decoder of another make."""
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    config = AutoConfig.from_pretrained(base.folder)
    if config.model_type not in T5_TYPES:
        raise ModelError(
            f"The base '{base.name}' is an encoder-decoder of type '{config.model_type}', but only those of type "
            f"{', '.join(T5_TYPES)} can be tuned. Use a T5-shaped base, or a decoder-only one."
        )
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": "eager"}
    stacks: Any = AutoModel
    return stacks.from_config(config, **options) if random_weights else stacks.from_pretrained(base.folder, **options)


def cut_and_fold(body: Any, layers: int) -> None:
    """Keep the first `layers` of each stack (0: all) and fold the gains of norms into the maps behind them."""
    for stack in (body.encoder, body.decoder):
        if 0 < layers < len(stack.block):
            stack.block = stack.block[:layers]
            stack.config.num_layers = layers
    fold_both_stacks(body)


def take_words(body: Any) -> Tensor:
    """Take the word embeddings out of a body, float32 [vocabulary, width], of about WORD_SIZE.

    Every layer reads its input through a norm, so the sum of word and layers may be made smaller as a whole: what layers add to
    it is divided by the same power of two. The body computes the same function, and items need not be as long as T5's words.
    """
    words: Tensor = body.get_input_embeddings().weight.detach().float()
    factor = 2.0 ** round(math.log2(max(float(words.square().mean().sqrt()), 1e-6) / WORD_SIZE))
    body.set_input_embeddings(None)
    body.config.tie_word_embeddings = False
    with torch.no_grad():
        for block in (*body.encoder.block, *body.decoder.block):
            for attention in (block.layer[0].SelfAttention, *(part.EncDecAttention for part in block.layer[1:-1])):
                attention.o.weight.div_(factor)
            block.layer[-1].DenseReluDense.wo.weight.div_(factor)
    return words / factor


def states(body: Any, vectors: Tensor, visible: Tensor) -> Tensor:
    """Hidden states [batch, length, width] of the tokens that write answers; those of all others mean nothing.

    `vectors` [batch, length, width] in the dtype of the body; `visible` bool [batch, length, length]: may row i look at column j.
    Tokens that are read see one another, so a token that sees one by which it is not seen writes: these go to the decoder, all
    others to the encoder. Each example must be contiguous.
    """
    writes = (visible & ~visible.transpose(1, 2)).any(dim=2)
    read, written = _Part.of(~writes), _Part.of(writes)
    encoded = body.encoder(inputs_embeds=read.take(vectors), attention_mask=read.mask(read, visible, vectors.dtype))
    answered = body.decoder(
        inputs_embeds=written.take(vectors),
        attention_mask=written.mask(written, visible, vectors.dtype),
        encoder_hidden_states=encoded.last_hidden_state,
        encoder_attention_mask=written.mask(read, visible, vectors.dtype),
        use_cache=False,
    )
    return written.put_back(answered.last_hidden_state)


@dataclass(frozen=True, slots=True)
class _Part:
    """Some tokens of each row, moved together: `places` int64 [batch, most], `real` bool: which are none of the filling behind
    them; `ranks` int64 [batch, length]: where each token of a row went.
    """

    places: Tensor
    real: Tensor
    ranks: Tensor

    @staticmethod
    def of(chosen: Tensor) -> _Part:
        """Those chosen, bool [batch, length]."""
        counts = chosen.sum(dim=1, keepdim=True)
        most = max(1, int(counts.max()))
        places = (~chosen).int().argsort(dim=1, stable=True)[:, :most]
        ranks = (chosen.cumsum(dim=1) - 1).clamp(min=0)
        return _Part(places, torch.arange(most, device=chosen.device) < counts, ranks)

    def take(self, x: Tensor) -> Tensor:
        """[batch, length, width] -> [batch, most, width]."""
        return _rows(x, self.places)

    def put_back(self, x: Tensor) -> Tensor:
        """[batch, most, width] -> [batch, length, width]; tokens that were not chosen get the state of another."""
        return _rows(x, self.ranks)

    def mask(self, columns: _Part, visible: Tensor, dtype: torch.dtype) -> Tensor:
        """What is added to attention scores of these tokens over `columns`, [batch, 1, most, most of columns]."""
        row = torch.arange(len(visible), device=visible.device)[:, None, None]
        seen = visible[row, self.places[:, :, None], columns.places[:, None]] & columns.real[:, None]
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def _rows(x: Tensor, places: Tensor) -> Tensor:
    """Rows of x [batch, rows, width] at `places` int64 [batch, count]; the gradient adds them in one order, unlike indexing."""
    first = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
    return functional.embedding(first + places, x.flatten(0, 1))
