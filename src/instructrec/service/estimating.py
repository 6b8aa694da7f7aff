"""What a model that is no arm would have earned: the requests of an experiment, answered again by it and by the arms."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from instructrec.core import Query, Recommendation
from instructrec.errors import ConfigError, ModelError, QueryError, nearest
from instructrec.experiments import Experiment, Replayed, other_policy
from instructrec.journal.records import Shown
from instructrec.journal.replaying import up_to
from instructrec.journal.store import Store
from instructrec.recommender import Recommender
from instructrec.service.asking import query_for
from instructrec.service.drafting import EXPLORATION, MODEL, asked_of, chance_of
from instructrec.service.findings import chosen_of, held, lists_of, reward_of
from instructrec.service.people import People
from instructrec.service.settings import STEP_S
from instructrec.service.shapes import Ask
from instructrec.service.snapshot import Snapshot

MOST_ASK_BYTES: Final = 8_000
"""A longer request is not kept with its list, which then says nothing of a model that is no arm."""
MOST_LISTS: Final = 20_000
"""Of the lists of an experiment so many are answered again, the last ones."""
AT_ONCE: Final = 64
SURE: Final = 1e-6
"""By how much the chance of a list, worked out again, may differ from the one that was logged."""
_NOT_ASKED: Final = frozenset({"user_id", "session_id", "explain", "deadline_ms"})


@dataclass(frozen=True, slots=True)
class _Row:
    """A list that was shown, the query behind it, and what it earned."""

    shown: Shown
    query: Query
    reward: float


def kept_ask(ask: Ask) -> dict[str, Any]:
    """What is kept of a request with its list, to be answered again; empty for one that is too long."""
    asked = ask.model_dump(mode="json", exclude_defaults=True, exclude=set(_NOT_ASKED))
    return {"ask": asked} if len(json.dumps(asked, ensure_ascii=False).encode(errors="surrogatepass")) <= MOST_ASK_BYTES else {}


def estimated(snapshot: Snapshot, store: Store, tenant: str, experiment: Experiment, model: str, until: float) -> dict[str, Any]:
    """The part of lists of which something would have earned the reward, had everybody had the lists of a model of the run:
    `OtherPolicy.to_json`, with `experiment`, `model`, `reward` (a kind of event) and `left_out`: how many lists say nothing.

    Those are lists by a model that stood in for another one, lists to people of whom the model knows nothing (everybody is shown
    what is trending then), and lists that their own arm would not make again: the run, its items or a profile are others now.
    Raises ConfigError for an interleaving or a draft, ModelError for a model that the run does not hold.
    """
    if experiment.kind == "interleaving" or experiment.status == "draft":
        what = "a draft" if experiment.status == "draft" else "an interleaving"
        raise ConfigError(f"Experiment '{experiment.id}' is {what}, whose lists say nothing of other models. Start a split.")
    if model not in snapshot.models:
        known = ", ".join(snapshot.models)
        raise ModelError(f"The run that serves holds no model '{model}'.{nearest(model, snapshot.models)} There is: {known}.")
    end = until if experiment.ended is None else min(until, experiment.ended)
    shown = [one for theirs in lists_of(store, tenant, experiment, end).values() for one in theirs if one.items]
    last = sorted(shown, key=lambda one: (one.time, one.id))[-MOST_LISTS:]
    rows, found = _rows(snapshot, store, tenant, last, experiment, end), []
    while some := list(islice(rows, AT_ONCE)):
        found += _answered_again(snapshot, experiment, model, some)
    about = {"experiment": experiment.id, "model": model, "reward": reward_of(experiment)}
    return about | {"left_out": len(shown) - len(found)} | other_policy(found).to_json()


def _rows(
    snapshot: Snapshot, store: Store, tenant: str, shown: Sequence[Shown], experiment: Experiment, until: float
) -> Iterator[_Row]:
    """The lists that were made as their arms make them, with the query of each as the person stood then."""
    people, by_person = People(store), dict[str, list[Shown]]()
    for one in shown:
        by_person.setdefault(one.person, []).append(one)
    for name, lists in by_person.items():
        now = people.get(tenant, name)
        events = held(now.events, until)
        people.forget(tenant, name)
        for one in lists:
            ask = one.request.get("ask")
            if ask is None or not one.propensity or one.request.keys() & {"degraded", "unexplored"}:
                continue
            kind, _, person = name.partition(":")
            whom = {"user_id": person} if kind == "user" else {"session_id": person}
            then = now.before(up_to(now.events, one.time))
            try:
                asked = query_for(Ask.model_validate(ask | whom), then, snapshot, one.time // STEP_S * STEP_S)
            except QueryError:  # an item or a word of then is unknown now
                continue
            yield _Row(one, asked.query, float(bool(chosen_of(events, one, reward_of(experiment)))))


def _answered_again(snapshot: Snapshot, experiment: Experiment, model: str, rows: Sequence[_Row]) -> list[Replayed]:
    other = _model(snapshot, model)
    rows = [row for row in rows if other.informed(row.query)]
    queries = [row.query for row in rows]
    lists = [tuple(entry.item for entry in found.items) for found in other.recommend(queries)]
    chances: dict[str, list[tuple[float, float]]] = {}
    for arm in experiment.arms:
        answers = _answers(_model(snapshot, str(arm.settings.get(MODEL, ""))), queries, bool(arm.settings.get(EXPLORATION)))
        epsilon = float(arm.settings.get(EXPLORATION, 0.0))
        chances[arm.name] = [
            (chance_of(found, row.query, epsilon, snapshot.catalog, row.shown.items),
             chance_of(found, row.query, epsilon, snapshot.catalog, wanted))
            for found, row, wanted in zip(answers, rows, lists, strict=True)
        ]  # fmt: skip
    made = []
    for place, (row, wanted) in enumerate(zip(rows, lists, strict=True)):
        own = chances.get(row.shown.arm, [(0.0, 0.0)] * len(rows))[place][0]
        logged = _product(row.shown.request.get("slots", ()))
        if not own or abs(own - logged) > SURE * logged:
            continue
        both = [_mixed(experiment.shares, chances, place, which) for which in (0, 1)]
        made.append(
            Replayed(
                unit=row.shown.person,
                shown=row.shown.items,
                other=wanted,
                chance=both[0],
                other_chance=both[1],
                reward=row.reward,
            )
        )
    return made


def _answers(model: Recommender, queries: Sequence[Query], explores: bool) -> list[list[Recommendation]]:
    """What an arm's model says to what the arm asks for, by query."""
    asked = [asked_of(query) if explores else [query] for query in queries]
    found = iter(model.recommend([one for some in asked for one in some]))
    return [list(islice(found, len(some))) for some in asked]


def _model(snapshot: Snapshot, name: str) -> Recommender:
    return snapshot.ladder_for(name).rungs[0].model


def _mixed(shares: Mapping[str, float], chances: Mapping[str, Sequence[tuple[float, float]]], place: int, which: int) -> float:
    """The chance of a list over all arms."""
    return sum(share * chances[name][place][which] for name, share in shares.items())


def _product(slots: Sequence[float]) -> float:
    found = 1.0
    for chance in slots:
        found *= chance
    return found
