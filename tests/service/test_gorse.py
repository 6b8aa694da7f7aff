"""What clients of Gorse send and expect: tried with its own Python client where that is installed, and by hand."""

import socket
import threading
import time

import pytest
import uvicorn

from instructrec.service.access import Gate
from instructrec.service.app import build
from instructrec.service.live import opened


@pytest.fixture(scope="module")
def address(run_folder, tmp_path_factory):
    live = opened(run_folder, f"sqlite:///{tmp_path_factory.mktemp('gorse') / 'journal.db'}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(build(live, Gate(live.store, wants_keys=False, requests_per_s=1e6)), port=port, log_config=None)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def client(address):
    gorse = pytest.importorskip("gorse", reason='the client of Gorse is not installed: pip install -e ".[test]"')
    return gorse.Gorse(address, "no key is wanted here")


def test_feedback_changes_the_list_and_counts_once(client):
    before = [one.id for one in client.get_recommend("bob", n=5)]
    assert len(before) == 5
    row = {"FeedbackType": "star", "UserId": "bob", "ItemId": before[0], "Value": 1.0, "Timestamp": "2026-02-24"}
    for _ in range(2):
        assert client.insert_feedbacks([row]) == {"RowAffected": 1}
    assert client.insert_feedback("seen-in-shop", "bob", before[1], "2026-02-24T10:00:00Z", 1.0)["RowAffected"] == 1
    after = [one.id for one in client.get_recommend("bob", n=5)]
    assert not {before[0], before[1]} & set(after)
    assert [one.id for one in client.get_recommend("bob", n=3, offset=2)] == after[2:5]


def test_a_category_limits_the_list(client):
    item = client.get_items(1)[0][0]
    wanted = item["Categories"][0]
    found = client.get_recommend("ann", category=wanted, n=5)
    assert found and all(wanted in client.get_item(one.id)["Categories"] for one in found)


def test_a_session_gets_a_list_of_its_own_and_neighbours_are_scored(client):
    items, cursor = client.get_items(3)
    assert len(items) == 3 and cursor == "3"
    found = client.session_recommend([{"FeedbackType": "read", "ItemId": items[0]["ItemId"], "UserId": "x"}], n=4)
    assert len(found) == 4 and items[0]["ItemId"] not in [one["Id"] for one in found]
    assert len(client.get_neighbors(items[0]["ItemId"], n=4)) == 4


def test_items_come_change_and_go(client):
    items, _ = client.get_items(1)
    name = items[0]["ItemId"]
    assert client.update_item(name, is_hidden=True)["RowAffected"] == 1
    assert client.get_item(name)["IsHidden"] is True
    assert client.update_item(name, is_hidden=False)["RowAffected"] == 1
    assert client.get_item(name)["IsHidden"] is False and client.get_item(name)["Comment"] == items[0]["Comment"]
    assert client.delete_item(name)["RowAffected"] == 1
    assert client.insert_item({"ItemId": name, "IsHidden": False, "Categories": items[0]["Categories"], "Comment": "x"})


def test_users_are_kept_and_forgotten(client):
    client.insert_user({"UserId": "eve", "Labels": {"country": "nz"}, "Comment": "I like comedies."})
    assert client.get_user("eve") == {"UserId": "eve", "Labels": {"country": "nz"}, "Comment": "I like comedies."}
    client.insert_feedback("like", "eve", client.get_items(1)[0][0]["ItemId"], "2026-02-24", 1.0)
    assert client.delete_user("eve")["RowAffected"] >= 1
    assert client.get_user("eve")["Comment"] == ""


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({}, 422),
        ({"FeedbackType": "like", "UserId": "u"}, 422),
        ({"FeedbackType": "like", "UserId": "u", "ItemId": "m1", "Timestamp": "soon"}, 422),
        ({"FeedbackType": "like", "UserId": "u", "ItemId": "m1", "Timestamp": "2026-99-99"}, 400),
    ],
)
def test_bad_feedback_hears_what_was_wanted(client, row, status):
    import gorse

    with pytest.raises(gorse.GorseException) as caught:
        client.insert_feedbacks([row])
    assert caught.value.status_code == status and "message" in caught.value.message
