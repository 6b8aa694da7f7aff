"""Scores from a server that does not echo a prompt, but can be made to write a token (llama.cpp)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.lm.scripted_server import ScriptedServer, Step

from instructrec.errors import ModelError
from instructrec.lm.endpoint import Endpoint, EndpointConfig


def endpoint(server: ScriptedServer) -> Endpoint:
    return Endpoint(EndpointConfig(url=server.url, model="little", at_once=1, retries=0), sleep=lambda seconds: None)


def pieces_of(text: str) -> list[dict[str, Any]]:
    """A token for each byte, whose id is the byte; parts of characters are listed as bytes."""
    return [{"id": byte, "piece": chr(byte) if byte < 128 else [byte]} for byte in text.encode()]


def like(**other: Any) -> Callable[[dict[str, Any]], Any]:
    """A server that scores a token with minus a hundredth of its id; `other` answers go over these."""

    def answer(body: dict[str, Any]) -> Any:
        if "content" in body:
            return other.get("tokens", {"tokens": pieces_of(body["content"])})
        if "echo" in body:
            return {"choices": [{"text": "x", "logprobs": {"content": [{"id": 120, "token": "x", "logprob": -0.1}]}}]}
        token, listed = body["logit_bias"][0][0], []
        if body["logprobs"] > 1:
            listed = [{"id": byte, "logprob": -byte / 100} for byte in range(256)]
        written = {"id": token, "logprob": other.get("logprob", -token / 100), "top_logprobs": listed}
        return {"choices": [{"text": "", "logprobs": {"content": [written] if token < 128 else []}}]}

    return answer


def test_each_token_is_forced_behind_those_before_it() -> None:
    with ScriptedServer([Step(body=like())]) as server:
        model = endpoint(server)
        assert model.score(["ab"], [["cd", ""]]) == [[pytest.approx(-(ord("c") + ord("d")) / 100), 0.0]]
        assert model.score(["a"], [["b"]]) == [[pytest.approx(-ord("b") / 100)]]
    assert [body["prompt"] for body in server.bodies if "logit_bias" in body] == [[97, 98], [97, 98, 99], [97]]
    assert sum("echo" in body for body in server.bodies) == 1, "it is not asked to echo again"
    assert server.bodies[1] == {"model": "little", "content": "abcd", "add_special": True, "with_pieces": True}


def test_parts_of_characters_are_read_from_the_list_of_all_tokens() -> None:
    with ScriptedServer([Step(body=like())]) as server:
        assert endpoint(server).score(["a"], [["é"]]) == [[pytest.approx(-sum("é".encode()) / 100)]]
    assert {body["logit_bias"][0][0] for body in server.bodies if "logit_bias" in body} == {ord("a")}


def test_the_smallest_number_stands_for_what_cannot_be() -> None:
    with ScriptedServer([Step(body=like(logprob=-3.4e38))]) as server:
        assert endpoint(server).score(["a"], [["b"]]) == [[-math.inf]]


@pytest.mark.parametrize(
    "tokens", [{}, {"tokens": 3}, {"tokens": [97]}, {"tokens": [{"id": "x", "piece": "a"}]}, {"tokens": [{"id": 1}]}]
)
def test_without_a_list_of_tokens_the_lack_is_said(tokens: Any) -> None:
    answers = Step(body=like(tokens=tokens or {"other": 1}))
    with ScriptedServer([answers]) as server, pytest.raises(ModelError, match="without log-probabilities of the prompt"):
        endpoint(server).score(["a"], [["b"]])


@pytest.mark.parametrize("logprob", [None, "much"])
def test_a_token_without_a_number_is_said(logprob: Any) -> None:
    with (
        ScriptedServer([Step(body=like(logprob=logprob))]) as server,
        pytest.raises(ModelError, match="gave no log-probability of token 98"),
    ):
        endpoint(server).score(["a"], [["b"]])


def test_the_first_token_of_all_has_no_score() -> None:
    with ScriptedServer([Step(body=like())]) as server, pytest.raises(ModelError, match="give a prompt that is not empty"):
        endpoint(server).score([""], [["ab"]])
