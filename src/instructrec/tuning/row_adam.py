"""AdamW for tables of which a step meets some rows: it costs those rows, however many there are."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

DECAYS = (0.9, 0.999)
"""Of the mean gradient and of the mean square, as in `torch.optim.AdamW`."""
TINY = 1e-8


class RowAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) over sparse gradients, row by row.

    Rows without a gradient stay as they are, and so do their moments and their decay ("lazy Adam"); where every row is met at every
    step it is AdamW. Moments are float32 of the table's shape.
    """

    def __init__(self, tables: Iterable[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        super().__init__(list(tables), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step along the gradients; tables without one are left alone."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is not None:
                    self._step(table, float(group["lr"]), float(group["weight_decay"]))

    def _step(self, table: Tensor, rate: float, decay: float) -> None:
        gradient = table.grad.coalesce()  # type: ignore[union-attr]
        rows, values, state = gradient.indices()[0], gradient.values(), self.state[table]
        if not state:
            state.update(step=torch.tensor(0.0), exp_avg=torch.zeros_like(table), exp_avg_sq=torch.zeros_like(table))
        state["step"] += 1
        count = float(state["step"])
        mean = state["exp_avg"][rows].lerp_(values, 1 - DECAYS[0])
        square = state["exp_avg_sq"][rows].lerp_(values.square(), 1 - DECAYS[1])
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean, square
        size = (square / (1 - DECAYS[1] ** count)).sqrt_().add_(TINY)
        table[rows] = table[rows].mul_(1 - rate * decay).sub_(mean.div_(size), alpha=rate / (1 - DECAYS[0] ** count))
