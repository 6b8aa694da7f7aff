"""The verbs that write what a teacher can help with: instruction data for other trainers, and names for the values of a catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from instructrec.cli import options
from instructrec.cli.learning import configured
from instructrec.cli.output import Output

TeacherModel = Annotated[
    str, typer.Option("--teacher-model", metavar="NAME", help="Which model of that server; else the first that it offers.")
]
TeacherKey = Annotated[
    str, typer.Option("--teacher-key", metavar="VARIABLE", help="Environment variable that holds the API key of that server.")
]


def instructions(
    out: Annotated[Path, typer.Option("--out", metavar="F.jsonl", help="The file to write.", show_default=False)],
    data: options.Data = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="F",
            help="trl (prompt, completion), llamafactory (instruction, input, output), or plain: all parts.",
        ),
    ] = "trl",
    language: Annotated[str, typer.Option("--language", metavar="L", help="Language of the questions: en or zh.")] = "en",
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="Examples to write.")] = 10_000,
    codes: Annotated[bool, typer.Option("--codes", help="Write <item_7> behind each title: its row in the catalog.")] = False,
    max_history: Annotated[
        int, typer.Option("--max-history", metavar="N", min=1, help="Items of a history that are written.")
    ] = 50,
    hold_out_values: Annotated[
        bool, typer.Option("--hold-out-values", help="Never say a fixed fifth of the attribute values.")
    ] = False,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher", metavar="URL", help="An OpenAI-compatible server that says tastes and wishes anew.", show_default=False
        ),
    ] = None,
    teacher_model: TeacherModel = "",
    teacher_key: TeacherKey = "",
    config: options.ConfigFile = None,
    sets: options.Sets = None,
    seed: options.Seed = None,
    json: options.Json = None,
) -> None:
    """Write the instruction data that tuning is made of as JSON lines, items by title; of the training part of the split alone."""
    from instructrec.console import LiveProgress
    from instructrec.lm.endpoint import endpoint_at
    from instructrec.pipeline import ExportOptions, prepare, write_instructions

    output, chosen = Output(json), configured(config, sets, flags={"data.source": data, "seed": seed})
    wanted = ExportOptions(
        kind=kind,
        language=language,
        seed=chosen.seed,
        count=count,
        codes=codes,
        max_history=max_history,
        hold_out_values=hold_out_values,
    )
    asked = endpoint_at(teacher, teacher_model, key_variable=teacher_key) if teacher else None
    with LiveProgress() as progress:
        written = write_instructions(prepare(chosen, progress=progress), out, wanted, teacher=asked, progress=progress)
    facts = written.to_json()
    output.words.print(f"{written.examples:,} examples written to {out}", markup=False)
    missing = [name for name, number in facts["cells"].items() if not number]
    if written.left_out:
        output.words.print(f"{written.left_out:,} left out; cells without any: {', '.join(missing) or 'none'}", markup=False)
    if facts["teacher"] is not None:
        output.words.print(f"Teacher: {facts['teacher']}", markup=False)
    output.finish({"format": kind, "language": language, **facts})


def names(
    out: Annotated[Path, typer.Option("--out", metavar="F.csv", help="The file to write.", show_default=False)],
    teacher: Annotated[
        str, typer.Option("--teacher", metavar="URL", help="An OpenAI-compatible server that knows the words.", show_default=False)
    ],
    data: options.Data = None,
    language: Annotated[str, typer.Option("--language", metavar="L", help="Language of the names: en or zh.")] = "en",
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Values that are asked for: the commonest.")] = 300,
    teacher_model: TeacherModel = "",
    teacher_key: TeacherKey = "",
    config: options.ConfigFile = None,
    sets: options.Sets = None,
    json: options.Json = None,
) -> None:
    """Write what people call the values of the catalog: synonyms, or words of another language; read the file, mend it, and lay it
    beside the items as names.csv, or name it with --set data.options.names=FILE.
    """
    from dataclasses import asdict

    from instructrec.console import LiveProgress
    from instructrec.lm.endpoint import endpoint_at
    from instructrec.pipeline import write_names

    output, chosen = Output(json), configured(config, sets, flags={"data.source": data})
    asked = endpoint_at(teacher, teacher_model, key_variable=teacher_key)
    with LiveProgress() as progress:
        found = write_names(chosen, out, asked, language=language, most=most, progress=progress)
    count = f"{found.names:,} names for {found.values:,} values"
    output.words.print(f"{count} written to {out}. Read them before you use them.", markup=False)
    output.words.print(f"Teacher: {found.teacher}", markup=False)
    output.finish(asdict(found) | {"path": str(out), "language": language})
