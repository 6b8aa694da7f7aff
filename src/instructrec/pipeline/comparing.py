"""An honest leaderboard: several models on the same folds and seeds, with what they cost and which of them could not take part."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from instructrec.config import RunConfig, build_model, with_settings
from instructrec.core import Progress, Silent
from instructrec.data import Loaded
from instructrec.data.conditions import hide_items, with_random_clicks
from instructrec.data.split import Split
from instructrec.errors import AssetError, ConfigError, ModelError, RunError
from instructrec.evaluation.beyond import Background
from instructrec.evaluation.comparison import Comparison, compare_folds
from instructrec.evaluation.costs import Absent, Cost
from instructrec.evaluation.intervals import Interval, bootstrap_ratio
from instructrec.evaluation.peruser import Fold, PerUser
from instructrec.evaluation.protocol import Evaluation
from instructrec.files import atomic_folder, need_place
from instructrec.pipeline.reporting import comparison_page, comparison_report
from instructrec.pipeline.rounds import Round
from instructrec.pipeline.training import Prepared, divide, obstacle, parts_for, validate_data

FAILURES: Final = (ModelError, AssetError, MemoryError)
"""What costs a model its own row only: a fit that fails, weights that are not there, too little memory."""
_Cells = dict[str, list[list[tuple[Evaluation, Cost]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """How much is asked of models beside the split.

    `seeds`: fits of each model with seeds that follow one another; `cold_items`: share of the items that are hidden from training
    entirely and are all that is asked for (0: none); `noise`: random clicks that are put into training in second fits, as a share
    of its interactions, to see how much accuracy is kept (0: none); `work`: the folder where finished cells are kept by their
    content, so that no cell is ever found twice (none: nothing is kept).
    """

    seeds: int = 1
    cold_items: float = 0.0
    noise: float = 0.0
    work: Path | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ConfigError(f"seeds is {self.seeds}, but at least one fit of each model is needed.")
        for name, share in (("cold_items", self.cold_items), ("noise", self.noise)):
            if share and not 0 < share < 1:
                raise ConfigError(f"{name} is {share:g}, but must be 0 or a share below 1, such as 0.1.")


def compare(
    config: RunConfig,
    names: Sequence[str],
    *,
    out: Path | None = None,
    split_kind: str | None = None,
    seen_shown: bool | None = None,
    options: CompareOptions = CompareOptions(),
    progress: Progress = Silent(),
) -> Comparison:
    """Fit the named models on the same training parts and rank the held-out interactions with each; report.html and report.json are
    written into a new folder `out` (none: no report). No model is saved.

    Under the split k-fold every fold is the test once. Models that cannot be fitted on these data, or not in the memory there is,
    are told before anything is trained; one whose fit fails costs its own row. Raises ModelError where no model is left, and
    RunError where `out` exists, before anything is trained.
    """
    if not names:
        raise ModelError("There is nothing to compare: --models is empty. Give names such as popular,ease,ridge.")
    if out is not None and out.exists():
        raise RunError(f"'{out}' exists already. Give another --out, or move it away.")
    if out is not None:
        need_place(out / "report.html")
    names = list(dict.fromkeys(names))
    sets = [] if split_kind is None else [f"split.kind={split_kind}"]
    sets += [] if seen_shown is None else [f"evaluation.seen_shown={str(seen_shown).lower()}"]
    chosen = with_settings(replace(config, model=names[0], beside=tuple(names[1:])), [f"model={names[0]}", *sets])
    loaded = validate_data(chosen, progress=progress)
    found = _compared(names, chosen, loaded, options, progress)
    if out is not None:
        with atomic_folder(out) as folder:
            facts = {"seeds": options.seeds, "cold_items": options.cold_items, "noise": options.noise}
            text = json.dumps(comparison_report(found, chosen, loaded) | facts, indent=1, ensure_ascii=False, allow_nan=False)
            (folder / "report.json").write_text(text, encoding="utf-8")
            (folder / "report.html").write_text(comparison_page(found, chosen, loaded), encoding="utf-8")
    return found


def _compared(names: Sequence[str], chosen: RunConfig, loaded: Loaded, options: CompareOptions, progress: Progress) -> Comparison:
    asked = _prepared(chosen, loaded, options)
    absent = {found.name: found for found in _obstacles(names, asked[0]) if not _is_kept(found, asked[0], options)}
    clean = _cells([name for name in names if name not in absent], asked, options, progress=progress, absent=absent)
    noisy: _Cells = {}
    if options.noise:
        noisy = _cells(list(clean), asked, options, progress=progress, absent=absent, noise=options.noise)
        clean = {name: found for name, found in clean.items() if name in noisy}
    if not clean:
        reasons = " ".join(f"{found.name}: {found.reason}" for found in absent.values())
        raise ModelError(f"No model is left to compare. {reasons}")
    found = _board(clean, asked, chosen)
    kept = _kept(clean, noisy, len(asked), found.metrics[0], chosen.seed) if noisy else {}
    ordered = tuple(absent[name] for name in names if name in absent)
    costs = {name: _cost([cell[1] for fold in clean[name] for cell in fold]) for name in found.models}
    return replace(found, absent=ordered, costs=costs, kept=kept)


def _prepared(config: RunConfig, loaded: Loaded, options: CompareOptions) -> list[Prepared]:
    """The data divided: once, or once for every fold."""
    folds = range(1, config.split.folds + 1) if config.split.kind == "k-fold" else [config.split.fold]
    harder = partial(hide_items, share=options.cold_items, seed=config.seed) if options.cold_items else None
    configs = [replace(config, split=replace(config.split, fold=fold)) for fold in folds]
    return [divide(own, loaded, harder=harder) for own in configs]


def _obstacles(names: Sequence[str], prepared: Prepared) -> list[Absent]:
    """The models that cannot take part; a fusion cannot where one of its parts cannot."""
    found = []
    for name in names:
        problem = _obstacle(name, prepared)
        if problem is not None:
            reason = problem.reason if problem.name == name else f"{problem.name}, a part of it: {problem.reason}"
            found.append(replace(problem, name=name, reason=reason))
    return found


def _is_kept(found: Absent, prepared: Prepared, options: CompareOptions) -> bool:
    """Whether a model that would not fit into memory now was fitted before: what is kept needs none."""
    rounds = Round(prepared, [found.name], harder=_told(options, prepared.config.seed), root=options.work)
    return found.kind == "memory" and rounds.has(found.name)


def _told(options: CompareOptions, seed: int, noise: float = 0.0) -> str:
    """What was done to a split beside its configuration, as a part of what a cell is known by."""
    return f"cold items {options.cold_items:g}, noise {noise:g}, drawn with seed {seed}"


def _obstacle(name: str, prepared: Prepared) -> Absent | None:
    config, train = prepared.config, prepared.split.train
    parts = parts_for(prepared, name)
    # Parts are asked by themselves, with the settings that they have here.
    model = build_model(name, config, parts={part: build_model(part, config) for part in parts})
    own = obstacle(model, train, foresee=config.foresee_memory)
    if own is not None:
        return replace(own, name=name)
    return next((problem for part in parts if (problem := _obstacle(part, prepared)) is not None), None)


def _cells(
    names: Sequence[str],
    asked: Sequence[Prepared],
    options: CompareOptions,
    *,
    progress: Progress,
    absent: dict[str, Absent],
    noise: float = 0.0,
) -> _Cells:
    """The cells by model, fold and seed; what fails goes to `absent`."""
    out: _Cells = {name: [[] for _ in asked] for name in names}
    harder: Callable[[Split], Split] = partial(with_random_clicks, share=noise, seed=asked[0].config.seed) if noise else _as_it_is
    told = _told(options, asked[0].config.seed, noise)
    counting = _CellProgress(progress, len(asked) * options.seeds * len(names), "with random clicks, " if noise else "")
    for place, prepared in enumerate(asked):
        made = replace(prepared, split=harder(prepared.split))
        for number in range(options.seeds):
            own = replace(made, config=replace(made.config, seed=made.config.seed + number))
            running = Round(own, list(out), harder=told, root=options.work, progress=counting)
            for name in list(out):
                counting.begin(((place * options.seeds) + number) * len(names) + names.index(name) + 1)
                try:
                    out[name][place].append(running.cell(name))
                except FAILURES as problem:
                    absent[name] = _failure(name, problem)
                    del out[name]
            running.close()
    return out


class _CellProgress:
    """A Progress whose stages say which of how many cells they belong to: folds, seeds and models make long tables."""

    def __init__(self, progress: Progress, total: int, kind: str) -> None:
        self._progress, self._total, self._kind, self._cell = progress, total, kind, 0

    def begin(self, cell: int) -> None:
        """What follows belongs to this cell, counting from 1."""
        self._cell = cell

    def stage(self, name: str, *, total: int) -> None:
        """Begin a stage of `total` steps."""
        self._progress.stage(f"cell {self._cell} of {self._total}, {self._kind}{name}", total=total)

    def step(self, done: int, *, loss: float | None = None) -> None:
        """`done` steps of the current stage are finished."""
        self._progress.step(done, loss=loss)


def _as_it_is(parts: Split) -> Split:
    return parts


def _failure(name: str, problem: BaseException) -> Absent:
    if isinstance(problem, MemoryError):
        return Absent(name=name, kind="memory", reason=f"There was not enough memory. {problem}".strip())
    return Absent(name=name, kind="failed", reason=str(problem))


def _runs(cells: _Cells, place: int) -> dict[str, list[Evaluation]]:
    """The evaluations of one fold by model, a seed each."""
    return {name: [cell[0] for cell in found[place]] for name, found in cells.items()}


def _board(cells: _Cells, asked: Sequence[Prepared], config: RunConfig) -> Comparison:
    parts = asked[0].split
    return compare_folds(
        [
            Fold(runs=_runs(cells, place), background=Background.of(prepared.split.train, prepared.split.test))
            for place, prepared in enumerate(asked)
        ],
        split=parts.name,
        protocol=parts.protocol.rstrip("."),
        metrics=config.evaluation.metrics,
        pairs=list(combinations(cells, 2)),
        seed=config.seed,
    )


def _kept(cells: _Cells, noisy: _Cells, num_folds: int, metric: str, seed: int) -> dict[str, Interval]:
    """Share of the mean of a metric that is left after fits with random clicks, with its interval over users."""
    before, after = (
        PerUser([Fold(runs=_runs(found, place)) for place in range(num_folds)], [metric]).values for found in (cells, noisy)
    )
    return {name: bootstrap_ratio(after[name][metric], before[name][metric], seed=seed) for name in cells}


def _cost(costs: Sequence[Cost]) -> Cost:
    """Over all folds and seeds: mean time, most memory, median latency."""
    sizes = [cost.fit_bytes for cost in costs if cost.fit_bytes is not None]
    return Cost(
        fit_seconds=float(np.mean([cost.fit_seconds for cost in costs])),
        fit_cpu_seconds=float(np.mean([cost.fit_cpu_seconds for cost in costs])),
        fit_bytes=max(sizes, default=None),
        latency_ms=float(np.median([cost.latency_ms for cost in costs])),
        latency_p95_ms=float(np.median([cost.latency_p95_ms for cost in costs])),
        interrupted=any(cost.interrupted for cost in costs),
    )
