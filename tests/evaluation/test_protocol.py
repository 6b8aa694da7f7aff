"""Full-ranking evaluation: what is evaluated is what is shown."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.worlds import TableRecommender, catalog, holdout

from instructrec.core import Instruction, Silent
from instructrec.errors import DataError
from instructrec.evaluation.protocol import evaluate, evaluate_scores, prepare, score_holdout
from instructrec.tables import FloatArray, Limit

ITEMS = catalog(6)
TABLE: FloatArray = np.array([[6, 5, 4, 3, 2, 1], [1, 1, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5]], dtype=np.float32)
ASKED = holdout([[0], [0, 1], []], [[1], [3], [4, 0]])


class Counting(Silent):
    def __init__(self) -> None:
        self.seen: list[object] = []

    def stage(self, name: str, *, total: int) -> None:
        self.seen.append((name, total))

    def step(self, done: int, *, loss: float | None = None) -> None:
        self.seen.append(done)


def test_ranks_by_hand() -> None:
    hidden = evaluate(TableRecommender(ITEMS, TABLE), ASKED, k=3)
    assert hidden.targets.ranks[:, 0].tolist() == [1, 2, 2]
    assert hidden.targets.ranks[2, 1] == 6
    assert hidden.top.tolist() == [[1, 2, 3], [2, 3, 4], [5, 4, 3]]
    assert hidden.per_user("hr@1").tolist() == [1.0, 0.0, 0.0]
    assert hidden.value("recall@2") == pytest.approx((1 + 1 + 0.5) / 3)
    assert hidden.history_lengths.tolist() == [1, 2, 0]


def test_seen_items_compete_when_they_are_shown() -> None:
    shown = evaluate(TableRecommender(ITEMS, TABLE), ASKED, k=3, hide_seen=False)
    assert shown.targets.ranks[:, 0].tolist() == [2, 4, 2]
    assert shown.top.tolist() == [[0, 1, 2], [0, 1, 2], [5, 4, 3]]
    assert (shown.seen_filter, shown.protocol) == ("shown", "full ranking over 6 items, 3 users, ties in catalog order")


@pytest.mark.parametrize("hide_seen", [True, False])
def test_the_lists_are_those_that_recommend_shows(hide_seen: bool) -> None:
    rng = np.random.default_rng(1)
    items = catalog(40)
    histories = [rng.choice(40, size=rng.integers(0, 38), replace=False).tolist() for _ in range(30)]
    asked = holdout(histories, [[int(code)] for code in rng.integers(0, 40, 30)])
    model = TableRecommender(items, rng.integers(0, 6, (30, 40)).astype(np.float32))
    words = [Instruction(text="funny", limits=(Limit(attribute="genres", operator="include", values=("Comedy",)),)), None] * 15
    found = evaluate(model, asked, k=10, hide_seen=hide_seen, instructions=words, batch_size=7)
    shown = model.recommend(prepare(asked.queries, hide_seen=hide_seen, instructions=words))
    assert [[items.item_ids[code] for code in row if code >= 0] for row in found.top] == [
        [item.item for item in answer.items] for answer in shown
    ]


def test_one_call_a_batch_and_progress_is_told() -> None:
    model, progress = TableRecommender(ITEMS, TABLE), Counting()
    evaluate(model, ASKED, batch_size=2, progress=progress)
    assert model.calls == 2
    assert progress.seen == [("evaluate table", 3), 2, 3]


def test_scores_made_once_serve_every_filter() -> None:
    model = TableRecommender(ITEMS, TABLE)
    scores = score_holdout(model, ASKED, batch_size=2)
    assert model.calls == 2
    for hide_seen in (True, False):
        again = evaluate_scores(scores, ASKED, ITEMS, k=4, hide_seen=hide_seen)
        direct = evaluate(model, ASKED, k=4, hide_seen=hide_seen)
        assert np.array_equal(again.targets.ranks, direct.targets.ranks)
        assert np.array_equal(again.top, direct.top)


def test_a_target_that_may_not_be_shown_is_missed_and_counted() -> None:
    repeated = holdout([[0]], [[0, 1]])
    found = evaluate(TableRecommender(ITEMS, TABLE), repeated)
    assert found.targets.num_unreachable == 1
    assert found.value("recall@6") == 0.5


def test_an_instruction_narrows_the_list() -> None:
    drama = Instruction(text="drama", limits=(Limit(attribute="genres", operator="include", values=("Drama",)),))
    found = evaluate(TableRecommender(ITEMS, TABLE), ASKED, k=3, instructions=[drama] * 3)
    assert found.top.tolist() == [[1, 2, -1], [2, -1, -1], [2, 1, -1]]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="3 queries x 6 items"):
        evaluate_scores(TABLE[:2], ASKED, ITEMS)
    with pytest.raises(DataError, match="1 instructions for 3 queries"):
        evaluate(TableRecommender(ITEMS, TABLE), ASKED, instructions=[None])


def test_an_empty_holdout_has_no_value() -> None:
    nobody = evaluate(TableRecommender(ITEMS, TABLE), holdout([], []), k=5)
    assert len(nobody) == 0
    assert np.isnan(nobody.value("ndcg@10"))
    assert nobody.top.shape == (0, 5)
