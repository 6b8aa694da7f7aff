"""A real HTTP server in a thread that answers by a script: the fake of a served language model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

Body: TypeAlias = dict[str, Any]
LONGEST_HANG_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One answer: a status, headers, and a body as JSON value, raw text, or function of the request's body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any | Callable[[Body], Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Body


class ScriptedServer:
    """Answers one step after another, the last one for ever; "hang" sends nothing until the server is closed."""

    def __init__(self, steps: Sequence[Step | Literal["hang", "drop"]]) -> None:
        self.requests: list[Request] = []
        self._steps = list(steps)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _QuietServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def bodies(self) -> list[Body]:
        """The bodies of the requests so far."""
        return [request.body for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: Request) -> Step | None:
        """The next step; None when the connection is to be closed without an answer."""
        with self._lock:
            self.requests.append(request)
            step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if step == "hang":
            self._closing.wait(LONGEST_HANG_S)
        return step if isinstance(step, Step) else None


class _QuietServer(ThreadingHTTPServer):
    # Not daemons, so that closing the server waits for the handlers and their sockets.
    daemon_threads = False


def _handler(script: ScriptedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self._answer({})

        def do_POST(self) -> None:  # noqa: N802
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Body) -> None:
            request = Request(method=self.command, path=self.path, headers=dict(self.headers), body=body)
            step = script.answer(request)
            if step is None:
                self.close_connection = True
                return
            content = step.body(body) if callable(step.body) else step.body
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(step.status)
            for name, value in step.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    return Handler
