"""Layers over the graph of users and items: LightGCN, GCN, GraphSAGE (mean) and GAT, and what makes their steps repeatable.

Nodes are users, then items; an edge joins a user and an item that he met. A layer reads the states of sources and gives those of
targets: in the graph both are all nodes, and for a query the sources are the items and the query itself, which hears of its
history while no item hears of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from instructrec.tables import FloatArray, IntArray

if TYPE_CHECKING:
    from instructrec.models.graph_task import GraphConfig

INITIAL = 0.1
"""Standard deviation of item vectors and of the start of users (He et al. 2020 use it)."""
SLOPE = 0.2
"""Slope below zero of the LeakyReLU of attention (Velickovic et al. 2018)."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Who is heard by whom: row = target, columns = its sources, without itself.

    `weight` float32 CSR [num_targets, num_sources]: 1 an edge of the graph, less for older items of a query; `strength` float32
    [num_targets] and `degrees` float32 [num_sources]: what the norms of LightGCN and GCN divide by, the summed weights of a
    target and the number of edges of a source; `itself` int64 [num_targets]: the column of the target among the sources.
    """

    weight: scipy.sparse.csr_array
    strength: FloatArray
    degrees: FloatArray
    itself: IntArray

    def with_itself(self, weight: float = 1.0) -> scipy.sparse.csr_array:
        """The weights with an edge of each target to itself."""
        num_targets, num_sources = self.weight.shape
        places = (np.arange(num_targets), self.itself)
        own = scipy.sparse.coo_array((np.full(num_targets, weight, dtype=np.float32), places), shape=(num_targets, num_sources))
        return scipy.sparse.csr_array(self.weight + own.tocsr(), dtype=np.float32)

    def thinned(self, kept: NDArray[np.bool_], *, share: float) -> Neighbours:
        """Only the stored edges where `kept` is true; the others stand for those left out, of which `share` was kept."""
        starts = np.concatenate([[0], np.cumsum(kept, dtype=np.int64)])[self.weight.indptr]
        values = self.weight.data[kept] / np.float32(share)
        return replace(self, weight=scipy.sparse.csr_array((values, self.weight.indices[kept], starts), shape=self.weight.shape))


class _Product(torch.autograd.Function):
    """matrix @ states for a constant sparse matrix; sums go row by row, so equal inputs give equal bits."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, matrix: scipy.sparse.csr_array) -> Tensor:
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ states.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.matrix.T @ np.ascontiguousarray(gradients[0].numpy())), None


class _Weighted(torch.autograd.Function):
    """Sum over the edges of each row of value * state of the column, with gradients for both; `pattern` is a CSR matrix."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, states: Tensor, pattern: scipy.sparse.csr_array) -> Tensor:
        ctx.save_for_backward(values, states)
        ctx.pattern = pattern
        matrix = scipy.sparse.csr_array((values.detach().numpy(), pattern.indices, pattern.indptr), shape=pattern.shape)
        return torch.from_numpy(matrix @ states.detach().numpy())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        values, states = ctx.saved_tensors
        pattern, gradient = ctx.pattern, np.ascontiguousarray(gradients[0].numpy())
        matrix = scipy.sparse.csr_array((values.numpy(), pattern.indices, pattern.indptr), shape=pattern.shape)
        owners = np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr))
        dots = np.einsum("ed,ed->e", gradient[owners], states.numpy()[pattern.indices])
        return torch.from_numpy(dots), torch.from_numpy(matrix.T @ gradient), None


def product(matrix: scipy.sparse.csr_array, states: Tensor) -> Tensor:
    """A constant sparse matrix times states, float32 [num_rows, width]."""
    found: Tensor = _Product.apply(states, matrix)  # type: ignore[no-untyped-call]
    return found


def weighted(values: Tensor, states: Tensor, pattern: scipy.sparse.csr_array) -> Tensor:
    """The sparse matrix with `values` float32 [num_edges] at the places of `pattern`, times states; both have gradients."""
    found: Tensor = _Weighted.apply(values, states, pattern)  # type: ignore[no-untyped-call]
    return found


class LightLayer(nn.Module):
    """LightGCN (He et al. 2020, arXiv 2002.02126, equation 3): sum of the sources / sqrt(degree of target * degree of source)."""

    def forward(self, sources: Tensor, targets: Tensor, near: Neighbours) -> Tensor:
        """float32 [num_sources, width] and [num_targets, width] to [num_targets, width]."""
        left = scipy.sparse.diags_array(1.0 / np.sqrt(np.maximum(near.strength, 1e-12)), dtype=np.float32)
        right = scipy.sparse.diags_array(1.0 / np.sqrt(np.maximum(near.degrees, 1.0)), dtype=np.float32)
        return product(scipy.sparse.csr_array(left @ near.weight @ right), sources)


class ConvolutionLayer(nn.Module):
    """GCN (Kipf and Welling 2017, arXiv 1609.02907, equation 2): the same sum with each node its own neighbour, then a map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.map = nn.Linear(width, width)

    def forward(self, sources: Tensor, targets: Tensor, near: Neighbours) -> Tensor:
        """float32 [num_sources, width] and [num_targets, width] to [num_targets, width], before the nonlinearity."""
        left = scipy.sparse.diags_array(1.0 / np.sqrt(near.strength + 1.0), dtype=np.float32)
        own = torch.from_numpy((1.0 / (near.strength + 1.0)).astype(np.float32))[:, None] * targets
        right = scipy.sparse.diags_array(1.0 / np.sqrt(near.degrees + 1.0), dtype=np.float32)
        mapped: Tensor = self.map(product(scipy.sparse.csr_array(left @ near.weight @ right), sources) + own)
        return mapped


class SampleLayer(nn.Module):
    """GraphSAGE with the mean of the neighbours (Hamilton et al. 2017, arXiv 1706.02216): one map of it, one of the node itself.

    The whole neighbourhood is read, not a sample: graphs that fit in memory need none.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.near, self.own = nn.Linear(width, width), nn.Linear(width, width, bias=False)

    def forward(self, sources: Tensor, targets: Tensor, near: Neighbours) -> Tensor:
        """float32 [num_sources, width] and [num_targets, width] to [num_targets, width], before the nonlinearity."""
        total = np.asarray(near.weight.sum(axis=1)).ravel()
        left = scipy.sparse.diags_array(1.0 / np.maximum(total, 1e-12), dtype=np.float32)
        mapped: Tensor = self.near(product(scipy.sparse.csr_array(left @ near.weight), sources)) + self.own(targets)
        return mapped


class AttentionLayer(nn.Module):
    """GAT (Velickovic et al. 2018, arXiv 1710.10903, equations 1 to 5): a softmax over the neighbours and the node itself.

    An edge that weighs less than 1 has that share of the odds that attention gives it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.map = nn.Linear(width, width, bias=False)
        self.source, self.target = (
            nn.Parameter(torch.empty(heads, width // heads)),
            nn.Parameter(torch.empty(heads, width // heads)),
        )
        self.bias = nn.Parameter(torch.zeros(width))
        for value in (self.source, self.target):
            nn.init.xavier_uniform_(value)

    def attention(self, sources: Tensor, targets: Tensor, near: Neighbours) -> tuple[Tensor, scipy.sparse.csr_array]:
        """Shares float32 [num_edges, heads], which sum to 1 over the edges of a target, and the CSR pattern of these edges."""
        pattern = near.with_itself()
        owners = torch.from_numpy(np.repeat(np.arange(pattern.shape[0]), np.diff(pattern.indptr)))
        columns = torch.from_numpy(pattern.indices.astype(np.int64))
        out, heard = self._each(targets, self.target), self._each(sources, self.source)
        logits = functional.leaky_relu(functional.embedding(columns, heard) + functional.embedding(owners, out), SLOPE)
        logits = logits + torch.from_numpy(np.log(pattern.data))[:, None]
        index = owners[:, None].expand_as(logits)
        top = torch.full((len(targets), self.heads), -torch.inf).scatter_reduce(0, index, logits.detach(), "amax")
        odds = (logits - functional.embedding(owners, top)).exp()
        total = torch.zeros(len(targets), self.heads).index_add(0, owners, odds)
        return odds / functional.embedding(owners, total), pattern

    def forward(self, sources: Tensor, targets: Tensor, near: Neighbours) -> Tensor:
        """float32 [num_sources, width] and [num_targets, width] to [num_targets, width], before the nonlinearity."""
        shares, pattern = self.attention(sources, targets, near)
        mapped = self.map(sources).view(len(sources), *self.source.shape)
        each = [weighted(shares[:, head].contiguous(), mapped[:, head].contiguous(), pattern) for head in range(self.heads)]
        return torch.cat(each, dim=1) + self.bias

    def _each(self, states: Tensor, vectors: Tensor) -> Tensor:
        """What a node adds to the logits of its edges, float32 [num_nodes, heads]."""
        mapped: Tensor = self.map(states)
        return (mapped.view(len(states), *vectors.shape) * vectors).sum(dim=2)


class Network(nn.Module):
    """Item vectors (an own one, and what features say), one start for all users, and the layers.

    `kind`: lightgcn, gcn, graphsage or gat. No user has parameters: what tells users apart is who their neighbours are.
    """

    def __init__(self, kind: str, num_items: int, num_features: int, config: GraphConfig) -> None:
        super().__init__()
        self.kind, self.config = kind, config
        self.items = nn.Embedding(num_items, config.width)
        self.features = nn.Parameter(torch.empty(num_features, config.width))
        self.start = nn.Parameter(torch.empty(config.width))
        self.scale = nn.Parameter(torch.tensor(math.log(config.width) / 2))
        heads = getattr(config, "heads", 1)
        makers: dict[str, Callable[[], nn.Module]] = {
            "lightgcn": LightLayer,
            "gcn": lambda: ConvolutionLayer(config.width),
            "graphsage": lambda: SampleLayer(config.width),
            "gat": lambda: AttentionLayer(config.width, heads),
        }
        self.layers = nn.ModuleList([makers[kind]() for _ in range(config.layers)])
        for value in (self.items.weight, self.features, self.start):
            nn.init.normal_(value, std=INITIAL)

    def described(self, features: scipy.sparse.csr_array) -> Tensor:
        """What features say of items, float32 [num_rows, width]; zeros where they say nothing."""
        return product(features, self.features)

    def inputs(self, features: scipy.sparse.csr_array, known: Tensor) -> Tensor:
        """First states of the items, float32 [num_items, width]: the own vector where `known` (bool), and that of the features."""
        return self.items.weight * known[:, None].float() + self.described(features)

    def advance(self, layer: int, sources: Tensor, targets: Tensor, near: Neighbours) -> Tensor:
        """States of targets after one more layer. Between layers stands ReLU (ELU for attention), behind the last nothing."""
        found: Tensor = self.layers[layer](sources, targets, near)
        if self.kind == "lightgcn" or layer + 1 == len(self.layers):
            return found
        return functional.elu(found) if self.kind == "gat" else functional.relu(found)

    def final(self, states: list[Tensor]) -> Tensor:
        """What is compared: the mean over all layers (LightGCN, equation 4 with equal weights), or the last one."""
        return torch.stack(states).mean(dim=0) if self.kind == "lightgcn" else states[-1]

    def nodes(self, first: Tensor, near: Neighbours, num_users: int) -> list[Tensor]:
        """States of the items after every layer, the first ones included, each float32 [num_items, width]."""
        states = torch.cat([self.start.expand(num_users, -1), first])
        out = [first]
        for layer in range(len(self.layers)):
            states = self.advance(layer, states, states, near)
            out.append(states[num_users:])
        return out

    def alone(self, first: Tensor) -> list[Tensor]:
        """States after every layer of nodes without edges, each float32 [num_nodes, width]."""
        none, size = np.zeros(len(first), dtype=np.float32), len(first)
        pattern = scipy.sparse.csr_array((size, size), dtype=np.float32)
        near = Neighbours(weight=pattern, strength=none, degrees=none, itself=np.arange(size, dtype=np.int64))
        return self.nodes(first, near, 0)

    def queries(self, items: list[Tensor], near: Neighbours) -> Tensor:
        """Final states of queries, float32 [num_queries, width], from item states by layer: scaled, so that they are logits."""
        states = [self.start.expand(near.weight.shape[0], -1)]
        for layer in range(len(self.layers)):
            states.append(self.advance(layer, torch.cat([items[layer], states[-1]]), states[-1], near))
        return self.final(states) * self.scale.exp()


def graph_of(users: IntArray, items: IntArray, *, num_users: int, num_items: int) -> Neighbours:
    """The graph of distinct pairs of codes: nodes 0..num_users-1 are users, the others items; every edge stands in both rows."""
    pairs = np.unique(users * max(num_items, 1) + items)
    left, right = pairs // max(num_items, 1), num_users + pairs % max(num_items, 1)
    num_nodes = num_users + num_items
    entries = (np.ones(2 * len(pairs), dtype=np.float32), (np.concatenate([left, right]), np.concatenate([right, left])))
    weight = scipy.sparse.csr_array(scipy.sparse.coo_array(entries, shape=(num_nodes, num_nodes)))
    weight.sort_indices()
    degrees = np.diff(weight.indptr).astype(np.float32)
    return Neighbours(weight=weight, strength=degrees, degrees=degrees, itself=np.arange(num_nodes, dtype=np.int64))


def queries_of(rows: scipy.sparse.csr_array, degrees: FloatArray) -> Neighbours:
    """Queries as targets: `rows` float32 CSR [num_queries, num_items] of what their history weighs, `degrees` [num_items]."""
    num_queries, num_items = rows.shape
    none = scipy.sparse.csr_array((num_queries, num_queries), dtype=np.float32)
    strength = np.asarray(rows.sum(axis=1), dtype=np.float32).ravel()
    return Neighbours(
        weight=scipy.sparse.csr_array(scipy.sparse.hstack([rows, none], format="csr")),
        strength=strength,
        degrees=np.concatenate([degrees, np.zeros(num_queries, dtype=np.float32)]),
        itself=np.arange(num_items, num_items + num_queries, dtype=np.int64),
    )
