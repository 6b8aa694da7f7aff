"""What a constraint costs: one step of ours against Hugging Face's `prefix_allowed_tokens_fn` with a dictionary trie, and growth.

    python -m benchmarks.decoding --json

Both sides get the same scores, prefixes and allowed items (random codes of four levels) and answer with scores of which only
allowed tokens are finite; that their best beams are the same, in the same order, is checked in the same run. Medians over
--repeats, with the calibration of the machine beside them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.calibration import add_json_option, finish
from benchmarks.decoding_requests import whole_requests
from instructrec.core import Instruction, Query
from instructrec.generation.beam import BeamOptions, beam_search
from instructrec.generation.codes import CodeTable, distinct
from instructrec.generation.trie import Trie
from instructrec.recommender import allowed
from instructrec.tables import Catalog, Labels, Limit

LEVEL = 256
BATCH, BEAMS = 8, 50


def random_codes(num_items: int, *, start: int = 0, seed: int = 0) -> CodeTable:
    """Codes of three random levels of LEVEL tokens and a fourth against collisions; tokens count from `start`."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, LEVEL, size=(num_items, 3)) + np.arange(3) * LEVEL + start
    last = distinct(levels, first_token=start + 3 * LEVEL)
    return CodeTable(
        kind="semantic", tokens=np.column_stack([levels, last]), num_tokens=max(int(last.max()) + 1, start + 4 * LEVEL)
    )


def dictionary(codes: CodeTable, mask: np.ndarray) -> dict[tuple[int, ...], list[int]]:
    """Prefix -> tokens that may follow: the trie that a user of `prefix_allowed_tokens_fn` writes."""
    found: dict[tuple[int, ...], set[int]] = {}
    for item in np.flatnonzero(mask):
        code = codes.encode(int(item))
        for place, token in enumerate(code):
            found.setdefault(code[:place], set()).add(token)
    return {prefix: sorted(tokens) for prefix, tokens in found.items()}


class Step:
    """One step of a search at some depth: prefixes of allowed items, their scores and the scores of the next token."""

    def __init__(self, codes: CodeTable, *, depth: int, seed: int = 1) -> None:
        from transformers import PrefixConstrainedLogitsProcessor

        rng = np.random.default_rng(seed)
        mask = rng.random((BATCH, len(codes))) < 0.5
        self.trie = Trie.build(codes)
        self.allowed = self.trie.allow(mask)
        self.depth = depth
        some = np.stack([rng.choice(np.flatnonzero(row), BEAMS, replace=False) for row in mask])
        self.prefixes = torch.from_numpy(codes.tokens[some][..., :depth])
        self.scores = torch.randn(BATCH, BEAMS, codes.num_tokens, generator=torch.Generator().manual_seed(seed))
        self.nodes = self._walk()
        tries = [dictionary(codes, row) for row in mask]

        def follow(batch: int, ids: Tensor) -> list[int]:
            return tries[batch][tuple(ids.tolist())]

        self.processor = PrefixConstrainedLogitsProcessor(follow, BEAMS)

    def _walk(self) -> Tensor:
        nodes = torch.zeros(BATCH, BEAMS, dtype=torch.int64)
        for depth in range(self.depth):
            branches = self.trie.branches(nodes, self.allowed, depth=depth)
            place = (branches.tokens == self.prefixes[..., depth : depth + 1]) & branches.open
            nodes = branches.first + place.int().argmax(dim=2)
        return nodes

    def theirs(self) -> Tensor:
        """Scores [batch * beams, num_tokens] with -inf where a token may not follow."""
        masked: Tensor = self.processor(self.prefixes.flatten(0, 1), self.scores.flatten(0, 1))
        return masked

    def ours(self) -> tuple[Tensor, Tensor]:
        """Scores of the branches [batch, beams, most_children], -inf for closed ones, and their tokens."""
        branches = self.trie.branches(self.nodes, self.allowed, depth=self.depth)
        return torch.where(branches.open, self.scores.gather(2, branches.tokens), -torch.inf), branches.tokens

    def same(self) -> bool:
        """Whether the best BEAMS continuations of every request are the same pairs of beam and token, in the same order."""
        width = self.scores.shape[2]
        best = self.theirs().view(BATCH, -1).topk(BEAMS, dim=1).indices
        gains, tokens = self.ours()
        places = gains.flatten(1).topk(BEAMS, dim=1).indices
        mine = places // gains.shape[2] * width + tokens.flatten(1).gather(1, places)
        return bool((best == mine).all())


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Median time of one call, ms, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def constraint_steps(repeats: int) -> dict[str, Any]:
    """Both sides at both vocabulary sizes, mean over the depths of a code."""
    out: dict[str, Any] = {"same_beams": True}
    for name, start in (("1k", 0), ("50k", 49_152)):
        steps = [Step(random_codes(12_000, start=start), depth=depth) for depth in range(1, 4)]
        out["same_beams"] &= all(step.same() for step in steps)
        ours = statistics.mean(median_ms(step.ours, repeats * 20) for step in steps)
        theirs = statistics.mean(median_ms(step.theirs, repeats) for step in steps)
        out |= {f"constraint_step_ms_{name}": ours, f"hugging_face_step_ms_{name}": theirs}
        out[f"constraint_step_speedup_{name}"] = theirs / ours
    return out


def growth(repeats: int) -> dict[str, Any]:
    """Search time of one request (without the model) and the time of compiling its limits, by catalog size; few left and all."""
    out: dict[str, Any] = {}
    for num_items in (1_000, 10_000, 100_000, 1_000_000):
        trie = Trie.build(random_codes(num_items))
        scores = torch.randn(1, 20, int(trie.tokens.max()) + 1)
        rng = np.random.default_rng(0)
        five = np.zeros((1, num_items), dtype=np.bool_)
        five[0, rng.choice(num_items, 5, replace=False)] = True
        for name, mask in (("all", np.ones((1, num_items), dtype=np.bool_)), ("five", five)):
            allowed = trie.allow(mask)
            out[f"compile_ms.{name}.{num_items}"] = median_ms(lambda trie=trie, mask=mask: trie.allow(mask), repeats)

            def request(trie: Trie = trie, allowed: Tensor = allowed, scores: Tensor = scores) -> object:
                return beam_search(lambda parents, _: scores[:, : max(parents.shape[1], 1)], trie, allowed, BeamOptions(width=20))

            out[f"search_ms.{name}.{num_items}"] = median_ms(request, repeats)
    return out


def whole_limits(repeats: int, *, num_items: int = 100_000) -> dict[str, float]:
    """From what a request says to what its search may enter, ms: categories, a maker of 5,000, stock, price, year, 100 items seen
    and 50 excluded; and for a request with 1,000 candidates.
    """
    rng = np.random.default_rng(0)
    labels = {
        "category": Labels.build([tuple(f"c{value}" for value in row) for row in rng.integers(0, 300, size=(num_items, 3))]),
        "maker": Labels.build([(f"m{value}",) for value in rng.zipf(1.3, num_items) % 5000]),
        "stock": Labels.build([("in",) if value < 0.8 else ("out",) for value in rng.random(num_items)]),
    }
    numbers = {"price": rng.lognormal(3, 1, num_items), "year": rng.integers(1950, 2025, num_items).astype(np.float64)}
    ids = tuple(str(item) for item in range(num_items))
    catalog = Catalog(item_ids=ids, titles=ids, labels=labels, numbers=numbers)
    trie = Trie.build(random_codes(num_items))
    some = [str(item) for item in rng.choice(num_items, 1150, replace=False)]
    limits = (
        Limit(attribute="category", operator="include", values=("c1", "c2", "c3")),
        Limit(attribute="maker", operator="exclude", values=("m1",)),
        Limit(attribute="stock", operator="include", values=("in",)),
        Limit(attribute="price", operator="range", high=50.0),
        Limit(attribute="year", operator="range", low=1980.0),
    )
    limited = Query(history=tuple(some[:100]), exclude=frozenset(some[100:150]), instruction=Instruction(text="", limits=limits))
    chosen = Query(history=tuple(some[:100]), candidates=tuple(some[150:]))
    return {
        "limits_ms": median_ms(lambda: trie.allow(allowed(limited, catalog)[None]), repeats * 4),
        "candidates_ms": median_ms(lambda: trie.allow(allowed(chosen, catalog)[None]), repeats * 4),
    }


def random_scores(parents: Tensor, tokens: Tensor, *, batch: int, num_tokens: int, noise: torch.Generator) -> Tensor:
    """A model that says anything."""
    return torch.randn(batch, max(parents.shape[1], 1), num_tokens, generator=noise) * 3


def invalid_items(wanted: int) -> dict[str, int]:
    """Items generated under random limits, and how many of them were forbidden, unknown or repeated."""
    rng, made, bad = np.random.default_rng(3), 0, 0
    codes = random_codes(20_000)
    trie = Trie.build(codes)
    while made < wanted:
        masks = rng.random((64, 20_000)) < rng.random((64, 1)) ** 4
        noise = torch.Generator().manual_seed(int(rng.integers(1 << 31)))
        options = BeamOptions(width=100, temperature=float(rng.choice([0.0, 1.0])), seed=int(rng.integers(1 << 31)))
        model = partial(random_scores, batch=64, num_tokens=codes.num_tokens, noise=noise)
        found = beam_search(model, trie, trie.allow(masks), options)
        for row, mask in zip(found.items.numpy(), masks, strict=True):
            items = row[row >= 0]
            made += len(items)
            bad += len(items) - int(mask[np.unique(items)].sum()) + int(len(items) != min(100, mask.sum()))
    return {"generated": made, "invalid": bad}


def latency_growth(numbers: dict[str, Any]) -> float:
    """Time of a whole request at the slowest of the catalog sizes over that at the fastest.

    What the model does does not depend on the catalog, so it is measured once; limits and search are measured at every size.
    """
    sizes = [int(name.rpartition(".")[2]) for name in numbers if name.startswith("search_ms.all.")]
    own = {size: numbers[f"compile_ms.all.{size}"] + numbers[f"search_ms.all.{size}"] for size in sizes}
    model = numbers["request_ms"] - own[10_000]
    times = [model + spent for spent in own.values()]
    return float(max(times) / min(times))


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--generated", type=int, default=1_000_000, help="items to generate under random limits")
    parser.add_argument("--no-requests", action="store_true", help="leave out whole requests, with the model and Hugging Face's")
    parser.add_argument("--smoke", action="store_true", help="whole requests of a tiny model: only to see that they run")
    add_json_option(parser)
    given = parser.parse_args()
    numbers = constraint_steps(given.repeats) | growth(given.repeats) | whole_limits(given.repeats) | invalid_items(given.generated)
    if not given.no_requests:
        numbers |= whole_requests(random_codes(12_000), dictionary, repeats=given.repeats, smoke=given.smoke)
        numbers["latency_growth"] = latency_growth(numbers)
    for name, value in numbers.items():
        print(f"{name:<36}{value:>14,.3f}" if isinstance(value, float) else f"{name:<36}{value!s:>14}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
