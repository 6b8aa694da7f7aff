"""Hybrids of any models (Burke 2002, doi 10.1023/A:1021240730564): `weighted` adds them, `switching` chooses one by the length of
the history, and in `cascade` each re-ranks what the one before proposes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.lists import top_n
from instructrec.models.composite import Composite, check_parts, loaded_parts, summed
from instructrec.models.fusion import MOST_QUERIES, fit_weights
from instructrec.models.storage import read_model, write_model
from instructrec.models.validation import gains
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray

MOST_SWITCHES = 20
"""Lengths at which `switching` may change the model; of more, those that cut the validation queries into equal parts."""


class Hybrid(Composite):
    """What the three share: parts are fitted first, then what joins them, one array `learned` of numbers."""

    def __init__(self, config: Any = None, *, parts: Mapping[str, Recommender] | None = None) -> None:
        super().__init__(parts)
        self.config = config or self.config_type()
        self.learned: NDArray[np.float64] = np.zeros(0)

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Fit the parts that are not fitted yet, then what joins them, on `context.validation` where it is chosen there."""
        context = context or FitContext()
        self._fit_parts(dataset, context)
        queries, targets = context.validation or ((), ())
        every = max(1, -(-len(queries) // MOST_QUERIES))
        context.progress.stage(f"joining the parts of {self.name}", total=1)
        self.learned = np.array(self._join(queries[::every], [int(target) for target in targets[::every]]), dtype=np.float64)
        context.progress.step(1)
        return self

    def _join(self, queries: Sequence[Query], targets: Sequence[int]) -> Sequence[float]:
        """The numbers that join the parts; there may be no queries."""
        return ()

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """The sum of the sources, float32 [num_queries, num_items]."""
        return summed(self.sources(queries).values())

    def resembling(self) -> Recommender:
        """The last part, for a history of one item is a case of its own to a switch, and a cascade breaks off."""
        return self._ready()[-1].resembling()

    def save(self, folder: Path) -> None:
        """Write what joins the parts, and each part into its own folder `parts/<name>`."""
        self._ready()
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays={"learned": self.learned})
        self._save_parts(folder)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote; the parts score items added to the catalog since."""
        config, arrays, _ = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        model = cls(config, parts=loaded_parts(config.parts, folder, catalog))
        model.catalog, model.learned = catalog, arrays["learned"]
        return model


@dataclass(frozen=True, kw_only=True)
class WeightedConfig:
    """Settings of `weighted`."""

    parts: tuple[str, ...] = field(default=("ridge", "tfidf"), metadata={"help": "names of the models that are added"})
    weights: tuple[float, ...] = field(default=(), metadata={"help": "a weight for each part; empty: fitted on validation"})

    def __post_init__(self) -> None:
        _as_tuples(self, "parts", "weights")
        check_parts("weighted", self.parts, least=1)
        if self.weights and (len(self.weights) != len(self.parts) or not np.isfinite(self.weights).all()):
            raise ConfigError(
                f"weights are {list(self.weights)} for {len(self.parts)} parts. Give one number each, or none at all."
            )


class Weighted(Hybrid):
    """Weighted sum of the parts' scores, which are put on one scale first (`composite.comparable`).

    Weights that are not given maximise the likelihood of what was chosen next on validation, equal ones without validation. An item
    without interactions is worth what the parts that know its content say; who has no history gets what the parts say to nobody.
    """

    name: ClassVar[str] = "weighted"
    config_type: ClassVar[type[WeightedConfig]] = WeightedConfig

    def _join(self, queries: Sequence[Query], targets: Sequence[int]) -> Sequence[float]:
        if self.config.weights or not queries:
            return tuple(self.config.weights) or (1.0,) * len(self.config.parts)
        masks = np.stack([allowed(query, self.catalog) for query in queries])
        return list(fit_weights(self.comparable(queries), masks, np.asarray(targets)).values())

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """What each part adds to the score."""
        weights = self.learned.astype(np.float32)
        return {name: weight * part for weight, (name, part) in zip(weights, self.comparable(queries).items(), strict=True)}


@dataclass(frozen=True, kw_only=True)
class SwitchingConfig:
    """Settings of `switching`."""

    parts: tuple[str, ...] = field(
        default=("tfidf", "ridge"), metadata={"help": "names of models, from that for the shortest histories to the longest"}
    )
    starts: tuple[int, ...] = field(
        default=(), metadata={"help": "from how many history items on the second part serves, the third ...; empty: by validation"}
    )

    def __post_init__(self) -> None:
        _as_tuples(self, "parts", "starts")
        check_parts("switching", self.parts, least=2)
        if self.starts and (len(self.starts) != len(self.parts) - 1 or list(self.starts) != sorted(self.starts)):
            raise ConfigError(
                f"starts are {list(self.starts)} for {len(self.parts)} parts. Give one length for each part but the first, "
                "growing, or none at all."
            )


class Switching(Hybrid):
    """One of the parts serves, by how many items of the history the catalog knows; `learned`: from how many on each further one.

    Lengths that are not given have the greatest NDCG@10 on validation; without validation the last part serves every history. Items
    and people that training never met are what they are to the part that serves.
    """

    name: ClassVar[str] = "switching"
    config_type: ClassVar[type[SwitchingConfig]] = SwitchingConfig

    def _join(self, queries: Sequence[Query], targets: Sequence[int]) -> Sequence[float]:
        if self.config.starts or not queries:
            return tuple(self.config.starts) or (1,) * (len(self.config.parts) - 1)
        masks, codes = np.stack([allowed(query, self.catalog) for query in queries]), np.asarray(targets)
        found = np.stack([gains(part.score(queries), masks, codes) for part in self._ready()], axis=1)
        return best_starts(self._lengths(queries), found)

    def _lengths(self, queries: Sequence[Query]) -> IntArray:
        return np.array([len(self.catalog.codes(query.history)) for query in queries], dtype=np.int64)

    def serving(self, queries: Sequence[Query]) -> IntArray:
        """Which part serves each query, by its place, int64 [num_queries]."""
        self._ready()
        return np.searchsorted(self.learned, self._lengths(queries), side="right").astype(np.int64)

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """The scores of the part that serves; the others add nothing."""
        chosen = self.serving(queries)
        out: dict[str, FloatArray] = {}
        for place, (name, part) in enumerate(zip(self.config.parts, self._ready(), strict=True)):
            out[name] = np.zeros((len(queries), len(self.catalog)), dtype=np.float32)
            rows = np.flatnonzero(chosen == place).tolist()
            if rows:
                out[name][rows] = part.score([queries[row] for row in rows])
        return out

    def is_personal(self, query: Query) -> bool:
        """As the part that serves says."""
        return self._ready()[int(self.serving([query])[0])].is_personal(query)


@dataclass(frozen=True, kw_only=True)
class CascadeConfig:
    """Settings of `cascade`."""

    parts: tuple[str, ...] = field(
        default=("item_knn", "ridge"), metadata={"help": "names of models: the first proposes, each next one re-ranks"}
    )
    candidates: tuple[int, ...] = field(
        default=(100,), metadata={"help": "how many items each part but the last hands on, ever fewer"}
    )

    def __post_init__(self) -> None:
        _as_tuples(self, "parts", "candidates")
        check_parts("cascade", self.parts, least=2)
        falling = sorted(self.candidates, reverse=True)
        if len(self.candidates) != len(self.parts) - 1 or list(self.candidates) != falling or falling[-1] < 1:
            raise ConfigError(
                f"candidates are {list(self.candidates)} for {len(self.parts)} parts. Give one number of at least 1 for each part "
                "but the last, falling."
            )


class Cascade(Hybrid):
    """The first part scores everything; the best `candidates` that may be shown are ordered by the next part, and so on.

    What was not handed on stays below, in the order of the part that dropped it. An item without interactions is handed on only
    where the first part knows its content; who has no history gets the order of the last part among what the first proposes to all.
    """

    name: ClassVar[str] = "cascade"
    config_type: ClassVar[type[CascadeConfig]] = CascadeConfig

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """What each part adds: the first its score in standard deviations, the others how far they lift what they were handed."""
        first, *others = zip(self.config.parts, self._ready(), strict=True)
        total = _standardised(first[1].score(queries))
        out = {first[0]: total}
        masks = [allowed(query, self.catalog) for query in queries]
        for count, (name, part) in zip(self.config.candidates, others, strict=True):
            scores, lifts = part.score(queries), np.zeros_like(total)
            for row, mask in enumerate(masks):
                handed = best_allowed(total[row], mask, count)
                lifts[row, handed] = lifted(total[row], scores[row], handed)
            out[name] = lifts
            total = total + lifts
        return out


def best_allowed(scores: FloatArray, mask: NDArray[np.bool_], count: int) -> IntArray:
    """The codes of the `count` best allowed items, ties by catalog order, int64."""
    return np.array(top_n(scores, mask, count), dtype=np.int64)


def lifted(total: FloatArray, scores: FloatArray, handed: IntArray) -> FloatArray:
    """What to add to `total` at the codes `handed`, so that they stand above all others, in the order of `scores`."""
    if not len(handed):
        return np.zeros(0, dtype=np.float32)
    ranked = _standardised(scores[None, handed])[0]
    return np.asarray(total.max() + 1 + (ranked - ranked.min()) - total[handed], dtype=np.float32)


def best_starts(lengths: IntArray, found: NDArray[np.float64]) -> list[int]:
    """From which length on the second part serves, the third, and so on, so that the sum of gains is greatest.

    `lengths` int64 [num_queries]; `found` float64 [num_queries, num_parts]: what each part gains. Parts serve in their order, and
    one may serve nobody. Found exactly, by dynamic programming over at most MOST_SWITCHES lengths; equal sums go to earlier parts.
    """
    steps = np.unique(lengths)
    if len(steps) > MOST_SWITCHES:
        steps = np.unique(np.quantile(lengths, np.linspace(0, 1, MOST_SWITCHES + 1)[:-1], method="lower"))
    sums = np.zeros((len(steps), found.shape[1]))
    np.add.at(sums, np.searchsorted(steps, lengths, side="right") - 1, found)
    best, came = sums[0].copy(), np.zeros(sums.shape, dtype=np.int64)
    for step in range(1, len(steps)):
        # The best that ends with this part or one before it, and which that is.
        came[step] = [int(np.argmax(best[: part + 1])) for part in range(len(best))]
        best = best[came[step]] + sums[step]
    serving = [int(np.argmax(best))]
    for step in range(len(steps) - 1, 0, -1):
        serving.append(int(came[step, serving[-1]]))
    serving.reverse()
    never = int(lengths.max()) + 1
    return [
        next((0 if step == 0 else int(steps[step]) for step, one in enumerate(serving) if one >= part), never)
        for part in range(1, found.shape[1])
    ]


def _standardised(scores: FloatArray) -> FloatArray:
    centred = scores - scores.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(scores.std(axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _as_tuples(config: object, *names: str) -> None:
    """JSON has no tuples: what was read from a saved model becomes what it was."""
    for name in names:
        object.__setattr__(config, name, tuple(getattr(config, name)))
