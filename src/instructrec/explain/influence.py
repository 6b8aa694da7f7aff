"""Which items of a history carry a score: each is taken away, and left alone; all variants of a batch are scored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from instructrec.core import Query, Recommendation
from instructrec.errors import QueryError
from instructrec.feedback import FEEDBACK, disliked
from instructrec.recommender import Recommender, counted, listed, resolved, steered
from instructrec.tables import BoolArray, Catalog, FloatArray, IntArray

MAX_HISTORY = 50
"""Most recent history items whose influence is measured."""

MAX_ROWS = 512
"""Queries in one call of `score`: bounds the memory at MAX_ROWS x number of items x 4 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Effects of the history on one list.

    `history`: distinct item codes, oldest first [num_history]; `shown`: item codes of the list [num_shown];
    `effects`: float32 [num_history, num_shown], what the history item gives to the score of the shown one: the mean of what is lost
    without it and of what it brings alone; `losses`, the same shape: what is lost without it;
    `decisive`: bool [num_history, num_shown], whether the shown item would not be in the list without it;
    `listed`: bool [num_shown], whether the item is in the list at all (False where there is no history to measure);
    `first_rank`: the place of the first of them among all items that might be shown.
    """

    history: IntArray
    shown: IntArray
    effects: FloatArray
    losses: FloatArray
    decisive: BoolArray
    listed: BoolArray
    first_rank: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a query leads to for some items: `scores` above the mean of the row, float32, and whether each is `listed`, bool."""

    scores: FloatArray
    listed: BoolArray


def measure_influence(
    model: Recommender, recommendations: Sequence[Recommendation], *, max_history: int = MAX_HISTORY
) -> list[Influence]:
    """The influence of each history on its list (see `influence_on`), all of them measured in one batch.

    Raises QueryError for an item that the catalog of the model does not have.
    """
    asked = [(recommendation.query, _shown(recommendation, model.catalog)) for recommendation in recommendations]
    return influence_on(model, asked, max_history=max_history)


def influence_on(model: Recommender, asked: Sequence[tuple[Query, IntArray]], *, max_history: int = MAX_HISTORY) -> list[Influence]:
    """Score every query without each of its last `max_history` distinct items, and with each of them alone.

    What is taken out of a history stays hidden, as it was. Scores of two queries are not comparable as they are, so each is taken
    above the mean of its row, m(q, i) = s(q, i) - mean s(q, .); with nothing personal left a model knows nothing, so m is then
    what reactions to other items say, or 0.
    The effect of h on i is the mean of m(q, i) - m(q without h, i) and m(q with h alone, i) - m(q without a history, i): the last
    and the first step of its Shapley value, which both matter where items stand in for each other. `asked`: queries, and the item
    codes int64 whose scores are looked at.
    """
    catalog = model.catalog
    histories = [distinct(query, catalog, max_history) for query, _ in asked]
    rows: list[tuple[Query, IntArray]] = []
    lists: list[bool] = []
    for (query, items), history in zip(asked, histories, strict=True):
        if len(history) and len(items):
            codes = history.tolist()
            fewer = [[code] for code in codes]
            alone = [[code for code in codes if code != kept] for kept in codes]
            # Where less than the whole history is measured, what came before stands on both sides of the second step.
            variants = [without(query, gone, catalog) for gone in (*fewer, *alone, codes)]
            rows += [(variant, items) for variant in (query, *variants)]
            # Only what is taken away is asked for whether the item is still there.
            lists += [True] * (1 + len(fewer)) + [False] * (len(alone) + 1)
    found = outcomes(model, rows, lists=lists)
    return [_influence(found, history, items) for history, (_, items) in zip(histories, asked, strict=True)]


def outcomes(
    model: Recommender, asked: Iterable[tuple[Query, IntArray]], *, lists: Sequence[bool] | None = None
) -> Iterator[Outcome]:
    """What each query leads to for the items beside it, as `model.recommend` makes lists; in the order in which they come.

    `lists`: of which queries the list is made; of the others nothing is said to be listed. None: of all.
    """
    rows = list(asked)
    for start in range(0, len(rows), MAX_ROWS):
        queries = [resolved(query) for query, _ in rows[start : start + MAX_ROWS]]
        sources = steered(model, queries)
        scores = np.sum(list(sources.values()), axis=0)
        said = sources.get(FEEDBACK, np.zeros_like(scores))
        for row, query in enumerate(queries):
            items = rows[start + row][1]
            known = scores[row] if model.is_personal(query) else said[row]
            above = (known[items] - known.mean(dtype=np.float64)).astype(np.float32)
            made = lists is None or lists[start + row]
            codes = listed(model, query, scores[row], counted(query, model.catalog)[1]) if made else []
            yield Outcome(scores=above, listed=np.isin(items, codes))


def without(query: Query, codes: Iterable[int], catalog: Catalog) -> Query:
    """A query as if some items had never been met, nor been reacted to; they stay hidden from the list."""
    gone = {catalog.item_ids[code] for code in codes}
    return replace(
        query,
        history=tuple(item for item in query.history if item not in gone),
        reactions=tuple(reaction for reaction in query.reactions if reaction.item not in gone),
        exclude=query.exclude | gone,
    )


def _influence(found: Iterator[Outcome], history: IntArray, items: IntArray) -> Influence:
    """The influence on one list; takes the outcomes of its variants from those found."""
    size = len(history) if len(items) else 0
    effects, losses = np.zeros((2, len(history), len(items)), dtype=np.float32)
    decisive = np.zeros((len(history), len(items)), dtype=np.bool_)
    in_list = np.zeros(len(items), dtype=np.bool_)
    if size:
        whole, fewer, alone = next(found), list(islice(found, size)), list(islice(found, size))
        nothing = next(found)
        in_list = whole.listed
        for place in range(size):
            losses[place] = whole.scores - fewer[place].scores
            effects[place] = (losses[place] + alone[place].scores - nothing.scores) / 2
            decisive[place] = whole.listed & ~fewer[place].listed
    return Influence(history=history, shown=items, effects=effects, losses=losses, decisive=decisive, listed=in_list)


def distinct(query: Query, catalog: Catalog, max_history: int) -> IntArray:
    """The last so many different items of a history that the catalog knows, oldest first: item codes int64.

    Without those that are disliked, which are no reason for anything.
    """
    unwanted = set(disliked(query))
    liked = [item for item in query.history if item not in unwanted]
    newest_first = dict.fromkeys(int(code) for code in reversed(catalog.codes(liked)))
    return np.array(list(newest_first)[:max_history][::-1], dtype=np.int64)


def _shown(recommendation: Recommendation, catalog: Catalog) -> IntArray:
    items = [scored.item for scored in recommendation.items]
    unknown = catalog.unknown(items)
    if unknown:
        raise QueryError(
            f"Item '{unknown[0]}' of the list is not in the model's catalog. Explain a list with the model that made it."
        )
    return catalog.codes(items)
