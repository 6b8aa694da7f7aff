"""Evaluations of several models, seeds and folds as one value a user, so that users stay the unit of intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from instructrec.errors import DataError
from instructrec.evaluation.beyond import BEYOND, Background, all_lists, each_list
from instructrec.evaluation.intervals import Interval, bootstrap_mean, bootstrap_ratio, mean_over_seeds
from instructrec.evaluation.metrics import Values, find
from instructrec.evaluation.protocol import Evaluation
from instructrec.evaluation.segments import ItemSegment, kinds_of_items
from instructrec.tables import IntArray

RATINGS: Final[Mapping[str, str]] = {
    "rmse": "Root of the mean squared error of predicted ratings over all held-out ratings, in the units of the data; users are "
    "drawn for the interval.",
    "mae": "Mean absolute error of predicted ratings over all held-out ratings, in the units of the data; users are drawn for the "
    "interval.",
}
"""What the errors of ratings mean; lower is better."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """The evaluations of one holdout by model (several of one model: runs with different seeds), and what lists are measured
    against.
    """

    runs: Mapping[str, Sequence[Evaluation]]
    background: Background | None = None


class PerUser:
    """The folds of a comparison, checked to agree. In one fold every query is a unit; over several, every user.

    Raises DataError where there is nothing, or where models of a fold were asked different things.
    """

    def __init__(self, folds: Sequence[Fold], metrics: Sequence[str]) -> None:
        self.folds = folds
        self.metrics = metrics
        self.firsts = [_agree(fold.runs) for fold in folds]
        if not folds:
            raise DataError("There is nothing to compare. Give at least one fold.")

    @cached_property
    def _places(self) -> list[IntArray]:
        """The unit of each query, fold by fold."""
        if len(self.folds) == 1:
            return [np.arange(len(self.firsts[0]), dtype=np.int64)]
        index: dict[str, int] = {}
        return [np.array([index.setdefault(user, len(index)) for user in found.users], dtype=np.int64) for found in self.firsts]

    @cached_property
    def num_users(self) -> int:
        """Units in all."""
        return 1 + max((int(places.max(initial=-1)) for places in self._places), default=-1)

    @cached_property
    def values(self) -> dict[str, dict[str, Values]]:
        """Model -> metric -> float64 [num_users], NaN where nothing was held out."""
        return {name: {metric: self._of(name, metric) for metric in self.metrics} for name in self.folds[0].runs}

    @cached_property
    def history_lengths(self) -> IntArray:
        """Items in the history of each user, the rounded mean over the folds, int64 [num_users]."""
        lengths = self._mean([found.history_lengths.astype(np.float64) for found in self.firsts])
        return np.nan_to_num(np.rint(lengths)).astype(np.int64)

    def item_segments(self, name: str, metric: str, *, seed: int = 0) -> tuple[ItemSegment, ...]:
        """The metric over held-out items of each kind alone (see `kinds_of_items`); empty without a background or codes of
        targets.
        """
        kinds = [kinds_of_items(fold.background.counts) for fold in self.folds if fold.background is not None]
        coded = all(run.targets.codes is not None for fold in self.folds for run in fold.runs[name])
        if len(kinds) < len(self.folds) or not coded:
            return ()
        of, k = find(metric)
        found = []
        for kind, items in kinds[0].items():
            parts = [
                mean_over_seeds([of.of(run.targets.among(own[kind]), k) for run in fold.runs[name]])
                for fold, own in zip(self.folds, kinds, strict=True)
            ]
            values = self._mean(parts)
            users = int((~np.isnan(values)).sum())
            if users:
                interval = bootstrap_mean(values, seed=seed)
                found.append(ItemSegment(name=kind, num_items=int(items.sum()), num_users=users, metric=interval))
        return tuple(found)

    def beyond(self, name: str, *, seed: int = 0) -> dict[str, Interval]:
        """The measures of `BEYOND` for the lists of the first run; what only all lists have is averaged over folds."""
        pairs = [(fold.runs[name][0].top, fold.background) for fold in self.folds if fold.background is not None]
        if len(pairs) < len(self.folds):
            return {}
        whole = [all_lists(top, background) for top, background in pairs]
        each = [each_list(top, background) for top, background in pairs]
        means = {measure: float(np.mean([row[measure] for row in whole])) for measure in whole[0]}
        found = {measure: Interval(value, value, value) for measure, value in means.items()}
        for measure in each[0]:
            found[measure] = bootstrap_mean(self._mean([row[measure] for row in each]), seed=seed)
        return {measure: found[measure] for measure in BEYOND if measure in found}

    def ratings(self, name: str, *, seed: int = 0) -> dict[str, Interval]:
        """The errors of `RATINGS`; empty for a model that predicts no ratings."""
        runs = [(places, run) for fold, places in zip(self.folds, self._places, strict=True) for run in fold.runs[name]]
        sums = np.zeros((self.num_users, 3))
        for places, run in runs:
            if run.rating_errors is None:
                return {}
            np.add.at(sums, places, run.rating_errors)
        squared = bootstrap_ratio(sums[:, 2], sums[:, 0], seed=seed)
        return {
            "rmse": Interval(*(float(np.sqrt(bound)) for bound in (squared.value, squared.low, squared.high))),
            "mae": bootstrap_ratio(sums[:, 1], sums[:, 0], seed=seed),
        }

    def _of(self, name: str, metric: str) -> Values:
        return self._mean([mean_over_seeds([run.per_user(metric) for run in fold.runs[name]]) for fold in self.folds])

    def _mean(self, parts: Sequence[Values]) -> Values:
        """Each user's mean over the folds that have a value, float64 [num_users]."""
        if len(parts) == 1:
            return parts[0]
        total, count = np.zeros(self.num_users), np.zeros(self.num_users)
        for places, values in zip(self._places, parts, strict=True):
            known = ~np.isnan(values)
            np.add.at(total, places[known], values[known])
            np.add.at(count, places[known], 1.0)
        return np.asarray(np.divide(total, count, out=np.full(self.num_users, np.nan), where=count > 0))


def _agree(runs: Mapping[str, Sequence[Evaluation]]) -> Evaluation:
    """The first evaluation, after checking that all others asked the same users under the same filter."""
    every = [(name, run) for name, found in runs.items() for run in found]
    if not every:
        raise DataError("There is nothing to compare. Give at least one evaluated model.")
    name, first = every[0]
    for other, run in every[1:]:
        if run.users != first.users or not np.array_equal(run.targets.counts, first.targets.counts):
            raise DataError(f"'{other}' and '{name}' were evaluated on different users. Evaluate both on the same split.")
        if run.hide_seen != first.hide_seen:
            filters = f"{run.seen_filter} for '{other}' but {first.seen_filter} for '{name}'"
            raise DataError(f"Seen items are {filters}. Choose one for both.")
    return first
