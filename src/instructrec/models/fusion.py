"""`fusion`: models of who chose what and the language model, added with weights that maximise the likelihood of validation.

A linear model, factors, two towers and a sequence model know who chose what, each in its own way; the language model generalises
and follows words. Their errors differ, so their sum beats each.
What a source is worth depends on whether there are words, and which: under a wish, and under a stated preference alone, the fusion
has weights of their own.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from instructrec.core import FitContext, Query
from instructrec.instructions.render import query_words
from instructrec.instructions.wishing import preferences_of, wish_for
from instructrec.models import resolve
from instructrec.models.composite import Composite, comparable, loaded_parts, summed
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Dataset, FloatArray, ItemId

FILE = "fusion.json"
TASTE = " taste"
"""Behind the name of a part that follows words: the same part without them, whose say is not lost when there are words."""
MOST_QUERIES = 5000
"""Validation queries that weights are fitted on, at most: a handful of numbers needs no more, and memory is bounded."""
ASKING = 2000
"""Of these, at most so many are given words to fit the weights under words."""


STANDARD = ("ridge", "als", "two_tower", "sasrec", "tfidf", "lm", "bm25", "themes")
"""What is fused where nobody chose. `recency_ease` and `item_knn` weigh nothing beside these (MovieLens-100K)."""


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Which models are fused. What each adds to the others: README, Numbers (`python -m benchmarks.accuracy --json`)."""

    parts: tuple[str, ...] = field(
        default=STANDARD,
        metadata={"help": "names of the models to fuse; of the default ones, those that the data do not suit are left out"},
    )
    language: str = field(default="en", metadata={"help": "language of the sentences that weights under words are fitted on"})


class Fusion(Composite):
    """Weighted sum of the parts' scores.

    `parts`: models by name; `weights`, `stated`, `worded`: a number each, without words, with a stated preference, with a wish.
    """

    name: ClassVar[str] = "fusion"
    config_type = FusionConfig

    def __init__(self, config: FusionConfig | None = None, *, parts: Mapping[str, Recommender] | None = None) -> None:
        super().__init__(parts)
        self.config = config or FusionConfig()
        self.weights: dict[str, float] = {}
        self.stated: dict[str, float] = {}
        self.worded: dict[str, float] = {}

    @classmethod
    def suited(cls, parts: Sequence[str], dataset: Dataset) -> tuple[str, ...]:
        """Of the standard parts those that can learn from such data: who wants words fused where there are none has to say so."""
        if tuple(parts) != STANDARD:
            return tuple(parts)
        return tuple(name for name in parts if not resolve(name)().unfit_for(dataset))

    def fit(self, dataset: Dataset, context: FitContext | None = None) -> Self:
        """Fit the parts that are not fitted yet, then the weights on `context.validation` (equal weights without one)."""
        context = context or FitContext()
        self.config = replace(self.config, parts=self.suited(self.config.parts, dataset))
        self._fit_parts(dataset, context)
        if context.validation is None or not len(context.validation[0]):
            self.weights = self.stated = self.worded = dict.fromkeys(self.config.parts, 1.0)
            return self
        every = -(-len(context.validation[0]) // MOST_QUERIES)
        queries, targets = context.validation[0][::every], [int(target) for target in context.validation[1][::every]]
        rows = list(range(0, len(queries), -(-len(queries) // ASKING)))
        some, wanted = [queries[row] for row in rows], [targets[row] for row in rows]
        context.progress.stage(f"weights of {self.name}", total=3)
        plain = self.comparable(queries)
        self.weights = self._weights(plain, queries, targets)
        context.progress.step(1)
        # What a part says without words is known by now for everybody with a history.
        tastes = {name: plain[name][rows] for name in self.config.parts if self.parts[name].follows_words}
        asking = self._asking(some, wanted, context.seed)
        self.worded = self._weights(self.comparable(asking, tastes), asking, wanted)
        context.progress.step(2)
        personal, bare = self._stating(some, context.seed)
        known, new = self.comparable(personal, {name: scores[::2] for name, scores in tastes.items()}), self.comparable(bare)
        silent = [np.zeros_like(one[self.config.parts[0]]) for one in (known, new)]
        stated = {name: np.concatenate([known.get(name, silent[0]), new.get(name, silent[1])]) for name in known | new}
        self.stated = self._weights(stated, [*personal, *bare], [*wanted[::2], *wanted[1::2]])
        context.progress.step(3)
        return self

    def _weights(self, scores: Mapping[str, FloatArray], queries: Sequence[Query], targets: Sequence[int]) -> dict[str, float]:
        masks = np.stack([allowed(query, self.catalog) for query in queries])
        return fit_weights(scores, masks, np.asarray(targets))

    def _asking(self, queries: Sequence[Query], wanted: Sequence[int], seed: int) -> list[Query]:
        """Queries whose users say something about what they chose next."""
        words = wish_for(self.catalog, wanted, np.random.default_rng([seed, 4]), language=self.config.language)
        return [replace(query, instruction=text) for query, text in zip(queries, words, strict=True)]

    def _stating(self, queries: Sequence[Query], seed: int) -> tuple[list[Query], list[Query]]:
        """Queries whose users say what they like: those in even places, and the others, of whom nothing else is known."""
        histories = [self.catalog.codes(query.history) for query in queries]
        texts = preferences_of(self.catalog, histories, np.random.default_rng([seed, 5]), language=self.config.language)
        said = [replace(query, profile=text) for query, text in zip(queries, texts, strict=True)]
        return said[::2], [replace(query, history=(), exclude=query.exclude | {*query.history}) for query in said[1::2]]

    def comparable(
        self, queries: Sequence[Query], tastes: Mapping[str, FloatArray] | None = None, *, only: Collection[str] | None = None
    ) -> dict[str, FloatArray]:
        """The parts' scores on scales that can be added, by name, float32 [num_queries, num_items]; `only`: of these parts.

        `tastes`: what the parts that follow words say of these queries without the words, where that is known already.
        """
        found = super().comparable(queries, only=only)
        rows = [row for row, query in enumerate(queries) if query_words(query)]
        for name in [name for name in found if rows and self.parts[name].follows_words]:
            found[name + TASTE] = np.zeros_like(found[name])
            if tastes is None:
                plain = self.parts[name].score([replace(queries[row], strength=0.0, profile="") for row in rows])
                found[name + TASTE][rows] = comparable(plain, log=self.parts[name].log_scale)
            else:
                found[name + TASTE][rows] = tastes[name][rows]
        return found

    def sources(self, queries: Sequence[Query]) -> Mapping[str, FloatArray]:
        """What each part adds to the score. A part that weighs nothing for any of the queries is not asked."""
        used = [self._used(query) for query in queries]
        weighing = {name.removesuffix(TASTE) for weights in used for name, weight in weights.items() if weight}
        out: dict[str, FloatArray] = {}
        for name, scores in self.comparable(queries, only=weighing).items():
            weight = np.array([[weights.get(name, 0.0)] for weights in used], dtype=np.float32)
            part = name.removesuffix(TASTE)
            out[part] = out[part] + weight * scores if part in out else weight * scores
        shape = (len(queries), len(self.catalog))
        return {name: out[name] if name in out else np.zeros(shape, dtype=np.float32) for name in self.config.parts}

    def _used(self, query: Query) -> dict[str, float]:
        """The weights that fit what is said."""
        if query_words(replace(query, profile="")):
            return self.worded
        return self.stated if query.profile else self.weights

    def score(self, queries: Sequence[Query]) -> FloatArray:
        """Sum of the weighted parts, float32 [num_queries, num_items]."""
        return summed(self.sources(queries).values())

    def text_effects(self, query: Query, item: ItemId) -> Mapping[tuple[str, str], float]:
        """Those on the language model, times its weight."""
        weights = self._used(query)
        for name, part in self.parts.items():
            if found := part.text_effects(query, item):
                return {value: weights.get(name, 0.0) * effect for value, effect in found.items()}
        return {}

    def save(self, folder: Path) -> None:
        """Write the weights, and each part into its own folder `parts/<name>`."""
        facts = {"parts": list(self.config.parts), "weights": self.weights, "stated": self.stated, "worded": self.worded}
        (folder / FILE).write_text(json.dumps(facts), encoding="utf-8")
        self._save_parts(folder)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> Self:
        """Read what `save` wrote."""
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
        parts = loaded_parts(facts["parts"], folder, catalog)
        model = cls(FusionConfig(parts=tuple(parts)), parts=parts)
        model.catalog = catalog
        model.weights, model.worded = facts["weights"], facts["worded"]
        # Runs of earlier versions read a stated preference with the weights of a wish.
        model.stated = facts.get("stated", model.worded)
        return model


def fit_weights(parts: Mapping[str, FloatArray], masks: NDArray[np.bool_], targets: NDArray[np.int64]) -> dict[str, float]:
    """Non-negative weights that maximise the likelihood of the targets in a softmax over the allowed items.

    The problem is concave and has one number a part, so there is little to overfit; a small penalty keeps it bounded.
    """
    from scipy.optimize import minimize

    rows = np.flatnonzero(masks[np.arange(len(targets)), targets])
    if not len(rows):
        return dict.fromkeys(parts, 1.0)
    features = np.stack([scores[rows] for scores in parts.values()]).astype(np.float32)
    closed = np.where(masks[rows], 0.0, -1e9).astype(np.float32)
    chosen = features[:, np.arange(len(rows)), targets[rows]]

    def negative_likelihood(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = np.tensordot(weights.astype(np.float32), features, axes=1) + closed
        top = total.max(axis=1, keepdims=True)
        odds = np.exp(total - top)
        norm = odds.sum(axis=1, keepdims=True)
        value = float(np.mean(np.log(norm[:, 0]) + top[:, 0] - weights @ chosen))
        expected = np.einsum("kri,ri->k", features, odds / norm) / len(rows)
        gradient = expected - chosen.mean(axis=1)
        return value + 1e-3 * float(weights @ weights), np.asarray(gradient + 2e-3 * weights, dtype=np.float64)

    start = np.full(len(parts), 0.5)
    found = minimize(negative_likelihood, start, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * len(parts))
    return {name: round(float(weight), 6) for name, weight in zip(parts, found.x, strict=True)}
