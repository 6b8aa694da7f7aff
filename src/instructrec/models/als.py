"""Implicit matrix factorisation by alternating least squares, fitted by the library `implicit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext
from instructrec.models.factors import ImplicitFactors, factor_bytes, people_by_items
from instructrec.models.known import Met, check_at_least_one, check_decay, check_positive
from instructrec.tables import BoolArray, Dataset, FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsConfig:
    """Settings of `als`, by NDCG@10 on validation of ML-100K and of 3,000 users of Amazon Beauty (seed 0).

    .124 and .042. With 64 factors and penalty 50: .128 and .035; with 128 and penalty 10: .105 and .043. Without decay .074 at best
    on ML-100K: the sum of all that somebody ever met says less of what they choose next.
    """

    factors: int = field(default=128, metadata={"help": "Width of the vector of an item and of a person."})
    regularization: float = field(default=30.0, metadata={"help": "Ridge penalty on factors; larger trusts rare items less."})
    alpha: float = field(default=10.0, metadata={"help": "Confidence in a meeting is 1 + alpha; in everything else it is 1."})
    iterations: int = field(default=15, metadata={"help": "Rounds of people given items, then items given people."})
    decay: float = field(
        default=0.8, metadata={"help": "Share of alpha of a history item relative to the one after it, when a list is asked for."}
    )

    def __post_init__(self) -> None:
        check_at_least_one("factors", self.factors, good=128)
        check_at_least_one("iterations", self.iterations, good=15)
        check_positive("regularization", self.regularization)
        check_positive("alpha", self.alpha)
        check_decay(self.decay)


class Als(ImplicitFactors):
    """Weighted least squares over all cells of who met what (Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback
    Datasets", 2008): preference 1 with confidence 1 + alpha where they met, 0 with confidence 1 elsewhere.

    A person is folded in by the same paper's closed form, (Y'CY + lambda I)^-1 Y'Cp, where older items of the history get a
    smaller share of alpha. Equal seeds give equal bits on any number of threads: each row is solved by itself. Items that training
    never met get the lowest score of their row; a history without any item that it met gets log popularity.
    """

    name: ClassVar[str] = "als"
    config_type = AlsConfig

    def __init__(self, config: AlsConfig | None = None) -> None:
        super().__init__()
        self.config = config or AlsConfig()

    def learned(self, met: Met, context: FitContext) -> Mapping[str, NDArray[Any]]:
        """Factors of the items, float32 [num_items, factors]."""
        from threadpoolctl import threadpool_limits

        if not met.num_items:
            return {"factors": np.zeros((0, self.config.factors), dtype=np.float32)}
        people = people_by_items(met, confidence=1.0 + self.config.alpha)
        # The library has threads of its own, and warns of a BLAS that has more than one.
        with threadpool_limits(1, "blas"):
            solver = self._solver(context.seed)
            solver.fit(people, show_progress=False, callback=lambda done, *_: context.progress.step(done + 1))
        return {"factors": solver.item_factors}

    def adopt(self, arrays: Mapping[str, NDArray[Any]]) -> BoolArray:
        """Hold the factors and their Gram matrix."""
        informs = super().adopt(arrays)
        self._gram = self._factors.T @ self._factors
        return informs

    def folded(self, rows: csr_array) -> FloatArray:
        """The closed form for each history, float32 [num_rows, factors]; zeros for an empty one.

        With C = 1 + alpha w the system is Y'Y + lambda I plus alpha w y y' for each item y of the history.
        """
        width, alpha = self.config.factors, self.config.alpha
        people = np.zeros((rows.shape[0], width), dtype=np.float32)
        base = self._gram + np.float32(self.config.regularization) * np.eye(width, dtype=np.float32)
        for row in range(rows.shape[0]):
            cells = slice(rows.indptr[row], rows.indptr[row + 1])
            items, extra = self._factors[rows.indices[cells]], np.float32(alpha) * rows.data[cells]
            if len(items):
                people[row] = np.linalg.solve(base + (items.T * extra) @ items, items.T @ (1.0 + extra))
        return people

    def bytes_needed(self, dataset: Dataset) -> int:
        """Rows of histories, and factors of items and people."""
        return factor_bytes(dataset, self.config.factors)

    def _solver(self, seed: int) -> Any:
        from implicit.cpu.als import AlternatingLeastSquares

        return AlternatingLeastSquares(
            factors=self.config.factors,
            regularization=self.config.regularization,
            iterations=self.config.iterations,
            random_state=seed,
        )
