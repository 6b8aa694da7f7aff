"""Re-ranking 50 candidates under one prompt: ours reads the prompt once, the baseline is one whole prompt a candidate, batched.

    python -m benchmarks.candidate_scoring --json

SmolLM2-135M in bf16, all 30 layers, random tokens: a prompt of 400, candidates of 20. The baseline is the same model through
Hugging Face (scaled dot-product attention, no cache, batches of the size that is fastest here, output layer at the scored positions
only). Both sides answer three questions: yes or no behind each candidate, the likelihood of a title (all words may be written) and
that of a code (1,024 tokens may be). "cached": the prompt was read before. `limit` is how many times fewer tokens ours reads.

That the order is the same is checked in float32 on a smaller list. In bf16 scores differ, also because the baseline rounds its
logits to bf16 and ours does not round those of scored tokens; by how much is measured on the long list, with Kendall's tau of the
two orders. Medians over --repeats, the sides in turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from scipy.stats import kendalltau
from torch import Tensor
from torch.nn import functional

from benchmarks.calibration import add_json_option, finish
from benchmarks.sides import in_turns, smollm2
from instructrec.generation.candidates import CandidateScorer
from instructrec.lm.shared_prefix import Context, SharedPrefixDecoder

FORMS = ("yes_no", "title", "code")
CODE_TOKENS = 1024
YES, NO = 100, 200
SIZES = (5, 10, 25)
"""Whole prompts that the baseline reads at a time; the fastest is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How much there is to score: decoder layers, candidates, tokens of the prompt and of each candidate."""

    layers: int = 30
    candidates: int = 50
    prompt: int = 400
    length: int = 20


class Sides:
    """Both ways to score the same random candidates with the same weights."""

    def __init__(self, shape: Shape, dtype: torch.dtype) -> None:
        model = smollm2(shape.layers, dtype)
        self.body, self.outputs = model.model, model.lm_head.weight.detach()
        self.words = model.get_input_embeddings().weight.detach().float()
        self.decoder = SharedPrefixDecoder(model.get_decoder())
        self.scorer = CandidateScorer(self.decoder, words=self.words, outputs=self.outputs)
        noise = torch.Generator().manual_seed(0)
        vocabulary = len(self.words)
        self.code_tokens = range(vocabulary - CODE_TOKENS, vocabulary)
        self.prompt = torch.randint(vocabulary, (shape.prompt,), generator=noise)
        size = (shape.candidates, shape.length)
        texts = torch.randint(vocabulary, size, generator=noise)
        codes = torch.randint(self.code_tokens.start, vocabulary, size, generator=noise)
        self.tokens = {"yes_no": texts, "title": texts, "code": codes}

    @torch.inference_mode()
    def theirs(self, form: str, size: int) -> Tensor:
        """Scores float32 [candidates]: `size` whole prompts at a time."""
        return torch.cat([self._whole(form, some) for some in self.tokens[form].split(size)])

    def _whole(self, form: str, texts: Tensor) -> Tensor:
        read = texts if form == "yes_no" else texts[:, :-1]
        whole = torch.cat([self.prompt.expand(len(texts), -1), read], dim=1)
        hidden = self.body(input_ids=whole, use_cache=False).last_hidden_state
        if form == "yes_no":
            answers = functional.linear(hidden[:, -1], self.outputs[[YES, NO]]).float()
            return answers[:, 0] - answers[:, 1]
        start = self.code_tokens.start if form == "code" else 0
        # As one matrix: a product with a slice of three dimensions takes ten times as long.
        scored = hidden[:, len(self.prompt) - 1 :].flatten(0, 1)
        steps = functional.linear(scored, self.outputs[start:]).float().log_softmax(dim=1)
        return steps.gather(1, (texts - start).view(-1, 1)).view(texts.shape).sum(dim=1)

    def read(self) -> Context:
        """The prompt, read once."""
        return self.decoder.read(self.words[self.prompt][None])

    def ours(self, form: str, context: Context | None = None) -> Tensor:
        """Scores float32 [candidates]: all under one prompt, which is read here unless it was before."""
        context = context or self.read()
        texts = [self.tokens[form].tolist()]
        if form == "yes_no":
            return self.scorer.yes_no(context, texts, yes=YES, no=NO)[0]
        return self.scorer.likelihood(context, texts, among=self.code_tokens if form == "code" else None)[0]


def seconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def same_order(shape: Shape) -> dict[str, Any]:
    """Whether both sides order a small list alike in float32, and the largest difference of two scores (nats)."""
    sides = Sides(shape, torch.float32)
    pairs = [(sides.theirs(form, shape.candidates), sides.ours(form)) for form in FORMS]
    return {
        "same_order": all(bool((theirs.argsort() == ours.argsort()).all()) for theirs, ours in pairs),
        "float32_score_difference": max(float((theirs - ours).abs().max()) for theirs, ours in pairs),
    }


def fastest_size(sides: Sides) -> int:
    """The size of the baseline's batches that is fastest here: one trial each, after one batch that warms up."""
    sizes = sorted({min(size, len(sides.tokens["yes_no"])) for size in SIZES})
    times = {}
    for size in sizes:
        with torch.inference_mode():
            sides._whole("yes_no", sides.tokens["yes_no"][:size])
        times[size] = seconds(lambda size=size: sides.theirs("yes_no", size))
    return min(times, key=lambda size: times[size])


def compare(sides: Sides, form: str, *, size: int, repeats: int) -> dict[str, Any]:
    """Times (s) of both sides and of ours with the prompt read before, their ratios, and how far their scores are apart."""
    context = sides.read()
    works: dict[str, Callable[[], Tensor]] = {
        "baseline": lambda: sides.theirs(form, size),
        "ours": lambda: sides.ours(form),
        "cached": lambda: sides.ours(form, context),
    }
    times, scores = in_turns(works, repeats)
    end = "" if form == "yes_no" else f"_{form}"
    theirs, ours = scores["baseline"], scores["ours"]
    return {
        f"speedup{end}": times["baseline"] / times["ours"],
        f"speedup{end}_cached": times["baseline"] / times["cached"],
        **{f"{name}{end}_s": median / 1000 for name, median in times.items()},
        f"max_score_difference{end}": float((theirs - ours).abs().max()),
        f"bf16_tau{end}": round(float(kendalltau(theirs.numpy(), ours.numpy()).statistic), 6),
    }


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--smoke", action="store_true", help="2 layers, 6 candidates and a prompt of 40 tokens: only to see that it runs"
    )
    add_json_option(parser)
    given = parser.parse_args()
    shape = Shape(layers=2, candidates=6, prompt=40) if given.smoke else Shape()
    numbers: dict[str, Any] = same_order(replace(shape, candidates=min(12, shape.candidates), prompt=min(100, shape.prompt)))
    sides = Sides(shape, torch.bfloat16)
    size = fastest_size(sides)
    whole, own = shape.candidates * (shape.prompt + shape.length), shape.candidates * shape.length
    numbers |= {"baseline_batch": size, "limit": whole / (shape.prompt + own), "limit_cached": whole / own}
    for form in FORMS:
        numbers |= compare(sides, form, size=size, repeats=given.repeats)
    numbers["threads"] = torch.get_num_threads()
    for name, value in numbers.items():
        print(f"{name:<36}{value:>14,.3f}" if isinstance(value, float) else f"{name:<36}{value!s:>14}")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
