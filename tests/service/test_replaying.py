"""The list of a moment in the past is the one that was sent then."""

import asyncio
import json
import time

import pytest

from instructrec.cli import main
from instructrec.errors import ModelError, QueryError
from instructrec.journal.store import Store
from instructrec.runs import Run
from instructrec.service.live import opened
from instructrec.service.replaying import list_at
from instructrec.service.shapes import Ask


def replayed(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["replay", *map(str, arguments)])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def test_the_list_of_then_comes_back_beside_the_service(run_folder, tmp_path, capsys):
    place = tmp_path / "journal.db"
    live = opened(run_folder, str(place))
    user = live.snapshot.dataset.interactions.user_ids[0]
    sent = []

    def listed():
        answer = json.loads(asyncio.run(live.recommend("local", Ask(user_id=user, n=5))))
        sent.append((time.time(), answer))
        time.sleep(0.01)
        return [entry["item_id"] for entry in answer["items"]]

    def happen(*rows):
        asyncio.run(
            live.record(
                "local", [{"event_id": f"{kind}-{item}", "type": kind, "user_id": user, **more} for kind, item, more in rows]
            )
        )

    try:
        first = listed()
        happen(("dislike", first[0], {"item_id": first[0]}), ("text", "", {"text": "no horror"}))
        second = listed()
        happen(("ban", second[0], {"item_id": second[0]}), ("undo", "", {"undoes": f"dislike-{first[0]}"}))
        third = listed()
        assert first != second != third
        for moment, answer in sent:
            code, out, err = replayed(
                capsys, run_folder, "--database", place, "--user", user, "-n", 5, "--until", f"{moment:.6f}", "--json"
            )
            found = json.loads(out.splitlines()[-1])
            assert code == 0, err
            assert [(entry["item_id"], entry["score"]) for entry in found["items"]] == [
                (entry["item_id"], entry["score"]) for entry in answer["items"]
            ]
            assert found["instruction"] == answer["instruction"] and found["model_version"] == answer["model_version"]
        assert [found["replay"]["events"], found["replay"]["events_now"]] == [4, 4]
        known = live.people.get("local", f"user:{user}")
        assert found["replay"]["state_hash"] == known.state(time.time()).digest(), "what the service holds is what the log says"
    finally:
        live.close()


def test_somebody_of_whom_nothing_is_known_gets_what_many_choose(run_folder, tmp_path):
    with Store.open(tmp_path / "j.db") as store:
        found = list_at(Run.load(run_folder), store, "local", Ask(user_id="newcomer", n=3))
    assert found["served_by"] == "popular" and found["degraded"] and len(found["items"]) == 3 and found["notes"]
    assert found["replay"]["events_now"] == 0


def test_after_an_import_the_times_of_the_events_count(run_folder, tmp_path, capsys):
    rows = [
        {"type": "like", "session_id": "s", "item_id": f"m{number}", "time": f"2026-0{number}-01T00:00:00Z"} for number in (3, 4, 6)
    ]
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, rows)))
    place = ("--database", f"sqlite:///{tmp_path / 'j.db'}")
    with pytest.raises(SystemExit):
        main(["import-events", str(run_folder), str(tmp_path / "e.jsonl"), *place])
    capsys.readouterr()
    until = ("--until", "2026-05-01T12:00:00Z", "--session", "s")
    code, out, err = replayed(capsys, run_folder, *place, *until)
    assert code == 0 and "From 0 of 3 events" in out and "--by-event-time" in out
    code, out, err = replayed(capsys, run_folder, *place, *until, "--by-event-time", "--json")
    found = json.loads(out.splitlines()[-1])
    assert found["replay"]["events"] == 2 and not {"m3", "m4"} & {entry["item_id"] for entry in found["items"]}


def test_the_whole_journal_has_one_hash_that_can_be_asked_for(run_folder, tmp_path, capsys):
    rows = [{"type": "like", "user_id": f"u{number % 9}", "item_id": f"m{number}"} for number in range(1, 31)]
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, rows)))
    hashes = []
    for name in ("one", "two"):
        place = ("--database", f"sqlite:///{tmp_path / name}.db")
        with pytest.raises(SystemExit):
            main(["import-events", str(run_folder), str(tmp_path / "e.jsonl"), *place])
        capsys.readouterr()
        code, out, err = replayed(capsys, run_folder, *place, "--json")
        facts = json.loads(out.splitlines()[-1])
        assert (code, facts["events"], facts["people"]) == (0, 30, 9) and facts["events_per_s"] > 0
        hashes.append(facts["state_hash"])
    code, out, err = replayed(capsys, run_folder, *place, "--expect", hashes[0])
    assert code == 0 and hashes[0] in out
    code, out, err = replayed(capsys, run_folder, *place, "--expect", "0" * 64)
    assert code == 2 and hashes[0] in err


def test_what_cannot_be_replayed_is_said(run_folder, tmp_path, capsys):
    with Store.open(tmp_path / "j.db") as store:
        run = Run.load(run_folder)
        with pytest.raises(QueryError, match="somebody's"):
            list_at(run, store, "local", Ask())
        with pytest.raises(ModelError, match="no model 'lm'"):
            list_at(run, store, "local", Ask(user_id="u"), model="lm")
        code, _, err = replayed(capsys, run_folder, "--database", tmp_path / "j.db", "--until", "yesterday")
        assert code == 2 and "ISO 8601" in err
        code, _, err = replayed(capsys, run_folder, "--database", tmp_path / "j.db", "--user", "")
        assert code == 2 and "user_id" in err
