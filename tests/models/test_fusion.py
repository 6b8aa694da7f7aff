"""Fusion: the contract over closed-form parts and a tiny language model, and weights that find the better source."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.contracts import WORLD, RecommenderContract, leave_last_out
from tests.models.test_lm import TINY

from instructrec.core import FitContext, Instruction, Query
from instructrec.models.composite import comparable
from instructrec.models.fusion import STANDARD, TASTE, Fusion, FusionConfig, fit_weights
from instructrec.models.lm import LanguageModelRecommender
from instructrec.models.popular import Popular
from instructrec.models.ridge import Ridge
from instructrec.models.search import Bm25
from instructrec.tables import Catalog


class TestFusion(RecommenderContract):
    """The tolerances are those of the language model inside."""

    @classmethod
    def make(cls) -> Fusion:
        return Fusion(FusionConfig(parts=("ridge", "lm")), parts={})

    @classmethod
    def fit(cls, model, dataset):  # type: ignore[no-untyped-def]
        train, queries, targets = leave_last_out(dataset)
        context = FitContext(validation=(queries, targets), seed=7)
        model.parts = {"ridge": Ridge().fit(train), "lm": LanguageModelRecommender(TINY).fit(train, context)}
        return model.fit(train, context)

    batch_tolerance = 0.05
    checkerboard_share = 0.2
    examples = 10


def test_the_informative_source_gets_the_weight() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 50, size=200)
    noise = rng.normal(size=(200, 50)).astype(np.float32)
    signal = noise[::-1].copy()
    signal[np.arange(200), targets] += 3.0
    weights = fit_weights({"signal": signal, "noise": noise}, np.ones((200, 50), dtype=np.bool_), targets)
    assert weights["signal"] > 0.5
    assert weights["noise"] < 0.2 * weights["signal"]


def test_forbidden_targets_are_left_out_of_the_fit() -> None:
    scores = np.eye(4, dtype=np.float32)
    assert fit_weights({"one": scores}, np.zeros((4, 4), dtype=np.bool_), np.arange(4)) == {"one": 1.0}


def test_memory_scores_do_not_depend_on_their_scale() -> None:
    scores = np.random.default_rng(1).normal(size=(3, 20)).astype(np.float32)
    np.testing.assert_allclose(comparable(scores * 50, log=False), comparable(scores, log=False), rtol=1e-4, atol=1e-5)


def test_a_saved_fusion_keeps_weights_and_parts(tmp_path: Path) -> None:
    train, queries, targets = leave_last_out(WORLD)
    parts = {"ridge": Ridge().fit(train), "popular": Popular().fit(train)}
    fusion = Fusion(FusionConfig(parts=("ridge", "popular")), parts=parts).fit(train, FitContext(validation=(queries, targets)))
    fusion.save(tmp_path)
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {"ridge", "popular"}
    copied = Fusion.load(tmp_path, WORLD.catalog)
    assert (copied.weights, copied.stated, copied.worded) == (fusion.weights, fusion.stated, fusion.worded)
    np.testing.assert_array_equal(copied.score(queries), fusion.score(queries))


def test_taste_in_words_and_wishes_have_weights_of_their_own() -> None:
    words = Bm25().fit(WORLD)
    fusion = Fusion(FusionConfig(parts=("bm25",)), parts={"bm25": words}).fit(WORLD)
    fusion.weights, fusion.stated, fusion.worded = {"bm25": 1.0}, {"bm25": 2.0}, {"bm25": 3.0}
    value = WORLD.catalog.label_rows(next(iter(WORLD.catalog.labels)))[0][0]
    wish = Instruction(text=value, wish=value)
    asked = [Query(profile=value), Query(instruction=wish), Query(profile=value, instruction=wish, strength=0.0)]
    stated, wished, without = (fusion.score([query])[0] for query in asked)
    assert stated.max() > 0
    np.testing.assert_allclose(wished * 2, stated * 3, rtol=1e-5)
    np.testing.assert_array_equal(without, stated)


def test_a_fusion_saved_without_weights_for_a_stated_preference_reads_it_as_a_wish(tmp_path: Path) -> None:
    fusion = Fusion(FusionConfig(parts=("popular",)), parts={"popular": Popular().fit(WORLD)}).fit(WORLD)
    fusion.worded = {"popular": 3.0}
    fusion.save(tmp_path)
    facts = json.loads((tmp_path / "fusion.json").read_text())
    del facts["stated"]
    (tmp_path / "fusion.json").write_text(json.dumps(facts))
    assert Fusion.load(tmp_path, WORLD.catalog).stated == {"popular": 3.0}


def test_what_a_part_says_without_words_is_asked_once() -> None:
    train, queries, targets = leave_last_out(WORLD)
    model = LanguageModelRecommender(TINY).fit(train, FitContext(validation=(queries, targets), seed=7))
    fusion = Fusion(FusionConfig(parts=("lm",)), parts={"lm": model}).fit(train)
    text = WORLD.catalog.label_rows(next(iter(WORLD.catalog.labels)))[0][0]
    asked = [replace(query, instruction=Instruction(text=text, wish=text)) for query in queries[:4]]
    anew, known = fusion.comparable(asked), fusion.comparable(asked, fusion.comparable(queries[:4]))
    assert anew.keys() == known.keys() == {"lm", "lm" + TASTE}
    np.testing.assert_allclose(known["lm" + TASTE], anew["lm" + TASTE], atol=1e-5)
    assert not np.allclose(known["lm"], known["lm" + TASTE], atol=1e-3)


def test_of_the_standard_parts_those_that_the_data_do_not_suit_are_left_out_and_chosen_ones_are_not() -> None:
    written = replace(WORLD, catalog=replace(WORLD.catalog, titles=tuple(f"A film {item}" for item in WORLD.catalog.item_ids)))
    bare = replace(WORLD, catalog=Catalog(item_ids=WORLD.catalog.item_ids, titles=WORLD.catalog.item_ids))
    kept = tuple(name for name in STANDARD if name != "tfidf")
    assert Fusion.suited(STANDARD, written) == STANDARD
    assert Fusion.suited(STANDARD, bare) == kept
    assert Fusion.suited(("tfidf", "ridge"), bare) == ("tfidf", "ridge")
    fusion = Fusion(parts={name: Popular().fit(bare) for name in kept}).fit(bare)
    assert tuple(fusion.weights) == fusion.config.parts == kept
    assert Fusion().unfit_for(bare) == ""
    assert "tfidf, a part of it" in Fusion(FusionConfig(parts=("ridge", "tfidf"))).unfit_for(bare)


def test_a_part_that_weighs_nothing_for_what_is_asked_is_not_asked() -> None:
    class Counting(Popular):
        asked = 0

        def score(self, queries):  # type: ignore[no-untyped-def]
            self.asked += len(queries)
            return super().score(queries)

    parts = {"ridge": Ridge().fit(WORLD), "popular": Counting().fit(WORLD)}
    fusion = Fusion(FusionConfig(parts=("ridge", "popular")), parts=parts).fit(WORLD)
    fusion.weights, fusion.worded = {"ridge": 1.0, "popular": 0.0}, {"ridge": 1.0, "popular": 2.0}
    plain, worded = Query(history=("i0", "i1")), Query(history=("i0", "i1"), instruction=Instruction(text="calm", wish="calm"))
    alone = fusion.sources([plain])
    assert parts["popular"].asked == 0 and set(alone) == {"ridge", "popular"} and not alone["popular"].any()
    both = fusion.sources([plain, worded])
    assert parts["popular"].asked == 2 and not both["popular"][0].any() and both["popular"][1].any()
    np.testing.assert_array_equal(both["ridge"][0], alone["ridge"][0])
