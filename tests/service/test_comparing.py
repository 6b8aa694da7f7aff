"""Experiments on the people of a service: lists by two arms in turn and who is preferred, chances that are known, restarts."""

import asyncio
import hashlib
import json
import logging
import threading
from dataclasses import replace

import numpy as np
import pytest

from instructrec import config, pipeline, wire
from instructrec.core import Instruction, Query, Quota
from instructrec.errors import ConfigError, ModelError, RunError
from instructrec.experiments import Exploration, other_policy
from instructrec.journal import user_key
from instructrec.journal.records import Assignment, Shown
from instructrec.pipeline.answering import Request, query_of
from instructrec.recommender import counted
from instructrec.service import estimating
from instructrec.service.drafting import DRAWN_FROM, interleaved
from instructrec.service.findings import notes
from instructrec.service.ladder import fault
from instructrec.service.live import opened
from instructrec.service.metrics import Metrics
from instructrec.service.shapes import Ask
from instructrec.tables import Limit

TENANT = "local"


class Shop:
    """A service, and people who come to it; all of a visit happens in one loop."""

    def __init__(self, folder, journal):
        self.folder, self.journal = folder, journal
        self.open()

    def open(self):
        self.live = opened(self.folder, f"sqlite:///{self.journal}")
        self.trials = self.live.comparing

    def restart(self):
        self.live.close()
        self.open()

    def begin(self, name="trial", **body):
        arms = body.pop("arms", [{"name": "control"}, {"name": "other", "settings": {"model": "popular"}}])
        self.trials.put(TENANT, {"id": name, "arms": arms, **body})
        return self.trials.start(TENANT, name)

    async def list(self, **body):
        return json.loads(await self.live.recommend(TENANT, Ask.model_validate(body)))

    async def happen(self, kind, user, answer, items, **more):
        rows = [
            {"type": kind, "user_id": user, "item_id": item, "recommendation_id": answer["recommendation_id"], **more}
            for item in items
        ]
        return await self.live.record(TENANT, rows) if rows else []

    def settle(self):
        """Wait until what was shown is written."""
        self.live.writer.run(lambda store: None).result()

    def shown(self):
        self.settle()
        return {row.id: row for row in self.live.store.trials.shown_between(TENANT, 0.0, 1e11)}

    def results(self, name="trial"):
        self.settle()
        return self.trials.results(TENANT, name)

    def people(self, lists):
        """Names with a history and what they would like next: the first and the second half of what a user of the run chose."""
        log, ids = self.live.snapshot.dataset.interactions, self.live.snapshot.catalog.item_ids
        for place in range(lists):
            user = place % len(log.user_ids)
            chosen = [ids[code] for code in log.history(user)]
            cut = len(chosen) // 2 + place // len(log.user_ids)
            yield f"person {place}", chosen[:cut], set(chosen[cut:])


@pytest.fixture
def shop(run_folder, tmp_path):
    made = Shop(run_folder, tmp_path / "journal.db")
    yield made
    made.live.close()


def ids(answer):
    return [entry["item_id"] for entry in answer["items"]]


def by_chance(name, share):
    """Whether something happens, the same in every run."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 1000 < 1000 * share


def visit(shop, lists, wants):
    """People who each ask for one list and click on what they want of it."""

    async def all_of_them():
        for user, history, liked in shop.people(lists):
            answer = await shop.list(user_id=user, history=history)
            await shop.happen("click", user, answer, [item for item in ids(answer) if wants(user, item, liked)])

    asyncio.run(all_of_them())


ARMS = [{"name": "popular", "settings": {"model": "popular"}}, {"name": "ridge", "settings": {"model": "ridge"}}]
SAME = [{"name": "one"}, {"name": "two"}]


def test_the_better_arm_wins_an_interleaving(shop):
    shop.begin(kind="interleaving", arms=ARMS)
    visit(shop, 300, lambda user, item, liked: item in liked)
    found = shop.results()
    clicks = found["preferences"]["ctr"]
    assert (found["num_units"], found["num_lists"]) == (300, 300)
    assert (found["verdict"], found["arm"]) == ("ship", "ridge"), clicks
    assert clicks["difference"]["low"] > 0 and clicks["wins"] > 1.5 * clicks["losses"]
    assert not found["split"]["alarm"] and sum(found["split"]["counts"].values()) == 300


def test_equal_arms_are_not_told_apart(shop):
    shop.begin(kind="interleaving", arms=SAME, metrics=["ctr", "like_rate"])
    visit(shop, 300, lambda user, item, liked: by_chance(user + item, 0.3))
    found = shop.results()
    clicks = found["preferences"]["ctr"]
    assert found["verdict"] == "keep_going" and clicks["wins"] + clicks["losses"] + clicks["ties"] > 250
    assert clicks["difference"]["low"] < 0 < clicks["difference"]["high"] and clicks["sequential_p"] > 0.05
    assert found["preferences"]["like_rate"]["wins"] == 0


def test_an_interleaved_list_holds_items_of_both_and_reasons_by_their_own_model(shop):
    shop.begin(kind="interleaving", arms=ARMS)
    [(user, history, _)] = shop.people(1)

    async def asked():
        answer = await shop.list(user_id=user, history=history, explain="reasons", deadline_ms=20_000)
        again = await shop.list(user_id=user, history=history, explain="reasons", deadline_ms=20_000)
        return answer, again, await shop.live.explain(TENANT, answer["recommendation_id"], answer["items"][0]["item_id"])

    answer, again, why = asyncio.run(asked())
    assert answer == again and len(set(ids(answer))) == 10 and not set(ids(answer)) & set(history)
    assert answer["served_by"] == "interleaved" and {entry["source"] for entry in answer["items"]} == {"popular", "ridge"}
    assert all(entry["explanation"] for entry in answer["items"]) and not any(entry["counterfactual"] for entry in answer["items"])
    assert why["explanation"] == answer["items"][0]["explanation"]
    teams = shop.shown()[answer["recommendation_id"]].request["teams"]
    assert sorted(teams) == ["first"] * 5 + ["second"] * 5
    assert all((entry["source"] == "ridge") is (team == "second") for entry, team in zip(answer["items"], teams, strict=True))


def test_an_interleaved_list_keeps_limits_and_quotas(shop):
    snapshot = shop.live.snapshot
    ridge, popular = (rung.model for rung in snapshot.ladder.rungs)
    genres = snapshot.catalog.labels["genres"].names[:2]
    limits = tuple(Limit(attribute="genres", operator="include", values=(name,)) for name in genres)
    drawn = set()
    for place, (user, history, _) in enumerate(shop.people(40)):
        words = Instruction(
            text="",
            limits=(Limit(attribute="genres", operator="exclude", values=(snapshot.catalog.labels["genres"].names[2],)),),
            quotas=(Quota(limits=limits[:1], at_most=2), Quota(limits=limits[1:], at_least=3)),
        )
        for query in (Query(history=tuple(history), n=8), Query(history=tuple(history), n=8, instruction=words)):
            found = [model.recommend([query])[0] for model in (ridge, popular)]
            made = interleaved("s", user, query, found, snapshot.catalog)
            assert not fault(made, query, ridge) and made.notes == tuple(note for note in found[0].notes if note in found[1].notes)
            codes = snapshot.catalog.codes([entry.item for entry in made.items])
            for group in counted(query, snapshot.catalog)[1]:
                count = int(group.members[codes].sum())
                assert count >= group.at_least and (group.at_most is None or count <= group.at_most), place
            drawn.add(made.draft.teams[0])
    assert drawn == {"first", "second"}


def test_credit_counts_an_item_once_for_its_person_and_not_what_was_undone(shop):
    shop.begin(kind="interleaving", arms=ARMS, metrics=["like_rate", "ctr"])

    async def story():
        answer = await shop.list(user_id="ann", history=["m1", "m2"])
        team = shop.shown()[answer["recommendation_id"]].request["teams"]
        first, second = (ids(answer)[team.index(name)] for name in ("first", "second"))
        await shop.happen("click", "ann", answer, [first, first, "m1", "nothing"])
        await shop.happen("like", "ann", answer, [second], event_id="l1")
        await shop.happen("click", "bob", answer, [second])  # it was not bob's list
        await shop.live.record(TENANT, [{"type": "click", "user_id": "ann", "item_id": second}])  # not from the list

    asyncio.run(story())
    found = shop.results()["preferences"]
    assert (found["ctr"]["wins"], found["ctr"]["losses"], found["like_rate"]["wins"]) == (0, 1, 1)
    undo = {"type": "undo", "user_id": "ann", "undoes": "l1"}
    asyncio.run(shop.live.record(TENANT, [undo]))
    assert shop.results()["preferences"]["like_rate"]["wins"] == 0


def test_a_restart_keeps_arms_lists_and_credit(shop):
    shop.begin("split", metrics=["ctr"])
    visit(shop, 40, lambda user, item, liked: item in liked)
    shop.trials.stop(TENANT, "split")
    shop.begin("drafts", kind="interleaving", arms=ARMS)
    visit(shop, 40, lambda user, item, liked: item in liked)
    [(user, history, _)] = shop.people(1)

    def told():
        answer = asyncio.run(shop.list(user_id=user, history=history))
        results = {name: shop.results(name) for name in ("split", "drafts")}
        return answer["recommendation_id"], ids(answer), results, shop.shown().keys()

    asyncio.run(shop.list(user_id=user, history=history))  # as they stand after their own click
    before = told()
    arms = {row.person: row.arm for row in shop.live.store.trials.assignments(TENANT, "split")}
    shop.restart()
    assert told() == before
    assert {row.person: row.arm for row in shop.live.store.trials.assignments(TENANT, "split")} == arms and len(arms) == 40
    assert before[2]["split"]["num_units"] == 40 and before[2]["drafts"]["num_units"] == 40


def test_the_chance_of_what_was_shown_is_known(shop):
    arms = [{"name": "control", "weight": 3}, {"name": "drawn", "settings": {"exploration": 0.3}}]
    shop.begin(arms=arms)
    visit(shop, 120, lambda user, item, liked: item in liked)
    shown = list(shop.shown().values())
    shares = {"control": 0.75, "drawn": 0.25}
    assert len(shown) == 120 and all(row.propensity == shares[row.arm] for row in shown)
    drawn = [row for row in shown if row.arm == "drawn"]
    assert 12 < len(drawn) < 50 and all("slots" not in row.request for row in shown if row.arm == "control")
    histories = {user_key(user): tuple(history) for user, history, _ in shop.people(120)}
    model, policy = shop.live.snapshot.ladder.rungs[0].model, Exploration(epsilon=0.3)
    for row in drawn:
        query = Query(user=row.person.removeprefix("user:"), history=histories[row.person], n=30)
        longer = [entry.item for entry in model.recommend([query])[0].items]
        places = [longer.index(item) for item in row.items]
        wanted = policy.propensities(-np.arange(30.0), places)
        assert row.request["slots"] == pytest.approx(wanted.tolist()) and len(set(row.items)) == 10
        assert row.request["is_best"] is (places == list(range(10)))
    # A list is the best one with a chance of (1 - 0.3 * 29/30) * (1 - 0.3 * 28/29) * ..., about 4 %.
    assert np.mean([row.request["is_best"] for row in drawn]) < 0.3
    explained = asyncio.run(shop.live.explain(TENANT, drawn[0].id, drawn[0].items[0]))
    assert explained["explanation"] and not explained["counterfactual"], "what would be drawn otherwise is not known"
    off_policy = shop.results()["off_policy"]
    assert off_policy["reward"] == "click"
    assert [(one["arm"], one["explores"], one["refused"]) for one in off_policy["policies"]] == [
        ("control", True, True), ("drawn", True, True), ("drawn", False, True)
    ]  # fmt: skip
    assert off_policy["policies"][0]["effective_n"] == pytest.approx(120 - len(drawn))


def chances_by_trying(pool, counted_there, shown, epsilon, least, most):
    """The chance of each item in its slot, where a list has so many items of a group; an item may come if the rest can follow."""
    chances, left = [], list(pool)
    for slot, item in enumerate(shown):
        rest = len(shown) - slot - 1

        def fits(one, left=left, slot=slot, rest=rest):
            have = sum(name in counted_there for name in (*shown[:slot], one))
            others = [name for name in left if name != one]
            members = sum(name in counted_there for name in others)
            return any(
                least <= have + more <= most and more <= members and rest - more <= len(others) - members
                for more in range(rest + 1)
            )

        following = [one for one in left if fits(one)]
        chances.append((1 - epsilon) * (item == following[0]) + epsilon / len(following))
        left.remove(item)
    return chances


@pytest.mark.parametrize("diversity", [0.0, 0.6])
def test_an_arm_that_explores_keeps_quotas_limits_and_exclusions_and_its_chances_are_right(shop, diversity):
    snapshot = shop.live.snapshot
    first, second = snapshot.catalog.labels["genres"].names[:2]
    shop.begin(arms=[{"name": "drawn", "settings": {"exploration": 0.5}}, {"name": "control"}])
    words = {
        "limits": [{"attribute": "genres", "operator": "exclude", "values": [second]}],
        "quotas": [
            {"limits": [{"attribute": "genres", "operator": "include", "values": [first]}], "at_least": 2, "at_most": 3},
        ],
    }
    people = {user: tuple(history) for user, history, _ in shop.people(60)}
    banned = snapshot.catalog.item_ids[0]

    async def all_of_them():
        for user, history in people.items():
            body = {"user_id": user, "history": list(history), "parameters": words, "exclude": [banned], "diversity": diversity}
            yield user, await shop.list(n=6, deadline_ms=20_000, **body)

    async def answers():
        return [found async for found in all_of_them()]

    answered = dict(asyncio.run(answers()))
    labels, shown, different = snapshot.catalog.labels["genres"], shop.shown(), 0
    members = {item for item in snapshot.catalog.item_ids if first in labels.of(snapshot.catalog.index[item])}
    for user, answer in answered.items():
        row, found = shown[answer["recommendation_id"]], ids(answer)
        assert len(set(found)) == 6 and banned not in found and not set(found) & set(people[user])
        assert not any(second in labels.of(snapshot.catalog.index[item]) for item in found)
        assert 2 <= len(members.intersection(found)) <= 3
        if row.arm == "control":
            assert "slots" not in row.request
            continue
        query = replace(asked(user, people[user], words, snapshot), exclude=frozenset({banned}), diversity=diversity)
        base, wide = (
            [entry.item for entry in snapshot.model.recommend([one])[0].items]
            for one in (replace(query, n=6), replace(query, n=6 + DRAWN_FROM))
        )
        pool = [*base, *(item for item in wide if item not in base)]
        assert row.request["slots"] == pytest.approx(chances_by_trying(pool, members, found, 0.5, 2, 3))
        assert row.request["is_best"] is (found == base)
        different += found != base
    assert different > 15, "it does explore"


def test_nothing_is_drawn_where_the_list_and_what_it_is_drawn_from_are_of_two_models(shop, monkeypatch):
    shop.begin(arms=[{"name": "drawn", "settings": {"exploration": 1.0}}, {"name": "control"}], coverage=1.0)
    rung, real = shop.live.snapshot.ladder.rungs[0], shop.live.snapshot.model.recommend

    def only_short(queries):
        if queries[0].n > 6:
            raise RuntimeError("no")
        return real(queries)

    monkeypatch.setattr(rung.model, "recommend", only_short)
    user = next(name for name in map(str, range(50)) if shop.trials.place(TENANT, f"user:{name}").arm.name == "drawn")
    answer = asyncio.run(shop.list(user_id=user, history=["m1", "m2"], n=6, diversity=0.5))
    [row] = shop.shown().values()
    assert answer["served_by"] == "ridge" and "slots" not in row.request and row.request["unexplored"] is True
    assert "experiment_unexplored:1" in status_of(shop)
    [told] = [wire.note(code) for code in status_of(shop) if code.startswith("experiment_unexplored")]
    assert "1" in told and "drawn" in told


def asked(user, history, words, snapshot):
    """The query behind a request."""
    request = Request(user=user, history=history, parameters=words, n=6)
    return query_of(snapshot.dataset, request, language=snapshot.run.config.language)


def test_what_if_everybody_had_an_arm_is_told_where_enough_was_logged(shop):
    shop.begin()
    now = shop.trials.get(TENANT, "trial").started
    people = [(f"user:p{place}", place) for place in range(2_400)]
    trials = shop.live.store.trials
    trials.assign(TENANT, [Assignment("trial", name, "other" if place % 2 else "control", now) for name, place in people])
    trials.record_shown(
        [
            (TENANT, Shown(id=f"r{place}", person=name, items=("m1", "m2"), time=now, arm="other" if place % 2 else "control",
                           propensity=0.5, request={"experiment": "trial"}))
            for name, place in people
        ]
    )  # fmt: skip
    clicks = [
        {"type": "click", "user_id": name.removeprefix("user:"), "item_id": "m1", "recommendation_id": f"r{place}"}
        for name, place in people
        if by_chance(name, 0.4 if place % 2 else 0.2)
    ]
    asyncio.run(shop.live.record(TENANT, clicks))
    found = shop.trials.results(TENANT, "trial", until=now + 86_400)
    control, other = found["off_policy"]["policies"]
    for name in ("ips", "snips", "dr"):
        assert control["estimates"][name]["reward"]["value"] == pytest.approx(0.2, abs=0.05)
        assert other["estimates"][name]["reward"]["value"] == pytest.approx(0.4, abs=0.05)
    assert other["effective_n"] == 1_200 and not other["refused"]
    # Nobody tells which items were looked at, so those that were sent count: one click on two items.
    assert found["metrics"]["ctr"]["control"]["mean"] == pytest.approx(0.1, abs=0.03)
    assert (found["verdict"], found["arm"]) == ("ship", "other")


def test_what_happens_after_the_end_counts_for_nothing(shop):
    shop.begin()
    visit(shop, 20, lambda user, item, liked: item in liked)
    before = shop.trials.stop(TENANT, "trial") and shop.results()
    visit(shop, 30, lambda user, item, liked: True)
    assert shop.results() == before and before["num_units"] == 20 and len(shop.shown()) == 20


def test_what_runs_comes_before_what_was_promoted(shop):
    shop.begin("first")
    shop.trials.promote(TENANT, "first", "other")
    assert {shop.trials.place(TENANT, f"user:{place}").arm.name for place in range(20)} == {"other"}
    shop.begin("second", arms=SAME, coverage=0.5)
    names = [shop.trials.place(TENANT, f"user:{place}").arm.name for place in range(200)]
    assert set(names) == {"one", "two", "other"} and 60 < names.count("other") < 140
    asyncio.run(shop.list(user_id="nobody in it", n=3))
    shop.trials.stop(TENANT, "second")
    assert {shop.trials.place(TENANT, f"user:{place}").arm.name for place in range(20)} == {"other"}


def test_two_visitors_who_are_shown_the_same_are_told_apart(shop):
    shop.begin(arms=SAME)
    answers = [asyncio.run(shop.list(session_id=name)) for name in ("s1", "s2")]
    assert ids(answers[0]) == ids(answers[1]) and answers[0]["recommendation_id"] != answers[1]["recommendation_id"]
    assert {row.person for row in shop.shown().values()} == {"session:s1", "session:s2"}


@pytest.mark.parametrize(
    ("arms", "more", "said"),
    [
        ([{"name": "a", "settings": {"modle": "ridge"}}, {"name": "b"}], {}, r"setting 'modle'. Did you mean 'model'\?"),
        ([{"name": "a", "settings": {"exploration": 2}}, {"name": "b"}], {}, "explores with 2, but a chance from 0 to 1"),
        ([{"name": "a", "settings": {"exploration": "x"}}, {"name": "b"}], {}, "explores with 'x'"),
        ([{"name": "a", "settings": {"exploration": 0.1}}, {"name": "b"}], {"kind": "interleaving"}, "two arms make in turn"),
        ([{"name": "a", "settings": {"model": ["ridge"]}}, {"name": "b"}], {}, "does not hold"),
    ],
)
def test_an_arm_that_cannot_be_served_is_refused(shop, arms, more, said):
    with pytest.raises(ConfigError, match=said):
        shop.trials.put(TENANT, {"id": "e", "arms": arms, **more})
    with pytest.raises(ConfigError, match="can start, stop or promote"):
        shop.trials.go(TENANT, "e", "explode")
    assert shop.trials.all(TENANT) == {}


def test_how_well_lists_fit_is_measured_by_person(shop):
    shop.begin(arms=SAME, metrics=["satisfaction"])
    answers = [("ann", 2), ("ann", 5), ("bob", 4)]

    async def story():
        for user, value in answers:
            listed = await shop.list(user_id=user)
            row = {"type": "satisfaction", "user_id": user, "value": value, "recommendation_id": listed["recommendation_id"]}
            await shop.live.record(TENANT, [row])
        return await shop.live.record(TENANT, [{"type": "satisfaction", "user_id": "ann", "value": 6}])

    [refused] = asyncio.run(story())
    assert refused.code == "bad_value"
    rows = shop.results()["metrics"]["satisfaction"].values()
    assert sum(row["n"] for row in rows) == 2
    assert sum(row["n"] * row["mean"] for row in rows if row["n"]) == pytest.approx(3.5 + 4)


def test_an_arm_whose_model_fails_is_told_as_a_guardrail_and_lists_go_on(shop, monkeypatch):
    def broken(queries):
        raise RuntimeError("no")

    shop.begin("drafts", arms=ARMS, kind="interleaving")
    monkeypatch.setattr(shop.live.snapshot.ladder.rungs[0].model, "recommend", broken)
    drafted = asyncio.run(shop.list(user_id="ann", history=["m1"]))
    assert len(ids(drafted)) == 10 and drafted["degraded"]
    shop.trials.stop(TENANT, "drafts")
    shop.begin("split", arms=SAME, metrics=["degraded_lists"])
    asyncio.run(shop.list(user_id="ann", history=["m1"]))
    assert [row["mean"] for row in shop.results("split")["metrics"]["degraded_lists"].values() if row["n"]] == [1.0]
    assert {row.request.get("degraded") for row in shop.shown().values()} == {"failed"}


def test_guardrails_see_empty_and_degraded_lists(shop):
    shop.begin(arms=SAME, metrics=["empty_lists"], guardrails=[{"metric": "degraded_lists", "better": "lower"}])
    asyncio.run(shop.list(user_id="u1"))
    asyncio.run(shop.list(user_id="u1", candidates=["m1"], exclude=["m1"]))
    [row] = [row for row in shop.results()["metrics"]["empty_lists"].values() if row["n"]]
    assert row["mean"] == 0.5


# Another run, without the model of an arm


@pytest.fixture(scope="module")
def without_ridge(run_folder):
    """A run beside the one that serves, which holds popularity alone."""
    made = pipeline.prepare(config.from_toml("", ["data.source=synthetic-genres", "model=popular"]))
    return pipeline.train(made, run_folder.with_name("without-ridge")).path


def status_of(shop, name="trial"):
    one = shop.trials.get(TENANT, name)
    return notes(one, shop.results(name), shop.live.snapshot.models)


def begin_with_ridge(shop, name="trial", **more):
    return shop.begin(name, arms=[{"name": "control"}, {"name": "linear", "settings": {"model": "ridge"}}], **more)


@pytest.mark.parametrize("step", ["running", "promoted"])
def test_a_run_without_the_model_of_an_arm_that_makes_lists_is_refused(shop, without_ridge, step):
    begin_with_ridge(shop, kind="interleaving" if step == "running" else "split")
    if step == "promoted":
        shop.trials.promote(TENANT, "trial", "linear")
    before, threads = shop.live.snapshot, set(threading.enumerate())
    with pytest.raises(RunError) as refused:
        asyncio.run(shop.live.swap(without_ridge))
    for part in (f"'linear' of experiment 'trial' ({step})", "model 'ridge'", "run 'without-ridge'", "experiment stop RUN trial"):
        assert part in str(refused.value), part
    assert shop.live.snapshot is before and status_of(shop)[0] != "experiment_arm_gone:linear, ridge"
    assert {one.name for one in threading.enumerate()} <= {one.name for one in threads} | {"slow_0"}
    asyncio.run(shop.live.refresh())
    shop.trials.stop(TENANT, "trial")
    assert asyncio.run(shop.live.swap(without_ridge)).startswith(shop.live.snapshot.run.version)
    assert shop.live.snapshot.run.path == without_ridge


def test_arms_of_drafts_stopped_or_beaten_experiments_hold_no_run_back(shop, without_ridge):
    begin_with_ridge(shop, "old")
    shop.trials.promote(TENANT, "old", "linear")
    shop.begin("newer")
    shop.trials.promote(TENANT, "newer", "other")  # popularity, for everybody from now on
    shop.trials.put(TENANT, {"id": "later", "arms": [{"name": "a"}, {"name": "b", "settings": {"model": "ridge"}}]})
    begin_with_ridge(shop, "stopped")
    shop.trials.stop(TENANT, "stopped")
    asyncio.run(shop.live.swap(without_ridge))
    # What was possible when it was written down no longer is.
    for act in (lambda: shop.trials.start(TENANT, "later"), lambda: shop.trials.promote(TENANT, "stopped", "linear")):
        with pytest.raises(ConfigError, match="wants model 'ridge', which this run does not hold"):
            act()
    assert shop.trials.get(TENANT, "later").status == "draft"
    shop.trials.stop(TENANT, "newer")
    with pytest.raises(RunError, match="nothing|no run folder|manifest"):
        asyncio.run(shop.live.swap(without_ridge.with_name("nothing")))
    # The one promoted before it serves again, and nothing hides that its model is gone.
    assert status_of(shop, "old")[0] == "experiment_arm_gone:linear, ridge"


def test_the_experiments_of_every_tenant_hold_a_run_back(shop, without_ridge):
    arms = [{"name": "control"}, {"name": "linear", "settings": {"model": "ridge"}}]
    shop.trials.put("shop", {"id": "theirs", "arms": arms})
    shop.trials.start("shop", "theirs")
    shop.restart()
    with pytest.raises(RunError, match="'linear' of experiment 'theirs' of tenant 'shop'"):
        asyncio.run(shop.live.swap(without_ridge))


def test_a_start_without_the_model_of_an_arm_goes_on_and_says_so(shop, without_ridge, caplog):
    begin_with_ridge(shop, metrics=["degraded_lists"], guardrails=[{"metric": "degraded_lists", "better": "lower"}])
    shop.folder = without_ridge
    caplog.set_level(logging.WARNING)
    shop.restart()
    assert "'linear' of experiment 'trial' (running) wants model 'ridge'" in caplog.text
    assert b"instructrec_experiment_arms_without_model 1.0" in Metrics(shop.live).text()
    users = [f"p{place}" for place in range(8)]
    by_arm = {shop.trials.place(TENANT, f"user:{name}").arm.name: name for name in users}
    told = {arm: asyncio.run(shop.list(user_id=name, history=["m1"])) for arm, name in by_arm.items()}
    assert told["linear"]["degraded"] and told["linear"]["model"] == "ridge" and told["linear"]["served_by"] == "popular"
    assert any("does not hold the model" in said for said in told["linear"]["notes"])
    assert not any("does not hold the model" in said for said in told["control"]["notes"])
    assert {row.arm: row.request.get("degraded") for row in shop.shown().values()} == {"linear": "missing", "control": None}
    rows = shop.results()["metrics"]["degraded_lists"]
    assert (rows["linear"]["mean"], rows["control"]["mean"]) == (1.0, 0.0), "the guardrail sees it"
    assert status_of(shop)[0] == "experiment_arm_gone:linear, ridge"
    shop.trials.stop(TENANT, "trial")
    assert b"instructrec_experiment_arms_without_model 0.0" in Metrics(shop.live).text()


# A model that is no arm


def test_the_lists_of_an_experiment_are_answered_again_by_a_model_that_is_no_arm(shop, monkeypatch):
    arms = [{"name": "drawn", "settings": {"exploration": 1.0}}, {"name": "simple", "settings": {"model": "popular"}}]
    shop.begin(arms=arms)
    people = {f"person {place}": history for place, (_, history, _) in enumerate(shop.people(60))}

    async def all_of_them():
        for user, history in people.items():
            answer = await shop.list(user_id=user, history=history, n=1, exclude=["m0"])
            await shop.happen("click", user, answer, [item for item in ids(answer) if by_chance(user + item, 0.3)])
        await shop.list(user_id="a stranger", n=1)
        await shop.list(user_id="too long", history=["m1"] * 5_000, n=1)

    asyncio.run(all_of_them())
    shop.settle()
    seen = []
    monkeypatch.setattr(estimating, "other_policy", lambda rows: seen.extend(rows) or other_policy(rows))
    snapshot, one = shop.live.snapshot, shop.trials.get(TENANT, "trial")
    told = estimating.estimated(snapshot, shop.live.store, TENANT, one, "ridge", one.started + 86_400)
    shown = {row.person: row for row in shop.shown().values()}
    assert (told["model"], told["reward"], told["refused"]) == ("ridge", "click", "effective_n")
    drawn = [name for name in people if shown[f"user:{name}"].arm == "drawn"]
    assert {row.unit for row in seen} >= {f"user:{name}" for name in drawn} and len(drawn) > 15
    assert told["n"] == len(seen) and told["n"] + told["left_out"] == 62 and told["supported"] == 1.0
    assert {"user:a stranger", "user:too long"}.isdisjoint(row.unit for row in seen)
    popular = next(rung.model for rung in snapshot.ladder.rungs if rung.name == "popular")
    clicks = {event.event.person for event in shop.live.store.events_after(0, 500) if event.event.type == "click"}
    for row in seen:
        query = Query(history=tuple(people[row.unit.removeprefix("user:")]), n=21, exclude=frozenset({"m0"}))
        pool = [entry.item for entry in snapshot.model.recommend([query])[0].items]
        first = popular.recommend([replace(query, n=1)])[0].items[0].item
        assert row.other == (pool[0],) and row.shown == shown[row.unit].items
        for items, chance in ((row.shown, row.chance), (row.other, row.other_chance)):
            assert chance == pytest.approx(0.5 * (items[0] in pool) / len(pool) + 0.5 * (items[0] == first))
        assert row.reward == (row.unit in clicks)


def test_what_cannot_be_estimated_is_refused(shop):
    shop.trials.put(TENANT, {"id": "draft", "arms": SAME})
    shop.begin("turns", arms=ARMS, kind="interleaving")
    snapshot, store = shop.live.snapshot, shop.live.store
    for name in ("draft", "turns"):
        with pytest.raises(ConfigError, match="says? nothing of other models"):
            estimating.estimated(snapshot, store, TENANT, shop.trials.get(TENANT, name), "ridge", 1e11)
    shop.trials.stop(TENANT, "turns")
    one = shop.begin("split")
    with pytest.raises(ModelError, match=r"no model 'rigde'. Did you mean 'ridge'\?"):
        estimating.estimated(snapshot, store, TENANT, one, "rigde", 1e11)
    assert estimating.estimated(snapshot, store, TENANT, one, "ridge", 1e11)["refused"] == "nothing"
