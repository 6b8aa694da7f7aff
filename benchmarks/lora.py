"""One tuning step of the decoder body with our LoRA layers and with PEFT's own, in the same run: tokens a second and their ratio.

python -m benchmarks.lora --json
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from benchmarks.calibration import add_json_option, finish
from instructrec.lm.bases import prepare
from instructrec.lm.decoder import DecoderShape, load_decoder

ROWS, LENGTH = 15, 160
"""The shape of a batch of the default settings."""


def step_seconds(body: Any, dtype: torch.dtype, *, repeats: int) -> list[float]:
    """Seconds of some forward and backward passes, after one that warms up."""
    width = body.config.hidden_size
    vectors = torch.randn(ROWS, LENGTH, width, dtype=dtype, requires_grad=True)
    mask = torch.full((LENGTH, LENGTH), torch.finfo(dtype).min, dtype=dtype).triu(1).expand(ROWS, 1, LENGTH, LENGTH)
    positions = torch.arange(LENGTH).expand(ROWS, LENGTH)
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        output = body(inputs_embeds=vectors, position_ids=positions, attention_mask=mask, use_cache=False)
        output.last_hidden_state.float().square().mean().backward()
        seconds.append(time.perf_counter() - began)
    return seconds[1:]


def main() -> None:
    """Measure both in turn and print a table and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    add_json_option(parser)
    given = parser.parse_args()
    shape = DecoderShape()
    decoder = load_decoder(prepare("smollm2-135m"), shape)
    plain = load_decoder(prepare("smollm2-135m"), shape).body.unload()
    config = LoraConfig(r=shape.rank, lora_alpha=int(shape.alpha), target_modules="all-linear")
    bodies = {"fused": decoder.body, "peft": get_peft_model(plain, config)}
    seconds: dict[str, list[float]] = {name: [] for name in bodies}
    for _ in range(2):  # in turn, so that a slow minute of the machine meets both
        for name, body in bodies.items():
            seconds[name] += step_seconds(body, decoder.dtype, repeats=given.repeats)
    numbers: dict[str, Any] = {f"{name}_tokens_s": ROWS * LENGTH / statistics.median(times) for name, times in seconds.items()}
    numbers["ratio"] = numbers["fused_tokens_s"] / numbers["peft_tokens_s"]
    for name, times in seconds.items():
        median, best = ROWS * LENGTH / statistics.median(times), ROWS * LENGTH / min(times)
        print(f"{name:<8}{median:>8.0f} tokens/s (median),{best:>8.0f} (best)")
    finish(numbers, given.json)


if __name__ == "__main__":
    main()
