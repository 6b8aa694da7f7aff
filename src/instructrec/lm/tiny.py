"""Models that come without files, and a tokenizer that hashes words.

`tiny`: a few thousand random weights, the fake for tests and doctor. `scratch`: a decoder of a million weights that is trained
whole, for data without text and as the baseline of the pretrained ones. `scratch-t5`: an encoder and a decoder, trained alike.
"""

from __future__ import annotations

import re
import zlib

VOCABULARY = 512


class HashTokenizer:
    """Words to ids below `vocabulary` by a checksum: no files, the same on every machine; few collisions where it is large."""

    def __init__(self, vocabulary: int = VOCABULARY) -> None:
        self.vocabulary = vocabulary

    def encode(self, text: str) -> list[int]:
        """Token ids of the lower-case words and numbers of a text; ids 0 and 1 are never used."""
        return [2 + zlib.crc32(word.encode()) % (self.vocabulary - 2) for word in re.findall(r"\w+", text.lower())]

    def decode(self, ids: list[int]) -> str:
        """A hash cannot be turned back: the ids as words, for debugging."""
        return " ".join(f"<{token}>" for token in ids)


def tiny_config() -> dict[str, object]:
    """Hugging Face Llama configuration of the fake: 2 layers, width 32."""
    return {
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
    }


SCRATCH_VOCABULARY = 8192
"""Hashed words of a decoder from scratch: large enough that most words of a catalog have an id of their own."""


def scratch_config(*, width: int, layers: int, dropout: float) -> dict[str, object]:
    """Hugging Face Llama configuration of a decoder that is trained from scratch: heads of 32, inner width 4 * width."""
    return {
        "model_type": "llama",
        "vocab_size": SCRATCH_VOCABULARY,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 32,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "attention_dropout": dropout,
    }


def scratch_t5_config(*, width: int, layers: int, dropout: float) -> dict[str, object]:
    """Hugging Face T5 configuration that is trained from scratch: `layers` in each stack, heads of 32, inner width 4 * width.

    The make of TIGER (Rajput et al. 2023, arXiv 2305.05065), which has 4 layers in each.
    """
    return {
        "vocab_size": SCRATCH_VOCABULARY,
        "d_model": width,
        "d_kv": 32,
        "d_ff": 4 * width,
        "num_layers": layers,
        "num_decoder_layers": layers,
        "num_heads": width // 32,
        "dropout_rate": dropout,
        "feed_forward_proj": "relu",
    }
