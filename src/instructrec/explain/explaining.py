"""The road of an explanation: influence, facts, evidence, words, check; a plainer true text where the check fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from instructrec.core import Evidence, Explanation, Recommendation
from instructrec.explain.counterfactual import counterfactuals
from instructrec.explain.facts import Facts, Lore, collect
from instructrec.explain.influence import Influence, measure_influence
from instructrec.explain.manner import PIECES, Manner
from instructrec.explain.modelled import modelled
from instructrec.explain.phrases import phrases
from instructrec.explain.selection import against, of_value, select
from instructrec.explain.verification import problems
from instructrec.explain.writing import first_variant, write, write_caveat, write_counterfactual
from instructrec.recommender import Recommender
from instructrec.tables import Dataset

_TRIES = 3


def explain(
    model: Recommender,
    recommendation: Recommendation,
    dataset: Dataset,
    *,
    language: str = "en",
    manner: Manner = Manner(),
    max_evidence: int | None = None,
    counterfactual: bool = False,
    influence: Influence | None = None,
) -> list[Explanation]:
    """Why each item of one list is there, in the order of the list; with `counterfactual` also what it depends on.

    `dataset` gives the catalog and the counts of people; `manner` is how it is said, and by whom. A text is "verified" when every
    claim was read back out of it and found true; otherwise a plainer true text is shown and the status is "fallback". That is also
    the status of a text by the grammar where a language model was to write. `max_evidence`: facts in a text, else as many as its
    length takes; `influence`: as measured before. Raises QueryError for a language without wording or a list of another catalog.
    """
    [found] = explain_batch(
        model,
        [recommendation],
        dataset,
        language=language,
        manner=manner,
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
    manner: Manner = Manner(),
    max_evidence: int | None = None,
    counterfactual: bool = False,
    influences: Sequence[Influence] | None = None,
) -> list[list[Explanation]]:
    """Explanations of many lists: all queries are scored together, and a language model writes all texts together."""
    lore = Lore.of(dataset, phrases(language))
    influences = measure_influence(model, recommendations) if influences is None else influences
    decisive: list[list[tuple[int, ...]]] = [[()] * len(influence.shown) for influence in influences]
    if counterfactual:
        decisive = counterfactuals(model, recommendations, influences)
    known = [collect(lore, found, influence) for found, influence in zip(recommendations, influences, strict=True)]
    cases = [(facts, found.id) for found, some in zip(recommendations, known, strict=True) for facts in some]
    texts = _texts(cases, manner, PIECES[manner.length] if max_evidence is None else max_evidence)
    return [
        [_with_further(next(texts), facts, found.id, gone) for facts, gone in zip(some, missing, strict=True)]
        for found, some, missing in zip(recommendations, known, decisive, strict=True)
    ]


def _texts(cases: Sequence[tuple[Facts, str]], manner: Manner, max_evidence: int) -> Iterator[Explanation]:
    """The text of every case, by the language model where there is one for the language, else by the grammar."""
    evidence = [select(facts, max_evidence, named=manner.named) for facts, _ in cases]
    written: list[Explanation | None] = [None] * len(cases)
    wanted = manner.writes(cases[0][0].lore.phrases.language) if cases else False
    if wanted:
        written = modelled(cases, evidence, manner)
    for (facts, request), entries, text in zip(cases, evidence, written, strict=True):
        plain = text or _by_grammar(facts, request, entries, manner)
        yield replace(plain, status="fallback") if wanted and text is None else plain


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


def _by_grammar(facts: Facts, request: str, evidence: tuple[Evidence, ...], manner: Manner) -> Explanation:
    item = facts.lore.catalog.item_ids[facts.item]
    start = first_variant(request, item)
    for variant in range(start, start + _TRIES if evidence else start):
        text = manner.grammar(evidence, facts, variant=variant)
        if text.strip() and not problems(text, facts):
            return Explanation(item=item, text=text, status="verified", evidence=evidence)
    return _minimal(facts, item, start)


def _minimal(facts: Facts, item: str, start: int) -> Explanation:
    """The shortest true thing: how many people chose it, else one attribute, else that there is no more to say."""
    crowd = [Evidence(kind="popularity", weight=0.0, value=str(facts.people))] if facts.people else []
    own = [of_value(facts, ref) for ref in facts.lore.reasons(facts.item)]
    for evidence in (*crowd, *own[:3]):
        for variant in range(start, start + _TRIES):
            text = write((evidence,), facts, variant=variant)
            if not problems(text, facts):
                return Explanation(item=item, text=text, status="fallback", evidence=(evidence,))
    return Explanation(item=item, text=write((), facts, variant=start), status="fallback")
