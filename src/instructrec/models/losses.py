"""Losses of models that compare a state with the vectors of items: softmax over all or some items, and pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def softmax_nats(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross-entropies of a softmax over all items (nats).

    `states` float32 [n, width], `table` float32 [num_items, width], `targets` item codes int64 [n].
    """
    return functional.cross_entropy(states @ table.T, targets, reduction="sum")


def sampled_softmax_nats(states: Tensor, table: Tensor, targets: Tensor, drawn: Tensor, expected: Tensor) -> Tensor:
    """Sum of cross-entropies against the target and some drawn items, each for as many as it stands for (nats).

    `drawn`: item codes int64 [k], repeats allowed; `expected` float32 [k]: how often each of them is expected among k draws. Taking
    log(expected) off a logit makes the sum over the drawn ones an unbiased estimate of the sum over the catalog: the logQ
    correction (Bengio and Senecal 2008; Yi et al. 2019, doi 10.1145/3298689.3346996). The target counts once, by itself.
    """
    others = states @ functional.embedding(drawn, table).T - expected.log()
    others = others.masked_fill(targets[:, None] == drawn, -torch.inf)
    return against_drawn((states * functional.embedding(targets, table)).sum(dim=1), others)


def against_drawn(own: Tensor, others: Tensor) -> Tensor:
    """Sum of the cross-entropies (nats) of targets by their logits [n] beside those of drawn items [n, k]."""
    logits = torch.cat([own[:, None], others], dim=1)
    return functional.cross_entropy(logits, torch.zeros(len(own), dtype=torch.int64), reduction="sum")


def pair_nats(states: Tensor, table: Tensor, targets: Tensor, drawn: Tensor) -> Tensor:
    """Bayesian personalised ranking (Rendle et al. 2009, arXiv 1205.2618): -log sigmoid(target - other), a sum over targets of the
    mean over the drawn items int64 [n, k] that are not the target (nats).
    """
    own = (states * functional.embedding(targets, table)).sum(dim=1, keepdim=True)
    others = torch.einsum("nd,nkd->nk", states, functional.embedding(drawn, table))
    differ = (drawn != targets[:, None]).float()
    nats = functional.softplus(others - own) * differ
    return (nats.sum(dim=1) / differ.sum(dim=1).clamp_min(1.0)).sum()
