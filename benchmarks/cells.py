"""Cells of a table: computed once, kept in a folder, read when the benchmark is started again; and progress as plain lines."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from instructrec.tables import FloatArray

Cells = Mapping[str, FloatArray]


class Lines:
    """Progress as plain lines on standard error, at most one in ten seconds."""

    def __init__(self, label: str) -> None:
        self.label, self.name, self.total, self.last = label, "", 1, 0.0

    def stage(self, name: str, *, total: int) -> None:
        """Begin a stage."""
        self.name, self.total = name, total

    def step(self, done: int, *, loss: float | None = None) -> None:
        """Say how far the stage is, now and then."""
        if time.monotonic() - self.last > 10:
            self.last = time.monotonic()
            extra = "" if loss is None else f" loss {loss:.3f}"
            print(f"[{self.label}] {self.name} {done}/{self.total}{extra}", file=sys.stderr, flush=True)


def cell(work: Path, key: Mapping[str, Any], make: Callable[[], Cells]) -> Cells:
    """Arrays by name, computed once and then read from `work`."""
    name = f"{key['split']}-{key['model']}-{key['seed']}-{hashlib.sha256(repr(sorted(key.items())).encode()).hexdigest()[:10]}.npz"
    path = work / name
    if not path.is_file():
        arrays = make()
        work.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.stem}.partial.npz")
        np.savez(partial, **arrays)  # type: ignore[arg-type]
        partial.rename(path)
    with np.load(path, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}
