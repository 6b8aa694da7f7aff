"""How a model is kept in a folder: arrays as safetensors, settings as JSON, and a fingerprint of the items it was fitted on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from instructrec.errors import ConfigError, RunError
from instructrec.tables import Catalog, fingerprint

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = 4
"""2: the frozen weights of `lm` are folded and shrunk, so older adapters do not fit them.
3: `lm` keeps what describes new items."""
SETTINGS_FILE = "model.json"
ARRAYS_FILE = "arrays.safetensors"

ConfigT = TypeVar("ConfigT", bound="DataclassInstance")


def write_model(
    folder: Path, name: str, *, config: DataclassInstance, catalog: Catalog, arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a model's config and arrays into an existing folder. Raises RunError when the disk refuses."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    settings = {
        "format": FORMAT,
        "model": name,
        "config": asdict(config),
        "num_items": len(catalog),
        "items_sha256": fingerprint(catalog.item_ids),
    }
    try:
        # safetensors writes the bytes as they lie in memory, so a transposed or sliced array must be laid out first.
        save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, folder / ARRAYS_FILE)
        (folder / SETTINGS_FILE).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise RunError(f"Model '{name}' cannot be written to {folder}: {error}. Free space or choose another folder.") from error


def read_model(
    folder: Path, name: str, *, config_type: type[ConfigT], catalog: Catalog
) -> tuple[ConfigT, dict[str, NDArray[Any]], int]:
    """Read what `write_model` wrote: config, arrays, and how many items the catalog had then.

    The catalog may have grown at its end since. Raises RunError for a folder that is incomplete, of another model or format, or
    fitted on other items.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    settings = _settings(folder, name)
    num_items = int(settings["num_items"])
    if num_items > len(catalog) or settings["items_sha256"] != fingerprint(catalog.item_ids[:num_items]):
        raise RunError(
            f"Model '{name}' in {folder} was fitted on {num_items} items that are not the first items of this catalog "
            f"of {len(catalog)}. Load it with the catalog of its own run, or with that catalog and new items added at its end."
        )
    try:
        arrays = load_file(folder / ARRAYS_FILE)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{folder / ARRAYS_FILE} cannot be read: {error}. Train again or copy the folder anew.") from error
    return _config(settings["config"], config_type, folder), arrays, num_items


def _settings(folder: Path, name: str) -> dict[str, Any]:
    path = folder / SETTINGS_FILE
    try:
        settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = (settings["model"], settings["format"])
        complete = {"config", "num_items", "items_sha256"} <= settings.keys()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read as settings of a model: {error!r}. Train again or copy the folder anew.") from error
    if found != (name, FORMAT) or not complete:
        raise RunError(
            f"{path} holds model '{found[0]}' in format {found[1]}; '{name}' in format {FORMAT} was wanted. Train again."
        )
    return settings


def _config(values: Mapping[str, Any], config_type: type[ConfigT], folder: Path) -> ConfigT:
    unknown = set(values) - {field.name for field in fields(config_type)}
    if unknown:
        raise RunError(f"{folder / SETTINGS_FILE} has settings of another version: {', '.join(sorted(unknown))}. Train again.")
    try:
        return config_type(**values)
    except (TypeError, ConfigError) as error:
        raise RunError(f"{folder / SETTINGS_FILE} has settings that do not fit: {error}. Train again.") from error
