"""The verb that hands a tuned model on: export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from instructrec.cli import options
from instructrec.cli.output import Output


def export(
    run: options.RunFolder,
    out: Annotated[Path, typer.Option("--out", metavar="PLACE", help="The folder or file to make.", show_default=False)],
    kind: Annotated[
        str, typer.Option("--format", metavar="F", help="hf: a Hugging Face folder; gguf: one file for llama.cpp.")
    ] = "hf",
    precision: Annotated[str, typer.Option("--precision", metavar="P", help="f32, bf16 (hf), f16 or q8_0 (gguf).")] = "",
    model: options.Model = None,
    json: options.Json = None,
) -> None:
    """Write the tuned language model with its adapter merged, for other engines; how near it is to the product is measured."""
    from instructrec.pipeline import export as export_run
    from instructrec.runs import Run

    output = Output(json)
    exported = export_run(Run.load(run), out, kind=kind, precision=precision, name=model)
    facts = asdict(exported.fidelity)
    output.words.print(f"{kind} written to {exported.path}", markup=False)
    for key, value in facts.items():
        if value is not None:
            output.words.print(f"  {key}: {value:.3f}" if isinstance(value, float) else f"  {key}: {value}", markup=False)
    output.finish({"run": str(run), "path": str(exported.path), "format": kind, **facts})
