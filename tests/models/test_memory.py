"""What all models of who met what share: cold starts, items without training, tiny data and their folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.models.worlds import dataset_of

from instructrec.core import Query
from instructrec.errors import RunError
from instructrec.models import resolve
from instructrec.models.popular import Popular
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset

LINEAR = ("item_knn", "ease", "recency_ease", "ridge")
OF_HISTORIES = (*LINEAR, "user_knn", "als", "bpr", "svd")
ALL = ("popular", "recent", *OF_HISTORIES)
IN_ONE_STAGE = ("popular", "recent", *LINEAR, "user_knn")
HISTORIES = [[0, 1, 2], [1, 2, 3], [1, 0], [3, 2, 0], [1, 3]]
"""Items i4 and i5 are in the catalog, but nobody met them."""


def fitted(name: str) -> Recommender:
    return resolve(name)().fit(dataset_of(HISTORIES))


def grown(catalog: Catalog) -> Catalog:
    return catalog.add(Catalog(item_ids=("new",), titles=("A new item",)))


@pytest.mark.parametrize("name", OF_HISTORIES)
def test_without_a_history_the_scores_are_those_of_popularity(name: str):
    np.testing.assert_array_equal(
        fitted(name).score([Query()])[0, :4], Popular().fit(dataset_of(HISTORIES)).score([Query()])[0, :4]
    )


@pytest.mark.parametrize("name", OF_HISTORIES)
def test_a_history_that_training_never_met_is_a_cold_start_that_says_so(name: str):
    model = fitted(name)
    query = Query(history=("i4", "i5"))
    assert not model.is_personal(query)
    [answer] = model.recommend([query])
    assert (answer.degraded, answer.served_by) == (True, "popular")
    assert "cold_start:popularity" in answer.notes
    assert [item.item for item in answer.items] == ["i1", "i0", "i2", "i3"] or len({item.score for item in answer.items}) < 4


@pytest.mark.parametrize("name", OF_HISTORIES)
def test_one_item_that_training_met_is_enough_to_be_personal(name: str):
    model = fitted(name)
    [answer] = model.recommend([Query(history=("i4", "i1"))])
    assert not answer.degraded
    assert answer.served_by == name
    np.testing.assert_array_equal(model.score([Query(history=("i4", "i1"))]), model.score([Query(history=("i1",))]))


@pytest.mark.parametrize("name", ALL)
def test_items_added_later_change_no_old_score_and_come_last(name: str, tmp_path: Path):
    model = fitted(name)
    model.save(tmp_path)
    later = type(model).load(tmp_path, grown(model.catalog))
    queries = [Query(history=("i0", "i1")), Query(), Query(history=("new", "i3"), hide_seen=False)]
    scores = later.score(queries)
    np.testing.assert_array_equal(scores[:, :-1], model.score([queries[0], queries[1], Query(history=("i3",))]))
    assert (scores[:, -1] <= scores.min(axis=1)).all()
    for answer in later.recommend([Query(history=query.history, hide_seen=False, n=100) for query in queries]):
        assert answer.items[-1].item == "new"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "histories", [[], [[]], [[2]], [[2, 2]], [[0, 1]]], ids=["no-users", "no-rows", "one-row", "one-item", "one-user"]
)
def test_next_to_no_data_is_enough_for_a_list(name: str, histories: list[list[int]], tmp_path: Path):
    model = resolve(name)().fit(dataset_of(histories))
    queries = [Query(), Query(history=("i2",)), Query(history=("i0", "i2"))]
    scores = model.score(queries)
    assert np.isfinite(scores).all()
    assert [len(answer.items) for answer in model.recommend(queries)] == [6, 5, 4]
    model.save(tmp_path)
    np.testing.assert_array_equal(type(model).load(tmp_path, model.catalog).score(queries), scores)


def test_large_batches_are_scored_in_blocks_with_equal_results(monkeypatch: pytest.MonkeyPatch):
    model = fitted("ridge")
    queries = [Query(history=(f"i{number % 4}",)) for number in range(10)]
    whole = model.score(queries)
    monkeypatch.setattr("instructrec.models.known._QUERIES_AT_ONCE", 3)
    np.testing.assert_array_equal(model.score(queries), whole)


@pytest.mark.parametrize("name", IN_ONE_STAGE)
def test_progress_is_told_of_one_stage(name: str):
    from instructrec.core import FitContext

    told: list[object] = []

    class Listener:
        def stage(self, name: str, *, total: int) -> None:
            told.append((name, total))

        def step(self, done: int, *, loss: float | None = None) -> None:
            told.append(done)

    resolve(name)().fit(dataset_of(HISTORIES), FitContext(progress=Listener()))
    assert told == [(name, 1), 1]


@pytest.mark.parametrize("name", ALL)
def test_the_config_travels_with_the_model(name: str, tmp_path: Path):
    model = fitted(name)
    model.save(tmp_path)
    assert type(model).load(tmp_path, model.catalog).config == model.config  # type: ignore[attr-defined]


class TestFolder:
    """A folder that does not fit is refused with the reason."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        fitted("ridge").save(tmp_path)
        return tmp_path

    @pytest.fixture
    def world(self) -> Dataset:
        return dataset_of(HISTORIES)

    def change(self, folder: Path, **values: object) -> None:
        path = folder / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")

    def test_another_model(self, folder: Path, world: Dataset):
        with pytest.raises(RunError, match="holds model 'ridge'.*'ease'"):
            resolve("ease").load(folder, world.catalog)

    def test_another_format(self, folder: Path, world: Dataset):
        self.change(folder, format=99)
        with pytest.raises(RunError, match="format 99"):
            resolve("ridge").load(folder, world.catalog)

    def test_settings_of_another_version(self, folder: Path, world: Dataset):
        self.change(folder, config={"decay": 0.8, "momentum": 1})
        with pytest.raises(RunError, match="momentum"):
            resolve("ridge").load(folder, world.catalog)

    def test_settings_that_do_not_fit(self, folder: Path, world: Dataset):
        self.change(folder, config={"decay": 7})
        with pytest.raises(RunError, match="decay is 7"):
            resolve("ridge").load(folder, world.catalog)

    def test_other_items(self, folder: Path):
        ids = tuple(f"other-{item}" for item in range(6))
        with pytest.raises(RunError, match="not the first items of this catalog"):
            resolve("ridge").load(folder, Catalog(item_ids=ids, titles=ids))

    def test_fewer_items(self, folder: Path):
        with pytest.raises(RunError, match="fitted on 6 items"):
            resolve("ridge").load(folder, dataset_of([], num_items=4).catalog)

    @pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
    def test_broken_settings(self, folder: Path, world: Dataset, content: str):
        (folder / "model.json").write_text(content, encoding="utf-8")
        with pytest.raises(RunError, match=r"model\.json"):
            resolve("ridge").load(folder, world.catalog)

    def test_arrays_cut_short(self, folder: Path, world: Dataset):
        path = folder / "arrays.safetensors"
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(RunError, match=r"arrays\.safetensors"):
            resolve("ridge").load(folder, world.catalog)

    def test_no_folder_at_all(self, tmp_path: Path, world: Dataset):
        with pytest.raises(RunError, match="nowhere"):
            resolve("ridge").load(tmp_path / "nowhere", world.catalog)

    def test_a_place_that_cannot_be_written(self, tmp_path: Path):
        with pytest.raises(RunError, match="cannot be written"):
            fitted("ridge").save(tmp_path / "nowhere")
