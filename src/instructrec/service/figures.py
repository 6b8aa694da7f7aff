"""The figures of the owner's side as JSON values: what was served, by what, how fast, and what could serve instead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from instructrec.errors import RunError
from instructrec.service.live import Live
from instructrec.service.watch import STEP_S, Step, as_json, latency_ms, total

MOST_POINTS = 90
"""Points of a plot: longer times are counted in longer steps."""
MOST_RUNS = 50


def figures(live: Live, minutes: int) -> dict[str, Any]:
    """Counts, shares and times of the last minutes, and what serves."""
    steps = live.watch.steps(minutes, together=together(minutes))
    whole, snapshot = total(steps), live.snapshot
    lists, shown = whole.lists.total(), live.watch.shown(minutes)
    return {
        "minutes": minutes,
        "step_s": STEP_S * together(minutes),
        "total": {
            "requests": whole.requests.total(),
            "failed": whole.failed,
            "lists": lists,
            "from_memory_share": _share(whole.from_memory, lists),
            "degraded_share": _share(whole.degraded, lists),
            "served_by": {name: _share(count, lists) for name, count in whole.served_by.most_common()},
            "events": dict(whole.events.most_common()),
            "clicks_per_list": _share(whole.events["click"], lists),
            "likes_per_list": _share(whole.events["like"], lists),
            "lists_latency": latency_ms(whole.lists),
            "requests_latency": latency_ms(whole.requests),
        },
        "coverage": {"shown": shown, "items": len(snapshot.catalog), "share": _share(shown, len(snapshot.catalog))},
        "drift": live.drift.found(snapshot.dataset),
        "steps": as_json(steps),
        "run": serving(live),
    }


def serving(live: Live) -> dict[str, Any]:
    """What serves."""
    snapshot = live.snapshot
    return {
        "model_version": snapshot.version,
        "name": snapshot.run.path.resolve().name,
        "models": [rung.name for rung in snapshot.ladder.rungs],
        "items": len(snapshot.catalog),
        "users": len(snapshot.dataset.interactions.user_ids),
        "withdrawn": len(snapshot.withdrawn),
    }


def together(minutes: int) -> int:
    """Steps of ten seconds that make one point of a plot."""
    return max(1, -(-minutes * 60 // STEP_S // MOST_POINTS))


def rate(counts: Sequence[Step], kind: str) -> list[float | None]:
    """Events of a type for each list sent, a value a step; none where no list was sent."""
    return [_share(step.events[kind], step.lists.total()) for step in counts]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True, slots=True)
class Folder:
    """A run folder that could serve: its name, its models as its manifest says, and whether it is the one that serves."""

    name: str
    path: Path
    models: tuple[str, ...]
    serves: bool


def folders(live: Live) -> list[Folder]:
    """The run folder that serves and those beside it, by name."""
    here = live.snapshot.run.path.resolve()
    found = []
    for path in sorted(here.parent.iterdir()):
        models = None if path.is_symlink() else _models(path)
        if models is not None:
            found.append(Folder(path.name, path, models, path == here))
    return found[:MOST_RUNS]


def folder_named(live: Live, wanted: str) -> Path:
    """The run folder of a name or path, where it stands beside the one that serves. Raises RunError for any other.

    Nothing is looked up by what was sent: it is compared with what is there.
    """
    found = folders(live)
    for folder in found:
        if wanted in (folder.name, str(folder.path)):
            return folder.path
    names = ", ".join(folder.name for folder in found)
    raise RunError(f"There is no run folder '{wanted[:100]}' beside the one that serves. There is: {names}.")


def _models(path: Path) -> tuple[str, ...] | None:
    """The models of a run folder; none for anything else."""
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        return tuple(str(name) for name in manifest["models"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
