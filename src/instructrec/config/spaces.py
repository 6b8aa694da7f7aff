"""Where the settings of a model are looked for: one TOML file a model, read and checked against the settings themselves."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeAlias

from instructrec.config import settings_type
from instructrec.config.typed import field_types, read, unknown_key
from instructrec.errors import ConfigError, nearest
from instructrec.models import MODELS

SPACES = resources.files("instructrec.config") / "spaces"
"""The spaces that come with the package, `<model>.toml`."""
_KEYS = ("low", "high", "log", "choices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from `low` to `high`, both included; `log`: every factor counts alike; `whole`: no fractions."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value lies in it."""
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Some values of a setting, in the order of the file."""

    values: tuple[Any, ...]

    def holds(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return value in self.values

    @property
    def labels(self) -> tuple[Any, ...]:
        """The values as a table of trials keeps them: lists as JSON."""
        return tuple([label_of(value) for value in self.values])


Space: TypeAlias = Mapping[str, "Range | Choice"]
"""Setting -> where it is looked for."""


def label_of(value: Any) -> Any:
    """A value as a table of trials keeps it."""
    return json.dumps(list(value)) if isinstance(value, tuple | list) else value


def space_of(model: str, folder: Path | None = None) -> Space | None:
    """The space of a model: the file of `folder` if that has one, else the one that comes with the package; None without any.

    Raises ConfigError for a file that is no TOML or does not fit the settings of the model.
    """
    places: list[Traversable] = [folder / f"{model}.toml"] if folder is not None else []
    found = next((place for place in (*places, SPACES / f"{model}.toml") if place.is_file()), None)
    if found is None:
        return None
    try:
        text = found.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"The space '{found}' cannot be read: {problem}. It must be a TOML file in UTF-8.") from problem
    return read_space(model, text, str(found) if folder is not None else found.name)


def read_space(model: str, text: str, file: str) -> Space:
    """The space of a model from TOML text; `file` stands in messages.

    Raises ConfigError where it does not fit the settings of the model.
    """
    kind = settings_type(model)
    if kind is None:
        raise ConfigError(f"{file}: the model '{model}' has nothing to set, so there is nothing to look for. Take the file away.")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{file} is not TOML: {problem}. Mend that place and repeat.") from problem
    if not table:
        raise ConfigError(f"{file} names no setting of '{model}'. Write for instance [NAME] with low and high below it.")
    types = field_types(kind)
    for name in table:
        if name not in types:
            raise ConfigError(f"{file}: {unknown_key(name, list(types))}")
    return {name: _part(table[name], types[name], f"{file}: {name}") for name in table}


def need_inside(model: str, space: Space, settings: Any) -> None:
    """Raise ConfigError where the settings that a search begins with lie outside of its space."""
    for name, part in space.items():
        value = getattr(settings, name)
        if not part.holds(value):
            where = f"from {part.low:g} to {part.high:g}" if isinstance(part, Range) else f"one of {list(part.values)}"
            raise ConfigError(
                f"{model}.{name} is {value!r}, but is looked for {where}; a search begins with the configured settings. Set "
                f"{model}.{name} inside, or widen the space ({model}.toml, --spaces FOLDER)."
            )


def models_with_space() -> tuple[str, ...]:
    """The models of the table for which the package has a space."""
    return tuple([name for name in MODELS if (SPACES / f"{name}.toml").is_file()])


def _part(table: Any, kind: Any, where: str) -> Range | Choice:
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} is {table!r}, but must be a table with low and high, or with choices.")
    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"{where} has the key '{key}'.{nearest(key, _KEYS)} Known: {', '.join(_KEYS)}.")
    if "choices" in table:
        return _choice(table, kind, where)
    if not {"low", "high"} <= set(table):
        raise ConfigError(f"{where} has neither low and high nor choices. Give one of both.")
    return _range(table, kind, where)


def _choice(table: Mapping[str, Any], kind: Any, where: str) -> Choice:
    if len(table) > 1 or not isinstance(table["choices"], list) or len(table["choices"]) < 2:
        raise ConfigError(f"{where} needs choices = [...] with two values or more, and nothing beside.")
    values = tuple([read(value, kind, where) for value in table["choices"]])
    if len({label_of(value) for value in values}) < len(values):
        raise ConfigError(f"{where} has a choice twice: {list(values)}. Keep one of them.")
    return Choice(values=values)


def _range(table: Mapping[str, Any], kind: Any, where: str) -> Range:
    if kind not in (int, float):
        raise ConfigError(f"{where} is no number, so it has no low and high. Give choices = [...].")
    low, high = read(table["low"], kind, where), read(table["high"], kind, where)
    log = read(table.get("log", False), bool, f"{where} log")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"{where} goes from {low} to {high}, but low must lie below high, and both must be finite.")
    if log and low <= 0:
        raise ConfigError(f"{where} begins at {low}, but with log = true it must begin above 0.")
    return Range(low=low, high=high, log=log, whole=kind is int)
