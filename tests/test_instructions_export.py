"""`instructrec instructions`: files that other trainers read, equal for equal seeds, made of the training part alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.lm.scripted_server import ScriptedServer, Step

from instructrec import config, pipeline
from instructrec.cli import main
from instructrec.errors import ConfigError, QueryError, RunError
from instructrec.instructions.cells import CELLS
from instructrec.instructions.phrasing import held_out_values
from instructrec.lm.endpoint import endpoint_at
from instructrec.pipeline import ExportOptions, write_instructions

SAID = {"choices": [{"message": {"content": "Something to laugh about."}}], "usage": {"prompt_tokens": 50, "completion_tokens": 6}}


@pytest.fixture(scope="module")
def prepared():
    return pipeline.prepare(config.from_toml("", ("data.source=synthetic-genres",)))


def written(prepared, place, **options):
    found = write_instructions(prepared, place / "a.jsonl", ExportOptions(**{"count": 128, **options}))
    return found, [json.loads(line) for line in (place / "a.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("kind", "keys"),
    [("trl", ["prompt", "completion"]), ("llamafactory", ["instruction", "input", "output"])],
)
def test_every_line_is_an_object_of_its_format_and_answers_are_titles_or_words(prepared, tmp_path, kind, keys, language):
    found, records = written(prepared, tmp_path, kind=kind, language=language)
    assert found.examples == len(records) == 128
    assert found.to_json()["cells"] == {cell.name: 4 for cell in CELLS}
    titles = set(prepared.split.train.catalog.titles)
    for record in records:
        assert list(record) == keys
        assert all(isinstance(value, str) for value in record.values())
        assert record[keys[0]].strip()
        assert record[keys[-1]] in titles | {"yes", "no", "是", "否"}


def test_equal_seeds_give_equal_bytes_and_others_do_not(prepared, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_instructions(prepared, tmp_path / name, ExportOptions(count=64, seed=seed))
    first, same, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == same != other
    write_instructions(prepared, tmp_path / "d", ExportOptions(count=32, seed=1))
    assert first.startswith((tmp_path / "d").read_bytes()), "more examples go on where fewer end"


def test_only_the_training_part_is_read_and_nothing_after_the_target(prepared, tmp_path):
    train, names = prepared.split.train.interactions, prepared.split.train.catalog.item_ids
    histories = [[names[code] for code in history] for history in train.histories()]
    _, records = written(prepared, tmp_path, kind="plain", count=320, max_history=5)
    for record in records:
        before, answer = record["history"], record["answer_id"]
        assert len(before) <= 5
        if before:
            runs = [
                (history, place)
                for history in histories
                for place in range(len(before), len(history) + 1)
                if history[place - len(before) : place] == before
            ]
            assert runs
            if answer is not None:
                assert any(place < len(history) and history[place] == answer for history, place in runs)
        others = set(record["candidates"]) - {answer}
        if answer is not None and record["candidates"]:
            assert answer in record["candidates"]
            assert any(answer in history and not others & set(history) for history in histories)


def test_codes_stand_behind_titles_where_they_are_wanted(prepared, tmp_path):
    _, records = written(prepared, tmp_path, kind="trl", codes=True)
    catalog = prepared.split.train.catalog
    items = {f"{title} <item_{code}>" for code, title in enumerate(catalog.titles)}
    assert {record["completion"] for record in records} <= items | {"yes", "no"}


def test_held_out_values_stay_unsaid(prepared, tmp_path):
    held = held_out_values(prepared.split.train.catalog)
    _, records = written(prepared, tmp_path, kind="plain", hold_out_values=True, count=320)
    said = {word for record in records for word in f"{record['preference']} {record['intention']}".replace(",", " ").split()}
    assert held and not held & said


def test_data_without_attributes_leaves_cells_out_and_says_so(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["instructions", "--data", "synthetic-chain", "--out", str(tmp_path / "a"), "--count", "64", "--json"])
    assert not ended.value.code
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["left_out"] == 64 - found["examples"] > 0
    assert found["cells"]["P2-I0-T2"] == 0
    assert "P2-I0-T2" in err


def test_the_command_writes_what_it_says(tmp_path, capsys):
    place = tmp_path / "new" / "a.jsonl"
    arguments = [
        "--data",
        "synthetic-genres",
        "--out",
        str(place),
        "--count",
        "40",
        "--format",
        "plain",
        "--language",
        "zh",
        "--seed",
        "3",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["instructions", *arguments, "--json"])
    assert not ended.value.code
    out, err = capsys.readouterr()
    assert json.loads(out)["examples"] == len(place.read_text(encoding="utf-8").splitlines()) == 40
    assert "write instructions" in err


def test_a_teacher_says_tastes_and_wishes_and_is_paid_once(prepared, tmp_path, capsys):
    arguments = ["instructions", "--data", "synthetic-genres", "--count", "64", "--format", "plain", "--json"]
    with ScriptedServer([Step(body=lambda body: SAID if body else {"data": [{"id": "big"}]})]) as server:
        for name in ("trl", "plain"):
            with pytest.raises(SystemExit) as ended:
                main([*arguments, "--out", str(tmp_path / "a"), "--teacher", server.url, "--format", name])
            assert not ended.value.code
            facts = json.loads(capsys.readouterr().out)["teacher"]
            if name == "trl":
                assert facts["requests"] == len(server.bodies) - 1 <= facts["sentences"]["new"]
                assert facts["completion_tokens"] == 6 * facts["requests"] > 0
                asked = len(server.bodies)
        assert facts["model"] == "big"
        assert facts["requests"] == facts["sentences"]["new"] == 0 < facts["sentences"]["kept"]
        assert len(server.bodies) == asked + 1, "only what it offers was asked again"
    records = [json.loads(line) for line in (tmp_path / "a").read_text().splitlines()]
    assert {record["intention"] for record in records} == {"", "Something to laugh about."}


def test_a_teacher_that_fails_leaves_the_templates(prepared, tmp_path):
    plain = tmp_path / "plain"
    write_instructions(prepared, plain, ExportOptions(count=64))
    with ScriptedServer([Step(status=400, body={"error": "no"})]) as server:
        teacher = endpoint_at(server.url, "big")
        found = write_instructions(prepared, tmp_path / "a", ExportOptions(count=64), teacher=teacher)
    assert (tmp_path / "a").read_bytes() == plain.read_bytes()
    assert found.teacher is not None
    assert found.teacher["sentences"]["failed"] > 0 == found.teacher["requests"]


def test_an_interrupted_export_leaves_no_half_file_but_what_was_paid_for(prepared, tmp_path, monkeypatch):
    with ScriptedServer([Step(body=SAID)]) as server:
        teacher = endpoint_at(server.url, "big")
        rewrite = pipeline.instructing.Teacher.rewrite

        def stopped(self, sentences):
            rewrite(self, sentences)
            raise KeyboardInterrupt

        monkeypatch.setattr(pipeline.instructing.Teacher, "rewrite", stopped)
        with pytest.raises(KeyboardInterrupt):
            write_instructions(prepared, tmp_path / "a", ExportOptions(count=64), teacher=teacher)
        assert [path.name for path in tmp_path.iterdir()] == ["a.teacher"]
        monkeypatch.undo()
        paid = len(server.bodies)
        write_instructions(prepared, tmp_path / "a", ExportOptions(count=64), teacher=teacher)
        assert len(server.bodies) == paid > 0


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"kind": "parquet"}, QueryError, "plain"),
        ({"language": "xx"}, ConfigError, "en, zh"),
        ({"count": 0}, ConfigError, "1 or more"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(prepared, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        written(prepared, tmp_path, **options)


def test_a_folder_is_no_file(prepared, tmp_path):
    with pytest.raises(RunError, match="data.jsonl"):
        write_instructions(prepared, tmp_path)


def test_moments_are_spread_over_all_users(prepared, tmp_path):
    _, records = written(prepared, tmp_path, kind="plain", count=640)
    counts = np.unique([record["answer_id"] for record in records if record["answer_id"]], return_counts=True)[1]
    assert len(counts) > len(prepared.split.train.catalog) * 0.6
