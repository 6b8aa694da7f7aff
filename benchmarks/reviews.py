"""Sentences that explain a recommendation, against what users wrote: our writer, PETER, and simple peers, on one division.

    python -m benchmarks.reviews --data musical-instruments --json
    python -m benchmarks.reviews --file reviews.pickle --index 1 --json

Raw reviews (--data, or --file) become one sentence each, with a feature and an opinion, by the rules of `data/opinions.py`; a
file in PETER's format has them already, and --index names a folder with its division. Otherwise a random 10 % each is validation
and test, and every user and item is in train (--seed). Features are found over all reviews, as the field's tools do; nothing else
of test reviews is seen by anyone: no feature of the sentence to be written is given to any row.

Rows: `commonest` sentence of train; `retrieved`: the sentence of another user about the item that is most like what is known of
item and user; `PETER` (benchmarks/peter.py); `writer, drawn`: one draw of ours; `writer`: the draw that `tuning/choosing.py`
takes. Its weights are searched on validation, for the least of the ratios to the goals set against PETER's validation values.
BLEU and ROUGE times 100 against one reference; USR, FMR, FCR, DIV (lower is better): evaluation/text_quality.py. RMSE: of ratings.
Models and draws are kept in --work, and minutes are those of fitting when it was done.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from benchmarks.peter import Peter, PeterConfig
from instructrec.data.opinions import with_opinions
from instructrec.data.reviews import Review, ReviewSplit, published_split, random_split, read_reviews
from instructrec.evaluation import text_quality as quality
from instructrec.files import write_atomic
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
COLUMNS = {
    "bleu_1": 2, "bleu_4": 2, "rouge_1": 2, "rouge_2": 2, "rouge_l": 2, "usr": 3, "fmr": 3, "fcr": 3, "div": 3, "words": 1,
    "rmse": 3, "parameters": 0, "minutes": 1,
}  # fmt: skip
"""Measures in the order of the table, with their digits."""
SMALL = {"width": 256, "feed_forward": 1024}
PETERS = {
    "width 256, AdamW 1e-3": PeterConfig(**SMALL, optimizer="adamw", learning_rate=1e-3, patience=2),
    "width 256, SGD 1": PeterConfig(**SMALL, epochs=20, patience=2),
    "width 512, AdamW 1e-3": PeterConfig(optimizer="adamw", learning_rate=1e-3, patience=2),
}
"""Settings of PETER that are tried; the one with the greatest BLEU-4 times ROUGE-1 on validation is its row."""
Texts = list[list[str]]
Metrics = dict[str, float]


def goals(peter: Metrics) -> Mapping[str, float]:
    """What the writer is to reach, against PETER's values."""
    factors = {"bleu_4": 1.15, "rouge_1": 1.08, "fmr": 1.5, "fcr": 2.0, "div": 0.8}
    return {name: factor * peter[name] for name, factor in factors.items()} | {"usr": 0.6}


def reached(found: Metrics, wanted: Mapping[str, float]) -> dict[str, float]:
    """Each value by its goal; 1 or more is reached."""
    return {
        name: goal / max(found[name], 1e-9) if name == "div" else found[name] / max(goal, 1e-9) for name, goal in wanted.items()
    }


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
        weights = _drawn(rng) if trial < TRIALS / 3 else _near(best, rng)
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
        of_item=size(0.1, 30.0),
        by_user=size(0.05, 3.0),
        feature=size(0.01, 3.0),
        usual=size(0.01, 1.0),
        length=float(rng.normal(0.0, 0.01)),
        again=size(0.001, 0.3),
        crowded=size(0.01, 3.0),
    )


def _near(weights: ChoiceWeights, rng: np.random.Generator) -> ChoiceWeights:
    """The same weights, each changed by a factor, and one in five drawn anew."""
    anew = dataclasses.asdict(_drawn(rng))
    changed = {
        name: anew[name] if rng.random() < 0.2 else value * float(np.exp(rng.normal(0.0, 0.3)))
        for name, value in dataclasses.asdict(weights).items()
    }
    return ChoiceWeights(**changed)


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
        said = [other.sentence for other in known.of_item] or [commonest]
        found.append(candidates(said, known, features, memory))
    return choose(found, ChoiceWeights(again=0.0, crowded=0.0))


def kept(path: Path, key: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` gives, computed once for a key and then read from a file."""
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["key"] == json.loads(json.dumps(key)):
            return found
    made = {"key": key} | make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(made))
    return made


def digest(content: Any) -> str:
    """Short name of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def division(parts: ReviewSplit) -> str:
    """Short name of a division: another for any other review, or place of one."""
    return digest(
        [
            [(review.user, review.item, review.rating, review.sentence) for review in part]
            for part in (parts.train, parts.valid, parts.test)
        ]
    )


def _split(texts: Sequence[str]) -> Texts:
    return [text.split() for text in texts]


class Bench:
    """One division, its models and its rows."""

    def __init__(self, options: argparse.Namespace, reviews: Sequence[Review], parts: ReviewSplit) -> None:
        self.options = options
        self.parts = parts
        self.features = frozenset(review.feature for review in reviews)
        self.memory = Memory(parts.train, shrink=best_shrink(parts))
        self.rows: dict[str, dict[str, Any]] = {}
        self.folder = options.work / f"{Path(options.file).stem if options.file else options.data}-{options.seed}"

    def row(self, name: str, found: Texts, **more: float) -> None:
        """Measure a row and print it."""
        self.rows[name] = measured(found, self.parts.test, self.features) | more
        cells = "".join(
            f"{self.rows[name].get(key, float('nan')):>{max(8, len(key) + 2)}.{digits}f}" for key, digits in COLUMNS.items()
        )
        print(f"{name:<16}{cells}", flush=True)

    def simple(self) -> None:
        """The rows without a model that writes."""
        commonest = Counter(review.sentence for review in self.parts.train).most_common(1)[0][0].split()
        self.row("commonest", [commonest for _ in self.parts.test])
        self.row("retrieved", retrieved(self.memory, self.parts.test, self.features))

    def peter(self) -> Metrics:
        """PETER's row; its values on validation are handed back."""
        settings = list(PETERS.items())[: self.options.peters]
        tried = {name: self._peter(number, config) for number, (name, config) in enumerate(settings)}
        values = {name: measured(_split(found["texts"]["valid"]), self.parts.valid, self.features) for name, found in tried.items()}
        self.peters = {name: {"bleu_4": each["bleu_4"], "rouge_1": each["rouge_1"]} for name, each in values.items()}
        best = max(values, key=lambda name: values[name]["bleu_4"] * values[name]["rouge_1"])
        minutes = sum(found["facts"]["minutes"] for found in tried.values())
        found = tried[best]
        self.row("PETER", _split(found["texts"]["test"]), **(found["facts"] | {"minutes": minutes}))
        print(f"PETER is that of {best}, the best of {len(tried)} on validation: {self.peters}", flush=True)
        return values[best]

    def _peter(self, number: int, config: PeterConfig) -> dict[str, Any]:
        def make() -> dict[str, Any]:
            began = time.monotonic()
            model = Peter(config).fit(self.parts, seed=self.options.seed, progress=Lines(f"PETER {number + 1}"))
            minutes = (time.monotonic() - began) / 60
            texts = {name: [" ".join(words) for words in model.write(getattr(self.parts, name))] for name in ("valid", "test")}
            facts = {"rmse": rmse(model.rate(self.parts.test), self.parts.test), "parameters": model.parameters, "minutes": minutes}
            return {"texts": texts, "facts": facts, "curve": model.curve}

        return kept(self.folder / f"peter-{number + 1}.json", self._key(config), make)

    def writer(self, wanted: Mapping[str, float]) -> dict[str, Any]:
        """Our rows; how they were chosen is handed back."""
        config = ReviewWriterConfig()

        key = self._key(config)
        unfinished = self.folder / f"unfinished-{digest(key)}"

        def make() -> dict[str, Any]:
            began = time.monotonic()
            model = ReviewWriter(config).fit(self.parts.train, seed=self.options.seed, progress=Lines("writer"), folder=unfinished)
            minutes = (time.monotonic() - began) / 60
            texts = {name: model.draw(getattr(self.parts, name), progress=Lines(name)) for name in ("valid", "test")}
            return {"texts": texts, "facts": {"parameters": model.parameters, "minutes": minutes}}

        found = kept(self.folder / "writer.json", key, make)
        shutil.rmtree(unfinished, ignore_errors=True)
        ratings = [self.memory.biases.rating(review.user, review.item) for review in self.parts.test]
        facts = found["facts"] | {"rmse": rmse(ratings, self.parts.test)}
        self.row("writer, drawn", [texts[0].split() if texts else [] for texts in found["texts"]["test"]], **facts)
        valid, test = (self._candidates(found["texts"][name], getattr(self.parts, name)) for name in ("valid", "test"))
        weights = searched(valid, lambda texts: measured(texts, self.parts.valid, self.features), wanted)
        chosen = measured(choose(valid, weights), self.parts.valid, self.features)
        self.row("writer", choose(test, weights), **facts)
        return {"weights": dataclasses.asdict(weights), "valid": chosen, "valid_reached": reached(chosen, wanted)}

    def _key(self, config: Any) -> dict[str, Any]:
        return {"config": dataclasses.asdict(config), "seed": self.options.seed, "division": division(self.parts)}

    def _candidates(self, drawn: Sequence[Sequence[str]], reviews: Sequence[Review]) -> list[Candidates]:
        known = [self.memory.known(review.user, review.item) for review in reviews]
        return [candidates(texts, one, self.features, self.memory) for texts, one in zip(drawn, known, strict=True)]


def read(options: argparse.Namespace) -> tuple[list[Review], ReviewSplit]:
    """The reviews with their sentences, and their division."""
    path = Path(options.file) if options.file else Path(os.environ["INSTRUCTREC_DATA"]) / FILES[options.data]
    reviews = read_reviews(path)
    if not any(review.sentence for review in reviews):
        reviews = with_opinions(reviews)
    parts = published_split(reviews, options.index) if options.index else random_split(reviews, seed=options.seed)
    return reviews, parts


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="musical-instruments", choices=FILES)
    parser.add_argument("--file", help="reviews of your own, or PETER's reviews.pickle")
    parser.add_argument("--index", type=Path, help="folder with train.index, validation.index and test.index for --file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--peters", type=int, default=len(PETERS), help="try only the first settings of PETER")
    parser.add_argument("--work", type=Path, default=Path(".reviews-work"))
    add_json_option(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reviews, parts = read(options)
    bench = Bench(options, reviews, parts)
    sizes = {"train": len(parts.train), "valid": len(parts.valid), "test": len(parts.test), "features": len(bench.features)}
    print(sizes)
    print(" " * 16 + "".join(f"{key:>{max(8, len(key) + 2)}}" for key in COLUMNS))
    bench.simple()
    valid = bench.peter()
    numbers: dict[str, Any] = {"data": options.file or options.data, "seed": options.seed} | sizes
    numbers |= {"writer": bench.writer(goals(valid)), "peters": bench.peters, "peter_valid": valid, "rows": bench.rows}
    numbers["reached"] = reached(bench.rows["writer"], goals(bench.rows["PETER"]))
    print("reached (1: the goal)", {name: round(value, 3) for name, value in numbers["reached"].items()})
    finish(numbers, options.json)


if __name__ == "__main__":
    main()
