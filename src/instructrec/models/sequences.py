"""What models of the next item share: whole histories as training data, batches without padding work, scores, a folder.

A history is read once and every item of it is a target of what stands before it (whole-sequence training), so a pass over the data
costs one reading of each history, not one for each target. A model says what its network is.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError, ModelError
from instructrec.instructions.tasks import chunks
from instructrec.models.memory import check_positive
from instructrec.models.sequence_layers import SequenceNetwork
from instructrec.models.sequence_losses import CatalogLoss, LossKind
from instructrec.models.storage import read_model, write_model
from instructrec.models.validation import ndcg_check
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray
from instructrec.tuning.epochs import EpochConfig, EpochTraining

QUERIES_AT_ONCE = 64
"""More of 200 items do not stay in the cache: 256 took 1.1 (`gru4rec`) to 1.6 (`sasrec`) times as long."""
WEIGHT_COPIES = 10
"""Weights, gradients, two moments and the best weights; all but the gradients again as the bytes of the file that is kept."""
ARRAYS_AN_OUTPUT = 4
"""Arrays as large as the output of a matrix that stay until its gradient is made: itself, its normalised or rectified form and the
like, and a gradient."""
TABLES = ("items.weight", "places")


@dataclass(frozen=True, kw_only=True)
class SequenceConfig(EpochConfig):
    """What every model of the next item is told. Those of a model inherit from it."""

    width: int = field(default=64, metadata={"help": "width of item vectors and states"})
    dropout: float = field(default=0.2, metadata={"help": "dropout on inputs and on what each layer adds, in steps of 1/256"})
    max_history: int = field(default=50, metadata={"help": "history items the model reads"})
    loss: LossKind = field(
        default="cross_entropy",
        metadata={"help": "cross_entropy over the whole catalog; sampled_softmax or gbce over the target and negatives"},
    )
    negatives: int = field(default=0, metadata={"help": "uniform negatives a target, for the sampled losses"})
    calibration: float = field(default=0.75, metadata={"help": "t of gbce: 0 is binary cross-entropy, 1 calibrates in full"})
    batch_users: int = field(default=128, metadata={"help": "histories an optimiser step"})
    precision: Literal["float32", "bfloat16"] = field(
        default="float32",
        metadata={"help": "numbers that training multiplies; bfloat16 is faster only where the processor multiplies it"},
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("width", "max_history", "batch_users"):
            check_positive(name, getattr(self, name))
        if not 0 <= self.dropout < 1 or not 0 <= self.calibration <= 1:
            raise ConfigError(
                f"dropout is {self.dropout} and calibration {self.calibration}; dropout must lie between 0 and 1, "
                "calibration between 0 and 1 (both included)."
            )
        if self.negatives < 0 or (self.negatives > 0) != (self.loss != "cross_entropy"):
            raise ConfigError(
                f"negatives is {self.negatives} with loss '{self.loss}'. cross_entropy counts the whole catalog: negatives=0. "
                "sampled_softmax and gbce draw negatives for a target: negatives=256."
            )

    def check_heads(self, heads: int) -> None:
        """Raise ConfigError where attention heads do not divide the width."""
        check_positive("heads", heads)
        if self.width % heads:
            raise ConfigError(f"heads is {heads}, but must divide the width {self.width}. Use heads=1.")


ConfigT = TypeVar("ConfigT", bound=SequenceConfig)


class NextItems:
    """The task of `tuning.epochs`: every item of a history is a target of what stands before it."""

    def __init__(self, network: SequenceNetwork, config: SequenceConfig, histories: Sequence[IntArray], seed: int) -> None:
        self.network, self.config, self.histories, self.seed = network, config, histories, seed
        self.low = config.precision == "bfloat16"
        self.loss = CatalogLoss(config.loss, config.negatives, config.calibration, low=self.low)

    @property
    def key(self) -> str:
        """What a kept state belongs to."""
        content = hashlib.sha256(b"".join(history.tobytes() for history in self.histories)).hexdigest()
        return repr((asdict(self.config), self.seed, self.network.items.num_embeddings, len(self.histories), content))

    @property
    def by_rows(self) -> tuple[str, ...]:
        """Parameters whose gradients name the rows that a step met, and so are updated in these rows only."""
        return ("items.weight",) if self.loss.by_rows(self.network.items.num_embeddings) else ()

    def size(self, batch: Tensor) -> int:
        """Items of a batch."""
        return int((batch >= 0).sum())

    def backward(self, batch: Tensor, mean_size: float) -> float:
        """Gradients of the batch; the sum over targets (nats)."""
        self.network.items.sparse = bool(self.by_rows)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            states = self.network(batch[:, :-1].clamp(min=0)).float().flatten(0, 1)
        # The gradient of plain indexing adds in the order of threads, that of an embedding does not.
        states = functional.embedding((batch >= 0).flatten().nonzero()[:, 0], states)
        total, by_states = self.loss.backward(states, batch[batch >= 0], self.network.items.weight, mean_size)
        states.backward(by_states)  # type: ignore[no-untyped-call]
        return total

    def batches(self, epoch: int) -> list[Tensor]:
        """Histories in pieces, those of similar length together, int64 [batch, length] each, -1 behind the end."""
        rng, size = np.random.default_rng([self.seed, epoch]), self.config.batch_users
        # The start and `max_history` items give one target more.
        pieces = [chunk.items for chunk in chunks(self.histories, length=self.config.max_history + 1, rng=rng)]
        order = rng.permutation(len(pieces))
        order = order[np.argsort([len(pieces[k]) for k in order], kind="stable")]
        groups = np.split(order, range(size, len(order), size))
        return [padded([pieces[k] for k in groups[g]]) for g in rng.permutation(len(groups))]


class SequenceModel(Recommender, Generic[ConfigT]):
    """A network over histories scores the catalog by the dot product of its last state and the vector of each item.

    Somebody without a history gets the scores of the learned start: what histories begin with. An item that training never met
    keeps the vector it was drawn with, near 0, unless the loss pushed it away; one that is added to the catalog later gets the mean
    of all vectors. `curve` holds the mean loss of every epoch, and NDCG@10 where it was checked.
    """

    log_scale: ClassVar[bool] = True
    config_type: ClassVar[type[SequenceConfig]]
    config: ConfigT

    def __init__(self, config: ConfigT | None = None) -> None:
        self.config = config or self.config_type()  # type: ignore[assignment]
        self.curve: list[dict[str, float]] = []
        self._network: SequenceNetwork | None = None

    @classmethod
    @abstractmethod
    def network(cls, num_items: int, config: ConfigT) -> SequenceNetwork:
        """The network for so many items, with new weights from torch's generator."""

    def unfit_for(self, dataset: Dataset) -> str:
        """Nothing comes next where nobody has two interactions."""
        if int(np.diff(dataset.interactions.offsets).max(initial=0)) >= 2:
            return ""
        return f"'{self.name}' learns what comes next, but no user has two interactions; it needs users with at least two."

    def bytes_needed(self, dataset: Dataset) -> int:
        """Copies of the weights, what each matrix leaves of a batch for its gradient, and 64 MB for logits, scores of a check."""
        with torch.device("meta"):
            named = dict(self.network(len(dataset.catalog), self.config).named_parameters())
        outputs = sum(len(value) for name, value in named.items() if value.dim() == 2 and name not in TABLES)
        longest = int(np.diff(dataset.interactions.offsets).max(initial=0))
        states = self.config.batch_users * (min(longest, self.config.max_history) + 1)
        weights = sum(value.numel() for value in named.values())
        return 4 * (WEIGHT_COPIES * weights + ARRAYS_AN_OUTPUT * outputs * states + 2**24)

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Train on the histories of the dataset: minutes. Interrupted work in `context.folder` goes on after its last epoch."""
        context = context or FitContext()
        self.catalog = dataset.catalog
        histories = [history for history in dataset.interactions.histories() if len(history)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            self._network = self.network(len(self.catalog), self.config)
            task = NextItems(self._network, self.config, histories, context.seed)
            training = EpochTraining(
                self._network, self.config, name=self.name, seed=context.seed, key=task.key, by_rows=task.by_rows
            )
            if histories:
                check = ndcg_check(self, context) if self.config.patience else None
                training.run(task, context.progress, context.folder, check)
        self._network.eval()
        self.curve = training.curve
        return self

    def _ready(self) -> SequenceNetwork:
        if self._network is None:
            raise ModelError(f"Model '{self.name}' has not been trained yet. Call fit(dataset) or load(folder, catalog) first.")
        return self._network

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Logits float32 [num_queries, num_items], from the last `max_history` items; without any, from the start alone."""
        network = self._ready().eval()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        histories = [self.catalog.codes(query.history)[-self.config.max_history :] for query in queries]
        # Those of similar length together, so that nothing is read that is not there.
        order = np.argsort([len(history) for history in histories], kind="stable")
        for first in range(0, len(order), QUERIES_AT_ONCE):
            rows = order[first : first + QUERIES_AT_ONCE]
            items = padded([histories[row] for row in rows])
            with torch.inference_mode():
                states = network(items.clamp(min=0), (items >= 0).sum(dim=1))
                out[rows] = (states[:, 0] @ network.items.weight.T).numpy()
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
        self = cls(config)  # type: ignore[arg-type]
        self.catalog, self.curve = catalog, json.loads((folder / "curve.json").read_text(encoding="utf-8"))
        weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
        items = weights["items.weight"]
        if len(catalog) > num_items:
            weights["items.weight"] = torch.cat([items, items.mean(dim=0).expand(len(catalog) - num_items, -1)])
        with torch.device("meta"):
            self._network = cls.network(len(catalog), self.config).eval()
        self._network.load_state_dict(weights, assign=True)
        return self


def padded(rows: Sequence[IntArray]) -> Tensor:
    """Rows of unequal length as one int64 tensor [num_rows, longest], -1 behind the end."""
    out = np.full((len(rows), max((len(row) for row in rows), default=0)), -1, dtype=np.int64)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return torch.from_numpy(out)
