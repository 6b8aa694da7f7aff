"""How the time and memory of a fit grow: at 1, 4 and 16 times the interactions, and at 1, 4 and 16 times the catalog.

    python -m benchmarks.growth [--models popular,ease] [--users 250] [--items 400] [--quick] [--seed 0] [--json [FILE]]

Worlds are made up from the marginals of MovieLens-1M ($INSTRUCTREC_DATA/ml-1m): items have the popularity of the film at the same
place of its popularity curve, people histories as long as there (at most half of the smallest catalog), and nothing else is real.
More interactions means more people; a larger catalog is offered to the same people. Every fit runs in a process of its own. Time is
CPU time of all threads; memory is the peak of the process (VmHWM of Linux) above what it held with the data loaded. A fit of a tiny
world comes first, so that libraries are loaded. Networks are trained for one epoch. The exponent is the slope of log(time or
memory) over log(size), by least squares: 1 is linear, 3 cubic. What is too small to tell (under 0.05 s or 2 MB at the largest size)
has none.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import add_json_option, finish
from instructrec import config as settings
from instructrec import data
from instructrec.core import FitContext
from instructrec.errors import DataError, InstructRecError
from instructrec.machine import PeakMemory
from instructrec.models import MODELS, resolve
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, Interactions

LEFT_OUT = (
    *("bm25", "sentences", "themes", "tfidf", "word_vectors", "sentence_vectors", "images", "lm", "tiger"),
    *("fusion", "weighted", "switching", "cascade", "ranker"),
)
"""Not measured unless named: they read texts, which no marginal says, or are put together from others."""
SCALES, QUICK_SCALES = (1, 4, 16), (1, 2, 4)
LEAST = {"cpu_s": 0.05, "peak_mb": 2.0}
"""Below this at the largest size an exponent would be one of noise."""
A_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class Marginals:
    """The popularity of items, most popular first, and the lengths of histories, longest first."""

    popularity: NDArray[np.float64]
    lengths: NDArray[np.int64]

    @staticmethod
    def of(dataset: Dataset) -> Marginals:
        """Counts of a dataset."""
        rows = dataset.interactions
        counts = np.bincount(rows.items)
        return Marginals(
            popularity=np.sort(counts[counts > 0])[::-1].astype(np.float64),
            lengths=np.sort(np.bincount(rows.users))[::-1].astype(np.int64),
        )


def world(marginals: Marginals, *, num_users: int, num_items: int, longest: int, seed: int) -> Dataset:
    """People and items with these marginals, histories cut at `longest`; every item occurs, nobody has one twice. One a day."""
    rng = np.random.default_rng(seed)
    weights = np.quantile(marginals.popularity, 1 - (np.arange(num_items) + 0.5) / num_items)
    chances = np.cumsum(weights / weights.sum())
    lengths = np.quantile(marginals.lengths, (np.arange(num_users) + 0.5) / num_users).astype(np.int64)
    lengths = np.clip(lengths, 3, longest)
    histories = [_history(rng, chances, int(length)) for length in lengths]
    # Items that chance left out go to somebody, so that the catalog has the size that is asked for.
    missing = np.setdiff1d(np.arange(num_items), np.concatenate(histories))
    for place, item in enumerate(missing.tolist()):
        histories[place % num_users] = np.append(histories[place % num_users], item)
    sizes = [len(history) for history in histories]
    interactions = Interactions(
        user_ids=tuple(f"u{user}" for user in range(num_users)),
        users=np.repeat(np.arange(num_users), sizes).astype(np.int64),
        items=np.concatenate(histories).astype(np.int64),
        timestamps=np.concatenate([np.arange(size) for size in sizes]).astype(np.int64) * A_DAY,
        ratings=rng.integers(1, 6, sum(sizes)).astype(np.float32),
    )
    ids = tuple(f"i{item}" for item in range(num_items))
    return Dataset(name="growth", interactions=interactions, catalog=Catalog(item_ids=ids, titles=ids))


def _history(rng: np.random.Generator, chances: NDArray[np.float64], length: int) -> NDArray[np.int64]:
    """Different items, drawn by their chances one after the other."""
    found = np.empty(0, dtype=np.int64)
    while len(found) < length:
        drawn = np.concatenate([found, np.searchsorted(chances, rng.random(2 * length) * chances[-1])])
        found = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    return found[:length]


def exponent(sizes: Sequence[float], values: Sequence[float], *, least: float = 0.0) -> float | None:
    """The slope of log(value) over log(size) by least squares; None where a value is not above 0, or the last one below `least`."""
    if len(sizes) < 2 or min(values) <= 0 or values[-1] < least:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def shortened(name: str, wanted: Mapping[str, Any]) -> Recommender:
    """A model with its default settings but those of `wanted` that it has."""
    kind = settings.settings_type(name)
    known = {field.name for field in fields(kind)} if kind is not None else set()
    given = {key: value for key, value in wanted.items() if key in known}
    model: Recommender = resolve(name)(*([kind(**given)] if kind is not None else []))
    return model


def one_epoch(name: str) -> Recommender:
    """A model with its default settings; a network is trained for one epoch."""
    return shortened(name, {"epochs": 1, "patience": 0})


def fit_one(model: Recommender, dataset: Dataset, seed: int) -> dict[str, Any]:
    """Fit a model here and say what it took; the peak of memory begins anew, for making the data may have taken more."""
    reason = model.unfit_for(dataset)
    if reason:
        return {"error": reason}
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        with PeakMemory() as memory:
            model.fit(dataset, FitContext(seed=seed))
    except InstructRecError as problem:
        return {"error": str(problem)}
    took = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    peak = math.nan if memory.bytes is None else memory.bytes / 1e6
    return took | {"peak_mb": peak, "foreseen_mb": model.bytes_needed(dataset) / 1e6}


def measure(name: str, sizes: dict[str, int], arguments: argparse.Namespace) -> dict[str, Any]:
    """One fit in a process of its own."""
    task = {"model": name, "longest": arguments.items // 2, "seed": arguments.seed, "marginals": arguments.marginals, **sizes}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", "--one", json.dumps(task)],
        capture_output=True,
        text=True,
        check=False,
        timeout=arguments.timeout,
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["ended without a word"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All fits of a model, and its exponents over interactions and over items."""
    report: dict[str, Any] = {"model": name}
    for grows in ("interactions", "items"):
        rows: list[dict[str, Any]] = []
        for scale in QUICK_SCALES if arguments.quick else SCALES:
            many, offered = (scale, 1) if grows == "interactions" else (1, scale)
            sizes = {"num_users": arguments.users * many, "num_items": arguments.items * offered}
            rows.append({"scale": scale, **sizes, **measure(name, sizes, arguments)})
            print(_line(name, grows, rows[-1]), file=sys.stderr, flush=True)
        good = [row for row in rows if "error" not in row]
        report[grows] = {"fits": rows} | {
            f"exponent_{key}": exponent([row[grows] for row in good], [row[key] for row in good], least=least)
            for key, least in LEAST.items()
        }
    return report


def _line(name: str, grows: str, row: dict[str, Any]) -> str:
    head = f"{name:14s} {grows:12s} x{row['scale']:<3d}"
    if "error" in row:
        return f"{head} {row['error']}"
    return (
        f"{head} {row['interactions']:>9,d} interactions {row['items']:>7,d} items {row['cpu_s']:9.2f} s {row['peak_mb']:9.1f} MB"
    )


def _table(report: list[dict[str, Any]]) -> str:
    lines = [
        f"{'exponent of':14s} {'time/interactions':>18s} {'memory/interactions':>20s} {'time/items':>11s} {'memory/items':>13s}"
    ]
    for model in report:
        cells = [model[grows][f"exponent_{key}"] for grows in ("interactions", "items") for key in LEAST]
        shown = ["-" if cell is None else f"{cell:.2f}" for cell in cells]
        lines.append(f"{model['model']:14s} {shown[0]:>18s} {shown[1]:>20s} {shown[2]:>11s} {shown[3]:>13s}")
    return "\n".join(lines)


def _one(task: dict[str, Any]) -> dict[str, Any]:
    with np.load(task["marginals"]) as kept:
        marginals = Marginals(popularity=kept["popularity"], lengths=kept["lengths"])
    sizes = {name: int(task[name]) for name in ("num_users", "num_items", "longest", "seed")}
    made = world(marginals, **sizes)
    fit_one(one_epoch(task["model"]), world(marginals, num_users=20, num_items=40, longest=10, seed=0), task["seed"])
    took = fit_one(one_epoch(task["model"]), made, task["seed"])
    return {"interactions": len(made.interactions), "items": len(made.catalog), **took}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measured = [name for name in MODELS if name not in LEFT_OUT]
    parser.add_argument("--models", default=",".join(measured), help="names, separated by commas")
    parser.add_argument("--users", type=int, default=250, help="people at scale 1")
    parser.add_argument("--items", type=int, default=400, help="items at scale 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds that one fit may take")
    parser.add_argument("--quick", action="store_true", help="1, 2 and 4 times only")
    add_json_option(parser)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(_one(json.loads(arguments.one))))
        return
    try:
        real = Marginals.of(data.load("ml-1m").dataset)
    except DataError as problem:
        sys.exit(f"Skipped: {problem}")
    with tempfile.TemporaryDirectory() as folder:
        arguments.marginals = f"{folder}/marginals.npz"
        np.savez(arguments.marginals, popularity=real.popularity, lengths=real.lengths)
        report = [growth(name, arguments) for name in arguments.models.split(",")]
    print(_table(report))
    finish({"users": arguments.users, "items": arguments.items, "seed": arguments.seed, "models": report}, arguments.json)


if __name__ == "__main__":
    main()
