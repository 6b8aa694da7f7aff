"""A small run that serves."""

import socket
import threading
import time

import pytest
import uvicorn
from tests.service.serving import Served

from instructrec import config, pipeline
from instructrec.service.access import Gate
from instructrec.service.app import build
from instructrec.service.live import opened


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("service") / "run"
    settings = ["data.source=synthetic-genres", "model=ridge"]
    pipeline.train(pipeline.prepare(config.from_toml("", settings)), out, num_samples=1)
    return out


@pytest.fixture
def serve(run_folder, tmp_path):
    """A function that serves the run, with or without keys; all end with the test."""
    ends = []

    def start(*, wants_keys=False, sources=()):
        live = opened(run_folder, f"sqlite:///{tmp_path / f'{len(ends)}.db'}")
        app = build(live, Gate(live.store, wants_keys=wants_keys, requests_per_s=1e6), sources)
        heard = socket.create_server(("127.0.0.1", 0))
        # Its own way to set up logging closes the handlers of everybody else, and with them a stream of pytest.
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
        thread = threading.Thread(target=server.run, args=([heard],), daemon=True)
        thread.start()
        ends.append((server, thread, heard))
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        return Served(f"http://127.0.0.1:{heard.getsockname()[1]}", live)

    yield start
    for server, thread, heard in ends:
        server.should_exit = True
        thread.join(10)
        heard.close()
