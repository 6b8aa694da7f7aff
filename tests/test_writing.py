"""A run whose reasons a model writes: how it comes about, what is shown where it fails, how to do without."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.lm.scripted_server import ScriptedServer, Step
from tests.test_reading import call, trained

from instructrec.errors import QueryError, RunError
from instructrec.explain.phrases import phrases
from instructrec.instructions.plans import slots_of
from instructrec.pipeline import Request, answer, explain_item
from instructrec.runs import Run
from instructrec.tuning.verbalising import Verbaliser

GRAMMAR = ("data.source=synthetic-genres", 'model="ease"')
TINY = ("base=tiny", "layers=2", "passes=1", "batch_tokens=4000", "rank=2", "save_every_s=0.0")
MODEL = (*GRAMMAR, "writer=model", *(f"writing.{entry}" for entry in TINY))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {name: trained(folder / name, sets) for name, sets in (("grammar", GRAMMAR), ("model", MODEL))}


def asked(run, **more):
    return Request(user=run.dataset.interactions.user_ids[0], n=3, **more)


def says(monkeypatch, text):
    monkeypatch.setattr(Verbaliser, "write", lambda self, plans, *, seeds: [text(plan) for plan in plans])


def plainly(plan):
    """A text that says an outline and nothing else."""
    told = " and ".join(f"{{{slot}}}" for slot in plan.words if slot in ("h1", "h2", "h3"))
    return (
        f"We call it {{fit}} because of {told} in your history"
        + (" - {shared} is in it, too" if "shared" in plan.words else "")
        + "."
    )


def test_the_model_is_saved_with_the_run_and_writes_its_reasons(runs, monkeypatch):
    says(monkeypatch, plainly)
    run = Run.load(runs["model"].path)
    assert {"writing/writing.json", "writing/adapter.safetensors"} <= set(run.manifest["files"])
    items = answer(run, asked(run))["items"]
    by_model = [entry for entry in items if entry["explanation_written_by"] == "model"]
    assert by_model and all(entry["explanation"].startswith("We call it") for entry in by_model)
    assert all(entry["explanation_status"] == "verified" for entry in by_model)


def test_a_model_that_writes_nonsense_is_replaced_by_the_grammar_and_the_answer_says_so(runs):
    """The tiny model has a tokenizer that cannot be turned back, so that it never ends a sentence."""
    run = runs["model"]
    for entry in answer(run, asked(run))["items"]:
        assert (entry["explanation_status"], entry["explanation_written_by"]) == ("fallback", "grammar")
        assert entry["explanation"] and entry["evidence"]
    plain = answer(run, asked(run, writer="grammar"))["items"]
    assert {entry["explanation_status"] for entry in plain} == {"verified"}


def test_tone_and_length_are_asked_for(runs, monkeypatch):
    seen = []
    monkeypatch.setattr(Verbaliser, "write", lambda self, plans, *, seeds: seen.extend(plans) or [""] * len(plans))
    run = runs["model"]
    answer(run, asked(run, tone="warm", length="short"))
    assert {(plan.tone, plan.length) for plan in seen} == {("warm", "short")}
    item = run.catalog.item_ids[5]
    explain_item(run, asked(run, tone="brisk", length="long"), item)
    assert (seen[-1].tone, seen[-1].length) == ("brisk", "long")
    for wrong in (replace(asked(run), tone="angry"), replace(asked(run), length="epic"), replace(asked(run), writer="poet")):
        with pytest.raises(QueryError, match="angry|epic|poet"):
            answer(run, wrong)


def test_an_item_far_down_is_not_called_a_good_match(runs):
    run = runs["grammar"]
    user = run.dataset.interactions.user_ids[0]
    ranked = [entry["item_id"] for entry in answer(run, Request(user=user, n=40))["items"]]
    for place, words in ((0, "first"), (7, "second"), (12, "third"), (35, "fourth")):
        report = explain_item(run, Request(user=user), ranked[place])
        told = report["items"][0]["explanation"].lower()
        assert report["items"][0]["rank"] == place + 1
        assert any(phrase in told for phrase in phrases("en").sentences["standing", words]), told


def test_the_command_line_trains_a_writer_and_can_do_without(capsys, tmp_path, monkeypatch):
    sets = [word for entry in MODEL if not entry.startswith("writer") for word in ("--set", entry)]
    code, report, err = call(capsys, "train", "--writer", "model", *sets, "--out", tmp_path / "run")
    assert code == 0 and "tune the writer" in err
    says(monkeypatch, plainly)
    user = Run.load(tmp_path / "run").dataset.interactions.user_ids[0]
    recommend = ("recommend", tmp_path / "run", "--user", user, "--number", "2")
    assert any(entry["explanation_written_by"] == "model" for entry in call(capsys, *recommend)[1]["items"])
    plain = call(capsys, *recommend, "--writer", "grammar", "--length", "short")[1]["items"]
    assert {entry["explanation_written_by"] for entry in plain} == {"grammar"}
    code, _, err = call(capsys, *recommend, "--tone", "sad")
    assert code != 0 and "plain, warm, brisk" in err


def test_a_run_without_a_writer_says_how_to_get_one(runs):
    with pytest.raises(RunError, match="train --writer model"):
        answer(runs["grammar"], asked(runs["grammar"], writer="model"))


def test_a_server_can_write_and_may_be_gone(runs):
    run = runs["grammar"]

    def reply(body):
        outline = body["messages"][0]["content"].split("Rules:")[0]
        slots = dict.fromkeys(slots_of(outline))
        told = " and ".join(f"{{{slot}}}" for slot in slots if slot in ("h1", "h2", "h3"))
        said = f"Call it {{fit}}, with {told} behind it. " + ("You will find {shared} in it, too." if "shared" in slots else "")
        return {"choices": [{"message": {"content": said}, "finish_reason": "stop"}]}

    with ScriptedServer([Step(body={"data": [{"id": "some"}]}), Step(body=reply)]) as server:
        items = answer(run, asked(run, writer=server.url))["items"]
    assert any(entry["explanation_written_by"] == "model" for entry in items)
    gone = answer(run, asked(run, writer="http://127.0.0.1:9"))["items"]
    assert {entry["explanation_status"] for entry in gone} == {"fallback"} and all(entry["explanation"] for entry in gone)


def test_an_interrupted_writer_goes_on(tmp_path):
    class StopError(Exception):
        pass

    class Impatient:
        def stage(self, name, total=None):
            self.name = name

        def step(self, done, **shown):
            if self.name == "tune the writer" and done == 3:
                raise StopError

    with pytest.raises(StopError):
        trained(tmp_path / "run", MODEL, Impatient())
    state = tmp_path / "run.work" / "unfinished" / "writing" / "state.json"
    assert json.loads(state.read_text(encoding="utf-8"))["step"] >= 2
    assert trained(tmp_path / "run", MODEL).path.is_dir()
