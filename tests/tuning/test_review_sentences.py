"""Review sentences as answers of the shared tuning: own words, what was known before, and nothing later or held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.data.test_praise import START, world

from instructrec.core import ItemRef
from instructrec.data import SplitConfig, split
from instructrec.errors import ConfigError
from instructrec.instructions.render import wording
from instructrec.instructions.reviews import ReviewSentence, review_question
from instructrec.instructions.tasks import Chunk, TaskConfig, TaskMixture, chunks
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.tables import Written
from instructrec.tuning.review_sentences import review_sentences

TEXTS = {
    (0, 0, 10): "I got it. The strap is great for me.",
    (1, 0, 20): "A weak strap, that is all.",
    (2, 0, 30): "This strap is a nice strap.",
    (0, 1, 40): "It came on time.",
    (0, 2, 50): "Never a bad strap.",
}
ONLY = {f"share_{kind}": 0.0 for kind in TaskConfig().shares()} | {"share_review": 1.0}


def test_a_sentence_comes_with_what_others_had_written_before_and_with_nothing_later():
    found = review_sentences(world(TEXTS))
    assert [row.get(0) and (row[0].sentence, row[0].feature, row[0].others) for row in found[:3]] == [
        ("the strap is great for me", "strap", ""),
        ("a weak strap that is all", "strap", "the strap is great for me"),
        ("this strap is a nice strap", "strap", "a weak strap that is all"),
    ]
    assert set(found[0]) == {0, 2} and found[0][2].others == ""


@pytest.mark.parametrize("kind", ["leave-one-out", "ratio"])
def test_reviews_that_are_held_out_are_no_answers_and_are_not_shown(kind):
    parts = split(world(TEXTS), SplitConfig(kind=kind))
    found = review_sentences(parts.train)
    assert len(found) == sum(len(history) > 0 for history in parts.train.interactions.histories())
    assert set(found[0]) == {0}
    assert all("never a bad strap" not in (row.sentence, row.others) for own in found for row in own.values())


def test_reviews_that_came_after_training_are_neither():
    dataset = world(TEXTS)
    late = tuple(Written(review.text, START + 10_000) for review in dataset.interactions.reviews)
    assert not any(review_sentences(replace(dataset, interactions=replace(dataset.interactions, reviews=late))))
    assert review_sentences(replace(dataset, interactions=replace(dataset.interactions, reviews=()))) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_question_shows_the_item_and_maybe_others_but_never_its_answer(language):
    written = ReviewSentence(sentence="the strap is great", feature="strap", others="a weak strap", rating=4.0)
    rng, forms = np.random.default_rng(0), wording(language)
    said = [review_question(3, written, rng, at=2, forms=forms, weight=2.0) for _ in range(60)]
    words = [branch.pieces[1] for branch in said]
    assert all(branch.pieces[0] == ItemRef(3) and branch.at == 2 and branch.task == "review" for branch in said)
    assert all(branch.completion.startswith("the strap is great") and "4" in branch.completion for branch in said)
    assert not any("the strap is great" in text for text in words)
    assert 10 < sum("a weak strap" in text for text in words) < 50
    unrated = review_question(3, replace(written, rating=float("nan")), rng, at=2, forms=forms, weight=2.0)
    assert unrated.completion == "the strap is great"


def test_the_mixture_asks_for_reviews_where_there_are_some():
    dataset = world(TEXTS)
    histories = dataset.interactions.histories()
    rng = np.random.default_rng(0)
    pieces = chunks(histories, length=10, rng=rng, written=review_sentences(dataset))
    mixture = TaskMixture(dataset.catalog, replace(TaskConfig(questions=1000.0), **ONLY), language="en", reviews=True)
    asked = {}
    for example in mixture.examples(pieces[:1], rng):
        for branch in example.branches:
            asked[branch.pieces[0].code] = (branch.completion, branch.at)
    # Item 1 was reviewed without a word on a feature, and has no values to wish for.
    assert asked == {0: ("the strap is great for me", 1), 2: ("never a bad strap", 3)}


def test_where_no_reviews_were_read_nothing_changes():
    dataset = world(TEXTS)
    told = review_sentences(dataset)
    mixture = TaskMixture(dataset.catalog, TaskConfig(questions=300.0), language="en")
    [plain, with_reviews] = [
        mixture.examples([Chunk.whole(dataset.interactions.history(0), written)], np.random.default_rng(1))
        for written in (None, told[0])
    ]
    assert plain == with_reviews
    without = TaskConfig(share_review=0.0).shares()
    assert TaskConfig().shares() == without and TaskConfig().shares(reviews=True)["review"] == pytest.approx(0.05 / 1.39)


def test_the_model_is_tuned_on_them():
    tiny = LmConfig(
        base="tiny", layers=2, lora_rank=4, lora_alpha=8.0, epochs=2, batch_tokens=640, factor_width=16, questions=100.0
    )
    model = LanguageModelRecommender(replace(tiny, **ONLY)).fit(world(TEXTS))
    assert len(model.curve) >= 2 and all(np.isfinite(point["loss"]) for point in model.curve if "loss" in point)
    bare = world({pair: "" for pair in TEXTS}, others=("",) * 5)
    bare = replace(bare, interactions=replace(bare.interactions, reviews=()))
    with pytest.raises(ConfigError, match="one must be above"):
        LanguageModelRecommender(replace(tiny, **ONLY)).fit(bare)
