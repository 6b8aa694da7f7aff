"""Cleaning as visible steps: each takes a log and gives a log and one line of the report. Nothing is cleaned elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from instructrec.data.missing import Policy, fill
from instructrec.data.outliers import find_outliers, has_clock
from instructrec.data.raw import Log, Numbers
from instructrec.data.report import CleaningStep
from instructrec.data.rules import matching, parse_rule
from instructrec.data.split import EARLIEST_CLOCK
from instructrec.errors import ConfigError, nearest
from instructrec.tables import BoolArray, IntArray

Repeats: TypeAlias = Literal["keep", "first", "last"]
Normalisation: TypeAlias = Literal["none", "minmax", "zscore"]
CatalogChoice: TypeAlias = Literal["all", "used"]
DuplicateItems: TypeAlias = Literal["first", "refuse"]

LATEST_SECOND = 4_102_444_800
"""Times from the year 2100 on are impossible."""


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"{name} is '{value}'.{nearest(value, known)} Choose one of: {', '.join(known)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningConfig:
    """What is cleaned, in the order of the fields. The default keeps every interaction that can be read."""

    rating_range: tuple[float, ...] = ()
    """Lowest and highest possible rating; a rating outside counts as missing. Empty: any finite number."""
    missing_rating: Policy = "drop"
    """Interactions of a rated kind without a rating: drop, keep, mean, median (of the item), interpolate (in the history)."""
    missing_time: Policy = "drop"
    """Interactions without a possible time: drop, mean, median (of the user), interpolate (between neighbours in the file)."""
    exact_duplicates: bool = True
    """Drop rows that equal an earlier one in every column."""
    rule: str = ""
    """Which interactions count, e.g. "rating>=4" or "kind==purchase"; empty: all."""
    repeated: Repeats = "first"
    """The same user and item again: keep all, or only the first or last in time."""
    drop_outliers: bool = False
    """Drop users and items that look like machines; they are reported in any case."""
    max_per_second: int = 20
    """A user with more interactions in one second looks like a machine; 0: no limit."""
    max_per_user: int = 0
    """A user with more interactions in all looks like a machine; 0: a limit is taken from the data."""
    max_per_item: int = 0
    """An item with more interactions in all looks pushed; 0: no limit, for popularity has none."""
    user_core: int = 0
    """Drop users with fewer interactions, and again until nothing changes (k-core)."""
    item_core: int = 0
    """Drop items with fewer interactions, and again until nothing changes (k-core)."""
    normalise: Normalisation = "none"
    """Ratings of each user: none, minmax (0 to 1) or zscore (mean 0, deviation 1)."""
    catalog: CatalogChoice = "all"
    """Keep all items of the items table, or only those with an interaction left."""
    duplicate_items: DuplicateItems = "first"
    """An item id that stands twice in the items table: keep the first row, or refuse the table."""

    def __post_init__(self) -> None:
        parse_rule(self.rule)
        _check("missing_rating", self.missing_rating, get_args(Policy))
        _check("missing_time", self.missing_time, tuple(p for p in get_args(Policy) if p != "keep"))
        _check("repeated", self.repeated, get_args(Repeats))
        _check("normalise", self.normalise, get_args(Normalisation))
        _check("catalog", self.catalog, get_args(CatalogChoice))
        _check("duplicate_items", self.duplicate_items, get_args(DuplicateItems))
        if self.rating_range and (len(self.rating_range) != 2 or self.rating_range[0] >= self.rating_range[1]):
            raise ConfigError(f"rating_range is {self.rating_range}; give the lowest and the highest possible rating, e.g. [1, 5].")


GENTLE = CleaningConfig()
"""The default: every interaction that can be read stays, once."""

_Cleaner: TypeAlias = Callable[[Log, CleaningConfig], tuple[Log, CleaningStep]]


def clean(log: Log, config: CleaningConfig) -> tuple[Log, tuple[CleaningStep, ...]]:
    """Run all steps in order; the rows that are left come sorted by user, time and order of arrival. The input does not change."""
    steps = []
    for cleaner in CLEANERS:
        log, step = cleaner(log, config)
        steps.append(step)
    return log, tuple(steps)


def missing_ids(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Drop rows without a user or an item."""
    return _kept(log, (log.users >= 0) & (log.items >= 0), "missing_ids")


def impossible(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Take impossible ratings and times out of their cells; the steps for missing values then decide about the rows."""
    low, high = config.rating_range or (-np.inf, np.inf)
    bad_ratings = np.isinf(log.ratings) | (log.ratings < low) | (log.ratings > high)
    earliest = EARLIEST_CLOCK if has_clock(log.times) else 0
    bad_times = np.isinf(log.times) | (log.times < earliest) | (log.times >= LATEST_SECOND)
    facts = {"ratings": f"{int(bad_ratings.sum()):,}", "times": f"{int(bad_times.sum()):,}"}
    rows = np.flatnonzero(bad_ratings | bad_times)
    step = CleaningStep(name="impossible", before=len(log), after=len(log), facts=facts, examples=_examples(log, rows))
    ratings = np.where(bad_ratings, np.nan, log.ratings)
    return replace(log, ratings=ratings, times=np.where(bad_times, np.nan, log.times)), step


def missing_ratings(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Drop, keep or fill missing ratings. A kind of interaction that never has a rating misses none."""
    kinds = log.kinds + 1 if len(log.kinds) else np.zeros(len(log), dtype=np.int64)
    rated = np.bincount(kinds, weights=~np.isnan(log.ratings), minlength=1) > 0
    missing = np.isnan(log.ratings) & rated[kinds]
    policy = config.missing_rating
    groups = log.users if policy == "interpolate" else log.items
    order = _order(log) if policy == "interpolate" else np.arange(len(log))
    ratings = log.ratings.copy()
    ratings[order] = np.where(missing[order], fill(log.ratings[order], groups[order], policy), ratings[order])
    return _treated(log, replace(log, ratings=ratings), missing, policy, "missing_ratings")


def missing_times(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Drop or fill missing times."""
    missing = np.isnan(log.times)
    filled = replace(log, times=fill(log.times, log.users, config.missing_time))
    return _treated(log, filled, missing | np.isnan(filled.times), config.missing_time, "missing_times")


def exact_duplicates(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Drop rows that equal an earlier one: user, item, time, rating and kind."""
    if not config.exact_duplicates:
        return log, CleaningStep(name="exact_duplicates_kept", before=len(log), after=len(log))
    kinds = log.kinds if len(log.kinds) else np.zeros(len(log), dtype=np.int64)
    columns = (np.nan_to_num(log.ratings, nan=-np.inf), kinds, log.times, log.items, log.users)
    order = np.lexsort((np.arange(len(log)), *columns))
    same = np.ones(max(len(log) - 1, 0), dtype=np.bool_)
    for column in columns:
        same &= column[order][1:] == column[order][:-1]
    keep = np.ones(len(log), dtype=np.bool_)
    keep[order[1:][same]] = False
    return _kept(log, keep, "exact_duplicates")


def rule(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Keep the interactions that count; this is where ratings become implicit feedback."""
    if not config.rule:
        return log, CleaningStep(name="no_rule", before=len(log), after=len(log))
    return _kept(log, matching(log, parse_rule(config.rule)), "rule", {"rule": config.rule})


def repeated(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Keep the first or the last in time of the same user and item, or all."""
    pairs = log.users * len(log.item_ids) + log.items
    order = np.lexsort((np.arange(len(log)), log.times, pairs))
    new = np.ones(len(log), dtype=np.bool_)
    new[1:] = pairs[order][1:] != pairs[order][:-1]
    chosen = new if config.repeated != "last" else np.append(new[1:], True)[: len(log)]
    keep = np.zeros(len(log), dtype=np.bool_)
    keep[order[chosen]] = True
    if config.repeated == "keep":
        facts = {"count": f"{int((~keep).sum()):,}"}
        return log, CleaningStep(name="repeated_kept", before=len(log), after=len(log), facts=facts, examples=_examples(log, ~keep))
    return _kept(log, keep, f"repeated_{config.repeated}")


def outliers(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Report users and items that look like machines, and drop them when asked to."""
    limits = {"max_per_second": config.max_per_second, "max_per_user": config.max_per_user, "max_per_item": config.max_per_item}
    if not len(log):
        return log, CleaningStep(name="no_outliers", before=0, after=0)
    found = find_outliers(log, **limits)
    counts = {
        key: f"{int(getattr(found, key).sum()):,}"
        for key in ("fast_users", "busy_users", "random_users", "busy_items", "burst_items")
    }
    names = [f"user {log.user_ids[code]}" for code in np.flatnonzero(found.users)[:3]]
    names += [f"item {log.item_ids[code]}" for code in np.flatnonzero(found.items)[:3]]
    rows = found.users[log.users] | found.items[log.items]
    if not rows.any():
        return log, CleaningStep(name="no_outliers", before=len(log), after=len(log))
    facts = {**counts, "count": f"{int(rows.sum()):,}"}
    after = log.keep(~rows) if config.drop_outliers else log
    name = "outliers_dropped" if config.drop_outliers else "outliers_kept"
    return after, CleaningStep(name=name, before=len(log), after=len(after), facts=facts, examples=tuple(names))


def k_core(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Drop users and items with too few interactions until every one left has enough."""
    if config.user_core <= 1 and config.item_core <= 1:
        return log, CleaningStep(name="no_k_core", before=len(log), after=len(log))
    keep = np.ones(len(log), dtype=np.bool_)
    while True:
        users = np.bincount(log.users[keep], minlength=len(log.user_ids)) >= config.user_core
        items = np.bincount(log.items[keep], minlength=len(log.item_ids)) >= config.item_core
        smaller = keep & users[log.users] & items[log.items]
        if smaller.sum() == keep.sum():
            return _kept(log, keep, "k_core", {"user_core": str(config.user_core), "item_core": str(config.item_core)})
        keep = smaller


def normalise(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Put each user's ratings on one scale; a user whose ratings are all equal gets the middle (0.5, or 0)."""
    facts = {"how": config.normalise}
    known = ~np.isnan(log.ratings)
    if config.normalise == "none" or not known.any():
        return log, CleaningStep(name="no_normalisation", before=len(log), after=len(log))
    users, values = log.users[known], log.ratings[known]
    ratings = log.ratings.copy()
    ratings[known] = _minmax(values, users) if config.normalise == "minmax" else _zscore(values, users)
    return replace(log, ratings=ratings), CleaningStep(name="normalised", before=len(log), after=len(log), facts=facts)


def order(log: Log, config: CleaningConfig) -> tuple[Log, CleaningStep]:
    """Sort by user and time; rows of one user in the same second stay in the finer order of their times, then of arrival."""
    ordered = log.keep(_order(log))
    seconds = np.floor(ordered.times)
    same = (ordered.users[1:] == ordered.users[:-1]) & (seconds[1:] == seconds[:-1])
    tied = np.zeros(len(log), dtype=np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    facts = {"count": f"{int(tied.sum()):,}"}
    return ordered, CleaningStep(name="order", before=len(log), after=len(log), facts=facts)


CLEANERS: tuple[_Cleaner, ...] = (
    missing_ids,
    impossible,
    missing_ratings,
    missing_times,
    exact_duplicates,
    rule,
    repeated,
    outliers,
    k_core,
    normalise,
    order,
)
"""All steps in the order in which they run."""


def _order(log: Log) -> IntArray:
    """Row numbers by user, time (missing last) and arrival."""
    return np.lexsort((np.arange(len(log)), log.times, log.users))


def _kept(log: Log, keep: BoolArray, name: str, facts: dict[str, str] | None = None) -> tuple[Log, CleaningStep]:
    after = log if keep.all() else log.keep(keep)
    step = CleaningStep(name=name, before=len(log), after=len(after), facts=facts or {}, examples=_examples(log, ~keep))
    return after, step


def _treated(log: Log, filled: Log, missing: BoolArray, policy: Policy, name: str) -> tuple[Log, CleaningStep]:
    """Drop the rows, or take the filled log. Rows that nothing can fill (nothing is known at all) are dropped as well."""
    if policy == "drop":
        return _kept(log, ~missing, f"{name}_dropped")
    facts = {"count": f"{int(missing.sum()):,}", "how": policy}
    keep = ~np.isnan(filled.times) if name == "missing_times" else np.ones(len(log), dtype=np.bool_)
    after = filled if keep.all() else filled.keep(keep)
    suffix = "kept" if policy == "keep" else "filled"
    return after, CleaningStep(
        name=f"{name}_{suffix}", before=len(log), after=len(after), facts=facts, examples=_examples(log, missing)
    )


def _examples(log: Log, rows: BoolArray | IntArray) -> tuple[str, ...]:
    chosen = np.flatnonzero(rows)[:3] if rows.dtype == np.bool_ else rows[:3]
    users, items = ((*log.user_ids, "?"), (*log.item_ids, "?"))
    return tuple(f"line {log.lines[row]}: user {users[log.users[row]]}, item {items[log.items[row]]}" for row in chosen.tolist())


def _minmax(values: Numbers, users: IntArray) -> Numbers:
    low = np.full(int(users.max()) + 1, np.inf)
    high = np.full(len(low), -np.inf)
    np.minimum.at(low, users, values)
    np.maximum.at(high, users, values)
    span = high[users] - low[users]
    return np.where(span > 0, (values - low[users]) / np.where(span > 0, span, 1), 0.5)


def _zscore(values: Numbers, users: IntArray) -> Numbers:
    sizes = np.maximum(np.bincount(users), 1)
    means = np.bincount(users, weights=values) / sizes
    centred = values - means[users]
    spread = np.sqrt(np.bincount(users, weights=centred**2) / sizes)[users]
    return np.where(spread > 1e-12, centred / np.where(spread > 1e-12, spread, 1), 0.0)
