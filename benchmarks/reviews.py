"""Sentences that explain a recommendation, against what users wrote: our writer, PETER, and simple peers, on one division.

    python -m benchmarks.reviews --data musical-instruments --json
    python -m benchmarks.reviews --file reviews.pickle --index 1 --json

Raw reviews (--data, or --file) become one sentence each, with a feature and an opinion, by the rules of `explain/opinions.py`; a file
in PETER's format has them already, and --index names a folder with its division. Otherwise a random 10 % each is validation and test,
and every user and item is in train (--seed). Features are found over all reviews, as the field's tools do; nothing else of test
reviews is seen by anyone: no feature of the sentence to be written is given to any row.

Rows: `commonest` sentence of train; `retrieved`: the sentence of another user about the item that is most like what is known of
item and user; `PETER` (benchmarks/peter.py); `writer, drawn`: one draw of ours; `writer`: the draw that `tuning/choosing.py`
takes. Its weights are searched on validation, for the least of the ratios to the goals set against PETER's validation values.
BLEU and ROUGE times 100 against one reference; USR, FMR, FCR, DIV (lower is better): evaluation/text_quality.py. RMSE: of ratings.
Models and draws are kept in --work, and minutes are those of fitting when it was done.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from benchmarks.peter import Peter, PeterConfig
from instructrec.data.reviews import Review, ReviewSplit, published_split, random_split, read_reviews
from instructrec.evaluation import text_quality as quality
from instructrec.explain.opinions import with_opinions
from instructrec.tuning.choosing import Candidates, ChoiceWeights, candidates, choose
from instructrec.tuning.knowing import Memory, RatingBiases
from instructrec.tuning.reviewing import ReviewWriter, ReviewWriterConfig

FILES = {
    "musical-instruments": "amazon2014-musical-instruments/reviews.parquet",
    "gift-cards": "amazon2018-gift-cards/Gift_Cards_5.json.gz",
}
SHRINKS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
TRIALS = 300
"""Weights of the choice that are tried on validation."""
Texts = list[list[str]]
Metrics = dict[str, float]


def goals(peter: Metrics) -> Mapping[str, float]:
    """What the writer is to reach, against PETER's values."""
    factors = {"bleu_4": 1.15, "rouge_1": 1.08, "fmr": 1.5, "fcr": 2.0, "div": 0.8}
    return {name: factor * peter[name] for name, factor in factors.items()} | {"usr": 0.6}


def reached(found: Metrics, wanted: Mapping[str, float]) -> dict[str, float]:
    """Each value by its goal; 1 or more is reached."""
    return {name: goal / max(found[name], 1e-9) if name == "div" else found[name] / max(goal, 1e-9) for name, goal in wanted.items()}


def measured(found: Texts, reviews: Sequence[Review], features: frozenset[str]) -> Metrics:
    """All measures of sentences."""
    references = [review.words for review in reviews]
    return {
        "bleu_1": quality.bleu(found, references, order=1),
        "bleu_4": quality.bleu(found, references),
        "rouge_1": quality.rouge_n(found, references),
        "rouge_2": quality.rouge_n(found, references, order=2),
        "rouge_l": quality.rouge_l(found, references),
        "usr": quality.unique_sentence_ratio(found),
        "fmr": quality.feature_matching_ratio(found, [review.feature for review in reviews]),
        "fcr": quality.feature_coverage_ratio(found, features),
        "div": quality.feature_diversity(found, features),
        "words": float(np.mean([len(words) for words in found])),
    }


def rmse(ratings: Sequence[float], reviews: Sequence[Review]) -> float:
    """Root mean squared error of ratings."""
    return float(np.sqrt(np.mean([(rating - review.rating) ** 2 for rating, review in zip(ratings, reviews, strict=True)])))


def searched(valid: Sequence[Candidates], measure: Callable[[Texts], Metrics], wanted: Mapping[str, float]) -> ChoiceWeights:
    """The weights whose validation sentences come nearest to all goals: the least of the ratios to the goals is greatest."""
    rng = np.random.default_rng(0)
    best, least = ChoiceWeights(), -np.inf
    for trial in range(TRIALS):
        weights = ChoiceWeights() if trial == 0 else _drawn(rng)
        found = min(reached(measure(choose(valid, weights)), wanted).values())
        if found > least:
            best, least = weights, found
    return best


def _drawn(rng: np.random.Generator) -> ChoiceWeights:
    def size(low: float, high: float) -> float:
        return 0.0 if rng.random() < 0.15 else float(np.exp(rng.uniform(np.log(low), np.log(high))))

    return ChoiceWeights(
        pairs=size(0.1, 3.0),
        triples=size(0.1, 5.0),
        fours=size(0.1, 10.0),
        of_item=size(0.05, 2.0),
        by_user=size(0.05, 1.0),
        feature=size(0.01, 1.0),
        length=float(rng.normal(0.0, 0.01)),
        again=size(0.003, 0.3),
        crowded=size(0.03, 3.0),
    )


def best_shrink(parts: ReviewSplit) -> float:
    """The strength of shrinking rating biases that fits validation best."""

    def error(shrink: float) -> float:
        biases = RatingBiases.of(parts.train, shrink=shrink)
        return rmse([biases.rating(review.user, review.item) for review in parts.valid], parts.valid)

    return min(SHRINKS, key=error)


def retrieved(memory: Memory, reviews: Sequence[Review], features: frozenset[str]) -> Texts:
    """For each pair the sentence about its item, by another user, that is most like the rest of what is known."""
    commonest = Counter(review.sentence for review in memory.train).most_common(1)[0][0]
    found = []
    for review in reviews:
        known = memory.known(review.user, review.item)
        found.append(candidates([other.sentence for other in known.of_item] or [commonest], known, features))
    return choose(found, ChoiceWeights(again=0.0, crowded=0.0))


class Bench:
    """One division, its models and its rows."""

    def __init__(self, options: argparse.Namespace, reviews: Sequence[Review], parts: ReviewSplit) -> None:
        self.options = options
        self.parts = parts
        self.features = frozenset(review.feature for review in reviews)
        self.rows: dict[str, dict[str, Any]] = {}
        self.folder = options.work / f"{Path(options.file).stem if options.file else options.data}-{options.seed}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def row(self, name: str, found: Texts, **more: float) -> None:
        """Measure a row and print it."""
        self.rows[name] = measured(found, self.parts.test, self.features) | more
        print(name, json.dumps({key: round(value, 4) for key, value in self.rows[name].items()}), flush=True)

    def simple(self, memory: Memory) -> None:
        """The rows without a model."""
        commonest = Counter(review.sentence for review in self.parts.train).most_common(1)[0][0].split()
        self.row("commonest", [commonest for _ in self.parts.test])
        self.row("retrieved", retrieved(memory, self.parts.test, self.features))

    def peter(self) -> Metrics:
        """PETER's row; its values on validation."""
        config = PeterConfig()
        began = time.monotonic()
        model = Peter(config).fit(self.parts, seed=self.options.seed, progress=Lines("peter"))
        minutes = (time.monotonic() - began) / 60
        error = rmse(model.rate(self.parts.test), self.parts.test)
        self.row("PETER", model.write(self.parts.test), rmse=error, parameters=model.parameters, minutes=minutes)
        return measured(model.write(self.parts.valid), self.parts.valid, self.features)

    def writer(self, memory: Memory, wanted: Mapping[str, float]) -> None:
        """Our rows."""
        config = ReviewWriterConfig()
        began = time.monotonic()
        model = ReviewWriter(config).fit(self.parts.train, seed=self.options.seed, progress=Lines("writer"), folder=self.folder)
        minutes = (time.monotonic() - began) / 60
        drawn = {name: model.draw(getattr(self.parts, name), progress=Lines(name)) for name in ("valid", "test")}
        biases = memory.biases
        facts = {
            "rmse": rmse([biases.rating(review.user, review.item) for review in self.parts.test], self.parts.test),
            "parameters": model.parameters,
            "minutes": minutes,
        }
        self.row("writer, drawn", [texts[0].split() for texts in drawn["test"]], **facts)
        valid, test = (self._candidates(drawn[name], memory, getattr(self.parts, name)) for name in ("valid", "test"))
        weights = searched(valid, lambda found: measured(found, self.parts.valid, self.features), wanted)
        self.row("writer", choose(test, weights), **facts)
        self.weights = dataclasses.asdict(weights)

    def _candidates(self, drawn: Sequence[Sequence[str]], memory: Memory, reviews: Sequence[Review]) -> list[Candidates]:
        known = [memory.known(review.user, review.item) for review in reviews]
        return [candidates(texts, one, self.features) for texts, one in zip(drawn, known, strict=True)]
