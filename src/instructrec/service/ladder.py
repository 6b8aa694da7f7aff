"""An answer within a deadline: from the best model that can give a sound one in time, and at the end from one that always can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from instructrec.core import Query, Recommendation
from instructrec.errors import QueryError
from instructrec.recommender import Recommender, allowed, resolved
from instructrec.service.worker import Worker

RESERVE_S = 0.05
"""Time that is kept for the models below; what a slow one has not answered by then it is not waited for."""
FAILURES = 3
"""Failures in a row after which a model is left alone."""
REST_S = 2.0
"""How long it is left alone before one request tries it again."""


class Breaker:
    """Keeps requests from a model that fails: after FAILURES in a row it rests for REST_S, then one request tries it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._failures, self._until = clock, 0, 0.0

    @property
    def is_open(self) -> bool:
        """Whether the model is left alone."""
        return self._failures >= FAILURES and self._clock() < self._until

    def allows(self) -> bool:
        """Whether this request may ask the model; where it rested, only this one for another REST_S."""
        if self._failures < FAILURES:
            return True
        if self._clock() < self._until:
            return False
        self._until = self._clock() + REST_S
        return True

    def succeeded(self) -> None:
        """Forget what failed before."""
        self._failures = 0

    def failed(self) -> None:
        """Count a failure."""
        self._failures += 1
        self._until = self._clock() + REST_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A model that can answer. One with a `worker` is slow, and is asked through it alone."""

    model: Recommender
    breaker: Breaker
    worker: Worker | None = None

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.model.name


class Ladder:
    """Models from the best to the surest; the last one is asked where nothing else is left, on the spot."""

    def __init__(self, rungs: Sequence[Rung], quick: Executor, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`quick`: where models without a worker compute, so that no request holds up the others."""
        self.rungs, self._quick, self._clock = tuple(rungs), quick, clock

    async def answer(self, query: Query, *, deadline_s: float, last: Recommender | None = None) -> Recommendation:
        """The list of the first model that knows something of who asks and gives a sound one in time; `degraded` and a note where
        that is not the first. `last`: who answers in place of the last model, where that is not the only one.

        Raises QueryError where the query itself cannot be answered by any.
        """
        end, why = self._clock() + deadline_s, ""
        for place, rung in enumerate(self.rungs):
            if place == len(self.rungs) - 1:
                found = await self._at_last(last if last is not None and place else rung.model, query, hurried=bool(why))
            elif not _is_informed(rung, query):
                continue
            else:
                answered, reason = await self._ask(rung, query, end)
                why = why or reason
                if answered is None:
                    continue
                found = answered
            return found if place == 0 else _below(found, self.rungs[0].name, why)
        raise QueryError("No model serves. Start the service with a run folder.")

    async def _at_last(self, model: Recommender, query: Query, *, hurried: bool) -> Recommendation:
        """What the model says that always can; on the spot where others have used up the time."""
        if hurried:
            return model.recommend([query])[0]
        return await asyncio.get_running_loop().run_in_executor(self._quick, lambda: model.recommend([query])[0])

    async def _ask(self, rung: Rung, query: Query, end: float) -> tuple[Recommendation | None, str]:
        """What a model answers in time, or none and the reason."""
        if not rung.breaker.allows():
            return None, "resting"
        reserve = RESERVE_S if rung.worker else 0.0
        left = end - reserve - self._clock()
        if left <= 0:
            return None, "late"
        waiting = self._begun(rung, query, end - reserve)
        if waiting is None:
            return None, "busy"
        try:
            found = await asyncio.wait_for(waiting, left)
            wrong = await asyncio.get_running_loop().run_in_executor(self._quick, fault, found, query, rung.model)
        except QueryError:
            raise
        except TimeoutError:
            rung.breaker.failed()
            return None, "late"
        except Exception:  # a model may fail in any way, and the next one answers
            rung.breaker.failed()
            return None, "failed"
        if wrong:
            rung.breaker.failed()
            return None, "unsound"
        rung.breaker.succeeded()
        return found, ""

    def _begun(self, rung: Rung, query: Query, end: float) -> asyncio.Future[Recommendation] | None:
        """The answer of a model to come; none where it takes no more requests."""
        if rung.worker is None:
            return asyncio.get_running_loop().run_in_executor(self._quick, lambda: rung.model.recommend([query])[0])
        future = rung.worker.submit(query, end=end)
        return None if future is None else asyncio.wrap_future(future)


def fault(found: Recommendation, query: Query, model: Recommender) -> str:
    """What is wrong with a list as an answer to a query, in words; empty where nothing is."""
    catalog, asked = model.catalog, resolved(query)
    items = [entry.item for entry in found.items]
    if catalog.unknown(items):
        return f"item '{catalog.unknown(items)[0]}' is not in the catalog"
    if len(set(items)) < len(items):
        return "an item stands twice"
    if not np.isfinite([entry.score for entry in found.items]).all():
        return "a score is no number"
    mask = allowed(asked, catalog)
    if not mask[catalog.codes(items)].all():
        return "an item may not be shown"
    counted = bool(asked.instruction and asked.instruction.quotas)
    if len(items) > asked.n or (len(items) < min(asked.n, int(mask.sum())) and not counted):
        return f"{len(items)} items where {asked.n} were wanted"
    return ""


def _is_informed(rung: Rung, query: Query) -> bool:
    """Whether a model has more to say than what many choose; one that cannot tell is asked, and what is wrong is seen then."""
    try:
        return rung.model.informed(query)
    except Exception:  # a model may fail in any way
        return True


def _below(found: Recommendation, wanted: str, why: str) -> Recommendation:
    """The answer of a model that was not the first choice; without a reason it was because nothing is known of who asks."""
    cold = "trending" if found.served_by == "trending" else "popularity"
    note = f"degraded:{why}" if why else f"cold_start:{cold}"
    return replace(found, model=wanted, degraded=True, notes=(*found.notes, note))
