"""Codes of several tokens: the contract for two kinds, and that what is tuned is what is served."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.contracts import NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out
from tests.models.test_lm import TINY

from instructrec.core import FitContext, Instruction, Query, Recommendation
from instructrec.errors import ConfigError, ModelError
from instructrec.generation.beam import BeamOptions
from instructrec.generation.codes import read_codes
from instructrec.generation.generator import Prompt
from instructrec.instructions.render import query_example
from instructrec.models.lm import LanguageModelRecommender
from instructrec.models.tiger import Tiger, TigerConfig
from instructrec.tuning.loop import losses
from instructrec.tuning.packing import pack

SMALL = TigerConfig(
    layers=2, width=32, code_levels=(5, 4), epochs=40, learning_rate=5e-3, batch_tokens=640, factor_width=16, dropout=0.1
)
TITLES = replace(TINY, codes="title")


class TestTiger(RecommenderContract):
    """Products in bfloat16 while tuning, in float32 when serving."""

    @classmethod
    def make(cls) -> Tiger:
        return Tiger(SMALL)

    batch_tolerance = 0.001
    checkerboard_share = 0.2
    examples = 15


class TestTitleCodes(RecommenderContract):
    """`lm` on a pretrained base that spells titles; bfloat16 rounds by the shape of the batch."""

    @classmethod
    def make(cls) -> LanguageModelRecommender:
        return LanguageModelRecommender(TITLES)

    batch_tolerance = 0.05
    checkerboard_share = 0.2
    examples = 15


@pytest.fixture(scope="module")
def tiger() -> Tiger:
    train, queries, targets = leave_last_out(WORLD)
    return Tiger(SMALL).fit(train, FitContext(validation=(queries, targets), seed=1))


def seen_too(user: int) -> Query:
    return Query(history=history_of(user), hide_seen=False)


def test_scores_are_log_probabilities_over_the_catalog(tiger: Tiger) -> None:
    scores = tiger.score([seen_too(user) for user in range(6)])
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-3)


def test_what_is_hidden_does_not_change_the_scores_of_what_is_shown(tiger: Tiger) -> None:
    shown, hidden = tiger.score([seen_too(2)]), tiger.score([Query(history=history_of(2))])
    left = ~np.isin(np.arange(len(WORLD.catalog)), WORLD.catalog.codes(history_of(2)))
    np.testing.assert_allclose(hidden[0, left], shown[0, left], atol=1e-4)


def test_the_loss_of_tuning_is_the_score_of_serving(tiger: Tiger) -> None:
    """One road: cross-entropy of the items of a history, as tuning computes it, is minus their log-probability in a search."""
    history = history_of(4)
    example = query_example(Query(history=history), WORLD.catalog, language="en", max_history=50)
    encoded = tiger._encoder.encode(example)
    model = tiger._ready()
    with torch.inference_mode():
        _, tuned = losses(model, pack([encoded], [[0]], padding=tiger._encoder.codes.answer), tiger._encoder.trie, tiger.catalog)
    codes = WORLD.catalog.codes(history)
    prefixes = [Query(history=history[:k], hide_seen=False) for k in range(len(history))]
    scores = tiger.score(prefixes)
    assert tuned == pytest.approx(-float(np.mean([scores[k, code] for k, code in enumerate(codes)])), rel=0.02)


def test_a_narrow_beam_still_gives_as_many_items_as_asked_for(tiger: Tiger) -> None:
    narrow = served_with(tiger, replace(SMALL, beam=1))
    (answer,) = narrow.recommend([Query(history=history_of(0), n=25)])
    assert answer.items[0] == tiger.recommend([Query(history=history_of(0), n=25)])[0].items[0]
    assert len({item.item for item in answer.items}) == len(answer.items)


def test_codes_stay_when_items_are_added_and_new_items_have_one(tiger: Tiger, tmp_path: Path) -> None:
    tiger.save(tmp_path)
    old = read_codes(tmp_path / "codes.json", WORLD.catalog.item_ids)
    grown = Tiger.load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
    codes = grown.book.codes
    assert [codes.encode(item) for item in range(len(old))] == [old.encode(item) for item in range(len(old))]
    assert tiger.codes_of(NEW_ITEMS).tolist() == codes.tokens[len(old) :].tolist()
    (answer,) = grown.recommend([Query(history=history_of(0), n=len(WORLD.catalog) + 2)])
    assert {"new-0", "new-1"} <= {item.item for item in answer.items}


def test_items_are_drawn_at_a_temperature_without_repeats(tiger: Tiger) -> None:
    generator = tiger._generator
    assert generator is not None
    prompts = [Prompt(tokens=example.tokens) for example in tiger.encoded([seen_too(0)])]
    masks = np.ones((1, len(WORLD.catalog)), dtype=np.bool_)
    best = generator.search(prompts, masks, BeamOptions(width=8)).items[0].tolist()
    drawn = [generator.search(prompts, masks, BeamOptions(width=8, temperature=2.0, seed=k)).items[0].tolist() for k in range(5)]
    assert all(len(set(items)) == 8 for items in drawn)
    assert any(items != best for items in drawn)


def served_with(tiger: Tiger, config: TigerConfig) -> Tiger:
    other = Tiger(config)
    other.__dict__ |= {key: value for key, value in tiger.__dict__.items() if key != "config"}
    return other


def test_lists_are_drawn_by_a_setting_and_the_same_when_asked_again(tiger: Tiger) -> None:
    drawn = served_with(tiger, replace(SMALL, beam_temperature=3.0))
    queries = [Query(history=history_of(user), n=8) for user in range(6)]
    lists = [[item.item for item in answer.items] for answer in drawn.recommend(queries)]
    assert lists == [[item.item for item in answer.items] for answer in drawn.recommend(queries)]
    assert lists != [[item.item for item in answer.items] for answer in tiger.recommend(queries)]
    assert all(len(set(items)) == 8 for items in lists)


def test_diverse_beams_begin_in_more_clusters(tiger: Tiger) -> None:
    def clusters(model: Tiger) -> float:
        answers = model.recommend([Query(history=history_of(user), n=6) for user in range(12)])
        first = [{int(tiger.book.codes.encode(WORLD.catalog.index[one.item])[0]) for one in answer.items} for answer in answers]
        return float(np.mean([len(found) for found in first]))

    narrow = replace(SMALL, beam=6)
    assert clusters(served_with(tiger, replace(narrow, beam_diversity=5.0))) > clusters(served_with(tiger, narrow))


@pytest.mark.parametrize("settings", [{"beam": 0}, {"beam_temperature": -1.0}, {"beam_temperature": 1.0, "beam_diversity": 1.0}])
def test_settings_of_a_search_that_cannot_be_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="beam"):
        replace(SMALL, **settings)


def test_words_reach_an_answer_that_is_written_token_by_token() -> None:
    train, _, _ = leave_last_out(WORLD)
    config = replace(SMALL, epochs=60, questions=40.0, share_wish=1.0, share_preference=0.0, share_limit=0.0, share_explanation=0.0)
    model = Tiger(config).fit(train, FitContext(seed=1))
    genres = WORLD.catalog.labels["genres"]

    def share(genre: str, answers: list[Recommendation]) -> float:
        has = genres.matrix()[:, genres.names.index(genre)]
        return float(np.mean([has[WORLD.catalog.codes([item.item for item in answer.items])].mean() for answer in answers]))

    def ask(genre: str) -> list[Recommendation]:
        wish = Instruction(text=genre, wish=f"could we have {genre} this evening")
        return model.recommend([Query(history=history_of(user), instruction=wish, n=5) for user in range(8)])

    assert share("Comedy", ask("comedy")) > share("Comedy", ask("horror")) + 0.2


def test_settings_that_make_no_codes_say_what_was_wanted() -> None:
    train, _, _ = leave_last_out(WORLD)
    with pytest.raises(ModelError, match="multiple of 32"):
        Tiger(replace(SMALL, width=50)).fit(train)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_fewer_bits_give_nearly_the_same_lists(tiger: Tiger, precision: str) -> None:
    rounded = Tiger(replace(SMALL, precision=precision))  # type: ignore[arg-type]
    rounded.__dict__ |= {key: value for key, value in tiger.__dict__.items() if key != "config"}
    rounded.warm()
    queries = [Query(history=history_of(user), n=5) for user in range(8)]
    for whole, other in zip(tiger.recommend(queries), rounded.recommend(queries), strict=True):
        assert len({item.item for item in whole.items} & {item.item for item in other.items}) >= 3


def test_a_body_that_cannot_be_searched_is_refused_before_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Steps:
        seen = 0

        def stage(self, name: str, *, total: int) -> None:
            pass

        def step(self, done: int, *, loss: float | None = None) -> None:
            self.seen += loss is not None

    def refuse(*_: object, **__: object) -> None:
        raise ModelError("Continuations cannot be decoded with a body of type 'odd'.")

    monkeypatch.setattr("instructrec.generation.generator.SharedPrefixDecoder", refuse)
    train, _, _ = leave_last_out(WORLD)
    steps = Steps()
    with pytest.raises(ModelError, match="of type 'odd'"):
        Tiger(SMALL).fit(train, FitContext(progress=steps))
    assert steps.seen == 0
