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


def test_a_hugging_face_id_is_read_from_the_cache_of_the_hub_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    snapshot = tmp_path / "models--owner--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (tmp_path / "models--owner--model" / "refs").mkdir()
    (tmp_path / "models--owner--model" / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    (snapshot / "model.safetensors").write_bytes(b"weights")
    base = prepare("owner/model")
    assert (base.name, base.folder) == ("owner/model", snapshot)
    assert base.sha256 == sha256_of(snapshot / "model.safetensors")
    with pytest.raises(ModelError, match="could not be read from the Hugging Face hub"):
        prepare("owner/another")
