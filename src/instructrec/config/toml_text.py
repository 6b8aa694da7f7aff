"""Nested plain tables as TOML text, in a form that reads back equal and gives equal bytes for equal tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def dump(table: Mapping[str, Any]) -> str:
    """TOML text of a table of scalars, lists and tables; scalars come before sub-tables, in the order given."""
    return "\n".join(_lines(table, "")).strip() + "\n"


def _lines(table: Mapping[str, Any], where: str) -> list[str]:
    lines = [f"{_key(key)} = {_value(value)}" for key, value in table.items() if not isinstance(value, Mapping)]
    for key, value in table.items():
        if isinstance(value, Mapping):
            name = f"{where}.{_key(key)}" if where else _key(key)
            lines += ["", f"[{name}]", *_lines(value, name)]
    return lines


def _key(key: str) -> str:
    bare = bool(key) and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in key)
    return key if bare else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(entry) for entry in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + "}"
    return _string(str(value))


def _float(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return str(value)
    text = repr(value)
    return text if any(letter in text for letter in ".e") else f"{text}.0"


def _string(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which JSON leaves as it is and TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
