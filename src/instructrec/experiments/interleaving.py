"""Two recommenders in one list: team-draft interleaving, whose clicks are credited, and the test which of them is preferred.

Every user is their own comparison, so it needs far fewer users than an A/B test; it tells who is preferred, not by how much a
metric changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from instructrec.errors import DataError
from instructrec.evaluation.intervals import Interval
from instructrec.experiments.splits import sequential_split_p
from instructrec.experiments.statistics import LEVEL, Moments, mean_interval
from instructrec.tables import ItemId

Team: TypeAlias = Literal["first", "second"]
_PRIORS: Final = {100.0: 1.0}
"""Of the sequential test of wins and losses: preferences differ more than splits, so fewer units than for a split check."""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The list to show, and which recommender each of its items counts for."""

    items: tuple[ItemId, ...]
    teams: tuple[Team, ...]

    def credit(self, clicked: Collection[ItemId]) -> tuple[int, int]:
        """(items of the first, items of the second) among the clicked ones; an item counts once, one that was not shown never."""
        chosen = set(clicked)
        won = [team for item, team in zip(self.items, self.teams, strict=True) if item in chosen]
        return won.count("first"), won.count("second")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What the clicks of many units say.

    `wins`, `losses`, `ties`: units that gave the first more, fewer, as many clicks; `difference`: mean over units of (clicks for
    the first - for the second) / clicks, -1 to 1, with its always-valid interval; `p`: exact two-sided binomial test of wins and
    losses, for one look; `sequential_p`: for any number of looks.
    """

    wins: int
    losses: int
    ties: int
    difference: Interval
    p: float
    sequential_p: float

    def to_json(self) -> dict[str, Any]:
        """All fields under their names."""
        counts = {"wins": self.wins, "losses": self.losses, "ties": self.ties}
        return {**counts, "difference": self.difference.to_json(), "p": self.p, "sequential_p": self.sequential_p}


def team_draft(first: Sequence[ItemId], second: Sequence[ItemId], n: int, *, seed: str, request: str) -> Interleaved:
    """A list of at most n items: in each round both recommenders give their best item that is not there yet, in drawn order.

    Team-draft interleaving (Radlinski, Kurup and Joachims 2008). Who goes first in a round is a bit of sha256(seed, request), so
    the same request gets the same list on every host. Lists may overlap and differ in length: one that is used up gives nothing.
    """
    waiting = {"first": iter(first), "second": iter(second)}
    items: dict[ItemId, Team] = {}
    for first_begins in _coins(seed, request):
        order: tuple[Team, Team] = ("first", "second") if first_begins else ("second", "first")
        before = len(items)
        for team in order:
            item = next((item for item in waiting[team] if item not in items), None)
            if item is not None and len(items) < n:
                items[item] = team
        if len(items) in (before, n):
            break
    return Interleaved(tuple(items), tuple(items.values()))


def preference(first_clicks: ArrayLike, second_clicks: ArrayLike, *, level: float = LEVEL) -> Preference:
    """Which recommender is preferred; `first_clicks`, `second_clicks`: whole numbers [units], the credit of all lists of a unit.

    Units without a click have no value and are not ties. Raises DataError for unequal lengths.
    """
    # scipy.stats takes a second to load, which only this needs.
    from scipy import stats

    one, two = np.asarray(first_clicks, dtype=np.float64), np.asarray(second_clicks, dtype=np.float64)
    if one.shape != two.shape or one.ndim != 1:
        raise DataError(f"A preference needs both credits of each unit, but their shapes are {one.shape} and {two.shape}.")
    clicks = one + two
    acted = clicks > 0
    scores = (one[acted] - two[acted]) / clicks[acted]
    wins, losses = int((scores > 0).sum()), int((scores < 0).sum())
    return Preference(
        wins=wins,
        losses=losses,
        ties=len(scores) - wins - losses,
        difference=mean_interval(Moments.of(scores), level=level),
        p=float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
        sequential_p=float(sequential_split_p([wins, losses], [0.5, 0.5], priors=_PRIORS)),
    )


def _coins(seed: str, request: str) -> Iterator[bool]:
    """Endless fair coins, a function of the two texts alone."""
    block = 0
    while True:
        # Lengths first: no two pairs of texts are written alike.
        key = f"{len(seed)}:{seed}:{request}:{block}".encode("utf-8", "surrogatepass")
        bits = int.from_bytes(hashlib.sha256(key).digest(), "big")
        yield from (bool(bits >> place & 1) for place in range(256))
        block += 1
