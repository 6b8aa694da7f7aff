"""The public names: they exist, are listed in order, and nothing else is promised."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import instructrec


@pytest.mark.parametrize("name", instructrec.__all__)
def test_public_name_exists(name):
    assert getattr(instructrec, name) is not None


def test_list_is_sorted_and_shown_by_dir():
    assert list(instructrec.__all__) == sorted(instructrec.__all__)
    assert set(instructrec.__all__) <= set(dir(instructrec))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        instructrec.no_such_name  # noqa: B018


def test_version_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert instructrec.__version__ == project["version"]
