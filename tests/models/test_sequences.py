"""Models of the next item: the contract, what they learn and keep, and that an interrupted fit goes on to the same bits."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from tests.contracts import NEW_ITEMS, WORLD, RecommenderContract, history_of, leave_last_out

from instructrec.core import FitContext, Query
from instructrec.data.synthetic import chain
from instructrec.errors import ConfigError, ModelError
from instructrec.models.esasrec import Esasrec, EsasrecConfig
from instructrec.models.gru4rec import Gru4rec, Gru4recConfig
from instructrec.models.sasrec import Sasrec, SasrecConfig
from instructrec.models.sequence_layers import Dropout
from instructrec.models.sequences import NextItems, SequenceModel
from instructrec.models.validation import ndcg_check
from instructrec.tables import Dataset
from instructrec.tuning.epochs import KEPT

SMALL = SasrecConfig(width=32, epochs=60, batch_users=8, learning_rate=5e-3, dropout=0.1, patience=0)
SHORT = {"width": 32, "epochs": 60, "batch_users": 8, "learning_rate": 5e-3, "dropout": 0.1, "patience": 0}
SAMPLED = {"loss": "sampled_softmax", "negatives": 8}
MODELS: dict[str, SequenceModel[Any]] = {
    "sasrec": Sasrec(SMALL),
    "esasrec": Esasrec(EsasrecConfig(**SHORT | {"negatives": 8})),
    "gru": Gru4rec(Gru4recConfig(**SHORT | {"hidden": 32})),
    "lstm": Gru4rec(Gru4recConfig(**SHORT | {"hidden": 32, "cell": "lstm"})),
}
each_model = pytest.mark.parametrize("kind", MODELS)


def anew(kind: str, **changes: Any) -> SequenceModel[Any]:
    """An unfitted model of a kind, small, with some other settings."""
    model = MODELS[kind]
    return type(model)(replace(model.config, **changes))


pytestmark = pytest.mark.usefixtures("one_thread")


class SequenceContract(RecommenderContract):
    """Products are rounded by the shape of the batch, so alone and in a batch agree to some last digits."""

    kind: ClassVar[str]
    batch_tolerance = 1e-5
    checkerboard_share = 1.0

    @classmethod
    def make(cls) -> SequenceModel[Any]:
        return anew(cls.kind, patience=5)


class TestSasrec(SequenceContract):
    kind = "sasrec"


class TestEsasrec(SequenceContract):
    kind = "esasrec"


class TestGru(SequenceContract):
    kind = "gru"


class TestLstm(SequenceContract):
    kind = "lstm"


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


def share_of_right_next_steps(model: SequenceModel[Any], world: Dataset) -> float:
    """Over prefixes of 1 to 8 items that start anywhere, whether the item after them comes first, seen ones included."""
    size, names = len(world.catalog), world.catalog.item_ids
    prefixes = [(np.arange(start, start + length) % size) for start in range(size) for length in range(1, 9)]
    scores = model.score([Query(history=tuple(names[code] for code in prefix)) for prefix in prefixes])
    return float(np.mean(scores.argmax(axis=1) == [(prefix[-1] + 1) % size for prefix in prefixes]))


@each_model
@pytest.mark.parametrize(
    "loss",
    [{"loss": "cross_entropy", "negatives": 0}, SAMPLED, {"loss": "gbce", "negatives": 8}],
    ids=["cross-entropy", "sampled-softmax", "gbce"],
)
def test_it_learns_the_chain(kind: str, loss: dict[str, Any]) -> None:
    world = chain()
    model = anew(kind, epochs=40, **loss).fit(world, FitContext(seed=1))
    assert share_of_right_next_steps(model, world) >= 0.99
    assert model.curve[-1]["loss"] < 0.5 * model.curve[0]["loss"]


def test_long_histories_are_learned_in_pieces_of_which_every_item_is_a_target() -> None:
    world = chain()
    model = Sasrec(replace(SMALL, max_history=4, epochs=40)).fit(world, FitContext(seed=1))
    assert share_of_right_next_steps(model, world) >= 0.99
    histories = world.interactions.histories()
    batches = NextItems(Sasrec.network(20, model.config), model.config, histories, seed=1).batches(3)
    items = torch.cat([batch[batch >= 0] for batch in batches]).numpy()
    assert max(batch.shape[1] for batch in batches) == 5
    np.testing.assert_array_equal(np.bincount(items), np.bincount(world.interactions.items))


def test_a_model_that_reads_more_heads_and_blocks_learns_too() -> None:
    world = chain()
    for kind, more in (("sasrec", {"heads": 4, "blocks": 3}), ("esasrec", {"heads": 2, "expansion": 2}), ("gru", {"layers": 2})):
        model = anew(kind, epochs=30, **more).fit(world, FitContext(seed=2))
        assert share_of_right_next_steps(model, world) >= 0.99


@each_model
def test_a_state_sees_nothing_that_comes_after_it(kind: str) -> None:
    torch.manual_seed(0)
    network = type(MODELS[kind]).network(20, MODELS[kind].config).eval()
    items = torch.randint(20, (2, 9))
    other = items.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 20
    with torch.inference_mode():
        torch.testing.assert_close(network(items)[:, :6], network(other)[:, :6])
        assert not torch.allclose(network(items)[:, 6:], network(other)[:, 6:])


@each_model
@pytest.mark.parametrize("at", [1, 10, 17])
@pytest.mark.parametrize("large", [False, True], ids=["whole-table", "by-rows"])
def test_an_interrupted_fit_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, at: int, large: bool
) -> None:
    train, queries, targets = leave_last_out(WORLD)
    changes: dict[str, Any] = {"epochs": 6, "check_every": 2, "patience": 2}
    if large:
        monkeypatch.setattr("instructrec.models.sequence_losses.LARGE_CATALOG", 10)
        changes |= SAMPLED
    validation = (queries, targets)
    whole = anew(kind, **changes).fit(train, FitContext(validation=validation, seed=3))
    with pytest.raises(KeyboardInterrupt):
        anew(kind, **changes).fit(train, FitContext(validation=validation, seed=3, progress=StopAt(at), folder=tmp_path))
    assert bool(list(tmp_path.iterdir())) == (at > 3), "three steps an epoch: nothing is kept before the first is over"
    progress = StopAt(-1)
    resumed = anew(kind, **changes).fit(train, FitContext(validation=validation, seed=3, progress=progress, folder=tmp_path))
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

    monkeypatch.setattr("instructrec.models.sequences.ndcg_check", lambda model, context: lambda: check(model))
    model = Sasrec(replace(SMALL, epochs=20, check_every=1, patience=2))
    model.fit(train, FitContext(validation=(queries, targets), seed=1))
    assert [point["valid_ndcg"] for point in model.curve] == [0.1, 0.3, 0.3, 0.2]
    np.testing.assert_array_equal(model.score(queries), seen[1])
    assert not np.array_equal(seen[1], seen[3])


@each_model
def test_the_state_that_is_asked_for_alone_is_that_of_the_whole(kind: str) -> None:
    torch.manual_seed(0)
    network = type(MODELS[kind]).network(20, MODELS[kind].config).eval()
    items, last = torch.randint(20, (5, 9)), torch.tensor([9, 0, 4, 1, 8])
    with torch.inference_mode():
        torch.testing.assert_close(network(items, last)[:, 0], network(items)[torch.arange(5), last], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("at_once", [2**24, 4 * 30, 1], ids=["together", "four", "one-by-one"])
def test_the_check_is_the_ndcg_of_the_lists(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("instructrec.models.validation.SCORES_AT_ONCE", at_once)
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


@each_model
def test_new_items_get_the_mean_and_old_scores_stay(tmp_path: Path, kind: str) -> None:
    train, _, _ = leave_last_out(WORLD)
    model = anew(kind, epochs=5).fit(train)
    model.save(tmp_path)
    grown = type(model).load(tmp_path, WORLD.catalog.add(NEW_ITEMS))
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
    [
        {"heads": 5},
        {"dropout": 1.0},
        {"calibration": 1.5},
        {"negatives": -1, "loss": "gbce"},
        {"negatives": 0, "loss": "sampled_softmax"},
        {"negatives": 8, "loss": "cross_entropy"},
        {"width": 0},
        {"max_history": 0},
        {"blocks": 0},
    ],
    ids=lambda wrong: "-".join(f"{key}={value}" for key, value in wrong.items()),
)
def test_settings_that_do_not_fit_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SasrecConfig(**wrong)


def test_shapes_of_the_other_networks_are_refused_by_name() -> None:
    for kind, wrong in (
        (EsasrecConfig, "expansion"),
        (EsasrecConfig, "heads"),
        (Gru4recConfig, "layers"),
        (Gru4recConfig, "hidden"),
    ):
        with pytest.raises(ConfigError, match=wrong):
            kind(**{wrong: 0})


@each_model
def test_a_learning_rate_that_is_absurd_stops_with_the_step_and_what_to_do(kind: str) -> None:
    train, _, _ = leave_last_out(WORLD)
    model = anew(kind, learning_rate=1e30)
    with pytest.raises(ModelError, match=rf"no number any more at step \d+ of .*--set {model.name}\.learning_rate=1e\+29"):
        model.fit(train)


@each_model
def test_bfloat16_learns_the_same_within_its_digits(kind: str) -> None:
    """Eight bits of a mantissa: losses of an epoch agree to a hundredth, and what is learned is the same."""
    world = chain()
    exact, short = (
        anew(kind, epochs=30, dropout=0.0, precision=precision).fit(world, FitContext(seed=1))
        for precision in ("float32", "bfloat16")
    )
    assert all(np.isfinite(point["loss"]) for point in short.curve)
    assert short.curve[0]["loss"] == pytest.approx(exact.curve[0]["loss"], rel=0.01)
    assert short.curve[0]["loss"] != exact.curve[0]["loss"], "something was rounded"
    assert share_of_right_next_steps(short, world) >= 0.99
    assert short.score([Query()]).dtype == np.float32


def test_data_in_which_nothing_comes_next_is_named_as_such() -> None:
    first = WORLD.interactions.offsets[:-1]
    rows = np.zeros(len(WORLD.interactions), dtype=np.bool_)
    rows[first] = True
    once = WORLD.with_interactions(WORLD.interactions.keep(rows))
    nothing = WORLD.with_interactions(WORLD.interactions.keep(np.zeros_like(rows)))
    for model in MODELS.values():
        assert model.unfit_for(WORLD) == ""
        for poor in (once, nothing):
            assert f"'{model.name}'" in model.unfit_for(poor)
            assert "two interactions" in model.unfit_for(poor)


FIT = """
import re, sys, tempfile
from pathlib import Path
import torch
from instructrec.core import FitContext
from instructrec.data.synthetic import chain
from instructrec.models import resolve

torch.set_num_threads(1)
world, kind = chain(num_users=64, num_items=200), resolve(sys.argv[1])
model = kind(kind.config_type(epochs=1, max_history=200, batch_users=64))


def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])


# The peak so far is forgotten: that of the process which started this one counts, too.
Path("/proc/self/clear_refs").write_text("5")
before = peak()
with tempfile.TemporaryDirectory() as folder:
    model.fit(world, FitContext(folder=Path(folder)))
print(peak() - before, model.bytes_needed(world))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak on Linux only")
@pytest.mark.parametrize("name", ["esasrec", "gru4rec"])
def test_the_memory_of_a_fit_is_foreseen(name: str) -> None:
    found = subprocess.run([sys.executable, "-c", FIT, name], capture_output=True, text=True, check=True)
    grown, foreseen = (int(word) for word in found.stdout.split())
    assert grown <= foreseen <= 5 * grown


def test_dropout_keeps_the_share_and_the_mean_and_does_nothing_when_it_is_not_trained() -> None:
    torch.manual_seed(0)
    states, layer = torch.ones(1001, 999, requires_grad=True), Dropout(0.3)
    out = layer(states)
    kept = out != 0
    assert float(kept.float().mean()) == pytest.approx(1 - 77 / 256, abs=2e-3)
    assert float(out.detach().mean()) == pytest.approx(1, abs=3e-3)
    # Every place of the eight bytes of a random word has its chance.
    shares = kept.flatten()[: 8 * (kept.numel() // 8)].view(-1, 8).float().mean(dim=0)
    torch.testing.assert_close(shares, torch.full((8,), 1 - 77 / 256), rtol=0, atol=6e-3)
    out.sum().backward()
    torch.testing.assert_close(states.grad, out.detach())
    assert Dropout(0.0)(states) is states
    assert Dropout(0.999)(states).isfinite().all()
    assert layer.eval()(states) is states
