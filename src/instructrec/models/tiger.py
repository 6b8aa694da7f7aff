"""`tiger`: a small model that is trained from scratch to write semantic item codes, for data with or without text.

Generative retrieval as in TIGER (Rajput et al. 2023, arXiv 2305.05065), of its size. Its base is a decoder that predicts at every
item of a history in one pass, which is what a processor without GPU can train; `scratch-t5` is an encoder-decoder like TIGER's own,
which reads one example a target.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from instructrec.generation.codes import CodeKind
from instructrec.models.lm import LanguageModelRecommender, LmConfig


@dataclass(frozen=True, kw_only=True)
class TigerConfig(LmConfig):
    """The settings of `lm` with the values of a small model from scratch."""

    base: str = field(default="scratch", metadata={"help": "a base from scratch, or any that `lm` takes"})
    codes: CodeKind = field(default="semantic", metadata={"help": "item codes: semantic, title or atomic"})
    layers: int = field(default=2, metadata={"help": "layers (of each stack)"})
    epochs: int = field(default=8, metadata={"help": "passes over all histories"})
    learning_rate: float = field(default=2e-3, metadata={"help": "peak of the one-cycle schedule"})
    max_history: int = field(default=50, metadata={"help": "history items the model reads"})
    questions: float = field(default=0.0, metadata={"help": "questions a 100 history items"})


class Tiger(LanguageModelRecommender):
    """Generates semantic codes; everything else is `lm`."""

    name: ClassVar[str] = "tiger"
    config_type = TigerConfig

    def __init__(self, config: LmConfig | None = None) -> None:
        super().__init__(config or TigerConfig())
