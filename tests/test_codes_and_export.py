"""From the command line: other item codes are one option away, and a trained run can be handed on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from instructrec.cli import main

BRIEF = ("--set", "tiger.epochs=1", "--set", "tiger.width=32", "--set", "tiger.factor_width=16")


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    for codes in ("semantic", "title"):
        out = place / codes
        assert call("train", "--data", "synthetic-genres", "--model", "tiger", "--codes", codes, *BRIEF, "--out", out) == 0
    return place


@pytest.mark.parametrize("codes", ["semantic", "title"])
def test_a_run_with_other_codes_recommends(runs: Path, codes: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f'codes = "{codes}"' in (runs / codes / "run.toml").read_text(encoding="utf-8")
    assert call("recommend", runs / codes, "--user", "u0", "-n", 5, "--instruction", "a comedy", "--json") == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert len(answer["items"]) == 5
    assert all("Comedy" in str(item) for item in answer["items"])


def test_a_run_is_exported_with_what_it_is_worth(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("export", runs / "semantic", "--out", tmp_path / "hf", "--json") == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 <= facts["top10_overlap"] <= 1
    assert (tmp_path / "hf" / "config.json").is_file()
    assert (tmp_path / "hf" / "export.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--format", "onnx"), "There is no format 'onnx'"), (("--format", "gguf", "--precision", "bf16"), "has no precision 'bf16'")],
)
def test_an_export_that_there_is_not_says_what_there_is(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert call("export", runs / "semantic", "--out", tmp_path / "no", *arguments) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_run_without_a_language_model_has_nothing_to_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "--data", "synthetic-genres", "--model", "ease", "--out", tmp_path / "ease") == 0
    assert call("export", tmp_path / "ease", "--out", tmp_path / "no") == 2
    assert "has no language model to export" in capsys.readouterr().err
