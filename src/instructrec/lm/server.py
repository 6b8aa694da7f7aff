"""The requests that an endpoint sends over HTTP: retries, keys, JSON, and words for every failure."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from instructrec.errors import ModelError, nearest
from instructrec.web import FINE, LONGEST_WAIT_S, PASSING, Answer, Site, asked_again, json_object

if TYPE_CHECKING:
    from instructrec.lm.endpoint import EndpointConfig

PLAIN, CHAT = "/v1/completions", "/v1/chat/completions"
_MODELS = "/v1/models"
_WRONG_API = "Set url to an OpenAI-compatible API, without what follows /v1."


class Server:
    """Requests and their answers: retries, JSON, and words for everything that can go wrong."""

    def __init__(self, config: EndpointConfig, sleep: Callable[[float], None]) -> None:
        self.config = config
        self.address = config.url.rstrip("/").removesuffix("/v1")
        self._site, self._sleep = Site(self.address), sleep

    def send(self, path: str, body: dict[str, Any] | None = None) -> Answer:
        """The answer to a request, or the last one when trying again does not help."""
        retries, first_wait_s = self.config.retries, self.config.first_wait_s
        return asked_again(lambda: self._try(path, body), retries=retries, first_wait_s=first_wait_s, sleep=self._sleep)

    def _try(self, path: str, body: dict[str, Any] | None) -> Answer:
        key = self._key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        sent = None if body is None else {"model": self.config.model, **body}
        return self._site.ask(path, sent, headers=headers, timeout_s=self.config.timeout_s)

    def models(self) -> list[str]:
        """Names of the models that the server offers. Raises ModelError."""
        return _names(self.read(self.send(_MODELS), _MODELS))

    def choice(self, answer: Answer, path: str, *, advice: str = "") -> tuple[dict[str, Any], Any]:
        """The first choice of an answer, with its `text` or its `message`, and the `usage` beside it. Raises ModelError."""
        found = self.read(answer, path, advice=advice)
        choice = next(iter(as_list(found.get("choices"))), None)
        if not isinstance(choice, dict) or not (isinstance(choice.get("message"), dict) if path == CHAT else "text" in choice):
            raise self._error(f"answered {path} without choices", answer.text, _WRONG_API)
        return choice, found.get("usage")

    def read(self, answer: Answer, path: str, *, advice: str = "") -> dict[str, Any]:
        """The JSON object of an answer. Raises ModelError for every other answer, with `advice` where a request is refused."""
        found = json_object(answer.text)
        if answer.status in FINE and found:
            return found
        if answer.status in FINE:
            raise self._error(f"answered {path} with something that is not a JSON object", answer.text, _WRONG_API)
        retried = self.config.retries and answer.status in PASSING and answer.wait_s <= LONGEST_WAIT_S
        tries = f" after {self.config.retries + 1} tries" if retried else ""
        happened = f"answered {path} with status {answer.status}" if answer.status else f"gave no answer to {path}"
        otherwise = "Look into the log of the server." if answer.status in PASSING else "Change what the server names."
        raise self._error(happened + tries, _words(answer.text), self._advice(answer) or advice or otherwise)

    def _advice(self, answer: Answer) -> str:
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
        names = _names(json_object(answer.text)) if answer.status in FINE else []
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


def as_list(value: Any) -> list[Any]:
    """A list as it is; an empty one for anything else."""
    return value if isinstance(value, list) else []


def _words(text: str) -> str:
    """The message in the body of an error, in whichever of the usual places it is, else the body."""
    found: Any = json_object(text)
    inner = found.get("error", found)
    return str((inner.get("message") or inner.get("detail") if isinstance(inner, dict) else inner) or text)


def _names(found: dict[str, Any]) -> list[str]:
    return [str(entry["id"]) for entry in as_list(found.get("data")) if isinstance(entry, dict) and "id" in entry]
