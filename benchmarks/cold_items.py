"""Items that nobody has met: a tenth of the items is hidden from training, and people are asked for what they chose of it.

    python -m benchmarks.cold_items --data ml-100k --json
    python -m benchmarks.cold_items --data beauty --models popular,ridge,tfidf,two_tower --seeds 1 --json

`data.conditions.hide_items` with `everybody`: every interaction with a hidden item leaves training, validation and histories, and
whoever met one after something else is asked once, for the last one. Models are fitted on the training part of leave-one-out, and
chosen on its validation, which asks for no hidden item. A seed draws the hidden items anew, and is that of the fit.

`all.`: the whole catalog competes, seen items hidden; `cold.`: the hidden items alone. Each has HR@10 and NDCG@10 over all
questions of all seeds, with 95 % intervals by drawing people with all their questions (not the hidden items), and `ratio.`: the
metric over that of `popular` (none where that is 0). `chance` is HR@10 of a random order of the hidden items. `reads`: models whose
scores of a hidden item come of its words, attributes or picture, themselves or a part of theirs.

Equal scores are ranked fairly: a metric is its mean over all orders of the items that score alike (McSherry and Najork 2008, doi
10.1007/978-3-540-78646-7_38). `evaluate` and `evaluate_scores` rank them in catalog order, as lists show them. Models that know
nothing of hidden items score them all alike, and catalogs begin with what is known best, so that the order of the catalog would
lend such models what they do not have.

Without --models: every model that says something without words, but the language models and the fusion with one. Finished cells are
kept in --work by their content (code, data, settings, seed).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import leaderboard
from benchmarks.calibration import add_json_option, finish
from benchmarks.cells import Cells
from benchmarks.leaderboard import CHOSEN, Rows, Table
from instructrec.config import PRESETS, parts_of
from instructrec.data import Loaded
from instructrec.data.conditions import drawn_items, hide_items
from instructrec.data.split import Split
from instructrec.evaluation.intervals import Interval, bootstrap_ratio
from instructrec.evaluation.metrics import Values, log_discount
from instructrec.evaluation.protocol import score_holdout
from instructrec.recommender import Recommender, allowed
from instructrec.tables import BoolArray, FloatArray, IntArray

K = 10
BASE = "popular"
PREFIXES = ("all.", "cold.")
METRICS = (f"hr@{K}", f"ndcg@{K}")
LANGUAGE_MODELS = ("lm", "tiger")
READERS = (
    *("tfidf", "word_vectors", "sentence_vectors", "images"),
    *("lightgcn", "gcn", "graphsage", "gat", "two_tower"),
    *LANGUAGE_MODELS,
)
"""Single models that know an item by what is said of it."""
QUERIES_AT_ONCE = 512


def default_names() -> list[str]:
    """Every model that says something without words, without the language models."""
    names = [name for name in leaderboard.default_models() if name not in LANGUAGE_MODELS]
    return ["fusion_without_lm" if name == "fusion" else name for name in names]


def reads(name: str, base: str, sets: Sequence[str]) -> bool:
    """Whether a row knows an item by what is said of it, itself or by a part."""
    config = leaderboard.config_of(name, base, sets)
    return config.model in READERS or any(reads(part, base, sets) for part in parts_of(config.settings.get(config.model)))


def hidden_table(
    data: str, known: Loaded, whole: Split, *, share: float, seed: int, work: Path, base: str, sets: Sequence[str]
) -> Table:
    """What the rows of one seed have in common: the split `whole` without the items that this seed hides."""
    return Table(
        data=data,
        loaded=known,
        parts=hide_items(whole, share, seed=seed, everybody=True),
        base=base,
        sets=[*CHOSEN.get(data, ()), *sets],
        work=work,
        seed=seed,
        harder=f"cold items {share:g}, everybody asked once, drawn with seed {seed}",
        numbers=partial(cold_values, hidden=drawn_items(whole, share, seed=seed)),
    )


def cold_values(model: Recommender, parts: Split, *, hidden: BoolArray) -> Cells:
    """Each metric of each question, by the prefix that says what competes."""
    scores, asked = score_holdout(model, parts.test), parts.test
    targets = np.array([int(target[0]) for target in asked.targets], dtype=np.int64)
    out: dict[str, Values] = {f"{prefix}{metric}": np.empty(len(targets)) for prefix in PREFIXES for metric in METRICS}
    for start in range(0, len(targets), QUERIES_AT_ONCE):
        rows = slice(start, start + QUERIES_AT_ONCE)
        mask = np.stack([allowed(query, model.catalog) for query in asked.queries[rows]])
        for prefix, among in zip(PREFIXES, (mask, mask & hidden), strict=True):
            for metric, values in zip(METRICS, expected(scores[rows], among, targets[rows], k=K), strict=True):
                out[f"{prefix}{metric}"][rows] = values
    return out


def expected(scores: FloatArray, mask: BoolArray, targets: IntArray, *, k: int) -> tuple[Values, Values]:
    """HR@k and NDCG@k of each row, float64 [num_queries], as means over all orders of the items that score like its target.

    `scores`: [num_queries, num_items]; `mask`: bool like them, true where an item competes; `targets`: int64 [num_queries], one
    item each, which competes. With `above` items ahead and `level` ones alike, the target among them, its rank is each of above + 1
    to above + level alike often.
    """
    own = scores[np.arange(len(targets)), targets, None]
    above, level = ((scores > own) & mask).sum(axis=1), ((scores == own) & mask).sum(axis=1)
    first, last = np.minimum(above, k), np.minimum(above + level, k)
    gained = np.concatenate([[0.0], np.cumsum(log_discount(np.arange(1.0, k + 1.0)))])
    return (last - first) / level, (gained[last] - gained[first]) / level


def pooled(values: Sequence[Values], users: Sequence[IntArray], below: Sequence[Values] | None = None) -> Interval:
    """Mean over the questions of all seeds, or their sum over that of `below`, with its interval: people are drawn with all that
    they were asked.
    """
    owners = np.concatenate(users)
    lower = np.ones(len(owners)) if below is None else np.concatenate(below)
    above, under = (np.bincount(owners, weights=weights) for weights in (np.concatenate(values), lower))
    people = np.unique(owners)
    return bootstrap_ratio(above[people], under[people])


def numbers_of(found: Sequence[Rows], users: Sequence[IntArray]) -> dict[str, dict[str, Interval]]:
    """Intervals by row of the table and key; `found` and `users` have an entry a seed. Rows that a seed lacks are left out."""
    names = [name for name in found[0].cells if all(name in one.cells for one in found)]
    out: dict[str, dict[str, Interval]] = {}
    for name in names:
        out[name] = {}
        for key in (f"{prefix}{metric}" for prefix in PREFIXES for metric in METRICS):
            values, least = ([one.cells[row][0][key] for one in found] for row in (name, BASE))
            out[name] |= {key: pooled(values, users), f"ratio.{key}": pooled(values, users, least)}
    return out


def show(found: dict[str, dict[str, Interval]], readers: Sequence[str]) -> None:
    """One line a model, best among the hidden items first."""
    print(
        f"\n{'model':<20}{'reads':>6}" + "".join(f"{key:>24}" for key in ("cold.hr@10", "x popular", "cold.ndcg@10", "all.hr@10"))
    )
    for name in sorted(found, key=lambda one: -found[one]["cold.hr@10"].value):
        line = f"{name:<20}{'yes' if name in readers else '':>6}"
        for key in ("cold.hr@10", "ratio.cold.hr@10", "cold.ndcg@10", "all.hr@10"):
            one, places = found[name][key], 2 if key.startswith("ratio.") else 4
            line += f"{f'{one.value:.{places}f} ({one.low:.{places}f}-{one.high:.{places}f})':>24}"
        print(line)


def options() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-100k", help="a known name, a folder or a file")
    parser.add_argument("--preset", default="full", choices=PRESETS)
    parser.add_argument("--models", help="comma-separated rows (see benchmarks/leaderboard.py); `popular` is always measured")
    parser.add_argument("--share", type=float, default=0.1, help="share of the items that is hidden")
    parser.add_argument("--seeds", type=int, default=3, help="how often items are drawn and models fitted anew")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting such as tfidf.decay=0.8")
    parser.add_argument("--work", type=Path, default=Path("runs/cold-work"), help="where finished cells are kept")
    add_json_option(parser)
    return parser.parse_args()


def main() -> None:
    """Measure what is missing, print a table and one line of JSON."""
    given = options()
    wanted = given.models.split(",") if given.models else default_names()
    names = list(dict.fromkeys([BASE, *wanted]))
    known = leaderboard.loaded(given.data)
    whole = leaderboard.divided(given.data, known)
    make = partial(hidden_table, given.data, known, whole, share=given.share, work=given.work, base=given.preset, sets=given.set)
    tables = [make(seed=seed) for seed in range(given.seeds)]
    print(f"{given.data}: {tables[0].parts.protocol}; {sum(len(one.parts.test) for one in tables):,} questions in all")
    rows = [leaderboard.rows(table, names, seeds=1) for table in tables]
    found = numbers_of(rows, [table.parts.test.user_codes for table in tables])
    readers = [name for name in found if reads(name, given.preset, tables[0].sets)]
    chance = min(1.0, K / int(drawn_items(whole, given.share).sum()))
    show(found, readers)
    print(f"chance: {chance:.4f}")
    finish(facts(given, tables, rows) | {"chance": chance, "reads": readers} | flat(found), given.json)


def facts(given: argparse.Namespace, tables: Sequence[Table], rows: Sequence[Rows]) -> dict[str, Any]:
    """What was asked, and which rows have no number and why."""
    return {
        "data": given.data,
        "preset": given.preset,
        "seeds": given.seeds,
        "share": given.share,
        "test_queries": sum(len(table.parts.test) for table in tables),
        **{f"absent.{one.name}": one.reason for found in rows for one in found.absent},
    }


def flat(found: dict[str, dict[str, Interval]]) -> dict[str, float | None]:
    """Keys such as "cold.hr@10.tfidf" and, for the bounds, "cold.hr@10.low.tfidf"; none for what does not exist."""
    return {
        f"{key}.{name}" if bound == "value" else f"{key}.{bound}.{name}": number
        for name, own in found.items()
        for key, interval in own.items()
        for bound, number in interval.to_json().items()
    }


if __name__ == "__main__":
    main()
