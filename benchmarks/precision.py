"""Quality beside speed of a tuned model in numbers of fewer bits: float32, bfloat16, int8 products.

    python -m benchmarks.precision --json

`lm` with semantic codes is tuned on MovieLens-100K (leave-one-out, once; kept in --work) and asked for every test user in each
precision of the same weights: NDCG@10 by full ranking with seen items hidden, the share of float32's first 20 items that come out
again, and the time of one request (its last 100 items as the prompt, 20 items, beam 50), median over --requests users, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from instructrec.core import FitContext, Query
from instructrec.data import load
from instructrec.data.split import Split, split
from instructrec.evaluation.protocol import evaluate
from instructrec.models.lm import LanguageModelRecommender, LmConfig

PRECISIONS = ("float32", "bfloat16", "int8")


def tuned(parts: Split, work: Path, epochs: int) -> Path:
    """The folder of the tuned model; made when it is not there."""
    folder = work / f"precision-semantic-{epochs}"
    if not (folder / "model.json").is_file():
        config = LmConfig(codes="semantic", epochs=epochs)
        context = FitContext(progress=Lines("tune"), folder=work / f"{folder.name}.fit")
        model = LanguageModelRecommender(config).fit(parts.train, context)
        folder.mkdir(parents=True, exist_ok=True)
        model.save(folder)
    return folder


def in_precision(folder: Path, parts: Split, precision: Any) -> LanguageModelRecommender:
    """The same weights, served otherwise."""
    model = LanguageModelRecommender.load(folder, parts.train.catalog)
    model.config = replace(model.config, precision=precision)
    model.warm()
    return model


def lists(model: LanguageModelRecommender, queries: list[Query]) -> list[list[str]]:
    """The items shown for each query, best first."""
    return [[item.item for item in answer.items] for answer in model.recommend(queries)]


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path(".accuracy-work"))
    add_json_option(parser)
    given = parser.parse_args()
    parts = split(load("ml-100k").dataset)
    folder = tuned(parts, given.work, given.epochs)
    models = {name: in_precision(folder, parts, name) for name in PRECISIONS}
    queries = [replace(query, n=20) for query in parts.test.queries]
    numbers: dict[str, Any] = {"epochs": given.epochs}
    first: list[list[str]] = []
    for name, model in models.items():
        found = lists(model, queries)
        first = first or found
        numbers[f"ndcg@10.{name}"] = evaluate(model, parts.test).value("ndcg@10")
        numbers[f"top20_overlap.{name}"] = float(
            np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(first, found, strict=True)])
        )
    times: dict[str, list[float]] = {name: [] for name in models}
    for query in queries[: given.requests]:
        for name, model in models.items():
            began = time.perf_counter()
            model.recommend([query])
            times[name].append((time.perf_counter() - began) * 1000)
    print(f"{'precision':<12}{'NDCG@10':>10}{'overlap@20':>12}{'request ms':>12}")
    for name in PRECISIONS:
        numbers[f"request_ms.{name}"] = statistics.median(times[name])
        print(f"{name:<12}" + "".join(f"{numbers[f'{key}.{name}']:>11.4f}" for key in ("ndcg@10", "top20_overlap", "request_ms")))
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
