"""A shift of what people choose is told from chance, in how often items are chosen and in what they are."""

import asyncio

import numpy as np
import pytest

from instructrec.data.synthetic import genres
from instructrec.journal.events import Event
from instructrec.journal.records import Stored
from instructrec.service.drift import MOST_CHOSEN, Drift
from instructrec.service.live import opened
from instructrec.service.page.frame import words
from instructrec.service.page.owner import view

WORLD = genres()
LOG = WORLD.interactions.items


def chosen(items, kind="click"):
    ids = WORLD.catalog.item_ids
    return [
        Stored(place + 1, "local", Event(event_id=str(place), type=kind, user_id="u", item_id=ids[item], time=1.0), 1.0)
        for place, item in enumerate(items)
    ]


def drift_of(items, kind="click"):
    drift = Drift()
    drift.follow(chosen(items, kind))
    return drift.found(WORLD)


def test_choices_like_those_of_the_log_are_no_shift():
    rng = np.random.default_rng(0)
    alarms = [any(one["shifted"] for one in drift_of(rng.choice(LOG, size))["shifts"]) for size in [60] * 100 + [1000] * 100]
    assert sum(alarms) <= 2


@pytest.mark.parametrize("name", list(WORLD.catalog.labels))
def test_a_new_taste_is_found_and_named(name):
    labels = WORLD.catalog.labels[name]
    value = labels.names[0]
    wanted = [item for item in LOG if value in labels.of(int(item))]
    found = drift_of(np.random.default_rng(1).choice(wanted, 300))
    shift = next(one for one in found["shifts"] if one["by"] == name)
    assert shift["shifted"] and shift["index"] > shift["by_chance"]
    assert shift["most"][0]["name"] == value and shift["most"][0]["now"] > shift["most"][0]["then"]


def test_items_that_nobody_met_before_are_counted():
    missing = np.setdiff1d(np.arange(len(WORLD.catalog)), LOG)
    found = drift_of([*LOG[:30], *missing[:1]])
    assert found["choices"] == 30 + len(missing[:1])
    assert found["new_items_share"] == pytest.approx(len(missing[:1]) / found["choices"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_owner_sees_the_largest_shift_or_that_there_is_none(run_folder, tmp_path, language):
    live = opened(run_folder, f"sqlite:///{tmp_path / 'journal.db'}")
    text = words(language)["owner"]
    assert text["drift_none"] in [tile.below for tile in view(live, 5, language, [])["tiles"]]
    item = live.snapshot.catalog.item_ids[0]
    rows = [{"event_id": str(n), "type": "click", "user_id": "u", "item_id": item} for n in range(200)]
    asyncio.run(live.record("local", rows))
    [tile] = [tile for tile in view(live, 5, language, [])["tiles"] if tile.name == text["drift"]]
    assert "200" in tile.below and tile.below != text["drift_chance"] and float(tile.value) > 0.1
    live.close()


def test_what_is_no_choice_does_not_count_and_old_ones_are_forgotten():
    assert drift_of(LOG[:50], "dislike") == {"choices": 0, "new_items_share": None, "shifts": []}
    drift = Drift()
    for _ in range(3):
        drift.follow(chosen(np.resize(LOG, MOST_CHOSEN)))
    assert drift.found(WORLD)["choices"] == MOST_CHOSEN
