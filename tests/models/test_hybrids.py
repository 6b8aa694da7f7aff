"""Hybrids: the contract, and that each joins its parts as it says."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from tests.contracts import WORLD, RecommenderContract, ids, leave_last_out, some_queries

from instructrec.config import build_model, from_toml
from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.explain import explain
from instructrec.models.composite import comparable
from instructrec.models.hybrids import (
    Cascade,
    CascadeConfig,
    Switching,
    SwitchingConfig,
    Weighted,
    WeightedConfig,
    best_allowed,
    best_starts,
)
from instructrec.models.popular import Popular
from instructrec.models.ridge import Ridge
from instructrec.recommender import allowed

TRAIN, ASKED, WANTED = leave_last_out(WORLD)
VALIDATION = FitContext(validation=(ASKED, WANTED))


class TestWeighted(RecommenderContract):
    model = Weighted


class TestSwitching(RecommenderContract):
    model = Switching


class TestCascade(RecommenderContract):
    model = Cascade


def test_weights_that_are_given_are_used_and_others_are_fitted():
    parts = {"ridge": Ridge().fit(TRAIN), "popular": Popular().fit(TRAIN)}
    given = Weighted(WeightedConfig(parts=("ridge", "popular"), weights=(2.0, -0.5)), parts=parts).fit(TRAIN, VALIDATION)
    wanted = 2 * comparable(parts["ridge"].score(ASKED), log=False) - 0.5 * comparable(parts["popular"].score(ASKED), log=False)
    np.testing.assert_allclose(given.score(ASKED), wanted, rtol=1e-5)
    fitted = Weighted(WeightedConfig(parts=("ridge", "popular")), parts=parts).fit(TRAIN, VALIDATION)
    ridge, popular = fitted.learned
    assert ridge > 3 * popular >= 0
    assert Weighted(WeightedConfig(parts=("ridge", "popular")), parts=parts).fit(TRAIN).learned.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(20))
def test_switches_are_the_best_of_all_there_are(seed: int):
    rng = np.random.default_rng(seed)
    lengths, found = rng.integers(0, 8, size=30), rng.random((30, 3))
    starts = best_starts(lengths, found)

    def total(first: int, second: int) -> float:
        serving = (lengths >= first).astype(int) + (lengths >= max(first, second))
        return float(found[np.arange(30), serving].sum())

    best = max(total(first, second) for first, second in itertools.combinations_with_replacement(range(10), 2))
    assert starts == sorted(starts)
    assert total(*starts) == pytest.approx(best)


def test_a_part_that_is_never_best_never_serves():
    lengths = np.arange(20)
    good, bad = np.ones(20), np.zeros(20)
    assert best_starts(lengths, np.stack([good, bad], axis=1)) == [20]
    assert best_starts(lengths, np.stack([bad, good], axis=1)) == [0]
    assert best_starts(lengths, np.stack([lengths < 9, lengths >= 9], axis=1).astype(float)) == [9]


def test_the_length_of_the_known_history_says_who_serves():
    parts = {"popular": Popular().fit(TRAIN), "ridge": Ridge().fit(TRAIN)}
    model = Switching(SwitchingConfig(parts=("popular", "ridge"), starts=(3,)), parts=parts).fit(TRAIN, VALIDATION)
    items = WORLD.catalog.item_ids
    short, padded, long = (Query(history=history) for history in (items[:2], (*items[:2], "no-such-item"), items[:3]))
    assert model.serving([short, padded, long]).tolist() == [0, 0, 1]
    scores = model.score([short, padded, long])
    np.testing.assert_array_equal(scores[:2], parts["popular"].score([short, padded]))
    np.testing.assert_array_equal(scores[2:], parts["ridge"].score([long]))
    assert [model.is_personal(query) for query in (short, long)] == [False, True]
    assert {entry.source for entry in model.recommend([long])[0].items} == {"ridge"}


def test_switches_are_chosen_on_validation_and_without_it_the_last_part_serves_every_history():
    parts = {"popular": Popular().fit(TRAIN), "ridge": Ridge().fit(TRAIN)}
    chosen = Switching(SwitchingConfig(parts=("popular", "ridge")), parts=dict(parts)).fit(TRAIN, VALIDATION)
    assert chosen.serving(ASKED).all()
    alone = Switching(SwitchingConfig(parts=("popular", "ridge")), parts=dict(parts)).fit(TRAIN)
    assert alone.serving([Query(), Query(history=WORLD.catalog.item_ids[:1])]).tolist() == [0, 1]


@pytest.mark.parametrize("count", [1, 5, 1000])
def test_a_cascade_orders_what_the_first_part_hands_on(count: int):
    parts = {"popular": Popular().fit(TRAIN), "ridge": Ridge().fit(TRAIN)}
    model = Cascade(CascadeConfig(parts=("popular", "ridge"), candidates=(count,)), parts=parts).fit(TRAIN)
    for query in some_queries():
        query = Query(history=query.history, exclude=query.exclude, candidates=query.candidates, n=30)
        proposed = ids(parts["popular"].recommend([query])[0])
        order = {item: place for place, item in enumerate(ids(parts["ridge"].recommend([query])[0]))}
        wanted = (*sorted(proposed[:count], key=order.__getitem__), *proposed[count:])
        assert ids(model.recommend([query])[0]) == wanted


def test_three_parts_hand_on_ever_fewer():
    parts = ("popular", "item_knn", "ridge")
    model = Cascade(CascadeConfig(parts=parts, candidates=(12, 4))).fit(TRAIN)
    query = Query(history=WORLD.catalog.item_ids[:4], n=30)
    [answer] = model.recommend([query])
    first = model.parts["popular"].score([query])[0]
    twelve = best_allowed(first, allowed(query, WORLD.catalog), 12)
    by_knn = twelve[np.argsort(-model.parts["item_knn"].score([query])[0][twelve], kind="stable")]
    by_ridge = sorted(by_knn[:4], key=lambda code: -model.parts["ridge"].score([query])[0][code])
    names = [WORLD.catalog.item_ids[code] for code in (*by_ridge, *by_knn[4:])]
    assert list(ids(answer)[:12]) == names


@pytest.mark.parametrize("kind", [Weighted, Switching, Cascade], ids=lambda kind: kind.name)
def test_its_reasons_name_a_part_and_its_parts_are_kept(kind, tmp_path: Path):
    model = kind().fit(TRAIN, VALIDATION)
    [answer] = model.recommend([Query(history=WORLD.catalog.item_ids[:5], n=3)])
    assert {entry.source for entry in answer.items} <= set(model.config.parts)
    assert all(why.text for why in explain(model, answer, WORLD))
    model.save(tmp_path)
    assert {path.name for path in (tmp_path / "parts").iterdir()} == set(model.config.parts)
    copied = kind.load(tmp_path, WORLD.catalog)
    assert copied.config == model.config
    np.testing.assert_array_equal(copied.learned, model.learned)


@pytest.mark.parametrize(
    "wrong",
    [
        'weighted.parts=["ridge", "ridge"]',
        "weighted.parts=[]",
        "weighted.weights=[1.0]",
        "weighted.weights=[1.0, nan]",
        'switching.parts=["ridge", "switching"]',
        "switching.starts=[5, 6]",
        'cascade.parts=["ridge"]',
        "cascade.candidates=[0]",
        "cascade.candidates=[]",
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: str):
    with pytest.raises(ConfigError):
        from_toml("", [f"model={wrong.partition('.')[0]}", wrong])


def test_models_that_are_parts_of_each_other_are_refused():
    circle = ['weighted.parts=["switching"]', 'switching.parts=["ridge", "cascade"]', 'cascade.parts=["ridge", "weighted"]']
    with pytest.raises(ConfigError, match="part of itself: weighted > switching > cascade > weighted"):
        from_toml("", ["model=weighted", *circle])


def test_a_configuration_names_parts_and_their_settings():
    config = from_toml("", ["model=weighted", 'weighted.parts=["popular", "tfidf"]', "tfidf.decay=0.5"])
    assert build_model("tfidf", config).config.decay == 0.5
    parts = {name: build_model(name, config).fit(TRAIN) for name in ("popular", "tfidf")}
    model = build_model("weighted", config, parts=parts).fit(TRAIN)
    assert model.parts["tfidf"].config.decay == 0.5
