"""The verb that looks for settings: the same budget for every model, chosen on validation; the test part is never read."""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instructrec import config as settings
from instructrec.config import RunConfig, build_model
from instructrec.config.spaces import Space, label_of, models_with_space, need_inside, space_of
from instructrec.config.toml_text import dump as dump_toml
from instructrec.core import Progress, Silent
from instructrec.errors import ConfigError, ModelError, RunError
from instructrec.files import alone, make_folder, write_atomic
from instructrec.models import resolve
from instructrec.pipeline.study import OBJECTIVE, WARMUP_CHECKS, Effort, Search, Trial
from instructrec.pipeline.training import Prepared
from instructrec.pipeline.work import key_of

if TYPE_CHECKING:
    from optuna.storages import JournalStorage

KEPT = "trials.log"
"""Optuna's journal of all trials, one study a model."""
KEY = "search.txt"
"""What the trials belong to."""
LOCK = "lock"
"""Held by the process that searches."""
TABLE = "trials.csv"
"""The trials for people and programs: one row each."""
CHOSEN = "chosen.toml"
"""The chosen values alone, a table a model."""
CONFIGURATION = "tuned.toml"
"""The whole configuration with the chosen values, for --config."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """The trials of one model; `why` says why there are none. `best`: the trial whose settings are chosen."""

    model: str
    trials: tuple[Trial, ...] = ()
    why: str = ""

    @property
    def best(self) -> Trial | None:
        """The highest score on validation; of equals the earlier, so that the default stays unless something is better."""
        done = [trial for trial in self.trials if trial.outcome == "done" and not math.isnan(trial.score)]
        return max(done, key=lambda trial: trial.score, default=None)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        best = self.best
        if best is None:
            return {"model": self.model, "not_tuned": self.why}
        outcomes = [trial.outcome for trial in self.trials]
        return {
            "model": self.model,
            "objective": f"{OBJECTIVE} on validation",
            "default": self.trials[0].score,
            "best": best.score,
            "chosen": {name: label_of(value) for name, value in best.values.items()},
            "trial": best.number,
            "trials": {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
            "cpu_s": round(sum(trial.cpu_s for trial in self.trials), 3),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found, in its folder."""

    folder: Path
    models: tuple[Searched, ...]

    @property
    def sets(self) -> tuple[str, ...]:
        """The chosen values as `--set` takes them: "ridge.decay=0.83"."""
        return tuple(_sets({found.model: found.best.values for found in self.models if found.best}))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"folder": str(self.folder), "models": [found.to_json() for found in self.models], "sets": list(self.sets)}


def search(
    prepared: Prepared,
    names: Sequence[str],
    out: Path,
    *,
    effort: Effort = Effort(),
    spaces: Path | None = None,
    progress: Progress = Silent(),
) -> Found:
    """Look for the settings of each model within `effort`; `out` keeps every trial, so that the same call goes on after Ctrl-C.

    `spaces`: a folder of TOML files that count before those of the package. A model without a space, or that can learn nothing from
    such data, is not tuned, and its entry says why. What earlier calls found for other models on the same data stays in `out`.
    Raises RunError where `out` belongs to other data or settings, or another process searches there.
    """
    config = prepared.config
    known = {name: space_of(name, spaces) for name in dict.fromkeys(names)}
    for name, space in known.items():
        resolve(name)
        if space is not None:
            need_inside(name, space, config.settings[name])
    if not known:
        raise ModelError("There is nothing to tune: no model is named. Give names such as ridge,sasrec.")
    _claim(out, key_of(replace(config, model="popular", beside=(), settings={}), prepared.loaded.dataset))
    found: dict[str, Searched] = {}
    with alone(out / LOCK, f"Another process searches in '{out}'. Wait until it ends, stop it, or choose another --out."):
        storage, before = _opened(out), _written(out, known)
        for name, space in known.items():
            why = _why_not(prepared, name, space)
            if space is None or why:
                found[name] = Searched(model=name, why=why)
                continue
            study = _study(storage, name, repr((config.settings[name], space)), out)
            running = Search(prepared, name, space, study, effort, progress)
            try:
                running.run()
            finally:
                found[name] = Searched(model=name, trials=tuple(running.trials))
                _write(out, config, before, tuple(found.values()))
    return Found(folder=out, models=tuple(found.values()))


def chosen_settings(folder: Path | None) -> list[str]:
    """What a search in this folder chose, as `--set` takes it; without a folder nothing. Raises ConfigError where it holds none."""
    if folder is None:
        return []
    if not (folder / CHOSEN).exists():
        raise ConfigError(f"'{folder}' has no {CHOSEN}. Give a folder that `instructrec tune --out` made.")
    table = _read_chosen(folder)
    if not table:
        raise ConfigError(f"'{folder}' holds a search that chose nothing, for no trial was finished. {TABLE} there says why.")
    return _sets(table)


def _sets(chosen: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Values by model and setting as `--set` takes them."""
    return [f"{model}.{name}={json.dumps(value)}" for model, values in chosen.items() for name, value in values.items()]


def _read_chosen(folder: Path) -> dict[str, dict[str, Any]]:
    """The chosen values by model; empty where nothing was chosen yet. Raises ConfigError where the file cannot be read."""
    place = folder / CHOSEN
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as problem:
        raise ConfigError(f"'{place}' cannot be read: {problem}. Take it away and repeat the search: it goes on.") from problem


def told_apart(folder: Path | None, config: RunConfig, split_kind: str | None = None) -> str:
    """How the data of a search differ from those of a configuration, a sentence; empty where they agree, and without a folder.

    What was validation there may then be test here, which flatters the chosen settings.
    """
    if folder is None:
        return ""
    there = settings.load(folder / CONFIGURATION)
    config = settings.with_settings(config, [f"split.kind={split_kind}"] if split_kind else [])
    differs = [name for name in ("data", "cleaning", "split") if getattr(there, name) != getattr(config, name)]
    if not differs:
        return ""
    return (
        f"'{folder}' was tuned with other settings of {', '.join(differs)}: items that it validated on may be test items here. "
        "Tune on the same data and split for figures that hold."
    )


def _why_not(prepared: Prepared, name: str, space: Space | None) -> str:
    if space is None:
        known = ", ".join(models_with_space())
        return (
            f"'{name}' is not tuned: there is no space of its settings. Write {name}.toml and give its folder with --spaces. There "
            f"are spaces for: {known}."
        )
    return build_model(name, prepared.config).unfit_for(prepared.split.train)


def _claim(out: Path, key: str) -> None:
    """Make the folder of a search. Raises RunError where it belongs to something else."""
    place = out / KEY
    if out.is_dir() and not place.is_file() and any(out.iterdir()):
        raise RunError(f"'{out}' holds something else than a search. Choose another --out.")
    if place.is_file() and place.read_text(encoding="utf-8") != key:
        raise RunError(
            f"'{out}' holds a search on other data, or with another split, seed or version ({place}). Choose another --out, "
            "or take it away."
        )
    write_atomic(make_folder(out) / KEY, key)


def _opened(out: Path) -> JournalStorage:
    """The storage of a folder, which only one process may open."""
    from optuna import logging
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    kept = out / KEPT
    if kept.is_file():
        # A line that was being written when the power failed counts for nothing.
        content = kept.read_bytes()
        write_atomic(kept, content[: content.rfind(b"\n") + 1])
    logging.set_verbosity(logging.ERROR)
    return JournalStorage(JournalFileBackend(str(kept)))


def _study(storage: JournalStorage, name: str, key: str, out: Path) -> Any:
    """The study of a model. Raises RunError where its trials began with other settings or another space."""
    from optuna import create_study
    from optuna.pruners import MedianPruner

    study = create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=MedianPruner(n_startup_trials=5, n_warmup_steps=WARMUP_CHECKS),
    )
    if study.user_attrs.setdefault("key", key) != key:
        raise RunError(
            f"'{out}' holds trials of '{name}' that began with other settings or in another space. Choose another --out, or "
            "take it away."
        )
    study.set_user_attr("key", key)
    return study


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """What earlier calls wrote of models that this one does not search: rows of the table, chosen values, highest scores."""

    rows: Sequence[Sequence[str]]
    chosen: Mapping[str, Mapping[str, Any]]
    scores: Mapping[str, float]


def _written(out: Path, names: Container[str]) -> _Written:
    """What the folder says of other models than these."""
    table = out / TABLE
    rows = list(csv.reader(io.StringIO(table.read_text(encoding="utf-8"))))[1:] if table.is_file() else []
    rows = [row for row in rows if row[0] not in names]
    chosen = _read_chosen(out)
    scores: dict[str, float] = {}
    for model, _, outcome, score, *_ in rows:
        if outcome == "done" and score:
            scores[model] = max(float(score), scores.get(model, -math.inf))
    return _Written(rows=rows, chosen={name: chosen[name] for name in scores if name in chosen}, scores=scores)


def _write(out: Path, config: RunConfig, before: _Written, found: Sequence[Searched]) -> None:
    """The table of trials, the chosen values, and the configuration with them: of these models, and what was there of others."""
    rows = io.StringIO()
    table = csv.writer(rows, lineterminator="\n")
    table.writerow(("model", "trial", "outcome", OBJECTIVE, "cpu_s", "settings", "why"))
    table.writerows(before.rows)
    for model in found:
        for trial in model.trials:
            score = "" if math.isnan(trial.score) else f"{trial.score:.6f}"
            values = json.dumps(dict(trial.values), ensure_ascii=False)
            table.writerow((model.model, trial.number, trial.outcome, score, f"{trial.cpu_s:.3f}", values, trial.why))
    write_atomic(out / TABLE, rows.getvalue())
    best = {model.model: model.best for model in found if model.best is not None}
    chosen = {**before.chosen, **{name: trial.values for name, trial in best.items()}}
    write_atomic(out / CHOSEN, dump_toml(chosen))
    if not chosen:
        return
    scores = {**before.scores, **{name: trial.score for name, trial in best.items()}}
    order = sorted(chosen, key=lambda name: -scores[name])
    models = [f"model={json.dumps(order[0])}", f"beside={json.dumps(order[1:])}"]
    tuned = settings.with_settings(config, [*models, *_sets(chosen)])
    write_atomic(out / CONFIGURATION, settings.dump(tuned))
