"""Where a base model may come from, and what is said when it cannot."""

from pathlib import Path

import pytest

from instructrec.errors import ModelError
from instructrec.files import sha256_of
from instructrec.lm.bases import prepare


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ModelError, match="Did you mean 'smollm2-135m'"):
        prepare("smollm2")


def test_a_folder_without_configuration_or_weights_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        prepare(str(tmp_path))
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="safetensors"):
        prepare(str(tmp_path))


def test_a_folder_is_known_by_the_hash_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    base = prepare(str(tmp_path))
    assert base.folder == tmp_path
    assert base.sha256 == sha256_of(tmp_path / "model.safetensors")
