"""The writer of reviews knows what was said before and nothing of the review itself, and writes with words of train only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from instructrec.data.reviews import Review
from instructrec.errors import ModelError
from instructrec.tuning.knowing import Memory, RatingBiases
from instructrec.tuning.reviewing import ReviewWriter, ReviewWriterConfig

TINY = ReviewWriterConfig(
    base="tiny", layers=2, epochs=12, batch_tokens=200, prompts=2, samples=3, most_tokens=12, learning_rate=3e-3
)
ABOUT = {"i0": "strap", "i1": "cable", "i2": "tuner", "i3": "capo"}


def world(users=12):
    return [
        Review(
            user=f"u{u}",
            item=item,
            rating=float(3 + (u + k) % 3),
            feature=thing,
            opinion="great",
            sentence=f"u{u} has a great {thing}",
        )
        for u in range(users)
        for k, (item, thing) in enumerate(ABOUT.items())
        if (u + k) % 4
    ]


@pytest.fixture(scope="module")
def tuned():
    return ReviewWriter(TINY).fit(world(), world()[::5])


def test_what_is_known_leaves_out_the_review_itself():
    reviews = world()
    memory = Memory(reviews)
    for review in reviews:
        known = memory.known(review.user, review.item)
        assert review not in known.of_item + known.by_user
        assert {other.item for other in known.of_item} == {review.item}
        assert {other.user for other in known.by_user} == {review.user}
        assert known.item_features == [review.feature] and review.feature not in known.user_features
    strange = memory.known("nobody", "nothing")
    assert strange.of_item == strange.by_user == () and strange.rating == pytest.approx(memory.biases.mean)


def test_biases_are_shrunk_means():
    reviews = [
        Review(user="a", item="i", rating=5.0),
        Review(user="b", item="i", rating=3.0),
        Review(user="a", item="j", rating=1.0),
    ]
    biases = RatingBiases.of(reviews, shrink=1.0)
    assert biases.mean == 3.0
    assert [biases.of_item(item) for item in "ijk"] == [pytest.approx(2 / 3), -1.0, 0.0]
    assert [biases.of_user(user, "i") for user in "abc"] == [pytest.approx((2 - 2 / 3 - 2 + 1) / 3), pytest.approx(-1 / 3), 0.0]
    assert RatingBiases.of(reviews[:1], shrink=1.0).rating("a", "i") == 5.0


def test_the_rating_expected_does_not_know_the_review_itself():
    reviews = world()
    review = reviews[5]
    memories = [Memory([replace(o, rating=rating) if o == review else o for o in reviews]) for rating in (1.0, 5.0)]
    low, high = (memory.known(review.user, review.item).rating for memory in memories)
    # The mean of all ratings is all that holds it.
    assert high - low < memories[1].biases.mean - memories[0].biases.mean + 1e-9
    low, high = (memory.biases.rating(review.user, review.item) for memory in memories)
    assert high - low > 0.5


def test_the_prompt_does_not_depend_on_what_is_to_be_written(tuned):
    review = world()[3]
    prompts = []
    for sentence in (review.sentence, "something else that is long"):
        tuned.memory = Memory([replace(other, sentence=sentence) if other == review else other for other in world()])
        prompts.append(tuned._prompt(tuned.memory.known(review.user, review.item), np.random.default_rng(0), dropout=0.0))
    tuned.memory = Memory(world())
    assert prompts[0] == prompts[1]


def test_draws_are_many_of_words_of_train_and_repeat_with_the_seed(tuned, monkeypatch):
    pairs = [Review(user="u0", item="i0", rating=0.0), Review(user="nobody", item="nothing", rating=0.0), world()[0]]
    # The tokenizer of the tiny base does not give back the words that it read.
    words = {word for review in world() for word in tuned._tokenizer.decode(tuned._tokens(review.sentence)).split()}
    monkeypatch.setattr(tuned.memory, "words", frozenset(words))
    drawn = tuned.draw(pairs, at_once=2)
    assert [len(texts) for texts in drawn] == [6, 6, 6]
    assert all(len(text.split()) <= TINY.most_tokens for texts in drawn for text in texts)
    assert drawn == tuned.draw(pairs, at_once=2) != tuned.draw(pairs, at_once=2, seed=1)
    strange = drawn[0][0].split()[0]
    monkeypatch.setattr(tuned.memory, "words", frozenset(words - {strange}))
    kept = tuned.draw(pairs, at_once=2)
    assert kept == [[text for text in texts if strange not in text.split()] for texts in drawn] != drawn


def test_tuning_lowers_the_loss_on_validation(tuned):
    losses = [point["valid_loss"] for point in tuned.curve if "valid_loss" in point]
    assert len(losses) == TINY.epochs and losses[-1] < losses[0] - 0.5
    assert tuned.parameters > 512 * 32


def test_a_base_that_reads_both_ways_is_refused():
    with pytest.raises(ModelError, match="reads both ways"):
        ReviewWriter(replace(TINY, base="scratch-t5")).fit(world())


def test_a_draw_is_what_reading_each_sentence_alone_gives(tuned):
    rng = np.random.default_rng(0)
    pairs = [tuned.memory.known(user, item) for user, item in (("u0", "i0"), ("nobody", "nothing"), ("u1", "i3"))]
    prompts = [tuned._prompt(known, rng, dropout=0.0) for known in pairs]
    drawn = tuned._drawn(prompts, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    chances = [torch.rand(3, TINY.samples, generator=generator).tolist() for _ in range(TINY.most_tokens)]
    lengths = set()
    for row, prompt in enumerate(prompts):
        for sample in range(TINY.samples):
            written = []
            for step in range(TINY.most_tokens):
                tokens = torch.tensor([[*prompt, *tuned._written[written].tolist()]])
                with torch.no_grad():
                    states = tuned.model.hidden(tokens, torch.arange(tokens.shape[1])[None])[0, -1:]
                    scores = tuned.model.scores_of(states, tuned._written)[0] / TINY.temperature
                written.append(int((scores.softmax(0).cumsum(0) <= chances[step][row][sample]).sum()))
                if written[-1] == 0:
                    break
            assert drawn[row][sample] == tuned._text(written)
            lengths.add(len(written))
    assert len(lengths) > 1
