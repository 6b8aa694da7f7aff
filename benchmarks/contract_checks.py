"""All checks of schemathesis on the OpenAPI of a service: what it answers is what it says, and what it says it answers.

Three checks do not fit some routes; each exception stands here with its reason, and all others hold everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from benchmarks.watched import Watched

PHASES = ("examples", "coverage", "fuzzing", "stateful")
JUDGED = ("POST /v1/events", "PUT /v1/items")
"""Take every list and say of each row what is wrong with it, so a row without the shape is no refusal of the request."""
REFUSED = (
    "POST /v1/recommend",  # names items, attributes and values, and the catalog may not have them
    "GET /v1/trending",  # is for a user or for a session, and not for both
    "GET /v1/latest",
    "POST /v1/run",  # names a run folder
    "POST /v1/backup",  # a file of that name may be there already
    "PUT /v1/experiments/{experiment_id}",  # arms have names of their own, and models that the run holds
    "POST /v1/experiments/{experiment_id}/{step}",  # what has not begun cannot be stopped
    "POST /api/feedback",  # a date has the shape of one and is in no calendar
    "PUT /api/feedback",
    "POST /api/item",  # labels are those of the catalog
    "POST /api/items",
    "PATCH /api/item/{item_id}",
)
"""May answer 400 to a request of the right shape: what is wrong with it depends on more than its shape."""
NEVER_GONE = (
    "GET /v1/users/{user_id}",  # nobody is made before they can be asked about, so somebody erased is like somebody new
    "GET /v1/users/{user_id}/export",
    "GET /v1/recommend/{user_id}",
    "GET /api/user/{user_id}",
    "GET /api/recommend/{user_id}",
    "GET /api/recommend/{user_id}/{category}",
    "GET /api/item/{item_id}",  # Gorse's word for withdrawing is deleting; people's histories still speak of the item
    "GET /api/item/{item_id}/neighbors",
    "PATCH /api/item/{item_id}",
)
"""Answer after a deletion as they did before there was anything to delete."""
ACCEPTED = ["2xx", "401", "403", "404", "400"]
REFUSALS = ["400", "401", "403", "404", "405", "413", "415", "422", "429"]
"""How what is wrong may be refused: a body can be too large before it is anything else."""


def findings(
    service: Watched, *, seed: int, examples: int, phases: Sequence[str] = PHASES, enough: Callable[[], bool] = lambda: False
) -> list[str]:
    """What the checks find, a line each: the check, the route, what came and what was sent. Ends early once there is `enough`."""
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", service, config=_config(service, seed, examples, phases))
    found: list[str] = []
    stream = from_schema(schema).execute()
    for event in stream:
        if isinstance(event, events.NonFatalError):
            found.append(f"{event.label}: {event.value}")
        elif isinstance(event, events.FatalError):
            raise event.exception
        elif isinstance(event, events.ScenarioFinished):
            found += _failed(event)
        if enough():
            stream.stop()
    return found


def _failed(event: events.ScenarioFinished) -> list[str]:
    found = []
    for case, checks in event.recorder.checks.items():
        for check in (one for one in checks if one.failure_info is not None):
            told, sent = check.failure_info.failure, check.failure_info.code_sample
            answer = event.recorder.interactions[case].response
            came = f"{answer.status_code} {answer.content[:200]!r}" if answer else "nothing"
            route = event.recorder.cases[case].value.operation.label
            found.append(f"{check.name} | {route} | {told.title}: {told.message[:200]} | {sent[:400]} -> {came}")
    return found


def _config(service: Watched, seed: int, examples: int, phases: Sequence[str]) -> SchemathesisConfig:
    snapshot = service.live.snapshot
    people = [*snapshot.dataset.interactions.user_ids[:3], "guest"]
    names = {"people": people, "items": [*snapshot.catalog.item_ids[:20], "new"], "folders": [snapshot.run.path.name]}
    places = {
        "people": ("path.user_id", "body.user_id", "body.session_id", "body.UserId", "body.[*].UserId", "body.users[*].user_id"),
        "items": (
            "path.item_id",
            "body.history[*]",
            "body.candidates[*]",
            "body.ItemId",
            "body.[*].ItemId",
            "body.items[*].item_id",
        ),
        "folders": ("body.path",),
    }
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "continue-on-failure": True,
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
            "request-timeout": 60,
            "cache": {"enabled": False},
            "auth": {"openapi": {"ApiKey": {"api_key": service.key}}},
            "generation": {"max-examples": examples, "database": "none"},
            "phases": {phase: {"enabled": phase in phases} for phase in PHASES},
            "dictionaries": {name: {"values": values} for name, values in names.items()},
            "parameters": {place: {"dictionary": name, "probability": 0.5} for name, found in places.items() for place in found},
            "operations": [
                _checks(JUDGED, negative_data_rejection={"enabled": False}),
                _checks(REFUSED, positive_data_acceptance={"expected-statuses": ACCEPTED}),
                _checks(NEVER_GONE, use_after_free={"enabled": False}),
            ],
        }
    )


def _checks(routes: Sequence[str], **checks: Any) -> dict[str, Any]:
    return {"include-name": list(routes), "checks": checks}
