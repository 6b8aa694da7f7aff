"""Accuracy of models that write item codes, beside models that do not, on any data: the `--models` part of benchmarks.accuracy.

Leave-one-out (Industrial: MiniOneRec's rows), full ranking over the catalog, models fitted on train only, chosen on validation,
measured on test; `seen_shown.`: items of the history compete, too. With --negatives also `one_of_ten.`: InstructRec's protocol, the
target among nine random unseen items, and `hard.`: among the nine wrong items that `item_knn` puts first. CPU-minutes are those of
all threads, fit only. With a hybrid among the models `fusion_gain` and `p_value` set the best of them against the best single one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import Cells, Lines, cell
from instructrec.config import RunConfig, build_model, from_toml
from instructrec.config import parts_of as inner_models
from instructrec.core import FitContext, Query
from instructrec.data import load
from instructrec.data.amazon import industrial_split
from instructrec.data.cleaning import CleaningConfig
from instructrec.data.split import Holdout, Split, split
from instructrec.evaluation.intervals import paired_test
from instructrec.evaluation.negatives import hard_negatives, random_negatives
from instructrec.evaluation.protocol import evaluate, score_holdout
from instructrec.models.lm import LanguageModelRecommender
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, Labels

VARIANTS: Mapping[str, Sequence[str]] = {
    "tiger_title": ("model=tiger", "tiger.codes=title"),
    "tiger_atomic": ("model=tiger", "tiger.codes=atomic"),
    "lm_semantic": ("model=lm", "lm.codes=semantic", "lm.epochs=2", "lm.max_history=50", "lm.questions=0"),
    "lm_title": ("model=lm", "lm.codes=title", "lm.epochs=2", "lm.max_history=50", "lm.questions=0"),
    "lm_atomic": ("model=lm", "lm.epochs=2", "lm.max_history=50", "lm.questions=0"),
}
"""Name in the table -> settings; other names are models of the model table with their defaults."""
HARD = "item_knn"
HYBRIDS = ("fusion", "weighted", "switching", "cascade", "ranker")
"""Models that are put together from others."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one cell of the table needs."""

    data: str
    parts: Split
    sets: Sequence[str]
    seed: int
    folder: Path
    negatives: bool


def parts_of(data: str) -> Split:
    """The split of a data set: leave-one-out, or the rows that come with it; every row of SASRec's file of ML-1M."""
    if data == "industrial":
        folder = Path(os.environ.get("INSTRUCTREC_DATA", ".")) / "amazon2018-industrial"
        return industrial_split(folder, load(data, cleaning=CleaningConfig(repeated="keep")).dataset)
    if data == "ml-1m_sas":
        return split(load(data, cleaning=CleaningConfig(exact_duplicates=False, repeated="keep")).dataset)
    return split(load(data).dataset)


def sets_of(name: str, more: Sequence[str]) -> list[str]:
    """Settings of a row of the table; those of `more` that speak of its model, of a part of it, or of none, are put over them."""
    own = VARIANTS.get(name, (f"model={name}",))
    model = own[0].removeprefix("model=")
    said = [one for one in more if one.partition("=")[0].rpartition(".")[0] in ("", model)]
    inner = inner_models(from_toml("", [*own, *said]).settings.get(model))
    return [*own, *said, *(one for one in more if one.partition("=")[0].rpartition(".")[0] in inner)]


def fitted(name: str, config: RunConfig, train: Dataset, context: FitContext) -> Recommender:
    """A model with its settings, fitted; what it is put together from with theirs."""
    parts = {part: fitted(part, config, train, context) for part in inner_models(config.settings.get(name))}
    return build_model(name, config, parts=parts).fit(train, context)


def measured(task: Task) -> Cells:
    """Fit a model, and what it did for every test query under each protocol, by metric."""
    config = from_toml("", [*task.sets, f"seed={task.seed}"])
    began, cpu = time.monotonic(), time.process_time()
    context = FitContext(
        validation=single_targets(task.parts.valid), seed=task.seed, progress=Lines(config.model), folder=task.folder
    )
    model = fitted(config.model, config, task.parts.train, context)
    out = {"fit_s": np.array(time.monotonic() - began), "fit_cpu_min": np.array((time.process_time() - cpu) / 60)}
    for prefix, holdout, hide in protocols(task.parts, negatives=task.negatives):
        found = evaluate(model, holdout, k=10, hide_seen=hide)
        metrics = ("hr@1",) if prefix in ("one_of_ten.", "hard.") else ("ndcg@10", "hr@10")
        out |= {f"{prefix}{metric}": found.per_user(metric).astype(np.float32) for metric in metrics}
    return out | code_facts(model, task.parts.train.catalog)


def protocols(parts: Split, *, negatives: bool) -> list[tuple[str, Holdout, bool]]:
    """Prefix of the keys, queries, and whether seen items are hidden."""
    catalog = parts.train.catalog
    full = [("", parts.test, True), ("seen_shown.", parts.test, False)]
    if not negatives:
        return full
    other = build_model(HARD, from_toml("", [f"model={HARD}"])).fit(parts.train)
    return [
        *full,
        ("one_of_ten.", random_negatives(parts.test, catalog, seed=0), True),
        ("hard.", hard_negatives(parts.test, catalog, score_holdout(other, parts.test)), True),
    ]


def single_targets(holdout: Holdout) -> tuple[Sequence[Query], Sequence[int]]:
    """Queries and the first target of each."""
    return holdout.queries, [int(target[0]) for target in holdout.targets]


def code_facts(model: Recommender, catalog: Catalog) -> Cells:
    """How many items share their code with another (0 by construction, counted all the same), and the median time, ms, in which an
    item that the model has not seen gets a code from its title and attributes.
    """
    book = getattr(model, "book", None)
    if book is None or not isinstance(model, LanguageModelRecommender):
        return {}
    codes = [book.codes.encode(item) for item in range(len(book.codes))]
    times = []
    for item in range(0, len(catalog), max(1, len(catalog) // 50)):
        new = Catalog(
            item_ids=("new",),
            titles=(f"New {catalog.titles[item]}",),
            texts=(catalog.texts[item],) if catalog.texts else (),
            labels={name: Labels.build([labels.of(item)]) for name, labels in catalog.labels.items()},
            numbers={name: values[item : item + 1] for name, values in catalog.numbers.items()},
        )
        began = time.perf_counter()
        model.codes_of(new)
        times.append((time.perf_counter() - began) * 1000)
    return {"collisions": np.array(len(codes) - len(set(codes))), "new_code_ms": np.array(np.median(times))}


def some_tested(parts: Split, users: int) -> Split:
    """The split with so many test queries at most, drawn at random (always the same ones)."""
    if not users or len(parts.test.queries) <= users:
        return parts
    rows = np.sort(np.random.default_rng(0).permutation(len(parts.test.queries))[:users])
    test = Holdout(
        queries=tuple(parts.test.queries[row] for row in rows),
        targets=tuple(parts.test.targets[row] for row in rows),
        user_codes=parts.test.user_codes[rows],
    )
    return replace(parts, test=test)


def table(
    data: str, names: Sequence[str], more: Sequence[str], *, seeds: int, work: Path, negatives: bool = False, users: int = 0
) -> dict[str, Any]:
    """Every model on one data set, tested on `users` test queries (0: all); finished cells are read from `work`."""
    parts = some_tested(parts_of(data), users)
    print(f"{data}: {parts.protocol}; {len(parts.train.catalog):,} items, {len(parts.test.queries):,} test queries")
    numbers: dict[str, Any] = {"data": data, "seeds": seeds, "test_queries": len(parts.test.queries)}
    per_user: dict[str, Any] = {}
    for name in names:
        cells = []
        for seed in range(seeds):
            sets = sets_of(name, more)
            key = {"split": data, "model": name, "seed": seed, "sets": " ".join(sets), "negatives": negatives, "users": users}
            folder = work / f"fit-{data}-{name}-{seed}"
            task = Task(data=data, parts=parts, sets=sets, seed=seed, folder=folder, negatives=negatives)
            cells.append(cell(work, key, partial(measured, task)))
        numbers |= {f"{metric}.{name}": float(np.mean([one[metric].mean() for one in cells])) for metric in cells[0]}
        per_user[name] = np.mean([one["ndcg@10"] for one in cells], axis=0)
        show(name, numbers)
    best = names[0]
    numbers |= {f"p.{best}_vs_{name}": paired_test(per_user[best], per_user[name]).p for name in names[1:]}
    return numbers | gain_of_a_sum(per_user)


def gain_of_a_sum(per_user: Mapping[str, Any]) -> dict[str, float]:
    """`fusion_gain` and `p_value`: NDCG@10 of the best hybrid over that of the best single model (no language model), by test.

    Nothing where one of both is missing.
    """
    means = {name: float(values.mean()) for name, values in per_user.items()}
    sums = {name for name in means if name in HYBRIDS}
    peers = {name for name in means if name not in HYBRIDS and not name.startswith("lm")}
    if not sums or not peers:
        return {}
    ours, peer = max(sums, key=means.__getitem__), max(peers, key=means.__getitem__)
    return {"fusion_gain": means[ours] / means[peer] - 1, "p_value": paired_test(per_user[ours], per_user[peer]).p}


def show(name: str, numbers: Mapping[str, Any]) -> None:
    """One line of the table."""
    columns = ("ndcg@10", "hr@10", "seen_shown.ndcg@10", "one_of_ten.hr@1", "hard.hr@1", "fit_cpu_min", "collisions", "new_code_ms")
    found = {column: numbers[f"{column}.{name}"] for column in columns if f"{column}.{name}" in numbers}
    print(f"{name:<16}" + "".join(f"{column} {value:.4f}  " for column, value in found.items()), flush=True)
