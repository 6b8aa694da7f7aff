"""The README cannot lie: its commands are those of the code, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from instructrec.assets import is_fetched
from instructrec.cli import COMMANDS, GROUPS
from instructrec.data import load
from instructrec.errors import AssetError

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_first_screen_prints_the_two_commands():
    first_screen = README[:2500]
    assert "pip install -e . -c constraints.txt && instructrec demo" in first_screen
    assert 'pip install -e ".[test]" -c constraints.txt && pytest' in first_screen


def test_every_command_line_in_it_exists():
    verbs = set(re.findall(r"^ *instructrec ([\w-]+)", README, re.MULTILINE))
    assert verbs
    assert verbs <= {command.__name__.replace("_", "-") for command in COMMANDS} | GROUPS.keys()


def test_python_in_it_runs(capsys):
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    try:
        load("ml-100k")
    except AssetError as problem:
        pytest.skip(f"MovieLens 100K is not in the cache and cannot be fetched: {problem}")
    assert is_fetched("ml-100k")
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) >= 5, "five recommended items with their reasons"


def test_links_to_files_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_architecture_is_short():
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) < 150
