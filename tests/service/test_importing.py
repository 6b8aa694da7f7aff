"""Events of a file come into the journal once, whatever is imported how often, or go to a service that runs."""

import csv
import gzip
import io
import json
import sys
from datetime import UTC, datetime

import pyarrow
import pyarrow.parquet
import pytest

from instructrec.cli import main
from instructrec.errors import BusyError, DataError
from instructrec.journal.store import Store
from instructrec.service import importing
from instructrec.service.access import new_key
from instructrec.service.client import Client
from instructrec.service.event_files import EventFile
from instructrec.service.importing import import_events, into_journal, to_service

ROWS = [
    {"event_id": "a", "type": "like", "user_id": "u", "item_id": "m1", "time": 1.7e9, "properties": {"page": "home"}},
    {"event_id": "b", "type": "rating", "user_id": "v", "item_id": "m2", "time": 1.7e9 + 1, "value": 4.5, "position": 3},
    {
        "event_id": "c",
        "type": "text",
        "session_id": "s",
        "text": 'less "horror",\nplease',
        "time": 1.7e9 + 2,
        "experiment_ids": ["x"],
    },
]
CLICK = {"type": "click", "user_id": "u", "item_id": "m1", "time": 1_700_000_000}


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "journal.db") as opened:
        yield opened


def written(path, rows):
    text = "".join(json.dumps(row) + "\n" if not isinstance(row, str) else row + "\n" for row in rows)
    path.write_text(text)
    return str(path)


def imported(store, place):
    return import_events(EventFile(str(place)), into_journal(store, "local"))


def events_of(store):
    return [row.event for row in store.events_after(0, 10_000)]


def as_csv(path, *, separator=","):
    names = sorted({name for row in ROWS for name in row})
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, names, delimiter=separator)
        table.writeheader()
        for row in ROWS:
            table.writerow({name: json.dumps(value) if isinstance(value, dict | list) else value for name, value in row.items()})


def as_parquet(path):
    rows = [{**row, "time": datetime.fromtimestamp(row["time"], UTC).replace(tzinfo=None)} for row in ROWS]
    kinds = {
        "time": pyarrow.timestamp("us"),
        "properties": pyarrow.map_(pyarrow.string(), pyarrow.string()),
        "position": pyarrow.float64(),
        "value": pyarrow.float64(),
        "experiment_ids": pyarrow.list_(pyarrow.string()),
    }
    names = sorted({name for row in ROWS for name in row})
    table = {name: pyarrow.array([row.get(name) for row in rows], kinds.get(name, pyarrow.string())) for name in names}
    pyarrow.parquet.write_table(pyarrow.table(table), path)


def test_every_format_gives_the_same_events(tmp_path):
    written(tmp_path / "e.jsonl", ROWS)
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress((tmp_path / "e.jsonl").read_bytes()))
    (tmp_path / "marked.jsonl").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "e.jsonl").read_bytes())
    as_csv(tmp_path / "e.csv")
    as_csv(tmp_path / "e.tsv", separator="\t")
    as_parquet(tmp_path / "e.parquet")
    found = []
    for name in ("e.jsonl", "e.jsonl.gz", "marked.jsonl", "e.csv", "e.tsv", "e.parquet"):
        with Store.open(tmp_path / f"{name}.db") as store:
            assert dict(imported(store, tmp_path / name).verdicts) == {"stored": 3}, name
            found.append(events_of(store))
    assert all(events == found[0] for events in found)
    assert [event.properties for event in found[0]] == [{"page": "home"}, {}, {}] and found[0][1].position == 3


def test_the_same_file_twice_changes_nothing_and_a_longer_one_adds_what_is_new(store, tmp_path):
    rows = [CLICK, CLICK, {**CLICK, "item_id": "m2"}, ROWS[0], {**CLICK, "event_id": None, "time": None, "value": None}]
    assert dict(imported(store, written(tmp_path / "e.jsonl", rows)).verdicts) == {"stored": 5}
    assert dict(imported(store, written(tmp_path / "e.jsonl", rows)).verdicts) == {"duplicate": 5}
    longer = [{**CLICK, "item_id": "m3"}, *reversed(rows), CLICK]
    assert imported(store, written(tmp_path / "longer.jsonl", longer)).verdicts == {"duplicate": 5, "stored": 2}
    clicks = [event for event in events_of(store) if event.item_id == "m1" and event.type == "click" and event.stamped]
    assert len(clicks) == 3, "what is said three times happened three times"


def test_bad_rows_are_told_by_line_and_the_others_are_taken(store, tmp_path):
    place = written(
        tmp_path / "e.jsonl", ["", ROWS[0], "nonsense", "[1]", {**ROWS[1], "type": "clik"}, {**ROWS[0], "item_id": "m9"}]
    )
    with open(place, "ab") as file:
        file.write(b'{"type": "\xff"}\n' + json.dumps(ROWS[2]).encode())
    found = imported(store, place).to_json()
    assert (found["rows"], found["stored"], found["conflict"], found["rejected"]) == (7, 2, 1, 4)
    assert [(row["line"], row["code"]) for row in found["refused"]] == [
        (3, "unreadable"), (4, "not_an_object"), (5, "unknown_type"), (6, "conflict"), (7, "unreadable"),
    ]  # fmt: skip
    assert all(row["message"] for row in found["refused"])


def test_bad_rows_of_a_table_are_told_by_line(store, tmp_path):
    place = tmp_path / "e.csv"
    place.write_bytes(
        b'type,user_id,item_id,value,time\nlike,u,"m\n1",,1\nlike,u\nrating,u,m1,many,2\nlike,\xff,m1,,3\n\nlike,u,m2,,2023-11-14T22:13:20Z\n'
    )
    found = imported(store, place)
    assert (found.verdicts["stored"], found.verdicts["rejected"]) == (1, 4)
    assert [row["line"] for row in found.refused] == [2, 4, 5, 6]
    assert "2 fields instead of 5" in found.refused[1]["message"] and "'value' is a string" in found.refused[2]["message"]


def test_numbers_of_a_table_can_be_ids(store, tmp_path):
    place = tmp_path / "e.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"type": ["like"], "user_id": [7], "item_id": [50], "time": [1.7e9]}), place)
    assert imported(store, place).verdicts == {"stored": 1}
    assert [(event.user_id, event.item_id) for event in events_of(store)] == [("7", "50")]


def test_an_interrupted_import_goes_on_without_doubling(store, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "EVENTS_AT_ONCE", 10)
    place, deliver, calls = written(tmp_path / "e.jsonl", [CLICK] * 35), into_journal(store, "local"), []

    def stopped(rows):
        calls.append(len(rows))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return deliver(rows)

    with pytest.raises(KeyboardInterrupt):
        import_events(EventFile(place), stopped)
    assert store.last_seq() == 20
    assert imported(store, place).verdicts == {"stored": 15, "duplicate": 20}
    assert len({event.event_id for event in events_of(store)}) == 35


def test_a_file_that_is_cut_short_says_so_and_keeps_what_was_read(store, tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "EVENTS_AT_ONCE", 500)
    rows = "".join(json.dumps({**CLICK, "item_id": f"{number:x}"}) + "\n" for number in range(5_000))
    (tmp_path / "e.jsonl.gz").write_bytes(gzip.compress(rows.encode())[:-2000])
    with pytest.raises(DataError, match="cut short"):
        imported(store, tmp_path / "e.jsonl.gz")
    assert 0 < store.last_seq() < 5_000


def test_a_file_without_one_event_is_an_error(store, tmp_path):
    with pytest.raises(DataError, match=r"No row of .*e.jsonl was taken \(2 came\). Line 1: 'type' is missing"):
        imported(store, written(tmp_path / "e.jsonl", [{}, {}]))
    with pytest.raises(DataError, match="unknown format '.doc'"):
        EventFile("events.doc")
    with pytest.raises(DataError, match="cannot be read"):
        EventFile(str(tmp_path / "nowhere.csv"))


# The command


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["import-events", *map(str, arguments)])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def test_the_command_imports_from_a_file_and_from_standard_input(run_folder, tmp_path, capsys, monkeypatch):
    place, database = written(tmp_path / "e.jsonl", [*ROWS, "nonsense"]), f"sqlite:///{tmp_path / 'j.db'}"
    code, out, _ = command(capsys, run_folder, place, "--database", database)
    assert code == 0 and "4 rows: 3 stored, 1 rejected" in out and "line 4: This is no JSON" in out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("".join(json.dumps(row) + "\n" for row in ROWS).encode())))
    code, out, _ = command(capsys, run_folder, "-", "--database", database, "--json")
    facts = json.loads(out.splitlines()[-1])
    assert code == 0 and (facts["rows"], facts["duplicate"], facts["stored"]) == (3, 3, 0)
    code, _, err = command(capsys, tmp_path / "none", place)
    assert code == 2 and "no run folder" in err


def test_beside_a_service_on_sqlite_the_command_says_what_to_do(run_folder, tmp_path, capsys):
    place = written(tmp_path / "e.jsonl", ROWS)
    with Store.open(tmp_path / "j.db") as store:
        code, _, err = command(capsys, run_folder, place, "--database", tmp_path / "j.db")
        assert code == 2 and "another process" in err and "import-events RUN FILE --url" in err
        assert store.last_seq() == 0


def test_events_go_to_a_service_that_runs_and_count_there_at_once(run_folder, serve, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importing, "MOST_EVENTS", 2)
    served = serve(wants_keys=True)
    key = new_key(served.live.store, tenant="shop", name="import", scopes=["read", "write"])
    place = written(tmp_path / "e.jsonl", [*ROWS, CLICK, CLICK, "nonsense", {"type": "clik"}])
    monkeypatch.setenv("INSTRUCTREC_KEY", key)
    code, out, err = command(capsys, run_folder, place, "--url", served.url, "--json")
    facts = json.loads(out.splitlines()[-1])
    assert code == 0, err
    assert (facts["stored"], facts["rejected"]) == (5, 2) and [row["line"] for row in facts["refused"]] == [6, 7]
    assert served.live.people.get("shop", "user:u").state(1.8e9).liked == ("m1",)
    code, out, _ = command(capsys, run_folder, place, "--url", served.url, "--key", key, "--json")
    assert json.loads(out.splitlines()[-1])["duplicate"] == 5
    code, _, err = command(capsys, run_folder, place, "--url", served.url, "--key", "ir_wrong")
    assert code == 2 and "not known" in err and "--key" in err and "ir_wrong" not in err


def test_a_busy_service_is_asked_again_when_it_says(serve, tmp_path):
    served, waits, busy = serve(), [], iter([True, True])
    record = served.live.record

    async def sometimes(tenant, rows):
        if next(busy, False):
            raise BusyError("Too much waits.", retry_after_s=3)
        return await record(tenant, rows)

    served.live.record = sometimes
    client = Client("run", served.url, sleep=waits.append)
    found = import_events(EventFile(written(tmp_path / "e.jsonl", ROWS)), to_service(client))
    assert found.verdicts == {"stored": 3} and waits == [3.0, 3.0]


def test_a_service_that_is_not_there_is_named_and_no_key_is_repeated(run_folder, tmp_path, capsys):
    place = written(tmp_path / "e.jsonl", ROWS)
    code, _, err = command(capsys, run_folder, place, "--url", "http://127.0.0.1:9")
    assert code == 2 and "No service answers at http://127.0.0.1:9" in err
    code, _, err = command(capsys, run_folder, place, "--url", "http://127.0.0.1:9", "--key", "sécret")
    assert code == 2 and "sécret" not in err
