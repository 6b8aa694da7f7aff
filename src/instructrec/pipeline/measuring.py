"""Measuring without saving: the models of a finished run once more."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.config import with_settings
from instructrec.core import Progress, Silent
from instructrec.data.split import split
from instructrec.evaluation.comparison import Comparison
from instructrec.pipeline.training import comparison, evaluate_on
from instructrec.runs import Run, parts_of


def evaluate(run: Run, *, names: Sequence[str] = (), seen_shown: bool | None = None, progress: Progress = Silent()) -> Comparison:
    """Rank the held-out interactions of a run with its models (all, or those named) once more: as they were before they were fitted
    again on these, where they were.
    """
    run = run.as_measured()
    sets = [] if seen_shown is None else [f"evaluation.seen_shown={str(seen_shown).lower()}"]
    config = with_settings(run.config, sets)
    parts = split(run.dataset, config.split)
    models = {name: run.model(name) for name in names or run.model_names}
    if not names:
        models |= {part: inner for model in list(models.values()) for part, inner in parts_of(model).items()}
    found = {name: evaluate_on(model, parts, config, progress=progress) for name, model in models.items()}
    return comparison(found, parts, run.config)
