"""What is measured of the language model beside tuning: the loss of validation targets, and how well it expects words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from instructrec.core import FitContext, Query
from instructrec.instructions.tasks import TaskConfig, TaskMixture, chunks
from instructrec.recommender import allowed
from instructrec.tuning.loop import losses, word_losses

if TYPE_CHECKING:
    from instructrec.models.lm import LanguageModelRecommender

CHECK_USERS = 200
"""Validation queries behind each point of the learning curve."""
_TOLD = ("item_to_text", "explanation")
"""Tasks that are answered in words."""


def validation_loss(model: LanguageModelRecommender, context: FitContext) -> Callable[[], float] | None:
    """A function that gives the mean negative log-likelihood (nats) of some validation targets among the allowed items; none
    where there are no targets.
    """
    queries, targets = _some(context)
    if not queries:
        return None
    if model.book.codes.kind != "atomic":
        return lambda: _written_loss(model, queries, targets)
    masks = np.stack([allowed(query, model.catalog) for query in queries])

    def check() -> float:
        model.warm()
        scores = np.where(masks, model.score(queries), -np.inf)
        top = scores.max(axis=1)
        norm = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
        likelihood = scores[np.arange(len(queries)), targets] - norm
        return float(-likelihood[np.isfinite(likelihood)].mean())

    return check


def _written_loss(model: LanguageModelRecommender, queries: Sequence[Query], targets: Sequence[int]) -> float:
    """Mean negative log-likelihood (nats, among all items) of writing each target after its history."""
    items, encoder = model.serving()
    encoded = [model.followed(query, target) for query, target in zip(queries, targets, strict=True)]
    batches = model.batches(encoded, np.random.default_rng(0))
    with torch.inference_mode():
        total = sum(losses(items, batch, encoder.trie, model.catalog)[1] * batch.num_next for batch in batches)
    return total / len(queries)


def word_perplexity(model: LanguageModelRecommender, context: FitContext) -> float | None:
    """Perplexity (e to the mean loss of a token, in nats) of titles and reasons as answers to questions about held-out histories.

    The histories are those of validation with the item that is held out; none where there are no such answers.
    """
    queries, targets = _some(context)
    histories = [np.append(model.catalog.codes(query.history), target) for query, target in zip(queries, targets, strict=True)]
    if not histories:
        return None
    shares = {entry.name: 0.0 for entry in fields(TaskConfig) if entry.name.startswith("share_")}
    config = replace(model.config, questions=10.0, **shares | {f"share_{task}": 1.0 for task in _TOLD})  # type: ignore[arg-type]
    mixture = TaskMixture(model.catalog, config, language=config.language)
    rng = np.random.default_rng(context.seed)
    items, encoder = model.serving()
    examples = mixture.examples(chunks(histories, length=config.max_history, rng=rng), rng)
    batches = model.batches([one for example in examples for one in encoder.lessons(example, rng)], rng)
    with torch.inference_mode():
        found = [word_losses(items, batch) for batch in batches if len(batch.word_places)]
    told = sum(len(some) for some in found)
    return math.exp(sum(float(some.sum()) for some in found) / told) if told else None


def _some(context: FitContext) -> tuple[list[Query], list[int]]:
    """Up to CHECK_USERS validation queries at even steps, and their targets."""
    if context.validation is None or not len(context.validation[0]):
        return [], []
    stride = max(1, len(context.validation[0]) // CHECK_USERS)
    return list(context.validation[0])[::stride], list(context.validation[1])[::stride]
