"""Rows of the table of benchmarks.accuracy: each model fitted once a split and seed, and what it does under every protocol.

Full ranking over the catalog, models fitted on train only, chosen on validation, measured on test. `seen_shown.`: items of the
history compete, too. With `negatives` also `one_of_ten.`: InstructRec's protocol, the target among nine random unseen items, and
`hard.`: among the nine wrong items that `item_knn` puts first. A hybrid takes its parts from the rows that fitted them.
"""

from __future__ import annotations

import json
import os
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import Cells, Lines, cell
from benchmarks.words import limit_values, wish_values
from instructrec.config import RunConfig, build_model, preset
from instructrec.core import Query
from instructrec.data import Loaded, load
from instructrec.data.amazon import industrial_split
from instructrec.data.cleaning import CleaningConfig
from instructrec.data.split import Holdout, Split, SplitConfig, SplitKind, split
from instructrec.evaluation.costs import Absent
from instructrec.evaluation.intervals import paired_test
from instructrec.evaluation.metrics import Values
from instructrec.evaluation.negatives import hard_negatives, random_negatives
from instructrec.evaluation.protocol import evaluate, score_holdout
from instructrec.models import MODELS, resolve
from instructrec.models.fusion import Fusion
from instructrec.models.lm import LanguageModelRecommender
from instructrec.pipeline.comparing import FAILURES
from instructrec.pipeline.rounds import Round
from instructrec.pipeline.training import Prepared, obstacle, parts_for
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, Labels

VARIANTS: Mapping[str, Sequence[str]] = {
    "tiger_title": ("model=tiger", "tiger.codes=title"),
    "tiger_atomic": ("model=tiger", "tiger.codes=atomic"),
    "lm_semantic": ("model=lm", "lm.codes=semantic", "lm.epochs=2", "lm.max_history=50", "lm.questions=0"),
    "lm_title": ("model=lm", "lm.codes=title", "lm.epochs=2", "lm.max_history=50", "lm.questions=0"),
    "lm_atomic": ("model=lm", "lm.epochs=2", "lm.max_history=50", "lm.questions=0"),
    "lm_random": ("model=lm", "lm.random_weights=true", "lm.shrink=1.0"),
    "fusion_random_lm": ("model=fusion", "lm.random_weights=true", "lm.shrink=1.0"),
    "fusion_without_lm": ("model=fusion",),
}
"""Name in the table -> settings; other names are models of the model table with their defaults. Random weights are shrunk by what
is best for validation, like the pretrained ones."""
HARD = "item_knn"
HYBRIDS = ("fusion", "weighted", "switching", "cascade", "ranker")
"""Models that are put together from others."""
CHOSEN = tomllib.loads((Path(__file__).parent / "chosen.toml").read_text(encoding="utf-8"))
"""Settings by data set that were chosen on validation there."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """What the rows of a table have in common. `sets`: settings for those rows that they speak of; `work`: where cells are kept;
    `words`: whether language models and fusions are also asked with words and limits; `seed`: that of the first fit; `harder`: what
    was done to `parts` beside the split, in words; `numbers`: what is measured of a fitted model instead of `accuracy`.
    """

    data: str
    kind: SplitKind = "leave-one-out"
    loaded: Loaded
    parts: Split
    base: str = "full"
    sets: Sequence[str] = ()
    work: Path
    negatives: bool = False
    words: bool = False
    seed: int = 0
    harder: str = ""
    numbers: Callable[[Recommender, Split], Cells] | None = None


def default_models() -> list[str]:
    """Every model that says something without words, hybrids last, so that they find their parts."""
    single = [name for name in MODELS if name not in HYBRIDS and not resolve(name).needs_words]
    return [*single, *(name for name in MODELS if name in HYBRIDS)]


def loaded(data: str) -> Loaded:
    """A data set as its benchmark wants it: SASRec's file of ML-1M and Industrial keep repeated interactions."""
    if data == "industrial":
        return load(data, cleaning=CleaningConfig(repeated="keep"))
    if data == "ml-1m_sas":
        return load(data, cleaning=CleaningConfig(exact_duplicates=False, repeated="keep"))
    return load(data)


def divided(data: str, known: Loaded, kind: SplitKind = "leave-one-out") -> Split:
    """The split; of Industrial MiniOneRec's rows, which come with it."""
    if data == "industrial":
        folder = Path(os.environ.get("INSTRUCTREC_DATA", ".")) / "amazon2018-industrial"
        return industrial_split(folder, known.dataset)
    return split(known.dataset, SplitConfig(kind=kind))


def parts_of(data: str) -> Split:
    """Leave-one-out of a data set."""
    return divided(data, loaded(data))


def config_of(name: str, base: str, more: Sequence[str], train: Dataset | None = None) -> RunConfig:
    """The configuration of a row: the preset `base`, what the row is, and `more`, each where its model is met.

    `train`: the data, which the standard parts of a fusion without language model have to suit, too.
    """
    own = VARIANTS.get(name, (f"model={name}",))
    sets = [f"beside={json.dumps(list(MODELS))}", *own, *more]
    if name == "fusion_without_lm":
        parts = preset(base, sets).settings["fusion"].parts
        parts = Fusion.suited(parts, train) if train is not None else parts
        sets.append(f"fusion.parts={json.dumps([part for part in parts if part != 'lm'])}")
    return preset(base, sets)


def prepared(table: Table, name: str, seed: int) -> Prepared:
    """What a row is fitted on."""
    config = replace(config_of(name, table.base, table.sets, table.parts.train), seed=seed, split=SplitConfig(kind=table.kind))
    return Prepared(config=config, loaded=table.loaded, split=table.parts)


def measured(table: Table, running: Round, model_name: str) -> Cells:
    """Fit a model; what the fit took, and what the table wants to know of it."""
    found = running.fitted(model_name)
    wanted = table.numbers(found.model, table.parts) if table.numbers else accuracy(table, found.model)
    return {"fit_s": np.array(found.seconds), "fit_cpu_min": np.array(found.cpu_seconds / 60), **wanted}


def accuracy(table: Table, model: Recommender) -> Cells:
    """What a model did for every test query under each protocol, by metric; per user where it is a metric of lists."""
    parts = table.parts
    out: dict[str, Any] = {}
    for prefix, holdout, hide in protocols(parts, negatives=table.negatives):
        evaluated = evaluate(model, holdout, k=10, hide_seen=hide)
        metrics = ("hr@1",) if prefix in ("one_of_ten.", "hard.") else ("ndcg@10", "hr@10")
        out |= {f"{prefix}{metric}": evaluated.per_user(metric).astype(np.float32) for metric in metrics}
    if table.words and isinstance(model, LanguageModelRecommender):
        out |= wish_values(model, parts)
    if table.words and isinstance(model, Fusion):
        out |= limit_values(model, parts)
    return {**out, **code_facts(model, parts.train.catalog)}


def protocols(parts: Split, *, negatives: bool) -> list[tuple[str, Holdout, bool]]:
    """Prefix of the keys, queries, and whether seen items are hidden."""
    catalog = parts.train.catalog
    full = [("", parts.test, True), ("seen_shown.", parts.test, False)]
    if not negatives:
        return full
    other = build_model(HARD, preset("full")).fit(parts.train)
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


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The finished rows of a table: `cells`, one a seed, by name; `absent`: why others have none."""

    cells: Mapping[str, Sequence[Cells]]
    absent: Sequence[Absent]

    def per_user(self, metric: str) -> dict[str, Values]:
        """A metric of each test query, mean over the seeds, by row."""
        return {name: np.mean([one[metric] for one in found], axis=0, dtype=np.float64) for name, found in self.cells.items()}

    def means(self, prefix: str = "") -> dict[str, float]:
        """Keys such as "ndcg@10.ridge": means over test queries and seeds."""
        return {
            f"{prefix}{metric}.{name}": float(np.mean([one[metric].mean() for one in found]))
            for name, found in self.cells.items()
            for metric in found[0]
            if not metric.startswith(("wish.", "limits_", "instruction_ms"))
        }


def rows(table: Table, names: Sequence[str], *, seeds: int) -> Rows:
    """Fit and measure every row that is not kept yet; a line is printed for each. What cannot be fitted is told, not tried."""
    cells: dict[str, list[Cells]] = {}
    absent: list[Absent] = []
    running: list[Round] = []
    models = [config_of(name, table.base, table.sets).model for name in names]
    for name in names:
        reason = obstacle_of(prepared(table, name, table.seed))
        try:
            if reason is None:
                # The models of all rows are named, so that what a hybrid is made of is written down for it.
                running += [
                    Round(
                        prepared(table, name, seed),
                        models,
                        harder=table.harder,
                        root=table.work,
                        progress=Lines(f"{table.data} {name} seed {seed}"),
                    )
                    for seed in range(table.seed, table.seed + seeds)
                ]
                cells[name] = [row(table, one, name) for one in running[-seeds:]]
                show(name, Rows(cells={name: cells[name]}, absent=()).means())
        except FAILURES as problem:
            reason = Absent(name=name, kind="failed", reason=str(problem))
        if reason is not None:
            absent.append(replace(reason, name=name))
            print(f"{name:<18}{reason.kind}: {reason.reason}", flush=True)
    for one in running:
        one.close()
    return Rows(cells=cells, absent=absent)


def row(table: Table, running: Round, name: str) -> Cells:
    """The cell of a row and a seed: read, or made now."""
    config = running.prepared.config
    key = {"split": f"{table.data}-{table.kind}", "model": name, "seed": config.seed, "content": running.key(config.model)}
    key |= {"negatives": table.negatives, "words": table.words, "users": len(table.parts.test.queries)}
    found = cell(table.work, key, partial(measured, table, running, config.model))
    # A table has many rows and seeds, and each would keep its own copy of large parts.
    running.release()
    return found


def obstacle_of(asked: Prepared) -> Absent | None:
    """Why a model cannot be fitted on these data, or one of its parts."""
    config, train = asked.config, asked.split.train
    parts = {part: build_model(part, config) for part in parts_for(asked, config.model)}
    found = (obstacle(model, train, foresee=True) for model in (build_model(config.model, config, parts=parts), *parts.values()))
    return next((one for one in found if one is not None), None)


def gain_of_a_sum(per_user: Mapping[str, Values]) -> dict[str, Any]:
    """`fusion_gain` and `p_value`: NDCG@10 of `fusion` (or else the best hybrid) over that of the best single model (`best_peer`;
    no language model), paired by test query. Nothing where one of both is missing.
    """
    means = {name: float(values.mean()) for name, values in per_user.items()}
    sums = [name for name in means if name in HYBRIDS]
    peers = {name for name in means if name.split("_")[0] not in ("lm", *HYBRIDS)}
    if not sums or not peers:
        return {}
    ours = "fusion" if "fusion" in sums else max(sums, key=means.__getitem__)
    peer = max(peers, key=means.__getitem__)
    test = paired_test(per_user[ours], per_user[peer])
    return {"best_peer": peer, "fusion_gain": means[ours] / means[peer] - 1, "p_value": test.p}


def show(name: str, numbers: Mapping[str, Any]) -> None:
    """One line of the table."""
    columns = ("ndcg@10", "hr@10", "seen_shown.ndcg@10", "one_of_ten.hr@1", "hard.hr@1", "all.hr@10", "cold.hr@10")
    columns += ("fit_cpu_min", "collisions", "new_code_ms")
    found = {column: numbers[f"{column}.{name}"] for column in columns if f"{column}.{name}" in numbers}
    print(f"{name:<18}" + "".join(f"{column} {value:.4f}  " for column, value in found.items()), flush=True)
