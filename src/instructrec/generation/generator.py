"""Generates items: prompts are read once, codes are written under the trie of what each request may show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from instructrec.generation.beam import BeamOptions, Found, beam_search
from instructrec.generation.codes import ItemTokens
from instructrec.generation.scoring import CodeScores
from instructrec.generation.trie import Trie
from instructrec.lm.encoder_decoder import EncoderDecoder
from instructrec.lm.item_model import ItemTable, ItemTokenModel
from instructrec.lm.precision import Precision
from instructrec.lm.shared_prefix import SharedPrefixDecoder
from instructrec.tables import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One request as tokens of the model, and the word ids of its question, if it has one."""

    tokens: IntArray
    words: tuple[int, ...] = ()


class ItemGenerator:
    """A tuned model, ready to generate: make a new one after tuning or when items were added.

    `items`: the model's tables; `tokens`: the codes that it writes (cut by `CodeTable.distinguishing`) and `trie`, theirs;
    `precision`: of the decoder's products (none: as it was tuned).
    """

    @torch.inference_mode()
    def __init__(
        self, model: ItemTokenModel, items: ItemTable, tokens: ItemTokens, trie: Trie, *, precision: Precision | None = None
    ) -> None:
        self.model = model
        self.items = items
        self.tokens = tokens
        self.device = items.inputs.device
        self.trie = trie.to(self.device)
        serving = EncoderDecoder if model.decoder.both_ways else SharedPrefixDecoder
        self.decoder = serving(model.body, precision=precision)
        self._inputs = items.inputs[tokens.first_written - tokens.vocabulary :] * model.input_scale

    @torch.inference_mode()
    def search(self, prompts: Sequence[Prompt], masks: BoolArray, options: BeamOptions) -> Found:
        """The best allowed items of every request; `masks` bool [num_prompts, num_items] say what is allowed."""
        return beam_search(self._scores(prompts), self.trie, self.trie.allow(masks), options)

    @torch.inference_mode()
    def rank(self, prompts: Sequence[Prompt], masks: BoolArray, options: BeamOptions) -> FloatArray:
        """Scores float32 [num_prompts, num_items] of the whole catalog: those of the items that the beam found, and behind them all
        others in the order of the first token of their codes.
        """
        scores = self._scores(prompts)
        found = beam_search(scores, self.trie, self.trie.allow(masks), options)
        first = torch.from_numpy(self.tokens.codes.tokens[:, 0]).to(self.device)
        likely = scores.first.log_softmax(dim=1)[:, first]
        known = found.items >= 0
        worst = found.scores.masked_fill(~known, torch.inf).amin(dim=1, keepdim=True).nan_to_num(posinf=0.0)
        out = likely - likely.amax(dim=1, keepdim=True) + worst - BEHIND
        rows = torch.arange(len(out), device=self.device)[:, None].expand_as(found.items)
        out[rows[known], found.items[known]] = found.scores[known]
        return np.asarray(out.cpu().numpy(), dtype=np.float32)

    def _scores(self, prompts: Sequence[Prompt]) -> CodeScores:
        lengths = torch.tensor([len(prompt.tokens) for prompt in prompts], device=self.device)
        padding = self.tokens.answer
        rows = np.full((len(prompts), int(lengths.max())), padding, dtype=np.int64)
        for row, prompt in zip(rows, prompts, strict=True):
            row[: len(prompt.tokens)] = prompt.tokens
        context = self.decoder.read(self.model.vectors(torch.from_numpy(rows).to(self.device), self.items), lengths)
        words = [prompt.words for prompt in prompts]
        pooled = self.model.pool_lists(words) if any(words) else None
        answers = _Answers(self.model, self.items, context.hidden, pooled)
        return CodeScores(self.decoder, context, inputs=self._inputs, outputs=answers)


BEHIND = 1.0
"""Distance (nats) between the last item of the beam and the first of those that it did not reach."""


class _Answers:
    """The output layer of an item-token model for beams; `start` [batch, width] are the states where their answers begin, `pooled`
    the words of each request.
    """

    def __init__(self, model: ItemTokenModel, items: ItemTable, start: Tensor, pooled: Tensor | None) -> None:
        self.model, self.items, self.start, self.pooled = model, items, start, pooled
        self._begun = False

    def __call__(self, hidden: Tensor) -> Tensor:
        """Scores float32 [batch, beams, num_tokens] from hidden states [batch, beams, width]; the first call begins the answers."""
        batch, beams = hidden.shape[:2]
        words = None if self.pooled is None else self.pooled.repeat_interleave(beams, dim=0)
        start = self.start.repeat_interleave(beams, dim=0)
        written = hidden.flatten(0, 1) if self._begun else None
        self._begun = True
        return self.model.logits(start, self.items, words, written=written).view(batch, beams, -1)
