"""Training of small networks by epochs, stopped by validation; an interrupted fit goes on to the same bits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from instructrec.core import Progress
from instructrec.errors import ConfigError, ModelError
from instructrec.files import write_atomic
from instructrec.tuning.loop import one_cycle
from instructrec.tuning.row_adam import RowAdamW

WARMUP = 0.05
"""Share of the training in which the learning rate rises."""
KEPT = "epochs.safetensors"
"""The file of an unfinished fit."""

BatchT = TypeVar("BatchT")


@dataclass(frozen=True, kw_only=True)
class EpochConfig:
    """How long and how fast a network is trained. The settings of its model inherit from it."""

    epochs: int = field(default=60, metadata={"help": "passes over the training data"})
    learning_rate: float = field(default=1e-3, metadata={"help": "peak of the one-cycle schedule"})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay"})
    check_every: int = field(default=3, metadata={"help": "epochs between checks of NDCG@10 on validation"})
    patience: int = field(default=5, metadata={"help": "checks without a better one that end the training; 0: no checks"})

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)) or self.check_every < 1:
            raise ConfigError(
                f"learning_rate is {self.learning_rate} and check_every {self.check_every}; "
                "the rate must be above 0, and checks at least one epoch apart."
            )
        if min(self.epochs, self.patience, self.weight_decay) < 0:
            raise ConfigError("epochs, patience and weight_decay must be 0 or more.")


class Task(Protocol[BatchT]):
    """What is trained: batches, and how a batch becomes gradients."""

    def batches(self, epoch: int) -> Sequence[BatchT]:
        """The batches of an epoch, which follow from its number only."""

    def size(self, batch: BatchT) -> int:
        """Targets of a batch."""

    def backward(self, batch: BatchT, mean_size: float) -> float:
        """Add the gradients of the batch's summed loss / `mean_size` (targets a batch in this epoch, so that none weighs more
        because its batch is small); return the sum.
        """


class EpochTraining:
    """AdamW with a one-cycle schedule; data and dropout follow from seed and epoch, so a resumed run sees what a whole one sees.

    `curve` has one point an epoch (mean loss, NDCG@10 where it was checked), and so says where training stands. `key` names what a
    kept state belongs to: other settings, data or seeds begin anew. Parameters in `by_rows` have sparse gradients, and a step costs
    their rows that it met (`row_adam`).
    """

    def __init__(
        self, network: nn.Module, config: EpochConfig, *, name: str, seed: int, key: str, by_rows: Sequence[str] = ()
    ) -> None:
        self.network, self.config, self.name, self.seed, self.key = network, config, name, seed, key
        self.named = dict(network.named_parameters())
        rate, decay = config.learning_rate, config.weight_decay
        tables = [value for name, value in self.named.items() if name in by_rows]
        others = [value for name, value in self.named.items() if name not in by_rows]
        self.optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, lr=rate, weight_decay=decay, fused=True)]
        if tables:
            self.optimizers.append(RowAdamW(tables, lr=rate, weight_decay=decay))
        self.moments = {name: self.optimizers[1 if name in by_rows else 0].state for name in self.named}
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}

    def run(self, task: Task[BatchT], progress: Progress, folder: Path | None, check: Callable[[], float] | None) -> None:
        """Train to the end, or until `check` (higher is better) has not risen for long; the best state stays in the network.

        Raises ModelError when the loss is no number any more.
        """
        path = folder / KEPT if folder is not None else None
        if path is not None and path.is_file():
            self._resume(path)
        steps, epochs = len(task.batches(0)), self.config.epochs
        progress.stage(f"train {self.name}", total=epochs * steps)
        while len(self.curve) < epochs and not 0 < self.config.patience <= self._checks_since_the_best():
            loss = self._epoch(task, progress, steps)
            self.curve.append({"step": (len(self.curve) + 1) * steps, "loss": loss})
            if check is not None and (len(self.curve) % self.config.check_every == 0 or len(self.curve) == epochs):
                self.curve[-1]["valid_ndcg"] = check()
                if self._checks_since_the_best() == 0:
                    self.best = {name: value.detach().clone() for name, value in self.named.items()}
            if path is not None:
                self._save(path)
        progress.step(epochs * steps)
        if self.best:
            with torch.no_grad():
                for name, value in self.named.items():
                    value.copy_(self.best[name])

    def _checks_since_the_best(self) -> int:
        checks = [point["valid_ndcg"] for point in self.curve if "valid_ndcg" in point]
        return len(checks) - 1 - checks.index(max(checks)) if checks else 0

    def _epoch(self, task: Task[BatchT], progress: Progress, steps: int) -> float:
        epoch, total = len(self.curve), 0.0
        batches = task.batches(epoch)
        torch.manual_seed(self.seed * 1_000_003 + epoch + 1)
        self.network.train()
        sizes = [task.size(batch) for batch in batches]
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / self.config.epochs
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["lr"] = self.config.learning_rate * one_cycle(done, warmup=WARMUP)
                optimizer.zero_grad(set_to_none=True)
            loss = task.backward(batch, sum(sizes) / len(batches))
            if not math.isfinite(loss):
                raise ModelError(self._diverged(epoch * steps + number + 1, epochs=self.config.epochs, steps=steps))
            for optimizer in self.optimizers:
                optimizer.step()
            total += loss
            # Batches are drawn anew, so epochs may differ by one; the bar counts the steps of the first one.
            progress.step(epoch * steps + min(number + 1, steps), loss=loss / max(sizes[number], 1))
        return total / max(sum(sizes), 1)

    def _diverged(self, step: int, *, epochs: int, steps: int) -> str:
        rate = self.config.learning_rate
        return (
            f"The loss of '{self.name}' is no number any more at step {step:,} of {epochs * steps:,}: the training has diverged. "
            f"Lower the learning rate, now {rate:g}: --set {self.name}.learning_rate={rate / 10:g}"
        )

    def _save(self, path: Path) -> None:
        """Weights, moments, best weights and the curve in one file, so that they always belong together."""
        tensors = {f"w.{name}": value.detach() for name, value in self.named.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for name, value in self.named.items():
            tensors |= {f"{key}.{name}": moment for key, moment in self.moments[name][value].items()}
        write_atomic(path, to_bytes(tensors, {"key": self.key, "curve": json.dumps(self.curve)}))

    def _resume(self, path: Path) -> None:
        try:
            with safe_open(str(path), framework="pt") as file:
                facts, kept = file.metadata() or {}, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except SafetensorError:
            return
        if facts.get("key") != self.key:
            return
        with torch.no_grad():
            for name, value in self.named.items():
                value.copy_(kept[f"w.{name}"])
                moments = {key: kept.get(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                if all(moment is not None for moment in moments.values()):
                    self.moments[name][value] = moments
        self.best = {name: kept[f"best.{name}"] for name in self.named if f"best.{name}" in kept}
        self.curve = json.loads(facts["curve"])
