"""The OpenAPI is the contract: what it says is what happens, and nothing that is sent ends in a server error."""

import json
import random
from typing import get_args

import pytest
import schemathesis
from benchmarks.contract_checks import findings
from benchmarks.hostile_requests import send
from benchmarks.watched import Watched
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from schemathesis import GenerationMode

from instructrec.journal import Event, Rejected, read_events
from instructrec.journal.events import NAMES, EventType
from instructrec.service.access import new_key
from instructrec.service.rows import EventRow

PUBLIC = {"/health/live", "/health/ready", "/metrics", "/v1/openapi.json", "/page/{name}"}
"""Routes that want no key: what watches the service, the contract, and the page's script, style sheet and icons."""
PAGES = {"/", "/why", "/owner"}
"""Routes of the page: without a key they give the form for one, and nothing of anybody."""
OTHERS = {"read": ["write"], "write": ["read"], "admin": ["read", "write"]}
"""Scopes of a key that may much, but not this."""


@pytest.fixture(scope="module")
def service(run_folder, tmp_path_factory):
    made = Watched(run_folder, f"sqlite:///{tmp_path_factory.mktemp('contract') / 'journal.db'}")
    yield made
    made.close()


def test_what_the_contract_says_is_what_happens(service):
    found = findings(service, seed=1, examples=3)
    assert found == [] and service.server_errors == []
    assert service.calls > 1500 and len(service.routes) > 40


def test_hostile_requests_end_in_no_server_error(service):
    dice, contract = random.Random(1), service.app.openapi()
    broken = [send(service, dice, contract) for _ in range(800)]
    assert [one for one in broken if one] == [] and service.server_errors == []


FEW = settings(max_examples=60, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
VALUES = (
    None, "", "a", "m1", "seen", "attribute:genres", "2026-01-01T00:00:00Z", "x" * 300, "\x01", 0, 3, -1, 2.5, True, [], ["a"],
    {"a": 1},
)  # fmt: skip


def test_event_rows_of_the_contract_are_read(service):
    route = schemathesis.openapi.from_asgi("/v1/openapi.json", service)["/v1/events"]["POST"]

    @FEW
    @given(route.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def all_are_read(case):
        found = [row for row in read_events(case.body["events"], 1.8e9) if isinstance(row, Rejected)]
        # What depends on two fields, or on the clock, is said in words.
        assert {row.code for row in found} <= {"missing", "not_both", "bad_time"}, found

    all_are_read()


@settings(FEW, max_examples=1000)
@given(
    st.fixed_dictionaries(
        {"type": st.sampled_from(get_args(EventType)), "user_id": st.just("u"), "item_id": st.sampled_from(("m1", None))},
        optional={
            name: st.sampled_from(VALUES) for name in (*NAMES, "timestamp", "other") if name not in ("type", "user_id", "item_id")
        },
    )
)
def test_event_rows_that_are_read_are_in_the_contract(row):
    if isinstance(read_events([row], 1.8e9)[0], Event):
        TypeAdapter(EventRow).validate_python({name: value for name, value in row.items() if value is not None})


def filled(body):
    """JSON with half of a surrogate pair, or a number beyond all bounds, in the places of their names."""
    return body and body.replace("HALF", '"\\ud800"').replace("HUGE", "1" + "0" * 400)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/recommend", '{"parameters": {"wish": HALF}}', 422),
        ("POST", "/v1/recommend", '{"parameters": {"limits": [{"attribute": "year", "operator": "range", "low": HUGE}]}}', 400),
        ("POST", "/v1/recommend", '{"parameters": {"quotas": [{"limits": [{"attribute": "genres", "operator": "include", '
         '"values": ["Comedy"]}], "at_least": HUGE}]}}', 400),
        ("POST", "/v1/recommend", json.dumps({"parameters": {"quotas": [{}] * 51}}), 400),
        ("POST", "/v1/recommend", '{"dialogue": [{"text": HALF}]}', 422),
        ("POST", "/v1/recommend", '{HALF: 1}', 422),
        ("POST", "/v1/recommend", '{"n": "10"}', 422),
        ("POST", "/v1/recommend", '{"n": 10.0}', 200),
        ("POST", "/v1/recommend", '{"hide_seen": 1}', 422),
        ("POST", "/v1/recommend", '{"user_id": "a\\u0000"}', 422),
        ("POST", "/v1/recommend", "[" * 100_000, 400),
        ("POST", "/v1/events", "[" * 100_000, 400),
        ("PUT", "/v1/users", '{"users": [{"user_id": "a", "attributes": {"x": HALF}}]}', 400),
        ("PUT", "/v1/users", '{"users": [{"user_id": "a", "attributes": {"x": NaN}}]}', 400),
        ("PUT", "/v1/users", '{"users": [{"user_id": "a", "text": "\\u0000"}]}', 422),
        ("PUT", "/v1/users/a/profile", '{"text": "\\u0000"}', 422),
        ("PUT", "/v1/experiments/a", '{"arms": [{"name": "a", "settings": {"x": HALF}}, {"name": "b"}]}', 400),
        ("PUT", "/v1/experiments/a", '{"arms": [{"name": "a", "weight": HUGE}, {"name": "b"}]}', 422),
        ("POST", "/api/user", '{"UserId": "a", "Labels": {"x": NaN}}', 400),
        ("POST", "/api/user", '{"UserId": "a", "Comment": HALF}', 422),
        ("POST", "/api/item", '{"ItemId": "a", "Labels": {"year": HUGE}}', 400),
        ("POST", "/api/session/recommend", json.dumps([{"ItemId": "m1"}] * 10_001), 422),
        ("GET", f"/api/items?cursor={'9' * 5000}", None, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_read_or_kept_is_refused_with_a_reason(service, method, path, body, status):
    answer = service.ask(method, path, content=filled(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert status == 200 or set(answer.json()) == {"error", "message"}
    assert service.ask("GET", "/health/ready").json()["ready"]


def test_one_bad_item_takes_no_other_with_it(service):
    rows = [
        '{"item_id": "good"}', '{"item_id": "a\\u0000b"}', '{"item_id": "b", "title": HALF}', "{HALF: 1}",
        '{"item_id": "c", "attributes": {"year": HUGE}}', '{"item_id": "d", "attributes": {"genres": [HALF]}}',
    ]  # fmt: skip
    body = filled(f'{{"items": [{", ".join(rows)}]}}')
    answer = service.ask("PUT", "/v1/items", content=body, headers={"Content-Type": "application/json"})
    assert [row["verdict"] for row in answer.json()["verdicts"]] == ["stored", *["rejected"] * 5]
    assert service.ask("POST", "/v1/items/refresh").status_code == 200
    assert {"good", "a\x00b", "b", "c", "d"} & set(service.live.snapshot.catalog.item_ids) == {"good"}


def test_an_address_names_all_its_methods(service):
    assert service.ask("POST", "/v1/users/ann").headers["Allow"] == "DELETE, GET"
    assert service.ask("PATCH", "/").headers["Allow"] == "GET, POST"
    assert service.ask("DELETE", "/api/feedback").json()["error"] == "wrong_method"
    assert service.ask("BREW", "/v1/run").status_code == 405 and 'method="BREW"' not in service.ask("GET", "/metrics").text


def routes_of(app):
    """All routes of the application and their methods, whether the contract tells of them or not."""
    return [(one.path_format, method) for one in iter_route_contexts(app.routes) for method in sorted(one.methods - {"HEAD"})]


def test_every_route_that_is_not_public_wants_a_key_that_may(service):
    store, contract = service.live.store, service.app.openapi()["paths"]
    keys = {scope: new_key(store, tenant="b", name=scope, scopes=scopes) for scope, scopes in OTHERS.items()}
    seen = set()
    for path, method in routes_of(service.app):
        filled = path.replace("{step}", "start").replace("{category}", "Comedy")
        for name in ("user_id", "item_id", "recommendation_id", "experiment_id", "name"):
            filled = filled.replace("{" + name + "}", "m1")
        seen.add(path)

        def asked(key, method=method, filled=filled):
            # A body that cannot be read: who may not ask is told so before.
            return service.ask(method, filled, content="{", headers={"X-API-Key": key, "Content-Type": "application/json"})

        bare = asked("")
        if path in PUBLIC:
            assert bare.status_code not in (401, 403), (method, path)
        elif path in PAGES:
            low = "admin" if path == "/owner" else "read"
            assert bare.status_code == 200 and 'id="key"' in bare.text and 'id="state"' not in bare.text
            assert (asked("ir_wrong").status_code, asked(keys[low]).status_code) == (401, 403), (method, path)
        else:
            [scope] = contract[path][method.lower()]["security"][0]["ApiKey"]
            assert bare.status_code == 401 and bare.headers["WWW-Authenticate"] == "Bearer", (method, path)
            assert (asked("ir_wrong").status_code, asked(keys[scope]).status_code) == (401, 403), (method, path)
            assert asked(service.key).status_code not in (401, 403), (method, path)
    assert seen >= PUBLIC | PAGES and len(seen) > 30
