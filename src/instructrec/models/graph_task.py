"""The settings of the models over the graph, and the task that trains them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor

from instructrec.errors import ConfigError
from instructrec.models.graph_network import Neighbours, Network, graph_of, queries_of
from instructrec.models.histories import recency_rows
from instructrec.models.losses import pair_nats, sampled_softmax_nats, softmax_nats
from instructrec.models.memory import check_decay, check_positive
from instructrec.models.next_rows import NextRows
from instructrec.tables import IntArray, Interactions
from instructrec.tuning.epochs import EpochConfig

LOSSES = ("softmax", "bpr")


@dataclass(frozen=True, kw_only=True)
class GraphConfig(EpochConfig):
    """What the models over the graph have in common."""

    epochs: int = field(default=30, metadata={"help": "passes over the training data"})
    learning_rate: float = field(default=1e-2, metadata={"help": "peak of the one-cycle schedule"})
    width: int = field(default=64, metadata={"help": "width of item vectors and states"})
    layers: int = field(default=2, metadata={"help": "layers, each one step further in the graph"})
    decay: float = field(
        default=0.85,
        metadata={"help": "weight of a history item relative to the one after it in the edges of a query; 1 forgets the order"},
    )
    loss: str = field(default="softmax", metadata={"help": "softmax, or bpr (pairs of a target and a drawn item)"})
    negatives: int = field(
        default=0, metadata={"help": "items drawn a step for softmax (0: the whole catalog), or a target for bpr (0: one)"}
    )
    batch_targets: int = field(default=4096, metadata={"help": "targets an optimiser step"})
    edge_dropout: float = field(default=0.2, metadata={"help": "share of the edges that a step leaves out"})
    features: bool = field(default=True, metadata={"help": "whether attributes and words of items add to their first states"})
    cold_share: float = field(
        default=0.1,
        metadata={"help": "share of the items that a step shows without edges and own vector, so that features learn to speak"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "layers", "batch_targets"):
            check_positive(name, getattr(self, name))
        check_decay(self.decay)
        if self.loss not in LOSSES or self.negatives < 0:
            raise ConfigError(
                f"loss is '{self.loss}' and negatives {self.negatives}; use one of {', '.join(LOSSES)}, and 0 or more."
            )
        if not (0 <= self.edge_dropout < 1 and 0 <= self.cold_share < 1):
            raise ConfigError("edge_dropout and cold_share must lie between 0 and 1.")


@dataclass(frozen=True, kw_only=True)
class LightGcnConfig(GraphConfig):
    """Settings of `lightgcn`."""


@dataclass(frozen=True, kw_only=True)
class GcnConfig(GraphConfig):
    """Settings of `gcn`."""


@dataclass(frozen=True, kw_only=True)
class GraphSageConfig(GraphConfig):
    """Settings of `graphsage`."""


@dataclass(frozen=True, kw_only=True)
class GatConfig(GraphConfig):
    """Settings of `gat`."""

    epochs: int = field(default=20, metadata={"help": "passes over the training data"})
    heads: int = field(default=2, metadata={"help": "attention heads; they divide the width"})

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("heads", self.heads)
        if self.width % self.heads:
            raise ConfigError(f"heads is {self.heads}, but must divide the width {self.width}. Use heads=1.")


class NextInGraph(NextRows):
    """The task of `tuning.epochs`: the item of a row of the interactions, asked from the rows of the user before it."""

    def __init__(
        self, network: Network, config: GraphConfig, data: Interactions, features: scipy.sparse.csr_array, seed: int
    ) -> None:
        super().__init__(data, batch_targets=config.batch_targets, seed=seed, first=False)
        self.network, self.config, self.features = network, config, features
        self.num_users, self.num_items = len(data.user_ids), features.shape[0]
        self.near = graph_of(data.users, data.items, num_users=self.num_users, num_items=self.num_items)
        self.degrees = self.near.degrees[self.num_users :]
        owners = np.repeat(np.arange(len(self.near.degrees)), np.diff(self.near.weight.indptr))
        ends = np.stack([owners, self.near.weight.indices])
        # Both directions of an edge have one number, so they are left out together.
        self._pairs, self._edge = np.unique(self._pair(ends.min(axis=0), ends.max(axis=0)), return_inverse=True)
        self._items_of_edges = ends.max(axis=0) - self.num_users

    @property
    def key(self) -> str:
        """What a kept state belongs to."""
        return repr((self.network.kind, asdict(self.config), self.seed, self.num_items, self.digest(self.features)))

    def backward(self, batch: IntArray, mean_size: float) -> float:
        """Gradients of the batch; the sum over targets (nats)."""
        known, near = self._shown(batch)
        states = self.network.nodes(self.network.inputs(self.features, known), near, self.num_users)
        asked = queries_of(recency_rows(self.histories(batch), decay=self.config.decay, num_items=self.num_items), self.degrees)
        nats = self._nats(self.network.queries(states, asked), self.network.final(states), torch.from_numpy(self.data.items[batch]))
        (nats / mean_size).backward()  # type: ignore[no-untyped-call]
        return float(nats.detach())

    def _nats(self, asked: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        if self.config.loss == "bpr":
            return pair_nats(asked, table, targets, torch.randint(self.num_items, (len(asked), max(1, self.config.negatives))))
        if not 0 < self.config.negatives < self.num_items:
            return softmax_nats(asked, table, targets)
        drawn = torch.randint(self.num_items, (self.config.negatives,))
        return sampled_softmax_nats(asked, table, targets, drawn, torch.full((len(drawn),), len(drawn) / self.num_items))

    def _shown(self, batch: IntArray) -> tuple[Tensor, Neighbours]:
        """Items that show their own vector, bool [num_items], and the graph of a step: without the answers, and thinned."""
        met = torch.from_numpy(self.degrees > 0)
        cold = torch.rand(self.num_items) < (self.config.cold_share if self.features.shape[1] else 0.0)
        kept = torch.rand(len(self._pairs)).numpy() >= self.config.edge_dropout
        answers = self._pair(self.data.users[batch], self.num_users + self.data.items[batch])
        kept[np.searchsorted(self._pairs, answers)] = False
        edges: NDArray[np.bool_] = kept[self._edge] & ~cold.numpy()[self._items_of_edges]
        return met & ~cold, self.near.thinned(edges, share=1.0 - self.config.edge_dropout)

    def _pair(self, users: IntArray, items: IntArray) -> IntArray:
        return np.asarray(users * (self.num_users + self.num_items) + items, dtype=np.int64)
