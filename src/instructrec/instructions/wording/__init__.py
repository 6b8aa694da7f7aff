"""The wording files of instructions: one TOML file a purpose and language."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

from instructrec.errors import ConfigError, nearest

LANGUAGES = ("en", "zh")
"""Languages with a file for every purpose."""


def read_wording(purpose: str, language: str) -> dict[str, Any]:
    """The table of one purpose ("parsing", "tasks", ...) in one language. Raises ConfigError for a language without one."""
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise ConfigError(f"There is no wording for language '{language}'. Known: {known}.{nearest(language, LANGUAGES)}")
    path = resources.files(__name__) / f"{purpose}.{language}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
