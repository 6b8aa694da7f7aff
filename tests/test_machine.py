"""Memory of the machine as the kernel tells it, of its container, and of a piece of work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from instructrec import machine

LINUX = Path("/proc/meminfo").is_file()


def test_what_is_available_is_part_of_what_there_is() -> None:
    total, free = machine.total_memory(), machine.available_memory()
    if not LINUX:
        pytest.skip("Only Linux tells how much memory is available.")
    assert total is not None and free is not None
    assert 0 < free <= total


def test_a_container_may_leave_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:  500 kB\n")
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    assert machine.available_memory() == 500 * 1024
    for name, text in (("max", "300000\n"), ("current", "250000\n"), ("stat", "anon 7\ninactive_file 40000\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert machine.available_memory() == 90_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory() == 500 * 1024


def test_a_platform_that_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    assert machine.available_memory() is None
    with machine.PeakMemory() as peak:
        pass
    assert peak.bytes is None


def test_the_highest_point_counts_also_when_it_is_given_back() -> None:
    with machine.PeakMemory() as peak:
        np.ones(25_000_000)
    if peak.bytes is None:
        pytest.skip("This platform does not tell.")
    assert 150e6 < peak.bytes < 400e6
    with machine.PeakMemory() as peak:
        np.ones(1000)
    assert peak.bytes is not None and peak.bytes < 50e6
