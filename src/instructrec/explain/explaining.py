"""The road of an explanation: influence, facts, evidence, words, check; a minimal true sentence where the check fails."""

from __future__ import annotations

from collections.abc import Sequence

from instructrec.core import Evidence, Explanation, Recommendation
from instructrec.explain.facts import Facts, Lore, collect
from instructrec.explain.influence import MAX_HISTORY, leave_one_out
from instructrec.explain.phrases import phrases
from instructrec.explain.selection import select
from instructrec.explain.verification import problems
from instructrec.explain.writing import Writer, first_variant, write
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
) -> list[Explanation]:
    """Why each item of one list is there, in the order of the list.

    `dataset` gives the catalog and the counts of people. A text is "verified" when every claim was read back out of it and
    found true; otherwise a minimal true sentence is shown and the status is "fallback".
    Raises QueryError for a language without wording or a list of another catalog.
    """
    return explain_batch(model, [recommendation], dataset, language=language, max_evidence=max_evidence)[0]


def explain_batch(
    model: Recommender,
    recommendations: Sequence[Recommendation],
    dataset: Dataset,
    *,
    language: str = "en",
    max_evidence: int = 3,
    max_history: int = MAX_HISTORY,
    writer: Writer = write,
) -> list[list[Explanation]]:
    """Explanations of many lists; the queries of all of them are scored together. `writer` puts evidence into words."""
    lore = Lore(dataset, phrases(language))
    influences = leave_one_out(model, recommendations, max_history=max_history)
    return [
        [_explained(facts, recommendation.id, max_evidence, writer) for facts in collect(lore, recommendation, influence)]
        for recommendation, influence in zip(recommendations, influences, strict=True)
    ]


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
