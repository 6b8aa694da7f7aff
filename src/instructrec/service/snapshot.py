"""What serves at one moment: a run, the catalog with all items that came since, and its models from the best to the surest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from instructrec.core import Query
from instructrec.data.items import Item, with_items
from instructrec.errors import RunError
from instructrec.explain.facts import Lore
from instructrec.explain.phrases import phrases
from instructrec.feedback import Likeness
from instructrec.instructions import parse
from instructrec.journal.records import EVERYBODY
from instructrec.journal.store import Store
from instructrec.models.popular import Popular
from instructrec.recommender import Recommender
from instructrec.runs import Run, parts_of
from instructrec.service.ladder import Breaker, Ladder, Rung, fault
from instructrec.service.latest import Latest
from instructrec.service.trending import Trending, Trends
from instructrec.service.worker import Worker
from instructrec.tables import Catalog, Dataset, ItemId

TRIED = 20
"""Stored users for whom a run must give sound lists before it serves."""
SLOW = ("lm", "tiger", "sasrec", "esasrec", "gru4rec")
"""Models that take long enough to be asked by a thread of their own."""

_NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A run that serves. `withdrawn`: items that nobody is shown; `revision` counts the changes of items; `number` is another one
    for each snapshot of this process, for two with equal items may differ in whether their models have read them.
    """

    run: Run
    dataset: Dataset
    ladder: Ladder
    withdrawn: frozenset[ItemId]
    revision: int
    quick: Executor
    latest: Latest
    number: int = field(default_factory=_NUMBERS.__next__)
    _ladders: dict[str, Ladder] = field(default_factory=dict, repr=False, compare=False)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that can be asked first."""
        rungs = (rung.name for rung in self.ladder.rungs)
        return tuple(dict.fromkeys((*self.run.model_names, *parts_of(self.model), *rungs)))

    def ladder_for(self, model: str) -> Ladder:
        """The ladder with a model on top, by name; the run's own for "" and for a model that it does not hold."""
        if model in ("", self.model.name) or model not in self.models:
            return self.ladder
        if model not in self._ladders:
            below = {rung.name: rung for rung in self.ladder.rungs[1:]}
            first = below.pop(model, None) or _rung(self.run.model(model))
            self._ladders[model] = Ladder([first, *below.values()], self.quick)
        return self._ladders[model]

    @property
    def catalog(self) -> Catalog:
        """All items."""
        return self.dataset.catalog

    @property
    def model(self) -> Recommender:
        """The model that is asked first."""
        return self.ladder.rungs[0].model

    @property
    def version(self) -> str:
        """Changes with the run and with the items."""
        return f"{self.run.version}.{self.revision}"

    def trending(self, trends: Trends, tenant: str) -> Trending:
        """The model of what the people of a tenant choose now, over the popularity that the run's log tells."""
        *above, last = self.ladder.rungs
        assert isinstance(last.model, Popular)
        judge = next((rung.model for rung in reversed(above) if rung.worker is None), last.model)
        return Trending.of(last.model, trends, tenant, judge)

    def with_withdrawn(self, items: frozenset[ItemId], revision: int) -> Snapshot:
        """The same models with other items hidden: at once, nothing is read again."""
        return replace(self, withdrawn=items, revision=revision, number=next(_NUMBERS))

    def close(self) -> None:
        """Let its threads end; answers that are being made are still given."""
        for rung in (rung for ladder in (self.ladder, *self._ladders.values()) for rung in ladder.rungs):
            if rung.worker is not None:
                rung.worker.close()


def kept_items(store: Store) -> tuple[dict[ItemId, Mapping[str, Any]], int]:
    """The items that a journal keeps, by id, as `data.items.to_json` wrote them; and the number of the last change of any."""
    rows = store.items(EVERYBODY)
    return {row.item_id: row.body for row in rows}, max((row.version for row in rows), default=0)


def take_up(run: Run, quick: Executor, *, items: Sequence[Item] = (), revision: int = 0, tried: int = TRIED) -> Snapshot:
    """Read a run and make it ready to serve; `revision` counts the changes of the items.

    Raises RunError with the reason where a model gives an unsound list for some of its own users.
    """
    catalog = with_items(run.catalog, items)
    put = {item.item_id: item.since for item in items if item.item_id not in run.catalog.index}
    if catalog is not run.catalog:
        run = run.with_catalog(catalog)
    dataset = replace(run.dataset, catalog=catalog)
    rungs = [_rung(model) for model in _models(run, dataset)]
    # Tables that the first words and the first reasons would otherwise wait for.
    parse("anything", catalog, language=run.config.language)
    Lore.of(dataset, phrases(run.config.language))
    for rung in rungs:
        _try(rung.model, dataset, tried)
    return Snapshot(
        run=run,
        dataset=dataset,
        ladder=Ladder(rungs, quick),
        withdrawn=frozenset(item.item_id for item in items if not item.available),
        revision=revision,
        quick=quick,
        latest=Latest(put=put).fit(dataset),
    )


def _models(run: Run, dataset: Dataset) -> list[Recommender]:
    """The model that serves; where it is slow its best quick part; popularity, which needs nothing and cannot fail."""
    first = run.model()
    found = [first]
    if is_slow(first):
        quick = [part for part in parts_of(first).values() if not is_slow(part) and not part.needs_words]
        personal = [part for part in quick if part.name != "popular"]
        found += personal[:1]
    if first.name != "popular":
        found.append(Popular().fit(dataset))
    return found


def is_slow(model: Recommender) -> bool:
    """Whether a model, or a part of it, takes long to answer."""
    parts: Mapping[str, Recommender] = parts_of(model)
    return model.name in SLOW or any(is_slow(part) for part in parts.values())


def _rung(model: Recommender) -> Rung:
    return Rung(model=model, breaker=Breaker(), worker=Worker(model.recommend) if is_slow(model) else None)


def _try(model: Recommender, dataset: Dataset, tried: int) -> None:
    """Ask for lists of users from everywhere in the log, and of a stranger."""
    users = np.linspace(0, max(len(dataset.interactions.user_ids) - 1, 0), tried, dtype=int) if tried else ()
    histories = [dataset.interactions.history(int(user)) for user in users if len(dataset.interactions.user_ids)]
    ids = dataset.catalog.item_ids
    queries = [Query(history=tuple(ids[code] for code in history[-50:])) for history in histories]
    queries.append(Query())
    # What clicks need to know of a model is worked out now, not in the first request with one.
    Likeness.of(model).usual(model)
    for query, found in zip(queries, model.recommend(queries), strict=True):
        wrong = fault(found, query, model)
        if wrong:
            raise RunError(
                f"Model '{model.name}' of this run gives unsound lists ({wrong}), so it does not serve. Train it anew, or serve "
                "another run."
            )
