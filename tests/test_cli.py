"""The command line: what it prints, the JSON it promises, and that no traceback reaches a user."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from instructrec import pipeline
from instructrec.cli import COMMANDS, GROUPS, answers, main
from instructrec.cli.options import with_json_value
from instructrec.cli.reference import cli_page, config_page
from instructrec.doctor import Check

ROOT = Path(__file__).resolve().parents[1]
FUSION = ("--model", "fusion", "--set", 'fusion.parts=["ridge","recency_ease"]')


@pytest.fixture
def call(capsys):
    """Run the command line; gives exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        code = ended.value.code
        out, err = capsys.readouterr()
        return (0 if code is None else int(code)), out, err

    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "a"
    with pytest.raises(SystemExit) as ended:
        main(["train", "--data", "synthetic-genres", *FUSION, "--out", str(out)])
    assert not ended.value.code
    return out


def last_json(out: str) -> dict:
    return json.loads(out.splitlines()[-1])


NAMES = [command.__name__.replace("_", "-") for command in COMMANDS]
VERBS = [*((name,) for name in NAMES), *((name, verb) for name, (verbs, _) in GROUPS.items() for verb in verbs)]


def test_help_names_every_verb(call):
    code, out, _ = call("--help")
    assert code == 0
    for name in (*NAMES, *GROUPS):
        assert f"  {name} " in out


@pytest.mark.parametrize("name", VERBS, ids=" ".join)
def test_every_verb_has_help_and_json(call, name):
    code, out, _ = call(*name, "--help")
    assert code == 0
    assert "--json [FILE]" in out


def test_train_prints_the_table_and_where_the_run_lies(call, tmp_path):
    code, out, err = call("train", "--data", "synthetic-genres", "--model", "ease", "--out", tmp_path / "r")
    assert code == 0
    assert "ease" in out and str(tmp_path / "r" / "report.html") in out
    assert "evaluate ease" in err, "progress goes to standard error"


def test_json_alone_is_the_last_and_only_line_of_standard_output(call, run):
    code, out, err = call("recommend", run, "--user", "u1", "--json")
    assert code == 0
    assert len(out.splitlines()) == 1
    found = last_json(out)
    assert found["user_id"] == "u1" and len(found["items"]) == 10
    assert found["items"][0]["title"] in err, "words for people go to standard error"


def test_json_with_a_file_leaves_standard_output_to_people(call, run, tmp_path):
    code, out, _ = call("recommend", run, "--user", "u1", "--json", tmp_path / "a.json", "-n", "3")
    assert code == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert [entry["rank"] for entry in found["items"]] == [1, 2, 3]
    assert found["items"][0]["title"] in out


def test_json_before_a_run_folder_takes_no_file(call, run):
    code, out, _ = call("evaluate", "--json", run)
    assert code == 0
    assert set(last_json(out)["models"]) == {"fusion", "ridge", "recency_ease"}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["a", "--json"], ["a", "--json=-"]),
        (["a", "--json", "-n", "3"], ["a", "--json=-", "-n", "3"]),
        (["a", "--json", "f.json"], ["a", "--json", "f.json"]),
        (["a", "--json=f.json"], ["a", "--json=f.json"]),
    ],
)
def test_value_of_json_is_optional(given, wanted):
    assert with_json_value(given) == wanted


def test_recommend_with_history_instruction_and_number(call, run):
    code, out, _ = call(
        *(
            "recommend",
            run,
            "--user",
            "somebody",
            "--history",
            "m1,m2,nothing",
            "--instruction",
            "a comedy, no romance",
            "-n",
            "4",
            "--json",
        )
    )
    found = last_json(out)
    assert code == 0
    assert found["instruction"]["limits"]
    assert any("nothing" in note for note in found["notes"])
    assert len(found["items"]) == 4


def test_recommend_ranks_candidates_from_the_command_line_or_a_file(call, run, tmp_path):
    code, out, _ = call("recommend", str(run), "--history", "m1", "--candidates", "m5, m7,m3", "--json")
    shown = [item["item_id"] for item in last_json(out)["items"]]
    assert (code, sorted(shown)) == (0, ["m3", "m5", "m7"])
    (tmp_path / "ids.txt").write_text("m3\nm7\n\nm5\n")
    _, out, _ = call("recommend", str(run), "--history", "m1", "--candidates", f"@{tmp_path / 'ids.txt'}", "--json")
    assert [item["item_id"] for item in last_json(out)["items"]] == shown


def test_recommend_for_all_users_writes_parquet(call, run, tmp_path):
    import pyarrow.parquet

    code, out, _ = call("recommend", run, "--users", "all", "--out", tmp_path / "lists.parquet", "-n", "2", "--json")
    assert code == 0
    assert last_json(out)["lists"] == 60
    assert pyarrow.parquet.read_table(tmp_path / "lists.parquet").num_rows == 120


def test_a_place_for_lists_is_checked_before_lists_are_made(call, run, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline.answering, "understood", lambda *given: pytest.fail("work was done"))
    (tmp_path / "file").write_text("dear")
    (tmp_path / "folder.parquet").mkdir()
    for place, words in (
        ("lists.csv", "written as Parquet.*such as lists.parquet"),
        ("folder.parquet", "is a folder, but a file"),
        ("file/lists.parquet", "is a file and no folder"),
    ):
        code, _, err = call("recommend", run, "--users", "all", "--out", tmp_path / place)
        assert code == 2
        assert re.search(words, err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.parquet"]


def test_users_without_out_says_what_is_missing(call, run):
    code, _, err = call("recommend", run, "--users", "all")
    assert code == 2
    assert "--out" in err


def test_explain_says_why(call, run):
    code, out, _ = call("explain", run, "--user", "u1", "--item", "m5", "--json")
    [entry] = last_json(out)["items"]
    assert code == 0
    assert entry["item_id"] == "m5" and entry["explanation"]


def test_compare_prints_the_agreed_json(call, tmp_path):
    given = ("compare", "--data", "synthetic-genres", "--models", "popular,ease", "--split", "ratio", "--work", tmp_path / "cells")
    code, out, _ = call(*given, "--json")
    found = last_json(out)
    assert code == 0
    assert set(found) == {"split", "protocol", "seen_filter", "models"}


def test_compare_writes_a_report_and_shows_costs(call, tmp_path):
    out_folder, cells = tmp_path / "report", tmp_path / "cells"
    given = ["compare", "--data", "synthetic-genres", "--models", "popular,ease,item_knn", "--work", cells]
    code, out, _ = call(*given, "--seeds", "2", "--noise", "0.2", "--out", out_folder)
    assert code == 0
    assert sorted(path.name for path in out_folder.iterdir()) == ["report.html", "report.json"]
    assert "one list" in out and "kept under noise" in out and str(out_folder / "report.html") in out
    # Three models, two seeds, with noise and without.
    assert len(list(cells.iterdir())) == 12
    code, _, err = call(*given, "--out", out_folder)
    assert code == 2 and "exists already" in err


def test_compare_says_who_cannot_take_part(call, tmp_path, monkeypatch):
    monkeypatch.setattr("instructrec.models.ease.Ease.unfit_for", lambda self, dataset: "It needs a [bold] choice.")
    code, out, _ = call("compare", "--data", "synthetic-genres", "--models", "popular,ease", "--work", tmp_path, "--json")
    assert code == 0
    assert last_json(out)["absent"] == [{"name": "ease", "kind": "unfit", "reason": "It needs a [bold] choice."}]
    code, out, _ = call("compare", "--data", "synthetic-genres", "--models", "popular,ease", "--work", tmp_path)
    assert "ease: not applicable: It needs a [bold] choice." in out


def test_validate_reports_and_leaves_the_input_alone(call, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item,timestamp\n" + "".join(f"u{n % 3},i{n % 5},{1_000_000_000 + n}\n" for n in range(15)))
    before = path.read_bytes()
    code, out, _ = call("validate", "--data", path, "--json")
    found = last_json(out)
    assert code == 0
    assert found["data"]["users"] == 3 and found["cleaning"]["steps"]
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "rigde", "--out", "x"], "Did you mean 'ridge'"),
        (["train", "--data", "ml-100", "--model", "ease", "--out", "x"], "Did you mean 'ml-100k'"),
        (["train", "--set", "sede=1", "--out", "x"], "Did you mean 'seed'"),
        (["train", "--config", "quik", "--out", "x"], "Did you mean 'quick'"),
        (["compare", "--data", "synthetic-chain", "--models", ",", "--split", "time"], "--models"),
        (["compare", "--data", "synthetic-chain", "--models", "ease", "--split", "tme"], "Did you mean 'time'"),
        (["recommend", "absent-run", "--user", "1"], "no run folder"),
        (["fetch", "ml-100"], "Did you mean 'ml-100k'"),
        (["demo", "--quick", "--full"], "exclude one another"),
        (["recommend", "."], "no run folder"),
    ],
)
def test_mistakes_end_with_one_message_and_exit_2(call, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert code == 2
    assert words in err
    assert "Traceback" not in out + err
    assert list(tmp_path.iterdir()) == []


def test_unknown_flag_is_a_usage_error(call):
    code, _, err = call("train", "--modle", "ease")
    assert code == 2
    assert "--modle" in err and "Traceback" not in err


def test_ctrl_c_promises_to_continue(call, monkeypatch, tmp_path):
    def stopped(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "train", stopped)
    code, _, err = call("train", "--data", "synthetic-genres", "--model", "ease", "--out", tmp_path / "r")
    assert code == 130
    assert "the same command continues" in err


def test_unexpected_error_is_short_and_says_how_to_see_more(call, monkeypatch, tmp_path):
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the tables have turned")

    monkeypatch.setattr(pipeline, "train", broken)
    monkeypatch.delenv("INSTRUCTREC_DEBUG", raising=False)
    arguments = ("train", "--data", "synthetic-genres", "--model", "ease", "--out", tmp_path / "r")
    code, _, err = call(*arguments)
    assert code == 1
    assert "the tables have turned" in err and "--debug" in err and "Traceback" not in err
    monkeypatch.setenv("INSTRUCTREC_DEBUG", "")  # put back at the end
    assert "Traceback" in call(*arguments, "--debug")[2]


def test_json_file_that_cannot_be_written_is_said_before_anything_is_done(call, run, tmp_path):
    (tmp_path / "file").write_text("")
    for place, words in ((tmp_path / "file" / "a.json", "is a file and no folder"), (tmp_path, "is a folder, but a file")):
        code, out, err = call("recommend", run, "--user", "u1", f"--json={place}")
        assert (code, out) == (2, "")
        assert words in err


def test_closed_pipe_ends_in_silence():
    code = "import sys; from instructrec.cli import main; main(['validate', '--data', 'synthetic-genres'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    # rich ends with 1 where it notices first; what counts is that nothing is printed
    assert process.wait(timeout=60) in (0, 1)
    assert err == ""


def test_doctor_reports_every_check_and_what_to_do(call, monkeypatch, tmp_path):
    monkeypatch.setenv("INSTRUCTREC_CACHE", str(tmp_path / "cache"))
    code, out, err = call("doctor", "--json")
    found = last_json(out)
    assert {"python", "packages", "cores", "torch", "memory", "disk", "cache folder", "asset ml-100k"} <= {
        c["name"] for c in found["checks"]
    }
    for check in found["checks"]:
        assert check["state"] in ("ok", "warning", "problem")
        assert bool(check["advice"]) == (check["state"] != "ok"), check
    assert code == (0 if found["ok"] else 1)
    assert "fetch ml-100k" in err


def test_doctor_fails_on_a_problem(call, monkeypatch):
    monkeypatch.setattr("instructrec.doctor.examine", lambda: [Check("disk", "problem", "0.1 GB free", "Make room.")])
    code, out, _ = call("doctor")
    assert code == 1
    assert "Make room." in out


@pytest.mark.parametrize(("name", "page"), [("cli.md", cli_page), ("config.md", config_page)])
def test_reference_pages_are_up_to_date(name, page):
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), "run: make docs"


def test_module_and_command_are_the_same():
    environment = {**os.environ, "COLUMNS": "100"}
    found = subprocess.run(
        [sys.executable, "-m", "instructrec", "--help"], capture_output=True, text=True, env=environment, check=True
    )
    assert "Usage: instructrec" in found.stdout


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


DEMO = ("demo", "--quick", "--set", "data.source=synthetic-genres", "--set", 'fusion.parts=["ridge","recency_ease"]')


def test_demo_shows_the_whole_road_and_the_second_call_reuses_it(call, demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    code, first, err = call(*DEMO)
    assert code == 0
    assert "evaluate fusion" in err
    for part in (
        "left: 60 users",
        "Leaderboard",
        "popular",
        "item_knn",
        "ease",
        "ridge",
        "recency_ease",
        "fusion",
        "Type next:",
        "peak memory",
    ):
        assert part in first
    assert first.count("whose last items were") == 3
    assert first.count('asked for "') == 3
    assert "runs/demo-quick/report.html" in first

    monkeypatch.setattr(pipeline, "prepare", lambda *args, **kwargs: pytest.fail("nothing is loaded again"))
    code, second, _ = call(*DEMO)
    assert code == 0
    assert "finished already" in second

    def body(text: str) -> str:
        return text[text.index("Leaderboard") : text.index("Took")]

    assert body(second) == body(first)


def test_demo_json_holds_table_samples_time_and_memory(call, demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    code, out, _ = call(*DEMO, "--json")
    found = last_json(out)
    assert code == 0
    assert {"run", "version", "reused", "seconds", "peak_memory_mb", "models", "samples", "data", "cleaning", "tests"} <= set(found)
    assert set(found["models"]) == {"popular", "item_knn", "ease", "ridge", "recency_ease", "fusion"}
    assert {answer["model_version"] for sample in found["samples"] for answer in sample["answers"]} == {found["version"]}


def test_demo_with_another_seed_takes_another_folder(call, demo_folder, monkeypatch):
    monkeypatch.chdir(demo_folder)
    call(*DEMO)
    code, out, _ = call(*DEMO, "--seed", "1", "--json")
    assert code == 0
    assert last_json(out)["run"] == "runs/demo-quick-2"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("m1, m2,,m3", ("m1", "m2", "m3")),
        ('"Good, Bad", m2', ("Good, Bad", "m2")),
        ('m1\n"say ""a, b"""\n', ("m1", 'say "a, b"')),
        ("", ()),
    ],
)
def test_ids_are_parted_by_commas_unless_quoted(given, wanted):
    assert answers._ids(given) == wanted
