"""`gru4rec`: a recurrent network reads the history and predicts the next item (Hidasi et al. 2016, arXiv 1511.06939).

Trained on whole sequences with the losses of `sequence_losses`, which came after the paper's pairwise ones and are stronger: with
cross-entropy over the catalog it is ahead of its own first figures and not far behind attention (Klenitskiy and Vasilev 2023, arXiv
2309.07602). Item vectors are input and output.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from instructrec.models.memory import check_positive
from instructrec.models.sequence_layers import SequenceNetwork, at, draw
from instructrec.models.sequences import SequenceConfig, SequenceModel


@dataclass(frozen=True, kw_only=True)
class Gru4recConfig(SequenceConfig):
    """Shape and training of `gru4rec`."""

    cell: Literal["gru", "lstm"] = field(default="gru", metadata={"help": "gru or lstm"})
    layers: int = field(default=1, metadata={"help": "recurrent layers, one above the other"})
    hidden: int = field(default=128, metadata={"help": "width of what the network remembers"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("layers", "hidden"):
            check_positive(name, getattr(self, name))


class Recurrent(SequenceNetwork):
    """GRU or LSTM cells over the inputs, and a map from what they remember to the width of item vectors."""

    def __init__(self, num_items: int, config: Gru4recConfig) -> None:
        super().__init__(num_items, width=config.width, dropout=config.dropout)
        kind = nn.GRU if config.cell == "gru" else nn.LSTM
        self.cells = nn.ModuleList(
            [kind(config.hidden if layer else config.width, config.hidden, batch_first=True) for layer in range(config.layers)]
        )
        self.narrow, self.norm = nn.Linear(config.hidden, config.width), nn.LayerNorm(config.width)
        draw([self.items.weight, self.start])

    def forward(self, items: Tensor, last: Tensor | None = None) -> Tensor:
        """Item codes to states, which pass from cell to cell; with `last` only those are mapped."""
        states = self.dropout(self.read(items))
        # Not every processor that multiplies bfloat16 has cells in it.
        with torch.autocast("cpu", enabled=False):
            for cell in self.cells:
                states = self.dropout(cell(states)[0])
        normal: Tensor = self.norm(self.narrow(states if last is None else at(states, last)))
        return normal


class Gru4rec(SequenceModel[Gru4recConfig]):
    """Recurrent sequential recommendation."""

    name: ClassVar[str] = "gru4rec"
    config_type = Gru4recConfig

    @classmethod
    def network(cls, num_items: int, config: Gru4recConfig) -> SequenceNetwork:
        """Recurrent cells."""
        return Recurrent(num_items, config)
