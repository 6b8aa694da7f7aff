"""Which items are met by the same people, a block of rows at a time, so that memory is bounded whatever the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from instructrec.models.histories import alive_until, reach, recency_rows
from instructrec.tables import FloatArray, IntArray, Interactions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PAIR_FLOOR = 1e-3
"""Pairs lighter than this are not counted."""

_CELLS_AT_ONCE = 2**25
"""Cells of the square of items that are added up at once: 128 MiB for either order."""


def co_occurrence(users: IntArray, items: IntArray, *, num_items: int, nearness: float) -> csr_array:
    """How often two different items are met by one person, float32 CSR [num_items, num_items], symmetric.

    With nearness 1 every person counts once; below 1 a pair counts nearness**(steps between - 1), both orders alike.
    """
    from scipy.sparse import csr_array, vstack

    blocks = [block for _, block in together(users, items, num_items=num_items, nearness=nearness)]
    return csr_array(vstack(blocks, format="csr")) if blocks else csr_array((num_items, num_items), dtype=np.float32)


def together(
    users: IntArray, items: IntArray, *, num_items: int, nearness: float, values: FloatArray | None = None
) -> Iterator[tuple[slice, csr_array]]:
    """Blocks of rows of `co_occurrence`, in their order, each with the items it is of.

    `values`: a number an interaction; a pair counts for the product of both, times its weight.
    """
    from scipy.sparse import csr_array

    for rows, leading, following in pair_blocks(users, items, num_items=num_items, nearness=nearness, values=values):
        yield rows, without_diagonal(leading if following is None else csr_array(leading + following), rows.start)


def pair_blocks(
    users: IntArray, items: IntArray, *, num_items: int, nearness: float, values: FloatArray | None = None
) -> Iterator[tuple[slice, csr_array, csr_array | None]]:
    """Blocks of rows: the items, sums over pairs in which they come first, and in which they come second.

    With nearness 1, which knows no order, all is in the first of both sums, and the second is None.
    """
    from scipy.sparse import csr_array

    ranges = _blocks(num_items)
    if nearness == 1.0:
        people = _people_who_met(users, items, num_items, values)
        by_item = csr_array(people.T)
        yield from ((rows, csr_array(by_item[rows] @ people), None) for rows in ranges)
        return
    pairs = _Pairs(users, items, nearness, values)
    yield from ((rows, *pairs.block(rows, num_items)) for rows in ranges)


def nearest(block: csr_array, neighbours: int) -> csr_array:
    """The largest values above 0 of each row, ties by column; float32 CSR with sorted columns."""
    from scipy.sparse import csr_array

    block.sort_indices()
    kept = block.data > 0
    for row in np.flatnonzero(np.diff(block.indptr) > neighbours):
        cells = slice(block.indptr[row], block.indptr[row + 1])
        values = block.data[cells]
        least = np.partition(values, len(values) - neighbours)[len(values) - neighbours]
        above, equal = values > least, np.flatnonzero(values == least)
        above[equal[: neighbours - int(above.sum())]] = True
        kept[cells] &= above
    starts = np.concatenate([[0], np.cumsum(kept)])[block.indptr]
    return csr_array((block.data[kept], block.indices[kept], starts), shape=block.shape)


def pair_bytes(interactions: Interactions, *, neighbours: int) -> int:
    """Peak bytes of `together` and `nearest`: columns of interactions (80 bytes each), a block of pairs (24 a cell), and the
    kept neighbours twice, in blocks and put together (8 bytes each).
    """
    num_items = len(np.unique(interactions.items))
    cells = min(num_items**2, max(num_items, _CELLS_AT_ONCE))
    return 80 * len(interactions) + 24 * cells + 2 * 8 * num_items * min(neighbours, num_items)


class _Pairs:
    """Pairs of interactions of one person by the item of either, one lag at a time."""

    def __init__(self, users: IntArray, items: IntArray, nearness: float, values: FloatArray | None) -> None:
        self.items, self.nearness, self.values = items, nearness, values
        self.last = alive_until(users, items)
        self.steps = np.arange(len(items)) - np.searchsorted(users, users, side="left")
        self.order = np.argsort(items, kind="stable")
        self.sorted = items[self.order]

    def block(self, rows: slice, num_items: int) -> tuple[csr_array, csr_array]:
        """Sums of either order for the items `rows`; lag after lag, so blocks of any size give equal bits."""
        first, end = np.searchsorted(self.sorted, [rows.start, rows.stop])
        own = np.sort(self.order[first:end])
        before, after = np.zeros((2, rows.stop - rows.start, num_items), dtype=np.float32)
        # The row may be the earlier one of a pair (the partner comes after), or the later one.
        leading, trailing = own, own
        for lag in range(1, (reach(self.nearness, PAIR_FLOOR) or len(self.items)) + 1):
            leading = leading[self.last[leading] >= leading + lag]
            trailing = trailing[self.steps[trailing] >= lag]
            met = trailing[self.last[trailing - lag] >= trailing]
            if not len(leading) and not len(trailing):
                break
            weight = self.nearness ** (lag - 1)
            self._add(after, leading, leading + lag, weight, rows.start)
            self._add(before, met, met - lag, weight, rows.start)
        return _sparse(after), _sparse(before)

    def _add(self, total: FloatArray, own: IntArray, other: IntArray, weight: float, start: int) -> None:
        """Add the pairs of one lag to the cells of a block."""
        cells = (self.items[own] - start) * total.shape[1] + self.items[other]
        flat = total.reshape(-1)
        if self.values is not None:
            np.add.at(flat, cells, np.float32(weight) * self.values[own] * self.values[other])
            return
        cells.sort()
        ends = np.append(np.flatnonzero(np.diff(cells)), len(cells) - 1) if len(cells) else cells
        times = np.diff(ends, prepend=-1)
        # One after the other, as a sum of so many equal numbers rounds.
        sums = np.cumsum(np.full(int(times.max(initial=0)), weight, dtype=np.float32), dtype=np.float32)
        flat[cells[ends]] += sums[times - 1]


def _sparse(block: FloatArray) -> csr_array:
    """The cells that are not zero, as float32 CSR with sorted columns."""
    from scipy.sparse import csr_array

    cells = np.flatnonzero(block)
    starts = np.searchsorted(cells, np.arange(block.shape[0] + 1) * block.shape[1])
    return csr_array((block.reshape(-1)[cells], (cells % block.shape[1]).astype(np.int32), starts), shape=block.shape)


def _people_who_met(users: IntArray, items: IntArray, num_items: int, values: FloatArray | None) -> csr_array:
    """Who met what, float32 CSR [num_people, num_items]: 1, or the value of the latest interaction of the two."""
    from scipy.sparse import csr_array

    cuts = np.flatnonzero(np.diff(users)) + 1
    rows = recency_rows(np.split(items, cuts), decay=1.0, num_items=num_items)
    if values is None:
        return rows
    owners = np.searchsorted(np.concatenate([[0], cuts]), np.arange(len(items)), side="right") - 1
    cells = owners * num_items + items
    places, first = np.unique(cells[::-1], return_index=True)
    return csr_array((values[len(items) - 1 - first], (places // num_items, places % num_items)), shape=rows.shape)


def _blocks(num_items: int) -> Iterator[slice]:
    """Ranges of items, in their order, of at most `_CELLS_AT_ONCE` cells, or one item."""
    at_once = max(1, _CELLS_AT_ONCE // max(1, num_items))
    for start in range(0, num_items, at_once):
        yield slice(start, min(start + at_once, num_items))


def without_diagonal(block: csr_array, start: int) -> csr_array:
    """The block of the rows from `start` on without what an item has with itself."""
    from scipy.sparse import csr_array

    other = np.repeat(np.arange(block.shape[0]) + start, np.diff(block.indptr)) != block.indices
    starts = np.concatenate([[0], np.cumsum(other)])[block.indptr]
    return csr_array((block.data[other], block.indices[other], starts), shape=block.shape)
