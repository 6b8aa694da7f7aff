"""Accuracy of every model under one protocol, and what the language model and the words add.

    python -m benchmarks.accuracy --data ml-100k --json
    python -m benchmarks.accuracy --data beauty --models tiger,sasrec,ridge --seeds 1 --json

With --models any data and any models are compared (benchmarks/generative.py); without, this is what one table of MovieLens needs.

Splits: leave-one-out (keys without prefix: seen items hidden; `seen_shown.`: not hidden) and global time (`time.`), full ranking
over the catalog, models fitted on train only, fusion weights on validation only, metrics on test, mean over the seeds. Each
finished cell (split, seed, model) is kept in --work, so an interrupted benchmark goes on where it stopped; cells are known by data,
seed and settings, so remove --work after a change of the code.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import generative
from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Cells, Lines, cell
from benchmarks.generative import single_targets
from instructrec.config import RunConfig, build_model, preset
from instructrec.core import FitContext, Instruction, Query
from instructrec.data import load
from instructrec.data.split import Split, SplitConfig, split
from instructrec.evaluation.comparison import Comparison, compare
from instructrec.evaluation.intervals import paired_test
from instructrec.evaluation.protocol import Evaluation, evaluate_scores
from instructrec.instructions.render import ItemWords, target_wish
from instructrec.models.composite import comparable
from instructrec.models.fusion import Fusion, fit_weights
from instructrec.models.lm import LanguageModelRecommender, LmConfig
from instructrec.recommender import allowed
from instructrec.tables import Catalog, FloatArray, Limit

MEMORY = ("popular", "item_knn", "ease", "recency_ease", "ridge")
FUSED = ("ridge", "recency_ease")
WISH_SEED = 7
LIMIT_SEED = 11
CONTROL_SHRINK = 1.0
"""What the random weights are multiplied by; by validation loss, like the factor of the pretrained ones."""
NUM_LIMITS = 200
SYNONYMS = tomllib.loads((Path(__file__).parent / "synonyms.toml").read_text(encoding="utf-8"))


def memory_scores(parts: Split, name: str, config: RunConfig) -> Cells:
    """Validation and test scores of a closed-form model."""
    model = build_model(name, config).fit(parts.train)
    return {"valid": model.score(parts.valid.queries), "test": model.score(parts.test.queries)}


def lm_scores(parts: Split, config: LmConfig, *, seed: int, folder: Path, wishes: Mapping[str, Sequence[str]]) -> Cells:
    """Validation and test scores of a tuned language model, its test scores under each set of wishes, and the fit time."""
    start = time.monotonic()
    context = FitContext(
        validation=single_targets(parts.valid), seed=seed, progress=Lines(f"{parts.name} seed {seed}"), folder=folder
    )
    model = LanguageModelRecommender(config).fit(parts.train, context)
    fit_s = np.array([time.monotonic() - start], dtype=np.float32)
    out: dict[str, FloatArray] = {
        "valid": model.score(parts.valid.queries),
        "test": model.score(parts.test.queries),
        "fit_s": fit_s,
    }
    for name, texts in wishes.items():
        out[f"wish_{name}"] = model.score(wishing(parts.test.queries, texts))
    return out


def wishing(queries: Sequence[Query], texts: Sequence[str]) -> list[Query]:
    """The queries with a wish each: words without any limit."""
    return [replace(query, instruction=Instruction(text=text, wish=text)) for query, text in zip(queries, texts, strict=True)]


def wishes_of(parts: Split) -> dict[str, list[str]]:
    """Wishes for each user's own target, and for somebody else's, in phrasings that tuning never saw.

    `own`, `other`: genres and decade by name. `own_synonym`, `other_synonym`: genres alone, in words that no wish of tuning had.
    """
    words, rng = ItemWords.of(parts.train.catalog), np.random.default_rng(WISH_SEED)
    targets = [int(target[0]) for target in parts.test.targets]
    own = [target_wish(words, target, language="en", held_out=True, rng=rng) for target in targets]
    found = {"own": own}
    genres = parts.train.catalog.labels.get("genres")
    if genres is not None and SYNONYMS["genres"].keys() & set(genres.names):
        found["own_synonym"] = [synonym_wish(genres.of(target), rng) for target in targets]
    shift = np.roll(np.arange(len(targets)), len(targets) // 2)
    return found | {name.replace("own", "other"): [texts[k] for k in shift] for name, texts in found.items()}


def synonym_wish(genres: Sequence[str], rng: np.random.Generator) -> str:
    """The genres in words that the catalog does not have; empty for an item without a genre that has such words."""
    known = [SYNONYMS["genres"][genre] for genre in genres if genre in SYNONYMS["genres"]]
    phrase = " and ".join(str(rng.choice(words)) for words in known)
    return f"my wish: {phrase}" if phrase else ""


def fuse(parts: Split, scores: Mapping[str, Cells]) -> FloatArray:
    """Test scores of a fusion of these parts, weights fitted on validation."""
    queries, targets = single_targets(parts.valid)
    masks = np.stack([allowed(query, parts.train.catalog) for query in queries])
    weights = fit_weights(
        {name: comparable(cells["valid"], log=name.startswith("lm")) for name, cells in scores.items()}, masks, np.array(targets)
    )
    total = [weights[name] * comparable(cells["test"], log=name.startswith("lm")) for name, cells in scores.items()]
    return np.asarray(np.sum(total, axis=0), dtype=np.float32)


def measure(parts: Split, options: argparse.Namespace, config: RunConfig, *, seeds: int, controls: int) -> dict[str, Any]:
    """Test scores of every model (a list over seeds), and what the words did, by language model.

    `controls`: seeds of the same language model with random weights in place of the pretrained ones, tuned alike.
    """
    lm: LmConfig = config.settings["lm"]
    memory = {name: memory_scores(parts, name, config) for name in MEMORY}
    fused = {name: memory[name] for name in FUSED}
    scores: dict[str, list[FloatArray]] = {name: [cells["test"]] for name, cells in memory.items()}
    scores["fusion_without_lm"] = [fuse(parts, fused)]
    words: dict[str, list[Cells]] = {}
    plan = [("lm", "fusion", lm, seed) for seed in range(seeds)]
    control = replace(lm, random_weights=True, shrink=CONTROL_SHRINK)
    plan += [("lm_random", "fusion_random_lm", control, seed) for seed in range(controls)]
    for label, fusion, variant, seed in plan:
        wishes = wishes_of(parts) if parts.name == "leave-one-out" else {}
        key = {"split": parts.name, "data": options.data, "model": label, "seed": seed, "config": json.dumps(asdict(variant))}
        folder = options.work / f"tuning-{parts.name}-{label}-{seed}-{variant.epochs}"
        tune = partial(lm_scores, parts, variant, seed=seed, folder=folder, wishes=wishes)
        cells = cell(options.work, key, tune)
        scores.setdefault(label, []).append(cells["test"])
        scores.setdefault(fusion, []).append(fuse(parts, {**fused, label: cells}))
        if wishes:
            words.setdefault(label, []).append(cells)
    return {"scores": scores, "words": words}


def table(parts: Split, scores: Mapping[str, list[FloatArray]], *, hide_seen: bool) -> Comparison:
    """The leaderboard of one split and seen filter."""
    evaluations = {name: [rank(parts, found, hide_seen=hide_seen, name=name) for found in each] for name, each in scores.items()}
    pairs = [("fusion", name) for name in ("lm", *FUSED, "fusion_without_lm", "fusion_random_lm") if name in scores]
    return compare(evaluations, split=parts.name, protocol=parts.protocol, pairs=pairs)


def rank(parts: Split, scores: FloatArray, *, hide_seen: bool = True, name: str = "scores") -> Evaluation:
    """Full ranking of the test queries."""
    return evaluate_scores(scores, parts.test, parts.train.catalog, hide_seen=hide_seen, model=name)


def word_numbers(parts: Split, words: Mapping[str, Sequence[Cells]]) -> dict[str, float]:
    """NDCG@10 of `lm` without words and under each set of wishes; no mask, mean over seeds. The same of its control."""
    values = {label: wish_values(parts, cells) for label, cells in words.items()}
    out = {f"wish.ndcg@10.{name}": float(value.mean()) for name, value in values["lm"].items()}
    out |= {f"wish.ndcg@10.{name}.random": float(value.mean()) for name, value in values.get("lm_random", {}).items()}
    lm = values["lm"]
    out["wish_gain"] = out["wish.ndcg@10.own"] / out["wish.ndcg@10.none"] - 1
    out["wish.p_own_vs_none"] = paired_test(lm["own"], lm["none"]).p
    out["wish.p_none_vs_other"] = paired_test(lm["none"], lm["other"]).p
    if "own_synonym" in lm and "lm_random" in values:
        out["wish.p_synonym_vs_random"] = paired_test(lm["own_synonym"], values["lm_random"]["own_synonym"]).p
    return out


def wish_values(parts: Split, cells: Sequence[Cells]) -> dict[str, FloatArray]:
    """NDCG@10 of each user, mean over seeds, without words ("none") and under each set of wishes."""
    keys = {"none": "test"} | {key.removeprefix("wish_"): key for key in cells[0] if key.startswith("wish_")}
    return {name: np.mean([rank(parts, each[key]).per_user("ndcg@10") for each in cells], axis=0) for name, key in keys.items()}


def draw_limits(catalog: Catalog) -> list[tuple[Limit, ...]]:
    """NUM_LIMITS sets of limits, each met by 1-5 % of the items: values to have, one not to have, a span of years."""
    rng, words = np.random.default_rng(LIMIT_SEED), catalog.labels
    found: list[tuple[Limit, ...]] = []
    while len(found) < NUM_LIMITS:
        label = str(rng.choice(list(words)))
        first, second = (str(value) for value in rng.choice(words[label].names, size=2, replace=False))
        low = int(rng.integers(1930, 1996))
        limits = [
            Limit(attribute=label, operator="include", values=(first,)),
            Limit(attribute=label, operator="exclude", values=(second,)),
        ]
        if catalog.numbers and rng.random() < 0.8:
            limits.append(
                Limit(attribute=next(iter(catalog.numbers)), operator="range", low=low, high=low + int(rng.integers(2, 15)))
            )
        if 0.01 <= catalog.matching(limits).mean() <= 0.05:
            found.append(tuple(limits))
    return found


def limit_numbers(parts: Split, model: Fusion) -> dict[str, float]:
    """Share of shown items that meet the limits, whether short lists say so, and the time of one list (ms, model warm)."""
    shown = held = said = 0
    times = []
    for k, limits in enumerate(draw_limits(parts.train.catalog)):
        instruction = Instruction(text="", limits=limits)
        query = replace(parts.test.queries[k % len(parts.test.queries)], instruction=instruction, n=20)
        start = time.perf_counter()
        (answer,) = model.recommend([query])
        times.append(time.perf_counter() - start)
        mask = allowed(query, parts.train.catalog)
        codes = parts.train.catalog.codes([item.item for item in answer.items])
        shown, held = shown + len(codes), held + int(mask[codes].sum())
        complete = len(codes) == min(20, int(mask.sum()))
        said += complete and (len(codes) == 20 or any(note.startswith("short_list") for note in answer.notes))
    return {
        "limits_held": held / max(shown, 1),
        "limits_shown": shown,
        "limits_complete": said / NUM_LIMITS,
        "instruction_ms": float(np.median(times) * 1000),
    }


def flat(comparison: Comparison, prefix: str) -> dict[str, float]:
    """Keys such as "time.ndcg@10.lm", and p-values of fusion against its parts."""
    numbers = {
        f"{prefix}{metric}.{name}": row[metric].value for name, row in comparison.models.items() for metric in ("ndcg@10", "hr@10")
    }
    return numbers | {f"{prefix}p.fusion_vs_{found.second}": found.test.p for found in comparison.tests}


def show(comparison: Comparison, title: str) -> None:
    """Print one leaderboard."""
    print(f"\n{title}: {comparison.protocol}; seen items {comparison.seen_filter}")
    print(f"{'model':<20}{'NDCG@10':>9}{'95 % interval':>18}{'HR@10':>9}")
    for name, row in comparison.models.items():
        ndcg, hit = row["ndcg@10"], row["hr@10"]
        print(f"{name:<20}{ndcg.value:>9.4f}{f'{ndcg.low:.4f}-{ndcg.high:.4f}':>18}{hit.value:>9.4f}")
    for found in comparison.tests:
        print(
            f"  {found.first} - {found.second}: {found.test.difference.value:+.4f}, p {found.test.p:.4f}, Holm {found.p_holm:.4f}"
        )


def options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k")
    parser.add_argument("--preset", default="full", choices=("quick", "default", "full"))
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the language model in each table")
    parser.add_argument(
        "--controls", type=int, default=None, help="seeds of the language model with random weights; default: --seeds"
    )
    parser.add_argument("--models", help="compare these models and variants (see benchmarks/generative.py) instead")
    parser.add_argument("--negatives", action="store_true", help="with --models: also the target among nine others")
    parser.add_argument("--test-users", type=int, default=0, help="with --models: test on so many users drawn at random; 0 for all")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting, such as tiger.epochs=3, for those of --models that have it",
    )
    parser.add_argument("--no-time", action="store_true", help="leave out the global-time split")
    parser.add_argument("--work", type=Path, default=Path("runs/accuracy-work"), help="where finished cells are kept")
    add_json_option(parser)
    return parser.parse_args()


def main() -> None:
    """Run what is missing, print the tables and one line of JSON."""
    given = options()
    if given.models:
        numbers = generative.table(
            given.data,
            given.models.split(","),
            given.set,
            seeds=given.seeds,
            work=given.work,
            negatives=given.negatives,
            users=given.test_users,
        )
        finish(numbers, given.json)
        return
    config = preset(given.preset)
    dataset = load(given.data).dataset
    parts = split(dataset, SplitConfig(kind="leave-one-out"))
    found = measure(parts, given, config, seeds=given.seeds, controls=given.seeds if given.controls is None else given.controls)
    numbers: dict[str, Any] = {
        "data": given.data,
        "preset": given.preset,
        "seeds": given.seeds,
        "lm_epochs": config.settings["lm"].epochs,
        "controls": len(found["scores"].get("lm_random", ())),
    }
    numbers["fit_s.lm"] = float(np.mean([cells["fit_s"][0] for cells in found["words"]["lm"]]))
    for prefix, hide in (("", True), ("seen_shown.", False)):
        comparison = table(parts, found["scores"], hide_seen=hide)
        show(comparison, "leave-one-out" if hide else "leave-one-out, seen items shown")
        numbers |= flat(comparison, prefix)
    numbers |= word_numbers(parts, found["words"])
    if not given.no_time:
        later = split(dataset, SplitConfig(kind="time"))
        comparison = table(later, measure(later, given, config, seeds=given.seeds, controls=0)["scores"], hide_seen=True)
        show(comparison, "global time")
        numbers |= flat(comparison, "time.")
    numbers |= limit_numbers(parts, fitted_fusion(parts, replace(config.settings["lm"], epochs=1)))
    print("\n" + "\n".join(f"{key}: {value}" for key, value in numbers.items() if "." not in key or key.startswith("wish")))
    finish(numbers, given.json)


def fitted_fusion(parts: Split, config: LmConfig) -> Fusion:
    """A fusion whose language model is tuned briefly: limits must hold, and lists take as long, whatever it has learned."""
    context = FitContext(validation=single_targets(parts.valid), progress=Lines("limits"))
    lm = LanguageModelRecommender(config).fit(parts.train, context)
    return Fusion(parts={"lm": lm}).fit(parts.train, context)


if __name__ == "__main__":
    main()
