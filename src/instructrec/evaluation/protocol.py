"""Full-ranking evaluation: every item of the catalog competes, under the same rules as the lists that are shown.

Queries that come with candidates rank only those; what is measured so says that it is no full ranking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from instructrec.core import Instruction, Progress, Query, Silent
from instructrec.errors import DataError, ModelError
from instructrec.evaluation.metrics import TargetRanks, Values, find
from instructrec.evaluation.ranking import rank_targets, top_codes
from instructrec.recommender import Recommender, allowed, steered
from instructrec.tables import Catalog, FloatArray, IntArray

if TYPE_CHECKING:
    from instructrec.data.split import Holdout

ROWS_AT_ONCE = 512
INCONSISTENT: Final = "inconsistent with full ranking (Krichene and Rendle 2020)"
"""Every report of a sampled ranking says this: not even the order of models need be that of the full ranking."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one model did for every query of a holdout.

    `users`: the user of each query ("" where it has none); `targets`: ranks of the held-out items in the whole allowed catalog;
    `top`: int64 [num_queries, k], item codes of the list, best first, -1 where it is shorter; `history_lengths`: int64
    [num_queries], items in the history of the query; `num_items`: size of the catalog; `candidates`: the most items that a query
    ranked where it named them itself, 0 where the whole catalog competed; `rating_errors`: float64 [num_queries, 3], for models
    that predict ratings: how many held-out ratings there are, the sum of the absolute and that of the squared errors.
    """

    model: str
    hide_seen: bool
    num_items: int
    users: tuple[str, ...]
    targets: TargetRanks
    top: IntArray
    history_lengths: IntArray
    candidates: int = 0
    rating_errors: Values | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def k(self) -> int:
        """Length of the lists in `top`; metrics may cut elsewhere, because ranks cover the whole catalog."""
        return int(self.top.shape[1])

    def per_user(self, metric: str) -> Values:
        """A metric such as "ndcg@10" for each query, float64 [num_queries]; NaN where nothing was held out."""
        found, k = find(metric)
        return found.of(self.targets, k)

    def value(self, metric: str) -> float:
        """Mean over the queries that have a held-out item; NaN if there are none."""
        values = self.per_user(metric)
        return float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else float("nan")

    @property
    def protocol(self) -> str:
        """The protocol in words, as reports and comparisons print it."""
        rest = f"{len(self)} users, ties in catalog order"
        if not self.candidates:
            return f"full ranking over {self.num_items} items, {rest}"
        return f"sampled ranking over at most {self.candidates} items a user, {rest}; {INCONSISTENT}"

    @property
    def seen_filter(self) -> str:
        """Whether items of the history compete: "hidden" or "shown"."""
        return "hidden" if self.hide_seen else "shown"


def evaluate(
    model: Recommender,
    holdout: Holdout,
    *,
    k: int = 10,
    hide_seen: bool = True,
    batch_size: int = 256,
    instructions: Sequence[Instruction | None] | None = None,
    progress: Progress = Silent(),
) -> Evaluation:
    """Ask the model every query of the holdout, one call a batch, and rank the whole catalog as `recommend` does.

    `instructions`, one a query, replace those of the queries. Raises ModelError for scores that are not finite.
    """
    queries = prepare(holdout.queries, hide_seen=hide_seen, instructions=instructions)
    parts: list[Evaluation] = []
    progress.stage(f"evaluate {model.name}", total=len(queries))
    for start in range(0, len(queries), batch_size):
        rows = slice(start, start + batch_size)
        batch = queries[rows]
        found = _evaluate(total_scores(model, batch), batch, holdout.targets[rows], catalog=model.catalog, k=k)
        errors = _rating_errors(model, batch, holdout.targets[rows], holdout.ratings[rows])
        parts.append(replace(found, rating_errors=errors))
        progress.step(start + len(batch))
    return _join(parts, model=model.name, hide_seen=hide_seen, num_items=len(model.catalog), k=k)


def evaluate_scores(
    scores: FloatArray,
    holdout: Holdout,
    catalog: Catalog,
    *,
    k: int = 10,
    hide_seen: bool = True,
    instructions: Sequence[Instruction | None] | None = None,
    model: str = "scores",
) -> Evaluation:
    """Evaluate scores that were computed before, float32 [num_queries, num_items], one row a query of the holdout.

    One matrix serves every filter: seen items hidden and shown, limits on and off. Of `instructions` only the limits act here;
    a wish acts where scores are made. Raises DataError for another shape.
    """
    if scores.shape != (len(holdout.queries), len(catalog)):
        wanted = f"{len(holdout.queries)} queries x {len(catalog)} items"
        raise DataError(f"The scores have shape {scores.shape}, but the holdout and the catalog need {wanted}.")
    queries = prepare(holdout.queries, hide_seen=hide_seen, instructions=instructions)
    parts = []
    for start in range(0, len(queries), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        parts.append(_evaluate(scores[rows], queries[rows], holdout.targets[rows], catalog=catalog, k=k))
    return _join(parts, model=model, hide_seen=hide_seen, num_items=len(catalog), k=k)


def score_holdout(model: Recommender, holdout: Holdout, *, batch_size: int = 256, progress: Progress = Silent()) -> FloatArray:
    """All scores of a model for a holdout, float32 [num_queries, num_items], for `evaluate_scores`."""
    queries = holdout.queries
    out = np.empty((len(queries), len(model.catalog)), dtype=np.float32)
    progress.stage(f"score {model.name}", total=len(queries))
    for start in range(0, len(queries), batch_size):
        batch = queries[start : start + batch_size]
        out[start : start + len(batch)] = total_scores(model, batch)
        progress.step(start + len(batch))
    return out


def total_scores(model: Recommender, queries: Sequence[Query]) -> FloatArray:
    """The scores that `recommend` ranks by: the sum over what steers a list, float32 [num_queries, num_items]."""
    return np.asarray(np.sum(list(steered(model, queries).values()), axis=0), dtype=np.float32)


def prepare(
    queries: Sequence[Query], *, hide_seen: bool, instructions: Sequence[Instruction | None] | None = None
) -> tuple[Query, ...]:
    """The queries with the seen filter set and, where given, other instructions (none takes the words away)."""
    if instructions is None:
        return tuple(replace(query, hide_seen=hide_seen) for query in queries)
    if len(instructions) != len(queries):
        raise DataError(f"There are {len(instructions)} instructions for {len(queries)} queries. Give one a query, or none at all.")
    pairs = zip(queries, instructions, strict=True)
    return tuple(replace(query, hide_seen=hide_seen, instruction=instruction) for query, instruction in pairs)


def _evaluate(scores: FloatArray, queries: Sequence[Query], targets: Sequence[IntArray], *, catalog: Catalog, k: int) -> Evaluation:
    mask = np.stack([allowed(query, catalog) for query in queries])
    return Evaluation(
        model="",
        hide_seen=queries[0].hide_seen,
        num_items=len(catalog),
        users=tuple(query.user or "" for query in queries),
        targets=rank_targets(scores, mask, targets),
        top=top_codes(scores, mask, k),
        history_lengths=np.array([len(query.history) for query in queries], dtype=np.int64),
        candidates=max((len(query.candidates) for query in queries if query.candidates is not None), default=0),
    )


def _rating_errors(
    model: Recommender, queries: Sequence[Query], targets: Sequence[IntArray], ratings: Sequence[FloatArray]
) -> Values | None:
    """Errors of predicted ratings as `Evaluation.rating_errors` holds them; none where the model or the holdout has no ratings.

    Raises ModelError for a prediction that is not finite.
    """
    predicted = model.predicted_ratings(queries) if len(ratings) else None
    if predicted is None:
        return None
    out = np.zeros((len(queries), 3))
    for row, (codes, given) in enumerate(zip(targets, ratings, strict=True)):
        error = (predicted[row, codes].astype(np.float64) - given)[~np.isnan(given)]
        if not np.isfinite(error).all():
            raise ModelError(f"{model.name} predicts a rating for query {row} that is not finite. A rating must be a number.")
        out[row] = len(error), np.abs(error).sum(), (error**2).sum()
    return out


def _join(parts: Sequence[Evaluation], *, model: str, hide_seen: bool, num_items: int, k: int) -> Evaluation:
    errors = [part.rating_errors for part in parts if part.rating_errors is not None]
    return Evaluation(
        model=model,
        hide_seen=hide_seen,
        num_items=num_items,
        users=tuple(user for part in parts for user in part.users),
        targets=TargetRanks.join([part.targets for part in parts]),
        top=np.concatenate([np.zeros((0, k), dtype=np.int64), *[part.top for part in parts]]),
        history_lengths=np.concatenate([np.zeros(0, dtype=np.int64), *[part.history_lengths for part in parts]]),
        candidates=max((part.candidates for part in parts), default=0),
        rating_errors=np.concatenate(errors) if errors and len(errors) == len(parts) else None,
    )
