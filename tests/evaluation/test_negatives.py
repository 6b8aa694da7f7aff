"""Re-ranking protocols: one target among a few others, none of them seen, forbidden or the target itself."""

import numpy as np
import pytest
from tests.contracts import WORLD

from instructrec.data.split import SplitConfig, split
from instructrec.errors import DataError
from instructrec.evaluation.negatives import hard_negatives, random_negatives
from instructrec.evaluation.protocol import evaluate
from instructrec.models.popular import Popular

PARTS = split(WORLD, SplitConfig())
CATALOG = WORLD.catalog


def test_each_query_has_its_target_and_nine_unseen_others() -> None:
    restricted = random_negatives(PARTS.test, CATALOG, seed=3)
    for query, target in zip(restricted.queries, restricted.targets, strict=True):
        candidates = query.candidates or ()
        assert len(set(candidates)) == len(candidates) == 10
        assert CATALOG.item_ids[int(target[0])] in candidates
        assert not (set(candidates) - {CATALOG.item_ids[int(target[0])]}) & set(query.history)


def test_negatives_follow_from_the_seed() -> None:
    first, again, other = (random_negatives(PARTS.test, CATALOG, seed=seed).queries for seed in (1, 1, 2))
    assert first == again != other


def test_hard_negatives_are_the_best_wrong_items() -> None:
    scores = np.tile(np.arange(len(CATALOG), dtype=np.float32), (len(PARTS.test.queries), 1))
    restricted = hard_negatives(PARTS.test, CATALOG, scores, count=3)
    for query, target in zip(restricted.queries, restricted.targets, strict=True):
        unseen = [item for item in CATALOG.item_ids[::-1] if item not in query.history and item != CATALOG.item_ids[int(target[0])]]
        assert set(query.candidates or ()) == {*unseen[:3], CATALOG.item_ids[int(target[0])]}


def test_a_model_without_taste_hits_as_often_as_chance_says() -> None:
    model = Popular().fit(PARTS.train)
    model.score = lambda queries: np.zeros((len(queries), len(CATALOG)), dtype=np.float32)  # type: ignore[method-assign]
    hits = [evaluate(model, random_negatives(PARTS.test, CATALOG, seed=seed)).value("hr@1") for seed in range(20)]
    assert 0.02 < float(np.mean(hits)) < 0.25


def test_more_negatives_than_items_say_so() -> None:
    with pytest.raises(DataError, match="Ask for 1 to"):
        random_negatives(PARTS.test, CATALOG, count=1000)
