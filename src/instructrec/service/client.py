"""A service that runs somewhere, asked over HTTP: its journal has one writer, which is the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from instructrec.errors import ConfigError, QueryError
from instructrec.web import ADDRESS, FINE, Answer, Site, asked_again, json_object

TIMEOUT_S, LONG_TIMEOUT_S = 60.0, 3600.0
RETRIES, FIRST_WAIT_S = 8, 0.5
_EVENTS = "/v1/events"


class Client:
    """The service at a URL, which serves the run of a name: its experiments, and events for its journal.

    Every method raises QueryError with what the service says where it refuses, and ConfigError where no service answers.
    """

    def __init__(self, run: str, url: str, key: str = "", *, sleep: Callable[[float], None] = time.sleep) -> None:
        """`run`: a run folder, or its name; `key`: opens the scopes that are needed (for experiments admin, for events read and
        write). Raises ConfigError for a service of another run.
        """
        if not ADDRESS.fullmatch(url):
            raise ConfigError(f"'{url}' is no address of a service. Give one such as http://127.0.0.1:8000.")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("The key holds characters that no API key can have. Copy it anew.")
        self._sleep = sleep
        self._site, self._headers = Site(url), {"X-API-Key": key} if key else {}
        serves, wanted = str(self._ask("/v1/run")["name"]), Path(run).resolve().name
        if serves != wanted:
            raise ConfigError(f"The service at {url} serves the run '{serves}', not '{wanted}'. Give its address: --url.")

    def every(self) -> list[dict[str, Any]]:
        """All experiments."""
        found: list[dict[str, Any]] = self._ask("/v1/experiments")["experiments"]
        return found

    def start(self, name: str, design: Mapping[str, Any]) -> dict[str, Any]:
        """Keep an experiment (`shapes.Design`) and let it run."""
        self._ask(_path(name), dict(design), method="PUT")
        return self._ask(_path(name, "start"), {})

    def status(self, name: str, *, language: str = "en") -> dict[str, Any]:
        """An experiment with its results."""
        return self._ask(f"{_path(name)}?language={language}")

    def estimate(self, name: str, model: str) -> dict[str, Any]:
        """What the lists of a model that is no arm would have earned; waits for minutes."""
        path = f"{_path(name, 'estimate')}/{quote(model, safe='')}"
        return self._read(self._site.ask(path, headers=self._headers, timeout_s=LONG_TIMEOUT_S), path)

    def stop(self, name: str) -> dict[str, Any]:
        """Let nobody be exposed any more."""
        return self._ask(_path(name, "stop"), {})

    def promote(self, name: str, arm: str) -> dict[str, Any]:
        """Serve one arm to everybody."""
        return self._ask(f"{_path(name, 'promote')}?arm={quote(arm, safe='')}", {})

    def events(self, rows: Sequence[object]) -> list[dict[str, Any]]:
        """Have at most `shapes.MOST_EVENTS` events recorded: what became of each (see `verdicts.told`). A service that is busy or
        gone is asked again for minutes, and not sooner than it says.
        """
        found = asked_again(
            lambda: self._site.ask(_EVENTS, {"events": list(rows)}, headers=self._headers, timeout_s=TIMEOUT_S),
            retries=RETRIES,
            first_wait_s=FIRST_WAIT_S,
            sleep=self._sleep,
        )
        return [{name: value for name, value in row.items() if name != "index"} for row in self._read(found, _EVENTS)["verdicts"]]

    def _ask(self, path: str, body: object = None, *, method: str | None = None) -> dict[str, Any]:
        return self._read(self._site.ask(path, body, headers=self._headers, timeout_s=TIMEOUT_S, method=method), path)

    def _read(self, answer: Answer, path: str) -> dict[str, Any]:
        """The object of an answer."""
        address = self._site.address
        if not answer.status:
            raise ConfigError(
                f"No service answers at {address} ({answer.text}). Start one (instructrec serve RUN), or give its address: --url."
            )
        found = json_object(answer.text)
        if answer.status in FINE and found:
            return found
        if answer.status in (401, 403):
            raise QueryError(f"{found.get('message', 'It wants a key.')} Give it with --key or in INSTRUCTREC_KEY.")
        if "message" in found and "error" in found:
            raise QueryError(str(found["message"]))
        raise ConfigError(f"What answers at {address} is no service of InstructRec (status {answer.status} to {path}).")


def _path(name: str, step: str = "") -> str:
    if not name.strip(".") or "/" in name:
        raise ConfigError(f"'{name}' is no name of an experiment here. Give one without '/', and not of full stops alone.")
    return f"/v1/experiments/{quote(name, safe='')}" + (f"/{step}" if step else "")
