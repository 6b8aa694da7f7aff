"""Choose the settings of models that are fitted in seconds: every grid point, on validation steps only, never on test items.

    python -m benchmarks.tune_memory --data ml-100k [--models ridge,item_knn] [--steps 4] [--json [FILE]]

One validation item a user is noisy (standard error about .008 NDCG@10 on 943 users), so the grid is measured on the last `steps`
items before the test item: a model is fitted once on what precedes all of them, and asked for each with the history before it.
The first figure of a row is the mean over the steps; then each step, latest first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from instructrec import data
from instructrec.data.split import Holdout, SplitConfig, split
from instructrec.evaluation.protocol import evaluate
from instructrec.models import resolve
from instructrec.models.known import KnownItems
from instructrec.models.popular import Popular
from instructrec.models.profiles import ContentModel
from instructrec.tables import Dataset

Tunable: TypeAlias = Popular | KnownItems | ContentModel

METRIC = "ndcg@10"

GRIDS: Mapping[str, Mapping[str, Sequence[float]]] = {
    "popular": {"half_life_days": (0.0, 7.0, 30.0, 90.0, 365.0)},
    "item_knn": {
        "nearness": (0.8, 0.9, 0.95, 1.0),
        "decay": (0.7, 0.8, 0.9),
        "shrinkage": (0.0, 3.0, 10.0),
        "neighbours": (100, 400),
    },
    "user_knn": {"neighbours": (20, 50, 100, 200), "decay": (0.7, 0.8, 0.9, 1.0), "shrinkage": (0.0, 3.0)},
    "als": {
        "factors": (64, 128),
        "alpha": (1.0, 10.0, 40.0),
        "regularization": (1.0, 10.0, 50.0, 100.0),
        "decay": (0.7, 0.8, 0.9, 1.0),
    },
    "bpr": {"learning_rate": (0.02, 0.05), "regularization": (0.003, 0.01, 0.02), "decay": (0.7, 0.8, 0.9, 1.0)},
    "svd": {"popularity": (0.0, 0.2, 0.5, 1.0, 2.0)},
    "ease": {"penalty": (30.0, 100.0, 200.0, 300.0, 500.0, 1000.0)},
    "recency_ease": {"nearness": (0.8, 0.9, 0.95, 1.0), "decay": (0.7, 0.8, 0.85, 0.9), "penalty": (100.0, 300.0, 500.0, 1000.0)},
    "tfidf": {"decay": (0.8, 0.9, 0.95), "values": (1.0, 2.0, 3.0, 5.0), "low_rated": (-0.25, 0.0, 0.5, 1.0)},
    "word_vectors": {"width": (100, 300, 500), "window": (2, 5), "decay": (0.8, 0.9, 0.95)},
    "ridge": {"decay": (0.75, 0.8, 0.85, 0.9), "backward": (0.0, 0.5, 1.0), "penalty": (100.0, 300.0, 500.0, 1000.0, 2000.0)},
}
"""The same care for every model: each grid reaches past its best point on every side."""


def rolling(dataset: Dataset, steps: int) -> tuple[Dataset, list[Holdout]]:
    """What to fit on, and the validation questions of the last `steps` items before the test item, latest first."""
    holdouts: list[Holdout] = []
    train = known = dataset
    for _ in range(steps):
        parts = split(known, SplitConfig(kind="leave-one-out"))
        holdouts.append(parts.valid)
        train, known = parts.train, parts.known
    return train, holdouts


def candidates(name: str) -> Iterator[Tunable]:
    """One unfitted model for every point of the grid."""
    grid = GRIDS[name]
    kind: Any = resolve(name)
    for point in itertools.product(*grid.values()):
        yield kind(kind.config_type(**dict(zip(grid, point, strict=True))))


def measure(model: Tunable, train: Dataset, holdouts: Sequence[Holdout]) -> dict[str, Any]:
    """Settings and accuracy of one grid point."""
    model.fit(train)
    steps = [evaluate(model, holdout).value(METRIC) for holdout in holdouts]
    return {"model": model.name, "config": asdict(model.config), METRIC: sum(steps) / len(steps), "steps": steps}


def tune(name: str, train: Dataset, holdouts: Sequence[Holdout]) -> list[dict[str, Any]]:
    """The whole grid of one model, best first."""
    rows = [measure(model, train, holdouts) for model in candidates(name)]
    return sorted(rows, key=lambda row: -row[METRIC])


def main() -> None:
    """Tune, and print the best rows of each grid (all of them with --json)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k", help="a known name, a folder or a file")
    parser.add_argument("--models", default=",".join(GRIDS), help="comma-separated")
    parser.add_argument("--steps", type=int, default=4, help="validation steps a user")
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="one JSON object, on the last line or in FILE")
    options = parser.parse_args()
    train, holdouts = rolling(data.load(options.data).dataset, options.steps)
    found = {}
    for name in options.models.split(","):
        found[name] = tune(name, train, holdouts)
        print(f"{name}: {len(found[name])} points", file=sys.stderr)
        for row in found[name][:8]:
            print(f"  {row[METRIC]:.4f}  [{' '.join(f'{step:.4f}' for step in row['steps'])}]  {row['config']}", file=sys.stderr)
    if options.json == "-":
        print(json.dumps(found))
    elif options.json:
        Path(options.json).write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
