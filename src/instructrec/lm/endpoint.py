"""A language model behind a server that speaks the OpenAI-compatible API (vLLM, SGLang, llama.cpp), and the seam it stands for."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Protocol, TypeVar

from instructrec.errors import ConfigError, ModelError
from instructrec.lm import forced_tokens
from instructrec.lm.server import CHAT, PLAIN, Server, as_list
from instructrec.web import ADDRESS, FINE, LONGEST_WAIT_S

__all__ = ["LONGEST_WAIT_S", "TOP_TOKENS", "Endpoint", "EndpointConfig", "LanguageModel", "Spent", "endpoint_at"]

TOP_TOKENS = 20
"""Likeliest first tokens asked for in a yes-or-no question: the most that vLLM gives by default."""
_REFUSED = (400, 422)
_NO_ECHO = "A score needs 'echo' with 'logprobs' in /v1/completions, which vLLM and SGLang have, or /tokenize of llama.cpp."
_FIRST = "The first token of a text has none: give a prompt that is not empty."
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
        if not ADDRESS.fullmatch(self.url):
            # It is not repeated, because it may hold a password.
            wanted = "like http://127.0.0.1:8000, without a user or password"
            raise ConfigError(f"The url of an endpoint must be {wanted}. A key goes into the variable of api_key_variable.")
        if self.at_once < 1 or self.retries < 0 or self.timeout_s <= 0 or self.first_wait_s < 0:
            came = f"{self.at_once}, {self.retries}, {self.timeout_s:g} and {self.first_wait_s:g}"
            raise ConfigError(
                f"An endpoint needs at_once >= 1, retries >= 0, timeout_s > 0, first_wait_s >= 0, but they are {came}."
            )


@dataclass(slots=True)
class Spent:
    """What generating has cost so far: answers, and the tokens that the server says it read and wrote (0 where it does not say)."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, usage: Any) -> None:
        """Count one answer with the `usage` beside it."""
        told = usage if isinstance(usage, dict) else {}
        read, written = (told.get(name) for name in ("prompt_tokens", "completion_tokens"))
        self.requests += 1
        self.prompt_tokens += read if isinstance(read, int) else 0
        self.completion_tokens += written if isinstance(written, int) else 0


class Endpoint(LanguageModel):
    """A served language model. Every failure is a ModelError; what the model says is returned as it is.

    `generate` uses /v1/completions, or /v1/chat/completions with `config.chat`. `score` and `yes_no` always read the plain
    prompt. `score` needs a server that echoes a prompt with log-probabilities, as vLLM and SGLang do; llama.cpp does not, and is
    asked for one token after another (`forced_tokens`). `spent` counts what `generate` has cost.
    """

    def __init__(self, config: EndpointConfig, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.config = config
        self.spent = Spent()
        self._server = Server(config, sleep)
        self._counting = Lock()
        self._fewest_tokens = 0
        self._echoes = True

    def models(self) -> list[str]:
        """Names of the models that the server offers."""
        return self._server.models()

    def generate(
        self, prompts: Sequence[str], *, max_tokens: int, temperature: float = 0.0, seed: int = 0, stop: Sequence[str] = ()
    ) -> list[str]:
        """One text for each prompt, in their order, cut before the first of the `stop` texts."""
        path = CHAT if self.config.chat else PLAIN
        options = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed} | ({"stop": list(stop)} if stop else {})

        def one(prompt: str) -> str:
            asked = {"messages": [{"role": "user", "content": prompt}]} if self.config.chat else {"prompt": prompt}
            choice, usage = self._server.choice(self._server.send(path, {**asked, **options}), path)
            with self._counting:
                self.spent.add(usage)
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
        answer = self._server.send(PLAIN, {"prompt": prompt, "max_tokens": 1, "temperature": 0.0, "logprobs": TOP_TOKENS})
        if answer.status in _REFUSED:  # some servers list fewer
            return None
        top = _top_tokens(self._server.choice(answer, PLAIN)[0].get("logprobs"))
        return _share(top[yes], top[no]) if yes in top and no in top else None

    def _score_one(self, prompt: str, end: str, alone: dict[str, list[str]]) -> float:
        if not end:
            return 0.0
        echoed = self._echo(prompt + end) if self._echoes else None
        if echoed is None:
            return self._score_forced(prompt, end)
        tokens, logprobs = echoed
        first = _start_of(end, tokens)
        if first is None:
            # Tokens that hold parts of a character, or lost their space, do not spell the text. Those count then that differ from
            # the tokens of the prompt alone.
            if prompt not in alone:
                alone[prompt] = (self._echo(prompt) or ([], []))[0] if prompt else []
            first = len(os.path.commonprefix([alone[prompt], tokens]))
        if first == len(tokens) or not all(isinstance(value, int | float) for value in logprobs[first:]):
            raise self._unscored(end)
        return float(sum(logprobs[first:]))

    def _score_forced(self, prompt: str, end: str) -> float:
        """The score of a continuation from a server that does not echo."""
        tokens = forced_tokens.tokens_of(self._server, prompt + end)
        if not tokens:
            raise self._no_echo()
        value = forced_tokens.score(self._server, tokens, end)
        if value is None:
            raise self._unscored(end)
        return value

    def _no_echo(self) -> ModelError:
        return ModelError(f"{self._server.address} answered without log-probabilities of the prompt. {_NO_ECHO}")

    def _unscored(self, end: str) -> ModelError:
        came = f"{self._server.address} gave no log-probability for a token of '{end[:40]}', but a score needs one for each"
        return ModelError(f"{came}. {_FIRST}")

    def _echo(self, text: str) -> tuple[list[str], list[Any]] | None:
        """The tokens of a text, and their log-probabilities as the server gives them; none from a server that is llama.cpp's."""
        body = {"prompt": text, "echo": True, "logprobs": 1, "temperature": 0.0, "max_tokens": self._fewest_tokens}
        answer = self._server.send(PLAIN, body)
        if answer.status in _REFUSED and body["max_tokens"] == 0:
            answer = self._server.send(PLAIN, {**body, "max_tokens": 1})
            if answer.status in FINE:
                self._fewest_tokens = 1
        choice, usage = self._server.choice(answer, PLAIN, advice=_NO_ECHO)
        listed = choice["logprobs"] if isinstance(choice.get("logprobs"), dict) else {}
        if "content" in listed:
            self._echoes = False
            return None
        tokens, logprobs = (as_list(listed.get(name)) for name in ("tokens", "token_logprobs"))
        if not tokens or len(tokens) != len(logprobs) or text not in str(choice["text"]):
            raise self._no_echo()
        tokens = [str(token) for token in tokens]
        sent = _count_sent(text, tokens, listed.get("text_offset"), usage)
        return tokens[:sent], logprobs[:sent]


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
    by_offset = sum(isinstance(offset, int) and offset < len(text) for offset in as_list(offsets))
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


def endpoint_at(url: str, model: str = "", *, key_variable: str = "") -> Endpoint:
    """The model behind an OpenAI-compatible address; without a name the first model that it offers."""
    config = EndpointConfig(url=url, model=model, chat=True, api_key_variable=key_variable)
    if model:
        return Endpoint(config)
    offered = Endpoint(config).models()
    if not offered:
        raise ModelError(
            f"The server {url} names no model that it offers. Start it with one, or give its name: --teacher-model NAME."
        )
    return Endpoint(replace(config, model=offered[0]))
