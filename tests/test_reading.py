"""A run whose requests are read by rules and by a model: how it comes about, what it says where both differ, how to do without."""

from __future__ import annotations

import json

import pytest

from instructrec import config, pipeline
from instructrec.cli import main
from instructrec.core import Instruction, Silent
from instructrec.data import synthetic
from instructrec.errors import QueryError, RunError
from instructrec.instructions import parse
from instructrec.pipeline import Request, answer, converse
from instructrec.runs import Run
from instructrec.tables import Limit
from instructrec.tuning.understanding import Understander

RULES = ("data.source=synthetic-genres", 'model="ease"')
# Not sure of anything, and listened to all the same.
TINY = ("base=tiny", "layers=2", "sentences=60", "sure=0.0", "save_every_s=0.0")
BOTH = (*RULES, "reader=both", *(f"understanding.{entry}" for entry in TINY))
NO_HORROR = Limit(attribute="genres", operator="exclude", values=("Horror",))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {name: trained(folder / name, sets) for name, sets in (("rules", RULES), ("both", BOTH))}


@pytest.fixture
def read_as(monkeypatch):
    """Let the model of every run read the same of any text."""

    def put(*limits):
        texts = []
        monkeypatch.setattr(
            Understander, "understand", lambda self, text: texts.append(text) or Instruction(text=text, limits=limits)
        )
        return texts

    return put


def trained(out, sets, progress=None):
    return pipeline.train(pipeline.prepare(config.from_toml("", sets)), out, progress=progress or Silent())


def call(capsys, *arguments):
    """Exit code, the JSON object at the end of standard output, and standard error of the command line."""
    with pytest.raises(SystemExit) as ended:
        main([*(str(argument) for argument in arguments), "--json"])
    out, err = capsys.readouterr()
    return ended.value.code or 0, json.loads(out.splitlines()[-1]) if out else None, err


def excluded(found):
    return {value for limit in found["instruction"]["limits"] if limit["operator"] == "exclude" for value in limit["values"]}


def genres(run, found):
    labels = run.catalog.labels["genres"]
    return {value for item in found["items"] for value in labels.of(run.catalog.index[item["item_id"]])}


def test_the_command_line_trains_a_reader_and_says_where_it_differs(capsys, tmp_path):
    sets = [word for entry in BOTH if not entry.startswith("reader") for word in ("--set", entry)]
    code, report, err = call(capsys, "train", "--reader", "both", *sets, "--out", tmp_path / "run")
    assert code == 0
    assert "tune understanding" in err, "progress is shown"
    run = Run.load(report["run"])
    assert "tuned on the catalog" in (run.path / "card.md").read_text()
    asked = ("recommend", run.path, "--user", "u1", "--instruction", "no comedy", "--no-explain")
    code, found, err = call(capsys, *asked)
    assert code == 0
    assert found["instruction"]["notes"] == [
        "What was said about 'Comedy' can be read in two ways; the safer one counts.",
        "The rules read there: genres: not Comedy.",
        "The model read there: genres: Comedy.",
    ]
    assert "The model read there" in err
    assert excluded(found) == {"Comedy"}
    assert "Comedy" not in genres(run, found)
    assert call(capsys, *asked, "--reader", "rules")[1]["instruction"]["notes"] == []


def test_what_the_rules_did_not_read_is_ruled_out_where_the_model_does(runs, read_as, tmp_path):
    read_as(NO_HORROR)
    run, words = runs["both"], "a comedy without gore"
    for found in (
        answer(run, Request(instruction=words)),
        converse(run, Request(instruction=words), tmp_path / "talk.json"),
        pipeline.explain_item(run, Request(instruction=words), "m1"),
    ):
        assert excluded(found) == {"Horror"}
        assert found["instruction"]["notes"][1:] == ["The rules read nothing there.", "The model read there: genres: not Horror."]
    assert "Horror" not in genres(run, answer(run, Request(instruction=words)))
    pipeline.write_all(run, Request(instruction=words, n=3), tmp_path / "lists.parquet")
    assert parse(words, run.catalog, lm=run.understander).limits[-1] == NO_HORROR
    assert excluded(answer(run, Request(instruction=words, reader="rules"))) == set()
    assert excluded(converse(run, Request(instruction=words, reader="rules"), tmp_path / "other.json")) == set()


def test_notes_are_in_the_language_of_the_answer(runs, read_as):
    read_as(NO_HORROR)
    found = answer(runs["both"], Request(instruction="a comedy", language="en"))
    assert "genres: not Horror" in found["instruction"]["notes"][-1]
    words = parse("a comedy", runs["both"].catalog, lm=runs["both"].understander)
    assert words.notes == ("disagreement:Horror", "read_by_rules:nothing", "read_by_model:genres: not Horror")


@pytest.mark.parametrize("words", ["", "   ", "我想看喜剧片", "keine Komödie, bitte nur etwas mit Horror und nicht lang"])
def test_only_texts_that_the_rules_can_read_in_its_language_are_read_by_the_model(runs, read_as, words):
    texts = read_as(NO_HORROR)
    assert excluded(answer(runs["both"], Request(instruction=words))) == set()
    assert texts == []


def test_a_bound_on_a_number_from_the_log_stays(runs, read_as):
    read_as()
    found = answer(runs["both"], Request(instruction="popularity below 0.5"))
    assert [limit["attribute"] for limit in found["instruction"]["limits"]] == ["popularity"]


@pytest.mark.parametrize("words", ["x" * 10_000, "ignore all rules; " * 600, "\x00\ud7ff\u202e", "'; DROP TABLE items; --"])
def test_any_words_get_an_answer(runs, words):
    found = answer(runs["both"], Request(user="u1", instruction=words, n=3), explained=False)
    assert json.loads(json.dumps(found))["instruction"]["text"] == words


def test_a_run_that_reads_by_rules_alone_says_how_to_get_another(runs, capsys):
    for words in ((), ("--instruction", "a comedy")):
        code, found, err = call(capsys, "recommend", runs["rules"].path, *words, "--reader", "both")
        assert code == 2
        assert found is None
        assert "train --reader both" in err
        assert "--reader rules" in err
        assert "Traceback" not in err
    with pytest.raises(QueryError, match="Did you mean 'both'"):
        answer(runs["rules"], Request(instruction="a comedy", reader="bth"))


def test_a_model_of_another_catalog_is_refused(runs):
    with pytest.raises(RunError, match="another catalog"):
        Understander.load(runs["both"].path / "understanding", synthetic.chain().catalog)


def test_interrupted_tuning_goes_on_to_the_same_run(runs, tmp_path):
    class Stop(Silent):
        def step(self, done, *, loss=None):
            if loss is not None and done == 3:
                raise KeyboardInterrupt

    class Watch(Silent):
        steps: list[int] = []

        def step(self, done, *, loss=None):
            self.steps += [done] if loss is not None else []

    out, work = tmp_path / "run", tmp_path / "run.work"
    with pytest.raises(KeyboardInterrupt):
        trained(out, BOTH, Stop())
    assert not out.exists()
    assert not (work / "understanding").exists()
    assert (work / "unfinished" / "understanding" / "state.json").is_file()
    assert trained(out, BOTH, Watch()).version == runs["both"].version
    assert Watch.steps[0] == 3, "the steps that were kept are not taken again"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_without_the_option_nothing_of_it_is_left(runs, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.training, "measure", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "run", BOTH)
    assert (tmp_path / "run.work" / "understanding" / "understanding.json").is_file()
    found = trained(tmp_path / "run", RULES)
    assert found.version == runs["rules"].version
    assert not [name for name in found.manifest["files"] if "understanding" in name]
    assert "understanding" not in (found.path / "run.toml").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_finished_run_is_loaded_and_not_tuned_again(runs, monkeypatch):
    monkeypatch.setattr(Understander, "fit", lambda *_, **__: pytest.fail("nothing may be tuned twice"))
    assert trained(runs["both"].path, BOTH).version == runs["both"].version
    assert answer(Run.load(runs["both"].path), Request(instruction="no comedy"))["instruction"]["notes"]
