"""Published numbers: trec_eval's and LensKit's own expected values, and S3-Rec's popularity row on Amazon Beauty."""

from __future__ import annotations

import csv
import gzip
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from instructrec.core import Query
from instructrec.data.split import Holdout
from instructrec.evaluation.metrics import (
    average_precision,
    flat_log_discount,
    hit_rate,
    ndcg,
    precision,
    ranks_in_lists,
    recall,
    reciprocal_rank,
)
from instructrec.evaluation.protocol import evaluate_scores
from instructrec.tables import Catalog


def _folder(name: str) -> Path:
    root = os.environ.get("INSTRUCTREC_DATA")
    if not root or not (Path(root) / name).is_dir():
        pytest.skip(f"INSTRUCTREC_DATA names no folder that holds {name}; set it to compare with published numbers")
    return Path(root) / name


def _rows(path: Path) -> list[list[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize(("run", "expected"), [("results.test", "out.test.aq"), ("results.trunc", "out.test.aqc")])
def test_trec_eval(run: str, expected: str) -> None:
    folder = _folder("metric-fixtures/trec_eval")
    relevant: dict[str, dict[str, float]] = defaultdict(dict)
    for topic, _, document, level in _rows(folder / "qrels.test"):
        relevant[topic][document] = float(level)
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for topic, _, document, _, score, *_ in _rows(folder / run):
        found[topic].append((float(np.float32(score)), document))
    texts = {(metric, topic): value for metric, topic, value in _rows(folder / expected)}
    # Ties stand in descending order of the document's name, so both parts of the pair are sorted downwards.
    topics = sorted(relevant)
    lists = [[document for _, document in sorted(found[topic], reverse=True)] for topic in topics]
    targets = ranks_in_lists(lists, [relevant[topic] for topic in topics])
    ours = {
        "map": average_precision(targets, 1000, over_all=True),
        "map_cut_10": average_precision(targets, 10, over_all=True),
        "ndcg_cut_10": ndcg(targets, 10),
        "recip_rank": reciprocal_rank(targets, 1000),
        **{f"P_{k}": precision(targets, k) for k in (10, 100)},
        **{f"recall_{k}": recall(targets, k) for k in (30, 100)},
        **{f"success_{k}": hit_rate(targets, k) for k in (1, 5, 10)},
    }
    for metric, values in ours.items():
        assert [round(float(value), 4) for value in values] == [float(texts[metric, topic]) for topic in topics], metric


def test_lenskit() -> None:
    folder = _folder("metric-fixtures/lenskit")
    truth: dict[str, dict[str, float]] = defaultdict(dict)
    for row in _table(folder / "topn-java-truth.csv"):
        truth[row["user"]][row["item"]] = float(row["rating"])
    shown: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for row in _table(folder / "topn-java-recs.csv.gz"):
        shown[row["Algorithm"], row["user"]].append((int(row["rank"]), row["item"]))
    wanted = _table(folder / "topn-java-metrics.csv")
    lists = [[item for _, item in sorted(shown[row["Algorithm"], row["user"]])] for row in wanted]
    targets = ranks_in_lists(lists, [truth[row["user"]] for row in wanted])
    assert len(wanted) == 100
    np.testing.assert_allclose(
        ndcg(targets, 100, discount=flat_log_discount), [float(row["Java.nDCG"]) for row in wanted], atol=1e-9
    )
    np.testing.assert_allclose(reciprocal_rank(targets, 100), [float(row["Java.RecipRank"]) for row in wanted], atol=1e-9)


def test_popularity_on_beauty_gives_the_published_row() -> None:
    """S3-Rec counts every interaction, the test ones included; honest counting gives .0135 / .0061 at 10."""
    path = _folder("amazon2014-beauty") / "beauty.s3rec.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        sequences = [line.split()[1:] for line in lines]
    names = sorted({item for sequence in sequences for item in sequence}, key=int)
    catalog = Catalog(item_ids=tuple(names), titles=tuple(names))
    popularity = np.bincount([catalog.index[item] for sequence in sequences for item in sequence], minlength=len(names))
    results = [_popular_on(sequences[start : start + 4000], catalog, popularity) for start in range(0, len(sequences), 4000)]
    published = {"hr@5": 0.0080, "ndcg@5": 0.0044, "hr@10": 0.0152, "ndcg@10": 0.0068, "hr@20": 0.0217}
    sums = {metric: sum(sum(part[metric]) for part in results) for metric in published}
    assert {metric: round(total / len(sequences), 4) for metric, total in sums.items()} == published


def _popular_on(sequences: list[list[str]], catalog: Catalog, popularity: np.ndarray) -> dict[str, list[float]]:
    holdout = Holdout(
        queries=tuple(Query(user=str(row), history=tuple(sequence[:-1])) for row, sequence in enumerate(sequences)),
        targets=tuple(catalog.codes(sequence[-1:]) for sequence in sequences),
        user_codes=np.arange(len(sequences), dtype=np.int64),
    )
    scores = np.broadcast_to(popularity.astype(np.float32), (len(sequences), len(catalog)))
    found = evaluate_scores(scores, holdout, catalog)
    return {metric: found.per_user(metric).tolist() for metric in ("hr@5", "ndcg@5", "hr@10", "ndcg@10", "hr@20")}
