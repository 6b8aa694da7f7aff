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
items of the catalog, and for items of the 20 that are shown (`shown_`); `factor` is at most 1 / before.
What ratings say, all test users: `like_ndcg`, NDCG@10 with likes of the items that were rated 4 or more among the last 12 of a
history, over NDCG@10 without; `real_ndcg`, the same with a dislike of the last item that was rated 2 or less among the last 20, of
users (`real_dislikes`) whose held-out item was rated 4 or more: what a dislike that nobody gave a reason for costs.
Times: 100,000 synthetic items with a long tail, item_knn, one core; a list of 10 with five likes and five dislikes, from the click:
`ms_click`: on an item that nobody clicked on before, the other nine being known; `ms_known`: on one of the known.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.calibration import add_json_option, finish
from benchmarks.click_times import reacted, times
from benchmarks.explanations import fitted
from benchmarks.leaderboard import parts_of, single_targets
from instructrec.config import from_toml
from instructrec.core import Query, ReactionKind
from instructrec.data import load
from instructrec.evaluation.protocol import total_scores
from instructrec.feedback import Likeness
from instructrec.lists import top_n
from instructrec.recommender import Recommender, allowed
from instructrec.tables import BoolArray, Catalog, Dataset, FloatArray, IntArray

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


def pulls(world: World, shown: Sequence[Sequence[int]]) -> dict[str, float]:
    """What "more like this" brings into the top 10."""
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
    return out


def said_by_ratings(world: World, data: Dataset) -> dict[str, float]:
    """What likes, and dislikes, of the latest items that were rated so do to the accuracy of what was chosen next, and rated 4 or
    more where dislikes are asked about.
    """
    rated = [ratings_of(data, query) for query in world.queries]
    pairs = list(zip(world.queries, rated, strict=True))
    high = [[item for item in query.history[-12:] if own.get(item, 0) >= 4] for query, own in pairs]
    low = [[item for item in query.history[-20:] if own.get(item, 9) <= 2][-1:] for query, own in pairs]
    none: list[list[str]] = [[]] * len(world.queries)
    liked = replace(world, queries=[reacted(query, some, "like") for query, some in zip(world.queries, high, strict=True)])
    plain, likes = (ndcg(lists(each, hide, none), world.targets) for each in (world, liked))
    wanted = [own.get(world.catalog.item_ids[target], 0) >= 4 for own, target in zip(rated, world.targets, strict=True)]
    rows = np.flatnonzero([bool(some) and good for some, good in zip(low, wanted, strict=True)])
    some = replace(world, queries=[world.queries[row] for row in rows], targets=world.targets[rows])
    out = {"like_ndcg": float(likes.sum() / plain.sum()), "real_dislikes": float(len(rows))}
    for name, rule in (("", product_rule), ("rocchio.", rocchio)):
        found = ndcg(lists(some, rule, [low[row] for row in rows]), some.targets)
        out[f"{name}real_ndcg"] = float(found.sum() / plain[rows].sum())
    return out


def ratings_of(data: Dataset, query: Query) -> Mapping[str, float]:
    """What the user of a query rated how, the held-out item, too."""
    rows = data.interactions
    own = slice(*rows.offsets[rows.user_index[query.user or ""] :][:2].tolist())
    pairs = zip(rows.items[own].tolist(), rows.ratings[own].tolist(), strict=True)
    return {data.catalog.item_ids[code]: rating for code, rating in pairs}


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
    numbers |= pulls(world, shown)
    more = replace(world, queries=queries, targets=np.array(targets))
    numbers |= said_by_ratings(more, load(given.data).dataset)
    numbers |= {"undo_identical": undone(world, shown), "tests": given.tests} | rises(world, given.tests)
    for name, value in numbers.items():
        print(f"{name:<28}{value:.4f}" if isinstance(value, float) else f"{name:<28}{value}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
