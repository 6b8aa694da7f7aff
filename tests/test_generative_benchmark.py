"""The table of models on any data: settings reach the parts of a hybrid, and the gain of a sum is over the best single model."""

import numpy as np
import pytest
from benchmarks.generative import fitted, gain_of_a_sum, sets_of

from instructrec.config import from_toml
from instructrec.core import FitContext
from instructrec.data.synthetic import genres

PARTS = 'weighted.parts=["item_knn","popular"]'


def test_settings_of_a_hybrid_its_parts_and_nobody_else_reach_it():
    given = [PARTS, "item_knn.neighbours=3", "ridge.penalty=5.0", "language=zh"]
    sets = sets_of("weighted", given)
    assert "ridge.penalty=5.0" not in sets and {PARTS, "item_knn.neighbours=3", "language=zh"} < set(sets)
    model = fitted("weighted", from_toml("", sets), genres(), FitContext())
    assert model.parts["item_knn"].config.neighbours == 3
    assert list(model.parts) == ["item_knn", "popular"]


def test_the_gain_is_that_of_the_best_hybrid_over_the_best_single_model_without_a_language_model():
    rng = np.random.default_rng(0)
    base = rng.random(400)
    values = {"weighted": base + 0.2, "switching": base, "ridge": base + 0.1, "popular": base * 0.1, "lm": base + 5.0}
    found = gain_of_a_sum(values)
    assert found["fusion_gain"] == pytest.approx((base.mean() + 0.2) / (base.mean() + 0.1) - 1)
    assert found["p_value"] < 0.001
    assert gain_of_a_sum({"ridge": base}) == gain_of_a_sum({"weighted": base, "lm": base}) == {}
