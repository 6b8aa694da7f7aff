"""What an experiment says, worked out from the journal: who was shown what under it, and what they did with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from instructrec.experiments import (
    CREDITED,
    METRICS,
    Draft,
    Event,
    Experiment,
    Interleaved,
    Logged,
    Row,
    pre_period,
    preferences,
    results,
    what_if,
)
from instructrec.experiments.results import FEWEST_UNITS
from instructrec.journal import events as journal
from instructrec.journal.records import Assignment, Shown, Stored
from instructrec.journal.state import PersonState
from instructrec.journal.store import Store
from instructrec.service.drafting import MODEL, without_model

Lists = Mapping[str, Sequence[Shown]]
"""By person, what they were shown under an experiment."""


def findings(store: Store, tenant: str, experiment: Experiment, until: float) -> dict[str, Any]:
    """The results of an experiment as JSON values, by all that happened up to its end, or to a time before (seconds since 1970).

    Of an interleaving `Preferences.to_json`; of a split `Results.to_json` and `off_policy`: what if everybody had an arm, by
    whether something of a list earned the event named `reward`; and `unexplored`: how many lists of an arm that explores had
    nothing drawn, as models were late or failed. What was undone counts for nothing.
    """
    until = until if experiment.ended is None else min(until, experiment.ended)
    lists = lists_of(store, tenant, experiment, until)
    if experiment.kind == "interleaving":
        drafts = [
            _draft(shown, events, experiment)
            for person, done in store.events_of_each(tenant, lists)
            for events in [held(done, until)]
            for shown in lists[person]
            if shown.items
        ]
        return preferences(experiment, drafts).to_json()
    rows, logged = [], []
    exposures = {exposed.person: exposed for exposed in store.trials.assignments(tenant, experiment.id)}
    for person, done in store.events_of_each(tenant, exposures):
        exposed, events, theirs = exposures[person], held(done, until), lists.get(person, ())
        rows.append(_row(exposed, events, theirs, experiment, until))
        logged += _logged(exposed, events, theirs, experiment)
    unexplored = sum(bool(shown.request.get("unexplored")) for theirs in lists.values() for shown in theirs)
    off_policy = {"reward": reward_of(experiment), "policies": [one.to_json() for one in what_if(experiment, logged)]}
    return results(experiment, rows).to_json() | {"off_policy": off_policy, "unexplored": unexplored}


def notes(experiment: Experiment, found: Mapping[str, Any], models: Sequence[str]) -> list[str]:
    """What results come to, as codes for `wire.note`; `models`: those that the run holds which serves."""
    gone = [f"experiment_arm_gone:{arm.name}, {arm.settings[MODEL]}" for arm in without_model(experiment, models)]
    unexplored = [f"experiment_unexplored:{found['unexplored']:,}"] if found.get("unexplored") else []
    return [*gone, *_verdict(experiment, found), *unexplored]


def _verdict(experiment: Experiment, found: Mapping[str, Any]) -> list[str]:
    if experiment.status == "draft":
        return ["experiment_draft"]
    if not found["num_units"]:
        return ["experiment_nobody"]
    if experiment.status == "promoted":
        return [f"experiment_promoted:{experiment.winner}"]
    between = experiment.kind == "interleaving"
    codes = {
        "stop_srm": "experiment_unfair_draft" if between else "experiment_unfair_split",
        "ship": f"experiment_{'preferred' if between else 'better'}:{found['arm']}",
        "stop_worse": "experiment_control_preferred" if between else "experiment_worse",
        "keep_going": "experiment_open" if experiment.status == "running" else "experiment_undecided",
    }
    told = [codes[found["verdict"]]]
    if not between:
        deciding = found["metrics"][experiment.metrics[0]].values()
        if found["verdict"] == "keep_going" and min(row["n"] for row in deciding) < FEWEST_UNITS:
            told.append(f"experiment_few:{FEWEST_UNITS}")
        if found["verdict"] in ("ship", "keep_going"):
            told += [f"experiment_arm_worse:{arm}" for arm, code in found["verdicts"].items() if code == "stop_worse"]
        broken = [check for check in found["guardrails"] if check["state"] == "broken"]
        told += [f"experiment_guardrail:{check['arm']}, {check['metric']}" for check in broken]
    return told


def lists_of(store: Store, tenant: str, experiment: Experiment, until: float) -> Lists:
    """What people were shown under an experiment up to a time (seconds since 1970), oldest first."""
    found: dict[str, list[Shown]] = {}
    if experiment.started is not None:
        for shown in store.trials.shown_between(tenant, experiment.started, math.nextafter(until, math.inf)):
            if shown.request.get("experiment") == experiment.id:
                found.setdefault(shown.person, []).append(shown)
    return found


def held(rows: Sequence[Stored], until: float) -> list[journal.Event]:
    """What somebody did that was not taken back."""
    undone = PersonState.of(rows, until).undone
    return [row.event for row in rows if row.event.event_id not in undone and row.event.time <= until]


def chosen_of(events: Sequence[journal.Event], shown: Shown, kind: str) -> set[str]:
    """The items of a list that earned an event of a kind by being in it."""
    named = (event for event in events if event.type == kind and event.recommendation_id == shown.id)
    return {event.item_id for event in named if event.item_id in shown.items}


def _draft(shown: Shown, events: Sequence[journal.Event], experiment: Experiment) -> Draft:
    draft = Interleaved(shown.items, tuple(shown.request["teams"]))
    credit = {metric: draft.credit(chosen_of(events, shown, CREDITED[metric])) for metric in experiment.metrics}
    return Draft(unit=shown.person, time=shown.time, begins=draft.teams[0], credit=credit)


def _row(exposed: Assignment, events: Sequence[journal.Event], lists: Sequence[Shown], experiment: Experiment, until: float) -> Row:
    wanted = dict.fromkeys((*experiment.metrics, *(rail.metric for rail in experiment.guardrails)))
    deeds = [Event(event.type, event.time, math.nan if event.value is None else event.value) for event in events]
    if not any(event.type == "impression" for event in events):
        # Where nobody tells which items were looked at, those that were sent count.
        deeds += [Event("impression", shown.time) for shown in lists for _ in shown.items]
    for shown in lists:
        deeds.append(Event("list", shown.time))
        deeds += [Event("empty_list", shown.time)] if not shown.items else []
        deeds += [Event("degraded_list", shown.time)] if "degraded" in shown.request else []
    return Row(
        unit=exposed.person,
        arm=exposed.arm,
        exposed=exposed.time,
        values={metric: METRICS[metric].measure(deeds, exposed.time, until) for metric in wanted},
        before={metric: pre_period(metric, deeds, exposed.time) for metric in wanted},
    )


def _logged(exposed: Assignment, events: Sequence[journal.Event], lists: Sequence[Shown], experiment: Experiment) -> list[Logged]:
    # A clock that is wrong must not make an answer to the arm look like something that was there before it.
    here = {shown.id for shown in lists}
    active = any(event.time < exposed.time and event.recommendation_id not in here for event in events)
    kind = reward_of(experiment)
    return [
        Logged(
            unit=shown.person,
            arm=shown.arm,
            propensity=shown.propensity,
            reward=float(bool(chosen_of(events, shown, kind))),
            slots=tuple(shown.request.get("slots", ())),
            is_best=bool(shown.request.get("is_best", True)),
            active=active,
        )
        for shown in lists
        if shown.propensity and shown.items
    ]


def reward_of(experiment: Experiment) -> str:
    """The kind of event that a list earns: that of the first metric that speaks for items of a list, else a click."""
    return next((CREDITED[metric] for metric in experiment.metrics if metric in CREDITED), "click")
