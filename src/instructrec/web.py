"""A request over HTTP and what came of it: no redirection is followed, since a key must not go where nobody sent it."""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import re
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

FINE: Final = range(200, 300)
PASSING: Final = (0, 408, 429, *range(500, 600))
"""Statuses of failures that may pass: no answer, a timeout, too many requests, and what is the server's own fault."""
LONGEST_WAIT_S: Final = 60.0
"""Cap on the wait before a request is sent again. A server that asks for a longer one is not asked again."""
ADDRESS: Final = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?(/[^\s?#@]*)?")
"""What a whole address looks like: no name or key in it, and nothing behind the path."""
_LOCAL = re.compile(r"https?://(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:|/|$)")


class Answer(NamedTuple):
    """What came back: `status` 0 when nothing did, and then `text` is the reason. `wait_s` is what the server asks to wait."""

    status: int
    text: str
    wait_s: float = 0.0


def asked_again(ask: Callable[[], Answer], *, retries: int, first_wait_s: float, sleep: Callable[[float], None]) -> Answer:
    """The answer to a request, or the last one when trying again does not help.

    After a failure that may pass it is sent up to `retries` times more: first after `first_wait_s` seconds, then after twice as
    long each time, and never sooner than the server says (Retry-After).
    """
    answer, wait_s = ask(), first_wait_s
    for _ in range(retries):
        if answer.status not in PASSING or answer.wait_s > LONGEST_WAIT_S:
            break
        sleep(max(min(wait_s, LONGEST_WAIT_S), answer.wait_s))
        answer, wait_s = ask(), 2 * wait_s
    return answer


class Site:
    """An address that requests are sent to."""

    def __init__(self, url: str) -> None:
        self.address = url.rstrip("/")
        # Without urllib's own handling of statuses: a key must not follow a redirection. No proxy reaches this machine.
        proxy = urllib.request.ProxyHandler({} if _LOCAL.match(url) else None)
        self._opener = urllib.request.OpenerDirector()
        for handler in (proxy, urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
            self._opener.add_handler(handler)

    def ask(
        self, path: str, body: object = None, *, headers: Mapping[str, str], timeout_s: float, method: str | None = None
    ) -> Answer:
        """The answer to one request; a `body` goes out as JSON, by POST unless `method` says otherwise."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers}
        try:
            request = urllib.request.Request(self.address + path, data, sent, method=method)
            with self._opener.open(request, timeout=timeout_s) as response:
                wait = response.headers.get("Retry-After", "").strip()
                text = response.read().decode(errors="replace")
                return Answer(response.status, text, float(wait) if wait.isdecimal() else 0.0)
        except (OSError, http.client.HTTPException, UnicodeError, OverflowError) as error:
            reason = getattr(error, "reason", None) or error
            timeout = f"timeout after {timeout_s:g} s" if isinstance(reason, TimeoutError) else ""
            return Answer(0, timeout or str(reason) or type(reason).__name__)


def json_object(text: str) -> dict[str, Any]:
    """The JSON object that a text holds, with None for NaN; an empty one for anything else."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text, parse_constant={"-Infinity": -math.inf}.get)
        return found if isinstance(found, dict) else {}
    return {}
