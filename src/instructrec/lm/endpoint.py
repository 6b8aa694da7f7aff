"""A language model behind a server that speaks the OpenAI-compatible API (vLLM, SGLang, llama.cpp), and the seam it stands for."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import os
import re
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar

from instructrec.errors import ConfigError, ModelError, nearest

LONGEST_WAIT_S = 60.0
"""Cap on the wait before a retry. A server that asks for a longer one is not asked again."""
TOP_TOKENS = 20
"""Likeliest first tokens asked for in a yes-or-no question: the most that vLLM gives by default."""
_PLAIN, _CHAT, _MODELS = "/v1/completions", "/v1/chat/completions", "/v1/models"
_ADDRESS = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?(/[^\s?#@]*)?")
_LOCAL = re.compile(r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|/|$)")
_FINE, _REFUSED, _PASSING = range(200, 300), (400, 422), (0, 408, 429, *range(500, 600))
_WRONG_API = "Set url to an OpenAI-compatible API, without what follows /v1."
_NO_ECHO = "A score needs 'echo' with 'logprobs' in /v1/completions: vLLM and SGLang have it, the llama.cpp server does not."
_Question = TypeVar("_Question")
_Reply = TypeVar("_Reply")


class LanguageModel(Protocol):
    """Words in, words or log-likelihoods out. A class that inherits from it gets `yes_no` from `score`."""

    def generate(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0, stop: Sequence[str] = ()
    ) -> list[str]:
        """One text for each prompt, in their order, cut before the first of the `stop` texts."""

    def score(self, prompts: Sequence[str], continuations: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-likelihood in nats of each continuation after its prompt: `continuations[i]` belong to `prompts[i]`."""

    def yes_no(self, prompts: Sequence[str], yes: str = " Yes", no: str = " No") -> list[float]:
        """Probability from 0 to 1 that a prompt goes on with `yes`, where only `yes` and `no` may follow."""
        return [_share(*pair) for pair in self.score(prompts, [(yes, no)] * len(prompts))]


@dataclass(frozen=True, kw_only=True)
class EndpointConfig:
    """Where a language model is served, and how patiently it is asked. The key itself is never stored."""

    url: str = field(metadata={"help": "address of the server, such as http://127.0.0.1:8000"})
    model: str = field(metadata={"help": "name under which the server offers the model"})
    chat: bool = field(default=False, metadata={"help": "generate by the server's chat template, a prompt as one user message"})
    timeout_s: float = field(default=30.0, metadata={"help": "seconds without a byte from the server before a request is given up"})
    retries: int = field(default=3, metadata={"help": "further tries after no answer, a timeout, 408, 429 or 5xx"})
    first_wait_s: float = field(default=0.5, metadata={"help": "seconds before the first retry, doubled each time"})
    at_once: int = field(default=8, metadata={"help": "requests under way at the same time"})
    api_key_variable: str = field(default="", metadata={"help": "environment variable that holds the API key; empty: none"})

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.url):
            # It is not repeated, because it may hold a password.
            wanted = "like http://127.0.0.1:8000, without a user or password"
            raise ConfigError(f"The url of an endpoint must be {wanted}. A key goes into the variable of api_key_variable.")
        if self.at_once < 1 or self.retries < 0 or self.timeout_s <= 0 or self.first_wait_s < 0:
            came = f"{self.at_once}, {self.retries}, {self.timeout_s:g} and {self.first_wait_s:g}"
            raise ConfigError(
                f"An endpoint needs at_once >= 1, retries >= 0, timeout_s > 0, first_wait_s >= 0, but they are {came}."
            )


class Endpoint(LanguageModel):
    """A served language model. Every failure is a ModelError; what the model says is returned as it is.

    `generate` uses /v1/completions, or /v1/chat/completions with `config.chat`. `score` and `yes_no` always read the plain
    prompt, and `score` needs a server that echoes a prompt with log-probabilities: vLLM and SGLang do, llama.cpp does not.
    """

    def __init__(self, config: EndpointConfig, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.config = config
        self._server = _Server(config, sleep)
        self._fewest_tokens = 0

    def models(self) -> list[str]:
        """Names of the models that the server offers."""
        return _names(self._server.read(self._server.send(_MODELS), _MODELS))

    def generate(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0, stop: Sequence[str] = ()
    ) -> list[str]:
        """One text for each prompt, in their order, cut before the first of the `stop` texts."""
        path = _CHAT if self.config.chat else _PLAIN
        options = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed} | ({"stop": list(stop)} if stop else {})

        def one(prompt: str) -> str:
            asked = {"messages": [{"role": "user", "content": prompt}]} if self.config.chat else {"prompt": prompt}
            choice, _ = self._server.choice(self._server.send(path, {**asked, **options}), path)
            said = choice["message"].get("content") if self.config.chat else choice["text"]
            # Half a surrogate pair, which JSON can hold, could not be written to a file later.
            return str(said or "").encode(errors="replace").decode()

        return self._each(one, prompts)

    def score(self, prompts: Sequence[str], continuations: Sequence[Sequence[str]]) -> list[list[float]]:
        """Log-likelihood in nats of each continuation after its prompt; a token across the border counts as a whole."""
        pairs = [(prompt, end) for prompt, ends in zip(prompts, continuations, strict=True) for end in ends]
        alone: dict[str, list[str]] = {}
        scores = iter(self._each(lambda pair: self._score_one(*pair, alone), pairs))
        return [[next(scores) for _ in ends] for ends in continuations]

    def yes_no(self, prompts: Sequence[str], yes: str = " Yes", no: str = " No") -> list[float]:
        """Probability of `yes` against `no` as the first token; by `score` where the server does not list both."""
        shares = self._each(lambda prompt: self._first_token(prompt, yes, no), prompts)
        unlisted = [prompt for prompt, share in zip(prompts, shares, strict=True) if share is None]
        rest = iter(super().yes_no(unlisted, yes, no))
        return [next(rest) if share is None else share for share in shares]

    def _each(self, ask: Callable[[_Question], _Reply], questions: Sequence[_Question]) -> list[_Reply]:
        """The replies in the order of the questions; the first failure ends all."""
        with ThreadPoolExecutor(self.config.at_once) as pool:
            return list(pool.map(ask, questions))

    def _first_token(self, prompt: str, yes: str, no: str) -> float | None:
        answer = self._server.send(_PLAIN, {"prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": TOP_TOKENS})
        if answer.status in _REFUSED:  # some servers list fewer
            return None
        top = _top_tokens(self._server.choice(answer, _PLAIN)[0].get("logprobs"))
        return _share(top[yes], top[no]) if yes in top and no in top else None

    def _score_one(self, prompt: str, end: str, alone: dict[str, list[str]]) -> float:
        if not end:
            return 0.0
        tokens, logprobs = self._echo(prompt + end)
        first = _start_of(end, tokens)
        if first is None:
            # Tokens that hold parts of a character, or lost their space, do not spell the text. Those count then that differ from
            # the tokens of the prompt alone.
            if prompt not in alone:
                alone[prompt] = self._echo(prompt)[0] if prompt else []
            first = len(os.path.commonprefix([alone[prompt], tokens]))
        if first == len(tokens) or not all(isinstance(value, int | float) for value in logprobs[first:]):
            came = f"{self._server.address} gave no log-probability for a token of '{end[:40]}', but a score needs one for each"
            raise ModelError(f"{came}. The first token of a text has none: give a prompt that is not empty.")
        return float(sum(logprobs[first:]))

    def _echo(self, text: str) -> tuple[list[str], list[Any]]:
        """The tokens of a text, and their log-probabilities as the server gives them."""
        body = {"prompt": text, "echo": True, "logprobs": 1, "temperature": 0.0, "max_tokens": self._fewest_tokens}
        answer = self._server.send(_PLAIN, body)
        if answer.status in _REFUSED and body["max_tokens"] == 0:
            answer = self._server.send(_PLAIN, {**body, "max_tokens": 1})
            if answer.status in _FINE:
                self._fewest_tokens = 1
        choice, usage = self._server.choice(answer, _PLAIN, advice=_NO_ECHO)
        listed = choice["logprobs"] if isinstance(choice.get("logprobs"), dict) else {}
        tokens, logprobs = (_list(listed.get(name)) for name in ("tokens", "token_logprobs"))
        if not tokens or len(tokens) != len(logprobs) or text not in str(choice["text"]):
            raise ModelError(f"{self._server.address} answered without log-probabilities of the prompt. {_NO_ECHO}")
        tokens = [str(token) for token in tokens]
        sent = _count_sent(text, tokens, listed.get("text_offset"), usage)
        return tokens[:sent], logprobs[:sent]


class _Answer(NamedTuple):
    """What came back: `status` 0 when nothing did, and then `text` is the reason. `wait_s` is what the server asks to wait."""

    status: int
    text: str
    wait_s: float = 0.0


class _Server:
    """Requests and their answers: retries, JSON, and words for everything that can go wrong."""

    def __init__(self, config: EndpointConfig, sleep: Callable[[float], None]) -> None:
        self.config = config
        self.address = config.url.rstrip("/").removesuffix("/v1")
        self._sleep = sleep
        # Without urllib's own handling of statuses: a key must not follow a redirection. No proxy reaches this machine.
        proxy = urllib.request.ProxyHandler({} if _LOCAL.match(config.url) else None)
        self._opener = urllib.request.OpenerDirector()
        for handler in (proxy, urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
            self._opener.add_handler(handler)

    def send(self, path: str, body: dict[str, Any] | None = None) -> _Answer:
        """The answer to a request, or the last one when trying again does not help."""
        answer, wait_s = self._try(path, body), self.config.first_wait_s
        for _ in range(self.config.retries):
            if answer.status not in _PASSING or answer.wait_s > LONGEST_WAIT_S:
                break
            self._sleep(max(min(wait_s, LONGEST_WAIT_S), answer.wait_s))
            answer, wait_s = self._try(path, body), 2 * wait_s
        return answer

    def _try(self, path: str, body: dict[str, Any] | None) -> _Answer:
        key = self._key()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        data = None if body is None else json.dumps({"model": self.config.model, **body}).encode()
        request = urllib.request.Request(self.address + path, data, headers)
        try:
            with self._opener.open(request, timeout=self.config.timeout_s) as response:
                wait = response.headers.get("Retry-After", "").strip()
                text = response.read().decode(errors="replace")
                return _Answer(response.status, text, float(wait) if wait.isdecimal() else 0.0)
        except (OSError, http.client.HTTPException, UnicodeError, OverflowError) as error:
            reason = getattr(error, "reason", None) or error
            timeout = f"timeout after {self.config.timeout_s:g} s" if isinstance(reason, TimeoutError) else ""
            return _Answer(0, timeout or str(reason) or type(reason).__name__)

    def choice(self, answer: _Answer, path: str, *, advice: str = "") -> tuple[dict[str, Any], Any]:
        """The first choice of an answer, with its `text` or its `message`, and the `usage` beside it. Raises ModelError."""
        found = self.read(answer, path, advice=advice)
        choice = next(iter(_list(found.get("choices"))), None)
        if not isinstance(choice, dict) or not (isinstance(choice.get("message"), dict) if path == _CHAT else "text" in choice):
            raise self._error(f"answered {path} without choices", answer.text, _WRONG_API)
        return choice, found.get("usage")

    def read(self, answer: _Answer, path: str, *, advice: str = "") -> dict[str, Any]:
        """The JSON object of an answer. Raises ModelError for every other answer, with `advice` where a request is refused."""
        found = _object(answer.text)
        if answer.status in _FINE and found:
            return found
        if answer.status in _FINE:
            raise self._error(f"answered {path} with something that is not a JSON object", answer.text, _WRONG_API)
        retried = self.config.retries and answer.status in _PASSING and answer.wait_s <= LONGEST_WAIT_S
        tries = f" after {self.config.retries + 1} tries" if retried else ""
        happened = f"answered {path} with status {answer.status}" if answer.status else f"gave no answer to {path}"
        otherwise = "Look into the log of the server." if answer.status in _PASSING else "Change what the server names."
        raise self._error(happened + tries, _words(answer.text), self._advice(answer) or advice or otherwise)

    def _advice(self, answer: _Answer) -> str:
        """What to do about an answer; empty where the request itself is at fault."""
        if answer.wait_s > LONGEST_WAIT_S:
            return f"It asks to wait {answer.wait_s:.0f} s: try again then."
        if answer.status == 404:
            return self._offer()
        if answer.status in (401, 403):
            variable = self.config.api_key_variable
            if not variable:
                return "Put the key into an environment variable and name it in api_key_variable."
            return f"The environment variable {variable} {'holds another key' if self._key() else 'is not set'}."
        if 300 <= answer.status < 400:
            return "It redirects: set url to the address that it redirects to."
        if answer.status in (0, 408, 502, 503, 504):
            return "Check that the server runs at this url and is ready; for a slow one raise timeout_s or lower at_once."
        return "Lower at_once, or raise retries or first_wait_s." if answer.status == 429 else ""

    def _offer(self) -> str:
        """What is offered instead of a model that is not known."""
        answer = self._try(_MODELS, None)
        names = _names(_object(answer.text)) if answer.status in _FINE else []
        model = self.config.model
        if not names or model in names:
            return _WRONG_API
        return f"The model asked for is '{model}'; the server offers: {', '.join(names[:20])}.{nearest(model, names)}"

    def _key(self) -> str:
        key = os.environ.get(self.config.api_key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise ModelError(f"The variable {self.config.api_key_variable} holds characters that no API key can have. Set it anew.")
        return key

    def _error(self, happened: str, detail: str, advice: str) -> ModelError:
        key = self._key()
        # Some servers repeat the key that they refuse.
        words = " ".join((detail.replace(key, "[key]") if key else detail).split())
        return ModelError(f"The server {self.address} {happened} ({words[:300] or 'no reason given'}). {advice}")


def _object(text: str) -> dict[str, Any]:
    """The JSON object that a text holds, with None for NaN; an empty one for anything else."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text, parse_constant={"-Infinity": -math.inf}.get)
        return found if isinstance(found, dict) else {}
    return {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(text: str) -> str:
    """The message in the body of an error, in whichever of the usual places it is, else the body."""
    found: Any = _object(text)
    inner = found.get("error", found)
    return str((inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner) or text)


def _names(found: dict[str, Any]) -> list[str]:
    return [str(entry["id"]) for entry in _list(found.get("data")) if isinstance(entry, dict) and "id" in entry]


def _start_of(end: str, tokens: Sequence[str]) -> int | None:
    """Index of the token that holds the first character of `end`, the last part of a text; None when the tokens do not spell it.

    Counted from the back, because text offsets count a start token too (vLLM) or are all -1 (SGLang).
    """
    first, left = len(tokens), len(end)
    # A token without text holds the first bytes of the character that a later token completes.
    while first and (left > 0 or not tokens[first - 1]):
        first -= 1
        left -= len(tokens[first])
    return first if "".join(tokens[first:]).endswith(end) else None


def _count_sent(text: str, tokens: Sequence[str], offsets: Any, usage: Any) -> int:
    """How many of the tokens are of the text that was sent; the server generated the others."""
    by_offset = sum(isinstance(offset, int) and offset < len(text) for offset in _list(offsets))
    if "".join(tokens[:by_offset]) == text:
        return by_offset
    told = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return told if isinstance(told, int) else len(tokens)


def _top_tokens(listed: Any) -> dict[str, float]:
    """Log-probabilities in nats of the likeliest first tokens, in the form of completions or that of chats (llama.cpp)."""
    with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):
        top = listed["content"][0]["top_logprobs"] if "content" in listed else listed["top_logprobs"][0]
        pairs = top.items() if isinstance(top, dict) else [(entry["token"], entry["logprob"]) for entry in top]
        return {token: value for token, value in pairs if isinstance(value, int | float)}
    return {}


def _share(yes: float, no: float) -> float:
    """The part of exp(yes) in exp(yes) + exp(no), without overflow."""
    return 0.5 if yes == no else 1 / (1 + math.exp(min(no - yes, 700.0)))
