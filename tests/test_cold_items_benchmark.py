"""What the benchmark of cold items rests on: hidden items are nowhere to be learned from, ties are fair, readers find them."""

from dataclasses import replace
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from benchmarks import cold_items, leaderboard
from benchmarks.cold_items import READERS, cold_values, default_names, expected, hidden_table, numbers_of, pooled, reads

from instructrec.config import build_model, parts_of
from instructrec.data import Loaded, load
from instructrec.data.conditions import drawn_items
from instructrec.data.split import split
from instructrec.evaluation.metrics import measure
from instructrec.models.popular import Popular
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Labels


@pytest.fixture(scope="module")
def world() -> Loaded:
    """A made-up world in which people like a genre, and texts say it."""
    return load("synthetic-genres")


@pytest.fixture
def make(world, tmp_path):
    """The table of a seed."""
    return partial(hidden_table, "synthetic-genres", world, split(world.dataset), share=0.2, work=tmp_path, base="full", sets=[])


def test_hidden_items_are_in_no_training_row_and_no_history_and_all_that_is_asked_for(make, world):
    for seed in (0, 3):
        table = make(seed=seed)
        hidden = np.flatnonzero(drawn_items(split(world.dataset), 0.2, seed=seed))
        names = {world.dataset.catalog.item_ids[code] for code in hidden}
        assert len(hidden) == round(0.2 * len(np.unique(world.dataset.interactions.items)))
        for log in (table.parts.train.interactions, table.parts.known.interactions):
            assert len(log) and not np.isin(log.items, hidden).any()
        for holdout in (table.parts.valid, table.parts.test):
            assert not names & {item for query in holdout.queries for item in query.history}
        assert np.isin(np.concatenate(table.parts.test.targets), hidden).all()
        assert not np.isin(np.concatenate(table.parts.valid.targets), hidden).any()


def test_a_seed_draws_items_anew_and_is_that_of_the_fit(make):
    one, other = make(seed=0), make(seed=1)
    assert [target.tolist() for target in one.parts.test.targets] != [target.tolist() for target in other.parts.test.targets]
    assert leaderboard.prepared(other, "ridge", other.seed).config.seed == 1
    assert one.harder != other.harder


def test_equal_scores_count_as_the_mean_over_all_their_orders():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, size=(40, 6)).astype(np.float32)
    mask = rng.random((40, 6)) < 0.8
    targets = np.array([int(rng.choice(np.flatnonzero(row))) if row.any() else 0 for row in mask])
    mask[np.arange(40), targets] = True
    found = dict(zip(("hr@2", "ndcg@2"), expected(scores, mask, targets, k=2), strict=True))
    for row, target in enumerate(targets.tolist()):
        orders = [
            sorted((code for code in order if mask[row, code]), key=lambda code: -scores[row, code])
            for order in permutations(range(6))
        ]
        for metric, values in found.items():
            wanted = np.mean([measure(metric, order, [target]) for order in orders])
            assert values[row] == pytest.approx(wanted, abs=1e-9), (row, metric)


def test_popularity_is_chance_among_hidden_items_wherever_they_stand_in_the_catalog(make, world):
    table = make(seed=0)
    hidden = drawn_items(split(world.dataset), 0.2, seed=0)
    found = cold_values(Popular().fit(table.parts.train), table.parts, hidden=hidden)
    np.testing.assert_allclose(found["cold.hr@10"], 10 / hidden.sum())
    assert (found["all.hr@10"] == 0).all()


def test_what_is_read_finds_them_and_nothing_else_does(make):
    tables = [make(seed=seed) for seed in range(2)]
    names = ["popular", "item_knn", "ridge", "tfidf", "word_vectors", "weighted"]
    rows = [leaderboard.rows(table, names, seeds=1) for table in tables]
    found = numbers_of(rows, [table.parts.test.user_codes for table in tables])
    chance = found["popular"]["cold.ndcg@10"].value
    for name in ("tfidf", "word_vectors", "weighted"):
        assert reads(name, "full", [])
        assert found[name]["cold.ndcg@10"].low > 1.3 * chance
        assert found[name]["ratio.cold.ndcg@10"].value == pytest.approx(found[name]["cold.ndcg@10"].value / chance)
        assert found[name]["all.hr@10"].value > found["popular"]["all.hr@10"].value == 0
    for name in ("item_knn", "ridge"):
        assert not reads(name, "full", [])
        assert found[name]["cold.ndcg@10"].value == pytest.approx(chance)
    assert np.isnan(found["tfidf"]["ratio.all.hr@10"].value)


def described_backwards(catalog: Catalog) -> Catalog:
    """The same items, each with what is said of another."""
    return replace(
        catalog,
        titles=catalog.titles[::-1],
        texts=catalog.texts[::-1],
        labels={name: Labels.build([own.of(item) for item in range(len(catalog))[::-1]]) for name, own in catalog.labels.items()},
        numbers={name: values[::-1].copy() for name, values in catalog.numbers.items()},
    )


@pytest.mark.parametrize(
    "name", [name for name in default_names() if name not in ("images", "sentence_vectors", "fusion_without_lm")]
)
def test_models_that_are_said_to_read_are_those_whose_scores_follow_what_is_said(make, name):
    table = make(seed=0)
    networks = ["sasrec", "esasrec", "gru4rec", "lightgcn", "gcn", "graphsage", "gat", "two_tower"]
    # Without validation `switching` asks its last part alone, which does not read.
    config = leaderboard.config_of(name, "full", ["switching.starts=[5]", *(f"{one}.epochs=1" for one in networks)])

    def scores(turned: bool) -> np.ndarray:
        train = table.parts.train
        train = replace(train, catalog=described_backwards(train.catalog)) if turned else train
        parts: dict[str, Recommender] = {one: build_model(one, config).fit(train) for one in parts_of(config.settings.get(name))}
        asked = [replace(query, history=query.history[:length]) for query in table.parts.test.queries[:20] for length in (1, 20)]
        return build_model(name, config, parts=parts).fit(train).score(asked)

    hidden = drawn_items(split(load("synthetic-genres").dataset), 0.2, seed=0)
    followed = not np.allclose(scores(False)[:, hidden], scores(True)[:, hidden], atol=1e-5)
    assert followed == reads(name, "full", [])


def test_every_model_takes_part_but_language_models():
    found = default_names()
    assert {"lm", "tiger", "fusion"}.isdisjoint(found) and "fusion_without_lm" in found
    assert set(READERS) - {"lm", "tiger"} <= set(found)


def test_people_are_drawn_with_all_that_they_were_asked():
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(200), 5)
    one = np.repeat(rng.random(200), 5)
    whole = pooled([one], [users])
    # Asking the same again tells nothing new, so the interval is that of 200 numbers, not of 1,000.
    assert whole.high - whole.low == pytest.approx(2 * 1.96 * one.std() / np.sqrt(200), rel=0.15)
    parts = pooled([one[:500], one[500:]], [users[:500], users[500:]])
    assert (parts.value, parts.low, parts.high) == pytest.approx((whole.value, whole.low, whole.high))
    assert pooled([2 * one], [users], [one]).low == pytest.approx(2)


def test_the_benchmark_prints_every_key_and_says_why_a_row_is_absent(make, tmp_path, monkeypatch, capsys):
    import json

    target = tmp_path / "out.json"
    asked = ["--data", "synthetic-genres", "--models", "tfidf,images", "--seeds", "2", "--share", "0.2", "--work", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["cold_items", *asked, "--json", str(target)])
    cold_items.main()
    found = json.loads(target.read_text())
    assert found["reads"] == ["tfidf"] and "absent.images" in found and found["seeds"] == 2
    assert found["cold.hr@10.popular"] == pytest.approx(found["chance"])
    assert found["cold.hr@10.low.tfidf"] <= found["cold.hr@10.tfidf"] <= found["cold.hr@10.high.tfidf"]
    assert found["ratio.all.hr@10.tfidf"] is None and found["test_queries"] > 20
    assert "tfidf" in capsys.readouterr().out
