"""The networks of `two_tower`: a user tower of experts and gates, an item tower, and a dot product a task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn
from torch.nn import functional

from instructrec.models.graph_network import product
from instructrec.models.histories import recency_rows
from instructrec.tables import IntArray

if TYPE_CHECKING:
    from instructrec.models.two_tower import TwoTowerConfig

INITIAL = 0.1
"""Standard deviation of item vectors at the start."""
NEXT, RATING, CONVERSION = "next", "rating", "conversion"


class Expert(nn.Module):
    """A linear map, and a hidden layer beside it: what is nearly linear is learned at once.

    The map starts as the sum of the vectors that are read, so that training starts as a comparison of items with a history's mean.
    """

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.straight, self.into, self.out = nn.Linear(inputs, width), nn.Linear(inputs, width), nn.Linear(width, width)
        self.drop = nn.Dropout(dropout)
        tiled = torch.eye(width).repeat(1, inputs // width)
        with torch.no_grad():
            self.straight.weight.zero_()[:, : tiled.shape[1]] = tiled

    def forward(self, inputs: Tensor) -> Tensor:
        """float32 [n, inputs] to [n, width]."""
        mapped: Tensor = self.straight(inputs) + self.out(self.drop(functional.relu(self.into(inputs))))
        return mapped


class Network(nn.Module):
    """Both towers for every task in `tasks`.

    User tower: one expert that all tasks share (shared bottom), or several, mixed by a gate a task (MMoE, Ma et al. 2018,
    doi 10.1145/3219819.3220007), then a map a task. Item tower: own vector and features through one expert, then a map a task; the
    pair tasks add a number an item. Every task is a dot product, so that the whole catalog is one matrix product.
    """

    def __init__(self, num_items: int, num_features: int, tasks: Sequence[str], config: TwoTowerConfig) -> None:
        super().__init__()
        self.tasks, self.decays = tuple(tasks), config.decays
        width, inputs = config.width, len(config.decays) * config.width + 1
        self.items = nn.Embedding(num_items, width)
        self.features = nn.Parameter(torch.empty(num_features, width))
        self.scale = nn.Parameter(torch.tensor(math.log(width) / 2))
        self.experts = nn.ModuleList([Expert(inputs, width, config.dropout) for _ in range(config.experts)])
        self.gates = nn.ModuleDict({task: nn.Linear(inputs, config.experts) for task in tasks})
        users = {task: nn.Linear(width, width) for task in tasks}
        nn.init.eye_(users[NEXT].weight)
        self.users = nn.ModuleDict(users)
        self.item = Expert(width, width, config.dropout)
        self.sides = nn.ModuleDict({task: nn.Linear(width, width + 1) for task in tasks if task != NEXT})
        nn.init.normal_(self.items.weight, std=INITIAL)
        nn.init.normal_(self.features, std=INITIAL)

    def inputs(self, features: scipy.sparse.csr_array, known: Tensor) -> Tensor:
        """What towers read of items, float32 [num_items, width]: the own vector where `known` (bool), and what features say.

        `features` may have more rows than items are known: those behind have no vector of their own.
        """
        own = self.items.weight * known[: self.items.num_embeddings, None].float()
        extra = own.new_zeros(features.shape[0] - len(own), own.shape[1])
        return torch.cat([own, extra]) + product(features, self.features)

    def pooled(self, inputs: Tensor, histories: Sequence[IntArray]) -> Tensor:
        """What the user tower reads, float32 [num_histories, decays * width + 1]: means of the items of a history, by how soon the
        weight of older ones falls, and log(1 + its length), over 5 to be about as large.
        """
        means = []
        for decay in self.decays:
            rows = recency_rows(histories, decay=decay, num_items=len(inputs))
            total = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1e-12)
            means.append(product(scipy.sparse.csr_array(scipy.sparse.diags_array(1 / total, dtype=np.float32) @ rows), inputs))
        lengths = torch.tensor([float(len(history)) for history in histories]).log1p() / 5
        return torch.cat([*means, lengths[:, None]], dim=1)

    def user_vectors(self, read: Tensor) -> dict[str, Tensor]:
        """Vectors of users by task, float32 [n, width]; that of the next item is scaled, so that products are logits."""
        each = torch.stack([expert(read) for expert in self.experts], dim=1)
        out = {}
        for task in self.tasks:
            shares = torch.softmax(self.gates[task](read), dim=1)
            out[task] = self.users[task]((shares[:, :, None] * each).sum(dim=1))
        return out | {NEXT: out[NEXT] * self.scale.exp()}

    def item_vectors(self, inputs: Tensor) -> Tensor:
        """What the next item is chosen by, float32 [num_items, width]."""
        mapped: Tensor = self.item(inputs)
        return mapped

    def side(self, task: str, items: Tensor) -> Tensor:
        """What a pair task knows of items, float32 [num_items, width + 1]: a vector, and a number beside the product."""
        mapped: Tensor = self.sides[task](items)
        return mapped


def paired(user: Tensor, side: Tensor) -> Tensor:
    """The product of each user with the item in the same row, and the item's own number; float32 [n]."""
    return (user * side[:, :-1]).sum(dim=1) + side[:, -1]


def crossed(user: Tensor, side: Tensor) -> Tensor:
    """The same for every user with every item, float32 [num_users, num_items]."""
    return user @ side[:, :-1].T + side[:, -1]
