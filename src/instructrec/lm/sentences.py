"""A sentence encoder: texts to vectors whose cosine says how alike their meanings are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from instructrec import assets
from instructrec.core import Progress, Silent
from instructrec.errors import ModelError
from instructrec.lm.bases import FAKE, prepare
from instructrec.tables import FloatArray

MINILM = "minilm"
"""all-MiniLM-L6-v2 (Wang et al. 2020; sentence-transformers), English, 384 dimensions."""
MAX_TOKENS = 256
"""What the encoder was trained to read; longer texts are cut."""
BATCH_TOKENS = 8192
_FAKE_WIDTH = 64


class SentenceEncoder:
    """Mean-pooled, normalised states of an encoder in Hugging Face layout; `name` is the base it was made from."""

    def __init__(self, name: str = MINILM, *, progress: Progress | None = None) -> None:
        self.name = name
        self._model: Any = None
        if name == FAKE:
            return
        folder = _folder(name, progress or Silent())
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"'{name}' cannot be read as a sentence encoder: {error}. Use '{MINILM}' or another one.") from error

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors float32 [num_texts, width]; an empty text has the vector 0."""
        if self._model is None:
            return np.stack([_hashed(text) for text in texts]) if texts else np.zeros((0, _FAKE_WIDTH), dtype=np.float32)
        width = int(self._model.config.hidden_size)
        out = np.zeros((len(texts), width), dtype=np.float32)
        ids = [self._tokenizer.encode(text, truncation=True, max_length=MAX_TOKENS) if text.strip() else [] for text in texts]
        order = sorted((row for row in range(len(texts)) if ids[row]), key=lambda row: len(ids[row]))
        start = 0
        while start < len(order):
            size = max(1, BATCH_TOKENS // len(ids[order[min(start + BATCH_TOKENS // len(ids[order[start]]), len(order) - 1)]]))
            rows = order[start : start + size]
            out[rows] = self._forward([ids[row] for row in rows])
            start += size
        return out

    def pieces(self, text: str) -> list[str]:
        """The tokens that a text is read as, without those that only frame it."""
        if self._model is None:
            return re.findall(r"\w+", text.lower())
        found: list[str] = self._tokenizer.tokenize(text)
        return found

    def piece_vectors(self, pieces: Sequence[str]) -> FloatArray:
        """What the encoder begins with for each token, before it sees the others, float32 [num_pieces, width]."""
        if self._model is None:
            return self.encode(pieces)
        table = self._model.get_input_embeddings().weight.detach().numpy()
        return np.asarray(table[self._tokenizer.convert_tokens_to_ids(list(pieces))], dtype=np.float32)

    def _forward(self, ids: Sequence[Sequence[int]]) -> FloatArray:
        longest = max(len(row) for row in ids)
        tokens = torch.zeros(len(ids), longest, dtype=torch.long)
        mask = torch.zeros(len(ids), longest)
        for row, words in enumerate(ids):
            tokens[row, : len(words)] = torch.tensor(words)
            mask[row, : len(words)] = 1
        with torch.inference_mode():
            states = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state
            pooled = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
            return torch.nn.functional.normalize(pooled, dim=1).numpy()


def _folder(name: str, progress: Progress) -> Path:
    return assets.fetch(MINILM, progress=progress) if name == MINILM else prepare(name, progress=progress).folder


def _hashed(text: str) -> FloatArray:
    """A vector without any meaning but equality of words, for tests."""
    out = np.zeros(_FAKE_WIDTH, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()):
        out[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little") % _FAKE_WIDTH] += 1.0
    norm = float(np.linalg.norm(out))
    return out / norm if norm else out
