"""Whether this machine and installation are fit for the job, check by check, with what to do where they are not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from instructrec import assets
from instructrec.config import DEMO_ASSETS
from instructrec.errors import InstructRecError
from instructrec.files import write_atomic
from instructrec.machine import total_memory

State = Literal["ok", "warning", "problem"]

FREE_GB = 3.0
"""Room for fetched assets, the rebuilt base model and some runs."""
MEMORY_GB = 4.0
"""The most that the demo holds at once."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `advice` is empty where nothing is to be done."""

    name: str
    state: State
    found: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """The check as plain JSON values."""
        return asdict(self)


def examine() -> list[Check]:
    """Every check, in an order in which problems are best mended."""
    return [_python(), *_packages(), _cores(), _number_format(), _memory(), _disk(), _write(), *_cache()]


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> list[Check]:
    """Installed versions against the tested ones, where the source tree with constraints.txt is at hand."""
    missing, other, same = [], [], 0
    tested = _tested_versions()
    for name in _required():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        wanted = tested.get(_canonical(name), version)
        if version.partition("+")[0] == wanted:
            same += 1
        else:
            other.append(f"{name} {version} (tested: {wanted})")
    install = "Run: pip install -e . -c constraints.txt"
    checks = [Check("packages", "problem", f"missing: {', '.join(missing)}", install)] if missing else []
    checks += [Check("packages", "warning", ", ".join(other), install)] if other else []
    known = "as tested" if tested else "installed; constraints.txt is not at hand to compare"
    return checks or [Check("packages", "ok", f"{same} {known}")]


def _required() -> list[str]:
    """Names of the packages that this one requires, without those of extras."""
    try:
        lines: Iterable[str] = importlib.metadata.requires("instructrec") or ()
    except importlib.metadata.PackageNotFoundError:
        lines = ("numpy", "scipy", "pyarrow", "torch", "transformers", "peft")
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line]


def _tested_versions() -> dict[str, str]:
    path = Path(__file__).resolve().parents[2] / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = (line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))
    return {_canonical(name): version.strip() for name, version in pairs}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _cores() -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdigit() and int(limit) < usable:
        return Check("cores", "warning", f"{usable}, but OMP_NUM_THREADS={limit}", "Unset OMP_NUM_THREADS to train on all cores.")
    if usable < 2:
        return Check(
            "cores", "warning", str(usable), "The demo is timed for two cores; expect twice the time, or use demo --quick."
        )
    return Check("cores", "ok", str(usable))


def number_format() -> str:
    """The numbers that models are tuned in: bfloat16 where the processor multiplies it, else float32. ImportError without torch."""
    from instructrec.lm.decoder import native_dtype

    return str(native_dtype()).removeprefix("torch.")


def _number_format() -> Check:
    try:
        found = number_format()
    except ImportError as problem:
        return Check("torch", "problem", str(problem), "Run: pip install -e . -c constraints.txt")
    if found == "bfloat16":
        return Check("torch", "ok", "this processor multiplies bfloat16, so training is fast")
    return Check(
        "torch",
        "warning",
        f"this processor has no fast bfloat16 and works in {found}",
        "Training takes longer; nothing else changes.",
    )


def _memory() -> Check:
    found = total_memory()
    if found is None:
        return Check("memory", "ok", "this platform does not tell")
    total = found / 1e9
    if total < MEMORY_GB:
        return Check(
            "memory", "warning", f"{total:.1f} GB", f"The demo holds up to {MEMORY_GB:g} GB; use demo --quick, or another machine."
        )
    return Check("memory", "ok", f"{total:.1f} GB")


def _disk() -> Check:
    place = assets.cache_folder()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    if free < FREE_GB:
        return Check(
            "disk",
            "problem",
            f"{free:.1f} GB free at {place}",
            f"Make room ({FREE_GB:g} GB), or set INSTRUCTREC_CACHE to another disk.",
        )
    return Check("disk", "ok", f"{free:.1f} GB free at {place}")


def _write() -> Check:
    place = assets.cache_folder() / ".doctor"
    try:
        write_atomic(place, "ok")
        place.unlink()
    except (OSError, InstructRecError) as problem:
        return Check("cache folder", "problem", str(problem), "Set INSTRUCTREC_CACHE to a folder that you may write to.")
    return Check("cache folder", "ok", str(place.parent))


def _cache() -> list[Check]:
    """Whether each asset that the demo needs is there and whole."""
    checks = []
    for name in DEMO_ASSETS:
        if assets.is_fetched(name):
            checks.append(Check(f"asset {name}", "ok", "in the cache, whole"))
        else:
            checks.append(Check(f"asset {name}", "warning", "not in the cache, or not whole", f"Run: instructrec fetch {name}"))
    return checks
