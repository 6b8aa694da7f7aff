"""The routes of experiments: two versions compared on the people who come."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import APIRouter

from instructrec import wire
from instructrec.service.answers import ModelEstimate, Trial, TrialResults, Trials
from instructrec.service.contract import PROBLEMS, KeyFirst
from instructrec.service.estimating import estimated
from instructrec.service.findings import notes
from instructrec.service.routes import Key, Owner, Service
from instructrec.service.shapes import Design
from instructrec.service.values import Language


def experiments() -> APIRouter:
    """What the owner calls to compare."""
    router = APIRouter(prefix="/v1/experiments", tags=["experiments"], responses=PROBLEMS, route_class=KeyFirst)

    @router.get("", response_model=Trials)
    def every(who: Owner, live: Service) -> dict[str, Any]:
        """All experiments."""
        return {"experiments": [one.to_json() for one in live.comparing.all(who.tenant).values()]}

    @router.put("/{experiment_id}", response_model=Trial)
    def put(experiment_id: Key, body: Design, who: Owner, live: Service) -> dict[str, Any]:
        """A new experiment, as a draft; in place of a draft of the same id."""
        return live.comparing.put(who.tenant, body.model_dump(exclude_unset=True) | {"id": experiment_id}).to_json()

    @router.post("/{experiment_id}/{step}", response_model=Trial)
    def go(
        experiment_id: Key, step: Literal["start", "stop", "promote"], who: Owner, live: Service, arm: str = ""
    ) -> dict[str, Any]:
        """Start it, stop it (also where an arm was promoted: then that serves nobody any more), or serve one arm to everybody."""
        return live.comparing.go(who.tenant, experiment_id, step, arm).to_json()

    @router.get("/{experiment_id}/estimate/{model}", response_model=ModelEstimate)
    def estimate(experiment_id: Key, model: Key, who: Owner, live: Service) -> dict[str, Any]:
        """What part of the lists of a split would have earned its reward, had everybody had those of a model of the run that is no
        arm: from the lists that the arms logged, answered once more by the model. Takes about as long as they took.
        """
        one = live.comparing.get(who.tenant, experiment_id)
        return estimated(live.snapshot, live.store, who.tenant, one, model, time.time())

    @router.get("/{experiment_id}", response_model=TrialResults)
    def status(experiment_id: Key, who: Owner, live: Service, language: Language = "en") -> dict[str, Any]:
        """The experiment, what its arms did so far, with intervals that hold however often they are looked at, and what that comes
        to.
        """
        one, found = live.comparing.get(who.tenant, experiment_id), live.comparing.results(who.tenant, experiment_id)
        said = [wire.note(code, language=language) for code in notes(one, found, live.snapshot.models)]
        return one.to_json() | {"results": found, "notes": said}

    return router
