"""The run folder: whole or not at all, refused when damaged, the same lists wherever it lies."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from instructrec import config, parquet, pipeline, runs
from instructrec.core import Query
from instructrec.data import synthetic
from instructrec.errors import ModelError, RunError
from instructrec.runs import Run
from instructrec.tables import Catalog, Labels

SETTINGS = ("data.source=synthetic-genres", 'model="fusion"', 'fusion.parts=["ridge", "recency_ease"]', 'beside=["popular"]')


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    pipeline.train(pipeline.prepare(config.from_toml("", SETTINGS)), out)
    return out


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "moved"))


def lists_of(run):
    queries = [Query(user=user, history=("m1", "m2", "m3")) for user in ("u", "v")]
    return [found.items for found in run.model().recommend(queries)]


def test_folder_holds_what_the_format_says_and_no_pickle(saved):
    names = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    assert {
        "run.toml",
        "catalog.parquet",
        "interactions.parquet",
        "report.json",
        "report.html",
        "card.md",
        "manifest.json",
    } <= names
    assert "parts/popular/model.json" in names
    assert not {Path(name).suffix for name in names} & {".pkl", ".pickle", ".pt", ".bin", ".joblib", ".npy"}
    manifest = json.loads((saved / "manifest.json").read_text())
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert manifest["format"] == runs.FORMAT
    assert manifest["models"] == ["fusion", "popular"]


def test_loaded_run_knows_its_configuration_models_and_report(saved):
    run = Run.load(saved)
    assert config.dump(run.config) == config.dump(config.from_toml("", SETTINGS))
    assert run.model().name == "fusion"
    assert run.model("popular").name == "popular"
    assert set(run.report["models"]) == {"fusion", "ridge", "recency_ease", "popular"}
    assert len(run.version) == 12


def test_part_of_a_fusion_can_be_asked_alone(saved):
    assert Run.load(saved).model("ridge").name == "ridge"


def test_copy_elsewhere_serves_the_same_lists(saved, copy):
    assert lists_of(Run.load(copy)) == lists_of(Run.load(saved))
    assert Run.load(copy).version == Run.load(saved).version


def test_equal_seeds_give_equal_bytes(saved, tmp_path):
    again = pipeline.train(pipeline.prepare(config.from_toml("", SETTINGS)), tmp_path / "again")
    assert again.manifest["files"] == Run.load(saved).manifest["files"]


def test_served_histories_hold_everything_and_the_parts_are_kept(saved):
    """Nobody is shown again what he took, held out or not; which rows were held out stays written."""
    run = Run.load(saved)
    everything = synthetic.genres().interactions
    np.testing.assert_array_equal(run.dataset.interactions.items, everything.items)
    rows = pyarrow.parquet.read_table(saved / "interactions.parquet").to_pylist()
    assert {row["part"] for row in rows} == {"train", "valid", "test"}
    assert sum(row["part"] == "test" for row in rows) == len(everything.user_ids)


@pytest.mark.parametrize("name", ["catalog.parquet", "report.json", "parts/fusion/parts/ridge/arrays.safetensors", "run.toml"])
def test_changed_file_is_named(copy, name):
    path = copy / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(RunError, match=name):
        Run.load(copy)


def test_missing_file_is_named(copy):
    (copy / "card.md").unlink()
    with pytest.raises(RunError, match=r"card\.md"):
        Run.load(copy)


def test_cut_manifest_and_other_formats_are_refused(copy):
    path = copy / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace('"format": 1', '"format": 99'))
    with pytest.raises(RunError, match="format 99"):
        Run.load(copy)
    path.write_text(text[:100])
    with pytest.raises(RunError, match=r"manifest\.json"):
        Run.load(copy)


@pytest.mark.parametrize("manifest", ["[]", '{"format": 1}', '{"format": 1, "files": {"../outside": "0"}, "models": ["popular"]}'])
def test_manifest_that_is_none_is_refused(copy, manifest):
    (copy / "manifest.json").write_text(manifest)
    with pytest.raises(RunError, match=r"manifest\.json"):
        Run.load(copy)


def test_folder_that_is_no_run_says_what_to_do(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        Run.load(tmp_path)
    with pytest.raises(RunError, match="instructrec train"):
        Run.load(tmp_path / "absent")


def test_unknown_model_names_those_stored(saved):
    with pytest.raises(ModelError, match="fusion, popular, ridge, recency_ease"):
        Run.load(saved).model("lm")


def test_existing_folder_is_not_overwritten(saved, copy):
    before = (copy / "manifest.json").read_bytes()
    other = config.from_toml("", [*SETTINGS, "seed=5"])
    with pytest.raises(RunError, match="another configuration"):
        pipeline.train(pipeline.prepare(other), copy)
    assert (copy / "manifest.json").read_bytes() == before


def test_full_disk_leaves_nothing_and_says_so(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(parquet, "write_interactions", lambda *args, **kwargs: full())
    with pytest.raises(RunError, match="(?i)disk is full"):
        pipeline.train(pipeline.prepare(config.from_toml("", SETTINGS)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    kept = [path.name for path in tmp_path.iterdir()]
    assert kept == ["out.work"], "finished work stays, so that the next call continues"


def test_catalog_survives_parquet_with_its_codes(tmp_path):
    catalog = Catalog(
        item_ids=("x", "y", "z"),
        titles=("Één", "二", "three"),
        texts=("", "t", "u"),
        labels={"genres": Labels(names=("B", "A", "unused"), codes=np.array([1, 0, 0]), offsets=np.array([0, 2, 2, 3]))},
        numbers={"year": np.array([1999.0, np.nan, 2001.5])},
    )
    parquet.write_catalog(catalog, tmp_path / "c.parquet")
    found = parquet.read_catalog(tmp_path / "c.parquet")
    assert (found.item_ids, found.titles, found.texts) == (catalog.item_ids, catalog.titles, catalog.texts)
    assert found.labels["genres"].names == ("B", "A", "unused")
    assert found.label_rows("genres") == catalog.label_rows("genres")
    np.testing.assert_array_equal(found.numbers["year"], catalog.numbers["year"])


def test_rows_of_a_split_that_is_not_of_this_data_are_refused():
    table = synthetic.chain().interactions
    with pytest.raises(RunError, match="does not"):
        runs.part_of_rows(table.keep(np.arange(len(table)) > 3), table, table)
