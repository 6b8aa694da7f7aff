"""Time and memory of a fit as data grows, and how near `bytes_needed` comes.

    python -m benchmarks.fit_memory --interactions 10000000 --items 150000 --models item_knn,ease,ridge,als --json

Items are drawn with a long tail (Zipf), 100 interactions a user in the mean, each model in a process of its own. Keys:
`cpu_s.MODEL`, `wall_s.MODEL`; `peak_mb.MODEL`, how far memory rose above what the data and libraries held; `foreseen_mb.MODEL`,
what `bytes_needed` said. `als_over_library` (with --library): CPU seconds of `als` over those of the library `implicit` called
directly on the same matrix.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.growth import fit_one
from instructrec.config import build_model, from_toml
from instructrec.models.als import Als
from instructrec.tables import Catalog, Dataset, Interactions


def long_tailed(num_interactions: int, num_items: int, *, seed: int = 0) -> Dataset:
    """People with 100 interactions in the mean (geometric), items by Zipf's law in a random order; ratings 1 to 5."""
    rng = np.random.default_rng(seed)
    num_users = max(1, num_interactions // 100)
    users = np.sort(rng.choice(num_users, num_interactions, p=_shares(rng.geometric(0.01, num_users))))
    items = rng.permutation(num_items)[rng.choice(num_items, num_interactions, p=_shares(1.0 / np.arange(10, num_items + 10)))]
    interactions = Interactions(
        user_ids=tuple(f"u{user}" for user in range(num_users)),
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        timestamps=np.arange(num_interactions, dtype=np.int64),
        ratings=rng.integers(1, 6, num_interactions).astype(np.float32),
    )
    ids = tuple(f"i{item}" for item in range(num_items))
    return Dataset(name="long-tailed", interactions=interactions, catalog=Catalog(item_ids=ids, titles=ids))


def _shares(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / values.sum())


def measured(name: str, num_interactions: int, num_items: int, sets: list[str]) -> dict[str, Any]:
    """One fit in this process."""
    took = fit_one(build_model(name, from_toml("", [f"model={name}", *sets])), long_tailed(num_interactions, num_items), seed=0)
    return {f"{key}.{name}": value for key, value in took.items()}


def beside_library(num_interactions: int, num_items: int) -> dict[str, float]:
    """CPU seconds of `als`, and of the library called directly on the same matrix, the least of three each."""
    from implicit.cpu.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix
    from threadpoolctl import threadpool_limits

    dataset = long_tailed(num_interactions, num_items)
    interactions, config = dataset.interactions, Als().config
    people = csr_matrix((np.ones(len(interactions), dtype=np.float32), (interactions.users, interactions.items)))
    people.data[:] = 1.0 + config.alpha
    own, direct = [], []
    for _ in range(3):
        began = time.process_time()
        Als(config).fit(dataset)
        own.append(time.process_time() - began)
        began = time.process_time()
        with threadpool_limits(1, "blas"):
            AlternatingLeastSquares(
                factors=config.factors, regularization=config.regularization, iterations=config.iterations, random_state=0
            ).fit(people, show_progress=False)
        direct.append(time.process_time() - began)
    return {"als_s": min(own), "library_s": min(direct), "als_over_library": min(own) / min(direct)}


def main() -> None:
    """Measure each model in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--models", default="item_knn,user_knn,als,bpr,svd,ease,recency_ease,ridge")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as bpr.iterations=5")
    parser.add_argument("--library", action="store_true", help="also als beside the library called directly")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    add_json_option(parser)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one, given.interactions, given.items, given.set)))
        return
    numbers: dict[str, Any] = {"interactions": given.interactions, "items": given.items}
    for name in [name for name in given.models.split(",") if name]:
        command = [sys.executable, "-m", "benchmarks.fit_memory", "--one", name]
        command += ["--interactions", str(given.interactions), "--items", str(given.items)]
        command += [part for one in given.set for part in ("--set", one)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        print("  ".join(f"{key} {value:.3g}" for key, value in found.items()), flush=True)
        numbers |= found
    if given.library:
        numbers |= beside_library(given.interactions, given.items)
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
