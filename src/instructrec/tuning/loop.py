"""The tuning loop: one visible loop that can be interrupted at any step and goes on to the same result, bit for bit."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from instructrec.core import Progress
from instructrec.files import write_atomic
from instructrec.generation.trie import Trie
from instructrec.lm.item_model import ItemTable, ItemTokenModel
from instructrec.lm.memory import STEPS_BETWEEN_RELEASES, release_freed
from instructrec.tables import Catalog
from instructrec.tuning.packing import Choices, Encoded, PackedBatch, fill_rows, pack


@dataclass(frozen=True, kw_only=True)
class StepConfig:
    """How one optimiser step goes."""

    batch_tokens: int = field(default=2400, metadata={"help": "tokens an optimiser step"})
    learning_rate: float = field(default=1e-3, metadata={"help": "peak of the one-cycle schedule"})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay"})
    warmup: float = field(default=0.1, metadata={"help": "share of the steps in which the learning rate rises"})
    clip: float = field(default=1.0, metadata={"help": "largest norm of the gradient"})
    save_every_s: float = field(default=60.0, metadata={"help": "seconds between saved states of an unfinished run"})


@dataclass(frozen=True, kw_only=True)
class TuningConfig(StepConfig):
    """How long and how fast a recommender is tuned."""

    epochs: int = field(default=6, metadata={"help": "passes over all histories"})
    row_length: int = field(default=160, metadata={"help": "tokens a packed row; longer where one example needs it"})
    dropout: float = field(default=0.2, metadata={"help": "dropout on item inputs and on answers"})


def batches_of(encoded: Sequence[Encoded], config: TuningConfig, rng: np.random.Generator, *, padding: int) -> list[PackedBatch]:
    """Rows in random order, as long as the longest example needs: one written token by token outgrows `row_length`."""
    lengths = [len(example.tokens) for example in encoded]
    length = max(config.row_length, *lengths)
    rows = fill_rows(lengths, length)
    rows = [rows[int(place)] for place in rng.permutation(len(rows))]
    size = max(1, config.batch_tokens // length)
    groups = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [pack(encoded, group, padding=padding, length=length) for group in groups]


@dataclass(slots=True, kw_only=True)
class TuningState:
    """Where the loop stands: finished steps, and the curve of training and validation loss so far."""

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a flag that the loop reads between steps; a second one interrupts at once.

    Weights, optimiser moments and the step count then always belong together. Outside the main thread nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.getsignal(signal.SIGINT)
    asked: list[int] = []

    def remember(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, previous)


BatchT = TypeVar("BatchT")


class TuningLoop(Generic[BatchT]):
    """AdamW with a one-cycle schedule (Smith and Topin 2017, arXiv 1708.07120) over batches of any kind.

    `loss` gives the loss of a batch that is minimised, and the number that the curve shows.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[BatchT], tuple[Tensor, float]],
        config: StepConfig,
        *,
        steps: int,
        seed: int,
    ) -> None:
        self.loss = loss
        self.config = config
        self.steps = max(steps, 1)
        self.seed = seed
        self.named = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.optimizer = torch.optim.AdamW(self.named.values(), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.state = TuningState()

    def run(
        self,
        batches: Callable[[int], list[BatchT]],
        *,
        progress: Progress,
        folder: Path | None,
        check: Callable[[], float] | None = None,
        stage: str = "tune",
    ) -> None:
        """Tune to the end. `batches` of an epoch follow from its number only, so that a resumed run sees the same data.

        `check` measures the validation loss (nats) after each epoch, and leaves the model as it is tuned; state is kept in
        `folder`, if given. `stage` is what progress calls it.
        """
        self._resume(folder)
        progress.stage(stage, total=self.steps)
        saved = time.monotonic()
        with deferred_interrupt() as interrupted:
            for epoch, batch, last in self._remaining(batches):
                loss = self._step(batch)
                self.state.step += 1
                self.state.curve.append({"step": self.state.step, "epoch": epoch + 1, "loss": loss})
                progress.step(self.state.step, loss=loss)
                if self.state.step % STEPS_BETWEEN_RELEASES == 0:
                    release_freed()
                if last and check is not None and not interrupted():
                    self.state.curve.append({"step": self.state.step, "epoch": epoch + 1, "valid_loss": check()})
                if folder is not None and (interrupted() or time.monotonic() - saved > self.config.save_every_s):
                    self._save(folder)
                    saved = time.monotonic()
                if interrupted():
                    raise KeyboardInterrupt

    def _remaining(self, batches: Callable[[int], list[BatchT]]) -> Iterator[tuple[int, BatchT, bool]]:
        """(epoch, batch, is it the last of the epoch) for every step that is not done yet."""
        number, epoch = 0, 0
        while number < self.steps:
            rows = batches(epoch)
            for k, batch in enumerate(rows):
                if number >= self.steps:
                    return
                number += 1
                if number > self.state.step:
                    yield epoch, batch, k + 1 == len(rows) or number == self.steps
            epoch += 1

    def _step(self, batch: BatchT) -> float:
        # Dropout follows from seed and step alone: a resumed run draws what an uninterrupted one would have drawn.
        torch.manual_seed(self.seed * 1_000_003 + self.state.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * one_cycle(self.state.step / self.steps, warmup=self.config.warmup)
        loss, shown = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.named.values(), self.config.clip)
        self.optimizer.step()
        return shown

    def _save(self, folder: Path) -> None:
        """Keep weights, optimiser moments and the curve; the small JSON is written last and names the step it belongs to."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"w.{name}": value.detach() for name, value in self.named.items()}
        for name, value in self.named.items():
            moments = self.optimizer.state.get(value, {})
            tensors |= {f"{key}.{name}": moments[key] for key in ("exp_avg", "exp_avg_sq", "step") if key in moments}
        path = folder / f"state-{self.state.step}.safetensors"
        save_file({key: value.contiguous() for key, value in tensors.items()}, str(path))
        write_atomic(folder / "state.json", json.dumps({"step": self.state.step, "of": self.steps, "curve": self.state.curve}))
        for old in folder.glob("state-*.safetensors"):
            if old != path:
                old.unlink()

    def _resume(self, folder: Path | None) -> None:
        note = folder / "state.json" if folder is not None else None
        if folder is None or note is None or not note.is_file():
            return
        facts = json.loads(note.read_text(encoding="utf-8"))
        path = folder / f"state-{facts['step']}.safetensors"
        if facts["of"] != self.steps or not path.is_file():
            return
        tensors = load_file(str(path))
        with torch.no_grad():
            for name, value in self.named.items():
                value.copy_(tensors[f"w.{name}"])
                if f"exp_avg.{name}" in tensors:
                    self.optimizer.state[value] = {key: tensors[f"{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        self.state = TuningState(step=int(facts["step"]), curve=list(facts["curve"]))


def one_cycle(done: float, *, warmup: float) -> float:
    """Learning rate as a share of its peak when the share `done` of the steps is: cosine up during warm-up, down to zero after."""
    warmup = max(warmup, 1e-9)
    phase = 1 - done / warmup if done < warmup else (done - warmup) / max(1 - warmup, 1e-9)
    low = 0.04 if done < warmup else 0.0
    return low + (1 - low) * 0.5 * (1 + float(np.cos(np.pi * min(max(phase, 0.0), 1.0))))


def losses(model: ItemTokenModel, batch: PackedBatch, trie: Trie, catalog: Catalog) -> tuple[Tensor, float]:
    """Weighted mean cross-entropy over all answers, and the mean over next items alone (nats an item).

    Where a question has limits, its answer is chosen among the items of `catalog` that meet them: what serving enforces has not to
    be learnt, only what the words say beyond it.
    """
    items = model.table()
    hidden = model.hidden(batch.batch, items).flatten(0, 1)
    chosen = _losses(_logits(model, hidden, batch.next_items, items), batch.next_items, trie)
    next_item = chosen.sum() / max(batch.num_next, 1)
    total, weight = next_item * batch.num_next, float(batch.num_next)
    if len(batch.items):
        asked = _asked(model, hidden, batch, items, trie, _masks(batch, catalog))
        total, weight = total + (asked * batch.item_weights[batch.item_owners]).sum(), weight + float(batch.item_weights.sum())
    if len(batch.word_places):
        told = _told(model, hidden, batch)
        total, weight = total + (told * batch.word_weights).sum(), weight + float(batch.word_weights.sum())
    return total / max(weight, 1.0), float(next_item.detach())


def word_losses(model: ItemTokenModel, batch: PackedBatch) -> Tensor:
    """Loss (nats) of each token of the answers in words, among all words, float32 [num_tokens]."""
    return _told(model, model.hidden(batch.batch, model.table()).flatten(0, 1), batch)


def _told(model: ItemTokenModel, hidden: Tensor, batch: PackedBatch) -> Tensor:
    return functional.cross_entropy(model.word_logits(hidden[batch.word_places]), batch.word_targets, reduction="none")


def answer_scores(model: ItemTokenModel, batch: PackedBatch, trie: Trie, items: ItemTable) -> Tensor:
    """Log-probability (nats, among all items) of the target of each question that asks for an item, float32 [num_questions]."""
    hidden = model.hidden(batch.batch, items).flatten(0, 1)
    asked = _asked(model, hidden, batch, items, trie)
    return -torch.zeros(len(batch.item_weights)).index_add(0, batch.item_owners, asked)


def _masks(batch: PackedBatch, catalog: Catalog) -> Tensor | None:
    """The items among which each question's answer is chosen, bool [num_questions, num_items]; none where all are free."""
    if not any(batch.item_limits):
        return None
    return torch.from_numpy(np.stack([catalog.matching(limits) for limits in batch.item_limits]))


def _asked(
    model: ItemTokenModel, hidden: Tensor, batch: PackedBatch, items: ItemTable, trie: Trie, masks: Tensor | None = None
) -> Tensor:
    """Loss (nats) of each choice of the items that are asked for, float32 [num_choices]."""
    # A tensor as large as the choices, not an indexed one: gradients of plain indexing add in the order of threads.
    pooled = functional.embedding(batch.item_owners, model.pool(batch.word_ids, batch.word_owners, len(batch.item_weights)))
    masks = masks if masks is None else masks[batch.item_owners]
    return _losses(_logits(model, hidden, batch.items, items, pooled), batch.items, trie, masks)


def _logits(model: ItemTokenModel, hidden: Tensor, choices: Choices, items: ItemTable, words: Tensor | None = None) -> Tensor:
    if model.written is None:
        return model.logits(hidden[choices.places], items, words)
    written = hidden[choices.places] * (choices.places != choices.starts)[:, None]
    return model.logits(hidden[choices.starts], items, words, written=written)


def _losses(logits: Tensor, choices: Choices, trie: Trie, masks: Tensor | None = None) -> Tensor:
    """Cross-entropy (nats) of each chosen token among the branches of its node, float32 [num_choices].

    `masks` bool [num_choices, num_items]: only branches to these items are there.

    A distribution over what exists: the sum over the tokens of a code is the log-probability of its item among all items.
    """
    if len(trie.most_children) == 2 and trie.most_children[0] == logits.shape[1]:
        # Every token is an item, and all of them compete: nothing has to be picked out.
        free = logits if masks is None else logits.masked_fill(~masks, -torch.inf)
        return functional.cross_entropy(free, choices.targets, reduction="none")
    tokens, exist = trie.children(choices.nodes, None if masks is None else trie.allow(masks))
    place = ((tokens == choices.targets[:, None]) & exist).int().argmax(dim=1)
    return functional.cross_entropy(logits.gather(1, tokens).masked_fill(~exist, -torch.inf), place, reduction="none")
