"""What accuracy does not show: coverage, diversity, novelty, popularity, surprise and balance of the lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from instructrec.evaluation.intervals import Interval, bootstrap_mean
from instructrec.evaluation.metrics import Values
from instructrec.evaluation.profiles import lift, main_values, miscalibration, serendipity, spread, word_vectors
from instructrec.lists import jaccard
from instructrec.tables import BoolArray, Dataset, IntArray

if TYPE_CHECKING:
    from instructrec.data.split import Holdout

LISTS_AT_ONCE: Final = 1024

BEYOND: Final[Mapping[str, str]] = {
    "coverage": "Share of the catalog that is in at least one of the lists.",
    "diversity": (
        "Mean over all pairs of a list of 1 - Jaccard similarity of their attribute values; pairs with an item that has none are "
        "left out."
    ),
    "spread": (
        "Mean over all pairs of a list of 1 - cosine similarity of TF-IDF vectors over the words of titles and the values of "
        "attributes: one space for all models, in which no model has a say; items without words are left out."
    ),
    "serendipity": (
        "Share of the list that is relevant (held out) and not expected: not in the equally long list of the items most popular "
        "in training that are new to the person (Ge, Delgado-Battenfeld and Jannach 2010)."
    ),
    "novelty": (
        "Mean over a list of -log2 of the item's share of all training interactions, in bits; an item without any counts as if it "
        "had one."
    ),
    "popularity": "Mean over a list of the share of training users who know the item.",
    "lift": (
        "Popularity (share of training users who know the item) of the list minus that of the person's history, divided by the "
        "mean popularity of all histories (Abdollahpouri et al. 2019); 0 where lists are as popular as histories."
    ),
    "miscalibration": (
        "Kullback-Leibler divergence of the list's values of the most common attribute from those of the history, in nats, 1 % of "
        "the history mixed into the list (Steck 2018); 0 where the list has the mix of the history."
    ),
    "gini": (
        "How unevenly the lists spread over the catalog: 0 when every item is shown equally often, near 1 when few take all places."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What lists are measured against, taken from training data only.

    `counts`: int64 [num_items], training interactions of each item; `readers`: int64 [num_items], users who have it;
    `num_users`: users with any interaction; `labels`: bool [num_items, num_values] over all list-valued attributes; `vectors`,
    `values`: `profiles.word_vectors` and `profiles.main_values` of the catalog; `histories`, `targets`: item codes of each query
    that is asked, none where lists are not set against their people.
    """

    counts: IntArray
    readers: IntArray
    num_users: int
    labels: BoolArray
    vectors: Any = None
    values: Any = None
    histories: tuple[IntArray, ...] | None = None
    targets: tuple[IntArray, ...] = ()

    @staticmethod
    def of(train: Dataset, asked: Holdout | None = None) -> Background:
        """Count a training set, lay its attribute values side by side, and look up what the people that are asked had and chose."""
        num_items, log = len(train.catalog), train.interactions
        pairs = np.unique(log.users * num_items + log.items)
        return Background(
            counts=np.bincount(log.items, minlength=num_items).astype(np.int64),
            readers=np.bincount(pairs % max(1, num_items), minlength=num_items).astype(np.int64),
            num_users=len(np.unique(log.users)),
            labels=train.catalog.label_matrix(),
            vectors=word_vectors(train.catalog),
            values=main_values(train.catalog),
            histories=None if asked is None else tuple(train.catalog.codes(query.history) for query in asked.queries),
            targets=() if asked is None else asked.targets,
        )

    @property
    def popular(self) -> IntArray:
        """Item codes by interactions in training, most first, equal ones in catalog order."""
        return np.argsort(-self.counts, kind="stable")


def coverage(top: IntArray, num_items: int) -> float:
    """Share of the catalog that is in at least one list; `top` as in `Evaluation`."""
    return len(np.unique(top[top >= 0])) / num_items if num_items else 0.0


def gini(top: IntArray, num_items: int) -> float:
    """Gini coefficient of how often each item of the catalog is shown, in [0, 1]."""
    shown = np.sort(np.bincount(top[top >= 0], minlength=num_items)).astype(np.float64)
    if not shown.sum():
        return 0.0
    place = np.arange(1, num_items + 1)
    return float((2 * place - num_items - 1) @ shown / (num_items * shown.sum()))


def diversity(top: IntArray, labels: BoolArray) -> Values:
    """Mean of 1 - Jaccard over the pairs of each list, float64 [num_queries]; NaN where no pair has values on both sides."""
    first, second = np.triu_indices(top.shape[1], k=1)
    parts = []
    # In blocks, since a catalog may have thousands of values.
    for start in range(0, len(top), LISTS_AT_ONCE):
        shown = top[start : start + LISTS_AT_ONCE]
        near = jaccard(labels[np.maximum(shown, 0)] & (shown >= 0)[:, :, None])[:, first, second]
        parts.append(_mean_where(1.0 - near, ~np.isnan(near)))
    return np.concatenate([np.zeros(0), *parts])


def novelty(top: IntArray, counts: IntArray) -> Values:
    """Mean self-information of each list in bits, float64 [num_queries]; NaN for an empty list."""
    share = np.maximum(counts, 1) / max(1, int(counts.sum()))
    return _mean_where(-np.log2(share)[np.maximum(top, 0)], top >= 0)


def popularity(top: IntArray, readers: IntArray, num_users: int) -> Values:
    """Mean share of training users who know the items of each list, float64 [num_queries]; NaN for an empty list."""
    return _mean_where((readers / max(1, num_users))[np.maximum(top, 0)], top >= 0)


def each_list(top: IntArray, background: Background) -> dict[str, Values]:
    """The measures of `BEYOND` that every list has, float64 [num_queries].

    Diversity is left out where the catalog has no list-valued attribute, and what compares lists with people where the background
    does not know them.
    """
    found = {
        "novelty": novelty(top, background.counts),
        "popularity": popularity(top, background.readers, background.num_users),
    }
    if background.labels.shape[1]:
        found["diversity"] = diversity(top, background.labels)
    if background.vectors is not None:
        found["spread"] = spread(top, background.vectors)
    if background.histories is not None:
        share = background.readers / max(1, background.num_users)
        found["serendipity"] = serendipity(top, background.popular, background.histories, background.targets)
        found["lift"] = lift(top, share, background.histories)
        if background.values is not None and background.values.shape[1]:
            found["miscalibration"] = miscalibration(top, background.values, background.histories)
    return found


def all_lists(top: IntArray, background: Background) -> dict[str, float]:
    """The measures of `BEYOND` that only all lists together have."""
    num_items = len(background.counts)
    return {"coverage": coverage(top, num_items), "gini": gini(top, num_items)}


def describe(top: IntArray, background: Background, *, seed: int = 0) -> dict[str, Interval]:
    """Every measure of `BEYOND` for one model's lists. Coverage and gini describe the set of lists as it is: their bounds equal
    their value.
    """
    found = {name: Interval(value, value, value) for name, value in all_lists(top, background).items()}
    found |= {name: bootstrap_mean(values, seed=seed) for name, values in each_list(top, background).items()}
    return {name: found[name] for name in BEYOND if name in found}


def _mean_where(values: NDArray[np.float64], usable: NDArray[np.bool_]) -> Values:
    total = np.where(usable, values, 0.0).sum(axis=1)
    number = usable.sum(axis=1)
    out: Values = np.full(len(total), np.nan)
    np.divide(total, number, out=out, where=number > 0)
    return out
