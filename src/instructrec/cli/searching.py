"""The verb that looks for settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from instructrec.cli import options
from instructrec.cli.learning import configured
from instructrec.cli.output import Output
from instructrec.errors import ConfigError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def tune(
    models: Annotated[
        str, typer.Argument(metavar="MODEL[,MODEL...]", help="Names of models, separated by commas.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the trials and the chosen settings are kept.")],
    data: options.Data = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="TIME", help="CPU time for each model, such as 90s, 20m or 1h30m.")
    ] = "20m",
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Trials of each model, at most; what was tried before does not count.")
    ] = 1000,
    spaces: Annotated[
        Path | None,
        typer.Option(
            "--spaces",
            metavar="FOLDER",
            help="A folder of MODEL.toml with the ranges to look in, instead of those of the package.",
            show_default=False,
        ),
    ] = None,
    config: options.ConfigFile = None,
    sets: options.Sets = None,
    seed: options.Seed = None,
    json: options.Json = None,
) -> None:
    """Look for the settings of models that rank held-out validation items best; after Ctrl-C the same command continues.

    Every model gets the same CPU time for fitting and ranking. The first trial has the configured settings, the others come from
    Optuna's TPE; the objective is NDCG@10 on validation, and the test part is never read. FOLDER then holds trials.csv (every
    trial), chosen.toml (for `compare --tuned FOLDER`) and tuned.toml (the whole configuration, for --config).
    """
    from instructrec.console import LiveProgress, show_searched
    from instructrec.pipeline import prepare
    from instructrec.pipeline.searching import search
    from instructrec.pipeline.study import Effort

    output, effort = Output(json), Effort(seconds=seconds_of(budget), trials=trials)
    names = [name.strip() for name in models.split(",") if name.strip()]
    flags = {"data.source": data, "model": names[0] if names else None, "beside": names[1:], "seed": seed}
    chosen = configured(config, sets, flags=flags)
    if spaces is not None and not spaces.is_dir():
        raise ConfigError(f"There is no folder '{spaces}'. Give a folder of MODEL.toml files, or leave out --spaces.")
    with LiveProgress() as progress:
        found = search(prepare(chosen, progress=progress), names, out, effort=effort, spaces=spaces, progress=progress)
    show_searched(output.words, found.to_json())
    output.finish(found.to_json())


def seconds_of(text: str) -> float:
    """A time such as "90s", "20m" or "1h30m" in seconds. Raises ConfigError for anything else."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    found = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text.strip() or not found:
        raise ConfigError(f"--budget is '{text}', but must be a time above 0 such as 90s, 20m or 1h30m.")
    return found
