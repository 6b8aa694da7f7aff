"""Do lists obey words, and do they still fit the person: limits, negation, composites, and relevance under control.

    python -m benchmarks.control --data ml-1m --json

Full catalog, leave-one-out, lists of 10, seen items hidden. Sentences are written about the held-out item of a test user from the
catalog's attributes (`instructions/sentences.py`), so that their limits hold for it and for 1-5 % of the items. For relevance they
also hold a soft wish ("ideally ..."), a further value of the item, or (`limits_only`) none. All but `csr_seen` is said in openings,
phrasings and endings that tuning never sees. A list obeys when every item meets every limit that the sentence was written from
(tolerance 0) and it is as long as it can be. `invalid_*` counts items shown that do not exist, are repeated or were seen.
`exact_drawn_rare`: parses of sentences in phrasings that are said less often. `inverted_*`: sentences that rule a value out and are
read as a demand for it, or the other way round.
`renamed`: the same on a catalog whose attribute words were replaced by invented ones.

Relevance is NDCG@10 of the held-out item, paired over users: the fusion under the instruction, the same fusion's first 100 items
filtered afterwards, and the same fusion under the limits alone (strength 0: the words order nothing). `ndcg_loss_uninstructed`:
how much worse lists without any instruction are than those of the same fusion whose language model was tuned without questions
(left out with --skip-uninstructed, for it tunes a second model a seed).
Fusion weights, with and without words, are fitted on validation. Fitted models are kept in --work. `wish_vs_best`: the worst of the
three ratios of `benchmarks.wishes` on the same data, where its items have texts. `list_p95_ms`: one list at a time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Lines
from benchmarks.leaderboard import single_targets
from benchmarks.wishes import wishes
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
from instructrec.recommender import Recommender, allowed, resolved
from instructrec.tables import Catalog, Labels

SHARE = (0.01, 0.05)
"""Share of the catalog that meets the limits of a sentence."""
K = 10
DRAWN = 1000
"""Sentences of every kind of condition, understood but not answered."""
TIMED = 100
"""Lists whose time is taken one by one."""
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

    With `soft` a further value of the item would be nice: a wish, which limits nothing. None where it has no further value.
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
    if soft and clauses:
        place = len(clauses) - (kept[-1] == "exclude")
        clauses[place:place] = [writer.soft(own[int(rng.integers(len(own)))], rng)] if own else []
    return clauses if own or not soft else []


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
    language: str,
    soft: bool = False,
) -> Suite:
    """Sentences about the targets of `count` test users, of one of `sizes` conditions each, met by 1-5 % of the items."""
    writer = SentenceWriter(catalog, language=language, held_out=held_out)
    queries, targets = single_targets(parts.test)
    found: list[tuple[Query, int, Sentence]] = []
    for row in rng.permutation(len(queries)):
        if len(found) == count:
            break
        for _ in range(12):
            clauses = about(writer, targets[row], int(rng.choice(sizes)), rng, soft=soft)
            if not clauses:
                continue
            sentence = writer.write(clauses, rng)
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


def understood(suite: Suite, catalog: Catalog, language: str) -> list[Instruction]:
    """What is understood of each sentence."""
    return [parse(sentence.text, catalog, language=language) for sentence in suite.sentences]


def obedience(model: Recommender, suite: Suite, language: str) -> dict[str, float]:
    """Shares of lists that obey, and of sentences understood exactly."""
    catalog = model.catalog
    words = understood(suite, catalog, language)
    asked = [replace(query, instruction=text, n=K) for query, text in zip(suite.queries, words, strict=True)]
    answers = lists(model, asked)
    held = [
        obeys(answer, sentence.truth, query, catalog)
        for answer, sentence, query in zip(answers, suite.sentences, suite.queries, strict=True)
    ]
    exact = [hard_part(text) == hard_part(one.truth) for text, one in zip(words, suite.sentences, strict=True)]
    wrong = sum(invalid(answer, query, catalog) for answer, query in zip(answers, asked, strict=True))
    return {"csr": float(np.mean(held)), "exact": float(np.mean(exact)), "invalid": wrong}


def invalid(answer: Recommendation, query: Query, catalog: Catalog) -> int:
    """Items of a list that do not exist, stand there twice, or were seen though nobody asked for what is known."""
    shown = [item.item for item in answer.items]
    seen = set(query.history) if resolved(query).hide_seen else set()
    return len(shown) - len(set(shown)) + sum(item not in catalog.index or item in seen for item in shown)


def drawn(catalog: Catalog, rng: np.random.Generator, language: str, *, held_out: bool, rare: bool = False) -> dict[str, float]:
    """Of sentences of one to four conditions of every kind: shares whose hard part is understood exactly, and inverted."""
    writer = SentenceWriter(catalog, language=language, held_out=held_out, rare=rare)
    truths = [writer.draw(rng, int(rng.integers(1, 5))) for _ in range(DRAWN)]
    found = [(parse(one.text, catalog, language=language), one.truth) for one in truths]
    return {
        "exact": float(np.mean([hard_part(read) == hard_part(truth) for read, truth in found])),
        "inverted": float(np.mean([bool(opposed(read, truth) | opposed(truth, read)) for read, truth in found])),
    }


def opposed(one: Instruction, other: Instruction) -> set[str]:
    """Values that one instruction demands, alone or as an alternative, and the other rules out."""
    demanded = {value for limit in one.limits if limit.operator == "include" for value in limit.values}
    return demanded & {value for limit in other.limits if limit.operator == "exclude" for value in limit.values}


def negation_pairs(model: Recommender, parts: Split, rng: np.random.Generator, count: int, language: str) -> float:
    """Share of values for which "with it" shows only items that have it and "without it" only items that lack it."""
    catalog = model.catalog
    writer = SentenceWriter(catalog, language=language, held_out=True)
    queries, _ = single_targets(parts.test)
    right = []
    for _ in range(count):
        ref = writer.values[int(rng.integers(len(writer.values)))]
        query = queries[int(rng.integers(len(queries)))]
        pair = [writer.write([clause], rng) for clause in (writer.include(ref, rng), writer.exclude([ref], rng))]
        asked = [replace(query, instruction=parse(one.text, catalog, language=language), n=K) for one in pair]
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


def relevance(model: Recommender, suite: Suite, language: str) -> dict[str, Any]:
    """NDCG@10 by user: with the words, with their limits alone, filtered afterwards, and without an instruction."""
    catalog = model.catalog
    words = understood(suite, catalog, language)
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


def list_p95_ms(model: Recommender, suite: Suite, language: str) -> float:
    """Time (ms) within which 95 of 100 lists from an understood instruction are there, one at a time."""
    words = understood(suite, model.catalog, language)
    asked = [replace(query, instruction=text, n=K) for query, text in zip(suite.queries, words, strict=True)][:TIMED]
    model.recommend(asked[:1])
    took = []
    for query in asked:
        began = time.perf_counter()
        model.recommend([query])
        took.append((time.perf_counter() - began) * 1000)
    return float(np.quantile(took, 0.95))


def uninstructed(model: Fusion, parts: Split, config: RunConfig, *, seed: int, work: Path) -> dict[str, Any]:
    """NDCG@10 by test user without any instruction: of the fusion, and of one whose language model never read a question."""
    silent = with_settings(config, ["lm.questions=0"])
    tuned = fitted("lm", parts, silent, seed=seed, work=work / "without-questions")
    context = FitContext(validation=single_targets(parts.valid), seed=seed)
    other = Fusion(model.config, parts=model.parts | {"lm": tuned}).fit(parts.train, context)
    queries, targets = single_targets(parts.test)
    asked = [replace(query, n=K) for query in queries]
    score = partial(ndcg, targets=targets, catalog=model.catalog)
    return {"uninstructed": score(lists(model, asked)), "silent": score(lists(other, asked))}


def fitted(name: str, parts: Split, config: RunConfig, *, seed: int, work: Path) -> Recommender:
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
    model = build_model(name, config).fit(parts.train, context)
    with atomic_folder(place) as folder:
        model.save(folder)
    return model


def fusion_of(parts: Split, config: RunConfig, *, seed: int, work: Path) -> Fusion:
    """The fusion of one seed, of the parts that the preset names; its weights are fitted anew each time."""
    settings: FusionConfig = config.settings["fusion"]
    found = {name: fitted(name, parts, config, seed=seed if name == "lm" else 0, work=work) for name in settings.parts}
    context = FitContext(validation=single_targets(parts.valid), seed=seed)
    return Fusion(settings, parts=found).fit(parts.train, context)


def measure(parts: Split, config: RunConfig, given: argparse.Namespace, *, seed: int) -> dict[str, Any]:
    """All figures of one seed; arrays are by user."""
    work, users, language = given.work / given.data, given.users, given.language
    model = fusion_of(parts, config, seed=seed, work=work)
    rng, catalog = np.random.default_rng([seed, 21]), model.catalog
    print(f"seed {seed}: weights {model.weights}; with words {model.worded}")
    make = partial(written, parts, rng, count=users, language=language)
    suites = {
        "seen": make(sizes=(1, 2), held_out=False, catalog=catalog),
        "unseen": make(sizes=(1, 2), held_out=True, catalog=catalog),
        "composite": make(sizes=(2, 3, 4), held_out=True, catalog=catalog),
    }
    out: dict[str, Any] = {}
    for name, suite in suites.items():
        out |= {f"{key}_{name}": value for key, value in obedience(model, suite, language).items()}
    out["negation_pairs"] = negation_pairs(model, parts, rng, users, language)
    apart = np.random.default_rng([seed, 22])
    for name, found in (
        ("drawn_seen", drawn(catalog, rng, language, held_out=False)),
        ("drawn", drawn(catalog, rng, language, held_out=True)),
        ("drawn_rare", drawn(catalog, apart, language, held_out=True, rare=True)),
    ):
        out |= {f"{key}_{name}": value for key, value in found.items()}
    ridge = model.parts["ridge"]
    ridge.catalog = renamed(catalog, rng)
    again = make(sizes=(1, 2, 3), held_out=True, catalog=ridge.catalog)
    out |= {f"{key}_renamed": value for key, value in obedience(ridge, again, language).items()}
    ridge.catalog = catalog
    for name, soft in (("", True), ("limits_only.", False)):
        suite = make(sizes=(1, 2, 3, 4), held_out=True, catalog=catalog, soft=soft)
        out |= {f"by_user.{name}{key}": value for key, value in relevance(model, suite, language).items()}
    began = time.perf_counter()
    understood(suite, catalog, language)
    out["parse_ms"] = (time.perf_counter() - began) * 1000 / len(suite.sentences)
    out["list_p95_ms"] = list_p95_ms(model, suite, language)
    if not given.skip_uninstructed:
        out |= {f"by_user.{key}": value for key, value in uninstructed(model, parts, config, seed=seed, work=work).items()}
    return out


def gains(users: Mapping[str, Any]) -> dict[str, float]:
    """What the words gain, from NDCG@10 by user of all seeds."""
    mean = {key: float(values.mean()) for key, values in users.items()}
    out = {f"ndcg@10.{key}": value for key, value in mean.items()}
    for name in ("", "limits_only."):
        out[f"{name}ndcg_gain_over_postfilter"] = mean[f"{name}words"] / mean[f"{name}filtered"] - 1
    out["ndcg_gain_over_mask_only"] = mean["words"] / mean["mask"] - 1
    out["p_words_vs_mask"] = paired_test(users["words"], users["mask"]).p
    if "silent" in users:
        out["ndcg_loss_uninstructed"] = 1 - mean["uninstructed"] / mean["silent"]
        out["p_uninstructed"] = paired_test(users["uninstructed"], users["silent"]).p
    return out


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--language", default="en", choices=("en", "zh"), help="of the sentences")
    parser.add_argument("--preset", default="default", choices=("quick", "default", "full"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=500, help="sentences of each kind")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as lm.epochs=1")
    parser.add_argument("--skip-uninstructed", action="store_true", help="tune no model without questions to compare with")
    parser.add_argument("--work", type=Path, default=Path("runs/control-work"), help="where fitted models are kept")
    add_json_option(parser)
    given = parser.parse_args()
    config = with_settings(preset(given.preset), given.set)
    parts = split(load(given.data).dataset)
    found = [measure(parts, config, given, seed=seed) for seed in range(given.seeds)]
    numbers: dict[str, Any] = {key: getattr(given, key) for key in ("data", "language", "preset", "seeds", "users")}
    numbers |= {key: float(np.mean([one[key] for one in found])) for key in found[0] if not key.startswith("by_user.")}
    numbers["parse_exact"] = (numbers["exact_unseen"] + numbers["exact_composite"]) / 2
    names = [key for key in found[0] if key.startswith("by_user.")]
    numbers |= gains({key.removeprefix("by_user."): np.concatenate([one[key] for one in found]) for key in names})
    if any(parts.train.catalog.texts):
        wished = wishes(parts, given.users)
        numbers["wish_vs_best"] = min(value for key, value in wished.items() if key.startswith("wish_vs_best."))
    for key, value in numbers.items():
        print(f"{key:<36}{value if isinstance(value, str) else format(value, '.4f')}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
