"""A served language model: what is asked, what is made of the answers, and what is said when there is none."""

from __future__ import annotations

import math
import re
import socket
import threading
import time

import pytest
from tests.lm.scripted_server import ScriptedServer, Step

from instructrec.errors import ConfigError, ModelError
from instructrec.lm.endpoint import LONGEST_WAIT_S, TOP_TOKENS, Endpoint, EndpointConfig, LanguageModel
from instructrec.lm.scripted import ScriptedLanguageModel

KEY = "sk-very-secret-0123"


def endpoint(server, *, waits=None, **options):
    """An endpoint that does not sleep, but notes in `waits` how long it would have."""
    note = waits.append if waits is not None else lambda seconds: None
    return Endpoint(EndpointConfig(url=server.url, model="little", **options), sleep=note)


def said(text):
    return {"choices": [{"index": 0, "text": text}]}


def echoing(body):
    return said(f"after {body['prompt']}")


def pieces(text, length=3):
    return [text[start : start + length] for start in range(0, len(text), length)]


def scored(split, *, offsets=True, usage=True, shown=lambda token: token, start=(), extra=" more"):
    """A body like that of a server which scores token number i with -i; `split` cuts a text into tokens."""

    def body(asked):
        tokens = [*start, *split(asked["prompt"])]
        told = len(tokens)
        tokens += [extra] if asked["max_tokens"] else []
        places = [sum(map(len, tokens[:number])) for number in range(len(tokens))]
        listed = {
            "tokens": [shown(token) for token in tokens],
            "token_logprobs": [None, *(-float(number) for number in range(1, len(tokens)))],
            "text_offset": places if offsets else [-1] * len(tokens),
        }
        text = asked["prompt"] + (extra if asked["max_tokens"] else "")
        return {"choices": [{"text": text, "logprobs": listed}]} | ({"usage": {"prompt_tokens": told}} if usage else {})

    return Step(body=body)


def failure(server, **options):
    """The message of the error when one prompt is sent."""
    with pytest.raises(ModelError) as caught:
        endpoint(server, **options).generate(["hello"], max_tokens=4)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


# Generating


def test_texts_come_in_the_order_of_the_prompts_although_answers_do_not():
    together = threading.Barrier(4)

    def late_for_early_prompts(body):
        together.wait(timeout=5)  # passes only when all four are under way
        time.sleep(0.02 * (3 - int(body["prompt"]) % 4))
        return echoing(body)

    prompts = [str(number) for number in range(8)]
    with ScriptedServer([Step(body=late_for_early_prompts)]) as server:
        texts = endpoint(server, at_once=4).generate(prompts, max_tokens=4)
    assert texts == [f"after {prompt}" for prompt in prompts]


def test_what_is_sent_is_what_was_asked():
    with ScriptedServer([Step(body=echoing)]) as server:
        endpoint(server).generate(["a"], max_tokens=7, temperature=0.5, seed=3, stop=["\n"])
        endpoint(server).generate(["a"], max_tokens=7)
        assert endpoint(server).generate([], max_tokens=7) == []
    wanted = {"model": "little", "prompt": "a", "max_tokens": 7, "temperature": 0.5, "seed": 3, "stop": ["\n"]}
    assert server.bodies[0] == wanted
    assert server.requests[0].path == "/v1/completions"
    assert "stop" not in server.bodies[1]
    assert len(server.requests) == 2


def test_chat_sends_each_prompt_as_one_message():
    answer = {"choices": [{"message": {"role": "assistant", "content": "Heat"}}]}
    with ScriptedServer([Step(body=answer), Step(body={"choices": [{"message": {"content": None}}]})]) as server:
        model = endpoint(server, chat=True, at_once=1)
        assert model.generate(["a film?", "another?"], max_tokens=4) == ["Heat", ""]
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "a film?"}]


@pytest.mark.parametrize("text", ["", None, "\ud83d", "Traceback (most recent call last)", '{"error": {"message": "no"}}'])
def test_whatever_the_model_says_is_data(text):
    with ScriptedServer([Step(body=said(text))]) as server:
        (answer,) = endpoint(server).generate(["a"], max_tokens=4)
    assert answer == {None: "", "\ud83d": "?"}.get(text, text)
    assert answer.encode() == (text or "").encode(errors="replace")


@pytest.mark.parametrize("prompt", ["x" * 10_000, "Très bon film 你好 🎬 " * 50, 'quotes " and \\ and \n lines'])
def test_long_prompts_and_those_of_any_script_arrive_whole(prompt):
    with ScriptedServer([Step(body=echoing)]) as server:
        assert endpoint(server).generate([prompt], max_tokens=4) == [f"after {prompt}"]
    assert server.bodies[0]["prompt"] == prompt


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_the_url_may_end_with_the_version_or_not(ending):
    with ScriptedServer([Step(body=echoing)]) as server:
        model = Endpoint(EndpointConfig(url=server.url + ending, model="little"))
        assert model.generate(["a"], max_tokens=4) == ["after a"]
    assert server.requests[0].path == "/v1/completions"


def test_models_are_listed():
    with ScriptedServer([Step(body={"data": [{"id": "little"}, {"id": "large"}]})]) as server:
        assert endpoint(server).models() == ["little", "large"]
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/v1/models")


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with ScriptedServer([Step(body=echoing)]) as server:
        assert endpoint(server).generate(["a"], max_tokens=4) == ["after a"]


# Trying again


@pytest.mark.parametrize("first", ["drop", *(Step(status=status) for status in (408, 429, 500, 502, 503))])
def test_what_may_pass_is_tried_again_with_doubled_waits(first):
    waits = []
    with ScriptedServer([first, first, Step(body=echoing)]) as server:
        assert endpoint(server, waits=waits).generate(["a"], max_tokens=4) == ["after a"]
    assert waits == [0.5, 1.0]
    assert len(server.requests) == 3


def test_waits_have_a_cap():
    waits = []
    with ScriptedServer([Step(status=503)]) as server:
        message = failure(server, waits=waits, retries=4, first_wait_s=20.0)
    assert waits == [20.0, 40.0, LONGEST_WAIT_S, LONGEST_WAIT_S]
    assert "status 503 after 5 tries" in message


def test_the_server_may_ask_for_a_longer_wait():
    waits = []
    steps = [Step(status=429, headers={"Retry-After": "7"}), Step(status=503, headers={"Retry-After": "soon"}), Step(body=echoing)]
    with ScriptedServer(steps) as server:
        assert endpoint(server, waits=waits).generate(["a"], max_tokens=4) == ["after a"]
    assert waits == [7.0, 1.0]


def test_a_very_long_wait_is_left_to_the_user():
    waits = []
    with ScriptedServer([Step(status=429, headers={"Retry-After": "3600"}, body={"error": {"message": "quota"}})]) as server:
        message = failure(server, waits=waits)
    assert waits == []
    assert "status 429 (quota)" in message
    assert "It asks to wait 3600 s" in message


@pytest.mark.parametrize(("status", "advice"), [(429, "Lower at_once"), (500, "log of the server")])
def test_a_server_that_stays_busy_is_named_with_its_words(status, advice):
    with ScriptedServer([Step(status=status, body={"message": "too\n  busy"})]) as server:
        message = failure(server, retries=2)
    assert server.url in message
    assert f"status {status} after 3 tries (too busy)" in message
    assert advice in message
    assert len(server.requests) == 3


def test_a_timeout_says_how_long_it_was():
    waits = []
    with ScriptedServer(["hang"]) as server:
        message = failure(server, waits=waits, timeout_s=0.1, retries=1)
    assert waits == [0.5]
    assert "after 2 tries (timeout after 0.1 s)" in message
    assert "raise timeout_s" in message


def test_a_refused_connection_asks_whether_the_server_runs():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        model = Endpoint(EndpointConfig(url=url, model="little", retries=1), sleep=lambda seconds: None)
        with pytest.raises(
            ModelError, match=r"gave no answer.*after 2 tries.*Connection refused.*Check that the server runs"
        ) as caught:
            model.generate(["a"], max_tokens=4)
    assert url in str(caught.value)
    assert caught.value.__context__ is None


def test_the_first_failure_ends_all():
    with (
        ScriptedServer([Step(status=400, body={"error": {"message": "prompt too long"}})]) as server,
        pytest.raises(ModelError, match="prompt too long"),
    ):
        endpoint(server, at_once=2).generate(["a"] * 500, max_tokens=4)
    assert len(server.requests) < 100


# Refusals


def test_a_missing_key_says_where_it_belongs():
    with ScriptedServer([Step(status=401, body={"error": "Unauthorized"})]) as server:
        message = failure(server)
    assert "status 401 (Unauthorized)" in message
    assert "name it in api_key_variable" in message
    assert "Authorization" not in server.requests[0].headers
    assert len(server.requests) == 1


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("LITTLE_KEY", raising=False)
    with ScriptedServer([Step(status=401)]) as server:
        message = failure(server, api_key_variable="LITTLE_KEY")
    assert "LITTLE_KEY is not set" in message
    assert "Authorization" not in server.requests[0].headers


def test_the_key_is_sent_but_never_repeated(monkeypatch):
    monkeypatch.setenv("LITTLE_KEY", f"{KEY}\n")
    with ScriptedServer([Step(status=401, body={"error": {"message": f"wrong key {KEY} given"}})]) as server:
        model = endpoint(server, api_key_variable="LITTLE_KEY")
        message = failure(server, api_key_variable="LITTLE_KEY")
    assert server.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    assert "wrong key [key] given" in message
    assert "LITTLE_KEY holds another key" in message
    assert KEY not in message + repr(model.config) + repr(vars(model))


def test_a_key_that_no_header_can_hold_is_not_repeated_either(monkeypatch):
    monkeypatch.setenv("LITTLE_KEY", f"{KEY}\nX-Other: 1")
    with ScriptedServer([Step()]) as server:
        message = failure(server, api_key_variable="LITTLE_KEY")
    assert "LITTLE_KEY holds characters" in message
    assert "secret" not in message
    assert server.requests == []


def test_an_unknown_model_lists_those_that_are_offered():
    steps = [
        Step(status=404, body={"error": {"message": "no model little"}}),
        Step(body={"data": [{"id": "tiny"}, {"id": "litle"}]}),
    ]
    with ScriptedServer(steps) as server:
        message = failure(server)
    assert "status 404 (no model little)" in message
    assert "asked for is 'little'; the server offers: tiny, litle. Did you mean 'litle'?" in message
    assert [request.path for request in server.requests] == ["/v1/completions", "/v1/models"]


def test_an_address_without_such_an_api_is_said():
    with ScriptedServer([Step(status=404, body="<html>nothing here</html>")]) as server:
        message = failure(server)
    assert "status 404 (<html>nothing here</html>)" in message
    assert "Set url to an OpenAI-compatible API" in message


def test_a_key_does_not_follow_a_redirection(monkeypatch):
    monkeypatch.setenv("LITTLE_KEY", KEY)
    with (
        ScriptedServer([Step(body=echoing)]) as other,
        ScriptedServer([Step(status=307, headers={"Location": f"{other.url}/v1/completions"})]) as server,
    ):
        message = failure(server, api_key_variable="LITTLE_KEY")
    assert "status 307" in message
    assert "set url to the address that it redirects to" in message
    assert other.requests == []


@pytest.mark.parametrize("body", ["{broken", "", "[1, 2]", "<html>", "[" * 100_000])
def test_broken_json_is_said(body):
    with ScriptedServer([Step(body=body)]) as server:
        message = failure(server)
    assert "answered /v1/completions with something that is not a JSON object" in message
    assert "Set url to an OpenAI-compatible API" in message
    assert len(message) < 600
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [{"choices": []}, {"object": "x"}, {"choices": [{}]}, {"choices": "none"}, {"choices": [None]}])
def test_an_answer_without_choices_is_said(body):
    with ScriptedServer([Step(body=body)]) as server:
        message = failure(server)
    assert "answered /v1/completions without choices" in message
    with ScriptedServer([Step(body=body)]) as server:
        assert "answered /v1/chat/completions without choices" in failure(server, chat=True)


@pytest.mark.parametrize(
    "options", [{"url": "127.0.0.1:8000"}, {"url": "file:///etc/passwd"}, {"url": f"http://me:{KEY}@host"}, {"url": ""}]
)
def test_a_url_must_be_one_of_http_without_a_password(options):
    with pytest.raises(ConfigError, match=r"must be like http://127\.0\.0\.1:8000.*api_key_variable") as caught:
        EndpointConfig(model="little", **options)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("options", [{"at_once": 0}, {"retries": -1}, {"timeout_s": 0}, {"first_wait_s": -1}])
def test_numbers_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match="needs at_once >= 1"):
        EndpointConfig(url="http://127.0.0.1:8000", model="little", **options)


# Scoring


def test_the_tokens_behind_the_prompt_are_summed():
    with ScriptedServer([scored(list)]) as server:
        scores = endpoint(server).score(["ab", "c"], [["cd", "d", ""], ["de"]])
    assert scores == [[-2.0 - 3.0, -2.0, 0.0], [-1.0 - 2.0]]
    assert {"echo": True, "logprobs": 1, "max_tokens": 0, "temperature": 0.0}.items() <= server.bodies[0].items()
    assert sorted(body["prompt"] for body in server.bodies) == ["abcd", "abd", "cde"]


def test_a_token_across_the_border_counts():
    with ScriptedServer([scored(pieces)]) as server:
        # abc|def|g: the prompt ends within def, before def, and behind it.
        assert endpoint(server).score(["abcd", "abc", "abcdef"], [["efg"], ["defg"], ["g"]]) == [[-3.0], [-3.0], [-2.0]]


@pytest.mark.parametrize("usage", [True, False])
def test_a_server_that_must_generate_has_its_token_cut_off(usage):
    refuses = Step(status=400, body={"message": "max_tokens must be at least 1"})
    with ScriptedServer([refuses, scored(list, usage=usage)]) as server:
        model = endpoint(server, at_once=1)
        assert model.score(["ab"], [["c", "cd"]]) == [[-2.0, -5.0]]
    assert [body["max_tokens"] for body in server.bodies] == [0, 1, 1]  # it is not asked for 0 again


@pytest.mark.parametrize(
    "kind",
    [
        {"offsets": False},  # SGLang
        {"start": ("<s>",)},  # vLLM with a start token, which the offsets count
        {"start": ("<s>",), "offsets": False, "extra": "c"},
    ],
)
def test_text_offsets_need_not_be_right(kind):
    refuses = Step(status=422, body={"detail": "max_tokens"})
    with ScriptedServer([refuses, scored(list, **kind)]) as server:
        (scores,) = endpoint(server, at_once=1).score(["ab"], [["c", "cd"]])
    first = 2 + len(kind.get("start", ()))
    assert scores == [-first, -first - (first + 1)]


def test_tokens_that_hold_parts_of_characters_are_told_from_those_of_the_prompt():
    def in_bytes(text):
        return [f"<{byte:02x}>" for byte in text.encode()]

    with ScriptedServer([scored(in_bytes, shown=lambda token: "\ufffd")]) as server:
        # All tokens look alike here, so only their number tells: 3 bytes of the prompt, 6 of the continuation.
        assert endpoint(server, at_once=1).score(["你"], [["好吗", "好"]]) == [[-3.0 - 4 - 5 - 6 - 7 - 8, -3.0 - 4 - 5]]
    assert [body["prompt"] for body in server.bodies] == ["你好吗", "你", "你好"]


def test_bytes_without_a_text_of_their_own_count_with_their_character():
    def completed(text):
        return [part for letter in text for part in [""] * (len(letter.encode()) - 1) + [letter]]

    with ScriptedServer([scored(completed)]) as server:
        assert endpoint(server).score(["ab"], [["é!"]]) == [[-2.0 - 3.0 - 4.0]]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"choices": [{"text": "abc", "logprobs": None}]},
        {"choices": [{"text": "abc"}]},
        {"choices": [{"text": "abc", "logprobs": {"tokens": ["abc"], "token_logprobs": []}}]},
        {"choices": [{"text": "abc", "logprobs": {"tokens": 3, "token_logprobs": {}}}]},
        # Echo overlooked: only what was generated, and no /tokenize as llama.cpp has it.
        {"choices": [{"text": " x", "logprobs": {"content": [{"token": " x", "logprob": -0.1, "top_logprobs": []}]}}]},
        {"choices": [{"text": " x", "logprobs": {"tokens": [" x"], "token_logprobs": [-0.1]}}]},
    ],
)
def test_no_logprobs_is_said(body):
    with (
        ScriptedServer([Step(body=body)]) as server,
        pytest.raises(ModelError, match="answered without log-probabilities of the prompt.*vLLM and SGLang have"),
    ):
        endpoint(server).score(["ab"], [["c"]])


def test_a_server_that_refuses_to_echo_is_quoted():
    with (
        ScriptedServer([Step(status=400, body={"error": {"message": "Only no echo is supported"}})]) as server,
        pytest.raises(ModelError, match=r"status 400 \(Only no echo is supported\)\. A score needs 'echo'"),
    ):
        endpoint(server).score(["ab"], [["c"]])
    assert [body["max_tokens"] for body in server.bodies] == [0, 1]


@pytest.mark.parametrize("value", ["null", "NaN", '"None"'])
def test_a_token_without_a_number_is_said(value):
    listed = f'{{"tokens": ["a", "b"], "token_logprobs": [null, {value}]}}'
    body = f'{{"choices": [{{"text": "ab", "logprobs": {listed}}}]}}'
    with (
        ScriptedServer([Step(body=body)]) as server,
        pytest.raises(ModelError, match="gave no log-probability for a token of 'b'.*a prompt that is not empty"),
    ):
        endpoint(server).score(["a"], [["b"]])


def test_the_first_token_of_all_has_no_score():
    with ScriptedServer([scored(list)]) as server, pytest.raises(ModelError, match="give a prompt that is not empty"):
        endpoint(server).score([""], [["ab"]])


def test_what_cannot_be_has_minus_infinity():
    body = '{"choices": [{"text": "ab", "logprobs": {"tokens": ["a", "b"], "token_logprobs": [null, -Infinity]}}]}'
    with ScriptedServer([Step(body=body)]) as server:
        assert endpoint(server).score(["a"], [["b"]]) == [[-math.inf]]


# Yes or no

ODDS = {"good": 0.9, "bad": 0.2, "fair": 0.5}


def listed(body):
    top = {" Yes": math.log(ODDS[body["prompt"]] / 2), " No": math.log((1 - ODDS[body["prompt"]]) / 2), " Maybe": -0.1}
    return {"choices": [{"text": " Maybe", "logprobs": {"top_logprobs": [top]}}]}


def listed_as_in_chats(body):
    top = listed(body)["choices"][0]["logprobs"]["top_logprobs"][0]
    entries = [{"token": token, "logprob": value, "bytes": []} for token, value in top.items()]
    return {"choices": [{"text": " Maybe", "logprobs": {"content": [{"token": " Maybe", "top_logprobs": entries}]}}]}


@pytest.mark.parametrize("form", [listed, listed_as_in_chats])
def test_yes_against_no_is_read_from_the_first_token(form):
    with ScriptedServer([Step(body=form)]) as server:
        shares = endpoint(server).yes_no(["bad", "good", "fair"])
    assert shares == pytest.approx([0.2, 0.9, 0.5])
    assert len(server.requests) == 3
    assert server.bodies[0]["logprobs"] == TOP_TOKENS


@pytest.mark.parametrize("refused", [True, False])
def test_yes_against_no_is_scored_where_they_are_not_listed(refused):
    def answer(body):
        if "echo" not in body:
            return listed(body) if body["prompt"] == "good" else said("x")
        # Two tokens a word, " Y" + "es" and " N" + "o".
        value = math.log(0.3) if body["prompt"].endswith("es") else math.log(0.1)
        tokens = [body["prompt"][:3], " ", body["prompt"][4:]]
        return {"choices": [{"text": body["prompt"], "logprobs": {"tokens": tokens, "token_logprobs": [None, value, -1.0]}}]}

    steps = [Step(status=400, body={"message": "logprobs: at most 5"})] if refused else []
    with ScriptedServer([*steps, Step(body=answer)]) as server:
        shares = endpoint(server, at_once=1).yes_no(["bad", "good", "bad"])
    assert shares == pytest.approx([0.75, 0.9, 0.75])


def test_probabilities_hold_at_the_edges():
    likes = {("a", " Yes"): -math.inf, ("a", " No"): -math.inf, ("b", " Yes"): -2000.0, ("b", " No"): 0.0, ("c", " Yes"): 0.0}
    likes[("c", " No")] = -2000.0
    shares = ScriptedLanguageModel({}, likes).yes_no(["a", "b", "c"])
    assert shares == pytest.approx([0.5, 0.0, 1.0])
    assert shares[1] > 0


def test_an_error_in_a_yes_or_no_question_is_said():
    with (
        ScriptedServer([Step(status=503, body={"error": {"message": "loading"}})]) as server,
        pytest.raises(ModelError, match=r"status 503 \(loading\)\. Check that the server runs"),
    ):
        endpoint(server, retries=0).yes_no(["a"])


# The fake of the seam


def test_the_scripted_model_answers_from_tables_and_notes_what_it_was_asked():
    model: LanguageModel = ScriptedLanguageModel({"a": "one two\nthree "}, {("a", "b"): -1.5})
    assert model.generate(["a"], max_tokens=9) == ["one two\nthree "]
    assert model.generate(["a"], max_tokens=9, stop=["\n", "three"]) == ["one two"]
    assert model.generate(["a"], max_tokens=1) == ["one"]
    assert model.score(["a"], [["b"]]) == [[-1.5]]
    assert model.asked == ["a"] * 4


def test_the_scripted_model_answers_from_functions():
    model = ScriptedLanguageModel(str.upper, lambda prompt, end: -float(len(end)))
    assert model.generate(["a", "b"], max_tokens=1) == ["A", "B"]
    assert model.score(["a"], [["x", "xy"]]) == [[-1.0, -2.0]]
    assert model.yes_no(["a"]) == pytest.approx([1 / (1 + math.e)])


def test_the_scripted_model_says_what_its_script_lacks():
    model = ScriptedLanguageModel({})
    with pytest.raises(ModelError, match=re.escape("Nothing is scripted for the prompt 'a'. Add it to `says`.")):
        model.generate(["a"], max_tokens=1)
    with pytest.raises(ModelError, match="No score is scripted for 'b' after the prompt 'a'"):
        model.score(["a"], [["b"]])
