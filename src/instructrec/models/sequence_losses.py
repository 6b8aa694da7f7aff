"""Losses of a next item over a catalog: the whole of it, or some negatives that stand for it.

`cross_entropy` over all items (Klenitskiy and Vasilev 2023, arXiv 2309.07602) costs items x width a target. The others cost
negatives x width, however large the catalog is: `sampled_softmax`, whose negatives count for all items that were not drawn, so that
it estimates the sum over the catalog without bias, and `gbce`, the generalised binary cross-entropy of Petrov and Macdonald (2023,
arXiv 2308.07192), which takes back the overconfidence that sampled negatives give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from instructrec.models.losses import against_drawn

LossKind: TypeAlias = Literal["cross_entropy", "sampled_softmax", "gbce"]

LOGITS_AT_ONCE = 2**21
"""8 MB of logits: they are made, used and overwritten in the cache."""
SHARED_BY = 512
"""Targets that share their negatives: as many as make a product of matrices that is worth its call, and no more, since each
negative that several targets share is one less that the step meets."""
LARGE_CATALOG = 100_000
"""Items from which a sampled loss gives gradients of the rows that it met, so that no step touches the whole table."""


def gbce_beta(negatives: int, num_items: int, calibration: float) -> float:
    """The power of the positive's probability: beta = alpha (t (1 - 1/alpha) + 1/alpha), alpha = negatives / (items - 1).

    Petrov and Macdonald 2023, equation of section 5; `calibration` t: 0 is binary cross-entropy (beta 1), 1 calibrates in full
    (beta alpha).
    """
    alpha = negatives / max(num_items - 1, 1)
    return alpha * (calibration * (1 - 1 / alpha) + 1 / alpha)


def sampled_softmax(own: Tensor, others: Tensor, num_items: int) -> Tensor:
    """Sum of cross-entropies (nats), from logits of targets [n] and of uniform negatives [n, k], -inf where one is the target."""
    # Each negative stands for as many items as there are to a negative: the sum over the catalog, without bias.
    return against_drawn(own, others + math.log(num_items / others.shape[1]))


def gbce(own: Tensor, others: Tensor, beta: float) -> Tensor:
    """Sum of -(beta log sigmoid(s+) + sum of log(1 - sigmoid(s-))) / (k + 1); shapes as in `sampled_softmax`."""
    # 1 - sigmoid(s) is sigmoid(-s); a negative that is the target has the chance 0, and adds nothing.
    whole = beta * functional.logsigmoid(own).sum() + functional.logsigmoid(-others).sum()
    return -whole / (others.shape[1] + 1)


@dataclass(frozen=True, slots=True)
class CatalogLoss:
    """A loss with its settings. `negatives`: drawn uniformly for each target (shared by some), 0 for the whole catalog."""

    kind: LossKind
    negatives: int
    calibration: float
    low: bool = False
    """Whether products are made of bfloat16 numbers; sums and exponentials are float32 in any case."""

    def drawn(self, num_items: int) -> int:
        """Negatives a target; 0 where the whole catalog is no more work."""
        if self.kind == "gbce":
            return max(1, min(self.negatives, num_items - 1))
        return self.negatives if self.kind == "sampled_softmax" and self.negatives < num_items - 1 else 0

    def by_rows(self, num_items: int) -> bool:
        """Whether the gradient of the table is sparse."""
        return num_items >= LARGE_CATALOG and self.drawn(num_items) > 0

    def backward(self, states: Tensor, targets: Tensor, table: Tensor, mean_size: float) -> tuple[float, Tensor]:
        """The summed loss and its gradient by the states, both float32; that by the table is added to its `grad`.

        Gradients are those of the sum divided by `mean_size`; states [n, width], item codes int64 [n], table [items, width].
        """
        if not len(targets):
            return 0.0, torch.zeros_like(states)
        drawn = self.drawn(len(table))
        if drawn:
            return self._sampled(states, targets, table, drawn, mean_size)
        return self._whole(states.detach(), targets, table, mean_size)

    @torch.no_grad()
    def _whole(self, states: Tensor, targets: Tensor, table: Tensor, mean_size: float) -> tuple[float, Tensor]:
        """Cross-entropy over the catalog, its gradient (softmax - one) written over the logits, piece by piece."""
        items, by_states, by_table = self._short(table.detach()), torch.empty_like(states), torch.zeros_like(table)
        rows, total = max(1, LOGITS_AT_ONCE // len(table)), 0.0
        for first in range(0, len(states), rows):
            some, wanted = self._short(states[first : first + rows]), targets[first : first + rows, None]
            logits = torch.mm(some, items.T).float()
            own, top = logits.gather(1, wanted), logits.amax(dim=1, keepdim=True)
            mass = logits.sub_(top).exp_().sum(dim=1, keepdim=True)
            total += float((mass.log() + top - own).sum())
            logits.mul_(1 / (mass * mean_size)).scatter_add_(1, wanted, torch.full_like(own, -1 / mean_size))
            weights = self._short(logits)
            by_states[first : first + rows] = torch.mm(weights, items)
            by_table += torch.mm(weights.T, some)
        table.grad = by_table if table.grad is None else table.grad + by_table
        return total, by_states

    def _sampled(self, states: Tensor, targets: Tensor, table: Tensor, drawn: int, mean_size: float) -> tuple[float, Tensor]:
        pieces, size = -(-len(targets) // SHARED_BY), len(targets)
        negatives = torch.randint(len(table), (pieces, drawn))
        rows = functional.embedding(torch.cat([targets, negatives.flatten()]), table, sparse=self.by_rows(len(table)))
        own, others = rows.detach()[:size], rows.detach()[size:].view(pieces, drawn, -1)
        by_states, by_rows, total = torch.empty_like(states), torch.empty_like(rows), 0.0
        by_others = by_rows[size:].view(pieces, drawn, -1)
        for piece in range(pieces):
            some = slice(piece * SHARED_BY, min((piece + 1) * SHARED_BY, size))
            read, met = states.detach()[some], self._short(others[piece])
            logits = torch.mm(self._short(read), met.T).float()
            logits.masked_fill_(targets[some, None] == negatives[piece], -torch.inf)
            loss, by_own, by_logits = self._derived((read * own[some]).sum(dim=1), logits, len(table))
            by_own, weights = by_own[:, None] / mean_size, self._short(by_logits / mean_size)
            by_states[some] = by_own * own[some] + torch.mm(weights, met)
            by_rows[some] = by_own * read
            by_others[piece] = torch.mm(weights.T, self._short(read))
            total += loss
        rows.backward(by_rows)  # type: ignore[no-untyped-call]
        return total, by_states

    def _derived(self, own: Tensor, others: Tensor, num_items: int) -> tuple[float, Tensor, Tensor]:
        """The summed loss, and what it grows by with each logit."""
        own, others = own.requires_grad_(), others.requires_grad_()
        loss = self._loss(own, others, num_items)
        by_own, by_others = torch.autograd.grad(loss, (own, others))
        return float(loss.detach()), by_own, by_others

    def _loss(self, own: Tensor, others: Tensor, num_items: int) -> Tensor:
        if self.kind == "gbce":
            return gbce(own, others, gbce_beta(others.shape[1], num_items, self.calibration))
        return sampled_softmax(own, others, num_items)

    def _short(self, numbers: Tensor) -> Tensor:
        return numbers.to(torch.bfloat16) if self.low else numbers
