"""The page without a browser: what it may load, hostile titles as text, both languages, and the whole story as plain forms."""

import asyncio
import json
from collections import Counter
from html.parser import HTMLParser

import httpx
import pytest
from tests.hostile import ACTIVE
from tests.service.serving import spoil

from instructrec.service import pages
from instructrec.service.access import Gate, new_key
from instructrec.service.app import build
from instructrec.service.live import opened
from instructrec.service.page.frame import LANGUAGES, words


class Reader(HTMLParser):
    """What a browser would make of a page, as far as tests look: tags with attributes, text by tag, fields of the form, buttons."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.fields, self.buttons, self.items, self.open = Counter(), set(), {}, [], [], []
        self.titles, self.text, self.chips, self.lang, self.marks = [], "", [], "", Counter()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags[tag] += 1
        self.attributes |= {(tag, name) for name in attrs}
        self.open.append((tag, attrs))
        if tag == "html":
            self.lang = attrs["lang"]
        if tag == "input" and attrs.get("name"):
            self.fields[attrs["name"]] = attrs.get("value", "")
        if tag == "button":
            self.buttons.append((attrs.get("name"), attrs.get("value")))
            if "chip on" in attrs.get("class", ""):
                self.chips.append("")
        if "data-item" in attrs:
            self.items.append(attrs["data-item"])
        if tag == "h2":
            self.titles.append("")
        if "mark " in attrs.get("class", ""):
            self.marks[attrs["class"].split()[-1]] += 1

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        self.text += data
        tags = [tag for tag, _ in self.open]
        if "h2" in tags and tags[-1] == "bdi":
            self.titles[-1] += data
        if self.chips and tags[-1:] == ["bdi"] and any("chip on" in attrs.get("class", "") for _, attrs in self.open):
            self.chips[-1] += data


class Visitor:
    """Somebody with a browser that runs no scripts."""

    def __init__(self, live, *, wants_keys=False):
        self.live = live
        self.app = build(live, Gate(live.store, wants_keys=wants_keys, requests_per_s=1e6))

    def ask(self, method, path, **more):
        async def once():
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **more)

        return asyncio.run(once())

    def open(self, path, status=200, **more):
        answer = self.ask("GET", path, **more)
        assert answer.status_code == status, answer.text
        self.page = Reader(answer.text)
        return self.page

    def press(self, act, status=200, *, headers=None, **fields):
        """Press a button that the page has."""
        assert ("act", act) in self.page.buttons, (act, self.page.buttons)
        kept = {name: value for name, value in self.page.fields.items() if name != "profile"}
        answer = self.ask("POST", "/", data={**kept, **fields, "act": act}, headers=headers or {})
        assert answer.status_code == status, answer.text
        if status == 200:
            self.page = Reader(answer.text)
        return self.page

    def say(self, sentence):
        return self.press("say", say=sentence)


@pytest.fixture
def visitor(run_folder, tmp_path):
    live = opened(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    yield Visitor(live)
    live.close()


def genres_of(visitor, item):
    catalog = visitor.live.snapshot.catalog
    return catalog.labels["genres"].of(catalog.index[item])


def test_every_page_forbids_what_is_not_its_own(visitor):
    for path in ("/", "/?user=u1", "/?user=u1&lang=zh", "/owner", "/why?list=none&item=m1"):
        answer = visitor.ask("GET", path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';") and "unsafe" not in policy and "http" not in policy
        assert "frame-ancestors 'none'" in policy and "form-action 'self'" in policy and "base-uri 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
        page = Reader(answer.text)
        assert (
            page.tags["script"] == 1 and page.tags["style"] == 0 and "http://" not in answer.text and "https://" not in answer.text
        )
        assert not {name for _, name in page.attributes if name.startswith("on") or name == "style"}
    for name in ("page.js", "page.css", "icons.svg", "logo.svg"):
        answer = visitor.ask("GET", f"/page/{name}")
        assert answer.status_code == 200 and len(answer.content) > 200
        assert visitor.ask("GET", f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert visitor.ask("GET", "/page/frame.py").status_code == 404


def test_hostile_titles_are_text_and_nothing_else(visitor, monkeypatch):
    plain = visitor.open("/?user=u1")
    assert spoil(visitor.live) >= 200
    monkeypatch.setattr(pages, "LISTED", 400)
    page = visitor.open("/?user=u1")
    shown = set(page.titles)
    assert len(shown & {title.strip() for title in ACTIVE}) >= 200
    assert set(page.tags) == set(plain.tags) and page.attributes <= plain.attributes | {("li", "data-item")}
    assert page.tags["script"] == 1 and page.tags["h2"] == len(page.items) + 1
    monkeypatch.setattr(pages, "LISTED", 10)
    for act in ("like", "dislike", "ban"):
        place = next(place for place, item in enumerate(json.loads(page.fields["shown"])) if item.startswith("h"))
        page = visitor.press(f"{act} {place}")
        assert set(page.tags) <= set(plain.tags) | {"fieldset", "legend", "blockquote", "small", "details", "summary"}
        assert page.tags["script"] == 1
    why = visitor.open(f"/why?list={page.fields['list_id']}&item={next(item for item in page.items if item.startswith('h'))}")
    assert why.tags["script"] == 1 and not why.tags["iframe"] and not why.tags["form"]
    found = visitor.open("/", params={"find": ACTIVE[0]})
    assert found.tags["script"] == 1 and ACTIVE[0] in found.text


def test_both_languages_say_the_same_things():
    def keys(table, before=""):
        for name, value in table.items():
            assert value, name
            if isinstance(value, dict):
                yield from keys(value, f"{before}{name}.")
            else:
                yield f"{before}{name}", sorted(part.split("}")[0] for part in str(value).split("{")[1:])

    every = {language: dict(keys(words(language))) for language in LANGUAGES}
    assert set(every) == {"en", "zh"} and every["en"] == every["zh"] and len(every["en"]) > 120


def test_the_language_is_chosen_or_that_of_the_browser(visitor):
    assert visitor.open("/", headers={"Accept-Language": "zh-CN,zh;q=0.9"}).lang == "zh"
    assert visitor.open("/", headers={"Accept-Language": "fr,de"}).lang == "en"
    page = visitor.open("/?user=u1&lang=en")
    assert page.lang == "en" and "For you" in page.text
    visitor.say("comedy")
    page = visitor.press("lang zh")
    assert page.lang == "zh" and "为你推荐" in page.text and page.chips == ["genres：Comedy"], page.chips


def test_a_user_is_found_or_becomes_one(visitor):
    page = visitor.open("/", params={"find": "u1"})
    assert "u11" in page.text and "Start as “u1" not in page.text
    page = visitor.open("/", params={"find": "Ann Lee"})
    assert "No user has this id." in page.text and "Start as “Ann Lee”" in page.text
    page = visitor.open("/?user=Ann+Lee")
    assert len(page.items) == 10 and "Ann Lee" in page.text and "Nothing yet." in page.text
    assert visitor.ask("GET", "/", params={"user": "x" * 300}).status_code == 400
    assert visitor.ask("GET", "/", params={"user": "a\x00b"}).status_code == 400


def test_a_sentence_steers_the_list_and_each_of_its_chips_can_go(visitor):
    first = visitor.open("/?user=u1").items
    page = visitor.say("comedy from after 1970, no horror, no drama")
    assert page.chips == ["genres: Comedy", "year: at least 1971", "genres: not Horror", "genres: not Drama"]
    assert all("Comedy" in genres_of(visitor, item) for item in page.items)
    page = visitor.press("drop 3")
    assert page.chips == ["genres: Comedy", "year: at least 1971", "genres: not Horror"]
    steered = visitor.press("drop 0").items
    assert visitor.page.chips == ["year: at least 1971", "genres: not Horror"]
    assert any("Comedy" not in genres_of(visitor, item) for item in steered)
    assert visitor.press("undo").chips == ["genres: Comedy", "year: at least 1971", "genres: not Horror"]
    assert visitor.press("undo").chips[-1] == "genres: not Drama"
    assert visitor.press("undo").items == first and not visitor.page.chips
    assert "Not understood" in visitor.say("a comedy with quixotic blorbs").text
    visitor.say("no horror")
    assert len(visitor.page.chips) >= 2
    assert visitor.press("reset").items == first


def test_clicks_change_the_list_and_undo_gives_it_back(visitor):
    lists = [visitor.open("/?user=ann").items]
    for act in ("like 2", "dislike 0", "similar 1", "ban 3"):
        item = lists[-1][int(act.split()[1])]
        page = visitor.press(act)
        assert item not in page.items and page.items != lists[-1]
        assert "The list changed" in page.text and sum(page.marks.values()) > 0
        lists.append(page.items)
    for before in reversed(lists[:-1]):
        assert visitor.press("undo").items == before
    assert ("act", "undo") not in visitor.page.buttons
    assert visitor.live.known_of("local", "ann")["liked"] == []


def test_a_dislike_may_say_why_and_one_undo_takes_back_both(visitor):
    first = visitor.open("/?user=u1").items
    page = visitor.press("dislike 0")
    assert {("act", f"because {reason}") for reason in ("seen", "not_now", "attribute:genres")} <= set(page.buttons)
    page = visitor.press("because attribute:genres")
    assert visitor.live.known_of("local", "u1")["disliked"] == [{"item_id": first[0], "reason": "attribute:genres"}]
    assert "because of its genres" in page.text and ("act", "because seen") not in page.buttons
    assert visitor.press("undo").items == first
    assert visitor.live.known_of("local", "u1")["disliked"] == []


def test_a_page_that_is_opened_anew_can_still_take_back(visitor):
    first = visitor.open("/?user=u1").items
    visitor.press("ban 0")
    visitor.open("/?user=u1")
    assert visitor.press("undo").items == first
    visitor.press("ban 0")
    event = next(value for name, value in visitor.page.buttons if value and value.startswith("lift "))
    assert visitor.press(event).items == first


def test_a_form_that_is_sent_twice_counts_once_and_another_button_is_another_event(visitor):
    page = visitor.open("/?user=u1")
    fields = dict(page.fields)
    for _ in range(2):
        assert visitor.ask("POST", "/", data={**fields, "act": "like 0"}).status_code == 200
    assert len(visitor.live.store.events_of("local", "user:u1")) == 1
    assert visitor.ask("POST", "/", data={**fields, "act": "ban 1"}).status_code == 200
    assert [row.event.type for row in visitor.live.store.events_of("local", "user:u1")] == ["like", "ban"]


def test_why_shows_what_counts_and_what_would_change_it(visitor):
    page = visitor.open("/?user=u1")
    why = visitor.open(f"/why?list={page.fields['list_id']}&item={page.items[0]}&user=u1")
    history = visitor.live.known_of("local", "u1")["history"]
    titles = [visitor.live.snapshot.catalog.titles[visitor.live.snapshot.catalog.index[item]] for item in history]
    assert why.tags["rect"] >= 2 and sum(title in why.text for title in titles) >= 1
    for part in ("What you picked before", "Facts", "Where it comes from", "Every claim was checked"):
        assert part in why.text
    other = visitor.open(f"/why?list={page.fields['list_id']}&item={page.items[0]}&user=u1&lang=zh")
    assert other.lang == "zh" and other.tags["rect"] == why.tags["rect"]
    assert "There is no list" in visitor.open("/why?list=none&item=m1", status=400).text


def test_reasons_that_take_too_long_are_there_when_asked_again(visitor, monkeypatch):
    reasons, slow = visitor.live.reasons.of, []

    async def later(listed):
        if not slow:
            slow.append(listed)
            await asyncio.sleep(30)
        return await reasons(listed)

    monkeypatch.setattr(visitor.live.reasons, "of", later)
    page = visitor.open("/?user=u1")
    assert len(page.items) == 10 and page.tags["p"] < 20 and "Reasons are still being worked out" in page.text
    again = visitor.press("again")
    assert again.items == page.items and again.tags["p"] >= page.tags["p"] + 9 and ("act", "again") not in again.buttons


def test_people_read_edit_and_erase_what_is_known_of_them(visitor):
    page = visitor.open("/?user=u1")
    assert "I usually like" in page.text
    page = visitor.press("profile", profile="I like nothing scary, no horror.")
    assert visitor.live.known_of("local", "u1")["profile"] == "I like nothing scary, no horror."
    assert not any("Horror" in genres_of(visitor, item) for item in page.items)
    visitor.press("like 0")
    assert "event" in visitor.ask("GET", "/v1/users/u1/export").text
    page = visitor.press("erase")
    assert "Everything that was kept of “u1” is erased." in page.text and "Good things" in page.text
    assert visitor.live.known_of("local", "u1")["events"] == 0


def test_words_that_hold_until_others_come_can_be_taken_away(visitor):
    event = {"event_id": "t1", "type": "text", "user_id": "u1", "text": "no horror"}
    visitor.ask("POST", "/v1/events", json={"events": [event]})
    assert visitor.open("/?user=u1").chips == ["Standing wish: “no horror”"]
    assert visitor.press("unsay").chips == []
    assert visitor.press("undo").chips == ["Standing wish: “no horror”"]


def test_what_is_no_form_of_the_page_hears_so(visitor):
    page = visitor.open("/?user=u1")
    for spoiled in (
        {"dialogue": "{"}, {"dialogue": "[1]"}, {"shown": "[1]"}, {"done": "{}"}, {"act": "explode"}, {"act": "like 99"},
        {"act": "drop 5", "dialogue": '[{"limits": []}]'}, {"act": "because seen"}, {"user": ""}, {"dialogue": "[" * 5000},
        {"dialogue": '[{"limits": [{"attribute": "colour", "operator": "include", "values": ["x"]}]}]'}, {"say": "x" * 3000},
    ):  # fmt: skip
        answer = visitor.ask("POST", "/", data={**page.fields, "act": "say", **spoiled})
        assert answer.status_code == 400 and "That did not work" in answer.text, spoiled
    assert visitor.ask("POST", "/", content=b"\xff\xfe").status_code == 400
    assert visitor.live.store.events_of("local", "user:u1") == []


def test_a_form_of_another_site_does_nothing(visitor):
    page = visitor.open("/?user=u1")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.org"}, {"Origin": "null"}):
        answer = visitor.ask("POST", "/", data={**page.fields, "act": "ban 0"}, headers=headers)
        assert answer.status_code == 403 and "another site" in answer.text
    assert visitor.live.store.events_of("local", "user:u1") == []
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://test"}):
        assert visitor.ask("POST", "/", data={**page.fields, "act": "ban 0"}, headers=headers).status_code == 200
    assert len(visitor.live.store.events_of("local", "user:u1")) == 1


def test_where_keys_are_wanted_the_first_view_is_the_form_for_one(run_folder, tmp_path):
    live = opened(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    visitor = Visitor(live, wants_keys=True)
    keys = {
        scope: {"X-API-Key": new_key(live.store, tenant="a", name=scope, scopes=[scope])} for scope in ("read", "write", "admin")
    }
    for path in ("/", "/?user=u1", "/?find=u1", "/owner", "/why?list=x&item=m1"):
        page = visitor.open(path)
        assert "This service wants a key" in page.text and "u1" not in page.text and not page.items
        visitor.open(path, status=401, headers={"X-API-Key": "ir_wrong"})
    page = visitor.open("/?user=u1", headers=keys["read"])
    assert len(page.items) == 10
    assert visitor.press("say", say="comedy", headers=keys["read"]).chips == ["genres: Comedy"]
    visitor.press("like 0", status=403, headers=keys["read"])
    visitor.press("like 0", headers={**keys["admin"]})
    assert len(live.store.events_of("a", "user:u1")) == 1
    visitor.open("/owner", status=403, headers=keys["read"])
    assert "The run that serves" in visitor.open("/owner", headers=keys["admin"]).text
    live.close()


def test_the_owner_sees_what_was_served_and_changes_it(visitor, run_folder):
    nothing = visitor.open("/owner")
    assert "Nothing yet in this time." in nothing.text and "A/B" not in nothing.text
    for user in ("u1", "u2", "ann"):
        visitor.ask("GET", f"/v1/recommend/{user}")
    visitor.ask("GET", "/v1/recommend/u1")
    liked = {"event_id": "e1", "type": "like", "user_id": "u1", "item_id": "m1"}
    visitor.ask("POST", "/v1/events", json={"events": [liked, liked]})
    found = visitor.ask("GET", "/v1/owner/figures?minutes=5").json()
    assert found["total"]["lists"] == 4 and found["total"]["from_memory_share"] == 0.25
    assert found["total"]["served_by"] == {"ridge": 0.75, "trending": 0.25}
    assert found["total"]["events"] == {"like": 1, "duplicate": 1} and found["total"]["likes_per_list"] == 0.25
    assert 0 < found["total"]["lists_latency"]["p50_ms"] <= found["total"]["lists_latency"]["p99_ms"]
    assert 10 <= found["coverage"]["shown"] <= 30 and found["coverage"]["items"] == 80
    assert sum(step["lists"] for step in found["steps"]) == 4
    page = visitor.open("/owner?minutes=5")
    for part in ("Lists a second", "Time to make a list", "Lists by model", "75 %", "Came twice", "ridge → popular"):
        assert part in page.text, part
    assert page.tags["svg"] >= 5
    answer = visitor.ask("POST", "/owner", data={"act": "withdraw", "item": "m7"})
    assert "is withdrawn" in answer.text and "m7" in visitor.live.snapshot.withdrawn
    assert "can be shown again" in visitor.ask("POST", "/owner", data={"act": "restore", "item": "m7"}).text
    assert visitor.live.snapshot.withdrawn == frozenset()
    assert visitor.ask("POST", "/owner", data={"act": "withdraw", "item": "nothing"}).status_code == 400
    assert visitor.ask("POST", "/owner", data={"act": "explode"}).status_code == 400


def test_withdrawing_keeps_what_the_owner_sent_of_an_item(visitor):
    new = {"item_id": "new", "title": "A new one", "attributes": {"genres": ["Comedy"]}}
    visitor.ask("PUT", "/v1/items", json={"items": [new]})
    visitor.ask("POST", "/v1/items/refresh")
    for act in ("withdraw", "restore"):
        assert visitor.ask("POST", "/owner", data={"act": act, "item": "new"}).status_code == 200
    kept = next(row.body for row in visitor.live.store.items("everybody") if row.item_id == "new")
    assert kept["title"] == "A new one" and kept["attributes"] == {"genres": ["Comedy"]} and kept["available"] is True


def test_only_a_run_beside_the_one_that_serves_can_take_its_place(visitor, run_folder):
    for wanted in ("nothing", "/etc", "..", str(run_folder.parent), "a\x00b", f"../{run_folder.name}"):
        answer = visitor.ask("POST", "/v1/run", json={"path": wanted})
        assert answer.status_code == 400 and "beside the one that serves" in answer.json()["message"]
    before = visitor.live.snapshot
    for wanted in (run_folder.name, str(run_folder.resolve())):
        answer = visitor.ask("POST", "/v1/run", json={"path": wanted}).json()
        assert answer["model_version"] == before.version and answer["name"] == run_folder.name
    assert visitor.live.snapshot is not before
    bad = run_folder.parent / "bad"
    bad.mkdir(exist_ok=True)
    (bad / "manifest.json").write_text(json.dumps({"models": ["ridge"]}))
    try:
        serving = visitor.live.snapshot
        assert visitor.ask("POST", "/v1/run", json={"path": "bad"}).status_code == 400
        answer = visitor.ask("POST", "/owner", data={"act": "swap", "folder": "bad"})
        assert answer.status_code == 400 and visitor.live.snapshot is serving
        assert "bad (ridge)" in visitor.open("/owner").text
    finally:
        (bad / "manifest.json").unlink()
        bad.rmdir()


def answered(visitor, user="ann"):
    return [row.event for row in visitor.live.store.events_of("local", f"user:{user}") if row.event.type == "satisfaction"]


def test_how_well_a_list_fits_is_asked_once_and_changes_no_list(visitor):
    page = visitor.open("/?user=ann")
    before, asked = page.items, [("act", f"fits {answer}") for answer in range(1, 6)]
    assert set(asked) <= set(page.buttons) and "How well does this list fit you?" in page.text
    page = visitor.press("fits 4")
    [event] = answered(visitor)
    assert (event.value, event.item_id) == (4.0, None) and event.recommendation_id
    assert page.items == before and "Thank you for saying so." in page.text
    assert not set(asked) & set(page.buttons) and not set(asked) & set(visitor.open("/?user=ann").buttons)
    assert set(asked) <= set(visitor.open("/?user=bob").buttons), "it was ann who answered"


def test_an_answer_can_be_taken_back_and_given_anew(visitor):
    visitor.open("/?user=ann")
    visitor.press("fits 1")
    assert ("act", "fits 5") in visitor.press("undo").buttons
    visitor.press("fits 5")
    assert [event.value for event in answered(visitor)] == [1.0, 5.0]


@pytest.mark.parametrize("answer", ["9", "0", "x", "", "-1", "٣"])
def test_an_answer_that_no_button_gives_is_refused(visitor, answer):
    fields = visitor.open("/?user=ann").fields
    refused = visitor.ask("POST", "/", data={**fields, "act": f"fits {answer}"})
    assert refused.status_code == 400 and "from 1 (not at all) to 5 (very well)" in refused.text
    assert not answered(visitor)
