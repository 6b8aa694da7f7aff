"""An honest table: finished cells are never found twice, what cannot take part says why, and one page holds it all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from instructrec import config, pipeline
from instructrec.core import Silent
from instructrec.errors import AssetError, ConfigError, ModelError, RunError
from instructrec.evaluation.protocol import INCONSISTENT
from instructrec.models.ease import Ease
from instructrec.models.item_knn import ItemKnn
from instructrec.models.popular import Popular
from instructrec.pipeline import CompareOptions, compare
from instructrec.pipeline import training as training_module
from instructrec.pipeline.training import validate_data
from instructrec.pipeline.work import content_of

SETTINGS = ("data.source=synthetic-genres", 'model="popular"')
NAMES = ["popular", "ease", "item_knn"]


def asked(*sets):
    return config.from_toml("", [*SETTINGS, *sets])


@pytest.fixture
def fits(monkeypatch):
    """Every fit, in order: name, seed, number of training interactions."""
    seen = []
    for kind in (Popular, Ease, ItemKnn):
        before = kind.fit

        def counted(self, dataset, context=None, before=before):
            seen.append((self.name, context.seed, len(dataset.interactions)))
            return before(self, dataset, context)

        monkeypatch.setattr(kind, "fit", counted)
    return seen


def test_the_second_run_computes_nothing_and_gives_the_same(fits, tmp_path):
    options = CompareOptions(seeds=2, work=tmp_path / "work")
    first = compare(asked(), NAMES, options=options)
    assert [fit[:2] for fit in fits] == [(name, seed) for seed in (0, 1) for name in NAMES]
    again = compare(asked(), NAMES, options=options)
    assert len(fits) == 6
    assert again == first
    assert first.num_seeds == 2
    # Another order, fewer models and other metrics find the same cells.
    compare(asked('evaluation.metrics=["auc"]'), ["ease", "popular"], options=options)
    assert len(fits) == 6


@pytest.mark.parametrize(
    ("sets", "kind"),
    [
        (["seed=5"], None),
        (["ease.penalty=7"], None),
        (["evaluation.k=3"], None),
        ([], "ratio"),
        (["data.source=synthetic-chain"], None),
    ],
    ids=["seed", "settings", "k", "split", "data"],
)
def test_a_cell_of_anything_else_is_another_cell(fits, tmp_path, sets, kind):
    options = CompareOptions(work=tmp_path)
    compare(asked(), ["ease"], options=options)
    compare(asked(*sets), ["ease"], split_kind=kind, options=options)
    assert len(fits) == 2


def test_changed_code_is_another_cell(fits, tmp_path, monkeypatch):
    from instructrec.pipeline import rounds

    options = CompareOptions(work=tmp_path)
    compare(asked(), ["popular"], options=options)
    monkeypatch.setattr(rounds, "code_version", lambda: "0.1.0+other")
    compare(asked(), ["popular"], options=options)
    assert len(fits) == 2


def test_an_interrupted_table_goes_on(fits, tmp_path, monkeypatch):
    options = CompareOptions(work=tmp_path)
    with monkeypatch.context() as patch:

        def stopped(self, dataset, context=None):
            raise KeyboardInterrupt

        patch.setattr(ItemKnn, "fit", stopped)
        with pytest.raises(KeyboardInterrupt):
            compare(asked(), NAMES, options=options)
    assert [fit[0] for fit in fits] == ["popular", "ease"]
    found = compare(asked(), NAMES, options=options)
    assert [fit[0] for fit in fits] == NAMES
    assert set(found.models) == set(NAMES)


def test_parts_of_a_fusion_are_fitted_once_also_across_an_interruption(fits, tmp_path, monkeypatch):
    from instructrec.models.fusion import Fusion

    chosen, options = asked('fusion.parts=["popular","ease"]'), CompareOptions(work=tmp_path)
    with monkeypatch.context() as patch:

        def stopped(self, dataset, context=None):
            raise KeyboardInterrupt

        patch.setattr(Fusion, "fit", stopped)
        with pytest.raises(KeyboardInterrupt):
            compare(chosen, ["ease", "fusion"], options=options)
    found = compare(chosen, ["ease", "fusion"], options=options)
    assert sorted(fit[0] for fit in fits) == ["ease", "popular"]
    assert found.costs["fusion"].fit_seconds > found.costs["ease"].fit_seconds
    # Fitted models are large, and no cell needs them any more.
    assert not [path for path in tmp_path.rglob("*") if path.name in {"parts", "unfinished"}]


def test_nothing_is_kept_without_a_folder(fits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        compare(asked(), ["popular"])
    assert len(fits) == 2 and not list(tmp_path.iterdir())


class _Unfit(ItemKnn):
    name: ClassVar[str] = "item_knn"

    def unfit_for(self, dataset):
        return "It needs <ratings>, and there are none."


def refuse(monkeypatch, kind=_Unfit):
    from instructrec import models

    monkeypatch.setitem(models.MODELS, "item_knn", f"{__name__}:{kind.__name__}")


def test_models_that_the_data_do_not_suit_say_so_before_anything_is_trained(fits, tmp_path, monkeypatch):
    refuse(monkeypatch)
    out = tmp_path / "report"
    found = compare(asked(), ["item_knn", "popular", "ease"], out=out)
    assert [(gone.name, gone.kind) for gone in found.absent] == [("item_knn", "unfit")]
    assert set(found.models) == {"popular", "ease"}
    assert "item_knn" not in [fit[0] for fit in fits]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "not applicable" in page and "It needs &lt;ratings&gt;, and there are none." in page
    assert json.loads((out / "report.json").read_text())["absent"][0]["reason"] == "It needs <ratings>, and there are none."
    with pytest.raises(ModelError, match="No model is left to compare. item_knn: It needs <ratings>"):
        compare(asked(), ["item_knn"])
    assert len(fits) == 2


def test_a_fusion_cannot_take_part_where_a_part_cannot(fits, monkeypatch):
    refuse(monkeypatch)
    found = compare(asked('fusion.parts=["popular","item_knn"]'), ["popular", "fusion"])
    assert [(gone.name, gone.reason) for gone in found.absent] == [
        ("fusion", "item_knn, a part of it: It needs <ratings>, and there are none.")
    ]


def test_the_standard_fusion_takes_part_with_the_parts_that_can(fits, monkeypatch, tmp_path):
    refuse(monkeypatch)
    monkeypatch.setattr("instructrec.models.fusion.STANDARD", ("popular", "item_knn"))
    chosen = asked('fusion.parts=["popular","item_knn"]')
    found = compare(chosen, ["ease", "fusion"])
    assert set(found.models) == {"ease", "fusion"} and not found.absent
    assert "item_knn" not in [fit[0] for fit in fits]
    run = pipeline.train(pipeline.prepare(config.with_settings(chosen, ['model="fusion"', "beside=[]"])), tmp_path / "run")
    assert run.model().config.parts == ("popular",)


def test_train_refuses_what_the_data_do_not_suit(tmp_path, monkeypatch):
    refuse(monkeypatch)
    prepared = pipeline.prepare(config.from_toml("", ["data.source=synthetic-genres", 'model="item_knn"']))
    with pytest.raises(ModelError, match="item_knn: It needs <ratings>"):
        pipeline.train(prepared, tmp_path / "run")


def test_memory_is_foreseen_and_said_first(fits, monkeypatch):
    monkeypatch.setattr(Ease, "bytes_needed", lambda self, dataset: 3_000_000_000)
    monkeypatch.setattr(training_module, "available_memory", lambda: 1_500_000_000)
    found = compare(asked(), NAMES)
    [gone] = found.absent
    assert (gone.name, gone.kind) == ("ease", "memory")
    assert "needs about 3.0 GB" in gone.reason and "1.5 GB are available" in gone.reason and "foresee_memory=false" in gone.reason
    assert set(compare(asked("foresee_memory=false"), NAMES).models) == set(NAMES)
    monkeypatch.setattr(training_module, "available_memory", lambda: None)
    assert set(compare(asked(), NAMES).models) == set(NAMES)


def test_what_is_kept_needs_no_memory(fits, tmp_path, monkeypatch):
    options = CompareOptions(work=tmp_path)
    compare(asked(), ["ease"], options=options)
    monkeypatch.setattr(Ease, "bytes_needed", lambda self, dataset: 10**15)
    assert set(compare(asked(), ["ease"], options=options).models) == {"ease"}
    with pytest.raises(ModelError, match="Out of memory is foreseen"):
        compare(asked("seed=1"), ["ease"], options=options)
    assert len(fits) == 1


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (ModelError("The loss is NaN at step 7."), "failed"),
        (AssetError("Weights are not in the cache."), "failed"),
        (MemoryError("74 GB"), "memory"),
    ],
    ids=["model", "asset", "memory"],
)
def test_a_model_that_fails_costs_its_own_row_only(fits, tmp_path, monkeypatch, problem, kind):
    def fails(self, dataset, context=None):
        raise problem

    monkeypatch.setattr(Ease, "fit", fails)
    options = CompareOptions(work=tmp_path, seeds=2, noise=0.1)
    found = compare(asked(), NAMES, options=options)
    [gone] = found.absent
    assert (gone.name, gone.kind) == ("ease", kind)
    assert str(problem) in gone.reason
    assert set(found.models) == {"popular", "item_knn"} == set(found.kept)


def test_an_error_that_is_no_models_fault_is_not_hidden(monkeypatch):
    def fails(self, dataset, context=None):
        raise KeyError("a defect")

    monkeypatch.setattr(Ease, "fit", fails)
    with pytest.raises(KeyError):
        compare(asked(), NAMES)


def test_k_fold_is_the_mean_over_all_folds(fits):
    found = compare(asked("split.folds=3"), ["popular", "ease"], split_kind="k-fold")
    assert (found.num_folds, found.num_users) == (3, 60)
    assert [fit[0] for fit in fits] == ["popular", "ease"] * 3
    assert found.tests[0].test.num_users == 60
    assert "mean over 3 folds" in found.protocol and "3 folds; one fold is the test" in found.protocol


class _ByGenre(Popular):
    """Scores an item by the genres it shares with the history: all that can be known of one that training never met."""

    name: ClassVar[str] = "item_knn"

    def score(self, queries):
        genres = self.catalog.labels["genres"].matrix().astype(np.float32)
        return np.stack([genres @ genres[self.catalog.codes(query.history)].sum(axis=0) for query in queries])


def test_cold_items_are_asked_for_and_nothing_else(monkeypatch):
    refuse(monkeypatch, _ByGenre)
    found = compare(asked(), ["popular", "item_knn"], split_kind="ratio", options=CompareOptions(cold_items=0.2))
    [segment] = found.item_segments["popular"]
    assert segment.name == "cold"
    assert found.models["popular"]["recall@10"].value == 0.0
    assert found.models["item_knn"]["recall@10"].value > 0.2
    assert "taken out of training" in found.protocol


def test_noise_is_in_training_only_and_what_is_kept_is_told(fits):
    found = compare(asked(), ["popular", "ease"], options=CompareOptions(noise=0.5))
    sizes = dict.fromkeys(size for _, _, size in fits)
    assert len(sizes) == 2
    clean, noisy = sizes
    assert noisy - clean == round(0.5 * clean)
    assert set(found.kept) == {"popular", "ease"}
    assert 0 < found.kept["ease"].value < 1.5
    assert compare(asked(), ["popular", "ease"]).models == found.models


def test_costs_are_measured(fits):
    for cost in compare(asked(), NAMES).costs.values():
        assert cost.fit_seconds > 0 and cost.fit_cpu_seconds > 0 and 0 < cost.latency_ms <= cost.latency_p95_ms
        assert cost.fit_bytes is None or cost.fit_bytes >= 0
        assert not cost.interrupted


def test_the_page_has_every_model_and_the_report_every_definition(tmp_path):
    out = tmp_path / "report"
    chosen = asked('evaluation.metrics=["ndcg@10","auc","map@10"]', "evaluation.sampled=5")
    found = compare(chosen, [*NAMES, "recency_ease"], out=out, options=CompareOptions(noise=0.2, work=tmp_path / "work"))
    page = (out / "report.html").read_text(encoding="utf-8")
    for name in found.models:
        assert page.count(f">{name}<") >= 4
    assert page.count(INCONSISTENT) >= 2 and "AUC" in page
    for heading in ("Accuracy against cost", "Which differences are real?", "Robustness", "Accuracy by popularity"):
        assert heading in page
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["sampled"] and INCONSISTENT in report["protocol"]
    assert len(report["tests"]) == 6
    shown = {"ndcg", "auc", "map", *report["beyond"]["ease"], *report["costs"]["ease"]} - {"interrupted"}
    assert shown <= set(report["definitions"])
    assert report["noise"] == 0.2
    with pytest.raises(RunError, match="exists already"):
        compare(chosen, NAMES, out=out)


def test_the_page_speaks_chinese(tmp_path):
    out = tmp_path / "report"
    compare(asked('language="zh"', "evaluation.sampled=5"), NAMES, out=out)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "准确度与代价" in page and "抽样排序" in page and "Accuracy against" not in page


@pytest.mark.parametrize("wrong", [{"seeds": 0}, {"noise": 1.0}, {"cold_items": -0.5}, {"noise": float("nan")}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError):
        CompareOptions(**wrong)


def test_a_work_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "work").write_text("dear")
    with pytest.raises(RunError, match="Give another --work"):
        compare(asked(), ["popular"], options=CompareOptions(work=tmp_path / "work"))


def test_places_where_nothing_can_be_written_are_said_before_anything_is_trained(fits, tmp_path):
    (tmp_path / "file").write_text("dear")
    with pytest.raises(RunError, match="cannot be written"):
        compare(asked(), ["popular"], out=tmp_path / "file" / "report")
    with pytest.raises(RunError, match="cannot be written"):
        compare(asked(), ["popular"], options=CompareOptions(work=tmp_path / "file" / "work"))
    assert not fits


def test_a_cell_that_another_table_finds_meanwhile_is_no_error(fits, tmp_path, monkeypatch):
    options, before = CompareOptions(work=tmp_path), Ease.fit
    others = []

    def meanwhile(self, dataset, context=None):
        if not others:
            others.append(True)
            others.append(compare(asked(), ["ease"], options=options))
        return before(self, dataset, context)

    monkeypatch.setattr(Ease, "fit", meanwhile)
    found = compare(asked(), ["ease"], options=options)
    assert found.models == others[1].models


def test_another_picture_makes_other_content(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"one")
    world = validate_data(asked()).dataset
    images = (str(picture), *[""] * (len(world.catalog) - 1))
    seen = {content_of(world), content_of(replace(world, catalog=replace(world.catalog, images=images)))}
    picture.write_bytes(b"another")
    seen.add(content_of(replace(world, catalog=replace(world.catalog, images=images))))
    seen.add(content_of(replace(world, catalog=replace(world.catalog, images=("gone.png", *images[1:])))))
    assert len(seen) == 4


def test_progress_says_which_of_how_many_cells_it_is_about(fits, tmp_path):
    class Told(Silent):
        stages: ClassVar[list[str]] = []

        def stage(self, name, *, total):
            self.stages.append(name)

    options = CompareOptions(seeds=2, noise=0.1, work=tmp_path)
    compare(asked(), ["ease"], options=options)
    compare(asked(), ["popular", "ease"], options=options, progress=Told())
    # Cells that are kept are passed over.
    assert [name for name in Told.stages if "evaluate" not in name] == [
        "cell 1 of 4, popular",
        "cell 3 of 4, popular",
        "cell 1 of 4, with random clicks, popular",
        "cell 3 of 4, with random clicks, popular",
    ]


def test_ratings_of_a_model_that_predicts_them_are_measured(monkeypatch):
    def predicted(self, queries):
        return np.full((len(queries), len(self.catalog)), 3.0, dtype=np.float32)

    monkeypatch.setattr(Popular, "predicted_ratings", predicted)
    found = compare(asked(), ["popular", "ease"])
    prepared = pipeline.prepare(asked())
    given = np.concatenate(prepared.split.test.ratings)
    assert list(found.ratings) == ["popular"]
    assert found.ratings["popular"]["rmse"].value == pytest.approx(np.sqrt(np.mean((given - 3.0) ** 2)))
    assert found.ratings["popular"]["mae"].value == pytest.approx(np.abs(given - 3.0).mean())
