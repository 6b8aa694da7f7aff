"""One model in every cell of InstructRec's space: preference x intention x form, against specialists.

    python -m benchmarks.pit --data ml-1m --json

P0 nothing is known of the user, P1 the history is, P2 a stated preference is (read off the history; in half of the cases beside
it). I0 nothing is wished, I1 something vague, I2 something specific. T0 would this item be taken? T1 which of two? T2 which of the
whole catalog? T3 which of 100 candidates? `instructions/cells.py` writes what is said about the held-out item of a test user, in
phrasings that tuning never sees; nothing but that item is looked at later than the history. No word is taken from its title: who
knows the title has found the item. Half of the negatives are drawn at random and half by popularity; they are never items that the
user takes.

Ours is the fusion of the preset, the same in all cells, asked as in serving: what is said goes through `parse`. Specialists: a
sequence model (SASRec: the history), BM25 and a sentence encoder (all that is said, as it stands), and the sum of the three, tuned
by likelihood on as many queries of validation for each of the 8 pairs of preference and intention. Scores become log-probabilities
over the items that may be shown; a single specialist gets one weight, tuned like the sum.
Figures: T0 ROC-AUC over all pairs of user and item, T1 accuracy (ties count half), T2 and T3 NDCG@10. `won`: 10 % better than the
best specialist (of what is missing to 1 in T0 and T1); `lost`: over 2 % worse. Fitted models are kept in --work.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration import add_json_option, finish
from benchmarks.control import fitted, fusion_of
from benchmarks.leaderboard import single_targets
from instructrec.config import RunConfig, preset, with_settings
from instructrec.core import Instruction, Query
from instructrec.data import load
from instructrec.data.split import Holdout, Split, split
from instructrec.instructions import parse
from instructrec.instructions.cells import CELLS, Cell, CellWriter, Moment
from instructrec.instructions.phrasing import Phrasing
from instructrec.instructions.render import joined
from instructrec.models.composite import comparable
from instructrec.models.fusion import fit_weights
from instructrec.recommender import Recommender, allowed, resolved, steered
from instructrec.tables import BoolArray, Catalog, FloatArray, IntArray

SPECIALISTS = ("sasrec", "bm25", "sentences")
CANDIDATES = 100
K = 10
MARGIN, LOSS = 0.10, 0.02
PAIRS = [cell for cell in CELLS if cell.form == "matching"]
FORMS = ("T0", "T1", "T2", "T3")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Requests of one pair of preference and intention, for ours and for specialists.

    `candidates` int [num_queries, 100]: the target, then items that the user never takes. `shown` bool [num_queries, num_items].
    """

    ours: Sequence[Query]
    plain: Sequence[Query]
    candidates: IntArray
    shown: BoolArray

    @property
    def targets(self) -> IntArray:
        """The held-out items."""
        return self.candidates[:, 0]


def asked(
    holdout: Holdout, taken: Sequence[frozenset[int]], cell: Cell, writer: CellWriter, users: int, *, held_out: bool, seed: int
) -> Asked:
    """Up to `users` requests of a cell about the targets of a holdout; `taken`: all items of each of its users."""
    rng = np.random.default_rng([seed, 31])
    catalog = writer.phrasing.catalog
    queries, targets = single_targets(holdout)
    ours, plain, candidates, masks = [], [], [], []
    for row in rng.permutation(len(queries)):
        if len(ours) == users:
            break
        before = [int(code) for code in catalog.codes(queries[row].history)]
        moment = Moment(before=before, target=int(targets[row]), taken=taken[row])
        draft = writer.draft(cell, moment, rng, held_out=held_out)
        others = writer.negatives(moment, CANDIDATES - 1, rng)
        if draft is None or len(others) < CANDIDATES - 1:
            continue
        masks.append(allowed(queries[row], catalog))
        history = queries[row].history if draft.history else ()
        said = joined([part for part in (draft.preference, draft.intention) if part], writer.phrasing.forms)
        base = Query(history=history, hide_seen=False, n=K)
        ours.append(replace(base, profile=draft.preference, instruction=understood(draft.intention, catalog)))
        plain.append(replace(base, instruction=Instruction(text=said, wish=said) if said else None))
        candidates.append([moment.target, *others])
    return Asked(ours=ours, plain=plain, candidates=np.array(candidates), shown=np.stack(masks))


def understood(intention: str, catalog: Catalog) -> Instruction | None:
    """What serving makes of an intention; nothing where nothing is said."""
    return parse(intention, catalog) if intention else None


def log_probabilities(scores: FloatArray, shown: BoolArray) -> FloatArray:
    """Scores as log-probabilities (nats) over the items that may be shown; all others are as good as impossible."""
    closed = np.where(shown, scores, -1e4).astype(np.float64)
    top = closed.max(axis=1, keepdims=True)
    return np.asarray(closed - top - np.log(np.exp(closed - top).sum(axis=1, keepdims=True)), dtype=np.float32)


def of_fusion(model: Recommender, test: Asked) -> FloatArray:
    """What ours thinks of every item, in parts, under its limits."""
    rows = []
    for start in range(0, len(test.ours), 64):
        some = slice(start, start + 64)
        queries = [resolved(query) for query in test.ours[some]]
        total = np.sum(list(steered(model, queries).values()), axis=0)
        shown = test.shown[some] & np.stack([allowed(query, model.catalog) for query in queries])
        rows.append(log_probabilities(total, shown))
    return np.concatenate(rows)


def of_specialists(models: Mapping[str, Recommender], valid: Asked, test: Asked) -> dict[str, FloatArray]:
    """What each specialist thinks, and their tuned sum."""
    on_valid, on_test = (
        {name: comparable(model.score(part.plain), log=model.log_scale) for name, model in models.items()} for part in (valid, test)
    )
    out = {}
    for label, names in {**{name: (name,) for name in models}, "sum": tuple(models)}.items():
        weights = fit_weights({name: on_valid[name] for name in names}, valid.shown, valid.targets)
        total = np.sum([weights[name] * on_test[name] for name in names], axis=0)
        out[label] = log_probabilities(total, test.shown)
    return out


def figures(scores: FloatArray, test: Asked) -> dict[str, float]:
    """One figure a form."""
    given = np.take_along_axis(scores, test.candidates, axis=1)
    return {
        "T0": auc(given[:, 0], given[:, 1]),
        "T1": float(np.mean((given[:, 0] > given[:, 1]) + 0.5 * (given[:, 0] == given[:, 1]))),
        "T2": ndcg(scores, given[:, :1], test.shown),
        "T3": ndcg(given, given[:, :1], np.ones(given.shape, dtype=np.bool_)),
    }


def auc(positive: FloatArray, negative: FloatArray) -> float:
    """Chance that a taken item scores above one that is not, over all pairs of both; ties count half."""
    order = np.sort(negative)
    below, not_above = np.searchsorted(order, positive, side="left"), np.searchsorted(order, positive, side="right")
    return float((below + not_above).mean() / 2 / len(negative))


def ndcg(scores: FloatArray, target: FloatArray, shown: NDArray[np.bool_]) -> float:
    """NDCG@10 of one target a row; among equal scores it stands in the middle."""
    above = ((scores > target) & shown).sum(axis=1) + (((scores == target) & shown).sum(axis=1) - 1) / 2
    return float(np.where(above < K, 1 / np.log2(above + 2), 0.0).mean())


def outcome(form: str, ours: float, best: float) -> str:
    """Whether ours is 10 % better than the best specialist, or over 2 % worse."""
    if form in ("T0", "T1"):
        return "won" if 1 - ours <= (1 - MARGIN) * (1 - best) else "lost" if 1 - ours > (1 + LOSS) * (1 - best) else "even"
    return "won" if ours >= (1 + MARGIN) * best else "lost" if ours < (1 - LOSS) * best else "even"


def takers(parts: Split) -> Mapping[str, set[int]]:
    """All items of each user: the history, and what was held out."""
    catalog = parts.train.catalog
    whole: dict[str, set[int]] = {}
    for holdout in (parts.valid, parts.test):
        for query, target in zip(holdout.queries, holdout.targets, strict=True):
            whole.setdefault(str(query.user), set()).update(catalog.codes(query.history).tolist(), [int(code) for code in target])
    return whole


def measure(parts: Split, config: RunConfig, *, seed: int, work: Path, users: int) -> dict[str, dict[str, float]]:
    """The figures of every system in every cell, by the name of the cell."""
    model = fusion_of(parts, config, seed=seed, work=work)
    models = {name: fitted(name, parts, config, seed=0, work=work) for name in SPECIALISTS}
    untitled = replace(model.catalog, titles=("",) * len(model.catalog))
    writer = CellWriter(Phrasing(untitled, "en"), popular=parts.train.interactions.items)
    whole = takers(parts)
    taken = [[frozenset(whole[str(query.user)]) for query in part.queries] for part in (parts.valid, parts.test)]
    found: dict[str, dict[str, float]] = {}
    for cell in PAIRS:
        valid = asked(parts.valid, taken[0], cell, writer, users, held_out=False, seed=seed)
        test = asked(parts.test, taken[1], cell, writer, users, held_out=True, seed=seed)
        if not len(valid.ours) or not len(test.ours):
            print(f"{cell.name}: nobody can be asked")
            continue
        systems = {"ours": of_fusion(model, test)} | of_specialists(models, valid, test)
        for system, scores in systems.items():
            for form, value in figures(scores, test).items():
                found.setdefault(f"{cell.preference}-{cell.intention}-{form}", {})[system] = value
        print(f"seed {seed}: {cell.preference} {cell.intention} done, {len(test.ours)} users", flush=True)
    return found


def main() -> None:
    """Print a row a cell and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="ml-1m")
    parser.add_argument("--preset", default="default", choices=("quick", "default", "full"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=1000, help="users of validation and of test in every cell")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting, such as lm.epochs=1")
    parser.add_argument("--work", type=Path, default=Path("runs/control-work"), help="where fitted models are kept")
    add_json_option(parser)
    given = parser.parse_args()
    config = with_settings(preset(given.preset), given.set)
    parts = split(load(given.data).dataset)
    rounds = [measure(parts, config, seed=seed, work=given.work / given.data, users=given.users) for seed in range(given.seeds)]
    numbers: dict[str, Any] = {"data": given.data, "preset": given.preset, "seeds": given.seeds, "users": given.users}
    print(f"{'cell':<10}{'ours':>8}" + "".join(f"{name:>11}" for name in (*SPECIALISTS, "sum")) + "  against the best")
    count = {"won": 0, "even": 0, "lost": 0}
    for name in sorted(rounds[0], key=lambda one: (one.rsplit("-", 1)[1], one)):
        row = {system: float(np.mean([one[name][system] for one in rounds])) for system in rounds[0][name]}
        best = max(value for system, value in row.items() if system != "ours")
        verdict = outcome(name.rsplit("-", 1)[1], row["ours"], best)
        count[verdict] += 1
        print(f"{name:<10}{row['ours']:>8.4f}" + "".join(f"{row[one]:>11.4f}" for one in (*SPECIALISTS, "sum")) + f"  {verdict}")
        numbers |= {f"{name}.{system}": value for system, value in row.items()} | {f"{name}.verdict": verdict}
    numbers |= {f"cells_{verdict}": value for verdict, value in count.items()}
    print(f"won {count['won']} of {sum(count.values())} cells, lost {count['lost']}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
