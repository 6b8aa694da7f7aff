"""Texts of a language model: written together, each checked, those that fail drawn again twice."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.core import Evidence, Explanation
from instructrec.errors import InstructRecError
from instructrec.explain.facts import Facts
from instructrec.explain.manner import Manner
from instructrec.explain.planning import plan_of
from instructrec.explain.verification import problems
from instructrec.explain.writing import could_write, first_variant, write

DRAWS = 3
"""Texts that are drawn for an outline at most."""
AT_ONCE = 20
"""Texts that are written together."""


def modelled(
    cases: Sequence[tuple[Facts, str]], evidence: Sequence[tuple[Evidence, ...]], manner: Manner
) -> list[Explanation | None]:
    """For each case a text of the model that says its evidence and is true, and that the grammar could not have written; None
    where no draw is that.
    """
    drafts = [_Draft(facts, request, entries, manner) for (facts, request), entries in zip(cases, evidence, strict=True)]
    for draw in range(DRAWS):
        left = [draft for draft in drafts if draft.found is None and draft.worth_writing]
        for start in range(0, len(left), AT_ONCE):
            some = left[start : start + AT_ONCE]
            for draft, text in zip(some, _written(some, manner, draw), strict=True):
                draft.take(text)
    return [draft.found for draft in drafts]


def _written(drafts: Sequence[_Draft], manner: Manner, draw: int) -> list[str]:
    """A text with slots for each draft; none where the model fails."""
    if manner.model is None:
        return [""] * len(drafts)
    try:
        return manner.model.write([draft.plan for draft in drafts], seeds=[draft.seed + draw for draft in drafts])
    except InstructRecError:
        return [""] * len(drafts)


class _Draft:
    """One text on its way: its outline, and the explanation once a text is found true."""

    def __init__(self, facts: Facts, request: str, evidence: tuple[Evidence, ...], manner: Manner) -> None:
        self.facts = facts
        self.item = facts.lore.catalog.item_ids[facts.item]
        self.seed = first_variant(request, self.item)
        # Where it comes from says nothing of the item, and the grammar alone has a sentence for it.
        told = tuple(entry for entry in evidence if entry.kind != "source")
        self.plan, self.rest = plan_of(told, facts, variant=self.seed, tone=manner.tone, length=manner.length)
        self.told = told
        self.found: Explanation | None = None

    @property
    def worth_writing(self) -> bool:
        """Whether there is anything to say but how well it fits."""
        return bool(self.plan.needed - {"fit"})

    def take(self, text: str) -> None:
        """Keep a text if it says the whole outline, is true, and is no sentence of the grammar."""
        if not self.plan.is_said_by(text) or could_write(text, self.facts.lore.phrases):
            return
        whole = self.plan.filled(text)
        if self.rest:
            whole += self.facts.lore.phrases.between + write(self.rest, self.facts, variant=self.seed)
        if not problems(whole, self.facts):
            self.found = Explanation(item=self.item, text=whole, status="verified", evidence=self.told, written_by="model")
