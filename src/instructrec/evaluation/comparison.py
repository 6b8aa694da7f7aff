"""Several models on the same held-out users: one leaderboard, the tests between its rows, and what accuracy does not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Final, TypeVar

import numpy as np

from instructrec.errors import ModelError, nearest
from instructrec.evaluation.beyond import Background
from instructrec.evaluation.costs import Absent, Cost
from instructrec.evaluation.intervals import Interval, PairedTest, bootstrap_mean, holm, paired_test
from instructrec.evaluation.metrics import METRICS, Values
from instructrec.evaluation.peruser import Fold, PerUser
from instructrec.evaluation.protocol import Evaluation
from instructrec.evaluation.segments import ItemSegment, Segment, by_history_length, segment_edges

_Row = TypeVar("_Row", tuple[ItemSegment, ...], dict[str, Interval])
DEFAULT_METRICS: Final = ("ndcg@10", "hr@10", "mrr@10", "recall@10")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTest:
    """A paired test of the first model against the second; `p_holm` is corrected for all tests of the comparison."""

    first: str
    second: str
    metric: str
    test: PairedTest
    p_holm: float

    def to_json(self) -> dict[str, Any]:
        """One flat object: who was compared on what, the difference and how sure it is."""
        names = {"first": self.first, "second": self.second, "metric": self.metric}
        users = {"wins": self.test.wins, "losses": self.test.losses, "num_users": self.test.num_users}
        return {**names, "difference": self.test.difference.to_json(), "p": self.test.p, "p_holm": self.p_holm, **users}

    def turned(self) -> ModelTest:
        """The same test with the second model first."""
        found = self.test
        difference = Interval(-found.difference.value, -found.difference.high, -found.difference.low)
        test = replace(found, difference=difference, wins=found.losses, losses=found.wins)
        return replace(self, first=self.second, second=self.first, test=test)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What several models did under one split, protocol and seen filter.

    `models`: model -> metric -> mean over users with interval, best model first. Beside that: `tests` (paired, on the first
    metric), `segments` (first metric by history length), `item_segments` (by popularity of what was held out), `beyond` (measures
    of `evaluation.beyond`), `ratings` (rmse and mae of models that predict ratings), `costs`, `absent` (models without numbers, and
    why), `kept` (share of the first metric that is left under random clicks). `sampled`: whether not the whole catalog was ranked.
    """

    split: str
    protocol: str
    seen_filter: str
    models: Mapping[str, Mapping[str, Interval]]
    num_users: int
    num_seeds: int = 1
    num_folds: int = 1
    sampled: bool = False
    tests: tuple[ModelTest, ...] = ()
    segments: Mapping[str, tuple[Segment, ...]] = field(default_factory=dict)
    item_segments: Mapping[str, tuple[ItemSegment, ...]] = field(default_factory=dict)
    beyond: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    ratings: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    absent: tuple[Absent, ...] = ()
    kept: Mapping[str, Interval] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics of the leaderboard, the one it is sorted by first."""
        return tuple(next(iter(self.models.values()), {}))

    def to_json(self) -> dict[str, Any]:
        """The stable shape: split, protocol, seen_filter and models -> metric -> value, low, high. NaN becomes null."""
        return {
            "split": self.split,
            "protocol": self.protocol,
            "seen_filter": self.seen_filter,
            "models": {
                model: {metric: interval.to_json() for metric, interval in row.items()} for model, row in self.models.items()
            },
        }

    def details(self) -> dict[str, Any]:
        """What stands beside the stable shape, for `report.json`: numbers of users and runs, tests, segments, beyond accuracy
        ...
        """
        return {
            "num_users": self.num_users,
            "num_seeds": self.num_seeds,
            "num_folds": self.num_folds,
            "sampled": self.sampled,
            "tests": [test.to_json() for test in self.tests],
            "segments": {model: [segment.to_json() for segment in row] for model, row in self.segments.items()},
            "item_segments": {model: [segment.to_json() for segment in row] for model, row in self.item_segments.items()},
            "beyond": {model: {name: found.to_json() for name, found in row.items()} for model, row in self.beyond.items()},
            "ratings": {model: {name: found.to_json() for name, found in row.items()} for model, row in self.ratings.items()},
            "costs": {model: cost.to_json() for model, cost in self.costs.items()},
            "absent": [absent.to_json() for absent in self.absent],
            "kept": {model: found.to_json() for model, found in self.kept.items()},
        }

    def test_of(self, first: str, second: str) -> ModelTest:
        """The test between two models, whichever stands first. Raises ModelError if they were not compared."""
        for found in self.tests:
            if {found.first, found.second} == {first, second}:
                return found
        unknown = next((name for name in (first, second) if name not in self.models), None)
        hint = f" '{unknown}' is not among the models: {', '.join(self.models)}.{nearest(unknown, self.models)}" if unknown else ""
        raise ModelError(f"There is no paired test between '{first}' and '{second}'.{hint}")


def compare(
    evaluations: Mapping[str, Evaluation | Sequence[Evaluation]],
    *,
    split: str,
    protocol: str = "",
    background: Background | None = None,
    metrics: Sequence[str] = DEFAULT_METRICS,
    pairs: Sequence[tuple[str, str]] | None = None,
    seed: int = 0,
) -> Comparison:
    """Put evaluations of the same holdout side by side; several of one model are runs with different seeds.

    `protocol` says in words how the split asks; how answers were ranked is added to it. Each user's metric is averaged over the
    runs before intervals and tests, so that users stay the unit. `pairs` names the tests to make, by default the best model
    against each other one; all of them are Holm-corrected together. Lists of the first run give `beyond`, which needs
    `background`. Raises DataError if the models were asked different things.
    """
    runs = {name: (found,) if isinstance(found, Evaluation) else tuple(found) for name, found in evaluations.items()}
    fold = Fold(runs=runs, background=background)
    return compare_folds([fold], split=split, protocol=protocol, metrics=metrics, pairs=pairs, seed=seed)


def compare_folds(
    folds: Sequence[Fold],
    *,
    split: str,
    protocol: str = "",
    metrics: Sequence[str] = DEFAULT_METRICS,
    pairs: Sequence[tuple[str, str]] | None = None,
    seed: int = 0,
) -> Comparison:
    """As `compare`, over several holdouts of the same people: what a user has in several folds is averaged first."""
    table = PerUser(folds, metrics)
    rows = {name: {metric: bootstrap_mean(each, seed=seed) for metric, each in row.items()} for name, row in table.values.items()}
    order = sorted(rows, key=lambda name: (-np.nan_to_num(rows[name][metrics[0]].value), name))
    main = {name: table.values[name][metrics[0]] for name in order}
    edges = segment_edges(table.history_lengths)
    first = table.firsts[0]
    averaged = f"mean over {len(folds)} folds, each user's own mean first" if len(folds) > 1 else ""
    return Comparison(
        split=split,
        protocol="; ".join(part for part in (protocol, averaged, first.protocol) if part),
        seen_filter=first.seen_filter,
        models={name: rows[name] for name in order},
        num_users=table.num_users,
        num_seeds=max(len(found) for fold in folds for found in fold.runs.values()),
        num_folds=len(folds),
        sampled=first.candidates > 0,
        tests=_tests(main, pairs, metric=metrics[0], seed=seed),
        segments={name: by_history_length(main[name], table.history_lengths, edges=edges, seed=seed) for name in order},
        item_segments=_known({name: table.item_segments(name, metrics[0], seed=seed) for name in order}),
        beyond=_known({name: table.beyond(name, seed=seed) for name in order}),
        ratings=_known({name: table.ratings(name, seed=seed) for name in order}),
    )


def _known(rows: Mapping[str, _Row]) -> dict[str, _Row]:
    """The models that have anything."""
    return {name: row for name, row in rows.items() if row}


def definitions(metrics: Sequence[str]) -> dict[str, str]:
    """One sentence for each metric family among names such as "ndcg@10"."""
    families = dict.fromkeys(metric.partition("@")[0] for metric in metrics)
    return {family: METRICS[family].definition for family in families if family in METRICS}


def _tests(
    values: Mapping[str, Values], pairs: Sequence[tuple[str, str]] | None, *, metric: str, seed: int
) -> tuple[ModelTest, ...]:
    names = list(values)
    wanted = pairs if pairs is not None else [pair for pair in combinations(names, 2) if pair[0] == names[0]]
    for name in (name for pair in wanted for name in pair if name not in values):
        raise ModelError(
            f"A test was asked for '{name}', which was not evaluated.{nearest(name, names)} Known: {', '.join(names)}."
        )
    # Holm multiplies the smallest p by the number of tests, so with too few samples no difference could ever be clear.
    samples = max(10_000, 400 * len(wanted))
    made = [paired_test(values[one], values[two], samples=samples, seed=seed) for one, two in wanted]
    corrected = holm([test.p for test in made])
    return tuple(
        ModelTest(first=one, second=two, metric=metric, test=test, p_holm=p)
        for (one, two), test, p in zip(wanted, made, corrected, strict=True)
    )
