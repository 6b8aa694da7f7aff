"""Bases of an encoder and a decoder through the same classes: the contract, learning, words, codes of every kind, and refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.contracts import WORLD, RecommenderContract, history_of, leave_last_out
from tests.models.test_lm import TINY, hugging_face_folder
from tests.models.test_tiger import SMALL
from transformers import T5Config, T5ForConditionalGeneration

from instructrec.core import Example, FitContext, Instruction, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.instructions.render import history_trunk, wording
from instructrec.models.export import export_gguf, export_hugging_face
from instructrec.models.lm import LanguageModelRecommender
from instructrec.models.tiger import Tiger
from instructrec.tuning.loop import losses
from instructrec.tuning.packing import pack

T5 = replace(SMALL, base="scratch-t5")


class TestTigerOfTwoStacks(RecommenderContract):
    """Products in bfloat16 while tuning, in float32 when serving."""

    @classmethod
    def make(cls) -> Tiger:
        return Tiger(T5)

    batch_tolerance = 0.001
    checkerboard_share = 0.2
    examples = 15


class TestAtomicItems(RecommenderContract):
    """One token an item: all are compared with the state of the token that asks for the answer."""

    @classmethod
    def make(cls) -> Tiger:
        return Tiger(replace(T5, codes="atomic"))

    batch_tolerance = 0.001
    checkerboard_share = 0.2
    examples = 15


@pytest.fixture(scope="module")
def tiger() -> Tiger:
    train, queries, targets = leave_last_out(WORLD)
    return Tiger(T5).fit(train, FitContext(validation=(queries, targets), seed=1))


def test_the_next_item_is_found_far_more_often_than_by_chance(tiger: Tiger) -> None:
    _, queries, targets = leave_last_out(WORLD)
    answers = tiger.recommend([replace(query, n=5) for query in queries])
    names = WORLD.catalog.item_ids
    hits = [names[target] in {item.item for item in answer.items} for target, answer in zip(targets, answers, strict=True)]
    open_items = len(names) - np.mean([len(query.history) for query in queries])
    assert np.mean(hits) > 1.5 * 5 / open_items


def test_scores_are_log_probabilities_over_the_catalog(tiger: Tiger) -> None:
    scores = tiger.score([Query(history=history_of(user), hide_seen=False) for user in range(6)])
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-3)


def test_the_loss_of_tuning_is_the_score_of_serving(tiger: Tiger) -> None:
    history = history_of(4)
    codes = WORLD.catalog.codes(history)
    trunk = history_trunk([int(code) for code in codes], wording("en").train["history"][0])
    encoder = tiger.tuned[2]
    encoded = [encoder.encode(Example(trunk=trunk[: k + 2])) for k in range(len(codes))]
    with torch.inference_mode():
        packed = pack(encoded, [list(range(len(encoded)))], padding=encoder.codes.answer)
        _, tuned = losses(tiger.tuned[0], packed, encoder.trie, tiger.catalog)
    prefixes = [Query(history=history[:k], hide_seen=False) for k in range(len(history))]
    scores = tiger.score(prefixes)
    assert tuned == pytest.approx(-float(np.mean([scores[k, code] for k, code in enumerate(codes)])), rel=0.02)


def test_a_narrow_and_a_drawn_list_hold_as_many_items_as_asked_for(tiger: Tiger) -> None:
    for search in (
        {"beam": 1},
        {"beam_temperature": 3.0},
        {"beam_diversity": 2.0},
        {"precision": "bfloat16"},
        {"precision": "int8"},
    ):
        other = Tiger(replace(T5, **search))  # type: ignore[arg-type]
        other.__dict__ |= {key: value for key, value in tiger.__dict__.items() if key != "config"}
        other.warm()
        (answer,) = other.recommend([Query(history=history_of(0), n=9)])
        assert len({item.item for item in answer.items}) == 9


def test_words_reach_an_answer_that_is_written_token_by_token() -> None:
    train, _, _ = leave_last_out(WORLD)
    model = Tiger(replace(T5, questions=40.0, share_wish=1.0, share_preference=0.0, share_limit=0.0)).fit(train, FitContext(seed=1))
    genres = WORLD.catalog.labels["genres"]
    comedies = genres.matrix()[:, genres.names.index("Comedy")]

    def share(genre: str) -> float:
        wish = Instruction(text=genre, wish=f"could we have {genre} this evening")
        answers = model.recommend([Query(history=history_of(user), instruction=wish, n=5) for user in range(8)])
        return float(np.mean([comedies[WORLD.catalog.codes([item.item for item in answer.items])].mean() for answer in answers]))

    assert share("comedy") > share("horror") + 0.2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 with tied words of the size that T5's have, in Hugging Face layout."""
    place = hugging_face_folder(tmp_path_factory.mktemp("base"))
    small = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_heads": 4, "num_layers": 3}
    torch.manual_seed(0)
    T5ForConditionalGeneration(T5Config(**small, feed_forward_proj="gated-gelu", initializer_factor=2.0)).save_pretrained(place)
    return place


@pytest.mark.parametrize("codes", ["semantic", "title"])
def test_a_pretrained_base_is_cut_adapted_saved_and_loaded(folder: Path, tmp_path: Path, codes: str) -> None:
    train, queries, _ = leave_last_out(WORLD)
    config = replace(TINY, base=str(folder), layers=2, epochs=2, codes=codes)  # type: ignore[arg-type]
    model = LanguageModelRecommender(config).fit(train)
    body = model.tuned[0].body
    assert (len(body.encoder.block), len(body.decoder.block)) == (2, 2)
    names = [name for name, value in body.named_parameters() if value.requires_grad]
    assert names
    assert all("lora_" in name for name in names)
    model.save(tmp_path)
    copy = LanguageModelRecommender.load(tmp_path, WORLD.catalog)
    np.testing.assert_array_equal(copy.score(queries), model.score(queries))
    assert copy.recommend(queries) == model.recommend(queries)


def test_an_export_as_a_causal_language_model_is_refused_and_nothing_is_left(tiger: Tiger, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a causal language model"):
        export_hugging_face(tiger, tmp_path / "out", queries=[Query(history=history_of(0))])
    with pytest.raises(ModelError, match="not a causal language model"):
        export_gguf(tiger, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


def test_no_next_item_to_learn_is_refused() -> None:
    with pytest.raises(ConfigError, match="targets"):
        replace(T5, targets=0)
