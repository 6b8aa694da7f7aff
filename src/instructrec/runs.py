"""A run folder: what training leaves and serving loads. Saved whole or not at all; refused when a file is not the one saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from instructrec import config as settings
from instructrec import parquet
from instructrec.config import UNDERSTANDING, WRITING, RunConfig
from instructrec.errors import ModelError, RunError, nearest
from instructrec.files import atomic_folder, sha256_of, write_atomic
from instructrec.tables import BoolArray, Catalog, Dataset, Interactions

if TYPE_CHECKING:
    from instructrec.recommender import Recommender
    from instructrec.tuning.understanding import Understander
    from instructrec.tuning.verbalising import Verbaliser

FORMAT = 1
"""Raised whenever an older reader could misread a folder."""
MANIFEST = "manifest.json"
BASE = "base.json"
PARTS, MEASURED = "parts", "measured"
"""Folders of the models that serve, and of those that were measured where these were fitted again."""


@dataclass(frozen=True, kw_only=True)
class RunContent:
    """Everything that is saved: the cleaned data with the part of every row, fitted models by name, what was measured, and the
    models that read requests and write reasons, if there are any.
    """

    config: RunConfig
    dataset: Dataset
    parts: Sequence[str]
    models: Mapping[str, Recommender]
    report: Mapping[str, Any]
    html: str
    card: str
    understander: Understander | None = None
    verbaliser: Verbaliser | None = None
    measured: Mapping[str, Recommender] = field(default_factory=dict)
    """The models as they were measured, where they were fitted again on more after that."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run. Tables and models are read when they are first asked for."""

    path: Path
    manifest: Mapping[str, Any]
    _models: dict[str, Recommender] = field(default_factory=dict, repr=False, compare=False)
    _parts: str = PARTS

    @staticmethod
    def load(path: Path | str) -> Run:
        """Open the folder after checking every file against the manifest.

        Raises RunError, naming the file, when the folder is not a run, has another format, or a file is missing or changed.
        """
        folder = Path(path)
        manifest = _read_manifest(folder)
        for name, expected in manifest["files"].items():
            if not (folder / name).is_file():
                raise RunError(f"Run '{folder}' lacks '{name}'. Copy the folder again, whole, or train it anew.")
            if sha256_of(folder / name) != expected:
                raise RunError(
                    f"Run '{folder}': '{name}' is not the file that was saved (its sha256 differs). Copy it again, or train anew."
                )
        return Run(path=folder, manifest=manifest)

    @property
    def version(self) -> str:
        """Twelve hex digits that change with any file of the run."""
        return version_of(self.manifest)

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models that are stored, the one that serves first."""
        stored: list[str] = self.manifest["models"]
        return tuple(stored)

    @cached_property
    def config(self) -> RunConfig:
        """The whole resolved configuration."""
        return settings.load(self.path / "run.toml")

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """What was measured, as `report.json` holds it."""
        content: dict[str, Any] = json.loads((self.path / "report.json").read_text(encoding="utf-8"))
        # A run has no version before it is whole, so stored answers get theirs when they are read.
        for sample in content.get("samples", ()):
            for answer in sample["answers"]:
                answer["model_version"] = self.version
        return content

    @cached_property
    def catalog(self) -> Catalog:
        """The items."""
        return parquet.read_catalog(self.path / "catalog.parquet")

    @cached_property
    def dataset(self) -> Dataset:
        """All cleaned interactions: the histories that are served, and what the split of the evaluation is made from again."""
        rows, _ = parquet.read_interactions(self.path / "interactions.parquet", catalog=self.catalog)
        return Dataset(name=self.manifest["dataset"], interactions=rows, catalog=self.catalog)

    def with_catalog(self, catalog: Catalog) -> Run:
        """The same run read with another catalog: its own, changed, with new items at the end. Models are read anew."""
        found = replace(self, _models={})
        found.__dict__["catalog"] = catalog
        return found

    def as_measured(self) -> Run:
        """The run with the models by which its report came about: others than those that serve where these were fitted again."""
        if not self.manifest.get("refit"):
            return self
        found = replace(self, _models={}, _parts=MEASURED)
        found.__dict__["catalog"] = self.catalog
        return found

    def model(self, name: str | None = None) -> Recommender:
        """A stored model, by default the one that serves; the parts of a fusion count as stored.

        Raises ModelError for a name that this run does not hold.
        """
        wanted = name or self.model_names[0]
        if wanted not in self._models:
            self._models[wanted] = self._read_model(wanted)
        return self._models[wanted]

    @cached_property
    def understander(self) -> Understander:
        """The model that reads requests beside the rules, tuned on this catalog: `parse(text, run.catalog, lm=run.understander)`.

        Raises RunError where the run was trained to read by rules alone.
        """
        from instructrec.tuning.understanding import Understander

        if self.config.reader == "rules":
            raise RunError(
                f"Run '{self.path}' has no model that reads requests, only rules. Ask with --reader rules, or train a run that has "
                "one: instructrec train --reader both --out RUN"
            )
        return Understander.load(self.path / UNDERSTANDING, self.catalog)

    @cached_property
    def verbaliser(self) -> Verbaliser:
        """The model that writes reasons. Raises RunError where the run was trained to write them by grammar."""
        from instructrec.tuning.verbalising import Verbaliser

        if self.config.writer == "grammar":
            raise RunError(
                f"Run '{self.path}' has no model that writes reasons, only a grammar. Ask with --writer grammar, or train a run "
                "that has one: instructrec train --writer model --out RUN"
            )
        return Verbaliser.load(self.path / WRITING)

    def _read_model(self, name: str) -> Recommender:
        from instructrec.models import resolve

        if name in self.model_names:
            return resolve(name).load(self.path / self._parts / name, self.catalog)
        within: Mapping[str, str] = self.manifest.get("within", {})
        if name not in within:
            known = [*self.model_names, *within]
            raise ModelError(f"Run '{self.path}' holds no model '{name}'. It holds: {', '.join(known)}.{nearest(name, known)}")
        return parts_of(self.model(within[name]))[name]


def save(path: Path, content: RunContent) -> Run:
    """Write a run folder, whole or not at all. Raises RunError where the folder exists, or the disk does not take it."""
    need_free(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_folder(path) as folder:
            _write_content(folder, content)
            manifest = _manifest(folder, content)
            write_atomic(folder / MANIFEST, _json(manifest))
    except OSError as problem:
        reason = problem.strerror or problem
        raise RunError(
            f"The run could not be saved to '{path}': {reason}. Nothing was left half-written; make room and repeat."
        ) from problem
    return Run(path=path, manifest=manifest, _models=dict(content.models))


def need_free(path: Path) -> None:
    """Raise RunError where something lies already."""
    if path.exists():
        raise RunError(f"'{path}' exists already. Choose another --out, or move that folder away first.")


def part_of_rows(everything: Interactions, train: Interactions, known: Interactions) -> list[str]:
    """For each row of all interactions: in which part of the split it lies ("train", "valid" or "test")."""
    in_train, in_known = _members(everything, train), _members(everything, known)
    return ["train" if one else "valid" if two else "test" for one, two in zip(in_train, in_known, strict=True)]


def parts_of(model: Recommender) -> Mapping[str, Recommender]:
    """The models a fusion is made of, by name; empty for any other model."""
    parts: Mapping[str, Recommender] = getattr(model, "parts", {})
    return parts


def version_of(manifest: Mapping[str, Any]) -> str:
    """Twelve hex digits of the sha256 of a manifest."""
    return hashlib.sha256(_json(manifest).encode()).hexdigest()[:12]


def is_run(path: Path) -> bool:
    """Whether a finished run lies there (whole or damaged)."""
    return (path / MANIFEST).is_file()


def _members(everything: Interactions, some: Interactions) -> BoolArray:
    """Rows of `everything` that are also in `some`; both are sorted the same way, so one walk finds them."""
    found = np.zeros(len(everything), dtype=np.bool_)
    wanted = list(zip(some.users.tolist(), some.items.tolist(), some.timestamps.tolist(), strict=True))
    place = 0
    rows = zip(everything.users.tolist(), everything.items.tolist(), everything.timestamps.tolist(), strict=True)
    for row, content in enumerate(rows):
        if place < len(wanted) and wanted[place] == content:
            found[row] = True
            place += 1
    if place != len(wanted):
        raise RunError("The split holds interactions that the data does not, or in another order. Split the dataset that is saved.")
    return found


def _write_content(folder: Path, content: RunContent) -> None:
    dataset = content.dataset
    write_atomic(folder / "run.toml", settings.dump(content.config))
    parquet.write_catalog(dataset.catalog, folder / "catalog.parquet")
    parquet.write_interactions(dataset.interactions, content.parts, catalog=dataset.catalog, path=folder / "interactions.parquet")
    for kind, models in ((PARTS, content.models), (MEASURED, content.measured)):
        for name, model in models.items():
            part = folder / kind / name
            part.mkdir(parents=True)
            model.save(part)
    if content.understander is not None:
        content.understander.save(folder / UNDERSTANDING)
    if content.verbaliser is not None:
        content.verbaliser.save(folder / WRITING)
    write_atomic(folder / "report.json", _json(content.report))
    write_atomic(folder / "report.html", content.html)
    write_atomic(folder / "card.md", content.card)


def _manifest(folder: Path, content: RunContent) -> dict[str, Any]:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    inner = {part: name for name, model in content.models.items() for part in parts_of(model) if part not in content.models}
    return {
        "format": FORMAT,
        "dataset": content.dataset.name,
        "models": list(content.models),
        "within": inner,
        "base_model": _base_model(folder),
        **({"refit": True} if content.measured else {}),
        "files": {name: sha256_of(folder / name) for name in names},
    }


def _base_model(folder: Path) -> Mapping[str, str] | None:
    """Name and sha256 of the language model underneath, as the part that needs it wrote them; its weights stay in the cache."""
    for path in sorted(folder.rglob(BASE)):
        base: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return base
    return None


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise RunError(f"There is no run folder '{folder}'. Train one: instructrec train --data DATA --model MODEL --out {folder}")
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        found = manifest["format"]
    except FileNotFoundError:
        raise RunError(f"'{folder}' is no run folder: it has no '{MANIFEST}'. Give the folder that 'train --out' made.") from None
    except (ValueError, KeyError, TypeError):
        raise RunError(f"Run '{folder}': '{MANIFEST}' cannot be read. Copy the folder again, whole, or train it anew.") from None
    if found != FORMAT:
        raise RunError(
            f"Run '{folder}' has format {found}, but this version reads format {FORMAT}. Train it anew, or use another version."
        )
    if not _is_sound(manifest):
        raise RunError(
            f"Run '{folder}': '{MANIFEST}' lacks models or files, or names files elsewhere. Use a folder that 'train' has saved."
        )
    return manifest


def _is_sound(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest names models, and only files below its folder: it may come from a stranger."""
    files, models = manifest.get("files"), manifest.get("models")
    if not isinstance(files, dict) or not isinstance(models, list) or not models:
        return False
    return not any(Path(name).is_absolute() or ".." in Path(name).parts for name in files)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"
