"""Self-attention over histories: the contract, what it learns and keeps, and that an interrupted fit goes on to the same bits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.contracts import NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out

from instructrec.core import FitContext, Query
from instructrec.data.synthetic import chain
from instructrec.errors import ConfigError
from instructrec.models.sasrec import Network, NextItems, Sasrec, SasrecConfig
from instructrec.models.validation import ndcg_check
from instructrec.tables import Dataset
from instructrec.tuning.epochs import KEPT

SMALL = SasrecConfig(width=32, epochs=60, batch_users=8, learning_rate=5e-3, dropout=0.1, patience=0)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Products this small gain nothing from threads, and wait long for them on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TestSasrec(RecommenderContract):
    """Products are rounded by the shape of the batch, so alone and in a batch agree to some last digits."""

    @classmethod
    def make(cls) -> Sasrec:
        return Sasrec(replace(SMALL, patience=5))

    batch_tolerance = 1e-5
    checkerboard_share = 1.0


class StopAt:
    """Progress that pulls the plug after a step."""

    def __init__(self, step: int) -> None:
        self.at, self.total, self.losses = step, 0, list[float]()

    def stage(self, name: str, *, total: int) -> None:
        self.total = total

    def step(self, done: int, *, loss: float | None = None) -> None:
        assert done <= self.total
        if loss is not None:
            self.losses.append(loss)
        if done == self.at:
            raise KeyboardInterrupt


def share_of_right_next_steps(model: Sasrec, world: Dataset) -> float:
    """Over prefixes of 1 to 8 items that start anywhere, whether the item after them comes first, seen ones included."""
    size, names = len(world.catalog), world.catalog.item_ids
    prefixes = [(np.arange(start, start + length) % size) for start in range(size) for length in range(1, 9)]
    scores = model.score([Query(history=tuple(names[code] for code in prefix)) for prefix in prefixes])
    return float(np.mean(scores.argmax(axis=1) == [(prefix[-1] + 1) % size for prefix in prefixes]))


@pytest.mark.parametrize("negatives", [0, 8], ids=["whole-catalog", "sampled-negatives"])
def test_it_learns_the_chain(negatives: int) -> None:
    world = chain()
    model = Sasrec(replace(SMALL, negatives=negatives, epochs=40)).fit(world, FitContext(seed=1))
    assert share_of_right_next_steps(model, world) >= 0.99
    assert model.curve[-1]["loss"] < 0.5 * model.curve[0]["loss"]


def test_long_histories_are_learned_in_pieces_of_which_every_item_is_a_target() -> None:
    world = chain()
    model = Sasrec(replace(SMALL, max_history=4, epochs=40)).fit(world, FitContext(seed=1))
    assert share_of_right_next_steps(model, world) >= 0.99
    histories = world.interactions.histories()
    batches = NextItems(Network(20, model.config), model.config, histories, seed=1).batches(3)
    items = torch.cat([batch[batch >= 0] for batch in batches]).numpy()
    assert max(batch.shape[1] for batch in batches) == 5
    np.testing.assert_array_equal(np.bincount(items), np.bincount(world.interactions.items))


def test_a_model_that_reads_more_heads_and_blocks_learns_too() -> None:
    world = chain()
    model = Sasrec(replace(SMALL, heads=4, blocks=3, epochs=30)).fit(world, FitContext(seed=2))
    assert share_of_right_next_steps(model, world) >= 0.99


def test_negatives_estimate_the_loss_over_the_catalog() -> None:
    torch.manual_seed(0)
    network = Network(50, SMALL)
    states, targets = torch.randn(400, SMALL.width), torch.randint(50, (400,))
    with torch.inference_mode():
        network.items.weight.mul_(3)
        whole = float(network.nats(states, targets, torch.tensor([], dtype=torch.int64))) / 400
        drawn = [float(network.nats(states, targets, torch.randint(50, (25,)))) / 400 for _ in range(40)]
    assert np.mean(drawn) == pytest.approx(whole, abs=0.03)


def test_a_state_sees_nothing_that_comes_after_it() -> None:
    torch.manual_seed(0)
    network = Network(20, SMALL).eval()
    items = torch.randint(20, (2, 9))
    other = items.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 20
    with torch.inference_mode():
        torch.testing.assert_close(network(items)[:, :6], network(other)[:, :6])
        assert not torch.allclose(network(items)[:, 6:], network(other)[:, 6:])


def test_losses_in_parts_give_the_gradient_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    world, config = chain(), replace(SMALL, dropout=0.0)
    weights = []
    for logits in (2**21, 100):
        monkeypatch.setattr("instructrec.models.sasrec.LOGITS_AT_ONCE", logits)
        torch.manual_seed(5)
        task = NextItems(Network(20, config), config, world.interactions.histories(), seed=0)
        task.backward(task.batches(0)[0], 100.0)
        weights.append(task.network.items.weight.grad)
    torch.testing.assert_close(weights[0], weights[1])


@pytest.mark.parametrize("negatives", [0, 6])
@pytest.mark.parametrize("at", [1, 10, 17])
def test_an_interrupted_fit_goes_on_to_the_same_bits(tmp_path: Path, at: int, negatives: int) -> None:
    train, queries, targets = leave_last_out(WORLD)
    config = replace(SMALL, epochs=6, check_every=2, patience=2, negatives=negatives)
    validation = (queries, targets)
    whole = Sasrec(config).fit(train, FitContext(validation=validation, seed=3))
    with pytest.raises(KeyboardInterrupt):
        Sasrec(config).fit(train, FitContext(validation=validation, seed=3, progress=StopAt(at), folder=tmp_path))
    assert bool(list(tmp_path.iterdir())) == (at > 3), "three steps an epoch: nothing is kept before the first is over"
    progress = StopAt(-1)
    resumed = Sasrec(config).fit(train, FitContext(validation=validation, seed=3, progress=progress, folder=tmp_path))
    np.testing.assert_array_equal(resumed.score(queries), whole.score(queries))
    assert resumed.curve == whole.curve
    assert len(progress.losses) == 18 - (at - 1) // 3 * 3, "only what was not done is done again"


def test_a_finished_fit_is_not_done_again_but_one_of_other_settings_seed_or_data_is(tmp_path: Path) -> None:
    train, queries, _ = leave_last_out(WORLD)
    config = replace(SMALL, epochs=2)
    first = Sasrec(config).fit(train, FitContext(seed=3, folder=tmp_path))
    again = StopAt(-1)
    np.testing.assert_array_equal(
        Sasrec(config).fit(train, FitContext(seed=3, folder=tmp_path, progress=again)).score(queries), first.score(queries)
    )
    assert not again.losses
    for settings, seed, data in ((replace(config, dropout=0.3), 3, train), (config, 4, train), (config, 3, WORLD)):
        anew = StopAt(-1)
        Sasrec(settings).fit(data, FitContext(seed=seed, folder=tmp_path, progress=anew))
        assert anew.losses


def test_a_kept_state_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    train, queries, _ = leave_last_out(WORLD)
    config = replace(SMALL, epochs=1)
    (tmp_path / KEPT).write_bytes(b"half a file")
    broken = Sasrec(config).fit(train, FitContext(folder=tmp_path))
    np.testing.assert_array_equal(broken.score(queries), Sasrec(config).fit(train).score(queries))


def test_the_best_state_by_validation_is_kept_and_patience_ends_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    train, queries, targets = leave_last_out(WORLD)
    found: Iterator[float] = iter([0.1, 0.3, 0.3, 0.2, 0.9])
    seen: list[np.ndarray] = []

    def check(model: Sasrec) -> float:
        seen.append(model.score(queries))
        return next(found)

    monkeypatch.setattr("instructrec.models.sasrec.ndcg_check", lambda model, context: lambda: check(model))
    model = Sasrec(replace(SMALL, epochs=20, check_every=1, patience=2))
    model.fit(train, FitContext(validation=(queries, targets), seed=1))
    assert [point["valid_ndcg"] for point in model.curve] == [0.1, 0.3, 0.3, 0.2]
    np.testing.assert_array_equal(model.score(queries), seen[1])
    assert not np.array_equal(seen[1], seen[3])


def test_the_check_is_the_ndcg_of_the_lists() -> None:
    train, queries, targets = leave_last_out(WORLD)
    # A target that may not be shown gains nothing, here and in a list.
    queries[0] = replace(queries[0], exclude=frozenset([WORLD.catalog.item_ids[targets[0]]]))
    context = FitContext(validation=(queries, targets), seed=1)
    model = Sasrec(replace(SMALL, epochs=5, patience=1)).fit(train, context)
    lists = [[item.item for item in answer.items] for answer in model.recommend(queries)]
    wanted = [WORLD.catalog.item_ids[code] for code in targets]
    gains = [1 / np.log2(2 + shown.index(item)) if item in shown else 0.0 for shown, item in zip(lists, wanted, strict=True)]
    check = ndcg_check(model, context)
    assert check is not None
    assert 0 < check() == pytest.approx(np.mean(gains))
    assert max(point.get("valid_ndcg", 0.0) for point in model.curve) == pytest.approx(np.mean(gains))


def test_without_patience_or_validation_nothing_is_checked() -> None:
    train, queries, targets = leave_last_out(WORLD)
    unchecked = Sasrec(replace(SMALL, epochs=2)).fit(train, FitContext(validation=(queries, targets)))
    alone = Sasrec(replace(SMALL, epochs=2, patience=5)).fit(train)
    assert unchecked.curve == alone.curve
    assert not any("valid_ndcg" in point for point in alone.curve)
    np.testing.assert_array_equal(unchecked.score(queries), alone.score(queries))


def test_the_random_numbers_of_others_are_left_alone() -> None:
    train, _, _ = leave_last_out(WORLD)
    torch.manual_seed(11)
    wanted = torch.rand(3)
    torch.manual_seed(11)
    Sasrec(replace(SMALL, epochs=1)).fit(train, FitContext(seed=5))
    torch.testing.assert_close(torch.rand(3), wanted, rtol=0, atol=0)


def test_new_items_get_the_mean_and_old_scores_stay(tmp_path: Path) -> None:
    train, _, _ = leave_last_out(WORLD)
    model = Sasrec(replace(SMALL, epochs=5)).fit(train)
    model.save(tmp_path)
    grown = Sasrec.load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
    query = [Query(history=history_of(3)), Query()]
    scores, size = grown.score(query), len(WORLD.catalog)
    np.testing.assert_allclose(scores[:, :size], model.score(query), atol=1e-5)
    np.testing.assert_allclose(scores[:, size:], scores[:, :size].mean(axis=1, keepdims=True).repeat(2, axis=1), atol=1e-5)


def test_without_a_history_the_start_has_learned_what_comes_first() -> None:
    """Its shares are those of the first items of all histories."""
    world = chain(num_users=40, num_items=10, seed=1)
    counts = np.bincount([history[0] for history in world.interactions.histories()], minlength=10)
    model = Sasrec(replace(SMALL, dropout=0.0)).fit(world)
    scores = model.score([Query()])[0]
    shares = np.exp(scores - np.logaddexp.reduce(scores))
    np.testing.assert_allclose(shares, counts / counts.sum(), atol=0.05)


def test_data_without_interactions_gives_a_model_that_answers() -> None:
    nothing = WORLD.with_interactions(WORLD.interactions.keep(np.zeros(len(WORLD.interactions), dtype=np.bool_)))
    model = Sasrec(SMALL).fit(nothing)
    assert np.isfinite(model.score([Query(), Query(history=history_of(0))])).all()


@pytest.mark.parametrize(
    "wrong",
    [{"heads": 5}, {"dropout": 1.0}, {"negatives": -1}, {"width": 0}, {"max_history": 0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_settings_that_do_not_fit_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SasrecConfig(**wrong)
