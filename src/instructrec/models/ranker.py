"""`ranker`: a second stage. Other models propose candidates, and a learner orders them by what these models and the data say.

A first stage adds the scores of the parts, as a fusion does. A learner can do what a sum cannot: trust one model for short
histories and another for long ones, or new items less than popular ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.errors import ConfigError
from instructrec.lists import top_n
from instructrec.models import ranker_learners as learners
from instructrec.models.composite import Composite, check_parts, loaded_parts, summed
from instructrec.models.fusion import MOST_QUERIES, fit_weights
from instructrec.models.histories import recency_rows
from instructrec.models.item_features import NO_FEATURES, ItemFeatures
from instructrec.models.memory import check_positive
from instructrec.models.ranker_learners import Candidates, Learner
from instructrec.models.storage import read_model, write_model
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Dataset, FloatArray, IntArray

FILE = "ranker.json"
LEARNERS = ("logistic", "ranksvm", "lambdamart")
FOLDS = 5
QUERIES_AT_ONCE = 256
SECONDS_A_DAY = 86_400
DECAY = 0.9
"""Weight of a history item relative to the one after it in what the history's attributes are."""


@dataclass(frozen=True, kw_only=True)
class RankerConfig:
    """Which models propose, and what orders their candidates.

    Defaults by `Ranker.held_out` on MovieLens-100K (leave-one-out, 943 validation queries, seed 0, default parts): sum .1365,
    logistic .1371, ranksvm .1364, lambdamart .1359 (with 8 leaves, a rate of .05 and 50 in a leaf .1340). No difference is beyond
    chance there; trees want more queries than that.
    """

    parts: tuple[str, ...] = field(
        default=("ridge", "recency_ease", "item_knn"), metadata={"help": "names of the models whose candidates are ordered"}
    )
    learner: str = field(default="logistic", metadata={"help": "logistic, ranksvm or lambdamart"})
    candidates: int = field(default=100, metadata={"help": "best items of each part that are ordered anew"})
    trees: int = field(default=200, metadata={"help": "lambdamart: trees at most; cross-fitting says how many are kept"})
    leaves: int = field(default=4, metadata={"help": "lambdamart: leaves of a tree"})
    learning_rate: float = field(default=0.03, metadata={"help": "lambdamart: what each tree adds"})
    least_in_leaf: int = field(default=200, metadata={"help": "lambdamart: candidates in a leaf, at least"})

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        check_parts("ranker", self.parts, least=1)
        if self.learner not in LEARNERS:
            raise ConfigError(f"learner is '{self.learner}'. Use one of: {', '.join(LEARNERS)}.")
        for name in ("candidates", "trees", "learning_rate", "least_in_leaf"):
            check_positive(name, getattr(self, name))
        if self.leaves < 2:
            raise ConfigError(f"leaves is {self.leaves}, but a tree needs at least 2.")


class Ranker(Composite):
    """Candidates by the learner's margin, the other items behind them in the order of the first stage.

    The learner is fitted on the validation queries, which no part was fitted on. It is cross-fitted in five parts by query: what it
    would gain on queries that it has not seen says how strong it may be, and whether it is used at all (`held_out` has the figures,
    `learner` is None where the first stage alone did better). Then it is fitted on all of them. An item that no training met is
    scored by the parts that can; a person without a history, and everybody where there is no validation, by the first stage.
    """

    name: ClassVar[str] = "ranker"
    config_type = RankerConfig

    def __init__(self, config: RankerConfig | None = None, *, parts: Mapping[str, Recommender] | None = None) -> None:
        super().__init__(parts)
        self.config = config or RankerConfig()
        self.weights = dict.fromkeys(self.config.parts, 1.0)
        self.learner: Learner | None = None
        self.held_out: dict[str, float] = {}

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Fit the parts that are not fitted yet, then weights and learner on `context.validation`."""
        context = context or FitContext()
        self._fit_parts(dataset, context)
        data = dataset.interactions
        counts = np.bincount(data.items, minlength=len(self.catalog))
        latest = np.full(len(self.catalog), int(data.timestamps.min()) if len(data) else 0, dtype=np.int64)
        np.maximum.at(latest, data.items, data.timestamps)
        days = (latest.max(initial=0) - latest) / SECONDS_A_DAY
        self._facts = np.stack([np.log1p(counts), np.log1p(days)], axis=1)
        self._features = ItemFeatures.learn(self.catalog, np.flatnonzero(counts))
        self._describe()
        self.weights, self.learner, self.held_out = dict.fromkeys(self.config.parts, 1.0), None, {}
        if context.validation is not None and len(context.validation[0]):
            self._learn(context)
        return self

    def bytes_needed(self, dataset: Dataset) -> int:
        """That of its parts, or the scores of the parts for the validation queries, twice, and the features of their candidates."""
        queries, parts = min(MOST_QUERIES, len(dataset.interactions.user_ids)), len(self.config.parts)
        rows = queries * min(self.config.candidates * parts, len(dataset.catalog))
        own: int = queries * len(dataset.catalog) * (8 * parts + 1) + 3 * 8 * rows * (2 * parts + 5)
        inside: int = super().bytes_needed(dataset)
        return max(own, inside)

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """The sum of the sources, float32 [num_queries, num_items]."""
        self._ready()
        out = np.empty((len(queries), len(self.catalog)), dtype=np.float32)
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = queries[first : first + QUERIES_AT_ONCE]
            out[first : first + len(some)] = summed(self._block(some).values())
        return out

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """What each part adds, and under the name `ranker` what popularity, age, length of history and attributes do."""
        self._ready()
        shape = (len(queries), len(self.catalog))
        out = {name: np.zeros(shape, dtype=np.float32) for name in (*self.config.parts, self.name)}
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            some = queries[first : first + QUERIES_AT_ONCE]
            for name, part in self._block(some).items():
                out[name][first : first + len(some)] = part
        return out

    def save(self, folder: Path) -> None:
        """Write learner and weights as JSON, and each part into its own folder `parts/<name>`."""
        self._ready()
        write_model(folder, self.name, config=self.config, catalog=self.catalog, arrays={"facts": self._facts})
        self._features.save(folder)
        learned = None if self.learner is None else self.learner.facts()
        content = {"weights": self.weights, "learner": learned, "held_out": self.held_out}
        (folder / FILE).write_text(json.dumps(content), encoding="utf-8")
        self._save_parts(folder)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote. Items added since are unpopular, and as new as any."""
        config, arrays, num_items = read_model(folder, cls.name, config_type=cls.config_type, catalog=catalog)
        content: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        self = cls(config, parts=loaded_parts(config.parts, folder, catalog))
        self.catalog, self.weights, self.held_out = catalog, content["weights"], content["held_out"]
        self.learner = None if content["learner"] is None else learners.learner_of(content["learner"])
        self._facts = np.concatenate([arrays["facts"], np.zeros((len(catalog) - num_items, 2))])
        self._features = ItemFeatures.load(folder)
        self._describe()
        return self

    def _describe(self) -> None:
        """The attributes of the items as rows of length 1; words are what models of texts are for."""
        only = ItemFeatures(labels=self._features.labels, numbers=NO_FEATURES.numbers, words=NO_FEATURES.words)
        self._attributes = only.encode(self.catalog)

    def _learn(self, context: FitContext) -> None:
        assert context.validation is not None
        every = -(-len(context.validation[0]) // MOST_QUERIES)
        asked, wanted = list(context.validation[0])[::every], np.array(context.validation[1], dtype=np.int64)[::every]
        told = np.array([self.is_personal(query) for query in asked])
        queries, targets = [query for query, ok in zip(asked, told, strict=True) if ok], wanted[told]
        if len(queries) < FOLDS:
            return
        context.progress.stage(f"learner of {self.name}", total=2)
        scores = self.comparable(queries)
        masks = np.stack([self._proposable(query) for query in queries])
        known = self._candidates(queries, scores, masks, targets)
        folds = np.random.default_rng([context.seed, 6]).permutation(len(queries)) % FOLDS
        self.weights = fit_weights(scores, masks, targets)
        first = [self._first(scores, masks, targets, folds != fold) for fold in range(FOLDS)]
        margins = (np.stack(first)[folds][known.owners] * known.features[:, : len(self.config.parts)]).sum(axis=1)
        plain = learners.ndcg(margins, known)
        context.progress.step(1)
        path = self._path(context.seed)
        strength, gains = learners.chosen_strength(known, path, folds, first)
        self.held_out = {"first_stage": float(plain.mean()), self.config.learner: float(gains.mean())}
        if gains.mean() > plain.mean():
            self.learner = path(known, np.array([self.weights[name] for name in self.config.parts]))[strength]
        context.progress.step(2)

    def _first(
        self, scores: Mapping[str, FloatArray], masks: NDArray[np.bool_], targets: IntArray, kept: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Weights of the first stage from some of the queries, float64 [num_parts]."""
        found = fit_weights({name: part[kept] for name, part in scores.items()}, masks[kept], targets[kept])
        return np.array([found[name] for name in self.config.parts])

    def _path(self, seed: int) -> learners.Path:
        config = self.config
        if config.learner == "lambdamart":
            return partial(
                learners.lambdamart_path,
                rounds=config.trees,
                leaves=config.leaves,
                rate=config.learning_rate,
                least=config.least_in_leaf,
                seed=seed,
            )
        return learners.logistic_path if config.learner == "logistic" else learners.ranksvm_path

    def _proposable(self, query: Query) -> NDArray[np.bool_]:
        """What may be a candidate, bool [num_items]: all that meets the limits. What is excluded takes a place in the ranks as
        before, so that keeping one item out does not change what the others score.
        """
        return allowed(replace(query, exclude=frozenset(), reactions=()), self.catalog)

    def _candidates(
        self, queries: Sequence[Query], scores: Mapping[str, FloatArray], masks: NDArray[np.bool_], targets: IntArray | None = None
    ) -> Candidates:
        """The union of the best allowed items of every part, in catalog order, and what is known of each."""
        names, most = self.config.parts, self.config.candidates
        histories = [self.catalog.codes(query.history) for query in queries]
        profiles = recency_rows(histories, decay=DECAY, num_items=len(self.catalog)) @ self._attributes
        codes, overlap = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
        ranks = [np.zeros((len(names), 0), dtype=np.int64)]
        for row, mask in enumerate(masks):
            own, places = _places([scores[name][row] for name in names], mask, most)
            profile, cells = np.zeros(profiles.shape[1], dtype=profiles.dtype), slice(*profiles.indptr[row : row + 2])
            profile[profiles.indices[cells]] = profiles.data[cells]
            # A product with all items takes less time than cutting some rows out of a sparse matrix.
            overlap.append((self._attributes @ (profile / max(float(np.linalg.norm(profile)), 1e-9)))[own])
            codes.append(own)
            ranks.append(places)
        found, starts = np.concatenate(codes), np.cumsum([len(own) for own in codes], dtype=np.int64)
        owners = np.repeat(np.arange(len(queries)), np.diff(starts))
        told = np.log1p([len(history) for history in histories])
        columns = [scores[name][owners, found] for name in names]
        columns += [*np.log(np.concatenate(ranks, axis=1)), *self._facts[found].T, told[owners], np.concatenate(overlap)]
        return Candidates(
            features=np.stack(columns, axis=1).astype(np.float64),
            codes=found,
            starts=starts,
            chosen=np.zeros(len(found), dtype=np.bool_) if targets is None else found == targets[owners],
        )

    def _block(self, queries: Sequence[Query]) -> dict[str, FloatArray]:
        scores = self.comparable(queries)
        out = {name: np.float32(self.weights[name]) * found for name, found in scores.items()}
        out[self.name] = np.zeros((len(queries), len(self.catalog)), dtype=np.float32)
        told = [row for row, query in enumerate(queries) if self.is_personal(query)]
        if self.learner is None or not told:
            return out
        masks = np.stack([self._proposable(queries[row]) for row in told])
        known = self._candidates([queries[row] for row in told], {name: found[told] for name, found in scores.items()}, masks)
        if not len(known.codes):
            return out
        gives, size = self.learner.contributions(known.features), len(self.config.parts)
        lowest = np.minimum.reduceat(gives.sum(axis=1), known.starts[:-1][np.diff(known.starts) > 0])
        rows, cells = np.array(told)[known.owners], known.codes
        # Nothing that was not ordered anew stands above what was.
        touched = np.unique(rows)
        highest = summed(out[name] for name in self.config.parts).max(axis=1)[touched]
        out[self.name][touched] = (lowest - 1.0 - highest)[:, None]
        for place, name in enumerate(self.config.parts):
            out[name][rows, cells] = gives[:, place] + gives[:, size + place]
        out[self.name][rows, cells] = gives[:, 2 * size :].sum(axis=1)
        return out


def _places(scores: Sequence[FloatArray], mask: NDArray[np.bool_], most: int) -> tuple[IntArray, IntArray]:
    """The items that are among the best `most` allowed ones of any part (ties by catalog order), in catalog order; their places.

    `scores`: float32 [num_items] a part. Codes int64 [num_found], and int64 [num_parts, num_found]: 1 for the best, `most` + 1 for
    what is not among the best of the part.
    """
    places = np.full((len(scores), len(mask)), most + 1, dtype=np.int64)
    for row, part in enumerate(scores):
        best = top_n(part, mask, most)
        places[row, best] = np.arange(1, len(best) + 1)
    codes = np.flatnonzero((places <= most).any(axis=0))
    return codes, places[:, codes]
