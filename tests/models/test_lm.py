"""The language model recommender: the contract on a tiny base, words that reach the scores, and new items from text alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contracts import NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out

from instructrec.core import FitContext, Instruction, Query
from instructrec.errors import ModelError
from instructrec.generation.codes import atomic, write_codes
from instructrec.models.lm import LanguageModelRecommender, LmConfig

TINY = LmConfig(
    base="tiny",
    layers=2,
    lora_rank=4,
    lora_alpha=8.0,
    epochs=40,
    learning_rate=5e-3,
    batch_tokens=640,
    factor_width=16,
    dropout=0.1,
)


class TestLanguageModel(RecommenderContract):
    """bfloat16 products are rounded by the shape of the batch, so alone and in a batch agree to a few parts in a hundred."""

    @classmethod
    def make(cls) -> LanguageModelRecommender:
        return LanguageModelRecommender(TINY)

    batch_tolerance = 0.05
    checkerboard_share = 0.2
    examples = 15


@pytest.fixture(scope="module")
def wishful() -> LanguageModelRecommender:
    """A model tuned long enough on many questions to know the genre words of the world."""
    train, queries, targets = leave_last_out(WORLD)
    config = replace(TINY, epochs=60, questions=40.0, share_wish=1.0, share_preference=0.0, share_limit=0.0, share_explanation=0.0)
    return LanguageModelRecommender(config).fit(train, FitContext(validation=(queries, targets), seed=1))


def share_of(model: LanguageModelRecommender, genre: str, words: str) -> float:
    """Share of a genre among the first five items of some users when they wish for something (no limit, no mask)."""
    catalog = model.catalog
    has = catalog.labels["genres"].matrix()[:, catalog.labels["genres"].names.index(genre)]
    wishes = [Query(history=history_of(user), instruction=Instruction(text=words, wish=words), n=5) for user in range(8)]
    return float(np.mean([has[catalog.codes([item.item for item in answer.items])].mean() for answer in model.recommend(wishes)]))


def test_a_wish_moves_the_list_without_any_mask(wishful: LanguageModelRecommender) -> None:
    for genre, other in (("Comedy", "Horror"), ("Horror", "Comedy")):
        wished, unwished = f"could we have {genre.lower()} this evening", f"could we have {other.lower()} this evening"
        assert share_of(wishful, genre, wished) > share_of(wishful, genre, unwished) + 0.2


def test_words_alone_are_enough_for_a_new_user(wishful: LanguageModelRecommender) -> None:
    (answer,) = wishful.recommend([Query(instruction=Instruction(text="something comedy", wish="comedy"))])
    assert not answer.degraded
    assert answer.served_by == "lm"


def test_an_item_added_after_training_is_recommended_from_its_text(wishful: LanguageModelRecommender, tmp_path: Path) -> None:
    wishful.save(tmp_path)
    grown = WORLD.catalog.add(NEW_ITEMS)
    model = LanguageModelRecommender.load(tmp_path, grown)
    query = Query(history=history_of(0), instruction=Instruction(text="something comedy", wish="comedy"), n=len(grown))
    ranked = [item.item for item in model.recommend([query])[0].items]
    assert ranked.index("new-0") < ranked.index("new-1"), "the new comedy must come before the new drama when comedy is wished for"
    assert ranked.index("new-0") < len(ranked) / 2


def test_old_scores_do_not_change_when_items_are_added(wishful: LanguageModelRecommender, tmp_path: Path) -> None:
    wishful.save(tmp_path)
    query = [Query(history=history_of(3))]
    grown = LanguageModelRecommender.load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
    np.testing.assert_allclose(grown.score(query)[:, : len(WORLD.catalog)], wishful.score(query), atol=0.02)


def test_the_curve_has_the_loss_of_every_step_and_validation_losses(wishful: LanguageModelRecommender) -> None:
    losses = [point["loss"] for point in wishful.curve if "loss" in point]
    checks = [point["valid_loss"] for point in wishful.curve if "valid_loss" in point]
    assert len(losses) == wishful.curve[-1]["step"]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert len(checks) == 60
    assert wishful.perplexity["after"] < wishful.perplexity["before"]


def test_interrupted_tuning_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    train, queries, targets = leave_last_out(WORLD)
    config = replace(TINY, epochs=6, save_every_s=0.0)

    class StopAt:
        def __init__(self, step: int) -> None:
            self.at = step

        def stage(self, name: str, *, total: int) -> None:
            pass

        def step(self, done: int, *, loss: float | None = None) -> None:
            if done == self.at and loss is not None:
                raise RuntimeError("pulled the plug")

    whole = LanguageModelRecommender(config).fit(train, FitContext(validation=(queries, targets), seed=3))
    with pytest.raises(RuntimeError):
        LanguageModelRecommender(config).fit(train, FitContext(seed=3, progress=StopAt(3), folder=tmp_path))
    assert (tmp_path / "state.json").is_file()
    resumed = LanguageModelRecommender(config).fit(train, FitContext(seed=3, folder=tmp_path))
    np.testing.assert_array_equal(resumed.score(queries), whole.score(queries))


def test_another_base_on_this_machine_is_refused(tmp_path: Path) -> None:
    train, _, _ = leave_last_out(WORLD)
    LanguageModelRecommender(replace(TINY, epochs=1)).fit(train).save(tmp_path)
    (tmp_path / "base.json").write_text('{"name": "tiny", "sha256": "0000", "seed": 0}', encoding="utf-8")
    with pytest.raises(ModelError, match="Fetch the same base"):
        LanguageModelRecommender.load(tmp_path, WORLD.catalog)


def test_item_codes_of_another_catalog_are_refused(tmp_path: Path) -> None:
    train, _, _ = leave_last_out(WORLD)
    LanguageModelRecommender(replace(TINY, epochs=1)).fit(train).save(tmp_path)
    write_codes(tmp_path / "codes.json", atomic(2), ["somebody", "else's"])
    with pytest.raises(ModelError, match="this catalog"):
        LanguageModelRecommender.load(tmp_path, WORLD.catalog)


def test_ten_thousand_characters_cost_no_more_than_a_sentence(wishful: LanguageModelRecommender) -> None:
    text = "something comedy " * 600
    (answer,) = wishful.recommend([Query(history=history_of(0), instruction=Instruction(text=text, wish=text))])
    assert len(answer.items) == 10


def hugging_face_folder(place: Path) -> Path:
    """A base as a user brings it: a folder with configuration, safetensors and a tokenizer of its own."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    words = {"<unk>": 0} | {word: code for code, word in enumerate(("something", "comedy", "horror", "drama", "from", "the"), 1)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>").save_pretrained(place)
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4)
    AutoModelForCausalLM.from_config(config).save_pretrained(place)
    return place


def qwen_folder(place: Path, kind: Any) -> Path:
    """The same with a body of `kind`, Qwen2Config or Qwen3Config, whose biases and gains of norms are not what they begin as."""
    import torch
    from transformers import AutoModelForCausalLM

    hugging_face_folder(place)
    shape = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    # transformers does not read the width of a head from GGUF: Qwen 2 has hidden / heads, Qwen 3 always 128.
    causal = AutoModelForCausalLM.from_config(kind(**shape, num_key_value_heads=2, max_position_embeddings=512))
    for name, weight in causal.named_parameters():
        if name.endswith(("bias", "_norm.weight")):
            torch.nn.init.normal_(weight, mean=1.0, std=0.3)
    causal.save_pretrained(place)
    return place


def test_a_folder_in_hugging_face_layout_is_a_base(tmp_path: Path) -> None:
    train, queries, _ = leave_last_out(WORLD)
    config = replace(TINY, base=str(hugging_face_folder(tmp_path / "base")), epochs=3)
    model = LanguageModelRecommender(config).fit(train)
    (tmp_path / "model").mkdir()
    model.save(tmp_path / "model")
    copy = LanguageModelRecommender.load(tmp_path / "model", WORLD.catalog)
    np.testing.assert_array_equal(copy.score(queries), model.score(queries))
