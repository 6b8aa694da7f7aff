"""What people choose now: events since the run was made, each for less the older it is, and the run's log behind them."""

from __future__ import annotations

import math
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, NamedTuple

import numpy as np

from instructrec.errors import StoreError
from instructrec.journal.records import Deed, Stored
from instructrec.journal.state import LIKED_RATING
from instructrec.journal.store import Store
from instructrec.lists import DoubleArray
from instructrec.models.popular import Popular, PopularConfig
from instructrec.recommender import Recommender
from instructrec.service.settings import DEFAULTS, ServiceConfig
from instructrec.tables import Catalog, FloatArray, ItemId

WEIGHTS: Mapping[str, float] = {"view": 0.25, "click": 1.0, "like": 1.0, "similar": 1.0, "purchase": 1.0, "rating": 1.0}
"""What an event counts; a rating only from LIKED_RATING on, all others nothing."""
MOST_REPLAYED = 200_000
"""Events of the journal that are looked at when a service begins, the last ones."""
MOST_CHOICES = 50_000
"""Last choices (person and item) that are remembered, so that each counts once and can be taken back."""
STEP_S = 60.0
"""Counts fade in such steps."""
_HOUR_S = 3600.0
_LARGEST_POWER = 64.0


class Choice(NamedTuple):
    """What somebody's strongest event about an item counts; `time` in seconds since 1970."""

    event_id: str
    weight: float
    time: float


class Trend:
    """Counts of items that halve with time, in forward decay (Cormode, Shkapenyuk, Srivastava & Xu 2009): an event counts for more
    the later it is, relative to a landmark, so that nothing but the event's own item changes when one comes.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._slots: dict[ItemId, int] = {}
        self._items: list[ItemId] = []
        self._counts = array("d")
        self._landmark = -math.inf
        self._codes: tuple[Catalog | None, array[int]] = (None, array("q"))

    def add(self, item: ItemId, weight: float, at: float) -> None:
        """Count an event of a time; below 0, take one back."""
        power = (at - self._landmark) / self._half_life_s
        if power > _LARGEST_POWER:
            self._move_landmark(at)
            power = 0.0
        slot = self._slots.setdefault(item, len(self._items))
        if slot == len(self._items):
            self._items.append(item)
            self._counts.append(0.0)
        amount = weight * 2.0**power
        left = self._counts[slot] + amount
        # What is taken back leaves nothing, not the rounding of a sum.
        self._counts[slot] = left if left > 1e-9 * abs(amount) else 0.0

    def row(self, catalog: Catalog, now: float) -> DoubleArray:
        """What each item counts at a time, float64 [num_items]."""
        out = np.zeros(len(catalog))
        codes, counts = np.array(self._codes_in(catalog), dtype=np.int64), np.array(self._counts)
        if len(codes):
            out[codes[codes >= 0]] = counts[codes >= 0] * 2.0 ** ((self._landmark - now) / self._half_life_s)
        return out

    def _codes_in(self, catalog: Catalog) -> array[int]:
        known, codes = self._codes
        if known is not catalog:
            codes = array("q")
            self._codes = catalog, codes
        codes.extend(catalog.index.get(item, -1) for item in self._items[len(codes) :])
        return codes

    def _move_landmark(self, at: float) -> None:
        shrink = 2.0 ** ((self._landmark - at) / self._half_life_s)
        self._counts = array("d", [count * shrink for count in self._counts])
        self._landmark = at


class Trends:
    """The trend of every tenant. Of one person and item the strongest event counts, once; a person alone makes nothing popular.

    Only items that `is_known` says to be some are counted. Safe from any thread.
    """

    def __init__(
        self, is_known: Callable[[ItemId], bool], config: ServiceConfig = DEFAULTS, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._is_known, self.config, self._clock = is_known, config, clock
        self._half_life_s = config.trending_half_life_h * _HOUR_S
        self._trends: dict[str, Trend] = {}
        self._choices: OrderedDict[tuple[str, str, ItemId], Choice] = OrderedDict()
        self._chosen: dict[tuple[str, str, str], ItemId] = {}
        self._lock = threading.Lock()

    def read(self, store: Store) -> None:
        """Take in the last events of a journal, at most MOST_REPLAYED; one that cannot be read ends it."""
        with suppress(StoreError):
            self._count(store.deeds_after(max(0, store.last_seq() - MOST_REPLAYED), (*WEIGHTS, "undo")))

    def follow(self, rows: Sequence[Stored]) -> None:
        """Take in events in the order of the journal, as they are committed."""
        self._count(map(Deed.of, rows))

    def forget(self, tenant: str, person: str) -> None:
        """Take back what somebody chose."""
        with self._lock:
            for key in [key for key in self._choices if key[:2] == (tenant, person)]:
                self._drop(key)

    def row(self, tenant: str, catalog: Catalog) -> DoubleArray:
        """What people of a tenant chose, in events as of now, float64 [num_items]."""
        now = self._clock() // STEP_S * STEP_S
        with self._lock:
            trend = self._trends.get(tenant)
            return np.zeros(len(catalog)) if trend is None else trend.row(catalog, now)

    def _count(self, deeds: Iterable[Deed]) -> None:
        with self._lock:
            for deed in deeds:
                if deed.type == "undo":
                    self._take_back(deed)
                else:
                    self._take(deed)

    def _take(self, deed: Deed) -> None:
        weight = _weight(deed)
        if not weight or deed.item_id is None or not self._is_known(deed.item_id):
            return
        # The clock of a sender may be ahead, but nothing happened after it came.
        choice = Choice(deed.event_id, weight, min(deed.time, deed.received))
        key = (deed.tenant, deed.person, deed.item_id)
        before = self._choices.get(key)
        if before is not None:
            if self._strength(before) >= self._strength(choice):
                return
            self._drop(key)
        self._trend(deed.tenant).add(deed.item_id, choice.weight, choice.time)
        self._choices[key] = choice
        self._chosen[deed.tenant, deed.person, deed.event_id] = deed.item_id
        if len(self._choices) > MOST_CHOICES:
            (tenant, person, _), oldest = self._choices.popitem(last=False)
            del self._chosen[tenant, person, oldest.event_id]

    def _take_back(self, deed: Deed) -> None:
        """Count what was undone no longer. What the person did with the item before, and an undo of an undo, do not come back."""
        item = self._chosen.get((deed.tenant, deed.person, deed.undoes or ""))
        if item is not None:
            self._drop((deed.tenant, deed.person, item))

    def _drop(self, key: tuple[str, str, ItemId]) -> None:
        tenant, person, item = key
        choice = self._choices.pop(key)
        del self._chosen[tenant, person, choice.event_id]
        self._trend(tenant).add(item, -choice.weight, choice.time)

    def _trend(self, tenant: str) -> Trend:
        return self._trends.setdefault(tenant, Trend(self._half_life_s))

    def _strength(self, choice: Choice) -> float:
        return math.log2(choice.weight) + choice.time / self._half_life_s


class Trending(Popular):
    """Score = log(1 + live + prior), the same for everyone.

    live: events of a tenant since the run (`WEIGHTS`), each halved every `trending_half_life_h` hours. prior: the item's
    interactions in the run's log, of which the most popular item has `trending_prior`. So it is the list of popularity as long as
    nothing happens, and what so many people chose today stands above all that only the log knows.
    """

    name: ClassVar[str] = "trending"

    def __init__(
        self,
        config: PopularConfig | None = None,
        *,
        trends: Trends | None = None,
        tenant: str = "",
        judge: Recommender | None = None,
    ) -> None:
        """`judge`: the model that says what resembles a disliked item; to popularity no two items are alike."""
        super().__init__(config)
        self._trends, self._tenant, self._judge = trends or Trends(lambda item: False), tenant, judge

    @classmethod
    def of(cls, popular: Popular, trends: Trends, tenant: str, judge: Recommender) -> Trending:
        """What a tenant's people choose, before what a log counts."""
        found = cls(popular.config, trends=trends, tenant=tenant, judge=judge)
        found.catalog, found._counts = popular.catalog, popular._ready()
        return found

    def resembling(self) -> Recommender:
        """The judge, if there is one."""
        return self._judge or self

    def _row(self, counts: FloatArray) -> FloatArray:
        prior = self._trends.config.trending_prior * counts / max(1.0, float(counts.max(initial=0)))
        return np.asarray(np.log1p(prior + self._trends.row(self._tenant, self.catalog)), dtype=np.float32)


def _weight(deed: Deed) -> float:
    if deed.type == "rating" and (deed.value or 0.0) < LIKED_RATING:
        return 0.0
    return WEIGHTS.get(deed.type, 0.0)
