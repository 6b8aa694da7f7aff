"""What the benchmark of cold items rests on: nothing of a hidden item is in training or in a history."""

import numpy as np
import pytest
from benchmarks.cold_items import cold_split, hidden_items, measure, only

from instructrec.data.synthetic import genres
from instructrec.evaluation.protocol import evaluate
from instructrec.models.popular import Popular

WORLD = genres(num_users=120, num_items=120, seed=2)


def test_nothing_of_a_hidden_item_is_known_and_its_last_chooser_is_asked():
    hidden = hidden_items(WORLD, share=0.1, seed=0)
    train, asked = cold_split(WORLD, hidden)
    assert len(hidden) == 12
    assert not np.isin(train.interactions.items, hidden).any()
    assert len(train.interactions) + int(np.isin(WORLD.interactions.items, hidden).sum()) == len(WORLD.interactions)
    names = {WORLD.catalog.item_ids[code] for code in hidden}
    assert len(asked.queries) > 20
    for query, target, user in zip(asked.queries, asked.targets, asked.user_codes, strict=True):
        whole = WORLD.interactions.history(int(user)).tolist()
        place = whole.index(int(target[0]))
        assert target[0] in hidden and not np.isin(whole[place + 1 :], hidden).any()
        wanted = [WORLD.catalog.item_ids[code] for code in whole[:place]]
        assert list(query.history) == [item for item in wanted if item not in names]
        assert query.user == WORLD.interactions.user_ids[user]


def test_among_the_hidden_items_nothing_else_competes():
    hidden = hidden_items(WORLD, share=0.1, seed=0)
    train, asked = cold_split(WORLD, hidden)
    names = tuple(WORLD.catalog.item_ids[code] for code in hidden)
    found = evaluate(Popular().fit(train), only(asked, names), k=20)
    assert set(found.top[found.top >= 0].tolist()) == set(hidden.tolist())
    assert found.value("hr@20") == 1.0


def test_what_is_written_finds_them_and_popularity_never():
    words, popular = (measure(WORLD, name, [], share=0.1, seed=0) for name in ("tfidf", "popular"))
    assert popular["all.hr@10"] == 0.0
    assert words["all.hr@10"] > 3 * words["all.chance"]
    assert words["cold.ndcg@10"] > popular["cold.ndcg@10"]
    assert words["cold.chance"] == pytest.approx(10 / 12)
