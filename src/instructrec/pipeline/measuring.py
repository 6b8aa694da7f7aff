"""Measuring without saving: several models on one split, or the models of a finished run once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.config import RunConfig, with_settings
from instructrec.core import Progress, Silent
from instructrec.data.split import split
from instructrec.errors import ModelError
from instructrec.evaluation.comparison import Comparison
from instructrec.evaluation.protocol import evaluate as evaluate_model
from instructrec.pipeline.training import comparison, fit, measure, prepare
from instructrec.runs import Run, parts_of


def compare(
    config: RunConfig,
    names: Sequence[str],
    *,
    split_kind: str | None = None,
    seen_shown: bool | None = None,
    progress: Progress = Silent(),
) -> Comparison:
    """Fit the named models on the same training part and rank the held-out interactions with each; nothing is saved."""
    if not names:
        raise ModelError("There is nothing to compare: --models is empty. Give names such as popular,ease,ridge.")
    sets = [] if split_kind is None else [f"split.kind={split_kind}"]
    sets += [] if seen_shown is None else [f"evaluation.seen_shown={str(seen_shown).lower()}"]
    chosen = with_settings(replace(config, model=names[0], beside=tuple(names[1:])), [f"model={names[0]}", *sets])
    prepared = prepare(chosen, progress=progress)
    fitted = fit(prepared, names, progress=progress)
    return measure(prepared, {name: fitted[name] for name in names}, progress=progress)


def evaluate(run: Run, *, names: Sequence[str] = (), seen_shown: bool | None = None, progress: Progress = Silent()) -> Comparison:
    """Rank the held-out interactions of a run with its models (all, or those named) once more."""
    wanted = run.config.evaluation
    hide_seen = not (wanted.seen_shown if seen_shown is None else seen_shown)
    parts = split(run.dataset, run.config.split)
    models = {name: run.model(name) for name in names or run.model_names}
    if not names:
        models |= {part: inner for model in list(models.values()) for part, inner in parts_of(model).items()}
    found = {
        name: evaluate_model(model, parts.test, k=wanted.k, hide_seen=hide_seen, progress=progress)
        for name, model in models.items()
    }
    return comparison(found, parts, run.config)
