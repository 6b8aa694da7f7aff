"""Training of SASRec: ours against RecBole's, of equal shape, loss, data and split; and what each has learned in equal time.

    python -m benchmarks.training_speed --json
    python -m benchmarks.training_speed --minutes 30 --json

ML-1M in SASRec's file ($INSTRUCTREC_DATA/ml-1m/ml-1m_sas.txt), leave-one-out, histories of 200 items, two blocks of width 64,
cross-entropy over all items. RecBole 1.2.1 is its own trainer in its own environment (benchmarks/peers), which makes one example of
each target, so it reads 200 places for one target; ours reads whole histories. Both work on as many threads. `speedup_vs_recbole`
is the ratio of targets a second, medians of turns. Attention has no dropout on either side: that saves RecBole time.

Then each trains for --minutes (0: leave it out) of processor time, which is the time of one thread on a quiet machine, and which a
busy one takes from neither side. RecBole goes on from the batches of the first part. NDCG@10 and HR@10 on test, full ranking, seen
items hidden, are made of both sides' scores by the same code.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from benchmarks.leaderboard import parts_of
from benchmarks.peers import Peer
from instructrec.core import FitContext
from instructrec.data.split import Split
from instructrec.evaluation.protocol import evaluate_scores
from instructrec.models.sasrec import Sasrec, SasrecConfig
from instructrec.models.sequences import NextItems
from instructrec.tuning.epochs import EpochTraining

CONFIG = SasrecConfig(max_history=200, batch_users=64, learning_rate=3e-3, patience=0)
SETTINGS: dict[str, Any] = {
    "n_layers": CONFIG.blocks,
    "n_heads": CONFIG.heads,
    "hidden_size": CONFIG.width,
    "inner_size": CONFIG.width,
    "hidden_dropout_prob": CONFIG.dropout,
    "attn_dropout_prob": 0.0,
    "hidden_act": "relu",
    "loss_type": "CE",
    "MAX_ITEM_LIST_LENGTH": CONFIG.max_history,
    "train_batch_size": 256,
    "train_neg_sample_args": None,
    "eval_batch_size": 256,
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
    "seed": 0,
}
"""RecBole's names. Its batches are of 256 targets: with its default, 2,048, each array of attention weights takes 0.65 GB."""


class Ours:
    """Our training, one batch after another, as `EpochTraining` makes it."""

    def __init__(self, parts: Split) -> None:
        torch.manual_seed(0)
        histories = [history for history in parts.train.interactions.histories() if len(history)]
        network = Sasrec.network(len(parts.train.catalog), CONFIG).train()
        self.task = NextItems(network, CONFIG, histories, seed=0)
        self.training = EpochTraining(network, CONFIG, name="sasrec", seed=0, key="")
        self.batches = self._endless()

    def _endless(self) -> Iterator[torch.Tensor]:
        for epoch in itertools.count():
            yield from self.task.batches(epoch)

    def learn(self, batches: int) -> dict[str, float]:
        """Targets and seconds of so many batches."""
        [optimizer] = self.training.optimizers
        # Batches are made once an epoch, in a moment; the clock runs while they are made.
        began, cpu, targets = time.perf_counter(), time.process_time(), 0
        for batch in itertools.islice(self.batches, batches):
            optimizer.zero_grad(set_to_none=True)
            targets += self.task.size(batch)
            self.task.backward(batch, 64.0 * 160)
            optimizer.step()
        return {"targets": targets, "seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}


def written(parts: Split, folder: Path) -> None:
    """All interactions as RecBole reads them; its own split takes the same two last items of each user."""
    (folder / "ml").mkdir()
    names, queries = parts.train.catalog.item_ids, parts.test.queries
    with (folder / "ml" / "ml.inter").open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for query, target in zip(queries, parts.test.targets, strict=True):
            items = [*query.history, names[int(target[0])]]
            file.writelines(f"{query.user}\t{item}\t{place}\n" for place, item in enumerate(items))


def speeds(ours: Ours, peer: Peer, repeats: int) -> dict[str, float]:
    """Targets a second of both, in turns, and the ratio: by the clock, and by processor time."""
    sides = {"ours": lambda: ours.learn(6), "recbole": lambda: peer.ask(batches=2)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for repeat in range(repeats + 1):
        for name, work in sides.items():
            answer = work()
            if repeat:
                found[name].append(answer)
    numbers = {}
    for key, suffix in (("seconds", ""), ("cpu_s", "_by_cpu")):
        rates = {name: statistics.median(one["targets"] / one[key] for one in some) for name, some in found.items()}
        numbers |= {f"targets_per_s_{name}{suffix}": rate for name, rate in rates.items()}
        numbers[f"speedup_vs_recbole{suffix}"] = rates["ours"] / rates["recbole"]
    return numbers


def quality(scores: np.ndarray, parts: Split, name: str) -> dict[str, float]:
    """NDCG@10 and HR@10 on test, seen items hidden."""
    found = evaluate_scores(scores, parts.test, parts.train.catalog, hide_seen=True, model=name)
    return {f"{metric.partition('@')[0]}_{name}": float(found.per_user(metric).mean()) for metric in ("ndcg@10", "hr@10")}


def equal_time(parts: Split, peer: Peer, minutes: float, rate: float, folder: Path) -> dict[str, float]:
    """Both trained for the same processor time: ours to the end of its schedule, RecBole as long as ours took."""
    epochs = max(1, round(60 * minutes * rate / len(parts.train.interactions)))
    began, cpu = time.perf_counter(), time.process_time()
    config = replace(CONFIG, epochs=epochs)
    model = Sasrec(config).fit(parts.train, FitContext(seed=0, progress=Lines("ours")))
    used = {"seconds_ours": time.perf_counter() - began, "cpu_s_ours": time.process_time() - cpu}
    numbers = {"epochs_ours": float(epochs), **used, **quality(model.score(parts.test.queries), parts, "ours")}
    answer = peer.ask(cpu_s=used["cpu_s_ours"])
    numbers |= {f"{key}_recbole": value for key, value in answer.items()}
    return numbers | quality(recbole_scores(parts, peer, folder), parts, "recbole")


def recbole_scores(parts: Split, peer: Peer, folder: Path) -> np.ndarray:
    """RecBole's scores in the order of our queries and catalog; items that it does not know, last."""
    names = peer.ask(scores=str(folder / "scores.npy"))
    found = np.load(folder / "scores.npy")
    rows = {user: row for row, user in enumerate(names["users"])}
    scores = np.full((len(parts.test), len(parts.train.catalog)), found.min() - 1, dtype=np.float32)
    codes = parts.train.catalog.codes(names["items"])
    scores[:, codes] = found[[rows[query.user] for query in parts.test.queries]]
    return scores


def main() -> None:
    """Measure, print, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="turns of the speeds")
    parser.add_argument("--minutes", type=float, default=3.0, help="training of each side for NDCG; 0: none")
    parser.add_argument("--threads", type=int, default=1, help="threads of either side")
    add_json_option(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    parts = parts_of("ml-1m_sas")
    numbers: dict[str, Any] = {"threads": given.threads, "items": len(parts.train.catalog), "test_queries": len(parts.test)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(parts, folder)
        settings = json.dumps({**SETTINGS, "checkpoint_dir": name})
        environ = {**os.environ, "OMP_NUM_THREADS": str(given.threads), "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
        with Peer("recbole", "recbole_sasrec.py", [name, settings], environ) as peer:
            numbers |= speeds(Ours(parts), peer, given.repeats)
            print(json.dumps(numbers, indent=1), flush=True)
            if given.minutes:
                numbers |= equal_time(parts, peer, given.minutes, numbers["targets_per_s_ours_by_cpu"], folder)
    for key, value in numbers.items():
        print(f"{key}: {value:,.4g}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
