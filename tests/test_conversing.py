"""Parameters, strength and conversations, as the command line takes them."""

import json

import pytest

from instructrec import config, pipeline, wire
from instructrec.cli import main
from instructrec.errors import QueryError
from instructrec.pipeline import Request, answer, converse

SETTINGS = ("data.source=synthetic-genres", 'model="ease"')


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return pipeline.train(pipeline.prepare(config.from_toml("", SETTINGS)), tmp_path_factory.mktemp("runs") / "a")


def genres(run, report):
    labels = run.catalog.labels["genres"]
    return [set(labels.of(run.catalog.index[item["item_id"]])) for item in report["items"]]


def test_parameters_are_an_instruction(run):
    comedy = {"limits": [{"attribute": "genres", "operator": "include", "values": ["Comedy"]}], "n": 3}
    report = answer(run, Request(user="u0", parameters=comedy))
    assert len(report["items"]) == 3
    assert all("Comedy" in row for row in genres(run, report))
    narrowed = answer(run, Request(user="u0", parameters=comedy, instruction="no comedies"))
    assert not any("Comedy" in row for row in genres(run, narrowed))


def test_parameters_with_a_quota_fill_it(run):
    quota = {"limits": [{"attribute": "genres", "operator": "include", "values": ["Comedy"]}], "at_least": 2, "at_most": 2}
    report = answer(run, Request(user="u0", parameters={"quotas": [quota]}, n=6))
    assert sum("Comedy" in row for row in genres(run, report)) == 2
    assert report["instruction"]["quotas"][0]["at_most"] == 2


def test_a_quota_of_none_keeps_out_what_several_conditions_describe_together(run):
    both = [{"attribute": "genres", "operator": "include", "values": [value]} for value in ("Comedy", "Action")]
    whole = genres(run, answer(run, Request(user="u0", n=40, hide_seen=False)))
    assert any({"Comedy", "Action"} <= row for row in whole)
    report = answer(run, Request(user="u0", n=40, hide_seen=False, parameters={"quotas": [{"limits": both, "at_most": 0}]}))
    shown = genres(run, report)
    assert not any({"Comedy", "Action"} <= row for row in shown)
    assert any("Comedy" in row for row in shown) and any("Action" in row for row in shown)
    assert wire.understood(report["instruction"]) == ["at most 0 with genres: Comedy and genres: Action"]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"limits": [{"attribute": "genres", "operator": "include", "values": ["Comdy"]}]}, r"limits\[0\]\.values\[0\].*Comedy"),
        ({"limit": []}, "limits"),
        ({"n": 0}, "n is 0"),
        ([], "object"),
    ],
)
def test_wrong_parameters_are_refused_by_their_field(run, parameters, named):
    with pytest.raises(QueryError, match=named):
        answer(run, Request(user="u0", parameters=parameters))


def test_a_conversation_is_kept_in_its_file(run, tmp_path):
    state = tmp_path / "talk.json"
    first = converse(run, Request(user="u0", instruction="a comedy"), state)
    second = converse(run, Request(user="u0", instruction="no romance, three items"), state)
    assert all("Comedy" in row for row in genres(run, second))
    assert len(second["items"]) == 3
    assert second["instruction"]["text"] == "no romance, three items"
    kept = json.loads(state.read_text())
    assert kept["shown"] == [item["item_id"] for item in second["items"]]
    assert [turn["text"] for turn in kept["turns"]] == ["a comedy", "no romance, three items"]
    undone = converse(run, Request(user="u0", instruction="undo"), state)
    assert undone["items"] == first["items"]
    assert converse(run, Request(user="u0"), state)["items"] == first["items"]


def test_a_file_that_is_no_conversation_is_left_alone(run, tmp_path):
    state = tmp_path / "letter.txt"
    for content in ("dear", '{"turns": 3}', "[1]", '{"turns": [{"limits": "x"}]}'):
        state.write_text(content)
        with pytest.raises(QueryError):
            converse(run, Request(instruction="a comedy"), state)
        assert state.read_text() == content


def call(capsys, *arguments):
    """Exit code, standard output and standard error of the command line."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def test_the_command_line_takes_parameters_and_conversations(run, tmp_path, capsys):
    file, talk = tmp_path / "wanted.json", tmp_path / "talk.json"
    file.write_text('{"limits": [{"attribute": "genres", "operator": "exclude", "values": ["Comedy"]}], "n": 2}')
    asked = ("recommend", run.path, "--user", "u1")
    code, out, _ = call(capsys, *asked, "--parameters", f"@{file}", "--json")
    assert code == 0
    assert len(json.loads(out.splitlines()[-1])["items"]) == 2
    for words in ("a comedy", "undo"):
        assert call(capsys, *asked, "--dialogue", talk, "--instruction", words)[0] == 0
    assert json.loads(talk.read_text())["turns"] == []
    assert call(capsys, *asked, "--dialogue", talk, "--parameters", "{}")[0] != 0
    code, _, err = call(capsys, *asked, "--parameters", "{nonsense")
    assert code != 0
    assert "--parameters is no JSON" in err
    assert "Traceback" not in err
