"""What a fit is foreseen to take against what numpy was asked for at the peak: within a factor of two either way."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.fit_memory import long_tailed

from instructrec.models import head_and_tail, memory, resolve
from instructrec.models.als import Als, AlsConfig
from instructrec.models.bpr import Bpr, BprConfig
from instructrec.models.ease import Ease, RecencyEase
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig
from instructrec.models.ridge import Ridge, RidgeConfig
from instructrec.models.svd import Svd, SvdConfig
from instructrec.models.user_knn import UserKnn
from instructrec.recommender import Recommender
from instructrec.tables import Dataset

MODELS = {
    "item_knn": lambda: ItemKnn(ItemKnnConfig(nearness=0.5)),
    "user_knn": UserKnn,
    "als": lambda: Als(AlsConfig(factors=16, iterations=1)),
    "bpr": lambda: Bpr(BprConfig(factors=16, iterations=1)),
    "svd": lambda: Svd(SvdConfig(factors=16, iterations=1)),
    "ease": Ease,
    "recency_ease": lambda: RecencyEase(replace(RecencyEase().config, nearness=0.5)),
    "ridge": lambda: Ridge(RidgeConfig(decay=0.5)),
    "ridge-forward": lambda: Ridge(RidgeConfig(decay=0.5, backward=0.0)),
}
DENSE = ("ease", "recency_ease", "ridge")


def peak(model: Recommender, dataset: Dataset) -> int:
    tracemalloc.start()
    try:
        model.fit(dataset)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", MODELS)
def test_the_peak_of_a_fit_is_foreseen_within_a_factor_of_two(name: str):
    dataset = long_tailed(60_000, 900 if name in ("item_knn", "ease", "recency_ease", "ridge", "ridge-forward") else 3_000)
    make = MODELS[name]
    make().fit(long_tailed(500, 50))  # imports and caches are not the fit's
    found = peak(make(), dataset)
    assert found / 2 <= make().bytes_needed(dataset) <= found * 2


@pytest.mark.parametrize("name", DENSE)
def test_so_it_is_above_the_limit_of_dense_systems(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "MAX_DENSE_ITEMS", 400)
    monkeypatch.setattr(head_and_tail, "HEAD_ITEMS", 400)
    dataset, make = long_tailed(60_000, 900), MODELS[name]
    found = peak(make(), dataset)
    assert found / 2 <= make().bytes_needed(dataset) <= found * 2


@pytest.mark.parametrize("name", [*DENSE, "item_knn", "user_knn", "als", "bpr", "svd"])
def test_data_without_interactions_need_next_to_nothing(name: str):
    empty = long_tailed(10, 5)
    empty = empty.with_interactions(empty.interactions.keep(np.zeros(10, dtype=np.bool_)))
    assert resolve(name)().bytes_needed(empty) < 10_000
