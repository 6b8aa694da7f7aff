"""The verbs that ask a run: recommend and explain."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from instructrec.cli import options
from instructrec.cli.output import Output
from instructrec.errors import QueryError

if TYPE_CHECKING:
    from instructrec.runs import Run


def recommend(
    run: options.RunFolder,
    user: options.User = None,
    history: options.History = None,
    instruction: options.Words = "",
    parameters: options.Parameters = None,
    strength: options.Strength = 1.0,
    diversity: options.Diversity = 0.0,
    profile: options.Profile = "",
    dialogue: Annotated[
        Path | None,
        typer.Option(
            "--dialogue",
            metavar="FILE",
            help="Go on in the conversation that FILE holds: the words refine it; 'undo' takes the last ones back.",
            show_default=False,
        ),
    ] = None,
    candidates: options.Candidates = None,
    number: options.Number = 10,
    model: options.Model = None,
    seen_shown: options.SeenShown = None,
    explained: Annotated[bool, typer.Option("--explain/--no-explain", help="Say why each item is there.")] = True,
    users: Annotated[
        str | None, typer.Option("--users", metavar="all", help="Lists for many users: all, or ids separated by commas.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="F.parquet", help="Where the lists of --users go.")] = None,
    reader: options.Reader = None,
    writer: options.Writer = None,
    tone: options.Tone = "plain",
    length: options.Length = "medium",
    language: options.Language = None,
    json: options.Json = None,
) -> None:
    """Recommend items to one user, or to --users into a Parquet file; an instruction limits and orders the list."""
    from instructrec.pipeline import Request
    from instructrec.runs import Run

    output, opened = Output(json), Run.load(run)
    request = Request(
        user=user,
        history=None if history is None else _ids(history),
        instruction=instruction,
        n=number,
        hide_seen=not seen_shown,
        candidates=None if candidates is None else _ids(_text(candidates)),
        model=model,
        language=language,
        parameters=_parameters(parameters),
        strength=strength,
        diversity=diversity,
        profile=_text(profile),
        reader=reader,
        writer=writer,
        tone=tone,
        length=length,
    )
    if dialogue is not None and (users is not None or parameters is not None):
        raise QueryError("--dialogue goes without --users and --parameters: its file holds what was asked. Edit that instead.")
    if users is None:
        _one(output, opened, request, dialogue, explained=explained)
        return
    if out is None or user is not None or history is not None:
        raise QueryError(
            "--users needs --out F.parquet, and goes without --user and --history. Give --users all --out lists.parquet"
        )
    _many(output, opened, request, users=users, out=out)


def explain(
    run: options.RunFolder,
    item: Annotated[str, typer.Option("--item", metavar="ID", help="The item in question.", show_default=False)],
    user: options.User = None,
    history: options.History = None,
    instruction: options.Words = "",
    number: options.Number = 10,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Draw what was measured as a page, written there.", show_default=False),
    ] = None,
    model: options.Model = None,
    reader: options.Reader = None,
    writer: options.Writer = None,
    tone: options.Tone = "plain",
    length: options.Length = "medium",
    language: options.Language = None,
    json: options.Json = None,
) -> None:
    """Say why one item suits a user, wherever it stands: which history, which attributes, which words; and what it depends on."""
    from instructrec.console import show_answer, show_attribution
    from instructrec.files import write_atomic
    from instructrec.pipeline import Request, explain_item, reasons_page
    from instructrec.runs import Run

    output = Output(json)
    past = None if history is None else _ids(history)
    request = Request(
        user=user,
        history=past,
        instruction=instruction,
        n=number,
        model=model,
        language=language,
        reader=reader,
        writer=writer,
        tone=tone,
        length=length,
    )
    opened = Run.load(run)
    report = explain_item(opened, request, item)
    show_answer(output.words, report)
    show_attribution(output.words, report["attribution"])
    if html is not None:
        write_atomic(html, reasons_page(report, language=language or opened.config.language))
        output.words.print(f"Drawn in {html}", markup=False)
    output.finish(report)


def profile(
    run: options.RunFolder,
    user: options.User = None,
    history: options.History = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the text there, to be edited and given to `recommend --profile @FILE`."),
    ] = None,
    language: options.Language = None,
    json: options.Json = None,
) -> None:
    """Write a user's taste in words, read off the history."""
    from instructrec.files import write_atomic
    from instructrec.pipeline import Request
    from instructrec.pipeline import profile as describe
    from instructrec.runs import Run

    output = Output(json)
    past = None if history is None else _ids(history)
    found = describe(Run.load(run), Request(user=user, history=past, language=language))
    output.words.print(found.text, markup=False)
    if out is not None:
        write_atomic(out, found.text + "\n")
    output.finish(asdict(found) | {"user_id": user})


def _text(given: str) -> str:
    """An option that is text, or @FILE. Raises QueryError for a file that cannot be read."""
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise QueryError(f"'{given[1:]}' cannot be read: {problem}. Give the text itself, or @ and a text file.") from None


def _parameters(text: str | None) -> Any:
    """The JSON value of --parameters, from the command line or a file. Raises QueryError for what is no JSON."""
    if text is None:
        return None
    import json

    content = _text(text)
    try:
        return json.loads(content)
    except ValueError as problem:
        raise QueryError(f"--parameters is no JSON object: {problem}. Give '{{\"limits\": [...]}}', or @FILE.") from None


def _one(output: Output, run: Run, request: Any, dialogue: Path | None, *, explained: bool) -> None:
    from instructrec.console import show_answer
    from instructrec.pipeline import answer, converse

    if dialogue is None:
        report = answer(run, request, explained=explained)
    else:
        report = converse(run, request, dialogue, explained=explained)
    show_answer(output.words, report)
    output.finish(report)


def _many(output: Output, run: Run, request: Any, *, users: str, out: Path) -> None:
    from instructrec.console import LiveProgress
    from instructrec.pipeline import write_all

    with LiveProgress() as progress:
        num_lists = write_all(run, request, out, users=None if users == "all" else _ids(users), progress=progress)
    output.words.print(f"{num_lists:,} lists written to {out}", markup=False)
    output.finish({"run": str(run.path), "model_version": run.version, "lists": num_lists, "file": str(out)})


def _ids(text: str) -> tuple[str, ...]:
    """Ids that commas or ends of lines separate; one that holds a comma stands in double quotes, as in CSV."""
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return tuple(part.strip() for row in rows for part in row if part.strip())
