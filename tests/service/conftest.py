"""A small run that serves."""

import pytest

from instructrec import config, pipeline


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("service") / "run"
    settings = ["data.source=synthetic-genres", "model=ridge"]
    pipeline.train(pipeline.prepare(config.from_toml("", settings)), out, num_samples=1)
    return out
