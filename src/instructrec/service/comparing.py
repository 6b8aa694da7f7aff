"""Experiments on the people of a service: who gets which arm, kept from the first time on, and what the arms did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from instructrec.errors import ConfigError, StoreError, nearest
from instructrec.experiments import METRICS, Arm, Assignment, Event, Experiment, Row, assign, pre_period, results
from instructrec.journal import records
from instructrec.journal.store import Store
from instructrec.journal.writer import Writer

MODEL = "model"
"""The one setting of an arm that a service reads: the model of the run that makes its lists."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The arm of somebody, and the part of people that it gets."""

    experiment: str
    arm: Arm
    propensity: float

    @property
    def model(self) -> str:
        """The model of the arm; empty for the one that serves anyway."""
        return str(self.arm.settings.get(MODEL, ""))


class Comparing:
    """The experiments of every tenant. One at a time runs: what two changed at once could not be told apart."""

    def __init__(self, store: Store, writer: Writer, models: Callable[[], tuple[str, ...]]) -> None:
        """`models`: the names of the models that arms can have at this moment."""
        self._store, self._writer, self._models = store, writer, models
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, Experiment]] = {}
        self._arms: dict[tuple[str, str], dict[str, Assignment]] = {}

    def all(self, tenant: str) -> dict[str, Experiment]:
        """The experiments of a tenant by id."""
        with self._lock:
            if tenant not in self._known:
                bodies = self._store.trials.experiments(tenant)
                self._known[tenant] = {name: Experiment.from_json(body) for name, body in bodies.items()}
            return dict(self._known[tenant])

    def place(self, tenant: str, person: str) -> Placed | None:
        """The arm of a person, who is exposed to it from now on; none where no experiment runs that takes them in."""
        one = next((one for one in self.all(tenant).values() if one.status in ("running", "promoted")), None)
        if one is None:
            return None
        arms = self._assigned(tenant, one.id)
        known = arms.get(person)
        found = assign(one, person, known)
        if found.arm is None:
            return None
        if known is None and one.status == "running":
            arms[person] = found
            row = records.Assignment(one.id, person, found.arm, time.time())
            # Where it cannot be written the hash gives the same arm again, and lists go on.
            with suppress(StoreError):
                self._writer.run(lambda store: store.trials.assign(tenant, [row]))
        return Placed(one.id, one.arm(found.arm), found.propensity)

    def forget(self, tenant: str, person: str) -> None:
        """Drop what is in memory of somebody's arms."""
        with self._lock:
            for (owner, _), arms in self._arms.items():
                if owner == tenant:
                    arms.pop(person, None)

    def put(self, tenant: str, body: Mapping[str, Any]) -> Experiment:
        """Keep a new experiment, as a draft. Raises ConfigError for one that cannot be run here, or that runs already."""
        found = Experiment.from_json({**body, "status": "draft", "started": None})
        known = self.all(tenant).get(found.id)
        if known is not None and known.status != "draft":
            raise ConfigError(f"Experiment '{found.id}' is {known.status}, so it stays as it is. Give a new one another id.")
        for arm in found.arms:
            name = arm.settings.get(MODEL, "")
            if name and name not in self._models():
                raise ConfigError(
                    f"Arm '{arm.name}' wants model '{name}', which this run does not hold.{nearest(str(name), self._models())} It "
                    f"holds: {', '.join(self._models())}."
                )
        return self._keep(tenant, found)

    def start(self, tenant: str, name: str) -> Experiment:
        """Let an experiment run. Raises ConfigError where another one does."""
        other = next((one.id for one in self.all(tenant).values() if one.status == "running" and one.id != name), "")
        if other:
            raise ConfigError(f"Experiment '{other}' runs already, and two at once could not be told apart. Stop it first.")
        return self._keep(tenant, self.get(tenant, name).start(time.time()))

    def stop(self, tenant: str, name: str) -> Experiment:
        """Let nobody be exposed any more."""
        return self._keep(tenant, self.get(tenant, name).stop())

    def promote(self, tenant: str, name: str, arm: str) -> Experiment:
        """Serve one arm to everybody."""
        return self._keep(tenant, self.get(tenant, name).promote(arm))

    def get(self, tenant: str, name: str) -> Experiment:
        """One experiment. Raises ConfigError where there is none of that id."""
        known = self.all(tenant)
        if name not in known:
            raise ConfigError(f"There is no experiment '{name}'.{nearest(name, known)} There is: {', '.join(known) or 'none'}.")
        return known[name]

    def results(self, tenant: str, name: str, *, until: float | None = None) -> dict[str, Any]:
        """What the arms did, by everybody who was exposed, up to a time (seconds since 1970; none: now)."""
        one, end = self.get(tenant, name), time.time() if until is None else until
        wanted = tuple(dict.fromkeys((*one.metrics, *(rail.metric for rail in one.guardrails))))
        rows = []
        for exposed in self._store.trials.assignments(tenant, name):
            events = [
                Event(row.event.type, row.event.time, row.event.value if row.event.value is not None else float("nan"))
                for row in self._store.events_of(tenant, exposed.person)
            ]
            rows.append(
                Row(
                    unit=exposed.person,
                    arm=exposed.arm,
                    exposed=exposed.time,
                    values={metric: METRICS[metric].measure(events, exposed.time, end) for metric in wanted},
                    before={metric: pre_period(metric, events, exposed.time) for metric in wanted},
                )
            )
        return results(one, rows).to_json()

    def _assigned(self, tenant: str, name: str) -> dict[str, Assignment]:
        """Who has which arm already, by person."""
        key = (tenant, name)
        with self._lock:
            if key not in self._arms:
                shares = self._known[tenant][name].shares
                rows = self._store.trials.assignments(tenant, name)
                self._arms[key] = {row.person: Assignment(row.arm, shares.get(row.arm, 0.0)) for row in rows}
            return self._arms[key]

    def _keep(self, tenant: str, found: Experiment) -> Experiment:
        self._writer.run(lambda store: store.trials.put_experiment(tenant, found.id, found.to_json())).result()
        with self._lock:
            self._known.setdefault(tenant, {})[found.id] = found
        return found
