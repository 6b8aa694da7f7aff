"""The way to a run, verb by verb: prepare (load, clean, split), fit, measure, save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructrec import config as settings
from instructrec import runs
from instructrec.config import UNDERSTANDING, WRITING, RunConfig, build_model
from instructrec.core import FitContext, Progress, Query, Silent
from instructrec.data import CleaningReport, Loaded, load
from instructrec.data.praise import CRITICISED, PRAISED, with_praise
from instructrec.data.raw import Note
from instructrec.data.split import Holdout, Split, split
from instructrec.errors import DataError, ModelError, RunError
from instructrec.evaluation.beyond import Background
from instructrec.evaluation.comparison import Comparison
from instructrec.evaluation.comparison import compare as compare_evaluations
from instructrec.evaluation.costs import Absent
from instructrec.evaluation.negatives import random_negatives
from instructrec.evaluation.protocol import Evaluation
from instructrec.evaluation.protocol import evaluate as evaluate_model
from instructrec.evaluation.protocol import prepare as as_asked
from instructrec.explain import lessons
from instructrec.machine import available_memory
from instructrec.models import resolve
from instructrec.pipeline.reporting import Measured, card, page, report
from instructrec.pipeline.samples import sample_users
from instructrec.pipeline.work import Work, content_of, key_of
from instructrec.recommender import Recommender
from instructrec.runs import Run, RunContent
from instructrec.tables import Dataset

if TYPE_CHECKING:
    from instructrec.tuning.understanding import Understander
    from instructrec.tuning.verbalising import Verbaliser


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Data that is loaded, cleaned and split, and the configuration it was done with."""

    config: RunConfig
    loaded: Loaded
    split: Split


def prepare(config: RunConfig, *, progress: Progress = Silent()) -> Prepared:
    """Load, clean and split. Raises DataError for data that nothing can be learned from."""
    return divide(config, validate_data(config, progress=progress), progress=progress)


def divide(
    config: RunConfig, loaded: Loaded, *, harder: Callable[[Split], Split] | None = None, progress: Progress = Silent()
) -> Prepared:
    """Split data that were loaded; `harder` changes the split before anything is learned from it (`data.conditions`)."""
    parts = split(loaded.dataset, config.split)
    parts = harder(parts) if harder else parts
    if not len(parts.train.interactions):
        raise DataError(
            f"After cleaning and the {parts.name} split '{config.data.source}' has no interactions left to train on. "
            "Give more data, or ease cleaning; `instructrec validate` prints what each step removed."
        )
    least = config.data.options.reviewers
    if least:
        parts = with_praise(parts, least=least, progress=progress)
        loaded = replace(loaded, report=_with_praise_told(loaded.report, parts, least))
    return Prepared(config=config, loaded=loaded, split=parts)


def _with_praise_told(report: CleaningReport, parts: Split, least: int) -> CleaningReport:
    """The report with what the reviews of the training part gave."""
    counts = {name: f"{sum(map(bool, parts.train.catalog.label_rows(name))):,}" for name in (PRAISED, CRITICISED)}
    return replace(report, notes=(*report.notes, Note("praise", {**counts, "least": str(least)})))


def validate_data(config: RunConfig, *, progress: Progress = Silent()) -> Loaded:
    """Load and clean, to see the report; the input is only read."""
    return load(config.data.source, options=config.data.options, cleaning=config.cleaning, progress=progress)


def fit(prepared: Prepared, names: Sequence[str], *, work: Work = Work(), progress: Progress = Silent()) -> dict[str, Recommender]:
    """Fit the named models on the training part; those that `work` holds are read instead. The parts of a fusion come along."""
    fitted: dict[str, Recommender] = {}
    for name in names:
        parts = parts_for(prepared, name)
        inner = fit(prepared, [part for part in parts if part not in fitted], work=work, progress=progress) if parts else {}
        fitted |= inner
        if name not in fitted:
            own = {part: fitted[part] for part in parts}
            fitted[name] = work.fitted(
                name, prepared.split.train.catalog, partial(fit_one, prepared, name, own, work.unfinished(name), progress)
            )
    return fitted


def parts_for(prepared: Prepared, name: str) -> tuple[str, ...]:
    """The models that a model is put together from on these data; empty for most."""
    parts = settings.parts_of(prepared.config.settings.get(name))
    kind: Any = resolve(name)
    return tuple(kind.suited(parts, prepared.split.train)) if parts else ()


def measure(
    prepared: Prepared, models: Mapping[str, Recommender], *, work: Work = Work(), progress: Progress = Silent()
) -> Comparison:
    """Rank the whole catalog for every query of the test part with each model, and compare them."""
    found = {name: work.evaluated(name, partial(_evaluate, prepared, model, progress)) for name, model in models.items()}
    return comparison(found, prepared.split, prepared.config)


def train(prepared: Prepared, out: Path, *, progress: Progress = Silent(), num_samples: int = 0) -> Run:
    """Fit and measure all models of the configuration, those that read requests and write reasons included, and save
    the run; an interrupted call continues where it stopped.

    `num_samples`: users whose lists are stored with the report. A finished run of the same configuration and data is returned as
    it is.
    Raises RunError where `out` holds anything else.
    """
    finished = finished_run(out, prepared.config, _saved(prepared))
    if finished is not None:
        return finished
    config, dataset = prepared.config, prepared.loaded.dataset
    with Work.beside(out, key_of(config, dataset)) as work:
        # The quick models first: a fusion finds its parts, and whoever interrupts keeps most.
        fitted = fit(prepared, (*config.beside, config.model), work=work, progress=progress)
        reader = understander(prepared, work=work, progress=progress)
        writer = verbaliser(prepared, work=work, progress=progress)
        measured = Measured(
            config=config,
            loaded=prepared.loaded,
            comparison=measure(prepared, told(fitted, config), work=work, progress=progress),
            models=fitted,
            samples=sample_users(
                fitted[config.model],
                prepared.split.test.queries,
                prepared.split.known,
                config,
                num_users=num_samples,
                lm=reader,
                writer=writer,
            ),
        )
        run = runs.save(out, replace(content(prepared, measured), understander=reader, verbaliser=writer))
        work.close()
    return run


def understander(prepared: Prepared, *, work: Work = Work(), progress: Progress = Silent()) -> Understander | None:
    """The model that reads requests, tuned on the catalog that is served or read from `work`; none where rules read alone."""
    config, catalog = prepared.config, prepared.split.train.catalog
    if config.reader == "rules":
        return None
    from instructrec.tuning.understanding import Understander

    untuned = Understander(config.settings[UNDERSTANDING])
    return work.understander(
        catalog,
        lambda: untuned.fit(
            catalog, language=config.language, seed=config.seed, progress=progress, folder=work.unfinished(UNDERSTANDING)
        ),
    )


def verbaliser(prepared: Prepared, *, work: Work = Work(), progress: Progress = Silent()) -> Verbaliser | None:
    """The model that writes reasons, tuned on outlines about the catalog or read from `work`; none where a grammar writes alone."""
    config = prepared.config
    if config.writer == "grammar":
        return None
    from instructrec.tuning.verbalising import Verbaliser

    untuned = Verbaliser(config.settings[WRITING])

    def tune() -> Verbaliser:
        known = lessons(prepared.split.train, language=config.language, passes=untuned.config.passes, seed=config.seed)
        place = work.unfinished(WRITING)
        return untuned.fit(known, language=config.language, seed=config.seed, progress=progress, folder=place)

    return work.verbaliser(tune)


def told(fitted: Mapping[str, Recommender], config: RunConfig) -> dict[str, Recommender]:
    """The models of the leaderboard: all but parts that say nothing without words, unless they were asked for by name."""
    return {name: model for name, model in fitted.items() if name in config.models or not model.needs_words}


def _saved(prepared: Prepared) -> Dataset:
    """The data as a run folder keeps them: all interactions, and the catalog that models were fitted on."""
    return replace(prepared.loaded.dataset, catalog=prepared.split.train.catalog)


def finished_run(out: Path, config: RunConfig, dataset: Dataset | None = None) -> Run | None:
    """The finished run of this configuration, and of these data where they are given, in `out`; none where nothing lies there.
    Raises RunError for anything else.
    """
    if not out.exists():
        return None
    if out.is_file():
        raise RunError(f"'{out}' is a file, but a run folder is to be made there. Choose another --out.")
    run = Run.load(out)
    if settings.dump(run.config) != settings.dump(config):
        raise RunError(
            f"'{out}' holds a finished run with another configuration ({out / 'run.toml'}). Choose another --out, or move it away."
        )
    if dataset is not None and _without_reviews(dataset) != _without_reviews(run.dataset):
        raise RunError(
            f"'{out}' holds a finished run on other data: it was trained on {len(run.dataset.interactions):,} interactions, and "
            f"'{config.data.source}' now gives {len(dataset.interactions):,}, or other ones. Choose another --out, or move it away."
        )
    return run


def _without_reviews(dataset: Dataset) -> str:
    """What data are known by, but for what people wrote: a run keeps what reviews gave, not the reviews."""
    return content_of(replace(dataset, interactions=replace(dataset.interactions, reviews=())))


def first_place(wanted: Path, config: RunConfig) -> Path:
    """`wanted`, or the first of wanted-2, wanted-3, ... that is free or holds the finished run of this configuration."""
    place, number = wanted, 1
    while runs.is_run(place) and settings.dump(settings.load(place / "run.toml")) != settings.dump(config):
        number += 1
        place = wanted.with_name(f"{wanted.name}-{number}")
    return place


def comparison(found: Mapping[str, Evaluation], parts: Split, config: RunConfig) -> Comparison:
    """Evaluations of one split, side by side."""
    names, metrics = list(found), config.evaluation.metrics
    best = config.model if config.model in found else names[0]
    return compare_evaluations(
        found,
        split=parts.name,
        background=Background.of(parts.train, parts.test),
        metrics=metrics,
        pairs=[(best, name) for name in names if name != best],
        seed=config.seed,
    )


def validation_of(holdout: Holdout) -> tuple[list[Query], list[int]]:
    """The queries of a holdout that have a target, and the code of the first one each."""
    rows = [row for row, targets in enumerate(holdout.targets) if len(targets)]
    return [holdout.queries[row] for row in rows], [int(holdout.targets[row][0]) for row in rows]


def fit_one(
    prepared: Prepared, name: str, parts: Mapping[str, Recommender], folder: Path | None = None, progress: Progress = Silent()
) -> Recommender:
    """Fit one model on the training part; `parts` are fitted already. Raises ModelError where it is known that it cannot be."""
    config, train = prepared.config, prepared.split.train
    model = build_model(name, config, parts=parts)
    found = obstacle(model, train, foresee=config.foresee_memory)
    if found is not None:
        raise ModelError(f"{name}: {found.reason}")
    context = FitContext(validation=validation_of(prepared.split.valid), seed=config.seed, progress=progress, folder=folder)
    return model.fit(train, context)


def obstacle(model: Recommender, train: Dataset, *, foresee: bool) -> Absent | None:
    """Why a model cannot be fitted on these data, asked before it is tried; none where nothing is foreseen.

    `foresee`: whether more memory than is available counts.
    """
    unfit = model.unfit_for(train)
    if unfit:
        return Absent(name=model.name, kind="unfit", reason=unfit)
    needed, free = model.bytes_needed(train), available_memory()
    if not foresee or free is None or needed <= free:
        return None
    reason = (
        "Out of memory is foreseen from the sizes: "
        f"the fit needs about {needed / 1e9:.1f} GB beside the data, but {free / 1e9:.1f} GB are available. "
        "Use less data (cleaning.*), smaller settings or another machine, or try all the same: "
        "--set foresee_memory=false"
    )
    return Absent(name=model.name, kind="memory", reason=reason)


def _evaluate(prepared: Prepared, model: Recommender, progress: Progress) -> Evaluation:
    return evaluate_on(model, prepared.split, prepared.config, progress=progress)


def evaluate_on(model: Recommender, parts: Split, config: RunConfig, *, progress: Progress = Silent()) -> Evaluation:
    """Rank for every test query the whole catalog, or a sample of it where the configuration asks for one."""
    wanted = config.evaluation
    hide_seen, asked = not wanted.seen_shown, parts.test
    if wanted.sampled:
        asked = replace(asked, queries=as_asked(asked.queries, hide_seen=hide_seen))
        asked = random_negatives(asked, parts.train.catalog, count=wanted.sampled, seed=config.seed, every_target=True)
    return evaluate_model(model, asked, k=wanted.k, hide_seen=hide_seen, progress=progress)


def content(prepared: Prepared, measured: Measured) -> RunContent:
    """What is saved of models that were fitted and measured, without those that read requests and write reasons."""
    config = prepared.config
    served = measured.models[config.model]
    # Parts of the served fusion are stored inside it, so they are not stored twice.
    beside = {name: measured.models[name] for name in config.beside if name not in runs.parts_of(served)}
    known = prepared.split.known.interactions
    return RunContent(
        config=config,
        dataset=_saved(prepared),
        parts=runs.part_of_rows(prepared.loaded.dataset.interactions, prepared.split.train.interactions, known),
        models={config.model: served} | beside,
        report=report(measured),
        html=page(measured),
        card=card(measured),
    )
