"""Do lists obey words, and do they still fit the person: limits, negation, composites, and relevance under control.

    python -m benchmarks.control --data ml-1m --json

Full catalog, leave-one-out, lists of 10, seen items hidden. Sentences are written about the held-out item of a test user from the
catalog's attributes (`instructions/sentences.py`), so that their limits hold for it and for 1-5 % of the items; for relevance half
of them also hold a soft wish ("ideally ..."). All figures but `csr_seen` use openings, phrasings and endings that tuning never
sees. A list obeys when every item meets every limit that the sentence was written from (tolerance 0) and it is as long as it can
be. `renamed`: the same on a catalog whose attribute words were replaced by invented ones.

Relevance is NDCG@10 of the held-out item, paired over users: the fusion under the instruction, the same fusion's first 100 items
filtered afterwards, and the same fusion under the limits alone (strength 0: the words order nothing).
Fusion weights, with and without words, are fitted on validation. Fitted models are kept in --work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy import single_targets
from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from instructrec.config import RunConfig, build_model, preset, with_settings
from instructrec.core import FitContext, Instruction, Query, Recommendation
from instructrec.data import load
from instructrec.data.split import Split, split
from instructrec.evaluation.intervals import paired_test
from instructrec.files import atomic_folder
from instructrec.instructions import parse
from instructrec.instructions.sentences import Clause, Sentence, SentenceWriter, hard_part
from instructrec.models import resolve
from instructrec.models.fusion import Fusion, FusionConfig
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, Labels

PARTS = ("ridge", "recency_ease", "lm", "bm25", "themes")
SHARE = (0.01, 0.05)
"""Share of the catalog that meets the limits of a sentence."""
K = 10
DRAWN = 1000
"""Sentences of every kind of condition, understood but not answered."""
SOFT = 0.5
"""Share of the sentences that also hold a wish, where the item has another value."""
FIRST = 100
"""Items of the list that is filtered afterwards."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Queries of test users, each with a sentence about its target."""

    queries: Sequence[Query]
    targets: Sequence[int]
    sentences: Sequence[Sentence]


ORDER = ("include", "either", "years", "number", "exclude")
"""Kinds of conditions in the order in which people say them: what is wanted first."""


def about(writer: SentenceWriter, target: int, size: int, rng: np.random.Generator, *, soft: bool) -> list[Clause]:
    """Up to `size` conditions of different kinds that a catalog item meets; either two values or one, for nobody says both.

    With `soft` a further value of the item would be nice in half of the sentences: a wish, which limits nothing.
    """
    dropped = "include" if rng.random() < 0.2 else "either"
    kinds = [str(kind) for kind in rng.permutation([kind for kind in ORDER if kind != dropped])]
    made = {kind: clause for kind in kinds if (clause := condition(writer, kind, target, rng)) is not None}
    chosen = [kind for kind in ORDER if kind in list(made)[:size]]
    wanted = {value for kind in chosen if kind == "either" for value in made[kind].means.limits[0].values}
    # Nobody says "a comedy or a drama, no dramas".
    kept = [kind for kind in chosen if kind != "exclude" or not wanted & set(made[kind].means.limits[0].values)]
    said = {value for kind in kept for limit in made[kind].means.limits for value in limit.values}
    own = [ref for ref in writer.values if ref.value in writer.catalog.labels[ref.attribute].of(target) and ref.value not in said]
    clauses = [made[kind] for kind in kept]
    if soft and own and clauses and rng.random() < SOFT:
        place = len(clauses) - (kept[-1] == "exclude")
        clauses.insert(place, writer.soft(own[int(rng.integers(len(own)))], rng))
    return clauses


def condition(writer: SentenceWriter, kind: str, target: int, rng: np.random.Generator) -> Clause | None:
    """One condition that an item meets; none where its attributes have none of the kind."""
    catalog = writer.catalog
    own = [ref for ref in writer.values if ref.value in catalog.labels[ref.attribute].of(target)]
    other = [ref for ref in writer.values if ref.value not in catalog.labels[ref.attribute].of(target)]
    numbers = {name: values[target] for name, values in catalog.quantities.items() if np.isfinite(values[target])}
    year = numbers.pop(writer.year, None) if writer.year else None
    if kind == "years":
        return None if year is None else writer.years(int(year), rng)
    if kind == "number":
        name = str(rng.choice(list(numbers))) if numbers else ""
        return writer.number(name, float(numbers[name]), rng) if numbers else None
    if kind == "exclude":
        return writer.exclude([other[int(rng.integers(len(other)))]], rng) if other else None
    if not own:
        return None
    ref = own[int(rng.integers(len(own)))]
    if kind == "include":
        return writer.include(ref, rng)
    same = [one for one in other if one.attribute == ref.attribute]
    return writer.either(ref, same[int(rng.integers(len(same)))], rng) if same else None


def written(
    parts: Split,
    rng: np.random.Generator,
    *,
    sizes: Sequence[int],
    count: int,
    held_out: bool,
    catalog: Catalog,
    soft: bool = False,
) -> Suite:
    """Sentences about the targets of `count` test users, of one of `sizes` conditions each, met by 1-5 % of the items."""
    writer = SentenceWriter(catalog, held_out=held_out)
    queries, targets = single_targets(parts.test)
    found: list[tuple[Query, int, Sentence]] = []
    for row in rng.permutation(len(queries)):
        if len(found) == count:
            break
        for _ in range(12):
            sentence = writer.write(about(writer, targets[row], int(rng.choice(sizes)), rng, soft=soft), rng)
            share = catalog.matching(sentence.truth.limits).mean()
            if SHARE[0] <= share <= SHARE[1] and catalog.matching(sentence.truth.limits)[targets[row]]:
                found.append((queries[row], targets[row], sentence))
                break
    return Suite(queries=[one[0] for one in found], targets=[one[1] for one in found], sentences=[one[2] for one in found])


def obeys(answer: Recommendation, truth: Instruction, query: Query, catalog: Catalog) -> bool:
    """Whether every shown item may be shown and the list is as long as it can be."""
    mask = allowed(replace(query, instruction=replace(truth, quotas=())), catalog)
    codes = catalog.codes([item.item for item in answer.items])
    return bool(mask[codes].all()) and len(set(codes.tolist())) == len(answer.items) == min(K, int(mask.sum()))


def lists(model: Recommender, queries: Sequence[Query]) -> list[Recommendation]:
    """Answers, some at a time."""
    return [answer for start in range(0, len(queries), 64) for answer in model.recommend(queries[start : start + 64])]


def understood(suite: Suite, catalog: Catalog) -> list[Instruction]:
    """What is understood of each sentence."""
    return [parse(sentence.text, catalog) for sentence in suite.sentences]


def obedience(model: Recommender, suite: Suite) -> dict[str, float]:
    """Shares of lists that obey, and of sentences understood exactly."""
    catalog = model.catalog
    words = understood(suite, catalog)
    answers = lists(model, [replace(query, instruction=text, n=K) for query, text in zip(suite.queries, words, strict=True)])
    held = [
        obeys(answer, sentence.truth, query, catalog)
        for answer, sentence, query in zip(answers, suite.sentences, suite.queries, strict=True)
    ]
    exact = [hard_part(text) == hard_part(one.truth) for text, one in zip(words, suite.sentences, strict=True)]
    return {"csr": float(np.mean(held)), "exact": float(np.mean(exact))}


def drawn_exact(catalog: Catalog, rng: np.random.Generator, count: int, *, held_out: bool) -> float:
    """Share of sentences of one to four conditions of every kind whose hard part is understood exactly."""
    writer = SentenceWriter(catalog, held_out=held_out)
    drawn = [writer.draw(rng, int(rng.integers(1, 5))) for _ in range(count)]
    return float(np.mean([hard_part(parse(one.text, catalog)) == hard_part(one.truth) for one in drawn]))


def negation_pairs(model: Recommender, parts: Split, rng: np.random.Generator, count: int) -> float:
    """Share of values for which "with it" shows only items that have it and "without it" only items that lack it."""
    catalog = model.catalog
    writer = SentenceWriter(catalog, held_out=True)
    queries, _ = single_targets(parts.test)
    right = []
    for _ in range(count):
        ref = writer.values[int(rng.integers(len(writer.values)))]
        query = queries[int(rng.integers(len(queries)))]
        pair = [writer.write([clause], rng) for clause in (writer.include(ref, rng), writer.exclude([ref], rng))]
        asked = [replace(query, instruction=parse(one.text, catalog), n=K) for one in pair]
        answers = model.recommend(asked)
        right.append(all(obeys(answer, one.truth, query, catalog) for answer, one in zip(answers, pair, strict=True)))
    return float(np.mean(right))


def renamed(catalog: Catalog, rng: np.random.Generator) -> Catalog:
    """The same items with invented attribute values."""
    syllables = [first + vowel for first in "bdfgklmnprstvz" for vowel in "aeiou"]

    def word() -> str:
        return "".join(rng.choice(syllables, size=int(rng.integers(3, 5)))).capitalize()

    labels = {}
    for name, found in catalog.labels.items():
        words = {value: word() for value in found.names}
        labels[name] = Labels.build([[words[value] for value in row] for row in catalog.label_rows(name)])
    return replace(catalog, labels=labels)


def ndcg(answers: Sequence[Recommendation], targets: Sequence[int], catalog: Catalog) -> Any:
    """NDCG@10 of one target a list, float [num_lists]."""
    out = np.zeros(len(answers))
    for row, (answer, target) in enumerate(zip(answers, targets, strict=True)):
        for rank, item in enumerate(answer.items[:K]):
            if item.item == catalog.item_ids[target]:
                out[row] = 1 / np.log2(rank + 2)
    return out


def relevance(model: Recommender, suite: Suite) -> dict[str, Any]:
    """NDCG@10 by user: with the words, with their limits alone, filtered afterwards, and without an instruction."""
    catalog = model.catalog
    words = understood(suite, catalog)
    asked = [replace(query, instruction=text, n=K) for query, text in zip(suite.queries, words, strict=True)]
    plain = lists(model, [replace(query, n=FIRST) for query in suite.queries])
    kept = []
    for answer, text in zip(plain, words, strict=True):
        mask = catalog.matching(text.limits)
        kept.append(replace(answer, items=tuple(item for item in answer.items if mask[catalog.index[item.item]])))
    score = partial(ndcg, targets=suite.targets, catalog=catalog)
    return {
        "words": score(lists(model, asked)),
        "mask": score(lists(model, [replace(query, strength=0.0) for query in asked])),
        "filtered": score(kept),
        "plain": score(plain),
    }


def fitted(name: str, parts: Split, config: RunConfig, *, seed: int, work: Path, parts_of: dict[str, Recommender]) -> Recommender:
    """A model, read from `work` where an earlier run left it."""
    place = work / f"{name}-{seed}"
    catalog = parts.train.catalog
    if place.is_dir():
        return resolve(name).load(place, catalog)
    unfinished = work / f"unfinished-{name}-{seed}"
    unfinished.mkdir(parents=True, exist_ok=True)
    context = FitContext(
        validation=single_targets(parts.valid), seed=seed, progress=Lines(f"{name} seed {seed}"), folder=unfinished
    )
    model = build_model(name, config, parts=parts_of).fit(parts.train, context)
    with atomic_folder(place) as folder:
        model.save(folder)
    return model


def fusion_of(parts: Split, config: RunConfig, *, seed: int, work: Path) -> Fusion:
    """The fusion of one seed; its weights are fitted anew each time."""
    names = PARTS
    found = {name: fitted(name, parts, config, seed=seed if name == "lm" else 0, work=work, parts_of={}) for name in names}
    context = FitContext(validation=single_targets(parts.valid), seed=seed)
    return Fusion(FusionConfig(parts=names), parts=found).fit(parts.train, context)


def measure(parts: Split, config: RunConfig, *, seed: int, work: Path, users: int) -> dict[str, Any]:
    """All figures of one seed; arrays are by user."""
    model = fusion_of(parts, config, seed=seed, work=work)
    rng, catalog = np.random.default_rng([seed, 21]), model.catalog
    print(f"seed {seed}: weights {model.weights}; with words {model.worded}")
    suites = {
        "seen": written(parts, rng, sizes=(1, 2), count=users, held_out=False, catalog=catalog),
        "unseen": written(parts, rng, sizes=(1, 2), count=users, held_out=True, catalog=catalog),
        "composite": written(parts, rng, sizes=(2, 3, 4), count=users, held_out=True, catalog=catalog),
    }
    out: dict[str, Any] = {}
    for name, suite in suites.items():
        out |= {f"{key}_{name}": value for key, value in obedience(model, suite).items()}
    out["negation_pairs"] = negation_pairs(model, parts, rng, users)
    out["exact_drawn_seen"] = drawn_exact(catalog, rng, DRAWN, held_out=False)
    out["exact_drawn"] = drawn_exact(catalog, rng, DRAWN, held_out=True)
    ridge = model.parts["ridge"]
    ridge.catalog = renamed(catalog, rng)
    again = written(parts, rng, sizes=(1, 2, 3), count=users, held_out=True, catalog=ridge.catalog)
    out |= {f"{key}_renamed": value for key, value in obedience(ridge, again).items()}
    ridge.catalog = catalog
    both = written(parts, rng, sizes=(1, 2, 3, 4), count=users, held_out=True, catalog=catalog, soft=True)
    began = time.perf_counter()
    understood(both, catalog)
    out["parse_ms"] = (time.perf_counter() - began) * 1000 / len(both.sentences)
    soft = [len(text.wish) > 0 for text in understood(both, catalog)]
    out |= {f"by_user.{name}": value for name, value in relevance(model, both).items()}
    return out | {"by_user.soft": np.array(soft)}


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--preset", default="default", choices=("quick", "default", "full"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=500, help="sentences of each kind")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as lm.epochs=1")
    parser.add_argument("--work", type=Path, default=Path("runs/control-work"), help="where fitted models are kept")
    add_json_option(parser)
    given = parser.parse_args()
    config = with_settings(preset(given.preset), given.set)
    parts = split(load(given.data).dataset)
    work = given.work / given.data
    found = [measure(parts, config, seed=seed, work=work, users=given.users) for seed in range(given.seeds)]
    numbers: dict[str, Any] = {"data": given.data, "preset": given.preset, "seeds": given.seeds, "users": given.users}
    numbers |= {key: float(np.mean([one[key] for one in found])) for key in found[0] if not key.startswith("by_user.")}
    users = {key: np.concatenate([one[key] for one in found]) for key in found[0] if key.startswith("by_user.")}
    soft = users.pop("by_user.soft").astype(bool)
    means = {key.removeprefix("by_user."): float(values.mean()) for key, values in users.items()}
    numbers |= {f"ndcg@10.{name}": value for name, value in means.items()}
    numbers["parse_exact"] = (numbers["exact_unseen"] + numbers["exact_composite"]) / 2
    numbers["ndcg_gain_over_postfilter"] = means["words"] / means["filtered"] - 1
    numbers["ndcg_gain_over_mask_only"] = means["words"] / means["mask"] - 1
    for name, rows in (("with_wish", soft), ("limits_only", ~soft)):
        words, mask = (float(users[f"by_user.{kind}"][rows].mean()) for kind in ("words", "mask"))
        numbers[f"ndcg_gain_over_mask_only.{name}"] = words / mask - 1
    numbers["p_words_vs_mask"] = paired_test(users["by_user.words"], users["by_user.mask"]).p
    for key, value in numbers.items():
        print(f"{key:<28}{value if isinstance(value, str) else format(value, '.4f')}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
