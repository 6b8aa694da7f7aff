"""`two_tower`: a user's history and an item each become a vector, whose product says how well they match.

Deep retrieval with a softmax over the items of the batch, corrected for how often each is drawn (Yi et al. 2019, doi
10.1145/3298689.3346996), and, where the data has more than clicks, further tasks on the same towers: what the person would rate
the item, and whether the meeting is a conversion (`conversion_kind`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch.nn import functional

from instructrec.core import Query
from instructrec.errors import ConfigError
from instructrec.models.item_features import ItemFeatures
from instructrec.models.losses import sampled_softmax_nats
from instructrec.models.memory import check_decay, check_positive
from instructrec.models.next_rows import NextRows, RowTrained
from instructrec.models.storage import read_model, write_model
from instructrec.models.two_tower_network import CONVERSION, NEXT, RATING, Network, crossed, paired
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray, Interactions, UserId
from instructrec.tuning.epochs import EpochConfig

QUERIES_AT_ONCE = 512
FACTS_FILE = "ratings.json"
SHRINKAGE = 5.0
"""Ratings at the mean of all that stand beside those of a user, before his own mean is believed."""


@dataclass(frozen=True, kw_only=True)
class TwoTowerConfig(EpochConfig):
    """Shape and training of `two_tower`: one setting that was measured, not the best of a search.

    `python -m benchmarks.accuracy --data ml-100k --models two_tower --seeds 1`: NDCG@10 .1230 in 0.9 CPU-minutes (`ridge` .1189).
    """

    epochs: int = field(default=5, metadata={"help": "passes over the training data"})
    learning_rate: float = field(default=1e-2, metadata={"help": "peak of the one-cycle schedule"})
    width: int = field(default=64, metadata={"help": "width of item and user vectors"})
    decays: tuple[float, ...] = field(
        default=(0.6, 0.9), metadata={"help": "a mean of the history for each: weight of an item relative to the one after it"}
    )
    experts: int = field(default=1, metadata={"help": "experts of the user tower, mixed by a gate a task (MMoE); 1: shared bottom"})
    dropout: float = field(default=0.2, metadata={"help": "dropout in the hidden layers of both towers"})
    batch_targets: int = field(default=2048, metadata={"help": "targets an optimiser step, each a negative of the others"})
    negatives: int = field(default=1024, metadata={"help": "items drawn a step beside those of the batch, all alike often"})
    features: bool = field(default=True, metadata={"help": "whether attributes and words of items are read"})
    cold_share: float = field(
        default=0.1, metadata={"help": "share of the items that a step shows without own vector, so that features learn to speak"}
    )
    rating_weight: float = field(
        default=0.2, metadata={"help": "weight of the loss of ratings, where there are any; 0: no such task"}
    )
    conversion_weight: float = field(default=0.2, metadata={"help": "weight of the loss of conversions; 0: no such task"})
    conversion_kind: str = field(default="purchase", metadata={"help": "the kind of interaction that is a conversion"})
    rating_say: float = field(default=0.0, metadata={"help": "what a predicted rating, in deviations, adds to the score"})
    conversion_say: float = field(default=0.0, metadata={"help": "what the log-probability of a conversion adds to the score"})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "decays", tuple(self.decays))
        for name in ("width", "experts", "batch_targets"):
            check_positive(name, getattr(self, name))
        for decay in self.decays or (0.0,):
            check_decay(decay, name="each of decays")
        if min(self.negatives, self.rating_weight, self.conversion_weight) < 0:
            raise ConfigError("negatives, rating_weight and conversion_weight must be 0 or more.")
        if not (0 <= self.dropout < 1 and 0 <= self.cold_share < 1):
            raise ConfigError("dropout and cold_share must lie between 0 and 1.")


class Matching(NextRows):
    """The task of `tuning.epochs`: the next item of every row and, where the rows say so, its rating and whether it converts."""

    def __init__(
        self, network: Network, config: TwoTowerConfig, data: Interactions, features: scipy.sparse.csr_array, seed: int
    ) -> None:
        super().__init__(data, batch_targets=config.batch_targets, seed=seed, first=True)
        self.network, self.config, self.features = network, config, features
        counts = np.bincount(data.items, minlength=features.shape[0])
        self.known, self.shares = torch.from_numpy(counts > 0), torch.from_numpy(counts / max(len(data), 1)).float()
        self.scale = RatingScale.of(data)
        self.deviations = torch.from_numpy(self.scale.deviations(data))
        self.converted = torch.tensor([kind == config.conversion_kind for kind in data.kinds])

    @property
    def key(self) -> str:
        """What a kept state belongs to."""
        return repr((asdict(self.config), self.network.tasks, self.seed, self.features.shape, self.digest(self.features)))

    def backward(self, batch: IntArray, mean_size: float) -> float:
        """Gradients of the batch; the sum over targets (nats, a squared error counts half)."""
        loss = torch.stack(list(self.losses(batch).values())).sum()
        (loss / mean_size).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    def losses(self, batch: IntArray) -> dict[str, Tensor]:
        """What each task adds to the loss of a batch, its weight included."""
        network, config, num_items = self.network, self.config, self.features.shape[0]
        cold = torch.rand(num_items) < (config.cold_share if self.features.shape[1] else 0.0)
        inputs = network.inputs(self.features, self.known & ~cold)
        users = network.user_vectors(network.pooled(inputs, self.histories(batch)))
        items, targets = network.item_vectors(inputs), torch.from_numpy(self.data.items[batch])
        drawn = torch.cat([targets, torch.randint(num_items, (config.negatives,))])
        expected = len(batch) * self.shares + config.negatives / num_items
        found = {NEXT: sampled_softmax_nats(users[NEXT], items, targets, drawn, expected[drawn])}
        own = functional.embedding(targets, items)
        if RATING in users:
            wanted = self.deviations[batch]
            rated = ~wanted.isnan()
            error = paired(users[RATING], network.side(RATING, own))[rated] - wanted[rated]
            found[RATING] = config.rating_weight * error.square().sum() / 2
        if CONVERSION in users:
            logits = paired(users[CONVERSION], network.side(CONVERSION, own))
            wanted = self.converted[batch].float()
            found[CONVERSION] = config.conversion_weight * functional.binary_cross_entropy_with_logits(
                logits, wanted, reduction="sum"
            )
        return found


@dataclass(frozen=True, kw_only=True)
class RatingScale:
    """Between ratings and what a network predicts: deviations from the user's mean, over the standard deviation of all ratings."""

    mean: float
    spread: float
    low: float
    high: float
    users: Mapping[UserId, float]

    @staticmethod
    def of(data: Interactions) -> RatingScale:
        """The scale of ratings; a user's mean is shrunk to that of all, by `SHRINKAGE` ratings."""
        rated = np.isfinite(data.ratings)
        if not rated.any():
            return RatingScale(mean=0.0, spread=1.0, low=0.0, high=0.0, users={})
        values, owners = data.ratings[rated].astype(np.float64), data.users[rated]
        mean, size = float(values.mean()), len(data.user_ids)
        sums, counts = np.bincount(owners, weights=values - mean, minlength=size), np.bincount(owners, minlength=size)
        means = mean + sums / (counts + SHRINKAGE)
        return RatingScale(
            mean=mean,
            spread=float(max(values.std(), 1e-3)),
            low=float(values.min()),
            high=float(values.max()),
            users={data.user_ids[code]: round(float(means[code]), 6) for code in np.flatnonzero(counts)},
        )

    def deviations(self, data: Interactions) -> FloatArray:
        """float32 [num_rows], NaN where nothing was rated."""
        own = np.array([self.users.get(user, self.mean) for user in data.user_ids])
        return np.asarray((data.ratings - own[data.users]) / self.spread, dtype=np.float32)

    def ratings(self, queries: Sequence[Query], deviations: FloatArray) -> FloatArray:
        """Deviations float32 [num_queries, num_items] as ratings, within what was ever given."""
        own = np.array([self.users.get(query.user or "", self.mean) for query in queries])
        return np.asarray(np.clip(own[:, None] + self.spread * deviations, self.low, self.high), dtype=np.float32)


def tasks_of(data: Interactions, config: TwoTowerConfig) -> tuple[str, ...]:
    """The tasks that data has an answer for: some ratings that differ, some rows that convert and some that do not."""
    rated = data.ratings[np.isfinite(data.ratings)]
    converts = {kind == config.conversion_kind for kind in data.kinds}
    further = {
        RATING: config.rating_weight > 0 and len(np.unique(rated)) > 1,
        CONVERSION: config.conversion_weight > 0 and len(converts) > 1,
    }
    return (NEXT, *(task for task, there in further.items() if there))


class TwoTower(RowTrained[Network]):
    """Score = user vector . item vector, and what the settings give to predicted ratings and conversions.

    A new item is scored by its attributes and words, and by the lowest score of the row where nothing is said of it. Without a
    history the user tower reads zeros, which the first items of all histories have taught it. The tables know nothing of a user
    but the history, so that is what the user tower reads: means of its items, and its length.
    """

    name: ClassVar[str] = "two_tower"
    config_type = TwoTowerConfig
    config: TwoTowerConfig

    def _begin(self, data: Interactions, features: scipy.sparse.csr_array, seed: int) -> Matching:
        self._network = Network(len(self.catalog), self._features.width, tasks_of(data, self.config), self.config)
        task = Matching(self._network, self.config, data, features, seed)
        self._scale = task.scale
        return task

    def bytes_needed(self, dataset: Dataset) -> int:
        """Weights with their moments, the towers' states and gradients for a step, and its logits."""
        config, num_items = self.config, len(dataset.catalog)
        state = 4 * config.width
        steps = config.batch_targets * (config.experts + len(config.decays) + 4) * state
        return int(8 * state * num_items + 3 * steps + 3 * 4 * config.batch_targets * (config.batch_targets + config.negatives))

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Logits float32 [num_queries, num_items]."""
        network, config = self._ready(), self.config
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = queries[first : first + QUERIES_AT_ONCE]
            with torch.inference_mode():
                users = self._users(some)
                scores = users[NEXT] @ self._items.T
                if config.rating_say and RATING in users:
                    scores += config.rating_say * crossed(users[RATING], network.side(RATING, self._items))
                if config.conversion_say and CONVERSION in users:
                    odds = crossed(users[CONVERSION], network.side(CONVERSION, self._items))
                    scores += config.conversion_say * functional.logsigmoid(odds)
                found = scores.numpy()
            if self._informs.any():
                found[:, ~self._informs] = found[:, self._informs].min(axis=1, keepdims=True)
            out[first : first + len(some)] = found
        return out

    def predicted_ratings(self, queries: Sequence[Query]) -> FloatArray | None:
        """The mean of the user (of all ratings for strangers) and what the towers add; None where training had no ratings."""
        network = self._ready()
        if RATING not in network.tasks:
            return None
        with torch.inference_mode():
            deviations = crossed(self._users(queries)[RATING], network.side(RATING, self._items)).numpy()
        return self._scale.ratings(queries, deviations)

    def item_vectors(self) -> FloatArray | None:
        """The item tower."""
        self._ready()
        return np.asarray(self._items.numpy(), dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write weights, what is known of ratings, the vocabulary of features, and the curve."""
        arrays = {name: value.numpy() for name, value in self._ready().state_dict().items()}
        known = self._known.numpy()
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays=arrays | {"known": known})
        self._features.save(folder)
        facts = {"tasks": self._ready().tasks, "scale": asdict(self._scale), "curve": self.curve}
        (folder / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote. Items added at the end of the catalog since are described by features."""
        config, arrays, _ = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        self, facts = cls(config), json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
        self.catalog, self.curve, self._scale = catalog, facts["curve"], RatingScale(**facts["scale"])
        self._features = ItemFeatures.load(folder)
        known = torch.from_numpy(arrays.pop("known"))
        self._network = Network(len(arrays["items.weight"]), self._features.width, facts["tasks"], config).eval()
        self._network.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
        new = torch.zeros(len(catalog) - len(known), dtype=torch.bool)
        self._take(torch.cat([known, new]), self._features.encode(catalog))
        return self

    def _users(self, queries: Sequence[Query]) -> dict[str, Tensor]:
        network = self._ready()
        return network.user_vectors(network.pooled(self._inputs, [self._informing(query) for query in queries]))

    def _settle(self, task: Matching) -> None:
        self._take(task.known, task.features)

    def _take(self, known: Tensor, features: scipy.sparse.csr_array) -> None:
        """Keep what the towers make of the items."""
        network = self._ready().eval()
        self._known = known
        self._informs = known.numpy() | (np.diff(features.indptr) > 0)
        with torch.inference_mode():
            self._inputs = network.inputs(features, known)
            self._items = network.item_vectors(self._inputs)
