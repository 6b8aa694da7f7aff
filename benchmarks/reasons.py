"""Thirty reasons of a run with their evidence, the ten weakest among them: the page docs/reasons.md.

    python -m benchmarks.reasons --run runs/demo > docs/reasons.md

Lists of 10 for every --every-th user of the run. A reason is as strong as the part of all that speaks for the item (the effects of
history items that raise its score) which the named items carry; one that names none has nothing of it. Twenty are taken at even
steps from the strongest to the weakest of all, then the ten weakest follow.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from instructrec.core import Evidence, Explanation, Query
from instructrec.explain import explain_batch, measure_influence
from instructrec.pipeline.answering import Request, manner_of, stored_history
from instructrec.runs import Run

STEPS, WEAKEST = 20, 10
K = 10
AT_ONCE = 20


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One explanation, whose it is, where the item stands, and the part of what speaks for the item that it names."""

    user: str
    rank: int
    explanation: Explanation
    strength: float


def reasons(run: Run, every: int) -> list[Reason]:
    """Reasons for the lists of some users, the strongest first."""
    model, found = run.model(None), []
    users = run.dataset.interactions.user_ids[::every]
    for start in range(0, len(users), AT_ONCE):
        queries = [Query(user=user, history=stored_history(run.dataset, user), n=K) for user in users[start : start + AT_ONCE]]
        lists = model.recommend(queries)
        influences = measure_influence(model, lists)
        explained = explain_batch(
            model, lists, run.dataset, manner=manner_of(run, Request()), counterfactual=True, influences=influences
        )
        for query, influence, explanations in zip(queries, influences, explained, strict=True):
            for rank, explanation in enumerate(explanations, start=1):
                effects = influence.effects[:, rank - 1]
                total = float(effects[effects > 0].sum())
                named = sum(entry.weight for entry in explanation.evidence if entry.kind == "history")
                strength = named / total if total else 0.0
                found.append(Reason(user=str(query.user), rank=rank, explanation=explanation, strength=strength))
    return sorted(found, key=lambda one: (-one.strength, one.user, one.rank))


def lines(run: Run, number: int, one: Reason) -> list[str]:
    """One reason as Markdown."""
    catalog, explanation = run.catalog, one.explanation
    title = catalog.titles[catalog.index[explanation.item]]
    said = [explanation.text, explanation.caveat, explanation.counterfactual_text]
    facts = [_fact(run, entry) for entry in (*explanation.evidence, *explanation.against)]
    return [
        f"{number}. **{title}**, number {one.rank} for user {one.user} ({one.strength:.0%} named, {explanation.status}, "
        f"by the {explanation.written_by})",
        "",
        *[f"   {text}" for text in said if text],
        "",
        f"   Evidence: {'; '.join(facts) or 'none'}.",
        "",
    ]


def _fact(run: Run, entry: Evidence) -> str:
    named = run.catalog.titles[run.catalog.index[entry.item]] if entry.item is not None else ""
    parts = [part for part in (named, (entry.attribute or "").replace("_", " "), entry.value or "") if part]
    weight = f" {entry.weight:+.3f}" if entry.weight else ""
    return f"{entry.kind} {', '.join(parts)}{weight}"


def page(run: Run, found: Sequence[Reason]) -> str:
    """The whole page."""
    steps = [found[place * (len(found) - 1) // (STEPS - 1)] for place in range(STEPS)]
    out = [HEAD.format(data=run.config.data.source, model=run.model_names[0], count=len(found))]
    for number, one in enumerate([*steps, *found[-WEAKEST:]], start=1):
        if number == STEPS + 1:
            out.append("## The ten weakest\n")
        out += lines(run, number, one)
    return "\n".join(out)


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--every", type=int, default=20)
    given = parser.parse_args()
    run = Run.load(given.run)
    print(page(run, reasons(run, given.every)))


HEAD = """# Thirty reasons, and what they rest on

Of {count} reasons for lists of 10 by the model `{model}` on `{data}`: twenty at even steps from the strongest to the weakest,
then the ten weakest. A reason is as strong as the part of everything that speaks for the item which its text names. The page is
written by `python -m benchmarks.reasons`, from a run with a model that writes reasons (`train --writer model`); nothing is chosen
by hand. A weight is what that item of the history gives to the score: the mean of what is lost without it and of what it brings
alone; that of a value which the user rates lower than the rest is how much lower.
"""


if __name__ == "__main__":
    main()
