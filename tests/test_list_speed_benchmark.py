"""What the speed of lists is measured on: the right ten items, made by models of the shape that is used."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from benchmarks import list_speed
from benchmarks.list_speed import context_of, measured, model_of, ten_best, timed

from instructrec.data.split import SplitConfig, split
from instructrec.data.synthetic import checkerboard, genres
from instructrec.models.gru4rec import Gru4recConfig
from instructrec.recommender import Recommender

PARTS = split(genres(num_users=60, num_items=80, seed=3), SplitConfig())


@pytest.mark.parametrize("name", ["popular", "item_knn", "cascade", "ranker", "gru4rec", "lightgcn"])
def test_the_ten_best_are_the_best_unseen_items(name, monkeypatch):
    monkeypatch.setattr(list_speed, "AT_ONCE", 7)
    model, catalog = model_of(name, {}).fit(PARTS.train, context_of(PARTS, 20)), PARTS.train.catalog
    found = ten_best(model, PARTS.test.queries)
    assert found.shape == (len(PARTS.test), 10)
    for query, codes in zip(PARTS.test.queries, found.tolist(), strict=True):
        [scores] = model.score([query])
        unseen = [code for code, item in enumerate(catalog.item_ids) if item not in query.history]
        best = sorted(unseen, key=lambda code: (-scores[code], code))[:10]
        assert not {catalog.item_ids[code] for code in codes} & set(query.history)
        assert scores[codes] == pytest.approx(scores[best], abs=1e-5)
        if name in ("popular", "item_knn"):
            assert codes == best


def test_a_list_is_short_where_little_is_left():
    world = split(checkerboard(12), SplitConfig())
    [codes] = ten_best(model_of("popular", {}).fit(world.train), world.test.queries[:1])
    left = 12 - len(world.test.queries[0].history)
    assert (codes >= 0).sum() == left < 10
    assert (codes[left:] == -1).all()


def test_networks_have_their_shape_and_no_training():
    plain, short = asdict(Gru4recConfig()), asdict(model_of("gru4rec", {}).config)
    assert {key for key in plain if plain[key] != short[key]} == {"epochs", "patience"}
    assert short["epochs"] == 0
    assert model_of("gru4rec", {}, max_history=200).config.max_history == 200


def test_hybrids_take_the_parts_that_are_fitted_and_a_fusion_no_language_model():
    ridge = model_of("ridge", {}).fit(PARTS.train)
    fusion = model_of("fusion", {"ridge": ridge})
    assert fusion.parts == {"ridge": ridge}
    assert "ridge" in fusion.config.parts and "lm" not in fusion.config.parts


def test_what_does_not_suit_the_data_is_told(capsys):
    unrated = replace(PARTS.train.interactions, ratings=np.full(len(PARTS.train.interactions), np.nan, dtype=np.float32))
    parts = replace(PARTS, train=replace(PARTS.train, interactions=unrated))
    numbers = measured(parts, ["svd", "popular", "images"])
    assert "ratings" in numbers["absent.svd"] and "image" in numbers["absent.images"]
    assert numbers["top10_cpu_s.popular"] >= 0 and "top10_cpu_s.svd" not in numbers
    assert (numbers["items"], numbers["test_queries"]) == (80, 60)
    printed = capsys.readouterr().out
    assert numbers["absent.svd"] in printed and numbers["absent.images"] in printed


def test_what_takes_long_is_timed_once(monkeypatch):
    model = model_of("popular", {}).fit(PARTS.train)
    calls: list[int] = []
    monkeypatch.setattr(list_speed, "ten_best", lambda model, queries: calls.append(len(queries)))
    timed(model, PARTS.test.queries, 3)
    assert calls == [60, 60, 60]
    monkeypatch.setattr(list_speed, "LONG_S", 0.0)
    timed(model, PARTS.test.queries, 3)
    assert len(calls) == 4


def test_every_model_but_the_language_model_takes_part():
    names = list_speed.every_model()
    assert {"tiger", "images", "ranker", "fusion", "user_knn"} <= set(names)
    assert not {"lm", "bm25", "sentences", "themes"} & set(names)
    assert all(isinstance(model_of(name, {}), Recommender) for name in names)
