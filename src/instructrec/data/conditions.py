"""Harder conditions for the same split: items that nobody ever met in training, and clicks in training that mean nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from instructrec.data.measures import measures_of
from instructrec.data.split import Ask, Holdout, Split, holdout_of
from instructrec.data.wording import phrase
from instructrec.errors import ConfigError, DataError
from instructrec.tables import BoolArray, Dataset, IntArray, Interactions


def drawn_items(parts: Split, share: float, *, seed: int = 0) -> BoolArray:
    """Which items `hide_items` hides, bool [num_items]: drawn evenly among all that have an interaction, at least one."""
    _share("cold_items", share)
    met = np.flatnonzero(_met(parts))
    out = np.zeros(len(parts.known.catalog), dtype=np.bool_)
    count = min(max(1, round(share * len(met))), len(met))
    out[np.random.default_rng(seed).choice(met, size=count, replace=False)] = True
    return out


def hide_items(parts: Split, share: float, *, seed: int = 0, everybody: bool = False) -> Split:
    """Take a share of the items that people met (`drawn_items`) out of all that a model may see, and ask for nothing else.

    No interaction of them stays in `train` or `known`, no history names one, no validation query asks for one; their texts and
    attributes stay in the catalog. The test keeps the queries that ask for at least one of them, with only those targets. Under
    leave-one-out these are few, about `share` of the users. With `everybody` each person who met one after something else is asked
    once: the target is the last one (in time; what the test asks for stands behind what is known), the history all before it that
    is not hidden. Training then holds what that person did later. Raises DataError where no query is left.
    """
    cold = drawn_items(parts, share, seed=seed)
    valid = _asked(parts.valid, parts.train, ~cold, cold)
    test = _each_once(parts, cold) if everybody else _asked(parts.test, parts.train, cold, cold)
    for name, holdout in (("validation", valid), ("test", test)):
        if not len(holdout):
            raise DataError(
                f"With {cold.sum()} of {_met(parts).sum()} items hidden ({share:.0%}) the split {parts.name} has no {name} query "
                "left. Hide another share of the items, or give more data."
            )
    facts = {"count": f"{cold.sum():,}", "share": f"{share:.0%}"}
    rule = "protocol.cold-items-everybody" if everybody else "protocol.cold-items"
    kept = {part: _without(found, cold) for part, found in (("train", parts.train), ("known", parts.known))}
    told = f"{parts.protocol} {phrase(rule, **facts)}"
    return _with_measures(replace(parts, protocol=told, train=kept["train"], known=kept["known"], valid=valid, test=test))


def with_random_clicks(parts: Split, share: float, *, seed: int = 0) -> Split:
    """Put `share` times as many clicks as training has interactions into training, each on an item that the person never met.

    People are drawn as often as they interact, items evenly. A click takes time, rating and kind of a drawn interaction of the
    same person, and stands right behind it; so only the item is wrong. `known`, histories and targets stay as they are.
    Raises DataError where there is nobody with an item left to click on.
    """
    _share("noise", share)
    log, num_items = parts.train.interactions, len(parts.train.catalog)
    wanted = round(share * len(log))
    rng = np.random.default_rng(seed)
    taken = set((log.users * num_items + log.items).tolist()) | _pairs(parts, num_items)
    if len(taken) + wanted > len(np.unique(log.users)) * num_items:
        raise DataError(
            f"{wanted} random clicks do not fit: people have met nearly every item. Ask for a smaller share than {share:g}."
        )
    rows, items = _drawn(log, num_items, wanted, taken, rng)
    facts = {"count": f"{wanted:,}", "share": f"{share:.0%}"}
    noisy = parts.train.with_interactions(_inserted(log, rows, items))
    return _with_measures(replace(parts, protocol=f"{parts.protocol} {phrase('protocol.noise', **facts)}", train=noisy))


def _share(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise ConfigError(f"{name} is {share:g}, but must be a share above 0 and below 1, such as 0.1.")


def _met(parts: Split) -> BoolArray:
    """Items with an interaction in any part, bool [num_items]."""
    met = np.zeros(len(parts.known.catalog), dtype=np.bool_)
    met[parts.known.interactions.items] = True
    for targets in parts.test.targets:
        met[targets] = True
    return met


def _pairs(parts: Split, num_items: int) -> set[int]:
    """What is asked of whom, as user code times number of items plus item code: a click on it would be none at random."""
    return {
        int(user) * num_items + item
        for holdout in (parts.valid, parts.test)
        for user, targets in zip(holdout.user_codes, holdout.targets, strict=True)
        for item in targets.tolist()
    }


def _without(dataset: Dataset, hidden: BoolArray) -> Dataset:
    log = dataset.interactions
    return dataset.with_interactions(log.keep(~hidden[log.items]))


def _asked(holdout: Holdout, train: Dataset, wanted: BoolArray, hidden: BoolArray) -> Holdout:
    """The queries that still have a target among `wanted` and a history, which names nothing that is hidden."""
    index = train.catalog.index
    rows = [row for row, targets in enumerate(holdout.targets) if wanted[targets].any()]
    queries = []
    for row in rows:
        query = holdout.queries[row]
        history = tuple(item for item in query.history if item not in index or not hidden[index[item]])
        queries.append(replace(query, history=history))
    kept = [place for place, query in enumerate(queries) if query.history or not holdout.queries[rows[place]].history]
    rows, queries = [rows[place] for place in kept], [queries[place] for place in kept]
    return Holdout(
        queries=tuple(queries),
        targets=tuple(holdout.targets[row][wanted[holdout.targets[row]]] for row in rows),
        user_codes=holdout.user_codes[rows],
        ratings=tuple(holdout.ratings[row][wanted[holdout.targets[row]]] for row in rows) if holdout.ratings else (),
    )


def _each_once(parts: Split, hidden: BoolArray) -> Holdout:
    """A query for everybody who met a hidden item after one that is not: for the last such item."""
    log = _with_test(parts)
    is_hidden = hidden[log.items]
    asks = []
    for user in np.unique(log.users[is_hidden]).tolist():
        rows = np.arange(log.offsets[user], log.offsets[user + 1])
        last = rows[is_hidden[rows]][-1:]
        before = rows[~is_hidden[rows] & (rows < last)]
        if len(before):
            asks.append(Ask(user, before, last))
    return holdout_of(parts.known.with_interactions(log), asks)


def _with_test(parts: Split) -> Interactions:
    """What is known, and behind it what the test asks of each user, at the time of the query."""
    log, test = parts.known.interactions, parts.test
    counts = [len(targets) for targets in test.targets]
    times = np.array([query.time or 0 for query in test.queries], dtype=np.int64)
    ratings = test.ratings or tuple(np.full(count, np.nan, dtype=np.float32) for count in counts)
    users = np.concatenate([log.users, np.repeat(test.user_codes, counts)])
    order = np.argsort(users, kind="stable")
    return Interactions(
        user_ids=log.user_ids,
        users=users[order],
        items=np.concatenate([log.items, *test.targets])[order],
        timestamps=np.concatenate([log.timestamps, np.repeat(times, counts)])[order],
        ratings=np.concatenate([log.ratings, *ratings])[order],
    )


def _drawn(log: Interactions, num_items: int, wanted: int, taken: set[int], rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Behind which row each click stands, ascending, and its item; no pair of person and item is drawn twice."""
    rows: list[int] = []
    items: list[int] = []
    while len(rows) < wanted:
        row, item = int(rng.integers(len(log))), int(rng.integers(num_items))
        pair = int(log.users[row]) * num_items + item
        if pair not in taken:
            taken.add(pair)
            rows.append(row)
            items.append(item)
    order = np.argsort(rows, kind="stable")
    return np.array(rows, dtype=np.int64)[order], np.array(items, dtype=np.int64)[order]


def _inserted(log: Interactions, rows: IntArray, items: IntArray) -> Interactions:
    """The log with a copy of each of `rows` right behind it that has another item; nobody wrote a review of it."""
    source = np.sort(np.concatenate([np.arange(len(log)), rows]), kind="stable")
    places = rows + 1 + np.arange(len(rows))
    found = log.items[source]
    found[places] = items
    reviews = [log.reviews[row] for row in source.tolist()] if log.reviews else []
    for place in places.tolist() if reviews else ():
        reviews[place] = type(reviews[place])()
    return replace(
        log,
        users=log.users[source],
        items=found,
        timestamps=log.timestamps[source],
        ratings=log.ratings[source],
        kinds=tuple(log.kinds[row] for row in source.tolist()) if log.kinds else (),
        reviews=tuple(reviews),
    )


def _with_measures(parts: Split) -> Split:
    """Popularity and ratings as limits see them are those of training."""
    catalog = replace(parts.train.catalog, measures=measures_of(parts.train.interactions, parts.train.catalog))
    return replace(
        parts,
        train=replace(parts.train, catalog=catalog),
        known=replace(parts.known, catalog=catalog),
    )
