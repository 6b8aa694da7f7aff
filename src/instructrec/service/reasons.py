"""Lists that were shown, and why their items are there: all at once, or piece by piece as it becomes known."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from instructrec import wire
from instructrec.core import Explanation, Recommendation
from instructrec.errors import NotFoundError
from instructrec.explain import Influence, explain, measure_influence
from instructrec.explain.phrases import phrases
from instructrec.recommender import Recommender
from instructrec.service.drafting import is_plain, makers_of
from instructrec.service.ladder import Ladder
from instructrec.service.snapshot import Snapshot

T = TypeVar("T")
MOST_SHOWN = 20_000
"""Lists that can still be explained."""
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that can be explained."""

    tenant: str
    snapshot: Snapshot
    found: Recommendation
    language: str


class Reasons:
    """The lists that were shown last. `quick` and `slow`: where models compute that take short or long."""

    def __init__(self, quick: Executor, slow: Executor) -> None:
        self._quick, self._slow = quick, slow
        self._lists: OrderedDict[tuple[str, str], Listed] = OrderedDict()

    def keep(self, listed: Listed) -> None:
        """Let a list be asked about."""
        self._lists[listed.tenant, listed.found.id] = listed
        while len(self._lists) > MOST_SHOWN:
            self._lists.popitem(last=False)

    def keep_only(self, ladder: Ladder) -> None:
        """Forget the lists that other models made."""
        kept = [(name, one) for name, one in self._lists.items() if one.snapshot.ladder is ladder]
        self._lists = OrderedDict(kept)

    def clear(self) -> None:
        """Forget all lists."""
        self._lists.clear()

    async def of(self, listed: Listed) -> list[Explanation]:
        """Why each item of a list is there, in its order."""
        said = []
        for name, items in makers_of(listed.found).items():
            told = await self._computed(listed, name, lambda model: _explained(model, listed))
            said += [one for one in told if one.item in items]
        return said

    async def told(self, tenant: str, recommendation_id: str, item: str) -> dict[str, Any]:
        """Why an item of a list is there, with evidence and what it depends on, in the shape of `wire.answer`.

        Raises NotFoundError for a list that is not known (any more), and for an item that is not in it.
        """
        listed = self._find(tenant, recommendation_id, item)
        return _entry(listed, await self.of(listed), item)

    async def telling(self, tenant: str, recommendation_id: str, item: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """The same in pieces, as (name, JSON object): `evidence` as soon as it is measured, each `sentence` of the text (together
        they are the text), and `done`, what `told` gives, once it is known what the item depends on. Raises as `told` does.
        """
        listed = self._find(tenant, recommendation_id, item)
        name = next(name for name, items in makers_of(listed.found).items() if item in items)
        influence, first = await self._computed(listed, name, lambda model: _measured(model, listed))
        entry = _entry(listed, first, item)
        yield "evidence", {key: entry[key] for key in ("item_id", "title", "evidence", "against")}
        for sentence in sentences_of(entry["explanation"], listed.language):
            yield "sentence", {"text": sentence}
        whole = await self._computed(listed, name, lambda model: _explained(model, listed, influence))
        yield "done", _entry(listed, whole, item)

    def _find(self, tenant: str, recommendation_id: str, item: str) -> Listed:
        listed = self._lists.get((tenant, recommendation_id))
        if listed is None:
            raise NotFoundError(f"There is no list '{recommendation_id}' (any more). Ask for a new list, and for its reasons.")
        if item not in {entry.item for entry in listed.found.items}:
            raise NotFoundError(f"Item '{item}' is not in the list '{recommendation_id}'. Ask about one that it holds.")
        return listed

    async def _computed(self, listed: Listed, name: str, work: Callable[[Recommender], T]) -> T:
        """What comes of some work with a model that made a list, or a part of it."""
        rungs = (*listed.snapshot.ladder.rungs, *listed.snapshot.ladder_for(name).rungs)
        # What many choose now is explained as what many choose.
        rung = next((rung for rung in rungs if rung.name == name), listed.snapshot.ladder.rungs[-1])
        pool = self._slow if rung.worker is not None else self._quick
        return await asyncio.get_running_loop().run_in_executor(pool, work, rung.model)


def sentences_of(text: str, language: str) -> list[str]:
    """The sentences of a reason with what stands between them, so that all together are the text; a title is never cut."""
    opening, closing = phrases(language).title_marks
    out, start = [], 0
    for found in _SENTENCE_ENDS.finditer(text):
        before = text[: found.end()]
        if before.count(opening) <= before.count(closing) and found.end() > start:
            out.append(text[start : found.end()])
            start = found.end()
    return [*out, text[start:]] if start < len(text) else out


def _measured(model: Recommender, listed: Listed) -> tuple[Influence, list[Explanation]]:
    """What takes no lists to be made again: the influence of the history, and the reasons without what they depend on."""
    [influence] = measure_influence(model, [listed.found])
    return influence, explain(model, listed.found, listed.snapshot.dataset, language=listed.language, influence=influence)


def _explained(model: Recommender, listed: Listed, influence: Influence | None = None) -> list[Explanation]:
    found, dataset = listed.found, listed.snapshot.dataset
    return explain(model, found, dataset, language=listed.language, counterfactual=is_plain(found), influence=influence)


def _entry(listed: Listed, reasons: list[Explanation], item: str) -> dict[str, Any]:
    answer = wire.answer(
        listed.found,
        catalog=listed.snapshot.catalog,
        model_version=listed.snapshot.version,
        explanations=reasons,
        language=listed.language,
    )
    return next(entry for entry in answer["items"] if entry["item_id"] == item)
