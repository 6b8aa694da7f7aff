"""Unfinished work beside a run folder, so that an interrupted command continues where it stopped."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import instructrec
from instructrec import __version__
from instructrec import config as settings
from instructrec.config import UNDERSTANDING, WRITING, RunConfig
from instructrec.errors import RunError
from instructrec.evaluation.metrics import TargetRanks
from instructrec.evaluation.protocol import Evaluation
from instructrec.files import alone, atomic_folder, make_folder, write_atomic
from instructrec.models import resolve
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset

if TYPE_CHECKING:
    from instructrec.tuning.understanding import Understander
    from instructrec.tuning.verbalising import Verbaliser

KEY = "work.txt"
LOCK = "lock"
"""Held by the process that works in the folder."""
BESIDE = "beside.json"
DECIDING = ("data", "models", "tuning", "lm", "generation", "evaluation")
"""Parts of the package that decide what is measured, beside the modules at its top."""


@dataclass(frozen=True, slots=True)
class Work:
    """A folder of fitted models and finished evaluations; without a folder nothing is kept."""

    folder: Path | None = None

    @staticmethod
    @contextmanager
    def beside(out: Path, key: str) -> Iterator[Work]:
        """The work for run folder `out`. What was left by other data, settings or another version is thrown away.

        Raises RunError where another process works for the same run folder, or something else lies there.
        """
        folder = _folder_of(out)
        if folder.exists() and not (folder / KEY).is_file() and not (folder.is_dir() and set(os.listdir(folder)) <= {LOCK}):
            raise RunError(
                f"'{folder}' is needed for unfinished work, but holds something else. Move it away, or choose another --out."
            )
        busy = f"Another process is making '{out}'. Wait until it ends, stop it, or choose another --out."
        with alone(make_folder(folder) / LOCK, busy):
            if (folder / KEY).is_file() and (folder / KEY).read_text(encoding="utf-8") != key:
                _empty(folder)
            write_atomic(folder / KEY, key)
            yield Work(folder)

    @staticmethod
    def cell(root: Path | None, name: str, key: str) -> Work:
        """The work of one cell of a table, kept under its content: the same key finds it again, another one never does.

        `root`: the folder of all cells; none keeps nothing. Raises RunError where it is no folder.
        """
        if root is None:
            return Work()
        if root.exists() and not root.is_dir():
            raise RunError(f"'{root}' is to hold the finished cells of comparisons, but is no folder. Give another --work.")
        folder = make_folder(root / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}")
        write_atomic(folder / KEY, key)
        return Work(folder)

    @staticmethod
    def noted(out: Path, name: str) -> str | None:
        """What was noted under a name in the work for run folder `out`, whatever it belongs to; none where there is nothing."""
        place = _folder_of(out) / name
        return place.read_text(encoding="utf-8") if place.is_file() else None

    def note(self, name: str, text: str) -> None:
        """Note something that the same command needs to know again."""
        if self.folder is not None:
            write_atomic(self.folder / name, text)

    def note_json(self, name: str, values: Mapping[str, Any]) -> None:
        """As `note`, for plain JSON values."""
        self.note(name, json.dumps(values))

    def noted_json(self, name: str) -> dict[str, Any]:
        """What was noted in this folder under a name."""
        assert self.folder is not None
        found: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return found

    def again(self) -> Work:
        """A place inside for the same models, fitted on other data."""
        return self if self.folder is None else Work(self.folder / "again")

    def unfinished(self, name: str) -> Path | None:
        """Where one model may keep its half-done fit."""
        if self.folder is None:
            return None
        return make_folder(self.folder / "unfinished" / name)

    def fitted(self, name: str, catalog: Catalog, fit: Callable[[], Recommender]) -> Recommender:
        """The fitted model: read if it was kept, else fitted now and kept."""
        if self.folder is None:
            return fit()
        place = self.folder / "parts" / name
        if place.is_dir():
            return resolve(name).load(place, catalog)
        model = fit()
        with atomic_folder(place, replace=True) as folder:
            model.save(folder)
        return model

    def understander(self, catalog: Catalog, tune: Callable[[], Understander]) -> Understander:
        """The model that reads requests: read if it was kept, else tuned now and kept."""
        if self.folder is None:
            return tune()
        place = self.folder / UNDERSTANDING
        if place.is_dir():
            from instructrec.tuning.understanding import Understander

            return Understander.load(place, catalog)
        model = tune()
        model.save(place)
        return model

    def verbaliser(self, tune: Callable[[], Verbaliser]) -> Verbaliser:
        """The model that writes reasons: read if it was kept, else tuned now and kept."""
        if self.folder is None:
            return tune()
        place = self.folder / WRITING
        if place.is_dir():
            from instructrec.tuning.verbalising import Verbaliser

            return Verbaliser.load(place)
        model = tune()
        model.save(place)
        return model

    def evaluated(self, name: str, ask: Callable[[], Evaluation]) -> Evaluation:
        """The evaluation: read if it was kept, else made now and kept."""
        return self.measured(name, lambda: (ask(), {}))[0]

    def measured(self, name: str, ask: Callable[[], tuple[Evaluation, dict[str, Any]]]) -> tuple[Evaluation, dict[str, Any]]:
        """The evaluation and what else was measured (plain JSON values): read if they were kept, else made now and kept."""
        if self.folder is None:
            return ask()
        place = self.folder / "evaluations" / name
        if place.is_dir():
            return _read(place / "evaluation.npz", name), json.loads((place / BESIDE).read_text(encoding="utf-8"))
        found, beside = ask()
        # Of two calls that found the same cell meanwhile the later one puts its equal in place.
        with atomic_folder(place, replace=True) as folder:
            _write(found, folder / "evaluation.npz")
            (folder / BESIDE).write_text(json.dumps(beside), encoding="utf-8")
        return found, beside

    def has(self, name: str) -> bool:
        """Whether the evaluation of this model is kept."""
        return self.folder is not None and (self.folder / "evaluations" / name).is_dir()

    def drop_models(self) -> None:
        """Throw fitted and half-fitted models away; evaluations stay."""
        if self.folder is not None:
            for part in ("parts", "unfinished"):
                shutil.rmtree(self.folder / part, ignore_errors=True)

    def close(self) -> None:
        """Throw the work away: the run is saved."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _folder_of(out: Path) -> Path:
    return out.with_name(out.name + ".work")


def _empty(folder: Path) -> None:
    """Throw away what lies in a folder of work, but not the lock, which is held."""
    for place in folder.iterdir():
        if place.is_dir():
            shutil.rmtree(place)
        elif place.name != LOCK:
            place.unlink()


def key_of(config: RunConfig, dataset: Dataset) -> str:
    """What unfinished work belongs to: version, configuration, and a hash of the cleaned data."""
    return f"# instructrec {__version__}, data {content_of(dataset)}\n{settings.dump(config)}"


def content_of(dataset: Dataset) -> str:
    """sha256 of all that a model may learn from: interactions, and the catalog with its words and attributes."""
    table = dataset.interactions
    digest = hashlib.sha256()
    for column in (table.users, table.items, table.timestamps, table.ratings):
        digest.update(column.tobytes())
    digest.update("\n".join((*table.user_ids, *dataset.catalog.item_ids)).encode())
    digest.update("\n".join(f"{review.time} {review.text}" for review in table.reviews).encode())
    catalog = dataset.catalog
    digest.update(json.dumps([table.kinds, catalog.titles, catalog.texts]).encode())
    if any(catalog.images):
        digest.update(json.dumps([_picture(path) for path in catalog.images]).encode())
    for name, labels in catalog.labels.items():
        digest.update(json.dumps([name, labels.names]).encode() + labels.codes.tobytes() + labels.offsets.tobytes())
    for name, values in catalog.numbers.items():
        digest.update(name.encode() + values.tobytes())
    return digest.hexdigest()


def _picture(path: str) -> tuple[str, int, int]:
    """A picture by its place, its size and when it was last written: reading them all would take longer than many a fit."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return path, -1, -1
    return path, found.st_size, found.st_mtime_ns


@functools.cache
def code_version() -> str:
    """The version of the package and a hash of the sources that decide what is measured, so that changed code counts as new."""
    root = Path(instructrec.__file__).parent
    digest = hashlib.sha256()
    for path in sorted([*root.glob("*.py"), *[found for part in DECIDING for found in (root / part).rglob("*.py")]]):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


def _write(found: Evaluation, path: Path) -> None:
    arrays: dict[str, Any] = {
        "users": np.array(found.users, dtype=np.str_),
        "about": np.array([int(found.hide_seen), found.num_items, found.candidates]),
        "ranks": found.targets.ranks,
        "counts": found.targets.counts,
        "top": found.top,
        "history_lengths": found.history_lengths,
    }
    beside = {
        "gains": found.targets.gains,
        "codes": found.targets.codes,
        "sizes": found.targets.sizes,
        "rating_errors": found.rating_errors,
    }
    arrays |= {name: values for name, values in beside.items() if values is not None}
    np.savez_compressed(path, **arrays)


def _read(path: Path, name: str) -> Evaluation:
    with np.load(path, allow_pickle=False) as kept:
        beside = {name: kept.get(name) for name in ("gains", "codes", "sizes")}
        return Evaluation(
            model=name,
            hide_seen=bool(kept["about"][0]),
            num_items=int(kept["about"][1]),
            users=tuple(kept["users"].tolist()),
            targets=TargetRanks(ranks=kept["ranks"], counts=kept["counts"], **beside),
            top=kept["top"],
            history_lengths=kept["history_lengths"],
            candidates=int(kept["about"][2]),
            rating_errors=kept.get("rating_errors"),
        )
