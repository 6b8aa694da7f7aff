"""Lists under an experiment: by the model of one arm, with chance in it where the arm explores, or by two arms in turn."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from instructrec.core import Query, Recommendation, ScoredItem
from instructrec.evaluation.metrics import Values
from instructrec.experiments import Arm, Experiment, Exploration, Interleaved, team_draft
from instructrec.lists import Extension, best_list
from instructrec.recommender import Recommender, allowed, counted, resolved
from instructrec.service.snapshot import Snapshot
from instructrec.tables import Catalog, ItemId

MODEL, EXPLORATION = "model", "exploration"
"""The settings of an arm that a service reads: the model of the run that makes its lists (none: the one that serves anyway), and
the chance with which a slot of a list is drawn evenly (`experiments.Exploration`; none: nothing is drawn)."""
DRAWN_FROM = 20
"""An arm that explores draws from the best items, of which there are so many more than the list has slots."""
INTERLEAVED = "interleaved"
"""What stands in an answer in place of one model's name."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What an experiment has for somebody: an arm, or both arms of an interleaving.

    `propensity`: the part of people that gets the arm; `is_logged`: whether the lists are kept (those of a promoted arm are not);
    `ask`: what is kept with them of the request.
    """

    experiment: str
    seed: str
    arms: tuple[Arm, ...]
    propensity: float
    is_logged: bool
    ask: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def arm(self) -> Arm:
        """The arm; of an interleaving the control."""
        return self.arms[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted(Recommendation):
    """A list that two models made in turn: the team of each item, and the model that answered for the first and the second team."""

    draft: Interleaved
    makers: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn(Recommendation):
    """A list with chance in it.

    `slots`: the chance of each item in its slot given those above; `is_best`: whether it is the list without chance.
    """

    slots: tuple[float, ...]
    is_best: bool


def without_model(experiment: Experiment, models: Sequence[str]) -> list[Arm]:
    """The arms of an experiment that make lists now by a model that is none of `models`."""
    return [arm for arm in experiment.serving if arm.settings.get(MODEL) and arm.settings[MODEL] not in models]


def is_plain(found: Recommendation) -> bool:
    """Whether one model alone made a list, and nothing was drawn: what the list depends on is known only then."""
    return not isinstance(found, Drafted | Drawn)


def makers_of(found: Recommendation) -> dict[str, frozenset[ItemId]]:
    """Which model gave which items of a list."""
    if not isinstance(found, Drafted):
        return {found.served_by: frozenset(entry.item for entry in found.items)}
    names = dict(zip(("first", "second"), found.makers, strict=True))
    given: dict[str, frozenset[ItemId]] = {}
    for item, team in zip(found.draft.items, found.draft.teams, strict=True):
        given[names[team]] = given.get(names[team], frozenset()) | {item}
    return given


async def made(
    placed: Placed, person: str, query: Query, snapshot: Snapshot, *, deadline_s: float, last: Recommender | None = None
) -> tuple[Recommendation, dict[str, Any]]:
    """The list for somebody in an experiment, and how it was made, as JSON values to be kept with it.

    The same query of the same person gets the same list. Its id is the person's own: two people who are shown the same are told
    apart by it. Raises QueryError where the query itself cannot be answered.
    """
    how: dict[str, Any] = {"experiment": placed.experiment, **placed.ask}
    epsilon = float(placed.arm.settings.get(EXPLORATION, 0.0))
    asked = asked_of(query) if epsilon else [query]
    answers = [_answer(arm, one, snapshot, deadline_s, last) for arm in placed.arms for one in asked]
    found = await asyncio.gather(*answers)
    late = [note for one in found for note in one.notes if note.startswith("degraded:")]
    how |= {"degraded": late[0].removeprefix("degraded:")} if late else {}
    one = found[0]
    loop = asyncio.get_running_loop()
    if len(placed.arms) == 2:
        drafted = await loop.run_in_executor(snapshot.quick, interleaved, placed.seed, person, query, found, snapshot.catalog)
        one, how = drafted, how | {"teams": list(drafted.draft.teams)}
    elif len({part.served_by for part in found}) > 1:
        # One model was in time for the list and another for what is drawn from: nothing is drawn.
        how |= {"unexplored": True}
    elif epsilon:
        key = f"{placed.seed}:{person}:{one.id}"
        drawn = await loop.run_in_executor(snapshot.quick, partial(explored, found, query, epsilon, snapshot.catalog, key=key))
        one, how = drawn, how | {"slots": list(drawn.slots), "is_best": drawn.is_best}
    return replace(one, id=_id_of(placed.experiment, person, [part.id for part in found], one)), how


async def _answer(arm: Arm, query: Query, snapshot: Snapshot, deadline_s: float, last: Recommender | None) -> Recommendation:
    loop = asyncio.get_running_loop()
    began = loop.time()
    # A model that was not asked before is read from disk.
    wanted = str(arm.settings.get(MODEL, ""))
    ladder = await loop.run_in_executor(snapshot.quick, snapshot.ladder_for, wanted)
    found = await ladder.answer(query, deadline_s=deadline_s - (loop.time() - began), last=last)
    if wanted and wanted not in snapshot.models:
        # The run was another one when the experiment began. Nobody is left without a list, and nobody is told that it is the arm's.
        return replace(found, model=wanted, degraded=True, notes=(*found.notes, "degraded:missing"))
    return found


def interleaved(seed: str, person: str, query: Query, found: Sequence[Recommendation], catalog: Catalog) -> Drafted:
    """The team draft of two sound lists for one query: sound as well, and as long as its quotas let it be."""
    first, second = found
    asked, groups = resolved(query), counted(query, catalog)[1]
    own = [{entry.item: entry for entry in one.items} for one in found]
    whole = team_draft(list(own[0]), list(own[1]), len(own[0]) + len(own[1]), seed=seed, request=f"{person}:{first.id}:{second.id}")
    # The draft is the order of preference: what quotas of the list leave out of it is made up for by what comes next.
    scores = np.zeros(len(catalog), dtype=np.float32)
    scores[catalog.codes(whole.items)] = -np.arange(len(whole.items), dtype=np.float32)
    mask = allowed(replace(asked, candidates=whole.items), catalog)
    kept = {catalog.item_ids[code] for code in best_list(scores, mask, asked.n, groups)}
    pairs = [(item, team) for item, team in zip(whole.items, whole.teams, strict=True) if item in kept]
    return Drafted(
        id=first.id,
        query=query,
        items=tuple(own[team == "second"][item] for item, team in pairs),
        model=INTERLEAVED,
        served_by=INTERLEAVED,
        degraded=first.degraded or second.degraded,
        notes=tuple(note for note in first.notes if note in second.notes),
        draft=Interleaved(tuple(item for item, _ in pairs), tuple(team for _, team in pairs)),
        makers=(first.served_by, second.served_by),
    )


def explored(found: Sequence[Recommendation], query: Query, epsilon: float, catalog: Catalog, *, key: str) -> Drawn:
    """A list drawn slot by slot (`Exploration`) from the one without chance and the next best items; `key` says which.

    `found`: what the lists of `asked_of` are, by one model. Every quota that counts items is kept as well as without chance
    (`lists.Extension`), and so are limits and exclusions, as nothing is drawn but what the model may show. Raises DataError for a
    chance that is none.
    """
    pool, whole, left = _pool(found, query, catalog)
    places, chances = Exploration(epsilon=epsilon).draw(
        _in_order(pool),
        len(whole),
        seed=int.from_bytes(hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[:8], "big"),
        left=left,
    )
    notes = [note for note in found[0].notes if not note.startswith("short_list:")]
    notes += [f"short_list:{len(places)}"] if len(places) < resolved(query).n else []
    return Drawn(
        id=found[0].id,
        query=query,
        items=tuple(pool[place] for place in places),
        model=found[0].model,
        served_by=found[0].served_by,
        degraded=found[0].degraded,
        notes=tuple(notes),
        slots=tuple(float(chance) for chance in chances),
        is_best=places.tolist() == whole,
    )


def chance_of(found: Sequence[Recommendation], query: Query, epsilon: float, catalog: Catalog, items: Sequence[ItemId]) -> float:
    """The chance that an arm makes just this list, 0 for one that it cannot make; otherwise as `explored`."""
    pool, whole, left = _pool(found, query, catalog)
    order = {entry.item: place for place, entry in enumerate(pool)}
    places = [order.get(item, -1) for item in items]
    if len(places) != len(whole) or -1 in places or len(set(places)) < len(places):
        return 0.0
    if not epsilon:
        return float(places == whole)
    return math.prod(Exploration(epsilon=epsilon).propensities(_in_order(pool), places, left=left))


def _pool(
    found: Sequence[Recommendation], query: Query, catalog: Catalog
) -> tuple[tuple[ScoredItem, ...], list[int], Extension | None]:
    """What a list is drawn from, first the list without chance; the places of that; and what may come behind what."""
    base = found[0].items[: resolved(query).n]
    standing = {entry.item for entry in base}
    pool = (*base, *(entry for entry in found[-1].items if entry.item not in standing))
    codes, whole = catalog.codes([entry.item for entry in pool]), list(range(len(base)))
    groups = [replace(group, members=group.members[codes]) for group in counted(query, catalog)[1]]
    return pool, whole, Extension(whole, groups) if groups else None


def _in_order(pool: Sequence[ScoredItem]) -> Values:
    """Scores that say nothing but the order, float64 [pool]."""
    return -np.arange(len(pool), dtype=np.float64)


def asked_of(query: Query) -> list[Query]:
    """What an arm that explores asks for: a longer list, which begins with the one without chance; beside that one where it does
    not, as its items were chosen together.
    """
    words, n = query.instruction, resolved(query).n + DRAWN_FROM
    wider = replace(query, n=n, instruction=replace(words, n=n) if words is not None and words.n else words)
    together = query.diversity > 0 or any(quota.at_most != 0 for quota in (words.quotas if words is not None else ()))
    return [query, wider] if together else [wider]


def _id_of(experiment: str, person: str, parts: Sequence[str], found: Recommendation) -> str:
    content = repr((experiment, person, tuple(parts), tuple(entry.item for entry in found.items)))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
