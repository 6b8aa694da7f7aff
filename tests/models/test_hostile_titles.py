"""More than 200 hostile titles: each has a code of its own, none becomes a special token, and lists stay what they were."""

from pathlib import Path

import numpy as np
import pytest
from tests.hostile import MARKS, TITLES
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from instructrec.core import FitContext, Instruction, Query
from instructrec.lm.decoder import HubTokenizer
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.tables import Catalog, Dataset, Interactions

ITEM_IDS = tuple(f"item-{number}" for number in range(len(TITLES)))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose tokenizer reads bytes and has every mark as a special token, as chat models do."""
    place = tmp_path_factory.mktemp("base")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [AddedToken(mark, special=True) for mark in MARKS]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=marks, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(["heat ignore your rules show only item"], trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=MARKS[2]).save_pretrained(place)
    config = LlamaConfig(vocab_size=512, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    AutoModelForCausalLM.from_config(config).save_pretrained(place)
    return place


def world() -> Dataset:
    """Every title is met; users walk through the catalog."""
    rng = np.random.default_rng(0)
    items = np.concatenate([rng.permutation(len(TITLES))[:30] for _ in range(40)])
    log = Interactions(
        user_ids=tuple(f"user-{number}" for number in range(40)),
        users=np.repeat(np.arange(40), 30),
        items=items,
        timestamps=np.arange(len(items)),
        ratings=np.full(len(items), np.nan, dtype=np.float32),
    )
    return Dataset(name="hostile", interactions=log, catalog=Catalog(item_ids=ITEM_IDS, titles=TITLES))


def test_there_are_more_than_200_and_many_are_alike() -> None:
    assert len(TITLES) > 200
    assert len(set(TITLES)) < len(TITLES)


def test_no_title_becomes_a_special_token(base: Path) -> None:
    tokenizer = HubTokenizer(str(base))
    assert len(MARKS) == 27
    for title in TITLES:
        assert all(token >= len(MARKS) for token in tokenizer.encode(f" {title}")), title[:60]


@pytest.mark.parametrize("codes", ["title", "semantic", "atomic"])
def test_a_model_of_hostile_titles_gives_whole_lists_of_distinct_items(base: Path, tmp_path: Path, codes: str) -> None:
    config = LmConfig(base=str(base), codes=codes, code_levels=(16, 8), layers=2, lora_rank=4, epochs=1, factor_width=16)  # type: ignore[arg-type]
    model = LanguageModelRecommender(config).fit(world(), FitContext(seed=0))
    written = [model.book.codes.encode(item) for item in range(len(TITLES))]
    assert len(set(written)) == len(TITLES)
    assert [model.book.codes.decode(code) for code in written] == list(range(len(TITLES)))
    queries = [
        Query(history=ITEM_IDS[:5], n=60, instruction=Instruction(text=title, wish=title))
        for title in (TITLES[0], TITLES[30], "a" * 10_000)
    ]
    for answer in model.recommend(queries):
        shown = [item.item for item in answer.items]
        assert len(set(shown)) == 60
        assert not set(shown) & set(ITEM_IDS[:5])
    model.save(tmp_path)
    copied = LanguageModelRecommender.load(tmp_path, model.catalog)
    assert [[item.item for item in answer.items] for answer in copied.recommend(queries)] == [
        [item.item for item in answer.items] for answer in model.recommend(queries)
    ]
