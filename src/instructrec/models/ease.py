"""EASE, the closed-form linear autoencoder over who met what, and a variant that minds how near and how recent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ModelError
from instructrec.models import memory
from instructrec.models.head_and_tail import Head, head_of, parts_bytes, weights_in_parts
from instructrec.models.histories import gram, pair_sums, recency_rows
from instructrec.models.known import check_decay, check_positive
from instructrec.models.memory import LinearMemory, Weights, add_to_diagonal, dense_bytes, solver_dtype
from instructrec.models.neighbours import pair_blocks
from instructrec.tables import Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True)
class EaseConfig:
    """Settings of `ease`, chosen by `python -m benchmarks.tune_memory --data ml-100k`.

    Grid: penalty 30-1000; NDCG@10 on four validation steps .0844.
    """

    penalty: float = field(default=100.0, metadata={"help": "Ridge penalty; larger trusts rare items less."})

    def __post_init__(self) -> None:
        check_positive("penalty", self.penalty)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecencyEaseConfig:
    """Settings of `recency_ease`, chosen by `python -m benchmarks.tune_memory --data ml-100k`.

    Grid: nearness .8-1, decay .7-.9, penalty 100-1000; NDCG@10 on four validation steps .1338 (with nearness 1: .1257).
    """

    penalty: float = field(default=300.0, metadata={"help": "Ridge penalty; larger trusts rare items less."})
    decay: float = field(default=0.85, metadata={"help": "Weight of a history item relative to the one after it, at most 1."})
    nearness: float = field(
        default=0.95,
        metadata={"help": "Weight of a pair of items per step between them, at most 1; 1 counts people, whatever the distance."},
    )

    def __post_init__(self) -> None:
        check_positive("penalty", self.penalty)
        check_decay(self.nearness, name="nearness")
        check_decay(self.decay)


class Ease(LinearMemory):
    """Each item of a history is predicted from the others; the order of the history plays no part."""

    name: ClassVar[str] = "ease"
    config_type = EaseConfig

    def __init__(self, config: EaseConfig | None = None) -> None:
        super().__init__()
        self.config = config or EaseConfig()

    @property
    def decay(self) -> float:
        """Every history item counts alike."""
        return 1.0

    def learn(self, users: IntArray, items: IntArray, *, num_items: int) -> Weights:
        """The closed form of EASE; above `memory.MAX_DENSE_ITEMS` items in parts (`head_and_tail`)."""
        return _weights(users, items, num_items=num_items, penalty=self.config.penalty, nearness=1.0)

    def bytes_needed(self, dataset: Dataset) -> int:
        """Square matrices over the items, or those of the head and a block of pairs."""
        return _bytes(dataset)


class RecencyEase(LinearMemory):
    """EASE over pairs that count more the nearer they stand in a history, asked with a history whose older items count less."""

    name: ClassVar[str] = "recency_ease"
    config_type = RecencyEaseConfig

    def __init__(self, config: RecencyEaseConfig | None = None) -> None:
        super().__init__()
        self.config = config or RecencyEaseConfig()

    @property
    def decay(self) -> float:
        """Weight of a history item relative to the one after it."""
        return float(self.config.decay)

    def learn(self, users: IntArray, items: IntArray, *, num_items: int) -> Weights:
        """The closed form of EASE; above `memory.MAX_DENSE_ITEMS` items in parts (`head_and_tail`)."""
        return _weights(users, items, num_items=num_items, penalty=self.config.penalty, nearness=self.config.nearness)

    def bytes_needed(self, dataset: Dataset) -> int:
        """Square matrices over the items, or those of the head and a block of pairs."""
        return _bytes(dataset)


def ease_weights(users: IntArray, items: IntArray, *, num_items: int, penalty: float, nearness: float = 1.0) -> FloatArray:
    """B = I - P diag(P)^-1 with P = (G + penalty I)^-1; float32 [num_items, num_items], zero diagonal: no item predicts itself.

    With nearness 1, G = X'X for the 0/1 user-item matrix X. Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse
    Data", 2019, equation 8. Below 1 each pair of a history counts nearness**(steps between): the same regression, in which an
    item is predicted from its surroundings rather than from the whole history.
    """
    if not num_items:
        return np.zeros((0, 0), dtype=np.float32)
    return _solved(_system(users, items, num_items=num_items, penalty=penalty, nearness=nearness))


def ease_in_parts(users: IntArray, items: IntArray, *, num_items: int, penalty: float, nearness: float = 1.0) -> csr_array:
    """`ease_weights` for a catalog of any size, float32 CSR [num_items, num_items]: see `head_and_tail`."""
    head = head_of(items, num_items)
    # Neighbours count pairs one step apart fully, this regression `nearness` times.
    blocks = (
        (rows, both := nearness * (first if second is None else first + second), both)
        for rows, first, second in pair_blocks(users, items, num_items=num_items, nearness=nearness)
    )
    system = _system(users, items, num_items=len(head), penalty=penalty, nearness=nearness, head=head)
    squares = (np.bincount(items, minlength=num_items) + penalty).astype(np.float64)
    exact = _solved(system.copy())
    return weights_in_parts(blocks, head=head, system=system, exact=exact, squares=squares)


def _weights(users: IntArray, items: IntArray, *, num_items: int, penalty: float, nearness: float) -> Weights:
    make = ease_weights if num_items <= memory.MAX_DENSE_ITEMS else ease_in_parts
    return make(users, items, num_items=num_items, penalty=penalty, nearness=nearness)


def _bytes(dataset: Dataset) -> int:
    interactions = dataset.interactions
    num_items = len(np.unique(interactions.items))
    if num_items > memory.MAX_DENSE_ITEMS:
        return parts_bytes(interactions, solver_matrices=4)
    # The system, which becomes its factor and its inverse, the inverse with both halves, and a temporary of the same size.
    return dense_bytes(num_items, solver_matrices=3) + 64 * len(interactions)


def _system(
    users: IntArray, items: IntArray, *, num_items: int, penalty: float, nearness: float, head: Head | None = None
) -> NDArray[Any]:
    """G + penalty I of all items, or of those of the head, [num_items, num_items]."""
    dtype = solver_dtype(num_items)
    if nearness == 1.0:
        histories = np.split(items, np.flatnonzero(np.diff(users)) + 1)
        rows = recency_rows(histories, decay=1.0, num_items=num_items if head is None else len(head.places))
        system = gram(rows if head is None else rows[:, head.items], dtype=dtype)
    else:
        places = None if head is None else head.places
        system, _ = pair_sums(users, items, num_items=num_items, decay=nearness, dtype=dtype, places=places)
    add_to_diagonal(system, penalty)
    return system


def _solved(system: NDArray[Any]) -> FloatArray:
    """The weights of EASE from G + penalty I, which is overwritten."""
    inverse = _inverse(system)
    weights = np.asarray(inverse / -np.diag(inverse), dtype=np.float32)
    np.fill_diagonal(weights, 0.0)
    return weights


def _inverse(system: NDArray[Any]) -> NDArray[Any]:
    """Inverse of a symmetric positive definite matrix by Cholesky: half the work of a general inverse. Overwrites `system`."""
    from scipy.linalg import get_lapack_funcs

    factorise, invert = get_lapack_funcs(("potrf", "potri"), (system,))
    # LAPACK is column-major: the transpose of a symmetric row-major matrix is itself, and needs no copy.
    factor, failed = factorise(system.T, lower=True, overwrite_a=True, clean=True)
    if failed:
        raise ModelError(f"The system of items is not positive definite (LAPACK says {failed}). Use a larger penalty.")
    half, _ = invert(factor, lower=True, overwrite_c=True)
    # Only the lower triangle is filled; the upper one is zero.
    full: NDArray[Any] = half + half.T
    add_to_diagonal(full, -np.diag(half))
    return full
