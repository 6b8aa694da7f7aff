"""Items that nobody has met: a tenth of the catalog is hidden from training, and people are asked for what they chose of it.

    python -m benchmarks.cold_items --data beauty --models popular,tfidf,word_vectors,sentence_vectors --json

Every interaction with a hidden item leaves the training data. Whoever met one and something else before is asked once: the history
holds what is not hidden, the target is the last hidden item that they chose. `all.`: the whole catalog competes, known items, too;
`cold.`: the hidden items alone. HR@10 and NDCG@10, full ranking, mean over the seeds (which items are hidden); `chance` is HR@10
of a random order.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from instructrec import data
from instructrec.config import build_model, from_toml
from instructrec.core import FitContext, Query
from instructrec.data.split import Holdout
from instructrec.evaluation.protocol import evaluate_scores, score_holdout
from instructrec.tables import Dataset, IntArray

METRICS = ("hr@10", "ndcg@10")


def hidden_items(dataset: Dataset, *, share: float, seed: int) -> IntArray:
    """Codes of items that are hidden, drawn evenly from those that somebody met, sorted."""
    met = np.unique(dataset.interactions.items)
    return np.sort(np.random.default_rng(seed).permutation(met)[: max(1, int(len(met) * share))]).astype(np.int64)


def cold_split(dataset: Dataset, hidden: IntArray) -> tuple[Dataset, Holdout]:
    """Training data without the hidden items, and a question for everybody who met one of them after something else."""
    interactions, names = dataset.interactions, dataset.catalog.item_ids
    is_hidden = np.isin(interactions.items, hidden)
    queries, targets, users = [], [], []
    for user, name in enumerate(interactions.user_ids):
        rows = np.arange(interactions.offsets[user], interactions.offsets[user + 1])
        last = rows[is_hidden[rows]][-1:]
        before = rows[~is_hidden[rows] & (rows < (last[0] if len(last) else 0))]
        if len(last) and len(before):
            queries.append(Query(user=name, history=tuple(names[code] for code in interactions.items[before])))
            targets.append(interactions.items[last])
            users.append(user)
    train = dataset.with_interactions(interactions.keep(~is_hidden))
    return train, Holdout(queries=tuple(queries), targets=tuple(targets), user_codes=np.array(users, dtype=np.int64))


def only(holdout: Holdout, items: tuple[str, ...]) -> Holdout:
    """The same questions with nothing but these items to choose from."""
    return replace(holdout, queries=tuple(replace(query, candidates=items) for query in holdout.queries))


def measure(dataset: Dataset, name: str, sets: list[str], *, share: float, seed: int) -> dict[str, float]:
    """What a model does for hidden items: metric by "all." and "cold."."""
    hidden = hidden_items(dataset, share=share, seed=seed)
    train, asked = cold_split(dataset, hidden)
    own = [one for one in sets if one.startswith(f"{name}.")]
    model = build_model(name, from_toml("", [f"model={name}", *own])).fit(train, FitContext(seed=seed))
    scores, among = score_holdout(model, asked), only(asked, tuple(dataset.catalog.item_ids[code] for code in hidden))
    found = {"test_queries": float(len(asked.queries)), "cold.chance": 10 / len(hidden), "all.chance": 10 / len(dataset.catalog)}
    for prefix, questions in (("all.", asked), ("cold.", among)):
        done = evaluate_scores(scores, questions, dataset.catalog)
        found |= {f"{prefix}{metric}": done.value(metric) for metric in METRICS}
    return found


def main() -> None:
    """Measure every model, print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k", help="a known name, a folder or a file")
    parser.add_argument("--models", default="popular,tfidf,word_vectors,sentence_vectors", help="comma-separated")
    parser.add_argument("--share", type=float, default=0.1, help="share of the items that is hidden")
    parser.add_argument("--seeds", type=int, default=3, help="how often items are drawn anew")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting such as tfidf.decay=0.8")
    add_json_option(parser)
    given = parser.parse_args()
    dataset = data.load(given.data).dataset
    numbers: dict[str, Any] = {"data": given.data, "seeds": given.seeds, "share": given.share}
    for name in given.models.split(","):
        rows = [measure(dataset, name, given.set, share=given.share, seed=seed) for seed in range(given.seeds)]
        means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        numbers |= {f"{key}.{name}" if key.split(".")[-1] in METRICS else key: value for key, value in means.items()}
        print(f"{name:<18}" + "  ".join(f"{key} {value:.4f}" for key, value in means.items()), flush=True)
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
