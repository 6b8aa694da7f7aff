"""`sasrec`: self-attention over the history predicts the next item (Kang and McAuley 2018, arXiv 1808.09781).

Trained as later work found it strongest: whole sequences, every item a target, cross-entropy over the catalog (Klenitskiy and
Vasilev 2023, arXiv 2309.07602), or over the target and uniform negatives. Sampled negatives make a model overconfident (Petrov
and Macdonald 2023, arXiv 2308.07192); here they count for all items that were not drawn, so the loss estimates the full one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor
from torch.nn import functional

from instructrec.core import FitContext, Progress, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.files import write_atomic
from instructrec.instructions.tasks import chunks
from instructrec.models.memory import check_positive
from instructrec.models.sasrec_network import Network
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray
from instructrec.tuning.loop import one_cycle

CHECK_USERS = 1000
"""Validation queries behind each check."""
QUERIES_AT_ONCE = 256
LOGITS_AT_ONCE = 2**21
"""8 MB of logits: they are made, used and freed in the cache, which is 1.7 times as fast as a batch in one piece."""
WARMUP = 0.05
"""Share of the training in which the learning rate rises."""


@dataclass(frozen=True, kw_only=True)
class SasrecConfig:
    """Shape and training of `sasrec`."""

    width: int = field(default=64, metadata={"help": "width of item vectors and states"})
    blocks: int = field(default=2, metadata={"help": "attention blocks"})
    heads: int = field(default=1, metadata={"help": "attention heads; they divide the width"})
    dropout: float = field(default=0.2, metadata={"help": "dropout on inputs, attention and both parts of a block"})
    max_history: int = field(default=50, metadata={"help": "history items the model reads"})
    negatives: int = field(default=0, metadata={"help": "uniform negatives a batch; 0: cross-entropy over the whole catalog"})
    epochs: int = field(default=60, metadata={"help": "passes over all histories"})
    batch_users: int = field(default=128, metadata={"help": "histories an optimiser step"})
    learning_rate: float = field(default=1e-3, metadata={"help": "peak of the one-cycle schedule"})
    weight_decay: float = field(default=0.01, metadata={"help": "AdamW weight decay"})
    check_every: int = field(default=3, metadata={"help": "epochs between checks of NDCG@10 on validation"})
    patience: int = field(default=5, metadata={"help": "checks without a better one that end the training; 0: no checks"})

    def __post_init__(self) -> None:
        for name in ("width", "blocks", "heads", "max_history", "batch_users", "learning_rate", "check_every"):
            check_positive(name, getattr(self, name))
        if self.width % self.heads:
            raise ConfigError(f"heads is {self.heads}, but must divide the width {self.width}. Use heads=1.")
        if not 0 <= self.dropout < 1 or min(self.negatives, self.epochs, self.patience, self.weight_decay) < 0:
            raise ConfigError("dropout must lie between 0 and 1; negatives, epochs, patience and weight_decay must be 0 or more.")


class Training:
    """AdamW with a one-cycle schedule; data and dropout follow from seed and epoch, so a resumed run sees what a whole one sees.

    `curve` has one point an epoch (mean loss in nats, NDCG@10 where it was checked), and so says where training stands.
    """

    def __init__(self, network: Network, config: SasrecConfig, histories: Sequence[IntArray], seed: int) -> None:
        self.network, self.config, self.histories, self.seed = network, config, histories, seed
        self.named = dict(network.named_parameters())
        self.optimizer = torch.optim.AdamW(self.named.values(), lr=config.learning_rate, weight_decay=config.weight_decay)
        self.curve: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}
        content = hashlib.sha256(b"".join(history.tobytes() for history in histories)).hexdigest()
        # What a kept state belongs to: other settings or data begin anew.
        self.key = repr((asdict(config), seed, network.items.num_embeddings, len(histories), content))

    def run(self, progress: Progress, folder: Path | None, check: Callable[[], float] | None) -> None:
        """Train to the end, or until `check` (higher is better) has not risen for long; the best state stays in the network."""
        path = folder / "sasrec.safetensors" if folder is not None else None
        if path is not None and path.is_file():
            self._resume(path)
        steps, epochs = len(self._batches(0)), self.config.epochs
        progress.stage("train", total=epochs * steps)
        while len(self.curve) < epochs and not 0 < self.config.patience <= self._checks_since_the_best():
            loss = self._epoch(progress, steps)
            self.curve.append({"step": (len(self.curve) + 1) * steps, "loss": loss})
            if check is not None and (len(self.curve) % self.config.check_every == 0 or len(self.curve) == epochs):
                self.curve[-1]["valid_ndcg"] = check()
                if self._checks_since_the_best() == 0:
                    self.best = {name: value.detach().clone() for name, value in self.named.items()}
            if path is not None:
                self._save(path)
        progress.step(epochs * steps)
        if self.best:
            self.network.load_state_dict(self.best)

    def _checks_since_the_best(self) -> int:
        checks = [point["valid_ndcg"] for point in self.curve if "valid_ndcg" in point]
        return len(checks) - 1 - checks.index(max(checks)) if checks else 0

    def _epoch(self, progress: Progress, steps: int) -> float:
        epoch, total = len(self.curve), 0.0
        batches = self._batches(epoch)
        torch.manual_seed(self.seed * 1_000_003 + epoch + 1)
        self.network.train()
        num_targets = sum(int((batch >= 0).sum()) for batch in batches)
        for number, batch in enumerate(batches):
            done = (epoch + number / len(batches)) / self.config.epochs
            self.optimizer.param_groups[0]["lr"] = self.config.learning_rate * one_cycle(done, warmup=WARMUP)
            nats = self._step(batch, num_targets / len(batches))
            total += nats
            # Cuts are drawn anew, so epochs may differ by a batch; the bar counts the steps of the first one.
            progress.step(epoch * steps + min(number + 1, steps), loss=nats / int((batch >= 0).sum()))
        return total / num_targets

    def _step(self, batch: Tensor, mean_targets: float) -> float:
        """One update; the sum over targets (nats). Divided by the mean number, so that items of short histories weigh no more."""
        self.optimizer.zero_grad(set_to_none=True)
        states = self.network(batch[:, :-1].clamp(min=0)).flatten(0, 1)
        # The gradient of plain indexing adds in the order of threads, that of an embedding does not.
        states = functional.embedding((batch >= 0).flatten().nonzero()[:, 0], states)
        targets, num_items = batch[batch >= 0], self.network.items.num_embeddings
        drawn = self.config.negatives if self.config.negatives < num_items - 1 else 0
        negatives, total = torch.randint(num_items, (drawn,)), 0.0
        rows, leaf = max(1, LOGITS_AT_ONCE // (drawn + 1 if drawn else num_items)), states.detach().requires_grad_()
        for some, wanted in zip(torch.split(leaf, rows), torch.split(targets, rows), strict=True):
            nats = self.network.nats(some, wanted, negatives)
            (nats / mean_targets).backward()  # type: ignore[no-untyped-call]
            total += float(nats.detach())
        states.backward(leaf.grad)  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return total

    def _batches(self, epoch: int) -> list[Tensor]:
        """Histories in pieces, those of similar length together, int64 [batch, length] each, -1 behind the end."""
        rng, size = np.random.default_rng([self.seed, epoch]), self.config.batch_users
        # The start and `max_history` items give one target more.
        pieces = [chunk.items for chunk in chunks(self.histories, length=self.config.max_history + 1, rng=rng)]
        order = rng.permutation(len(pieces))
        order = order[np.argsort([len(pieces[k]) for k in order], kind="stable")]
        groups = np.split(order, range(size, len(order), size))
        return [_padded([pieces[k] for k in groups[g]]) for g in rng.permutation(len(groups))]

    def _save(self, path: Path) -> None:
        """Weights, moments, best weights and the curve in one file, so that they always belong together."""
        tensors = {f"w.{name}": value.detach() for name, value in self.named.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for name, value in self.named.items():
            tensors |= {f"{key}.{name}": moment for key, moment in self.optimizer.state[value].items()}
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
                self.optimizer.state[value] = {key: kept[f"{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        self.best = {name: kept[f"best.{name}"] for name in self.named if f"best.{name}" in kept}
        self.curve = json.loads(facts["curve"])


class Sasrec(Recommender):
    """Self-attentive sequential recommendation. `curve` holds the mean loss of every epoch, and NDCG@10 where it was checked."""

    name: ClassVar[str] = "sasrec"
    config_type = SasrecConfig

    def __init__(self, config: SasrecConfig | None = None) -> None:
        self.config = config or SasrecConfig()
        self.curve: list[dict[str, float]] = []
        self._network: Network | None = None

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Train on the histories of the dataset: minutes. Interrupted work in `context.folder` goes on after its last epoch."""
        context = context or FitContext()
        self.catalog = dataset.catalog
        histories = [history for history in dataset.interactions.histories() if len(history)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            self._network = Network(len(self.catalog), self.config)
            training = Training(self._network, self.config, histories, context.seed)
            if histories:
                training.run(context.progress, context.folder, self._check(context))
        self._network.eval()
        self.curve = training.curve
        return self

    def _check(self, context: FitContext) -> Callable[[], float] | None:
        """A function that gives the mean NDCG@10 of some validation targets among the allowed items; none where nobody asks."""
        if context.validation is None or not len(context.validation[0]) or not self.config.patience:
            return None
        stride = -(-len(context.validation[0]) // CHECK_USERS)
        queries, targets = list(context.validation[0])[::stride], np.array(context.validation[1])[::stride, None]
        masks, places = np.stack([allowed(query, self.catalog) for query in queries]), np.arange(len(self.catalog))

        def check() -> float:
            self._ready().eval()
            scores = np.where(masks, self.score(queries), -np.inf)
            own = np.take_along_axis(scores, targets, axis=1)
            # Ties by catalog order, as lists are ranked; a target that may not be shown gains nothing.
            ranks = 1 + ((scores > own) | ((scores == own) & (places < targets))).sum(axis=1)
            return float(np.where((ranks <= 10) & np.isfinite(own[:, 0]), 1 / np.log2(1 + ranks), 0.0).mean())

        return check

    def _ready(self) -> Network:
        if self._network is None:
            raise ModelError("Model 'sasrec' has not been trained yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._network

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Logits float32 [num_queries, num_items], from the last `max_history` items; without any, from the start alone."""
        network = self._ready()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = queries[first : first + QUERIES_AT_ONCE]
            items = _padded([self.catalog.codes(query.history)[-self.config.max_history :] for query in some])
            with torch.inference_mode():
                states = network(items.clamp(min=0))[torch.arange(len(some)), (items >= 0).sum(dim=1)]
                out[first : first + len(some)] = (states @ network.items.weight.T).numpy()
        return out

    def save(self, folder: Path) -> None:
        """Write weights and the curve."""
        arrays = {name: value.numpy() for name, value in self._ready().state_dict().items()}
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays)
        (folder / "curve.json").write_text(json.dumps(self.curve), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote. Items added at the end of the catalog since get the mean of all item vectors."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        self = cls(config)
        self.catalog, self.curve = catalog, json.loads((folder / "curve.json").read_text(encoding="utf-8"))
        weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
        items = weights["items.weight"]
        if len(catalog) > num_items:
            weights["items.weight"] = torch.cat([items, items.mean(dim=0).expand(len(catalog) - num_items, -1)])
        with torch.device("meta"):
            self._network = Network(len(catalog), config).eval()
        self._network.load_state_dict(weights, assign=True)
        return self


def _padded(rows: Sequence[IntArray]) -> Tensor:
    """Rows of unequal length as one int64 tensor [num_rows, longest], -1 behind the end."""
    out = np.full((len(rows), max((len(row) for row in rows), default=0)), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return torch.from_numpy(out)
