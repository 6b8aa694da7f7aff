"""`esasrec`: SASRec's task with gated layers and sampled softmax (Tikhonovich et al. 2025, arXiv 2508.06450).

The layers are LiGR's (Borisyuk et al. 2025, arXiv 2502.03417): what a part of a layer adds is weighed, element by element, by a
gate that reads the state as it is, h + F(norm(h)) * sigmoid(h W); F is causal attention, then a map through SwiGLU (Shazeer 2020,
arXiv 2002.05202) without bias. Two things are not the paper's: a norm at the end, which `sasrec` has, too, and a learning rate that
rises and falls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.models.memory import check_positive
from instructrec.models.sasrec_network import SelfAttention, causal_attention
from instructrec.models.sequence_layers import Dropout, SequenceNetwork, at
from instructrec.models.sequence_losses import LossKind
from instructrec.models.sequences import SequenceConfig, SequenceModel


@dataclass(frozen=True, kw_only=True)
class EsasrecConfig(SequenceConfig):
    """Shape and training of `esasrec`; loss, negatives and dropout are the paper's for MovieLens."""

    blocks: int = field(default=2, metadata={"help": "gated layers"})
    heads: int = field(default=1, metadata={"help": "attention heads; they divide the width"})
    expansion: int = field(default=4, metadata={"help": "width inside a layer's map, in widths"})
    dropout: float = field(default=0.1, metadata={"help": "dropout on inputs and on what each layer adds, in steps of 1/256"})
    loss: LossKind = field(
        default="sampled_softmax",
        metadata={"help": "cross_entropy over the whole catalog; sampled_softmax or gbce over the target and negatives"},
    )
    negatives: int = field(default=256, metadata={"help": "uniform negatives a target, for the sampled losses"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("blocks", "expansion"):
            check_positive(name, getattr(self, name))
        self.check_heads(self.heads)


class GatedBlock(nn.Module):
    """Causal attention, then SwiGLU; each reads normalised states, and a gate that reads the states says how much it adds."""

    def __init__(self, config: EsasrecConfig) -> None:
        super().__init__()
        width, inner = config.width, config.expansion * config.width
        self.heads, self.dropout = config.heads, Dropout(config.dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.gates = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, width)])
        self.project, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)

    def forward(self, states: Tensor, last: Tensor | None = None) -> Tensor:
        """float32 [batch, length, width], in and out; a state sees those before it and itself. With `last` only those states."""
        added = self.mix(causal_attention(self.project(self.norms[0](states)), self.heads, last))
        states = states if last is None else at(states, last)
        states = states + self.dropout(added) * torch.sigmoid(self.gates[0](states))
        value, switch = self.widen(self.norms[1](states)).chunk(2, dim=-1)
        added = self.narrow(self.dropout(functional.silu(switch) * value))
        gated: Tensor = states + self.dropout(added) * torch.sigmoid(self.gates[1](states))
        return gated


class Esasrec(SequenceModel[EsasrecConfig]):
    """Self-attentive sequential recommendation with gated layers."""

    name: ClassVar[str] = "esasrec"
    config_type = EsasrecConfig

    @classmethod
    def network(cls, num_items: int, config: EsasrecConfig) -> SequenceNetwork:
        """Gated layers."""
        blocks = [GatedBlock(config) for _ in range(config.blocks)]
        return SelfAttention(num_items, blocks, width=config.width, max_history=config.max_history, dropout=config.dropout)
