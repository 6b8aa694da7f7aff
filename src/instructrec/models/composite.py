"""What models that are put together from other models share: fitting the parts, keeping them, and asking them what they know."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from instructrec.core import FitContext, Query, ReadToken
from instructrec.errors import ConfigError, ModelError
from instructrec.models import resolve
from instructrec.recommender import Recommender
from instructrec.tables import Catalog, Dataset, FloatArray, ItemId


class Composite(Recommender):
    """A model of other models. `parts`: models by name; `config.parts` says which, in their order."""

    config_type: ClassVar[type[Any]]
    config: Any

    def __init__(self, parts: Mapping[str, Recommender] | None = None) -> None:
        self.parts: dict[str, Recommender] = dict(parts or {})

    @classmethod
    def suited(cls, parts: Sequence[str], dataset: Dataset) -> tuple[str, ...]:
        """Of these parts, those that take part on such data: all, unless a model knows better."""
        return tuple(parts)

    def unfit_for(self, dataset: Dataset) -> str:
        """The first reason of a part that is not fitted yet."""
        waiting = (name for name in self.suited(self.config.parts, dataset) if name not in self.parts)
        reasons = ((name, resolve(name)().unfit_for(dataset)) for name in waiting)
        return next((f"{name}, a part of it: {reason}" for name, reason in reasons if reason), "")

    def bytes_needed(self, dataset: Dataset) -> int:
        """That of the part that is not fitted yet and needs most: they are fitted one after the other."""
        waiting = (name for name in self.suited(self.config.parts, dataset) if name not in self.parts)
        return max((resolve(name)().bytes_needed(dataset) for name in waiting), default=0)

    def item_vectors(self) -> FloatArray | None:
        """Those of a language model, or else of the first part that has some."""
        parts = sorted(self.parts.values(), key=lambda part: not part.follows_words)
        return next((vectors for part in parts if (vectors := part.item_vectors()) is not None), None)

    def saliency(self, query: Query, item: ItemId) -> Sequence[ReadToken]:
        """That of the language model."""
        return next((found for part in self.parts.values() if (found := part.saliency(query, item))), ())

    def is_personal(self, query: Query) -> bool:
        """One personal part is enough."""
        return any(part.is_personal(query) for part in self.parts.values())

    def comparable(self, queries: Sequence[Query], *, only: Collection[str] | None = None) -> dict[str, FloatArray]:
        """The parts' scores on scales that can be added, by name, float32 [num_queries, num_items]; `only`: of these parts."""
        asked = [(name, part) for name, part in zip(self.config.parts, self._ready(), strict=True) if only is None or name in only]
        return {name: comparable(part.score(queries), log=part.log_scale) for name, part in asked}

    def _fit_parts(self, dataset: Dataset, context: FitContext) -> None:
        """Fit the parts that are not fitted yet, with the settings that they have by default."""
        self.catalog = dataset.catalog
        for name in self.config.parts:
            if name not in self.parts:
                self.parts[name] = resolve(name)().fit(dataset, context)

    def _ready(self) -> list[Recommender]:
        """The fitted parts in their order."""
        if not self.parts:
            raise ModelError(f"Model '{self.name}' has no parts yet. Call fit(dataset) or load(folder, catalog) first.")
        return [self.parts[name] for name in self.config.parts]

    def _save_parts(self, folder: Path) -> None:
        """Write each part into its own folder `parts/<name>`."""
        for name, part in self.parts.items():
            (folder / "parts" / name).mkdir(parents=True)
            part.save(folder / "parts" / name)


def comparable(scores: FloatArray, *, log: bool) -> FloatArray:
    """Scores float32 [num_queries, num_items] on a log scale. What is on one stays (centred), so that words keep their full say.

    Other scores are sums of item weights whose scale grows with the history: they are standardised by row, and what lies above
    the mean is taken as log(1 + z), so that one extreme neighbour cannot decide alone.
    """
    centred = scores - scores.mean(axis=1, keepdims=True)
    if log:
        return np.asarray(centred, dtype=np.float32)
    # What `std` does, with the mean that is known.
    centred /= np.maximum(np.sqrt(np.square(centred).mean(axis=1, keepdims=True)), 1e-9)
    np.maximum(centred, 0.0, out=centred)
    return np.asarray(np.log1p(centred, out=centred), dtype=np.float32)


def summed(parts: Iterable[FloatArray]) -> FloatArray:
    """The sum of arrays of one shape, at least one, float32; added one after the other, for stacking them would copy each."""
    first, *others = parts
    total = np.array(first, dtype=np.float32)
    for part in others:
        total += part
    return total


def loaded_parts(names: Sequence[str], folder: Path, catalog: Catalog) -> dict[str, Recommender]:
    """The parts that `_save_parts` wrote, by name."""
    return {name: resolve(name).load(folder / "parts" / name, catalog) for name in names}


def check_parts(model: str, parts: Sequence[str], *, least: int) -> None:
    """Raise ConfigError for too few parts, one twice, or the model itself among them."""
    if len(parts) < least or len(set(parts)) < len(parts) or model in parts:
        raise ConfigError(
            f"parts of '{model}' are {list(parts)}, but must be at least {least} different models, not '{model}' itself."
        )
