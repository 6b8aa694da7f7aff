"""Bayesian personalised ranking: factors that put what somebody met above what they did not, fitted by the library `implicit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext
from instructrec.models.factors import ImplicitFactors, factor_bytes, people_by_items
from instructrec.models.known import Met, check_at_least_one, check_decay, check_not_negative, check_positive
from instructrec.tables import Dataset, FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True, kw_only=True)
class BprConfig:
    """Settings of `bpr`, by NDCG@10 on validation of ML-100K (seed 0): .126.

    Learning rate .02 gives .125, penalty .003 .122 and .02 .122; decay .9 gives .117 and no decay .073.
    """

    factors: int = field(default=64, metadata={"help": "Width of the vector of an item; its bias comes on top."})
    learning_rate: float = field(default=0.05, metadata={"help": "Step size of stochastic gradient descent."})
    regularization: float = field(default=0.01, metadata={"help": "Penalty on factors and biases in each step."})
    iterations: int = field(default=100, metadata={"help": "Passes over the interactions."})
    decay: float = field(default=0.8, metadata={"help": "Weight of a history item relative to the one after it, at most 1."})

    def __post_init__(self) -> None:
        check_at_least_one("factors", self.factors, good=64)
        check_at_least_one("iterations", self.iterations, good=100)
        check_positive("learning_rate", self.learning_rate)
        check_not_negative("regularization", self.regularization)
        check_decay(self.decay)


class Bpr(ImplicitFactors):
    """Matrix factorisation that maximises the log-likelihood of "met above not met" (Rendle et al., "BPR: Bayesian Personalized
    Ranking from Implicit Feedback", 2009), with a bias an item.

    A person is the recency-weighted mean of the factors of their history. On validation of ML-100K (seed 0, rate .05, penalty .01)
    that gives NDCG@10 .126, the factors that training gave the same people .054, ridge regression of the history on the factors
    .080. Gradient steps come in the order that the seed draws, on one thread, so equal seeds give equal bits. Items that training
    never met get the lowest score of their row; a history without any item that it met gets log popularity.
    """

    name: ClassVar[str] = "bpr"
    config_type = BprConfig

    def __init__(self, config: BprConfig | None = None) -> None:
        super().__init__()
        self.config = config or BprConfig()

    def learned(self, met: Met, context: FitContext) -> Mapping[str, NDArray[Any]]:
        """Factors of the items and, in the last column, their biases, float32 [num_items, factors + 1]."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking
        from threadpoolctl import threadpool_limits

        if not met.num_items:
            return {"factors": np.zeros((0, self.config.factors + 1), dtype=np.float32)}
        with threadpool_limits(1, "blas"):
            # Several threads would write into each other's factors, each time in another order.
            solver = BayesianPersonalizedRanking(
                factors=self.config.factors,
                learning_rate=self.config.learning_rate,
                regularization=self.config.regularization,
                iterations=self.config.iterations,
                num_threads=1,
                random_state=context.seed,
            )
            people = people_by_items(met, confidence=1.0)
            solver.fit(people, show_progress=False, callback=lambda done, *_: context.progress.step(done + 1))
        return {"factors": solver.item_factors}

    def folded(self, rows: csr_array) -> FloatArray:
        """Weighted means of factors, and 1 for the bias, float32 [num_rows, factors + 1]."""
        total = np.maximum(np.asarray(rows.sum(axis=1), dtype=np.float32), np.finfo(np.float32).tiny)
        people: FloatArray = (np.asarray(rows @ self._factors, dtype=np.float32) / total[:, None]).astype(np.float32)
        people[:, -1] = 1.0
        return people

    def bytes_needed(self, dataset: Dataset) -> int:
        """Rows of histories, and factors of items and people."""
        return factor_bytes(dataset, self.config.factors + 1)
