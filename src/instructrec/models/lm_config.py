"""The settings of the language model: one definition gives defaults, checks, --help and docs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from instructrec.errors import ConfigError, QueryError
from instructrec.generation.beam import BeamOptions
from instructrec.generation.books import CodeConfig
from instructrec.instructions.tasks import TaskConfig
from instructrec.lm.decoder import DecoderShape
from instructrec.tuning.loop import TuningConfig


@dataclass(frozen=True, kw_only=True)
class LmConfig(TuningConfig, TaskConfig, CodeConfig):
    """Everything that shapes and tunes the language model."""

    base: str = field(
        default="smollm2-135m",
        metadata={
            "help": "embedded base, Hugging Face id or folder (decoder-only or T5), 'scratch' or 'scratch-t5': small, trained whole"
        },
    )
    width: int = field(default=128, metadata={"help": "width of a base from scratch"})
    precision: Literal["own", "float32", "bfloat16", "int8"] = field(
        default="own", metadata={"help": "numbers of a search for codes of several tokens: as tuned, or these"}
    )
    beam: int = field(default=50, metadata={"help": "beams of a search, for codes of several tokens"})
    beam_temperature: float = field(
        default=0.0, metadata={"help": "above 0, lists of such codes are drawn from the model at that temperature, repeatably"}
    )
    beam_diversity: float = field(
        default=0.0,
        metadata={"help": "nats by which each further branch of a beam counts less: lists of such codes spread"},
    )
    layers: int = field(default=8, metadata={"help": "layers used (of each stack), from the bottom; 0 for all"})
    targets: int = field(default=4, metadata={"help": "next items a history that an encoder-decoder base learns an epoch"})
    lora_rank: int = field(default=16, metadata={"help": "rank of the LoRA adapters on all linear maps"})
    lora_alpha: float = field(default=64.0, metadata={"help": "LoRA scale is alpha / rank"})
    shrink: float = field(
        default=0.3,
        metadata={
            "help": "factor on the frozen weights; below 1 the adapters have the larger say (by validation loss, MovieLens-100K)"
        },
    )
    random_weights: bool = field(default=False, metadata={"help": "same shape without pretrained weights (ablation)"})
    language: str = field(default="en", metadata={"help": "language of the instruction wording"})
    max_history: int = field(default=100, metadata={"help": "history items the model reads"})
    factor_width: int = field(default=128, metadata={"help": "width of the collaborative factors"})
    factor_window: int = field(default=5, metadata={"help": "items on either side that count as neighbours"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets < 1:
            raise ConfigError(f"targets is {self.targets}, but must be 1 or more: the last item of a history is always learnt.")
        try:
            self.search(self.beam)
        except QueryError as error:
            raise ConfigError(f"beam, beam_temperature and beam_diversity do not fit: {error}") from error

    def search(self, num_items: int) -> BeamOptions:
        """How codes of several tokens are searched for `num_items`: as many are drawn, or the beam is at least as wide."""
        width = num_items if self.beam_temperature > 0 else max(self.beam, num_items)
        return BeamOptions(width=width, normalise="catalog", temperature=self.beam_temperature, diversity=self.beam_diversity)

    @property
    def shape(self) -> DecoderShape:
        """The part of the base that is used."""
        return DecoderShape(
            layers=self.layers,
            rank=self.lora_rank,
            alpha=self.lora_alpha,
            shrink=self.shrink,
            random_weights=self.random_weights,
            width=self.width,
        )
