"""A new run from the old one and the journal of its service: better ones are kept, worse ones are not, and nothing else changes."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.journal.deeds import deed

from instructrec import config, pipeline
from instructrec.cli import main
from instructrec.core import Query
from instructrec.data.split import split
from instructrec.errors import ConfigError, DataError, RunError, StoreError
from instructrec.evaluation.protocol import evaluate
from instructrec.journal import user_key
from instructrec.journal.records import EVERYBODY
from instructrec.journal.store import Store
from instructrec.models.item_knn import ItemKnn
from instructrec.pipeline import Terms
from instructrec.pipeline.retraining import next_place
from instructrec.runs import Run

DAY = 86_400
START = 1_500_000_000
"""When the journal begins: long after the made-up world, whose 60 users are u0 to u59."""
HITS = ("hit-0", "hit-1", "hit-2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    settings = ["data.source=synthetic-genres", "model=item_knn"]
    return pipeline.train(pipeline.prepare(config.from_toml("", settings)), tmp_path_factory.mktemp("trained") / "mine")


@pytest.fixture
def run(trained, tmp_path):
    """A run in a folder of its own."""
    return Run.load(shutil.copytree(trained.path, tmp_path / "mine"))


@pytest.fixture
def journal(tmp_path):
    """The address of the journal beside it."""
    return f"sqlite:///{tmp_path / 'mine-journal.db'}"


def record(journal, events, items=(), tenant="local"):
    """Put items and events into a journal."""
    with Store.open(journal) as store:
        if items:
            store.put_items(EVERYBODY, items)
        store.append([(tenant, event) for event in events])


def film(item, genre="Comedy"):
    attributes = {"genres": [genre], "year": 2017.0}
    return {"item_id": item, "title": f"The {item}", "text": f"The {item}: {genre}.", "attributes": attributes, "available": True}


def trend():
    """Everybody meets three new films: the first thirty users on eleven days, the other thirty in the week after these."""
    events = []
    for user in range(60):
        day = user % 11 + 1 if user < 30 else 14 + user % 6
        for place in range(3):
            # In turn, for the last one before the held-out days validates and is not learned from.
            hit = HITS[(place + user) % 3]
            events.append(deed(f"{user}-{hit}", "like", hit, user=f"u{user}", time=START + day * DAY + place))
    return events


def noise(run):
    """For twelve days two hundred strangers click at random; then the people of the run go on with what they like."""
    rng, log, genres = np.random.default_rng(0), run.dataset.interactions, run.catalog.labels["genres"].matrix()
    ids, events = run.catalog.item_ids, []
    for stranger in range(200):
        for place, item in enumerate(rng.permutation(len(ids))[:25]):
            time = START + place % 12 * DAY + stranger
            events.append(deed(f"{stranger}-{place}", "click", ids[item], user=f"stranger{stranger}", time=time))
    for user, name in enumerate(log.user_ids):
        seen = log.history(user)
        liked = np.flatnonzero(genres[:, genres[seen].sum(axis=0).argmax()])
        for place, item in enumerate(np.setdiff1d(liked, seen)[:3]):
            events.append(deed(f"{name}-{place}", "click", ids[item], user=name, time=START + (15 + place) * DAY + user))
    return events


def pairs(run):
    """(user, item) of every interaction of a run."""
    log = run.dataset.interactions
    return {(log.user_ids[u], run.catalog.item_ids[i]) for u, i in zip(log.users, log.items, strict=True)}


def hashes(place: Path):
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def database(journal):
    return Path(journal.removeprefix("sqlite:///"))


# What is promoted


def test_a_run_that_learned_a_new_trend_is_promoted_and_measured_on_what_the_old_one_was_measured_on(run, journal):
    record(journal, trend(), [film(hit) for hit in HITS])
    before = hashes(run.path) | hashes(database(journal))
    found = pipeline.retrain(run, journal)
    assert found.run.path == run.path.with_name("mine-2")
    facts = found.facts
    assert facts["promoted"] and facts["difference"]["low"] > 0.1, facts
    assert facts["held_out"]["users"] == 30 and facts["held_out"]["interactions"] == 90
    assert facts["new_items"] == 3 and facts["new_users"] == 0
    assert facts["parent"] == run.version and facts["journal"]["events"] == facts["journal"]["interactions"] == 180
    made = Run.load(found.run.path)
    assert made.report["retrained"] == json.loads(json.dumps(facts))
    assert set(made.report["models"]) == {"item_knn", "parent"}
    # Both figures come out again from the folders alone, on one and the same holdout.
    parts = split(made.dataset, made.config.split)
    for model, figure in ((run.with_catalog(made.catalog).model(), "old"), (made.as_measured().model(), "new")):
        assert evaluate(model, parts.test).value("ndcg@10") == pytest.approx(facts[figure]["value"])
    assert all(query.time >= made.config.split.since for query in parts.test.queries)
    assert parts.known.interactions.timestamps.max() < made.config.split.since
    # What was new can be recommended now, and nothing that was there has changed.
    [answer] = made.model().recommend([Query(history=(HITS[0],), n=5)])
    assert set(HITS[1:]) <= {entry.item for entry in answer.items}
    assert hashes(run.path) | hashes(database(journal)) == before
    assert not run.path.with_name("mine-2.work").exists()


def test_evaluating_a_promoted_run_gives_the_figures_by_which_it_was_promoted(run, journal):
    record(journal, trend(), [film(hit) for hit in HITS])
    found = pipeline.retrain(run, journal)
    again = pipeline.evaluate(Run.load(found.run.path)).to_json()
    assert again["split"] == "since"
    assert again["models"]["item_knn"] == found.comparison.to_json()["models"]["item_knn"]


def test_a_run_that_noise_made_worse_is_not_promoted(run, journal):
    record(journal, noise(run))
    before = hashes(run.path.parent)
    found = pipeline.retrain(run, journal)
    assert found.run is None
    assert not found.facts["promoted"]
    assert found.facts["difference"]["high"] < 0, found.facts
    assert found.facts["held_out"]["users"] >= 50
    left = hashes(run.path.parent)
    assert {name for name in left if not name.endswith(("-wal", "-shm"))} == set(before)
    assert all(left[name] == before[name] for name in before)


def test_the_margin_says_how_much_worse_is_not_worse(run, journal):
    record(journal, noise(run))
    assert pipeline.retrain(run, journal, terms=Terms(margin=0.0)).run is None
    assert pipeline.retrain(run, journal, terms=Terms(margin=99.0)).run is not None


def test_a_model_that_cannot_become_worse_is_promoted_without_any_margin(trained, tmp_path, journal):
    """Popularity ranks the one item that is left for everybody first before and after: no difference is not worse."""
    popular = pipeline.train(pipeline.prepare(config.with_settings(trained.config, ["model=popular"])), tmp_path / "mine")
    events = [
        deed(f"{u}-{k}", "view", f"m{k}", user=f"n{u}", time=START + 3600 * (10 * k + u % 10)) for u in range(30) for k in range(9)
    ]
    record(journal, events)
    found = pipeline.retrain(popular, journal, terms=Terms(margin=99.0))
    assert found.run is not None
    assert found.facts["new_users"] == 30


# Fitted again


LATE = "late"
"""An item that came in the held-out days."""


def latecomers():
    """In the last days those who met the new films meet one more with them."""
    return [deed(f"late-{user}", "like", LATE, user=f"u{user}", time=START + (15 + user % 5) * DAY) for user in range(30, 60)]


def likes_the_late_one(model):
    [answer] = model.recommend([Query(history=HITS, n=1)])
    return answer.items[0].item == LATE


@pytest.fixture
def late(run, journal):
    record(journal, [*trend(), *latecomers()], [film(item) for item in (*HITS, LATE)])
    return pipeline.retrain(run, journal)


def test_what_is_promoted_has_learned_of_the_last_days_and_says_what_was_measured_on_what(run, late):
    made, facts = Run.load(late.run.path), late.facts
    assert likes_the_late_one(made.model()) and not likes_the_late_one(made.as_measured().model())
    log = made.dataset.interactions
    again = facts["refit"]
    assert again["interactions"] + again["validating"] == len(log) and 0 < again["validating"] <= len(log.user_ids)
    assert again["last"] > facts["held_out"]["since"] and made.report["retrained"]["refit"] == again
    # Both figures are of the models that were measured, and an evaluation gives them once more.
    found = pipeline.evaluate(made).to_json()["models"]["item_knn"]
    assert found["ndcg@10"]["value"] == pytest.approx(facts["new"]["value"])
    assert evaluate(made.model(), split(made.dataset, made.config.split).test).value("ndcg@10") > facts["new"]["value"]
    for name in ("card.md", "report.html"):
        text = (made.path / name).read_text()
        assert f"fitted again, with the same settings, on {again['interactions']:,} interactions" in text, name
    assert {path.name for path in made.path.iterdir()} >= {"parts", "measured"}


def test_the_next_one_is_compared_with_what_has_not_seen_its_days(late, journal):
    """Else nothing but what came after the refit could be held out, and the old run would be measured on what it learned from."""
    more = [deed(f"more-{u}", "like", f"m{u % 40}", user=f"u{u}", time=START + 21 * DAY + u) for u in range(60)]
    record(journal, more)
    second = pipeline.retrain(late.run, journal, terms=Terms(margin=99.0))
    made = Run.load(second.run.path)
    assert second.facts["held_out"]["since"] < late.facts["refit"]["last"]
    parent = late.run.as_measured().with_catalog(made.catalog).model()
    value = evaluate(parent, split(made.dataset, made.config.split).test).value("ndcg@10")
    assert second.facts["old"]["value"] == pytest.approx(value)


def test_without_a_refit_a_run_serves_as_it_was_measured(run, journal, capsys):
    record(journal, [*trend(), *latecomers()], [film(item) for item in (*HITS, LATE)])
    code, out, _ = call(capsys, "retrain", run.path, "--no-refit")
    assert code == 0 and "fitted again" not in out
    made = Run.load(run.path.with_name("mine-2"))
    assert made.report["retrained"]["refit"] is None and made.as_measured() is made
    assert not (made.path / "measured").exists() and "fitted again" not in (made.path / "card.md").read_text()
    assert not likes_the_late_one(made.model())


def test_a_refit_that_was_interrupted_goes_on(run, journal, monkeypatch):
    record(journal, [*trend(), *latecomers()], [film(item) for item in (*HITS, LATE)])
    fitted, calls = ItemKnn.fit, []

    def second_stops(self, *given, **named):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fitted(self, *given, **named)

    monkeypatch.setattr(ItemKnn, "fit", second_stops)
    with pytest.raises(KeyboardInterrupt):
        pipeline.retrain(run, journal)
    assert not run.path.with_name("mine-2").exists()
    found = pipeline.retrain(run, journal)
    assert len(calls) == 3 and likes_the_late_one(found.run.model())
    assert not run.path.with_name("mine-2.work").exists()


# What counts


def kept(run, journal, events, items=(), **fields):
    """The run that is made of the trend and these events, whether or not it is better."""
    record(journal, [*trend(), *events], [*[film(hit) for hit in HITS], *items], **fields)
    return pipeline.retrain(run, journal, terms=Terms(margin=99.0)).run


def test_what_was_undone_or_disliked_or_only_shown_does_not_count(run, journal):
    old = pairs(run)
    unseen = [item for item in run.catalog.item_ids if ("u0", item) not in old][:7]
    day = START + 2 * DAY
    [seen] = [item for user, item in old if user == "u0"][:1]
    made = kept(
        run,
        journal,
        [
            deed("a", "click", unseen[0], user="u0", time=day),
            deed("b", "click", unseen[1], user="u0", time=day),
            deed("c", "undo", user="u0", undoes="b", time=day + 1),
            deed("d", "click", unseen[2], user="u0", time=day),
            deed("e", "dislike", unseen[2], user="u0", time=day + 9 * DAY),
            deed("f", "impression", unseen[3], user="u0", time=day),
            deed("g", "rating", unseen[4], user="u0", value=2.0, time=day),
            deed("h", "rating", unseen[5], user="u0", value=5.0, time=day),
            deed("i", "click", unseen[6], user="u0", time=day),
            deed("j", "dislike", unseen[6], user="u0", reason="seen", time=day + 1),
            deed("k", "dislike", seen, user="u0", time=day),
        ],
    )
    new = {item for user, item in pairs(made) - old if user == "u0"}
    assert new == {unseen[0], unseen[5], unseen[6], *HITS}
    assert ("u0", seen) not in pairs(made), "what the old data hold, and the person turned out to dislike"
    ratings = made.dataset.interactions.ratings
    assert 5.0 in ratings[made.dataset.interactions.offsets[0] : made.dataset.interactions.offsets[1]]


def test_what_is_undone_or_erased_after_it_went_into_a_run_is_gone_from_the_next(run, journal):
    unseen = next(item for item in run.catalog.item_ids if ("u0", item) not in pairs(run))
    first = kept(run, journal, [deed("a", "click", unseen, user="u0", time=START + 2 * DAY)])
    assert {("u0", unseen), ("u1", HITS[0])} <= pairs(first)
    with Store.open(journal) as store:
        store.append([("local", deed("b", "undo", user="u0", undoes="a", time=START + 20 * DAY))])
        store.erase_person("local", user_key("u1"), at=START + 30 * DAY)
        more = [deed(f"x{u}", "click", f"m{u}", user=f"u{u}", time=START + 21 * DAY) for u in range(30, 60)]
        store.append([("local", event) for event in more])
    second = pipeline.retrain(first, journal, terms=Terms(margin=99.0)).run
    assert ("u0", unseen) not in pairs(second)
    assert "u1" in run.dataset.interactions.user_index
    assert "u1" not in second.dataset.interactions.user_index, "an erased person is gone, with what the first log said of them"
    assert second.path.name == "mine-3"
    assert pairs(second) >= {pair for pair in pairs(first) if pair[0] not in ("u0", "u1")}


def test_only_the_events_of_one_tenant_count(run, journal):
    record(journal, [deed("other", "click", "m1", user="stranger", time=START + DAY)], tenant="theirs")
    made = kept(run, journal, [])
    assert "stranger" not in made.dataset.interactions.user_index
    with pytest.raises(DataError, match="0 events of tenant 'nobody'"):
        pipeline.retrain(run, journal, run.path.with_name("other"), terms=Terms(tenant="nobody"))


def test_an_item_of_the_journal_that_was_never_put_is_left_out_and_said(run, journal):
    record(journal, [*trend(), deed("a", "click", "nowhere", user="u0", time=START + DAY)], [film(hit) for hit in HITS])
    found = pipeline.retrain(run, journal)
    assert "nowhere" not in found.run.catalog.index
    assert any("1 interactions of the journal dropped (nowhere)" in line for line in found.cleaning), found.cleaning


def test_a_session_is_a_person_unless_an_id_of_a_user_looks_like_one(run, journal):
    visits = [deed(f"s{place}", "click", f"m{place}", session_id="abc", time=START + DAY + place) for place in range(4)]
    made = kept(run, journal, visits)
    log = made.dataset.interactions
    assert [made.catalog.item_ids[code] for code in log.history(log.user_index["session:abc"])] == ["m0", "m1", "m2", "m3"]
    with Store.open(journal) as store:
        store.append([("local", deed("clash", "click", "m9", user="session:abc", time=START + DAY))])
    found = pipeline.retrain(run, journal, terms=Terms(margin=99.0))
    log = found.run.dataset.interactions
    assert [found.run.catalog.item_ids[code] for code in log.history(log.user_index["session:abc"])] == ["m9"]
    assert any("1 sessions are left out" in line for line in found.cleaning)


def test_the_second_meeting_is_no_new_interaction(run, journal):
    """The made-up world keeps the first of the same user and item, and so does what is made of it."""
    user, item = next(iter(sorted(pairs(run))))
    made = kept(run, journal, [deed("again", "click", item, user=user, time=START + 15 * DAY)])
    log = made.dataset.interactions
    rows = np.flatnonzero((log.users == log.user_index[user]) & (log.items == made.catalog.index[item]))
    assert len(rows) == 1 and log.timestamps[rows[0]] < START


# What serves


def test_the_service_takes_up_what_is_promoted_and_shows_what_is_new(run, journal):
    from instructrec.service.live import opened
    from instructrec.service.shapes import Ask

    record(journal, trend(), [film(hit) for hit in HITS])
    live = opened(run.path, journal)
    try:
        # The service holds the journal open for writing meanwhile.
        made = pipeline.retrain(run, journal).run

        async def swapped():
            version = await live.swap(made.path)
            asked = Ask(session_id="new", history=[HITS[1]], n=5, deadline_ms=10_000)
            return version, json.loads(await live.recommend("local", asked))

        version, answer = asyncio.run(swapped())
        assert version.startswith(made.version)
        assert {HITS[0], HITS[2]} <= {entry["item_id"] for entry in answer["items"]}
        told = asyncio.run(live.record("local", [{"event_id": "after", "type": "like", "user_id": "u1", "item_id": "m1"}]))
        assert told[0].fate == "stored"
    finally:
        live.close()


def test_an_interrupted_call_goes_on_with_the_events_that_it_began_with(run, journal, monkeypatch):
    record(journal, trend(), [film(hit) for hit in HITS])

    def stopped(*given, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.retraining, "measure", stopped)
        with pytest.raises(KeyboardInterrupt):
            pipeline.retrain(run, journal)
    assert (run.path.with_name("mine-2.work") / "parts" / "item_knn").is_dir()
    record(journal, [deed("late", "click", "m1", user="u3", time=START + 15 * DAY)])
    with monkeypatch.context() as patch:
        patch.setattr(ItemKnn, "fit", stopped)
        found = pipeline.retrain(run, journal, terms=Terms(refit=False))
    assert found.run.path.name == "mine-2"
    assert found.facts["journal"]["events"] == 180
    assert not run.path.with_name("mine-2.work").exists()
    assert pipeline.retrain(run, journal).facts["journal"]["events"] == 181


# What cannot be done


def test_what_is_missing_is_said(run, journal, tmp_path):
    with pytest.raises(StoreError, match="there is no such file"):
        pipeline.retrain(run, journal)
    assert not database(journal).exists()
    record(journal, [deed("a", "impression", "m1", user="u1", time=START)])
    with pytest.raises(DataError, match="no interaction to learn from: 0 events of tenant 'local'"):
        pipeline.retrain(run, journal)
    record(journal, [deed(f"{u}", "click", "m70", user=f"u{u}", time=START + u) for u in range(9)])
    with pytest.raises(DataError, match="Only . people did something from .* UTC on"):
        pipeline.retrain(run, journal)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["mine"]
    (tmp_path / "taken").mkdir()
    with pytest.raises(RunError, match="exists already"):
        pipeline.retrain(run, journal, tmp_path / "taken")


def test_a_journal_older_than_the_data_is_said(run, journal):
    record(journal, [deed("a", "click", "m1", user="u1", time=5.0)])
    with pytest.raises(DataError, match="The run was made of interactions up to 2001-09-09 .* and the journal has none after that"):
        pipeline.retrain(run, journal)


def test_nothing_that_the_old_run_learned_from_is_held_out(run, journal):
    """The journal also tells what is older than the run, so half of it would be inside the last days."""
    log = run.dataset.interactions
    first, last = int(log.timestamps.min()), int(log.timestamps.max())
    old = [deed(f"o{u}", "click", "m70", user=f"u{u}", time=first + u) for u in range(60)]
    new = [deed(f"n{u}", "click", "m71", user=f"u{u}", time=last + 60 + u) for u in range(60)]
    record(journal, [*old, *new])
    found = pipeline.retrain(run, journal, terms=Terms(margin=99.0))
    known = split(run.dataset, run.config.split).known.interactions.timestamps.max()
    assert found.run.config.split.since > known


@pytest.mark.parametrize("wrong", [{"days": 0}, {"margin": -1}, {"margin": 100}])
def test_terms_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match="days must be above 0"):
        Terms(**wrong)


@pytest.mark.parametrize(("name", "wanted"), [("mine", "mine-2"), ("mine-2", "mine-3"), ("ml-100k", "ml-100k-2"), ("7", "7-2")])
def test_the_next_place_counts_on(tmp_path, name, wanted):
    (tmp_path / name).mkdir()
    assert next_place(tmp_path / name) == tmp_path / wanted
    (tmp_path / wanted).mkdir()
    assert next_place(tmp_path / name) not in (tmp_path / name, tmp_path / wanted)


# The command


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return ended.value.code or 0, out, err


def test_the_command_says_what_it_found_and_how_to_go_on(run, journal, capsys):
    record(journal, trend(), [film(hit) for hit in HITS])
    code, out, _ = call(capsys, "retrain", run.path, "--json", run.path.with_name("found.json"))
    assert code == 0
    assert "Held out:   90 interactions of 30 people from" in out
    assert "curl -X POST http://127.0.0.1:8000/v1/run" in out and '{"path": "mine-2"}' in out
    assert f"--database {journal}" in out
    told = json.loads(run.path.with_name("found.json").read_text())
    assert told["run"] == str(run.path.with_name("mine-2")) and told["retrained"]["promoted"] is True
    assert told["version"] == Run.load(told["run"]).version


def test_the_command_ends_with_a_code_of_its_own_where_nothing_is_promoted(run, journal, capsys):
    record(journal, noise(run))
    code, out, _ = call(capsys, "retrain", run.path, "--json")
    assert code == 3
    told = json.loads(out.splitlines()[-1])
    assert told["run"] is None and told["retrained"]["promoted"] is False
    assert set(told["models"]) == {"item_knn", "parent"}


def test_the_command_refuses_what_is_no_run(tmp_path, capsys):
    code, _, err = call(capsys, "retrain", tmp_path / "nothing")
    assert code == 2
    assert "There is no run folder" in err
    (tmp_path / "empty").mkdir()
    assert "is no run folder" in call(capsys, "retrain", tmp_path / "empty")[2]


def test_a_fusion_is_retrained_with_its_parts(trained, tmp_path, journal):
    settings = ['model="fusion"', 'fusion.parts=["ridge","item_knn"]', 'beside=["popular"]']
    fusion = pipeline.train(pipeline.prepare(config.with_settings(trained.config, settings)), tmp_path / "mine")
    record(journal, trend(), [film(hit) for hit in HITS])
    found = pipeline.retrain(fusion, journal)
    assert found.facts["difference"]["low"] > 0
    assert found.run.model_names == ("fusion", "popular")
    assert replace(found.run.config, split=fusion.config.split) == fusion.config
    assert set(found.comparison.models) == {"fusion", "ridge", "item_knn", "popular", "parent"}
