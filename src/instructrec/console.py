"""What a person sees in the terminal: live progress on standard error, and reports, which are plain JSON values, as tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from instructrec.core import Progress
from instructrec.errors import ConfigError
from instructrec.wire import understood

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
    from rich.table import Table

Values = Mapping[str, Any]
WIDTH = 132
"""Columns of output that goes to no terminal."""
SHOWN = 8
"""Effects of one kind that are shown of an item, at most: the strongest."""
SECONDS_BETWEEN_LINES = 5.0
"""A log that is no terminal gets a line of progress this often at most."""


def printer(*, to_stderr: bool = False) -> Console:
    """Where reports are printed; on standard error when standard output carries JSON."""
    from rich.console import Console

    out = Console(stderr=to_stderr, highlight=False, soft_wrap=True)
    # A file or a pipe has no width of its own; the usual guess of 80 would cut tables.
    return out if out.is_terminal else Console(stderr=to_stderr, highlight=False, soft_wrap=True, width=WIDTH)


class LiveProgress:
    """Stage, step, loss and time left: a moving bar in a terminal, now and then a line elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._name, self._total = "", 0
        self._first: tuple[int, float] | None = None
        self._began = self._printed = 0.0

    def __enter__(self) -> Self:
        """Begin; a bar is drawn only in a terminal."""
        if self._stream.isatty():
            self._bar = _bar(self._stream)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the terminal as it was, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def stage(self, name: str, *, total: int) -> None:
        """Begin a stage of `total` steps."""
        self._name, self._total, self._first = name, total, None
        self._began = self._printed = time.monotonic()
        if self._bar is None:
            self._line(f"{name} ...")
            return
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(name, total=max(total, 1), loss="")

    def step(self, done: int, *, loss: float | None = None) -> None:
        """`done` steps of the current stage are finished."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done)
            if loss is not None:
                self._bar.update(self._task, loss=f"loss {loss:.3f}")
            return
        now = time.monotonic()
        # Resumed work begins in the middle, so the speed is taken from the first step that is reported.
        self._first = self._first or (done, now)
        finished = done >= self._total
        if self._bar is None and (now - self._printed >= SECONDS_BETWEEN_LINES or (finished and now - self._began >= 1.0)):
            self._printed = now
            self._line(self._words(done, loss, now))

    def _words(self, done: int, loss: float | None, now: float) -> str:
        parts = [f"{self._name}: {done}/{self._total}"]
        if loss is not None:
            parts.append(f"loss {loss:.3f}")
        first, began = self._first or (done, now)
        if done >= self._total:
            parts.append(f"done in {duration(now - self._began)}")
        elif done > first:
            parts.append(f"{duration((now - began) / (done - first) * (self._total - done))} left")
        return ", ".join(parts)

    def _line(self, text: str) -> None:
        self._stream.write(f"  {text}\n")
        self._stream.flush()


class Logged:
    """Another Progress, whose losses also go to a folder that TensorBoard reads: one curve a stage.

    Raises ConfigError where the package `tensorboard` is not installed.
    """

    def __init__(self, progress: Progress, folder: Path) -> None:
        try:
            from tensorboard.summary import Writer
        except ImportError:
            raise ConfigError(
                "The package 'tensorboard' is not installed. Install it (pip install tensorboard), or leave out --tensorboard."
            ) from None
        folder.mkdir(parents=True, exist_ok=True)
        self._progress, self._stage = progress, ""
        self._writer: Any = Writer(str(folder))

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write what is not written yet."""
        self._writer.close()

    def stage(self, name: str, *, total: int) -> None:
        """Begin a stage of `total` steps."""
        self._stage = name
        self._progress.stage(name, total=total)

    def step(self, done: int, *, loss: float | None = None) -> None:
        """`done` steps of the current stage are finished."""
        self._progress.step(done, loss=loss)
        if loss is not None:
            self._writer.add_scalar(f"{self._stage}/loss", loss, done)


def duration(seconds: float) -> str:
    """Seconds as a person reads them: "8.2 s", "1:05 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def show_data(out: Console, data: Values, cleaning: Sequence[str]) -> None:
    """What was loaded, and what cleaning changed, one line a step."""
    counts = f"{data['users']:,} users, {data['items']:,} items, {data['interactions']:,} interactions"
    out.print(f"[bold]Data[/bold]  {data['name']}: {counts}")
    for line in cleaning:
        out.print(f"  {line}", markup=False)


def show_leaderboard(out: Console, report: Values) -> None:
    """Models by metric, each mean with its interval."""
    models: Mapping[str, Mapping[str, Values]] = report["models"]
    metrics = list(next(iter(models.values()), {}))
    table = new_table("model", *metrics, narrow=True)
    for name, row in models.items():
        table.add_row(name, *(interval(row[metric]) for metric in metrics))
    told = report["protocol"].removeprefix(f"{report['split']}: ")
    out.print(f"\n[bold]Leaderboard[/bold]  {report['split']}; {told}; seen items {report['seen_filter']}")
    out.print(table)


def show_comparison(out: Console, report: Values) -> None:
    """A leaderboard, what each model costs, the errors of ratings, what random clicks leave, and the models that took no part."""
    from instructrec.evaluation.notation import milliseconds, percent, seconds, size

    show_leaderboard(out, report)
    table = new_table("model", "fit", "processor", "memory", "one list", "95 %", "rmse", "mae", "kept under noise", narrow=True)
    for name in report["models"]:
        cost, errors = report["costs"][name], report["ratings"].get(name, {})
        fits = [f"{'≥ ' if cost['interrupted'] else ''}{seconds(cost[key])}" for key in ("fit_seconds", "fit_cpu_seconds")]
        cells = [*fits, size(cost["fit_bytes"]), milliseconds(cost["latency_ms"]), milliseconds(cost["latency_p95_ms"])]
        cells += [interval(errors[key]) if key in errors else "-" for key in ("rmse", "mae")]
        kept = report["kept"].get(name, {}).get("value")
        table.add_row(name, *cells, "-" if kept is None else percent(kept))
    # Columns that no model fills are left out.
    table.columns = [column for column in table.columns if any(cell != "-" for cell in column.cells)]
    out.print(table)
    for gone in report["absent"]:
        kind = {"unfit": "not applicable", "memory": "not enough memory", "failed": "failed"}[gone["kind"]]
        out.print(f"  {gone['name']}: {kind}: {gone['reason']}", markup=False, style="yellow")


def show_searched(out: Console, found: Values) -> None:
    """What a search chose for each model, and what that gains on validation."""
    for model in found["models"]:
        if "not_tuned" in model:
            out.print(f"{model['model']}: {model['not_tuned'] or 'no trial was finished'}", markup=False, style="yellow")
            continue
        trials = ", ".join(f"{count} {outcome}" for outcome, count in model["trials"].items())
        out.print(
            f"{model['model']}: {model['objective']} {model['default']:.4f} -> {model['best']:.4f} "
            f"({trials}; {duration(model['cpu_s'])} of CPU)",
            markup=False,
        )
        out.print(f"  {', '.join(f'{name} = {value}' for name, value in model['chosen'].items())}", markup=False)
    if found["sets"]:
        out.print(f"Chosen:     {found['folder']}/chosen.toml (compare --tuned {found['folder']})", markup=False)


def show_sample(out: Console, sample: Values) -> None:
    """One user: the end of the history, then each list with its reasons."""
    out.print(f"\n[bold]User {sample['user_id']}[/bold], whose last items were")
    for entry in sample["history"]:
        out.print(f"  - {entry['title']}", markup=False)
    for answer in sample["answers"]:
        show_answer(out, answer)


def show_answer(out: Console, answer: Values) -> None:
    """One list: rank, title and source of each item, and why it is there."""
    out.print(f"\n{_heading(answer)}", markup=False, style="bold")
    for note in answer["notes"]:
        out.print(f"  Note: {note}", markup=False, style="yellow")
    parts = understood(answer["instruction"])
    if parts:
        out.print(f"  Understood: {'; '.join(_short(part.rstrip('.')) for part in parts)}", markup=False, style="dim")
    for entry in answer["items"]:
        out.print(f"  {entry['rank']:>2}. {entry['title']}  ({entry['source']})", markup=False)
        for said in ("explanation", "caveat", "counterfactual_text"):
            # Reports of earlier runs hold only the first.
            if entry.get(said):
                out.print(f"      {entry[said]}", markup=False, style="dim")


def show_attribution(out: Console, found: Values) -> None:
    """What each part of the history, of the request and of the model does to the score of one item, the strongest first."""
    table = new_table("", "taken away", "the score falls by")
    names = {"history": "title", "values": "value", "words": "word", "sources": "source"}
    for part, name in names.items():
        rows = sorted(found[part], key=lambda row: -abs(row["effect"]))[:SHOWN]
        for row in rows:
            table.add_row(part, plain(row[name] or row.get("item_id", "")), f"{row['effect']:+.4f}")
    if table.row_count:
        out.print(table)


def show_checks(out: Console, checks: Sequence[Values]) -> None:
    """What the doctor found, one row a check, with what to do where something is wrong."""
    table = new_table("check", "state", "found", "what to do")
    colours = {"ok": "green", "warning": "yellow", "problem": "red"}
    for check in checks:
        state = f"[{colours[check['state']]}]{check['state']}[/]"
        table.add_row(check["name"], state, plain(check["found"]), plain(check["advice"]))
    out.print(table)


def _heading(answer: Values) -> str:
    words = answer["instruction"]["text"]
    asked = f'asked for "{_short(words)}"' if words else "list"
    return f"{answer['user_id'] or 'Somebody new'}: {asked} (model {answer['model']}, served by {answer['served_by']})"


def _short(text: str, length: int = 120) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def interval(value: Values) -> str:
    """A mean with its bounds; a bound that does not exist is left open."""
    if value["value"] is None:
        return "-"
    if value["low"] is None or value["high"] is None:
        return f"{value['value']:.4f} \\[open]"
    return f"{value['value']:.4f} [{value['low']:.3f}, {value['high']:.3f}]".replace("[", "\\[")


def plain(text: str) -> str:
    """Text of which nothing is read as markup."""
    from rich.markup import escape

    return escape(text)


def new_table(*columns: str, narrow: bool = False) -> Table:
    """An empty table with such columns; a narrow one never breaks a cell."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=narrow)
    return table


def _bar(stream: TextIO) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    return Progress(*columns, *times, console=Console(file=stream), transient=True)
