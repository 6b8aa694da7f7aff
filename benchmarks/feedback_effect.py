"""Does a click do what it says? What leaves the list after a dislike, what stays, what "more like this" brings, and how fast.

    python -m benchmarks.feedback_effect --json

A fusion of the parts without a language model is fitted on train; test users, histories as they were before the held-out item.
Dislikes: each user dislikes one item of the 20 that they are shown, never the held-out one; another item a seed. `drop`: how many
fewer of the next 20 resemble it, resembling being the top decile of likeness as the model sees it (`drop`) or of the cosine between
those who chose the items (`drop_cosine`, which no rule here has seen). `drop_of_three`: three dislikes at once. `ndcg_others`:
NDCG@10 of held-out items that do not resemble it, over that of the list without the item; `ndcg_all`: of all of them, also those
that resemble what was just disliked. `rises`: of 10,000 random pairs of a user and an item of the catalog, those in which
something that resembles the item scores higher after it was disliked.
With a reason (genre): `reason_drop`: items that have the value of the item which is rarest in the history of the user;
`reason_drop_any`: that have any of its values; `reason_ndcg_others`: held-out items that have none of them.
Rules beside the product's: `hide` takes only the item out of the list; `rocchio` subtracts .15 of the scores of who chose only the
item (Rocchio's weight for what is not relevant) from all scores.
More like this: share of the top 10 that has the value of the item that is rarest in the catalog, `similar_before` and `_after`, for
items of the catalog, and for items of the 20 that are shown (`shown_`); `factor` is at most 1 / before. Likes: `like_ndcg`, NDCG@10
with likes of the items that were rated 4 or more among the last 12 of a history, over NDCG@10 without.
Times: 100,000 synthetic items with a long tail, item_knn, one core; a list of 10 with five likes and five dislikes, from the click:
`ms_click`: on an item that nobody clicked on before, the other nine being known; `ms_known`: on one of the known.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.calibration import add_json_option, finish
from benchmarks.explanations import fitted
from benchmarks.generative import parts_of, single_targets
from instructrec.config import from_toml
from instructrec.core import Query, Reaction, ReactionKind
from instructrec.data.split import Split
from instructrec.evaluation.protocol import total_scores
from instructrec.feedback import Likeness
from instructrec.lists import top_n
from instructrec.models.item_knn import ItemKnn, ItemKnnConfig
from instructrec.recommender import Recommender, allowed
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, IntArray, Interactions, Labels

SHOWN, K, AT_ONCE = 20, 10, 100
ROCCHIO = 0.15
ATTRIBUTE = "genres"
Rule = Callable[[Recommender, Sequence[Query], Sequence[Sequence[str]], str], FloatArray]


def product_rule(model: Recommender, queries: Sequence[Query], items: Sequence[Sequence[str]], reason: str) -> FloatArray:
    """Scores under dislikes as the product takes them."""
    return total_scores(model, [reacted(query, some, "dislike", reason) for query, some in zip(queries, items, strict=True)])


def hide(model: Recommender, queries: Sequence[Query], items: Sequence[Sequence[str]], reason: str) -> FloatArray:
    """Scores as if nothing had been said."""
    return total_scores(model, queries)


def rocchio(model: Recommender, queries: Sequence[Query], items: Sequence[Sequence[str]], reason: str) -> FloatArray:
    """Scores less a part of those of who chose only the disliked items; the mean of their rows where there are several."""
    rows = [np.mean(total_scores(model, [Query(history=(item,)) for item in some]), axis=0) for some in items]
    return np.asarray(total_scores(model, queries) - ROCCHIO * np.stack(rows), dtype=np.float32)


RULES: Mapping[str, Rule] = {"": product_rule, "hide.": hide, "rocchio.": rocchio}
"""Prefix of the keys -> rule."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A fitted model and what it is asked: queries and held-out item codes int64; `together`: cosines, float32 [items, items]."""

    model: Recommender
    queries: Sequence[Query]
    targets: IntArray
    together: FloatArray

    @property
    def catalog(self) -> Catalog:
        """The items."""
        return self.model.catalog


def reacted(query: Query, items: Sequence[str], kind: ReactionKind, reason: str = "") -> Query:
    """The query after a click on each of the items."""
    return replace(query, reactions=(*query.reactions, *(Reaction(item, kind, reason) for item in items)))


def lists(world: World, rule: Rule, items: Sequence[Sequence[str]], reason: str = "") -> list[list[int]]:
    """The next SHOWN item codes of every user; the disliked items are hidden whatever the rule."""
    found = []
    for start in range(0, len(world.queries), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        scores = rule(world.model, world.queries[some], items[some], reason)
        hidden = [
            replace(query, exclude=query.exclude | {*given}) for query, given in zip(world.queries[some], items[some], strict=True)
        ]
        found += [top_n(row, allowed(query, world.catalog), SHOWN) for row, query in zip(scores, hidden, strict=True)]
    return found


def ndcg(found: Sequence[Sequence[int]], targets: IntArray) -> NDArray[np.float64]:
    """NDCG@10 of each list, one right item each."""
    places = [list(codes[:K]).index(target) if target in codes[:K] else None for codes, target in zip(found, targets, strict=True)]
    return np.array([0.0 if place is None else 1.0 / np.log2(place + 2) for place in places])


def drop(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], like: Sequence[BoolArray]) -> float:
    """How many fewer of the items of the lists resemble what was disliked."""
    counts = [sum(int(alike[codes].sum()) for codes, alike in zip(found, like, strict=True)) for found in (before, after)]
    return 1.0 - counts[1] / max(1, counts[0])


def top_decile(likeness: FloatArray, item: int) -> BoolArray:
    """The items that resemble one most: above the .9 quantile, and at all."""
    likeness[item] = likeness.min()
    return np.asarray(likeness > max(float(np.quantile(likeness, 0.9)), 0.0), dtype=np.bool_)


def resembling(world: World, item: str) -> BoolArray:
    """What resembles an item to the model, bool [num_items]."""
    code = world.catalog.index[item]
    return top_decile(Likeness.of(world.model).row(code, world.model), code)


def cosines(dataset: Dataset) -> FloatArray:
    """Cosine between the users of every two items, float32 [num_items, num_items]."""
    rows = dataset.interactions
    pairs = np.unique(rows.users * len(dataset.catalog) + rows.items)
    shape = (len(rows.user_ids), len(dataset.catalog))
    met = csr_array((np.ones(len(pairs), dtype=np.float32), np.divmod(pairs, len(dataset.catalog))), shape=shape)
    both = np.asarray((met.T @ met).toarray())
    norm = np.sqrt(np.maximum(both.diagonal(), 1.0))
    return np.asarray(both / norm[:, None] / norm, dtype=np.float32)


def dislikes(world: World, shown: Sequence[Sequence[int]], seed: int) -> dict[str, float]:
    """Everything about dislikes of shown items, one seed."""
    rng, ids = np.random.default_rng(seed), world.catalog.item_ids
    three = [
        [ids[code] for code in rng.choice([code for code in codes if code != target], 3, replace=False)]
        for codes, target in zip(shown, world.targets, strict=True)
    ]
    one = [some[:1] for some in three]
    like = [resembling(world, some[0]) for some in one]
    close = [top_decile(world.together[code].copy(), code) for code in (world.catalog.index[some[0]] for some in one)]
    any_of_three = [np.any([resembling(world, item) for item in some], axis=0) for some in three]
    plain = ndcg(lists(world, hide, one), world.targets)
    others = np.array([not alike[target] for alike, target in zip(like, world.targets, strict=True)])
    out = {"shown_alike": float(np.mean([alike[codes].mean() for codes, alike in zip(shown, like, strict=True)]))}
    for name, rule in RULES.items():
        after = lists(world, rule, one)
        gained = ndcg(after, world.targets)
        out |= {
            f"{name}drop": drop(shown, after, like),
            f"{name}drop_cosine": drop(shown, after, close),
            f"{name}drop_of_three": drop(shown, lists(world, rule, three), any_of_three),
            f"{name}ndcg_others": float(gained[others].sum() / plain[others].sum()),
            f"{name}ndcg_all": float(gained.sum() / plain.sum()),
        }
    return out | _with_reason(world, shown, one, plain)


def _with_reason(
    world: World, shown: Sequence[Sequence[int]], one: Sequence[Sequence[str]], plain: NDArray[np.float64]
) -> dict[str, float]:
    """The same dislikes, for their genre."""
    labels = world.catalog.labels[ATTRIBUTE].matrix()
    any_of, rarest = [], []
    for query, [item] in zip(world.queries, one, strict=True):
        own = np.flatnonzero(labels[world.catalog.index[item]])
        often = labels[world.catalog.codes(query.history)].mean(axis=0)
        any_of.append(labels[:, own].any(axis=1))
        rarest.append(labels[:, own[np.argmin(often[own])]])
    after = lists(world, product_rule, one, f"attribute:{ATTRIBUTE}")
    others = np.array([not alike[target] for alike, target in zip(any_of, world.targets, strict=True)])
    gained = ndcg(after, world.targets)
    return {
        "reason_drop": drop(shown, after, rarest),
        "reason_drop_any": drop(shown, after, any_of),
        "reason_ndcg_others": float(gained[others].sum() / plain[others].sum()),
        "reason_ndcg_all": float(gained.sum() / plain.sum()),
    }


def rises(world: World, tests: int) -> dict[str, float]:
    """Of so many random users and items: those after whose dislike something scores higher that resembles the item."""
    rng = np.random.default_rng(11)
    users, codes = rng.integers(len(world.queries), size=tests), rng.integers(len(world.catalog), size=tests)
    found = dict.fromkeys(RULES, 0)
    for start in range(0, tests, AT_ONCE):
        queries = [world.queries[user] for user in users[start : start + AT_ONCE]]
        items = [[world.catalog.item_ids[code]] for code in codes[start : start + AT_ONCE]]
        before = total_scores(world.model, queries)
        like = np.stack([resembling(world, item) for [item] in items])
        for name, rule in RULES.items():
            found[name] += int(((rule(world.model, queries, items, "") > before) & like).any(axis=1).sum())
    return {f"{name}rises": float(count) for name, count in found.items()}


def undone(world: World, shown: Sequence[Sequence[int]]) -> float:
    """Users whose list is the same, to the bit, after a dislike, a like and "more like this" were taken back."""
    kinds: Sequence[ReactionKind] = ("dislike", "like", "similar")
    same = []
    for query, codes in zip(world.queries, shown, strict=True):
        clicked = query
        [before] = world.model.recommend([query])
        for kind, code in zip(kinds, codes, strict=False):
            clicked = reacted(clicked, [world.catalog.item_ids[code]], kind)
            world.model.recommend([clicked])
        same.append(world.model.recommend([replace(clicked, reactions=())]) == [before])
    return float(np.mean(same))


def pulls(world: World, shown: Sequence[Sequence[int]], likes: Sequence[Sequence[str]]) -> dict[str, float]:
    """What "more like this" brings into the top 10, and what likes do to accuracy."""
    labels, rng = world.catalog.labels[ATTRIBUTE].matrix(), np.random.default_rng(12)
    common = labels.sum(axis=0)
    anywhere = [int(rng.choice(np.flatnonzero(labels.any(axis=1)))) for _ in world.queries]
    out: dict[str, float] = {}
    for name, codes in (("", anywhere), ("shown_", [int(rng.choice(row)) for row in shown])):
        own = [min(np.flatnonzero(labels[code]), key=lambda value: common[value]) for code in codes]
        clicked = [
            reacted(query, [world.catalog.item_ids[code]], "similar") for query, code in zip(world.queries, codes, strict=True)
        ]
        hidden = [[world.catalog.item_ids[code]] for code in codes]
        share = [
            float(np.mean([labels[row[:K], value].mean() for row, value in zip(found, own, strict=True)]))
            for found in (lists(world, hide, hidden), lists(replace(world, queries=clicked), hide, hidden))
        ]
        out |= {f"{name}similar_before": share[0], f"{name}similar_after": share[1], f"{name}similar_factor": share[1] / share[0]}
    none: list[list[str]] = [[]] * len(world.queries)
    liked = replace(world, queries=[reacted(query, some, "like") for query, some in zip(world.queries, likes, strict=True)])
    both = [ndcg(lists(each, hide, none), world.targets).sum() for each in (liked, world)]
    return out | {"like_ndcg": float(both[0] / both[1])}


def rated_high(parts: Split, query: Query) -> list[str]:
    """Items rated 4 or more among the last 12 of a history."""
    rows = parts.known.interactions
    own = slice(*rows.offsets[rows.user_index[query.user or ""] :][:2].tolist())
    high = {parts.train.catalog.item_ids[code] for code in rows.items[own][rows.ratings[own] >= 4]}
    return [item for item in query.history[-12:] if item in high]


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
        name="long tail", interactions=interactions, catalog=Catalog(item_ids=ids, titles=ids, labels={ATTRIBUTE: genres})
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


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--users", type=int, default=300, help="test users")
    parser.add_argument("--seeds", type=int, default=3, help="times that other items are disliked")
    parser.add_argument("--tests", type=int, default=10_000, help="random users and items for which no score may rise")
    parser.add_argument("--items", type=int, default=100_000, help="synthetic items for the times")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the fusion or its parts")
    add_json_option(parser)
    given = parser.parse_args()
    numbers: dict[str, object] = dict(times(given.items))
    parts = parts_of(given.data)
    model = fitted(parts, from_toml("", ['fusion.parts=["ridge","recency_ease","bm25","themes"]', *given.set]))
    queries, targets = single_targets(parts.test)
    some = np.random.default_rng(0).permutation(len(queries))[: given.users]
    chosen = [queries[row] for row in some]
    world = World(model=model, queries=chosen, targets=np.array(targets)[some], together=cosines(parts.train))
    shown = lists(world, hide, [[]] * len(chosen))
    seeds = [dislikes(world, shown, seed) for seed in range(given.seeds)]
    numbers |= {"data": given.data, "users": len(chosen), "seeds": given.seeds}
    numbers |= {name: float(np.mean([found[name] for found in seeds])) for name in seeds[0]}
    numbers |= {f"{name}_least": min(found[name] for found in seeds) for name in ("drop", "ndcg_others", "reason_drop")}
    numbers |= pulls(world, shown, [rated_high(parts, query) for query in chosen])
    numbers |= {"undo_identical": undone(world, shown), "tests": given.tests} | rises(world, given.tests)
    for name, value in numbers.items():
        print(f"{name:<28}{value:.4f}" if isinstance(value, float) else f"{name:<28}{value}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
