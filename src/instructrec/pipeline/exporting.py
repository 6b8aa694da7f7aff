"""From a run to a model that other engines load, measured on the run's own people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructrec.core import Query
from instructrec.errors import ModelError, QueryError, nearest
from instructrec.recommender import Recommender
from instructrec.runs import Run, parts_of

if TYPE_CHECKING:
    from instructrec.models.export import Exported

PRECISIONS = {"hf": {"bf16": "bfloat16", "f32": "float32"}, "gguf": {"f16": "f16", "q8_0": "q8_0", "f32": "f32"}}
"""Format -> precision as it is asked for -> as the exporter calls it; the first is what is taken when none is asked for."""
NUM_QUERIES = 64
"""Histories of the run on which the export is compared with the product."""


def export(run: Run, out: Path, *, kind: str = "hf", precision: str = "", name: str | None = None) -> Exported:
    """Export the language model of a run, or the one inside its fusion. Raises QueryError for an unknown format or precision,
    ModelError for a run without a language model, RunError where `out` exists.
    """
    if kind not in PRECISIONS:
        raise QueryError(f"There is no format '{kind}'.{nearest(kind, PRECISIONS)} Known: {', '.join(PRECISIONS)}.")
    known = PRECISIONS[kind]
    if precision and precision not in known:
        raise QueryError(f"Format {kind} has no precision '{precision}'.{nearest(precision, known)} Known: {', '.join(known)}.")
    model: Any = _language_model(run, name)
    chosen: Any = known[precision or next(iter(known))]
    from instructrec.models.export import export_gguf, export_hugging_face

    queries = _queries(run)
    if kind == "gguf":
        return export_gguf(model, out, queries=queries, quantisation=chosen)
    return export_hugging_face(model, out, queries=queries, dtype=chosen)


def _language_model(run: Run, name: str | None) -> Recommender:
    chosen = run.model(name)
    for model in (chosen, *parts_of(chosen).values()):
        if hasattr(model, "tuned"):
            return model
    raise ModelError(
        f"Model '{chosen.name}' of {run.path} has no language model to export. Train one: instructrec train --model lm --out RUN."
    )


def _queries(run: Run) -> list[Query]:
    """Histories of people spread over the whole log."""
    dataset = run.dataset
    histories = [
        tuple(dataset.catalog.item_ids[code] for code in items) for items in dataset.interactions.histories() if len(items)
    ]
    step = max(1, len(histories) // NUM_QUERIES)
    return [Query(history=history) for history in histories[::step][:NUM_QUERIES]]
