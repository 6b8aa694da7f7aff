"""All item codes as one trie in flat arrays, and which of its branches a request may enter.

The trie of a catalog never changes with a request. Items are sorted by their codes, so the items below a node are one span
[low, high) of that order; from the running count of a request's allowed items in the same order, a node is open when the count at
its end exceeds the count at its start. Any set of allowed items therefore costs one pass over the catalog, and a decoding step
copies one run of tokens and one run of flags a beam, however many or few items are left (the CSR layout follows STATIC,
arXiv 2602.22647).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from instructrec.errors import ModelError
from instructrec.generation.codes import CodeTable
from instructrec.tables import BoolArray, IntArray

ROOT = 0
_TENSORS = ("first_child", "num_children", "tokens", "low", "high", "order")


@dataclass(frozen=True, slots=True, kw_only=True)
class Branches:
    """Where beams may go next. [batch, beams, most_children]: `tokens` int64, and bool which of them `exist` (a node with fewer
    branches has places left over) and which are `open`: they lead to an allowed item. `first` int64 [batch, beams]: the node of
    the first branch; the others follow it.
    """

    first: Tensor
    tokens: Tensor
    exist: Tensor
    open: Tensor


@dataclass(frozen=True, kw_only=True)
class Trie:
    """Nodes level by level, so that the children of a node are neighbours; node 0 is the root. All int64.

    For each node: `first_child`, `num_children`, `tokens` (the token that leads to it), and the span [`low`, `high`) of `order`
    below it. `order` [num_items]: item codes sorted by their tokens. `most_children`: the largest number of branches of a node, by
    depth; as many empty nodes as its largest entry stand at the end, so that a step may read that many from any node on.
    `offsets`: the first node of each depth, then the number of nodes.
    """

    first_child: Tensor
    num_children: Tensor
    tokens: Tensor
    low: Tensor
    high: Tensor
    order: Tensor
    most_children: tuple[int, ...]
    offsets: tuple[int, ...]

    @staticmethod
    def build(codes: CodeTable) -> Trie:
        """Sort the codes and number their distinct prefixes, level by level: seconds for a million items."""
        table = codes.tokens
        order = np.lexsort(table.T[::-1]) if len(table) else np.zeros(0, dtype=np.int64)
        rows = table[order]
        levels = [_Level.root(len(rows))]
        for depth in range(int((table >= 0).any(axis=0).sum())):
            levels.append(levels[-1].below(rows, depth))
        return _flatten(levels, order.astype(np.int64))

    def to(self, device: torch.device | str) -> Trie:
        """The same trie on another device."""
        moved = {name: getattr(self, name).to(device) for name in _TENSORS}
        return Trie(**moved, most_children=self.most_children, offsets=self.offsets)

    def allow(self, masks: BoolArray | Tensor) -> Tensor:
        """The nodes that requests may enter, bool [batch, num_nodes], from masks bool [batch, num_items] over item codes."""
        masks = torch.as_tensor(masks, device=self.order.device)
        if masks.ndim != 2 or masks.shape[1] != len(self.order):
            raise ModelError(
                f"Allowed items came as {tuple(masks.shape)}, but must be [batch, {len(self.order)}]: one flag an item."
            )
        counts = torch.zeros(len(masks), masks.shape[1] + 1, dtype=torch.int32, device=masks.device)
        torch.cumsum(masks[:, self.order], dim=1, dtype=torch.int32, out=counts[:, 1:])
        return counts.index_select(1, self.high) > counts.index_select(1, self.low)

    def branches(self, nodes: Tensor, allowed: Tensor, *, depth: int) -> Branches:
        """The children of `nodes` int64 [batch, beams], all at `depth` or ended, and which of them lead to an allowed item."""
        most = self.most_children[depth]
        flat = nodes.flatten()
        first, shape = self.first_child.index_select(0, flat), (*nodes.shape, most)
        # Branches of a node are neighbours: a window is copied as one run, several times faster than picking its elements.
        tokens = self.tokens.unfold(0, most, 1).index_select(0, first)
        counts = self.num_children.index_select(0, flat)
        exist = _leading(max(self.most_children), most, nodes.device).index_select(0, counts)
        starts = _row_starts(*allowed.shape, nodes.shape[1], nodes.device)
        flags = allowed.flatten().unfold(0, most, 1).index_select(0, first + starts)
        return Branches(
            first=first.view_as(nodes), tokens=tokens.view(shape), exist=exist.view(shape), open=(flags & exist).view(shape)
        )

    def children(self, nodes: Tensor, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens int64 [num_nodes, most] of the branches of nodes of any depth, and which of the places hold one, bool.

        With `allowed` bool [num_nodes, all nodes] (rows of `allow`) only those that may be entered are held to be there.
        """
        place = torch.arange(max(int(self.num_children[nodes].max()), 1) if len(nodes) else 1, device=nodes.device)
        found = self.first_child[nodes][:, None] + place
        exist = place < self.num_children[nodes][:, None]
        if allowed is not None:
            exist = exist & allowed.gather(1, found)
        return self.tokens.index_select(0, found.flatten()).view_as(found), exist

    def paths(self, codes: CodeTable) -> IntArray:
        """The nodes at which each token of each code is chosen, int64 [num_items, longest]; 0 behind the end of a code."""
        place = np.empty(len(codes), dtype=np.int64)
        place[self.order.numpy()] = np.arange(len(codes))
        out = np.zeros_like(codes.tokens)
        for depth in range(1, len(self.most_children) - 1):
            start, stop = self.offsets[depth], self.offsets[depth + 1]
            found = start + np.searchsorted(self.low[start:stop].numpy(), place, side="right") - 1
            out[:, depth] = np.where(codes.tokens[:, depth] >= 0, found, 0)
        return out

    def ended(self, nodes: Tensor) -> Tensor:
        """Which nodes are whole codes, bool, the shape of `nodes`."""
        return self.num_children[nodes] == 0

    def items(self, nodes: Tensor) -> Tensor:
        """Item codes of nodes that are whole codes, int64, the shape of `nodes`."""
        return self.order[self.low[nodes].clamp(max=max(len(self.order) - 1, 0))]


@lru_cache(maxsize=32)
def _leading(rows: int, width: int, device: torch.device) -> Tensor:
    """Row n of [rows + 1, width] says yes n times, then no. The same for every step, so it is made once."""
    return torch.ones(rows + 1, width, dtype=torch.bool, device=device).tril_(-1)


@lru_cache(maxsize=32)
def _row_starts(batch: int, width: int, beams: int, device: torch.device) -> Tensor:
    """Where the row of each beam begins in a flat [batch, width], int64 [batch * beams]."""
    return torch.arange(0, batch * width, width, device=device).repeat_interleave(beams)


@dataclass(frozen=True, slots=True)
class _Level:
    """The nodes of one depth: their token, span of sorted rows, and parent's place in the level above."""

    tokens: IntArray
    low: IntArray
    high: IntArray
    parents: IntArray

    @staticmethod
    def root(num_items: int) -> _Level:
        zero = np.zeros(1, dtype=np.int64)
        return _Level(zero, zero, zero + num_items, zero)

    def below(self, rows: IntArray, depth: int) -> _Level:
        """Distinct tokens at `depth` within each node; rows whose code has ended there have no child."""
        lengths = self.high - self.low
        owner = np.repeat(np.arange(len(lengths)), lengths)
        covered = np.arange(len(owner)) + np.repeat(self.low - np.cumsum(lengths) + lengths, lengths)
        column = rows[covered, depth]
        going = column >= 0
        owner, covered, column = owner[going], covered[going], column[going]
        if not len(column):
            empty = np.zeros(0, dtype=np.int64)
            return _Level(empty, empty, empty, empty)
        starts = np.flatnonzero(np.concatenate([[True], (np.diff(owner) != 0) | (np.diff(column) != 0)]))
        ends = np.concatenate([starts[1:], [len(column)]])
        return _Level(column[starts], covered[starts], covered[ends - 1] + 1, owner[starts])


def _flatten(levels: list[_Level], order: IntArray) -> Trie:
    sizes = [len(level.tokens) for level in levels]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    first, number = np.zeros(offsets[-1], dtype=np.int64), np.zeros(offsets[-1], dtype=np.int64)
    for depth, level in enumerate(levels[1:], start=1):
        parents, starts, counts = np.unique(level.parents, return_index=True, return_counts=True)
        first[offsets[depth - 1] + parents] = offsets[depth] + starts
        number[offsets[depth - 1] + parents] = counts
    most = tuple(int(number[start:stop].max(initial=0)) for start, stop in zip(offsets[:-1], offsets[1:], strict=True))
    columns = {name: np.concatenate([getattr(level, name) for level in levels]) for name in ("tokens", "low", "high")}
    columns |= {"first_child": first, "num_children": number}
    columns = {name: np.pad(column, (0, max(most))) for name, column in columns.items()} | {"order": order}
    tensors = {name: torch.from_numpy(columns[name]) for name in _TENSORS}
    return Trie(**tensors, most_children=most, offsets=tuple(int(start) for start in offsets))
