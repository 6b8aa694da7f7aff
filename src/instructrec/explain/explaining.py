"""The road of an explanation: influence, facts, evidence, words, check; a minimal true sentence where the check fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from instructrec.core import Evidence, Explanation, Recommendation
from instructrec.explain.counterfactual import counterfactuals
from instructrec.explain.facts import Facts, Lore, collect
from instructrec.explain.influence import Influence, measure_influence
from instructrec.explain.phrases import phrases
from instructrec.explain.selection import against, select
from instructrec.explain.verification import problems
from instructrec.explain.writing import Writer, first_variant, write, write_caveat, write_counterfactual
from instructrec.recommender import Recommender
from instructrec.tables import Dataset

_TRIES = 3


def explain(
    model: Recommender,
    recommendation: Recommendation,
    dataset: Dataset,
    *,
    language: str = "en",
    max_evidence: int = 3,
    counterfactual: bool = False,
    influence: Influence | None = None,
) -> list[Explanation]:
    """Why each item of one list is there, in the order of the list; with `counterfactual` also what it depends on.

    `dataset` gives the catalog and the counts of people. A text is "verified" when every claim was read back out of it and
    found true; otherwise a minimal true sentence is shown and the status is "fallback". `influence`: as measured before.
    Raises QueryError for a language without wording or a list of another catalog.
    """
    [found] = explain_batch(
        model,
        [recommendation],
        dataset,
        language=language,
        max_evidence=max_evidence,
        counterfactual=counterfactual,
        influences=None if influence is None else [influence],
    )
    return found


def explain_batch(
    model: Recommender,
    recommendations: Sequence[Recommendation],
    dataset: Dataset,
    *,
    language: str = "en",
    max_evidence: int = 3,
    writer: Writer = write,
    counterfactual: bool = False,
    influences: Sequence[Influence] | None = None,
) -> list[list[Explanation]]:
    """Explanations of many lists; the queries of all of them are scored together. `writer` puts evidence into words."""
    lore = Lore.of(dataset, phrases(language))
    influences = measure_influence(model, recommendations) if influences is None else influences
    decisive: list[list[tuple[int, ...]]] = [[()] * len(influence.shown) for influence in influences]
    if counterfactual:
        decisive = counterfactuals(model, recommendations, influences)
    return [
        [
            _with_further(_explained(facts, recommendation.id, max_evidence, writer), facts, recommendation.id, gone)
            for facts, gone in zip(collect(lore, recommendation, influence), missing, strict=True)
        ]
        for recommendation, influence, missing in zip(recommendations, influences, decisive, strict=True)
    ]


def _with_further(found: Explanation, facts: Facts, request: str, gone: Sequence[int]) -> Explanation:
    """The explanation with what speaks against the item, and with what it depends on."""
    start = first_variant(request, found.item)
    opposing = against(facts)
    caveat = write_caveat(opposing, facts, variant=start) if opposing else ""
    if opposing and not problems(caveat, facts):
        found = replace(found, caveat=caveat, against=(opposing,))
    items = tuple(facts.lore.catalog.item_ids[code] for code in gone)
    return replace(
        found,
        counterfactual=items,
        counterfactual_text=write_counterfactual(items, facts, variant=start) if items else "",
    )


def _explained(facts: Facts, request: str, max_evidence: int, writer: Writer) -> Explanation:
    item = facts.lore.catalog.item_ids[facts.item]
    start = first_variant(request, item)
    evidence = select(facts, max_evidence)
    for variant in range(start, start + _TRIES if evidence else start):
        text = writer(evidence, facts, variant=variant)
        if text.strip() and not problems(text, facts):
            return Explanation(item=item, text=text, status="verified", evidence=evidence)
    return _fallback(facts, item, start)


def _fallback(facts: Facts, item: str, start: int) -> Explanation:
    """The shortest true thing: how many people chose it, else one attribute, else that there is no more to say."""
    crowd = [Evidence(kind="popularity", weight=0.0, value=str(facts.people))] if facts.people else []
    own = [
        Evidence(kind="attribute", weight=0.0, attribute=ref.attribute, value=ref.value) for ref in facts.lore.values(facts.item)
    ]
    for evidence in (*crowd, *own[:3]):
        for variant in range(start, start + _TRIES):
            text = write((evidence,), facts, variant=variant)
            if not problems(text, facts):
                return Explanation(item=item, text=text, status="fallback", evidence=(evidence,))
    return Explanation(item=item, text=write((), facts, variant=start), status="fallback")
