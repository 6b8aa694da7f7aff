"""Peers of benchmarks: pinned environments, questions and answers over lines, and data that both sides split alike."""

import json
import re
import sys
from pathlib import Path

import pytest
from benchmarks import peers, training_speed

from instructrec.data.split import split
from instructrec.data.synthetic import genres


@pytest.mark.parametrize("file", sorted(peers.HERE.glob("*.txt")), ids=lambda file: file.stem)
def test_every_package_of_a_peer_has_one_version(file: Path) -> None:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert lines
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert len({line.partition("==")[0].lower() for line in lines}) == len(lines)


def test_an_environment_of_these_versions_is_not_made_again_and_one_of_others_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[list[str]] = []
    monkeypatch.setattr(peers.subprocess, "run", lambda command, check: made.append(command))
    (tmp_path / "recbole").mkdir()
    assert peers.environment("recbole", tmp_path) == tmp_path / "recbole" / "bin" / "python"
    assert [command[2] for command in made] == ["venv", "pip"]
    peers.environment("recbole", tmp_path)
    assert len(made) == 2
    (tmp_path / "recbole" / peers.MARK).write_text("of other versions")
    peers.environment("recbole", tmp_path)
    assert len(made) == 4


def test_a_peer_answers_by_lines_whatever_else_its_libraries_print_and_its_end_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "echo.py"
    script.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    if asked.get('end'): sys.exit(3)\n"
        "    print('a library says hello')\n"
        "    print(json.dumps({'heard': asked, 'from': sys.argv[1]}), flush=True)\n"
    )
    monkeypatch.setattr(peers, "environment", lambda name: Path(sys.executable))
    monkeypatch.setattr(peers, "HERE", tmp_path)
    with peers.Peer("any", "echo.py", ["here"], {}) as peer:
        assert peer.ask(batches=2) == {"heard": {"batches": 2}, "from": "here"}
        with pytest.raises(RuntimeError, match="ended with 3"):
            peer.ask(end=True)


def test_both_sides_hold_out_the_same_two_items(tmp_path: Path) -> None:
    """RecBole's LS split takes the last two of each user by time: the rows that its file numbers highest."""
    parts = split(genres(num_users=12, num_items=30, seed=2))
    training_speed.written(parts, tmp_path)
    head, *rows = (tmp_path / "ml" / "ml.inter").read_text(encoding="utf-8").splitlines()
    assert head.split("\t") == ["user_id:token", "item_id:token", "timestamp:float"]
    histories: dict[str, list[str]] = {}
    for row in rows:
        user, item, place = row.split("\t")
        assert int(place) == len(histories.setdefault(user, []))
        histories[user].append(item)
    names = parts.train.catalog.item_ids
    for query, target in zip(parts.test.queries, parts.test.targets, strict=True):
        assert histories[str(query.user)][-1] == names[int(target[0])]
    for query, target in zip(parts.valid.queries, parts.valid.targets, strict=True):
        assert histories[str(query.user)][-2] == names[int(target[0])]
        assert histories[str(query.user)][:-2] == list(query.history)
    assert json.dumps(training_speed.SETTINGS)
