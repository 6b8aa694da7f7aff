"""How much memory this machine has, how much of it is free, and how much of it a piece of work takes."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PROC: Final = Path("/proc")
GROUP: Final = Path("/sys/fs/cgroup")


def total_memory() -> int | None:
    """Physical memory in bytes; none where the platform does not tell."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> int | None:
    """Bytes that a program can take without swapping (MemAvailable), or that its container leaves it where that is less.

    None where the platform does not tell.
    """
    free = _kilobytes(PROC / "meminfo", "MemAvailable:")
    left = _left_in_group(GROUP)
    known = [size for size in (free, left) if size is not None]
    return min(known, default=None)


class PeakMemory:
    """How far the memory of this process (its resident set) rises while a with-block runs.

    `bytes`: the highest point above what was held at the beginning; none where the platform does not tell. Memory that the process
    had already and used again is not counted, so it is a lower bound.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None
        self._before: int | None = None

    def __enter__(self) -> Self:
        """Begin; the highest point so far is forgotten."""
        status = PROC / "self" / "status"
        try:
            (PROC / "self" / "clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return self
        self._before = _kilobytes(status, "VmRSS:")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Read the highest point."""
        peak = _kilobytes(PROC / "self" / "status", "VmHWM:")
        if self._before is not None and peak is not None:
            self.bytes = max(0, peak - self._before)


def _kilobytes(path: Path, label: str) -> int | None:
    """The number behind a label in a file of the kernel, in bytes."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith(label)), [])
    return int(found[1]) * 1024 if len(found) > 1 and found[1].isdigit() else None


def _left_in_group(folder: Path) -> int | None:
    """What the control group (version 2) of a container has left; pages of files count as free, since the kernel gives them
    back.
    """
    try:
        most = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = (folder / "memory.current").read_text(encoding="ascii").strip()
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    if not (most.isdigit() and used.isdigit()):
        return None
    files = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
    return max(0, int(most) - int(used) + files)
