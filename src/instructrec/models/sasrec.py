"""`sasrec`: self-attention over the history predicts the next item (Kang and McAuley 2018, arXiv 1808.09781).

Trained as later work found it strongest: whole sequences, every item a target, cross-entropy over the catalog (Klenitskiy and
Vasilev 2023, arXiv 2309.07602), or over the target and uniform negatives. Sampled negatives make a model overconfident (Petrov
and Macdonald 2023, arXiv 2308.07192); here they count for all items that were not drawn, so the loss estimates the full one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.instructions.tasks import chunks
from instructrec.models.memory import check_positive
from instructrec.models.sasrec_network import Network
from instructrec.models.storage import read_model, write_model
from instructrec.models.validation import ndcg_check
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray
from instructrec.tuning.epochs import EpochConfig, EpochTraining

QUERIES_AT_ONCE = 256
LOGITS_AT_ONCE = 2**21
"""8 MB of logits: they are made, used and freed in the cache, which is 1.7 times as fast as a batch in one piece."""


@dataclass(frozen=True, kw_only=True)
class SasrecConfig(EpochConfig):
    """Shape and training of `sasrec`."""

    width: int = field(default=64, metadata={"help": "width of item vectors and states"})
    blocks: int = field(default=2, metadata={"help": "attention blocks"})
    heads: int = field(default=1, metadata={"help": "attention heads; they divide the width"})
    dropout: float = field(default=0.2, metadata={"help": "dropout on inputs, attention and both parts of a block"})
    max_history: int = field(default=50, metadata={"help": "history items the model reads"})
    negatives: int = field(default=0, metadata={"help": "uniform negatives a batch; 0: cross-entropy over the whole catalog"})
    batch_users: int = field(default=128, metadata={"help": "histories an optimiser step"})

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "blocks", "heads", "max_history", "batch_users"):
            check_positive(name, getattr(self, name))
        if self.width % self.heads:
            raise ConfigError(f"heads is {self.heads}, but must divide the width {self.width}. Use heads=1.")
        if not 0 <= self.dropout < 1 or self.negatives < 0:
            raise ConfigError("dropout must lie between 0 and 1; negatives must be 0 or more.")


class NextItems:
    """The task of `tuning.epochs`: every item of a history is a target of what stands before it."""

    def __init__(self, network: Network, config: SasrecConfig, histories: Sequence[IntArray], seed: int) -> None:
        self.network, self.config, self.histories, self.seed = network, config, histories, seed

    @property
    def key(self) -> str:
        """What a kept state belongs to."""
        content = hashlib.sha256(b"".join(history.tobytes() for history in self.histories)).hexdigest()
        return repr((asdict(self.config), self.seed, self.network.items.num_embeddings, len(self.histories), content))

    def size(self, batch: Tensor) -> int:
        """Items of a batch."""
        return int((batch >= 0).sum())

    def backward(self, batch: Tensor, mean_size: float) -> float:
        """Gradients of the batch; the sum over targets (nats)."""
        states = self.network(batch[:, :-1].clamp(min=0)).flatten(0, 1)
        # The gradient of plain indexing adds in the order of threads, that of an embedding does not.
        states = functional.embedding((batch >= 0).flatten().nonzero()[:, 0], states)
        targets, num_items = batch[batch >= 0], self.network.items.num_embeddings
        drawn = self.config.negatives if self.config.negatives < num_items - 1 else 0
        negatives, total = torch.randint(num_items, (drawn,)), 0.0
        rows, leaf = max(1, LOGITS_AT_ONCE // (drawn + 1 if drawn else num_items)), states.detach().requires_grad_()
        for some, wanted in zip(torch.split(leaf, rows), torch.split(targets, rows), strict=True):
            nats = self.network.nats(some, wanted, negatives)
            (nats / mean_size).backward()  # type: ignore[no-untyped-call]
            total += float(nats.detach())
        states.backward(leaf.grad)  # type: ignore[no-untyped-call]
        return total

    def batches(self, epoch: int) -> list[Tensor]:
        """Histories in pieces, those of similar length together, int64 [batch, length] each, -1 behind the end."""
        rng, size = np.random.default_rng([self.seed, epoch]), self.config.batch_users
        # The start and `max_history` items give one target more.
        pieces = [chunk.items for chunk in chunks(self.histories, length=self.config.max_history + 1, rng=rng)]
        order = rng.permutation(len(pieces))
        order = order[np.argsort([len(pieces[k]) for k in order], kind="stable")]
        groups = np.split(order, range(size, len(order), size))
        return [_padded([pieces[k] for k in groups[g]]) for g in rng.permutation(len(groups))]


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
            task = NextItems(self._network, self.config, histories, context.seed)
            training = EpochTraining(self._network, self.config, name=self.name, seed=context.seed, key=task.key)
            if histories:
                check = ndcg_check(self, context) if self.config.patience else None
                training.run(task, context.progress, context.folder, check)
        self._network.eval()
        self.curve = training.curve
        return self

    def _ready(self) -> Network:
        if self._network is None:
            raise ModelError("Model 'sasrec' has not been trained yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._network

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Logits float32 [num_queries, num_items], from the last `max_history` items; without any, from the start alone."""
        network = self._ready().eval()
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
