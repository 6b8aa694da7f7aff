"""What everything that reads a prompt once and continues it must do, whatever its body is."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from instructrec.lm.encoder_decoder import PromptReader
from instructrec.lm.lora import add_lora, set_frozen
from instructrec.lm.shared_prefix import Context, Continuations

WIDTH = 32


def assert_beams_branch(reader: PromptReader, context: Context, wanted: Callable[[int, Tensor], Tensor], *, atol: float) -> None:
    """Beams of two prompts that branch and are reordered have the states `wanted` (row, all vectors of the beam)."""
    nothing = torch.zeros(0, WIDTH)
    for row in range(2):
        torch.testing.assert_close(context.hidden[row], wanted(row, nothing), rtol=1e-4, atol=atol)
    added, beams = [[nothing] * 3 for _ in range(2)], Continuations()
    for parents in ([[0, 0, 0], [0, 0, 0]], [[2, 0, 0], [1, 1, 0]], [[1, 2, 0], [0, 2, 2]]):
        vectors = torch.randn(2, 3, WIDTH)
        hidden, beams = reader.step(context, beams, torch.tensor(parents), vectors)
        added = [[torch.cat([added[row][parents[row][beam]], vectors[row, beam][None]]) for beam in range(3)] for row in range(2)]
        for row in range(2):
            for beam in range(3):
                torch.testing.assert_close(hidden[row, beam], wanted(row, added[row][beam]), rtol=1e-4, atol=atol)


def assert_at_once_is_step_by_step(reader: PromptReader, context: Context) -> None:
    """Candidates of two prompts have the same states read at once, again and again, and token by token."""
    vectors, beams = torch.randn(2, 3, 4, WIDTH), Continuations()
    for _ in range(2):
        at_once = reader.extend(context, vectors, torch.full((2, 3), 4))
    for place in range(4):
        hidden, beams = reader.step(context, beams, torch.arange(3).expand(2, 3), vectors[:, :, place])
        torch.testing.assert_close(at_once[:, :, place], hidden, rtol=1e-4, atol=1e-5)


def with_adapters(body: Any) -> Any:
    """A body with adapters that change what it computes, ready to serve."""
    adapted = add_lora(body, rank=2, alpha=4.0, shrink=0.5)
    for key, value in adapted.named_parameters():
        if "lora_B" in key:
            value.data.normal_(std=0.3)
    set_frozen(adapted, True)
    return adapted
