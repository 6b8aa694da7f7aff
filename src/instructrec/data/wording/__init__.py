"""The words of protocols and cleaning reports, one TOML file a language."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources

LANGUAGES = ("en", "zh")


def phrase(key: str, *, language: str = "en", **facts: object) -> str:
    """The sentence `section.key` in a language (English where it is missing), with its {facts} filled in."""
    section, _, name = key.partition(".")
    words = _words(language if language in LANGUAGES else "en")
    return words[section][name].format(**facts)


@functools.cache
def _words(language: str) -> Mapping[str, Mapping[str, str]]:
    text = resources.files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    words: Mapping[str, Mapping[str, str]] = tomllib.loads(text)
    return words
