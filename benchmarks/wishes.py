"""Soft wishes: words that no attribute and no text of the wanted item holds.

    python -m benchmarks.wishes --data industrial --json

Of the telling words of each item's text - description or tags - (`Phrasing.about_words`) half, drawn by a hash, are taken out of
title and text that every system reads; a wish is one ("vague") or three ("specific") of them. So no system can find the item by the
words it was told, only by what they have to do with it. Personal search knows the history, product search does not. All systems
rank the same queries, seen items hidden; sums are tuned by likelihood on as many queries of validation, NDCG@10 is that of test.
`sum`: the tuned sum of BM25, the sentence encoder and the recommender; `ours`: the same with `themes` in it.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.calibration import add_json_option, finish
from benchmarks.leaderboard import parts_of, single_targets
from instructrec.core import Instruction, Query
from instructrec.data.split import Holdout, Split
from instructrec.evaluation.intervals import paired_test
from instructrec.instructions.phrasing import Phrasing
from instructrec.lists import top_n
from instructrec.models import resolve
from instructrec.models.composite import comparable
from instructrec.models.fusion import fit_weights
from instructrec.recommender import Recommender, allowed
from instructrec.tables import Catalog, FloatArray

SINGLE = ("bm25", "sentences", "ridge")
KINDS = {"vague": 1, "specific": 3}
K = 10
_WORDS = re.compile(r"\w+|[^\w\s]")


def told_and_hidden(catalog: Catalog) -> tuple[Catalog, list[list[str]]]:
    """The catalog without half of the telling words of each text and title, and these words; words of titles alone stay."""
    texts = catalog.texts or ("",) * len(catalog)
    hidden = [
        [word for word in words if word in text.lower() and hashlib.sha256(f"{item}:{word}".encode()).digest()[0] % 2 == 0]
        for item, (words, text) in enumerate(zip(Phrasing(catalog, "en").about_words, texts, strict=True))
    ]

    def without(text: str, words: Sequence[str]) -> str:
        return " ".join(word for word in _WORDS.findall(text) if word.lower() not in set(words))

    told = replace(
        catalog,
        titles=tuple(without(title, words) for title, words in zip(catalog.titles, hidden, strict=True)),
        texts=tuple(without(text, words) for text, words in zip(texts, hidden, strict=True)),
    )
    return told, hidden


def wishing(
    holdout: Holdout, hidden: Sequence[Sequence[str]], count: int, most: int, *, personal: bool, rng: np.random.Generator
) -> tuple[list[Query], list[int]]:
    """Queries that wish for `count` hidden words of their target, with or without a history."""
    queries, targets = single_targets(holdout)
    rows = [row for row in rng.permutation(len(queries)) if len(hidden[targets[row]]) >= count][:most]
    found = []
    for row in rows:
        words = hidden[targets[row]]
        text = " ".join(words[int(place)] for place in rng.permutation(len(words))[:count])
        query = replace(queries[row], instruction=Instruction(text=text, wish=text))
        found.append(query if personal else replace(query, history=(), exclude=frozenset(query.history)))
    return found, [int(targets[row]) for row in rows]


def ndcg(scores: FloatArray, queries: Sequence[Query], targets: Sequence[int], catalog: Catalog) -> FloatArray:
    """NDCG@10 of one target a query; ties in catalog order."""
    out = np.zeros(len(queries), dtype=np.float32)
    for row, (query, target) in enumerate(zip(queries, targets, strict=True)):
        listed = top_n(scores[row], allowed(query, catalog), K)
        out[row] = 1 / np.log2(listed.index(target) + 2) if target in listed else 0.0
    return out


def scored(models: Mapping[str, Recommender], queries: Sequence[Query]) -> dict[str, FloatArray]:
    """Scores of every model on scales that can be added."""
    return {name: comparable(model.score(queries), log=model.log_scale) for name, model in models.items()}


def wishes(parts: Split, most: int) -> dict[str, float]:
    """Ours against the best of the others, in personal and in product search, on `most` queries of each kind."""
    catalog, hidden = told_and_hidden(parts.train.catalog)
    train = replace(parts.train, catalog=catalog)
    models = {name: resolve(name)().fit(train) for name in (*SINGLE, "themes")}
    numbers: dict[str, float] = {}
    for personal, kind in ((True, "vague"), (True, "specific"), (False, "specific")):
        name = f"{'personal' if personal else 'product'}_{kind}"
        rng = np.random.default_rng(3)
        tuned_on, test = (
            wishing(part, hidden, KINDS[kind], most, personal=personal, rng=rng) for part in (parts.valid, parts.test)
        )
        if not tuned_on[0] or not test[0]:
            print(f"{name:<20}nobody can be asked: no wanted item has {KINDS[kind]} words to hide")
            continue
        valid, asked = scored(models, tuned_on[0]), scored(models, test[0])
        masks = np.stack([allowed(query, catalog) for query in tuned_on[0]])
        values = {one: ndcg(asked[one], *test, catalog) for one in SINGLE}
        for label, used in (("sum", SINGLE), ("ours", (*SINGLE, "themes"))):
            weights = fit_weights({one: valid[one] for one in used}, masks, np.array(tuned_on[1]))
            total = np.sum([weights[one] * asked[one] for one in used], axis=0)
            values[label] = ndcg(total, *test, catalog)
        best = max((*SINGLE, "sum"), key=lambda one: float(values[one].mean()))
        numbers |= {f"ndcg@10.{name}.{one}": float(value.mean()) for one, value in values.items()}
        numbers[f"queries.{name}"] = float(len(test[0]))
        numbers[f"wish_vs_best.{name}"] = float(values["ours"].mean() / values[best].mean())
        numbers[f"p.{name}"] = paired_test(values["ours"], values[best]).p
        row = "  ".join(f"{one} {value.mean():.4f}" for one, value in values.items())
        print(f"{name:<20}{row}  ours / {best} {numbers[f'wish_vs_best.{name}']:.2f}, p {numbers[f'p.{name}']:.4f}")
    return numbers


def main() -> None:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="industrial")
    parser.add_argument("--queries", type=int, default=1500, help="of validation and of test, each kind, at most")
    add_json_option(parser)
    given = parser.parse_args()
    numbers: dict[str, Any] = {"data": given.data, "queries": given.queries}
    finish(numbers | wishes(parts_of(given.data), given.queries), given.json)


if __name__ == "__main__":
    main()
