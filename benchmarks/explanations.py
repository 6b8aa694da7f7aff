"""Are reasons true, personal, and the real ones? Texts by the thousand, and what happens to lists without the items they name.

    python -m benchmarks.explanations --data ml-1m --json

A fusion (by default of the parts without a language model) is fitted on train; lists of 10 for test users, histories as they were
before the held-out item, seen items hidden. Every text is read back by the product's checker (`explain/verification.py`, whose own
precision and recall are tested on labelled texts, `tests/explain/test_labelled.py`), and its evidence is compared with the tables
here, by other code. With --writer model the product's language model writes (tuned first, minutes; --work keeps it);
texts of the grammar then count as fallback, and without it minimal sentences do.

claim_precision: texts without a claim that checker or tables refute. claims_per_text, links_per_text: facts a text names (how well
the item fits is not counted), and those that link it to the person (history, request). told_apart: a text about an item that two
users both got, does it name more of its own user's history? distinct_2: different pairs of words by all pairs. opening: the
commonest first eight words. against_taste: texts that give as a reason a value which the user rates lower than the rest.
coherence, sentiment: benchmarks/coherence.py, on lists of 20 of further users.
Deletion (--deleted users, items on ranks 1, 4, 7, 10; benchmarks/deletion.py): how often the item leaves the list of 10 when the
history items that the text names are taken away (they stay hidden), against the best three by greedy search and three at random,
and deletion curves beside those of LIME and SHAP. decided: texts with a counterfactual; counterfactual_true: those whose item is
gone from the list that is made again.
Times: one list of 10 at a time, evidence (every item taken away, and left alone) and texts with their check, median.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.coherence import APART, Standing, coherence
from benchmarks.deletion import K, Told, deletion
from benchmarks.leaderboard import parts_of, single_targets
from instructrec.config import RunConfig, build_model, from_toml
from instructrec.core import Evidence, FitContext
from instructrec.data.split import Split
from instructrec.explain import Manner, explain_batch, lessons
from instructrec.explain.facts import Lore, collect
from instructrec.explain.influence import measure_influence, without
from instructrec.explain.phrases import phrases
from instructrec.explain.verification import problems
from instructrec.instructions.tokens import keys
from instructrec.models.fusion import Fusion
from instructrec.recommender import Recommender
from instructrec.tables import Catalog

OPENING = 8
AT_ONCE = 50


def explained(model: Recommender, parts: Split, users: int, language: str, manner: Manner) -> Iterator[Told]:
    """Explanations of the lists of the first so many test users."""
    lore = Lore.of(parts.train, phrases(language))
    queries = [replace(query, n=K) for query in single_targets(parts.test)[0][:users]]
    for start in range(0, len(queries), AT_ONCE):
        lists = model.recommend(queries[start : start + AT_ONCE])
        influences = measure_influence(model, lists)
        found = explain_batch(
            model, lists, parts.train, language=language, manner=manner, counterfactual=True, influences=influences
        )
        for recommendation, influence, explanations in zip(lists, influences, found, strict=True):
            for facts, explanation in zip(collect(lore, recommendation, influence), explanations, strict=True):
                yield Told(recommendation=recommendation, explanation=explanation, facts=facts)


def standing(model: Recommender, parts: Split, users: int, language: str, manner: Manner) -> dict[str, float]:
    """Whether texts tell how high their items stand, on lists of 20 of the last so many test users."""
    queries = [replace(query, n=2 * APART) for query in single_targets(parts.test)[0][-users:]]
    found = []
    for start in range(0, len(queries), AT_ONCE):
        lists = model.recommend(queries[start : start + AT_ONCE])
        for user, texts in enumerate(explain_batch(model, lists, parts.train, language=language, manner=manner), start):
            found += [Standing(user=user, rank=rank, text=one.text) for rank, one in enumerate(texts, 1)]
    return coherence(found)


def is_true(told: Told) -> bool:
    """Whether neither the checker nor a comparison of the evidence with the tables refutes anything."""
    return not problems(told.explanation.text, told.facts) and all(_holds(entry, told) for entry in told.explanation.evidence)


def _holds(entry: Evidence, told: Told) -> bool:
    catalog, query, attribute = told.facts.lore.catalog, told.recommendation.query, entry.attribute or ""
    code = catalog.index[told.explanation.item]
    if entry.item is not None and entry.item not in query.history:
        return False
    if entry.kind == "attribute" and attribute in catalog.numbers:
        return entry.value == f"{catalog.numbers[attribute][code]:.15g}"
    if entry.kind == "attribute":
        labels = catalog.labels[attribute]
        both = [code] if entry.item is None else [code, catalog.index[entry.item]]
        return all(entry.value in labels.of(each) for each in both)
    if entry.kind == "popularity":
        rows = told.facts.lore.dataset.interactions
        return entry.value == str(len(np.unique(rows.users[rows.items == code])))
    return entry.kind != "history" or entry.weight > 0


def texts_of(all_told: Sequence[Told]) -> dict[str, float]:
    """What can be said of the texts as texts."""
    texts = [told.explanation.text for told in all_told]
    evidence = [told.explanation.evidence for told in all_told]
    words = [keys(text) for text in texts]
    pairs = Counter(pair for text in words for pair in itertools.pairwise(text))
    openings = Counter(text[:OPENING] for text in words)
    disliked = [
        any(entry.kind == "attribute" and (entry.attribute, entry.value) in told.facts.rated_low() for entry in found)
        for told, found in zip(all_told, evidence, strict=True)
    ]
    return {
        "texts": float(len(texts)),
        "claim_precision": float(np.mean([is_true(told) for told in all_told])),
        "claims_per_text": float(np.mean([sum(one.kind != "rank" for one in found) for found in evidence])),
        "links_per_text": float(np.mean([sum(one.kind in ("history", "instruction") for one in found) for found in evidence])),
        "fallback_share": float(np.mean([told.explanation.status != "verified" for told in all_told])),
        "by_model": float(np.mean([told.explanation.written_by == "model" for told in all_told])),
        "distinct_2": len(pairs) / max(1, pairs.total()),
        "opening": max(openings.values()) / len(texts),
        "told_apart": told_apart(all_told),
        "against_taste": float(np.mean(disliked)),
        "caveats": float(np.mean([bool(told.explanation.caveat) for told in all_told])),
        "decided": float(np.mean([bool(told.explanation.counterfactual) for told in all_told])),
    }


def told_apart(all_told: Sequence[Told]) -> float:
    """Of texts about an item that two users got: those that name more of the history of their own user; ties count half."""
    by_item: dict[str, list[Told]] = {}
    for told in all_told:
        by_item.setdefault(told.explanation.item, []).append(told)
    right = []
    for group in by_item.values():
        for one, other in zip(group, group[1:], strict=False):
            titles = one.facts.lore.catalog.titles
            named = [titles[code] for code in one.named]
            own, strange = (sum(title in {titles[code] for code in told.past} for title in named) for told in (one, other))
            right.append(1.0 if own > strange else 0.5 if own == strange else 0.0)
    return float(np.mean(right)) if right else float("nan")


def truly_decided(model: Recommender, all_told: Sequence[Told]) -> float:
    """Counterfactuals whose item is gone from the list that is made again without them."""
    catalog: Catalog = model.catalog
    some = [told for told in all_told if told.explanation.counterfactual]
    queries = [
        without(told.recommendation.query, catalog.codes(told.explanation.counterfactual).tolist(), catalog) for told in some
    ]
    lists = [found for start in range(0, len(queries), 256) for found in model.recommend(queries[start : start + 256])]
    gone = [told.explanation.item not in {entry.item for entry in found.items} for told, found in zip(some, lists, strict=True)]
    return float(np.mean(gone)) if gone else float("nan")


def times(model: Recommender, parts: Split, language: str, manner: Manner, lists: int = 25) -> dict[str, float]:
    """Milliseconds for one list of 10: evidence, and evidence with texts."""
    lore = Lore.of(parts.train, phrases(language))
    queries = [replace(query, n=K) for query in single_targets(parts.test)[0][:lists]]
    evidence, whole = [], []
    for found in model.recommend(queries):
        began = time.perf_counter()
        collect(lore, found, measure_influence(model, [found])[0])
        evidence.append(time.perf_counter() - began)
        began = time.perf_counter()
        explain_batch(model, [found], parts.train, language=language, manner=manner)
        whole.append(time.perf_counter() - began)
    measured = statistics.median(evidence) * 1000
    return {"ms_evidence_10": measured, "ms_text_10": statistics.median(whole) * 1000 - measured}


def fitted(parts: Split, config: RunConfig) -> Fusion:
    """A fusion with the settings given, fitted on train, its weights on validation."""
    settings = config.settings["fusion"]
    models = {name: build_model(name, config) for name in settings.parts}
    context = FitContext(validation=single_targets(parts.valid))
    return Fusion(settings, parts={name: one.fit(parts.train, context) for name, one in models.items()}).fit(parts.train, context)


def manner_of(writer: str, parts: Split, language: str, work: Path | None) -> Manner:
    """By whom texts are written; a model is tuned on the training part, or read from the folder that keeps it."""
    if writer == "grammar":
        return Manner()
    from instructrec.console import LiveProgress
    from instructrec.tuning.verbalising import Verbaliser

    if work is not None and work.is_dir():
        return Manner(model=Verbaliser.load(work))
    with LiveProgress() as progress:
        made = Verbaliser()
        known = lessons(parts.train, language=language, passes=made.config.passes, seed=0)
        made.fit(known, language=language, progress=progress)
    if work is not None:
        made.save(work)
    return Manner(model=made)


def main() -> None:
    """Print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--users", type=int, default=1000, help="test users whose lists of 10 are explained")
    parser.add_argument("--deleted", type=int, default=100, help="of these, users from whose histories items are taken away")
    parser.add_argument("--writer", default="grammar", choices=("grammar", "model"))
    parser.add_argument("--work", type=Path, help="folder in which the tuned writer is kept")
    parser.add_argument("--standing", type=int, default=150, help="test users whose lists of 20 the judge of coherence reads")
    parser.add_argument("--language", default="en", choices=("en", "zh"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of the fusion or its parts")
    add_json_option(parser)
    given = parser.parse_args()
    config = from_toml("", ['fusion.parts=["ridge","recency_ease","bm25","themes"]', *given.set])
    parts = parts_of(given.data)
    model = fitted(parts, config)
    manner = manner_of(given.writer, parts, given.language, given.work)
    numbers: dict[str, Any] = {"data": given.data, "language": given.language, "parts": list(model.config.parts)}
    numbers |= {"writer": given.writer} | times(model, parts, given.language, manner)
    all_told = list(explained(model, parts, given.users, given.language, manner))
    numbers |= texts_of(all_told) | deletion(model, all_told, given.deleted)
    numbers |= {"counterfactual_true": truly_decided(model, all_told)}
    numbers |= standing(model, parts, given.standing, given.language, manner)
    for name, value in numbers.items():
        print(f"{name:<24}{value:.4f}" if isinstance(value, float) else f"{name:<24}{value}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
