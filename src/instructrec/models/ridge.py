"""Ridge regression from the recency-weighted history to the next item: a strong memory that is fitted in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ConfigError
from instructrec.models import memory
from instructrec.models.head_and_tail import Head, head_of, parts_bytes, weights_in_parts
from instructrec.models.histories import FIT_FLOOR, gram, pair_sums, recency_rows
from instructrec.models.known import check_decay, check_positive
from instructrec.models.memory import LinearMemory, Weights, add_to_diagonal, dense_bytes, solver_dtype
from instructrec.models.neighbours import pair_blocks
from instructrec.tables import Dataset, FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeConfig:
    """Settings of `ridge`, chosen by `python -m benchmarks.tune_memory --data ml-100k`.

    Grid: decay .75-.9, penalty 100-2000, backward 0, .5, 1; NDCG@10 on four validation steps .1308 (forward only: .1239). Reading
    fully backward gives .1316, less than the noise, and takes the direction of time from data whose order is real: on
    MovieLens-1M forward only is best.
    """

    decay: float = field(default=0.85, metadata={"help": "Weight of a history item relative to the one after it, below 1."})
    penalty: float = field(default=300.0, metadata={"help": "Ridge penalty; larger trusts rare items less."})
    backward: float = field(
        default=0.5,
        metadata={"help": "Weight of histories read backward, 0 to 1; 0 where the order of items is exact."},
    )

    def __post_init__(self) -> None:
        check_decay(self.decay, one_allowed=False)
        check_positive("penalty", self.penalty)
        if not 0.0 <= self.backward <= 1.0:
            raise ConfigError(f"backward is {self.backward}, but must lie between 0 (forward only) and 1 (both ways alike).")


class Ridge(LinearMemory):
    """B = (X'X + penalty I)^-1 X'Y: one row of X per next-item target, the recency-weighted history before it."""

    name: ClassVar[str] = "ridge"
    config_type = RidgeConfig

    def __init__(self, config: RidgeConfig | None = None) -> None:
        super().__init__()
        self.config = config or RidgeConfig()

    @property
    def decay(self) -> float:
        """Weight of a history item relative to the one after it."""
        return float(self.config.decay)

    def learn(self, users: IntArray, items: IntArray, *, num_items: int) -> Weights:
        """Solve the normal equations by Cholesky; above `memory.MAX_DENSE_ITEMS` items in parts (`head_and_tail`)."""
        if not num_items:
            return np.zeros((0, 0), dtype=np.float32)
        if num_items > memory.MAX_DENSE_ITEMS:
            return self._in_parts(users, items, num_items=num_items)
        system, targets = self._equations(users, items, num_items=num_items)
        return _solved(system, targets)

    def bytes_needed(self, dataset: Dataset) -> int:
        """Square matrices over the items, or those of the head and a block of pairs."""
        interactions = dataset.interactions
        num_items = len(np.unique(interactions.items))
        if num_items > memory.MAX_DENSE_ITEMS:
            return parts_bytes(interactions, solver_matrices=6)
        # System and targets, those of the histories read backward, and temporaries while these are added.
        return dense_bytes(num_items, solver_matrices=5 if self.config.backward else 3) + 64 * len(interactions)

    def _equations(
        self, users: IntArray, items: IntArray, *, num_items: int, head: Head | None = None
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The normal equations of histories read forward and, as far as they count, backward; the penalty is on the diagonal."""
        system, targets = normal_equations(users, items, num_items=num_items, decay=self.decay, head=head)
        if self.config.backward:
            # Last user first, so that the reversed rows are sorted by user again.
            mirrored = normal_equations(users[-1] - users[::-1], items[::-1], num_items=num_items, decay=self.decay, head=head)
            system += self.config.backward * mirrored[0]
            targets += self.config.backward * mirrored[1]
        add_to_diagonal(system, self.config.penalty)
        return system, targets

    def _in_parts(self, users: IntArray, items: IntArray, *, num_items: int) -> csr_array:
        """The weights of a catalog of any size: see `head_and_tail`."""
        head, back = head_of(items, num_items), self.config.backward
        # Read backward, what came second comes first.
        blocks = (
            (rows, first + back * second, second + back * first)
            for rows, first, second in pair_blocks(users, items, num_items=num_items, nearness=self.decay)
            if second is not None
        )
        system, targets = self._equations(users, items, num_items=len(head), head=head)
        exact = _solved(system.copy(), targets)
        squares = _squares(users, items, num_items=num_items, decay=self.decay, backward=back) + self.config.penalty
        return weights_in_parts(blocks, head=head, system=system, exact=exact, squares=squares)


def _solved(system: NDArray[Any], targets: NDArray[Any]) -> FloatArray:
    """system^-1 targets by Cholesky, float32; both are overwritten."""
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, targets, overwrite_b=True, check_finite=False), dtype=np.float32)


def _squares(users: IntArray, items: IntArray, *, num_items: int, decay: float, backward: float) -> NDArray[np.float64]:
    """Diagonal of X'X without repeats: a row k steps before the end of its history is in k of the rows of X, ever lighter."""
    ends = np.searchsorted(users, users, side="right") - 1 - np.arange(len(items))
    starts = np.arange(len(items)) - np.searchsorted(users, users, side="left")
    values = (1.0 - decay ** (2.0 * ends)) + backward * (1.0 - decay ** (2.0 * starts))
    return np.bincount(items, values / (1.0 - decay**2), minlength=num_items).astype(np.float64)


def normal_equations(
    users: IntArray, items: IntArray, *, num_items: int, decay: float, head: Head | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """X'X and X'Y of all items, or of those of the head, both [num_items, num_items], without ever building X.

    The history before row t + 1 is x_t = decay x_{t-1} + r_t e_t, where e_t marks the item of row t and r_t = 1 unless the item
    is a repeat (then r_t lifts its weight back to 1). Multiplying out and summing over all rows gives

        (1 - decay^2) X'X = near - ends

    with `near` of `pair_sums` and `ends` the sum over users of the outer product of their full history with itself. So the
    only large sum is over pairs of items at most a few dozen rows apart, and X'Y is the other half of the same sum.
    """
    places = None if head is None else head.places
    dtype = solver_dtype(num_items)
    system, targets = pair_sums(users, items, num_items=num_items, decay=decay, dtype=dtype, places=places)
    histories = np.split(items, np.flatnonzero(np.diff(users)) + 1)
    ends = recency_rows(histories, decay=decay, num_items=num_items if head is None else len(head.places), floor=FIT_FLOOR)
    system -= gram(ends if head is None else ends[:, head.items], dtype=system.dtype.type)
    system /= 1.0 - decay**2
    return system, targets
