"""`images`: items by what they look like, people by what they liked (He and McAuley 2016, VBPR, showed that looks sell)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from instructrec.core import Progress
from instructrec.models.profiles import EncodedContent, ProfileConfig
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray

WIDEST = 1024
"""Numbers of a picture, at most, in common encoders: what memory is foreseen by."""


@dataclass(frozen=True, kw_only=True)
class ImagesConfig(ProfileConfig):
    """Settings of `images`."""

    encoder: str = field(
        default="", metadata={"help": "folder or Hugging Face id of a vision encoder with its image processor (ViT, DINOv2, CLIP)"}
    )


class Images(EncodedContent):
    """Items as vectors of a vision encoder, less what all pictures have in common.

    The catalog names the pictures (column `image` of the items, paths on this machine). An item whose picture is missing or broken
    scores 0; one that is added later is looked at when it comes.
    """

    name: ClassVar[str] = "images"
    config_type: ClassVar[type[ImagesConfig]] = ImagesConfig

    def __init__(self, config: ImagesConfig | None = None) -> None:
        super().__init__()
        self.config = config or ImagesConfig()
        self._encoder: Any = None

    def unfit_for(self, dataset: Dataset) -> str:
        """It needs pictures and an encoder."""
        if not any(path and Path(path).is_file() for path in self._paths(dataset.catalog)):
            return (
                "'images' describes items by their pictures, but none is on this machine. Give the table of items a column `image` "
                "with paths of pictures, from the folder of the table."
            )
        if not self.config.encoder:
            return "'images' needs a vision encoder. Name its folder or Hugging Face id: --set images.encoder=FOLDER"
        return ""

    def bytes_needed(self, dataset: Dataset) -> int:
        """The weights of the encoder, where they lie here, and the vectors, twice."""
        weights = sum(path.stat().st_size for path in Path(self.config.encoder).glob("*.safetensors")) if self.config.encoder else 0
        return weights + 8 * WIDEST * len(dataset.catalog)

    def _paths(self, catalog: Catalog) -> Sequence[str]:
        return catalog.images or ("",) * len(catalog)

    def _encoded(self, catalog: Catalog, first: int, progress: Progress) -> tuple[FloatArray, BoolArray]:
        paths = self._paths(catalog)[first:]
        if not any(paths):
            # Without a picture there is nothing to load an encoder for.
            return np.zeros((len(paths), 1), dtype=np.float32), np.zeros(len(paths), dtype=np.bool_)
        if self._encoder is None:
            from instructrec.lm.pictures import PictureEncoder

            self._encoder = PictureEncoder(self.config.encoder, progress=progress)
        found: tuple[FloatArray, BoolArray] = self._encoder.encode(paths, progress)
        return found
