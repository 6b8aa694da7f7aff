"""Experiments: JSON both ways, states, and errors that name what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructrec.errors import ConfigError
from instructrec.experiments import METRICS, Arm, Experiment, Guardrail

TWO = (Arm(name="old"), Arm(name="new", settings={"run": "v2"}))
names = st.text(min_size=1, max_size=8).filter(str.strip)
guardrails = st.builds(
    Guardrail, metric=names, better=st.sampled_from(["higher", "lower"]), tolerance=st.floats(0, 0.99, allow_nan=False)
)


@st.composite
def experiments(draw):
    arms = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    weights = st.floats(0.01, 100)
    settings_of_arm = st.dictionaries(st.text(max_size=4), st.one_of(st.integers(), st.text(max_size=4), st.none()), max_size=2)
    made = Experiment(
        id=draw(names),
        seed=draw(st.text(max_size=4)),
        arms=tuple(Arm(name=name, weight=draw(weights), settings=draw(settings_of_arm)) for name in arms),
        coverage=draw(st.floats(0, 1)),
        metrics=tuple(draw(st.lists(st.sampled_from(sorted(METRICS)), min_size=1, max_size=3, unique=True))),
        guardrails=tuple(draw(st.lists(guardrails, max_size=2))),
    )
    steps = draw(st.integers(0, 3))
    made = made.start(draw(st.floats(0, 2e9))) if steps else made
    made = made.stop() if steps > 1 else made
    return made.promote(arms[-1]) if steps > 2 else made


@settings(max_examples=50, deadline=None)
@given(experiments())
def test_what_is_written_is_read_back(experiment):
    assert Experiment.from_json(json.loads(json.dumps(experiment.to_json()))) == experiment


def test_id_and_arms_are_enough():
    made = Experiment.from_json({"id": "ranking", "arms": [{"name": "old"}, {"name": "new"}]})
    assert made == Experiment(id="ranking", arms=(Arm(name="old"), Arm(name="new")))
    assert made.shares == {"old": 0.5, "new": 0.5}
    assert made.control.name == "old"


def test_an_experiment_goes_from_draft_to_running_to_its_end():
    draft = Experiment(id="e", arms=TWO)
    running = draft.start(5.0)
    assert (running.status, running.started, running.stop().status) == ("running", 5.0, "stopped")
    assert (running.stop(9.0).ended, running.stop(9.0).promote("new", 12.0).ended, running.promote("new", 12.0).ended) == (9, 9, 12)
    assert running.promote("new").winner == running.stop().promote("new").winner == "new"
    undone = running.promote("new", 12.0).stop(20.0)
    assert (undone.status, undone.winner, undone.ended) == ("stopped", "", 12.0), "its arms were told apart no longer than before"
    for refused in (draft.stop, lambda: draft.promote("new"), lambda: running.start(6.0), running.stop().stop):
        with pytest.raises(ConfigError, match="only one that is"):
            refused()
    with pytest.raises(ConfigError, match=r"no arm 'newer'\. Did you mean 'new'\?"):
        running.promote("newer")


def test_an_interleaving_is_read_back():
    made = Experiment(id="e", kind="interleaving", arms=TWO, metrics=("ctr", "like_rate", "conversion"))
    assert Experiment.from_json(json.loads(json.dumps(made.to_json()))) == made
    assert made.start(1.0).stop().promote("new").winner == "new"


GOOD = {"id": "e", "arms": [{"name": "old"}, {"name": "new"}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": " "}, "id of an experiment is ' '"),
        ({"id": 3}, r"experiment\.id is 3"),
        ({"arms": [{"name": "old"}]}, "1 arm"),
        ({"arms": [{"name": "old"}, {"name": "old"}]}, "several arms named old"),
        ({"arms": "old"}, r"experiment\.arms is 'old', but a list"),
        ({"arms": [{"name": "old"}, {"name": "new", "weight": 0}]}, "weight 0"),
        ({"arms": [{"name": "old"}, {"name": "new", "weight": True}]}, r"arms\[1\]\.weight is True"),
        ({"arms": [{"name": "old"}, {"name": "new", "wieght": 2}]}, r"arms\[1\].*Did you mean 'weight'"),
        ({"arms": [{"name": "old"}, {"name": "new", "settings": 2}]}, r"arms\[1\]\.settings is 2"),
        ({"coverage": 1.1}, "covers 1.1"),
        ({"kind": "interleave"}, r"kind of experiment 'e' is 'interleave'.*Did you mean 'interleaving'"),
        ({"kind": "interleaving", "arms": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}, "interleaves 3 arm"),
        ({"kind": "interleaving", "arms": [{"name": "a"}, {"name": "b", "weight": 2}]}, "two of equal weight"),
        ({"kind": "interleaving", "guardrails": [{"metric": "ctr"}]}, "everybody gets both"),
        ({"kind": "interleaving", "metrics": ["ctr", "retention"]}, "measures 'retention'"),
        ({"coverage": float("nan")}, r"experiment\.coverage is nan"),
        ({"metrics": []}, "measures nothing"),
        ({"metrics": ["likes_rate"]}, "Did you mean 'like_rate'"),
        ({"metrics": [1]}, r"metrics\[0\] is 1"),
        ({"guardrails": [{"metric": "errors", "better": "less"}]}, "must be one of higher, lower"),
        ({"guardrails": [{"metric": "errors", "tolerance": 1}]}, "tolerance 1"),
        ({"status": "runing", "started": 1}, "Did you mean 'running'"),
        ({"status": "running"}, "no starting time"),
        ({"started": 1}, "a starting time"),
        ({"status": "promoted", "started": 1}, "no winner"),
        ({"status": "stopped", "started": 1, "winner": "new"}, "the winner 'new'"),
        ({"status": "promoted", "started": 1, "winner": "nobody"}, "no arm 'nobody'"),
        ({"owner": "me"}, "field 'owner'"),
        ({"seed": 7}, r"experiment\.seed is 7"),
    ],
)
def test_what_is_wrong_is_named(change, said):
    assert Experiment.from_json(GOOD)
    with pytest.raises(ConfigError, match=said):
        Experiment.from_json(GOOD | change)


def test_settings_that_cannot_be_stored_are_refused():
    with pytest.raises(ConfigError, match="no JSON object"):
        Arm(name="new", settings={"model": object()})
    with pytest.raises(ConfigError, match="experiment is 3"):
        Experiment.from_json(3)
