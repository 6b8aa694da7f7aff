"""Training by epochs: what stops it. That an interrupted one goes on to the same bits is shown by the models that use it."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from instructrec.core import Silent
from instructrec.errors import ConfigError, ModelError
from instructrec.tuning.epochs import EpochConfig, EpochTraining

CONFIG = EpochConfig(epochs=8, check_every=1, patience=2, learning_rate=0.1)


class Towards:
    """A number that is drawn towards 1; from a step on its loss is no number."""

    def __init__(self, broken_from: int = 10**6) -> None:
        self.network: nn.Module = nn.Linear(1, 1, bias=False)
        self.broken_from, self.steps = broken_from, 0

    def batches(self, epoch: int) -> list[Tensor]:
        return [torch.ones(3, 1), torch.ones(1, 1)]

    def size(self, batch: Tensor) -> int:
        return len(batch)

    def backward(self, batch: Tensor, mean_size: float) -> float:
        self.steps += 1
        loss = ((self.network(batch) - 1) ** 2).sum()
        (loss / mean_size).backward()
        return float("nan") if self.steps >= self.broken_from else float(loss.detach())


def trained(task: Towards, checks: list[float] | None = None, config: EpochConfig = CONFIG) -> EpochTraining:
    training = EpochTraining(task.network, config, name="towards", seed=0, key="")
    values = iter(checks or ())
    training.run(task, Silent(), None, (lambda: next(values)) if checks else None)
    return training


def test_a_loss_that_is_no_number_ends_it_with_the_step_and_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"'towards' is no number any more at step 5 of 16.*--set towards.learning_rate=0.01"):
        trained(Towards(broken_from=5))


def test_it_stops_when_validation_has_not_risen_and_keeps_the_best_state() -> None:
    torch.manual_seed(0)
    stopped, task = Towards(), Towards()
    task.network.load_state_dict(stopped.network.state_dict())
    training = trained(stopped, [0.1, 0.5, 0.4, 0.3, 0.9])
    assert [point["valid_ndcg"] for point in training.curve] == [0.1, 0.5, 0.4, 0.3]
    other = EpochTraining(task.network, CONFIG, name="towards", seed=0, key="")
    with pytest.raises(StopIteration):
        other.run(task, Silent(), None, iter([0.1, 0.5]).__next__)
    torch.testing.assert_close(stopped.network.state_dict(), other.best)


def test_without_checks_it_goes_to_the_end_and_learns() -> None:
    torch.manual_seed(0)
    training = trained(Towards(), config=replace(CONFIG, epochs=30))
    assert len(training.curve) == 30
    assert training.curve[-1]["loss"] < 0.05 * training.curve[0]["loss"]


@pytest.mark.parametrize("name", ["learning_rate", "check_every", "epochs", "patience", "weight_decay"])
def test_settings_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        EpochConfig(**{name: -1})
