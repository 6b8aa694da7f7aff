"""`sasrec`: self-attention over the history predicts the next item (Kang and McAuley 2018, arXiv 1808.09781).

Trained as later work found it strongest: whole sequences, every item a target, cross-entropy over the catalog (Klenitskiy and
Vasilev 2023, arXiv 2309.07602), or one of the losses over negatives (`sequence_losses`): `gbce` makes it gSASRec.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from instructrec.models.memory import check_positive
from instructrec.models.sasrec_network import Block, SelfAttention
from instructrec.models.sequence_layers import SequenceNetwork
from instructrec.models.sequences import SequenceConfig, SequenceModel


@dataclass(frozen=True, kw_only=True)
class SasrecConfig(SequenceConfig):
    """Shape and training of `sasrec`."""

    blocks: int = field(default=2, metadata={"help": "attention blocks"})
    heads: int = field(default=1, metadata={"help": "attention heads; they divide the width"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("blocks", self.blocks)
        self.check_heads(self.heads)


class Sasrec(SequenceModel[SasrecConfig]):
    """Self-attentive sequential recommendation."""

    name: ClassVar[str] = "sasrec"
    config_type = SasrecConfig

    @classmethod
    def network(cls, num_items: int, config: SasrecConfig) -> SequenceNetwork:
        """Blocks of causal attention."""
        blocks = [Block(config.width, heads=config.heads, dropout=config.dropout) for _ in range(config.blocks)]
        return SelfAttention(num_items, blocks, width=config.width, max_history=config.max_history, dropout=config.dropout)
