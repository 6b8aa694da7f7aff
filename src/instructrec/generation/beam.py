"""Exact beam search over a trie: the best allowed items of a model that scores one code token after another.

The model is a function, so that a transformer, a table of numbers in a test and an endpoint are searched by the same code. No
Python runs per beam or per item; a step is a handful of tensor operations for the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from instructrec.errors import QueryError
from instructrec.generation.trie import ROOT, Branches, Trie

NextScores: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(`parents`, `tokens`), both int64 [batch, beams] -> scores float32 [batch, beams, num_tokens] of the token after each.

`parents` says which beam of the call before each one goes on from, `tokens` what was added to it; both are [batch, 0] in the first
call, which answers [batch, 1, num_tokens]. What it returns for a beam that has ended is not read.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeamOptions:
    """How a search goes: `width` beams are kept after each token.

    `normalise`: "allowed" makes each step a distribution over the tokens that lead to an allowed item (log-probabilities of the
    constrained model), "catalog" one over the tokens that lead to any item (scores do not depend on what is allowed: two
    requests rank two items alike), "vocabulary" one over all code tokens (what the model says; sums to less than one over
    allowed items), "none" adds scores as they are. `temperature` above 0 draws items without replacement (stochastic beam search,
    Kool et al. 2019, arXiv 1903.06059) from the model at that temperature instead of taking the best; `seed` is what it draws
    with. `diversity` above 0 keeps beams by their score less that many nats for each better branch of the same beam (Li et al.
    2016, arXiv 1611.08562), so that one beam's branches do not fill the list; scores themselves stay what they are.
    """

    width: int = 20
    normalise: Literal["allowed", "catalog", "vocabulary", "none"] = "allowed"
    temperature: float = 0.0
    seed: int = 0
    diversity: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1:
            raise QueryError(f"The beam is {self.width} wide, but must hold at least one item. Use a width of n or more.")
        if self.temperature < 0:
            raise QueryError(f"The temperature is {self.temperature}, but must be 0 (best items) or more (drawn items).")
        if self.diversity < 0 or (self.diversity and self.temperature):
            raise QueryError(
                f"Diversity is {self.diversity} at temperature {self.temperature}, but must be 0 or more, and 0 where items are "
                "drawn. Set one of the two."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Items best first, int64 [batch, width], -1 where fewer are allowed; their scores float32, -inf there."""

    items: Tensor
    scores: Tensor


@dataclass(slots=True)
class _Beams:
    nodes: Tensor
    scores: Tensor
    order_by: Tensor
    """What beams are kept by: the score, perturbed once when items are drawn, or less the penalties of diverse beams."""


def beam_search(next_scores: NextScores, trie: Trie, allowed: Tensor, options: BeamOptions = BeamOptions()) -> Found:
    """The `options.width` best allowed items of every request, sorted, none twice; all of them where fewer are allowed.

    `allowed` is `trie.allow(masks)`. A beam as wide as the number of allowed items finds the same
    items and scores as scoring each of them. At any width, as many items come out as are allowed, up to the width: every beam
    that is kept leads to at least one, and no two to the same.
    """
    batch, device = len(allowed), allowed.device
    start = torch.zeros(batch, 1, device=device).masked_fill(~allowed[:, :1], -torch.inf)
    beams = _Beams(torch.full((batch, 1), ROOT, device=device), start, start)
    noise = torch.Generator(device=device).manual_seed(options.seed) if options.temperature > 0 else None
    parents = tokens = torch.zeros(batch, 0, dtype=torch.int64, device=device)
    for depth in range(len(trie.most_children) - 1):
        steps = next_scores(parents, tokens).float()
        parents, tokens, beams = _advance(steps, trie, allowed, beams, options, noise, depth=depth)
    order = beams.scores.argsort(dim=1, descending=True, stable=True)
    scores, nodes = beams.scores.gather(1, order), beams.nodes.gather(1, order)
    return Found(items=torch.where(scores.isfinite(), trie.items(nodes), -1), scores=scores)


def _advance(
    steps: Tensor, trie: Trie, allowed: Tensor, beams: _Beams, options: BeamOptions, noise: torch.Generator | None, *, depth: int
) -> tuple[Tensor, Tensor, _Beams]:
    """One token further: (which beam each new one comes from, the token it added, the new beams)."""
    branches = trie.branches(beams.nodes, allowed, depth=depth)
    gains = _log_probabilities(steps, branches, options)
    ended = trie.ended(beams.nodes)
    scores = torch.cat([beams.scores[..., None] + gains, beams.scores.masked_fill(~ended, -torch.inf)[..., None]], dim=2)
    order_by = scores
    if noise is not None:
        drawn = _drawn(scores[..., :-1], beams, noise)
        order_by = torch.cat([drawn, beams.order_by.masked_fill(~ended, -torch.inf)[..., None]], dim=2)
    elif options.diversity > 0:
        better = gains.argsort(dim=2, descending=True, stable=True).argsort(dim=2)
        # What a beam lost against its siblings is forgotten in the next step, as in the paper: it is not part of its score.
        spread = scores[..., :-1] - options.diversity * better
        order_by = torch.cat([spread, scores[..., -1:]], dim=2)
    choices = scores.shape[2]
    kept, places = order_by.flatten(1).topk(min(options.width, order_by.shape[1] * choices), dim=1)
    parents, branch = places // choices, places % choices
    stays = branch == choices - 1
    nodes = torch.where(stays, beams.nodes.gather(1, parents), branches.first.gather(1, parents) + branch)
    tokens = branches.tokens.flatten(1).gather(1, parents * (choices - 1) + branch.clamp(max=choices - 2)).masked_fill(stays, 0)
    return parents, tokens, _Beams(nodes, scores.flatten(1).gather(1, places), kept)


def _log_probabilities(steps: Tensor, branches: Branches, options: BeamOptions) -> Tensor:
    """What each branch adds to the score, -inf for closed ones, float32 [batch, beams, most_children]."""
    if options.temperature > 0:
        steps = steps / options.temperature
    found = steps.gather(2, branches.tokens)
    chosen = torch.where(branches.open, found, -torch.inf)
    if options.normalise == "none":
        return chosen
    over = {"allowed": chosen, "catalog": torch.where(branches.exist, found, -torch.inf), "vocabulary": steps}[options.normalise]
    return torch.where(branches.open, chosen - over.logsumexp(dim=2, keepdim=True), -torch.inf)


def _drawn(scores: Tensor, beams: _Beams, noise: torch.Generator) -> Tensor:
    """Gumbel-perturbed scores of the branches, given that the largest of a beam's branches equals the beam's own.

    The conditional draw of Kool et al. 2019, appendix B.3, in its numerically stable form.
    """
    uniform = torch.rand(scores.shape, generator=noise, device=scores.device).clamp_(1e-20, 1 - 1e-7)
    perturbed = scores - (-uniform.log()).log()
    top = perturbed.amax(dim=2, keepdim=True)
    target = beams.order_by[..., None]
    v = target - perturbed + torch.log1p(-torch.exp((perturbed - top).clamp(max=-1e-12)))
    shifted = target - v.clamp(min=0) - torch.log1p(torch.exp(-v.abs()))
    return torch.where(scores.isfinite() & target.isfinite(), shifted, -torch.inf)
