"""What benchmarks that set one side against another share: the base behind both, and times taken in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from instructrec.lm.bases import prepare

Answer = TypeVar("Answer")


def smollm2(layers: int, dtype: torch.dtype) -> Any:
    """SmolLM2-135M as a causal language model of transformers, cut to its first layers, with its fast attention."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    folder = prepare("smollm2-135m").folder
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa").eval()
    model.model.layers = model.model.layers[:layers]
    model.config.num_hidden_layers = len(model.model.layers)
    return model


def in_turns(works: Mapping[str, Callable[[], Answer]], repeats: int) -> tuple[dict[str, float], dict[str, Answer]]:
    """Median time of one call of each (ms), and what each gave in the call before that warms up.

    In turns, so that a slow minute of the machine meets all.
    """
    answers = {name: work() for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(some) for name, some in times.items()}, answers
