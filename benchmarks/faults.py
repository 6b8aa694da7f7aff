"""A language model that is slow, dead or lying, on top of the ladder of a service: is every list sound and in time?

    python -m benchmarks.faults --json

A service of a made-up run (100,000 items, `item_knn`, see `benchmarks.service`) whose first model is spoiled in twenty ways;
--requests lists a way, --per-s a second whether answers come or not, each for another person, with the default deadline. Answers
are read as they are sent: so many items as wanted, all in the catalog, none twice, none that the person has met or that is
withdrawn, scores that are numbers. `p99_over_deadline_ms`: the worst way's, less the deadline (goal: at most 25).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.service import run_of
from instructrec.core import Query, Recommendation, ScoredItem
from instructrec.recommender import Recommender
from instructrec.service.ladder import Breaker, Ladder, Rung
from instructrec.service.live import Live, opened
from instructrec.service.settings import DEFAULTS
from instructrec.service.shapes import Ask
from instructrec.service.worker import Worker

Spoil = Callable[[Sequence[Query], list[Recommendation]], Any]
N = 10


def faults(model: Recommender, deadline_s: float) -> Mapping[str, Spoil]:
    """Twenty ways to answer badly, each a function of the queries and of what the sound model answers."""
    known = model.catalog.item_ids[0]

    def items(change: Callable[[list[ScoredItem]], list[ScoredItem]]) -> Spoil:
        return lambda queries, found: [replace(one, items=tuple(change(list(one.items)))) for one in found]

    def raising(error: BaseException) -> Spoil:
        def spoil(queries: Sequence[Query], found: list[Recommendation]) -> Any:
            raise error

        return spoil

    def sleeping(seconds: float) -> Spoil:
        return lambda queries, found: time.sleep(seconds) or found

    return {
        "raises": raising(ValueError("CUDA error")),
        "raises at exit": raising(SystemError("gone")),
        "runs out of memory": raising(MemoryError()),
        "hangs": sleeping(3 * deadline_s),
        "is just too late": sleeping(deadline_s),
        "answers nothing": lambda queries, found: None,
        "answers too few": lambda queries, found: found[:-1],
        "answers too many": lambda queries, found: [*found, *found],
        "answers another type": lambda queries, found: ["list"] * len(found),
        "invents an item": items(lambda rows: [ScoredItem("nowhere", 1.0, "lm"), *rows[1:]]),
        "repeats an item": items(lambda rows: [rows[0], *rows[:-1]]),
        "shows what may not be shown": lambda queries, found: [
            replace(one, items=(ScoredItem(next(iter(query.history), known), 1.0, "lm"), *one.items[1:]))
            for query, one in zip(queries, found, strict=True)
        ],
        "gives NaN": items(lambda rows: [replace(rows[0], score=float("nan")), *rows[1:]]),
        "gives infinity": items(lambda rows: [replace(rows[0], score=float("inf")), *rows[1:]]),
        "gives no items": items(lambda rows: []),
        "gives one item less": items(lambda rows: rows[:-1]),
        "gives one item more": lambda queries, found: model.recommend([replace(query, n=query.n + 1) for query in queries]),
        "gives items of another catalog": items(lambda rows: [ScoredItem(f"{row.item}x", row.score, "lm") for row in rows]),
        "gives no text for an id": items(lambda rows: [ScoredItem("", 1.0, "lm"), *rows[1:]]),
        "gives a score that is no number": items(lambda rows: [replace(rows[0], score=None), *rows[1:]]),  # type: ignore[arg-type]
    }


def spoiled(model: Recommender, spoil: Spoil) -> Recommender:
    """The model, whose answers are spoiled; called `lm`."""

    class Spoiled(type(model)):  # type: ignore[misc]
        """The same model but for what it answers."""

        name = "lm"

        def __init__(self) -> None:
            self.__dict__.update(model.__dict__)

        def recommend(self, queries: Sequence[Query]) -> list[Recommendation]:
            """Spoil the answers."""
            found: list[Recommendation] = spoil(queries, model.recommend(queries))
            return found

    made: Recommender = Spoiled()
    return made


def wrong_with(body: bytes, live: Live, user: str) -> str:
    """What is wrong with an answer; empty where nothing is."""
    answer, snapshot = json.loads(body), live.snapshot
    items = [entry["item_id"] for entry in answer["items"]]
    interactions = snapshot.dataset.interactions
    met = {snapshot.catalog.item_ids[code] for code in interactions.history(interactions.user_ids.index(user))}
    if len(items) != N or len(set(items)) != N or snapshot.catalog.unknown(items):
        return "not so many items of the catalog as wanted"
    if met & set(items):
        return "an item that the person has met"
    if not all(isinstance(entry["score"], float) and math.isfinite(entry["score"]) for entry in answer["items"]):
        return "a score that is no number"
    return "" if answer["degraded"] and answer["served_by"] == snapshot.ladder.rungs[1].name else "another model is said to serve"


async def measured(live: Live, users: Sequence[str], per_s: float) -> tuple[list[float], list[str]]:
    """Seconds of each answer from when it was due, and what was wrong."""
    began, seconds, problems = time.perf_counter(), [], []

    async def one(user: str, due: float) -> None:
        try:
            body = await live.recommend("local", Ask.model_validate({"user_id": user, "n": N}))
            seconds.append(time.perf_counter() - due)
            problems.append(wrong_with(body, live, user))
        except Exception as error:  # every failure is what is counted here
            problems.append(f"{type(error).__name__}: {error}")

    tasks = []
    for number, user in enumerate(users):
        due = began + number / per_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(user, due)))
    await asyncio.gather(*tasks)
    return seconds, [problem for problem in problems if problem]


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--per-s", type=float, default=60.0)
    parser.add_argument("--work", type=Path, default=None, metavar="FOLDER")
    add_json_option(parser)
    given = parser.parse_args()
    deadline_s, rows = DEFAULTS.deadline_ms / 1000, {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.work or Path(scratch)
        live = opened(run_of(folder, given.items), f"sqlite:///{scratch}/journal.db")
        sound, users = live.snapshot, live.snapshot.dataset.interactions.user_ids
        print(f"{'way':<34}{'sound':>8}{'p50 ms':>9}{'p99 ms':>9}")
        for place, (name, spoil) in enumerate(faults(sound.model, deadline_s).items()):
            model = spoiled(sound.model, spoil)
            top = Rung(model=model, breaker=Breaker(), worker=Worker(model.recommend))
            live.snapshot = replace(sound, ladder=Ladder([top, *sound.ladder.rungs], sound.quick), number=-place - 1)
            some = [users[(place * given.requests + number) % len(users)] for number in range(given.requests)]
            seconds, problems = asyncio.run(measured(live, some, given.per_s))
            p50, p99 = (float(np.quantile(seconds, share) * 1000) for share in (0.5, 0.99))
            rows[name] = {"sound": 1 - len(problems) / given.requests, "p50_ms": p50, "p99_ms": p99, "first": problems[:1]}
            print(f"{name:<34}{rows[name]['sound']:>8.3f}{p50:>9.1f}{p99:>9.1f}  {' '.join(problems[:1])}", flush=True)
        live.close()
    found = {
        "ways": rows,
        "sound": min(row["sound"] for row in rows.values()),
        "p99_over_deadline_ms": max(row["p99_ms"] for row in rows.values()) - DEFAULTS.deadline_ms,
        "requests": given.requests * len(rows),
    }
    finish(found, given.json)


if __name__ == "__main__":
    main()
