"""What is trending, what is new, and what somebody gets of whom nothing is known."""

import asyncio
import itertools
import json
import time

import httpx
import numpy as np
import pytest
from tests.contracts import WORLD, RecommenderContract

from instructrec import config, pipeline
from instructrec.cli import main
from instructrec.core import Query
from instructrec.errors import ConfigError
from instructrec.journal import Event
from instructrec.journal.records import Stored
from instructrec.journal.store import Store
from instructrec.models.popular import Popular
from instructrec.service import trending as trends_of
from instructrec.service.access import Gate, new_key
from instructrec.service.app import build
from instructrec.service.latest import Latest
from instructrec.service.live import opened
from instructrec.service.settings import ServiceConfig
from instructrec.service.trending import Trending, Trends

HOUR = 3600.0
NOW = 1_800_000_000.0 // 60 * 60
ITEMS = WORLD.catalog.item_ids
NUMBERS = itertools.count(1)


class TestTrending(RecommenderContract):
    model = Trending
    learns_taste = False

    def test_it_has_the_name_of_its_row_in_the_table(self, fitted):
        assert fitted.name == "trending"


class TestLatest(RecommenderContract):
    model = Latest
    learns_taste = False

    def test_it_has_the_name_of_its_row_in_the_table(self, fitted):
        assert fitted.name == "latest"


def stored(kind, item, user="ann", *, at=NOW, tenant="t", value=None, undoes=None, name=None):
    number = next(NUMBERS)
    event = Event(
        event_id=name or f"n{number}", type=kind, user_id=user, item_id=item, time=at, value=value, undoes=undoes,
    )  # fmt: skip
    return Stored(number, tenant, event, at)


def trends(now=NOW, **settings):
    return Trends(lambda item: item in WORLD.catalog.index, ServiceConfig(**settings), clock=lambda: now)


def counts(found, tenant="t"):
    row = found.row(tenant, WORLD.catalog)
    return {ITEMS[code]: pytest.approx(row[code]) for code in np.flatnonzero(row)}


def test_events_count_what_they_say_and_halve_with_time():
    found = trends(trending_half_life_h=2.0)
    found.follow([stored("click", ITEMS[0]), stored("view", ITEMS[1]), stored("rating", ITEMS[2], value=5.0)])
    found.follow([stored("rating", ITEMS[3], value=2.0), stored("dislike", ITEMS[4]), stored("impression", ITEMS[5])])
    found.follow([stored("like", ITEMS[0], "ben", at=NOW - 4 * HOUR), stored("ban", ITEMS[6]), stored("click", "nowhere")])
    assert counts(found) == {ITEMS[0]: 1.25, ITEMS[1]: 0.25, ITEMS[2]: 1.0}


def test_of_one_person_and_item_the_strongest_event_counts_once_and_can_be_taken_back():
    found = trends()
    found.follow([stored("click", ITEMS[0]) for _ in range(50)] + [stored("view", ITEMS[0])])
    assert counts(found) == {ITEMS[0]: 1.0}
    found.follow([stored("view", ITEMS[1], "ben"), stored("purchase", ITEMS[1], "ben", name="bought")])
    assert counts(found) == {ITEMS[0]: 1.0, ITEMS[1]: 1.0}
    found.follow([stored("undo", None, "eve", undoes="bought")])
    assert ITEMS[1] in counts(found), "of somebody else's event nothing is taken back"
    found.follow([stored("undo", None, "ben", undoes="bought")])
    assert counts(found) == {ITEMS[0]: 1.0}
    found.forget("t", "user:ann")
    assert counts(found) == {}


def test_an_event_of_the_future_counts_as_one_of_now_and_years_bring_no_overflow():
    found = trends(now=NOW + 10 * 365 * 24 * HOUR, trending_half_life_h=1.0)
    for day in range(0, 3650, 5):
        found.follow([stored("click", ITEMS[day % 7], f"u{day}", at=NOW + day * 24 * HOUR)])
    late = stored("click", ITEMS[9], at=NOW + 10 * 365 * 24 * HOUR)
    found.follow(
        [late._replace(event=Event(event_id="x", type="click", user_id="z", item_id=ITEMS[9], time=late.received + 80_000))]
    )
    row = found.row("t", WORLD.catalog)
    assert np.isfinite(row).all() and row[9] == pytest.approx(1.0) and row[:7].max() < 1e-6


def test_tenants_have_trends_of_their_own():
    found = trends()
    found.follow([stored("click", ITEMS[0], tenant="a"), stored("click", ITEMS[1], tenant="b")])
    assert (counts(found, "a"), counts(found, "b"), counts(found, "c")) == ({ITEMS[0]: 1.0}, {ITEMS[1]: 1.0}, {})


def test_what_is_forgotten_of_many_choices_leaves_the_counts(monkeypatch):
    monkeypatch.setattr(trends_of, "MOST_CHOICES", 3)
    found = trends()
    found.follow([stored("click", item) for item in ITEMS[:5]])
    assert len(counts(found)) == 5 and len(found._choices) == len(found._chosen) == 3


def test_trends_that_are_read_from_the_journal_are_those_that_were_followed(tmp_path):
    rng = np.random.default_rng(0)
    events = []
    for number in range(400):
        kind = str(rng.choice(["view", "click", "like", "rating", "undo", "purchase"]))
        undoes = f"e{rng.integers(0, number + 1)}" if kind == "undo" else None
        events.append(
            Event(
                event_id=f"e{number}", type=kind, user_id=f"u{rng.integers(0, 6)}", undoes=undoes,
                item_id=None if undoes else str(rng.choice(ITEMS[:12])), value=float(rng.integers(1, 6)),
                time=NOW - float(rng.integers(0, 90)) * HOUR,
            )
        )  # fmt: skip
    with Store.open(tmp_path / "journal.db") as store:
        store.append([("t", event) for event in events], received=NOW)
        followed, read = trends(), trends()
        followed.follow(store.events_after(0, 1_000))
        read.read(store)
    assert followed.row("t", WORLD.catalog).any()
    np.testing.assert_array_equal(read.row("t", WORLD.catalog), followed.row("t", WORLD.catalog))


def test_the_list_is_that_of_popularity_until_enough_people_choose_something_else():
    popular = Popular().fit(WORLD)
    found = trends(trending_prior=5.0)
    model = Trending.of(popular, found, "t", popular)

    def listed():
        return [entry.item for entry in model.recommend([Query(n=10)])[0].items]

    before = listed()
    assert before == [entry.item for entry in popular.recommend([Query(n=10)])[0].items]
    [rare] = [entry.item for entry in popular.recommend([Query(n=1000)])[0].items][-1:]
    found.follow([stored("click", rare, f"u{number}") for number in range(6)])
    assert listed() == [rare, *before[:9]]


def test_the_newest_are_those_put_since_then_those_first_met_last():
    log = WORLD.interactions
    first = {item: log.timestamps[log.items == code].min(initial=0) for code, item in enumerate(ITEMS)}
    model = Latest(put={ITEMS[4]: 5.0, ITEMS[2]: 7.0}).fit(WORLD)
    shown = [entry.item for entry in model.recommend([Query(n=1000)])[0].items]
    assert shown[:2] == [ITEMS[2], ITEMS[4]]
    times = [first[item] for item in shown[2:]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("wrong", [{"trending_half_life_h": 0.0}, {"trending_prior": float("nan")}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match="above 0"):
        ServiceConfig(**wrong)


# Over HTTP


class Client:
    """Requests to a service, one after another."""

    def __init__(self, folder, place, *, wants_keys=False):
        self.live = opened(folder, f"sqlite:///{place / 'journal.db'}", ServiceConfig(trending_prior=2.0))
        self.app = build(self.live, Gate(self.live.store, wants_keys=wants_keys, requests_per_s=1e6))

    def ask(self, method, path, status=200, **more):
        async def once():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **more)

        answer = asyncio.run(once())
        assert answer.status_code == status, answer.text
        return answer.json()

    def list(self, **body):
        return self.ask("POST", "/v1/recommend", json=body)

    def happen(self, kind, item, *users, **more):
        rows = [{"event_id": f"h{next(NUMBERS)}", "type": kind, "user_id": user, "item_id": item} for user in users]
        assert self.ask("POST", "/v1/events", 202, json={"events": rows}, **more)["accepted"] == len(rows)

    @property
    def catalog(self):
        return self.live.snapshot.catalog


@pytest.fixture
def client(run_folder, tmp_path):
    made = Client(run_folder, tmp_path)
    yield made
    made.live.close()


def ids(answer):
    return [entry["item_id"] for entry in answer["items"]]


def crowd(number):
    return [f"somebody-{one}" for one in range(number)]


def test_what_many_choose_now_is_trending_and_the_list_of_somebody_new(client):
    before = client.list(user_id="newcomer", n=5)
    assert before["served_by"] == "trending" and before["model"] == "ridge" and before["degraded"]
    assert any("choose now" in note for note in before["notes"])
    rare = ids(client.ask("GET", "/v1/trending?n=400"))[-1]
    client.happen("click", rare, *crowd(5))
    chart = client.ask("GET", "/v1/trending?n=5")
    assert ids(chart) == [rare, *ids(before)[:4]] == ids(client.list(user_id="another newcomer", n=5))
    assert set(chart) == set(before) and (chart["served_by"], chart["degraded"], chart["user_id"]) == ("trending", False, None)
    assert set(chart["items"][0]) == set(before["items"][0])
    told = client.ask("GET", f"/v1/explain/{before['recommendation_id']}/{ids(before)[0]}")
    assert told["explanation"] and told["explanation_status"] in ("verified", "fallback")


def test_a_chart_has_no_withdrawn_banned_met_or_unwanted_item(client):
    first, second, third, *_ = ids(client.ask("GET", "/v1/trending"))
    client.ask("PUT", "/v1/items", json={"items": [{"item_id": first, "available": False}]})
    client.happen("ban", second, "ann")
    client.happen("click", third, "ann")
    assert set(ids(client.ask("GET", "/v1/trending"))[:2]) == {second, third}
    for path in ("/v1/trending", "/v1/latest"):
        assert first not in ids(client.ask("GET", f"{path}?n=500"))
        assert not {first, second, third} & set(ids(client.ask("GET", f"{path}?n=500&user_id=ann")))
        shown = ids(client.ask("GET", f"{path}?n=500&genres=Comedy&year=1990..1999"))
        codes = client.catalog.codes(shown)
        assert shown and all("Comedy" in client.catalog.labels["genres"].of(code) for code in codes)
        assert ((client.catalog.numbers["year"][codes] >= 1990) & (client.catalog.numbers["year"][codes] <= 1999)).all()
        either = client.ask("GET", f"{path}?n=500&genres=Comedy&genres=Horror&year=1990..")
        assert len(either["items"]) > len(shown)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("genre=Comedy", "Did you mean 'genres'?"),
        ("genres=Comdy", "Comedy"),
        ("year=new", "range"),
        ("user_id=a&session_id=b", "both"),
    ],
)
def test_a_chart_that_cannot_be_made_says_why(client, asked, said):
    assert said in client.ask("GET", f"/v1/trending?{asked}", 400)["message"]


def test_a_dislike_changes_the_list_of_somebody_new_only_where_it_should(client):
    before = client.list(user_id="newcomer", n=20)
    client.happen("dislike", ids(before)[0], "newcomer")
    after = client.list(user_id="newcomer", n=20)
    assert after["served_by"] == "trending" and ids(before)[0] not in ids(after)
    assert len(set(ids(after)) & set(ids(before))) >= 10


def test_tenants_see_no_trends_of_each_other_and_who_is_erased_leaves_none(run_folder, tmp_path):
    client = Client(run_folder, tmp_path, wants_keys=True)
    a, b = (
        {"X-API-Key": new_key(client.live.store, tenant=name, name=name, scopes=["read", "write"])} for name in ("a", "b")
    )  # fmt: skip
    before = ids(client.ask("GET", "/v1/trending?n=400", headers=a))
    client.happen("click", before[-1], *crowd(4), headers=a)
    assert ids(client.ask("GET", "/v1/trending", headers=a))[0] == before[-1]
    assert ids(client.ask("GET", "/v1/trending?n=400", headers=b)) == before
    for user in crowd(4):
        client.ask("DELETE", f"/v1/users/{user}", headers=a)
    assert ids(client.ask("GET", "/v1/trending?n=400", headers=a)) == before
    client.live.close()


def test_trends_are_there_again_after_a_restart(run_folder, tmp_path):
    client = Client(run_folder, tmp_path)
    rare = ids(client.ask("GET", "/v1/trending?n=400"))[-1]
    client.happen("like", rare, *crowd(4))
    before = client.ask("GET", "/v1/trending")
    client.live.close()
    again = Client(run_folder, tmp_path)
    assert ids(again.ask("GET", "/v1/trending")) == ids(before) and ids(before)[0] == rare
    again.live.close()


def test_new_items_are_latest_after_they_were_read_and_stand_in_no_other_list_for_that(client):
    for name in ("new-1", "new-2"):
        client.ask("PUT", "/v1/items", json={"items": [{"item_id": name, "title": name, "attributes": {"genres": ["Comedy"]}}]})
        time.sleep(0.01)
    client.ask("PUT", "/v1/items", json={"items": [{"item_id": "new-1", "title": "Changed"}]})
    client.ask("POST", "/v1/items/refresh")
    assert ids(client.ask("GET", "/v1/latest?n=3"))[:2] == ["new-2", "new-1"], "a change makes nothing newer"
    assert not {"new-1", "new-2"} & set(ids(client.list(user_id="newcomer")))


# Somebody new, after two clicks or one sentence


@pytest.fixture(scope="module")
def worded_folder(tmp_path_factory):
    """A run whose model also reads words."""
    out = tmp_path_factory.mktemp("worded") / "run"
    settings = ["data.source=synthetic-genres", "model=fusion", 'fusion.parts=["ridge", "bm25"]']
    pipeline.train(pipeline.prepare(config.from_toml("", settings)), out, num_samples=1)
    return out


def genres_of(client, answer):
    return [set(client.catalog.labels["genres"].of(client.catalog.index[item])) for item in ids(answer)]


def test_two_clicks_make_a_list_of_what_resembles_them(client):
    cold = client.list(user_id="newcomer")
    every = client.ask("GET", "/v1/trending?n=500&genres=Horror")
    horror = [item for item in ids(every) if item not in ids(cold)]
    client.happen("click", horror[0], "newcomer")
    client.happen("click", horror[1], "newcomer")
    warm = client.list(user_id="newcomer")
    assert warm["served_by"] == "ridge" and not warm["degraded"] and ids(warm) != ids(cold)

    def share(answer):
        return np.mean(["Horror" in genres for genres in genres_of(client, answer)])

    assert share(warm) >= 0.8 > share(cold)


@pytest.mark.parametrize("sent", ["request", "event", "profile"])
def test_one_sentence_makes_a_list_of_what_it_says(worded_folder, tmp_path, sent):
    client = Client(worded_folder, tmp_path)
    cold, body = client.list(user_id="newcomer"), {"user_id": "newcomer"}
    sentence = "I like horror from the 1980s" if sent == "profile" else "horror from the 1980s, ideally with ghosts"
    if sent == "request":
        body["instruction"] = sentence
    elif sent == "event":
        row = {"event_id": "said", "type": "text", "user_id": "newcomer", "text": sentence}
        client.ask("POST", "/v1/events", 202, json={"events": [row]})
    else:
        client.ask("PUT", "/v1/users/newcomer/profile", json={"text": sentence})
    found = client.list(**body)
    assert ids(found) != ids(cold)
    shares = [np.mean(["Horror" in genres for genres in genres_of(client, answer)]) for answer in (cold, found)]
    assert shares[1] >= 0.8 > shares[0]
    client.live.close()


def test_the_page_of_somebody_new_says_that_it_shows_what_many_choose(client):
    async def opened_at(path):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(client.app), base_url="http://test") as browser:
            return (await browser.get(path)).text

    for language, words in (("en", "What many choose now"), ("zh", "大家近来的选择")):
        assert words in asyncio.run(opened_at(f"/?user=newcomer&lang={language}"))
    client.happen("click", client.catalog.item_ids[0], "newcomer")
    assert "What many choose now" not in asyncio.run(opened_at("/?user=newcomer&lang=en"))


def test_a_request_can_ask_for_items_that_differ(client):
    user = client.live.snapshot.dataset.interactions.user_ids[0]
    plain, none, some = (client.list(user_id=user, **more) for more in ({}, {"diversity": 0.0}, {"diversity": 0.9}))
    assert none == plain and ids(some) != ids(plain) and len(ids(some)) == 10
    limited = client.list(user_id=user, diversity=0.9, instruction="comedies from the 1990s")
    assert limited["items"] and all("Comedy" in genres for genres in genres_of(client, limited))
    assert client.ask("POST", "/v1/recommend", 422, json={"diversity": 1.5})["error"] == "wrong_shape"


def test_the_command_line_can_ask_for_items_that_differ(run_folder, capsys):
    def listed(*more):
        with pytest.raises(SystemExit) as ended:
            main(["recommend", str(run_folder), "--user", "u1", "--no-explain", "--json", *more])
        assert not ended.value.code
        return ids(json.loads(capsys.readouterr().out.splitlines()[-1]))

    assert listed() == listed("--diversity", "0") != listed("--diversity", "0.9")
