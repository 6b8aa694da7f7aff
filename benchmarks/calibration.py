"""How fast this machine is right now, so that times measured elsewhere or at another hour can be set against each other.

Every benchmark ends by `finish`: the calibration, then one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def calibrate(*, repeats: int = 5) -> dict[str, float]:
    """Matrix rate (GFLOP/s, float32), memory bandwidth (GB/s, copying 128 MB) and fsync time (ms, 4 kB); best of some repeats."""
    return {
        "matrix_gflops": round(_matrix_rate(repeats), 1),
        "memory_gb_s": round(_bandwidth(repeats), 1),
        "fsync_ms": round(_fsync_ms(repeats), 2),
        "cores": float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
    }


def line(found: dict[str, float]) -> str:
    """The calibration as one line."""
    return "calibration: " + ", ".join(f"{name} {value:g}" for name, value in found.items())


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """`--json [FILE]`, with the meaning that `finish` gives it."""
    parser.add_argument("--json", nargs="?", const="-", default=None, metavar="FILE", help="write the last line into FILE, too")


def finish(numbers: dict[str, Any], file: str | None) -> None:
    """Print the calibration and, as the last line, all numbers as one JSON object; with a file name, write that line there, too."""
    found = calibrate()
    print(line(found))
    answer = json.dumps(numbers | {"calibration": found})
    print(answer)
    if file not in (None, "-"):
        Path(str(file)).write_text(answer + "\n", encoding="utf-8")


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some repeats: what the machine can do, with the least of what else it does."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _matrix_rate(repeats: int, size: int = 1024) -> float:
    matrix = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    return 2 * size**3 / best_of(repeats, lambda: matrix @ matrix) / 1e9


def _bandwidth(repeats: int, size: int = 1 << 27) -> float:
    source, target = np.ones(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
    # Each byte is read once and written once.
    return 2 * size / best_of(repeats, lambda: np.copyto(target, source)) / 1e9


def _fsync_ms(repeats: int) -> float:
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "block").open("wb") as file:

        def write() -> None:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())

        return best_of(repeats, write) * 1000
