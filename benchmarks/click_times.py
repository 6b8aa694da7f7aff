"""How long a click takes to change the list, on a synthetic log with a long tail: a part of benchmarks.feedback_effect."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from instructrec.core import Query, Reaction, ReactionKind
from instructrec.feedback import Likeness
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig
from instructrec.tables import Catalog, Dataset, Interactions, Labels


def reacted(query: Query, items: Sequence[str], kind: ReactionKind, reason: str = "") -> Query:
    """The query after a click on each of the items."""
    return replace(query, reactions=(*query.reactions, *(Reaction(item, kind, reason) for item in items)))


def long_tail(num_items: int, num_users: int, length: int, seed: int = 0) -> Dataset:
    """A log in which few items are chosen often and most hardly ever; each user draws from two of 500 neighbourhoods of items."""
    rng = np.random.default_rng(seed)
    pools = np.array_split(rng.permutation(num_items), 500)
    users = np.repeat(np.arange(num_users), length)
    pool = rng.integers(500, size=(num_users, 2))[users, rng.integers(2, size=len(users))]
    # A power law within each neighbourhood: the place of an item is u^-1.6, cut off at the end.
    place = np.minimum(rng.random(len(users)) ** -1.6, num_items // 500).astype(np.int64) - 1
    items = np.array([pools[each][spot] for each, spot in zip(pool, place, strict=True)], dtype=np.int64)
    ids = tuple(f"i{code}" for code in range(num_items))
    genres = Labels.build([(f"g{code % 40}", f"g{code % 7}") for code in range(num_items)])
    interactions = Interactions(
        user_ids=tuple(f"u{code}" for code in range(num_users)),
        users=users.astype(np.int64),
        items=items,
        timestamps=np.arange(len(users), dtype=np.int64),
        ratings=np.full(len(users), np.nan, dtype=np.float32),
    )
    return Dataset(
        name="long tail", interactions=interactions, catalog=Catalog(item_ids=ids, titles=ids, labels={"genres": genres})
    )


def times(num_items: int, clicks: int = 200) -> dict[str, float]:
    """Milliseconds from a click to the list, median and p95; what is usual is known beforehand (`ms_usual`, once a model)."""
    data = long_tail(num_items, num_users=num_items // 2, length=20)
    model = ItemKnn(ItemKnnConfig(nearness=1.0)).fit(data)
    began = time.perf_counter()
    Likeness.of(model).usual(model)
    out = {"ms_usual": (time.perf_counter() - began) * 1000}
    rng, spent = np.random.default_rng(1), {"ms_click": [], "ms_known": [], "ms_plain": []}
    chosen = np.unique(data.interactions.items)
    for user in rng.integers(num_items // 2, size=clicks).tolist():
        plain = Query(history=tuple(data.catalog.item_ids[code] for code in data.interactions.history(user)))
        items = [data.catalog.item_ids[code] for code in rng.choice(chosen, 10, replace=False)]
        nine = reacted(reacted(plain, items[:5], "like"), items[5:9], "dislike")
        whole = reacted(nine, items[9:], "dislike")
        model.recommend([nine])
        for name, query in (("ms_plain", plain), ("ms_click", whole), ("ms_known", whole)):
            began = time.perf_counter()
            model.recommend([query])
            spent[name].append((time.perf_counter() - began) * 1000)
    marks = product(spent.items(), (("", 50), ("_p95", 95)))
    return out | {f"{name}{mark}": float(np.percentile(values, at)) for (name, values), (mark, at) in marks}
