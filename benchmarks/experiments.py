"""Do experiments tell the truth? Simulated worlds whose truth is known, against the product's own functions.

    python -m benchmarks.experiments [--json FILE] [--runs 2000]

Looking 100 times at experiments without a difference (`false_positives`, beside those of the fixed interval looked at as often),
whole verdicts on equal arms and on one that is better (`false_verdicts`, `shipped_better`), wrong and right splits (`split_power`,
`split_false_alarms`), CUPED's variance against 1 - rho^2, interleaving of two equally good recommenders, off-policy estimates
against the truth, and assignments that stay.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.calibration import add_json_option, finish
from instructrec.experiments import (
    Arm,
    Assignment,
    Experiment,
    Guardrail,
    Row,
    assign,
    doubly_robust,
    importance_weights,
    ips,
    results,
    snips,
    team_draft,
)
from instructrec.experiments.offpolicy import Estimate
from instructrec.experiments.splits import SPLIT_ALARM, sequential_split_p, split_p
from instructrec.experiments.statistics import Method, Moments, always_valid_multiplier, cuped, difference

Floats = NDArray[np.float64]
LOOKS = 100
UNITS_A_LOOK = 200
"""New units of both arms together between two looks; the first look sees as many."""
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]
WORLDS: dict[str, tuple[float, Draw]] = {
    "clicked, 5 %": (0.5, lambda rng, shape: (rng.random(shape, dtype=np.float32) < 0.05).astype(np.float64)),
    "normal": (0.5, lambda rng, shape: rng.standard_normal(shape)),
    "money, log-normal": (0.5, lambda rng, shape: np.exp(rng.standard_normal(shape))),
    "clicked 20 %, split 80/20": (0.2, lambda rng, shape: (rng.random(shape, dtype=np.float32) < 0.2).astype(np.float64)),
}


def false_positives(runs: int, share: float, draw: Draw, seed: int) -> tuple[float, float, float]:
    """Parts of the runs without a difference in which, at any of the looks, the always-valid and the fixed interval leave 0 out,
    and in which the fixed one does at the last look alone. `share`: part of the units in the treated arm.
    """
    rng = np.random.default_rng(seed)
    treated = round(UNITS_A_LOOK * share)
    looks = np.arange(1, LOOKS + 1)
    always, fixed, last = 0, 0, 0
    for begin in range(0, runs, 100):
        values = draw(rng, (min(100, runs - begin), LOOKS, UNITS_A_LOOK))
        arms = [_running(part) for part in (values[:, :, :treated], values[:, :, treated:])]
        apart = arms[0][1] - arms[1][1]
        errors = [variance / n for n, _, variance in arms]
        squared = errors[0] + errors[1]
        # Without any variance there is no interval, so nothing is left out.
        gone = np.divide(np.abs(apart), np.sqrt(squared), out=np.zeros_like(apart), where=squared > 0)
        degrees = squared**2 / sum(error**2 / (n - 1) for error, (n, _, _) in zip(errors, arms, strict=True)).clip(1e-300)
        naive = gone > stats.t.ppf(0.975, degrees.clip(1))
        valid = gone > always_valid_multiplier(looks * UNITS_A_LOOK)
        _agrees(values[0], treated, valid[0], naive[0])
        always, fixed, last = always + valid.any(axis=1).sum(), fixed + naive.any(axis=1).sum(), last + naive[:, -1].sum()
    return always / runs, fixed / runs, last / runs


def _running(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Units, mean and variance up to each look, of values [runs, looks, units]."""
    n = np.arange(1, values.shape[1] + 1) * float(values.shape[2])
    mean = values.sum(axis=2).cumsum(axis=1) / n
    squares = (values**2).sum(axis=2).cumsum(axis=1)
    return n, mean, ((squares - n * mean**2) / (n - 1)).clip(0)


def _agrees(values: Floats, treated: int, valid: NDArray[np.bool_], naive: NDArray[np.bool_]) -> None:
    """The arrays above say the same as the product's intervals do, at some looks of one run."""
    for look in (0, 7, LOOKS - 1):
        arms = [Moments.of(part.ravel()) for part in (values[: look + 1, :treated], values[: look + 1, treated:])]
        checks: tuple[tuple[Method, NDArray[np.bool_]], ...] = (("always_valid", valid), ("fixed", naive))
        for method, out in checks:
            found = difference(arms[0], arms[1], method=method)
            assert (found.low > 0 or found.high < 0) == out[look], (method, look, found)


def verdicts(runs: int, lift: float, looks: int = 5, units: int = 3_000) -> dict[str, float]:
    """First verdict but to keep going -> part of the runs: three arms, values from before, a guardrail, real assignment.

    `lift`: what is added to the click rate of the last arm, which is .25 elsewhere.
    """
    rng = np.random.default_rng(2)
    found: dict[str, int] = {}
    for run in range(runs):
        arms = tuple(Arm(name=name) for name in ("control", "one", "two"))
        guardrails = (Guardrail(metric="error_rate", better="lower", tolerance=0.1),)
        experiment = Experiment(id=f"run-{run}", arms=arms, metrics=("ctr",), guardrails=guardrails).start(0.0)
        habits = rng.beta(2, 6, units)
        given = [str(assign(experiment, str(unit)).arm) for unit in range(units)]
        chances = (habits + lift * (np.array(given) == "two")).clip(0, 1)
        clicks, failed = rng.binomial(10, chances) / 10, rng.random(units) < 0.05
        rows = [
            Row(
                unit=str(unit),
                arm=given[unit],
                exposed=unit * 600.0,
                values={"ctr": clicks[unit], "error_rate": float(failed[unit])},
                before={"ctr": habits[unit]},
            )
            for unit in range(units)
        ]
        seen = [results(experiment, rows[: units * look // looks]) for look in range(1, looks + 1)]
        first = next((f"{each.verdict} {each.arm or ''}".strip() for each in seen if each.verdict != "keep_going"), "keep_going")
        found[first] = found.get(first, 0) + 1
    return {code: count / runs for code, count in found.items()}


def splits(runs: int) -> dict[str, float]:
    """Power at 49/51 and false alarms at 50/50, 100,000 units: chi-square once, the sequential test at 100 looks."""
    rng = np.random.default_rng(1)
    found = {}
    for name, share in (("power", 0.49), ("false_alarms", 0.5)):
        first = rng.binomial(1_000, share, size=(runs, LOOKS)).cumsum(axis=1)
        counts = np.stack([first, np.arange(1, LOOKS + 1) * 1_000 - first], axis=-1)
        found[f"split_{name}"] = float((split_p(counts[:, -1], [0.5, 0.5]) < SPLIT_ALARM).mean())
        ever = sequential_split_p(counts, [0.5, 0.5]).min(axis=1) < SPLIT_ALARM
        found[f"sequential_split_{name}"] = float(ever.mean())
        found[f"peeked_split_{name}"] = float((split_p(counts, [0.5, 0.5]).min(axis=1) < SPLIT_ALARM).mean())
    return found


def cuped_variance(rho: float, runs: int, units: int = 400) -> tuple[float, float]:
    """Variance of the difference between two arms with CUPED, divided by that without it, over simulated experiments; and by how
    much the former misses (1 - rho^2) of the latter.
    """
    rng = np.random.default_rng(round(rho * 100))
    arms = np.arange(units) % 2
    raw, less = np.empty(runs), np.empty(runs)
    for run in range(runs):
        before, noise = rng.standard_normal((2, units))
        values = rho * before + np.sqrt(1 - rho**2) * noise
        adjusted = cuped(values, before, arms).values
        raw[run], less[run] = values[1::2].mean() - values[::2].mean(), adjusted[1::2].mean() - adjusted[::2].mean()
    left = float(less.var() / raw.var())
    return left, left / (1 - rho**2) - 1


def interleaving_bias(requests: int, n: int = 10) -> tuple[float, float]:
    """The first recommender's part of all clicks minus one half, where both are equally good: expected clicks, and drawn ones.

    Both rank 15 items by the same merit with noise of their own; people click by place and merit.
    """
    rng = np.random.default_rng(3)
    merit = np.linspace(1, 0, 15)
    seen = 1 / np.log2(np.arange(n) + 2)
    noisy = merit + rng.normal(0, 0.3, size=(2, requests, 15))
    orders = np.argsort(-noisy, axis=2)
    names = [f"i{place}" for place in range(15)]
    chances, drawn = np.zeros(2), np.zeros(2)
    for request in range(requests):
        lists = [[names[place] for place in orders[side, request]] for side in (0, 1)]
        shown = team_draft(lists[0], lists[1], n, seed="bench", request=str(request))
        first = np.array([team == "first" for team in shown.teams])
        chance = seen * (0.1 + 0.3 * merit[[int(item[1:]) for item in shown.items]])
        clicked = rng.random(n) < chance
        chances += chance[first].sum(), chance[~first].sum()
        drawn += shown.credit([item for item, hit in zip(shown.items, clicked, strict=True) if hit])
    return float(chances[0] / chances.sum() - 0.5), float(drawn[0] / drawn.sum() - 0.5)


def off_policy(runs: int, rows: int = 5_000) -> dict[str, float]:
    """Error and coverage of the estimates in a world of 2,000 contexts with 8 actions whose truth is a finite sum.

    The reward model that DR uses is wrong on purpose (shrunk and shifted). Errors are means over runs, relative to the truth.
    """
    rng = np.random.default_rng(5)
    contexts, actions = 2_000, 8
    chance = 1 / (1 + np.exp(-rng.normal(-1.5, 1, size=(contexts, actions))))
    taste = np.log(chance) + rng.normal(0, 0.5, size=chance.shape)
    logged = 0.8 * _softmax(taste) + 0.2 / actions
    wanted = 0.9 * _softmax(3 * taste) + 0.1 / actions
    truth = float((wanted * chance).sum(axis=1).mean())
    guess = 0.6 * chance + 0.15
    errors: dict[str, list[float]] = {}
    covered: dict[str, int] = {}
    share = []
    edges = logged.cumsum(axis=1)
    for _ in range(runs):
        who = rng.integers(contexts, size=rows)
        action = (rng.random((rows, 1)) > edges[who, :-1]).sum(axis=1)
        reward = (rng.random(rows) < chance[who, action]).astype(np.float64)
        weights = importance_weights(wanted[who, action], logged[who, action])
        expected = (wanted * guess).sum(axis=1)[who]
        found: Sequence[Estimate] = (
            ips(reward, weights),
            snips(reward, weights),
            doubly_robust(reward, weights, guess[who, action], expected),
        )
        share.append(found[0].effective_n / rows)
        for estimate in found:
            errors.setdefault(estimate.estimator, []).append(abs(estimate.reward.value / truth - 1))
            inside = estimate.reward.low <= truth <= estimate.reward.high
            covered[estimate.estimator] = covered.get(estimate.estimator, 0) + inside
    report = {f"{name}_error": float(np.mean(each)) for name, each in errors.items()}
    report |= {f"{name}_error_p95": float(np.quantile(each, 0.95)) for name, each in errors.items()}
    return (
        report | {f"{name}_coverage": count / runs for name, count in covered.items()} | {"effective_share": float(np.mean(share))}
    )


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def assignments(units: int) -> dict[str, float]:
    """Parts of the units that keep their arm over processes, JSON, growing coverage and a changed split; and microseconds each."""
    experiment = _experiment((1, 1, 1), coverage=0.3)
    names = [f"user-{unit}" for unit in range(units)]
    began = time.process_time()
    first = [assign(experiment, name) for name in names]
    each_us = (time.process_time() - began) / units * 1e6
    again = Experiment.from_json(experiment.to_json())
    kept = [assign(again, name) == before for name, before in zip(names, first, strict=True)]
    wider = _experiment((1, 1, 1), coverage=0.8)
    kept += [assign(wider, name).arm == was.arm for name, was in zip(names, first, strict=True) if was.arm]
    changed = _experiment((8, 1, 1), coverage=1.0)
    stored = [Assignment.from_json(was.to_json()) for was in first]
    kept += [assign(changed, name, was).arm == was.arm for name, was in zip(names, stored, strict=True) if was.arm]
    here = fingerprint(units)
    processes = [_in_another_process(units, str(seed)) == here for seed in (0, 1, 2)]
    return {"sticky": float(np.mean(kept)), "sticky_processes": float(np.mean(processes)), "assign_us": each_us}


def fingerprint(units: int) -> str:
    """A hash of all arms of some units, to compare processes by."""
    experiment = _experiment((1, 1, 1), coverage=0.9)
    return hashlib.sha256(" ".join(str(assign(experiment, f"user-{unit}").arm) for unit in range(units)).encode()).hexdigest()


def _in_another_process(units: int, hash_seed: str) -> str:
    code = f"from benchmarks.experiments import fingerprint; print(fingerprint({units}))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.strip()


def _experiment(weights: Sequence[float], *, coverage: float) -> Experiment:
    arms = tuple(Arm(name=f"arm-{place}", weight=weight) for place, weight in enumerate(weights))
    return Experiment(id="benchmark", arms=arms, coverage=coverage).start(0.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all of it, print a table, end with one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000, help="simulated experiments without a difference")
    add_json_option(parser)
    chosen = parser.parse_args(arguments)
    began = time.process_time()
    numbers: dict[str, float] = {}
    print(f"A/A, {chosen.runs} runs, {LOOKS} looks at {UNITS_A_LOOK} to {LOOKS * UNITS_A_LOOK} units: part with a difference found")
    print(f"{'':28}{'always valid':>14}{'fixed, peeked':>16}{'fixed, once':>14}")
    found = {name: false_positives(chosen.runs, *world, seed=place) for place, (name, world) in enumerate(WORLDS.items())}
    for name, (always, fixed, last) in found.items():
        print(f"{name:28}{always:14.2%}{fixed:16.2%}{last:14.2%}")
    numbers["false_positives"] = max(always for always, _, _ in found.values())
    numbers["false_positives_peeked"] = max(fixed for _, fixed, _ in found.values())
    equal, better = verdicts(200, 0.0), verdicts(200, 0.025)
    numbers |= {"false_verdicts": 1 - equal.get("keep_going", 0.0), "shipped_better": better.get("ship two", 0.0)}
    print("\nthree arms with CUPED, guardrail and split check, 200 runs, 5 looks up to 3,000 units: first verdict")
    for name, codes in (("equal", equal), ("one better by .025", better)):
        print(f"{name:28}" + ", ".join(f"{code} {part:.1%}" for code, part in sorted(codes.items())))
    numbers |= splits(20_000)
    print("\nsplit 49/51 found, and false alarms at 50/50, 100,000 units, p < .001")
    for name, prefix in (("chi-square, once", ""), ("sequential, 100 looks", "sequential_"), ("chi-square, 100 looks", "peeked_")):
        print(f"{name:28}{numbers[f'{prefix}split_power']:14.2%}{numbers[f'{prefix}split_false_alarms']:16.3%}")
    print(f"\n{'CUPED, rho':28}{'variance left':>14}{'1 - rho^2':>16}{'miss':>14}")
    misses = []
    for rho in (0.5, 0.7, 0.9):
        left, miss = cuped_variance(rho, 40_000)
        misses.append(abs(miss))
        print(f"{rho:<28}{left:14.4f}{1 - rho**2:16.4f}{miss:14.2%}")
    numbers["cuped_miss"] = max(misses)
    expected, drawn = interleaving_bias(200_000)
    numbers |= {"interleaving_bias_pp": 100 * abs(expected), "interleaving_bias_drawn_pp": 100 * abs(drawn)}
    print(f"\ninterleaving of equals: bias {100 * expected:+.4f} pp of expected clicks, {100 * drawn:+.4f} pp of drawn clicks")
    policy = off_policy(2_000)
    print(f"\n{'off-policy, 5,000 rows':28}{'mean error':>14}{'95 % below':>16}{'coverage':>14}")
    for name in ("ips", "snips", "dr"):
        print(f"{name:28}{policy[f'{name}_error']:14.2%}{policy[f'{name}_error_p95']:16.2%}{policy[f'{name}_coverage']:14.2%}")
    numbers |= policy | assignments(100_000)
    print(f"\nkept their arm {numbers['sticky']:.2%}, the same in other processes {numbers['sticky_processes']:.0%}, ", end="")
    print(f"{numbers['assign_us']:.1f} us an assignment; all in {time.process_time() - began:.0f} s of one core")
    finish({name: round(number, 6) for name, number in numbers.items()}, chosen.json)


if __name__ == "__main__":
    main()
