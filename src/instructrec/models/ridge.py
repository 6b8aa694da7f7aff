"""Ridge regression from the recency-weighted history to the next item: a strong memory that is fitted in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ConfigError
from instructrec.models.histories import FIT_FLOOR, gram, pair_sums, recency_rows
from instructrec.models.memory import LinearMemory, add_to_diagonal, check_decay, check_positive, check_size, solver_dtype
from instructrec.tables import FloatArray, IntArray


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

    def learn(self, users: IntArray, items: IntArray, *, num_items: int) -> FloatArray:
        """Solve the normal equations by Cholesky. Raises ModelError above the dense size limit."""
        from scipy.linalg import cho_factor, cho_solve

        check_size(self.name, num_items)
        if not num_items:
            return np.zeros((0, 0), dtype=np.float32)
        system, targets = normal_equations(users, items, num_items=num_items, decay=self.decay)
        if self.config.backward:
            # Last user first, so that the reversed rows are sorted by user again.
            mirrored = normal_equations(users[-1] - users[::-1], items[::-1], num_items=num_items, decay=self.decay)
            system += self.config.backward * mirrored[0]
            targets += self.config.backward * mirrored[1]
        add_to_diagonal(system, self.config.penalty)
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        return np.asarray(cho_solve(factor, targets, overwrite_b=True, check_finite=False), dtype=np.float32)


def normal_equations(users: IntArray, items: IntArray, *, num_items: int, decay: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """X'X and X'Y, both [num_items, num_items], without ever building X.

    The history before row t + 1 is x_t = decay x_{t-1} + r_t e_t, where e_t marks the item of row t and r_t = 1 unless the item
    is a repeat (then r_t lifts its weight back to 1). Multiplying out and summing over all rows gives

        (1 - decay^2) X'X = near - ends

    with `near` of `pair_sums` and `ends` the sum over users of the outer product of their full history with itself. So the
    only large sum is over pairs of items at most a few dozen rows apart, and X'Y is the other half of the same sum.
    """
    system, targets = pair_sums(users, items, num_items=num_items, decay=decay, dtype=solver_dtype(num_items))
    histories = np.split(items, np.flatnonzero(np.diff(users)) + 1)
    system -= gram(recency_rows(histories, decay=decay, num_items=num_items, floor=FIT_FLOOR), dtype=system.dtype.type)
    system /= 1.0 - decay**2
    return system, targets
