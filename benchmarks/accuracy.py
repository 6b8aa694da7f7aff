"""Accuracy of every family of models under one protocol, what their fusion adds, and what the words add.

    python -m benchmarks.accuracy --data ml-100k --json
    python -m benchmarks.accuracy --data beauty --models tiger,sasrec,ridge --seeds 1 --json

Without --models every model takes part that the data suits, and both splits are measured: leave-one-out (keys without prefix: seen
items hidden; `seen_shown.`: not hidden) and global time (`time.`), full ranking over the catalog, models fitted on train only,
weights of fusions on validation only, metrics on test, mean over the seeds. `fusion_gain`: NDCG@10 of `fusion` over that of the
best single model without a language model (`best_peer`), `p_value` by a paired test. MovieTweetings is a stream of days, so there
these are those of the time split. Settings: the preset, benchmarks/chosen.toml, --set. Finished cells are kept in --work by their
content (code, data, settings, seed), so an interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import leaderboard, words
from benchmarks.calibration import add_json_option, finish
from benchmarks.leaderboard import CHOSEN, Rows, Table
from instructrec.config import PRESETS
from instructrec.data import Loaded
from instructrec.data.split import SplitKind
from instructrec.evaluation.intervals import bootstrap_mean, holm, paired_test

CONTROLS = ("lm_random", "fusion_random_lm")
BY_TIME = ("movietweetings",)
"""Data whose figures of gain are those of the time split."""


def options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--preset", default="full", choices=PRESETS)
    parser.add_argument("--seeds", type=int, default=3, help="fits of each model with seeds that follow one another")
    parser.add_argument("--models", help="these rows only, without words and by --split alone (see benchmarks/leaderboard.py)")
    parser.add_argument("--controls", action="store_true", help="also a language model of random weights, alone and in the fusion")
    parser.add_argument("--split", default="", choices=("", "leave-one-out", "time"), help="this split alone; default: both")
    parser.add_argument("--negatives", action="store_true", help="also the target among nine others, random ones and hard ones")
    parser.add_argument("--test-users", type=int, default=0, help="test on so many users drawn at random; 0 for all")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as tiger.epochs=3")
    parser.add_argument("--work", type=Path, default=Path("runs/accuracy-work"), help="where finished cells are kept")
    add_json_option(parser)
    return parser.parse_args()


def show(found: Rows, title: str) -> None:
    """Print one leaderboard, best row first, with intervals over users and tests of `fusion` against the others."""
    ndcg, hits = found.per_user("ndcg@10"), found.per_user("hr@10")
    print(f"\n{title}\n{'model':<20}{'NDCG@10':>9}{'95 % interval':>18}{'HR@10':>9}{'CPU min':>9}")
    for name in sorted(ndcg, key=lambda one: -ndcg[one].mean()):
        span = bootstrap_mean(ndcg[name])
        minutes = np.mean([one["fit_cpu_min"] for one in found.cells[name]])
        print(f"{name:<20}{span.value:>9.4f}{f'{span.low:.4f}-{span.high:.4f}':>18}{hits[name].mean():>9.4f}{minutes:>9.1f}")


def tests(found: Rows, prefix: str) -> dict[str, float]:
    """p-values of the first row, or of `fusion` where it is there, against the others; corrected ones under `p_holm.`."""
    values = found.per_user("ndcg@10")
    first = "fusion" if "fusion" in values else next(iter(values), "")
    others = [name for name in values if name != first]
    plain = [paired_test(values[first], values[name]).p for name in others]
    pairs = {
        f"{prefix}{kind}.{first}_vs_{name}": p
        for kind, each in (("p", plain), ("p_holm", holm(plain)))
        for name, p in zip(others, each, strict=True)
    }
    return {key: float(p) for key, p in pairs.items()}


def measured(given: argparse.Namespace, known: Loaded, kind: SplitKind, names: list[str], prefix: str) -> dict[str, Any]:
    """All numbers of one split."""
    parts = leaderboard.some_tested(leaderboard.divided(given.data, known, kind), given.test_users)
    asked = given.models is None and kind == "leave-one-out"
    table = Table(
        data=given.data,
        kind=kind,
        loaded=known,
        parts=parts,
        base=given.preset,
        sets=[*CHOSEN.get(given.data, ()), *given.set],
        work=given.work,
        negatives=given.negatives,
        words=asked and bool(parts.train.catalog.labels),
    )
    print(f"\n{given.data}: {parts.protocol}; {len(parts.train.catalog):,} items, {len(parts.test.queries):,} test queries")
    found = leaderboard.rows(table, names, seeds=given.seeds)
    show(found, f"{parts.name}, seen items hidden, mean of {given.seeds} seed{'s' if given.seeds > 1 else ''}")
    numbers: dict[str, Any] = {f"{prefix}test_queries": len(parts.test.queries)} | found.means(prefix) | tests(found, prefix)
    numbers |= {f"{prefix}{key}": value for key, value in leaderboard.gain_of_a_sum(found.per_user("ndcg@10")).items()}
    numbers |= {f"{prefix}absent.{one.name}": one.reason for one in found.absent}
    if asked:
        numbers |= words.wish_numbers(found.cells) | words.limit_numbers(found.cells)
    return numbers


def main() -> None:
    """Run what is missing, print the tables and one line of JSON."""
    given = options()
    names = given.models.split(",") if given.models else leaderboard.default_models()
    if given.models is None:
        names += ["fusion_without_lm", *(CONTROLS if given.controls else ())]
    both: tuple[SplitKind, ...] = ("leave-one-out", "time")
    kinds = (given.split,) if given.split else both[:1] if given.models else both
    known = leaderboard.loaded(given.data)
    numbers: dict[str, Any] = {"data": given.data, "preset": given.preset, "seeds": given.seeds}
    for kind in kinds:
        rows = [name for name in names if kind == "leave-one-out" or name not in CONTROLS]
        numbers |= measured(given, known, kind, rows, "" if kind == "leave-one-out" else "time.")
    if given.data in BY_TIME and "time.fusion_gain" in numbers:
        numbers |= {key: numbers[f"time.{key}"] for key in ("best_peer", "fusion_gain", "p_value")}
    print("\n" + "\n".join(f"{key}: {value}" for key, value in numbers.items() if "." not in key or key.startswith("wish")))
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
