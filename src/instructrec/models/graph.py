"""`lightgcn`, `gcn`, `graphsage` and `gat`: layers over the graph of who met what, for people whom no training has seen.

Published, these models learn a vector for every user. Here no user has one: all start alike, and a query is a node that joins the
training graph with an edge to each item of its history. So a click counts at once, a stranger is served as anybody, and a
query with the history of a training user gets the very state of that user's node (for LightGCN: its published equations with
the vectors of users at one common start). Training asks the same way: what came next after the first items of a history, with
the edges of the answers taken out of the graph.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from instructrec.core import Query
from instructrec.models.graph_network import Network, queries_of
from instructrec.models.graph_task import GatConfig, GcnConfig, GraphConfig, GraphSageConfig, LightGcnConfig, NextInGraph
from instructrec.models.histories import recency_rows
from instructrec.models.item_features import ItemFeatures
from instructrec.models.next_rows import RowTrained
from instructrec.models.storage import read_model, write_model
from instructrec.tables import Catalog, Dataset, FloatArray, Interactions

QUERIES_AT_ONCE = 512


class GraphRecommender(RowTrained[Network]):
    """Score = state of the query . state of the item.

    Items that training never met have no edges: what their attributes and words say is their state, and where nothing is said of
    them (or `features` is off) they get the lowest score of the row. People without a history that says anything: log popularity.
    """

    config_type: ClassVar[type[GraphConfig]]
    config: GraphConfig

    def _begin(self, data: Interactions, features: scipy.sparse.csr_array, seed: int) -> NextInGraph:
        self._network = Network(self.name, len(self.catalog), self._features.width, self.config)
        return NextInGraph(self._network, self.config, data, features, seed)

    def bytes_needed(self, dataset: Dataset) -> int:
        """Weights with their moments, states and gradients of every layer, edges, and the logits of a step."""
        config, num_edges = self.config, len(dataset.interactions)
        num_items, nodes = len(dataset.catalog), len(dataset.catalog) + len(dataset.interactions.user_ids)
        drawn = config.negatives or num_items
        state = 4 * config.width
        attention = num_edges * state if self.name == "gat" else 0
        return int(
            5 * state * num_items
            + 4 * state * (nodes + config.batch_targets) * (config.layers + 1)
            + 2 * (60 * num_edges + 3 * attention)
            + 3 * 4 * config.batch_targets * drawn
        )

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Logits float32 [num_queries, num_items]."""
        network = self._ready()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = queries[first : first + QUERIES_AT_ONCE]
            histories = [self._informing(query) for query in some]
            rows = recency_rows(histories, decay=self.config.decay, num_items=len(self.catalog))
            with torch.inference_mode():
                asked = network.queries(self._states, queries_of(rows, self._degrees))
                scores = (asked @ network.final(self._states).T).numpy()
            if self._informs.any():
                scores[:, ~self._informs] = scores[:, self._informs].min(axis=1, keepdims=True)
            scores[[row for row, history in enumerate(histories) if not len(history)]] = np.log1p(self._degrees)
            out[first : first + len(some)] = scores
        return out

    def item_vectors(self) -> FloatArray | None:
        """Final states of the items."""
        with torch.inference_mode():
            return np.asarray(self._ready().final(self._states).numpy(), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write weights, states of the items by layer, their degrees, the vocabulary of features, and the curve."""
        arrays = {f"w.{name}": value.numpy() for name, value in self._ready().state_dict().items()}
        arrays |= {f"states.{layer}": state.numpy() for layer, state in enumerate(self._states)}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays | {"degrees": self._degrees})
        self._features.save(folder)
        (folder / "curve.json").write_text(json.dumps(self.curve), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote. Items added at the end of the catalog since are nodes without edges, described by features."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        self = cls(config)
        self.catalog, self.curve = catalog, json.loads((folder / "curve.json").read_text(encoding="utf-8"))
        self._features = ItemFeatures.load(folder)
        network = Network(cls.name, num_items, self._features.width, config).eval()
        network.load_state_dict({name[2:]: torch.from_numpy(value) for name, value in arrays.items() if name.startswith("w.")})
        self._network = network
        features = self._features.encode(catalog)
        with torch.inference_mode():
            new = network.alone(network.described(features[num_items:]))
            states = [torch.cat([torch.from_numpy(arrays[f"states.{layer}"]), own]) for layer, own in enumerate(new)]
        self._take(np.concatenate([arrays["degrees"], np.zeros(len(new[0]), dtype=np.float32)]), states, features)
        return self

    def _settle(self, task: NextInGraph) -> None:
        """Keep the states of the items in the whole graph."""
        network = self._ready().eval()
        with torch.inference_mode():
            first = network.inputs(task.features, torch.from_numpy(task.degrees > 0))
            states = network.nodes(first, task.near, task.num_users)
        self._take(task.degrees, states, task.features)

    def _take(self, degrees: FloatArray, states: list[Tensor], features: scipy.sparse.csr_array) -> None:
        self._degrees, self._states = degrees, states
        self._informs = (degrees > 0) | (np.diff(features.indptr) > 0)


class LightGcn(GraphRecommender):
    """LightGCN (He et al. 2020): nothing but sums over the graph, and the mean over the layers."""

    name: ClassVar[str] = "lightgcn"
    config_type = LightGcnConfig


class Gcn(GraphRecommender):
    """The graph convolution of Kipf and Welling (2017): sums that hold the node itself, a map and a nonlinearity."""

    name: ClassVar[str] = "gcn"
    config_type = GcnConfig


class GraphSage(GraphRecommender):
    """GraphSAGE with the mean (Hamilton et al. 2017): the neighbours and the node itself have maps of their own."""

    name: ClassVar[str] = "graphsage"
    config_type = GraphSageConfig


class Gat(GraphRecommender):
    """GAT (Velickovic et al. 2018): attention says how much each neighbour counts."""

    name: ClassVar[str] = "gat"
    config_type = GatConfig
