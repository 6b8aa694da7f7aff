"""The table of models on any data: settings reach parts of hybrids, which are fitted once; the gain is over the best peer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.leaderboard import Table, config_of, default_models, gain_of_a_sum, prepared, rows
from benchmarks.words import draw_limits, limit_numbers, limit_values, wish_numbers, wish_values, wishes_of
from tests.models.worlds import dataset_of

from instructrec.data import Loaded, load
from instructrec.data.split import SplitConfig, split
from instructrec.models import MODELS, resolve
from instructrec.models.fusion import STANDARD
from instructrec.models.ridge import Ridge
from instructrec.pipeline.rounds import Round
from instructrec.tables import Catalog

PARTS = 'weighted.parts=["item_knn","popular"]'


@pytest.fixture(scope="module")
def world() -> Loaded:
    """A made-up world with genres and years."""
    return load("synthetic-genres")


def table(world: Loaded, work: Path, **more: object) -> Table:
    """Leave-one-out of that world."""
    return Table(data="world", loaded=world, parts=split(world.dataset, SplitConfig()), work=work, **more)  # type: ignore[arg-type]


def test_settings_reach_a_hybrid_and_its_parts(world, tmp_path):
    asked = table(world, tmp_path, sets=[PARTS, "item_knn.neighbours=3", "ridge.penalty=5.0"])
    running = Round(prepared(asked, "weighted", 0), ["weighted"], root=None)
    model = running.fitted("weighted").model
    assert model.parts["item_knn"].config.neighbours == 3
    assert list(model.parts) == ["item_knn", "popular"]


def test_what_a_row_says_of_a_part_and_what_is_said_of_all_both_count():
    config = config_of("fusion_random_lm", "full", ["lm.epochs=1", 'fusion.parts=["ridge","lm"]'])
    assert config.settings["lm"].random_weights and config.settings["lm"].epochs == 1
    assert config_of("fusion_without_lm", "full", ['fusion.parts=["ridge","lm"]']).settings["fusion"].parts == ("ridge",)
    ids = tuple(f"i{item}" for item in range(5))
    unwritten = replace(dataset_of([[0, 1], [1, 2]]), catalog=Catalog(item_ids=ids, titles=ids))
    kept = config_of("fusion_without_lm", "full", [], unwritten).settings["fusion"].parts
    assert kept == tuple(name for name in STANDARD if name not in ("lm", "tfidf"))


def test_a_part_is_fitted_once_for_its_own_row_and_for_hybrids_and_nothing_when_all_is_kept(world, tmp_path, monkeypatch):
    fits = []
    own = Ridge.fit
    monkeypatch.setattr(Ridge, "fit", lambda self, *given: fits.append(self.name) or own(self, *given))
    asked = table(world, tmp_path, sets=['weighted.parts=["ridge","popular"]', 'fusion.parts=["ridge"]'])
    names = ["popular", "ridge", "weighted", "fusion"]
    first = rows(asked, names, seeds=1)
    assert fits == ["ridge"]
    again = rows(asked, names, seeds=1)
    assert fits == ["ridge"] and first.means() == again.means()
    assert first.means()["fit_cpu_min.weighted"] >= first.means()["fit_cpu_min.ridge"] > 0
    assert set(first.cells) == set(names) and not first.absent


def test_a_variant_of_a_hybrid_finds_its_parts_without_the_hybrid_itself(world, tmp_path):
    asked = table(world, tmp_path, sets=['fusion.parts=["ridge","popular","lm"]'])
    found = rows(asked, ["ridge", "fusion_without_lm"], seeds=1)
    assert set(found.cells) == {"ridge", "fusion_without_lm"} and not found.absent
    whole = found.means()
    assert whole["fit_cpu_min.fusion_without_lm"] > whole["fit_cpu_min.ridge"]


def test_rows_can_begin_at_another_seed_and_measure_something_else(world, tmp_path):
    seen = []

    def count(model, parts):
        seen.append(len(parts.test))
        return {"hr@10": np.full(len(parts.test), 0.25)}

    asked = table(world, tmp_path, seed=5, numbers=count, harder="nothing")
    found = rows(asked, ["popular"], seeds=2)
    assert seen == [len(asked.parts.test)] * 2 and found.means()["hr@10.popular"] == 0.25
    assert sorted(path.name.split("-")[-2] for path in tmp_path.glob("*.npz")) == ["5", "6"]


def test_what_does_not_suit_the_data_and_what_fails_costs_its_own_row(world, tmp_path, monkeypatch, capsys):
    from instructrec.errors import ModelError

    def failing(self: Ridge, *given: object) -> Ridge:
        raise ModelError("It went wrong.")

    monkeypatch.setattr(Ridge, "fit", failing)
    found = rows(table(world, tmp_path), ["images", "ridge", "popular"], seeds=1)
    assert [(one.name, one.kind) for one in found.absent] == [("images", "unfit"), ("ridge", "failed")]
    assert list(found.cells) == ["popular"] and "It went wrong." in capsys.readouterr().out


def test_every_model_is_asked_but_those_that_need_words_and_hybrids_come_last():
    found = default_models()
    assert set(found) == {name for name in MODELS if not resolve(name).needs_words}
    assert found[-1] == "fusion" and found.index("two_tower") < found.index("weighted")


def test_limits_are_drawn_and_held_on_any_catalog(world, tmp_path):
    parts = split(world.dataset, SplitConfig())
    model = Ridge().fit(parts.train)
    drawn = draw_limits(parts.train.catalog)
    assert drawn and all(0.01 <= parts.train.catalog.matching(limits).mean() <= 0.05 for limits in drawn)
    found = limit_values(model, parts)
    assert found["limits_held"] == 1 and found["limits_shown"] >= len(drawn) and found["limits_complete"] == 1


def test_a_wish_of_somebody_else_is_that_of_another_query(world):
    parts = split(world.dataset, SplitConfig())
    found = wishes_of(parts)
    assert sorted(found["own"]) == sorted(found["other"]) and found["own"] != found["other"]


def test_the_gain_is_that_of_the_fusion_over_the_best_single_model_without_a_language_model():
    rng = np.random.default_rng(0)
    base = rng.random(400)
    values = {"weighted": base + 0.2, "switching": base, "ridge": base + 0.1, "popular": base * 0.1, "lm": base + 5.0}
    values["fusion_without_lm"] = base + 3.0
    found = gain_of_a_sum(values)
    assert found["best_peer"] == "ridge"
    assert found["fusion_gain"] == pytest.approx((base.mean() + 0.2) / (base.mean() + 0.1) - 1)
    assert found["p_value"] < 0.001
    ours = gain_of_a_sum(values | {"fusion": base + 0.05})
    assert ours["fusion_gain"] == pytest.approx((base.mean() + 0.05) / (base.mean() + 0.1) - 1)
    assert gain_of_a_sum({"ridge": base}) == gain_of_a_sum({"weighted": base, "lm": base}) == {}


def test_what_words_and_limits_did_is_told_with_its_control(world):
    parts = split(world.dataset, SplitConfig())
    model = Ridge().fit(parts.train)
    cells = wish_values(model, parts) | limit_values(model, parts)
    better = cells | {"wish.ndcg@10.own": np.minimum(cells["wish.ndcg@10.none"] + 0.5, 1.0)}
    found = wish_numbers({"lm": [better, better], "lm_random": [cells], "ridge": [cells]})
    # Ridge reads no words, so every wish leaves its lists as they are.
    assert found["wish.ndcg@10.own.random"] == found["wish.ndcg@10.none.random"] == pytest.approx(found["wish.ndcg@10.none"])
    assert (
        found["wish_gain"] == pytest.approx(found["wish.ndcg@10.own"] / found["wish.ndcg@10.none"] - 1) and found["wish_gain"] > 0.5
    )
    assert found["wish.p_own_vs_none"] < 0.01 and found["wish.p_none_vs_other"] == 1
    assert wish_numbers({"ridge": [cells]}) == {}
    assert limit_numbers({"fusion": [cells, cells]})["limits_held"] == 1 and limit_numbers({"ridge": [cells]}) == {}
