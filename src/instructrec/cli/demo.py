"""`instructrec demo`: the whole road on real data, and what to type next."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from instructrec.cli import options
from instructrec.cli.output import Output
from instructrec.cli.serving import serve
from instructrec.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from instructrec.config import RunConfig
    from instructrec.runs import Run

NUM_SAMPLES = 3
SLOW = (
    "This processor has no instructions for bfloat16 (AVX512-BF16, AMX): expect three to four times the minutes that the help "
    "tells. With --quick the same road takes a fraction of them."
)


def demo(
    quick: Annotated[bool, typer.Option("--quick", help="The same road in under 90 seconds, with less training.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Train to the best numbers, in at most 15 minutes.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The run folder to make.", show_default="runs/demo")
    ] = None,
    seed: options.Seed = None,
    sets: options.Sets = None,
    served: Annotated[bool, typer.Option("--serve", help="Serve the run afterwards, with its page, at 127.0.0.1:8000.")] = False,
    json: options.Json = None,
) -> None:
    """Tune a language model on real interactions, measure it beside honest baselines, and recommend with reasons."""
    if quick and full:
        raise ConfigError("--quick and --full exclude one another. Give one of them, or none for the run of about five minutes.")
    from instructrec.config import preset

    began, output = time.monotonic(), Output(json)
    name = "quick" if quick else "full" if full else "default"
    config = preset(name, [*([] if seed is None else [f"seed={seed}"]), *(sets or [])])
    run, reused = _finished_or_trained(output.words, config, out, "runs/demo" if name == "default" else f"runs/demo-{name}")
    if reused:
        output.words.print(f"This run is finished already: {run.path}", markup=False)
    seconds = time.monotonic() - began
    _show(output.words, run, data_shown=not reused)
    _show_end(output.words, run, seconds)
    about = {"run": str(run.path), "version": run.version, "reused": reused}
    output.finish({**about, "seconds": round(seconds, 1), "peak_memory_mb": peak_memory_mb(), **run.report})
    if served:
        serve(run.path)


def _finished_or_trained(out: Console, config: RunConfig, path: Path | None, default: str) -> tuple[Run, bool]:
    """The finished run of this configuration, or one trained now; and which of the two it is."""
    from instructrec.console import LiveProgress, show_data
    from instructrec.doctor import number_format
    from instructrec.pipeline import data_facts, finished_run, first_place, prepare, train

    place = path or first_place(Path(default), config)
    finished = finished_run(place, config)
    if finished is not None:
        return finished, True
    if number_format() == "float32":
        out.print(SLOW, markup=False)
    with LiveProgress() as progress:
        prepared = prepare(config, progress=progress)
        show_data(out, data_facts(prepared.loaded.dataset), prepared.loaded.report.lines())
        return train(prepared, place, progress=progress, num_samples=NUM_SAMPLES), False


def _show(out: Console, run: Run, *, data_shown: bool) -> None:
    from instructrec.console import show_data, show_leaderboard, show_sample

    if not data_shown:
        show_data(out, run.report["data"], run.report["cleaning"]["lines"])
    show_leaderboard(out, run.report)
    for sample in run.report["samples"]:
        show_sample(out, sample)


def _show_end(out: Console, run: Run, seconds: float) -> None:
    from instructrec.console import duration

    user = next((sample["user_id"] for sample in run.report["samples"]), "USER")
    lines = (
        "",
        f"Run folder: {run.path}",
        f"Report:     {run.path / 'report.html'}",
        f"Took {duration(seconds)}, peak memory {peak_memory_mb():,} MB",
        "",
        "Type next:",
        f'  instructrec recommend {run.path} --user {user} --instruction "a thriller from the 1980s"',
        f"  instructrec serve {run.path}",
        "  instructrec train --data YOUR_FOLDER --model fusion --out runs/mine",
    )
    out.print("\n".join(lines), markup=False)


def peak_memory_mb() -> int:
    """The most memory this process has held, in MB; 0 where the platform does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    import sys

    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)
