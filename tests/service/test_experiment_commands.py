"""`instructrec experiment` against a service that listens: the whole story, what is refused, and where nobody answers."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from instructrec.cli import main
from instructrec.service.access import new_key


@pytest.fixture
def call(capsys, monkeypatch):
    """Run the command line; gives exit code, standard output and standard error."""
    monkeypatch.delenv("INSTRUCTREC_KEY", raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in ("experiment", *arguments)])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def ask_for_lists(served, people, liked=False):
    with httpx.Client(base_url=served.url) as http:
        for person in people:
            answer = http.post("/v1/recommend", json={"user_id": person, "history": ["m1", "m2", "m3"]}).json()
            item = answer["items"][0]["item_id"]
            rows = [{"type": kind, "user_id": person, "item_id": item, "recommendation_id": answer["recommendation_id"]} for kind in
                    ("impression", "click")]  # fmt: skip
            assert http.post("/v1/events", json={"events": rows}).status_code == 202
    return answer


def test_the_whole_story(serve, run_folder, call):
    served = serve()
    at = ("--url", served.url)
    arms = ("--arm", "control=", "--arm", "popular=popular")
    code, out, _ = call("start", run_folder, "ranking", *arms, "--metric", "ctr", "--guardrail", "dislike_rate=.1", *at)
    assert code == 0 and f"instructrec experiment status {run_folder} ranking" in out
    ask_for_lists(served, [f"p{place}" for place in range(30)])
    code, out, _ = call("status", run_folder, "ranking", *at)
    assert code == 0
    for part in ("Experiment 'ranking' (split, running, since 2", "Nothing is decided below 100 people", "popular", "ctr",
                 "Split as asked for", "keep_going", "dislike_rate", "open", "if everybody had", "none below 1,000"):  # fmt: skip
        assert part in out, (part, out)
    code, out, err = call("status", run_folder.name, "ranking", *at, "--json")
    found = json.loads(out)
    rows = found["results"]["metrics"]["ctr"]
    assert sum(row["n"] for row in rows.values()) == 30 and rows["popular"]["mean"] == 1.0 and "ranking" in err
    assert found["guardrails"] == [{"metric": "dislike_rate", "better": "lower", "tolerance": 0.1}]
    code, out, _ = call("list", run_folder, *at)
    assert code == 0 and "ranking" in out and "running" in out and "control, popular" in out
    assert call("stop", run_folder, "ranking", *at)[0] == 0
    code, out, _ = call("promote", run_folder, "ranking", "--arm", "popular", *at)
    assert code == 0 and "serves everybody" in out
    assert ask_for_lists(served, ["p1"])["served_by"] == "popular"
    assert "Arm 'popular' serves everybody" in call("status", run_folder, "ranking", *at)[1]


def test_an_interleaving_and_all_that_an_arm_can_have(serve, run_folder, call):
    served = serve()
    at = ("--url", served.url)
    call("start", run_folder, "drafts", "--arm", "one=ridge", "--arm", "two=popular", "--interleave", "--metric", "ctr", *at)
    ask_for_lists(served, [f"p{place}" for place in range(12)])
    code, out, _ = call("status", run_folder, "drafts", *at)
    assert code == 0 and "12 lists of 12 people" in out and "more of two" in out and "lists begun" in out
    call("stop", run_folder, "drafts", *at)
    more = ("--weight", "b=3", "--exploration", "b=.1", "--coverage", ".5", "--seed", "s")
    code, out, _ = call("start", run_folder, "odd name? ü&#%", "--arm", "a=", "--arm", "b=ridge", *more, *at, "--json")
    found = json.loads(out)
    assert (code, found["id"], found["coverage"], found["seed"], found["status"]) == (0, "odd name? ü&#%", 0.5, "s", "running")
    assert found["arms"][1] == {"name": "b", "weight": 3.0, "settings": {"model": "ridge", "exploration": 0.1}}
    assert "explores 0.1" in call("status", run_folder, "odd name? ü&#%", *at)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--arm", "a=", "--arm", "b=lm"], "does not hold"),
        (["--arm", "a=", "--arm", "b"], "--arm b is not of the form NAME=VALUE"),
        (["--arm", "a=", "--arm", "a=ridge"], "its name came before"),
        (["--arm", "a="], "2 items"),
        (["--arm", "a=", "--arm", "b=", "--weight", "c=2"], "an arm 'c', which --arm does not"),
        (["--arm", "a=", "--arm", "b=", "--weight", "b=x"], "no number behind the sign"),
        (["--arm", "a=", "--arm", "b=", "--guardrail", "cttr=.1"], "Did you mean 'ctr'?"),
        (["--arm", "a=", "--arm", "b=", "--metric", "clicks"], "measures 'clicks'"),
        (["--arm", "a=", "--arm", "b=", "--url", "ftp://x"], "no address of a service"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(serve, run_folder, call, arguments, said):
    at = () if "--url" in arguments else ("--url", serve().url)
    code, out, err = call("start", run_folder, "x", *arguments, *at)
    assert code == 2 and said in err and not out and "Traceback" not in err


def test_a_second_one_is_not_started_and_an_unknown_one_is_not_known(serve, run_folder, call):
    at = ("--url", serve().url)
    arms = ("--arm", "a=", "--arm", "b=")
    assert call("start", run_folder, "first", *arms, *at)[0] == 0
    assert "'first' runs already" in call("start", run_folder, "second", *arms, *at)[2]
    assert "Did you mean 'first'?" in call("status", run_folder, "fist", *at)[2]
    assert "is running, so it stays as it is" in call("start", run_folder, "first", *arms, *at)[2]
    assert "has no arm 'c'" in call("promote", run_folder, "first", "--arm", "c", *at)[2]
    for name in ("..", "a/b", ""):
        assert "no name of an experiment" in call("status", run_folder, name, *at)[2]


def test_nobody_answers_or_somebody_else_does(serve, run_folder, call):
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    code, _, err = call("status", run_folder, "x", "--url", nobody)
    assert code == 2 and f"No service answers at {nobody}" in err and "instructrec serve RUN" in err
    served = serve()
    assert "serves the run 'run', not 'another'" in call("list", "runs/another", "--url", served.url)[2]
    stranger = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=stranger.handle_request, daemon=True)
    thread.start()
    found = call("list", run_folder, "--url", f"http://127.0.0.1:{stranger.server_port}")[2]
    assert "is no service of InstructRec (status 501 to /v1/run)" in found
    thread.join(5)
    stranger.server_close()


def test_a_key_opens_it_where_one_is_wanted(serve, run_folder, call, monkeypatch):
    served = serve(wants_keys=True)
    keys = {name: new_key(served.live.store, tenant="t", name=name, scopes=[name]) for name in ("admin", "read")}
    at = ("--url", served.url)
    code, _, err = call("list", run_folder, *at)
    assert code == 2 and "needs an API key" in err and "--key or in INSTRUCTREC_KEY" in err
    assert "needs the scope 'admin'" in call("list", run_folder, *at, "--key", keys["read"])[2]
    assert call("list", run_folder, *at, "--key", keys["admin"])[0] == 0
    monkeypatch.setenv("INSTRUCTREC_KEY", keys["admin"])
    assert call("list", run_folder, *at)[0] == 0
    assert "no API key can have" in call("list", run_folder, *at, "--key", "a\nb")[2]


def test_what_a_model_that_is_no_arm_would_have_earned_or_why_not(serve, run_folder, call):
    served = serve()
    at = ("--url", served.url)
    call("start", run_folder, "ranking", "--arm", "drawn=ridge", "--arm", "more=ridge", "--exploration", "drawn=1", *at)
    ask_for_lists(served, [f"p{place}" for place in range(20)])
    code, out, _ = call("estimate", run_folder, "ranking", "--model", "ridge", *at)
    assert code == 0 and "20 answered again, 0 left out" in out and "too few lists are like its own" in out
    code, out, _ = call("estimate", run_folder, "ranking", "--model", "ridge", *at, "--json")
    found = json.loads(out)
    assert (found["n"], found["refused"], found["supported"], found["estimates"]) == (20, "effective_n", 1.0, {})
    assert 0 < found["effective_n"] <= 20
    for arguments, said in (
        (("ranking", "--model", "lm"), "no model 'lm'"),
        (("other", "--model", "ridge"), "no experiment 'other'"),
    ):
        code, _, err = call("estimate", run_folder, *arguments, *at)
        assert code == 2 and said in err
