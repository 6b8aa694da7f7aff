"""One request from prompt to list: the top 20 items of SmolLM2-135M, 512-token prompt, codes of four levels, beam of 20.

    python -m benchmarks.generation_requests --json

Against Hugging Face `generate` with the same weights, codes, prompt and beams (`prefix_allowed_tokens_fn` over a dictionary,
`renormalize_logits`). Code tokens are word ids of the base, so that both read the same embeddings and the same output rows. In
float32 both must give the same items in the same order; speeds are compared with ours in bfloat16 where the processor has it. The
floor is the time of the matrix products alone, from rates measured in the same run at the same shapes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.calibration import calibrate, line
from benchmarks.decoding import dictionary, median_ms, random_codes
from instructrec.generation.beam import BeamOptions, beam_search
from instructrec.generation.codes import CodeTable
from instructrec.generation.scoring import CodeScores
from instructrec.generation.trie import Trie
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import native_dtype
from instructrec.lm.shared_prefix import Context, SharedPrefixDecoder

PROMPT, BEAMS, LEVELS, FIRST_WORD = 512, 20, 4, 1000


class Ours:
    """The engine on one model: read the prompt, search the codes."""

    def __init__(self, model: Any, codes: CodeTable) -> None:
        self.decoder = SharedPrefixDecoder(model.get_decoder())
        self.trie = Trie.build(codes)
        table = model.get_input_embeddings().weight.detach()
        self.words = table
        self.codes = table[FIRST_WORD : FIRST_WORD + codes.num_tokens].contiguous()
        self.num_items = len(codes)

    def read(self, prompts: Tensor) -> Context:
        """Prompts int64 [batch, length]."""
        return self.decoder.read(self.words[prompts])

    def search(self, context: Context) -> Tensor:
        """Items best first, int64 [batch, BEAMS]; every item allowed."""
        allowed = self.trie.allow(np.ones((len(context.hidden), self.num_items), dtype=np.bool_))
        scores = CodeScores(self.decoder, context, inputs=self.codes, outputs=self.codes)
        return beam_search(scores, self.trie, allowed, BeamOptions(width=BEAMS)).items


def theirs(model: Any, codes: CodeTable, prompt: Tensor) -> Callable[[], list[int]]:
    """`generate` with a dictionary trie; answers item codes, best first."""
    follow = dictionary(codes, np.ones(len(codes), dtype=np.bool_))
    mask = torch.ones_like(prompt)

    def allowed(_: int, ids: Tensor) -> list[int]:
        prefix = tuple(int(token) - FIRST_WORD for token in ids[PROMPT:])
        return [token + FIRST_WORD for token in follow[prefix]]

    def generate() -> list[int]:
        found = model.generate(
            prompt,
            attention_mask=mask,
            num_beams=BEAMS,
            num_return_sequences=BEAMS,
            max_new_tokens=LEVELS,
            min_new_tokens=LEVELS,
            do_sample=False,
            prefix_allowed_tokens_fn=allowed,
            renormalize_logits=True,
            pad_token_id=0,
            eos_token_id=None,
            length_penalty=0.0,
        )
        return [codes.decode([int(token) - FIRST_WORD for token in row[PROMPT:]]) for row in found]

    return generate


def floor_ms(decoder: SharedPrefixDecoder, repeats: int) -> float:
    """The matrix products of one prompt and LEVELS - 1 steps of BEAMS rows, at the rates of this run; nothing else."""
    from torch.nn import functional

    total = 0.0
    for rows, times in ((PROMPT, 1), (BEAMS, LEVELS - 1)):
        wide = {size: torch.randn(rows, size, dtype=decoder.dtype) for size in {w.shape[1] for w in decoder.matrices()}}

        def products(wide: dict[int, Tensor] = wide) -> None:
            for weight in decoder.matrices():
                functional.linear(wide[weight.shape[1]], weight)

        total += times * median_ms(products, repeats)
    return total


def measure(repeats: int) -> dict[str, Any]:
    """All times of the table, ms."""
    from transformers import AutoModelForCausalLM as Untyped
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    causal_lm: Any = Untyped
    folder, codes = prepare("smollm2-135m").folder, random_codes(12_000)
    prompts = torch.randint(5000, 40_000, (16, PROMPT), generator=torch.Generator().manual_seed(0))
    out: dict[str, Any] = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", native_dtype())):
        model = causal_lm.from_pretrained(folder, dtype=dtype).eval()
        ours, generate = Ours(model, codes), theirs(model, codes, prompts[:1])
        with torch.inference_mode():
            if name == "fp32":
                out["same_items_fp32"] = generate() == ours.search(ours.read(prompts[:1]))[0].tolist()
            out[f"hugging_face_ms_{name}"] = median_ms(generate, repeats)
            out[f"request_ms_{name}"] = median_ms(lambda ours=ours: ours.search(ours.read(prompts[:1])), repeats)
    context, many = ours.read(prompts[:1]), ours.read(prompts)
    out["request_ms"] = out["request_ms_bf16"]
    out["prompt_cached_ms"] = median_ms(lambda: ours.search(context), repeats)
    out["floor_ms"] = floor_ms(ours.decoder, repeats)
    out["over_floor"] = out["request_ms"] / out["floor_ms"]
    out["request_speedup_fp32"] = out["hugging_face_ms_fp32"] / out["request_ms"]
    out["request_speedup_bf16"] = out["hugging_face_ms_bf16"] / out["request_ms"]
    out["batch_speedup"] = 16 * out["request_ms"] / median_ms(lambda: ours.search(ours.read(prompts)), repeats)
    out["batch_speedup_cached"] = 16 * out["prompt_cached_ms"] / median_ms(lambda: ours.search(many), repeats)
    return out


def main() -> None:
    """Measure, and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", nargs="?", const="-", default=None, metavar="FILE")
    given = parser.parse_args()
    numbers = measure(given.repeats)
    numbers["calibration"] = calibrate()
    for name, value in numbers.items():
        if name != "calibration":
            print(f"{name:<28}{value:>12,.2f}" if isinstance(value, float) else f"{name:<28}{value!s:>12}")
    print(line(numbers["calibration"]))
    answer = json.dumps(numbers)
    print(answer)
    if given.json not in (None, "-"):
        Path(given.json).write_text(answer + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
