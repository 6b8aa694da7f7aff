"""Splits: what a model may learn from, and which later interactions it is asked for. Pure functions of a Dataset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from instructrec.core import Query
from instructrec.data.measures import measures_of
from instructrec.data.wording import phrase
from instructrec.errors import ConfigError, DataError, nearest
from instructrec.tables import BoolArray, Dataset, FloatArray, IntArray

SplitKind: TypeAlias = Literal["leave-one-out", "time", "ratio", "since", "k-fold"]
_Parts: TypeAlias = NDArray[np.int8]

EARLIEST_CLOCK = 100_000_000
"""Largest times below this (March 1973) are positions in a history, not seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """How interactions are divided. The fractions count for `time` (of all interactions), `ratio` (of each user's) and, the first,
    for `since` and `k-fold`.
    """

    kind: SplitKind = "leave-one-out"
    """leave-one-out, time, ratio, since or k-fold."""
    valid_fraction: float = 0.1
    """Share of interactions for validation."""
    test_fraction: float = 0.1
    """Share of interactions for the test."""
    min_history: int = 1
    """Queries of the splits time and since with fewer known interactions are left out; 0 keeps people who are new."""
    since: int = 0
    """Where the test of the split since begins, in seconds since 1970."""
    folds: int = 5
    """Into how many folds k-fold deals the interactions of each user."""
    fold: int = 1
    """Which fold of k-fold is the test, 1 to folds; `compare` goes through all of them."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(SplitKind):
            known = ", ".join(get_args(SplitKind))
            raise ConfigError(f"There is no split '{self.kind}'.{nearest(str(self.kind), get_args(SplitKind))} Known: {known}.")
        fractions = (self.valid_fraction, self.test_fraction)
        if min(fractions) <= 0 or sum(fractions) >= 1:
            raise ConfigError(f"valid_fraction and test_fraction are {fractions}; each must be above 0 and their sum below 1.")
        if self.kind == "since" and self.since <= 0:
            raise ConfigError(
                f"The split since needs the moment at which its test begins, but since is {self.since}. Give seconds."
            )
        if self.folds < 2 or not 1 <= self.fold <= self.folds:
            raise ConfigError(
                f"folds is {self.folds} and fold is {self.fold}; folds must be at least 2, and fold one of 1 to folds."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """Questions with known answers: `targets[i]` are the distinct item codes (int64, oldest first) that followed `queries[i]`.

    `user_codes`: int64 [num_queries]. The time of a query is that of its first target. `ratings`: what the user gave to each
    target, float32 like `targets` with NaN where there is none; empty where nothing is known of ratings.
    """

    queries: tuple[Query, ...]
    targets: tuple[IntArray, ...]
    user_codes: IntArray
    ratings: tuple[FloatArray, ...] = ()

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A dataset divided for one protocol.

    `train` is what models fit on, `known` is train plus everything that validation asks for: what is known when the test
    begins. Both keep the whole catalog and all users, so that codes mean the same everywhere. `protocol` says in words
    what is asked and what it leaks. The name "rows": a published set came with its own queries; no configuration chooses it.
    """

    name: SplitKind | Literal["rows"]
    protocol: str
    train: Dataset
    valid: Holdout
    test: Holdout
    known: Dataset


@dataclass(frozen=True, slots=True)
class Ask:
    """One query to be: the rows of the interactions that are its history, and those that are its targets, both in time order."""

    user: int
    history: slice | IntArray
    targets: slice | IntArray

    @staticmethod
    def cut(user: int, start: int, first: int, last: int) -> Ask:
        """Rows `start:first` are the history, `first:last` the targets."""
        return Ask(user, slice(start, first), slice(first, last))


def split(dataset: Dataset, config: SplitConfig = SplitConfig()) -> Split:
    """Divide a dataset. Raises DataError when nobody has enough interactions, or when `time` is asked of data without a clock."""
    makers = {"leave-one-out": leave_one_out, "time": by_time, "ratio": by_ratio, "since": by_moment, "k-fold": by_fold}
    return makers[config.kind](dataset, config)


def leave_one_out(dataset: Dataset, config: SplitConfig = SplitConfig()) -> Split:
    """Each user's last interaction is the test, the one before it validates, the rest trains; users with under 3 only train."""
    offsets = dataset.interactions.offsets
    parts = np.zeros(len(dataset.interactions), dtype=np.int8)
    valid, test = [], []
    for user in np.flatnonzero(np.diff(offsets) >= 3):
        start, end = int(offsets[user]), int(offsets[user + 1])
        parts[end - 2], parts[end - 1] = 1, 2
        valid.append(Ask.cut(int(user), start, end - 2, end - 1))
        test.append(Ask.cut(int(user), start, end - 1, end))
    return _assemble(dataset, "leave-one-out", parts, (valid, test), {})


def by_time(dataset: Dataset, config: SplitConfig = SplitConfig(kind="time")) -> Split:
    """Two moments cut all interactions. Train is before the first; validation lies between, the test from the second on.

    One query a user and window: the target is the user's last interaction in the window, the history everything of that
    user before it. Nothing at or after the first moment is in train.
    """
    times = dataset.interactions.timestamps
    cuts = _cuts(dataset, config)
    parts = np.searchsorted(np.array(cuts), times, side="right").astype(np.int8)
    asks = tuple(_window(dataset, parts == window, config.min_history) for window in (1, 2))
    shares = {"valid_from": utc(cuts[0]), "test_from": utc(cuts[1])}
    return _assemble(dataset, "time", parts, asks, shares)


def by_ratio(dataset: Dataset, config: SplitConfig = SplitConfig(kind="ratio")) -> Split:
    """Each user's history is cut in order: the last `test_fraction` (at least one) is the test, before it `valid_fraction`.

    All items of a part are targets of one query. Users with under 3 interactions only train.
    """
    offsets = dataset.interactions.offsets
    parts = np.zeros(len(dataset.interactions), dtype=np.int8)
    valid, test = [], []
    for user in np.flatnonzero(np.diff(offsets) >= 3):
        start, end = int(offsets[user]), int(offsets[user + 1])
        num_valid, num_test = _shares(end - start, config)
        cut, last = end - num_test - num_valid, end - num_test
        parts[cut:last], parts[last:end] = 1, 2
        valid.append(Ask.cut(int(user), start, cut, last))
        test.append(Ask.cut(int(user), start, last, end))
    percent = {"valid": f"{config.valid_fraction:.0%}", "test": f"{config.test_fraction:.0%}"}
    return _assemble(dataset, "ratio", parts, (valid, test), percent)


def by_moment(dataset: Dataset, config: SplitConfig) -> Split:
    """All that a user did from `since` on is the test: the targets of one query, whose history is everything before that moment.

    Of what was before, the last interaction of a user validates, where there are two or more: of as many users, evenly drawn, as
    make `valid_fraction` of the interactions, at most all. The rest trains. Nothing at or after the moment is in train.
    """
    return _moment(dataset, config, is_untested=False)


def untested(dataset: Dataset, config: SplitConfig) -> Split:
    """All is known and nothing is tested; of what is known as much validates as under the split since, and the rest trains."""
    after = int(dataset.interactions.timestamps.max(initial=0)) + 1
    return _moment(dataset, replace(config, kind="since", since=after), is_untested=True)


def _moment(dataset: Dataset, config: SplitConfig, *, is_untested: bool) -> Split:
    log = dataset.interactions
    before = log.timestamps < config.since
    parts = np.where(before, 0, 2).astype(np.int8)
    lengths = np.bincount(log.users[before], minlength=len(log.user_ids))
    cuts = log.offsets[:-1] + lengths
    several = np.flatnonzero(lengths >= 2)
    wanted = min(len(several), math.ceil(config.valid_fraction * int(before.sum())))
    drawn = several[np.linspace(0, len(several), wanted, endpoint=False, dtype=np.int64)]
    parts[cuts[drawn] - 1] = 1
    asked = np.flatnonzero((np.diff(log.offsets) > lengths) & (lengths >= config.min_history))
    starts, ends = log.offsets[:-1].tolist(), log.offsets[1:].tolist()
    valid = [Ask.cut(user, starts[user], int(cuts[user]) - 1, int(cuts[user])) for user in drawn.tolist()]
    test = [Ask.cut(user, starts[user], int(cuts[user]), ends[user]) for user in asked.tolist()]
    facts = {"since": utc(config.since), "valid": f"{config.valid_fraction:.0%}"}
    return _assemble(dataset, "since", parts, (valid, test), facts, is_untested=is_untested)


def by_fold(dataset: Dataset, config: SplitConfig) -> Split:
    """Cross-validation over the interactions of each user, the form that is usual for lists: people with as many items as there
    are folds are asked in every fold.

    The distinct items of a user are dealt out to `folds` folds in random order (the same at every call), beginning at a random
    fold, so that short histories do not all end in the first. Fold `fold` is the test, `valid_fraction` of the rest (at least one
    where two are left) validates, what remains trains. Over all folds every interaction is in the test once. Users with under 3
    items only train. The history is all that is not asked for, in time order, what came after the targets included.
    """
    log = dataset.interactions
    parts = np.zeros(len(log), dtype=np.int8)
    rng = np.random.default_rng(0)
    valid, test = [], []
    for user in range(len(log.user_ids)):
        rows = np.arange(log.offsets[user], log.offsets[user + 1])
        items, places = np.unique(log.items[rows], return_inverse=True)
        if len(items) < 3:
            continue
        own = _dealt(len(items), config, rng)[places]
        parts[rows] = own
        if (own == 1).any():
            valid.append(Ask(user, rows[own == 0], rows[own == 1]))
        if (own == 2).any():
            test.append(Ask(user, rows[own < 2], rows[own == 2]))
    facts = {"folds": str(config.folds), "valid": f"{config.valid_fraction:.0%}"}
    return _assemble(dataset, "k-fold", parts, (valid, test), facts)


def _dealt(count: int, config: SplitConfig, rng: np.random.Generator) -> _Parts:
    """The part of each of a user's items in one fold (0 train, 1 validation, 2 test). Draws the same numbers for every fold."""
    order, first = rng.permutation(count), int(rng.integers(config.folds))
    fold = (np.arange(count) + first) % config.folds + 1
    tested = fold == config.fold
    rest = order[~tested]
    out = np.zeros(count, dtype=np.int8)
    out[order[tested]] = 2
    out[rest[: min(max(1, round(count * config.valid_fraction)), len(rest) - 1)]] = 1
    return out


def utc(seconds: int) -> str:
    """A time (seconds since 1970) as people read it, in UTC."""
    return str(np.datetime64(seconds, "s")).replace("T", " ")


def _shares(count: int, config: SplitConfig) -> tuple[int, int]:
    """How many of a user's interactions validate and test; at least one each, and one is always left to train."""
    num_test = min(max(1, round(count * config.test_fraction)), count - 2)
    num_valid = min(max(1, round(count * config.valid_fraction)), count - num_test - 1)
    return num_valid, num_test


def _cuts(dataset: Dataset, config: SplitConfig) -> tuple[int, int]:
    """The moments (seconds) at which validation and test begin."""
    times = dataset.interactions.timestamps
    if not len(times) or times.max() < EARLIEST_CLOCK:
        raise DataError(
            f"{dataset.name} has no times (only the order of each history is known), so it cannot be split by time. "
            "Use the split leave-one-out or ratio, or give a timestamp column."
        )
    before = 1 - config.valid_fraction - config.test_fraction
    cuts = np.quantile(times, [before, 1 - config.test_fraction], method="higher")
    return int(cuts[0]), int(cuts[1])


def _window(dataset: Dataset, inside: BoolArray, min_history: int) -> list[Ask]:
    """One question for every user with a row inside: rows of a user lie in order, so the last one inside is the target."""
    log = dataset.interactions
    rows = np.flatnonzero(inside)
    last = rows[np.append(np.diff(log.users[rows]) != 0, True)] if len(rows) else rows
    starts = log.offsets[log.users[last]]
    pairs = [(int(start), int(row)) for start, row in zip(starts, last, strict=True) if row - start >= min_history]
    return [Ask.cut(int(log.users[row]), start, row, row + 1) for start, row in pairs]


def _assemble(
    dataset: Dataset,
    kind: SplitKind,
    parts: _Parts,
    asks: Sequence[Sequence[Ask]],
    facts: dict[str, str],
    *,
    is_untested: bool = False,
) -> Split:
    """`parts`: 0 train, 1 validation, 2 test for every row; `asks`: the validation and the test questions."""
    if not asks[0] or not (asks[1] or is_untested):
        part = "validation" if not asks[0] else "test"
        raise DataError(
            f"{dataset.name} has no {part} query under the split {kind}: nobody has enough interactions ({len(parts):,} in all). "
            "leave-one-out, ratio and k-fold need users with 3 or more; time and since need users on both sides of the cut."
        )
    log = dataset.interactions
    train = log.keep(parts == 0)
    # Popularity and ratings as limits see them are those of training.
    dataset = replace(dataset, catalog=replace(dataset.catalog, measures=measures_of(train, dataset.catalog)))
    return Split(
        name=kind,
        protocol=phrase(f"protocol.{kind}", **facts),
        train=dataset.with_interactions(train),
        known=dataset.with_interactions(log.keep(parts <= 1)),
        valid=holdout_of(dataset, asks[0]),
        test=holdout_of(dataset, asks[1]),
    )


def holdout_of(dataset: Dataset, asks: Sequence[Ask]) -> Holdout:
    """The queries that these rows of a dataset make, and what is asked for."""
    log, ids = dataset.interactions, dataset.catalog.item_ids
    queries = [
        Query(
            user=log.user_ids[ask.user],
            history=tuple([ids[code] for code in log.items[ask.history].tolist()]),
            time=int(log.timestamps[ask.targets][0]),
        )
        for ask in asks
    ]
    targets = [list(dict.fromkeys(log.items[ask.targets].tolist())) for ask in asks]
    # Of an item that is asked for twice, what was given last.
    given = [
        dict(zip(log.items[ask.targets].tolist(), log.ratings[ask.targets].tolist(), strict=True)) if len(log.ratings) else {}
        for ask in asks
    ]
    return Holdout(
        queries=tuple(queries),
        targets=tuple(np.array(row, dtype=np.int64) for row in targets),
        user_codes=np.array([ask.user for ask in asks], dtype=np.int64),
        ratings=tuple(
            np.array([own.get(item, np.nan) for item in row], dtype=np.float32) for row, own in zip(targets, given, strict=True)
        ),
    )
