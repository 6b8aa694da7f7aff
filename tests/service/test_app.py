"""The service over HTTP: what a click does, who may do what, and what bad requests hear."""

import asyncio
import itertools
import json

import httpx
import pytest

from instructrec.service.access import Gate, new_key
from instructrec.service.app import build
from instructrec.service.live import opened
from instructrec.service.settings import ServiceConfig


class Client:
    """Requests to a service, one after another."""

    def __init__(self, folder, place, *, wants_keys=False, requests_per_s=1e6):
        self.live = opened(folder, f"sqlite:///{place / 'journal.db'}", ServiceConfig(body_bytes=100_000))
        gate = Gate(self.live.store, wants_keys=wants_keys, requests_per_s=requests_per_s)
        self.app = build(self.live, gate)

    def ask(self, method, path, **more):
        async def once():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **more)

        return asyncio.run(once())

    def list(self, **body):
        answer = self.ask("POST", "/v1/recommend", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def happen(self, *events):
        answer = self.ask("POST", "/v1/events", json={"events": list(events)})
        assert answer.status_code == 202, answer.text
        return answer.json()


@pytest.fixture
def client(run_folder, tmp_path):
    made = Client(run_folder, tmp_path)
    yield made
    made.live.close()


def ids(answer):
    return [entry["item_id"] for entry in answer["items"]]


NUMBERS = itertools.count()


def event(kind, user="newcomer", **more):
    return {"event_id": f"e{next(NUMBERS)}", "type": kind, "user_id": user, **more}


def test_a_click_counts_in_the_next_list(client):
    before = client.list(user_id="newcomer")
    assert before["served_by"] == "trending" and before["degraded"]
    first = ids(before)[0]
    assert client.happen(event("click", item_id=first))["accepted"] == 1
    after = client.list(user_id="newcomer")
    assert after["served_by"] == "ridge" and not after["degraded"]
    assert first not in ids(after) and ids(after) != ids(before)


def test_an_unchanged_person_gets_the_same_bytes_and_an_undo_gives_them_back(client):
    user = client.live.snapshot.dataset.interactions.user_ids[0]
    before = client.ask("POST", "/v1/recommend", json={"user_id": user}).content
    assert client.ask("POST", "/v1/recommend", json={"user_id": user}).content == before
    assert client.live.answers.hits == 1
    disliked = event("dislike", user, item_id=json.loads(before)["items"][0]["item_id"])
    client.happen(disliked)
    assert disliked["item_id"] not in ids(client.list(user_id=user))
    client.happen(event("undo", user, undoes=disliked["event_id"]))
    assert client.ask("POST", "/v1/recommend", json={"user_id": user}).content == before


def test_a_banned_item_never_comes_back_and_a_session_is_a_person_too(client):
    shown = ids(client.list(session_id="s1"))
    client.happen({"event_id": "b1", "type": "ban", "session_id": "s1", "item_id": shown[0]})
    assert shown[0] not in ids(client.list(session_id="s1", n=60))
    assert shown[0] in ids(client.list(session_id="s2", n=60))


def test_words_that_were_sent_as_an_event_hold_until_others_come(client):
    user = client.live.snapshot.dataset.interactions.user_ids[1]
    client.happen(event("text", user, text="no horror"))
    catalog = client.live.snapshot.catalog
    found = client.list(user_id=user, n=60)
    assert all("Horror" not in catalog.labels["genres"].of(catalog.index[item]) for item in ids(found))
    assert found["instruction"]["understood"]


def test_a_conversation_goes_on_with_what_the_answer_before_brought(client):
    user = client.live.snapshot.dataset.interactions.user_ids[1]
    first = client.list(user_id=user, instruction="comedy", dialogue=[])
    second = client.list(user_id=user, instruction="no romance", dialogue=first["dialogue"])
    assert len(second["dialogue"]) == 2 and len(second["instruction"]["understood"]) == 2
    third = client.list(user_id=user, instruction="undo", dialogue=second["dialogue"])
    assert ids(third) == ids(first)


def test_reasons_come_with_the_list_or_later(client):
    user = client.live.snapshot.dataset.interactions.user_ids[2]
    told = client.list(user_id=user, n=3, explain="reasons")
    assert all(entry["explanation"] and entry["explanation_status"] == "verified" for entry in told["items"])
    bare = client.list(user_id=user, n=3)
    entry = client.ask("GET", f"/v1/explain/{bare['recommendation_id']}/{bare['items'][0]['item_id']}").json()
    assert entry["explanation"] == told["items"][0]["explanation"] and "counterfactual" in entry
    lost = client.ask("GET", "/v1/explain/nowhere/m1")
    assert lost.status_code == 404 and "Ask for a new list" in lost.json()["message"]


def test_every_event_is_judged_by_itself_and_twice_is_once(client):
    good, bad = event("like", item_id="m1"), {"type": "like", "user_id": "newcomer"}
    found = client.happen(good, bad, {**good, "item_id": "m2"}, good, "nonsense")
    assert [row["verdict"] for row in found["verdicts"]] == ["stored", "rejected", "conflict", "duplicate", "rejected"]
    assert (found["accepted"], found["rejected"]) == (2, 3)
    assert len(client.live.store.events_of("local", "user:newcomer")) == 1


def test_a_withdrawn_item_is_in_no_list_and_a_new_one_can_be_shown(client):
    user = client.live.snapshot.dataset.interactions.user_ids[0]
    first = ids(client.list(user_id=user))[0]
    found = client.ask("PUT", "/v1/items", json={"items": [{"item_id": first, "available": False}, {"title": "No id"}]}).json()
    assert [row["verdict"] for row in found["verdicts"]] == ["stored", "rejected"]
    assert first not in ids(client.list(user_id=user, n=100))
    new = {"item_id": "new", "title": "A new one", "attributes": {"genres": ["Comedy"]}}
    assert client.ask("PUT", "/v1/items", json={"items": [new]}).json()["accepted"] == 1
    assert client.ask("POST", "/v1/items/refresh").status_code == 200
    assert "new" in ids(client.list(user_id=user, n=100, candidates=["new", "m1", "m2"]))
    assert first not in ids(client.list(user_id=user, n=100))
    assert client.ask("PUT", "/v1/items", json={"items": [{"item_id": first, "available": True}]}).json()["accepted"] == 1
    assert first in ids(client.list(user_id=user, n=100))


def test_a_user_reads_edits_takes_away_and_erases_what_is_kept(client):
    client.happen(event("like", "ann", item_id="m1"), event("dislike", "ann", item_id="m2", reason="seen"))
    client.ask("PUT", "/v1/users/ann/profile", json={"text": "I like comedies."})
    known = client.ask("GET", "/v1/users/ann").json()
    assert known["liked"] == ["m1"] and known["disliked"] == [{"item_id": "m2", "reason": "seen"}]
    assert known["profile"] == "I like comedies." and known["events"] == 2
    lines = [json.loads(line) for line in client.ask("GET", "/v1/users/ann/export").text.splitlines()]
    assert len(lines) >= 3
    assert client.ask("DELETE", "/v1/users/ann").status_code == 200
    known = client.ask("GET", "/v1/users/ann").json()
    assert known["events"] == 0 and known["profile"] == "" and known["liked"] == []


def test_keys_open_what_they_are_for_and_tenants_see_nothing_of_each_other(run_folder, tmp_path):
    client = Client(run_folder, tmp_path, wants_keys=True)
    keys = {
        name: new_key(client.live.store, tenant=tenant, name=name, scopes=scopes)
        for name, tenant, scopes in (
            ("reader", "a", ["read"]),
            ("writer", "a", ["write", "read"]),
            ("other", "b", ["read", "write"]),
        )
    }

    def status(name, method, path, **more):
        headers = {"X-API-Key": keys[name]} if name in keys else {"Authorization": f"Bearer {name}"} if name else {}
        return client.ask(method, path, headers=headers, **more)

    assert status("", "POST", "/v1/recommend", json={}).status_code == 401
    assert status("ir_wrong", "POST", "/v1/recommend", json={}).status_code == 401
    assert status("reader", "POST", "/v1/recommend", json={}).status_code == 200
    body = {"events": [event("like", "ann", item_id="m1")]}
    assert status("reader", "POST", "/v1/events", json=body).status_code == 403
    assert status("writer", "POST", "/v1/events", json=body).json()["accepted"] == 1
    assert status("writer", "PUT", "/v1/items", json={"items": [{}]}).status_code == 403
    assert status("writer", "GET", "/v1/users/ann").json()["liked"] == ["m1"]
    assert status("other", "GET", "/v1/users/ann").json()["liked"] == []
    assert keys["reader"] not in (tmp_path / "journal.db").read_bytes().decode("latin-1")
    client.live.close()


def test_a_key_that_asks_too_often_waits(run_folder, tmp_path):
    client = Client(run_folder, tmp_path, wants_keys=True, requests_per_s=3)
    key = new_key(client.live.store, tenant="a", name="reader", scopes=["read"])
    answers = [client.ask("GET", "/v1/run", headers={"X-API-Key": key}) for _ in range(6)]
    assert answers[0].status_code == 200 and answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1 and "Try again" in answers[-1].json()["message"]
    client.live.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/v1/recommend", {"user": "x"}, 422, "user"),
        ("POST", "/v1/recommend", {"n": 0}, 422, "n"),
        ("POST", "/v1/recommend", {"user_id": "a", "session_id": "b"}, 400, "both came"),
        ("POST", "/v1/recommend", {"candidates": ["nothing"]}, 400, "not in the catalog"),
        (
            "POST",
            "/v1/recommend",
            {"parameters": {"limits": [{"attribute": "colour", "operator": "include", "values": ["x"]}]}},
            400,
            "colour",
        ),
        ("POST", "/v1/events", {"events": []}, 422, "events"),
        ("POST", "/v1/similar/nothing", None, 404, "no item"),
        ("GET", "/v1/nowhere", None, 404, "openapi"),
        ("POST", "/v1/parse", {"text": "x" * 200_000}, 413, "several parts"),
    ],
)
def test_a_bad_request_hears_what_came_and_what_to_do(client, method, path, body, status, said):
    answer = client.ask(method, path, json=body)
    assert answer.status_code == status
    problem = answer.json()
    assert set(problem) == {"error", "message"} and said in problem["message"]


def test_metrics_count_what_happened(client):
    client.list(user_id="newcomer")
    client.happen(event("like", item_id="m1"))
    text = client.ask("GET", "/metrics").text
    assert 'instructrec_events_total{type="like",verdict="stored"} 1.0' in text
    assert 'route="/v1/recommend"' in text
    assert client.ask("GET", "/health/ready").json()["ready"] is True


def test_an_experiment_gives_people_arms_that_stay_and_tells_what_they_did(client):
    body = {"arms": [{"name": "now"}, {"name": "then", "settings": {"model": "popular"}}], "metrics": ["like_rate"]}
    wrong = {"arms": [{"name": "now"}, {"name": "then", "settings": {"model": "lm"}}]}
    assert "does not hold" in client.ask("PUT", "/v1/experiments/a", json=wrong).json()["message"]
    body["arms"][1]["settings"]["model"] = "ridge"
    assert client.ask("PUT", "/v1/experiments/a", json=body).json()["status"] == "draft"
    assert client.ask("POST", "/v1/experiments/a/start").json()["status"] == "running"
    assert client.ask("PUT", "/v1/experiments/b", json=body).status_code == 200
    assert "runs already" in client.ask("POST", "/v1/experiments/b/start").json()["message"]
    users = client.live.snapshot.dataset.interactions.user_ids[:20]
    for user in users:
        shown = ids(client.list(user_id=user, n=3))
        client.happen(event("impression", user, item_id=shown[0]), event("like", user, item_id=shown[0]))
    arms = {user: client.live.comparing.place("local", f"user:{user}").arm.name for user in users}
    assert set(arms.values()) == {"now", "then"}
    found = client.ask("GET", "/v1/experiments/a").json()
    table = found["results"]["metrics"]["like_rate"]
    assert sum(row["n"] for row in table.values()) == len(users) and all(row["mean"] == 1.0 for row in table.values())
    stored = client.live.store.trials.assignments("local", "a")
    assert {row.person.removeprefix("user:"): row.arm for row in stored} == arms
    assert client.ask("POST", "/v1/experiments/a/promote", params={"arm": "then"}).json()["winner"] == "then"
    assert {client.live.comparing.place("local", f"user:{user}").arm.name for user in users} == {"then"}
    assert client.ask("GET", "/v1/experiments").json()["experiments"][0]["status"] == "promoted"


def test_a_list_that_is_made_anew_counts_as_one_request(run_folder, tmp_path):
    client = Client(run_folder, tmp_path, wants_keys=True, requests_per_s=3)
    key = new_key(client.live.store, tenant="a", name="reader", scopes=["read"])
    for n in (1, 2, 3):
        answer = client.ask("POST", "/v1/recommend", json={"user_id": "newcomer", "n": n}, headers={"X-API-Key": key})
        assert answer.status_code == 200, answer.text
    client.live.close()


def test_what_changes_a_list_is_seen_behind_the_short_way(client):
    user = client.live.snapshot.dataset.interactions.user_ids[0]
    body = {"user_id": user, "n": 3}
    first = client.list(**body)
    assert client.list(**body) == first and client.live.answers.hits == 1
    client.happen(event("dislike", user, item_id=ids(first)[0]))
    assert ids(first)[0] not in ids(client.list(**body)) and client.live.answers.hits == 1
    withdrawn = ids(client.list(**body))[0]
    client.ask("PUT", "/v1/items", json={"items": [{"item_id": withdrawn, "available": False}]})
    assert withdrawn not in ids(client.list(**body))


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b'{"events": {}}', b'{"events": []}', b'{"events": [1], "more": 2}'])
def test_a_body_that_is_no_list_of_events_hears_what_one_is(client, body):
    answer = client.ask("POST", "/v1/events", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json()["error"] == "wrong_shape"
