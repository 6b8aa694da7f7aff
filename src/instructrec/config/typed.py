"""Between TOML tables and the typed dataclasses that parts of the product are configured by; unknown keys are errors."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from instructrec.errors import ConfigError, nearest

T = TypeVar("T")
Table = Mapping[str, Any]
_NONE = type(None)


def from_table(kind: type[T], table: Table, where: str = "") -> T:
    """Build the dataclass `kind` from a TOML table; keys that are missing take the default of their field.

    `where` is the dotted place of the table in its file, for messages. Raises ConfigError for an unknown key or a value
    of the wrong type.
    """
    hints: dict[str, Any] = field_types(kind)
    for key in table:
        if key not in hints:
            raise ConfigError(unknown_key(_join(where, key), list(hints)))
    values = {key: read(value, hints[key], _join(where, key)) for key, value in table.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError) as problem:
        raise ConfigError(f"[{where or 'configuration'}] cannot be used: {problem}") from problem


def to_table(value: object) -> dict[str, Any]:
    """The dataclass as nested plain tables, in field order; fields that are None are left out (TOML has no null)."""
    fields = [field.name for field in dataclasses.fields(value) if field.init]  # type: ignore[arg-type]
    return {name: _plain(getattr(value, name)) for name in fields if getattr(value, name) is not None}


def field_types(kind: type[Any]) -> dict[str, Any]:
    """Name -> resolved type of every field that can be set."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def read(value: Any, kind: Any, where: str) -> Any:
    """Return `value`, as TOML gave it, as the type `kind`; ConfigError where it does not fit."""
    if kind is Any or kind is object:
        return value
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, Mapping):
            raise _misfit(value, kind, where)
        return from_table(kind, value, where)  # type: ignore[arg-type]
    origin = get_origin(kind)
    if origin is Literal:
        return _choice(value, get_args(kind), where)
    if origin in (Union, types.UnionType):
        return _any_of(value, get_args(kind), where)
    if origin is not None:
        return _collection(value, kind, where)
    return _scalar(value, kind, where)


def parse_value(text: str) -> Any:
    """The right side of `--set key=value`: TOML where it is TOML, else the words themselves."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def unknown_key(key: str, known: list[str]) -> str:
    """The message for a key that does not exist."""
    name = key.rpartition(".")[2]
    return f"Unknown configuration key '{key}'.{nearest(name, known)} Known here: {', '.join(sorted(known)) or 'nothing'}."


def _scalar(value: Any, kind: Any, where: str) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is _NONE and value in (None, "none"):
        return None
    if isinstance(value, bool) and kind is not bool:
        raise _misfit(value, kind, where)
    if not isinstance(kind, type) or not isinstance(value, kind):
        raise _misfit(value, kind, where)
    return value


def _choice(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if value in choices:
        return value
    names = [str(choice) for choice in choices]
    raise ConfigError(f"'{where}' is {value!r}, but must be one of: {', '.join(names)}.{nearest(str(value), names)}")


def _any_of(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    if value in (None, "none") and _NONE in kinds:
        return None
    rest = [kind for kind in kinds if kind is not _NONE]
    problem: ConfigError | None = None
    # bool before int before float, so that a value keeps the type it was written with
    for kind in sorted(rest, key=lambda kind: {bool: 0, int: 1, float: 2}.get(kind, 3)):
        try:
            return read(value, kind, where)
        except ConfigError as error:
            problem = problem or error
    raise problem or _misfit(value, kinds, where)


def _collection(value: Any, kind: Any, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _misfit(value, kind, where)
        return {key: read(entry, args[1], _join(where, str(key))) for key, entry in value.items()}
    if isinstance(value, str) or not isinstance(value, list | tuple):
        raise _misfit(value, kind, where)
    if origin is tuple and args and args[-1] is not Ellipsis:
        if len(args) != len(value):
            raise _misfit(value, kind, where)
        return tuple(read(entry, part, where) for entry, part in zip(value, args, strict=True))
    entries = (read(entry, args[0], where) for entry in value)
    return frozenset(entries) if origin is frozenset else list(entries) if origin is list else tuple(entries)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_table(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(_plain(entry) for entry in value)
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _misfit(value: Any, kind: Any, where: str) -> ConfigError:
    wanted = getattr(kind, "__name__", None) if isinstance(kind, type) and get_origin(kind) is None else str(kind)
    return ConfigError(
        f"'{where}' is {value!r} ({type(value).__name__}), but must be {wanted}. Change it in the file or with --set."
    )


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
