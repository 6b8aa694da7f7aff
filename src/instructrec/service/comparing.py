"""Experiments on the people of a service: who gets which arm, kept from the first time on, and what the arms did."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from instructrec.core import Query, Recommendation
from instructrec.errors import ConfigError, NotFoundError, RunError, StoreError, nearest
from instructrec.experiments import Arm, Assignment, Experiment, assign
from instructrec.journal import records
from instructrec.journal.store import Store
from instructrec.journal.writer import Writer
from instructrec.recommender import Recommender
from instructrec.service.access import LOCAL
from instructrec.service.drafting import EXPLORATION, MODEL, Placed, made, without_model
from instructrec.service.findings import findings
from instructrec.service.snapshot import Snapshot

REST_AFTER_WORK: Final = 20.0
"""Results are remembered for so many times as long as they took to work out, so that a page that asks again and again costs
little."""
_log = logging.getLogger(__name__)


class Comparing:
    """The experiments of every tenant. One at a time runs: what two changed at once could not be told apart."""

    def __init__(self, store: Store, writer: Writer, models: Callable[[], tuple[str, ...]]) -> None:
        """`models`: the names of the models that arms can have at this moment."""
        self._store, self._writer, self._models = store, writer, models
        self._lock, self._changing = threading.Lock(), threading.RLock()
        self._known = {tenant: _kept(store, tenant) for tenant in store.trials.tenants()}
        self._arms: dict[tuple[str, str], dict[str, Assignment]] = {}
        self._told: dict[tuple[str, str], tuple[float, Experiment, dict[str, Any]]] = {}
        for tenant, one, arm in self.unserved(models()):
            _log.warning(
                "%s, so other models make its lists. Stop it, or serve a run that holds the model.", _lack(tenant, one, arm)
            )

    def all(self, tenant: str) -> dict[str, Experiment]:
        """The experiments of a tenant by id."""
        with self._lock:
            return dict(self._known.get(tenant, {}))

    def unserved(self, models: Sequence[str]) -> list[tuple[str, Experiment, Arm]]:
        """The arms that make lists now by a model that is none of `models`: with the tenant and the experiment of each."""
        with self._lock:
            tenants = list(self._known)
        return [(tenant, one, arm) for tenant in tenants for one in self._in_turn(tenant) for arm in without_model(one, models)]

    @contextmanager
    def taking_up(self, run: Path, models: Sequence[str]) -> Iterator[None]:
        """For the moment in which a run with these models takes the place of the one that serves; no experiment changes meanwhile.

        Raises RunError where an arm that makes lists has a model that is none of them: its lists would be another model's.
        """
        with self._changing:
            for tenant, one, arm in self.unserved(models):
                raise RunError(
                    f"{_lack(tenant, one, arm)}, so run '{run.name}' does not serve: it holds {', '.join(models)}. Serve a run "
                    f"with that model, or stop the experiment first (instructrec experiment stop RUN {one.id})."
                )
            yield

    def place(self, tenant: str, person: str) -> Placed | None:
        """What a person gets of the experiment that runs, who is exposed to it from now on; else of the one promoted last."""
        for one in self._in_turn(tenant):
            placed = self._placed(tenant, one, person)
            if placed is not None:
                return placed
        return None

    def _in_turn(self, tenant: str) -> list[Experiment]:
        """The experiments that have something for people, in the order in which they are asked: what runs, then the one promoted
        last, which has its winner for everybody.
        """
        every = sorted(self.all(tenant).values(), key=lambda one: one.started or 0.0, reverse=True)
        promoted = [one for one in every if one.status == "promoted"]
        return [one for one in every if one.status == "running"] + promoted[:1]

    def _placed(self, tenant: str, one: Experiment, person: str) -> Placed | None:
        runs, seed = one.status == "running", one.seed or one.id
        if runs and one.kind == "interleaving":
            # Everybody who takes part gets both arms, so there is nothing to keep but what they are shown.
            takes_part = assign(one, person).arm is not None
            return Placed(one.id, seed, one.arms, 1.0, True) if takes_part else None
        arms = self._assigned(tenant, one.id) if runs else {}
        known = arms.get(person)
        found = assign(one, person, known)
        if found.arm is None:
            return None
        if known is None and runs:
            arms[person] = found
            row = records.Assignment(one.id, person, found.arm, time.time())
            # Where it cannot be written the hash gives the same arm again, and lists go on.
            with suppress(StoreError):
                self._writer.run(lambda store: store.trials.assign(tenant, [row]))
        return Placed(one.id, seed, (one.arm(found.arm),), found.propensity, runs)

    async def answer(
        self, tenant: str, person: str, placed: Placed, query: Query, snapshot: Snapshot, *, deadline_s: float, last: Recommender
    ) -> Recommendation:
        """The list for somebody in an experiment; `last` answers where no model of an arm does. What was shown is kept, and nobody
        waits for that.
        """
        found, how = await made(placed, person, query, snapshot, deadline_s=deadline_s, last=last)
        if placed.is_logged:
            shown = records.Shown(
                id=found.id,
                person=person,
                items=tuple(entry.item for entry in found.items),
                time=time.time(),
                model_version=snapshot.version,
                arm=placed.arm.name if len(placed.arms) == 1 else "",
                propensity=placed.propensity,
                request=how,
            )
            with suppress(StoreError):  # a journal that cannot be written is told of where events come in
                self._writer.show(tenant, [shown])
        return found

    def forget(self, tenant: str, person: str) -> None:
        """Drop what is in memory of somebody's arms."""
        with self._lock:
            for (owner, _), arms in self._arms.items():
                if owner == tenant:
                    arms.pop(person, None)
            self._told.clear()

    def put(self, tenant: str, body: Mapping[str, Any]) -> Experiment:
        """Keep a new experiment, as a draft. Raises ConfigError for one that cannot be run here, or that runs already."""
        found = Experiment.from_json({**body, "status": "draft", "started": None, "ended": None})
        for arm in found.arms:
            self._check(arm, found)
        with self._changing:
            known = self.all(tenant).get(found.id)
            if known is not None and known.status != "draft":
                raise ConfigError(f"Experiment '{found.id}' is {known.status}, so it stays as it is. Give a new one another id.")
            return self._keep(tenant, found)

    def start(self, tenant: str, name: str) -> Experiment:
        """Let an experiment run. Raises ConfigError where another one does, or the run that serves lacks the model of an arm."""
        with self._changing:
            other = next((one.id for one in self.all(tenant).values() if one.status == "running" and one.id != name), "")
            if other:
                raise ConfigError(f"Experiment '{other}' runs already, and two at once could not be told apart. Stop it first.")
            return self._keep(tenant, self._servable(self.get(tenant, name).start(time.time())))

    def stop(self, tenant: str, name: str) -> Experiment:
        """Let nobody be exposed any more, and no arm of it make lists."""
        with self._changing:
            return self._keep(tenant, self.get(tenant, name).stop(time.time()))

    def promote(self, tenant: str, name: str, arm: str) -> Experiment:
        """Serve one arm to everybody."""
        with self._changing:
            return self._keep(tenant, self._servable(self.get(tenant, name).promote(arm, time.time())))

    def go(self, tenant: str, name: str, step: str, arm: str = "") -> Experiment:
        """Take a step by name: start, stop, or promote `arm`. Raises ConfigError for any other."""
        if step == "promote":
            return self.promote(tenant, name, arm)
        steps = {"start": self.start, "stop": self.stop}
        if step not in steps:
            raise ConfigError(f"An experiment cannot '{step[:40]}'. It can start, stop or promote.")
        return steps[step](tenant, name)

    def get(self, tenant: str, name: str) -> Experiment:
        """One experiment. Raises NotFoundError where there is none of that id."""
        known = self.all(tenant)
        if name not in known:
            raise NotFoundError(f"There is no experiment '{name}'.{nearest(name, known)} There is: {', '.join(known) or 'none'}.")
        return known[name]

    def results(self, tenant: str, name: str, *, until: float | None = None) -> dict[str, Any]:
        """What the arms did, by everybody who was exposed, up to a time (seconds since 1970; none: now). See `findings`."""
        return findings(self._store, tenant, self.get(tenant, name), time.time() if until is None else until)

    def lately(self, tenant: str, name: str) -> dict[str, Any]:
        """The results of a short time ago where they are remembered, else those of now."""
        one, began = self.get(tenant, name), time.monotonic()
        fresh_until, known, told = self._told.get((tenant, name), (0.0, one, {}))
        if told and known == one and began < fresh_until:
            return told
        found = self.results(tenant, name)
        now = time.monotonic()
        self._told[tenant, name] = (now + REST_AFTER_WORK * (now - began), one, found)
        return found

    def _servable(self, experiment: Experiment) -> Experiment:
        """The experiment. Raises ConfigError where it would have an arm make lists that this service cannot serve."""
        for arm in experiment.serving:
            self._check(arm, experiment)
        return experiment

    def _check(self, arm: Arm, experiment: Experiment) -> None:
        """Raise ConfigError for an arm that this service cannot serve."""
        known = (MODEL, EXPLORATION)
        for name in arm.settings:
            if name not in known:
                raise ConfigError(f"Arm '{arm.name}' has a setting '{name}'.{nearest(name, known)} There is: {', '.join(known)}.")
        model = arm.settings.get(MODEL, "")
        if model and model not in self._models():
            raise ConfigError(
                f"Arm '{arm.name}' wants model '{model}', which this run does not hold.{nearest(str(model), self._models())} It "
                f"holds: {', '.join(self._models())}."
            )
        epsilon = arm.settings.get(EXPLORATION, 0.0)
        if isinstance(epsilon, bool) or not isinstance(epsilon, int | float) or not 0 <= epsilon <= 1:
            raise ConfigError(f"Arm '{arm.name}' explores with {epsilon!r}, but a chance from 0 to 1 was expected, such as 0.05.")
        if epsilon and experiment.kind == "interleaving":
            raise ConfigError(f"Arm '{arm.name}' explores, but lists that two arms make in turn cannot. Compare them as a split.")

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


def _kept(store: Store, tenant: str) -> dict[str, Experiment]:
    """The experiments of a tenant by id, as the journal keeps them."""
    return {name: Experiment.from_json(body) for name, body in store.trials.experiments(tenant).items()}


def _lack(tenant: str, one: Experiment, arm: Arm) -> str:
    """Which arm of which experiment wants which model, as the beginning of a sentence that says that there is none."""
    whose = "" if tenant == LOCAL else f" of tenant '{tenant}'"
    return (
        f"Arm '{arm.name}' of experiment '{one.id}'{whose} ({one.status}) wants model '{arm.settings[MODEL]}', which is not there"
    )
