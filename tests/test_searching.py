"""The search for settings: it finds what is better, goes on where it stopped, keeps to its budget and never reads the test."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Self

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from instructrec import config, pipeline
from instructrec.cli import main
from instructrec.cli.searching import seconds_of
from instructrec.config.spaces import SPACES, models_with_space, need_inside, read_space, space_of
from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError, ModelError, RunError
from instructrec.models import MODELS
from instructrec.models.storage import read_model, write_model
from instructrec.models.validation import ndcg_check
from instructrec.pipeline import study
from instructrec.pipeline.searching import CHOSEN, CONFIGURATION, KEPT, TABLE, chosen_settings, search
from instructrec.pipeline.study import Effort
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray

NOT_TUNED = {"recent", "sentences", "images", "fusion", "weighted", "switching", "cascade"}
"""Models of the table with settings that nobody can look for: what they choose themselves, an encoder, parts."""
LEVEL = 0.7
"""The setting of `peak` that ranks every validation target first."""
SPACE = "[level]\nlow = 0.0\nhigh = 1.0\n"


@dataclass(frozen=True, kw_only=True)
class PeakConfig:
    """Settings of `peak`."""

    level: float = 0.1

    def __post_init__(self) -> None:
        if 0.3 < self.level < 0.35:
            raise ConfigError("no level between .3 and .35")


class Peak(Recommender):
    """Ranks the validation target of a user the lower the further `level` lies from .7: a made-up objective with one peak."""

    name: ClassVar[str] = "peak"
    config_type = PeakConfig
    fits: ClassVar[list[float]] = []
    checks: ClassVar[int] = 0
    clock: ClassVar[float] = 0.0
    stop_at: ClassVar[int] = -1

    def __init__(self, config: PeakConfig | None = None) -> None:
        self.config = config or PeakConfig()

    def fit(self, dataset: Dataset, context: FitContext = FitContext()) -> Self:
        if len(Peak.fits) == Peak.stop_at:
            Peak.stop_at = -1
            raise KeyboardInterrupt
        Peak.fits.append(self.config.level)
        Peak.clock += 0.0 if Peak.checks else 10.0
        self.catalog = dataset.catalog
        self.targets = {query.user: target for query, target in zip(*(context.validation or ((), ())), strict=True)}
        check = ndcg_check(self, context)
        for _ in range(Peak.checks):
            Peak.clock += 10.0
            assert check is not None
            check()
        return self

    def score(self, queries: Sequence[Query]) -> FloatArray:
        out = np.tile(-np.arange(len(self.catalog), dtype=np.float32), (len(queries), 1))
        place = int(20 * abs(self.config.level - LEVEL))
        for row, query in enumerate(queries):
            others = [code for code in range(len(self.catalog)) if self.catalog.item_ids[code] not in query.history]
            target = self.targets[query.user]
            others.remove(target)
            out[row, target] = 0.5 - others[place] if place else 1.0
        return out

    def save(self, folder) -> None:
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays={})

    @classmethod
    def load(cls, folder, catalog: Catalog) -> Self:
        return cls(read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)[0])


class Untouchable:
    """A test part that nobody may look at."""

    def __getattribute__(self, name):
        raise AssertionError(f"the test part was read: {name}")

    def __len__(self):
        raise AssertionError("the test part was counted")


@pytest.fixture
def spaces(tmp_path, monkeypatch):
    monkeypatch.setitem(MODELS, "peak", f"{__name__}:Peak")
    monkeypatch.setattr("instructrec.models.import_module", lambda name: _modules(name))
    monkeypatch.setattr(config, "_TABLES", (*config._TABLES, "peak"))
    monkeypatch.setattr(Peak, "fits", [])
    monkeypatch.setattr(Peak, "checks", 0)
    monkeypatch.setattr(Peak, "clock", 0.0)
    monkeypatch.setattr(Peak, "stop_at", -1)
    folder = tmp_path / "spaces"
    folder.mkdir()
    (folder / "peak.toml").write_text(SPACE)
    return folder


def _modules(name):
    from importlib import import_module

    class Here:
        pass

    Here.Peak = Peak
    return Here if name == __name__ else import_module(name)


def prepared_for(*names: str, seed: int = 0, source: str = "synthetic-genres"):
    beside = json.dumps(list(names[1:]))
    found = pipeline.prepare(
        config.from_toml("", [f"data.source={source}", f"model={names[0]}", f"beside={beside}", f"seed={seed}"])
    )
    return replace(found, split=replace(found.split, test=Untouchable()))


def proposals(found):
    return [tuple(trial.values.values()) for trial in found.models[0].trials]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_space_of_a_model_fits_its_settings_and_holds_its_defaults(name):
    kind = config.settings_type(name)
    space = space_of(name)
    if space is None:
        assert kind is None or name in NOT_TUNED
    else:
        need_inside(name, space, kind())


def test_every_space_belongs_to_a_model_of_the_table():
    files = {path.name.removesuffix(".toml") for path in SPACES.iterdir()}
    assert files == set(models_with_space())
    assert files | NOT_TUNED == {name for name in MODELS if config.settings_type(name) is not None}
    assert not files & NOT_TUNED


def test_the_better_region_is_found_and_the_test_part_is_not_read(spaces, tmp_path):
    found = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=600, trials=30), spaces=spaces)
    best = found.models[0].best
    # Ten places down NDCG@10 is 0 (level .1 lies 12 down), at the peak it is 1.
    assert found.models[0].trials[0].values == {"level": 0.1}
    assert found.models[0].trials[0].score == 0.0
    assert best.score == 1.0
    assert abs(best.values["level"] - LEVEL) < 0.05
    learned = [trial.values["level"] for trial in found.models[0].trials[15:]]
    assert np.median(np.abs(np.array(learned) - LEVEL)) < 0.15


def test_a_search_that_was_interrupted_goes_on_to_the_trials_of_a_whole_one(spaces, tmp_path):
    effort = Effort(seconds=600, trials=16)
    whole = search(prepared_for("peak"), ["peak"], tmp_path / "whole", effort=effort, spaces=spaces)
    fits = list(Peak.fits)
    Peak.fits.clear()
    for stop in (0, 3, 12):
        Peak.stop_at = stop
        with pytest.raises(KeyboardInterrupt):
            search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=effort, spaces=spaces)
        assert len((tmp_path / "out" / TABLE).read_text().splitlines()) >= stop + 1
    # A trial that was running when the process was killed.
    kept = JournalStorage(JournalFileBackend(str(tmp_path / "out" / KEPT)))
    optuna.load_study(storage=kept, study_name="peak").ask()
    # A line that was being written when the power failed.
    with (tmp_path / "out" / KEPT).open("ab") as file:
        file.write(b'{"op_code": 5, "tri')
    found = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=effort, spaces=spaces)
    assert proposals(found) == proposals(whole)
    assert Peak.fits == fits
    again = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=effort, spaces=spaces)
    assert again.models[0].best.values == found.models[0].best.values
    assert Peak.fits == fits


def test_what_another_call_found_for_another_model_stays(spaces, tmp_path):
    out, effort = tmp_path / "out", Effort(seconds=600, trials=3)
    search(prepared_for("ease"), ["ease"], out, effort=effort)
    rows, chosen = (out / TABLE).read_text().splitlines(), chosen_settings(out)
    found = search(prepared_for("popular"), ["popular"], out, effort=effort)
    assert (out / TABLE).read_text().splitlines()[: len(rows)] == rows
    assert chosen_settings(out) == [*chosen, *found.sets]
    tuned = config.load(out / CONFIGURATION)
    assert set(tuned.models) == {"ease", "popular"}
    assert [f"ease.{name}={json.dumps(getattr(tuned.settings['ease'], name))}" for name in space_of("ease")] == chosen
    # The model that is looked for again is written anew, once.
    search(prepared_for("ease"), ["ease"], out, effort=effort)
    assert sorted((out / TABLE).read_text().splitlines()) == sorted({*(out / TABLE).read_text().splitlines(), *rows})


def test_two_processes_do_not_search_in_one_folder(spaces, tmp_path, monkeypatch):
    out, before, refused = tmp_path / "out", Peak.fit, []

    def meanwhile(self, dataset, context=None):
        with pytest.raises(RunError, match="Another process searches"):
            search(prepared_for("peak"), ["peak"], out, spaces=spaces)
        refused.append(True)
        return before(self, dataset, context)

    monkeypatch.setattr(Peak, "fit", meanwhile)
    found = search(prepared_for("peak"), ["peak"], out, effort=Effort(seconds=600, trials=2), spaces=spaces)
    assert len(refused) == len(found.models[0].trials) == 2


def test_a_folder_below_a_file_is_refused(spaces, tmp_path):
    (tmp_path / "file").write_text("dear")
    for place in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(RunError, match="cannot be written"):
            search(prepared_for("peak"), ["peak"], place, spaces=spaces)


def test_a_search_that_chose_nothing_says_so(spaces, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        main(["tune", "fusion", "--data", "synthetic-genres", "--out", str(out)])
    assert "chosen.toml" not in capsys.readouterr().out

    def broken(self, dataset, context=None):
        raise ModelError("no memory")

    monkeypatch.setattr(Peak, "fit", broken)
    with pytest.raises(ModelError):
        search(prepared_for("peak"), ["peak"], out, spaces=spaces)
    with pytest.raises(ConfigError, match=r"chose nothing.*trials\.csv"):
        chosen_settings(out)


def test_equal_seeds_make_equal_trials_and_others_do_not(spaces, tmp_path):
    effort = Effort(seconds=600, trials=14)
    runs = [
        search(prepared_for("peak", seed=seed), ["peak"], tmp_path / str(place), effort=effort, spaces=spaces)
        for place, seed in enumerate((3, 3, 4))
    ]
    assert proposals(runs[0]) == proposals(runs[1])
    assert proposals(runs[0])[1:] != proposals(runs[2])[1:]


def test_no_trial_begins_that_the_budget_cannot_pay(spaces, tmp_path, monkeypatch):
    monkeypatch.setattr(study.time, "process_time", lambda: Peak.clock)
    small = search(prepared_for("peak"), ["peak"], tmp_path / "small", effort=Effort(seconds=1), spaces=spaces)
    assert len(small.models[0].trials) == 1  # the configured settings are measured, whatever that costs
    found = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=75), spaces=spaces)
    paid = [trial for trial in found.models[0].trials if trial.cpu_s]
    assert len(paid) == 7
    assert sum(trial.cpu_s for trial in paid) == 70
    more = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=100), spaces=spaces)
    assert sum(trial.cpu_s for trial in more.models[0].trials) == 100
    assert proposals(more)[: len(found.models[0].trials)] == proposals(found)


def test_training_ends_where_the_budget_does_and_is_repeated_with_a_larger_one(spaces, tmp_path, monkeypatch):
    monkeypatch.setattr(study.time, "process_time", lambda: Peak.clock)
    monkeypatch.setattr(Peak, "checks", 4)  # 40 s a trial
    first = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=80), spaces=spaces)
    assert len(first.models[0].trials) == 2
    monkeypatch.setattr(Peak, "checks", 5)  # the next trials turn out longer than those before
    cut = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=120), spaces=spaces)
    assert proposals(cut) == proposals(first)
    tried = Peak.fits[-1]
    more = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=230), spaces=spaces)
    assert proposals(more)[2] == (tried,)


def test_hopeless_trainings_are_given_up_at_a_check(spaces, tmp_path, monkeypatch):
    monkeypatch.setattr(Peak, "checks", 6)
    found = search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(seconds=600, trials=25), spaces=spaces).models[0]
    pruned = [trial for trial in found.trials if trial.outcome == "pruned"]
    assert pruned
    assert all(abs(trial.values["level"] - LEVEL) > abs(found.best.values["level"] - LEVEL) for trial in pruned)
    assert found.best.score == 1.0


def test_a_trial_that_fails_is_kept_with_its_reason_and_the_search_goes_on(spaces, tmp_path):
    (spaces / "peak.toml").write_text("[level]\nchoices = [0.1, 0.32, 0.7]\n")
    found = search(prepared_for("peak"), ["peak"], tmp_path / "out", spaces=spaces).models[0]
    by_level = {trial.values["level"]: trial for trial in found.trials if trial.outcome != "repeated"}
    assert by_level[0.32].outcome == "failed"
    assert "no level between" in by_level[0.32].why
    assert found.best.values == {"level": 0.7}
    assert sorted(Peak.fits) == [0.1, 0.7]  # nothing is tried twice, and what is used up ends


def test_a_model_that_fails_with_its_settings_is_an_error(spaces, tmp_path, monkeypatch):
    def broken(self, dataset, context=None):
        raise ModelError("no memory")

    monkeypatch.setattr(Peak, "fit", broken)
    for _ in range(2):
        with pytest.raises(ModelError, match="fails with the configured settings: no memory"):
            search(prepared_for("peak"), ["peak"], tmp_path / "out", spaces=spaces)


def test_what_was_chosen_is_a_configuration_and_settings(spaces, tmp_path):
    out = tmp_path / "out"
    found = search(prepared_for("ease", "popular", "fusion"), ["ease", "popular", "fusion"], out, effort=Effort(trials=6))
    assert "no space" in found.models[2].why
    chosen = config.load(out / CONFIGURATION)
    assert chosen.model == "ease"
    assert chosen.beside == ("popular",)
    assert asdict(chosen.settings["ease"]) == found.models[0].best.values
    assert chosen.data.source == "synthetic-genres"
    assert list(found.sets) == chosen_settings(out)
    given = config.from_toml((out / CHOSEN).read_text(), ["model=ease"])
    assert given.settings["ease"] == chosen.settings["ease"]
    assert config.from_toml("", ["model=ease", *found.sets]).settings["ease"] == chosen.settings["ease"]


def test_models_that_answer_to_words_are_chosen_by_what_they_find(tmp_path):
    found = search(prepared_for("bm25"), ["bm25"], tmp_path / "out", effort=Effort(trials=4)).models[0]
    # Without words every item ties, and a target stands on place 10 of 80 at best by chance.
    assert all(trial.score > 0.15 for trial in found.trials)


def test_a_folder_of_something_else_is_left_alone(spaces, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    with pytest.raises(RunError, match="something else"):
        search(prepared_for("ease"), ["ease"], tmp_path / "letters")
    search(prepared_for("peak"), ["peak"], tmp_path / "out", effort=Effort(trials=2), spaces=spaces)
    with pytest.raises(RunError, match="other data"):
        search(prepared_for("peak", source="synthetic-chain"), ["peak"], tmp_path / "out", spaces=spaces)
    (spaces / "peak.toml").write_text("[level]\nlow = 0.0\nhigh = 2.0\n")
    with pytest.raises(RunError, match="another space"):
        search(prepared_for("peak"), ["peak"], tmp_path / "out", spaces=spaces)
    search(prepared_for("ease"), ["ease"], tmp_path / "out", effort=Effort(trials=2))  # another model may join


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[penalti]\nlow = 1.0\nhigh = 2.0", "Did you mean 'penalty'?"),
        ("[penalty]\nlow = 1.0", "neither low and high nor choices"),
        ("[penalty]\nlow = 3.0\nhigh = 2.0", "low must lie below high"),
        ("[penalty]\nlow = 0.0\nhigh = 2.0\nlog = true", "must begin above 0"),
        ("[penalty]\nlow = nan\nhigh = 2.0", "must be finite"),
        ("[penalty]\nlow = 'a'\nhigh = 2.0", "must be float"),
        ("[penalty]\nlow = 1.0\nhi = 2.0", "Did you mean 'high'?"),
        ("[penalty]\nchoices = [1.0]", "two values or more"),
        ("[penalty]\nchoices = [1.0, 1.0]", "a choice twice"),
        ("[penalty]\nchoices = [1.0, 'x']", "must be float"),
        ("penalty = 3", "must be a table"),
        ("[penalty", "is not TOML"),
        ("", "names no setting"),
    ],
    ids=range(13),
)
def test_a_bad_space_says_what_is_wrong_with_it(text, said):
    with pytest.raises(ConfigError) as caught:
        read_space("ease", text, "ease.toml")
    assert "ease.toml" in str(caught.value)
    assert said in str(caught.value)


def test_words_have_choices_and_whole_numbers_stay_whole():
    assert read_space("item_knn", "[neighbours]\nlow = 2\nhigh = 9", "x")["neighbours"].whole
    with pytest.raises(ConfigError, match="must be int"):
        read_space("item_knn", "[neighbours]\nlow = 2.5\nhigh = 9", "x")
    with pytest.raises(ConfigError, match="no number"):
        read_space("tiger", "[codes]\nlow = 2\nhigh = 9", "x")
    assert read_space("tiger", "[codes]\nchoices = ['atomic', 'title']", "x")["codes"].values == ("atomic", "title")


def test_settings_outside_of_their_space_are_refused(tmp_path):
    found = pipeline.prepare(config.from_toml("", ["data.source=synthetic-genres", "model=ease", "ease.penalty=1e9"]))
    with pytest.raises(ConfigError, match="widen the space"):
        search(found, ["ease"], tmp_path / "out")


def test_the_command_tunes_and_compare_takes_what_it_chose(tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as ended:
        main(
            ["tune", "ridge,popular", "--data", "synthetic-genres", "--budget", "60s", "--trials", "5", "--out", str(out), "--json"]
        )
    assert not ended.value.code
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [model["model"] for model in found["models"]] == ["ridge", "popular"]
    assert all(model["best"] >= model["default"] for model in found["models"])
    rows = list(csv.DictReader((out / TABLE).read_text().splitlines()))
    assert sum(row["model"] == "ridge" and row["outcome"] == "done" for row in rows) == 5
    values, work = [], ("--work", str(tmp_path / "cells"))
    for given in (["--tuned", str(out)], [word for entry in found["sets"] for word in ("--set", entry)]):
        with pytest.raises(SystemExit):
            main(["compare", "--models", "ridge,popular", "--data", "synthetic-genres", *given, *work, "--json"])
        values.append(json.loads(capsys.readouterr().out.splitlines()[-1])["models"])
    assert values[0] == values[1]
    for split, warned in (("leave-one-out", False), ("ratio", True)):
        with pytest.raises(SystemExit):
            main(["compare", "--models", "ridge", "--data", "synthetic-genres", "--tuned", str(out), "--split", split, *work])
        assert ("may be test items here" in capsys.readouterr().out) == warned
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--models", "ridge", "--data", "synthetic-genres", "--tuned", str(tmp_path)])
    assert ended.value.code
    assert "has no chosen.toml" in capsys.readouterr().err


def test_a_network_tells_of_every_check_of_its_training():
    from instructrec.models.sasrec import Sasrec, SasrecConfig
    from instructrec.pipeline.training import validation_of

    parts = prepared_for("sasrec").split
    heard: list[float] = []
    shape = SasrecConfig(width=8, blocks=1, epochs=4, check_every=2)
    model = Sasrec(shape).fit(parts.train, FitContext(validation=validation_of(parts.valid), watch=heard.append))
    assert heard == [point["valid_ndcg"] for point in model.curve if "valid_ndcg" in point]
    assert len(heard) == 2


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("0.5h", 1800)])
def test_a_budget_is_a_time(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "20", "m", "20 minutes", "-3m", "0s", "5d"])
def test_a_budget_that_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="must be a time above 0"):
        seconds_of(text)
