"""A language model of a few thousand random weights and a tokenizer that hashes words: the fake for tests and doctor."""

from __future__ import annotations

import re
import zlib

VOCABULARY = 512


class HashTokenizer:
    """Words to ids by a checksum: no files, no collisions that matter to a test, the same on every machine."""

    def encode(self, text: str) -> list[int]:
        """Token ids of the lower-case words and numbers of a text; ids 0 and 1 are never used."""
        return [2 + zlib.crc32(word.encode()) % (VOCABULARY - 2) for word in re.findall(r"\w+", text.lower())]

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
