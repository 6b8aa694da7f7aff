"""What words add to a plain list: wishes for the held-out item and for somebody else's, and hard limits, of one fitted model.

`wish.ndcg@10.NAME`, leave-one-out, seen items hidden, no filter: `none` without words; `own`, `other`: genres and decade by name;
`own_synonym`, `other_synonym`: genres alone, in words that no wish of tuning had. Phrasings are ones that tuning never saw.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cells import Cells
from instructrec.core import Instruction, Query
from instructrec.data.split import Split
from instructrec.evaluation.intervals import paired_test
from instructrec.evaluation.metrics import Values
from instructrec.evaluation.protocol import evaluate_scores
from instructrec.instructions.render import ItemWords, target_wish
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, FloatArray, Limit

WISH_SEED = 7
LIMIT_SEED = 11
NUM_LIMITS = 200
SYNONYMS = tomllib.loads((Path(__file__).parent / "synonyms.toml").read_text(encoding="utf-8"))


def wishing(queries: Sequence[Query], texts: Sequence[str]) -> list[Query]:
    """The queries with a wish each: words without any limit."""
    return [replace(query, instruction=Instruction(text=text, wish=text)) for query, text in zip(queries, texts, strict=True)]


def wishes_of(parts: Split) -> dict[str, list[str]]:
    """A text for each test query, by kind of wish."""
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


def wish_values(model: Recommender, parts: Split) -> dict[str, FloatArray]:
    """NDCG@10 of each test query under each kind of wish, by key; without words under `none`."""
    asked = {"none": parts.test.queries} | {name: wishing(parts.test.queries, texts) for name, texts in wishes_of(parts).items()}
    out: dict[str, FloatArray] = {}
    for name, queries in asked.items():
        found = evaluate_scores(model.score(queries), parts.test, parts.train.catalog, hide_seen=True, model=name)
        out[f"wish.ndcg@10.{name}"] = np.asarray(found.per_user("ndcg@10"), dtype=np.float32)
    return out


def wish_numbers(cells: Mapping[str, Sequence[Cells]]) -> dict[str, float]:
    """Means over seeds and users of the rows `lm` and, where it is there, `lm_random` (its control), and the tests between them."""
    values: dict[str, dict[str, Values]] = {
        row: {key: np.mean([one[key] for one in found], axis=0, dtype=np.float64) for key in found[0] if key.startswith("wish.")}
        for row, found in cells.items()
        if row in ("lm", "lm_random")
    }
    lm, control = values.get("lm", {}), values.get("lm_random", {})
    if not lm:
        return {}
    out = {key: float(value.mean()) for key, value in lm.items()}
    out |= {f"{key}.random": float(value.mean()) for key, value in control.items()}
    none, own, other, synonym = (f"wish.ndcg@10.{name}" for name in ("none", "own", "other", "own_synonym"))
    out["wish_gain"] = out[own] / out[none] - 1
    out["wish.p_own_vs_none"] = paired_test(lm[own], lm[none]).p
    out["wish.p_none_vs_other"] = paired_test(lm[none], lm[other]).p
    if synonym in lm and synonym in control:
        out["wish.p_synonym_vs_random"] = paired_test(lm[synonym], control[synonym]).p
    return out


def draw_limits(catalog: Catalog) -> list[tuple[Limit, ...]]:
    """NUM_LIMITS sets of limits, each met by 1-5 % of the items: values to have, one not to have, a span of a number.

    Fewer where the catalog has too few attributes for them.
    """
    rng, found = np.random.default_rng(LIMIT_SEED), []
    words = {name: labels for name, labels in catalog.labels.items() if len(labels.names) > 1}
    numbers = {name: values[np.isfinite(values)] for name, values in catalog.numbers.items() if np.isfinite(values).any()}
    for _ in range(500 * NUM_LIMITS if words else 0):
        label = str(rng.choice(list(words)))
        first, second = (str(value) for value in rng.choice(words[label].names, size=2, replace=False))
        limits = [
            Limit(attribute=label, operator="include", values=(first,)),
            Limit(attribute=label, operator="exclude", values=(second,)),
        ]
        if numbers and rng.random() < 0.8:
            name = next(iter(numbers))
            low, high = sorted(rng.choice(numbers[name], size=2).tolist())
            limits.append(Limit(attribute=name, operator="range", low=low, high=high))
        if 0.01 <= catalog.matching(limits).mean() <= 0.05:
            found.append(tuple(limits))
        if len(found) == NUM_LIMITS:
            break
    return found


def limit_values(model: Recommender, parts: Split) -> dict[str, Any]:
    """Share of shown items that meet the limits, whether short lists say so, and the time of one list (ms, model warm)."""
    shown = held = said = 0
    times, drawn = [], draw_limits(parts.train.catalog)
    for k, limits in enumerate(drawn):
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
    if not drawn:
        return {}
    found = {"limits_held": held / max(shown, 1), "limits_shown": shown, "limits_complete": said / len(drawn)}
    return {name: np.array(value) for name, value in found.items()} | {"instruction_ms": np.array(np.median(times) * 1000)}


def limit_numbers(cells: Mapping[str, Sequence[Cells]]) -> dict[str, float]:
    """What `limit_values` found of the row `fusion`, mean over seeds."""
    found = cells.get("fusion", ())
    names = [name for name in (found[0] if found else ()) if name.startswith(("limits_", "instruction_ms"))]
    return {name: float(np.mean([one[name] for one in found])) for name in names}
