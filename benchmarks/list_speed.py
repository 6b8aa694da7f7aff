"""How long lists take: the ten best unseen items of a whole catalog for every user, by every model but the language model.

    python -m benchmarks.list_speed --json
    python -m benchmarks.list_speed --data ml-1m --models ridge,gru4rec --json

One list for each test query of leave-one-out: the history in, ten item codes out, with what was seen left out and the sorting
inside the time (ML-1M: 6,040 users, 3,883 items). `top10_cpu_s.*` are seconds of processor, which a busy machine does not change
much, `top10_s.*` seconds by the clock, the best of --repeats; what took over a minute is not repeated. `over_5_s`: models that
take more than five seconds of processor. `absent.*`: why a model cannot be measured on these data.

What a model has learned does not change how much it computes, so networks are not trained: they have their first weights (`tiger`
those after one step), and what is fitted by rounds has one. Shapes are the defaults: layers, widths, lengths of histories, beams.
What is fitted on validation is fitted on --validation of its queries. Hybrids have their default parts; `fusion` is without `lm`.
Models that say nothing without words take no part.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from benchmarks.growth import shortened
from benchmarks.leaderboard import default_models, parts_of
from instructrec.config import parts_of as inner_models
from instructrec.core import FitContext, Query
from instructrec.data.split import Split
from instructrec.evaluation.ranking import top_codes
from instructrec.models import resolve
from instructrec.pipeline.comparing import FAILURES
from instructrec.pipeline.training import obstacle, validation_of
from instructrec.recommender import Recommender, allowed
from instructrec.tables import IntArray

AT_ONCE = 1024
"""Queries that are scored together."""
LENGTH = 10
WANTED_S = 5.0
LONG_S = 60.0
"""What took longer is timed once."""
LEAST = {"epochs": 0, "patience": 0, "iterations": 1}
"""As little training as there can be."""


def ten_best(model: Recommender, queries: Sequence[Query]) -> IntArray:
    """The best unseen items of each query, best first, int64 [num_queries, 10]; -1 where fewer may be shown."""
    out = np.empty((len(queries), LENGTH), dtype=np.int64)
    for first in range(0, len(queries), AT_ONCE):
        some = queries[first : first + AT_ONCE]
        masks = np.stack([allowed(query, model.catalog) for query in some])
        out[first : first + len(some)] = top_codes(model.score(some), masks, LENGTH)
    return out


def timed(model: Recommender, queries: Sequence[Query], repeats: int) -> dict[str, float]:
    """Seconds, and seconds of processor, in which all lists are made: each the least of the repeats."""
    found: list[tuple[float, float]] = []
    while len(found) < repeats and (not found or found[0][1] < LONG_S):
        clock, cpu = time.perf_counter(), time.process_time()
        ten_best(model, queries)
        found.append((time.perf_counter() - clock, time.process_time() - cpu))
    return {"top10_s": min(one[0] for one in found), "top10_cpu_s": min(one[1] for one in found)}


def every_model() -> list[str]:
    """What says something without words, hybrids last, so that they find their parts; not the language model."""
    return [name for name in default_models() if name != "lm"]


def model_of(name: str, fitted: Mapping[str, Recommender], *, max_history: int = 0) -> Recommender:
    """The model with as little training as there can be; a hybrid takes its parts from those that are fitted."""
    wanted: dict[str, Any] = LEAST | ({"max_history": max_history} if max_history else {})
    if name == "fusion":
        wanted["parts"] = tuple(part for part in inner_models(resolve(name).config_type()) if part != "lm")  # type: ignore[attr-defined]
    model = shortened(name, wanted)
    if parts := inner_models(getattr(model, "config", None)):
        model.parts = {part: fitted[part] for part in parts if part in fitted}  # type: ignore[attr-defined]
    return model


def context_of(parts: Split, validation: int) -> FitContext:
    """So many validation queries, spread over all."""
    queries, targets = validation_of(parts.valid)
    rows = np.linspace(0, len(queries) - 1, min(validation, len(queries))).astype(int).tolist()
    return FitContext(validation=([queries[row] for row in rows], [targets[row] for row in rows]))


def measured(
    parts: Split, names: Sequence[str], *, repeats: int = 2, validation: int = 500, max_history: int = 0
) -> dict[str, Any]:
    """Fit every model and time its lists, a line printed for each."""
    fitted: dict[str, Recommender] = {}
    numbers: dict[str, Any] = {"items": len(parts.train.catalog), "test_queries": len(parts.test)}
    context = context_of(parts, validation)
    print(f"{'model':<18}{'CPU s':>8}{'clock s':>9}{'fit CPU s':>11}")
    for name in names:
        model, began = model_of(name, fitted, max_history=max_history), time.process_time()
        try:
            found = obstacle(model, parts.train, foresee=True)
            reason = "" if found is None else found.reason
            if not reason:
                fitted[name] = model.fit(parts.train, replace(context, progress=Lines(name)))
        except FAILURES as problem:
            reason = str(problem)
        if reason:
            numbers[f"absent.{name}"] = reason
            print(f"{name:<18}{reason}", flush=True)
            continue
        fit = time.process_time() - began
        took = timed(model, parts.test.queries, repeats)
        numbers |= {f"{key}.{name}": value for key, value in took.items()}
        print(f"{name:<18}{took['top10_cpu_s']:>8.2f}{took['top10_s']:>9.2f}{fit:>11.1f}", flush=True)
    return numbers


def main() -> None:
    """Measure, print, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--models", help="names, separated by commas")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--validation", type=int, default=500, help="validation queries that hybrids are fitted on")
    parser.add_argument("--max-history", type=int, default=0, help="history items that networks read; 0: their defaults")
    add_json_option(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    names = given.models.split(",") if given.models else every_model()
    with threadpool_limits(given.threads):
        numbers = measured(
            parts_of(given.data), names, repeats=given.repeats, validation=given.validation, max_history=given.max_history
        )
    prefix = "top10_cpu_s."
    slow = [key.removeprefix(prefix) for key, value in numbers.items() if key.startswith(prefix) and value > WANTED_S]
    print(f"over {WANTED_S:g} s of processor: {', '.join(slow) or 'none'}")
    finish({"data": given.data, "threads": given.threads, **numbers, "over_5_s": slow}, given.json)


if __name__ == "__main__":
    main()
