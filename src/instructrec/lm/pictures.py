"""A vision encoder: pictures to vectors whose cosine says how alike they look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from instructrec.core import Progress
from instructrec.errors import ModelError
from instructrec.lm.bases import prepare
from instructrec.tables import BoolArray, FloatArray

BATCH = 16
"""Pictures that the encoder sees at once."""
MOST_PIXELS = 50_000_000
"""A picture of more is not opened: a small file can unfold to any size."""


class PictureEncoder:
    """Mean over the patches of any vision encoder in Hugging Face layout (ViT, DINOv2, ConvNeXt), or the image side of CLIP.

    Raises ModelError where Pillow is missing, or the folder holds no such encoder.
    """

    def __init__(self, name: str, *, progress: Progress | None = None) -> None:
        try:
            import PIL.Image  # noqa: F401
        except ImportError:
            raise ModelError(
                "Pictures are read with Pillow, which is not installed. Install it: pip install 'instructrec[images]'"
            ) from None
        from transformers import AutoImageProcessor, AutoModel

        folder = prepare(name, progress=progress).folder
        try:
            self._processor: Any = AutoImageProcessor.from_pretrained(folder, backend="pil")  # type: ignore[no-untyped-call]
            self._model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"'{name}' cannot be read as a vision encoder: {error}. It needs config.json, preprocessor_config.json and "
                "safetensors, as `save_pretrained` of a model and its image processor writes them."
            ) from error

    def encode(self, paths: Sequence[str], progress: Progress) -> tuple[FloatArray, BoolArray]:
        """Vectors float32 [num_paths, width], not of unit length, and which pictures could be read; the others are zeros."""
        vectors, seen = np.zeros((len(paths), 1), dtype=np.float32), np.zeros(len(paths), dtype=np.bool_)
        progress.stage("looking at pictures", total=max(1, len(paths)))
        for start in range(0, len(paths), BATCH):
            opened = {row: picture for row in range(start, min(start + BATCH, len(paths))) if (picture := _open(paths[row]))}
            if opened:
                found = self._forward(list(opened.values()))
                vectors = vectors if seen.any() else np.zeros((len(paths), found.shape[1]), dtype=np.float32)
                vectors[list(opened)], seen[list(opened)] = found, True
            progress.step(min(start + BATCH, len(paths)))
        return vectors, seen

    def _forward(self, pictures: Sequence[Any]) -> FloatArray:
        inputs = self._processor(images=list(pictures), return_tensors="pt")
        with torch.inference_mode():
            if hasattr(self._model, "get_image_features"):
                found = self._model.get_image_features(**inputs)
                found = getattr(found, "pooler_output", found)
            else:
                # Heads that pool are not always part of the weights; patches are. Convolutions give them as [width, rows, columns].
                states = self._model(**inputs).last_hidden_state
                found = states.mean(dim=1) if states.dim() == 3 else states.flatten(2).mean(dim=2)
        return np.asarray(found.numpy(), dtype=np.float32)


def _open(path: str) -> Any:
    """The picture in RGB; None where there is none, or nothing can be made of it."""
    from PIL import Image

    if not path or "://" in path or not Path(path).is_file():
        return None
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB") if picture.width * picture.height <= MOST_PIXELS else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
