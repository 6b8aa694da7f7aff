"""Counterfactuals are true: checked by making every list again, and against every set of history items there is."""

from itertools import combinations

import numpy as np
import pytest
from tests.explain.worlds import Linear, film_world

from instructrec.core import Instruction, Query, Quota
from instructrec.data.synthetic import genres
from instructrec.explain import explain
from instructrec.explain.counterfactual import counterfactuals
from instructrec.explain.influence import measure_influence, without
from instructrec.instructions import parse
from instructrec.models import resolve
from instructrec.tables import Limit

WORLD = film_world()


def listed_without(model, query, items):
    [found] = model.recommend([without(query, model.catalog.codes(items), model.catalog)])
    return {entry.item for entry in found.items}


def found_for(model, query):
    [recommendation] = model.recommend([query])
    [influence] = measure_influence(model, [recommendation])
    [sets] = counterfactuals(model, [recommendation], [influence])
    items = [entry.item for entry in recommendation.items]
    return recommendation, {
        item: tuple(model.catalog.item_ids[code] for code in codes) for item, codes in zip(items, sets, strict=True)
    }


def test_the_smallest_set_is_named_oldest_first():
    model = Linear().fit(WORLD)
    recommendation, found = found_for(model, Query(history=("i0", "i1", "i2"), n=1))
    assert [entry.item for entry in recommendation.items] == ["i4"]
    # 9 + 5 + 3 for i4: any of the three alone still puts it first.
    assert found["i4"] == ("i0", "i1", "i2")
    _, found = found_for(model, Query(history=("i3", "i0", "i1"), n=1))
    # 10 for i4, 8 for i5: without i0 i5 leads.
    assert found["i4"] == ("i0",)


@pytest.mark.parametrize("name", ["ridge", "item_knn"])
def test_without_the_named_items_the_item_is_gone_and_none_of_them_can_be_spared(name):
    world = genres()
    model = resolve(name)().fit(world)
    some = 0
    for user in range(8):
        history = tuple(world.catalog.item_ids[code] for code in world.interactions.history(user))
        query = Query(user=world.interactions.user_ids[user], history=history, n=5)
        recommendation, found = found_for(model, query)
        for item, gone in found.items():
            some += bool(gone)
            if gone:
                assert item not in listed_without(model, query, gone)
                assert list(gone) == [entry for entry in dict.fromkeys(reversed(history)) if entry in gone][::-1]
            for spared in gone:
                fewer = [entry for entry in gone if entry != spared]
                assert item in listed_without(model, query, fewer)
            if len(gone) != 1:
                assert all(item in listed_without(model, query, [one]) for one in set(history))
        assert recommendation.query == query
    assert some > 20


def test_no_smaller_set_than_a_single_item_or_a_pair_is_missed():
    world = genres()
    model = Linear(np.random.default_rng(3).normal(size=(len(world.catalog),) * 2).astype(np.float32)).fit(world)
    history = tuple(world.catalog.item_ids[code] for code in world.interactions.history(0))[:6]
    query = Query(history=history, n=4)
    _, found = found_for(model, query)
    for item, gone in found.items():
        sizes = [
            size
            for size in (1, 2)
            for chosen in combinations(dict.fromkeys(history), size)
            if item not in listed_without(model, query, chosen)
        ]
        assert not gone or not sizes or len(gone) <= max(2, min(sizes))


def test_quotas_count_as_they_do_in_the_list():
    world = genres()
    model = resolve("ridge")().fit(world)
    attribute, labels = next(iter(world.catalog.labels.items()))
    quota = Quota(limits=(Limit(attribute=attribute, operator="include", values=(labels.names[0],)),), at_least=3)
    history = tuple(world.catalog.item_ids[code] for code in world.interactions.history(1))
    query = Query(history=history, n=5, instruction=Instruction(text="", quotas=(quota,)))
    _, found = found_for(model, query)
    for item, gone in found.items():
        if gone:
            assert item not in listed_without(model, query, gone)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_said_only_where_it_was_asked_for(language):
    model = Linear().fit(WORLD)
    query = Query(history=("i3", "i0", "i1"), n=1, instruction=parse("no drama", WORLD.catalog))
    [recommendation] = model.recommend([query])
    [plain] = explain(model, recommendation, WORLD, language=language)
    assert (plain.counterfactual, plain.counterfactual_text) == ((), "")
    [found] = explain(model, recommendation, WORLD, language=language, counterfactual=True)
    assert found.counterfactual == ("i0",) and "Toy Story" in found.counterfactual_text
    assert found.text == plain.text


def test_somebody_without_a_history_has_none():
    model = Linear().fit(WORLD)
    [recommendation] = model.recommend([Query(n=3)])
    assert all(not entry.counterfactual for entry in explain(model, recommendation, WORLD, counterfactual=True))
