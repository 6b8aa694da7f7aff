"""Users and items that look like machines: bursts, too many interactions in all, clicks at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from instructrec.data.raw import Log, Numbers
from instructrec.data.split import EARLIEST_CLOCK
from instructrec.tables import BoolArray, IntArray

_MIN_EVENTS = 20
"""Fewer interactions than this say nothing about a habit."""
_BURST_SECONDS = 3600
_BURST_SHARE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outliers:
    """Masks over user codes and item codes, one for each reason to be suspicious."""

    fast_users: BoolArray
    busy_users: BoolArray
    random_users: BoolArray
    busy_items: BoolArray
    burst_items: BoolArray

    @property
    def users(self) -> BoolArray:
        """Users with any reason."""
        return self.fast_users | self.busy_users | self.random_users

    @property
    def items(self) -> BoolArray:
        """Items with any reason."""
        return self.busy_items | self.burst_items


def find_outliers(log: Log, *, max_per_second: int, max_per_user: int, max_per_item: int) -> Outliers:
    """Look for machines. The limits are numbers of interactions; 0 means none, but for `max_per_user`, where it
    takes a limit from the data (see `_too_many`).

    fast: more than `max_per_second` in one second. busy: too many in all. random: see `_random_clickers`. burst: an item with
    20 or more interactions, 80 % of them within one hour.
    """
    num_users, num_items = len(log.user_ids), len(log.item_ids)
    return Outliers(
        fast_users=_fast(log, num_users, max_per_second),
        busy_users=_too_many(np.bincount(log.users, minlength=num_users), max_per_user),
        random_users=_random_clickers(log, num_users, num_items),
        busy_items=np.asarray((max_per_item > 0) & (np.bincount(log.items, minlength=num_items) > max_per_item), dtype=np.bool_),
        burst_items=_bursts(log, num_items),
    )


def has_clock(times: Numbers) -> bool:
    """Whether times are seconds since 1970, not positions in a history."""
    known = times[np.isfinite(times)]
    return bool(len(known)) and float(np.median(known)) >= EARLIEST_CLOCK


def _fast(log: Log, num_users: int, limit: int) -> BoolArray:
    out = np.zeros(num_users, dtype=np.bool_)
    if limit > 0 and has_clock(log.times):
        seconds = np.floor(log.times)
        order = np.lexsort((seconds, log.users))
        users, seconds = log.users[order], seconds[order]
        # More than `limit` in one second: the row `limit` places further on has the same user and second.
        same = (users[limit:] == users[:-limit]) & (seconds[limit:] == seconds[:-limit])
        out[users[limit:][same]] = True
    return out


def _too_many(counts: IntArray, limit: int) -> BoolArray:
    """More than the limit; with 0, far outliers after Tukey: three quartile ranges of the logarithm above the upper quartile."""
    if limit > 0:
        return np.asarray(counts > limit, dtype=np.bool_)
    seen = counts[counts > 0]
    if len(seen) < _MIN_EVENTS:
        return np.zeros(len(counts), dtype=np.bool_)
    low, high = np.quantile(np.log(seen), [0.25, 0.75])
    # At least a doubling, so that a log where everybody has nearly the same count flags nobody for one more.
    fence = high + 3 * max(high - low, np.log(2))
    return np.asarray(np.log(np.maximum(counts, 1)) > fence, dtype=np.bool_)


def _random_clickers(log: Log, num_users: int, num_items: int) -> BoolArray:
    """Users with 20 or more interactions whose items are no more popular than items drawn from the catalog by lot.

    People choose popular items; the mean log popularity of a random clicker lies within two standard errors of the plain mean
    over items. Where people's mean is not at least four standard errors above it, nobody can be told apart.
    """
    counts = np.bincount(log.items, minlength=num_items)
    popularity = np.log(np.maximum(counts, 1))
    by_lot, spread = popularity[counts > 0].mean(), popularity[counts > 0].std()
    sizes = np.bincount(log.users, minlength=num_users)
    means = np.bincount(log.users, weights=popularity[log.items], minlength=num_users) / np.maximum(sizes, 1)
    error = spread / np.sqrt(np.maximum(sizes, 1))
    telling = (sizes >= _MIN_EVENTS) & (popularity[log.items].mean() > by_lot + 4 * error)
    return np.asarray(telling & (means <= by_lot + 2 * error), dtype=np.bool_)


def _bursts(log: Log, num_items: int) -> BoolArray:
    out = np.zeros(num_items, dtype=np.bool_)
    if not has_clock(log.times):
        return out
    order = np.lexsort((log.times, log.items))
    items, times = log.items[order], log.times[order]
    counts = np.bincount(items, minlength=num_items)
    need = np.ceil(_BURST_SHARE * counts[items]).astype(np.int64)
    other = np.minimum(np.arange(len(items)) + need - 1, len(items) - 1)
    quick = (items[other] == items) & (times[other] - times <= _BURST_SECONDS) & (counts[items] >= _MIN_EVENTS)
    out[items[quick]] = True
    return out
