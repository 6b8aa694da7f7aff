"""Losses of a next item over a catalog: published formulas, unbiased estimates, gradients, and what a step costs."""

import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.models.sasrec import Sasrec, SasrecConfig
from instructrec.models.sequence_losses import CatalogLoss, LossKind, gbce, gbce_beta, sampled_softmax
from instructrec.models.sequences import NextItems
from instructrec.tuning.epochs import EpochTraining

KINDS: tuple[LossKind, ...] = ("cross_entropy", "sampled_softmax", "gbce")


def drawn(num_items: int = 50, width: int = 8, size: int = 400) -> tuple[Tensor, Tensor, Tensor]:
    """States, targets and a table with logits of the size of 3."""
    torch.manual_seed(0)
    states, table = torch.randn(size, width), torch.randn(num_items, width)
    return states, torch.randint(num_items, (size,)), table.requires_grad_()


def of(kind: LossKind, *, negatives: int = 9, calibration: float = 0.75, low: bool = False) -> CatalogLoss:
    return CatalogLoss(kind, 0 if kind == "cross_entropy" else negatives, calibration, low=low)


def test_beta_is_that_of_the_paper() -> None:
    """By hand, for 256 negatives of 3,417 items: alpha = 256 / 3416 = .07494145; t = .75 gives 1 - .75 (1 - alpha) = .30620609."""
    assert gbce_beta(256, 3417, 0.75) == pytest.approx(0.30620609, abs=1e-8)
    assert gbce_beta(256, 3417, 0.0) == pytest.approx(1), "t = 0 is binary cross-entropy"
    assert gbce_beta(256, 3417, 1.0) == pytest.approx(256 / 3416), "t = 1 calibrates in full"
    assert gbce_beta(49, 50, 0.5) == pytest.approx(1), "all items are negatives: nothing is overconfident"


def test_gbce_is_that_of_the_paper() -> None:
    """One target, two negatives, beta .5, by hand: s+ = 1, s- = 0 and -2.

    -(.5 log s(1) + log(1 - s(0)) + log(1 - s(-2))) / 3 = (.5 x .31326169 + .69314718 + .12692801) / 3 = .32556868
    """
    own, others = torch.tensor([1.0]), torch.tensor([[0.0, -2.0]])
    assert float(gbce(own, others, 0.5)) == pytest.approx(0.32556868, abs=1e-6)
    # A negative that is the target is none: the divisor stays.
    hit = torch.tensor([[0.0, -torch.inf]], requires_grad=True)
    found = gbce(own, hit, 0.5)
    assert float(found.detach()) == pytest.approx((0.5 * 0.31326169 + 0.69314718) / 3, abs=1e-6)
    assert torch.autograd.grad(found, hit)[0].isfinite().all()


def test_gbce_calibrates_what_sampling_makes_overconfident() -> None:
    """With t = 1, the sigmoid that minimises the expected loss is the probability of the item (theorem of the paper).

    An item with the probability p is the target with chance p, and one of k uniform negatives of the other n - 1 else.
    """
    p, k, n = 0.2, 25, 101
    beta = gbce_beta(k, n, 1.0)
    s = torch.linspace(-6, 6, 120_001, dtype=torch.float64)
    expected = -(p * beta * functional.logsigmoid(s) + (1 - p) * k / (n - 1) * functional.logsigmoid(-s))
    best = float(torch.sigmoid(s[expected.argmin()]))
    assert best == pytest.approx(p, abs=1e-4)
    plain = -(p * functional.logsigmoid(s) + (1 - p) * k / (n - 1) * functional.logsigmoid(-s))
    assert float(torch.sigmoid(s[plain.argmin()])) == pytest.approx(p / (p + (1 - p) * k / (n - 1)), abs=1e-4)


def test_negatives_estimate_the_loss_over_the_catalog() -> None:
    states, targets, table = drawn()
    whole, _ = of("cross_entropy").backward(0.4 * states, targets, table, 1.0)
    found = [of("sampled_softmax", negatives=25).backward(0.4 * states, targets, table, 1.0)[0] for _ in range(100)]
    # The logarithm of a sum of some is a little low on average; the sum inside it is exact (the next test).
    assert np.mean(found) == pytest.approx(whole, rel=0.02)


def test_the_sum_inside_the_sampled_softmax_is_unbiased() -> None:
    states, targets, table = drawn(size=1)
    logits = (states @ table.detach().T)[0]
    own = logits[targets]
    others = torch.arange(50)[torch.arange(50) != targets]
    wanted = float(logits[others].exp().sum())
    torch.manual_seed(3)
    sums = []
    for _ in range(4000):
        negatives = torch.randint(50, (1, 10))
        seen = logits[negatives].masked_fill(negatives == targets, -torch.inf)
        # exp(loss) = (e^own + sum) / e^own
        loss = float(sampled_softmax(own, seen, 50))
        sums.append((math.exp(loss) - 1) * float(own.exp()[0]))
    assert np.mean(sums) == pytest.approx(wanted, rel=4 * np.std(sums) / np.sqrt(len(sums)) / wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("large", [False, True], ids=["whole-table", "by-rows"])
def test_gradients_are_those_of_autograd(monkeypatch: pytest.MonkeyPatch, kind: LossKind, large: bool) -> None:
    monkeypatch.setattr("instructrec.models.sequence_losses.SHARED_BY", 64)
    monkeypatch.setattr("instructrec.models.sequence_losses.LOGITS_AT_ONCE", 50 * 30)
    if large:
        monkeypatch.setattr("instructrec.models.sequence_losses.LARGE_CATALOG", 10)
    states, targets, table = drawn()
    torch.manual_seed(5)
    total, by_states = of(kind).backward(states, targets, table, 7.0)
    assert table.grad is not None
    assert table.grad.is_sparse == (large and kind != "cross_entropy")
    by_table = table.grad.to_dense() if table.grad.is_sparse else table.grad
    torch.manual_seed(5)
    leaf, items = states.clone().requires_grad_(), table.detach().clone().requires_grad_()
    loss = torch.zeros(())
    if kind == "cross_entropy":
        loss = functional.cross_entropy(leaf @ items.T, targets, reduction="sum")
    else:
        negatives = torch.randint(50, (7, 9))
        for piece, (some, wanted) in enumerate(zip(leaf.split(64), targets.split(64), strict=True)):
            others = (some @ items[negatives[piece]].T).masked_fill(wanted[:, None] == negatives[piece], -torch.inf)
            own = (some * items[wanted]).sum(dim=1)
            loss = loss + (gbce(own, others, gbce_beta(9, 50, 0.75)) if kind == "gbce" else sampled_softmax(own, others, 50))
    (loss / 7.0).backward()
    assert total == pytest.approx(float(loss.detach()), rel=1e-5)
    torch.testing.assert_close(by_states, leaf.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(by_table, items.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_add_up_to_what_is_there(kind: LossKind) -> None:
    states, targets, table = drawn()
    torch.manual_seed(1)
    of(kind).backward(states, targets, table, 1.0)
    assert table.grad is not None
    once = table.grad.clone()
    torch.manual_seed(1)
    of(kind).backward(states, targets, table, 1.0)
    torch.testing.assert_close(table.grad, 2 * once)


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_logits_give_numbers_and_numbers_that_are_none_are_not_hidden(kind: LossKind) -> None:
    states, targets, table = drawn()
    total, by_states = of(kind).backward(states * 1e4, targets, table, 1.0)
    assert math.isfinite(total)
    assert by_states.isfinite().all()
    states[3, 2] = torch.nan
    assert math.isnan(of(kind).backward(states, targets, table, 1.0)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_products_are_close(kind: LossKind) -> None:
    states, targets, table = drawn()
    found = []
    for low in (False, True):
        torch.manual_seed(2)
        table.grad = None
        total, by_states = of(kind, low=low).backward(states, targets, table, 1.0)
        assert table.grad is not None
        assert by_states.dtype == table.grad.dtype == torch.float32
        found.append((total, by_states, table.grad))
    assert found[1][0] == pytest.approx(found[0][0], rel=0.01)
    for exact, short in zip(found[0][1:], found[1][1:], strict=True):
        assert float((short - exact).norm() / exact.norm()) < 0.02


def test_a_batch_without_targets_costs_and_changes_nothing() -> None:
    _, _, table = drawn()
    for kind in KINDS:
        total, by_states = of(kind).backward(torch.zeros(0, 8), torch.zeros(0, dtype=torch.int64), table, 1.0)
        assert total == 0
        assert by_states.shape == (0, 8)
    assert table.grad is None


def test_as_many_negatives_as_items_are_the_catalog_itself() -> None:
    states, targets, table = drawn()
    whole = of("cross_entropy").backward(states, targets, table, 1.0)[0]
    assert of("sampled_softmax", negatives=49).backward(states, targets, table, 1.0)[0] == whole
    assert of("gbce", negatives=400).drawn(50) == 49


def step_of(num_items: int) -> Callable[[], None]:
    """One step of training with sampled negatives on a catalog of that size, optimiser and all."""
    config = SasrecConfig(width=16, blocks=1, loss="sampled_softmax", negatives=64, dropout=0.0)
    rng = np.random.default_rng(0)
    histories = [rng.integers(0, num_items, size=40) for _ in range(64)]
    torch.manual_seed(0)
    task = NextItems(Sasrec.network(num_items, config), config, histories, seed=0)
    training = EpochTraining(task.network, config, name="sasrec", seed=0, key="", by_rows=task.by_rows)
    batch = task.batches(0)[0]

    def step() -> None:
        for optimizer in training.optimizers:
            optimizer.zero_grad()
        task.backward(batch, 2560.0)
        for optimizer in training.optimizers:
            optimizer.step()

    return step


def test_a_step_costs_the_same_at_a_hundred_thousand_and_at_a_million_items() -> None:
    """Ten times the items at most twice the time; with a gradient of the whole table it is eight times."""
    steps = {size: step_of(size) for size in (100_000, 1_000_000)}
    times: dict[int, list[float]] = {size: [] for size in steps}
    for repeat in range(12):
        for size, step in steps.items():
            began = time.process_time()
            step()
            if repeat > 1:
                times[size].append(time.process_time() - began)
    assert statistics.median(times[1_000_000]) < 2 * statistics.median(times[100_000])
