"""Measures of generated sentences against independent implementations and against cases counted by hand."""

from __future__ import annotations

import random

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from instructrec.evaluation import text_quality as quality


def made_up(seed, number=60, words=9):
    """Sentences over a small alphabet of words, so that n-grams repeat within and between them."""
    rng = random.Random(seed)
    return [[f"w{rng.randrange(words)}" for _ in range(rng.randrange(1, 14))] for _ in range(number)]


def joined(sentences):
    return [" ".join(words) for words in sentences]


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_bleu_is_that_of_sacrebleu(order, seed):
    found, references = made_up(seed), made_up(seed + 100)
    oracle = sacrebleu.BLEU(tokenize="none", smooth_method="none", max_ngram_order=order, force=True)
    expected = oracle.corpus_score(joined(found), [joined(references)]).score
    assert quality.bleu(found, references, order=order) == pytest.approx(expected, rel=1e-9)


def test_bleu_counts_short_texts_and_missing_matches_as_papineni_does():
    assert quality.bleu([["a", "b"]], [["a", "b", "c", "d"]], order=1) == pytest.approx(100 * 2.718281828459045**-1)
    assert quality.bleu([["a", "b"]], [["a", "b"]]) == 0.0
    assert quality.bleu([["a", "a", "a"]], [["a", "b", "c"]], order=1) == pytest.approx(100 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_rouge_is_that_of_rouge_score(seed):
    found, references = made_up(seed), made_up(seed + 100)
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)
    scores = [scorer.score(wanted, text) for wanted, text in zip(joined(references), joined(found), strict=True)]
    mean = {name: 100 * sum(score[name].fmeasure for score in scores) / len(scores) for name in scores[0]}
    assert quality.rouge_n(found, references) == pytest.approx(mean["rouge1"])
    assert quality.rouge_n(found, references, order=2) == pytest.approx(mean["rouge2"])
    assert quality.rouge_l(found, references) == pytest.approx(mean["rougeL"])


SENTENCES = [
    ["great", "sound", "and", "fair", "price"],
    ["great", "sound"],
    ["great", "sound"],
    ["the", "strap", "slips"],
]
FEATURES = frozenset({"sound", "price", "strap", "cable"})


def test_variety_and_features_counted_by_hand():
    assert quality.unique_sentence_ratio(SENTENCES) == 3 / 4
    assert quality.feature_matching_ratio(SENTENCES, ["price", "price", "sound", "cable"]) == 2 / 4
    assert quality.feature_coverage_ratio(SENTENCES, FEATURES) == 3 / 4
    # "sound" stands in three sentences, so three of the six pairs share it; no pair shares anything else.
    assert quality.feature_diversity(SENTENCES, FEATURES) == 3 / 6
    assert quality.distinct(SENTENCES, order=1) == 8 / 12
    assert quality.distinct(SENTENCES, order=2) == 6 / 8


def test_diversity_is_the_mean_over_pairs():
    found = made_up(3, number=25)
    features = frozenset({"w0", "w1", "w2"})
    pairs = [len(features & set(a) & set(b)) for place, a in enumerate(found) for b in found[:place]]
    assert quality.feature_diversity(found, features) == pytest.approx(sum(pairs) / len(pairs))


def test_nothing_written_is_worth_nothing():
    assert quality.bleu([], []) == quality.rouge_n([], []) == quality.rouge_l([[]], [["a"]]) == 0.0
    assert quality.unique_sentence_ratio([]) == quality.distinct([["a"]]) == 0.0
    assert quality.feature_diversity([["a"]], frozenset("a")) == 0.0
    assert quality.feature_coverage_ratio([], frozenset()) == quality.feature_matching_ratio([], []) == 0.0


def test_sentences_and_references_must_be_as_many():
    with pytest.raises(ValueError, match="2 sentences cannot be compared with 1 references"):
        quality.rouge_n([["a"], ["b"]], [["a"]])
