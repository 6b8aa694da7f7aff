"""Reasons that are sent piece by piece: the same as those that are sent at once, and no sooner than they are known."""

import json
import threading
import time

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.errors import StoreError
from instructrec.service import reasons
from instructrec.service.reasons import sentences_of


def events(response):
    """(name, JSON) of each event, as they come."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def streamed(url, path, **headers):
    with httpx.stream("GET", f"{url}{path}", headers=headers, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        return list(events(response))


def listed(url, **body):
    return httpx.post(f"{url}/v1/recommend", json={"n": 4, **body}, timeout=30).json()


@pytest.mark.parametrize("body", [{"user_id": "u1"}, {"user_id": "u2", "language": "zh"}, {"user_id": "a stranger"}])
def test_the_pieces_are_the_whole(serve, body):
    url = serve().url
    found = listed(url, **body)
    for entry in found["items"]:
        path = f"/v1/explain/{found['recommendation_id']}/{entry['item_id']}"
        whole = httpx.get(f"{url}{path}", timeout=30).json()
        (first, evidence), *middle, (last, done) = streamed(url, f"{path}?stream=true")
        assert (first, last) == ("evidence", "done") and {name for name, _ in middle} == {"sentence"}
        assert done == whole
        assert "".join(piece["text"] for _, piece in middle) == whole["explanation"] != ""
        assert {key: whole[key] for key in evidence} == evidence and evidence["evidence"]
    accepted = streamed(url, path, accept="text/event-stream")
    assert accepted[-1] == ("done", whole)


def test_what_is_known_is_sent_before_the_rest_is(serve, monkeypatch):
    url, go = serve().url, threading.Event()
    found = listed(url, user_id="u1")
    explained = reasons._explained

    def later(*given):
        assert go.wait(20)
        return explained(*given)

    monkeypatch.setattr(reasons, "_explained", later)
    path = f"/v1/explain/{found['recommendation_id']}/{found['items'][0]['item_id']}?stream=true"
    with httpx.stream("GET", f"{url}{path}", timeout=30) as response:
        coming = events(response)
        assert next(coming)[0] == "evidence" and next(coming)[0] == "sentence"
        began = time.monotonic()
        go.set()
        assert [name for name, _ in coming][-1] == "done" and time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("problem", "code", "said"),
    [(StoreError("The disk is full. Make room."), "journal", "Make room"), (ValueError("secret"), "unexpected", "ValueError")],
)
def test_what_goes_wrong_is_the_last_event(serve, monkeypatch, problem, code, said):
    url = serve().url
    found = listed(url, user_id="u1")
    [lost] = streamed(url, "/v1/explain/nowhere/m1?stream=true")
    assert lost[0] == "error" and lost[1] == httpx.get(f"{url}/v1/explain/nowhere/m1").json()

    def fails(*given):
        raise problem

    monkeypatch.setattr(reasons, "_explained", fails)
    path = f"/v1/explain/{found['recommendation_id']}/{found['items'][0]['item_id']}?stream=true"
    *_, (name, last) = streamed(url, path)
    assert name == "error" and last["error"] == code and said in last["message"] and "secret" not in last["message"]


def test_without_a_key_there_is_no_stream(serve):
    answer = httpx.get(f"{serve(wants_keys=True).url}/v1/explain/r/m1?stream=true")
    assert answer.status_code == 401 and answer.json()["error"] == "no_key"


def test_a_text_is_cut_behind_sentences_and_never_in_a_title():
    text = "You picked “Dr. No. Again! (1962)”. It is a thriller.  Is it? Yes"
    assert sentences_of(text, "en") == ["You picked “Dr. No. Again! (1962)”. ", "It is a thriller.  ", "Is it? ", "Yes"]
    assert sentences_of("它是喜剧。你选过它！", "zh") == ["它是喜剧。", "你选过它！"]
    assert sentences_of("", "en") == []


@settings(deadline=None, derandomize=True, database=None)
@given(st.text(alphabet="aB .!?。“”\n"), st.sampled_from(["en", "zh"]))
def test_whatever_the_text_its_sentences_are_the_text(text, language):
    found = sentences_of(text, language)
    assert "".join(found) == text and all(found)
