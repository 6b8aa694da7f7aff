"""What the second stage is made of: logistic regression, RankSVM and LambdaMART over features of candidates, and cross-fitting.

Each learns what to add to the first stage, whose weights for the first features are where it starts and what a large penalty, or
few trees, leave it with: some hundred queries are enough to correct an order, but not to find one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from instructrec.tables import IntArray

Rows = NDArray[np.float64]

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""What cross-fitting tries for the linear learners."""
CUT = 10
"""Length of the lists that are compared."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Candidates of some queries, those of one query together: `features` float64 [num_rows, num_features], `codes` item codes
    int64 [num_rows], `starts` int64 [num_queries + 1]; `chosen` bool [num_rows]: the item that followed (where that is known).
    """

    features: Rows
    codes: IntArray
    starts: IntArray
    chosen: NDArray[np.bool_]

    @property
    def owners(self) -> IntArray:
        """The query of each row, int64 [num_rows]."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def of(self, wanted: NDArray[np.bool_]) -> Candidates:
        """Those of the queries where `wanted` is true."""
        rows = wanted[self.owners]
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[wanted])]).astype(np.int64)
        return Candidates(features=self.features[rows], codes=self.codes[rows], starts=starts, chosen=self.chosen[rows])

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Queries among whose candidates the item that followed is, bool [num_queries]."""
        found: NDArray[np.bool_] = np.bincount(self.owners[self.chosen], minlength=len(self.starts) - 1) > 0
        return found


class Learner(Protocol):
    """A fitted function of features."""

    def margins(self, features: Rows) -> Rows:
        """Higher is better, float64 [num_rows]."""

    def contributions(self, features: Rows) -> Rows:
        """What each feature adds, and last what is added always, float64 [num_rows, num_features + 1]; rows sum to the margins."""

    def facts(self) -> dict[str, Any]:
        """Plain values that `learner_of` makes the same learner from."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """weights . (features - centre)."""

    weights: Rows
    centre: Rows

    def margins(self, features: Rows) -> Rows:
        """float64 [num_rows]."""
        return np.asarray(((features - self.centre) * self.weights).sum(axis=1))

    def contributions(self, features: Rows) -> Rows:
        """float64 [num_rows, num_features + 1]; nothing is added always."""
        return np.concatenate([(features - self.centre) * self.weights, np.zeros((len(features), 1))], axis=1)

    def facts(self) -> dict[str, Any]:
        """Plain lists."""
        return {"weights": self.weights.tolist(), "centre": self.centre.tolist()}


@dataclass(frozen=True, kw_only=True)
class Trees:
    """weights . first features, and the first `rounds` trees of a lightgbm model."""

    booster: Any
    rounds: int
    weights: Rows

    def margins(self, features: Rows) -> Rows:
        """float64 [num_rows]."""
        grown = self.booster.predict(features, num_iteration=self.rounds, num_threads=1)
        return np.asarray(grown + features[:, : len(self.weights)] @ self.weights, dtype=np.float64)

    def contributions(self, features: Rows) -> Rows:
        """Shapley values of the trees (Lundberg et al. 2020, arXiv 1905.04610), and each product with a weight."""
        found = np.array(self.booster.predict(features, num_iteration=self.rounds, num_threads=1, pred_contrib=True))
        found[:, : len(self.weights)] += features[:, : len(self.weights)] * self.weights
        return found

    def facts(self) -> dict[str, Any]:
        """The text format of lightgbm."""
        text = self.booster.model_to_string(num_iteration=self.rounds)
        return {"trees": text, "rounds": self.rounds, "weights": self.weights.tolist()}


def learner_of(facts: Mapping[str, Any]) -> Learner:
    """The learner that gave these facts."""
    if "trees" in facts:
        from lightgbm import Booster

        return Trees(booster=Booster(model_str=facts["trees"]), rounds=facts["rounds"], weights=np.array(facts["weights"]))
    return Linear(weights=np.array(facts["weights"]), centre=np.array(facts["centre"]))


def logistic_path(known: Candidates, first: Rows) -> dict[float, Learner]:
    """Is this candidate the one that followed? Logistic regression, by the penalty on the square of what differs from `first`."""
    signs = np.where(known.chosen, 1.0, -1.0)

    def loss(margins: Rows) -> tuple[float, Rows]:
        value = np.logaddexp(0.0, -signs * margins)
        return float(value.mean()), -signs * np.exp(-np.logaddexp(0.0, signs * margins)) / len(signs)

    return _linear_path(known.features, loss, first, intercept=True)


def ranksvm_path(known: Candidates, first: Rows) -> dict[float, Learner]:
    """The one that followed is to stand a margin of 1 above every other candidate of its query: RankSVM (Joachims 2002, doi
    10.1145/775047.775067), with the squared hinge of Chapelle and Keerthi (2010, doi 10.1007/s10791-009-9109-9), by penalty.
    """
    answered = known.of(known.answered)
    best = np.flatnonzero(answered.chosen)[answered.owners]
    differences = (answered.features[best] - answered.features)[~answered.chosen]

    def loss(margins: Rows) -> tuple[float, Rows]:
        short = np.maximum(1.0 - margins, 0.0)
        return float(np.square(short).mean()), -2.0 * short / max(len(short), 1)

    return _linear_path(differences, loss, first, intercept=False, of=answered.features)


def lambdamart_path(
    known: Candidates, first: Rows, *, rounds: int, leaves: int, rate: float, least: int, seed: int
) -> dict[float, Learner]:
    """Boosted trees whose gradients are the changes of NDCG (Burges 2010, MSR-TR-2010-82) by lightgbm, by number of trees."""
    from lightgbm import Dataset, train

    answered = known.of(known.answered)
    data = Dataset(
        answered.features,
        label=answered.chosen.astype(np.int32),
        group=np.diff(answered.starts),
        init_score=answered.features[:, : len(first)] @ first,
    )
    parameters = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 30,
        "num_leaves": leaves,
        "learning_rate": rate,
        "min_data_in_leaf": least,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    booster = train(parameters, data, num_boost_round=rounds)
    step = max(1, rounds // 20)
    return {float(number): Trees(booster=booster, rounds=number, weights=first) for number in range(step, rounds + 1, step)}


Path = Callable[[Candidates, Rows], dict[float, Learner]]


def chosen_strength(known: Candidates, path: Path, folds: IntArray, first: Sequence[Rows]) -> tuple[float, Rows]:
    """The strength (penalty or number of trees) whose learners do best on the queries that they were not fitted on, and the
    NDCG@10 of each query under it, float64 [num_queries].

    `folds`: the part of each query, int64 [num_queries]; `first`: weights of the first stage that was fitted without each part.
    """
    gains: dict[float, Rows] = {}
    for fold, weights in enumerate(first):
        rest, left = known.of(folds != fold), known.of(folds == fold)
        for strength, learner in path(rest, weights).items():
            gains.setdefault(strength, np.zeros(len(folds)))[folds == fold] = ndcg(learner.margins(left.features), left)
    best = max(gains, key=lambda strength: float(gains[strength].mean()))
    return best, gains[best]


def ndcg(margins: Rows, known: Candidates) -> Rows:
    """NDCG@10 of the item that followed among the candidates of its query, 0 where it is none of them, float64 [num_queries]."""
    out = np.zeros(len(known.starts) - 1)
    for row in np.flatnonzero(known.chosen):
        query = int(np.searchsorted(known.starts, row, side="right")) - 1
        first, last = known.starts[query], known.starts[query + 1]
        above = (margins[first:last] > margins[row]).sum() + (margins[first:row] == margins[row]).sum()
        out[query] = 1.0 / np.log2(2 + above) if above < CUT else 0.0
    return out


def _linear_path(
    rows: Rows, loss: Callable[[Rows], tuple[float, Rows]], first: Rows, *, intercept: bool, of: Rows | None = None
) -> dict[float, Learner]:
    """Minimise loss(rows . weights) + penalty * |(weights - first) in deviations|^2 for every penalty, by L-BFGS."""
    from scipy.optimize import minimize

    values = rows if of is None else of
    spread = np.maximum(values.std(axis=0), 1e-9) if len(values) else np.ones(rows.shape[1])
    centre = values.mean(axis=0) if len(values) else np.zeros(rows.shape[1])
    scaled = (rows - centre if intercept else rows) / spread
    inputs = np.concatenate([scaled, np.ones((len(rows), 1))], axis=1) if intercept else scaled
    size, found = rows.shape[1], np.zeros(inputs.shape[1])
    start, before = rows[:, : len(first)] @ first, np.append(first, np.zeros(size - len(first)))
    out: dict[float, Learner] = {}
    for penalty in PENALTIES:
        weighed = np.append(np.full(size, penalty), 0.0)[: inputs.shape[1]]

        def value(weights: Rows, weighed: Rows = weighed) -> tuple[float, Rows]:
            nats, slopes = loss(start + inputs @ weights) if len(inputs) else (0.0, np.zeros(0))
            return nats + float(weighed @ np.square(weights)), inputs.T @ slopes + 2 * weighed * weights

        found = minimize(value, found, jac=True, method="L-BFGS-B").x
        out[penalty] = Linear(weights=before + found[:size] / spread, centre=centre)
    return out
