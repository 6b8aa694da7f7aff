"""What a person sees: progress as lines where there is no terminal, and tables that are not cut."""

from __future__ import annotations

import io
import sys

import pytest

from instructrec import console, wire
from instructrec.console import LiveProgress, Logged, duration
from instructrec.core import Instruction
from instructrec.errors import ConfigError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_lines_name_stage_step_loss_and_time_left(clock):
    out = io.StringIO()
    with LiveProgress(out) as progress:
        progress.stage("tune", total=10)
        for step in range(1, 11):
            clock[0] += 2.0
            progress.step(step, loss=3.0 - step / 10)
    lines = out.getvalue().splitlines()
    assert lines[0] == "  tune ..."
    assert "tune: 3/10, loss 2.700, 14.0 s left" in lines[1]
    assert lines[-1] == "  tune: 10/10, loss 2.000, done in 20.0 s"
    assert len(lines) < 8, "not a line a step"


def test_resumed_stage_estimates_from_its_own_speed(clock):
    out = io.StringIO()
    progress = LiveProgress(out)
    progress.stage("tune", total=100)
    progress.step(50)
    clock[0] += 10.0
    progress.step(60)
    assert "60/100, 40.0 s left" in out.getvalue()


def test_stage_that_is_done_at_once_takes_one_line(clock):
    out = io.StringIO()
    progress = LiveProgress(out)
    progress.stage("popular", total=1)
    progress.step(1)
    assert out.getvalue() == "  popular ...\n"


def test_terminal_gets_a_bar_that_is_cleared_also_after_an_error():
    out = Terminal()
    with pytest.raises(KeyboardInterrupt), LiveProgress(out) as progress:
        progress.stage("tune", total=2)
        progress.step(1, loss=1.5)
        progress.stage("evaluate", total=1)
        raise KeyboardInterrupt
    assert "\x1b[?25h" in out.getvalue(), "the cursor is shown again"


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (59.4, "59.4 s"), (65, "1:05 min"), (3600, "60:00 min")])
def test_duration_reads_well(seconds, words):
    assert duration(seconds) == words


def test_table_in_a_pipe_is_not_cut(capsys):
    interval = {"value": 0.1234, "low": 0.1, "high": 0.15}
    models = {"recency_ease": dict.fromkeys(("ndcg@10", "hr@10", "mrr@10", "recall@10"), interval)}
    report = {"models": models, "split": "time", "protocol": "p", "seen_filter": "hidden"}
    console.show_leaderboard(console.printer(), report)
    out = capsys.readouterr().out
    assert out.count("0.1234 [0.100, 0.150]") == 4
    assert "…" not in out


def test_titles_are_not_read_as_markup(capsys):
    entry = {"rank": 1, "title": "[bold]Odd[/bold]", "source": "lm", "explanation": "[red]because[/red]"}
    words = wire.instruction(Instruction(text="[x]"))
    answer = {"user_id": "u", "model": "lm", "served_by": "lm", "instruction": words, "notes": [], "items": [entry]}
    console.show_answer(console.printer(), answer)
    out = capsys.readouterr().out
    assert "[bold]Odd[/bold]" in out and "[red]because[/red]" in out


def test_losses_go_to_tensorboard_too_by_stage(tmp_path):
    pytest.importorskip("tensorboard", reason="the package tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    stream = io.StringIO()
    with Logged(LiveProgress(stream), tmp_path / "logs") as progress:
        progress.stage("tune", total=2)
        progress.step(1, loss=2.5)
        progress.step(2, loss=1.25)
        progress.stage("measure", total=1)
        progress.step(1)
    found = EventAccumulator(str(tmp_path / "logs"), size_guidance={"tensors": 0})
    found.Reload()
    assert found.Tags()["tensors"] == ["tune/loss"]
    assert [(event.step, float(event.tensor_proto.float_val[0])) for event in found.Tensors("tune/loss")] == [(1, 2.5), (2, 1.25)]
    assert "tune" in stream.getvalue() and "measure" in stream.getvalue()


def test_without_tensorboard_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        Logged(LiveProgress(io.StringIO()), tmp_path / "logs")
    assert not (tmp_path / "logs").exists()
