"""Experiments on the owner's page: what runs with intervals as plots, buttons, an alarm in words, hostile names as text."""

import asyncio
import time

import pytest
from tests.hostile import ACTIVE
from tests.service.test_page import Reader, Visitor

from instructrec.journal.records import Assignment
from instructrec.service.access import new_key
from instructrec.service.live import opened
from instructrec.service.page import trials
from instructrec.service.page.frame import words

TWO = [{"name": "control"}, {"name": "treatment", "settings": {"model": "popular"}}]


@pytest.fixture
def visitor(run_folder, tmp_path):
    live = opened(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    yield Visitor(live)
    live.close()


def begin(visitor, name="ranking", arms=TWO, **more):
    visitor.live.comparing.put("local", {"id": name, "arms": arms, **more})
    return visitor.live.comparing.start("local", name)


def expose(visitor, counts, *, clicks):
    """People by arm, and the part of each arm that clicks on the one item they were shown."""
    at = visitor.live.comparing.get("local", "ranking").started
    rows, events = [], []
    for arm, count in counts.items():
        for place in range(count):
            person = f"{arm} {place}"
            rows.append(Assignment("ranking", f"user:{person}", arm, at))
            kinds = ("impression", "click") if place < clicks[arm] * count else ("impression",)
            events += [{"type": kind, "user_id": person, "item_id": "m1"} for kind in kinds]
    visitor.live.store.trials.assign("local", rows)
    for start in range(0, len(events), 500):
        asyncio.run(visitor.live.record("local", events[start : start + 500]))


def step(visitor, act, name="ranking", status=200, **more):
    answer = visitor.ask("POST", "/owner", data={"act": act, "experiment": name, **more})
    assert answer.status_code == status, answer.text
    return answer.text


def test_an_owner_starts_stops_and_promotes(visitor):
    assert "instructrec experiment start RUN NAME" in visitor.open("/owner").text
    visitor.live.comparing.put("local", {"id": "ranking", "arms": TWO})
    page = visitor.open("/owner")
    assert ("act", "start") in page.buttons and ("act", "promote") not in page.buttons and "draft" in page.text
    assert "Experiment “ranking” runs." in step(visitor, "start")
    page = visitor.open("/owner")
    assert {("act", "stop"), ("act", "promote")} <= set(page.buttons) and "Nobody has been shown a list yet." in page.text
    assert "has ended" in step(visitor, "stop")
    assert "only one that is running or promoted can be stopped" in step(visitor, "stop", status=400)
    assert "no experiment &#39;other&#39;" in step(visitor, "start", "other", status=400)
    assert "has no arm" in step(visitor, "promote", arm="nobody", status=400)
    assert "Arm “treatment” of “ranking” serves everybody." in step(visitor, "promote", arm="treatment")
    assert visitor.live.comparing.get("local", "ranking").winner == "treatment"
    page = visitor.open("/owner")
    assert ("act", "stop") in page.buttons and not {("act", "promote"), ("act", "start")} & set(page.buttons)
    assert "has ended" in step(visitor, "stop") and visitor.live.comparing.get("local", "ranking").serving == ()


@pytest.mark.parametrize(("language", "said"), [("en", "difference to the control"), ("zh", "与对照组之差")])
def test_what_was_found_stands_there_with_intervals(visitor, language, said):
    begin(visitor, guardrails=[{"metric": "conversion"}])
    expose(visitor, {"control": 150, "treatment": 150}, clicks={"control": 0.2, "treatment": 0.6})
    text = visitor.ask("GET", f"/owner?lang={language}").text
    page, found = Reader(text), visitor.live.comparing.results("local", "ranking")
    assert found["verdict"] == "ship" and said in text and words(language)["trials"]["metric"]["ctr"] in page.text
    interval = found["metrics"]["ctr"]["treatment"]["always_valid"]
    assert 'class="whisker"' in text and f"+{100 * interval['low']:.3g} %–+{100 * interval['high']:.3g} %" in text
    assert "20 %" in page.text and "60 %" in page.text and "150" in page.text
    assert "treatment" in page.text and words(language)["trials"]["state"]["open"] in page.text
    assert ("it can be promoted" if language == "en" else "可以推广") in page.text


def test_a_split_that_is_not_as_asked_for_is_an_alarm(visitor):
    begin(visitor)
    expose(visitor, {"control": 300, "treatment": 150}, clicks={"control": 0.2, "treatment": 0.6})
    text = visitor.ask("GET", "/owner").text
    assert "Alarm: people do not fall on the arms in the shares that were asked for" in text and "told bad" in text
    assert "it can be promoted" not in text


def test_an_interleaving_is_told_as_a_preference(visitor):
    begin(visitor, kind="interleaving", arms=[{"name": "one", "settings": {"model": "popular"}}, {"name": "two"}])
    for place in range(4):
        visitor.ask("POST", "/v1/recommend", json={"user_id": f"p{place}", "history": ["m1"]})
    page = visitor.open("/owner")
    assert "both arms in turn" in page.text and "more of the control" in page.text and "go on" in page.text


def test_hostile_names_are_text_and_nothing_else(visitor):
    begin(visitor)
    expose(visitor, {"control": 150, "treatment": 150}, clicks={"control": 0.2, "treatment": 0.6})
    step(visitor, "stop")
    plain = visitor.open("/owner")
    for place, name in enumerate(ACTIVE[:25]):
        arms = [{"name": name}, {"name": name + "2", "settings": {"model": "popular"}}]
        visitor.live.comparing.put("local", {"id": f"{name}{place}", "arms": arms})
        visitor.live.comparing.start("local", f"{name}{place}")
        text = visitor.ask("GET", "/owner").text
        page = Reader(text)
        assert page.tags["script"] == 1 and set(page.tags) <= set(plain.tags), name
        assert page.attributes <= plain.attributes, name
        visitor.live.comparing.promote("local", f"{name}{place}", name)
    assert sum(name in page.text for name in ACTIVE[:25] if name.isprintable()) > 5


def test_a_page_that_asks_again_does_not_work_it_out_again(visitor, monkeypatch):
    begin(visitor)
    expose(visitor, {"control": 30, "treatment": 30}, clicks={"control": 0.2, "treatment": 0.6})
    made, results = [], type(visitor.live.comparing).results

    def counted(self, tenant, name, **more):
        made.append(name)
        found = results(self, tenant, name, **more)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(type(visitor.live.comparing), "results", counted)
    for _ in range(3):
        visitor.open("/owner")
    assert made == ["ranking"]
    step(visitor, "stop")
    assert made == ["ranking", "ranking"], "another status is another result"


def test_the_last_ones_are_told_and_the_others_are_listed(visitor):
    for place in range(trials.MOST_TOLD + 2):
        begin(visitor, f"trial {place}")
        visitor.live.comparing.stop("local", f"trial {place}")
    page = visitor.open("/owner")
    assert all(f"trial {place}" in page.text for place in range(trials.MOST_TOLD + 2))
    assert page.text.count("Nobody has been shown a list yet.") == trials.MOST_TOLD


def test_each_tenant_sees_its_own(run_folder, tmp_path):
    live = opened(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    visitor = Visitor(live, wants_keys=True)
    keys = {name: {"X-API-Key": new_key(live.store, tenant=name, name="o", scopes=["admin"])} for name in ("a", "b")}
    live.comparing.put("a", {"id": "of a", "arms": TWO})
    assert "of a" in visitor.open("/owner", headers=keys["a"]).text
    assert "of a" not in visitor.open("/owner", headers=keys["b"]).text
    refused = visitor.ask("POST", "/owner", data={"act": "start", "experiment": "of a"}, headers=keys["b"])
    assert refused.status_code == 400 and live.comparing.get("a", "of a").status == "draft"
    live.close()
