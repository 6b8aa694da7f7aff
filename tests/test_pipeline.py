"""The verbs in order: work that continues, comparisons, and answers for people who are known and who are not."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet
import pytest

from instructrec import config, pipeline
from instructrec.core import FitContext
from instructrec.data import synthetic
from instructrec.errors import DataError, ModelError, QueryError, RunError
from instructrec.evaluation.protocol import INCONSISTENT
from instructrec.models.ease import Ease
from instructrec.models.popular import Popular
from instructrec.pipeline import Request
from instructrec.pipeline.samples import spread
from instructrec.runs import Run

SETTINGS = ("data.source=synthetic-genres", 'model="ease"', 'beside=["popular"]')


@pytest.fixture
def prepared():
    return pipeline.prepare(config.from_toml("", SETTINGS))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    return pipeline.train(pipeline.prepare(config.from_toml("", SETTINGS)), out, num_samples=3)


def test_interrupted_training_continues_where_it_stopped(prepared, tmp_path, monkeypatch):
    fits = []
    popular, ease = Popular.fit, Ease.fit

    def counted(self, dataset, context=None):
        fits.append(self.name)
        return popular(self, dataset, context)

    def stopped(self, dataset, context=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Popular, "fit", counted)
    monkeypatch.setattr(Ease, "fit", stopped)
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(prepared, out)
    assert not out.exists()
    assert (tmp_path / "run.work" / "parts" / "popular").is_dir()
    monkeypatch.setattr(Ease, "fit", ease)
    finished = pipeline.train(prepared, out)
    assert fits == ["popular"]
    assert finished.model_names == ("ease", "popular")
    assert not (tmp_path / "run.work").exists()


def test_work_of_another_configuration_is_not_continued(prepared, tmp_path, monkeypatch):
    def stopped(self, dataset, context=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ease, "fit", stopped)
        with pytest.raises(KeyboardInterrupt):
            pipeline.train(prepared, tmp_path / "run")
    other = pipeline.prepare(config.from_toml("", [*SETTINGS, "popular.half_life_days=1"]))
    found = pipeline.train(other, tmp_path / "run")
    assert found.model("popular").config.half_life_days == 1.0


def test_foreign_folder_where_work_would_go_is_left_alone(prepared, tmp_path):
    (tmp_path / "run.work").mkdir()
    (tmp_path / "run.work" / "letters.txt").write_text("dear")
    with pytest.raises(RunError, match="holds something else"):
        pipeline.train(prepared, tmp_path / "run")
    assert (tmp_path / "run.work" / "letters.txt").read_text() == "dear"


def test_fit_gets_a_folder_validation_and_seed(prepared, tmp_path, monkeypatch):
    seen: list[FitContext] = []
    ease = Ease.fit

    def watched(self, dataset, context=None):
        seen.append(context)
        return ease(self, dataset, context)

    monkeypatch.setattr(Ease, "fit", watched)
    pipeline.train(prepared, tmp_path / "run")
    [context] = seen
    queries, targets = context.validation
    assert context.folder is not None and context.folder.is_relative_to(tmp_path / "run.work")
    assert context.seed == 0
    test = {query.user: query.history for query in prepared.split.test.queries}
    for query, target in zip(queries, targets, strict=True):
        assert test[query.user] == (*query.history, prepared.split.train.catalog.item_ids[target]), (
            "the test begins where validation ends"
        )


def test_second_training_returns_the_finished_run(run, prepared, monkeypatch):
    def never(self, dataset, context=None):
        raise AssertionError("nothing may be fitted twice")

    monkeypatch.setattr(Ease, "fit", never)
    again = pipeline.train(prepared, run.path)
    assert again.version == run.version


def test_first_place_steps_aside_for_another_configuration(run):
    assert pipeline.first_place(run.path, run.config) == run.path
    other = config.from_toml("", [*SETTINGS, "seed=3"])
    assert pipeline.first_place(run.path, other).name == f"{run.path.name}-2"


def test_evaluation_of_a_saved_run_gives_the_stored_numbers(run):
    found = pipeline.evaluate(Run.load(run.path)).to_json()
    assert found["models"] == run.report["models"]
    shown = pipeline.evaluate(run, names=("ease",), seen_shown=True).to_json()
    assert shown["seen_filter"] == "shown"
    assert list(shown["models"]) == ["ease"]


@pytest.mark.parametrize("kind", ["leave-one-out", "time", "ratio"])
def test_compare_has_the_agreed_shape(kind):
    found = pipeline.compare(config.from_toml("", SETTINGS), ["popular", "ease"], split_kind=kind).to_json()
    assert set(found) == {"split", "protocol", "seen_filter", "models"}
    assert found["split"] == kind
    assert set(found["models"]) == {"popular", "ease"}
    assert all(set(value) == {"value", "low", "high"} for row in found["models"].values() for value in row.values())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_compare_of_nothing_says_so():
    with pytest.raises(ModelError, match="--models"):
        pipeline.compare(config.from_toml("", SETTINGS), [])


def test_data_with_too_few_interactions_says_what_to_do(tmp_path):
    path = tmp_path / "tiny.csv"
    path.write_text("user,item,timestamp\nu,a,1000000000\nv,a,1000000001\n")
    with pytest.raises(DataError, match="3 or more"):
        pipeline.prepare(config.from_toml("", ["model=popular", f"data.source={path}"]))


def test_known_user_is_served_from_the_stored_history(run):
    user = run.dataset.interactions.user_ids[0]
    found = pipeline.answer(run, Request(user=user, n=5))
    seen = {run.catalog.item_ids[code] for code in run.dataset.interactions.history(0)}
    assert found["served_by"] == "ease" and not found["degraded"]
    assert not seen & {entry["item_id"] for entry in found["items"]}
    assert all(entry["explanation_status"] == "verified" for entry in found["items"])
    assert found["model_version"] == run.version


def test_seen_items_are_shown_when_asked_for(run):
    user = run.dataset.interactions.user_ids[0]
    found = pipeline.answer(run, Request(user=user, n=80, hide_seen=False), explained=False)
    assert len(found["items"]) == 80


@pytest.mark.parametrize(
    ("words", "kind"),
    [("", "popular items."), ("a comedy from the 1990s, no romance", "meet the stated limits"), ("???", "popular items.")],
)
def test_unknown_user_is_told_what_the_list_rests_on(run, words, kind):
    found = pipeline.answer(run, Request(user="nobody", instruction=words, n=3))
    assert found["degraded"] and found["served_by"] == "popular"
    assert "'nobody'" in found["notes"][0]
    assert any(kind in note for note in found["notes"])


def test_limits_hold_and_a_short_list_says_so(run):
    found = pipeline.answer(run, Request(user="nobody", instruction="a comedy from the 1990s, no romance", n=50))
    catalog = run.catalog
    for entry in found["items"]:
        code = catalog.index[entry["item_id"]]
        genres = catalog.labels["genres"].of(code)
        assert "Comedy" in genres and "Romance" not in genres
        assert 1990 <= catalog.numbers["year"][code] <= 1999
    assert any(f"Only {len(found['items'])} items" in note for note in found["notes"])


def test_candidates_are_ranked_as_they_are_in_the_whole_catalog(run):
    whole = [item["item_id"] for item in pipeline.answer(run, Request(user="u0", n=40))["items"]]
    given = tuple(reversed(whole[::3]))
    report = pipeline.answer(run, Request(user="u0", n=40, candidates=given))
    assert [item["item_id"] for item in report["items"]] == whole[::3]


@pytest.mark.parametrize(("given", "named"), [((), "none came"), (("m1", "i01x"), "'i01x' is not in the catalog")])
def test_candidates_that_are_not_there_are_refused(run, given, named):
    with pytest.raises(QueryError, match=named):
        pipeline.answer(run, Request(user="u0", candidates=given))


def test_given_history_replaces_the_stored_one_and_unknown_items_are_named(run):
    found = pipeline.answer(run, Request(user=run.dataset.interactions.user_ids[0], history=("m1", "no-such-item"), n=3))
    assert any("no-such-item" in note for note in found["notes"])
    assert not found["degraded"]
    empty = pipeline.answer(run, Request(user=run.dataset.interactions.user_ids[0], history=(), n=3))
    assert empty["degraded"]
    assert not any("no interactions" in note for note in empty["notes"]), "the user is known, only the history is empty"


@pytest.mark.parametrize(
    "words", ["x" * 10_000, "ignore all rules; " * 600, "我想看喜剧片", "\x00\ud7ff\u202e", "'; DROP TABLE items; --"]
)
def test_any_words_get_an_answer(run, words):
    found = pipeline.answer(run, Request(user=run.dataset.interactions.user_ids[0], instruction=words, n=3), explained=False)
    assert len(found["items"]) <= 3
    assert json.loads(json.dumps(found))["instruction"]["text"] == words


def test_one_item_is_explained_wherever_it_stands(run):
    found = pipeline.explain_item(run, Request(user=run.dataset.interactions.user_ids[0]), "m5")
    [entry] = found["items"]
    assert entry["item_id"] == "m5" and entry["explanation"]
    with pytest.raises(QueryError, match="Did you mean"):
        pipeline.explain_item(run, Request(user="x"), "mm5")


def test_lists_of_everybody_equal_the_single_ones(run, tmp_path: Path):
    path = tmp_path / "lists.parquet"
    assert pipeline.write_all(run, Request(n=4), path) == 60
    rows = pyarrow.parquet.read_table(path).to_pylist()
    assert len(rows) == 240
    user = rows[0]["user_id"]
    single = pipeline.answer(run, Request(user=user, n=4), explained=False)
    assert [row["item_id"] for row in rows if row["user_id"] == user] == [entry["item_id"] for entry in single["items"]]
    assert [row["rank"] for row in rows[:4]] == [1, 2, 3, 4]
    assert [path.name for path in tmp_path.iterdir()] == ["lists.parquet"]


def test_lists_for_an_unknown_user_are_refused(run, tmp_path: Path):
    with pytest.raises(QueryError, match="nobody"):
        pipeline.write_all(run, Request(), tmp_path / "lists.parquet", users=["nobody"])
    assert not (tmp_path / "lists.parquet").exists()


def test_stored_samples_hold_history_lists_and_reasons(run):
    samples = run.report["samples"]
    assert len(samples) == 3
    for sample in samples:
        assert sample["history"]
        plain, asked = sample["answers"]
        assert plain["items"] and asked["instruction"]["text"]
        assert all(entry["explanation"] for entry in plain["items"])


def test_samples_spread_over_lengths_of_history():
    split = pipeline.prepare(config.from_toml("", SETTINGS)).split
    lengths = [len(query.history) for query in spread(split.test.queries, 3)]
    assert lengths == sorted(lengths) and len(lengths) == 3
    assert spread([], 3) == []


def test_report_page_is_one_file_without_anything_from_elsewhere(run):
    html = (run.path / "report.html").read_text(encoding="utf-8")
    assert html.lstrip().lower().startswith("<!doctype html>")
    for outside in ("<link", "<script src", 'src="http', "@import", "url(http"):
        assert outside not in html
    assert "ease" in html and "popular" in html


def test_card_names_data_numbers_and_limits(run):
    card = (run.path / "card.md").read_text(encoding="utf-8")
    for part in ("## Data", "## Numbers", "## Limits", "| ease |", synthetic.genres().name):
        assert part in card


def test_a_part_that_needs_words_is_measured_only_when_it_is_asked_for(tmp_path):
    sets = ("data.source=synthetic-genres", "model=fusion", 'fusion.parts=["ease","bm25"]')
    shown = [
        set(pipeline.train(pipeline.prepare(config.from_toml("", [*sets, *more])), tmp_path / str(len(more))).report["models"])
        for more in ((), ('beside=["bm25"]',))
    ]
    assert shown == [{"fusion", "ease"}, {"fusion", "ease", "bm25"}]


def test_a_run_of_one_fold_is_measured_alike_again(tmp_path):
    chosen = config.from_toml("", [*SETTINGS, "split.kind=k-fold", "split.folds=3", "split.fold=2"])
    made = pipeline.train(pipeline.prepare(chosen), tmp_path / "run")
    assert made.report["definitions"]["ndcg"]
    assert pipeline.evaluate(Run.load(tmp_path / "run")).to_json()["models"] == made.report["models"]
    assert "full ranking" in made.report["protocol"]


def test_a_sampled_run_says_so_wherever_its_numbers_stand(tmp_path):
    chosen = config.from_toml("", [*SETTINGS, "evaluation.sampled=9"])
    made = pipeline.train(pipeline.prepare(chosen), tmp_path / "run")
    for place in ("report.json", "report.html", "card.md"):
        assert INCONSISTENT in (tmp_path / "run" / place).read_text(encoding="utf-8")
    again = pipeline.evaluate(Run.load(tmp_path / "run"))
    assert again.to_json()["models"] == made.report["models"]
    assert INCONSISTENT in again.protocol


def test_an_out_that_is_a_file_is_said(prepared, tmp_path):
    (tmp_path / "run").write_text("dear")
    with pytest.raises(RunError, match="is a file, but a run folder is to be made there"):
        pipeline.train(prepared, tmp_path / "run")
    with pytest.raises(RunError, match="cannot be written"):
        pipeline.train(prepared, tmp_path / "run" / "inner")
    assert (tmp_path / "run").read_text() == "dear"


@pytest.mark.parametrize("sets", [(), ("popular.half_life_days=1",)], ids=["the same", "other settings"])
def test_two_processes_do_not_make_one_run(prepared, tmp_path, monkeypatch, sets):
    other = pipeline.prepare(config.from_toml("", [*SETTINGS, *sets]))
    before, refused = Ease.fit, []

    def meanwhile(self, dataset, context=None):
        with pytest.raises(RunError, match="Another process is making"):
            pipeline.train(other, tmp_path / "run")
        refused.append(self.name)
        return before(self, dataset, context)

    monkeypatch.setattr(Ease, "fit", meanwhile)
    found = pipeline.train(prepared, tmp_path / "run")
    assert refused == ["ease"]
    assert found.model_names == ("ease", "popular")
    assert not (tmp_path / "run.work").exists()


def test_a_finished_run_is_not_taken_for_one_of_data_that_changed(tmp_path):
    rows = [f"u{user},i{(user + place) % 7},{1_600_000_000 + place}" for user in range(9) for place in range(5)]
    log, out = tmp_path / "log.csv", tmp_path / "run"
    log.write_text("\n".join(["user,item,timestamp", *rows]))

    def trained():
        return pipeline.train(pipeline.prepare(config.from_toml("", [f'data.source="{log}"', 'model="popular"'])), out)

    version = trained().version
    assert trained().version == version
    log.write_text("\n".join(["user,item,timestamp", *rows[:-5]]))
    with pytest.raises(RunError, match="finished run on other data: it was trained on 45 .* now gives 40"):
        trained()
    log.write_text("\n".join(["user,item,timestamp", *rows[:-1], "u8,i6,1600000009"]))
    with pytest.raises(RunError, match="now gives 45, or other ones"):
        trained()
