"""A body with adapters, a decoder or an encoder with one: vectors in, hidden states out, under any attention mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from instructrec.errors import ModelError
from instructrec.lm.bases import FAKE, SCRATCH, SCRATCH_T5, Base
from instructrec.lm.lora import add_lora
from instructrec.lm.memory import limit_kernel_cache
from instructrec.lm.norms import fold_norms
from instructrec.lm.t5 import cut_and_fold, states, t5_from_scratch, t5_of, take_words
from instructrec.lm.tiny import SCRATCH_VOCABULARY, HashTokenizer, scratch_config, tiny_config


class Tokenizer(Protocol):
    """Words to token ids and back."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""

    def decode(self, ids: list[int]) -> str:
        """The text of token ids."""


class HubTokenizer:
    """A Hugging Face tokenizer behind the two methods that are used here."""

    def __init__(self, folder: str) -> None:
        from transformers import AutoTokenizer

        # A text that spells a special token ("<|im_end|>" in a title) is read as the characters it is made of.
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, split_special_tokens=True)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        return cast(list[int], self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, ids: list[int]) -> str:
        """The text of token ids."""
        return cast(str, self._tokenizer.decode(ids, skip_special_tokens=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """`body` maps vectors to hidden states; `words` is the frozen word embedding table, float32 [vocabulary, width].

    `mixed`: weights are float32, but products are made in bfloat16 when many tokens are read at once.
    """

    base: Base
    tokenizer: Tokenizer
    body: Any
    words: Tensor
    dtype: torch.dtype
    mixed: bool = False

    @property
    def both_ways(self) -> bool:
        """Whether an encoder reads what comes before an answer both ways; then an example has one place where it is answered."""
        return bool(self.body.config.is_encoder_decoder)

    @property
    def width(self) -> int:
        """Length of a hidden state."""
        return int(self.words.shape[1])

    def hidden(self, vectors: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """Hidden states, dtype of the body, [batch, length, width].

        `vectors` [batch, length, width]; `positions` int64 [batch, length]; `visible` bool [batch, length, length]: may row i
        look at column j. Every row must see at least itself. With an encoder, positions are not read, and states are those of the
        decoder: see `t5.states`.
        """
        if self.both_ways:
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.mixed):
                return states(self.body, vectors.to(self.dtype), visible)
        return cast(Tensor, self._output(vectors, positions, visible).last_hidden_state)

    def _output(self, vectors: Tensor, positions: Tensor, visible: Tensor, **wanted: bool) -> Any:
        """What a body of one stack gives."""
        mask = torch.zeros(visible.shape, dtype=self.dtype).masked_fill_(~visible, torch.finfo(self.dtype).min)[:, None]
        # Bodies with two kinds of layers (Gemma 3) take one mask for each; histories are shorter than their sliding window.
        kinds = set(getattr(self.body.config, "layer_types", None) or ())
        masks: Any = {kind: mask for kind in kinds} if len(kinds) > 1 else mask
        # Weights that are trained whole stay float32, because bfloat16 would round their updates away; products need not.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.mixed):
            given = {"inputs_embeds": vectors.to(self.dtype), "position_ids": positions, "attention_mask": masks}
            return self.body(**given, use_cache=False, **wanted)

    @torch.no_grad()
    def attention(self, vectors: Tensor, positions: Tensor, visible: Tensor) -> Tensor | None:
        """How much each place looks at each other, mean over layers and heads, float32 [batch, length, length]; none with an
        encoder. Arguments as of `hidden`.
        """
        if self.both_ways:
            return None
        output = self._output(vectors, positions, visible, output_attentions=True)
        return torch.stack([layer.float().mean(dim=1) for layer in output.attentions]).mean(dim=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShape:
    """How much of a base is used: the first `layers` blocks of each stack (0: all), its weights `shrink` times, LoRA with scale
    alpha / rank.

    `width` and `dropout` (on attention weights; everywhere in T5) shape a base from scratch; others have their own.
    """

    layers: int = 8
    width: int = 128
    dropout: float = 0.0
    rank: int = 16
    alpha: float = 64.0
    shrink: float = 1.0
    random_weights: bool = False


def load_decoder(base: Base, shape: DecoderShape, *, seed: int = 0) -> Decoder:
    """Read a base, cut it to its first layers, freeze it and add trainable adapters.

    With `random_weights` the same shape is made from the seed instead of the pretrained weights (the control of an ablation);
    the word embeddings are random then, too. bf16 where the processor multiplies it natively, else float32.
    """
    limit_kernel_cache()
    torch.manual_seed(seed)
    if base.name in (SCRATCH, SCRATCH_T5):
        return _from_scratch(base, shape)
    dtype = native_dtype()
    pretrained = _two_stacks if _is_encoder_decoder(base) else _one_stack
    body, words = pretrained(base, shape, dtype)
    tokenizer: Tokenizer = HashTokenizer() if base.name == FAKE else HubTokenizer(str(base.folder))
    adapted = add_lora(body, rank=shape.rank, alpha=shape.alpha, shrink=shape.shrink)
    return Decoder(base=base, tokenizer=tokenizer, body=adapted, words=words, dtype=dtype)


def _one_stack(base: Base, shape: DecoderShape, dtype: torch.dtype) -> tuple[Any, Tensor]:
    """The frozen body of a decoder-only base, and its word embeddings."""
    model = _model(base, dtype, random_weights=shape.random_weights)
    body = model.get_decoder()
    blocks = getattr(body, "layers", None)
    if blocks is None:
        raise ModelError(f"The base '{base.name}' has no list of decoder layers. Use a decoder-only causal language model.")
    if 0 < shape.layers < len(blocks):
        body.layers = blocks[: shape.layers]
        body.config.num_hidden_layers = shape.layers
    body.requires_grad_(False)
    table = body.get_input_embeddings()
    words = table.weight.detach().float() * float(getattr(table, "scalar_embed_scale", 1.0))
    body.set_input_embeddings(None)
    fold_norms(body)
    return body, words


def _two_stacks(base: Base, shape: DecoderShape, dtype: torch.dtype) -> tuple[Any, Tensor]:
    """The same of an encoder-decoder base."""
    body = t5_of(base, dtype, random_weights=shape.random_weights)
    cut_and_fold(body, shape.layers)
    return body.requires_grad_(False), take_words(body)


def _is_encoder_decoder(base: Base) -> bool:
    from transformers import AutoConfig

    return base.name != FAKE and bool(AutoConfig.from_pretrained(base.folder).is_encoder_decoder)


def _from_scratch(base: Base, shape: DecoderShape) -> Decoder:
    """A small decoder, or encoder with one, whose every weight is trained."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    if shape.width < 32 or shape.width % 32:
        raise ModelError(f"The width of a base from scratch is {shape.width}, but must be a multiple of 32, such as 128.")
    layers = shape.layers or 4
    if base.name == SCRATCH_T5:
        body: Any = t5_from_scratch(width=shape.width, layers=layers, dropout=shape.dropout)
        words = take_words(body)
    else:
        config = LlamaConfig(**cast(Any, scratch_config(width=shape.width, layers=layers, dropout=shape.dropout)))
        causal_lm: Any = AutoModelForCausalLM
        body = causal_lm.from_config(config, dtype=torch.float32, attn_implementation="eager").get_decoder()
        words = body.get_input_embeddings().weight.detach().clone()
        body.set_input_embeddings(None)
    mixed = native_dtype() == torch.bfloat16
    return Decoder(base=base, tokenizer=HashTokenizer(SCRATCH_VOCABULARY), body=body, words=words, dtype=torch.float32, mixed=mixed)


def native_dtype() -> torch.dtype:
    """bfloat16 where the processor has instructions for it (AMX or AVX512-BF16), else float32."""
    has_bf16 = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    return torch.bfloat16 if has_bf16 else torch.float32


def _model(base: Base, dtype: torch.dtype, *, random_weights: bool) -> Any:
    from transformers import AutoConfig, LlamaConfig
    from transformers import AutoModelForCausalLM as Untyped
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    causal_lm: Any = Untyped
    # The fused attention kernel of the CPU is 2-4 times slower in its backward pass, at these lengths, than plain products.
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": "eager"}
    if base.name == FAKE:
        return causal_lm.from_config(LlamaConfig(**cast(Any, tiny_config())), **options)
    if random_weights:
        return causal_lm.from_config(AutoConfig.from_pretrained(base.folder), **options)
    return causal_lm.from_pretrained(base.folder, **options)
