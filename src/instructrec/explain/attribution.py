"""What the place of one item rests on, each part measured by taking it away: history, its values, words, sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from instructrec.core import Query, ReadToken
from instructrec.explain.influence import Influence, influence_on, outcomes, without
from instructrec.instructions.render import instruction_words
from instructrec.instructions.tokens import tokenize
from instructrec.instructions.vocabulary import Ref
from instructrec.recommender import Recommender, allowed, resolved, steered
from instructrec.tables import Catalog, ItemId

MOST_WORDS = 30
"""Words of a request that are taken away one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """How much lower an item would score without each of these, in the units of the model; below 0 where it would score higher.

    `rank`: its place among all items that may be shown, 1 is the best, 0 for an item that may not; `listed`: whether it is in the
    list. `history`: items, oldest first; `values`: values of the item, without all history items that have them, strongest first;
    `described`: label values without which the item's own text would be read, strongest first (`Recommender.text_effects`);
    `words`: words that order the list, as they come; `sources`: what each part of the model adds above its mean over all items.
    `saliency`: tokens that a language model reads, in their order (`Recommender.saliency`), views for which nothing is taken away.
    """

    rank: int
    listed: bool
    history: tuple[tuple[ItemId, float], ...]
    values: tuple[tuple[Ref, float], ...]
    described: tuple[tuple[Ref, float], ...]
    words: tuple[tuple[str, float], ...]
    sources: tuple[tuple[str, float], ...]
    saliency: tuple[ReadToken, ...] = ()


def attribute(model: Recommender, query: Query, item: ItemId, influence: Influence | None = None) -> Attribution:
    """The attribution of one item of the catalog under a query; `influence` is that of the history on it, where it is known."""
    catalog = model.catalog
    code = catalog.index[item]
    place = np.array([code], dtype=np.int64)
    influence = influence or influence_on(model, [(query, place)])[0]
    values = _values(catalog, code, query)
    words = _words(query)
    variants = [
        query,
        *(without(query, codes, catalog) for _, codes in values),
        *(_without_word(query, start, end) for _, start, end in words),
    ]
    whole, *others = outcomes(model, [(variant, place) for variant in variants])
    effects = [float(whole.scores[0] - other.scores[0]) for other in others]
    of_history = influence.losses[:, influence.shown.tolist().index(code)].tolist()
    asked = resolved(query)
    sources = steered(model, [asked])
    total, mask = np.sum(list(sources.values()), axis=0)[0], allowed(asked, catalog)
    return Attribution(
        rank=int((total[mask] > total[code]).sum()) + 1 if mask[code] else 0,
        listed=bool(whole.listed[0]),
        history=tuple((catalog.item_ids[each], lost) for each, lost in zip(influence.history.tolist(), of_history, strict=True)),
        values=_strongest(zip([ref for ref, _ in values], effects, strict=False)),
        described=_strongest((Ref(*value), effect) for value, effect in model.text_effects(query, item).items()),
        words=tuple((word, effect) for (word, _, _), effect in zip(words, effects[len(values) :], strict=True)),
        sources=tuple((name, float(part[0, code] - part[0].mean())) for name, part in sources.items()),
        saliency=tuple(model.saliency(query, item)),
    )


def _strongest(effects: Iterable[tuple[Ref, float]]) -> tuple[tuple[Ref, float], ...]:
    return tuple(sorted(effects, key=lambda pair: (-pair[1], pair[0])))


def _values(catalog: Catalog, item: int, query: Query) -> list[tuple[Ref, list[int]]]:
    """The values of an item that items of the history have, too, and which."""
    past = dict.fromkeys(catalog.codes(query.history).tolist())
    found = []
    for name, labels in catalog.labels.items():
        for value in labels.of(item):
            having = [code for code in past if value in labels.of(code)]
            if having:
                found.append((Ref(name, value), having))
    return found


def _words(query: Query) -> Sequence[tuple[str, int, int]]:
    """The words that models read of a request, and where they stand in it."""
    said = instruction_words(query.instruction) if query.strength > 0 else ""
    return [(token.text, token.start, token.end) for token in tokenize(said) if token.is_word][:MOST_WORDS]


def _without_word(query: Query, start: int, end: int) -> Query:
    """The query without one word of its request; with no strength where nothing is left of it."""
    said = instruction_words(query.instruction)
    rest = f"{said[:start]} {said[end:]}"
    if query.instruction is None or not any(token.is_word for token in tokenize(rest)):
        return replace(query, strength=0.0)
    return replace(query, instruction=replace(query.instruction, wish=" ".join(rest.split())))
