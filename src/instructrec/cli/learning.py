"""The verbs from data to a measured model: fetch, validate, train, evaluate, compare."""

from __future__ import annotations

from collections.abc import Mapping
from json import dumps
from typing import TYPE_CHECKING, Annotated

import typer

from instructrec.cli import options
from instructrec.cli.output import Output

if TYPE_CHECKING:
    from instructrec.config import RunConfig


def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Assets to fetch; none: those the demo needs.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence of an asset that asks for it.")
    ] = False,
    json: options.Json = None,
) -> None:
    """Fetch data and base models into the cache, each checked by its sha256; afterwards no network is needed."""
    from instructrec import assets
    from instructrec.config import DEMO_ASSETS
    from instructrec.console import LiveProgress

    output, fetched = Output(json), []
    for name in names or DEMO_ASSETS:
        asset = assets.find(name)
        output.words.print(f"{name}: {asset.licence}. {asset.notice}", markup=False)
        if accept_licence:
            assets.accept(name)
        with LiveProgress() as progress:
            place = assets.fetch(name, progress=progress)
        output.words.print(f"  {place}", markup=False)
        fetched.append({"name": name, "path": str(place), "licence": asset.licence})
    output.finish({"assets": fetched})


def validate(
    data: options.Data = None, config: options.ConfigFile = None, sets: options.Sets = None, json: options.Json = None
) -> None:
    """Read and clean the data and print what each step would change; the input is never changed."""
    from instructrec.console import show_data
    from instructrec.pipeline import data_facts, validate_data

    output, loaded = Output(json), validate_data(configured(config, sets, flags={"data.source": data}))
    show_data(output.words, data_facts(loaded.dataset), loaded.report.lines())
    output.finish({"data": data_facts(loaded.dataset), "cleaning": loaded.report.to_json()})


def train(
    out: options.Out,
    data: options.Data = None,
    model: options.Model = None,
    base: options.Base = None,
    codes: options.Codes = None,
    reader: options.TunedReader = None,
    writer: options.TunedWriter = None,
    config: options.ConfigFile = None,
    sets: options.Sets = None,
    seed: options.Seed = None,
    tensorboard: options.TensorBoard = None,
    json: options.Json = None,
) -> None:
    """Fit a model, measure it on held-out interactions and save the run folder; after Ctrl-C the same command continues."""
    from contextlib import ExitStack

    from instructrec.console import LiveProgress, Logged, show_data, show_leaderboard
    from instructrec.core import Progress
    from instructrec.pipeline import data_facts, prepare
    from instructrec.pipeline import train as train_run

    output = Output(json)
    # The two options of the language model go to the one that is trained: `lm`, alone or in a fusion, or `tiger`.
    name = model if model == "tiger" else "lm"
    flags = {
        "data.source": data,
        "model": model,
        f"{name}.base": base,
        f"{name}.codes": codes,
        "reader": reader,
        "writer": writer,
        "seed": seed,
    }
    chosen = configured(config, sets, flags=flags)
    with ExitStack() as open_:
        progress: Progress = open_.enter_context(LiveProgress())
        if tensorboard is not None:
            progress = open_.enter_context(Logged(progress, tensorboard))
        prepared = prepare(chosen, progress=progress)
        show_data(output.words, data_facts(prepared.loaded.dataset), prepared.loaded.report.lines())
        run = train_run(prepared, out, progress=progress)
    show_leaderboard(output.words, run.report)
    output.words.print(f"Run folder: {run.path}\nReport:     {run.path / 'report.html'}", markup=False)
    output.words.print(f"Next:       instructrec recommend {run.path} --user USER", markup=False)
    output.finish({"run": str(run.path), "version": run.version, "model": chosen.model, **run.report})


def evaluate(
    run: options.RunFolder,
    model: options.Model = None,
    seen_shown: options.SeenShown = None,
    json: options.Json = None,
) -> None:
    """Measure the models of a run again on its held-out interactions, by full ranking, with intervals."""
    from instructrec.console import LiveProgress, show_leaderboard
    from instructrec.pipeline import evaluate as evaluate_run
    from instructrec.runs import Run

    output = Output(json)
    with LiveProgress() as progress:
        found = evaluate_run(Run.load(run), names=(model,) if model else (), seen_shown=seen_shown, progress=progress)
    report = {"run": str(run), **found.to_json()}
    show_leaderboard(output.words, report)
    output.finish(report)


def compare(
    models: options.Models,
    data: options.Data = None,
    split: options.SplitKind = None,
    seen_shown: options.SeenShown = None,
    tuned: options.Tuned = None,
    config: options.ConfigFile = None,
    sets: options.Sets = None,
    seed: options.Seed = None,
    seeds: options.Seeds = 1,
    cold_items: options.ColdItems = 0.0,
    noise: options.Noise = 0.0,
    work: options.Cells = None,
    out: options.ReportFolder = None,
    json: options.Json = None,
) -> None:
    """Fit several models on the same split and show them side by side, each mean with its interval, with their costs and with
    those that cannot take part and why. No model is saved; finished cells are kept, so an interrupted table goes on.
    """
    from instructrec import assets
    from instructrec.console import LiveProgress, show_comparison
    from instructrec.pipeline import CompareOptions
    from instructrec.pipeline import compare as compare_models
    from instructrec.pipeline.searching import chosen_settings, told_apart

    output = Output(json)
    sets = [*chosen_settings(tuned), *(sets or [])]
    names = [name.strip() for name in models.split(",") if name.strip()]
    chosen = configured(config, sets, flags={"data.source": data, "model": names[0] if names else None, "seed": seed})
    if warning := told_apart(tuned, chosen, split):
        output.words.print(warning, markup=False, style="yellow")
    kept = work or assets.cache_folder() / "comparisons"
    asked = CompareOptions(seeds=seeds, cold_items=cold_items, noise=noise, work=kept)
    with LiveProgress() as progress:
        found = compare_models(chosen, names, out=out, split_kind=split, seen_shown=seen_shown, options=asked, progress=progress)
    report = found.to_json()
    show_comparison(output.words, {**report, **found.details()})
    if out is not None:
        output.words.print(f"Report:     {out / 'report.html'}", markup=False)
    output.finish({**report, "absent": [gone.to_json() for gone in found.absent]} if found.absent else report)


def configured(config: str | None, sets: list[str] | None, *, flags: Mapping[str, object]) -> RunConfig:
    """The configuration with the options that stand for one setting put over it; --set has the last word."""
    from instructrec.config import from_toml, load

    # A flag is no TOML: the words of a folder name stay words even where they look like a number.
    given = [f"{key}={dumps(value)}" for key, value in flags.items() if value is not None]
    every = [*given, *(sets or [])]
    return from_toml("", every) if config is None else load(config, every)
